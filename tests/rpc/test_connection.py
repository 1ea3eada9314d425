"""The client's side of a connection: matching, sending in parts, giving up, failing, the ping clock."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from glusterio.errors import (
    AuthRejectedError,
    ConnectionLostError,
    RecordTooLongError,
    RemoteProtocolError,
    VersionMismatchError,
    XdrError,
)
from glusterio.rpc import connection as connection_module
from glusterio.rpc.connection import LATE, MAX_MESSAGE, MAX_REPLY, PROGRESS, Connection
from glusterio.rpc.stream import DIRECT, PEEK
from glusterio.traps import Reply
from glusterio.wire.programs import DUMP, DumpProc
from glusterio.wire.records import CallHeader, encode_reply, parse_message

Part = bytes | bytearray | memoryview

#: xid, REPLY, accepted, no verifier, success
HEAD = 24


def answer(xid: int, body: bytes = b"", accept_stat: int = 0) -> bytes:
    """A reply on the wire, record mark included."""
    return encode_reply(xid, len(body), accept_stat) + body


def marked(record: bytes) -> bytes:
    return struct.pack(">I", 0x80000000 | len(record)) + record


def put(connection: Connection, data: bytes, sizes: Iterable[int] = ()) -> list[Reply]:
    """Hand data to a connection as a driver does; return the replies that it completed."""
    completed = []
    rest = memoryview(data)
    more = iter(sizes)
    while rest:
        buffer = connection.get_buffer()
        assert len(buffer) > 0
        count = min(len(rest), len(buffer), next(more, len(rest)))
        buffer[:count] = rest[:count]
        completed += connection.received(count)
        rest = rest[count:]
    return completed


def tail_at(offset: int) -> Callable[[memoryview], int | None]:
    return lambda view: offset


def ask(
    connection: Connection,
    packet: Sequence[Part] = (b"request",),
    sink: bytearray | None = None,
    offset: int = HEAD,
) -> Reply:
    """Submit a request; with a sink, the reply's data is what follows ``offset``."""
    reply = Reply(connection, connection.next_xid(), packet)
    if sink is not None:
        reply.sink, reply.locate = memoryview(sink), tail_at(offset)
    connection.submit(reply)
    return reply


def flush(connection: Connection, count: int | None = None) -> bytes:
    """Let ``count`` bytes leave, or all there are."""
    left = b""
    while connection.has_data_to_send and (count is None or len(left) < count):
        data = b"".join(bytes(part) for part in connection.data_to_send())
        if count is not None:
            data = data[: count - len(left)]
        connection.sent(len(data))
        left += data
    return left


@pytest.fixture
def connection() -> Connection:
    return Connection("brick host:1")


# ----------------------------------------------------------------------------------------- matching


def test_replies_find_their_requests_in_any_order(connection: Connection) -> None:
    first, second, third = (ask(connection) for _ in range(3))
    assert [first.xid, second.xid, third.xid] == [1, 2, 3]
    done = put(connection, answer(2, b"two") + answer(3, b"three"))
    assert done == [second, third]
    assert second.done
    assert bytes(second.record[HEAD:]) == b"two"
    assert second.error is None
    assert not first.done
    assert put(connection, answer(1)) == [first]
    assert connection.pending == {}


def test_a_reply_split_at_every_byte() -> None:
    data = answer(1, b"first") + answer(2, b"second, a little longer")
    for cut in range(len(data) + 1):
        connection = Connection("c")
        replies = [ask(connection), ask(connection)]
        assert put(connection, data[:cut]) + put(connection, data[cut:]) == replies
        assert [bytes(r.record[HEAD:]) for r in replies] == [b"first", b"second, a little longer"]


