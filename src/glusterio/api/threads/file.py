"""An open file, raw: every operation says where in the file."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from types import TracebackType

from glusterio.api import handles, ranges, vectors
from glusterio.api.threads.methods.file_attributes import FileAttributes
from glusterio.api.threads.methods.file_data import FileData
from glusterio.api.threads.methods.file_locks import FileLocks
from glusterio.api.threads.methods.file_ranges import FileRanges
from glusterio.api.unclosed import warn_if_open
from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.states import HandleState
from glusterio.types import Buffer


class File(FileData, FileRanges, FileAttributes, FileLocks):
    """A file, or a directory, open on a volume. Made by :meth:`glusterio.Volume.open_handle`.

    Any number of threads may use one file at the same time. Every operation raises
    ``HandleClosedError`` once the file, and ``SessionClosedError`` once the session is closed, and
    ``ConnectionLostError`` or ``HandleStaleError`` when the brick is gone; an error of the brick is an
    ``OSError``.
    """

    __slots__ = ()

    @property
    def path(self) -> str:
        """The path as it was opened."""
        return self._handle.path

    @property
    def closed(self) -> bool:
        """Whether the file is closed, by :meth:`close` or by the end of the session."""
        return self._handle.state >= HandleState.CLOSING

    def pread_async(self, size: int, offset: int) -> concurrent.futures.Future[bytes]:
        """Start a :meth:`pread`. The future is completed exactly once, also if the session closes.

        It is under way at once, so its ``cancel`` does nothing; :meth:`Volume.deadline` ends it.
        Its callbacks run on whichever thread receives the reply; they may use the volume, but
        closing the session in one raises ``CloseFromCallbackError``.
        """
        return self._session.submit(handles.pread, self._handle, size, offset)

    def pwrite_async(self, data: Buffer, offset: int) -> concurrent.futures.Future[int]:
        """Start a :meth:`pwrite`, as :meth:`pread_async`. ``data`` must stay unchanged until then."""
        return self._session.submit(handles.pwrite, self._handle, data, offset)

    def preadv_async(
        self, buffers: Sequence[bytearray | memoryview], offset: int
    ) -> concurrent.futures.Future[int]:
        """Start a :meth:`preadv`, as :meth:`pread_async`. The buffers are the operation's till then."""
        sinks = [handles.bytes_of(buffer, writable=True) for buffer in buffers]
        return self._session.submit(vectors.preadv, self._handle, sinks, offset)

    def pwritev_async(
        self, buffers: Sequence[Buffer], offset: int
    ) -> concurrent.futures.Future[int]:
        """Start a :meth:`pwritev`, as :meth:`pread_async`."""
        return self.pwrite_async(b"".join(map(handles.bytes_of, buffers)), offset)

    def truncate_async(self, length: int) -> concurrent.futures.Future[None]:
        """Start a :meth:`truncate`, as :meth:`pread_async`."""
        return self._session.submit(handles.ftruncate, self._handle, length)

    def fsync_async(self) -> concurrent.futures.Future[None]:
        """Start an :meth:`fsync`, as :meth:`pread_async`."""
        return self._session.submit(handles.fsync, self._handle, False)

    def fdatasync_async(self) -> concurrent.futures.Future[None]:
        """Start an :meth:`fdatasync`, as :meth:`pread_async`."""
        return self._session.submit(handles.fsync, self._handle, True)

    def discard_async(self, offset: int, length: int) -> concurrent.futures.Future[None]:
        """Start a :meth:`discard`, as :meth:`pread_async`."""
        return self._session.submit(ranges.discard, self._handle, offset, length)

    def zerofill_async(self, offset: int, length: int) -> concurrent.futures.Future[None]:
        """Start a :meth:`zerofill`, as :meth:`pread_async`."""
        return self._session.submit(ranges.zerofill, self._handle, offset, length)

    def close(self) -> None:
        """Close the file. Harmless when repeated, or when the session is closed.

        Operations of other threads that are under way on it finish; new ones are refused.

        Raises:
            OSError: some of what was written has failed, and nobody was told yet. It is closed.
        """
        self._session.close_handle(self._handle)

    def __enter__(self) -> File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        warn_if_open(self, HandleKind.FILE)

    def __repr__(self) -> str:
        return f"<glusterio.File {self._handle.path!r} {self._handle.state.name.lower()}>"
