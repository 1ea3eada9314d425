"""docs/mutants.md: who has noticed which planted defect, a row each.

The page keeps what a run has found of each defect; all else in it, the text, the order, what is wrong,
what the specification says and the sums, is made anew from :mod:`tests.explore.planted` and
``spec/expected.toml`` whenever it is written. So a run of some defects changes their rows alone, and a
test can say that nothing in it was written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.explore.planted import PLANTED, Planted

_HEAD = """\
# Planted defects

What somebody could get wrong, planted on purpose: does anybody notice? The text is that of
`tests/explore/planted.py`; this page is written by

    python -m tests.explore.mutants --write docs/mutants.md

*Explorer*: random lives of the real code, with the defect in it, until an invariant was violated; how
many that took, and which. *Trace*: the traces of such lives alone, without any look at the objects,
by the monitor and by following them through the specification; how many that took. *Specification*:
the configuration that has no such guard, and what TLC finds there. A dash: it did not notice, or does
not speak of such things.

Where the specification alone has noticed, no life that was lived has come to where the guard of the
code is needed: the order of events is too rare, or a second guard stands behind it. That the code has
that guard is shown there by its text, and by no run.

| planted | what is wrong then | explorer | trace | specification |
| --- | --- | --- | --- | --- |
"""

#: What stands where nothing was found.
NONE = "–"

#: How a cell begins that speaks of a test.
_BY_TEST = "finer than its steps; by "


class Verdict(NamedTuple):
    """What came of a planted defect.

    Attributes:
        explorer: what the explorer found, or ``""``.
        replay: the line that replays it.
        lives: after how many lives.
        trace: what is wrong with a trace, or ``""``.
        monitored: after how many lives.
        test: the test that failed, or ``""``.
    """

    explorer: str = ""
    replay: str = ""
    lives: int = 0
    trace: str = ""
    monitored: int = 0
    test: str = ""


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        planted: the defect's name.
        about: what is wrong then.
        explorer: what the explorer, or a test, has found.
        trace: after how many lives a trace was wrong.
        specification: what is violated without that guard.
    """

    planted: str
    about: str
    explorer: str
    trace: str
    specification: str


def row(planted: Planted, verdict: Verdict, violated: str) -> Row:
    """Return the row of a defect that was judged.

    Args:
        planted: the defect.
        verdict: what came of it.
        violated: what the specification without that guard violates, or ``""``.
    """
    explorer = trace = NONE
    if verdict.test:
        explorer = f"{_BY_TEST}`{verdict.test.rpartition('::')[2]}`"
    elif verdict.explorer:
        explorer = f"{verdict.lives:,}: {verdict.explorer.partition(':')[0]}"
    if verdict.trace:
        trace = f"{verdict.monitored:,}"
    specification = f"`without-{planted.guard}`: {violated}" if violated else NONE
    return Row(planted.name, planted.about, explorer, trace, specification)


def write(path: Path, judged: Iterable[Row]) -> None:
    """Put what was found into the page; the rows of what was not judged stay as they are."""
    there = rows_of(path.read_text("utf-8")) if path.exists() else []
    path.write_text(page([*there, *judged]), "utf-8")


def rows_of(text: str) -> list[Row]:
    """Return the rows of a page."""
    return [Row(*cells) for cells in cells_of(text)]


def cells_of(text: str) -> list[list[str]]:
    """Return what stands in the table of a page, row by row."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines[2:]]


def page(rows: Iterable[Row]) -> str:
    """Return the page with these rows, in the order of the defects; of two of one defect the later."""
    of = {each.planted: each for each in rows}
    found = [of[planted.name] for planted in PLANTED if planted.name in of]
    lines = [f"| {' | '.join(each)} |" for each in found]
    return _HEAD + "\n".join(lines) + f"\n\n{_sums(found)}\n"


def _sums(rows: list[Row]) -> str:
    by_test = [each.explorer.startswith(_BY_TEST) for each in rows]
    by_life = [each.explorer != NONE and not test for each, test in zip(rows, by_test, strict=True)]
    by_trace = [each.trace != NONE for each in rows]
    by_spec = [each.specification != NONE for each in rows]
    each = list(zip(by_life, by_trace, by_spec, by_test, strict=True))
    return (
        f"Of {len(rows)}, the explorer finds {sum(by_life)}, the trace check finds {sum(by_trace)},"
        f" the specification finds {sum(by_spec)}, a test finds {sum(by_test)};\n"
        f"the specification alone finds {each.count((False, False, True, False))}, a test alone"
        f" {each.count((False, False, False, True))}, and nobody {each.count((False,) * 4)}."
    )
