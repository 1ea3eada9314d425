"""Every error that glusterio raises, in one tree.

Three rules decide the class of an error.

* **A file operation that the volume refused is a plain ``OSError``**, with errno and path, of the
  subclass that Python itself would choose: ``FileNotFoundError``, ``PermissionError``, and so on. A
  program written for ``os`` needs no change. :func:`fs_error` makes them.
* **"You closed it" and "the world broke it" are different errors.** The first are ``ValueError``s, as
  they are for Python's own files; the second are ``ConnectionError``s or ``OSError``s.
* **What a peer sent is never trusted.** Anything malformed is a :class:`RemoteProtocolError` and ends
  that connection, never the process.

::

    GlusterError
    ├── SessionClosedError (ValueError)        the session was closed, or is closing
    │   └── ForkedSessionError                 the session belongs to the parent process
    ├── HandleClosedError (ValueError)         the file or directory was closed
    │   └── HandleRevokedError                 by the end of its session: both of the above
    ├── ReentrantCallError (RuntimeError)      a call from inside the session's own work
    │   └── CloseFromCallbackError             close would wait for its own caller
    ├── ConnectionLostError (ConnectionError)  .may_have_happened tells about the call
    ├── HandleStaleError (OSError)             the brick that held the handle is gone
    ├── HandshakeError (ConnectionError)
    │   ├── AuthRejectedError                  refused by address, login, certificate or port
    │   ├── TlsError                           there is no TLS between us: who refused it, and why
    │   ├── VolumeNotFoundError
    │   └── VersionMismatchError
    ├── ProtocolError
    │   ├── LocalProtocolError                 our own side asked for something impossible
    │   └── RemoteProtocolError (ConnectionError)
    │       ├── XdrError                       truncated, trailing or impossible bytes
    │       └── RecordTooLongError
    └── GraphError
        ├── VolfileError (ValueError)
        └── UnsupportedGraphError              a translator that glusterio does not have

    MonitorWarning (RuntimeWarning)            GLUSTERIO_MONITOR=1 has found a defect of glusterio's
"""

from __future__ import annotations

import errno as _errno
import os
from enum import Enum
from typing import Any, ClassVar, TypeVar


class GlusterError(Exception):
    """Base of the errors that are glusterio's own. File system errors are plain ``OSError``s.

    The last of ``args`` is the message. They can be pickled, so they come home from another process.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, self.__dict__)


E = TypeVar("E", bound=GlusterError)


class MonitorWarning(RuntimeWarning):
    """A session did what its specification does not allow: a defect of glusterio's.

    See :mod:`glusterio.lifecycle.monitor`.
    """


class SessionClosedError(GlusterError, ValueError):
    """The session is closing or closed: the call was not admitted, or was ended by the close."""


class ForkedSessionError(SessionClosedError):
    """The session was made by the parent process; a child after ``fork`` must connect anew."""


class HandleClosedError(GlusterError, ValueError):
    """The file or directory handle was closed, by its owner or by the end of its session."""


class HandleRevokedError(HandleClosedError, SessionClosedError):
    """The handle's session is closed or closing, and with it the handle: it is both errors."""


class ReentrantCallError(GlusterError, RuntimeError):
    """A call in the middle of the session's own work, on the same thread, which would wait for itself.

    A destructor can be run there by the garbage collector, and a trace hook is.
    """


class CloseFromCallbackError(ReentrantCallError):
    """``close`` was called from inside the very work that it would have to wait for."""


class ConnectionLostError(GlusterError, ConnectionError):
    """The connection to a server ended while a call was under way.

    Attributes:
        may_have_happened: ``False`` when the request certainly never left this machine; ``True`` when
            the server may have carried it out without our hearing of it.
    """

    def __init__(self, message: str, *, may_have_happened: bool = True) -> None:
        super().__init__(_errno.ENOTCONN, message)
        self.may_have_happened = may_have_happened


class HandleStaleError(GlusterError, OSError):
    """The handle's brick connection was lost, and with it the brick's side of the handle."""

    def __init__(self, message: str) -> None:
        super().__init__(_errno.EBADF, message)


class Refusal(Enum):
    """Why there is no way to a server that is there: what a :class:`HandshakeError` is about."""

    ADDRESS = "address"  #: where we come from: ``auth.allow``, ``auth.reject``
    LOGIN = "login"  #: the user name and the password
    NAME = "name"  #: the name in our certificate: ``auth.ssl-allow``
    ACCESS = "access"  #: one of these three; a brick of GlusterFS does not tell which
    PORT = "port"  #: our source port: only those below 1024 will do (``server.allow-insecure``)
    OUR_CERTIFICATE = "our certificate"  #: the server does not accept it, or wants one
    ITS_CERTIFICATE = "its certificate"  #: we do not accept the server's
    TLS_WANTED = "tls wanted"  #: the server speaks TLS, and we did not
    TLS_UNKNOWN = "tls unknown"  #: we spoke TLS, and the server does not
    TLS = "tls"  #: anything else about TLS: versions, ciphers, files that cannot be read
    VOLUME = "volume"  #: no such volume, or no such brick
    VERSION = "version"  #: other versions of the protocol
    NOT_READY = "not ready"  #: the brick is not running, or only just starting
    ROOM = "room"  #: the brick has as many clients as it takes


