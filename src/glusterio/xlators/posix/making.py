"""storage/posix: making files, directories, links and nodes; all of each, or nothing.

A regular file gets its gfid, its attributes, its owner and its mode while it has no name at all
(``O_TMPFILE``), then its handle, then its name. So a brick that is killed meanwhile leaves nothing, or
a handle without a name, which can be nothing else. What cannot begin without a name is made in place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Callable, Iterator

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.types import NULL_GFID, ROOT_GFID, Gfid
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.names import (
    CreateReply,
    CreateRequest,
    LinkRequest,
    MkdirRequest,
    MknodRequest,
    NewEntryReply,
    SymlinkRequest,
)
from glusterio.wire.programs import ACCMODE, GFID_REQ, OpenFlag
from glusterio.xlators.posix import acl, permissions
from glusterio.xlators.posix.core import iatt_of, operation
from glusterio.xlators.posix.identity import is_private
from glusterio.xlators.posix.opening import Opening, needed_permission, system_flags

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o7777
_DIRECTORY_PERMISSIONS = 0o1777  # as mkdir(2) has it
_UNNAMED = os.O_TMPFILE

#: What a file system says that has no files without a name.
_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT})

#: Attributes that a new file may be given at once, by keys of its request's ``xdata``.
_GIVEN = ("user.", "trusted.", "security.")


def gfid_of_request(xdata: Dict | None) -> Gfid | None:
    """Return the gfid that a request gives to a file, if it does."""
    value = (xdata or {}).get(GFID_REQ)
    gfid = value.bytes if isinstance(value, uuid.UUID) else value
    if not isinstance(gfid, bytes) or len(gfid) != 16 or gfid in (NULL_GFID, ROOT_GFID):
        return None
    return gfid


class MakeOperations(Opening):
    """Operations that make an entry of a directory."""

    @operation
    async def mknod(self, frame: Frame, request: MknodRequest) -> NewEntryReply:
        kind = stat.S_IFMT(request.mode) or stat.S_IFREG
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            raise fs_error(errno.EINVAL)
        if kind in (stat.S_IFCHR, stat.S_IFBLK) and permissions.restricted(frame) is not None:
            raise fs_error(errno.EPERM)

        def make(directory: int) -> None:
            os.mknod(request.name, kind | 0o600, request.dev, dir_fd=directory)

        parent, name, xdata = request.pargfid, request.name, request.xdata
        mode = self._mode(parent, request.mode & _PERMISSIONS, request.umask)
        if kind != stat.S_IFREG:
            return self._make(frame, parent, name, xdata, mode, make)
        reply, descriptor = self._make_file(frame, parent, name, xdata, mode, os.O_WRONLY)
        os.close(descriptor)
        return reply

    @operation
    async def mkdir(self, frame: Frame, request: MkdirRequest) -> NewEntryReply:
        def make(directory: int) -> None:
            os.mkdir(request.name, 0o700, dir_fd=directory)

        permissions_asked = request.mode & _DIRECTORY_PERMISSIONS
        mode = self._mode(request.pargfid, permissions_asked, request.umask)
        return self._make(frame, request.pargfid, request.name, request.xdata, mode, make)

    @operation
    async def symlink(self, frame: Frame, request: SymlinkRequest) -> NewEntryReply:
        def make(directory: int) -> None:
            os.symlink(request.target, request.name, dir_fd=directory)

        return self._make(frame, request.pargfid, request.name, request.xdata, 0o777, make)

    @operation
    async def create(self, frame: Frame, fd: Fd, request: CreateRequest) -> CreateReply:
        """Make a file and open it. Without ``O_EXCL`` one that is there already is opened."""
        parent, name, xdata = request.pargfid, request.name, request.xdata
        flags = system_flags(request.flags) & ~os.O_DIRECTORY
        mode = self._mode(parent, request.mode & _PERMISSIONS, request.umask)
        try:
            reply, descriptor = self._make_file(frame, parent, name, xdata, mode, flags)
        except FileExistsError:
            if request.flags & OpenFlag.EXCL:
                raise
            with contextlib.suppress(FileNotFoundError):  # then it was the gfid that is taken
                return self._open_existing(frame, fd, request)
            raise
        self._keep(fd, descriptor, reply.stat.gfid)
        return CreateReply(
            xdata=xdata,  # as GlusterFS's bricks echo it
            stat=reply.stat,
            preparent=reply.preparent,
            postparent=reply.postparent,
        )

    def _open_existing(self, frame: Frame, fd: Fd, request: CreateRequest) -> CreateReply:
        parent = request.pargfid
        directory, before = self._parent(parent)
        status = os.stat(request.name, dir_fd=directory, follow_symlinks=False)
        gfid = self.handles.identify(parent, directory, request.name, status)
        self._require(frame, gfid, needed_permission(request.flags))
        self._open(fd, gfid, request.flags)
        opened = os.fstat(self._file_of(fd).descriptor)
        parent_iatt = iatt_of(before, parent)
        return CreateReply(
            xdata=request.xdata,
            stat=iatt_of(opened, gfid),
            preparent=parent_iatt,
            postparent=parent_iatt,
        )

    def _mode(self, parent: Gfid, mode: int, umask: int) -> int:
        """Return the mode of a new entry: its directory's default list bounds it, else the umask."""
        directory, _ = self._parent(parent)
        try:
            default = os.getxattr(f"/proc/self/fd/{directory}", acl.ATTRIBUTES[acl.DEFAULT])
        except OSError:  # there is none, as nearly always
            return mode & ~umask
        return acl.inherited_mode(default, mode)

    def _place_for(
        self, frame: Frame, parent: Gfid, name: str, xdata: Dict | None
    ) -> tuple[Gfid, int, os.stat_result]:
        """Return a new entry's gfid, and its directory's descriptor and status."""
        gfid = gfid_of_request(xdata)
        if gfid is None:
            raise fs_error(errno.EINVAL)
        self._check_name(parent, name)
        directory, before = self._parent(parent)
        permissions.require(frame, before, permissions.WRITE | permissions.EXECUTE, directory)
        return gfid, directory, before

    # -- a file that gets its name in the end -----------------------------------------------------

    def _make_file(
        self, frame: Frame, parent: Gfid, name: str, xdata: Dict | None, mode: int, flags: int
    ) -> tuple[NewEntryReply, int]:
        """Make a regular file, and return the reply and the file's descriptor."""
        gfid, directory, before = self._place_for(frame, parent, name, xdata)
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            raise fs_error(errno.EEXIST)
        writable = flags if flags & ACCMODE else flags | os.O_RDWR
        try:
            descriptor = os.open(".", writable | _UNNAMED, 0o600, dir_fd=directory)
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
            return self._make_file_in_place(frame, parent, name, xdata, mode, flags)
        try:
            self._give(frame, descriptor, xdata)
            self._own_open(frame, descriptor, mode, before)
            self.handles.name_open(gfid, parent, directory, name, descriptor)
            status = os.fstat(descriptor)
            if writable != flags:
                reading = os.open(f"/proc/self/fd/{descriptor}", flags)
                os.close(descriptor)
                descriptor = reading
        except BaseException:
            os.close(descriptor)
            raise
        reply = NewEntryReply(
            stat=iatt_of(status, gfid),
            preparent=iatt_of(before, parent),
            postparent=iatt_of(os.fstat(directory), parent),
        )
        return reply, descriptor

    def _make_file_in_place(
        self, frame: Frame, parent: Gfid, name: str, xdata: Dict | None, mode: int, flags: int
    ) -> tuple[NewEntryReply, int]:
        made: list[int] = []

        def make(directory: int) -> None:
            made.append(os.open(name, flags | _NEW_FILE, 0o600, dir_fd=directory))

        try:
            return self._make(frame, parent, name, xdata, mode, make), made[0]
        except BaseException:
            for descriptor in made:
                os.close(descriptor)
            raise

    @staticmethod
    def _give(frame: Frame, target: int | str, xdata: Dict | None) -> None:
        """Set the attributes that come with the request."""
        caller = permissions.restricted(frame)
        for key, value in (xdata or {}).items():
            if not key.startswith(_GIVEN) or is_private(key) or not isinstance(value, bytes):
                continue
            if caller is None or key.startswith("user."):
                if isinstance(target, int):
                    os.setxattr(target, key, value, os.XATTR_CREATE)
                else:
                    os.setxattr(target, key, value, os.XATTR_CREATE, follow_symlinks=False)

    @classmethod
    def _own_open(cls, frame: Frame, descriptor: int, mode: int, parent: os.stat_result) -> None:
        identity = frame.identity
        if identity is not None:
            status = os.fstat(descriptor)
            gid = parent.st_gid if parent.st_mode & stat.S_ISGID else identity.gid
            if (identity.uid, gid) != (status.st_uid, status.st_gid):
                with cls._owning():
                    os.fchown(descriptor, identity.uid, gid)
        os.fchmod(descriptor, mode)

    @staticmethod
    @contextlib.contextmanager
    def _owning() -> Iterator[None]:
        """Without rights of its own a brick keeps all files as its user's."""
        try:
            yield
        except PermissionError:
            if not os.geteuid():
                raise

    # -- what has its name from the beginning -----------------------------------------------------

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
        gfid, directory, before = self._place_for(frame, parent, name, xdata)
        make(directory)
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        try:
            # The gfid comes last: what has one has its owner and its mode.
            self._give(frame, f"/proc/self/fd/{directory}/{name}", xdata)
            self._own(frame, directory, name, mode, before, status)
            self.handles.name_new(gfid, parent, directory, name, status)
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except BaseException:
            remove = os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink
            remove(name, dir_fd=directory)
            raise
        return NewEntryReply(
            stat=iatt_of(status, gfid),
            preparent=iatt_of(before, parent),
            postparent=iatt_of(os.fstat(directory), parent),
        )

    @classmethod
    def _own(
        cls,
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
                with cls._owning():
                    os.chown(name, identity.uid, gid, dir_fd=directory, follow_symlinks=False)
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
        permissions.require(frame, before, permissions.WRITE | permissions.EXECUTE, directory)
        self.handles.settle(gfid)
        os.link(
            self.handles.handle(gfid),
            name,
            src_dir_fd=self.handles.root,
            dst_dir_fd=directory,
            follow_symlinks=False,
        )
        self.handles.linked(gfid, parent, name)
        return NewEntryReply(
            stat=iatt_of(os.stat(name, dir_fd=directory, follow_symlinks=False), gfid),
            preparent=iatt_of(before, parent),
            postparent=iatt_of(os.fstat(directory), parent),
        )
