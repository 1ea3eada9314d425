"""The page with counterexamples in a real browser: every step, by key, button, slider and address.

It needs Chromium (Debian: chromium). Where GlusterFS must be (``GLUSTERIO_REQUIRE_INTEROP=1``) it must
be, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from glusterio.verify.checking import Checking
from glusterio.verify.life import life
from glusterio.verify.page import page
from glusterio.verify.shipped import SEED, SPEC
from glusterio.verify.told import Counterexample, tell
from glusterio.verify.traces import read
from tests.browser import Browser, program

pytestmark = pytest.mark.timeout(300)  # a browser takes its time to start on a busy machine

#: Of each kind one: two bands, three, functions of functions, liveness.
CONFIGS = [
    SEED,
    "DrainSteps/close-in-flight",
    "Teardown/without-drops-own",
    "Teardown/without-cuts",
]

#: What is to be seen of the step that is shown.
SEEN = """(() => {
  const shown = [...document.querySelectorAll(".step")].filter((one) => one.getClientRects().length);
  const step = shown[0], text = (of) => of.innerText.replace(/\\s+/g, " ").trim();
  const story = step.closest(".story");
  const picture = step.querySelector("svg");
  return {
    steps: shown.length,
    title: text(step.querySelector("h3")),
    words: text(step.querySelector(".words")),
    changes: [...step.querySelectorAll(".changes li")].map((one) => text(one)),
    violated: step.querySelector(".violated") ? text(step.querySelector(".violated strong")) : null,
    story: story.dataset.config,
    at: text(story.querySelector("output")),
    outline: [...story.querySelectorAll(".outline a[aria-current]")].map((one) => text(one)),
    disabled: [...story.querySelectorAll("button:disabled")].map((one) => one.dataset.go),
    slider: Number(story.querySelector("input").value),
    picture: picture.getBoundingClientRect().width > 200 && picture.querySelector("desc").textContent,
    announced: document.getElementById("announced").textContent,
    address: location.hash,
  };
})()"""


CORPUS = Path(__file__).parent.parent / "traces" / "corpus"

#: One of every module, and one where three threads are at work.
EVERY_MODULE = [
    "Brick/same-identity",
    "Drain/unmitigated",
    "DrainFrames/fix-4800",
    "DrainSteps/close-in-flight",
    "FdLifecycle/no-drain-from-new",
    "GraphSwitch/own-not-dropped",
    "Session/no-gate",
    "SessionSteps/counted-time-out",
    "Teardown/without-old-fd-first",
    "Teardown/without-names-lost",
]

#: Texts of pictures that stick out: of the picture, or of the card that they are in.
STICK_OUT = """(() => {
  document.body.classList.remove("stepping");  // all states of all stories at once
  const found = [];
  for (const picture of document.querySelectorAll("svg")) {
    const cards = [...picture.querySelectorAll("rect.card")].map((card) => card.getBBox());
    const whole = picture.viewBox.baseVal;
    for (const text of picture.querySelectorAll("text")) {
      const box = text.getBBox();
      const within = cards.find((card) => box.x >= card.x && box.x < card.x + card.width
        && box.y >= card.y - 4 && box.y < card.y + card.height) || whole;
      if (box.x + box.width > within.x + within.width
        || box.y + box.height > within.y + within.height + 2) {
        found.push(`${picture.closest(".story").dataset.config}: ${text.textContent}`);
      }
    }
  }
  return [document.querySelectorAll("svg").length, found];
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = program()
    if path is None:
        if os.environ.get("GLUSTERIO_REQUIRE_INTEROP") == "1":
            pytest.fail("there is no Chromium, and here there must be one")
        pytest.skip(
            "no Chromium here (Debian: apt-get install chromium; or say GLUSTERIO_CHROMIUM)"
        )
    with Browser(path, tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def told() -> dict[str, Counterexample]:
    return {config: example(config) for config in CONFIGS}


def example(config: str) -> Counterexample:
    checking = Checking(SPEC, config)
    return tell(checking, checking.run())


@pytest.fixture(scope="module")
def address(told: dict[str, Counterexample], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(list(told.values())), encoding="utf-8")
    return path.as_uri()


def is_shown(browser: Browser, example: Counterexample, number: int) -> None:
    """What is to be seen is this state, and nothing else."""
    seen, step, last = browser.ask(SEEN), example.steps[number - 1], len(example.steps)
    assert seen["steps"] == 1
    assert seen["story"] == example.config
    assert seen["title"] == f"State {number} of {last}: {step.action}"
    assert seen["words"] == step.words
    assert [change.partition(" (")[0] for change in seen["changes"]] == [
        f"{change.place} {change.words}" for change in step.changes
    ]
    assert seen["at"] == f"{number} of {last}"
    assert seen["outline"] == [f"{number}. {step.action} {step.words}"]
    assert seen["slider"] == number
    ends = (["first", "back"] if number == 1 else []) + (["on", "last"] if number == last else [])
    assert seen["disabled"] == ends
    assert seen["picture"], "a picture, with words for whoever does not see it"
    if number == last and example.violated:
        assert f"{example.violated} is violated." in seen["violated"]
    else:
        assert seen["violated"] is None


def has_gone_to(browser: Browser, example: Counterexample, number: int) -> None:
    """As above; and it has been announced, and is in the address."""
    is_shown(browser, example, number)
    seen, step = browser.ask(SEEN), example.steps[number - 1]
    assert seen["announced"].startswith(f"State {number} of {len(example.steps)}: {step.words}")
    assert seen["address"] == f"#{example.config}/{number}"


@pytest.fixture
def quiet(browser: Browser) -> Iterator[Browser]:
    """The browser; nothing may be complained of, and nothing loaded but the page."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.look(1200, 900)
    yield browser
    assert browser.complaints == []
    assert {url for url in browser.requests if url != "about:blank"} <= {browser.requests[-1]}


@pytest.mark.parametrize("config", CONFIGS)
def test_every_step_there_and_back_by_the_arrow_keys(
    browser: Browser, quiet: Browser, address: str, told: dict[str, Counterexample], config: str
) -> None:
    example = told[config]
    quiet.open(f"{address}#{config}/1")
    is_shown(quiet, example, 1)
    last = len(example.steps)
    for number in [*range(2, last + 1), last]:  # on from the last state it stays
        quiet.press("ArrowRight")
        has_gone_to(quiet, example, number)
    for number in range(last - 1, 0, -1):
        quiet.press("ArrowLeft")
        has_gone_to(quiet, example, number)
    quiet.press("End")
    has_gone_to(quiet, example, last)
    quiet.press("Home")
    has_gone_to(quiet, example, 1)


def test_buttons_slider_and_outline(
    browser: Browser, quiet: Browser, address: str, told: dict[str, Counterexample]
) -> None:
    seed = told[SEED]
    quiet.open(address)
    is_shown(quiet, seed, 1)  # the first is shown when nothing is said
    for go, number in [("on", 2), ("on", 3), ("back", 2), ("last", 5), ("first", 1), ("first", 1)]:
        quiet.click(f'button[data-go="{go}"]')
        is_shown(quiet, seed, number)
    quiet.click(".outline li:nth-child(4) a")
    has_gone_to(quiet, seed, 4)
    quiet.ask('document.querySelector(".shown input").focus()')
    quiet.press("ArrowLeft")  # the slider's own
    has_gone_to(quiet, seed, 3)


def test_another_counterexample_is_chosen_and_an_address_leads_to_a_step(
    browser: Browser, quiet: Browser, address: str, told: dict[str, Counterexample]
) -> None:
    quiet.open(f"{address}#{SEED}/3")
    is_shown(quiet, told[SEED], 3)
    other = CONFIGS[1]
    quiet.ask(
        f"(choice.value = {json.dumps(other)}, choice.dispatchEvent(new Event('change')), null)"
    )
    has_gone_to(quiet, told[other], 1)
    quiet.ask(f"void (location.hash = {json.dumps(f'#{CONFIGS[2]}/12')})")
    assert quiet.ask("choice.value") == CONFIGS[2]
    is_shown(quiet, told[CONFIGS[2]], 12)
    for nonsense in ("#nothing/3", f"#{SEED}/x", f"#{SEED}/99", "#%", "#"):
        quiet.open(address + nonsense)
        is_shown(quiet, told[SEED], 5 if nonsense.endswith("99") else 1)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("config", CONFIGS)
def test_on_a_phone(
    browser: Browser, quiet: Browser, address: str, config: str, dark: bool
) -> None:
    quiet.look(360, 740, dark=dark, phone=True)
    quiet.open(f"{address}#{config}/99")
    assert quiet.ask("document.documentElement.scrollWidth") <= 360, "nothing sticks out"
    assert quiet.ask('document.querySelector(".step.shown figure").scrollWidth') <= 360
    sizes = quiet.ask(
        """[...document.querySelectorAll(".step.shown svg text")]
          .map((one) => one.getBoundingClientRect().height)"""
    )
    assert min(sizes) >= 11, "letters that can be read"
    buttons = quiet.ask(
        """[...document.querySelectorAll(".story.shown button, .story.shown input")]
          .map((one) => one.getBoundingClientRect()).map((box) => [box.height, box.bottom])"""
    )
    assert all(height >= 44 and bottom <= 740 for height, bottom in buttons), "in a thumb's reach"
    paper = quiet.ask("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(15, 21, 27)" if dark else "rgb(255, 255, 255)")


def test_the_life_of_a_real_session(browser: Browser, quiet: Browser, tmp_path: Path) -> None:
    trace = (CORPUS / "threads-lost.ndjson").read_text()
    story = life(SPEC, read(trace), "50% of threads, lost")
    path = tmp_path / "page.html"
    path.write_text(page([story, story]), encoding="utf-8")
    quiet.open(path.as_uri())
    is_shown(quiet, story, 1)
    for number in range(2, len(story.steps) + 1):
        quiet.press("ArrowRight")
        is_shown(quiet, story, number)
    quiet.open(quiet.ask("location.href").rpartition("/")[0] + "/7")
    is_shown(quiet, story, 7)


def test_of_no_module_anything_sticks_out_of_a_picture(
    browser: Browser, quiet: Browser, tmp_path: Path
) -> None:
    stories = [example(config) for config in EVERY_MODULE]
    path = tmp_path / "page.html"
    path.write_text(page(stories), encoding="utf-8")
    quiet.open(path.as_uri())
    pictures, found = quiet.ask(STICK_OUT)
    assert pictures == sum(len(story.steps) for story in stories)
    assert found == []