class HandshakeError(GlusterError, ConnectionError):
    """A server answered, but would not have us.

    Args:
        message: the reason, in the server's words where it gave any.
        errno: the errno that the server sent.
        reason: what it is about; ``None`` where that is not known.

    Attributes:
        reason: what it is about.
    """

    default_errno: ClassVar[int] = _errno.ECONNREFUSED
    default_reason: ClassVar[Refusal | None] = None

    def __init__(
        self, message: str, errno: int | None = None, reason: Refusal | None = None
    ) -> None:
        super().__init__(self.default_errno if errno is None else errno, message)
        self.reason = self.default_reason if reason is None else reason


class AuthRejectedError(HandshakeError):
    """The brick refused this client: by address, login, name in its certificate, or source port."""

    default_errno = _errno.EACCES


class TlsError(HandshakeError):
    """There is no TLS between us and a server: one side does not speak it, or refuses the other.

    What Python's :mod:`ssl` said of it is the error's ``__cause__``.
    """

    default_errno = _errno.EPROTO
    default_reason = Refusal.TLS


class VolumeNotFoundError(HandshakeError):
    """The management daemon, or the brick, knows no such volume."""

    default_errno = _errno.ENOENT
    default_reason = Refusal.VOLUME


class VersionMismatchError(HandshakeError):
    """The server does not offer a program version that glusterio speaks."""

    default_errno = _errno.EPROTONOSUPPORT
    default_reason = Refusal.VERSION


class ProtocolError(GlusterError):
    """Something that the protocol does not allow."""


class LocalProtocolError(ProtocolError):
    """Our own side asked for something that the protocol does not allow."""


class RemoteProtocolError(ProtocolError, ConnectionError):
    """The peer sent something that the protocol does not allow; its connection has been ended."""

    def __init__(self, message: str) -> None:
        super().__init__(_errno.EPROTO, message)


class XdrError(RemoteProtocolError):
    """Bytes that do not decode: truncated, trailing, or claiming an impossible length."""


class RecordTooLongError(RemoteProtocolError):
    """A record longer than the limit, refused before any of it was stored."""


class GraphError(GlusterError):
    """The volume's graph cannot be used."""


class VolfileError(GraphError, ValueError):
    """A volfile that does not parse. ``line`` is the number of the offending line, from 1."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


class UnsupportedGraphError(GraphError):
    """The graph holds a translator that glusterio does not have and that changes what data means.

    Attributes:
        xlator_type: the volfile's type, ``cluster/disperse`` for instance.
        volume: the name of that translator in the volfile.
    """

    def __init__(self, xlator_type: str, volume: str) -> None:
        super().__init__(
            f"the volume's graph needs {xlator_type} ({volume}), which glusterio does not support yet"
        )
        self.xlator_type = xlator_type
        self.volume = volume


#: errno values that GlusterFS sends in its own numbering. It is Linux's, so this is the identity there.
GF_ERROR_FIRST_PRIVATE = 1024


def fs_error(
    errno: int, path: str | bytes | None = None, path2: str | bytes | None = None
) -> OSError:
    """Make the ``OSError`` subclass for an errno that came from a volume.

    Args:
        errno: GlusterFS's error number (Linux numbering; libglusterfs/src/glusterfs/glusterfs-errno.h).
            Values from 1024 on are GlusterFS's private ones and become ``EIO``; so does 0.
        path: the path that the caller gave, kept as ``filename``.
        path2: the second path of rename and link, kept as ``filename2``.
    """
    if errno <= 0 or errno >= GF_ERROR_FIRST_PRIVATE:
        return OSError(_errno.EIO, f"GlusterFS error {errno}", path, None, path2)
    return OSError(errno, os.strerror(errno), path, None, path2)


def _remade(cls: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    """Make an error of ours from what there is in one, whatever its ``__init__`` wants."""
    made: Any = cls.__new__(cls)
    if isinstance(made, OSError):
        OSError.__init__(made, *args)
    else:
        made.args = args
    made.__dict__.update(state)
    return made  # type: ignore[no-any-return]


def retold(error: E, message: str) -> E:
    """Return the same error with another message."""
    return _remade(type(error), (*error.args[:-1], message), error.__dict__)


def with_path(error: Exception, path: str) -> Exception:
    """Return an error that says which file it concerns, for where that would not be clear."""
    if isinstance(error, GlusterError):
        message = str(error.args[-1])
        return error if message.startswith(f"{path}: ") else retold(error, f"{path}: {message}")
    if isinstance(error, OSError):
        if error.filename is None:
            error.filename = path
    elif path not in getattr(error, "__notes__", ()):
        error.add_note(path)
    return error
