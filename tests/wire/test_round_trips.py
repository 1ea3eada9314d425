"""Every class of message, there and back, and cut, stretched and corrupted on the way."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glusterio.errors import RemoteProtocolError, XdrError
from glusterio.wire import messages
from glusterio.wire.fops import FOPS
from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.programs import Fop
from tests.wire.strategies import (
    ALL_MESSAGES,
    ALL_REPLIES,
    SAMPLE_TAIL,
    messages_of,
    sample,
    tail_field,
)

each_message = pytest.mark.parametrize("cls", ALL_MESSAGES, ids=lambda cls: cls.__name__)
each_reply = pytest.mark.parametrize("cls", ALL_REPLIES, ids=lambda cls: cls.__name__)

#: What a hostile message of less than a kilobyte may make a decoder allocate.
MEMORY_LIMIT = 256 * 1024


def encoded_sample(cls: type[Any]) -> bytes:
    tail = SAMPLE_TAIL if tail_field(cls) else b""
    return messages.encode(sample(cls)) + tail


@each_message
def test_any_message_comes_back(cls: type[Any]) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(message=messages_of(cls), tail=st.binary(max_size=20), gap=st.integers(0, 8))
    def there_and_back(message: Any, tail: bytes, gap: int) -> None:
        field = tail_field(cls)
        if field is None:
            tail = b""
        else:
            message = message._replace(**{field: len(tail)})
        data = bytes(gap) + messages.encode(message) + tail
        decoded, rest = messages.decode_with_tail(cls, memoryview(data), gap)
        assert decoded == message
        assert type(decoded) is cls
        assert bytes(rest) == tail
        if not tail:
            assert messages.decode(cls, data, gap) == message

    there_and_back()


@each_message
def test_a_sample_comes_back_and_its_size_is_a_multiple_of_four(cls: type[Any]) -> None:
    data = messages.encode(sample(cls))
    assert len(data) % 4 == 0
    assert messages.decode_with_tail(cls, encoded_sample(cls))[0] == sample(cls)


@each_message
def test_a_message_cut_anywhere_is_refused(cls: type[Any]) -> None:
    data = encoded_sample(cls)
    for end in range(len(data)):
        with pytest.raises(XdrError):
            messages.decode_with_tail(cls, data[:end])


@each_message
def test_bytes_left_over_are_refused(cls: type[Any]) -> None:
    for extra in (b"\0", b"\0\0\0\0", b"\xff" * 148):
        with pytest.raises(XdrError):
            messages.decode_with_tail(cls, encoded_sample(cls) + extra)
        with pytest.raises(XdrError):
            messages.decode(cls, encoded_sample(cls) + extra)


@each_message
def test_a_word_that_lies_costs_little_and_raises_nothing_else(cls: type[Any]) -> None:
    data = encoded_sample(cls)
    messages.codec_of(cls)
    tracemalloc.start()
    try:
        for lie in (0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF):
            for at in range(0, len(data) - 3, 4):
                changed = bytearray(data)
                struct.pack_into(">I", changed, at, lie)
                try:
                    messages.decode_with_tail(cls, memoryview(changed))
                except RemoteProtocolError:
                    pass
        assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    finally:
        tracemalloc.stop()


@each_reply
def test_a_failed_reply_is_blank_and_comes_back(cls: type[Any]) -> None:
    reply = messages.failure(cls, 116)
    assert (reply.op_ret, reply.op_errno) == (-1, 116)
    for name, value in zip(cls._fields[2:], reply[2:], strict=True):
        if name == "xdata" and isinstance(value, bytes):
            assert value == b""
        elif name in ("xdata", "xattrs"):
            assert value is None
        elif ("stat" in name and name not in ("statfs", "status")) or "parent" in name:
            assert value == ZERO_IATT
    assert messages.decode(cls, messages.encode(reply)) == reply


def test_the_table_holds_every_operation_but_the_dead_one() -> None:
    assert set(Fop) - set(FOPS) == {Fop.COMPOUND}


@pytest.mark.parametrize("fop", FOPS)
def test_the_table_says_which_messages_have_data_behind_them(fop: Fop) -> None:
    spec = FOPS[fop]
    assert spec.request_tail == (tail_field(spec.request_class) is not None)
    assert spec.reply_tail == (tail_field(spec.reply_class) is not None)


@pytest.mark.parametrize("fop", FOPS)
def test_every_reply_begins_with_its_result_and_every_request_ends_with_its_dictionary(
    fop: Fop,
) -> None:
    assert FOPS[fop].reply_class in ALL_REPLIES
    if fop is not Fop.NULL:
        assert FOPS[fop].request_class._fields[-1] == "xdata"
