"""The two encodings of GlusterFS's dictionaries.

*gfx_dict* rides in every file operation as its extra data. Its values have types, and its size
comes first, so that a reader who does not want it passes it by with one addition: :func:`skip`.

The *old* encoding is an opaque of glusterd's messages, SETVOLUME and the callbacks. Its values are
bytes, by convention text that ends with a NUL, numbers in decimal.

Sources: GlusterFS rpc/xdr/src/glusterfs4-xdr.x (``gfx_dict``), rpc/xdr/src/glusterfs3.h
(``dict_to_xdr``, ``xdr_to_dict``), libglusterfs/src/dict.c (``dict_serialize_lk``,
``dict_unserialize``).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Final, TypeAlias

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire.iatt import GFID_SIZE, IATT, MDATA, Iatt, Mdata
from glusterio.wire.xdr import F64, I32, I64, U32, U64, opaque_at, pack_opaque, raw, text


class UInt(int):
    """A number that travels as unsigned, where a plain ``int`` travels as signed."""

    __slots__ = ()


class NewGfid(bytes):
    """A gfid in a gfx_dict that is to be sent. It travels as a ``UUID`` does, and arrives as one; to
    make it costs a quarter of what one costs.
    """

    __slots__ = ()


class DataType(IntEnum):
    """Types of gfx_dict values (libglusterfs/src/glusterfs/dict.h, ``gf_dict_data_type_t``)."""

    STR_OLD = 1
    INT = 2
    UINT = 3
    DOUBLE = 4
    STR = 5
    PTR = 6
    GFUUID = 7
    IATT = 8
    MDATA = 9


#: A gfx_dict value. The Python type decides the type on the wire: ``int`` INT, :class:`UInt` UINT,
#: ``float`` DOUBLE, ``str`` STR, ``bytes`` PTR, ``UUID`` and :class:`NewGfid` GFUUID, ``Iatt``
#: IATT, ``Mdata`` MDATA.
Value: TypeAlias = int | UInt | float | str | bytes | uuid.UUID | Iatt | Mdata

#: A gfx_dict. "No dictionary", which is not the same as an empty one, is ``None``.
Dict: TypeAlias = Mapping[str, Value]

#: What the old encoding takes as a value: ``str`` and ``int`` become text with a NUL.
OldValue: TypeAlias = str | bytes | int

_HEADER: Final = struct.Struct(">IiI")
_NULL_HEADER: Final = (0, -1, 0)
_OLD_LENGTHS: Final = struct.Struct(">II")

#: The type of a value, and the length of one that is bytes.
_BYTES: Final = struct.Struct(">iI")
_PTR: Final = DataType.PTR

#: "No dictionary" as it travels, 12 bytes.
NULL_DICT: Final = _HEADER.pack(*_NULL_HEADER)
#: The bytes before a gfx_dict's pairs.
HEADER_SIZE: Final = _HEADER.size

#: Values shorter than this, in characters, are worth to be kept in mind when they are encoded.
_SHORT: Final = 64
#: The least that a pair can take: a key of a NUL only, a type, an empty opaque.
_MIN_PAIR: Final = 16
#: The least that a pair of the old encoding can take: two lengths and a NUL.
_MIN_OLD_PAIR: Final = 9


class Constant(dict[str, Value]):
    """A gfx_dict that is never changed, so that it need be encoded only once."""

    __slots__ = ("encoded",)

    def __init__(self, pairs: Dict) -> None:
        super().__init__(pairs)
        self.encoded = encode(pairs)


def encode(dictionary: Dict | None) -> bytes:
    """Encode a gfx_dict.

    Raises:
        LocalProtocolError: a value of a type that has no encoding or a number that does not fit, or
            a key that holds a NUL.
    """
    if dictionary is None:
        return NULL_DICT
    if type(dictionary) is Constant:
        return dictionary.encoded
    pairs = bytearray()
    for key, value in dictionary.items():
        pairs += pack_opaque(_key_bytes(key) + b"\0")
        pairs += _encode_value(value)
    count = len(dictionary)
    return _HEADER.pack(len(pairs), count, count) + pairs


def decode(view: memoryview | bytes, offset: int = 0) -> tuple[dict[str, Value] | None, int]:
    """Decode the gfx_dict at ``offset`` and tell where the next item begins.

    Raises:
        XdrError: the dictionary leaves the message, or its size or count is not what it claims.
    """
    try:
        size, count, pairs = _HEADER.unpack_from(view, offset)
    except struct.error:
        raise XdrError(f"no room for a dictionary at byte {offset} of {len(view)}") from None
    at = offset + HEADER_SIZE
    end = at + size
    if end > len(view):
        raise XdrError(f"a dictionary of {size} bytes at byte {offset} of {len(view)}")
    if count < 0:
        if size or pairs:
            raise XdrError("a dictionary that is both absent and there")
        return None, end
    if count != pairs or pairs * _MIN_PAIR > size:
        raise XdrError(f"a dictionary of {pairs} pairs, or {count}, in {size} bytes")
    if pairs == 1:
        only = _decode_bytes(view, at, end)
        if only is not None:
            return only, end
    view = memoryview(view)[:end]
    dictionary: dict[str, Value] = {}
    for _ in range(pairs):
        key, at = opaque_at(view, at)
        if key.find(0) != len(key) - 1 or not key:
            raise XdrError("a dictionary key that does not end with its only NUL")
        dictionary[text(key[:-1])], at = _decode_value(view, at)
    if at != end:
        raise XdrError(f"a dictionary of {size} bytes whose pairs leave {end - at}")
    return dictionary, end


def _decode_bytes(view: memoryview | bytes, at: int, end: int) -> dict[str, Value] | None:
    """Decode a single pair whose value is bytes: a small file's content, say.

    Returns:
        The dictionary; ``None`` when it is another one, or something is amiss with it. The general way
        takes three times as many Python instructions.
    """
    size: int
    (size,) = U32.unpack_from(view, at)
    key = bytes(view[at + 4 : at + 4 + size])
    at += 4 + (size + 3 & ~3)
    if at + 8 > end or not size or key.find(0) != size - 1:
        return None
    kind, size = _BYTES.unpack_from(view, at)
    at += 8
    if kind != _PTR or at + (size + 3 & ~3) != end:
        return None
    return {text(key[:-1]): bytes(view[at : at + size])}


def skip(view: memoryview | bytes, offset: int) -> int:
    """Tell where the item behind the gfx_dict at ``offset`` begins, without decoding it.

    Raises:
        XdrError: the dictionary would not lie inside the message.
    """
    try:
        (size,) = U32.unpack_from(view, offset)
    except struct.error:
        raise XdrError(f"no room for a dictionary at byte {offset} of {len(view)}") from None
    end: int = offset + HEADER_SIZE + size
    if end > len(view):
        raise XdrError(f"a dictionary of {size} bytes at byte {offset} of {len(view)}")
    return end


def encode_old(dictionary: Mapping[str, OldValue]) -> bytes:
    """Encode a dictionary the old way.

    Raises:
        LocalProtocolError: a key that holds a NUL.
    """
    parts = [U32.pack(len(dictionary))]
    for key, value in dictionary.items():
        if type(value) is str and len(value) < _SHORT:
            parts.append(_short_old_pair(key, value))
        else:
            parts.append(_old_pair(key, value))
    return b"".join(parts)


def _old_pair(key: str, value: OldValue) -> bytes:
    name = _key_bytes(key)
    data = value if isinstance(value, bytes) else raw(str(value)) + b"\0"
    return _OLD_LENGTHS.pack(len(name), len(data)) + name + b"\0" + data


#: Who introduces itself to a brick says nearly the same each time.
_short_old_pair = lru_cache(maxsize=64)(_old_pair)


def decode_old(data: memoryview | bytes) -> dict[str, bytes]:
    """Decode a dictionary of the old encoding; an empty ``data`` is an empty dictionary.

    Raises:
        XdrError: a length or the count is not what it claims.
    """
    size = len(data)
    if not size:
        return {}
    data = bytes(data)
    dictionary: dict[str, bytes] = {}
    try:
        (count,) = U32.unpack_from(data)
        if count * _MIN_OLD_PAIR > size:
            raise XdrError(f"{count} pairs claimed in {size} bytes")
        at = 4
        for _ in range(count):
            key_size, value_size = _OLD_LENGTHS.unpack_from(data, at)
            start = at + _OLD_LENGTHS.size
            nul = start + key_size
            at = nul + 1 + value_size
            if at > size:
                raise XdrError(f"a pair of {key_size} and {value_size} bytes leaves {size}")
            if data.find(0, start, nul + 1) != nul:
                raise XdrError("a dictionary key that does not end with its only NUL")
            dictionary[text(data[start:nul])] = data[nul + 1 : at]
    except struct.error:
        raise XdrError(f"a dictionary cut off at byte {size}") from None
    if at != size:
        raise XdrError(f"{size - at} bytes left over behind a dictionary")
    return dictionary


def old_text(value: bytes) -> str:
    """Read a value of the old encoding as text, without the NUL that ends it."""
    return text(value.removesuffix(b"\0"))


def _key_bytes(key: str) -> bytes:
    name = raw(key)
    if 0 in name:
        raise LocalProtocolError(f"a dictionary key with a NUL: {key!r}")
    return name


def _encode_value(value: Value) -> bytes:
    try:
        if isinstance(value, UInt):
            return I32.pack(DataType.UINT) + U64.pack(value)
        if isinstance(value, int):
            return I32.pack(DataType.INT) + I64.pack(value)
        if isinstance(value, float):
            return I32.pack(DataType.DOUBLE) + F64.pack(value)
    except struct.error as error:
        raise LocalProtocolError(f"{value!r} does not fit: {error}") from None
    if isinstance(value, str):
        return I32.pack(DataType.STR) + pack_opaque(raw(value) + b"\0")
    if type(value) is NewGfid:
        if len(value) != GFID_SIZE:
            raise LocalProtocolError(f"a gfid of {len(value)} bytes")
        return I32.pack(DataType.GFUUID) + value
    if isinstance(value, bytes):
        return I32.pack(DataType.PTR) + pack_opaque(value)
    if isinstance(value, uuid.UUID):
        return I32.pack(DataType.GFUUID) + value.bytes
    if isinstance(value, Iatt):
        return I32.pack(DataType.IATT) + value.pack()
    if isinstance(value, Mdata):
        return I32.pack(DataType.MDATA) + value.pack()
    raise LocalProtocolError(f"a dictionary cannot hold {type(value).__name__}")


def _decode_value(view: memoryview, at: int) -> tuple[Value, int]:
    try:
        (kind,) = I32.unpack_from(view, at)
        at += 4
        if kind == DataType.PTR:
            return opaque_at(view, at)
        if kind == DataType.STR or kind == DataType.STR_OLD:
            data, end = opaque_at(view, at)
            return text(data.removesuffix(b"\0")), end
        if kind == DataType.INT:
            number: int = I64.unpack_from(view, at)[0]
            return number, at + 8
        if kind == DataType.UINT:
            return UInt(U64.unpack_from(view, at)[0]), at + 8
        if kind == DataType.DOUBLE:
            fraction: float = F64.unpack_from(view, at)[0]
            return fraction, at + 8
    except struct.error:
        raise XdrError(f"a dictionary cut off at byte {at}") from None
    if kind == DataType.GFUUID:
        end = at + GFID_SIZE
        if end > len(view):
            raise XdrError(f"a dictionary cut off at byte {at}")
        return uuid.UUID(bytes=bytes(view[at:end])), end
    if kind == DataType.IATT:
        return Iatt.unpack_from(view, at), at + IATT.size
    if kind == DataType.MDATA:
        return Mdata.unpack_from(view, at), at + MDATA.size
    raise XdrError(f"a dictionary value of type {kind}")
