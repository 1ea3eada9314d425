"""A connection being made, address after address, without blocking: for the threads driver.

With TLS, the handshake belongs to it. Who does not like the other in it has answered: no further
address is tried then.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
from typing import TYPE_CHECKING, Any

from glusterio.runtime.link import is_with_itself, new_socket
from glusterio.traps import Connect, Reply

if TYPE_CHECKING:
    from glusterio.runtime.fiber import Fiber
    from glusterio.runtime.secured import Secured
    from glusterio.runtime.threads import ThreadsDriver

#: What connecting says that goes on.
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN, errno.EINTR)


def candidates(address: tuple[str, int] | str) -> list[tuple[int, Any]] | None:
    """Return the socket families and addresses to try, in order; ``None`` where there is but a name."""
    if isinstance(address, str):
        return [(socket.AF_UNIX, address)]
    host, port = address
    try:
        return _addresses(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return None


def look_up(host: str, port: int) -> list[tuple[int, Any]]:
    """Return what :func:`candidates` does for a name. Nothing bounds how long that takes.

    Raises:
        OSError: the name is unknown.
    """
    try:
        return _addresses(host, port)
    except socket.gaierror as error:
        raise unknown_host(host, error) from None


def _addresses(host: str, port: int, flags: int = 0) -> list[tuple[int, Any]]:
    # Of text Python makes what IDNA says, for which it loads 2 ms worth of tables.
    name = host.encode() if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, where) for family, _, _, _, where in found]


def unknown_host(host: str, error: socket.gaierror) -> socket.gaierror:
    """Put the name that was looked up into the error."""
    return socket.gaierror(error.errno, f"{host}: {error.strerror}")


#: What a handshake is received in, in bytes: the certificates are the most of it.
_HANDSHAKE = 65536


class Connecting:
    """Tries one address after the other and wakes its fiber with the outcome.

    Args:
        driver: the driver that polls.
        fiber: who waits.
        trap: what was asked for.
    """

    __slots__ = (
        "_candidates", "_driver", "_error", "_fiber", "_is_over", "_lock", "_secured", "_unsent",
        "sock", "trap",
    )  # fmt: skip

    def __init__(self, driver: ThreadsDriver, fiber: Fiber, trap: Connect) -> None:
        self._driver = driver
        self._fiber = fiber
        self.trap = trap
        self._candidates: list[tuple[int, Any]] = []
        self._error: OSError | None = None
        self._secured: Secured | None = None
        self._unsent = b""
        # Who has lost the lead may still be at it when the next leader comes, with the same event.
        self._lock = threading.Lock()
        self._is_over = False
        self.sock: socket.socket = None  # type: ignore[assignment]

    def begin(self) -> None:
        """Start with the first address, when it is known.

        A name is looked up on a thread of its own: a resolver whose servers are silent takes half a
        minute, and whoever is here may be leading for others, have a deadline, or be told to end.
        """
        known = candidates(self.trap.address)
        if known is None:
            try:
                threading.Thread(target=self._look_up, name="glusterio-lookup", daemon=True).start()
            except RuntimeError:  # the process may not have another thread
                self._look_up()
        else:
            self._candidates = known
            self._next()

    def _look_up(self) -> None:
        address = self.trap.address
        assert not isinstance(address, str)
        try:
            self._candidates = look_up(*address)
        except Exception as error:  # whatever it is: somebody waits for it
            self._fiber.wake(self.trap, None, error)
            return
        with self._driver.lock:  # while somebody waits for it the driver does not end
            if self._fiber.trap is self.trap:
                self._driver.call_later(0.0, self._next)

    def progress(self) -> None:
        """The socket is writable: connected, or refused. Or a handshake can go on."""
        with self._lock:
            if self._is_over:
                return
            if self._secured is None:
                self._look()
            else:
                self._shake_hands(self._secured)

    def _look(self) -> None:
        try:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError:  # cancelled by another thread at this very moment
            return
        self._driver.unwatch(self)
        if not code and is_with_itself(self.sock):
            code = errno.ECONNREFUSED
        if code:
            self._error = OSError(code, os.strerror(code), self._where())
            self.sock.close()
            self._next()
        else:
            self._connected()

    def _next(self) -> None:
        try:
            self._try_next()
        except BaseException:  # an interrupt, before anybody else knew of the socket
            if not self._is_over and self.sock is not None:
                self._driver.unwatch(self)
                self.sock.close()
            raise

    def _try_next(self) -> None:
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
            if not code and is_with_itself(self.sock):
                code = errno.ECONNREFUSED
            if not code:
                self._connected()
                return
            self._error = OSError(code, os.strerror(code), self._where())
            self.sock.close()
        self._fiber.wake(self.trap, None, self._error or OSError(f"no address for {self._where()}"))

    def _connected(self) -> None:
        if self.trap.tls is not None and self._secured is None:
            self._begin_tls()
            return
        self._is_over = True
        try:
            self._driver.attach(self.sock, self.trap.connection, self._secured)
        except OSError:
            if self._fiber.trap is self.trap:
                raise
            return  # cancelled by another thread, which closed it
        if not self._fiber.wake(self.trap, None):  # cancelled meanwhile
            self._driver.disconnect(self.trap.connection)

    # -- TLS --------------------------------------------------------------------------------------

    def _begin_tls(self) -> None:
        from glusterio.runtime.certificates import context_of  # with ssl, 10 ms that few need
        from glusterio.runtime.secured import Secured, tls_error

        address, tls = self.trap.address, self.trap.tls
        assert tls is not None
        try:
            host = None if isinstance(address, str) else address[0]
            self._secured = Secured(context_of(tls), host)
            self._secured.shake_hands()
            self._unsent = self._secured.to_send()
        except Exception as error:
            self.sock.close()
            failure = error if isinstance(error, OSError) else tls_error(error, self._where())
            self._fiber.wake(self.trap, None, failure)
            return
        self._driver.watch(self, select.POLLIN | select.POLLOUT)

    def _shake_hands(self, secured: Secured) -> None:
        from glusterio.runtime.secured import tls_error

        try:
            try:
                if data := self.sock.recv(_HANDSHAKE):
                    secured.feed(data)
                else:
                    raise ConnectionResetError
            except BlockingIOError:
                pass
            is_done = False
            try:
                is_done = secured.shake_hands()
            finally:  # what is wrong the peer shall hear, too
                self._unsent += secured.to_send()
                if self._unsent:
                    try:
                        self._unsent = self._unsent[self.sock.send(self._unsent) :]
                    except BlockingIOError:
                        pass
            if not is_done or self._unsent:
                events = select.POLLIN | (select.POLLOUT if self._unsent else 0)
                self._driver.watch_for(self, events)
                return
        except OSError as error:
            if self._fiber.trap is not self.trap:  # cancelled by another thread, which closed it
                return
            self._is_over = True
            self._driver.unwatch(self)
            self.sock.close()
            self._fiber.wake(self.trap, None, tls_error(error, self._where()))
            return
        self._driver.unwatch(self)
        self._connected()

    # -- the end ----------------------------------------------------------------------------------

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
