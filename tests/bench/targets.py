"""What has to be reached, line by line, as data; and whether it was.

``least`` is what is asked for, ``aim`` what would be better still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.bench.lines import KIB, MIB
from tests.bench.results import Entry, Results, cost, cpu, spread
from tests.bench.results import compare as compare_entries


class Kind(Enum):
    """How a target is looked at."""

    FASTER = "times as fast as"
    SPARING = "times as little client CPU as"
    NEAR = "of the time of"
    UNDER = "time under"
    FLAT = "memory that is not given back, under"
    SMALL = "memory under"
    LOADED = "memory, the library's included, under"


@dataclass(frozen=True)
class Target:
    """One thing that is asked for.

    Attributes:
        row: the row of the table that it belongs to.
        line: the line.
        mine: glusterio's peer.
        kind: how it is looked at.
        other: whom it is compared with, if with anybody.
        least: a ratio, seconds or bytes.
        aim: the same, better; None if no more is asked for.
    """

    row: str
    line: str
    mine: str
    kind: Kind
    other: str
    least: float
    aim: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a target was met.

    Attributes:
        target: the target.
        found: the median; None if it was not measured.
        low: the smaller end of the range,
        high: and the larger.
        won: the rounds in which glusterio was ahead, as text; empty where that says nothing.
        why: why it was not measured.
    """

    target: Target
    found: float | None
    low: float = 0.0
    high: float = 0.0
    won: str = ""
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the least was reached; None if that is not known."""
        return self._reaches(self.target.least)

    @property
    def aimed(self) -> bool | None:
        """Whether the aim was reached; None if that is not known, or there is none."""
        return None if self.target.aim is None else self._reaches(self.target.aim)

    def _reaches(self, wanted: float) -> bool | None:
        if self.found is None:
            return None
        if self.target.kind in (Kind.FASTER, Kind.SPARING):
            return self.found >= wanted
        return self.found <= wanted


def _faster(
    row: str, line: str, least: float, aim: float, mine: str = "threads", other: str = "c"
) -> Target:
    return Target(row, line, mine, Kind.FASTER, other, least, aim)


_CLOSE: Final = "close with 1,000 handles open"
_PREAD: Final = "4 KiB pread, one at a time, threads"
_SESSIONS: Final = "100 sessions in one process"

#: Memory that sessions which have ended may leave in the process, to count as flat: what allocators
#: keep, a page here and there, and nothing for each session.
FLAT: Final = 512 * KIB

TARGETS: Final = [
    _faster(_CLOSE, "close_1000", 100, 1000),
    # Mended, glfs_fini still closes no handle. So both are compared with: its end as it is, and the one
    # before which the program itself has closed each, as our close does.
    _faster(_CLOSE, "close_1000", 5, 5, other="c-mended"),
    _faster(_CLOSE, "close_1000", 5, 5, other="c-closing"),
    Target(_CLOSE, "close_1000", "threads", Kind.UNDER, "", 0.100, 0.010),
    _faster("connect", "connect", 3, 5),
    _faster(_PREAD, "pread4k", 1.3, 2),
    Target(_PREAD, "pread4k", "threads", Kind.SPARING, "c", 2.0),
    Target(_PREAD, "pread4k", "threads", Kind.NEAR, "limit", 1.3),
    _faster("the same, 4 threads on one session", "pread4k_4t", 1.3, 2),
    _faster("4 KiB pread, 64 in flight, asyncio", "apread4k_64", 1.3, 2, "asyncio", "c-async"),
    _faster("sequential read, 1 MiB", "seqread1m", 1.5, 2),
    _faster("sequential read, 128 KiB", "seqread128k", 1.8, 2),
    _faster("4 KiB pwrite", "pwrite4k", 1.3, 2),
    _faster("sequential write, 128 KiB", "seqwrite128k", 1.3, 2),
    _faster("sequential write, 1 MiB", "seqwrite1m", 1.0, 1.3),
    _faster("stat, first", "stat_cold", 1.3, 2),
    _faster("stat, repeated within a second", "stat_warm", 1.0, 2),
    _faster("open+read+close small", "small", 2, 3),
    _faster("unlink", "unlink", 2, 4),
    _faster("create+write+close", "create", 1.0, 2),
    _faster("readdirp, per entry, 5,000 entries", "readdirp5k", 1.1, 1.3),
    _faster("readdirp, per entry, 50,000 entries", "readdirp50k", 1.1, 1.3),
    Target(_SESSIONS, "sessions_100", "threads", Kind.FLAT, "", FLAT),
    Target("one idle session", "session_idle", "threads", Kind.SMALL, "", 10 * MIB),
    Target("one idle session", "session_idle", "threads", Kind.LOADED, "", 10 * MIB),
]


def judge(results: Results) -> list[Verdict]:
    """Look at every target, in their order."""
    return [_judge(target, results.lines.get(target.line, {})) for target in TARGETS]


def _judge(target: Target, entries: dict[str, Entry]) -> Verdict:
    for name in filter(None, (target.mine, target.other)):
        entry = entries.get(name)
        if entry is None or not entry.rounds:
            why = "not measured" if entry is None else entry.error or entry.skip or "no round"
            return Verdict(target, None, why=f"{name}: {why.splitlines()[0]}")
    return _MEASURES[target.kind](target, entries)


def _compare(target: Target, entries: dict[str, Entry]) -> Verdict:
    measure = cpu if target.kind is Kind.SPARING else cost
    found = compare_entries(target.line, entries[target.other], entries[target.mine], measure)
    if found is None:
        return Verdict(target, None, why="too short to be measured")
    values = found.spread
    return Verdict(target, values.median, values.low, values.high, f"{found.won}/{found.rounds}")


def _near(target: Target, entries: dict[str, Entry]) -> Verdict:
    # The limit's time is the other way round: how many times as long we take.
    found = compare_entries(target.line, entries[target.mine], entries[target.other])
    if found is None:
        return Verdict(target, None, why="too short to be measured")
    values = found.spread
    return Verdict(target, values.median, values.low, values.high)


def _of(values: Sequence[float], target: Target) -> Verdict:
    return Verdict(target, *spread(values))


def _under(target: Target, entries: dict[str, Entry]) -> Verdict:
    return _of([done["seconds"] for done in entries[target.mine].rounds], target)


def _flat(target: Target, entries: dict[str, Entry]) -> Verdict:
    rounds = entries[target.mine].rounds
    return _of([done["per"]["rss_end"] - done["per"]["rss_10"] for done in rounds], target)


def _small(target: Target, entries: dict[str, Entry]) -> Verdict:
    since = "rss_start" if target.kind is Kind.LOADED else "rss_before"
    rounds = entries[target.mine].rounds
    return _of([done["per"]["rss_end"] - done["per"][since] for done in rounds], target)


_MEASURES: Final[dict[Kind, Callable[[Target, dict[str, Entry]], Verdict]]] = {
    Kind.FASTER: _compare,
    Kind.SPARING: _compare,
    Kind.NEAR: _near,
    Kind.UNDER: _under,
    Kind.FLAT: _flat,
    Kind.SMALL: _small,
    Kind.LOADED: _small,
}
