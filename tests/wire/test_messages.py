"""The engine that turns annotations into codecs."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeAlias

import pytest

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire import messages
from glusterio.wire.fops.data import ReadReply, WriteRequest
from glusterio.wire.fops.directories import (
    DirEntry,
    DirPlusEntry,
    Listing,
    ReaddirpReply,
    ReaddirReply,
)
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.iatt import ZERO_IATT, Iatt
from glusterio.wire.messages import I32, U32, Linked, Str


class Inner(NamedTuple):
    number: U32
    name: Str


Inners: TypeAlias = Annotated[tuple[Inner, ...], Linked()]


class Outer(NamedTuple):
    before: I32
    inner: Inner
    inners: Inners
    after: I32


PlainEntries: TypeAlias = Annotated[tuple[DirPlusEntry, ...], Linked()]


class PlainlyListed(NamedTuple):
    entries: PlainEntries


class Undescribed(NamedTuple):
    number: int


class Listed(NamedTuple):
    many: list[int]


def test_nested_messages_and_lists_follow_each_other() -> None:
    message = Outer(-1, Inner(1, "a"), (Inner(2, "bc"), Inner(3, "")), 7)
    data = messages.encode(message)
    assert data == bytes.fromhex(
        "ffffffff"
        "00000001 00000001 61000000"
        "00000001 00000002 00000002 62630000"
        "00000001 00000003 00000000"
        "00000000"
        "00000007"
    )
    assert messages.decode(Outer, data) == message


@pytest.mark.parametrize("cls", [Undescribed, Listed])
def test_an_annotation_that_says_nothing_about_the_wire_is_a_mistake(cls) -> None:
    with pytest.raises(TypeError, match="does not say how it travels"):
        messages.codec_of(cls)


@pytest.mark.parametrize(
    "message",
    [
        OpenRequest(bytes(15), 0),
        OpenRequest(bytes(17), 0),
        OpenRequest(bytes(16), -1),
        OpenRequest(bytes(16), 2**32),
        ReadReply(stat=ZERO_IATT._replace(size=-1)),
        ReadReply(stat=ZERO_IATT._replace(gfid=b"short")),
        DirEntry(0, 0, 0, 0, "a lone surrogate: \ud800"),
    ],
)
def test_a_value_that_does_not_fit_is_our_own_mistake(message) -> None:
    with pytest.raises(LocalProtocolError):
        messages.encode(message)


def test_data_behind_a_message_is_not_copied_and_must_be_as_long_as_announced() -> None:
    head = messages.encode(WriteRequest(bytes(16), 3, 0, 5))
    record = bytearray(head + b"hello")
    message, tail = messages.decode_with_tail(WriteRequest, memoryview(record))
    assert message.size == 5
    record[-1:] = b"!"
    assert bytes(tail) == b"hell!"
    for wrong in (b"", b"hell", b"hello\0"):
        with pytest.raises(XdrError):
            messages.decode_with_tail(WriteRequest, head + wrong)
    with pytest.raises(XdrError, match="raw data behind"):
        messages.decode(WriteRequest, head + b"hello")


def test_a_message_without_data_has_an_empty_tail() -> None:
    message = OpenRequest(bytes(16), 2)
    decoded, tail = messages.decode_with_tail(OpenRequest, messages.encode(message))
    assert decoded == message
    assert len(tail) == 0


@pytest.mark.parametrize("cls", [ReaddirReply, ReaddirpReply])
@pytest.mark.parametrize("word", [2, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_list_goes_on_or_ends_and_nothing_else(cls, word: int) -> None:
    data = messages.encode(cls())[:-4] + word.to_bytes(4, "big")
    with pytest.raises(XdrError):
        messages.decode(cls, data)


def test_the_quick_list_decoder_is_the_general_one() -> None:
    entries = (
        DirPlusEntry.of(1, 4, "..", Iatt(bytes(range(16)), ino=9)),
        DirPlusEntry.of(2**63 - 1, 8, "na\udcffme", ZERO_IATT, {"user.x": b"1"}),
        DirPlusEntry.of(2, 8, "empty", ZERO_IATT, {}),
    )
    data = messages.encode(ReaddirpReply(entries=entries))
    assert messages.decode(ReaddirpReply, data).entries == entries
    assert messages.decode(PlainlyListed, data[20:]).entries == entries


def test_a_listing_tells_parts_of_what_it_holds() -> None:
    entries = (
        DirPlusEntry.of(1, 4, "..", Iatt(bytes(range(16)), mode=0o40755)),
        DirPlusEntry.of(2, 10, "na\udcffme", ZERO_IATT, {"user.x": b"1"}),
        DirPlusEntry.of(3, 8, "nul\0nul", Iatt(bytes(range(1, 17)), mode=0o100644), {}),
        DirPlusEntry.of(4, 8, "", ZERO_IATT),
    )
    listing = Listing.of(entries)
    assert Listing.of(listing) is listing
    assert listing.names == ["..", "na\udcffme", "nul\0nul", ""]
    assert listing.gfids() == [entry.stat.gfid for entry in entries]
    assert [listing.stat(place) for place in listing.places] == [entry.stat for entry in entries]
    assert [listing.mode(place) for place in listing.places] == [0o40755, 0, 0o100644, 0]
    pairs = zip(listing.names, listing.places, strict=True)
    assert [listing.d_type(name, place) for name, place in pairs] == [4, 10, 8, 8]
    assert listing.without("..", "other") == entries[1:]
    assert (listing[-1], listing[1:3]) == (entries[-1], entries[1:3])
    assert Listing.of(()) == ()


@pytest.mark.parametrize("xdata", [None, {}, {"user.x": b"1"}])
def test_a_listing_that_is_cut_off_is_refused_wherever_that_is(xdata: Any) -> None:
    entries = tuple(DirPlusEntry.of(n, 8, "name" * n, ZERO_IATT, xdata) for n in range(3))
    data = messages.encode(ReaddirpReply(entries=entries))
    assert messages.decode(ReaddirpReply, data).entries == entries
    for end in range(len(data)):
        with pytest.raises(XdrError):
            messages.decode(ReaddirpReply, data[:end])


@pytest.mark.parametrize("length", [165, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_name_does_not_leave_the_listing(length: int) -> None:
    data = bytearray(
        messages.encode(ReaddirpReply(entries=(DirPlusEntry.of(1, 8, "name", ZERO_IATT),)))
    )
    data[20 + 28 : 20 + 32] = length.to_bytes(4, "big")
    with pytest.raises(XdrError):
        messages.decode(ReaddirpReply, bytes(data))


def test_entries_know_the_length_of_their_names_in_bytes() -> None:
    assert DirEntry.of(1, 2, 4, "ä").d_len == 2
    assert DirPlusEntry.of(2, 4, "\udcff", Iatt(ino=5))[:5] == (5, 2, 1, 4, "\udcff")


def test_codecs_are_compiled_once() -> None:
    assert messages.codec_of(Outer) is messages.codec_of(Outer)
