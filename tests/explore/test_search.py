"""The search itself: that cutting at states that were seen loses nothing, and that it is complete."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.explore.page import write
from tests.explore.scenarios import SCENARIOS
from tests.explore.search import Covered, Exhaustive, from_text, to_text
from tests.explore.world import Scenario


def small(faults: dict[str, int], threads: bool = False) -> Scenario:
    scenario = SCENARIOS["scope-open-threads"]
    return scenario._replace(faults=faults, most=100, threads=threads)


def same(scenario: Scenario) -> tuple[int, int]:
    """Search with the cutting and without; return how many lives there are, and how many were begun."""
    with_it, without = Exhaustive(scenario), Exhaustive(scenario, cut=False)
    covered, every = with_it.run(), without.run()
    assert covered.complete
    assert every.complete
    assert with_it.ends == without.ends, "the same things can come of it"
    assert covered.lives == every.runs, "and it stands for as many lives"
    return every.runs, covered.runs


def test_cutting_loses_nothing() -> None:
    every, begun = same(small({}))
    assert begun <= every
    every, begun = same(small({"interrupt": 1}))
    assert begun < every


def test_cutting_loses_nothing_by_threads() -> None:
    every, begun = same(small({}, threads=True))
    assert begun < every


def test_two_searches_find_the_same() -> None:
    scenario = SCENARIOS["scope-callback"]._replace(most=0)
    assert Exhaustive(scenario).run() == Exhaustive(scenario).run()


def test_a_search_that_is_stopped_says_so() -> None:
    covered = Exhaustive(SCENARIOS["scope-read"], runs=5).run()
    assert not covered.complete
    assert covered.runs == 5


def test_the_table_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    shutil.copyfile("docs/explorer.md", page)
    covered = Covered(7, 5, 12, 3, True, ())
    write(page, [("scope-make-threads", covered)])
    text = page.read_text()
    assert "| make-threads: a thread makes a file | threads | 1 | 5 | 12 | 7 | yes |" in text
    write(page, [])
    assert "make-threads" not in page.read_text()
    assert page.read_text().count("## What is not") == 1


def test_choices_as_text() -> None:
    assert to_text([0, 3, 0, 12, 0, 0]) == "0.3.0.12"
    assert from_text("0.3.0.12") == [0, 3, 0, 12]
    assert from_text(to_text([0, 0])) == []
