"""The quick codecs do what the general ones do, byte for byte."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire import dictionary, hot, messages
from glusterio.wire.credentials import Credentials, encode_none, encode_v3, stamped
from glusterio.wire.fops.attributes import FstatRequest, StatRequest
from glusterio.wire.fops.data import ReadReply, ReadRequest, WriteRequest
from glusterio.wire.fops.directories import ReleasedirRequest
from glusterio.wire.fops.files import ChangedReply, CommonReply, ReleaseRequest
from glusterio.wire.fops.names import (
    CreateReply,
    CreateRequest,
    LookupReply,
    LookupRequest,
    UnlinkRequest,
)
from glusterio.wire.programs import FOPS, GFID_REQ, NULL_GFID, Fop
from glusterio.wire.records import encode_call
from glusterio.wire.xdr import text
from tests.wire.strategies import SAMPLE_DICT, messages_of, sample

CREDENTIALS = encode_v3(Credentials(1, 2, 3, (4, 5), b"12345"))
PATH = hot.HotPath(CREDENTIALS)
BODY = 24

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
fds = st.integers(-2, 2**63 - 1)
gfids = st.binary(min_size=16, max_size=16)


def general(xid: int, fop: Fop, request: Any, tail: int = 0, credentials: bytes = CREDENTIALS):
    body = messages.encode(request)
    length = len(body) + tail
    return encode_call(xid, FOPS.number, FOPS.version, fop, credentials, length) + body


@given(u32, gfids, fds, u64, u32)
def test_read(xid: int, gfid: bytes, fd: int, offset: int, size: int) -> None:
    request = ReadRequest(gfid, fd, offset, size)
    assert PATH.read(xid, gfid, fd, offset, size) == general(xid, Fop.READ, request)


@given(u32, gfids, fds, u64, st.integers(0, 2**30))
def test_write(xid: int, gfid: bytes, fd: int, offset: int, size: int) -> None:
    request = WriteRequest(gfid, fd, offset, size)
    assert PATH.write(xid, gfid, fd, offset, size) == general(xid, Fop.WRITE, request, size)


@given(u32, gfids, st.tuples(u32, u64))
def test_write_with_a_stamp(xid: int, gfid: bytes, stamp: tuple[int, int]) -> None:
    request = WriteRequest(gfid, 3, 4, 5)
    credentials = stamped(CREDENTIALS, *stamp)
    expected = general(xid, Fop.WRITE, request, 5, credentials)
    assert PATH.write(xid, gfid, 3, 4, 5, stamp) == expected


@given(u32, gfids, fds)
def test_fstat_and_stat(xid: int, gfid: bytes, fd: int) -> None:
    assert PATH.fstat(xid, gfid, fd) == general(xid, Fop.FSTAT, FstatRequest(gfid, fd))
    assert PATH.stat(xid, gfid) == general(xid, Fop.STAT, StatRequest(gfid))


@given(u32, gfids, fds)
def test_release_and_releasedir(xid: int, gfid: bytes, fd: int) -> None:
    assert PATH.release(xid, gfid, fd) == general(xid, Fop.RELEASE, ReleaseRequest(gfid, fd))
    assert PATH.releasedir(xid, gfid, fd) == general(
        xid, Fop.RELEASEDIR, ReleasedirRequest(gfid, fd)
    )


@given(u32, gfids, gfids, st.binary(max_size=40))
def test_lookup(xid: int, gfid: bytes, parent: bytes, name: bytes) -> None:
    assert PATH.lookup(xid, parent, name) == general(
        xid, Fop.LOOKUP, LookupRequest(NULL_GFID, parent, 0, text(name))
    )
    xdata = dictionary.encode(SAMPLE_DICT)
    assert PATH.lookup(xid, parent, name, xdata, gfid) == general(
        xid, Fop.LOOKUP, LookupRequest(gfid, parent, 0, text(name), SAMPLE_DICT)
    )


@given(u32, gfids, st.binary(max_size=40), gfids, u32, u32, u32, st.booleans(), u32, u64)
def test_create_and_unlink(
    xid: int,
    parent: bytes,
    name: bytes,
    gfid: bytes,
    flags: int,
    mode: int,
    umask: int,
    is_stamped: bool,
    changes: int,
    now: int,
) -> None:
    stamp = (changes, now) if is_stamped else None
    credentials = stamped(CREDENTIALS, *stamp) if stamp is not None else CREDENTIALS
    asked = {GFID_REQ: uuid.UUID(bytes=gfid)}
    assert PATH.create(xid, parent, flags, mode, umask, name, gfid, stamp) == general(
        xid,
        Fop.CREATE,
        CreateRequest(parent, flags, mode, umask, text(name), asked),
        credentials=credentials,
    )
    assert PATH.unlink(xid, parent, name, stamp) == general(
        xid, Fop.UNLINK, UnlinkRequest(parent, text(name)), credentials=credentials
    )


def test_packets_are_fresh_and_credentials_may_have_any_size() -> None:
    path = hot.HotPath(encode_none())
    first = path.read(1, bytes(16), 3, 0, 5)
    second = path.read(2, bytes(16), 3, 5, 5)
    assert first == general(1, Fop.READ, ReadRequest(bytes(16), 3, 0, 5), 0, encode_none())
    assert second == general(2, Fop.READ, ReadRequest(bytes(16), 3, 5, 5), 0, encode_none())
    assert path.lookup(3, bytes(16), b"a") == general(
        3, Fop.LOOKUP, LookupRequest(NULL_GFID, bytes(16), 0, "a"), 0, encode_none()
    )


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("read", (1, bytes(15), 3, 0, 5)),
        ("read", (1, bytes(17), 3, 0, 5)),
        ("read", (1, bytes(16), 3, -1, 5)),
        ("read", (1, bytes(16), 3, 0, 2**32)),
        ("read", (2**32, bytes(16), 3, 0, 5)),
        ("write", (1, bytes(15), 3, 0, 5)),
        ("write", (1, bytes(16), 2**63, 0, 5)),
        ("write", (1, bytes(16), 3, 0, 2**31)),
        ("write", (1, bytes(16), 3, 0, -1)),
        ("fstat", (1, bytes(15), 3)),
        ("fstat", (-1, bytes(16), 3)),
        ("release", (1, bytes(15), 3)),
        ("release", (1, bytes(16), 2**63)),
        ("releasedir", (-1, bytes(16), 3)),
        ("stat", (1, bytes(15))),
        ("stat", (-1, bytes(16))),
        ("lookup", (1, bytes(15), b"a")),
        ("lookup", (-1, bytes(16), b"a")),
        ("lookup", (1, bytes(16), b"a", b"", bytes(15))),
        ("create", (1, bytes(15), 0, 0, 0, b"a", bytes(16))),
        ("create", (1, bytes(16), 0, 0, 0, b"a", bytes(15))),
        ("create", (1, bytes(16), 2**32, 0, 0, b"a", bytes(16))),
        ("create", (1, bytes(16), 0, 0, 0, b"a", bytes(16), (2**32, 0))),
        ("unlink", (1, bytes(17), b"a")),
        ("unlink", (2**32, bytes(16), b"a")),
    ],
)
def test_what_does_not_fit_is_our_own_mistake(method: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        getattr(PATH, method)(*arguments)


def record(reply: Any, tail: bytes = b"") -> bytes:
    return bytes(BODY) + messages.encode(reply) + tail


@given(messages_of(ReadReply), st.binary(max_size=40))
def test_read_reply(reply: ReadReply, data: bytes) -> None:
    reply = reply._replace(op_ret=len(data), size=len(data))
    whole = record(reply, data)
    op_ret, op_errno, start = hot.read_reply(memoryview(whole), BODY)
    assert (op_ret, op_errno) == reply[:2]
    assert whole[start:] == data
    head = whole[:start]
    assert hot.read_reply(head, BODY, len(whole)) == (op_ret, op_errno, start)
    assert hot.usual_read(whole) in (None, data)


@pytest.mark.parametrize("data", [b"", b"12345"])
def test_a_usual_read(data: bytes) -> None:
    whole = record(ReadReply(len(data), 0, size=len(data)), data)
    assert hot.usual_read(whole) == data
    assert hot.usual_read(bytearray(whole)) is None
    for end in range(len(whole)):
        assert hot.usual_read(whole[:end]) is None


@pytest.mark.parametrize(
    "whole",
    [
        record(ReadReply(5, 2, size=5), b"12345"),  # the file's end
        record(ReadReply(5, 0, size=5, xdata=SAMPLE_DICT), b"12345"),
        record(messages.failure(ReadReply, 9)),
    ],
)
def test_a_read_that_is_not_usual(whole: bytes) -> None:
    assert hot.usual_read(whole) is None


def test_the_place_of_the_data_is_known_before_the_data_is_there() -> None:
    whole = record(ReadReply(5, 0, size=5, xdata=SAMPLE_DICT), b"12345")
    start = len(whole) - 5
    for end in range(start):
        assert hot.read_data(whole[:end], BODY) is None
    for end in range(start, len(whole)):
        assert hot.read_data(whole[:end], BODY) == start
    assert hot.read_data(record(ReadReply(0, 2)), BODY) is None
    assert hot.read_data(record(messages.failure(ReadReply, 9)), BODY) is None


def test_a_failed_read_has_no_data() -> None:
    whole = record(messages.failure(ReadReply, 9))
    assert hot.read_reply(whole, BODY) == (-1, 9, len(whole))


@pytest.mark.parametrize(
    "whole",
    [
        record(ReadReply(5, 0, size=5), b"1234"),
        record(ReadReply(5, 0, size=5), b"123456"),
        record(ReadReply(4, 0, size=5), b"12345"),
        record(ReadReply(5, 0, size=4), b"12345"),
        record(ReadReply(-1, 0, size=0), b"12345"),
    ],
)
def test_a_read_of_another_length_than_announced_is_refused(whole: bytes) -> None:
    with pytest.raises(XdrError):
        hot.read_reply(whole, BODY)
    assert hot.usual_read(whole) is None


@given(messages_of(ChangedReply))
def test_write_reply(reply: ChangedReply) -> None:
    assert hot.write_reply(record(reply), BODY) == reply[:2]
    if hot.usual_write(record(reply), 5):
        assert reply[:2] == (5, 0)


def test_a_usual_write() -> None:
    usual = ChangedReply(5, 0)
    assert hot.usual_write(record(usual), 5)
    assert not hot.usual_write(record(usual), 6)
    assert not hot.usual_write(record(usual._replace(op_errno=28)), 5)
    assert not hot.usual_write(record(usual._replace(xdata=SAMPLE_DICT)), 5)
    assert not hot.usual_write(record(usual)[:-1], 5)
    assert not hot.usual_write(record(usual, b"more"), 5)
    assert not hot.usual_write(record(messages.failure(ChangedReply, 28)), 5)


@given(messages_of(CommonReply))
def test_common_reply(reply: CommonReply) -> None:
    assert hot.common_reply(record(reply), BODY) == reply[:2]


@given(messages_of(LookupReply))
def test_lookup_reply(reply: LookupReply) -> None:
    whole = record(reply)
    op_ret, op_errno, stat, at = hot.lookup_reply(whole, BODY)
    assert (op_ret, op_errno, stat) == (reply.op_ret, reply.op_errno, reply.stat)
    assert dictionary.decode(whole, at)[0] == reply.xdata


@given(messages_of(CreateReply))
def test_create_reply(reply: CreateReply) -> None:
    expected = (reply.op_ret, reply.op_errno, reply.stat, reply.fd)
    assert hot.create_reply(record(reply), BODY) == expected


DECODERS = [
    (hot.read_reply, record(sample(ReadReply)._replace(op_ret=5), b"data!")),
    (hot.write_reply, record(sample(ChangedReply))),
    (hot.common_reply, record(sample(CommonReply))),
    (hot.lookup_reply, record(sample(LookupReply))),
    (hot.create_reply, record(sample(CreateReply))),
]


@pytest.mark.parametrize(("decode", "whole"), DECODERS)
def test_replies_cut_or_stretched_anywhere_are_refused(decode: Any, whole: bytes) -> None:
    decode(whole, BODY)
    for end in range(len(whole)):
        with pytest.raises(XdrError):
            decode(whole[:end], BODY)
    with pytest.raises(XdrError):
        decode(whole + b"\0", BODY)


@pytest.mark.parametrize(("decode", "whole"), DECODERS)
@pytest.mark.parametrize("size", [2**31, 2**32 - 1, 2**32 - 4])
def test_a_dictionary_that_leaves_the_reply_is_refused(
    decode: Any, whole: bytes, size: int
) -> None:
    at = BODY + (160 if decode is hot.read_reply else 8)
    with pytest.raises(XdrError):
        decode(whole[:at] + size.to_bytes(4, "big") + whole[at + 4 :], BODY)
