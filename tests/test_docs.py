"""The documentation says what the code says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from tests.reference_tool import load

ROOT = Path(__file__).parent.parent


def test_the_diagrams_are_those_of_the_tables() -> None:
    module = load("state_diagrams")
    for name, text in module.descriptions().items():
        assert (module.DIAGRAMS / f"{name}.dot").read_text(encoding="utf-8") == text
        svg = (module.DIAGRAMS / f"{name}.svg").read_text(encoding="utf-8")
        drawn = set(
            re.findall(r"\b([A-Z]{4,})\b", re.sub(r"<!--.*?-->|<!.*?>", "", svg, flags=re.S))
        )
        named = set(re.findall(r"\b([A-Z]{4,})\b", text.replace("\\n", " ")))
        assert drawn == named, "the picture is not that of the description: draw it again"


def test_the_table_of_options_is_that_of_the_code() -> None:
    module = load("option_page")
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(text), "run tools/option_page.py"


def test_the_page_about_the_brick_is_that_of_the_tables() -> None:
    module = load("brick_page")
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run tools/brick_page.py"


def test_the_page_about_the_proof_is_that_of_the_specification() -> None:
    module = load("proof_page")
    for path in module.TABLES:
        assert path.read_text(encoding="utf-8") == module.page(path), "run tools/proof_page.py"
    assert module.PICTURE.read_text(encoding="utf-8") == module.picture(), "run tools/proof_page.py"


def test_the_page_about_reliability_is_that_of_the_tables() -> None:
    module = load("reliability_page")
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(), "run tools/reliability_page.py"


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


#: Names of loggers, and of a file.
NOT_IMPORTED = {"glusterio.brick", "glusterio.serve", "glusterio.PID.N.dump.TIME"}

#: Every page, as a parameter.
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, chapter in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if target.startswith(("http:", "https:")):
            continue
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name}: {target}"
        if chapter:
            assert chapter in chapters(there), f"{page.name}: {target}#{chapter}"


def chapters(page: Path) -> set[str]:
    """Return what the links to a page's chapters end in, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_what_is_named_is_there(page: Path) -> None:
    """``glusterio.something`` in a page can be imported under that name."""
    for name in re.findall(r"`(glusterio(?:\.[A-Za-z_]\w*)+)", page.read_text(encoding="utf-8")):
        assert name in NOT_IMPORTED or is_there(name), f"{page.name}: {name}"


def is_there(name: str) -> bool:
    """Tell whether there is a module of that name, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def test_every_page_can_be_reached() -> None:
    """From the README, by links."""
    reached, coming = set(), [ROOT / "README.md"]
    while coming:
        page = coming.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
        coming += [(page.parent / each).resolve() for each in targets if ":" not in each]
    assert set(PAGES) <= reached
