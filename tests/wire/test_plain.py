"""A plain message's bytes are those of the general codec, and what is not plain is left to that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire import messages
from glusterio.wire.fops.data import WriteRequest
from glusterio.wire.fops.files import ChangedReply, CommonReply
from glusterio.wire.fops.names import LookupReply, LookupRequest
from glusterio.wire.iatt import Iatt
from tests.wire.strategies import ALL_MESSAGES, messages_of

PLAIN = [cls for cls in ALL_MESSAGES if messages.codec_of(cls).plain is not None]


def general(message: Any) -> bytes:
    out = bytearray()
    messages.codec_of(type(message)).pack_into(message, out)
    return bytes(out)


def test_the_classes_that_matter_can_be_plain() -> None:
    assert {WriteRequest, ChangedReply, CommonReply, LookupReply} <= set(PLAIN)
    assert LookupRequest not in PLAIN  # a name has any length


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.__name__)
def test_bytes_are_the_general_codecs(cls: type[Any]) -> None:
    plain = messages.codec_of(cls).plain
    assert plain is not None

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(message=messages_of(cls))
    def there_and_back(message: Any) -> None:
        bare = message._replace(
            **{name: None for name in ("xdata", "xattrs") if hasattr(message, name)}
        )
        packed = plain.pack(bare)
        assert packed == general(bare)
        assert plain.unpack(packed, 0) == bare
        assert len(packed) == plain.size
        if message != bare:
            assert plain.pack(message) is None
            assert plain.unpack(general(message), 0) is None
            assert messages.decode_with_tail(cls, general(message))[0] == message

    there_and_back()


def test_what_is_not_sound_gets_the_general_codecs_error() -> None:
    with pytest.raises(LocalProtocolError, match="15 bytes where 16"):
        messages.encode(WriteRequest(bytes(15), 0, 0, 0))
    with pytest.raises(LocalProtocolError, match="17 bytes where 16"):
        messages.encode(WriteRequest(bytes(17), 0, 0, 0))
    with pytest.raises(LocalProtocolError, match="a gfid of 3 bytes"):
        messages.encode(ChangedReply(prestat=Iatt(gfid=b"abc")))
    with pytest.raises(LocalProtocolError, match="ChangedReply"):
        messages.encode(ChangedReply(op_ret=1 << 40))
    whole = messages.encode(CommonReply())
    for end in range(len(whole)):
        with pytest.raises(XdrError):
            messages.decode(CommonReply, whole[:end])
