"""Both encodings of dictionaries, and dictionaries that lie."""

from __future__ import annotations

import struct
import tracemalloc
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire.dictionary import (
    NULL_DICT,
    Constant,
    DataType,
    Dict,
    NewGfid,
    UInt,
    decode,
    decode_old,
    encode,
    encode_old,
    old_text,
    skip,
)
from glusterio.wire.iatt import Iatt, Mdata
from tests.wire.strategies import SAMPLE_DICT, dicts, old_dicts


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return (
        struct.pack(">I", len(key)) + key + bytes(-len(key) & 3) + kind.to_bytes(4, "big") + value
    )


def dictionary(*pairs: bytes, size: int = 0, count: int = 0, claimed: int | None = None) -> bytes:
    """Put a gfx_dict together whose size and counts are off by so much."""
    data = b"".join(pairs)
    real = len(pairs) if claimed is None else claimed
    return struct.pack(">IiI", len(data) + size, real + count, real) + data


def test_no_dictionary_is_not_an_empty_one() -> None:
    assert encode(None) == NULL_DICT == bytes.fromhex("00000000 ffffffff 00000000")
    assert encode({}) == bytes(12)
    assert decode(NULL_DICT) == (None, 12)
    assert decode(bytes(12)) == ({}, 12)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-2, "00000002 fffffffffffffffe"),
        (UInt(2**64 - 1), "00000003 ffffffffffffffff"),
        (0.5, "00000004 3fe0000000000000"),
        ("ab", "00000005 00000003 61620000"),
        (b"ab", "00000006 00000002 61620000"),
        (uuid.UUID(int=5), "00000007 00000000000000000000000000000005"),
        (Iatt(), "00000008" + "00" * 148),
        (Mdata(1, 2, 3, 4, 5, 6), "00000009" + "".join(f"{n:016x}" for n in (1, 2, 3))
            + "".join(f"{n:08x}" for n in (4, 5, 6))),
    ],
)  # fmt: skip
def test_the_type_of_a_value_is_its_type_on_the_wire(value: object, expected: str) -> None:
    data = encode({"k": value})  # type: ignore[dict-item]
    assert data[12:] == bytes.fromhex("00000002 6b000000" + expected)
    decoded, end = decode(data)
    assert end == len(data)
    assert decoded == {"k": value}
    assert type(decoded["k"]) is type(value)


@given(st.none() | dicts, st.binary(max_size=8), st.binary(max_size=8))
def test_dictionaries_come_back(content: Dict | None, before: bytes, behind: bytes) -> None:
    data = before + encode(content) + behind
    end = len(data) - len(behind)
    assert decode(memoryview(data), len(before)) == (content, end)
    assert skip(data, len(before)) == end


def test_old_strings_are_text_with_or_without_their_nul() -> None:
    for value in (b"ab\0", b"ab"):
        body = struct.pack(">I", len(value)) + value + bytes(-len(value) & 3)
        for kind in (DataType.STR_OLD, DataType.STR):
            assert decode(dictionary(pair(b"k\0", kind, body)))[0] == {"k": "ab"}


def test_only_the_nul_that_ends_a_string_is_dropped() -> None:
    assert decode(encode({"k": "a\0"}))[0] == {"k": "a\0"}


@pytest.mark.parametrize(
    "data",
    [
        dictionary(pair(b"k\0", 2, bytes(8)), size=4),
        dictionary(pair(b"k\0", 2, bytes(8)), size=-4),
        dictionary(pair(b"k\0", 2, bytes(8)), count=1),
        dictionary(pair(b"k\0", 2, bytes(8)), claimed=0),
        dictionary(pair(b"k\0", 2, bytes(8)), claimed=2),
        struct.pack(">IiI", 0, 2**31 - 1, 2**31 - 1),
        struct.pack(">IiI", 0xFFFFFFFF, 1, 1) + bytes(28),
        struct.pack(">IiI", 16, -1, 1) + bytes(16),
        struct.pack(">IiI", 16, -1, 0) + bytes(16),
        struct.pack(">IiI", 0, -1, 1),
        dictionary(pair(b"k", 2, bytes(8))),
        dictionary(pair(b"", 2, bytes(8))),
        dictionary(pair(b"k\0k\0", 2, bytes(8))),
        dictionary(pair(b"k\0", 0, bytes(8))),
        dictionary(pair(b"k\0", 10, bytes(8))),
        dictionary(pair(b"k\0", 0xFFFFFFFF, bytes(8))),
        dictionary(pair(b"k\0", 6, struct.pack(">I", 5) + bytes(4))),
        dictionary(pair(b"k\0", 6, struct.pack(">I", 0xFFFFFFFF) + bytes(4))),
        dictionary(pair(b"k\0", 7, bytes(12))),
        dictionary(pair(b"k\0", 8, bytes(144))),
        dictionary(pair(b"k\0", 9, bytes(32))),
    ],
)
@pytest.mark.parametrize("behind", [0, 64])
def test_a_dictionary_that_lies_is_refused(data: bytes, behind: int) -> None:
    with pytest.raises(XdrError):
        decode(data + bytes(behind))


