"""The page with counterexamples: what is in it, for every module.

How it is used is the matter of tests/verify/test_page_in_browser.py.
"""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from glusterio.verify import scenes as scenes_module
from glusterio.verify.checking import Checking
from glusterio.verify.drawing import pictures, strip, style
from glusterio.verify.page import page
from glusterio.verify.scenes import Said, Scene, scenes
from glusterio.verify.shipped import SEED, SPEC, expected
from glusterio.verify.told import Counterexample, tell

TABLES = tomllib.loads(Path(scenes_module.__file__).with_name("pictures.toml").read_text())
MODULES = sorted({one.config.split("/")[0] for one in expected()})

#: One counterexample of every module.
EXAMPLES = [
    "Brick/same-identity",
    "Drain/unmitigated",
    "DrainFrames/fix-4800",
    "DrainSteps/close-in-flight",
    "FdLifecycle/no-drain",
    "GraphSwitch/own-not-dropped",
    "Session/no-gate",
    "SessionSteps/gate-drain",
    "Teardown/without-drops-own",
]


@cache
def example(config: str) -> Counterexample:
    checking = Checking(SPEC, config)
    return tell(checking, checking.run())


def uses(table: Any) -> list[dict[str, Any]]:
    """All that a table says of variables."""
    bands = table["band"]
    found = [*table.get("flags", []), *(b["gone"] for b in bands if "gone" in b)]
    for band in bands:
        found += [*band.get("counts", []), *band.get("marks", []), *band.get("links", [])]
        found += [band["shown"]] if "shown" in band else []
        found += [{"of": band["state"]}] if "state" in band else []
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_picture_and_what_it_says_is_there(module: str) -> None:
    (config,) = (config for config in EXAMPLES if config.startswith(f"{module}/"))
    told, table = example(config), TABLES[module]
    named = {use["of"] for use in uses(table)} | {table.get("session")} - {None}
    assert named <= told.variables.keys()
    assert {band["over"] for band in table["band"]} <= told.members.keys()
    titles = [band["title"] for band in table["band"]]
    for at, band in enumerate(table["band"]):
        assert {link["to"] for link in band.get("links", [])} <= set(titles[at + 1 :])
    # what is not in the picture is in the list of variables below it; most is in the picture
    assert len(set(told.variables) - named) <= 1, set(told.variables) - named


def test_every_tone_is_that_of_a_state_that_there_is() -> None:
    there = {
        state
        for config in EXAMPLES
        for states in example(config).orders.values()
        for state in states
    }
    there |= {"Lost", "Unused", "Released"}  # of Brick's remote
    tones = [state for states in TABLES["tones"].values() for state in states]
    assert len(tones) == len(set(tones))
    assert set(tones) <= there


def scene(config: str, number: int) -> Scene:
    return scenes(example(config))[number - 1]


def test_the_seed_s_last_state() -> None:
    last = scene(SEED, 5)
    assert last.session.text == "DESTROYED"
    files, inodes = last.bands
    assert files.cards["fd1"].state == Said("LEAKED", "bad")
    assert (set(files.cards), files.never) == ({"fd1"}, ("fd2",))
    assert [mark.text for mark in files.cards["fd1"].marks] == ["its inode is gone"]
    assert {card.gone for card in inodes.cards.values()} == {"freed"}
    (link,) = last.links
    assert (link.source, link.target, link.dead) == (("files", "fd1"), ("inodes", "fd1"), True)


def test_lines_lead_where_the_variables_say() -> None:
    between = scene("Teardown/without-drops-own", 13)
    assert {(link.source[1], link.target[1], link.count) for link in between.links} == {
        ("t1", "h1", 0),
        ("h1", "1", 1),
        ("h1", "2", 1),
    }
    bricks = between.bands[2].cards
    assert [mark.text for mark in bricks["2"].marks] == ["the active graph", "holds an fd for h1"]
    strayed = scene("GraphSwitch/own-not-dropped", 5)
    assert {(link.source[1], link.target[1], link.dashed) for link in strayed.links} == {
        ("f1", "2", False),
        ("f1", "1", True),
    }
    (too_late,) = scene("Session/no-gate", 5).links
    assert (too_late.source, too_late.target) == (("files", "1"), ("inodes", "1"))
    asked = scene("DrainSteps/close-in-flight", 3)
    assert [(link.source, link.target) for link in asked.links] == [
        (("requests on their way", "fd1"), ("files", "fd1")),
        (("files", "fd1"), ("inodes", "fd1")),
    ]
    before = scene("DrainSteps/close-in-flight", 2)
    assert [s.bands[0].cards["fd1"].shown for s in (before, asked)] == [False, True]


