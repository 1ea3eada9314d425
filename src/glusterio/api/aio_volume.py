"""The face for asyncio: a volume, and what can be done with it."""

from __future__ import annotations

import os
import stat as stat_module
import warnings
from collections.abc import AsyncIterator, Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, overload

from glusterio.api import handles, names
from glusterio.api.aio_file import AsyncFile, AsyncStream
from glusterio.api.aio_session import AioSession
from glusterio.api.call_site import call_site
from glusterio.api.directory import Entry
from glusterio.api.io_file import BinaryMode, Mode, TextMode, check_arguments
from glusterio.api.resolve import text_of
from glusterio.api.umask import process_umask
from glusterio.api.unclosed import warn_if_open
from glusterio.api.url import parse_url
from glusterio.api.volume import CLOSE_GRACE, CLOSE_TIMEOUT, CONNECT_TIMEOUT
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.states import SessionState
from glusterio.lifecycle.trace import TraceHook
from glusterio.types import StrPath
from glusterio.wire.fops.directories import DirPlusEntry


class _Closable(Protocol):
    async def close(self) -> Any: ...


C = TypeVar("C", bound=_Closable)


class Opening(Coroutine[Any, Any, C], Generic[C]):
    """Something being opened: ``await`` it, or use it with ``async with``, which closes it, too.

    It is a coroutine in every respect, so that a task can be made of it.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, C]) -> None:
        self._coroutine = coroutine
        self._opened: C | None = None

    def __await__(self) -> Generator[Any, Any, C]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """As a coroutine's."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine's."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """As a coroutine's."""
        self._coroutine.close()

    async def __aenter__(self) -> C:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.close()


def connect(
    url: str, *, timeout: float = CONNECT_TIMEOUT, trace: TraceHook | None = None
) -> Opening[AsyncVolume]:
    """Connect to a volume: ``async with connect(url) as vol``, or ``vol = await connect(url)``.

    Arguments and errors are those of :func:`glusterio.connect`. Cancelled, it leaves nothing behind.
    """
    return Opening(_connect(url, timeout, trace))


async def _connect(url: str, timeout: float, trace: TraceHook | None) -> AsyncVolume:
    session = AioSession(parse_url(url), trace)
    await session.connect(timeout)
    return AsyncVolume(session)


