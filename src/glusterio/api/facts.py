"""What a session knows of its volume and of itself."""

from __future__ import annotations

import errno
import uuid
from typing import TYPE_CHECKING, Any, Final

from glusterio.api import live
from glusterio.api.metrics import metrics
from glusterio.errors import HandshakeError, fs_error
from glusterio.graph.frame import Frame
from glusterio.rpc.connection import Connection
from glusterio.traps import Connect, Linked
from glusterio.types import ROOT_GFID
from glusterio.wire.fops.xattrs import GetxattrRequest
from glusterio.wire.handshake import GetVolumeInfoReply, GetVolumeInfoRequest
from glusterio.wire.programs import HANDSHAKE, HandshakeProc
from glusterio.xlators.client.handshake import ask

if TYPE_CHECKING:
    from glusterio.api.core import Core
from glusterio.api.url import Target

#: Where a brick keeps its volume's id: on its root.
_ATTRIBUTE: Final = "trusted.glusterfs.volume-id"

#: GET_VOLUME_INFO's flag: tell the volume's id (glusterfs/api: glfs-mgmt.c, ``GF_GET_VOLUME_UUID``).
_VOLUME_ID: Final = 1


async def volume_id(core: Core, frame: Frame) -> uuid.UUID:
    """Return the volume's id: from its management daemon, or where there is none from a brick.

    Source: GlusterFS api/src/glfs-mgmt.c (``glfs_get_volume_info_rpc``).

    Raises:
        OSError: ENODATA: nobody knows one; or no daemon answers.
    """
    if core.volume_id is None:
        told = await (_from_servers(core) if core.target.servers else _from_brick(core, frame))
        core.volume_id = told
    return core.volume_id


async def _from_servers(core: Core) -> uuid.UUID:
    failure: OSError = fs_error(errno.ENODATA)
    for server in core.target.servers:
        try:
            return await _from_server(server, core.target)
        except OSError as error:
            failure = error
    raise failure


async def _from_server(server: tuple[str, int] | str, target: Target) -> uuid.UUID:
    volume = target.volume
    where = server if isinstance(server, str) else f"{server[0]}:{server[1]}"
    connection = Connection(f"management daemon {where}")
    async with Linked(connection):
        try:
            await Connect(server, connection, tls=target.management_tls())
            options: dict[str, str] = {"flags": str(_VOLUME_ID), "volname": volume}
            reply = await ask(
                connection,
                HANDSHAKE,
                HandshakeProc.GET_VOLUME_INFO,
                GetVolumeInfoRequest(options),
                GetVolumeInfoReply,
            )
            if reply.op_ret < 0:
                raise HandshakeError(f"{where}: nothing about {volume!r}", reply.op_errno)
            told = reply.options.get("volume_id", b"")
            text = told if isinstance(told, str) else bytes(told).rstrip(b"\0").decode("ascii")
            return uuid.UUID(text)
        except ValueError as error:
            raise OSError(errno.EIO, f"{where}: no volume id: {error}") from None


async def _from_brick(core: Core, frame: Frame) -> uuid.UUID:
    request = GetxattrRequest(ROOT_GFID, len(_ATTRIBUTE), _ATTRIBUTE)
    value = ((await core.top.getxattr(frame, request)).xattrs or {}).get(_ATTRIBUTE)
    if not isinstance(value, bytes) or len(value) != 16:
        raise fs_error(errno.ENODATA)
    return uuid.UUID(bytes=value)


def statedumps() -> list[dict[str, Any]]:
    """Tell what goes on in all sessions of this process; see :meth:`glusterio.Volume.statedump`."""
    return [statedump(session.core) for session in live.sessions()]


def statedump(core: Core) -> dict[str, Any]:
    """Tell what goes on in a session: plain values, as JSON can hold them.

    Nothing waits for it and nothing is stopped, so that it can be asked for at any time, of a session
    that hangs, too; what it tells of several things may be of slightly different times.

    Returns:
        ``volume``, ``url``, ``state``; lists: ``calls`` (what is under way), ``handles``, ``objects``;
        ``inodes``: how many are known; ``references``: who holds them; ``calls_admitted`` since the
        beginning; ``metrics``: see :class:`glusterio.metrics.Metrics`; ``translators``: what
        each counts.
    """
    session = core.session
    return {
        "volume": session.name,
        "url": core.target.url,
        "state": session.state.name.lower(),
        "calls_admitted": session.calls_admitted,
        "calls": [
            {
                "number": call.number,
                "operation": call.op,
                "handle": call.handle.number if call.handle is not None else None,
            }
            for call in session.calls_under_way()
        ],
        "handles": [
            {
                "number": handle.number,
                "kind": handle.kind.value,
                "path": handle.path,
                "gfid": str(uuid.UUID(bytes=handle.fd.gfid)) if handle.fd is not None else None,
                "state": handle.state.name.lower(),
                "calls": handle.refs,
                "opened_at": handle.opened_at,
            }
            for handle in session.handles()
        ],
        "objects": [
            {
                "number": pin.number,
                "path": pin.path,
                "gfid": str(uuid.UUID(bytes=pin.gfid)),
                "opened_at": pin.opened_at,
            }
            for pin in core.pins.all()
        ],
        "inodes": len(core.inodes),
        "references": core.inodes.check(),
        "metrics": metrics(core).as_dict(),
        "translators": [
            {"name": xlator.name, "type": xlator.xlator_type, **xlator.counts()}
            for graph in core.graphs
            for xlator in graph.xlators
        ],
    }
