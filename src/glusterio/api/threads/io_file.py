"""Python's own file objects over a volume: what ``Volume.open`` returns.

The raw layer is :class:`RawFile`; the buffered and the text layer are Python's, so that everything
works that works with ``open``: seeking, iteration, newlines, encodings, ``readinto``, ``truncate``.

One thing differs: a destructor does no I/O. A file object that is dropped without ``close`` warns,
and its session keeps what it had not written yet; the session's end writes it and reports the file.
"""

from __future__ import annotations

import errno
import io
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import IO, Any

from glusterio.api import handles
from glusterio.api.mode import BUFFER_SIZE, Mode
from glusterio.api.of_session import OfSession
from glusterio.api.threads.file import File
from glusterio.api.threads.session import ThreadsSession
from glusterio.types import Buffer


class RawFile(OfSession, io.RawIOBase):
    """An unbuffered file with a position.

    Args:
        session: the session.
        file: the file; this object owns it.
        mode: how it was opened.
    """

    def __init__(self, session: ThreadsSession, file: File, mode: Mode) -> None:
        super().__init__()
        self._session = session
        self._file = file
        self._mode = mode
        self._position = 0
        self._drain_seconds = 0.0
        self._drainer: int | None = None  # the thread that writes past the gate, for the drain
        self._closer: int | None = None  # the thread that closes: what is deferred, that waits for
        self._dropped = False
        self.name = file.path
        if mode.appending:
            self._position = file.fstat().st_size

    @property
    def mode(self) -> str:
        """The mode, as ``io.FileIO`` shows it."""
        return self._mode.raw

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def readable(self) -> bool:
        self._check_open()
        return self._mode.reading

    def writable(self) -> bool:
        self._check_open()
        return self._mode.writing

    def seekable(self) -> bool:
        self._check_open()
        return True

    def fileno(self) -> int:
        self._check_open()
        raise io.UnsupportedOperation("a file on a volume has no descriptor in this process")

    def isatty(self) -> bool:
        self._check_open()
        return False

    def _check_reading(self) -> None:
        self._check_open()
        if not self._mode.reading:
            raise io.UnsupportedOperation("File not open for reading")

    def _check_writing(self) -> None:
        self._check_open()
        if not self._mode.writing:
            raise io.UnsupportedOperation("File not open for writing")

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_reading()
        if size is None or size < 0:
            return self.readall()
        data = self._file.pread(size, self._position)
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        self._check_reading()
        count = self._file.read_into(buffer, self._position)
        self._position += count
        return count

    def readall(self) -> bytes:
        self._check_reading()
        handle = self._file._handle
        data: Buffer | None = None
        if handle.fd.at_hand is not None:
            data = handles.at_hand(self._session.core, handle, BUFFER_SIZE, self._position)
        if data is None or len(data) >= BUFFER_SIZE:
            data = self._session.call(handles.read_rest, handle, self._position)
        self._position += len(data)
        return data if type(data) is bytes else bytes(data)

    def write(self, data: Any) -> int:
        self._check_writing()
        count = self._write(handles.bytes_of(data))
        if self._mode.appending and count:
            # The brick has appended, wherever our position was.
            self._position = self._size()
        else:
            self._position += count
        return count

    def _write(self, data: memoryview) -> int:
        thread = threading.get_ident()
        if self._drainer != thread:
            if self._closer == thread:
                last: int = self._session.call(
                    handles.pwrite_last, self._file._handle, data, self._position
                )
                return last
            return self._file.pwrite(data, self._position)
        written: int = self._session.draining(
            self._drain_seconds, handles.pwrite, self._file._handle, data, self._position
        )
        return written

    def _size(self) -> int:
        if self._drainer != threading.get_ident():
            return self._file.fstat().st_size
        return self._position  # nobody will ask for it any more

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        if base is None:
            if whence != os.SEEK_END:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            base = self._file.fstat().st_size
        if handles.check_offset(base + offset) < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        self._check_open()
        return self._position

    def flush(self) -> None:
        """Wait until the brick has what was written.

        Raises:
            OSError: a deferred write failed, of which nobody was told yet.
        """
        super().flush()
        if self._file.closed or self._file._handle.fd.settle is None:
            return
        if threading.get_ident() not in (self._drainer, self._closer):
            self._file.flush()

    def truncate(self, size: int | None = None) -> int:
        self._check_writing()
        length = self._position if size is None else size
        self._file.truncate(length)
        return length

    def close(self) -> None:
        if not self.closed:
            try:
                _close(self, super().close)
            finally:
                self._file._handle.deferred = None
                self._file.close()

    def drain(self, layer: IO[Any], seconds: float) -> None:
        """Write what ``layer`` has buffered, as a part of the session's end."""
        self._drain_seconds = seconds
        self._drainer = threading.get_ident()
        try:
            layer.flush()
        finally:
            self._drainer = None

    def __del__(self) -> None:
        pass  # the File warns

    def __repr__(self) -> str:
        return f"<glusterio file {self.name!r} mode={self.mode!r}>"