@pytest.mark.parametrize("size", [1, 2**31, 2**32 - 1])
def test_a_dictionary_that_leaves_the_message_is_not_passed_by(size: int) -> None:
    with pytest.raises(XdrError):
        skip(struct.pack(">IiI", size, 1, 1), 0)
    for short in range(12):
        with pytest.raises(XdrError):
            skip(bytes(short), 0)


def test_a_dictionary_cut_anywhere_is_refused() -> None:
    data = encode(SAMPLE_DICT)
    for end in range(len(data)):
        with pytest.raises(XdrError):
            decode(data[:end])


@pytest.mark.parametrize(
    "content",
    [
        {"a\0b": 1},
        {"k": 2**63},
        {"k": UInt(2**64)},
        {"k": UInt(-1)},
        {"k": None},
        {"k": ["list"]},
        {"k": "\ud800"},
        {"k": Iatt(size=-1)},
        {"k": Mdata(2**63)},
    ],
)
def test_what_has_no_encoding_is_our_own_mistake(content) -> None:
    with pytest.raises(LocalProtocolError):
        encode(content)


@given(old_dicts)
def test_old_dictionaries_come_back(content: dict[str, bytes]) -> None:
    assert decode_old(encode_old(content)) == content


def test_old_values_are_text_by_convention() -> None:
    decoded = decode_old(encode_old({"number": 42, "text": "ä", "bytes": b"\1"}))
    assert decoded == {"number": b"42\0", "text": b"\xc3\xa4\0", "bytes": b"\1"}
    assert {key: old_text(value) for key, value in decoded.items()} == {
        "number": "42",
        "text": "ä",
        "bytes": "\1",
    }


def test_no_bytes_are_an_empty_old_dictionary() -> None:
    assert decode_old(b"") == decode_old(bytes(4)) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        struct.pack(">I", 1),
        struct.pack(">I", 2**32 - 1) + bytes(36),
        struct.pack(">III", 1, 2**32 - 1, 0) + b"k\0",
        struct.pack(">III", 1, 1, 2**32 - 1) + b"k\0",
        struct.pack(">III", 1, 2, 0) + b"k\0",
        struct.pack(">III", 1, 1, 1) + b"k\0",
        struct.pack(">III", 1, 1, 0) + b"kk",
        struct.pack(">III", 1, 2, 0) + b"k\0\0",
        struct.pack(">III", 1, 1, 0) + b"k\0" + b"more",
        struct.pack(">III", 2, 1, 6) + b"k\0" + bytes(6),
    ],
)
def test_an_old_dictionary_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(XdrError):
        decode_old(data)


def test_an_old_dictionary_cut_anywhere_is_refused() -> None:
    data = encode_old({"one": 1, "two": b""})
    for end in range(1, len(data)):
        with pytest.raises(XdrError):
            decode_old(data[:end])


def test_an_old_key_with_a_nul_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode_old({"a\0b": 1})


def test_a_claim_of_two_thousand_million_pairs_costs_nothing() -> None:
    gfx = struct.pack(">IiI", 28, 2**31 - 1, 2**31 - 1) + bytes(28)
    old = struct.pack(">I", 2**31) + bytes(36)
    tracemalloc.start()
    try:
        with pytest.raises(XdrError):
            decode(gfx)
        with pytest.raises(XdrError):
            decode_old(old)
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    finally:
        tracemalloc.stop()


def test_a_constant_dictionary_is_encoded_as_any_other() -> None:
    assert encode(Constant(SAMPLE_DICT)) == encode(SAMPLE_DICT)


def test_a_new_gfid_travels_as_a_uuid_does() -> None:
    gfid = uuid.uuid4()
    encoded = encode({"gfid-req": NewGfid(gfid.bytes)})
    assert encoded == encode({"gfid-req": gfid})
    assert decode(encoded)[0] == {"gfid-req": gfid}
    with pytest.raises(LocalProtocolError):
        encode({"gfid-req": NewGfid(bytes(15))})
