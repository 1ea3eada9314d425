"""A connection being made, address after address, without blocking: for the threads driver."""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import TYPE_CHECKING, Any

from glusterio.runtime.link import new_socket
from glusterio.traps import Connect, Reply

if TYPE_CHECKING:
    from glusterio.runtime.fiber import Fiber
    from glusterio.runtime.threads import ThreadsDriver

#: What connecting says that goes on.
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN, errno.EINTR)


def candidates(address: tuple[str, int] | str) -> list[tuple[int, Any]]:
    """Return the socket families and addresses to try, in order. Looks names up, which may block.

    Raises:
        OSError: the name is unknown.
    """
    if isinstance(address, str):
        return [(socket.AF_UNIX, address)]
    host, port = address
    try:
        # Of text Python makes what IDNA says, for which it loads 2 ms worth of tables.
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise unknown_host(host, error) from None
    return [(family, where) for family, _, _, _, where in found]


def unknown_host(host: str, error: socket.gaierror) -> socket.gaierror:
    """Put the name that was looked up into the error."""
    return socket.gaierror(error.errno, f"{host}: {error.strerror}")


class Connecting:
    """Tries one address after the other and wakes its fiber with the outcome.

    Args:
        driver: the driver that polls.
        fiber: who waits.
        trap: what was asked for.
    """

    __slots__ = ("_candidates", "_driver", "_error", "_fiber", "sock", "trap")

    def __init__(self, driver: ThreadsDriver, fiber: Fiber, trap: Connect) -> None:
        self._driver = driver
        self._fiber = fiber
        self.trap = trap
        self._candidates: list[tuple[int, Any]] = []
        self._error: OSError | None = None
        self.sock: socket.socket = None  # type: ignore[assignment]

    def begin(self) -> None:
        """Look the name up and start with the first address."""
        try:
            self._candidates = candidates(self.trap.address)
        except OSError as error:
            self._fiber.wake(self.trap, None, error)
            return
        self._next()

    def progress(self) -> None:
        """The socket is writable: connected, or refused."""
        try:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError:  # cancelled by another thread at this very moment
            return
        self._driver.unwatch(self)
        if code:
            self._error = OSError(code, os.strerror(code), self._where())
            self.sock.close()
            self._next()
        else:
            self._connected()

    def _next(self) -> None:
        if self._fiber.trap is not self.trap:
            return  # given up meanwhile
        while self._candidates:
            family, where = self._candidates.pop(0)
            try:
                self.sock = new_socket(family, self.trap.privileged)
            except OSError as error:
                self._error = error
                continue
            try:
                code = self.sock.connect_ex(where)
                if code == errno.EINPROGRESS:  # but on this machine it is done when that returns
                    code = self.sock.connect_ex(where)
            except OSError as error:  # an address that can be none
                code = error.errno or errno.EINVAL
            if code in _UNDER_WAY:
                self._driver.watch(self, select.POLLOUT)
                return
            if not code:
                self._connected()
                return
            self._error = OSError(code, os.strerror(code), self._where())
            self.sock.close()
        self._fiber.wake(self.trap, None, self._error or OSError(f"no address for {self._where()}"))

    def _connected(self) -> None:
        self._driver.attach(self.sock, self.trap.connection)
        if not self._fiber.wake(self.trap, None):  # cancelled meanwhile
            self._driver.disconnect(self.trap.connection)

    def _where(self) -> str:
        address = self.trap.address
        return address if isinstance(address, str) else f"{address[0]}:{address[1]}"

    def close(self, error: Exception) -> list[Reply]:
        """Stop connecting because the driver ends."""
        self.sock.close()
        self._fiber.wake(self.trap, None, error)
        return []

    def forget(self) -> None:
        """Stop connecting; nobody waits for it."""
        self.sock.close()
