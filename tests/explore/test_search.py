"""The search itself: that cutting at states that were seen loses nothing, and that it is complete."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.explore.page import before_counts, differing, rows_of, write
from tests.explore.scenarios import EXHAUSTIVE, RANDOM, SCENARIOS
from tests.explore.search import Covered, Exhaustive, from_text, to_text
from tests.explore.world import Scenario

PAGE = Path(__file__).parents[2] / "docs" / "explorer.md"


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


def test_a_row_of_the_pages_table_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    shutil.copyfile(PAGE, page)
    covered = Covered(7, 5, 12, 3, True, ())
    assert differing(page, [("scope-make-threads", covered)]) == ["scope-make-threads"]
    write(page, [("scope-make-threads", covered)])
    assert differing(page, [("scope-make-threads", covered)]) == []
    assert differing(page, [("scope-make-threads", covered._replace(complete=False))]) == []
    row = "| make-threads: a thread makes a file | threads | 1 | 5 | 12 | 7 | yes |"
    before, after = PAGE.read_text().splitlines(), page.read_text().splitlines()
    assert [line for line in after if line not in before] == [row]
    assert len(after) == len(before)
    write(page, [])
    assert page.read_text().splitlines() == after


def test_the_page_has_every_scope_to_the_end() -> None:
    rows = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows_of(PAGE)]
    assert [tuple(row[:3]) for row in rows] == [before_counts(name) for name in EXHAUSTIVE]
    assert {row[-1] for row in rows} == {"yes"}
    assert f"random lives of {len(RANDOM)} scenarios" in PAGE.read_text()


def test_choices_as_text() -> None:
    assert to_text([0, 3, 0, 12, 0, 0]) == "0.3.0.12"
    assert from_text("0.3.0.12") == [0, 3, 0, 12]
    assert from_text(to_text([0, 0])) == []
