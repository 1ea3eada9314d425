"""Operations on open files but for their data: opening, flushing, releasing, resizing, seeking.

``fd`` is the number that the brick gave; :data:`~glusterio.wire.programs.ANONYMOUS_FD` stands for
"open it for me" in READ, WRITE, FSTAT, FSYNC and others.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

from typing import NamedTuple

from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import I32, I64, U32, U64, Gfid, IattField, Opaque, Xdata


class CommonReply(NamedTuple):
    """What operations answer that have nothing to tell but whether they worked."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None


class ChangedReply(NamedTuple):
    """A file's attributes before and after. WRITE tells the bytes written in ``op_ret``."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    prestat: IattField = ZERO_IATT
    poststat: IattField = ZERO_IATT


class NullReply(NamedTuple):
    """What the procedure 0 answers: its extra data is an opaque, a remnant of older versions."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Opaque = b""


class NullRequest(NamedTuple):
    """The procedure 0, which does nothing."""


class OpenRequest(NamedTuple):
    """Open a file. ``flags`` are :class:`~glusterio.wire.programs.OpenFlag`."""

    gfid: Gfid
    flags: U32
    xdata: Xdata = None


class OpenReply(NamedTuple):
    """The descriptor of OPEN and OPENDIR, good on this connection only."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    fd: I64 = 0


class FlushRequest(NamedTuple):
    """End the writing: what is deferred is written, the caller's POSIX locks are dropped."""

    gfid: Gfid
    fd: I64
    xdata: Xdata = None


class ReleaseRequest(NamedTuple):
    """Close a descriptor. The number is used again at once: a second RELEASE closes another's."""

    gfid: Gfid
    fd: I64
    xdata: Xdata = None


class FsyncRequest(NamedTuple):
    """Write a file to the disk; with ``datasync`` 1 its data only."""

    gfid: Gfid
    fd: I64
    datasync: U32 = 0
    xdata: Xdata = None


class TruncateRequest(NamedTuple):
    """Set the length of a file, in bytes."""

    gfid: Gfid
    length: U64
    xdata: Xdata = None


class FtruncateRequest(NamedTuple):
    """Set the length of an open file, in bytes."""

    gfid: Gfid
    fd: I64
    length: U64
    xdata: Xdata = None


class FallocateRequest(NamedTuple):
    """Reserve space; with ``flags`` 1 the file's size stays."""

    gfid: Gfid
    fd: I64
    flags: U32
    offset: U64
    size: U64
    xdata: Xdata = None


class DiscardRequest(NamedTuple):
    """Give space back, leaving a hole."""

    gfid: Gfid
    fd: I64
    offset: U64
    size: U64
    xdata: Xdata = None


class ZerofillRequest(NamedTuple):
    """Overwrite with zeros."""

    gfid: Gfid
    fd: I64
    offset: U64
    size: U64
    xdata: Xdata = None


class SeekRequest(NamedTuple):
    """Find the next data or hole. ``what`` is a :class:`~glusterio.wire.programs.SeekWhat`."""

    gfid: Gfid
    fd: I64
    offset: U64
    what: I32
    xdata: Xdata = None


class SeekReply(NamedTuple):
    """Where it is."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    offset: U64 = 0


class IpcRequest(NamedTuple):
    """Ask a translator for something of its own."""

    op: I32
    xdata: Xdata = None
