"""Open files for asyncio: raw with offsets, and as a stream."""

from __future__ import annotations

import codecs
import io
import os
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from glusterio.api import handles
from glusterio.api.aio_session import AioSession
from glusterio.api.io_file import BUFFER_SIZE, Mode
from glusterio.api.names import stat_result
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.states import HandleState
from glusterio.types import Buffer

Text = TypeVar("Text", str, bytes)


class AsyncFile:
    """A file, or a directory, open on a volume: every operation says where in the file.

    Any number of tasks may use one file at the same time. A task may be cancelled at any await; the
    buffers that it gave are its own again when it sees the cancellation. Errors are as for
    :class:`glusterio.File`.
    """

    __slots__ = ("__weakref__", "_handle", "_session")

    def __init__(self, session: AioSession, handle: Handle) -> None:
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

    async def pread(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``; fewer only at the end of the file."""
        result: bytes = await self._session.call(handles.pread, self._handle, size, offset)
        return result

    async def read_into(self, buffer: bytearray | memoryview, offset: int) -> int:
        """Read at ``offset`` into a writable buffer, without a copy; return the number of bytes."""
        sink = handles.bytes_of(buffer, writable=True)
        result: int = await self._session.call(handles.read_into, self._handle, sink, offset)
        return result

    async def preadv(self, buffers: Sequence[bytearray | memoryview], offset: int) -> int:
        """Read at ``offset`` into several buffers, one after the other; return the bytes read."""
        total = 0
        for buffer in buffers:
            size = memoryview(buffer).nbytes
            count = await self.read_into(buffer, offset + total)
            total += count
            if count < size:
                break
        return total

    async def pwrite(self, data: Buffer, offset: int) -> int:
        """Write ``data`` at ``offset``; return the number of bytes. On the brick when it returns."""
        result: int = await self._session.call(handles.pwrite, self._handle, data, offset)
        return result

    async def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write several buffers one after the other at ``offset``, as one operation."""
        return await self.pwrite(b"".join(buffers), offset)

    async def fsync(self) -> None:
        """Bring data and attributes to the brick's disk."""
        await self._session.call(handles.fsync, self._handle, False)

    async def fdatasync(self) -> None:
        """Bring the data to the brick's disk."""
        await self._session.call(handles.fsync, self._handle, True)

    async def fstat(self) -> os.stat_result:
        """Return the file's attributes."""
        return stat_result(await self._session.call(handles.fstat, self._handle))

    async def truncate(self, length: int) -> None:
        """Set the file's length, in bytes."""
        await self._session.call(handles.ftruncate, self._handle, length)

    async def close(self) -> None:
        """Close the file. Harmless when repeated, or when the session is closed."""
        await self._session.close_handle(self._handle)

    async def __aenter__(self) -> AsyncFile:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        # No I/O here: the handle stays in the session's ledger, and its end releases it.
        handle: Any = getattr(self, "_handle", None)
        if handle is not None and handle.state is HandleState.OPEN:
            warnings.warn(
                f"unclosed {self!r}, opened at {handle.opened_at or 'an unknown place'}",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        return f"<glusterio.aio.File {self._handle.path!r} {self._handle.state.name.lower()}>"


class AsyncStream(Generic[Text]):
    """A file with a position, for ``async for`` and the like: what ``aio.Volume.open`` returns.

    Reading is buffered. Writing is not: when ``write`` returns the brick has the data, so there is
    nothing that a close, or the session's end, could lose. One task at a time.
    """

    def __init__(
        self,
        file: AsyncFile,
        mode: Mode,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
    ) -> None:
        self.raw = file
        self.name = file.path
        self._mode = mode
        self._position = 0  # behind what was read from the file
        self._ahead: Any = b"" if mode.binary else ""  # read, and not yet given away
        self._ended = False
        self._decoder: Any = None
        if not mode.binary:
            name = encoding or "utf-8"
            self._encode = codecs.getincrementalencoder(name)(errors or "strict").encode
            decoder: Any = codecs.getincrementaldecoder(name)(errors or "strict")
            if newline in (None, ""):
                decoder = io.IncrementalNewlineDecoder(decoder, translate=newline is None)
            self._decoder = decoder
        self._newline = os.linesep if newline is None else newline or "\n"
        self._line_end: Any = b"\n" if mode.binary else (newline or "\n")

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self.raw.closed

    async def _fill(self, size: int = BUFFER_SIZE) -> bool:
        """Read more; return whether there was any."""
        if not self._mode.reading:
            raise io.UnsupportedOperation("not readable")
        if self._ended:
            return False
        data = await self.raw.pread(size, self._position)
        self._position += len(data)
        self._ended = not data
        self._ahead += data if self._decoder is None else self._decoder.decode(data, not data)
        return True

    async def read(self, size: int = -1) -> Text:
        """Read ``size`` bytes or characters, or all that is left; fewer only at the end."""
        while (size < 0 or len(self._ahead) < size) and await self._fill(
            max(BUFFER_SIZE, size - len(self._ahead))
        ):
            pass
        count = len(self._ahead) if size < 0 else size
        result: Text = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return result

    async def readline(self) -> Text:
        """Read a line with its end; empty at the end of the file."""
        searched = 0
        while (found := self._ahead.find(self._line_end, searched)) < 0:
            searched = max(0, len(self._ahead) - len(self._line_end) + 1)
            if not await self._fill():
                return await self.read()
        count = found + len(self._line_end)
        result: Text = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return result

    def __aiter__(self) -> AsyncStream[Text]:
        return self

    async def __anext__(self) -> Text:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def write(self, data: Text) -> int:
        """Write at the position, or with mode ``a`` at the end; return the length of ``data``."""
        if not self._mode.writing:
            raise io.UnsupportedOperation("not writable")
        if isinstance(data, str):
            if self._mode.binary:
                raise TypeError("a bytes-like object is required, not 'str'")
            text = data.replace("\n", self._newline) if self._newline != "\n" else data
            raw = self._encode(text)
        else:
            if not self._mode.binary:
                raise TypeError("write() argument must be str, not bytes")
            raw = data
        if self._ahead:
            await self.seek(await self.tell())
        self._position += await self.raw.pwrite(raw, self._position)
        if self._mode.appending:
            self._position = (await self.raw.fstat()).st_size
        self._ended = False
        return len(data)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, in bytes. A text file only to its beginning or its end.

        Raises:
            io.UnsupportedOperation: a text file, and somewhere in between.
        """
        if not self._mode.binary and (offset or whence == os.SEEK_CUR):
            raise io.UnsupportedOperation("a text stream can only seek to its beginning or end")
        if whence == os.SEEK_END:
            offset += (await self.raw.fstat()).st_size
        elif whence == os.SEEK_CUR:
            offset += await self.tell()
        elif whence != os.SEEK_SET:
            raise ValueError(f"invalid whence: {whence}")
        if offset < 0:
            raise OSError(22, "Invalid argument", self.name)
        self._position = offset
        self._ahead = self._ahead[:0]
        self._ended = False
        if self._decoder is not None:
            self._decoder.reset()
        return offset

    async def tell(self) -> int:
        """Return the position, in bytes. Not for text files that are being read.

        Raises:
            io.UnsupportedOperation: a text file with decoded text in its buffer.
        """
        if not self._mode.binary and self._ahead:
            raise io.UnsupportedOperation("a text stream that is being read has no position")
        return self._position - len(self._ahead)

    async def truncate(self, size: int | None = None) -> int:
        """Set the file's length, by default to the position."""
        if not self._mode.writing:
            raise io.UnsupportedOperation("truncate")
        length = await self.tell() if size is None else size
        await self.raw.truncate(length)
        return length

    async def flush(self) -> None:
        """Nothing is ever waiting to be written; for symmetry with Python's files."""

    async def close(self) -> None:
        """Close the file. Harmless when repeated."""
        await self.raw.close()

    async def __aenter__(self) -> AsyncStream[Text]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<glusterio.aio stream {self.name!r} mode={self._mode.raw!r}>"
