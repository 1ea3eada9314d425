"""TLS without a socket: what goes into a stream of bytes, and what comes out of one.

Both sides of the threads driver's and the server's TLS are made of it; asyncio has its own.
"""

from __future__ import annotations

import ssl
from typing import Any, Final, Protocol, cast

from glusterio.errors import Refusal, TlsError

#: Bytes of one record of TLS, at the most (RFC 8446, section 5.1): so many are encrypted at once.
RECORD: Final = 16384

#: So much is encrypted before it is sent, in bytes.
_AHEAD: Final = 8 * RECORD

Packet = bytes | bytearray | memoryview


class Source(Protocol):
    """What has something to send: either side's connection."""

    @property
    def has_data_to_send(self) -> bool:
        """Whether it has."""

    def data_to_send(self) -> list[Packet]:
        """Return what is to be sent next."""

    def sent(self, count: int) -> object:
        """Take note that so much of it was."""


#: What OpenSSL says when what comes is not TLS at all.
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
)

#: What a server says that does not like our certificate, in an alert (RFC 8446, section 6.2).
_ABOUT_OURS: Final = frozenset(
    {
        "BAD_CERTIFICATE",
        "UNSUPPORTED_CERTIFICATE",
        "CERTIFICATE_REVOKED",
        "CERTIFICATE_EXPIRED",
        "CERTIFICATE_UNKNOWN",
        "CERTIFICATE_REQUIRED",
        "UNKNOWN_CA",
        "ACCESS_DENIED",
        "NO_CERTIFICATE",
    }
)

_ALERT: Final = "_ALERT_"

#: What is said of a peer that ends the connection in the middle of the handshake.
CLOSED: Final = "the connection was closed in the middle of the TLS handshake"


class Secured:
    """One side of a TLS connection.

    Not for several threads at once: OpenSSL's connections are not.

    Args:
        context: what to secure it with.
        server_name: the server's name or address, for who connects.
        server_side: whether we are the one who is connected to.
    """

    __slots__ = ("_in", "_object", "_out")

    def __init__(
        self, context: ssl.SSLContext, server_name: str | None = None, server_side: bool = False
    ) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side, server_name)

    # -- what travels -----------------------------------------------------------------------------

    def feed(self, data: bytes | memoryview) -> None:
        """Take what has come."""
        self._in.write(data)

    def to_send(self) -> bytes:
        """Return what is to be sent next, and forget it."""
        return self._out.read()

    @property
    def unsent(self) -> int:
        """How many bytes :meth:`to_send` would return."""
        return self._out.pending

    # -- what is meant ----------------------------------------------------------------------------

    def shake_hands(self) -> bool:
        """Go on with the handshake; :meth:`to_send` holds what it says, also when it fails.

        Returns:
            Whether it is done.

        Raises:
            ssl.SSLError: it failed.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def peer(self) -> dict[str, object] | None:
        """Return the peer's certificate, as ``SSLObject.getpeercert`` does."""
        return self._object.getpeercert()  # type: ignore[return-value]

    def read_into(self, buffer: memoryview) -> int | None:
        """Decrypt what has come, a record at the most.

        Returns:
            How many bytes; 0 when the peer has said that there will be no more; ``None`` when there
            are none yet.

        Raises:
            ssl.SSLError: what came was not what the peer sent, or was an alert.
        """
        try:
            count: Any = self._object.read(len(buffer), buffer)
            return cast(int, count)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return 0

    @property
    def may_hold_more(self) -> bool:
        """Whether there may be more to decrypt than was read."""
        return bool(self._in.pending or self._object.pending())

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Encrypt data, of which the first :data:`RECORD` bytes at least are taken.

        Returns:
            How many bytes of it.

        Raises:
            ssl.SSLError: the connection is over; or the peer wants to negotiate it anew, which nobody
                does (``SSLWantReadError``).
        """
        return self._object.write(data)

    def encrypt(self, source: Source) -> bytes:
        """Encrypt some of what a connection has to send; return that, and what else is to be sent.

        Raises:
            ssl.SSLError: as :meth:`write`.
        """
        while source.has_data_to_send and self._out.pending < _AHEAD:
            data = _first(source.data_to_send())
            source.sent(self.write(data) if data else 0)
        return self._out.read()

    def say_goodbye(self) -> None:
        """Say that no more will be sent, if that can be said."""
        try:
            self._object.unwrap()
        except (
            ssl.SSLError,
            ValueError,
        ):  # the peer has not said so yet; or there was no handshake
            pass


def _first(buffers: list[Packet]) -> Packet:
    """Return the first bytes of some buffers: a record full of them, if there are so many."""
    size = 0
    for number, each in enumerate(buffers):
        size += len(each)
        if size >= RECORD:
            if not number:
                return memoryview(each)[:RECORD]
            taken = buffers[: number + 1]
            return b"".join(taken)[:RECORD] if size - len(each) else memoryview(each)[:RECORD]
    return buffers[0] if len(buffers) == 1 else b"".join(buffers)


def tls_error(error: Exception, who: str) -> TlsError:
    """Return the error for a handshake, or a connection, that came to nothing; it says who did not
    like what.

    Args:
        error: what was raised.
        who: who the peer is.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        return _made(
            error, f"{who}: its certificate is not accepted: {said}", Refusal.ITS_CERTIFICATE
        )
    if not isinstance(error, OSError):
        return _made(error, f"{who}: {error}", Refusal.TLS)
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return _made(error, f"{who}: {CLOSED}", Refusal.TLS)
    reason = error.reason or str(error)
    words = reason.replace("_", " ").lower()
    if reason in _NOT_TLS:
        return _made(error, f"{who}: it does not speak TLS ({words})", Refusal.TLS_UNKNOWN)
    _, alert, about = reason.rpartition(_ALERT)
    if not alert:
        return _made(error, f"{who}: no TLS with it: {words}", Refusal.TLS)
    about = about.replace("_", " ").lower()
    if about == "handshake failure":  # an alert of few words: there is hardly anything else
        about += ": as a rule there is no cipher in common"
    if about.upper().replace(" ", "_") in _ABOUT_OURS:
        what = "it does not accept our certificate"
        return _made(error, f"{who}: {what}: {about}", Refusal.OUR_CERTIFICATE)
    return _made(error, f"{who}: it refuses TLS with us: {about}", Refusal.TLS)


def _made(cause: Exception, message: str, reason: Refusal) -> TlsError:
    made = TlsError(message, reason=reason)
    made.__cause__ = cause
    return made
