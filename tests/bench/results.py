"""What a run has found, as it is kept, and what is made of it: medians, ranges, ratios by round."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.bench.lines import BY_NAME, MIB

Round = dict[str, Any]

#: Whoever everybody is compared with, in this order: whoever of them has the line.
REFERENCES: Final = ("c", "c-async", "c-mended")


@dataclass
class Entry:
    """What one entrant did at one line.

    Attributes:
        rounds: what it answered, round by round, with ``brick_cpu`` in seconds or None.
        skip: why it did not take part.
        error: what went wrong.
        requests: how many went over the wire for one operation, by procedure; None if not counted.
    """

    rounds: list[Round] = field(default_factory=list)
    skip: str = ""
    error: str = ""
    requests: dict[str, float] | None = None


@dataclass
class Results:
    """A run.

    Attributes:
        began: when, as text.
        took: for how long, in seconds.
        quick: whether it was a quick one.
        rounds: how many there were at most.
        machine: what it ran on: names and text.
        work: how long a fixed piece of work took, round by round, in milliseconds.
        loads: the load average, line by line.
        titles: of the entrants, by name, in order.
        without: who could not take part, and why.
        lines: what was found, by line and entrant.
        told: what the peers were told of each line.
    """

    began: str
    took: float = 0.0
    quick: bool = False
    rounds: int = 0
    machine: dict[str, str] = field(default_factory=dict)
    work: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    lines: dict[str, dict[str, Entry]] = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def errors(self) -> list[str]:
        """What went wrong, a text each."""
        return [
            f"{line}, {name}: {entry.error}"
            for line, entries in self.lines.items()
            for name, entry in entries.items()
            if entry.error
        ]

    def save(self, path: Path) -> None:
        """Keep it, each line of the bench in a line of the file."""
        kept = dataclasses.asdict(self)
        lines = kept.pop("lines")
        head = json.dumps(kept, indent=1).removesuffix("\n}")
        body = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in lines.items())
        path.write_text(f'{head},\n "lines": {{\n{body}\n }}\n}}\n')

    @classmethod
    def load(cls, path: Path) -> Results:
        """What was kept."""
        kept = json.loads(path.read_text())
        lines = kept.pop("lines")
        found = {
            line: {name: Entry(**entry) for name, entry in entries.items()}
            for line, entries in lines.items()
        }
        return cls(**kept, lines=found)


class Spread(NamedTuple):
    """A median with its range."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of what was found, which is something."""
    return Spread(statistics.median(values), min(values), max(values))


def units(line: str, done: Round) -> float:
    """How much a round did, in the line's unit."""
    if BY_NAME[line].unit == "MiB":
        return float(done["bytes"]) / MIB
    return float(done["ops"])


def cost(line: str, done: Round) -> float:
    """The wall time of one unit of a line, in seconds."""
    return float(done["seconds"]) / units(line, done)


def cpu(line: str, done: Round) -> float:
    """The client's CPU time of one unit, in seconds."""
    return float(done["cpu"]) / units(line, done)


def brick_cpu(line: str, done: Round) -> float | None:
    """The brick's CPU time of one unit, in seconds; None if it was not to be told."""
    taken = done.get("brick_cpu")
    return None if taken is None else float(taken) / units(line, done)


class Ratio(NamedTuple):
    """How many times as fast (or sparing) as another: by round, each compared with its neighbour.

    Attributes:
        spread: of the rounds' ratios.
        won: the rounds in which it was more than 1.
        rounds: how many there were.
    """

    spread: Spread
    won: int
    rounds: int


def compare(
    line: str,
    other: Entry,
    mine: Entry,
    measure: Callable[[str, Round], float] = cost,
) -> Ratio | None:
    """How many times as much of something the other takes; None without rounds of both."""
    pairs = [
        measure(line, theirs) / measure(line, ours)
        for theirs, ours in zip(other.rounds, mine.rounds, strict=False)
        if measure(line, ours) > 0
    ]
    if not pairs:
        return None
    return Ratio(spread(pairs), sum(pair > 1 for pair in pairs), len(pairs))


def reference(entries: dict[str, Entry]) -> str | None:
    """Whom the others at a line are compared with: libgfapi."""
    for name in REFERENCES:
        if name in entries and entries[name].rounds:
            return name
    return None
