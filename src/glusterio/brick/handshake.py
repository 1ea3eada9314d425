"""SETVOLUME: who may use the brick.

Sources: GlusterFS xlators/protocol/server/src/server-handshake.c (``server_setvolume``),
xlators/protocol/auth/addr/src/addr.c, xlators/protocol/auth/login/src/login.c.
"""

from __future__ import annotations

import errno
import fnmatch
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glusterio.brick.clients import Client, Clients
from glusterio.brick.connection import Answer, Connection, SimpleProgram
from glusterio.brick.limits import Limits
from glusterio.wire.dictionary import old_text
from glusterio.wire.handshake import (
    HANDSHAKE_CALLS,
    PingReply,
    SetLkVerReply,
    SetLkVerRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.programs import FOPS, HANDSHAKE, HandshakeProc

#: The version of the locks of a client, which has not meant anything for a long time.
LK_VERSION = "0"


@dataclass(frozen=True)
class Access:
    """Who may use a brick.

    Attributes:
        allow: patterns of the addresses that may, ``192.168.1.*`` for instance.
        reject: patterns of those that may not; they count more.
        login: user name and password that have to be given, or ``None``.
    """

    allow: Sequence[str] = ("*",)
    reject: Sequence[str] = ()
    login: tuple[str, str] | None = field(default=None, repr=False)

    def permits_address(self, peer: str) -> bool:
        """Tell whether clients from an address may."""

        def matches(patterns: Sequence[str]) -> bool:
            return any(fnmatch.fnmatchcase(peer, pattern) for pattern in patterns)

        return matches(self.allow) and not matches(self.reject)

    def permits(self, peer: str, username: str, password: str) -> bool:
        """Tell whether a client may."""
        if not self.permits_address(peer):
            return False
        if self.login is None:
            return True
        given = f"{username}\0{password}".encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, "\0".join(self.login).encode())


@dataclass
class Offer:
    """What SETVOLUME is about: one brick.

    Attributes:
        path: its name, which is the path of its directory.
        volume_id: the id of its volume.
        access: who may use it.
        ready: whether its graph is up.
        limits: how many may be.
        clients: who has been accepted.
    """

    path: str
    volume_id: uuid.UUID
    access: Access
    ready: bool = False
    limits: Limits = field(default_factory=Limits)
    clients: Clients = field(default_factory=Clients)


class _Refusal(Exception):
    """Why a client is not accepted."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason


class Handshake:
    """The handshake program of a brick.

    Args:
        offer: the brick.
    """

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def program(self) -> SimpleProgram:
        """Return it as a program to be served."""
        calls = HANDSHAKE_CALLS
        return SimpleProgram(
            "GlusterFS Handshake",
            HANDSHAKE,
            {
                HandshakeProc.SETVOLUME: Answer(calls[HandshakeProc.SETVOLUME], self._setvolume),
                HandshakeProc.PING: Answer(calls[HandshakeProc.PING], lambda *_: PingReply()),
                HandshakeProc.SET_LK_VER: Answer(calls[HandshakeProc.SET_LK_VER], _set_lk_ver),
            },
        )

    def _setvolume(self, connection: Connection, request: SetvolumeRequest) -> SetvolumeReply:
        options = {
            key: old_text(value) if isinstance(value, bytes) else str(value)
            for key, value in request.options.items()
        }
        try:
            self._check(connection, options)
        except _Refusal as refusal:
            return SetvolumeReply(-1, refusal.number, {"ERROR": refusal.reason})
        uid = options["process-uuid"]
        client = Client(
            uid,
            connection.name,
            address=connection.endpoint.peer,
            process_name=options.get("process-name", ""),
            connection=connection.connection,
        )
        connection.accept(client)
        self._offer.clients.add(client)
        # The errno of a success is what GlusterFS's own bricks send.
        return SetvolumeReply(
            0,
            errno.EINVAL,
            {
                "ERROR": "Success",
                "process-uuid": uid,
                "volume-id": str(self._offer.volume_id),
                "child_up": "1",
                "clnt-lk-version": LK_VERSION,
                "transport-ptr": "1",
            },
        )

    def _check(self, connection: Connection, options: Mapping[str, str]) -> None:
        """Find a reason to refuse a client.

        Raises:
            _Refusal: there is one.
        """
        offer = self._offer
        wanted = options.get("remote-subvolume")
        if wanted is None:
            raise _Refusal(errno.EINVAL, "No remote-subvolume option specified")
        if wanted != offer.path:
            raise _Refusal(errno.ENOENT, f'remote-subvolume "{wanted}" is not found')
        if not offer.ready:
            raise _Refusal(errno.EAGAIN, "xlator graph init is not complete")
        if not options.get("process-uuid"):
            raise _Refusal(errno.EINVAL, "UUID not specified")
        if options.get("fops-version") != str(FOPS.number):
            raise _Refusal(
                errno.EINVAL,
                f"version mismatch: brick({FOPS.number}) client({options.get('fops-version')})",
            )
        volume_id = options.get("volume-id")
        if volume_id and volume_id != str(offer.volume_id):
            raise _Refusal(
                errno.ESTALE,
                "Volume-ID different, possible case of same brick re-used in another volume",
            )
        username, password = options.get("username", ""), options.get("password", "")
        if not offer.access.permits(connection.endpoint.peer, username, password):
            raise _Refusal(errno.EACCES, "Authentication failed")
        if options.get("subdir-mount", "/") != "/":
            raise _Refusal(errno.ENOTSUP, "subdir-mount is not supported")
        if connection.client is not None:
            raise _Refusal(errno.EINVAL, "the connection has a client already")
        limits, address = offer.limits, connection.endpoint.peer
        if len(offer.clients) >= limits.connections:
            raise _Refusal(errno.EUSERS, f"{limits.connections} clients are connected already")
        if offer.clients.at(address) >= limits.connections_per_address:
            raise _Refusal(
                errno.EUSERS,
                f"{limits.connections_per_address} clients are connected from {address} already",
            )


def _set_lk_ver(connection: Connection, request: SetLkVerRequest) -> SetLkVerReply:
    return SetLkVerReply(0, 0, request.lk_ver)
