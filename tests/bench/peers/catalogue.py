"""The peers that are not glusterio: what each is, how it is started, and in which lines it takes part.

* ``c``: libgfapi as Debian ships it, one call after the other; threads in the lines with threads.
* ``c-async``: the same by ``glfs_pread_async`` and ``glfs_pwrite_async``, so many under way.
* ``c-mended``: the same with its timer defect mended by a preload (``tests/interop/c/prompt_fini.c``),
  for the lines that end sessions: as shipped an end takes ten seconds. libgfapi also waits for its last
  thread that polls, at times for a second; that one the preload makes a twentieth of a second, so that
  the ends it measures are of two kinds, some without that wait.
* ``c-closing``: the same, and the program closes all its handles before the end, which glfs_fini does
  not do for it: that is the work that a close of glusterio's does. Nothing is left to the brick.
* ``limit``: a C program that sends the same packets on a bare socket and does nothing else; what is
  left is the brick, the kernel and the round trips. Nobody is quicker who sends the same. Where others
  have threads it has as many requests under way, and several where they may defer or read ahead.
* ``gfapi``, ``gfapi-cffi``: the Python bindings of PyPI, with what it takes to make them work.
* ``fuse``: GlusterFS's own mount, used by the functions of `os`.

The C peers use the volume's graph as it is shipped, unless the runner gives them a volfile.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.bench.lines import LINES
from tests.bench.peer import Peer
from tests.bench.peers import bindings, building, faces


def _lines(*beginnings: str) -> frozenset[str]:
    """The names of the lines that begin with one of these."""
    return frozenset(line.name for line in LINES if line.name.startswith(beginnings))


_DATA: Final = _lines("pread", "seqread", "pwrite", "seqwrite")
_NAMES: Final = _lines("stat_", "small", "create", "unlink", "readdirp")
_BINDINGS: Final = (_DATA | _NAMES | _lines("connect", "session_idle")) - _lines(
    "pread4k_4t", "pread4k_16t"
)

#: The lines of each.
TAKES_PART: Final[dict[str, frozenset[str]]] = {
    # As shipped, each end takes ten seconds: a few are measured, thousands are not.
    "c": _DATA | _NAMES | _lines("connect", "close_", "session_idle", "sessions_open"),
    "c-async": _lines("apread", "pwrite", "seqread", "seqwrite"),
    "c-mended": _lines("connect", "close_", "session"),
    "c-closing": _lines("close_"),
    # It has no cache, so nothing to say of what is answered from one, and no session to be idle.
    "limit": (_DATA | _NAMES | _lines("apread", "connect", "close_", "sessions_1"))
    - _lines("stat_warm"),
    # They have no threads of their own, and in one thread a session is as libgfapi has it.
    "gfapi": _BINDINGS,
    "gfapi-cffi": _BINDINGS,
    # The kernel's memory is not the brick's: large reads again and again would be of that.
    "fuse": (_DATA | _NAMES) - _lines("pread64k", "pread1m"),
}


def foreign_peers(place: Path) -> list[Peer]:
    """Make them all; those that cannot be had on this machine say why in ``without``.

    Args:
        place: where programs are compiled to, and virtual environments made; kept between runs.

    Raises:
        BuildError: a program does not compile.
    """
    return [*_c_peers(place), _limit(place), *_bindings(place), _fuse()]


def _peer(
    name: str,
    title: str,
    command: tuple[str, ...],
    without: str | None,
    environment: dict[str, str] | None = None,
) -> Peer:
    return Peer(name, title, command, environment or {}, TAKES_PART[name], without)


def _c_peers(place: Path) -> list[Peer]:
    without = building.no_gfapi()
    if without is None:
        program, preload = building.gfapi(place), building.prompt_fini(place)
    else:
        program = preload = place / "missing"
    preloaded = {"LD_PRELOAD": str(preload)}
    return [
        _peer("c", "libgfapi, C", (str(program), "sync"), without),
        _peer("c-async", "libgfapi, C, asynchronous", (str(program), "async"), without),
        _peer(
            "c-mended",
            "libgfapi, C, its end mended",
            (str(program), "mended"),
            without,
            preloaded,
        ),
        _peer(
            "c-closing",
            "libgfapi, C, its end mended, each handle closed before",
            (str(program), "closing"),
            without,
            preloaded,
        ),
    ]


def _limit(place: Path) -> Peer:
    without = building.no_compiler()
    program = place / "missing" if without is not None else building.limit(place)
    command = (sys.executable, "-m", "tests.bench.peers.limit", str(program))
    return _peer("limit", "the same packets on a bare socket", command, without)


def _foreign(face: str, python: str) -> tuple[str, ...]:
    return (python, "-m", "tests.bench.peers.foreign", face)


def _bindings(place: Path) -> list[Peer]:
    python, without = bindings.environment(place)
    return [
        _peer(name, f"{name} {version}", _foreign(name, str(python)), without)
        for name, version in bindings.VERSIONS.items()
    ]


def _fuse() -> Peer:
    return _peer("fuse", "FUSE mount", _foreign("fuse", sys.executable), faces.no_fuse())
