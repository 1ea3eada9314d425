"""docs/mutants-threads.md: how each planted defect of the threads driver was found, a row each.

As :mod:`tests.explore.mutants_page`: a run of some defects changes their rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.explore.mutants_page import NONE, cells_of
from tests.explore.planted import Planted

_HEAD = """\
# Planted defects of the threads driver

What somebody could get wrong in the threads driver, planted on purpose: is it found? The text is that
of `tests/scheduled/planted.py`; this page is written by

    python -m tests.scheduled.planted --write docs/mutants-threads.md

Each is looked for in the scenarios that it names: in every schedule with one deviation, where the
primitives are the points and where lines are; in some of those with two; and at random. [The
explorer](explorer.md#the-threads-driver) says what that is.

| planted | what is wrong then | found | after schedules | in |
| --- | --- | --- | --- | --- |
"""

_NOT_FOUND = "not found"


class Verdict(NamedTuple):
    """What came of a planted defect.

    Attributes:
        schedules: how many were lived.
        problem: what was wrong then, or ``""``.
        line: the line that replays it.
    """

    schedules: int = 0
    problem: str = ""
    line: str = ""


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        planted: the defect's name.
        about: what is wrong then.
        found: what was wrong in the schedule that was found.
        schedules: how many were lived.
        where: in which scenario, and with how many deviations.
    """

    planted: str
    about: str
    found: str
    schedules: str
    where: str


def row(planted: Planted, verdict: Verdict) -> Row:
    """Return the row of a defect that was judged."""
    found, where = _NOT_FOUND, NONE
    if verdict.problem:
        scenario, _, text = verdict.line.partition(":")
        deviations = len(text.split(".")) if text else 0
        found = verdict.problem.partition(":")[0]
        where = f"{scenario}, {deviations} deviation{'s' * (deviations != 1)}"
    return Row(planted.name, planted.about, found, f"{verdict.schedules:,}", where)


def write(path: Path, planted: Sequence[Planted], judged: Iterable[Row]) -> None:
    """Put what was found into the page; the rows of what was not judged stay as they are."""
    there = rows_of(path.read_text("utf-8")) if path.exists() else []
    path.write_text(page(planted, [*there, *judged]), "utf-8")


def rows_of(text: str) -> list[Row]:
    """Return the rows of a page."""
    return [Row(*cells) for cells in cells_of(text)]


def page(planted: Sequence[Planted], rows: Iterable[Row]) -> str:
    """Return the page with these rows, in the order of the defects; of two of one defect the later."""
    of = {each.planted: each for each in rows}
    told = [of[each.name] for each in planted if each.name in of]
    lines = [f"| {' | '.join(each)} |" for each in told]
    found = sum(each.found != _NOT_FOUND for each in told)
    return _HEAD + "\n".join(lines) + f"\n\nOf {len(told)}, {found} are found.\n"
