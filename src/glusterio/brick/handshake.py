"""SETVOLUME: a client introduces itself to the brick.

The refusals are those of a GlusterFS 10 brick, in their order, with their errno and words
(tests/interop/test_handshake.py compares them); for being too many there is none there. A client from
a port that anybody can have, where that is not allowed, is denied as any call of its would be. Unlike
there, a volfile's checksum is nothing that could be wrong, an empty ``process-uuid`` is none, and two
connections with the same one share nothing.

Source: GlusterFS xlators/protocol/server/src/server-handshake.c (``server_setvolume``).
"""

from __future__ import annotations

import errno
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from glusterio.brick.access import Access
from glusterio.brick.clients import Client, Clients
from glusterio.brick.connection import Answer, CallDenied, Connection, SimpleProgram
from glusterio.brick.limits import Limits
from glusterio.brick.server import FopProgram
from glusterio.brick.subdir import ConfinedFops, find_directory
from glusterio.errors import Refusal
from glusterio.traps import Offload
from glusterio.types import ROOT_GFID
from glusterio.wire.dictionary import old_text
from glusterio.wire.handshake import (
    HANDSHAKE_CALLS,
    GetspecReply,
    GetspecRequest,
    PingReply,
    SetLkVerReply,
    SetLkVerRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.programs import (
    AUTH_REJECTED_CREDENTIAL,
    FOPS,
    HANDSHAKE,
    REFUSED_BY,
    RELEASES_COPIES,
    HandshakeProc,
)

log = logging.getLogger("glusterio.brick")

#: The version of the locks of a client, which has not meant anything for a long time.
LK_VERSION = "0"


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

    def __init__(self, number: int, reason: str, by: Refusal | None = None) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason
        self.by = by


class Handshake:
    """The handshake program of a brick.

    Args:
        offer: the brick.
        fops: its file operations, from which those are made for a client with a root of its own.
    """

    def __init__(self, offer: Offer, fops: FopProgram) -> None:
        self._offer = offer
        self._fops = fops
        self._uuid = str(uuid.uuid4())

    def program(self) -> SimpleProgram:
        """Return it as a program to be served."""
        calls = HANDSHAKE_CALLS
        ping = Answer(calls[HandshakeProc.PING], lambda *_: PingReply())
        return SimpleProgram(
            "GlusterFS Handshake",
            HANDSHAKE,
            {
                HandshakeProc.NULL: ping,
                HandshakeProc.SETVOLUME: Answer(calls[HandshakeProc.SETVOLUME], self._setvolume),
                HandshakeProc.GETSPEC: Answer(calls[HandshakeProc.GETSPEC], _getspec),
                HandshakeProc.PING: ping,
                HandshakeProc.SET_LK_VER: Answer(calls[HandshakeProc.SET_LK_VER], _set_lk_ver),
            },
        )

    async def _setvolume(self, connection: Connection, request: SetvolumeRequest) -> SetvolumeReply:
        options = {
            key: old_text(value) if isinstance(value, bytes) else str(value)
            for key, value in request.options.items()
        }
        endpoint = connection.endpoint
        if not self._offer.access.permits_port(endpoint.peer, endpoint.port):
            raise CallDenied(AUTH_REJECTED_CREDENTIAL)
        try:
            self._check(options)
            await self._check_access(connection, options)
            client = await self._client(connection, options)
            self._check_room(connection, client)
        except _Refusal as refusal:
            told = {"ERROR": refusal.reason}
            if refusal.by is not None:
                told[REFUSED_BY] = refusal.by.value
            log.info("%s: refused: %s", connection.name, ", ".join(told.values()))
            return SetvolumeReply(-1, refusal.number, dict(told))
        if connection.client is None and not connection.is_closed:
            connection.accept(client)
            self._offer.clients.add(client)
            if client.root != ROOT_GFID:
                connection.use(ConfinedFops(self._fops, client.root))
        # The errno of a success is what GlusterFS's own bricks send.
        return SetvolumeReply(
            0,
            errno.EINVAL,
            {
                "ERROR": "Success",
                "process-uuid": self._uuid,
                "volume-id": str(self._offer.volume_id),
                "child_up": "1",
                "clnt-lk-version": LK_VERSION,
                "transport-ptr": "1",
                RELEASES_COPIES: "1",
            },
        )

    # -- reasons to refuse, in the order of GlusterFS's -------------------------------------------

    def _check(self, options: Mapping[str, str]) -> None:
        """Look at what a client says of itself.

        Raises:
            _Refusal: it is not for this brick.
        """
        offer = self._offer
        wanted = options.get("remote-subvolume")
        if wanted is None:
            raise _Refusal(errno.EINVAL, "No remote-subvolume option specified")
        if not offer.ready:
            raise _Refusal(
                errno.EAGAIN, "xlator graph in server is not initialised yet. Try again later"
            )
        if not options.get("process-uuid"):
            raise _Refusal(errno.EINVAL, "UUID not specified")
        volume_id = options.get("volume-id")
        if volume_id and volume_id != str(offer.volume_id):
            raise _Refusal(
                errno.EINVAL,
                "Volume-ID different, possible case of same brick re-used in another volume",
            )
        fops, management = _number(options, "fops-version"), _number(options, "mgmt-version")
        if fops != FOPS.number:
            raise _Refusal(
                errno.EINVAL, f"version mismatch: client({fops}) - client-mgmt({management})"
            )
        if wanted != offer.path:
            raise _Refusal(errno.ENOENT, "Brick not found")

    async def _check_access(self, connection: Connection, options: Mapping[str, str]) -> None:
        """Look at where a client comes from, at its certificate, and at its login.

        Raises:
            _Refusal: it may not.
        """
        access, peer = self._offer.access, connection.endpoint.peer
        directory = _directory(options)
        if access.names_hosts:
            permitted = await Offload(access.permits_address, peer, directory)
        else:
            permitted = access.permits_address(peer, directory)
        login = options.get("username", ""), options.get("password", "")
        for good, by in (
            (permitted, Refusal.ADDRESS),
            (access.permits_certificate(connection.endpoint.certificate), Refusal.NAME),
            (access.permits_login(*login), Refusal.LOGIN),
        ):
            if not good:
                raise _Refusal(errno.EACCES, "Authentication failed", by)

    async def _client(self, connection: Connection, options: Mapping[str, str]) -> Client:
        """Return the client to be accepted.

        Raises:
            _Refusal: the directory that shall be its root is not there.
        """
        directory = _directory(options)
        try:
            root = await find_directory(self._fops.top, directory)
        except OSError:
            raise _Refusal(
                errno.ENOENT, f'subdirectory for mount "{directory}" is not found'
            ) from None
        return Client(
            options["process-uuid"],
            connection.name,
            address=connection.endpoint.peer,
            process_name=options.get("process-name", ""),
            directory=directory,
            root=root,
            connection=connection.connection,
        )

    def _check_room(self, connection: Connection, client: Client) -> None:
        """Look whether there may be one client more, or the same one again.

        Raises:
            _Refusal: there may not.
        """
        clients, limits = self._offer.clients, self._offer.limits
        before = connection.client
        if before is not None:
            if (before.uid, before.root) != (client.uid, client.root):
                raise _Refusal(errno.EINVAL, "the connection has another client already")
        elif len(clients) >= limits.connections:
            raise _Refusal(errno.EUSERS, f"{limits.connections} clients are connected already")
        elif clients.at(client.address) >= limits.connections_per_address:
            raise _Refusal(
                errno.EUSERS,
                f"{limits.connections_per_address} clients are connected from"
                f" {client.address} already",
            )


def _directory(options: Mapping[str, str]) -> str:
    """Return what the client wants for its root, written in one way only."""
    return "/" + "/".join(filter(None, options.get("subdir-mount", "").split("/")))


def _number(options: Mapping[str, str], key: str) -> int:
    try:
        return int(options.get(key, ""))
    except ValueError:
        return 0


def _getspec(connection: Connection, request: GetspecRequest) -> GetspecReply:
    """Refuse: it is the management daemon that has volfiles."""
    return GetspecReply(-1, errno.ENOSYS, "<this is a brick: ask the management daemon>")


def _set_lk_ver(connection: Connection, request: SetLkVerRequest) -> SetLkVerReply:
    return SetLkVerReply(0, 0, request.lk_ver)
