"""features/read-only: refuses whatever would change the volume, with EROFS, while its option is on.

Option ``read-only``; it may change while the brick runs. A file that is open for writing stays open,
and what is written to it is refused. Locks and syncs are no changes.

Source: GlusterFS xlators/features/read-only/src/read-only-common.c. That one refuses FSYNCDIR, but not
DISCARD, ZEROFILL, FREMOVEXATTR and COPY_FILE_RANGE; here it is the other way round.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, Final

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, option
from glusterio.traps import Coro
from glusterio.wire.fops.files import OpenReply, OpenRequest
from glusterio.wire.fops.xattrs import FxattropRequest, XattropRequest, XattrsReply
from glusterio.wire.programs import ACCMODE, OpenFlag
from glusterio.xlators.base import Xlator

#: The fops that change something, by the translator's method; OPEN and XATTROP only in some cases.
CHANGES: Final = (
    "mknod",
    "mkdir",
    "symlink",
    "link",
    "unlink",
    "rmdir",
    "rename",
    "create",
    "setattr",
    "fsetattr",
    "truncate",
    "ftruncate",
    "setxattr",
    "fsetxattr",
    "removexattr",
    "fremovexattr",
    "writev",
    "fallocate",
    "discard",
    "zerofill",
    "copy_file_range",
)


class ReadOnly(Xlator):
    """Refuses changes while it is on."""

    xlator_type = "features/read-only"

    def configure(self, options: Mapping[str, str]) -> None:
        self.is_on = option(options, "read-only", boolean, False)

    def open(self, frame: Frame, fd: Fd, request: OpenRequest) -> Coro[OpenReply]:
        changing = request.flags & ACCMODE or request.flags & OpenFlag.TRUNC
        if self.is_on and changing:
            return _refuse()
        return self.child.open(frame, fd, request)

    def xattrop(self, frame: Frame, request: XattropRequest) -> Coro[XattrsReply]:
        if self.is_on and _changes(request):
            return _refuse()
        return self.child.xattrop(frame, request)

    def fxattrop(self, frame: Frame, fd: Fd, request: FxattropRequest) -> Coro[XattrsReply]:
        if self.is_on and _changes(request):
            return _refuse()
        return self.child.fxattrop(frame, fd, request)


async def _refuse() -> Any:
    raise fs_error(errno.EROFS)


def _changes(request: XattropRequest | FxattropRequest) -> bool:
    """Tell whether XATTROP's arrays hold anything; to add nothing is the way to read them."""
    return any(any(value) for value in (request.xattrs or {}).values() if isinstance(value, bytes))


def _add(name: str) -> None:
    def method(self: ReadOnly, frame: Frame, *arguments: Any) -> Coro[Any]:
        if self.is_on:
            return _refuse()
        return getattr(self.child, name)(frame, *arguments)  # type: ignore[no-any-return]

    setattr(ReadOnly, name, method)


for _name in CHANGES:
    _add(_name)
