"""What ``make bench`` measures, line by line, and what a peer is asked to do for each.

A **peer** is one client that is measured: libgfapi in C, glusterio's threads, a FUSE mount ... It is a
program, started once for each line that it takes part in::

    PEER... LINE PARAMETERS

``LINE`` is a name of `LINES`, ``PARAMETERS`` a JSON object. It reads commands from its standard input,
one a line, and answers each with one JSON object on a line of its standard output:

``prepare``
    connect, open, make what has to be there, warm up. Not timed. ``{"ready": true}``; a mount adds
    ``"pids": [...]``, processes whose CPU time counts as the client's. A peer that has no such line
    answers ``{"skip": "why"}``.
``go``
    one round: ``{"ops": n, "seconds": wall, "cpu": user and system seconds of this process in the timed
    part, "bytes": n, "rss": bytes, "per": {...}}``. ``per`` holds what a line asks for besides.
``quit``
    stop, exit code 0. A libgfapi peer leaves by ``_exit`` without ``glfs_fini``, which takes ten
    seconds.

In place of an answer, ``{"error": "..."}`` says what went wrong; that ends the line for this peer, and
the run with an exit code.

The parameters, where a line has them:

==================  ====================================================================================
``host`` ``port``   the management daemon, and
``volume``          the volume to connect to. Or, instead of these three,
``volfile``         a volfile of the client's graph to connect by
``dir``             an empty directory in the volume, of this peer and line alone
``shared``          a directory that all peers of all lines read from; see below
``size``            bytes of the file
``block``           bytes of a call
``count``           calls in a round (names, for the lines about names; sessions, for those about
                    sessions); where it is missing or null, a round lasts
``seconds``         so long
``threads``         threads that call at the same time on one session
``inflight``        requests in flight
``handles``         handles that are open when the session ends
``entries``         entries of the directory
``seed``            of the offsets
``brick_pid``       the brick's process. A peer may answer ``"brick_cpu"``, its CPU seconds in the timed
                    part, read from that process's clock: ``clock_gettime(((~pid) << 3) | 2)``. Else the
                    runner takes the whole round's, where a line is timed as a whole
==================  ====================================================================================

**Offsets** are the same for every peer: from the seed on
``x = (x * 6364136223846793005 + 1442695040888963407) mod 2**64``, and the block is
``(x >> 33) mod (size / block)``. With threads, thread n starts from ``seed + n``. They go on from round
to round.

**What is shared** has been made by the runner before, and no peer changes it:

=======================  ===============================================================================
``SHARED/data``          ``size`` bytes, for every line that reads
``SHARED/names/f000123``  files of 4 KiB, numbered from 0 with six digits. In `stat_cold` and `small`,
                         round r (the first ``go`` is round 0) uses those from r * count on, so that
                         each name is new to the session
``SHARED/d5000`` ...     a directory of so many empty files, for `readdirp`
``SHARED/handles/f000``  1,000 files of 128 KiB (a hole), to f999, for the lines about handles
=======================  ===============================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20

#: Bytes of a file of ``SHARED/names``.
SMALL_FILE: Final = 4 * KIB

#: Bytes of a file of ``SHARED/handles``: more than quick-read would hold, so that a read opens it.
HANDLE_FILE: Final = 128 * KIB
HANDLE_FILES: Final = 1000


#: The procedures of a round's requests, in their order.
Requests = list[str]


def _from_first(procedure: str) -> Callable[[Requests], Requests]:
    return lambda seen: seen[seen.index(procedure) :] if procedure in seen else []


def _after_last(procedure: str) -> Callable[[Requests], Requests]:
    def after(seen: Requests) -> Requests:
        backwards = seen[::-1]
        return seen[len(seen) - backwards.index(procedure) :] if procedure in seen else seen

    return after


@dataclass(frozen=True)
class Line:
    """Something that is measured.

    Attributes:
        name: its name, on the command line and to the peers.
        title: what is done, for people.
        parameters: what the peers are told.
        quick: what differs in a quick run.
        unit: what one operation is: ``call``, ``file``, ``entry``, ``handle``, ``session``, ``MiB``.
        most_rounds: no more rounds than this, as each is long.
        read_ahead: both sides have ``performance.read-ahead`` on.
        apart: only these peers take part, by name.
        per: further figures that ``go`` answers in ``per``, and what they are.
        both_bricks: it is measured on GlusterFS's brick and on glusterio's, side by side.
        told_as: the line as the peers know it, if by another name.
        whole: a round is timed as a whole, or very nearly.
        counted: its requests are counted, too, in a round that is not timed.
        of_the_timed: which of a round's requests belong to the timed part.
        patience: how long a round may take before the peer counts as stuck, in seconds.
        in_quick: a quick run has it,
        quick_rounds: with no more rounds than this.
        quick_without: peers that a quick run leaves out here.
    """

    name: str
    title: str
    parameters: dict[str, Any]
    quick: dict[str, Any] = field(default_factory=dict)
    unit: str = "call"
    most_rounds: int | None = None
    read_ahead: bool = False
    apart: tuple[str, ...] = ()
    per: dict[str, str] = field(default_factory=dict)
    both_bricks: bool = False
    told_as: str = ""
    whole: bool = True
    counted: bool = True
    of_the_timed: Callable[[Requests], Requests] = lambda seen: seen
    patience: float = 60.0
    in_quick: bool = True
    quick_rounds: int = 2
    quick_without: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The line as the peers know it."""
        return self.told_as or self.name

    def told(self, quick: bool) -> dict[str, Any]:
        """The parameters, as a run tells them."""
        return {**self.parameters, **self.quick} if quick else dict(self.parameters)


