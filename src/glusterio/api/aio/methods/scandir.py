"""Directory entries and the iterator that lists them."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from glusterio.api import attributes, handles
from glusterio.api.aio.session import AioSession
from glusterio.api.entry import Entry
from glusterio.api.resolve import text_of
from glusterio.api.standpoint import Opened, own_handle
from glusterio.api.unclosed import warn_if_open
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.types import StrPath
from glusterio.wire.fops.directories import DirPlusEntry


class AsyncDirEntry(Entry):
    """One entry of a listing, like ``os.DirEntry``: its attributes have come with it."""

    __slots__ = ("_session",)

    def __init__(
        self, session: AioSession, directory: str, handle: Handle | None, entry: DirPlusEntry
    ) -> None:
        super().__init__(directory, handle, entry)
        self._session = session

    async def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes; only for a symbolic link to follow is the volume asked again."""
        if self._attributes is not None and not (follow_symlinks and self.is_symlink()):
            return attributes.stat_result(self._attributes)
        return attributes.stat_result(
            await self._session.call(attributes.stat, None, self._at, follow_symlinks)
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
    """Lists a directory batch after batch. A context manager; exhausting it closes it, too."""

    def __init__(self, session: AioSession, path: StrPath | Opened, opened_at: str) -> None:
        self._session = session
        self._open: Handle | None = None  # what is to be listed, if it is open already
        self._path = ""
        if isinstance(path, Opened):
            self._open = own_handle(session.core, path)
        else:
            self._path = text_of(path)
        self._opened_at = opened_at
        self._handle: Handle | None = None
        self._batch: list[DirPlusEntry] = []
        self._next = 0
        self._offset = 0
        self._last = False

    async def begin(self) -> None:
        """Open the directory."""
        if self._open is not None:
            self._handle = await self._session.open(
                handles.open_directory_again, self._open, self._opened_at
            )
        else:
            self._handle = await self._session.open(
                handles.open_directory, self._path, self._opened_at
            )

    def __aiter__(self) -> AsyncScandir:
        return self

    async def __anext__(self) -> AsyncDirEntry:
        if self._handle is None and not self._last:
            await self.begin()
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
        return AsyncDirEntry(self._session, self._path, self._open, entry)

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
