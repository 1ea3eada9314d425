"""A sample of the schedules of the threads driver; ``make reliability`` has more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.explore.mutants import changed, source_of
from tests.explore.planted import Planted
from tests.explore.quiet import quiet
from tests.scheduled.life import Life
from tests.scheduled.planted import PLANTED, judged
from tests.scheduled.planted_page import Verdict, page, row, rows_of, write
from tests.scheduled.scenarios import SCENARIOS
from tests.scheduled.search import Bounds, Guided, at_random, exhaust, from_text, to_text

#: Each is mended; the schedule in which it was found.
FOUND = {
    # Ctrl-C while the house-keeper's thread ended: whoever waited for that close waited for ever.
    "a close interrupted at its end": "interrupt-close:32=1",
}


DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_wrong_with_one_deviation(name: str) -> None:
    """Without preemptions: whoever is next when a thread has to wait, and each accident there."""
    covered = exhaust(SCENARIOS[name], Bounds(preempt=0, most=1), lines=False)
    assert covered.failure is None, (covered.failure.line, covered.failure.problems)
    assert covered.complete


@pytest.mark.parametrize("name", ["two", "futures-beside", "close", "interrupt", "lose-futures"])
def test_nothing_is_wrong_at_random(name: str) -> None:
    covered = at_random(SCENARIOS[name], range(10), lines=True)
    assert covered.failure is None, (covered.failure.line, covered.failure.problems)


def test_a_schedule_comes_again() -> None:
    told: list[list[str]] = []
    for _ in range(2):
        lines: list[str] = []
        decide = Guided(dict(from_text("20=1.60=1.90=2")))
        assert Life(SCENARIOS["three"], decide, True, lines.append).run() == []
        told.append(lines)
    assert told[0] == told[1]
    assert sum("=" in line[:8] for line in told[0]) == 3


def test_a_line_is_read_as_it_was_written() -> None:
    assert from_text(to_text(((3, 1), (70, 2)))) == ((3, 1), (70, 2))
    assert from_text(to_text(())) == ()


@pytest.mark.parametrize("line", FOUND.values(), ids=FOUND)
def test_what_was_found(line: str) -> None:
    name, _, text = line.partition(":")
    name, _, lines = name.partition("/")
    assert Life(SCENARIOS[name], Guided(dict(from_text(text))), bool(lines)).run() == []


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_what_is_planted_is_there(planted: Planted) -> None:
    for module in {change.module for change in planted.changes}:
        changes = [change for change in planted.changes if change.module == module]
        compile(changed(source_of(module).read_text("utf-8"), changes), module, "exec")


def test_a_planted_defect_is_found() -> None:
    planted = next(each for each in PLANTED if each.name == "house-keeper not called")
    assert judged(planted).problem.startswith("Read: ")


def test_the_page_is_what_a_run_writes() -> None:
    text = (DOCS / "mutants-threads.md").read_text("utf-8")
    rows = rows_of(text)
    assert page(PLANTED, rows) == text
    assert [(each.planted, each.about) for each in rows] == [
        (each.name, each.about) for each in PLANTED
    ]
    assert all(each.found != "not found" for each in rows)


def test_a_run_of_some_leaves_the_rows_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "mutants-threads.md"
    path.write_text((DOCS / path.name).read_text("utf-8"), "utf-8")
    before = rows_of(path.read_text("utf-8"))
    write(path, PLANTED, [row(PLANTED[1], Verdict(1234, "Leads: nobody does", "three:1=2.3=4"))])
    after = rows_of(path.read_text("utf-8"))
    assert after[1][2:] == ("Leads", "1,234", "three, 2 deviations")
    assert after[:1] + after[2:] == before[:1] + before[2:]
    assert path.read_text("utf-8").endswith(f"\nOf {len(PLANTED)}, {len(PLANTED)} are found.\n")


def test_what_the_explorers_page_says_of_it() -> None:
    text = (DOCS / "explorer.md").read_text("utf-8")
    assert f"What was covered: {len(SCENARIOS)} scenarios;" in text
    assert f"Of {len(PLANTED)} defects planted in the driver {len(PLANTED)} are found" in text
