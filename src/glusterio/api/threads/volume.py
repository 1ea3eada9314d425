"""The face for threads: a volume, and what can be done with it."""

from __future__ import annotations

import io
import os
import warnings
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, overload

from glusterio.api import handles
from glusterio.api.call_site import call_site
from glusterio.api.core import CONNECT_TIMEOUT
from glusterio.api.ending import CLOSE_GRACE, CLOSE_TIMEOUT
from glusterio.api.mode import (
    BinaryMode,
    ReadBinaryMode,
    TextMode,
    UpdateBinaryMode,
    WriteBinaryMode,
    check_arguments,
    mode_of,
)
from glusterio.api.path_text import text_of
from glusterio.api.standpoint import At, Opened, at
from glusterio.api.threads.file import File
from glusterio.api.threads.io_file import RawFile, layers
from glusterio.api.threads.methods.changes import Changes
from glusterio.api.threads.methods.context import Context
from glusterio.api.threads.methods.copies import Copies
from glusterio.api.threads.methods.directories import Directories
from glusterio.api.threads.methods.facts import Facts
from glusterio.api.threads.methods.many import Many
from glusterio.api.threads.methods.objects import Objects
from glusterio.api.threads.methods.paths import Paths
from glusterio.api.threads.methods.upcalls import Upcalls
from glusterio.api.threads.session import ThreadsSession
from glusterio.api.url import PATIENCE, checked_context, checked_patience, parse_url
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
) -> Volume:
    """Connect to a volume.

    Args:
        url: ``gluster://HOST[:PORT][,HOST...]/VOLUME``, the same with ``gluster+tls://``,
            ``gluster+unix:///VOLUME?socket=PATH``, ``volfile:///PATH`` or ``embedded:///DIRECTORY``.
        timeout: for all of it, in seconds.
        options: what this session wants otherwise than the volume's owner: a
            :class:`glusterio.Options`, or the same by the names of ``gluster volume set``:
            ``{"performance.write-behind": False}``.
        trace: receives every transition of the session's life; see
            :func:`glusterio.lifecycle.trace.ndjson`.
        logger: where the session logs what no caller hears of; ``None`` for the logger ``glusterio``.
        ssl: what every brick is spoken to with, by TLS, and with ``gluster+tls`` the management daemon;
            ``None`` where the volfile alone says whether, with GlusterFS's files.
        metrics: count each call, its time, its errors and its bytes, for :meth:`Volume.metrics`.
        reconnect: whether a connection to a brick that is lost is made anew, and with it what is open;
            if not, every handle is stale when it is lost.
        patience: how long a call waits for a brick that is away, in seconds; 0: not at all.
        follow: for ``gluster://``: whether to stay connected to the management daemon, or when that is
            lost to the next one, and to follow when the volume is changed (``gluster volume set``).

    Raises:
        ValueError: not such a URL; or an option that there is not, or a value that it cannot have.
        TypeError: something of another kind than these.
        TimeoutError: not connected in time.
        VolumeNotFoundError, AuthRejectedError, TlsError, HandshakeError: a server would not have us.
        UnsupportedGraphError: the volume needs a translator that glusterio does not have.
        OSError: nobody there.
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
    session = ThreadsSession(target, trace)
    session.connect(timeout)
    return Volume(session)


class Volume(Changes, Context, Copies, Directories, Facts, Many, Objects, Paths, Upcalls):
    """A connected volume. Made by :func:`connect`; use it in a ``with`` statement, or close it.

    Any number of threads may use one volume at the same time; their requests are all in flight at
    once. Methods have the names, arguments and errors of ``os``, ``os.path`` and ``shutil``; where
    those take a descriptor, these take an open :class:`File`, ``dir_fd`` among them. Paths begin at
    the volume's root, or, without a leading slash, at the session's working directory, which is the
    root at first.
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
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        dir_fd: Opened | None = None,
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
        *,
        dir_fd: Opened | None = None,
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
        *,
        dir_fd: Opened | None = None,
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
        *,
        dir_fd: Opened | None = None,
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
        *,
        dir_fd: Opened | None = None,
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
        *,
        dir_fd: Opened | None = None,
    ) -> IO[Any]: ...

    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        dir_fd: Opened | None = None,
    ) -> IO[Any]:
        """Open a file as Python's ``open`` does: text, buffered or raw, by the same arguments.

        ``dir_fd`` is the open directory that ``path`` is relative to, for which Python's ``open`` needs
        an ``opener``.

        Raises:
            OSError: what ``open`` would raise.
            ValueError: arguments that contradict each other.
        """
        parsed = mode_of(mode)
        check_arguments(parsed, buffering, encoding, errors, newline)
        file = self._open(at(path, dir_fd), parsed.flags, 0o666)
        try:
            if file._handle.kind is not HandleKind.FILE:
                raise IsADirectoryError(21, os.strerror(21), text_of(path))
            return layers(
                RawFile(self._session, file, parsed), buffering, encoding, errors, newline
            )
        except BaseException:
            file.close()
            raise

    def open_handle(
        self,
        path: StrPath,
        flags: int = os.O_RDONLY,
        mode: int = 0o777,
        *,
        dir_fd: Opened | None = None,
    ) -> File:
        """Open a file as ``os.open`` does, and return it raw.

        Args:
            path: the path.
            flags: ``os.O_RDONLY``, ``os.O_CREAT`` and so on.
            mode: permission bits for a new file; the process's umask is applied.
            dir_fd: the open directory that ``path`` is relative to.
        """
        return self._open(at(path, dir_fd), flags, mode)

    def _open(self, path: StrPath | At, flags: int, mode: int) -> File:
        handle = self._session.open(handles.open_file, path, flags, mode, self._umask, call_site())
        return File(self._session, handle)

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
            place = session.connected_at or "an unknown place"
            warnings.warn(
                f"unclosed {self!r}, connected at {place}",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        state = self._session.core.session.state.name.lower()
        return f"<glusterio.Volume {self.name!r} {state}>"
