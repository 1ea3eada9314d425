"""storage/posix: looking names up, making and removing them."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Callable

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.types import NULL_GFID, ROOT_GFID, Gfid
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.names import (
    CreateReply,
    CreateRequest,
    LinkRequest,
    LookupReply,
    LookupRequest,
    MkdirRequest,
    MknodRequest,
    NewEntryReply,
    ReadlinkReply,
    ReadlinkRequest,
    RemovedEntryReply,
    RmdirRequest,
    SymlinkRequest,
    UnlinkRequest,
)
from glusterio.wire.programs import GFID_REQ, OpenFlag
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.core import iatt_of, operation
from glusterio.xlators.posix.extras import ExtraAnswers
from glusterio.xlators.posix.handles import handle_of
from glusterio.xlators.posix.opening import Opening, needed_permission, system_flags

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o7777


def gfid_of_request(xdata: Dict | None) -> Gfid | None:
    """Return the gfid that a request gives to a file, if it does."""
    value = (xdata or {}).get(GFID_REQ)
    gfid = value.bytes if isinstance(value, uuid.UUID) else value
    if not isinstance(gfid, bytes) or len(gfid) != 16 or gfid in (NULL_GFID, ROOT_GFID):
        return None
    return gfid


class NameOperations(ExtraAnswers, Opening):
    """Operations on the entries of directories."""

    # -- looking up -------------------------------------------------------------------------------

    @operation
    async def lookup(self, frame: Frame, request: LookupRequest) -> LookupReply:
        if not request.name:
            return self._lookup_gfid(frame, request)
        parent, name = request.pargfid, request.name
        directory, parent_status = self._parent(parent)
        permissions.require(frame, parent_status, permissions.EXECUTE)
        if name in (".", ".."):
            gfid = parent
            if name == ".." and parent != ROOT_GFID:
                gfid = self.handles.parent_of(parent)[0]
            return self._lookup_gfid(frame, request._replace(gfid=gfid))
        self._check_name(parent, name)
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        gfid = self.handles.identify(
            parent, directory, name, status, gfid_of_request(request.xdata)
        )
        return LookupReply(
            xdata=self._answers(frame, gfid, status, request.xdata),
            stat=iatt_of(os.stat(name, dir_fd=directory, follow_symlinks=False), gfid),
            postparent=iatt_of(parent_status, parent),
        )

    def _lookup_gfid(self, frame: Frame, request: LookupRequest) -> LookupReply:
        gfid = request.gfid
        if gfid == NULL_GFID:
            raise fs_error(errno.EINVAL)
        try:
            status = self.handles.stat(gfid)
        except OSError as error:
            # Other operations say ESTALE. This one asks whether there is such a file.
            if error.errno == errno.ESTALE:
                raise fs_error(errno.ENOENT) from None
            raise
        return LookupReply(
            xdata=self._answers(frame, gfid, status, request.xdata), stat=iatt_of(status, gfid)
        )

    @operation
    async def readlink(self, frame: Frame, request: ReadlinkRequest) -> ReadlinkReply:
        with self.handles.inode(request.gfid) as inode:
            status = os.fstat(inode)
            if not stat.S_ISLNK(status.st_mode):
                raise fs_error(errno.EINVAL)
            target = os.readlink(b"", dir_fd=inode)[: request.size]
        return ReadlinkReply(
            op_ret=len(target), stat=iatt_of(status, request.gfid), target=os.fsdecode(target)
        )

    # -- making -----------------------------------------------------------------------------------

    @operation
    async def mknod(self, frame: Frame, request: MknodRequest) -> NewEntryReply:
        kind = stat.S_IFMT(request.mode) or stat.S_IFREG
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            raise fs_error(errno.EINVAL)
        if kind in (stat.S_IFCHR, stat.S_IFBLK) and permissions.restricted(frame) is not None:
            raise fs_error(errno.EPERM)

        def make(directory: int) -> None:
            os.mknod(request.name, kind | 0o600, request.dev, dir_fd=directory)

        mode = request.mode & _PERMISSIONS & ~request.umask
        return self._make(frame, request.pargfid, request.name, request.xdata, mode, make)

    @operation
    async def mkdir(self, frame: Frame, request: MkdirRequest) -> NewEntryReply:
        def make(directory: int) -> None:
            os.mkdir(request.name, 0o700, dir_fd=directory)

        mode = request.mode & _PERMISSIONS & ~request.umask
        return self._make(frame, request.pargfid, request.name, request.xdata, mode, make)

    @operation
    async def symlink(self, frame: Frame, request: SymlinkRequest) -> NewEntryReply:
        def make(directory: int) -> None:
            os.symlink(request.target, request.name, dir_fd=directory)

        return self._make(frame, request.pargfid, request.name, request.xdata, 0o777, make)

    @operation
    async def create(self, frame: Frame, fd: Fd, request: CreateRequest) -> CreateReply:
        """Make a file and open it. Without ``O_EXCL`` one that is there already is opened."""
        made: list[int] = []

        def make(directory: int) -> None:
            flags = system_flags(request.flags) & ~os.O_DIRECTORY | _NEW_FILE
            made.append(os.open(request.name, flags, 0o600, dir_fd=directory))

        mode = request.mode & _PERMISSIONS & ~request.umask
        try:
            reply = self._make(frame, request.pargfid, request.name, request.xdata, mode, make)
        except BaseException as error:
            if made:
                os.close(made[0])
            elif isinstance(error, FileExistsError) and not request.flags & OpenFlag.EXCL:
                return self._open_existing(frame, fd, request)
            raise
        self._keep(fd, made[0], reply.stat.gfid)
        return CreateReply(stat=reply.stat, preparent=reply.preparent, postparent=reply.postparent)

    def _open_existing(self, frame: Frame, fd: Fd, request: CreateRequest) -> CreateReply:
        parent = request.pargfid
        directory, before = self._parent(parent)
        status = os.stat(request.name, dir_fd=directory, follow_symlinks=False)
        gfid = self.handles.identify(parent, directory, request.name, status)
        permissions.require(frame, status, needed_permission(request.flags))
        self._open(fd, gfid, request.flags)
        opened = os.fstat(self._file_of(fd).descriptor)
        parent_iatt = iatt_of(before, parent)
        return CreateReply(
            stat=iatt_of(opened, gfid), preparent=parent_iatt, postparent=parent_iatt
        )

    def _make(
        self,
        frame: Frame,
        parent: Gfid,
        name: str,
        xdata: Dict | None,
        mode: int,
        make: Callable[[int], None],
    ) -> NewEntryReply:
        """Make an entry and give it gfid, handle, owner and mode; all of it or nothing."""
        gfid = gfid_of_request(xdata)
        if gfid is None:
            raise fs_error(errno.EINVAL)
        self._check_name(parent, name)
        directory, before = self._parent(parent)
        permissions.require(frame, before, permissions.WRITE | permissions.EXECUTE)
        make(directory)
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            self.handles.name_new(gfid, parent, directory, name, status)
            try:
                self._own(frame, directory, name, mode, before, status)
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except BaseException:
                self.handles.removed(gfid, status)
                raise
        except BaseException:
            remove = os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink
            remove(name, dir_fd=directory)
            raise
        return NewEntryReply(
            stat=iatt_of(status, gfid),
            preparent=iatt_of(before, parent),
            postparent=iatt_of(os.fstat(directory), parent),
        )

    @staticmethod
    def _own(
        frame: Frame,
        directory: int,
        name: str,
        mode: int,
        parent: os.stat_result,
        status: os.stat_result,
    ) -> None:
        """Give what was just made to its maker, as the kernel would have done it."""
        identity = frame.identity
        if identity is not None:
            gid = parent.st_gid if parent.st_mode & stat.S_ISGID else identity.gid
            if (identity.uid, gid) != (status.st_uid, status.st_gid):
                try:
                    os.chown(name, identity.uid, gid, dir_fd=directory, follow_symlinks=False)
                except PermissionError:
                    if not os.geteuid():
                        raise  # without rights of its own a brick keeps all files as its user's
        if stat.S_ISLNK(status.st_mode):
            return
        if stat.S_ISDIR(status.st_mode) and parent.st_mode & stat.S_ISGID:
            mode |= stat.S_ISGID
        inode = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            os.chmod(f"/proc/self/fd/{inode}", mode)
        finally:
            os.close(inode)

    @operation
    async def link(self, frame: Frame, request: LinkRequest) -> NewEntryReply:
        parent, name, gfid = request.new_pargfid, request.new_name, request.gfid
        self._check_name(parent, name)
        if stat.S_ISDIR(self.handles.stat(gfid).st_mode):
            raise fs_error(errno.EPERM)
        directory, before = self._parent(parent)
        permissions.require(frame, before, permissions.WRITE | permissions.EXECUTE)
        os.link(
            handle_of(gfid),
            name,
            src_dir_fd=self.handles.root,
            dst_dir_fd=directory,
            follow_symlinks=False,
        )
        return NewEntryReply(
            stat=iatt_of(os.stat(name, dir_fd=directory, follow_symlinks=False), gfid),
            preparent=iatt_of(before, parent),
            postparent=iatt_of(os.fstat(directory), parent),
        )

    # -- removing ---------------------------------------------------------------------------------

    @operation
    async def unlink(self, frame: Frame, request: UnlinkRequest) -> RemovedEntryReply:
        parent, name = request.pargfid, request.name
        directory, before, status, gfid = self._about_to_remove(frame, parent, name)
        os.unlink(name, dir_fd=directory)
        self.handles.removed(gfid, status)
        return RemovedEntryReply(
            preparent=iatt_of(before, parent), postparent=iatt_of(os.fstat(directory), parent)
        )

    @operation
    async def rmdir(self, frame: Frame, request: RmdirRequest) -> RemovedEntryReply:
        parent, name = request.pargfid, request.name
        directory, before, status, gfid = self._about_to_remove(frame, parent, name)
        if not stat.S_ISDIR(status.st_mode):
            raise fs_error(errno.ENOTDIR)
        if request.xflags:
            self._empty(frame, gfid)
            directory = self.handles.directory(parent)
        os.rmdir(name, dir_fd=directory)
        self.handles.removed(gfid, status)
        return RemovedEntryReply(
            preparent=iatt_of(before, parent), postparent=iatt_of(os.fstat(directory), parent)
        )

    def _about_to_remove(
        self, frame: Frame, parent: Gfid, name: str
    ) -> tuple[int, os.stat_result, os.stat_result, Gfid]:
        self._check_name(parent, name)
        directory, before = self._parent(parent)
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        permissions.require_removal(frame, before, status)
        return directory, before, status, self.handles.identify(parent, directory, name, status)

    def _empty(self, frame: Frame, top: Gfid) -> None:
        """Remove all that a directory holds, whatever its depth."""
        ways: list[Gfid] = [top]
        while ways:
            parent = ways[-1]
            for name in os.listdir(f"/proc/self/fd/{self.handles.directory(parent)}"):
                directory, _, status, gfid = self._about_to_remove(frame, parent, name)
                if stat.S_ISDIR(status.st_mode):
                    try:
                        os.rmdir(name, dir_fd=directory)
                    except OSError as error:
                        if error.errno != errno.ENOTEMPTY:
                            raise
                        ways.append(gfid)
                        break
                else:
                    os.unlink(name, dir_fd=directory)
                self.handles.removed(gfid, status)
            else:
                ways.pop()
                if ways:
                    above, name = self.handles.parent_of(parent)
                    status = self.handles.stat(parent)
                    os.rmdir(name, dir_fd=self.handles.directory(above))
                    self.handles.removed(parent, status)
