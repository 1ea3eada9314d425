"""Why a server will not have us: from its answer, or from how it ended the connection.

A server that says nothing and closes the connection, just when it was spoken to for the first time, may
speak TLS where we do not, or not speak it where we do. So it is asked once more, the other way:
the user shall hear which of the two it is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Final

from glusterio.errors import (
    AuthRejectedError,
    ConnectionLostError,
    HandshakeError,
    Refusal,
    RemoteProtocolError,
    TlsError,
    VolumeNotFoundError,
)
from glusterio.rpc.connection import Connection
from glusterio.traps import Connect, Linked, Reply, Tls, Within
from glusterio.wire.credentials import encode_none
from glusterio.wire.handshake import SetvolumeReply
from glusterio.wire.programs import DUMP, REFUSED_BY, DumpProc
from glusterio.wire.records import encode_call

Address = tuple[str, int] | str

#: What a first call can fail with, of which :func:`why_lost` may know more.
UNEXPLAINED: Final = (ConnectionLostError, RemoteProtocolError, TlsError)

#: How long a server is given to show what else it speaks, in seconds.
_PATIENCE: Final = 3.0

#: The same when it is connected to anew, which is tried again the later for it.
_BRIEFLY: Final = 0.3

#: What a refusal is about, and how it is told, where the brick says it in a word.
_TOLD: Final = {
    Refusal.ADDRESS.value: (
        Refusal.ADDRESS,
        "the address that we come from (auth.allow, auth.reject)",
    ),
    Refusal.LOGIN.value: (Refusal.LOGIN, "the user name and password"),
    Refusal.NAME.value: (Refusal.NAME, "the name in our certificate (auth.ssl-allow)"),
}


def refusal_of(
    reply: SetvolumeReply, where: str, options: Mapping[str, str], tls: Tls | None
) -> HandshakeError:
    """Return the error for a SETVOLUME that failed.

    A brick of GlusterFS says that authentication failed, and not whose. What it cannot have been, since
    we did not give it, is left out.

    Args:
        reply: what the brick says.
        where: where it is.
        options: the client translator's.
        tls: what the connection was secured with.
    """
    words = _text(reply.options.get("ERROR")) or os.strerror(reply.op_errno)
    code = reply.op_errno
    message = f"brick {where}: {words}"
    if code == errno.ENOENT:
        return VolumeNotFoundError(f"{message} ({options.get('remote-subvolume', '')})")
    if code in (errno.EACCES, errno.EPERM):
        told = _TOLD.get(_text(reply.options.get(REFUSED_BY)))
        if told is not None:
            return AuthRejectedError(f"{message}: it is {told[1]}", code, told[0])
        possible = [Refusal.ADDRESS.value]
        if tls is not None:
            possible.append(Refusal.NAME.value)  # a login does not count then
        elif options.get("username"):
            possible.append(Refusal.LOGIN.value)
        about = " or ".join(_TOLD[each][1] for each in possible)
        reason = Refusal.ADDRESS if len(possible) == 1 else Refusal.ACCESS
        hint = "; its log tells" if len(possible) > 1 else ""
        return AuthRejectedError(f"{message}: it is {about}{hint}", code, reason)
    return HandshakeError(message, code, _BY_ERRNO.get(code))


_BY_ERRNO: Final = {errno.EAGAIN: Refusal.NOT_READY, errno.EUSERS: Refusal.ROOM}


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    return "" if value is None else str(value)


async def why_lost(
    error: Exception,
    address: Address,
    connection: Connection,
    tls: Tls | None,
    again: bool = False,
) -> Exception:
    """Return what a first call's failure was really about.

    Args:
        error: what was raised by connecting, or by the call.
        address: where to.
        connection: the connection, which has ended.
        tls: what it was secured with.
        again: whether we had been connected there before.
    """
    where = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
    lost = connection.lost
    patience = _BRIEFLY if again else _PATIENCE
    if isinstance(error, TlsError):
        if error.reason is Refusal.TLS and await _speaks(address, None, patience):
            return _without_tls(where)
        return error
    if isinstance(error, RemoteProtocolError):
        return _with_tls(where) if tls is None and connection.looks_like_tls() else error
    if isinstance(lost, TlsError):  # an alert: who asks second is told first that all is well
        return lost
    if tls is not None:
        return TlsError(
            f"{where}: the connection was closed right after the TLS handshake: so does a server"
            " that does not accept our certificate, or wants one",
            reason=Refusal.OUR_CERTIFICATE,
        )
    if connection.holds_nothing() and await _speaks(address, Tls(anybody=True), patience):
        return _with_tls(where)
    return error


def _with_tls(where: str) -> TlsError:
    return TlsError(
        f"{where}: it speaks TLS, and we did not: the volfile has to say"
        " transport.socket.ssl-enabled, or connect() needs ssl=, an ssl.SSLContext, and a URL that"
        " begins with gluster+tls:// where it is the management daemon",
        reason=Refusal.TLS_WANTED,
    )


def _without_tls(where: str) -> TlsError:
    return TlsError(f"{where}: it does not speak TLS, and we did", reason=Refusal.TLS_UNKNOWN)


async def _speaks(address: Address, tls: Tls | None, patience: float) -> bool:
    """Tell whether a server speaks TLS, or without it RPC."""
    try:
        await Within(patience, _greet(address, tls))
    except TlsError as error:
        # Whoever complains in TLS speaks it: that we have no certificate, for instance.
        return error.reason in (Refusal.OUR_CERTIFICATE, Refusal.ITS_CERTIFICATE)
    except OSError:
        return False
    return True


async def _greet(address: Address, tls: Tls | None) -> None:
    connection = Connection("a server")
    async with Linked(connection):
        await Connect(address, connection, tls=tls)
        if tls is None:
            xid = connection.next_xid()
            await Reply(
                connection, xid, (encode_call(xid, *DUMP, DumpProc.PING, encode_none(), 0),)
            )
