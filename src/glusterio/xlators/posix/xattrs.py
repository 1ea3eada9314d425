"""storage/posix: extended attributes.

The brick's own are hidden, and cannot be set. Those that are questions are answered by
:mod:`~glusterio.xlators.posix.virtual`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.types import Gfid
from glusterio.wire.dictionary import Dict, Value
from glusterio.wire.fops.files import CommonReply
from glusterio.wire.fops.xattrs import (
    FgetxattrRequest,
    FremovexattrRequest,
    FsetxattrRequest,
    GetxattrRequest,
    RemovexattrRequest,
    SetxattrRequest,
    XattrsReply,
)
from glusterio.wire.xdr import raw
from glusterio.xlators.posix import acl, permissions
from glusterio.xlators.posix.core import iatt_of, operation
from glusterio.xlators.posix.extras import visible_xattrs
from glusterio.xlators.posix.virtual import (
    VirtualXattrs,
    is_hidden,
    is_ignored,
    refuse_to_remove,
    refuse_to_set,
)

#: Flags of the request that have no meaning for the system call.
_FLAGS = os.XATTR_CREATE | os.XATTR_REPLACE


PRESTAT = "virt-gf-prestat"
POSTSTAT = "virt-gf-poststat"
#: The attributes after once more, for another of GlusterFS's translators.
_IATT = "dht-get-iatt-in-xattr"


def bytes_of(value: Value) -> bytes:
    """Return what is written for a value: a text or number with a NUL, as GlusterFS does it.

    Raises:
        OSError: EINVAL.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str | int):
        return raw(str(value)) + b"\0"
    raise fs_error(errno.EINVAL)


class XattrOperations(VirtualXattrs):
    """Operations on extended attributes."""

    # -- by gfid ----------------------------------------------------------------------------------

    @operation
    async def setxattr(self, frame: Frame, request: SetxattrRequest) -> CommonReply:
        with self._path(request.gfid, changing=True) as path:
            return self._set(frame, request.gfid, path, request.xattrs, request.flags, False)

    @operation
    async def getxattr(self, frame: Frame, request: GetxattrRequest) -> XattrsReply:
        name = request.name if request.namelen else ""
        with self._path(request.gfid) as path:
            reply = self._virtual(request.gfid, path, name) if name else None
            if reply is None:
                reply = self._get(frame, path, name)
            answers = self._answers(frame, request.gfid, os.stat(path), request.xdata)
            return reply._replace(xdata=answers)

    @operation
    async def removexattr(self, frame: Frame, request: RemovexattrRequest) -> CommonReply:
        with self._path(request.gfid, changing=True) as path:
            return self._remove(frame, request.gfid, path, request.name)

    # -- by fd ------------------------------------------------------------------------------------

    @operation
    async def fsetxattr(self, frame: Frame, fd: Fd, request: FsetxattrRequest) -> CommonReply:
        with self._path_of(fd, changing=True) as path:
            return self._set(frame, fd.gfid, path, request.xattrs, request.flags, True)

    @operation
    async def fgetxattr(self, frame: Frame, fd: Fd, request: FgetxattrRequest) -> XattrsReply:
        name = request.name if request.namelen else ""
        with self._path_of(fd) as path:
            reply = self._virtual_of_fd(fd.gfid, path, name) if name else None
            return reply or self._get(frame, path, name)

    @operation
    async def fremovexattr(self, frame: Frame, fd: Fd, request: FremovexattrRequest) -> CommonReply:
        with self._path_of(fd, changing=True) as path:
            return self._remove(frame, fd.gfid, path, request.name)

    # -- either way -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _path(self, gfid: Gfid, changing: bool = False) -> Iterator[str]:
        with self.handles.inode(gfid, changing) as inode:
            yield f"/proc/self/fd/{inode}"

    @contextlib.contextmanager
    def _path_of(self, fd: Fd, changing: bool = False) -> Iterator[str]:
        if fd.anonymous:
            with self._path(fd.gfid, changing) as path:
                yield path
        else:
            yield f"/proc/self/fd/{self._file_of(fd).descriptor}"

    @staticmethod
    def _check_new_xattr(frame: Frame, path: str, name: str) -> None:
        if not name:
            raise fs_error(errno.EINVAL)
        refuse_to_set(name)
        if permissions.restricted(frame) is None:
            return
        status = os.stat(path)
        if name.startswith("system.") or name in acl.ATTRIBUTES:
            permissions.require_owner(frame, status)
        else:
            permissions.require(frame, status, permissions.WRITE, path)
        if name.startswith(("trusted.", "security.")):
            raise fs_error(errno.EPERM)

    def _set(
        self, frame: Frame, gfid: Gfid, path: str, xattrs: Dict | None, flags: int, by_fd: bool
    ) -> CommonReply:
        if xattrs is None:
            raise fs_error(errno.EINVAL)
        wanted = {name: value for name, value in xattrs.items() if not is_ignored(name)}
        for name in wanted:
            self._check_new_xattr(frame, path, name)
        before = os.stat(path)
        answers: dict[str, Value] = {}
        for name, value in wanted.items():
            if name in acl.ATTRIBUTES and not by_fd:
                self._set_acl(path, name, value)
                with contextlib.suppress(OSError):  # a list that the mode can hold is kept there
                    answers[acl.ATTRIBUTES[name]] = os.getxattr(path, acl.ATTRIBUTES[name])
            else:
                os.setxattr(path, name, bytes_of(value), flags & _FLAGS)
        return self._changed(gfid, path, before, answers)

    @staticmethod
    def _set_acl(path: str, name: str, value: Value) -> None:
        text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
        os.setxattr(path, acl.ATTRIBUTES[name], acl.value_of(text.rstrip("\0")))

    def _remove(self, frame: Frame, gfid: Gfid, path: str, name: str) -> CommonReply:
        refuse_to_remove(name)
        if permissions.restricted(frame) is not None:
            self._check_new_xattr(frame, path, name)
        before = os.stat(path)
        os.removexattr(path, name)
        return self._changed(gfid, path, before)

    @staticmethod
    def _changed(
        gfid: Gfid, path: str, before: os.stat_result, answers: Dict | None = None
    ) -> CommonReply:
        after = iatt_of(os.stat(path), gfid)
        stats = {POSTSTAT: after, PRESTAT: iatt_of(before, gfid), _IATT: after}
        return CommonReply(xdata={**stats, **(answers or {})})

    @staticmethod
    def _get(frame: Frame, path: str, name: str) -> XattrsReply:
        caller = permissions.restricted(frame)
        if name:
            if is_hidden(name) or (caller is not None and name.startswith("trusted.")):
                raise fs_error(errno.ENODATA)
            if caller is not None and name.startswith("user."):
                permissions.require(frame, os.stat(path), permissions.READ, path)
            value = os.getxattr(path, name)
            return XattrsReply(op_ret=len(value), xattrs={name: value})
        found: dict[str, Value] = {}
        for each in visible_xattrs(path):
            if caller is None or not each.startswith("trusted."):
                try:
                    found[each] = os.getxattr(path, each)
                except OSError as error:
                    if error.errno != errno.ENODATA:  # else removed since
                        raise
        return XattrsReply(op_ret=len(found), xattrs=found)
