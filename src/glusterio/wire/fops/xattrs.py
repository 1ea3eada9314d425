"""Operations on extended attributes.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

from typing import NamedTuple

from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import I32, I64, U32, Gfid, IattField, Str, Xdata


class SetxattrRequest(NamedTuple):
    """Set attributes. ``flags`` is 0, ``os.XATTR_CREATE`` or ``os.XATTR_REPLACE``."""

    gfid: Gfid
    flags: U32
    xattrs: Xdata
    xdata: Xdata = None


class FsetxattrRequest(NamedTuple):
    """Set attributes of an open file."""

    gfid: Gfid
    fd: I64
    flags: U32
    xattrs: Xdata
    xdata: Xdata = None


class GetxattrRequest(NamedTuple):
    """Ask for one attribute, or for all of them with ``namelen`` 0."""

    gfid: Gfid
    namelen: U32 = 0
    name: Str = ""
    xdata: Xdata = None


class FgetxattrRequest(NamedTuple):
    """Ask for one attribute of an open file, or for all of them with ``namelen`` 0."""

    gfid: Gfid
    fd: I64
    namelen: U32 = 0
    name: Str = ""
    xdata: Xdata = None


class RemovexattrRequest(NamedTuple):
    """Remove an attribute."""

    gfid: Gfid
    name: Str
    xdata: Xdata = None


class FremovexattrRequest(NamedTuple):
    """Remove an attribute of an open file."""

    gfid: Gfid
    fd: I64
    name: Str
    xdata: Xdata = None


class XattropRequest(NamedTuple):
    """Change arrays of counters. ``op`` is a :class:`~glusterio.wire.programs.XattropFlag`."""

    gfid: Gfid
    op: U32
    xattrs: Xdata
    xdata: Xdata = None


class FxattropRequest(NamedTuple):
    """Change arrays of counters of an open file."""

    gfid: Gfid
    fd: I64
    op: U32
    xattrs: Xdata
    xdata: Xdata = None


class XattrsReply(NamedTuple):
    """What (F)GETXATTR and (F)XATTROP answer: the attributes. Only XATTROP fills in the iatts."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    xattrs: Xdata = None
    prestat: IattField = ZERO_IATT
    poststat: IattField = ZERO_IATT
