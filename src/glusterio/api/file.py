"""An open file, raw: every operation says where in the file."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Sequence
from types import TracebackType

from glusterio.api import handles
from glusterio.api.names import stat_result
from glusterio.api.threads_session import ThreadsSession
from glusterio.api.unclosed import warn_if_open
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleState
from glusterio.types import Buffer


class File:
    """A file, or a directory, open on a volume. Made by :meth:`glusterio.Volume.open_handle`.

    Any number of threads may use one file at the same time. Every operation raises
    ``HandleClosedError`` once the file, and ``SessionClosedError`` once the session is closed, and
    ``ConnectionLostError`` or ``HandleStaleError`` when the brick is gone; an error of the brick is an
    ``OSError``.
    """

    __slots__ = ("__weakref__", "_handle", "_session")

    def __init__(self, session: ThreadsSession, handle: Handle) -> None:
        self._session = session
        self._handle = handle

    @property
    def path(self) -> str:
        """The path as it was opened."""
        return self._handle.path

    @property
    def closed(self) -> bool:
        """Whether the file is closed, by :meth:`close` or by the end of the session."""
        return self._handle.state >= HandleState.CLOSING

    def pread(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``; fewer only at the end of the file."""
        result: bytes = self._session.call(handles.pread, self._handle, size, offset)
        return result

    def read_into(self, buffer: bytearray | memoryview, offset: int) -> int:
        """Read at ``offset`` into a writable buffer, without a copy; return the number of bytes."""
        sink = handles.bytes_of(buffer, writable=True)
        result: int = self._session.call(handles.read_into, self._handle, sink, offset)
        return result

    def preadv(self, buffers: Sequence[bytearray | memoryview], offset: int) -> int:
        """Read at ``offset`` into several buffers, one after the other; return the bytes read."""
        total = 0
        for buffer in buffers:
            size = memoryview(buffer).nbytes
            count = self.read_into(buffer, offset + total)
            total += count
            if count < size:
                break
        return total

    def pwrite(self, data: Buffer, offset: int) -> int:
        """Write ``data`` at ``offset``; return the number of bytes. On the brick when it returns."""
        result: int = self._session.call(handles.pwrite, self._handle, data, offset)
        return result

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write several buffers one after the other at ``offset``, as one operation."""
        return self.pwrite(b"".join(map(handles.bytes_of, buffers)), offset)

    def pread_async(self, size: int, offset: int) -> concurrent.futures.Future[bytes]:
        """Start a :meth:`pread`. The future is completed exactly once, also if the session closes.

        Its callbacks run on whichever thread receives the reply; they may use the volume, but
        closing the session in one raises ``CloseFromCallbackError``.
        """
        return self._session.submit(handles.pread, self._handle, size, offset)

    def pwrite_async(self, data: Buffer, offset: int) -> concurrent.futures.Future[int]:
        """Start a :meth:`pwrite`, as :meth:`pread_async`. ``data`` must stay unchanged until then."""
        return self._session.submit(handles.pwrite, self._handle, data, offset)

    def fsync(self) -> None:
        """Bring data and attributes to the brick's disk."""
        self._session.call(handles.fsync, self._handle, False)

    def fdatasync(self) -> None:
        """Bring the data to the brick's disk."""
        self._session.call(handles.fsync, self._handle, True)

    def fstat(self) -> os.stat_result:
        """Return the file's attributes."""
        return stat_result(self._session.call(handles.fstat, self._handle))

    def truncate(self, length: int) -> None:
        """Set the file's length, in bytes."""
        self._session.call(handles.ftruncate, self._handle, length)

    def close(self) -> None:
        """Close the file. Harmless when repeated, or when the session is closed.

        Operations of other threads that are under way on it finish; new ones are refused.
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
