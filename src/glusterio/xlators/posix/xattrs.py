"""storage/posix: extended attributes.

The brick's own are hidden, and cannot be set.
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
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.core import operation
from glusterio.xlators.posix.extras import ExtraAnswers, visible_xattrs
from glusterio.xlators.posix.identity import is_private

#: Flags of the request that have no meaning for the system call.
_FLAGS = os.XATTR_CREATE | os.XATTR_REPLACE


def _bytes_of(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return raw(value)
    raise fs_error(errno.EINVAL)


class XattrOperations(ExtraAnswers):
    """Operations on extended attributes."""

    # -- by gfid ----------------------------------------------------------------------------------

    @operation
    async def setxattr(self, frame: Frame, request: SetxattrRequest) -> CommonReply:
        with self._path(request.gfid) as path:
            return self._set(frame, path, request.xattrs, request.flags)

    @operation
    async def getxattr(self, frame: Frame, request: GetxattrRequest) -> XattrsReply:
        with self._path(request.gfid) as path:
            return self._get(frame, path, request.name if request.namelen else "")

    @operation
    async def removexattr(self, frame: Frame, request: RemovexattrRequest) -> CommonReply:
        with self._path(request.gfid) as path:
            return self._remove(frame, path, request.name)

    # -- by fd ------------------------------------------------------------------------------------

    @operation
    async def fsetxattr(self, frame: Frame, fd: Fd, request: FsetxattrRequest) -> CommonReply:
        with self._path_of(fd) as path:
            return self._set(frame, path, request.xattrs, request.flags)

    @operation
    async def fgetxattr(self, frame: Frame, fd: Fd, request: FgetxattrRequest) -> XattrsReply:
        with self._path_of(fd) as path:
            return self._get(frame, path, request.name if request.namelen else "")

    @operation
    async def fremovexattr(self, frame: Frame, fd: Fd, request: FremovexattrRequest) -> CommonReply:
        with self._path_of(fd) as path:
            return self._remove(frame, path, request.name)

    # -- either way -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _path(self, gfid: Gfid) -> Iterator[str]:
        with self.handles.inode(gfid) as inode:
            yield f"/proc/self/fd/{inode}"

    @contextlib.contextmanager
    def _path_of(self, fd: Fd) -> Iterator[str]:
        if fd.anonymous:
            with self._path(fd.gfid) as path:
                yield path
        else:
            yield f"/proc/self/fd/{self._file_of(fd).descriptor}"

    @staticmethod
    def _check_new_xattr(frame: Frame, path: str, name: str) -> None:
        if not name:
            raise fs_error(errno.EINVAL)
        if is_private(name):
            raise fs_error(errno.EPERM)
        if permissions.restricted(frame) is None:
            return
        if name.startswith(("trusted.", "security.")):
            raise fs_error(errno.EPERM)
        status = os.stat(path)
        if name.startswith("system."):
            permissions.require_owner(frame, status)
        else:
            permissions.require(frame, status, permissions.WRITE)

    def _set(self, frame: Frame, path: str, xattrs: Dict | None, flags: int) -> CommonReply:
        for name in xattrs or ():
            self._check_new_xattr(frame, path, name)
        for name, value in (xattrs or {}).items():
            os.setxattr(path, name, _bytes_of(value), flags & _FLAGS)
        return CommonReply()

    def _remove(self, frame: Frame, path: str, name: str) -> CommonReply:
        self._check_new_xattr(frame, path, name)
        os.removexattr(path, name)
        return CommonReply()

    @staticmethod
    def _get(frame: Frame, path: str, name: str) -> XattrsReply:
        caller = permissions.restricted(frame)
        if name:
            if is_private(name) or (caller is not None and name.startswith("trusted.")):
                raise fs_error(errno.ENODATA)
            if caller is not None and name.startswith("user."):
                permissions.require(frame, os.stat(path), permissions.READ)
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
