"""storage/posix: XATTROP, which changes extended attributes that are arrays of numbers in one step.

Source: GlusterFS xlators/storage/posix/src/posix-inode-fd-ops.c (``do_xattrop``).
"""

from __future__ import annotations

import errno
import os
import struct

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.types import Gfid
from glusterio.wire.dictionary import Dict, Value
from glusterio.wire.fops.xattrs import FxattropRequest, XattropRequest, XattrsReply
from glusterio.wire.programs import XattropFlag
from glusterio.xlators.posix.core import operation
from glusterio.xlators.posix.xattrs import XattrOperations, bytes_of

#: How each operation that adds sees its numbers: bytes in one, and whether defaults follow them.
_ADDING = {
    XattropFlag.ADD_ARRAY: (4, False),
    XattropFlag.ADD_ARRAY64: (8, False),
    XattropFlag.ADD_ARRAY_WITH_DEFAULT: (4, True),
    XattropFlag.ADD_ARRAY64_WITH_DEFAULT: (8, True),
}
_FORMATS = {4: "I", 8: "Q"}


def apply(op: int, given: bytes, old: bytes | None) -> tuple[bytes | None, bytes | None]:
    """Work out what an operation makes of an attribute.

    Numbers are big-endian, and wrap round. A value that is shorter than what is given counts as
    filled up with zeros; where every given byte is zero nothing is changed, only told.

    Args:
        op: an :class:`~glusterio.wire.programs.XattropFlag`.
        given: the attribute's value in the request.
        old: its value on the disk; ``None`` when there is none.

    Returns:
        The new value, ``None`` to leave the old one; and what is answered, ``None`` for nothing.

    Raises:
        OSError: EINVAL for an operation that GlusterFS 10 does not know either, as for OR and AND;
            ERANGE when the value on the disk is longer than what is given.
    """
    width, has_defaults = _ADDING.get(op, (0, False))  # type: ignore[call-overload]
    size = len(given) // 2 if has_defaults else len(given)
    if old is not None and len(old) > size:
        raise fs_error(errno.ERANGE)
    filled = (old or b"").ljust(size, b"\0")
    if op == XattropFlag.GET_AND_SET:
        return given, None if old is None else filled
    if not any(given):
        return None, filled
    if not width:
        raise fs_error(errno.EINVAL)
    count = size // width
    layout = f">{count}{_FORMATS[width]}"
    addends = struct.unpack_from(layout, given)
    numbers = struct.unpack_from(layout, filled)
    if has_defaults:
        defaults = struct.unpack_from(layout, given, count * width)
        numbers = tuple(n or d for n, d in zip(numbers, defaults, strict=True))
    mask = (1 << 8 * width) - 1
    total = struct.pack(layout, *[n + a & mask for n, a in zip(numbers, addends, strict=True)])
    changed = total + filled[len(total) :]
    return changed, changed


class CounterOperations(XattrOperations):
    """XATTROP and FXATTROP. Nothing comes between the reading and the writing of an attribute."""

    @operation
    async def xattrop(self, frame: Frame, request: XattropRequest) -> XattrsReply:
        with self._path(request.gfid, changing=True) as path:
            return self._count(frame, request.gfid, path, request.op, request.xattrs, request.xdata)

    @operation
    async def fxattrop(self, frame: Frame, fd: Fd, request: FxattropRequest) -> XattrsReply:
        with self._path_of(fd, changing=True) as path:
            return self._count(frame, fd.gfid, path, request.op, request.xattrs, request.xdata)

    def _count(
        self, frame: Frame, gfid: Gfid, path: str, op: int, xattrs: Dict | None, xdata: Dict | None
    ) -> XattrsReply:
        if xattrs is None:
            raise fs_error(errno.ENOMEM)  # GlusterFS's word for a request without a dictionary
        for name in xattrs:
            self._check_new_xattr(frame, path, name)
        answers: dict[str, Value] = {}
        for name, value in xattrs.items():
            given = bytes_of(value)
            try:
                old = os.getxattr(path, name)
            except OSError as error:
                if error.errno != errno.ENODATA:
                    raise
                old = None
            new, answer = apply(op, given, old)
            if new is not None:
                os.setxattr(path, name, new)
            if answer is not None:
                answers[name] = answer
        return XattrsReply(xattrs=answers, xdata=self._answers(frame, gfid, os.stat(path), xdata))
