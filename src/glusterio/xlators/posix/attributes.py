"""storage/posix: attributes, permissions and the file system's figures."""

from __future__ import annotations

import errno
import os
import stat

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.types import Gfid
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.attributes import (
    AccessRequest,
    FsetattrRequest,
    FstatRequest,
    SetattrRequest,
    Statfs,
    StatfsReply,
    StatfsRequest,
    StatReply,
    StatRequest,
)
from glusterio.wire.fops.files import ChangedReply, CommonReply, TruncateRequest
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import SetattrValid
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.core import iatt_of, operation
from glusterio.xlators.posix.extras import ExtraAnswers

_EXPLICIT_TIMES = SetattrValid.ATIME | SetattrValid.MTIME
#: A brick's SETATTR leaves the size alone, and says nothing; TRUNCATE changes it (``posix_setattr``).
_BY_SETATTR = ~SetattrValid.SIZE
_NOW = SetattrValid.ATIME_NOW | SetattrValid.MTIME_NOW
_TIMES = _EXPLICIT_TIMES | _NOW
_SECOND = 1_000_000_000


#: What only the owner may set.
_OWNERS = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID


def _sets_given_times(valid: int) -> bool:
    """Whether a time is to be set to another than now: a time beside its "now" means nothing."""
    return bool(
        (valid & SetattrValid.ATIME and not valid & SetattrValid.ATIME_NOW)
        or (valid & SetattrValid.MTIME and not valid & SetattrValid.MTIME_NOW)
    )


