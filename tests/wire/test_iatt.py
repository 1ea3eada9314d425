"""File attributes in their three layouts."""

from __future__ import annotations

import pytest
from hypothesis import given

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire.iatt import IATT, MDATA, OLD_IATT, ZERO_IATT, Iatt, Mdata, OldIatt
from tests.wire.strategies import SAMPLE_IATT, SAMPLE_OLD_IATT, iatts

SAMPLES = [SAMPLE_IATT, SAMPLE_OLD_IATT, Mdata(-1, 2, 3, 4, 5, 6)]


def test_sizes() -> None:
    assert (IATT.size, MDATA.size) == (148, 36)
    assert OLD_IATT.size == 16 + 2 * 8 + 4 * 4 + 2 * 8 + 4 + 8 + 6 * 4
    assert ZERO_IATT.pack() == bytes(148)


@given(iatts)
def test_attributes_come_back(iatt: Iatt) -> None:
    assert Iatt.unpack_from(b"before" + iatt.pack(), 6) == iatt


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__name__)
def test_samples_come_back_and_are_refused_when_cut(value: Iatt | OldIatt | Mdata) -> None:
    data = value.pack()
    cls = type(value)
    assert cls.unpack_from(memoryview(b"x" + data + b"y"), 1) == value
    for end in range(len(data)):
        with pytest.raises(XdrError):
            cls.unpack_from(data[:end])


@pytest.mark.parametrize(
    "value",
    [
        Iatt(gfid=bytes(15)),
        Iatt(gfid=bytes(17)),
        Iatt(size=-1),
        Iatt(mode=2**32),
        OldIatt(gfid=b""),
        OldIatt(atime=2**32),
        Mdata(atime_nsec=-1),
    ],
)
def test_what_does_not_fit_is_our_own_mistake(value: Iatt | OldIatt | Mdata) -> None:
    with pytest.raises(LocalProtocolError):
        value.pack()
