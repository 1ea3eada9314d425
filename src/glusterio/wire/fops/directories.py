"""Operations on open directories: OPENDIR, READDIR, READDIRP, FSYNCDIR, RELEASEDIR.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

import struct
from typing import Annotated, Final, NamedTuple, TypeAlias

from glusterio.errors import XdrError
from glusterio.wire import dictionary
from glusterio.wire.iatt import IATT, ZERO_IATT, Iatt
from glusterio.wire.messages import (
    I32,
    I64,
    U32,
    U64,
    Gfid,
    IattField,
    Linked,
    Str,
    View,
    Xdata,
    is_there,
)
from glusterio.wire.xdr import U32 as WORD
from glusterio.wire.xdr import raw


class OpendirRequest(NamedTuple):
    """Open a directory."""

    gfid: Gfid
    xdata: Xdata = None


class ReleasedirRequest(NamedTuple):
    """Close the descriptor of a directory."""

    gfid: Gfid
    fd: I64
    xdata: Xdata = None


class FsyncdirRequest(NamedTuple):
    """Write a directory to the disk."""

    gfid: Gfid
    fd: I64
    datasync: I32 = 0
    xdata: Xdata = None


class ReaddirRequest(NamedTuple):
    """Ask for entries behind the cookie ``offset``: 0, or the ``d_off`` of the last one received.

    ``size`` is a budget in the brick's own reckoning, in bytes, and is capped there.
    """

    gfid: Gfid
    fd: I64
    offset: U64
    size: U32
    xdata: Xdata = None


class ReaddirpRequest(NamedTuple):
    """As READDIR; the attributes come too, and the extended attributes that ``xdata`` names."""

    gfid: Gfid
    fd: I64
    offset: U64
    size: U32
    xdata: Xdata = None


class DirEntry(NamedTuple):
    """One name in a directory.

    ``d_off`` is a cookie; ``d_len`` the length of the name in bytes; ``d_type`` one of Linux's
    ``DT_`` numbers, 0 when not known.
    """

    ino: U64
    d_off: U64
    d_len: U32
    d_type: U32
    name: Str

    @classmethod
    def of(cls, ino: int, d_off: int, d_type: int, name: str) -> "DirEntry":
        """Make an entry whose ``d_len`` is right."""
        return cls(ino, d_off, len(raw(name)), d_type, name)


class DirPlusEntry(NamedTuple):
    """One name in a directory, with the file's attributes, which may be all zero."""

    ino: U64
    d_off: U64
    d_len: U32
    d_type: U32
    name: Str
    stat: IattField = ZERO_IATT
    xdata: Xdata = None

    @classmethod
    def of(
        cls,
        d_off: int,
        d_type: int,
        name: str,
        stat: Iatt,
        xdata: dictionary.Dict | None = None,
    ) -> "DirPlusEntry":
        """Make an entry whose ``ino`` and ``d_len`` are right."""
        return cls(stat.ino, d_off, len(raw(name)), d_type, name, stat, xdata)


#: The word that announces an entry, the entry's numbers, and the length of its name.
_ENTRY_HEAD: Final = struct.Struct(">IQQIII")
#: What follows the name: the attributes and the head of the dictionary.
_ENTRY_REST: Final = struct.Struct(">16s8Q4q9IIiI")
#: That head, when there is no dictionary, and when there is one with nothing in it. Bricks send the
#: second with every entry that lacks the extended attributes asked for.
_NO_DICTIONARY: Final = (0, -1, 0)
_EMPTY_DICTIONARY: Final = (0, 0, 0)


def _unpack_plus(view: View, offset: int) -> tuple[tuple[DirPlusEntry, ...], int]:
    """Decode READDIRP's list: what the general list codec does, in one go for each entry."""
    entries: list[DirPlusEntry] = []
    take_word = WORD.unpack_from
    take_head = _ENTRY_HEAD.unpack_from
    take_rest = _ENTRY_REST.unpack_from
    make_iatt = Iatt._make
    append = entries.append
    limit = len(view)
    while is_there(*take_word(view, offset)):
        _, ino, d_off, d_len, d_type, length = take_head(view, offset)
        start = offset + _ENTRY_HEAD.size
        offset = start + (length + 3 & ~3)
        if offset > limit:
            raise XdrError(f"a name of {length} bytes at byte {start} of {limit}")
        name = str(view[start : start + length], "utf-8", "surrogateescape")
        rest = take_rest(view, offset)
        head_of_dictionary = rest[22:]
        xdata: dictionary.Dict | None
        if head_of_dictionary == _NO_DICTIONARY:
            xdata, offset = None, offset + _ENTRY_REST.size
        elif head_of_dictionary == _EMPTY_DICTIONARY:
            xdata, offset = {}, offset + _ENTRY_REST.size
        else:
            xdata, offset = dictionary.decode(view, offset + IATT.size)
        append(DirPlusEntry(ino, d_off, d_len, d_type, name, make_iatt(rest[:22]), xdata))
    return tuple(entries), offset + 4


DirEntries: TypeAlias = Annotated[tuple[DirEntry, ...], Linked()]
DirPlusEntries: TypeAlias = Annotated[tuple[DirPlusEntry, ...], Linked(_unpack_plus)]


class ReaddirReply(NamedTuple):
    """Some entries; ``op_errno`` ENOENT on success says that the directory ends with them."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    entries: DirEntries = ()


class ReaddirpReply(NamedTuple):
    """Some entries; ``op_errno`` ENOENT on success says that the directory ends with them."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    entries: DirPlusEntries = ()
