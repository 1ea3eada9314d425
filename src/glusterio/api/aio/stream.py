"""An open file for asyncio, as a stream with a position."""

from __future__ import annotations

import asyncio
import codecs
import errno
import io
import os
import re
from types import TracebackType
from typing import Any, Generic, TypeVar

from glusterio.api import handles
from glusterio.api.aio.file import AsyncFile
from glusterio.api.mode import BUFFER_SIZE, Mode
from glusterio.api.of_session import OfSession
from glusterio.errors import HandleClosedError
from glusterio.types import Buffer

Text = TypeVar("Text", str, bytes)


class AsyncStream(OfSession, Generic[Text]):
    """A file with a position, for ``async for`` and the like: what ``aio.Volume.open`` returns.

    Reading is buffered. Writing is not, but where the volume has write-behind the data is only on its
    way when ``write`` returns, as with :meth:`File.pwrite`. Calls of several tasks are done one after
    the other, in the order in which they came. A task that is cancelled in ``write`` does not know
    whether the data was written, and the position is as it was.

    Attributes:
        raw: the open file.
        name: the path as it was opened.
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
        self._turn = asyncio.Lock()
        self._position = 0  # behind what was read from the file
        self._ahead: Any = b"" if mode.binary else ""  # what was read from it last
        self._at = 0  # where in that the caller is
        self._coding: _Coding | None = None
        self._ends: tuple[Any, ...] = (b"\n",)
        if not mode.binary:
            self._coding = _Coding(encoding or "utf-8", errors or "strict", newline)
            self._ends = (newline or "\n",) if newline != "" else ("\r\n", "\n", "\r")

    async def begin(self) -> None:
        """Take the position where the mode has it at first."""
        if self._mode.appending:
            self._position = (await self.raw.fstat()).st_size
            if self._coding is not None:
                self._coding.move_to(self._position)

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self.raw.closed

    # -- reading ----------------------------------------------------------------------------------

    async def read(self, size: int | None = -1) -> Text:
        """Read ``size`` bytes or characters, or all that is left; fewer only at the end."""
        async with self._turn:
            self._check_reading()
            if size is None or size < 0:
                return await self._read_all()
            while (missing := size - self._left()) > 0:
                if not await self._fill(max(BUFFER_SIZE, missing)):
                    break
            return self._take(size)

    async def _read_all(self) -> Text:
        pieces = [self._take(self._left())]
        chunk = BUFFER_SIZE
        while await self._fill(chunk, short_is_end=True):
            pieces.append(self._take(self._left()))
            chunk = min(2 * chunk, handles.TRANSFER)
        pieces.append(self._take(self._left()))
        return self._ahead[:0].join(pieces)  # type: ignore[no-any-return]

    async def readline(self) -> Text:
        """Read a line with its end; empty at the end of the file."""
        async with self._turn:
            self._check_reading()
            searched = 0  # so much of what is left holds no end
            while (end := self._end_of_line(self._at + searched)) < 0:
                # the beginning of an end may be the last that was read
                searched = max(0, self._left() - len(self._ends[0]) + 1)
                if not await self._fill(max(BUFFER_SIZE, self._left())):
                    return self._take(self._left())
            return self._take(end - self._at)

    def __aiter__(self) -> AsyncStream[Text]:
        return self

    async def __anext__(self) -> Text:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    def _left(self) -> int:
        return len(self._ahead) - self._at

    def _take(self, count: int) -> Text:
        result: Text = self._ahead[self._at : self._at + count]
        self._at += len(result)
        return result

    def _end_of_line(self, start: int) -> int:
        """Return where the line ends in what is there, or -1."""
        if len(self._ends) == 1:
            found: int = self._ahead.find(self._ends[0], start)
            return -1 if found < 0 else found + len(self._ends[0])
        # any of them ends a line; the decoder keeps a last CR back until it knows what follows
        match = _ANY_END.search(self._ahead, start)
        return -1 if match is None else match.end()

    async def _fill(self, size: int, *, short_is_end: bool = False) -> bool:
        """Read more; return whether there may be still more."""
        data = await self.raw.pread(size, self._position)
        self._position += len(data)
        ended = not data or (short_is_end and len(data) < size)
        more = data if self._coding is None else self._coding.decode(data, final=ended)
        self._ahead = self._ahead[self._at :] + more if self._left() else more
        self._at = 0
        return not ended

    # -- writing ----------------------------------------------------------------------------------

    async def write(self, data: Text) -> int:
        """Write at the position, or with mode ``a`` at the end.

        Returns:
            How many characters, or bytes, were written: all of ``data``.

        Raises:
            io.UnsupportedOperation: the file is not open for writing; or it is a text file of which
                more was read than given out: seek first.
        """
        async with self._turn:
            self._check_open()
            if not self._mode.writing:
                raise io.UnsupportedOperation("not writable")
            raw: Buffer
            if isinstance(data, str):
                if self._coding is None:
                    raise TypeError("a bytes-like object is required, not 'str'")
                self._position = self._tell()
                raw = self._coding.encode(data)
                size = len(data)
            else:
                if self._coding is not None:
                    raise TypeError("write() argument must be str, not bytes")
                raw = handles.bytes_of(data)
                size = len(raw)
                self._position = self._tell()
            self._forget()
            self._position += await self.raw.pwrite(raw, self._position)
            if self._mode.appending and len(raw):  # a byte order mark, even of no characters
                self._position = (await self.raw.fstat()).st_size
            return size

    async def truncate(self, size: int | None = None) -> int:
        """Set the file's length, by default to the position."""
        async with self._turn:
            self._check_open()
            if not self._mode.writing:
                raise io.UnsupportedOperation("truncate")
            position = self._tell()
            length = position if size is None else size
            await self.raw.truncate(length)
            self._position = position
            self._forget()
            return length

    async def flush(self) -> None:
        """Wait until the brick has what was written.

        Raises:
            OSError: some of that failed, and nobody was told yet.
        """
        async with self._turn:
            self._check_open()
            await self.raw.flush()

    # -- the position -----------------------------------------------------------------------------

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, in bytes. A text file only to its beginning or its end.

        Raises:
            io.UnsupportedOperation: a text file, and somewhere in between.
        """
        async with self._turn:
            self._check_open()
            if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
                raise ValueError(f"invalid whence: {whence}")
            if self._coding is not None and offset:
                raise io.UnsupportedOperation(
                    "a text stream can only seek to its beginning or its end"
                )
            if whence == os.SEEK_END:
                offset += (await self.raw.fstat()).st_size
            elif whence == os.SEEK_CUR:
                offset += self._tell()
            if handles.check_offset(offset) < 0:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), self.name)
            self._position = offset
            self._forget()
            if self._coding is not None:
                self._coding.move_to(offset)
            return offset

    async def tell(self) -> int:
        """Return the position, in bytes.

        Raises:
            io.UnsupportedOperation: a text file of which more was read than given out.
        """
        async with self._turn:
            self._check_open()
            return self._tell()

    def _tell(self) -> int:
        if self._coding is None:
            return self._position - self._left()
        if self._left() or self._coding.midway:
            raise io.UnsupportedOperation(
                "a text stream has no position while more was read than given out"
            )
        return self._position

    def _forget(self) -> None:
        """What was read ahead may not be so any more."""
        self._ahead = self._ahead[:0]
        self._at = 0

    # -- the end ----------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.raw.closed:
            raise HandleClosedError(f"{self.name}: the file is closed")

    def _check_reading(self) -> None:
        self._check_open()
        if not self._mode.reading:
            raise io.UnsupportedOperation("not readable")

    async def close(self) -> None:
        """Close the file. Harmless when repeated.

        Raises:
            OSError: some of what was written has failed, and nobody was told yet. It is closed.
        """
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


_ANY_END = re.compile("\r\n|\n|\r")


class _Coding:
    """How a text file's characters become bytes, and bytes characters, line ends included."""

    def __init__(self, encoding: str, errors: str, newline: str | None) -> None:
        if newline not in (None, "", "\n", "\r", "\r\n"):
            raise ValueError(f"illegal newline value: {newline}")
        self._encoder = codecs.getincrementalencoder(encoding)(errors)
        self._decoder: Any = codecs.getincrementaldecoder(encoding)(errors)
        if not newline:
            self._decoder = io.IncrementalNewlineDecoder(self._decoder, translate=newline is None)
        self._end = os.linesep if newline is None else newline or "\n"

    def decode(self, data: bytes, final: bool) -> str:
        """Return the characters of the next bytes."""
        text: str = self._decoder.decode(data, final)
        return text

    @property
    def midway(self) -> bool:
        """Whether the decoder holds bytes whose character, or line end, is not complete."""
        pending, flags = self._decoder.getstate()
        return bool(pending) or bool(
            flags & 1 and isinstance(self._decoder, io.IncrementalNewlineDecoder)
        )

    def encode(self, text: str) -> bytes:
        """Return the bytes of the next characters."""
        return self._encoder.encode(text if self._end == "\n" else text.replace("\n", self._end))

    def move_to(self, position: int) -> None:
        """The position is another one now. Only at its beginning does a file get a byte order mark."""
        self._decoder.reset()
        if position:
            self._encoder.setstate(0)
        else:
            self._encoder.reset()
