"""The order of deferred writes: whatever a brick does with what is in flight, the file is right."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from glusterio.graph.fd import Fd
from glusterio.types import NULL_GFID
from glusterio.xlators.write_behind.order import Order, Write
from glusterio.xlators.write_behind.writer import Deferred, Losses, Writer

AGGREGATE = 16


def made(strict: bool = False) -> Order:
    return Order(AGGREGATE, strict)


def writer(order: Order, flags: int = os.O_RDWR) -> Writer:
    return Writer(Fd(NULL_GFID, flags), Deferred(NULL_GFID, order))


def put(order: Order, by: Writer, data: bytes, offset: int) -> list[Write]:
    return order.accept(by, None, data, offset)[1]


def ranges(writes: list[Write]) -> list[tuple[int, bytes]]:
    return [(write.offset, bytes(write.data)) for write in writes]


def test_the_first_write_goes_at_once_and_those_apart_from_it_too() -> None:
    order = made()
    by = writer(order)
    assert ranges(put(order, by, b"one", 0)) == [(0, b"one")]
    assert ranges(put(order, by, b"two", 100)) == [(100, b"two")]
    assert ranges(put(order, by, b"six", 50)) == [(50, b"six")]
    assert order.size == 9


def test_a_write_that_overlaps_waits_for_the_answer_to_the_first() -> None:
    order = made()
    by = writer(order)
    (first,) = put(order, by, b"first", 10)
    assert put(order, by, b"second", 12) == []
    assert ranges(order.answered(first)) == [(12, b"second")]


def test_what_touches_at_the_edges_does_not_overlap() -> None:
    order = made()
    by = writer(order)
    put(order, by, b"middle", 10)
    assert ranges(put(order, by, b"after" * 4, 16)) == [(16, b"after" * 4)]
    assert ranges(put(order, by, b"before" * 2, -2)) == [(-2, b"before" * 2)]


def test_small_writes_in_a_row_are_joined_while_something_is_in_flight() -> None:
    order = made()
    by = writer(order)
    (first,) = put(order, by, b"ab", 0)
    assert put(order, by, b"cd", 2) == []
    assert put(order, by, b"ef", 4) == []
    assert ranges(order.answered(first)) == [(2, b"cdef")]


def test_joined_writes_go_when_they_are_full_or_something_else_comes_or_somebody_waits() -> None:
    order = made()
    by = writer(order)
    put(order, by, b"ab", 0)
    assert put(order, by, b"c" * 10, 2) == []
    assert ranges(put(order, by, b"d" * 6, 12)) == [(2, b"c" * 10 + b"d" * 6)]
    assert put(order, by, b"ef", 18) == []
    assert ranges(put(order, by, b"elsewhere", 100)) == [(18, b"ef"), (100, b"elsewhere")]
    assert put(order, by, b"gh", 109) == []
    assert ranges(order.urge(order.last)) == [(109, b"gh")]


def test_what_others_write_is_not_joined() -> None:
    order = made()
    one, other = writer(order), writer(order)
    put(order, one, b"ab", 0)
    assert put(order, one, b"cd", 2) == []
    assert ranges(put(order, other, b"ef", 4)) == [(2, b"cd")]


def test_a_buffer_that_was_joined_to_is_the_orders_own() -> None:
    order = made()
    by = writer(order)
    put(order, by, b"ab", 0)
    data = b"cd"
    put(order, by, data, 2)
    put(order, by, b"ef", 4)
    assert data == b"cd"


def test_of_appending_writes_one_is_in_flight() -> None:
    order = made()
    by = writer(order, os.O_WRONLY | os.O_APPEND)
    other = writer(order, os.O_WRONLY | os.O_APPEND)
    (first,) = put(order, by, b"one", 0)
    assert put(order, other, b"two", 0) == []
    assert put(order, other, b"three", 0) == []
    assert put(order, by, b"four", 0) == []
    (second,) = order.answered(first)
    assert bytes(second.data) == b"twothree"
    (third,) = order.answered(second)
    assert bytes(third.data) == b"four"


def test_strict_ordering_keeps_also_those_apart_in_order() -> None:
    order = made(strict=True)
    by = writer(order)
    (first,) = put(order, by, b"one", 0)
    assert put(order, by, b"two", 100) == []
    assert ranges(order.answered(first)) == [(100, b"two")]


def test_who_reads_waits_for_what_touches_the_range_only() -> None:
    order = made()
    by = writer(order)
    put(order, by, b"a" * 10, 0)
    put(order, by, b"b" * 10, 100)
    put(order, by, b"c" * 10, 50)
    put(order, by, b"d" * 10, 105)  # queued
    assert order.last_touching(10, 50) == 0
    assert order.last_touching(9, 10) == 1
    assert order.last_touching(59, 101) == 3
    assert order.last_touching(0, 1000) == 4
    assert order.last_touching(110, 111) == 4


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 24), st.integers(0, 1), st.integers(0, 3)),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_whatever_order_the_brick_takes_the_file_is_as_if_written_in_order(
    script: list[tuple[int, int, int, int]], random: object, strict: bool
) -> None:
    """The brick does any of what is in flight next, and each when it likes."""
    order = made(strict)
    writers = [writer(order), writer(order)]
    expected, actual = bytearray(100), bytearray(100)
    in_flight: list[Write] = []

    def answer() -> None:
        write = in_flight.pop(random.randrange(len(in_flight)))  # type: ignore[attr-defined]
        actual[write.offset : write.end] = write.data
        in_flight.extend(order.answered(write))

    for number, (offset, size, by, answers) in enumerate(script):
        data = bytes([number + 1]) * size
        expected[offset : offset + size] = data
        in_flight += put(order, writers[by], data, offset)
        assert not order.violations()
        for _ in range(min(answers, len(in_flight))):
            answer()
            assert not order.violations()
    last = order.last
    in_flight += order.urge(last)
    while not order.has_passed(last):
        assert in_flight, "nothing is in flight, and something is left"
        answer()
    assert actual == expected
    assert order.size == 0


def test_an_error_names_what_was_lost() -> None:
    order = made()
    losses = Losses()
    by = writer(order)
    for n in range(12):
        (write,) = put(order, by, b"xx", 100 * n)
        losses.add(OSError(28, "No space left on device"), write, write.offset, 2)
    (write,) = put(order, by, b"yy", 2000)
    losses.add(OSError(28, "No space left on device"), write, 2000, 2)
    assert losses.count == 26
    error = losses.error()
    assert isinstance(error, OSError)
    assert error.errno == 28
    assert "26 bytes: 0-2, 100-102" in str(error)
    assert "5 more ranges" in str(error)


def test_an_error_that_nobody_heard_is_told_with_what_came_after_it() -> None:
    first, later = Losses(), Losses()
    for losses, offset, number in ((first, 10, 28), (later, 12, 27), (later, 50, 27)):
        order = made()
        (write,) = put(order, writer(order), b"xx", offset)
        losses.add(OSError(number, os.strerror(number)), write, offset, 2)
    first.add_all(later)
    error = first.error()
    assert isinstance(error, OSError)
    assert error.errno == 28
    assert "6 bytes: 10-14, 50-52" in str(error)
