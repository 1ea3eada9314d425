"""Operations on open directories: OPENDIR, READDIR, READDIRP, FSYNCDIR, RELEASEDIR.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x.
"""

import struct
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from glusterio.wire import dictionary
from glusterio.wire.iatt import GFID_SIZE, IATT, ZERO_IATT, Iatt
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
    encode,
    is_there,
)
from glusterio.wire.xdr import U32 as WORD
from glusterio.wire.xdr import raw, text


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


#: An entry before its name: whether there is one, and the length of the name.
_HEAD: Final = struct.Struct(">I24xI")
#: What follows the name: the attributes, passed by; the head of the dictionary; the next entry's head.
_REST: Final = struct.Struct(">148x12sI24xI")
#: So many bytes of that head need not be there behind the last entry.
_SLACK: Final = bytes(_HEAD.size - WORD.size)
#: The head of a dictionary, when there is none, and when there is one with nothing in it. Bricks send
#: the second with every entry that lacks the extended attributes asked for.
_NO_PAIRS: Final = frozenset({dictionary.NULL_DICT, bytes(dictionary.HEADER_SIZE)})
#: An entry's numbers: ``ino``, ``d_off``, ``d_len``, ``d_type``; and the length of its name.
_NUMBERS: Final = struct.Struct(">QQIII")
_MODE: Final = struct.Struct(">144xI")


class Listing(Sequence[DirPlusEntry]):
    """The entries of a READDIRP's reply, of which nothing but the names is decoded yet.

    A listing is the one reply that brings thousands of things, and who asks mostly wants little of
    each. So an entry costs 0.6 us of decoding when it comes, where an object for it and its attributes
    took 2.6; the rest is decoded where somebody looks at it, while the brick reads on.

    Attributes:
        record: the reply, and some zeros.
        names: the names, in their order.
        places: where in the record each one's attributes begin.
    """

    __slots__ = ("names", "places", "record")

    def __init__(self, record: bytes, names: list[str], places: list[int]) -> None:
        self.record = record
        self.names = names
        self.places = places

    @classmethod
    def of(cls, entries: Sequence[DirPlusEntry]) -> "Listing":
        """Make one of entries, or return the one that they are."""
        return entries if isinstance(entries, cls) else _unpack_plus(_pack_plus(entries), 0)[0]

    def stat(self, place: int) -> Iatt:
        """Decode the attributes at a place; all zero where the brick did not tell them."""
        return Iatt._make(IATT.unpack_from(self.record, place))

    def gfids(self) -> list[bytes]:
        """Return the entries' gfids: what attributes begin with."""
        record = self.record
        return [record[place : place + GFID_SIZE] for place in self.places]

    def mode(self, place: int) -> int:
        """Return the mode at a place, 0 where the brick did not tell it."""
        mode: int = _MODE.unpack_from(self.record, place)[0]
        return mode

    def d_type(self, name: str, place: int) -> int:
        """Return the ``DT_`` number of the entry with this name, whose attributes are at a place."""
        d_type: int = self._numbers(name, place)[3]
        return d_type

    def offset(self, at: int) -> int:
        """Return the cookie that follows an entry, by its number in the listing."""
        d_off: int = self._numbers(self.names[at], self.places[at])[1]
        return d_off

    def _numbers(self, name: str, place: int) -> tuple[int, ...]:
        start = place - (len(raw(name)) + 3 & ~3) - _NUMBERS.size
        return _NUMBERS.unpack_from(self.record, start)

    def without(self, *names: str) -> "Listing":
        """Return the listing without some names."""
        kept = [at for at, name in enumerate(self.names) if name not in names]
        return Listing(
            self.record, [self.names[at] for at in kept], [self.places[at] for at in kept]
        )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        name, place = self.names[index], self.places[index]
        ino, d_off, d_len, d_type, _ = self._numbers(name, place)
        xdata, _ = dictionary.decode(self.record, place + IATT.size)
        return DirPlusEntry(ino, d_off, d_len, d_type, name, self.stat(place), xdata)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Listing) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Listing of {len(self)} names>"


def _unpack_plus(view: View, offset: int) -> tuple[Listing, int]:
    """Decode READDIRP's list: the names, and where the attributes are. All bounds are checked."""
    record = b"".join((view, _SLACK))
    take = _REST.unpack_from
    names: list[bytes] = []
    places: list[int] = []
    add_name, add_place = names.append, places.append
    size_of_head, size_of_rest = _HEAD.size, _REST.size
    no_pairs = _NO_PAIRS
    there, length = _HEAD.unpack_from(record, offset)
    start = offset + size_of_head
    while there == 1:
        place = start + (length + 3 & ~3)
        pairs, there, following = take(record, place)
        add_name(record[start : start + length])
        add_place(place)
        start = place + size_of_rest
        length = following
        if pairs not in no_pairs:
            _, end = dictionary.decode(view, place + IATT.size)
            there, length = _HEAD.unpack_from(record, end)
            start = end + size_of_head
    is_there(there)
    return Listing(record, _texts(names), places), start - size_of_head + WORD.size


def _texts(names: list[bytes]) -> list[str]:
    """Decode names, at once if that can tell them apart again: a name has no NUL in it."""
    texts = text(b"\0".join(names)).split("\0")
    return texts if len(texts) == len(names) else [text(name) for name in names]


def _pack_plus(entries: Sequence[DirPlusEntry]) -> bytes:
    return encode(ReaddirpReply(entries=entries))[_BEFORE_ENTRIES:]


DirEntries: TypeAlias = Annotated[tuple[DirEntry, ...], Linked()]
DirPlusEntries: TypeAlias = Annotated[Sequence[DirPlusEntry], Linked(_unpack_plus)]


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


#: The bytes of such a reply before its entries, when it has no dictionary.
_BEFORE_ENTRIES: Final = 8 + dictionary.HEADER_SIZE
