"""glusterio's own peers."""

from __future__ import annotations

import importlib.util
import sys

from tests.bench.lines import LINES
from tests.bench.peer import Peer

NAMES = frozenset({"stat_cold", "small", "create", "unlink"})


def own_peers() -> list[Peer]:
    """glusterio's faces, and variants of them for some lines."""

    def peer(name: str, title: str, face: str, lines: frozenset[str] = frozenset()) -> Peer:
        return Peer(name, title, (sys.executable, "-m", "tests.bench.own", face), lines=lines)

    # Asyncio's lines about threads would be the same as the others.
    not_threads = frozenset(line.name for line in LINES) - {"pread4k_4t", "pread4k_16t"}
    uvloop = peer("uvloop", "glusterio, asyncio on uvloop", "aio,uvloop", not_threads)
    if importlib.util.find_spec("uvloop") is None:
        uvloop = Peer(uvloop.name, uvloop.title, uvloop.command, without="uvloop is not installed")
    return [
        peer("threads", "glusterio, threads", "threads"),
        peer(
            "threads-whole",
            "glusterio, threads, `read_bytes` and `write_bytes`",
            "threads,whole",
            frozenset({"small", "create"}),
        ),
        peer("asyncio", "glusterio, asyncio", "aio", not_threads),
        peer("asyncio-64", "glusterio, asyncio, 64 tasks", "aio,tasks", NAMES),
        uvloop,
    ]
