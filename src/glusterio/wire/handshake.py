"""What is spoken beside the file operations: with glusterd, and with a brick before the first fop.

Three programs: ``HANDSHAKE``, ``PORTMAP`` and ``DUMP`` of :mod:`glusterio.wire.programs`. As with
the file operations, ``op_errno`` means nothing when ``op_ret`` is not negative; SETVOLUME for one
succeeds with 22 in it.

Sources: GlusterFS rpc/xdr/src/glusterfs3-xdr.x, rpc/xdr/src/portmap-xdr.x,
rpc/xdr/src/rpc-common-xdr.x.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from glusterio.wire.dictionary import OldValue
from glusterio.wire.messages import I32, U32, U64, Linked, OldDict, Opaque, Str
from glusterio.wire.programs import DumpProc, HandshakeProc, PortmapProc

_EMPTY: Final[Mapping[str, OldValue]] = MappingProxyType({})


class SetvolumeRequest(NamedTuple):
    """Ask a brick to serve this connection.

    ``options`` must hold ``remote-subvolume`` (the brick's path), ``process-uuid`` (no other
    connection's, for the brick keys descriptors and locks by it) and ``fops-version`` (the number
    of the program of file operations). ``username`` and ``password`` are the volfile's;
    ``subdir-mount`` makes a directory the root.
    """

    options: OldDict


class SetvolumeReply(NamedTuple):
    """Whether the brick will: ``options`` hold ``ERROR`` in words, and ``child_up``."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    options: OldDict = _EMPTY


class GetspecRequest(NamedTuple):
    """Ask glusterd for a volfile. ``key`` is the volume's name, or what else names a volfile.

    ``options`` hold ``min-op-version`` and ``max-op-version``.
    """

    flags: U32
    key: Str
    options: OldDict = _EMPTY


class GetspecReply(NamedTuple):
    """The volfile; ``op_ret`` is its length in bytes."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    spec: Str = ""
    options: OldDict = _EMPTY


class PingRequest(NamedTuple):
    """Ask whether the server lives: PING of the programs ``HANDSHAKE`` and ``DUMP``."""


class PingReply(NamedTuple):
    """It lives."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Opaque = b""


class SetLkVerRequest(NamedTuple):
    """Tell the version of the client's locks, a remnant of a recovery that bricks do not do."""

    uid: Str
    lk_ver: I32


class SetLkVerReply(NamedTuple):
    """The version repeated."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    lk_ver: I32 = 0


class EventNotifyRequest(NamedTuple):
    """Tell glusterd of an event in the client."""

    op: I32
    options: OldDict = _EMPTY


class EventNotifyReply(NamedTuple):
    """Heard."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    options: OldDict = _EMPTY


class GetVolumeInfoRequest(NamedTuple):
    """Ask glusterd about a volume."""

    options: OldDict


class GetVolumeInfoReply(NamedTuple):
    """What glusterd knows, or why not, in words."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    error: Str = ""
    options: OldDict = _EMPTY


class GetSnapshotInfoRequest(NamedTuple):
    """Ask glusterd for the snapshots of a volume."""

    options: OldDict


class GetSnapshotInfoReply(NamedTuple):
    """What glusterd knows, or why not, in words."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    error: Str = ""
    options: OldDict = _EMPTY


class PortByBrickRequest(NamedTuple):
    """Ask glusterd on which port the brick with this path listens."""

    brick: Str


class PortByBrickReply(NamedTuple):
    """The port; 0, or a failure, when the brick does not run."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    status: I32 = 0
    port: I32 = 0


class BrickByPortRequest(NamedTuple):
    """Ask glusterd which brick listens on a port."""

    port: I32


class BrickByPortReply(NamedTuple):
    """The brick's path."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    status: I32 = 0
    brick: Str = ""


class SigninRequest(NamedTuple):
    """A brick tells glusterd where it listens."""

    brick: Str
    port: I32
    pid: I32


class SigninReply(NamedTuple):
    """Noted."""

    op_ret: I32 = 0
    op_errno: I32 = 0


class SignoutRequest(NamedTuple):
    """A brick tells glusterd that it stops."""

    brick: Str
    port: I32
    rdma_port: I32


class SignoutReply(NamedTuple):
    """Noted."""

    op_ret: I32 = 0
    op_errno: I32 = 0


class DumpRequest(NamedTuple):
    """Ask a server which programs it offers. ``id`` is any number."""

    id: U64


class ProgramDetail(NamedTuple):
    """One program in one version."""

    name: Str
    number: U64
    version: U64


Programs: TypeAlias = Annotated[tuple[ProgramDetail, ...], Linked()]


class DumpReply(NamedTuple):
    """The programs that a server offers, behind the number it was asked with.

    The one reply that does not begin with ``op_ret``.
    """

    id: U64 = 0
    op_ret: I32 = 0
    op_errno: I32 = 0
    programs: Programs = ()


class CallSpec(NamedTuple):
    """The request and the reply of one procedure."""

    request_class: type[Any]
    reply_class: type[Any]


HANDSHAKE_CALLS: Final[dict[HandshakeProc, CallSpec]] = {
    HandshakeProc.SETVOLUME: CallSpec(SetvolumeRequest, SetvolumeReply),
    HandshakeProc.GETSPEC: CallSpec(GetspecRequest, GetspecReply),
    HandshakeProc.PING: CallSpec(PingRequest, PingReply),
    HandshakeProc.SET_LK_VER: CallSpec(SetLkVerRequest, SetLkVerReply),
    HandshakeProc.EVENT_NOTIFY: CallSpec(EventNotifyRequest, EventNotifyReply),
    HandshakeProc.GET_VOLUME_INFO: CallSpec(GetVolumeInfoRequest, GetVolumeInfoReply),
    HandshakeProc.GET_SNAPSHOT_INFO: CallSpec(GetSnapshotInfoRequest, GetSnapshotInfoReply),
}

PORTMAP_CALLS: Final[dict[PortmapProc, CallSpec]] = {
    PortmapProc.PORTBYBRICK: CallSpec(PortByBrickRequest, PortByBrickReply),
    PortmapProc.BRICKBYPORT: CallSpec(BrickByPortRequest, BrickByPortReply),
    PortmapProc.SIGNIN: CallSpec(SigninRequest, SigninReply),
    PortmapProc.SIGNOUT: CallSpec(SignoutRequest, SignoutReply),
}

DUMP_CALLS: Final[dict[DumpProc, CallSpec]] = {
    DumpProc.DUMP: CallSpec(DumpRequest, DumpReply),
    DumpProc.PING: CallSpec(PingRequest, PingReply),
}
