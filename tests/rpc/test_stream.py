"""The record stream: cut anywhere, long records placed, lies refused, memory bounded."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import RecordTooLongError, RemoteProtocolError
from glusterio.rpc.stream import DIRECT, MAX_RECORD, PEEK, RecordStream


def marked(record: bytes) -> bytes:
    return struct.pack(">I", 0x80000000 | len(record)) + record


class Collector(RecordStream):
    """Keeps what it is handed. With a place, long records' tails go there from ``offset`` on."""

    def __init__(
        self, place: memoryview | None = None, offset: int = 0, max_record: int = MAX_RECORD
    ) -> None:
        super().__init__(max_record)
        self.place, self.offset = place, offset
        self.records: list[bytes] = []
        self.events: list[str] = []
        self.peeked: list[tuple[int, int]] = []
        self.length = 0

    def on_record(self, view: memoryview) -> None:
        self.events.append("record")
        self.records.append(bytes(view))

    def on_long_record(self, store: memoryview) -> None:
        self.events.append("long")
        self.records.append(bytes(store))

    def place_for(self, view: memoryview, length: int) -> tuple[memoryview, int] | None:
        self.peeked.append((len(view), length))
        if self.place is None:
            return None
        self.head = bytes(view[: self.offset])
        self.length = length
        return self.place[: length - self.offset], self.offset

    def on_tail(self) -> None:
        assert self.place is not None
        self.events.append("tail")
        self.records.append(self.head + bytes(self.place[: self.length - self.offset]))


def put(stream: RecordStream, data: bytes, sizes: Iterable[int] = ()) -> None:
    """Hand data to a stream as a driver does, in pieces of these sizes and then as it fits.

    The buffer is held while it is fed, as asyncio holds it.
    """
    rest = memoryview(data)
    more = iter(sizes)
    while rest:
        buffer = stream.get_buffer()
        assert len(buffer) > 0
        count = min(len(rest), len(buffer), next(more, len(rest)))
        buffer[:count] = rest[:count]
        stream.feed(count)
        rest = rest[count:]


