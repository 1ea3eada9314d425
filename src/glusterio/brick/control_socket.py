"""Where the control sockets of running daemons are: one file each, in a directory of the user's.

The directory is ``$GLUSTERIO_RUNTIME_DIR`` if that is set; else ``/run/glusterio`` for root, and for
others ``$XDG_RUNTIME_DIR/glusterio`` or, without a session, ``/tmp/glusterio-UID``. It belongs to the
user alone. A socket is named by the address of its management daemon, such as
``127.0.0.1:24007.control``. One whose daemon was killed stays until another daemon starts.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from typing import Final

SUFFIX: Final = ".control"


def runtime_directory() -> str:
    """Return the directory; it need not exist."""
    given = os.environ.get("GLUSTERIO_RUNTIME_DIR")
    if given:
        return os.path.abspath(given)
    if os.geteuid() == 0:  # the same one for a service, which has no session, and for a shell
        return "/run/glusterio"
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(session) and _is_ours(session):
        return os.path.join(session, "glusterio")
    return f"/tmp/glusterio-{os.geteuid()}"


def make_runtime_directory() -> str:
    """Return the directory, and make it if it is not there.

    Raises:
        OSError: it cannot be made, or it is not ours alone (EPERM).
    """
    path = runtime_directory()
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    if not _is_ours(path):
        raise OSError(
            errno.EPERM, "not a directory that only its owner, who is to be us, uses", path
        )
    return path


def _is_ours(path: str) -> bool:
    """Tell whether a path is a directory of ours that nobody else may enter names into."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    )


def control_path(host: str, port: int) -> str:
    """Return the path of the socket of a daemon, by its management address."""
    return os.path.join(runtime_directory(), f"{host or '*'}:{port}{SUFFIX}")


def control_paths(port: int | None = None) -> list[str]:
    """Return the sockets that there are, those of daemons that were killed among them.

    Args:
        port: only those of daemons on this management port.
    """
    ending = SUFFIX if port is None else f":{port}{SUFFIX}"
    directory = runtime_directory()
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(os.path.join(directory, name) for name in names if name.endswith(ending))


def listen_for_control(path: str, listen: Callable[[str], None]) -> None:
    """Listen on a control socket, in the place of one that was left behind there.

    Args:
        path: where.
        listen: makes the socket and listens on it.

    Raises:
        OSError: it cannot be made; EADDRINUSE when another daemon listens there.
    """
    directory = os.path.dirname(path)
    with _alone_in(directory):
        if directory == runtime_directory():
            for other in control_paths():
                _remove_if_left(other)
        _remove_if_left(path)
        listen(path)
        os.chmod(path, 0o600)


@contextlib.contextmanager
def _alone_in(directory: str) -> Iterator[None]:
    """Keep other daemons from making and removing: a socket not listened on yet looks left."""
    descriptor = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_if_left(path: str) -> None:
    """Remove a socket on which nobody listens."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        except OSError:
            pass  # there is somebody, who is busy
