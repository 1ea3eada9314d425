"""Directory entries and the iterator that lists them."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import AsyncIterator, Iterator
from itertools import repeat
from operator import length_hint
from types import TracebackType
from typing import Any

from glusterio.api import attributes, handles
from glusterio.api.aio.session import AioSession
from glusterio.api.directory import Cursor, read_directory
from glusterio.api.entry import Entry, Source
from glusterio.api.of_session import OfSession
from glusterio.api.path_text import text_of
from glusterio.api.standpoint import Opened, own_handle
from glusterio.api.unclosed import warn_if_open
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleState
from glusterio.types import StrPath
from glusterio.wire.fops.directories import Listing
from glusterio.wire.iatt import IATT


class AsyncDirEntry(Entry):
    """One entry of a listing, like ``os.DirEntry``: its attributes have come with it."""

    __slots__ = ()

    async def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes; only for a symbolic link to follow is the volume asked again."""
        batch = self._batch
        stat = IATT.unpack_from(batch.listing.record, self._place)
        mode = stat[-1]
        if mode and not (follow_symlinks and stat_module.S_ISLNK(mode)):
            return attributes.stat_result(stat)
        return attributes.stat_result(
            await batch.session.call(attributes.stat, None, self._at, follow_symlinks)
        )

    async def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a link to one."""
        return await self._is(stat_module.S_ISDIR, follow_symlinks)

    async def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or a link to one."""
        return await self._is(stat_module.S_ISREG, follow_symlinks)

    async def _is(self, test: Any, follow_symlinks: bool) -> bool:
        kind = self._type
        if kind and not (follow_symlinks and stat_module.S_ISLNK(kind)):
            return bool(test(kind))
        try:
            return bool(test((await self.stat(follow_symlinks=follow_symlinks)).st_mode))
        except FileNotFoundError:
            return False


class AsyncScandir(OfSession, AsyncIterator[AsyncDirEntry]):
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
        self._entries: Iterator[AsyncDirEntry] = iter(())
        self._cursor = Cursor(self._path)
        self._listing: Listing | None = None  # what they are of, and their places in it
        self._places: Iterator[int] = iter(())
        self._began = 0  # the cookie before it

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
        while True:
            for entry in self._entries:  # the next one, without the exception that next() may raise
                return entry
            source = Source(self._session, self._path, self._open, await self._next_batch())
            self._listing = listing = source.listing
            self._places = iter(listing.places)  # tells telldir how many are left
            self._entries = map(AsyncDirEntry, listing.names, self._places, repeat(source))

    async def _next_batch(self) -> Listing:
        """Read on; or close the directory and end the iteration, if that was all."""
        cursor = self._cursor
        if cursor.is_last:
            await self.close()
            raise StopAsyncIteration
        if self._handle is None:
            await self.begin()
        self._began = cursor.offset
        batch = await self._session.call(read_directory, self._handle, cursor.offset)
        try:
            return cursor.follow(batch)
        except OSError:
            await self.close()
            raise

    def telldir(self) -> int:
        """Return where the listing is: a number that means something to :meth:`seekdir` alone."""
        left = length_hint(self._places)
        if not left:
            return self._cursor.offset
        listing = self._listing
        assert listing is not None
        at = len(listing) - left - 1
        return self._began if at < 0 else listing.offset(at)

    def seekdir(self, position: int) -> None:
        """Go on from where the listing was when :meth:`telldir` returned this; 0 is the beginning.

        One that was at its end, and so has been closed, is opened anew by the next step.
        """
        if self._handle is not None and self._handle.state is not HandleState.OPEN:
            self._handle = None
        self._entries, self._places = iter(()), iter(())
        self._cursor = Cursor(self._path)
        self._cursor.offset = position

    async def _names(self) -> list[str]:
        """Return the names that are left, and close the directory."""
        found = [entry.name for entry in self._entries]
        try:
            while True:
                found += (await self._next_batch()).names
        except StopAsyncIteration:
            return found

    async def close(self) -> None:
        """Close the directory. Harmless when repeated."""
        self._cursor.is_last = True
        self._entries, self._places = iter(()), iter(())
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
