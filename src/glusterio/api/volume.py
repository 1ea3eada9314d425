"""The face for threads: a volume, and what can be done with it."""

from __future__ import annotations

import io
import os
import warnings
from types import TracebackType
from typing import IO, Any, Literal, overload

from glusterio.api import handles, names
from glusterio.api.call_site import call_site
from glusterio.api.directory import DirEntry, ScandirIterator
from glusterio.api.file import File
from glusterio.api.io_file import (
    BinaryMode,
    Mode,
    RawFile,
    ReadBinaryMode,
    TextMode,
    UpdateBinaryMode,
    WriteBinaryMode,
    check_arguments,
    layers,
)
from glusterio.api.resolve import text_of
from glusterio.api.threads_session import ThreadsSession
from glusterio.api.umask import process_umask
from glusterio.api.url import parse_url
from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.states import SessionState
from glusterio.lifecycle.trace import TraceHook
from glusterio.types import StrPath

#: How long connecting may take, in seconds.
CONNECT_TIMEOUT = 30.0

#: How long closing may take, and how much of it calls under way get to finish, in seconds.
CLOSE_TIMEOUT = 5.0
CLOSE_GRACE = 2.0


def connect(
    url: str, *, timeout: float = CONNECT_TIMEOUT, trace: TraceHook | None = None
) -> Volume:
    """Connect to a volume.

    Args:
        url: ``gluster://HOST[:PORT][,HOST...]/VOLUME``, ``gluster+unix:///VOLUME?socket=PATH``,
            ``volfile:///PATH`` or ``embedded:///DIRECTORY``.
        timeout: for all of it, in seconds.
        trace: receives every transition of the session's life; see
            :func:`glusterio.lifecycle.trace.ndjson`.

    Raises:
        ValueError: not such a URL.
        TimeoutError: not connected in time.
        VolumeNotFoundError, AuthRejectedError, HandshakeError: a server would not have us.
        UnsupportedGraphError: the volume needs a translator that glusterio does not have.
        OSError: nobody there.
    """
    session = ThreadsSession(parse_url(url), trace)
    session.connect(timeout)
    return Volume(session)


