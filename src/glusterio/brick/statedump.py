"""What goes on in a brick: clients, what they hold, what they wait for; as plain values and as text.

The text is in the manner of GlusterFS's statedumps, sections of ``key=value`` lines, so that the same
eyes and scripts can read it (libglusterfs/src/statedump.c). Nothing here waits, and nothing is counted
for it but what is counted anyway: a dump costs when it is made.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from glusterio.brick.connection import Connection
from glusterio.brick.limits import Limits
from glusterio.brick.server import FopProgram
from glusterio.graph.graph import Graph
from glusterio.runtime.serve import Served, Server
from glusterio.wire.programs import (
    DUMP,
    FOPS,
    HANDSHAKE,
    PORTMAP,
    DumpProc,
    Fop,
    HandshakeProc,
    PortmapProc,
)
from glusterio.xlators.base import Xlator

_PROCEDURES: Mapping[int, Any] = {
    FOPS.number: Fop,
    HANDSHAKE.number: HandshakeProc,
    DUMP.number: DumpProc,
    PORTMAP.number: PortmapProc,
}


def dump(
    server: Server | None, graph: Graph[Xlator] | None, fops: FopProgram | None, limits: Limits
) -> dict[str, Any]:
    """Tell what goes on in a brick.

    Args:
        server: what serves its clients; ``None`` while it does not run.
        graph: its translators, likewise.
        fops: the program of its file operations, likewise.
        limits: what its clients may ask for.

    Returns:
        Plain values, as JSON can hold them. Numbers: ``fds`` (what clients hold by their connections'
        tables), ``pending`` (operations under way), ``locks``, ``open_files`` and ``open_directories``
        (what is open on the machine), and whatever else the translators count. Lists: ``clients``,
        ``inodes`` (what is open), ``lock_table`` (every lock, and every request for one that waits),
        and whatever else the translators tell. ``fops`` and ``limits``, by name.
    """
    xlators = graph.xlators if graph is not None else ()
    counts: dict[str, int] = {"locks": 0}
    details: dict[str, list[dict[str, Any]]] = {"inodes": [], "lock_table": []}
    for xlator in xlators:
        counts.update(xlator.counts())
        details.update(xlator.dump())
    paths: dict[str, str | None] = {}
    for inode in details["inodes"]:
        if fops is not None:
            gfid = uuid.UUID(inode["gfid"]).bytes
            inode["path"] = fops.top.path_of(gfid)
        paths[inode["gfid"]] = inode.get("path")
    locks = Counter(
        (lock["client"], lock["state"]) for lock in details["lock_table"] if lock["client"]
    )
    clients = [
        _client(served, paths, locks) for served in (server.clients if server is not None else ())
    ]
    return {
        "fds": sum(client["fds"] for client in clients),
        "pending": sum(client["pending"] for client in clients),
        **counts,
        "clients": clients,
        **details,
        "fops": _fops(fops) if fops is not None else {},
        "limits": dataclasses.asdict(limits),
    }


def _client(
    served: Served, paths: Mapping[str, str | None], locks: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    session = served.session
    assert isinstance(session, Connection)
    client, connection = session.client, session.connection
    now = served.server.loop.time()
    return {
        "name": session.name,
        "uid": client.uid if client is not None else None,
        "process": client.process_name if client is not None else None,
        "connected": time.time() - (now - served.since),
        "accepted": client.since if client is not None else None,
        "is_open": served.is_open,
        "bytes_in": connection.bytes_in,
        "bytes_out": connection.bytes_out,
        "queued_bytes": connection.queued_bytes,
        "fds": len(session.fds),
        "open": [
            {
                "fd": number,
                "kind": "directory" if opened.is_directory else "file",
                "gfid": _text(opened.fd.gfid),
                "path": paths.get(_text(opened.fd.gfid)),
                "flags": opened.fd.flags,
                "users": opened.users,
            }
            for number, opened in session.fds
        ],
        "locks": locks.get((session.name, "granted"), 0),
        "blocked_locks": locks.get((session.name, "blocked"), 0),
        "pending": served.running,
        "calls": [
            {
                "xid": request.xid,
                "procedure": procedure_name(request.program, request.procedure),
                "age": now - request.arrived,
            }
            for request in connection.pending.values()
        ],
    }


def _fops(fops: FopProgram) -> dict[str, dict[str, float]]:
    return {
        fop.name: {
            "count": counter.count,
            "failed": counter.failed,
            "mean_us": round(1e6 * counter.seconds / counter.count, 1),
            "longest_us": round(1e6 * counter.longest, 1),
        }
        for fop, counter in fops.counters.items()
        if counter.count
    }


def _text(gfid: bytes) -> str:
    return str(uuid.UUID(bytes=bytes(gfid)))


def procedure_name(program: int, procedure: int) -> str:
    """Return a procedure's name, or its numbers when it has none that is known."""
    procedures = _PROCEDURES.get(program)
    try:
        name: str = procedures(procedure).name  # type: ignore[misc]
        return name
    except (TypeError, ValueError):
        return f"{program}.{procedure}"


# -- as text ------------------------------------------------------------------------------------------


def as_text(found: Mapping[str, Any]) -> str:
    """Write a dump, or any part of one, as sections of ``key=value`` lines.

    Numbers and words at the top are the section ``[brick]``; a list's entries and a dictionary have
    sections of their own, ``[clients.0]`` and ``[clients.0.open.3]``.
    """
    return "\n".join(_sections("brick", found, ""))


def _sections(title: str, values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    yield f"[{title}]"
    inner: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            inner.append((key, value))
        elif isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
            inner += [(f"{key}.{number}", each) for number, each in enumerate(value)]
        else:
            yield f"{key}={_word(value)}"
    yield ""
    for key, value in inner:
        yield from _sections(prefix + key, value, f"{prefix}{key}.")


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}"
    # a name may hold a newline; it shall not make a line of its own
    return str(value).encode("unicode_escape").decode() if isinstance(value, str) else str(value)
