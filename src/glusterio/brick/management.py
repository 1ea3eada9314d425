"""The small management daemon: what clients ask glusterd before they talk to a brick.

GETSPEC gives a volume's volfile, PORTBYBRICK the port of a brick. Whoever has asked for a volfile is
told when it changes (FETCHSPEC), as long as the connection lasts. Refusals are glusterd's, down to
where it puts the errno; where glusterd makes a slip the answer here is the one that it means: a name
that is too long is refused with -1, and BRICKBYPORT is answered at all.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-handshake.c (``__server_getspec``,
``build_volfile_path``, ``__server_get_volume_info``), glusterd-pmap.c, and a glusterd 10.3 asked by
tests/interop/test_management.py.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

from glusterio.brick.connection import Answer, Connection, Programs, SimpleProgram
from glusterio.brick.volume import NAME_MAX, Volume
from glusterio.wire.dictionary import OldValue, old_text
from glusterio.wire.handshake import (
    HANDSHAKE_CALLS,
    PORTMAP_CALLS,
    BrickByPortReply,
    BrickByPortRequest,
    EventNotifyReply,
    EventNotifyRequest,
    GetSnapshotInfoReply,
    GetSnapshotInfoRequest,
    GetspecReply,
    GetspecRequest,
    GetVolumeInfoReply,
    GetVolumeInfoRequest,
    PingReply,
    PortByBrickReply,
    PortByBrickRequest,
    SigninReply,
    SigninRequest,
    SignoutReply,
    SignoutRequest,
)
from glusterio.wire.programs import HANDSHAKE, PORTMAP, HandshakeProc, PortmapProc
from glusterio.wire.xdr import raw

#: Where glusterd listens.
MANAGEMENT_PORT: Final = 24007

#: The operating version that a client must have to use a volume, as with glusterd that of a volume
#: without special features; a client that tells none has version 1.
CLIENT_OP_VERSION: Final = 2

#: GETSPEC's flag: tell where volfiles can be had.
_SERVER_LIST: Final = 1

#: GET_VOLUME_INFO's flag: tell the volume's id.
_VOLUME_ID: Final = 1


class Management:
    """Answers for volumes.

    Args:
        volumes: the volumes by name; may change.

    Attributes:
        port: where it listens; known once it does.
    """

    def __init__(self, volumes: Mapping[str, Volume]) -> None:
        self.port = 0
        self._volumes = volumes
        self._interested: dict[Connection, set[str]] = {}

    def programs(self) -> Programs:
        """Return the programs to be served."""
        handshake: dict[HandshakeProc, Callable[[Connection, Any], Any]] = {
            HandshakeProc.GETSPEC: self._getspec,
            HandshakeProc.PING: lambda *_: PingReply(),
            HandshakeProc.EVENT_NOTIFY: self._event_notify,
            HandshakeProc.GET_VOLUME_INFO: self._get_volume_info,
            HandshakeProc.GET_SNAPSHOT_INFO: self._get_snapshot_info,
        }
        portmap: dict[PortmapProc, Callable[[Connection, Any], Any]] = {
            PortmapProc.PORTBYBRICK: self._port_by_brick,
            PortmapProc.BRICKBYPORT: self._brick_by_port,
            PortmapProc.SIGNIN: self._signin,
            PortmapProc.SIGNOUT: self._signout,
        }
        return Programs(
            [
                SimpleProgram(
                    "Gluster Handshake",
                    HANDSHAKE,
                    {one: Answer(HANDSHAKE_CALLS[one], handshake[one]) for one in handshake},
                ),
                SimpleProgram(
                    "Gluster Portmap",
                    PORTMAP,
                    {each: Answer(PORTMAP_CALLS[each], portmap[each]) for each in portmap},
                ),
            ]
        )

    # -- who wants to hear of changes -------------------------------------------------------------

    def interested(self, volume: str) -> list[Connection]:
        """Return the clients that have asked for a volume's volfile."""
        return [each for each, volumes in self._interested.items() if volume in volumes]

    async def forget(self, connection: Connection) -> None:
        """A client has gone."""
        self._interested.pop(connection, None)

    # -- volfiles ---------------------------------------------------------------------------------

    def _getspec(self, connection: Connection, request: GetspecRequest) -> GetspecReply:
        if len(raw(request.key)) >= NAME_MAX:
            return GetspecReply(-1, errno.EINVAL)
        if not _is_sound(request.options):
            return GetspecReply(-errno.ENOENT, errno.ENOENT)
        volume = self._volumes.get(request.key.removeprefix("/"))
        if volume is not None and not _supports(request.options):
            return GetspecReply(-1, errno.EOPNOTSUPP)
        spec, name = self._volfile(connection, request.key.removeprefix("/"))
        if not spec:
            return GetspecReply(-1, errno.ENOENT)
        self._interested.setdefault(connection, set()).add(name)
        options: dict[str, OldValue] = {}
        local = connection.endpoint.local
        if request.flags & _SERVER_LIST and local:
            host = f"[{local}]" if ":" in local else local
            options["servers-list"] = f"{host}:{self.port}"
        return GetspecReply(len(raw(spec)), 0, spec, options)

    def _volfile(self, connection: Connection, key: str) -> tuple[str, str]:
        """Return what a key means: a volfile, and whose; nothing when there is none.

        Keys are a volume's name, with ``.tcp`` behind it or without, and the name of a brick's own
        volfile: ``VOLUME.HOST.PATH``, with dashes for the slashes of the path.
        """
        volume = self._volumes.get(key) or self._volumes.get(key.removesuffix(".tcp"))
        if volume is not None:
            # GlusterFS's clients look for a portmapper on port 24007 if the volfile names no other,
            # and ask whatever portmapper they meet (client-handshake.c, server_has_portmap).
            port = 0 if self.port == MANAGEMENT_PORT else self.port
            return volume.volfile(connection.endpoint.local, port), volume.name
        for volume in self._volumes.values():
            dashed = volume.path.strip("/").replace("/", "-")
            if key.startswith(f"{volume.name}.") and key.endswith(f".{dashed}"):
                return volume.brick_volfile(), volume.name
        return "", ""

    # -- volumes ----------------------------------------------------------------------------------

    def _event_notify(
        self, connection: Connection, request: EventNotifyRequest
    ) -> EventNotifyReply:
        """Refuse: the only event that glusterd knows is about rebalancing."""
        return EventNotifyReply(-1)

    def _get_volume_info(
        self, connection: Connection, request: GetVolumeInfoRequest
    ) -> GetVolumeInfoReply:
        flags = _number(request.options, "flags")
        if flags is None:
            return GetVolumeInfoReply(-1, errno.ENOENT if request.options else errno.EINVAL)
        if not flags:
            return GetVolumeInfoReply(0, errno.ENOENT)
        volume = self._volumes.get(_text(request.options, "volname"))
        if volume is None or not flags & _VOLUME_ID:
            return GetVolumeInfoReply(-1, errno.EINVAL)
        # The errno of a success is what glusterd sends.
        return GetVolumeInfoReply(0, errno.ENOENT, "", {"volume_id": str(volume.volume_id)})

    def _get_snapshot_info(
        self, connection: Connection, request: GetSnapshotInfoRequest
    ) -> GetSnapshotInfoReply:
        if _text(request.options, "volname") not in self._volumes:
            return GetSnapshotInfoReply(-1, errno.EINVAL)
        return GetSnapshotInfoReply(0, errno.ENOENT, "", {"snap-count": "0"})

    # -- portmap ----------------------------------------------------------------------------------

    def _port_by_brick(
        self, connection: Connection, request: PortByBrickRequest
    ) -> PortByBrickReply:
        for volume in self._volumes.values():
            if volume.path == request.brick and volume.is_running:
                return PortByBrickReply(0, 0, 0, volume.port)
        return PortByBrickReply(-1)

    def _brick_by_port(
        self, connection: Connection, request: BrickByPortRequest
    ) -> BrickByPortReply:
        for volume in self._volumes.values():
            if volume.port == request.port and volume.is_running:
                return BrickByPortReply(0, 0, 0, volume.path)
        return BrickByPortReply(-1)

    def _signin(self, connection: Connection, request: SigninRequest) -> SigninReply:
        """Take note of a brick: only those of this daemon are known, and they need not say so."""
        for volume in self._volumes.values():
            if volume.path == request.brick and volume.port == request.port:
                return SigninReply()
        return SigninReply(-1, errno.EPERM)

    def _signout(self, connection: Connection, request: SignoutRequest) -> SignoutReply:
        """Do nothing: the bricks of this daemon are known to run as long as they do."""
        return SignoutReply()


# -- what a request's dictionary holds --------------------------------------------------------------


def _text(options: Mapping[str, OldValue], key: str) -> str:
    value = options.get(key, b"")
    return old_text(value) if isinstance(value, bytes) else str(value)


def _number(options: Mapping[str, OldValue], key: str) -> int | None:
    """Return a number; ``None`` when it is missing or none."""
    try:
        return int(_text(options, key))
    except ValueError:
        return None


def _is_sound(options: Mapping[str, OldValue]) -> bool:
    """Tell whether GETSPEC's dictionary may be as it is: empty, or with both versions."""
    wanted = ("min-op-version", "max-op-version")
    return not options or all(_number(options, key) is not None for key in wanted)


def _supports(options: Mapping[str, OldValue]) -> bool:
    """Tell whether a client has the operating version that volumes need."""
    least, most = _number(options, "min-op-version"), _number(options, "max-op-version")
    return (1 if least is None else least) <= CLIENT_OP_VERSION <= (1 if most is None else most)
