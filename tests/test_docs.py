"""The documentation says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

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
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(text), "run tools/proof_page.py"
    assert module.PICTURE.read_text(encoding="utf-8") == module.picture(), "run tools/proof_page.py"


def test_the_page_about_reliability_is_that_of_the_tables() -> None:
    module = load("reliability_page")
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(), "run tools/reliability_page.py"


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
