"""features/utime: tells bricks which times a call changes, and what time it is for the client.

A GlusterFS brick with ``storage.ctime on``, the default, keeps a file's times in an extended attribute
and goes by what clients say. A client that says nothing leaves the times of a file as they were, even
when it writes to it; so this translator is not one that could be left out.

Reads change no times here, as with the option's default (``noatime on``).

Source: GlusterFS xlators/features/utime/src (utime-helpers.c, utime-gen-fops-c.py), xlators/storage/
posix/src/posix-metadata.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Reply
from glusterio.types import Buffer
from glusterio.wire.fops.attributes import FsetattrRequest, SetattrRequest
from glusterio.wire.fops.files import ChangedReply
from glusterio.wire.programs import SetattrValid, TimeFlag
from glusterio.xlators.base import Rest, Xlator

_C, _M, _A = TimeFlag.CTIME, TimeFlag.MTIME, TimeFlag.ATIME
_PARENT = TimeFlag.PARENT_CTIME | TimeFlag.PARENT_MTIME

#: What each fop changes, by the translator's method. What is not here changes nothing.
CHANGES: Final[dict[str, TimeFlag]] = {
    "writev": _C | _M,
    "copy_file_range": _C | _M,
    "truncate": _C | _M,
    "ftruncate": _C | _M,
    "create": _C | _M | _A | _PARENT,
    "mknod": _C | _M | _A | _PARENT,
    "mkdir": _C | _M | _A | _PARENT,
    "symlink": _C | _M | _A | _PARENT,
    "link": _C | _PARENT,
    "unlink": _C | _PARENT,
    "rmdir": _C | _PARENT,
    "rename": _C | _PARENT,
    "setxattr": _C,
    "removexattr": _C,
    "fsetxattr": _C,
    "fremovexattr": _C,
    "fallocate": _M | _A,
    "zerofill": _M | _A,
}

_WRITTEN: Final = int(CHANGES["writev"])

#: Of SETATTR only what changes these changes the ctime by the client's word.
_OWNERSHIP: Final = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID


class Utime(Xlator):
    """Stamps the frames of fops that change something."""

    xlator_type = "features/utime"

    async def _stamped(self, frame: Frame, flags: int, fop: Coro[Any]) -> Any:
        frame.stamp = (flags, self.services.wall_clock())
        try:
            return await fop
        finally:
            frame.stamp = None

    def writev_now(
        self,
        frame: Frame,
        fd: Fd,
        data: Buffer,
        offset: int,
        answered: Callable[[Rest | None], None],
    ) -> Reply | None:
        frame.stamp = (_WRITTEN, self.services.wall_clock())
        return self.child.writev_now(frame, fd, data, offset, answered)

    def setattr(self, frame: Frame, request: SetattrRequest) -> Coro[ChangedReply]:
        flags = _C if request.valid & _OWNERSHIP else 0
        return self._stamped(frame, flags, self.child.setattr(frame, request))

    def fsetattr(self, frame: Frame, fd: Fd, request: FsetattrRequest) -> Coro[ChangedReply]:
        flags = _C if request.valid & _OWNERSHIP else 0
        return self._stamped(frame, flags, self.child.fsetattr(frame, fd, request))


def _add(name: str, flags: TimeFlag) -> None:
    def method(self: Utime, frame: Frame, *arguments: Any) -> Coro[Any]:
        return self._stamped(frame, int(flags), getattr(self.child, name)(frame, *arguments))

    setattr(Utime, name, method)


for _name, _flags in CHANGES.items():
    _add(_name, _flags)