class AsyncVolume:
    """A connected volume, for the tasks of one event loop. Made by :func:`connect`.

    Methods have the names, arguments and errors of ``os``; see :class:`glusterio.Volume`. Hundreds of
    operations may be in flight at once; every await may be cancelled.
    """

    def __init__(self, session: AioSession) -> None:
        self._session = session
        self._umask = process_umask()

    @property
    def name(self) -> str:
        """The volume's name."""
        return self._session.core.target.volume

    @property
    def closed(self) -> bool:
        """Whether the session is closed, or closing."""
        return self._session.core.session.state is not SessionState.ACTIVE

    # -- files ------------------------------------------------------------------------------------

    @overload
    def open(
        self,
        path: StrPath,
        mode: TextMode = "r",
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[AsyncStream[str]]: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: BinaryMode,
        *,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> Opening[AsyncStream[bytes]]: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: str,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[AsyncStream[Any]]: ...

    def open(
        self,
        path: StrPath,
        mode: str = "r",
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[AsyncStream[Any]]:
        """Open a file as a stream: ``async with vol.open(path) as f``, or ``f = await ...``.

        Arguments and errors are those of Python's ``open``; the encoding is UTF-8 unless given.
        """
        parsed = Mode(mode)
        check_arguments(parsed, -1, encoding, errors, newline)
        return Opening(self._open_stream(path, parsed, encoding, errors, newline, call_site()))

    async def _open_stream(
        self,
        path: StrPath,
        mode: Mode,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        opened_at: str,
    ) -> AsyncStream[Any]:
        file = await self._open(path, mode.flags, 0o666, opened_at)
        try:
            if file._handle.kind is not HandleKind.FILE:
                raise IsADirectoryError(21, os.strerror(21), text_of(path))
            stream: AsyncStream[Any] = AsyncStream(file, mode, encoding, errors, newline)
            await stream.begin()
            return stream
        except BaseException:
            await file.close()
            raise

    def open_handle(
        self, path: StrPath, flags: int = os.O_RDONLY, mode: int = 0o777
    ) -> Opening[AsyncFile]:
        """Open a file as ``os.open`` does, raw; see :meth:`glusterio.Volume.open_handle`."""
        return Opening(self._open(path, flags, mode, call_site()))

    async def _open(self, path: StrPath, flags: int, mode: int, opened_at: str) -> AsyncFile:
        handle = await self._session.open(
            handles.open_file, path, flags, mode, self._umask, opened_at
        )
        return AsyncFile(self._session, handle)

    async def truncate(self, path: StrPath, length: int) -> None:
        """Set a file's length, in bytes."""
        await self._session.call(names.truncate, None, path, length)

    # -- attributes -------------------------------------------------------------------------------

    async def stat(self, path: StrPath, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return a file's attributes."""
        return names.stat_result(await self._session.call(names.stat, None, path, follow_symlinks))

    async def lstat(self, path: StrPath) -> os.stat_result:
        """Return a file's attributes, without following a symbolic link."""
        return await self.stat(path, follow_symlinks=False)

    async def exists(self, path: StrPath) -> bool:
        """Tell whether a path leads to something, as ``os.path.exists``."""
        return bool(await self._session.call(names.exists, None, path, True))

    async def chmod(self, path: StrPath, mode: int) -> None:
        """Set a file's permission bits."""
        await self._session.call(names.chmod, None, path, mode)

    async def utime(
        self, path: StrPath, ns: tuple[int, int], *, follow_symlinks: bool = True
    ) -> None:
        """Set a file's access and modification times, in nanoseconds since the epoch."""
        await self._session.call(names.utime, None, path, ns[0], ns[1], follow_symlinks)

    async def statvfs(self, path: StrPath = "/") -> os.statvfs_result:
        """Return the volume's sizes and free space."""
        return names.statvfs_result(await self._session.call(names.statvfs, None, path))

    # -- directories ------------------------------------------------------------------------------

    def scandir(self, path: StrPath = "/") -> AsyncScandir:
        """List a directory with its entries' attributes: ``async for entry in vol.scandir(path)``."""
        return AsyncScandir(self._session, text_of(path), call_site())

    async def listdir(self, path: StrPath = "/") -> list[str]:
        """List the names in a directory."""
        async with self.scandir(path) as entries:
            return [entry.name async for entry in entries]

    async def mkdir(self, path: StrPath, mode: int = 0o777) -> None:
        """Make a directory; the process's umask is applied to ``mode``."""
        await self._session.call(names.mkdir, None, path, mode, self._umask)

    async def rmdir(self, path: StrPath) -> None:
        """Remove an empty directory."""
        await self._session.call(names.rmdir, None, path)

    # -- names ------------------------------------------------------------------------------------

    async def unlink(self, path: StrPath) -> None:
        """Remove a file's name."""
        await self._session.call(names.unlink, None, path)

    remove = unlink

    async def rename(self, source: StrPath, target: StrPath) -> None:
        """Move a name, replacing what the new name meant, as ``os.rename`` on Unix."""
        await self._session.call(names.rename, None, source, target)

    replace = rename

    async def symlink(self, target: str, path: StrPath) -> None:
        """Make a symbolic link at ``path`` to ``target``."""
        await self._session.call(names.symlink, None, target, path)

    async def readlink(self, path: StrPath) -> str:
        """Return a symbolic link's target."""
        result: str = await self._session.call(names.readlink, None, path)
        return result

    # -- the end ----------------------------------------------------------------------------------

    async def close(
        self, timeout: float = CLOSE_TIMEOUT, grace: float = CLOSE_GRACE
    ) -> TeardownReport:
        """Close the session: everything ever opened through it is accounted for.

        As :meth:`glusterio.Volume.close`. A task that is cancelled while it waits here makes the end
        hurry, and sees its cancellation when the session has ended.
        """
        return await self._session.close(timeout, grace)

    async def __aenter__(self) -> AsyncVolume:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        session: Any = getattr(self, "_session", None)
        if session is not None and session.core.session.state is SessionState.ACTIVE:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        state = self._session.core.session.state.name.lower()
        return f"<glusterio.aio.Volume {self.name!r} {state}>"


class AsyncDirEntry(Entry):
    """One entry of a listing; its attributes have come with it."""

    __slots__ = ("_session",)

    def __init__(self, session: AioSession, directory: str, entry: DirPlusEntry) -> None:
        super().__init__(directory, entry)
        self._session = session

    async def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes; only for a symbolic link to follow is the volume asked again."""
        if self._attributes is not None and not (follow_symlinks and self.is_symlink()):
            return names.stat_result(self._attributes)
        return names.stat_result(
            await self._session.call(names.stat, None, self.path, follow_symlinks)
        )

    async def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a link to one."""
        return await self._is(stat_module.S_ISDIR, follow_symlinks)

    async def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or a link to one."""
        return await self._is(stat_module.S_ISREG, follow_symlinks)

    async def _is(self, test: Any, follow_symlinks: bool) -> bool:
        if self._type and not (follow_symlinks and self.is_symlink()):
            return bool(test(self._type))
        try:
            return bool(test((await self.stat(follow_symlinks=follow_symlinks)).st_mode))
        except FileNotFoundError:
            return False


class AsyncScandir(AsyncIterator[AsyncDirEntry]):
    """Lists a directory batch after batch. Exhausting it closes it; so does ``async with``."""

    def __init__(self, session: AioSession, path: str, opened_at: str) -> None:
        self._session = session
        self._path = path
        self._opened_at = opened_at
        self._handle: Handle | None = None
        self._batch: list[DirPlusEntry] = []
        self._next = 0
        self._offset = 0
        self._last = False

    def __aiter__(self) -> AsyncScandir:
        return self

    async def __anext__(self) -> AsyncDirEntry:
        if self._handle is None and not self._last:
            self._handle = await self._session.open(
                handles.open_directory, self._path, self._opened_at
            )
        while self._next == len(self._batch):
            if self._last:
                await self.close()
                raise StopAsyncIteration
            self._batch, self._offset, self._last = await self._session.call(
                handles.read_directory, self._handle, self._offset
            )
            self._next = 0
        entry = self._batch[self._next]
        self._next += 1
        return AsyncDirEntry(self._session, self._path, entry)

    async def close(self) -> None:
        """Close the directory. Harmless when repeated."""
        self._last = True
        self._batch = []
        self._next = 0
        if self._handle is not None:
            await self._session.close_handle(self._handle)

    async def __aenter__(self) -> AsyncScandir:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        warn_if_open(self, HandleKind.DIRECTORY)
