"""What the parts of storage/posix share: the files by gfid, the open ones, and how errors leave."""

from __future__ import annotations

import errno
import functools
import os
import stat
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean
from glusterio.rpc.buffers import Buffers
from glusterio.traps import Coro
from glusterio.types import ROOT_GFID, Gfid
from glusterio.wire.iatt import Iatt, IattValid
from glusterio.xlators.base import Xlator
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.identity import HIDDEN
from glusterio.xlators.posix.naming import Handles
from glusterio.xlators.posix.recovery import Finding, recover

P = ParamSpec("P")
T = TypeVar("T")

#: How many large buffers are kept for what is read: a client asks for some ahead.
_BUFFERS = 8

#: Everything but the time of birth, which Python cannot ask for.
_VALID = int(~IattValid.BTIME & 0x1FFF)
_SECOND = 1_000_000_000


class _Exclusive:
    """Awaits a coroutine so that nobody else's runs at the same time, but while it waits itself."""

    __slots__ = ("_coro", "_lock")

    def __init__(self, coro: Coro[Any], lock: AbstractContextManager[Any]) -> None:
        self._coro = coro
        self._lock = lock

    def __await__(self) -> Generator[Any, Any, Any]:
        coro, lock = self._coro, self._lock
        step, value = coro.send, None
        while True:
            try:
                with lock:
                    trap = step(value)
            except StopIteration as stop:
                return stop.value
            try:
                value = yield trap
                step = coro.send
            except BaseException as error:
                step, value = coro.throw, error


def operation(method: Callable[P, Coro[T]]) -> Callable[P, Coro[T]]:
    """Make a file operation of a method: one at a time, with errors as they leave the volume.

    The threads of a session come here at the same time. What an operation does to names and handles
    takes several steps, and descriptors of directories are kept and closed; so each has it all to
    itself.
    """
    direct = data_operation(method)

    @functools.wraps(method)
    async def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await _Exclusive(direct(*args, **kwargs), args[0]._lock)  # type: ignore[attr-defined]
        return result

    return alone


def data_operation(method: Callable[P, Coro[T]]) -> Callable[P, Coro[T]]:
    """Make a file operation of a method that needs nothing but an open file: several at a time.

    Its errors leave as the volume's: errno, and no path of this machine.
    """

    @functools.wraps(method)
    async def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except OSError as error:
            raise fs_error(error.errno or errno.EIO) from None
        except (ValueError, OverflowError):  # a NUL in a name, a number that no file offset can be
            raise fs_error(errno.EINVAL) from None

    return checked


def iatt_of(status: os.stat_result, gfid: Gfid) -> Iatt:
    """Turn a file's status into its attributes.

    The handle is one of a file's links, but none that counts. A device's number travels as GlusterFS
    writes it (libglusterfs/src/glusterfs/iatt.h, ``ia_makedev``).
    """
    mode, rdev = status.st_mode, status.st_rdev
    atime, atime_nsec = divmod(status.st_atime_ns, _SECOND)
    mtime, mtime_nsec = divmod(status.st_mtime_ns, _SECOND)
    ctime, ctime_nsec = divmod(status.st_ctime_ns, _SECOND)
    values = (
        gfid,
        _VALID,
        int.from_bytes(gfid[8:], "big"),
        status.st_dev,
        rdev and os.major(rdev) << 32 | os.minor(rdev),
        status.st_size,
        status.st_blocks,
        0,
        0,
        atime,
        mtime,
        ctime,
        0,
        atime_nsec,
        mtime_nsec,
        ctime_nsec,
        0,
        status.st_nlink if stat.S_ISDIR(mode) else max(0, status.st_nlink - 1),
        status.st_uid,
        status.st_gid,
        status.st_blksize,
        mode,
    )
    return tuple.__new__(Iatt, values)  # as _make does it, without counting


class OpenFile:
    """The operating system's descriptor behind an :class:`~glusterio.graph.fd.Fd`.

    Attributes:
        descriptor: the descriptor; -1 when it has been closed.
        gfid: the file's gfid.
        position: in a directory, the cookie at which the kernel goes on.
        is_directory: whether it is one.
    """

    __slots__ = ("descriptor", "gfid", "is_directory", "position")

    def __init__(self, descriptor: int, gfid: Gfid, is_directory: bool = False) -> None:
        self.descriptor = descriptor
        self.gfid = gfid
        self.is_directory = is_directory
        self.position = 0