#: A second is long enough for the brick's CPU time to be told apart; a quick run wants to end.
TIMED: Final = {"seconds": 1.0}
BRIEF: Final = {"seconds": 0.1}

_DATA: Final = {"size": 256 * MIB}
_LESS_DATA: Final = {"size": 64 * MIB}

_RSS: Final = {
    "rss_before": "resident memory before the first session, in bytes",
    "rss_end": "the same in the end",
}


def _pread(name: str, title: str, block: int = 4 * KIB, **more: Any) -> Line:
    return Line(
        name,
        title,
        {**_DATA, "block": block, **TIMED, **more},
        {**_LESS_DATA, **BRIEF},
    )


def _stream(name: str, title: str, block: int, read_ahead: bool = False) -> Line:
    return Line(
        name, title, {**_DATA, "block": block}, _LESS_DATA, unit="MiB", read_ahead=read_ahead
    )


def _close(handles: int, rounds: int) -> Line:
    return Line(
        f"close_{handles}",
        f"end of a session with {handles:,} handles open",
        {"handles": handles},
        {"handles": min(handles, 3000)},
        unit="session",
        most_rounds=rounds,
        whole=False,
        of_the_timed=_after_last("READ"),
        # As shipped, libgfapi's ends take ten seconds each.
        quick_rounds=1,
        in_quick=handles in (0, 1000, 10000),
        quick_without=() if handles == 1000 else ("c",),
        counted=0 < handles <= 1000,
        patience=60 + handles / 100,
        per={"released": "handles that the end found open and let go (a report's own count)"},
    )


def _readdirp(name: str, entries: int, quick: dict[str, Any] | None = None) -> Line:
    return Line(
        name,
        f"a directory of {entries:,} entries with their attributes",
        {"entries": entries},
        quick or {},
        unit="entry",
    )


def _sessions(name: str, title: str, count: int) -> Line:
    return Line(
        name,
        title,
        {"count": count},
        unit="session",
        most_rounds=1,
        in_quick=count <= 100,
        counted=False,
        patience=600,
        per={**_RSS, "rss_10": "the same after the tenth session"},
    )


