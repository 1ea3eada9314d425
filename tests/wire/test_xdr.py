"""The XDR primitives: what they write, and that they never believe a length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire.xdr import Unpacker, opaque_at, pack_opaque, raw, text

PACKED = bytes.fromhex("00000001ffffffffffffffffffffffff6162630000000005 3132333435 000000")


def unpack_all(unpacker: Unpacker) -> list[object]:
    return [
        unpacker.u32(),
        unpacker.i32(),
        unpacker.u64(),
        unpacker.fixed(3),
        unpacker.opaque(),
    ]


def test_items_are_those_of_rfc_4506() -> None:
    unpacker = Unpacker(PACKED)
    assert unpack_all(unpacker) == [1, -1, 2**64 - 1, b"abc", b"12345"]
    assert unpacker.remaining == 0
    unpacker.done()
    assert PACKED.endswith(pack_opaque(b"12345"))


@pytest.mark.parametrize("end", range(len(PACKED)))
def test_items_cut_anywhere_are_refused(end: int) -> None:
    with pytest.raises(XdrError):
        unpack_all(Unpacker(PACKED[:end]))


def test_bytes_left_over_are_refused() -> None:
    unpacker = Unpacker(PACKED + b"\0")
    unpack_all(unpacker)
    assert unpacker.remaining == 1
    with pytest.raises(XdrError, match="1 bytes left over"):
        unpacker.done()


def test_text_without_bytes_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        raw("\ud800")


@pytest.mark.parametrize("length", [6, 8, 9, 2**31, 2**32 - 1])
def test_a_length_beyond_the_message_is_refused(length: int) -> None:
    data = length.to_bytes(4, "big") + b"12345"
    with pytest.raises(XdrError):
        Unpacker(data).opaque()
    with pytest.raises(XdrError):
        opaque_at(data, 0)


def test_a_length_beyond_the_maximum_is_refused() -> None:
    data = pack_opaque(b"12345")
    assert Unpacker(data).opaque(5) == b"12345"
    with pytest.raises(XdrError, match="at most 4"):
        Unpacker(data).opaque(4)


@pytest.mark.parametrize("count", [4, 2**31, 2**32 - 1])
def test_a_count_beyond_the_message_is_refused(count: int) -> None:
    with pytest.raises(XdrError, match="claimed"):
        Unpacker(count.to_bytes(4, "big") + bytes(12)).count(minimum_size=4)


def test_a_count_beyond_the_maximum_is_refused() -> None:
    data = (3).to_bytes(4, "big") + bytes(12)
    assert Unpacker(data).count(4, maximum=3) == 3
    with pytest.raises(XdrError):
        Unpacker(data).count(4, maximum=2)


def test_no_room_even_for_a_length() -> None:
    with pytest.raises(XdrError):
        opaque_at(b"\0\0\0", 0)
    with pytest.raises(XdrError):
        opaque_at(b"", 4)


@given(st.binary())
def test_any_bytes_survive_as_text(data: bytes) -> None:
    assert raw(text(data)) == data


@given(st.binary(max_size=64), st.binary(max_size=8))
def test_opaque_data_comes_back(data: bytes, before: bytes) -> None:
    message = before + pack_opaque(data)
    assert len(pack_opaque(data)) % 4 == 0
    assert opaque_at(memoryview(message), len(before)) == (data, len(message))
