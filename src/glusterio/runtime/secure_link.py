"""A link over TLS: as :class:`~glusterio.runtime.link.Link`, but what travels is encrypted.

It has Link's two locks, and what OpenSSL does happens under ``sending``: receiving, too, may have to
say something, and OpenSSL's connections are not for several threads at once. So ``receive`` waits for
bytes with ``receiving`` held alone, as there, and takes ``sending`` to decrypt them.

What is encrypted has left, as far as the connection knows: it cannot be taken back. So little is: a few
records at a time, and no more before the socket has taken them.

All that comes out of one receive is handed on by it: the poller knows nothing of what OpenSSL holds.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from typing import Final

from glusterio.errors import ConnectionLostError, RemoteProtocolError
from glusterio.rpc.connection import Connection
from glusterio.runtime.link import ALONE, NOT_WAITING, Link
from glusterio.runtime.secured import Secured, tls_error
from glusterio.traps import Reply

_NOT_NOW = (BlockingIOError, InterruptedError)
_AT_ONCE: Final = int(socket.MSG_DONTWAIT)
_ALL: Final = (0,)

#: So much is received at once, in bytes.
_BUFFER: Final = 256 * 1024


class SecureLink(Link):
    """A connected socket, the TLS on it, and the connection that speaks over it.

    Args:
        sock: the socket.
        connection: the connection.
        secured: the TLS, whose handshake is done.
    """

    __slots__ = ("_buffer", "_encrypted", "_secured")

    def __init__(self, sock: socket.socket, connection: Connection, secured: Secured) -> None:
        super().__init__(sock, connection)
        self._secured = secured
        self._buffer = memoryview(bytearray(_BUFFER))
        self._encrypted = memoryview(b"")  # and not sent yet

    def submit(self, reply: Reply) -> bool:
        with self.sending:
            self.connection.submit(reply)
            return True if self.wants_write else self._send()

    def _send_queued(self) -> None:
        while True:
            self._send_encrypted()
            self._encrypted = memoryview(self._secured.encrypt(self.connection))
            if not self._encrypted:
                return

    def _send_encrypted(self) -> None:
        while self._encrypted:
            count = self.sock.send(self._encrypted, _AT_ONCE)
            self._encrypted = self._encrypted[count:]

    def receive(
        self, how: tuple[int] = NOT_WAITING, reply: Reply | None = None
    ) -> list[Reply] | None:
        with self.receiving:
            if self.closed:
                return []
            connection = self.connection
            count = None
            try:
                # No interrupt comes in between here: see Link.receive().
                (count,) = map(self.sock.recv_into, (self._buffer,), _ALL, how)
                if count:
                    with self.sending:
                        replies = self._take(count, reply)
                        count = None  # what comes of it is in connection.came, too
                    return replies
            except _NOT_NOW:
                return None
            except RemoteProtocolError as error:
                return self._fail(error)
            except ssl.SSLError as error:
                self._say_why()
                return self._fail(tls_error(error, connection.name))
            except OSError as error:
                text = f"{connection.name}: {os.strerror(error.errno or 0)}"
                return self._fail(ConnectionLostError(text))
            except BaseException as interrupt:
                if count:
                    self._take_all_the_same(count, interrupt)
                raise
            with self.sending:
                return connection.eof()

    def _take(self, count: int, reply: Reply | None) -> list[Reply]:
        """Decrypt so many bytes that have come, and take what they hold."""
        connection, secured = self.connection, self._secured
        came: list[Reply] = []
        try:
            secured.feed(self._buffer[:count])
            while True:
                size = secured.read_into(connection.get_buffer())
                if size is None:
                    break
                if not size:
                    # No more will be sent: the requests that are left get no answer.
                    return came + connection.eof()
                if (
                    reply is not None
                    and not came
                    and not secured.may_hold_more
                    and connection.may_come_alone()
                    and connection.received_just(reply, size)
                ):
                    return ALONE
                came += connection.received(size)
                connection.came = came
        finally:
            if came and connection.came is not came:  # so that none is lost: see Connection.came
                connection.came = came + connection.came
        if secured.unsent and not self.wants_write and self._send():
            # It is about keys, and can wait for the next request or the next tick.
            self.wants_write = False
        return came

    def _look_at(self, count: int) -> None:
        with self.sending:
            self._take(count, None)

    _looking = (_take.__code__,)

    def _fail(self, error: Exception) -> list[Reply]:
        # Answers that came before it are handed out with those that fail.
        with self.sending:
            came = self.connection.came
            failed = self.connection.fail(error)
            self.connection.came = failed = [each for each in came if each not in failed] + failed
            return failed

    def _say_why(self) -> None:
        """Send the alert that tells the peer what was wrong."""
        with self.sending, contextlib.suppress(OSError):
            self._encrypted = memoryview(bytes(self._encrypted) + self._secured.to_send())
            self._send_encrypted()

    def close(self, error: Exception) -> list[Reply]:
        with self.receiving, self.sending:
            if not self.closed and not self._encrypted:
                self._secured.say_goodbye()
                self._say_why()
            return super().close(error)
