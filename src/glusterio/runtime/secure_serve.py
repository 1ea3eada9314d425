"""A client of a server that speaks TLS.

Its first byte says whether it does: a record of TLS begins otherwise than one of RPC. Who begins in the
clear is turned away, unless he need not: the management daemon serves both.
"""

from __future__ import annotations

import logging
import socket
import ssl
from typing import Any, Final

from glusterio.errors import RemoteProtocolError
from glusterio.runtime.certificates import name_in
from glusterio.runtime.secured import Secured, tls_error
from glusterio.runtime.serve import Served

log = logging.getLogger("glusterio.serve")

#: The first byte of a handshake of TLS (RFC 8446, section 5.1).
_HANDSHAKE: Final = b"\x16"

#: So much is received at once, in bytes.
_BUFFER: Final = 128 * 1024


class SecureServed(Served):
    """One client's socket, and the TLS on it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        tls = self.server.tls
        assert tls is not None
        self._tls = tls
        self._secured: Secured | None = None
        self._is_plain = False
        self._is_secure = False  # the handshake is done
        self._encrypted = memoryview(b"")  # and not sent yet
        self._goes_on = False

    # -- receiving --------------------------------------------------------------------------------

    def _readable(self) -> None:
        if self._is_plain:
            super()._readable()
            return
        try:
            if self._secured is None:
                self._begin()
                return
            data = self.sock.recv(_BUFFER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if not data:
            self.close()
            return
        self._secured.feed(data)
        self._take(self._secured)

    def _begin(self) -> None:
        """Look what the client speaks."""
        first = self.sock.recv(1, socket.MSG_PEEK)
        if first == _HANDSHAKE:
            self._secured = Secured(self._tls.context, server_side=True)
        elif self._tls.required and first:
            log.warning("%s: it does not speak TLS, which is wanted here", self.connection.name)
            self.close()
            return
        else:
            self._is_plain = True
        self._readable()

    def _take(self, secured: Secured) -> None:
        """Decrypt what has come, and take the requests in it, as long as there is room."""
        connection = self.connection
        try:
            if not self._is_secure:
                self._is_secure = secured.shake_hands()
                if self._is_secure:
                    self.session.identified(name_in(secured.peer()))
            while self._is_secure and connection.wants_data:
                count = secured.read_into(connection.get_buffer())
                if count is None:
                    break
                if not count:
                    self.close()
                    return
                connection.now = self.server.loop.time()
                connection.received(count)
                super()._advance()
                if not self.is_open:
                    return
        except RemoteProtocolError as error:
            self._end(error)
            return
        except ssl.SSLError as error:
            log.warning("%s", tls_error(error, self.connection.name).args[-1])
            self._flush()  # an alert, that tells the client why
            self.close()
            return
        self._flush()

    def _advance(self) -> None:
        super()._advance()
        # What was decrypted no later byte would announce.
        secured = self._secured
        if secured is None or not (self._is_secure and self.is_open) or self._goes_on:
            return
        if self.connection.wants_data and secured.may_hold_more:
            self._goes_on = True
            self.server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._goes_on = False
        if self.is_open and self._secured is not None:
            self._take(self._secured)

    # -- sending ----------------------------------------------------------------------------------

    def _flush(self) -> None:
        secured = self._secured
        if secured is None:
            super()._flush()
            return
        if not self.is_open or self._writing:
            return
        try:
            while True:
                while self._encrypted:
                    count = self.sock.send(self._encrypted)
                    self._encrypted = self._encrypted[count:]
                sent = secured.encrypt(self.connection) if self._is_secure else secured.to_send()
                self._encrypted = memoryview(sent)
                if not sent:
                    return
        except (BlockingIOError, InterruptedError):
            self._writing = True
            self.server.loop.add_writer(self.sock, self._writable)
        except OSError:
            self.close()

    def close(self) -> None:
        if self.is_open and self._is_secure and not self._encrypted and self._secured is not None:
            self._secured.say_goodbye()
            try:
                self.sock.send(self._secured.to_send())
            except OSError:  # it hears of the end all the same
                pass
        super().close()
