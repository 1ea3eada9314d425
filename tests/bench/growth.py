"""How a cost grows with its work, and where it jumps.

A **family** is the same work in several sizes. What one unit of it costs should stay the same or fall
as the work grows; where it becomes a multiple instead, there is a **cliff**, and that is a defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.bench.lines import BY_NAME
from tests.bench.results import Results, Round


@dataclass(frozen=True)
class Family:
    """The same work in several sizes.

    Attributes:
        name: one word, of the plot's file.
        title: what it is.
        axis: what grows.
        unit: what a unit of the cost is of.
        lines: the line of each size. (In a run a size may be smaller: `size_of`.)
        by: the parameter that is the size.
        per: what the cost is divided by: ``size``, or ``ops``.
        fixed: what it costs without any work is taken away first (the line of size 0).
    """

    name: str
    title: str
    axis: str
    unit: str
    lines: tuple[str, ...]
    by: str
    per: str
    fixed: bool = False

    def size_of(self, line: str, results: Results) -> int:
        """How large the work of a line was."""
        told = results.told.get(line) or BY_NAME[line].told(results.quick)
        return int(told.get(self.by, 1))


FAMILIES: Final = [
    Family(
        "close",
        "End of a session with handles open",
        "handles open",
        "handle",
        tuple(f"close_{count}" for count in (0, 10, 100, 1000, 10000, 100000)),
        "handles",
        "size",
        fixed=True,
    ),
    Family(
        "readdirp",
        "A directory, with everything's attributes",
        "entries",
        "entry",
        ("readdirp500", "readdirp5k", "readdirp50k"),
        "entries",
        "ops",
    ),
    Family(
        "inflight",
        "4 KiB reads, asynchronous",
        "in flight",
        "read",
        tuple(f"apread4k_{count}" for count in (1, 8, 64, 512)),
        "inflight",
        "ops",
    ),
    Family(
        "threads",
        "4 KiB reads by threads on one session",
        "threads",
        "read",
        ("pread4k", "pread4k_4t", "pread4k_16t"),
        "threads",
        "ops",
    ),
    Family(
        "pread",
        "Reads, one at a time",
        "bytes a read",
        "byte",
        ("pread4k", "pread64k", "pread1m"),
        "block",
        "bytes",
    ),
    Family(
        "sessions",
        "Sessions opened and closed one after another",
        "sessions",
        "session",
        ("sessions_100", "sessions_1000"),
        "count",
        "ops",
    ),
    Family(
        "idle",
        "Sessions that are open at the same time: connecting them",
        "sessions",
        "session",
        ("session_idle", "sessions_open_100"),
        "count",
        "ops",
    ),
]

#: A unit that costs more than so many times what it did with less work is a cliff.
CLIFF: Final = 2.0


class Point(NamedTuple):
    """One size of a family for one entrant.

    Attributes:
        size: how much work.
        seconds: the cost of all of it, or of one operation: the best round's.
        each: the cost of one unit.
    """

    size: int
    seconds: float
    each: float


def curve(family: Family, entrant: str, results: Results) -> list[Point]:
    """An entrant's costs by size, from those lines that it took part in."""
    best: dict[int, Round] = {}
    for line in family.lines:
        entry = results.lines.get(line, {}).get(entrant)
        if entry is not None and entry.rounds:
            size = family.size_of(line, results)
            best[size] = min(entry.rounds, key=lambda done: done["seconds"] / done["ops"])
    base = best[0]["seconds"] if family.fixed and 0 in best else 0.0
    points = []
    for size, done in sorted(best.items()):
        units = size if family.per == "size" else done[family.per]
        # What is not well above the fixed cost says nothing about the rest.
        if units and done["seconds"] >= 2 * base:
            points.append(Point(size, done["seconds"], (done["seconds"] - base) / units))
    return points


class Cliff(NamedTuple):
    """Where a cost jumps.

    Attributes:
        family: what grows.
        entrant: for whom.
        before: the cheapest smaller size,
        after: and the first that costs so much more.
    """

    family: Family
    entrant: str
    before: Point
    after: Point

    @property
    def factor(self) -> float:
        """How many times as much a unit costs."""
        return self.after.each / self.before.each


def cliffs(results: Results, entrants: list[str]) -> list[Cliff]:
    """Where costs jump, for these entrants."""
    found = []
    for family in FAMILIES:
        for entrant in entrants:
            points = curve(family, entrant, results)
            for number, point in enumerate(points[1:], 1):
                before = min(points[:number], key=lambda one: one.each)
                if before.each > 0 and point.each > CLIFF * before.each:
                    found.append(Cliff(family, entrant, before, point))
                    break
    return found