def test_a_picture_in_words() -> None:
    assert scene(SEED, 2).words() == ("The session is ACTIVE. fd1: OPEN. inode of fd1: there.")


@pytest.mark.parametrize("config", EXAMPLES)
def test_pictures_are_well_formed_and_each_is_as_big_as_the_last(config: str) -> None:
    drawn = [ElementTree.fromstring(picture) for picture in pictures(example(config))]
    assert len(drawn) == len(example(config).steps)
    assert len({picture.get("viewBox") for picture in drawn}) == 1
    _, _, width, height = map(float, str(drawn[0].get("viewBox")).split())
    for box in (box for picture in drawn for box in picture.iter("rect")):
        x, y, w, h = (float(box.get(name, "")) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + w <= width + 1
        assert y >= 0
        assert y + h <= height + 1


@pytest.mark.parametrize("config", EXAMPLES)
def test_every_step_but_the_first_shows_what_it_changed(config: str) -> None:
    first, *others = pictures(example(config))
    assert "is-new" not in first
    assert "new-mark" not in first
    for step, picture in zip(example(config).steps[1:], others, strict=True):
        assert "is-new" in picture or "new-mark" in picture, step.action


def test_a_module_that_nobody_knows_has_a_picture_all_the_same() -> None:
    unknown = replace(example("DrainSteps/close-in-flight"), module="Unknown")
    shown = scenes(unknown)
    assert shown[8].session.text == "DRAINING"
    (band,) = shown[8].bands
    assert band.cards["fd1"].state is not None
    assert band.cards["fd1"].state.text == "CLOSE"
    assert "uaf" in [mark.text for mark in band.cards["fd1"].marks]
    assert len(pictures(unknown)) == 9


def test_the_page_needs_nothing_but_itself() -> None:
    text = page([example(config) for config in EXAMPLES])
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)=[\"'](?!#)|url\(|@import|https?:", text)


def test_the_page_says_all_of_it_even_without_a_script() -> None:
    told = example("Teardown/without-cuts")
    text = page([told])
    assert "<select" not in text
    for step in told.steps:
        assert step.words.replace("'", "&#x27;") in text
    assert text.count('<article class="step"') == len(told.steps)
    assert "From here on it never comes to what it should: TeardownEnds is violated." in text
    assert "session = &quot;SETTLING&quot; ~&gt; session = &quot;CLOSED&quot;" in text


def test_all_states_in_one_picture() -> None:
    picture = ElementTree.fromstring(strip(example(SEED), 3))
    texts = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if re.match(r"\d  ", text)] == [
        "1  the beginning",
        "2  GlfsOpen(fd1)",
        "3  GlfsFiniStart",
        "4  GlfsFiniDrain",
        "5  SessionDestroyed",
    ]
    assert "NoLeakedFds is violated" in texts


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read(scheme: str) -> None:
    """Contrast of 4.5 to 1, in either scheme: WCAG 2.2, 1.4.3."""
    schemes = style().split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", schemes[scheme == "dark"]))
    pairs = [(tone, f"{tone}-card") for tone in ("good", "busy", "bad", "done")]
    pairs += [
        ("ink", ground) for ground in ("card", "ground", "good-card", "busy-card", "bad-card")
    ]
    pairs += [("ink", "done-card"), ("soft", "ground"), ("good", "ground"), ("busy", "ground")]
    pairs += [("bad", "ground"), ("done", "ground"), ("good", "card"), ("bad", "card")]
    pairs += [("new", "card"), ("new", "ground")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