class AttributeOperations(ExtraAnswers):
    """Operations on what a file is, not on what it holds."""

    @operation
    async def stat(self, frame: Frame, request: StatRequest) -> StatReply:
        return self._stat(frame, request.gfid, request.xdata)

    @operation
    async def fstat(self, frame: Frame, fd: Fd, request: FstatRequest) -> StatReply:
        if fd.anonymous:
            return self._stat(frame, fd.gfid, request.xdata)
        opened = self._file_of(fd)
        status = os.fstat(opened.descriptor)
        answers = self._answers(frame, opened.gfid, status, request.xdata, opened.descriptor)
        if opened.is_directory:
            shown = self._shown(status, opened.gfid, opened.descriptor, ".")
            return StatReply(xdata=answers, stat=shown)
        return StatReply(xdata=answers, stat=iatt_of(status, opened.gfid))

    def _stat(self, frame: Frame, gfid: Gfid, xdata: Dict | None) -> StatReply:
        status = self.handles.stat(gfid)
        answers = self._answers(frame, gfid, status, xdata)
        return StatReply(xdata=answers, stat=self._shown(status, gfid))

    @operation
    async def setattr(self, frame: Frame, request: SetattrRequest) -> ChangedReply:
        with self.handles.inode(request.gfid, changing=True) as inode:
            return self._change(
                frame, inode, request.gfid, request.stat, request.valid & _BY_SETATTR
            )

    @operation
    async def fsetattr(self, frame: Frame, fd: Fd, request: FsetattrRequest) -> ChangedReply:
        if fd.anonymous:
            with self.handles.inode(fd.gfid, changing=True) as inode:
                return self._change(
                    frame, inode, fd.gfid, request.stat, request.valid & _BY_SETATTR
                )
        opened = self._file_of(fd)
        return self._change(
            frame, opened.descriptor, opened.gfid, request.stat, request.valid & _BY_SETATTR
        )

    def _change(
        self, frame: Frame, descriptor: int, gfid: Gfid, wanted: Iatt, valid: int
    ) -> ChangedReply:
        before = os.fstat(descriptor)
        self._check_new_attributes(frame, before, wanted, valid, descriptor)
        path = f"/proc/self/fd/{descriptor}"
        if valid & SetattrValid.SIZE:
            if not stat.S_ISREG(before.st_mode):
                raise fs_error(errno.EISDIR if stat.S_ISDIR(before.st_mode) else errno.EINVAL)
            os.truncate(path, wanted.size)
        if valid & (SetattrValid.UID | SetattrValid.GID):
            os.chown(
                path,
                wanted.uid if valid & SetattrValid.UID else -1,
                wanted.gid if valid & SetattrValid.GID else -1,
            )
        # After the owner, whose change takes the set-user bits away; a link's own mode is none.
        if valid & SetattrValid.MODE and not stat.S_ISLNK(before.st_mode):
            os.chmod(path, self._permitted_mode(frame, before, wanted.mode))
        if valid & _TIMES:
            self._set_times(descriptor, path, wanted, valid)
        return ChangedReply(
            prestat=iatt_of(before, gfid), poststat=iatt_of(os.fstat(descriptor), gfid)
        )

    @staticmethod
    def _check_new_attributes(
        frame: Frame, status: os.stat_result, wanted: Iatt, valid: int, descriptor: int
    ) -> None:
        caller = permissions.restricted(frame)
        if caller is None:
            return
        if valid & SetattrValid.SIZE:
            permissions.require(frame, status, permissions.WRITE, descriptor)
        if valid & _TIMES and caller.uid != status.st_uid:
            permissions.require(frame, status, permissions.WRITE, descriptor)
        if valid & _OWNERS or _sets_given_times(valid):
            permissions.require_owner(frame, status)
        if valid & SetattrValid.UID and wanted.uid != status.st_uid:
            raise fs_error(errno.EPERM)
        if (
            valid & SetattrValid.GID
            and wanted.gid != status.st_gid
            and not permissions.is_member(caller, wanted.gid)
        ):
            raise fs_error(errno.EPERM)

    @staticmethod
    def _permitted_mode(frame: Frame, status: os.stat_result, mode: int) -> int:
        caller = permissions.restricted(frame)
        if caller is not None and not permissions.is_member(caller, status.st_gid):
            mode &= ~stat.S_ISGID
        return stat.S_IMODE(mode)

    @staticmethod
    def _set_times(descriptor: int, path: str, wanted: Iatt, valid: int) -> None:
        before = os.fstat(descriptor)
        atime, mtime = before.st_atime_ns, before.st_mtime_ns
        if valid & _NOW:
            os.utime(path)
            now = os.fstat(descriptor)
            atime = now.st_atime_ns if valid & SetattrValid.ATIME_NOW else atime
            mtime = now.st_mtime_ns if valid & SetattrValid.MTIME_NOW else mtime
            if valid & _NOW == _NOW:
                return
        if valid & SetattrValid.ATIME and not valid & SetattrValid.ATIME_NOW:
            atime = wanted.atime * _SECOND + wanted.atime_nsec
        if valid & SetattrValid.MTIME and not valid & SetattrValid.MTIME_NOW:
            mtime = wanted.mtime * _SECOND + wanted.mtime_nsec
        os.utime(path, ns=(atime, mtime))

    @operation
    async def access(self, frame: Frame, request: AccessRequest) -> CommonReply:
        self._require(frame, request.gfid, request.mask & 7)
        return CommonReply()

    @operation
    async def statfs(self, frame: Frame, request: StatfsRequest) -> StatfsReply:
        with self.handles.inode(request.gfid) as inode:
            found = os.fstatvfs(inode)
        return StatfsReply(
            statfs=Statfs(
                found.f_bsize,
                found.f_frsize,
                found.f_blocks,
                found.f_bfree,
                found.f_bavail,
                found.f_files,
                found.f_ffree,
                found.f_favail,
                found.f_fsid,
                found.f_flag,
                found.f_namemax,
            )
        )

    @operation
    async def truncate(self, frame: Frame, request: TruncateRequest) -> ChangedReply:
        with self.handles.inode(request.gfid, changing=True) as inode:
            return self._change(
                frame, inode, request.gfid, Iatt(size=request.length), SetattrValid.SIZE
            )