def body(length: int, seed: int = 0) -> bytes:
    return bytes((seed + index * 7 + index // 251) % 256 for index in range(length))


SHORT = [body(length, length) for length in (0, 1, 4, 28, 300)]


def test_records_split_at_every_byte() -> None:
    data = b"".join(map(marked, SHORT))
    for cut in range(len(data) + 1):
        stream = Collector()
        put(stream, data[:cut])
        put(stream, data[cut:])
        assert stream.records == SHORT
    stream = Collector()
    put(stream, data, [1] * len(data))
    assert stream.records == SHORT
    assert set(stream.events) == {"record"}


@pytest.mark.parametrize("with_place", [False, True])
def test_a_long_record_split_at_every_byte_that_matters(with_place: bool) -> None:
    record = body(DIRECT + 5000)
    data = marked(b"before") + marked(record) + marked(b"after")
    begin = len(marked(b"before"))
    end = begin + 4 + len(record)
    cuts = [*range(begin + 4 + PEEK + 2), *range(end - 3, len(data) + 1), end // 2]
    for cut in cuts:
        place = bytearray(len(record))
        stream = Collector(memoryview(place) if with_place else None, offset=200)
        put(stream, data[:cut])
        put(stream, data[cut:])
        assert stream.records == [b"before", record, b"after"]
        wanted = "record"  # when all of it is in the buffer there is no need for a place
        if begin + 4 + PEEK <= cut < end:
            wanted = "tail" if with_place else "long"
        assert stream.events == ["record", wanted, "record"]
        for have, length in stream.peeked:
            assert have >= PEEK
            assert length == len(record)


def test_the_tail_is_received_straight_into_its_place() -> None:
    place = bytearray(200_000)
    stream = Collector(memoryview(place), offset=100)
    put(stream, marked(body(100_100))[: 4 + PEEK])
    buffer = stream.get_buffer()
    assert buffer.obj is place
    assert len(buffer) == 100_100 - PEEK  # up to the record's end, not beyond


@pytest.mark.parametrize("length", [DIRECT + 1, 1024 * 1024, 1024 * 1024 + 1, 5 * 1024 * 1024 - 3])
def test_a_long_record_without_a_place_is_stored_whole(length: int) -> None:
    record = body(1000) * (length // 1000 + 1)
    record = record[:length]
    stream = Collector()
    put(stream, marked(record) + marked(b"x"), [2000, *[70_000] * 1000])
    assert stream.records == [record, b"x"]
    assert stream.events == ["long", "record"]


class Keeper(Collector):
    """Keeps the stores of long records as they are."""

    def on_long_record(self, store: memoryview) -> None:
        self.stores = [*getattr(self, "stores", []), store]


def test_a_long_record_stays_where_it_began() -> None:
    stream = Keeper()
    first = stream.get_buffer().obj
    records = [body(300_000, seed) for seed in range(3)]
    put(stream, marked(b"x") + marked(records[0])[:100_000])
    assert stream.get_buffer().obj is first
    put(stream, marked(records[0])[100_000:] + marked(records[1]) + marked(records[2]))
    assert stream.stores[0].obj is first
    assert [bytes(store) for store in stream.stores] == records  # none was received over another
    assert len({id(store.obj) for store in stream.stores}) == len(records)


def test_the_buffer_is_used_again_and_again() -> None:
    stream = Collector()
    record = body(60_000)
    for _ in range(40):
        put(stream, marked(record), [50_001])
    assert stream.records == [record] * 40
    assert set(stream.events) == {"record"}


@given(
    st.lists(st.integers(0, 3 * DIRECT), max_size=6),
    st.lists(st.integers(1, 100_000), max_size=40),
    st.booleans(),
)
def test_any_records_in_any_pieces(lengths: list[int], sizes: list[int], placed: bool) -> None:
    records = [(b"%d " % number * length)[:length] for number, length in enumerate(lengths)]
    place = memoryview(bytearray(3 * DIRECT)) if placed else None
    stream = Collector(place, offset=17)
    put(stream, b"".join(map(marked, records)), sizes)
    assert stream.records == records


# -------------------------------------------------------------------------------------------- lies


def test_a_record_over_the_limit_is_refused_at_its_mark() -> None:
    stream = Collector(max_record=1000)
    put(stream, marked(body(1000)))
    assert len(stream.records) == 1
    with pytest.raises(RecordTooLongError, match="a record of 1001 bytes; the limit is 1000"):
        put(stream, struct.pack(">I", 0x80000000 | 1001))


def test_a_record_in_several_fragments_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="fragments"):
        put(Collector(), struct.pack(">I", 5) + b"hello")


def test_what_is_claimed_and_does_not_come_costs_nothing() -> None:
    stream = Collector()
    tracemalloc.start()
    try:
        put(stream, struct.pack(">I", 0x80000000 | 100 * 1024 * 1024) + bytes(2048))
        current, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
    assert current < 2 * 1024 * 1024
    assert len(stream.get_buffer()) > 0


def test_storage_grows_with_what_comes() -> None:
    stream = Collector()
    claimed = 64 * 1024 * 1024
    put(stream, struct.pack(">I", 0x80000000 | claimed) + bytes(PEEK))
    come = PEEK
    while come < 8 * 1024 * 1024:
        size = len(stream.get_buffer())
        stream.feed(size)
        come += size
        assert come + len(stream.get_buffer()) <= max(2 * come, 1024 * 1024)


# ---------------------------------------------------------------------------------------- redirect


@pytest.mark.parametrize("cut", [PEEK + 4, PEEK + 5, 50_000, DIRECT + 4999])
def test_a_redirected_tail_goes_nowhere_and_the_stream_goes_on(cut: int) -> None:
    place = bytearray(b"." * 100_000)
    stream = Collector(memoryview(place), offset=10)
    data = marked(b"x" * (DIRECT + 5000)) + marked(b"next")
    put(stream, data[:cut])
    before = bytes(place)
    stream.redirect()
    put(stream, data[cut:])
    assert place == before
    assert stream.events == ["tail", "record"]
    assert stream.records[-1] == b"next"


def test_redirecting_nothing_does_nothing() -> None:
    stream = Collector()
    stream.redirect()
    put(stream, marked(b"x" * 200_000)[:5000])
    stream.redirect()  # a whole record is not a tail
    put(stream, marked(b"x" * 200_000)[5000:])
    assert stream.records == [b"x" * 200_000]
