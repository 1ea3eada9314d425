"""The small management daemon: what clients ask glusterd before they talk to a brick.

It knows one volume. GETSPEC gives the volfile, PORTBYBRICK the brick's port.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-handshake.c, glusterd-pmap.c.
"""

from __future__ import annotations

import errno
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from glusterio.brick.connection import Answer, Connection, Programs, SimpleProgram
from glusterio.brick.volfiles import client_volfile
from glusterio.wire.dictionary import old_text
from glusterio.wire.handshake import (
    HANDSHAKE_CALLS,
    PORTMAP_CALLS,
    BrickByPortReply,
    BrickByPortRequest,
    EventNotifyReply,
    GetspecReply,
    GetspecRequest,
    GetVolumeInfoReply,
    GetVolumeInfoRequest,
    PingReply,
    PortByBrickReply,
    PortByBrickRequest,
)
from glusterio.wire.programs import HANDSHAKE, PORTMAP, HandshakeProc, PortmapProc
from glusterio.wire.xdr import raw

#: Where glusterd listens.
MANAGEMENT_PORT = 24007

#: Addresses that mean "all of this machine's".
_ANY = frozenset({"", "0.0.0.0", "::"})


@dataclass
class Volume:
    """A volume of one brick.

    Attributes:
        name: its name.
        path: the path of the brick's directory, which names the brick.
        host: the address on which it listens.
        volume_id: its id.
        port: the brick's port; 0 while it does not run.
        management_port: the port on which this is told.
        ping_timeout: what clients are told, in seconds.
        login: what clients are told to log in with.
    """

    name: str
    path: str
    host: str
    volume_id: uuid.UUID
    port: int = 0
    management_port: int = 0
    ping_timeout: int = 42
    login: tuple[str, str] | None = field(default=None, repr=False)


class Management:
    """Answers for a volume.

    Args:
        volume: the volume.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    def programs(self) -> Programs:
        """Return the programs to be served."""
        handshake: dict[HandshakeProc, Callable[[Connection, Any], Any]] = {
            HandshakeProc.GETSPEC: self._getspec,
            HandshakeProc.PING: lambda *_: PingReply(),
            HandshakeProc.EVENT_NOTIFY: lambda *_: EventNotifyReply(),
            HandshakeProc.GET_VOLUME_INFO: self._get_volume_info,
        }
        portmap: dict[PortmapProc, Callable[[Connection, Any], Any]] = {
            PortmapProc.PORTBYBRICK: self._port_by_brick,
            PortmapProc.BRICKBYPORT: self._brick_by_port,
        }
        return Programs(
            [
                SimpleProgram(
                    "GlusterFS Handshake",
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

    def _getspec(self, connection: Connection, request: GetspecRequest) -> GetspecReply:
        volume = self._volume
        if request.key.strip("/") != volume.name:
            return GetspecReply(-1, errno.ENOENT)
        local = connection.endpoint.local
        host = local if volume.host in _ANY and local else volume.host
        spec = client_volfile(
            volume.name,
            "127.0.0.1" if host in _ANY else host,
            volume.path,
            port=0 if volume.management_port == MANAGEMENT_PORT else volume.port,
            ping_timeout=volume.ping_timeout,
            login=volume.login,
        )
        return GetspecReply(len(raw(spec)), 0, spec)

    def _get_volume_info(
        self, connection: Connection, request: GetVolumeInfoRequest
    ) -> GetVolumeInfoReply:
        name = request.options.get("volname", b"")
        if not isinstance(name, bytes) or old_text(name) != self._volume.name:
            return GetVolumeInfoReply(-1, errno.ENOENT, "Volume does not exist")
        return GetVolumeInfoReply(0, 0, "", {"volume_id": str(self._volume.volume_id)})

    def _port_by_brick(
        self, connection: Connection, request: PortByBrickRequest
    ) -> PortByBrickReply:
        if request.brick != self._volume.path or not self._volume.port:
            return PortByBrickReply(-1, errno.ENOENT)
        return PortByBrickReply(0, 0, 0, self._volume.port)

    def _brick_by_port(
        self, connection: Connection, request: BrickByPortRequest
    ) -> BrickByPortReply:
        if not self._volume.port or request.port != self._volume.port:
            return BrickByPortReply(-1, errno.ENOENT)
        return BrickByPortReply(0, 0, 0, self._volume.path)
