"""Operations on names: looking up, making, removing and renaming directory entries.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

from typing import NamedTuple

from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import I32, U32, U64, Gfid, IattField, Str, Xdata
from glusterio.wire.programs import NULL_GFID


class LookupRequest(NamedTuple):
    """Find the file ``name`` in the directory ``pargfid``, or without a name the file ``gfid``.

    The gfid that is not known is all zero. Extended attributes, or a small file's content, come
    along when ``xdata`` names them (``glusterfs.content``: the most bytes wanted).
    """

    gfid: Gfid = NULL_GFID
    pargfid: Gfid = NULL_GFID
    flags: U32 = 0
    name: Str = ""
    xdata: Xdata = None


class LookupReply(NamedTuple):
    """The file's attributes, and those of its directory, all zero after a lookup without a name."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    stat: IattField = ZERO_IATT
    postparent: IattField = ZERO_IATT


class NewEntryReply(NamedTuple):
    """What MKNOD, MKDIR, SYMLINK, LINK, PUT and COPY_FILE_RANGE answer.

    The new file's attributes and those of its directory before and after; for COPY_FILE_RANGE the
    source's, and the destination's before and after.
    """

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    stat: IattField = ZERO_IATT
    preparent: IattField = ZERO_IATT
    postparent: IattField = ZERO_IATT


class RemovedEntryReply(NamedTuple):
    """What UNLINK, RMDIR and NAMELINK answer: the directory's attributes before and after."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    preparent: IattField = ZERO_IATT
    postparent: IattField = ZERO_IATT


class MknodRequest(NamedTuple):
    """Make a file without opening it. ``xdata`` must hold the new gfid as ``gfid-req``."""

    pargfid: Gfid
    dev: U64
    mode: U32
    umask: U32
    name: Str
    xdata: Xdata = None


class MkdirRequest(NamedTuple):
    """Make a directory. ``xdata`` must hold the new gfid as ``gfid-req``."""

    pargfid: Gfid
    mode: U32
    umask: U32
    name: Str
    xdata: Xdata = None


class UnlinkRequest(NamedTuple):
    """Remove the name of a file."""

    pargfid: Gfid
    name: Str
    xflags: U32 = 0
    xdata: Xdata = None


class RmdirRequest(NamedTuple):
    """Remove a directory; with ``xflags`` not 0 also all that it holds."""

    pargfid: Gfid
    xflags: I32
    name: Str
    xdata: Xdata = None


class SymlinkRequest(NamedTuple):
    """Make a symbolic link. ``xdata`` must hold the new gfid as ``gfid-req``."""

    pargfid: Gfid
    name: Str
    umask: U32
    target: Str
    xdata: Xdata = None


class RenameRequest(NamedTuple):
    """Move a name, replacing what the new name meant."""

    old_pargfid: Gfid
    new_pargfid: Gfid
    old_name: Str
    new_name: Str
    xdata: Xdata = None


class RenameReply(NamedTuple):
    """The file's attributes, and both directories' before and after."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    stat: IattField = ZERO_IATT
    pre_old_parent: IattField = ZERO_IATT
    post_old_parent: IattField = ZERO_IATT
    pre_new_parent: IattField = ZERO_IATT
    post_new_parent: IattField = ZERO_IATT


class LinkRequest(NamedTuple):
    """Give the file ``gfid`` another name."""

    gfid: Gfid
    new_pargfid: Gfid
    new_name: Str
    xdata: Xdata = None


class ReadlinkRequest(NamedTuple):
    """Read the target of a symbolic link, of at most ``size`` bytes."""

    gfid: Gfid
    size: U32
    xdata: Xdata = None


class ReadlinkReply(NamedTuple):
    """The link's attributes and its target; ``op_ret`` is the target's length."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    stat: IattField = ZERO_IATT
    target: Str = ""


class CreateRequest(NamedTuple):
    """Make a file and open it. ``xdata`` must hold the new gfid as ``gfid-req``."""

    pargfid: Gfid
    flags: U32
    mode: U32
    umask: U32
    name: Str
    xdata: Xdata = None


class CreateReply(NamedTuple):
    """The new file's attributes and descriptor, and its directory's attributes before and after."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    stat: IattField = ZERO_IATT
    fd: U64 = 0
    preparent: IattField = ZERO_IATT
    postparent: IattField = ZERO_IATT


class IcreateRequest(NamedTuple):
    """Make an inode that has no name yet. Never send it to GlusterFS's own bricks."""

    gfid: Gfid
    mode: U32
    xdata: Xdata = None


class NamelinkRequest(NamedTuple):
    """Give an inode made by ICREATE its name. Never send it to GlusterFS's own bricks."""

    pargfid: Gfid
    name: Str
    xdata: Xdata = None
