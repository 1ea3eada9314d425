"""The server's side of a connection, fed with bytes."""

from __future__ import annotations

import random
import struct

import pytest

from glusterio.errors import LocalProtocolError, RecordTooLongError, RemoteProtocolError
from glusterio.rpc.service import Request, ServerConnection
from glusterio.rpc.stream import MAX_RECORD
from glusterio.wire import credentials
from glusterio.wire.programs import AcceptStat, ReplyStat
from glusterio.wire.records import CallHeader, ReplyHeader, encode_call, encode_reply, parse_message

CALLER = credentials.encode_v3(credentials.Credentials(1, 2, 3))


def call(xid: int, body: bytes = b"", procedure: int = 5) -> bytes:
    return encode_call(xid, 100, 2, procedure, CALLER, len(body)) + body


def feed(connection: ServerConnection, data: bytes, piece: int = 1 << 30) -> list[Request]:
    """Hand over bytes as a driver does it, in pieces."""
    requests: list[Request] = []
    at = 0
    while at < len(data):
        buffer = connection.get_buffer()
        part = data[at : at + min(piece, len(buffer))]
        buffer[: len(part)] = part
        connection.received(len(part))
        while request := connection.next_request():
            requests.append(request)
        at += len(part)
    return requests


def sent(connection: ServerConnection) -> bytes:
    """Take what is to be sent."""
    data = b""
    while connection.has_data_to_send:
        part = b"".join(connection.data_to_send())
        data += part
        connection.sent(len(part))
    return data


def replies(data: bytes) -> list[tuple[ReplyHeader, bytes]]:
    found = []
    while data:
        (mark,) = struct.unpack(">I", data[:4])
        length = mark & 0x7FFFFFFF
        record, data = data[4 : 4 + length], data[4 + length :]
        header = parse_message(record)
        assert isinstance(header, ReplyHeader)
        found.append((header, record[header.body :]))
    return found


@pytest.fixture
def connection() -> ServerConnection:
    return ServerConnection("client")


@pytest.mark.parametrize("piece", [1, 3, 7, 100, 1 << 30])
def test_requests_however_they_are_cut(connection: ServerConnection, piece: int) -> None:
    stream = call(1, b"first") + call(2) + call(3, b"third!!!")
    found = feed(connection, stream, piece)
    assert [request.xid for request in found] == [1, 2, 3]
    first = found[0]
    assert (first.program, first.version, first.procedure) == (100, 2, 5)
    assert bytes(first.record[first.body :]) == b"first"
    assert first.header.caller() == credentials.Credentials(1, 2, 3)
    assert set(connection.pending) == {1, 2, 3}


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 300_000, 3_000_000])
def test_long_requests(connection: ServerConnection, size: int) -> None:
    body = random.Random(size).randbytes(size)
    found = feed(connection, call(1, b"x") + call(2, body) + call(3), 50_000)
    assert [request.xid for request in found] == [1, 2, 3]
    assert bytes(found[1].record[found[1].body :]) == body


def test_records_are_the_requests_own(connection: ServerConnection) -> None:
    first = feed(connection, call(1, b"first"))[0]
    feed(connection, call(2, b"other"))
    assert bytes(first.record[first.body :]) == b"first"


def test_replies_in_any_order(connection: ServerConnection) -> None:
    feed(connection, call(1) + call(2))
    connection.reply(2, b"two", b"", memoryview(b"more"))
    connection.reply(1, b"one")
    assert [(header.xid, body) for header, body in replies(sent(connection))] == [
        (2, b"twomore"),
        (1, b"one"),
    ]
    assert not connection.pending
    assert (connection.pending_bytes, connection.queued_bytes) == (0, 0)


def test_refusals(connection: ServerConnection) -> None:
    feed(connection, b"".join(map(call, range(1, 7))))
    for xid in (1, 3, 4, 5):
        connection.refuse(xid, xid)
    connection.refuse_version(2, 10, 20)
    connection.deny(6)
    found = {header.xid: header for header, _ in replies(sent(connection))}
    assert [found[xid].accept_stat for xid in (1, 3, 4, 5)] == [1, 3, 4, 5]
    assert found[2] == ReplyHeader(2, 32, 0, AcceptStat.PROG_MISMATCH, low=10, high=20)
    assert found[6].reply_stat == ReplyStat.DENIED
    assert not connection.pending


def test_sending_a_byte_at_a_time(connection: ServerConnection) -> None:
    feed(connection, call(1) + call(2))
    connection.reply(1, b"a" * 10)
    connection.reply(2, b"b" * 10)
    data = b""
    while connection.has_data_to_send:
        data += bytes(connection.data_to_send()[0][:1])
        connection.sent(1)
    assert [body for _, body in replies(data)] == [b"a" * 10, b"b" * 10]
    assert connection.queued_bytes == 0


def test_no_more_buffers_than_wanted(connection: ServerConnection) -> None:
    feed(connection, b"".join(map(call, range(100))))
    for xid in range(100):
        connection.reply(xid, b"x")
    assert len(connection.data_to_send(10)) == 10


def test_only_what_was_asked_is_answered(connection: ServerConnection) -> None:
    feed(connection, call(1))
    connection.reply(1)
    with pytest.raises(LocalProtocolError):
        connection.reply(1)
    with pytest.raises(LocalProtocolError):
        connection.refuse(2, AcceptStat.PROC_UNAVAIL)
    with pytest.raises(LocalProtocolError):
        connection.deny(2)