class Volume:
    """A connected volume. Made by :func:`connect`; use it in a ``with`` statement, or close it.

    Any number of threads may use one volume at the same time; their requests are all in flight at
    once. Methods have the names, arguments and errors of ``os``. Paths are relative to the volume's
    root, with or without a leading slash.
    """

    def __init__(self, session: ThreadsSession) -> None:
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
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> io.TextIOWrapper: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: ReadBinaryMode,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.BufferedReader: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: WriteBinaryMode,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.BufferedWriter: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: UpdateBinaryMode,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.BufferedRandom: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: BinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> IO[bytes]: ...

    @overload
    def open(
        self,
        path: StrPath,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...

    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open a file as Python's ``open`` does: text, buffered or raw, by the same arguments.

        Raises:
            OSError: what ``open`` would raise.
            ValueError: arguments that contradict each other.
        """
        parsed = Mode(mode)
        check_arguments(parsed, buffering, encoding, errors, newline)
        file = self._open(path, parsed.flags, 0o666)
        try:
            if file._handle.kind is not HandleKind.FILE:
                raise IsADirectoryError(21, os.strerror(21), text_of(path))
            return layers(
                RawFile(self._session, file, parsed), buffering, encoding, errors, newline
            )
        except BaseException:
            file.close()
            raise

    def open_handle(self, path: StrPath, flags: int = os.O_RDONLY, mode: int = 0o777) -> File:
        """Open a file as ``os.open`` does, and return it raw.

        Args:
            path: the path.
            flags: ``os.O_RDONLY``, ``os.O_CREAT`` and so on.
            mode: permission bits for a new file; the process's umask is applied.
        """
        return self._open(path, flags, mode)

    def _open(self, path: StrPath, flags: int, mode: int) -> File:
        handle = self._session.open(handles.open_file, path, flags, mode, self._umask, call_site())
        return File(self._session, handle)

    def truncate(self, path: StrPath, length: int) -> None:
        """Set a file's length, in bytes."""
        self._session.call(names.truncate, None, path, length)

    # -- attributes -------------------------------------------------------------------------------

    def stat(self, path: StrPath, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return a file's attributes."""
        return names.stat_result(self._session.call(names.stat, None, path, follow_symlinks))

    def lstat(self, path: StrPath) -> os.stat_result:
        """Return a file's attributes, without following a symbolic link."""
        return self.stat(path, follow_symlinks=False)

    def exists(self, path: StrPath) -> bool:
        """Tell whether a path leads to something, as ``os.path.exists``."""
        return bool(self._session.call(names.exists, None, path, True))

    def chmod(self, path: StrPath, mode: int) -> None:
        """Set a file's permission bits."""
        self._session.call(names.chmod, None, path, mode)

    def utime(self, path: StrPath, ns: tuple[int, int], *, follow_symlinks: bool = True) -> None:
        """Set a file's access and modification times, in nanoseconds since the epoch."""
        self._session.call(names.utime, None, path, ns[0], ns[1], follow_symlinks)

    def statvfs(self, path: StrPath = "/") -> os.statvfs_result:
        """Return the volume's sizes and free space."""
        return names.statvfs_result(self._session.call(names.statvfs, None, path))

    # -- directories ------------------------------------------------------------------------------

    def scandir(self, path: StrPath = "/") -> ScandirIterator:
        """List a directory with its entries' attributes, as ``os.scandir``."""
        handle = self._session.open(handles.open_directory, path, call_site())
        return ScandirIterator(self._session, handle, text_of(path))

    def listdir(self, path: StrPath = "/") -> list[str]:
        """List the names in a directory."""
        with self.scandir(path) as entries:
            return [entry.name for entry in entries]

    def mkdir(self, path: StrPath, mode: int = 0o777) -> None:
        """Make a directory; the process's umask is applied to ``mode``."""
        self._session.call(names.mkdir, None, path, mode, self._umask)

    def rmdir(self, path: StrPath) -> None:
        """Remove an empty directory."""
        self._session.call(names.rmdir, None, path)

    # -- names ------------------------------------------------------------------------------------

    def unlink(self, path: StrPath) -> None:
        """Remove a file's name."""
        self._session.call(names.unlink, None, path)

    remove = unlink

    def rename(self, source: StrPath, target: StrPath) -> None:
        """Move a name, replacing what the new name meant, as ``os.rename`` on Unix."""
        self._session.call(names.rename, None, source, target)

    replace = rename

    def symlink(self, target: str, path: StrPath) -> None:
        """Make a symbolic link at ``path`` to ``target``."""
        self._session.call(names.symlink, None, target, path)

    def readlink(self, path: StrPath) -> str:
        """Return a symbolic link's target."""
        result: str = self._session.call(names.readlink, None, path)
        return result

    # -- the end ----------------------------------------------------------------------------------

    def close(self, timeout: float = CLOSE_TIMEOUT, grace: float = CLOSE_GRACE) -> TeardownReport:
        """Close the session: everything ever opened through it is accounted for.

        From the first moment on no new call is admitted (``SessionClosedError``). Calls under way get
        ``grace`` seconds to finish and are then cancelled. Every handle left open is released, with
        what Python's buffers still held written first. Then the connections close.

        Args:
            timeout: for all of it, in seconds; a dead or stopped brick cannot make it longer.
            grace: how much of that calls under way get to finish.

        Returns:
            The report. Every further ``close`` returns the same one; a ``close`` in another thread
            waits for it.

        Raises:
            CloseFromCallbackError: called from a completion callback, which it would wait for.
            ForkedSessionError: this session is the parent process's.
        """
        return self._session.close(timeout, grace)

    def __enter__(self) -> Volume:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # No I/O here: the session itself lives on and is closed when the interpreter exits.
        session: Any = getattr(self, "_session", None)
        if session is not None and session.core.session.state is SessionState.ACTIVE:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        state = self._session.core.session.state.name.lower()
        return f"<glusterio.Volume {self.name!r} {state}>"


__all__ = ["DirEntry", "File", "Volume", "connect"]
