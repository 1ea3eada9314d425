"""A client whose root is a directory of the volume (``subdir-mount``).

What is the root's gfid to such a client is that directory's to the brick, in every request and every
reply, and of what is above the directory nothing is told. As with GlusterFS's bricks, a gfid from
elsewhere in the volume can be used by whoever knows it; gfids are random.

Source: GlusterFS xlators/protocol/server/src/server-handshake.c (``server_first_lookup``),
server-resolve.c, server-common.c (``server4_post_lookup``).
"""

from __future__ import annotations

import stat
from typing import Any, Final

from glusterio.brick.connection import Connection
from glusterio.brick.server import FopProgram, Winding
from glusterio.graph.frame import Frame
from glusterio.types import NULL_GFID, ROOT_GFID, Buffer, Gfid
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.directories import DirEntry, ReaddirpReply
from glusterio.wire.fops.names import LookupRequest
from glusterio.wire.iatt import ZERO_IATT, Iatt
from glusterio.wire.programs import Fop
from glusterio.xlators.base import Xlator

#: The fields of requests that name a file.
_GFIDS: Final = (
    "gfid",
    "pargfid",
    "old_pargfid",
    "new_pargfid",
    "gfid_in",
    "gfid_out",
)
_ROOT_INODE: Final = 1
_LISTING: Final = (Fop.READDIR, Fop.READDIRP)


async def find_directory(top: Xlator, path: str) -> Gfid:
    """Return the gfid of a directory, by its path from the volume's root.

    Raises:
        OSError: it is not there, or is no directory.
    """
    frame = Frame(identity=Credentials(0, 0, 0))
    gfid: Gfid = ROOT_GFID
    for name in filter(None, path.split("/")):
        if name in (".", ".."):
            raise NotADirectoryError(path)
        reply = await top.lookup(frame, LookupRequest(NULL_GFID, gfid, 0, name))
        if not stat.S_ISDIR(reply.stat.mode):
            raise NotADirectoryError(path)
        gfid = reply.stat.gfid
    return gfid


class ConfinedFops(FopProgram):
    """The file operations for clients whose root is a directory.

    Args:
        fops: those for everybody else, with which it counts.
        root: the directory's gfid.
    """

    def __init__(self, fops: FopProgram, root: Gfid) -> None:
        self._root = root
        super().__init__(fops.top, fops)

    def _winding(self, fop: Fop) -> Winding:
        inner = super()._winding(fop)
        root = self._root

        async def wind(
            connection: Connection, frame: Frame, message: Any, tail: memoryview
        ) -> tuple[Any, Buffer]:
            listed = connection.fds.get(message.fd) if fop in _LISTING else None
            reply, data = await inner(connection, frame, _inwards(message, root), tail)
            reply = _outwards(reply, root)
            if listed is not None and listed.fd.gfid == root:
                entries = tuple(_without_parent(entry) for entry in reply.entries)
                reply = reply._replace(entries=entries)
            return reply, data

        return wind


def _inwards(message: Any, root: Gfid) -> Any:
    changed: dict[str, Any] = {
        name: root for name in _GFIDS if bytes(getattr(message, name, NULL_GFID)) == ROOT_GFID
    }
    if changed and isinstance(message, LookupRequest) and message.name == "..":
        changed["name"] = "."
    return message._replace(**changed) if changed else message


def _outwards(reply: Any, root: Gfid) -> Any:
    changed: dict[str, Any] = {
        name: value._replace(gfid=ROOT_GFID, ino=_ROOT_INODE)
        for name, value in zip(reply._fields, reply, strict=True)
        if isinstance(value, Iatt) and value.gfid == root
    }
    if isinstance(reply, ReaddirpReply):
        changed["entries"] = tuple(
            entry._replace(ino=_ROOT_INODE, stat=entry.stat._replace(gfid=ROOT_GFID, ino=1))
            if entry.stat.gfid == root
            else entry
            for entry in reply.entries
        )
    return reply._replace(**changed) if changed else reply


def _without_parent(entry: Any) -> Any:
    """Take from an entry of the root what it tells about the directory above."""
    if entry.name != "..":
        return entry
    changed = {"ino": 0} if isinstance(entry, DirEntry) else {"ino": 0, "stat": ZERO_IATT}
    return entry._replace(**changed)