#: Every line. What a round is, where the title leaves it open:
#:
#: `connect`
#:     ``count`` sessions one after another; only the connecting is timed, not the end. (libgfapi as
#:     shipped does not end them at all: that would take ten seconds each.)
#: `pread4k` ... `apread4k_512`
#:     ``SHARED/data`` is open, O_RDONLY; calls at random offsets, for ``seconds``.
#: `pwrite4k`
#:     a file of ``size`` bytes in ``dir`` is there, written once; a round opens it, calls at random
#:     offsets for ``seconds``, and **closes it in the timed part**, so that deferred writes count.
#: `seqread`
#:     ``SHARED/data`` from its begin to its end, once, opened before.
#: `seqwrite`
#:     a new file in ``dir``, of ``size`` bytes; creating it is not timed, **closing it is**; it is
#:     unlinked afterwards, not timed.
#: `stat_cold`
#:     ``count`` names of ``SHARED/names``, each for the first time in this session.
#: `stat_warm`
#:     the first ``count`` names of ``SHARED/names``: once untimed, then again and again for
#:     ``seconds``.
#: `small`
#:     open, read to the end, close: as `stat_cold` for the names.
#: `create`
#:     ``count`` new names in ``dir``: create, write 4 KiB, close.
#: `unlink`
#:     ``count`` files in ``dir``, made before in the same round, not timed.
#: `readdirp`
#:     the whole directory: open, every entry with its attributes, close. ``ops`` is the entries.
#: `close_N`
#:     connect; open ``handles`` handles O_RDWR, the n-th on ``SHARED/handles/f(n mod 1000)``, each of
#:     which reads one byte, so that the brick has it open; then, timed, the end of the session with
#:     all of them open: ``Volume.close()``, ``glfs_fini``. ``ops`` is 1.
#: `sessions_N`
#:     ``count`` sessions, each: connect, stat of the root, end. All of it is timed. A process that
#:     takes part is started for this line alone, so that its memory is that of the sessions.
#: `session_idle`, `sessions_open_100`
#:     connect ``count`` sessions, stat of the root in each, keep them open; then the memory is looked
#:     at. ``rss_before`` is from before the first; ``rss_start`` from before the library is loaded,
#:     where that can be told. Then they are closed, not timed (libgfapi as shipped leaves them).
LINES: Final[list[Line]] = [
    Line(
        "connect",
        "connect a session",
        {"count": 10},
        {"count": 4},
        unit="session",
        whole=False,
    ),
    _pread("pread4k", "4 KiB pread, one at a time", seed=1),
    _pread("pread4k_4t", "4 KiB pread, 4 threads on one session", threads=4, seed=1),
    _pread("pread4k_16t", "4 KiB pread, 16 threads on one session", threads=16, seed=1),
    _pread("pread64k", "64 KiB pread, one at a time", 64 * KIB, seed=1),
    _pread("pread1m", "1 MiB pread, one at a time", MIB, seed=1),
    _pread("apread4k_1", "4 KiB pread, asynchronous, 1 in flight", inflight=1, seed=1),
    _pread("apread4k_8", "4 KiB pread, asynchronous, 8 in flight", inflight=8, seed=1),
    _pread("apread4k_64", "4 KiB pread, asynchronous, 64 in flight", inflight=64, seed=1),
    _pread("apread4k_512", "4 KiB pread, asynchronous, 512 in flight", inflight=512, seed=1),
    Line(
        "pwrite4k",
        "4 KiB pwrite, one at a time, and close",
        {"size": 64 * MIB, "block": 4 * KIB, **TIMED, "seed": 1},
        {"size": 16 * MIB, **BRIEF},
    ),
    _stream("seqread1m", "sequential read, 1 MiB a call", MIB, read_ahead=True),
    _stream("seqread128k", "sequential read, 128 KiB a call", 128 * KIB, read_ahead=True),
    _stream("seqwrite1m", "sequential write, 1 MiB a call, and close", MIB),
    _stream("seqwrite128k", "sequential write, 128 KiB a call, and close", 128 * KIB),
    Line("stat_cold", "stat, first time", {"count": 500}, {"count": 100}),
    Line(
        "stat_warm",
        "stat, again within a second",
        {"count": 100, "seconds": 0.5},
        BRIEF,
        whole=False,
    ),
    Line("small", "open, read, close a file of 4 KiB", {"count": 500}, {"count": 100}, unit="file"),
    Line("create", "create, write 4 KiB, close", {"count": 300}, {"count": 60}, unit="file"),
    Line(
        "unlink",
        "unlink",
        {"count": 300},
        {"count": 60},
        unit="file",
        whole=False,
        of_the_timed=_from_first("UNLINK"),
    ),
    _readdirp("readdirp500", 500),
    _readdirp("readdirp5k", 5000),
    _readdirp("readdirp50k", 50000, {"entries": 10000}),
    _close(0, 5),
    _close(10, 5),
    _close(100, 5),
    _close(1000, 5),
    _close(10000, 3),
    _close(100000, 2),
    _sessions("sessions_100", "100 sessions opened and closed, in one process", 100),
    _sessions("sessions_1000", "1,000 sessions opened and closed, in one process", 1000),
    Line(
        "session_idle",
        "memory of one idle session",
        {"count": 1},
        unit="session",
        most_rounds=1,
        counted=False,
        per={**_RSS, "rss_start": "the same before the library was loaded"},
    ),
    Line(
        "sessions_open_100",
        "memory of 100 idle sessions in one process",
        {"count": 100},
        {"count": 20},
        unit="session",
        most_rounds=1,
        counted=False,
        per={**_RSS, "rss_start": "the same before the library was loaded"},
    ),
]


def _on_both(base: Line) -> Line:
    return replace(
        base,
        name=f"brick_{base.name}",
        told_as=base.name,
        apart=("c", "threads"),
        both_bricks=True,
        counted=False,
        in_quick=base.name in ("pread4k", "create"),
    )


BY_NAME: Final = {line.name: line for line in LINES}

#: The brick's own lines: the same client on both bricks.
BRICK_LINES: Final = [
    _on_both(BY_NAME[name])
    for name in ("pread4k", "pwrite4k", "seqread1m", "seqwrite1m", "stat_cold", "create")
] + [_on_both(BY_NAME["readdirp5k"]), _on_both(BY_NAME["close_1000"])]

BY_NAME.update((line.name, line) for line in BRICK_LINES)
