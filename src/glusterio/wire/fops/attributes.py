"""Operations on attributes: STAT, SETATTR, ACCESS and STATFS.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

from typing import NamedTuple

from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import I32, I64, U32, U64, Gfid, IattField, Xdata


class StatRequest(NamedTuple):
    """Ask for the attributes of a file."""

    gfid: Gfid
    xdata: Xdata = None


class FstatRequest(NamedTuple):
    """Ask for the attributes of an open file."""

    gfid: Gfid
    fd: I64
    xdata: Xdata = None


class StatReply(NamedTuple):
    """What STAT, FSTAT and ICREATE answer."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    stat: IattField = ZERO_IATT


class SetattrRequest(NamedTuple):
    """Set those attributes of a file that ``valid`` names.

    ``valid`` holds :class:`~glusterio.wire.programs.SetattrValid`.
    """

    gfid: Gfid
    stat: IattField
    valid: I32
    xdata: Xdata = None


class FsetattrRequest(NamedTuple):
    """Set those attributes of an open file that ``valid`` names."""

    gfid: Gfid
    fd: I64
    stat: IattField
    valid: I32
    xdata: Xdata = None


class AccessRequest(NamedTuple):
    """Ask whether the caller may do what ``mask`` says: 4 read, 2 write, 1 execute."""

    gfid: Gfid
    mask: U32
    xdata: Xdata = None


class StatfsRequest(NamedTuple):
    """Ask for the state of the file system that holds a file."""

    gfid: Gfid
    xdata: Xdata = None


class Statfs(NamedTuple):
    """The state of a file system: the fields of ``statvfs``, as the brick's system tells them."""

    bsize: U64 = 0
    frsize: U64 = 0
    blocks: U64 = 0
    bfree: U64 = 0
    bavail: U64 = 0
    files: U64 = 0
    ffree: U64 = 0
    favail: U64 = 0
    fsid: U64 = 0
    flag: U64 = 0
    namemax: U64 = 0


class StatfsReply(NamedTuple):
    """The state of one brick's file system."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    statfs: Statfs = Statfs()
