"""Who holds what on a brick: the counts that any brick tells, and the clients that ours does."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from glusterio.brick.control_socket import control_paths
from glusterio.cli.daemons import question
from glusterio.cli.errors import CommandError
from glusterio.cli.probe import Probe, TroubleError
from glusterio.cli.remedies import Trouble
from glusterio.types import NULL_GFID, ROOT_GFID, Gfid
from glusterio.wire.fops.names import LookupReply, LookupRequest
from glusterio.wire.programs import FOPS, ControlProc, Fop

#: What is asked for in LOOKUP's extra data, and what it is called here.
COUNTS = {
    "glusterfs.open-fd-count": "fds",
    "glusterfs.posixlk-count": "posix locks",
    "glusterfs.inodelk-count": "inode locks",
    "glusterfs.entrylk-count": "entry locks",
}


class Counts(NamedTuple):
    """What a brick holds of a file.

    Attributes:
        gfid: the file's gfid, as text.
        numbers: how many of each kind.
    """

    gfid: str
    numbers: dict[str, int]


async def counts(probe: Probe, path: str) -> Counts:
    """Ask a brick how often a file is open and locked. Symbolic links are not followed.

    Args:
        probe: a connection that the brick has accepted.
        path: the file, by its path from the volume's root.

    Raises:
        TroubleError: it is not there.
    """
    gfid: Gfid = ROOT_GFID
    reply: LookupReply | None = None
    for name in filter(None, path.split("/")):
        request = LookupRequest(NULL_GFID, gfid, 0, name, dict.fromkeys(COUNTS, 0))
        reply = await probe.call(FOPS, Fop.LOOKUP, request, LookupReply)
        if reply.op_ret < 0:
            reason = os.strerror(reply.op_errno)
            missing = reply.op_errno in (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)
            raise TroubleError(Trouble.NO_FILE if missing else Trouble.REFUSED, reason)
        gfid = reply.stat.gfid
    told = reply.xdata if reply is not None else None
    found = {called: (told or {}).get(key) for key, called in COUNTS.items()}
    numbers = {called: number for called, number in found.items() if isinstance(number, int)}
    return Counts(str(uuid.UUID(bytes=bytes(gfid))), numbers)


async def dump_of(brick: str) -> dict[str, Any] | None:
    """Return the statedump of a brick that a daemon of ours serves, if there is one that tells us.

    Args:
        brick: the brick's path.
    """
    for path in control_paths():
        try:
            dumps = (await question(path, ControlProc.STATEDUMP))["volumes"]
        except (OSError, CommandError):
            continue  # it was killed, or is another user's
        for dump in dumps:
            if dump.get("path") == brick:
                found: dict[str, Any] = dump
                return found
    return None


def clients(dump: Mapping[str, Any], gfid: str | None = None) -> list[dict[str, Any]]:
    """Return who uses a brick, by its statedump: those who hold something first.

    Args:
        dump: the statedump.
        gfid: tell only of this file, and who has it open.
    """
    found = [
        {
            "name": client["name"],
            "process": client["process"],
            "uid": client["uid"],
            "fds": client["fds"],
            "locks": client["locks"],
            "pending": len(client["calls"]),
            "open": [each for each in client["open"] if gfid in (None, each["gfid"])],
        }
        for client in dump["clients"]
        if client["uid"] is not None and client["process"] != "glusterio doctor"
    ]
    if gfid is not None:
        found = [client for client in found if client["open"]]
    return sorted(found, key=lambda client: (-client["fds"], client["name"]))


def described(client: Mapping[str, Any]) -> str:
    """Write a client and what it holds in a line, with the names of some files."""
    paths = [each["path"] or f"<gfid:{each['gfid']}>" for each in client["open"]]
    some = ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
    who = f"{client['name']} ({client['process'] or client['uid']})"
    said = f"{who}: {client['fds']} fds, {client['locks']} locks, {client['pending']} calls"
    return f"{said}: {some}" if some else said