def _close(root: RawFile, close: Callable[[], None]) -> None:
    """Close a layer. What that writes no flush waits for: the file's own close does."""
    root._closer = threading.get_ident()
    try:
        close()
    finally:
        root._closer = None


class _Dropped(OfSession):
    """What a buffered layer does when it is dropped without ``close``: warn, and be kept."""

    _root: RawFile

    def __del__(self) -> None:
        root: RawFile | None = getattr(self, "_root", None)
        if root is None or not root._mode.writing or root._file.closed:
            return  # one that only reads has nothing to lose; its File warns
        if root._dropped:
            # The other layer has seen to it, or what it kept was written. Out of a reference cycle the
            # layers come in any order: then it is the outer one that must be flushed.
            if isinstance(self, _Text) and root._file._handle.deferred is not None:
                root._file._handle.deferred = _Deferred(root, self)
            return
        root._dropped = True
        handle = root._file._handle
        handle.deferred = _Deferred(root, self)  # alive again, until the session's end
        warnings.warn(
            f"unclosed {root!r}, opened at {handle.opened_at or 'an unknown place'}",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )


class _Deferred:
    """What the drain calls to have a file's buffers written."""

    __slots__ = ("_layer", "_root")

    def __init__(self, root: RawFile, layer: Any) -> None:
        self._root = root
        self._layer = layer

    def __call__(self, seconds: float) -> None:
        self._root.drain(self._layer, seconds)


class _Reader(_Dropped, io.BufferedReader):
    pass


class _Writer(_Dropped, io.BufferedWriter):
    def flush(self) -> None:
        super().flush()
        self._root.flush()  # Python's own leaves that out: a kernel has nothing to flush

    def close(self) -> None:
        _close(self._root, super().close)


class _Random(_Dropped, io.BufferedRandom):
    def flush(self) -> None:
        super().flush()
        self._root.flush()

    def close(self) -> None:
        _close(self._root, super().close)


class _Text(_Dropped, io.TextIOWrapper):
    def close(self) -> None:
        _close(self._root, super().close)


def layers(
    root: RawFile,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """Put the buffered and the text layer on a raw file, as ``open`` does.

    Raises:
        ValueError: arguments that contradict the mode.
    """
    mode = root._mode
    line_buffering = buffering == 1 and not mode.binary
    size = BUFFER_SIZE if buffering < 0 or buffering == 1 else buffering
    if buffering == 0:
        return root  # type: ignore[return-value]
    buffered: Any = (_Random if mode.updating else _Writer if mode.writing else _Reader)(root, size)
    buffered._root = root
    outer: Any = buffered
    if not mode.binary:
        outer = _Text(buffered, encoding, errors, newline, line_buffering)
        outer._root = root
        outer.mode = mode.text
    if mode.writing:
        weak = weakref.ref(outer)

        def write_out(seconds: float) -> None:
            layer = weak()
            if layer is not None and not layer.closed:
                root.drain(layer, seconds)

        root._file._handle.deferred = write_out
    return outer  # type: ignore[no-any-return]