class PosixCore(Xlator):
    """The ground on which the operations stand."""

    handles: Handles

    def set_up(self) -> None:
        self.directory = self.options["directory"]
        self._lock = self.services.new_lock()
        self._buffers = Buffers(_BUFFERS)
        self._buffers_lock = self.services.new_lock()
        self._opened: dict[OpenFile, None] = {}
        self._open_counts: dict[Gfid, int] = {}
        self.recovered: list[Finding] = []

    async def init(self) -> None:
        given = self.options.get("volume-id")
        wanted = uuid.UUID(given).bytes if given else uuid.uuid4().bytes
        note_names = boolean(self.options.get("gfid2path", "off"))
        self.handles = Handles(self.directory, wanted, self.services.log, note_names)
        marked = self.handles.volume_id
        if given and marked != wanted:
            self.handles.close()
            del self.handles
            raise OSError(
                errno.EINVAL,
                f"the directory belongs to another volume, {uuid.UUID(bytes=marked)}",
                self.directory,
            )
        try:
            if self.handles.marker.is_unclean:
                self.recovered = recover(self.handles, self.handles.marker.began, self.services.log)
            self.handles.marker.serving()
        except BaseException:
            self.handles.close()
            del self.handles
            raise

    async def fini(self) -> None:
        for opened in list(self._opened):
            self._close(opened)
        if hasattr(self, "handles"):
            self.handles.close()
            del self.handles

    @property
    def volume_id(self) -> uuid.UUID:
        """The id that the directory is marked with."""
        return uuid.UUID(bytes=self.handles.volume_id)

    def counts(self) -> dict[str, int]:
        """Return how many files and directories are open."""
        directories = sum(opened.is_directory for opened in self._opened)
        return {
            "open_files": len(self._opened) - directories,
            "open_directories": directories,
        }

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Return what is open, each file with its gfid and how often, and what the start found half
        made.
        """
        inodes = {}
        for opened in self._opened:
            if opened.gfid not in inodes:
                inodes[opened.gfid] = {
                    "gfid": str(uuid.UUID(bytes=opened.gfid)),
                    "kind": "directory" if opened.is_directory else "file",
                    "opens": self._open_counts[opened.gfid],
                    "size": os.fstat(opened.descriptor).st_size,
                }
        recovered = [
            {"defect": found.defect.value, "where": found.where, "remedy": found.remedy.value}
            for found in self.recovered
        ]
        return {"inodes": list(inodes.values()), "recovered_files": recovered}

    def path_of(self, gfid: Gfid) -> str | None:
        try:
            return next(iter(self.handles.paths_of(gfid)), None)
        except OSError:
            return None

    # -- open files -------------------------------------------------------------------------------

    def _keep(self, fd: Fd, descriptor: int, gfid: Gfid, is_directory: bool = False) -> None:
        opened = OpenFile(descriptor, gfid, is_directory)
        self._opened[opened] = None
        self._open_counts[gfid] = self._open_counts.get(gfid, 0) + 1
        fd.gfid = gfid
        fd.context[self] = opened

    def _close(self, opened: OpenFile) -> None:
        if self._opened.pop(opened, self) is self:
            return
        left = self._open_counts.pop(opened.gfid) - 1
        if left:
            self._open_counts[opened.gfid] = left
        descriptor, opened.descriptor = opened.descriptor, -1
        os.close(descriptor)

    def _file_of(self, fd: Fd) -> OpenFile:
        opened: OpenFile | None = fd.context.get(self)
        if opened is None or opened.descriptor < 0:
            raise fs_error(errno.EBADF)
        return opened

    def _shown(
        self, status: os.stat_result, gfid: Gfid, directory: int | None = None, name: str = ""
    ) -> Iatt:
        """Turn a file's status into the attributes that it shows while nothing happens to it."""
        times = self.handles.times(gfid, directory, name)
        shown = iatt_of(status, gfid)
        return shown if times is None else times.shown_in(shown)

    # -- rights -----------------------------------------------------------------------------------

    def _require(self, frame: Frame, gfid: Gfid, mask: int) -> None:
        """Make sure that the caller may do that with a file.

        Raises:
            OSError: EACCES; ESTALE when there is no such file.
        """
        if permissions.restricted(frame) is not None:
            with self.handles.inode(gfid) as inode:
                permissions.require(frame, os.fstat(inode), mask, inode)

    # -- names ------------------------------------------------------------------------------------

    @staticmethod
    def _check_name(parent: Gfid, name: str) -> None:
        """Refuse what is no name of an entry, and the brick's own directory.

        Raises:
            OSError: EINVAL or EPERM.
        """
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise fs_error(errno.EINVAL)
        if parent == ROOT_GFID and name == HIDDEN:
            raise fs_error(errno.EPERM)

    def _parent(self, gfid: Gfid, changing: bool = True) -> tuple[int, os.stat_result]:
        """Return the descriptor and status of a directory, in which an entry is meant.

        Args:
            gfid: the directory's gfid.
            changing: whether an entry is made or removed, or only looked for.

        Raises:
            OSError: ESTALE when there is no such file; EPERM when it is no directory, as GlusterFS's
                server says it (xlators/protocol/server/src/server-resolve.c, ``resolve_entry_simple``).
        """
        try:
            descriptor = self.handles.directory(gfid, changing)
        except NotADirectoryError:
            raise fs_error(errno.EPERM) from None
        return descriptor, os.fstat(descriptor)