@pytest.mark.parametrize("body", [b"", b"body", b"b" * 70_000])
def test_a_reply_that_comes_alone(connection: Connection, body: bytes) -> None:
    """Or else nothing has been taken, and the general way finds it."""
    first, second = ask(connection), ask(connection)
    one, other = answer(first.xid, body), answer(second.xid, b"other")

    def comes(data: bytes) -> bool:
        connection.get_buffer()[: len(data)] = data
        return connection.received_just(first, len(data))

    for data in (one[:-1], one + other, other, other[:20], b"", marked(one[4:12] + b"no reply")):
        assert connection.may_come_alone()
        assert not comes(data)
    assert not first.done
    if len(body) > DIRECT:
        assert not comes(one)
        assert put(connection, one) == [first]
    else:
        assert comes(one)
    assert (first.done, bytes(first.record)) == (True, one[4:])
    assert list(connection.pending) == [second.xid]
    assert put(connection, other, [10]) == [second]


def test_data_that_comes_alone_lands_in_the_sink(connection: Connection) -> None:
    sink = bytearray(10)
    reply = ask(connection, sink=sink, offset=HEAD + 4)
    whole = answer(reply.xid, b"headtail")
    connection.get_buffer()[: len(whole)] = whole
    assert connection.received_just(reply, len(whole))
    assert (bytes(sink[:4]), reply.received) == (b"tail", 4)
    assert reply.record == whole[4:-4]
    assert not connection.pending


def test_more_data_alone_than_asked_for(connection: Connection) -> None:
    reply = ask(connection, sink=bytearray(3), offset=HEAD)
    whole = answer(reply.xid, b"data")
    connection.get_buffer()[: len(whole)] = whole
    with pytest.raises(RemoteProtocolError, match="more data"):
        connection.received_just(reply, len(whole))
    assert connection.fail(RemoteProtocolError("so it is")) == [reply]


def test_what_cannot_come_alone(connection: Connection) -> None:
    first = ask(connection)
    long = answer(first.xid, b"b" * 200_000)
    assert put(connection, long[:10]) == []
    assert not connection.may_come_alone()  # a part of it is there
    assert put(connection, long[10:100_000]) == []
    assert not connection.may_come_alone()  # it has a place of its own
    assert put(connection, long[100_000:]) == [first]
    assert connection.may_come_alone()


def test_the_rest_of_a_reply_with_as_much_of_the_next(connection: Connection) -> None:
    """As many bytes as a reply has, though they are not one."""
    first, second = ask(connection), ask(connection)
    size = len(answer(first.xid))
    completed = put(connection, answer(first.xid) + answer(second.xid), [size // 2, size])
    assert completed == [first, second]
    assert second.record == answer(second.xid)[4:]


@pytest.mark.parametrize("length", [1, DIRECT, DIRECT + 1])
def test_a_reply_to_nothing_is_an_error(connection: Connection, length: int) -> None:
    reply = ask(connection)
    with pytest.raises(RemoteProtocolError, match="a reply to nothing"):
        put(connection, answer(7, bytes(length)), [PEEK + 4])
    put_again = ask(connection)
    assert connection.pending.keys() == {reply.xid, put_again.xid}


def test_the_same_reply_twice_is_an_error(connection: Connection) -> None:
    reply = ask(connection)
    with pytest.raises(RemoteProtocolError):
        put(connection, answer(reply.xid) * 2)
    # The first of the two was good, and is not lost with the connection.
    assert connection.fail(RemoteProtocolError("x")) == [reply]
    assert reply.error is None


@pytest.mark.parametrize("record", [b"", b"1234567"])
def test_a_record_without_a_header_is_an_error(connection: Connection, record: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=f"a record of {len(record)} bytes"):
        put(connection, marked(record))


def test_a_record_over_the_limit() -> None:
    connection = Connection("c", max_record=1000)
    reply = ask(connection)
    with pytest.raises(RecordTooLongError) as caught:
        put(connection, answer(reply.xid, bytes(1000)))
    assert connection.fail(caught.value) == [reply]
    assert isinstance(reply.error, RecordTooLongError)


# ------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (struct.pack(">6I", 1, 1, 0, 0, 0, 1), VersionMismatchError),
        (struct.pack(">8I", 1, 1, 0, 0, 0, 2, 1, 1), VersionMismatchError),
        (struct.pack(">6I", 1, 1, 0, 0, 0, 3), VersionMismatchError),
        (struct.pack(">6I", 1, 1, 0, 0, 0, 4), RemoteProtocolError),
        (struct.pack(">6I", 1, 1, 0, 0, 0, 5), RemoteProtocolError),
        (struct.pack(">5I", 1, 1, 1, 1, 5), AuthRejectedError),
    ],
)
def test_a_refusal_is_the_requests_own_error(
    connection: Connection, record: bytes, error: type[Exception]
) -> None:
    reply, other = ask(connection), ask(connection)
    assert put(connection, marked(record) + answer(2)) == [reply, other]
    assert type(reply.error) is error
    assert "brick host:1" in str(reply.error)
    assert other.error is None