def test_xid_may_come_again_but_not_at_the_same_time(connection: ServerConnection) -> None:
    feed(connection, call(1))
    connection.reply(1)
    feed(connection, call(1))
    with pytest.raises(RemoteProtocolError, match="twice"):
        feed(connection, call(1))


def test_callback(connection: ServerConnection) -> None:
    connection.callback(52743234, 1, 5, b"body")
    data = sent(connection)
    header = parse_message(data[4:])
    assert isinstance(header, CallHeader)
    assert (header.program, header.version, header.procedure) == (52743234, 1, 5)
    assert data[4 + header.body :] == b"body"


def test_many_requests_are_not_taken(connection: ServerConnection) -> None:
    connection.max_pending = 10
    taken = feed(connection, b"".join(map(call, range(25))))
    assert [request.xid for request in taken] == list(range(10))
    assert not connection.wants_data
    connection.reply(3)
    request = connection.next_request()
    assert request is not None
    assert request.xid == 10
    assert connection.next_request() is None
    while connection.pending:
        connection.reply(next(iter(connection.pending)))
        connection.next_request()
    assert connection.wants_data


def test_large_replies_are_made_one_by_one() -> None:
    connection = ServerConnection("client", max_queued=1_000_000)
    stream = b"".join(map(call, range(100)))
    buffer = connection.get_buffer()
    buffer[: len(stream)] = stream
    connection.received(len(stream))
    answered = 0
    while request := connection.next_request():
        connection.reply(request.xid, bytes(400_000))
        answered += 1
    assert answered == 3
    sent(connection)
    assert connection.next_request() is not None


def test_many_bytes_of_requests_are_not_wanted() -> None:
    connection = ServerConnection("client", max_pending_bytes=1_000_000)
    feed(connection, call(1, bytes(1_000_000)))
    assert not connection.wants_data
    connection.reply(1)
    assert connection.wants_data


def test_many_bytes_of_replies_are_not_wanted() -> None:
    connection = ServerConnection("client", max_queued=1_000_000)
    feed(connection, call(1))
    connection.reply(1, bytes(1_000_000))
    assert not connection.wants_data
    sent(connection)
    assert connection.wants_data


GARBAGE = {
    "random": b"\x80\x00\x00\x20" + random.Random(1).randbytes(32),
    "short": b"\x80\x00\x00\x02xx",
    "empty": b"\x80\x00\x00\x00",
    "a reply": encode_reply(1, 0),
    "several fragments": b"\x00\x00\x00\x10" + bytes(16),
    "another version of rpc": struct.pack(">8I", 0x8000001C, 1, 0, 3, 1, 1, 1, 0),
    "a credential that is too long": struct.pack(">9I", 0x80000020, 1, 0, 2, 1, 1, 1, 5, 401),
    "a credential that leaves the record": struct.pack(">9I", 0x80000020, 1, 0, 2, 1, 1, 1, 5, 400),
    "neither call nor reply": struct.pack(">3I", 0x80000008, 1, 7),
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("piece", [1, 1 << 30])
def test_garbage_is_refused(connection: ServerConnection, kind: str, piece: int) -> None:
    good = feed(connection, call(1))
    assert len(good) == 1
    with pytest.raises(RemoteProtocolError):
        feed(connection, GARBAGE[kind], piece)


def test_length_is_refused_before_it_is_believed() -> None:
    connection = ServerConnection("client", max_record=1000)
    with pytest.raises(RecordTooLongError):
        feed(connection, struct.pack(">I", 0x80000000 | 1001))
    connection = ServerConnection("client", max_record=1000)
    connection.accept_records(2000)
    assert feed(connection, call(1, bytes(1500)))


def test_random_bytes_never_do_anything_else() -> None:
    random_ = random.Random(7)
    for _ in range(500):
        connection = ServerConnection("client", max_record=100_000)
        data = bytearray(call(1, random_.randbytes(random_.randrange(64))))
        for _ in range(random_.randrange(1, 4)):
            data[random_.randrange(len(data))] = random_.randrange(256)
        try:
            for request in feed(connection, bytes(data)):
                connection.refuse(request.xid, AcceptStat.GARBAGE_ARGS)
        except RemoteProtocolError:
            pass


@pytest.mark.parametrize(
    ("length", "piece"), [(1500, 1), (1500, 1 << 30), (5000, 7), (300_000, 997), (300_000, 1 << 30)]
)
def test_a_request_that_is_too_long_is_answered_and_not_kept(length: int, piece: int) -> None:
    connection = ServerConnection("client", max_record=1000)
    told = []

    def too_long(request: Request, size: int) -> None:
        told.append((request.xid, size))
        connection.refuse(request.xid, AcceptStat.GARBAGE_ARGS)

    connection.too_long = too_long
    stream = call(1) + call(2, bytes(length)) + call(3, bytes(length)) + call(4)
    requests = feed(connection, stream, piece)
    assert [request.xid for request in requests] == [1, 4]
    assert [xid for xid, _ in told] == [2, 3]
    assert all(size > length for _, size in told)
    assert connection.holds_nothing()
    assert set(connection.pending) == {1, 4}
    with pytest.raises(RecordTooLongError):  # so long that nobody waits for its end
        feed(connection, struct.pack(">I", 0x80000000 | MAX_RECORD + 1))
