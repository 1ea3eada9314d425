"""Record marks and RPC headers."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import LocalProtocolError, RemoteProtocolError, XdrError
from glusterio.wire.credentials import Credentials, encode_none, encode_v3
from glusterio.wire.programs import AcceptStat, AuthFlavor, RejectStat, ReplyStat
from glusterio.wire.records import (
    MARK_SIZE,
    CallHeader,
    ReplyHeader,
    encode_call,
    encode_reply,
    parse_message,
    record_length,
)

CALLER = Credentials(1, 2, 3, (4, 5), b"owner")
u32 = st.integers(0, 2**32 - 1)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def test_a_mark_tells_the_length() -> None:
    assert record_length(0x80000000) == 0
    assert record_length(0xFFFFFFFF) == 0x7FFFFFFF


@pytest.mark.parametrize("mark", [0, 1, 0x7FFFFFFF])
def test_a_record_in_fragments_is_refused(mark: int) -> None:
    with pytest.raises(RemoteProtocolError, match="fragments"):
        record_length(mark)


@given(xid=u32, program=u32, version=u32, procedure=u32, body=st.binary(max_size=20))
def test_calls_come_back(xid: int, program: int, version: int, procedure: int, body: bytes) -> None:
    record = encode_call(xid, program, version, procedure, encode_v3(CALLER), len(body)) + body
    (mark,) = struct.unpack_from(">I", record)
    assert record_length(mark) == len(record) - MARK_SIZE
    view = memoryview(record)[MARK_SIZE:]
    header = parse_message(view)
    assert isinstance(header, CallHeader)
    assert header[:1] + header[2:5] == (xid, program, version, procedure)
    assert header.flavor == AuthFlavor.GLUSTERFS_V3
    assert header.caller() == CALLER
    assert bytes(view[header.body :]) == body


@given(xid=u32, body=st.binary(max_size=20), stat=st.sampled_from(AcceptStat))
def test_replies_come_back(xid: int, body: bytes, stat: AcceptStat) -> None:
    if stat == AcceptStat.PROG_MISMATCH:
        body = words(3, 4)
    record = encode_reply(xid, len(body), stat) + body
    (mark,) = struct.unpack_from(">I", record)
    assert record_length(mark) == len(record) - MARK_SIZE
    header = parse_message(record[MARK_SIZE:])
    if stat == AcceptStat.PROG_MISMATCH:
        assert header == ReplyHeader(xid, 32, 0, stat, low=3, high=4)
    else:
        assert header == ReplyHeader(xid, 24, 0, stat)
        assert record[MARK_SIZE + header.body :] == body


def test_a_verifier_is_passed_by() -> None:
    reply = words(9, 1, 0, 6, 5) + b"12345\0\0\0" + words(0)
    assert parse_message(reply) == ReplyHeader(9, 32)
    call = words(9, 0, 2, 14, 1, 0, 0, 0, 6, 5) + b"12345\0\0\0"
    assert parse_message(call) == CallHeader(9, 48, 14, 1, 0, 0, b"")


def test_denials() -> None:
    assert parse_message(words(9, 1, 1, 0, 2, 3)) == ReplyHeader(
        9, 24, ReplyStat.DENIED, -1, RejectStat.RPC_MISMATCH, 2, 3
    )
    assert parse_message(words(9, 1, 1, 1, 5)) == ReplyHeader(
        9, 20, ReplyStat.DENIED, -1, RejectStat.AUTH_ERROR, 5, 0
    )


@pytest.mark.parametrize(
    "message",
    [
        words(9, 2, 0, 0, 0, 0),
        words(9, 0xFFFFFFFF, 0, 0, 0, 0),
        words(9, 1, 2, 0, 0, 0),
        words(9, 1, 0, 0, 0, 6),
        words(9, 1, 1, 2, 0, 0),
        words(9, 0, 3, 0, 0, 0, 0, 0, 0, 0),
    ],
    ids=["type", "huge type", "reply_stat", "accept_stat", "reject_stat", "RPC version"],
)
def test_what_rfc_5531_does_not_know_is_refused(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(message)


@pytest.mark.parametrize(
    "message",
    [
        encode_call(1, 2, 3, 4, encode_v3(CALLER), 0)[MARK_SIZE:],
        encode_call(1, 2, 3, 4, encode_none(), 0)[MARK_SIZE:],
        encode_reply(1, 0)[MARK_SIZE:],
        encode_reply(1, 8, AcceptStat.PROG_MISMATCH)[MARK_SIZE:] + words(1, 2),
        words(9, 1, 1, 0, 2, 3),
        words(9, 1, 1, 1, 5),
    ],
)
def test_a_header_cut_anywhere_is_refused(message: bytes) -> None:
    parse_message(message)
    for end in range(len(message)):
        with pytest.raises(XdrError):
            parse_message(message[:end])


@pytest.mark.parametrize("length", [401, 2**31, 2**32 - 1])
def test_a_credential_or_verifier_of_more_than_400_bytes_is_refused(length: int) -> None:
    for head in (words(9, 0, 2, 1, 1, 1, 0, length), words(9, 0, 2, 1, 1, 1, 0, 0, 0, length)):
        with pytest.raises(XdrError):
            parse_message(head + bytes(500))
    with pytest.raises(XdrError):
        parse_message(words(9, 1, 0, 0, length) + bytes(500))


def test_a_record_has_less_than_two_gibibytes() -> None:
    encode_call(1, 2, 3, 4, encode_none(), 0x7FFFFFFF - 40)
    with pytest.raises(LocalProtocolError):
        encode_call(1, 2, 3, 4, encode_none(), 0x7FFFFFFF - 39)
    encode_reply(1, 0x7FFFFFFF - 24)
    with pytest.raises(LocalProtocolError):
        encode_reply(1, 0x7FFFFFFF - 23)


def test_numbers_that_do_not_fit_are_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode_call(2**32, 2, 3, 4, encode_none(), 0)
    with pytest.raises(LocalProtocolError):
        encode_reply(-1, 0)