@pytest.mark.parametrize(
    "record",
    [
        struct.pack(">8I", 1, 1, 0, 0, 4, 0, 0, 0),  # a verifier
        struct.pack(">6I", 1, 2, 0, 0, 0, 0),  # neither a call nor a reply
    ],
)
def test_a_reply_that_no_server_means_ends_the_connection(
    connection: Connection, record: bytes
) -> None:
    reply, other = ask(connection), ask(connection)
    with pytest.raises(RemoteProtocolError) as caught:
        put(connection, marked(record))
    assert connection.fail(caught.value) == [reply, other]
    assert type(reply.error) is type(other.error) is RemoteProtocolError


@pytest.mark.parametrize("length", [8, 12, 23])
def test_a_reply_that_ends_too_early_ends_the_connection(
    connection: Connection, length: int
) -> None:
    reply = ask(connection)
    with pytest.raises(RemoteProtocolError) as caught:
        put(connection, marked(struct.pack(">6I", 1, 1, 0, 0, 0, 0)[:length]))
    assert connection.fail(caught.value) == [reply]
    assert isinstance(reply.error, RemoteProtocolError)


# -------------------------------------------------------------------------------------------- sinks


@pytest.mark.parametrize("length", [0, 1, 4096, DIRECT, DIRECT + 1, 300_000, 3_000_000])
@pytest.mark.parametrize("first", [3, HEAD + 4, 4 + PEEK, 10_000_000])
def test_data_lands_in_the_sink(connection: Connection, length: int, first: int) -> None:
    data = bytes(range(256)) * (length // 256 + 1)
    sink = bytearray(b"." * (length + 10))
    reply, after = ask(connection, sink=sink), ask(connection)
    done = put(connection, answer(reply.xid, data[:length]) + answer(after.xid), [first])
    assert done == [reply, after]
    assert sink == data[:length] + b"." * 10
    assert reply.received == length
    assert len(reply.record) == HEAD


def test_a_long_answer_is_received_straight_into_the_sink(connection: Connection) -> None:
    sink = bytearray(1_000_000)
    reply = ask(connection, sink=sink)
    put(connection, answer(reply.xid, bytes(1_000_000))[: 4 + PEEK])
    assert connection.get_buffer().obj is sink


@pytest.mark.parametrize("length", [101, DIRECT + 100])
@pytest.mark.parametrize("first", [4 + PEEK, 10_000_000])
def test_more_data_than_asked_for(connection: Connection, length: int, first: int) -> None:
    sink = bytearray(b"." * 100)
    reply = ask(connection, sink=sink)
    with pytest.raises(RemoteProtocolError, match="more data than was asked for") as caught:
        put(connection, answer(reply.xid, bytes(length)), [first])
    assert sink == b"." * 100
    # Whoever waits for it is told.
    assert connection.fail(caught.value) == [reply]
    assert isinstance(reply.error, RemoteProtocolError)


def test_whoever_waits_is_told_when_the_tail_cannot_be_found(connection: Connection) -> None:
    def locate(view: memoryview) -> int | None:
        raise XdrError("no sense in this")

    for length in (10, DIRECT + 1):
        connection = Connection("c")
        reply = ask(connection, sink=bytearray(10))
        reply.locate = locate
        with pytest.raises(XdrError) as caught:
            put(connection, answer(reply.xid, bytes(length)), [PEEK + 4])
        assert connection.fail(caught.value) == [reply]
        assert type(reply.error) is XdrError


def test_an_answer_without_a_tail_is_kept_whole(connection: Connection) -> None:
    for length in (10, DIRECT + 1):
        sink = bytearray(length)
        reply = ask(connection, sink=sink)
        reply.locate = lambda view: None
        put(connection, answer(reply.xid, b"x" * length), [PEEK + 4])
        assert bytes(reply.record[HEAD:]) == b"x" * length
        assert reply.received == 0
        assert sink == bytes(length)


@pytest.mark.parametrize("offset", [PEEK, PEEK + 1, 5000, DIRECT - 1, DIRECT + 500, 200_000])
@pytest.mark.parametrize("first", [4 + PEEK, 3000, 10_000_000])
def test_a_tail_that_begins_far_into_the_record(
    connection: Connection, offset: int, first: int
) -> None:
    """A long dictionary may precede the data."""
    record = bytes(range(256)) * 400
    body = record[: DIRECT + 2000]
    sink = bytearray(len(body))
    reply = ask(connection, sink=sink, offset=offset)
    put(connection, answer(reply.xid, body), [first])
    whole = answer(reply.xid, body)[4:]
    assert reply.received == max(0, len(whole) - offset)
    assert sink[: reply.received] == whole[offset:]
    assert bytes(reply.record) == whole[:offset]


def test_a_claimed_record_does_not_cost_its_size(connection: Connection) -> None:
    reply = ask(connection)
    reply.room = 100 * 2**20
    put(
        connection, struct.pack(">I", 0x80000000 | 100 * 2**20) + answer(reply.xid, bytes(2048))[4:]
    )
    assert len(connection.get_buffer()) <= 2**20 + 64 * 2**10  # a megabyte, and its header
    assert connection.eof() == [reply]


def test_a_reply_longer_than_anything_that_was_asked_for(connection: Connection) -> None:
    """Were it taken, what it decodes to would be many times as long."""
    reply = ask(connection)
    head = struct.pack(">I", 0x80000000 | MAX_REPLY + 1) + answer(reply.xid, bytes(2048))[4:]
    with pytest.raises(RecordTooLongError, match="was asked for"):
        put(connection, head)
    (failed,) = connection.fail(RecordTooLongError("so it is"))
    assert failed is reply


@pytest.mark.parametrize("given_up", [False, True])
def test_what_was_asked_for_may_be_as_long(connection: Connection, given_up: bool) -> None:
    size = MAX_REPLY + 2**20
    reply = ask(connection, sink=bytearray(size) if given_up else None)
    reply.room = 0 if given_up else size
    connection.hand_over()
    if given_up:
        connection.abandon(reply)
    head = struct.pack(">I", 0x80000000 | size) + answer(reply.xid, bytes(2048))[4:]
    assert put(connection, head) == []
    assert connection.eof() == [reply]


# ----------------------------------------------------------------------------------------- messages


def test_a_long_message_that_nobody_asked_for_is_an_error(connection: Connection) -> None:
    ask(connection)
    begun = struct.pack(">3I", 0x80000000 | MAX_MESSAGE + 4, 1, 0) + bytes(2048)
    with pytest.raises(RecordTooLongError, match="nobody asked for"):
        put(connection, begun)


def test_what_the_server_sends_unasked(connection: Connection) -> None:
    reply = ask(connection)
    short, long = struct.pack(">2I", 1, 0) + b"xyz", struct.pack(">2I", 9, 0) + bytes(DIRECT)
    data = marked(short) + answer(reply.xid) + marked(long)
    assert put(connection, data, [40, 2000]) == [reply]
    assert connection.messages() == [short, long]
    assert connection.messages() == []


def test_the_unasked_is_bounded(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MAX_MESSAGES", 3)
    put(connection, marked(bytes(8)) * 3)
    with pytest.raises(RemoteProtocolError, match="too many messages"):
        put(connection, marked(bytes(8)))


# ------------------------------------------------------------------------------------------ sending


def test_requests_leave_in_order_and_in_any_parts() -> None:
    packets: list[list[Part]] = [
        [b"one"],
        [b"head", memoryview(b"payload"), b""],
        [b"", bytearray(b"three")],
        [b"", b""],
        [b"four"],
    ]
    whole = b"".join(bytes(part) for packet in packets for part in packet)
    for size in range(1, len(whole) + 1):
        connection = Connection("c")
        for packet in packets:
            ask(connection, packet)
        left = b""
        for _ in range(100):
            if not connection.has_data_to_send:
                break
            data = b"".join(bytes(part) for part in connection.data_to_send())[:size]
            connection.sent(len(data))
            left += data
        assert left == whole
        assert not connection.has_data_to_send
        assert connection.data_to_send() == []


def test_what_was_begun_counts_as_sent(connection: Connection) -> None:
    first, second = ask(connection, (b"abc",)), ask(connection, (b"def",))
    assert flush(connection, 2) == b"ab"
    assert (first.sent, second.sent) == (True, False)
    assert flush(connection, 1) == b"c"
    assert (first.sent, second.sent) == (True, False)
    assert flush(connection, 1) == b"d"
    assert second.sent


def test_a_limit_of_buffers(connection: Connection) -> None:
    for _ in range(10):
        ask(connection, (b"a", b"b"))
    assert len(connection.data_to_send(6)) == 6
    assert len(connection.data_to_send(7)) == 8  # whole packets
    assert flush(connection) == b"ab" * 10


def test_what_is_handed_over_counts_as_sent(connection: Connection) -> None:
    replies = [ask(connection, (b"a", b"b")) for _ in range(10)]
    assert b"".join(connection.hand_over(7)) == b"ab" * 4  # whole packets
    assert [reply.sent for reply in replies] == [True] * 4 + [False] * 6
    assert connection.has_data_to_send
    assert b"".join(connection.hand_over()) == b"ab" * 6
    assert all(reply.sent for reply in replies)
    assert not connection.has_data_to_send
    assert connection.hand_over() == []


# ------------------------------------------------------------------------------------------- giving up


def test_giving_up_before_it_is_submitted(connection: Connection) -> None:
    reply = Reply(connection, connection.next_xid(), (b"x",))
    assert connection.abandon(reply) is True
    assert reply.done
    assert isinstance(reply.error, ConnectionLostError)
    assert not reply.error.may_have_happened
    assert connection.abandon(reply) is False


def test_giving_up_before_anything_left(connection: Connection) -> None:
    before, reply, after = (ask(connection, (text,)) for text in (b"before", b"reply", b"after"))
    assert connection.abandon(reply) is True
    assert isinstance(reply.error, ConnectionLostError)
    assert not reply.error.may_have_happened
    assert flush(connection) == b"beforeafter"
    assert put(connection, answer(before.xid) + answer(after.xid)) == [before, after]


def test_giving_up_half_way_out_lets_go_of_the_callers_buffer(connection: Connection) -> None:
    payload = bytearray(b"payload")
    reply = ask(connection, (b"head", memoryview(payload)))
    ask(connection, (b"next",))
    assert flush(connection, 6) == b"headpa"
    assert connection.abandon(reply) is False
    assert not reply.done
    payload[:] = b"#######"
    payload.clear()  # nobody holds a view of it: this would raise BufferError
    assert flush(connection) == b"yload" + b"next"
    assert put(connection, answer(reply.xid)) == [reply]
    assert reply.error is None


def test_giving_up_after_it_was_sent(connection: Connection) -> None:
    for length in (10, DIRECT + 1):
        sink = bytearray(b"." * length)
        reply = ask(connection, sink=sink)
        flush(connection)
        assert connection.abandon(reply) is False
        assert put(connection, answer(reply.xid, b"x" * length), [2000]) == [reply]
        assert sink == b"." * length


@pytest.mark.parametrize("cut", [HEAD + 4 + 1, 4 + PEEK, 30_000, HEAD + 4 + 2 * DIRECT - 1])
def test_giving_up_while_the_data_lands(connection: Connection, cut: int) -> None:
    length = 2 * DIRECT
    sink = bytearray(b"." * length)
    reply, after = ask(connection, sink=sink), ask(connection)
    flush(connection)
    data = answer(reply.xid, b"x" * length) + answer(after.xid, b"after")
    assert put(connection, data[:cut]) == []
    assert connection.abandon(reply) is False
    before = bytes(sink)
    sink.append(0)  # nobody holds a view of it: this would raise BufferError
    assert put(connection, data[cut:]) == [reply, after]
    assert sink == before + b"\0"
    assert bytes(after.record[HEAD:]) == b"after"


def test_giving_up_another_leaves_the_data_alone(connection: Connection) -> None:
    length = 2 * DIRECT
    sink = bytearray(length)
    reply, other = ask(connection, sink=sink), ask(connection)
    flush(connection)
    data = answer(reply.xid, b"x" * length)
    put(connection, data[:5000])
    connection.abandon(other)
    put(connection, data[5000:])
    assert sink == b"x" * length


def test_giving_up_what_is_done(connection: Connection) -> None:
    reply = ask(connection)
    put(connection, answer(reply.xid))
    assert connection.abandon(reply) is False
    assert reply.error is None


# ------------------------------------------------------------------------------------------ failing


def test_failing_tells_each_whether_it_may_have_happened() -> None:
    told: list[Exception] = []
    connection = Connection("c", on_lost=told.append)
    sent, begun, queued = (ask(connection, (b"12345",)) for _ in range(3))
    flush(connection, 7)
    lost = ConnectionLostError("the cable")
    assert connection.fail(lost) == [sent, begun, queued]
    for reply, happened in ((sent, True), (begun, True), (queued, False)):
        assert reply.done
        assert isinstance(reply.error, ConnectionLostError)
        assert reply.error is not lost
        assert reply.error.may_have_happened is happened
        assert "the cable" in str(reply.error)
    assert told == [lost]
    assert connection.lost is lost
    assert not connection.has_data_to_send
    assert connection.fail(ConnectionLostError("again")) == connection.eof() == []
    assert told == [lost]
    late = Reply(connection, connection.next_xid(), (b"x",))
    with pytest.raises(ConnectionLostError, match="the cable") as caught:
        connection.submit(late)
    assert not caught.value.may_have_happened
    assert not late.submitted
    assert "lost" in repr(connection)


def test_failing_while_the_data_lands_leaves_the_sink(connection: Connection) -> None:
    sink = bytearray(2 * DIRECT)
    reply = ask(connection, sink=sink)
    put(connection, answer(reply.xid, bytes(2 * DIRECT))[:5000])
    assert connection.eof() == [reply]
    assert isinstance(reply.error, ConnectionLostError)
    assert connection.get_buffer().obj is not sink


def test_good_replies_before_a_bad_record_are_not_lost(connection: Connection) -> None:
    good, bad = ask(connection), ask(connection)
    with pytest.raises(RemoteProtocolError) as caught:
        put(connection, answer(good.xid, b"fine") + marked(b"bad"))
    assert connection.fail(caught.value) == [good, bad]
    assert good.error is None
    assert bytes(good.record[HEAD:]) == b"fine"
    assert isinstance(bad.error, RemoteProtocolError)


# ------------------------------------------------------------------------------------- the ping clock


def pings(connection: Connection) -> list[CallHeader]:
    """Let everything leave, and return the pings in it."""
    found = []
    data = flush(connection)
    while data:
        length = struct.unpack_from(">I", data)[0] & 0x7FFFFFFF
        header = parse_message(data[4 : 4 + length])
        if isinstance(header, CallHeader):
            found.append(header)
        data = data[4 + length :]
    return found


def asked(connection: Connection) -> Reply:
    reply = ask(connection, (marked(struct.pack(">6I", 99, 1, 0, 0, 0, 0)),))
    pings(connection)
    return reply


def test_silence_is_pinged_and_then_is_the_end() -> None:
    connection = Connection("c", ping_timeout=40.0)
    reply = asked(connection)
    for now in (1000.0, 1005.0, 1009.9):
        assert connection.tick(now) == []
        assert pings(connection) == []
    assert connection.tick(1010.0) == []
    (ping,) = pings(connection)
    assert (ping.program, ping.version, ping.procedure) == (*DUMP, DumpProc.PING)
    for now in (1020.0, 1039.9):
        assert connection.tick(now) == []
        assert pings(connection) == []  # one is enough
    failed = connection.tick(1040.0)
    assert reply in failed
    assert isinstance(reply.error, ConnectionLostError)
    assert "no answer for 40.0 s" in str(reply.error)
    assert reply.error.may_have_happened
    assert connection.tick(2000.0) == []


def test_an_answered_ping_starts_the_clock_again() -> None:
    connection = Connection("c", ping_timeout=40.0)
    reply = asked(connection)
    now = 0.0
    for _ in range(5):
        connection.tick(now)
        now += 10
        connection.tick(now)
        (ping,) = pings(connection)
        done = put(connection, answer(ping.xid))
        assert [r.xid for r in done] == [ping.xid]
        now += 29.9
        assert connection.tick(now) == []
    assert not reply.done


def test_anything_heard_counts() -> None:
    connection = Connection("c", ping_timeout=40.0)
    asked(connection)
    connection.tick(0.0)
    for step in range(1, 20):
        put(connection, marked(bytes(8))[:3] if step == 19 else marked(bytes(8)))
        assert connection.tick(step * 39.0) == []
    assert connection.lost is None


def test_a_byte_now_and_then_is_silence() -> None:
    """A peer that sends a byte each second of a reply that never ends does not answer."""
    connection = Connection("c", ping_timeout=40.0)
    reply = asked(connection)
    put(connection, struct.pack(">I", 0x80000000 | 2**20))
    for now in range(60):
        put(connection, b"\0")
        if connection.tick(float(now)):
            break
    assert reply.done
    assert 39 <= now <= 42


def test_a_slow_peer_is_heard() -> None:
    connection = Connection("c", ping_timeout=40.0)
    reply = asked(connection)
    put(connection, struct.pack(">I", 0x80000000 | 2**20) + answer(reply.xid, bytes(2048))[4:])
    for now in range(600):
        put(connection, bytes(PROGRESS // 20))
        assert connection.tick(float(now)) == []


def test_silence_counts_only_while_something_is_asked_for() -> None:
    connection = Connection("c", ping_timeout=40.0)
    for now in range(0, 10_000, 100):
        assert connection.tick(float(now)) == []
    assert pings(connection) == []
    reply = asked(connection)
    assert connection.tick(10_000.0) == []
    assert connection.lost is None
    (ping,) = pings(connection)  # rather one ping too many than a peer blamed for our own sleep
    assert connection.tick(10_029.9) == []
    put(connection, answer(reply.xid) + answer(ping.xid))
    for now in range(10_100, 20_000, 100):
        assert connection.tick(float(now)) == []
    assert connection.lost is None


def test_who_was_stopped_asks_before_giving_up() -> None:
    connection = Connection("c", ping_timeout=40.0)
    reply = asked(connection)
    assert connection.tick(0.0) == []
    assert connection.tick(1_000.0) == []
    assert len(pings(connection)) == 1
    assert connection.tick(1_029.9) == []
    assert reply in connection.tick(1_030.0)


def test_time_in_which_nobody_looked_is_not_the_peers_silence() -> None:
    """Also when the ping is out already; but what was silence before and is silence after adds up."""
    connection = Connection("c", ping_timeout=40.0)
    reply = asked(connection)
    assert connection.tick(0.0) == []
    assert connection.tick(10.0) == []
    assert len(pings(connection)) == 1
    assert connection.tick(30.0) == []
    assert connection.tick(1_030.0, late=1_000.0) == []  # 30 s of silence, and we slept
    assert connection.tick(1_039.9) == []
    assert pings(connection) == []
    failed = connection.tick(1_040.0)
    assert reply in failed
    assert "no answer for 40.0 s" in str(reply.error)


def test_who_always_looks_late_finds_a_dead_peer_all_the_same() -> None:
    connection = Connection("c", ping_timeout=4.0)
    asked(connection)
    for look in range(40):
        if connection.tick(look * 5.0, late=4.75):
            break
    assert 15 <= look <= 18


def test_a_little_late_is_in_time() -> None:
    """Else a busy process would find a dead peer the later, the busier it is."""
    connection = Connection("c", ping_timeout=40.0)
    asked(connection)
    now = 0.0
    while not connection.tick(now, late=LATE * 0.99):
        now += 0.25 + LATE * 0.99
    assert 40.0 <= now < 40.5


def test_a_ping_is_doubt() -> None:
    """From it on a driver takes what has come before it lets the clock go on."""
    connection = Connection("c", ping_timeout=40.0)
    asked(connection)
    connection.tick(0.0)
    assert not connection.doubted
    connection.tick(10.0)
    assert connection.doubted
    (ping,) = pings(connection)
    put(connection, answer(ping.xid))
    connection.tick(50.0)
    assert not connection.doubted


def test_without_a_timeout_nothing_is_pinged() -> None:
    connection = Connection("c", ping_timeout=0)
    asked(connection)
    for now in range(0, 1_000_000, 1000):
        assert connection.tick(float(now)) == []
    assert pings(connection) == []


# ----------------------------------------------------------------------------- everything at random


class AnyOrder(RuleBasedStateMachine):
    """Requests, answers, giving up and the end in any order: each is settled exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = Connection("c", max_record=10**6)
        self.replies: list[Reply] = []
        self.settled: dict[int, int] = {}
        self.abandoned: dict[int, bytes] = {}  # by xid: the sink's content when it was given up
        self.sinks: dict[int, bytearray] = {}
        self.left = b""
        self.wire = b""  # what the server has sent and has not arrived
        self.answered: set[int] = set()

    def settle(self, replies: list[Reply]) -> None:
        for reply in replies:
            assert reply.done
            self.settled[reply.xid] = self.settled.get(reply.xid, 0) + 1

    @rule(size=st.sampled_from([0, 10, 5000, 2 * DIRECT]))
    def ask(self, size: int) -> None:
        if self.connection.lost is None:
            sink = bytearray(b"." * size)
            reply = ask(self.connection, (b"head", b"x" * (size % 100)), sink)
            self.sinks[reply.xid] = sink
            self.replies.append(reply)

    @rule(count=st.integers(1, 300))
    def send(self, count: int) -> None:
        flush(self.connection, count)

    @rule(number=st.integers(0, 100))
    def answer(self, number: int) -> None:
        waiting = [r for r in self.replies if r.sent and r.xid not in self.answered]
        if waiting:
            reply = waiting[number % len(waiting)]
            self.answered.add(reply.xid)
            self.wire += answer(reply.xid, b"x" * len(self.sinks[reply.xid]))

    @rule(count=st.sampled_from([1, 30, 1500, 50_000, 10**6]))
    def arrive(self, count: int) -> None:
        if self.connection.lost is None:
            data, self.wire = self.wire[:count], self.wire[count:]
            self.settle(put(self.connection, data))

    @rule(number=st.integers(0, 100))
    def abandon(self, number: int) -> None:
        if self.replies:
            reply = self.replies[number % len(self.replies)]
            done = reply.done
            if self.connection.abandon(reply):
                self.settle([reply])
                assert not reply.sent
            if not done:
                self.abandoned[reply.xid] = bytes(self.sinks[reply.xid])

    @rule(really=st.integers(0, 9))
    def lose(self, really: int) -> None:
        if not really:
            self.settle(self.connection.eof())

    @invariant()
    def each_is_settled_once_and_no_sink_is_touched_later(self) -> None:
        for reply in self.replies:
            assert self.settled.get(reply.xid, 0) == (1 if reply.done else 0)
            assert (reply.xid in self.connection.pending) == (not reply.done)
            if isinstance(reply.error, ConnectionLostError):
                assert reply.error.may_have_happened == reply.sent
            if reply.xid in self.abandoned:
                assert self.sinks[reply.xid] == self.abandoned[reply.xid]
            elif reply.done and reply.error is None:
                assert self.sinks[reply.xid] == b"x" * len(self.sinks[reply.xid])

    def teardown(self) -> None:
        self.settle(self.connection.eof())
        left: Any = [reply for reply in self.replies if not reply.done]
        assert not left


TestAnyOrder = AnyOrder.TestCase
