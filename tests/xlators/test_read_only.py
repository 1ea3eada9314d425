"""features/read-only: what it refuses, and what it lets pass."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Event
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.fops.xattrs import FxattropRequest, XattropRequest
from glusterio.wire.programs import Fop, OpenFlag, XattropFlag
from glusterio.xlators.base import Services, Xlator
from glusterio.xlators.read_only import CHANGES, ReadOnly

GFID = bytes(15) + b"\x01"
FRAME = Frame()

#: The fops that change nothing, or nothing that is kept.
HARMLESS = [
    fop.name.lower()
    for fop in Fop
    if fop.name.lower() not in CHANGES
    and fop.name.lower()
    not in ("null", "open", "xattrop", "fxattrop", "compound", "put", "namelink", "icreate")
]


class Below(Xlator):
    """Takes whatever comes."""

    def __getattribute__(self, name: str) -> Any:
        if name in {fop.name.lower() for fop in Fop} | {"readv", "writev"}:

            async def passed(*_: object) -> str:
                return name

            return passed
        return super().__getattribute__(name)


@pytest.fixture
def read_only() -> ReadOnly:
    services = Services(new_event=Event)
    below = Below("below", {}, (), services)
    return ReadOnly("read-only", {"read-only": "on"}, (below,), services)


def passes(coro: Coro[Any]) -> bool:
    """Whether a fop came through; if not, it was refused as one that changes something."""

    async def run() -> int:
        try:
            await coro
        except OSError as error:
            return error.errno or -1
        return 0

    code = asyncio.run(run())
    assert code in (0, errno.EROFS)
    return code == 0


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_refused(read_only: ReadOnly, name: str) -> None:
    assert not passes(getattr(read_only, name)(FRAME, None, None))
    read_only.reconfigure({"read-only": "off"})
    assert passes(getattr(read_only, name)(FRAME, None, None))
    read_only.reconfigure({})
    assert passes(getattr(read_only, name)(FRAME, None, None))


@pytest.mark.parametrize("name", [name for name in HARMLESS if hasattr(ReadOnly, name)])
def test_the_rest_passes(read_only: ReadOnly, name: str) -> None:
    method = getattr(read_only, name)
    arguments = method.__code__.co_argcount - 2
    assert passes(method(FRAME, *[None] * arguments))


@pytest.mark.parametrize(
    ("flags", "good"),
    [
        (OpenFlag.RDONLY, True),
        (OpenFlag.RDONLY | OpenFlag.DIRECT, True),
        (OpenFlag.WRONLY, False),
        (OpenFlag.RDWR, False),
        (OpenFlag.RDONLY | OpenFlag.TRUNC, False),
    ],
)
def test_open(read_only: ReadOnly, flags: int, good: bool) -> None:
    assert passes(read_only.open(FRAME, Fd(GFID), OpenRequest(GFID, flags))) is good


@pytest.mark.parametrize(("value", "good"), [(bytes(12), True), (bytes(11) + b"\x01", False)])
def test_xattrop_that_adds_nothing_is_a_question(
    read_only: ReadOnly, value: bytes, good: bool
) -> None:
    given = {"trusted.a": bytes(4), "trusted.b": value}
    request = XattropRequest(GFID, XattropFlag.ADD_ARRAY, given)
    assert passes(read_only.xattrop(FRAME, request)) is good
    fd_request = FxattropRequest(GFID, 0, XattropFlag.ADD_ARRAY, given)
    assert passes(read_only.fxattrop(FRAME, Fd(GFID), fd_request)) is good
