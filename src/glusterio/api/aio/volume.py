"""The face for asyncio: a volume, and what can be done with it."""

from __future__ import annotations

import os
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from glusterio.api import handles
from glusterio.api.aio.file import AsyncFile
from glusterio.api.aio.methods.changes import AsyncChanges
from glusterio.api.aio.methods.context import AsyncContext
from glusterio.api.aio.methods.copies import AsyncCopies
from glusterio.api.aio.methods.directories import AsyncDirectories
from glusterio.api.aio.methods.facts import AsyncFacts
from glusterio.api.aio.methods.many import AsyncMany
from glusterio.api.aio.methods.objects import AsyncObjects
from glusterio.api.aio.methods.paths import AsyncPaths
from glusterio.api.aio.methods.upcalls import AsyncUpcalls
from glusterio.api.aio.opening import Opening
from glusterio.api.aio.session import AioSession
from glusterio.api.aio.stream import AsyncStream
from glusterio.api.call_site import call_site
from glusterio.api.core import CONNECT_TIMEOUT
from glusterio.api.ending import CLOSE_GRACE, CLOSE_TIMEOUT
from glusterio.api.mode import BinaryMode, Mode, TextMode, check_arguments, mode_of
from glusterio.api.path_text import text_of
from glusterio.api.standpoint import At, Opened, at
from glusterio.api.url import PATIENCE, Target, checked_context, checked_patience, parse_url
from glusterio.graph.tuning import SessionOptions, checked
from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.states import SessionState
from glusterio.lifecycle.trace import TraceHook
from glusterio.types import Log, StrPath

if TYPE_CHECKING:
    from glusterio.runtime.certificates import SSLContext


def connect(
    url: str,
    *,
    timeout: float = CONNECT_TIMEOUT,
    options: SessionOptions | None = None,
    trace: TraceHook | None = None,
    logger: Log | None = None,
    ssl: SSLContext | None = None,
    metrics: bool = False,
    reconnect: bool = True,
    patience: float = PATIENCE,
    follow: bool = True,
) -> Opening[AsyncVolume]:
    """Connect to a volume: ``async with connect(url) as vol``, or ``vol = await connect(url)``.

    Arguments and errors are those of :func:`glusterio.connect`. Cancelled, it leaves nothing behind.
    """
    target = parse_url(url)._replace(
        options=checked(options or {}),
        logger=logger,
        ssl=checked_context(ssl),
        metrics=metrics,
        reconnect=reconnect,
        patience=checked_patience(patience),
        follow=follow,
    )
    return Opening(_connect(target, timeout, trace))


async def _connect(target: Target, timeout: float, trace: TraceHook | None) -> AsyncVolume:
    session = AioSession(target, trace)
    await session.connect(timeout)
    return AsyncVolume(session)


class AsyncVolume(
    AsyncChanges,
    AsyncContext,
    AsyncCopies,
    AsyncDirectories,
    AsyncFacts,
    AsyncMany,
    AsyncObjects,
    AsyncPaths,
    AsyncUpcalls,
):
    """A connected volume, for the tasks of one event loop. Made by :func:`connect`.

    Methods have the names, arguments and errors of ``os``; see :class:`glusterio.Volume`. Hundreds of
    operations may be in flight at once; every await may be cancelled.
    """

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
        dir_fd: Opened | None = None,
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
        dir_fd: Opened | None = None,
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
        dir_fd: Opened | None = None,
    ) -> Opening[AsyncStream[Any]]: ...

    def open(
        self,
        path: StrPath,
        mode: str = "r",
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        dir_fd: Opened | None = None,
    ) -> Opening[AsyncStream[Any]]:
        """Open a file as a stream: ``async with vol.open(path) as f``, or ``f = await ...``.

        Arguments and errors are those of Python's ``open``; the encoding is UTF-8 unless given.
        ``dir_fd`` is the open directory that ``path`` is relative to.
        """
        parsed = mode_of(mode)
        check_arguments(parsed, -1, encoding, errors, newline)
        return Opening(
            self._open_stream(at(path, dir_fd), parsed, encoding, errors, newline, call_site())
        )

    async def _open_stream(
        self,
        path: StrPath | At,
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
        self,
        path: StrPath,
        flags: int = os.O_RDONLY,
        mode: int = 0o777,
        *,
        dir_fd: Opened | None = None,
    ) -> Opening[AsyncFile]:
        """Open a file as ``os.open`` does, raw; see :meth:`glusterio.Volume.open_handle`."""
        return Opening(self._open(at(path, dir_fd), flags, mode, call_site()))

    async def _open(self, path: StrPath | At, flags: int, mode: int, opened_at: str) -> AsyncFile:
        handle = await self._session.open(
            handles.open_file, path, flags, mode, self._umask, opened_at
        )
        return AsyncFile(self._session, handle)

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
            place = session.connected_at or "an unknown place"
            warnings.warn(
                f"unclosed {self!r}, connected at {place}",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        state = self._session.core.session.state.name.lower()
        return f"<glusterio.aio.Volume {self.name!r} {state}>"
