"""READ, WRITE and their kin: the operations with file data behind the message.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

from typing import NamedTuple

from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import (
    I32,
    I64,
    U32,
    U64,
    Gfid,
    IattField,
    Opaque,
    Str,
    TailSize,
    Xdata,
)


class ReadRequest(NamedTuple):
    """Read ``size`` bytes at ``offset``."""

    gfid: Gfid
    fd: I64
    offset: U64
    size: U32
    flag: U32 = 0
    xdata: Xdata = None


class ReadReply(NamedTuple):
    """How much was read; the data follows. ``op_errno`` ENOENT on success means that the file ends.

    The only reply whose attributes come before its extra data.
    """

    op_ret: I32 = 0
    op_errno: I32 = 0
    stat: IattField = ZERO_IATT
    size: TailSize = 0
    xdata: Xdata = None


class WriteRequest(NamedTuple):
    """Write ``size`` bytes at ``offset``; the data follows."""

    gfid: Gfid
    fd: I64
    offset: U64
    size: TailSize
    flag: U32 = 0
    xdata: Xdata = None


class PutRequest(NamedTuple):
    """Make a whole file of ``size`` bytes; the data follows. GlusterFS 10 refuses it."""

    pargfid: Gfid
    name: Str
    mode: U32
    umask: U32
    flag: U32
    offset: U64
    size: TailSize
    xattrs: Xdata = None
    xdata: Xdata = None


class CopyFileRangeRequest(NamedTuple):
    """Copy ``size`` bytes from one open file to another on the brick."""

    gfid_in: Gfid
    gfid_out: Gfid
    fd_in: I64
    fd_out: I64
    offset_in: U64
    offset_out: U64
    size: U32
    flag: U32 = 0
    xdata: Xdata = None


class RchecksumRequest(NamedTuple):
    """Ask for the checksums of ``length`` bytes at ``offset``."""

    gfid: Gfid
    fd: I64
    offset: U64
    length: U32
    flags: U32 = 0
    xdata: Xdata = None


class RchecksumReply(NamedTuple):
    """A weak checksum and a strong one."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    flags: U32 = 0
    weak: U32 = 0
    strong: Opaque = b""
