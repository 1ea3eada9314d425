"""features/utime: every fop that changes something says so, and the stamp does not outlive it."""

from __future__ import annotations

from typing import Any

import pytest

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Event
from glusterio.types import ROOT_GFID
from glusterio.wire.credentials import Credentials, decode, encode_v3, stamped
from glusterio.wire.fops.attributes import FsetattrRequest, SetattrRequest
from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.programs import AuthFlavor, SetattrValid, TimeFlag
from glusterio.xlators.base import Services, Xlator
from glusterio.xlators.utime import CHANGES, Utime

NOW = 1_700_000_000_123_456_789


class Brick(Xlator):
    """Answers every fop with the stamp that came with it."""

    def __getattribute__(self, name: str) -> Any:
        if name in CHANGES or name in ("setattr", "fsetattr", "lookup"):

            async def fop(frame: Frame, *arguments: object) -> object:
                return frame.stamp

            return fop
        return super().__getattribute__(name)


def run(coro: Any) -> Any:
    with pytest.raises(StopIteration) as stopped:
        coro.send(None)
    return stopped.value.value


@pytest.fixture
def utime() -> Utime:
    services = Services(Event, lambda: NOW)
    return Utime("utime", {}, (Brick("brick", {}, (), services),), services)


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_something_says_so(utime: Utime, name: str) -> None:
    frame = Frame()
    assert run(getattr(utime, name)(frame, object())) == (CHANGES[name], NOW)
    assert frame.stamp is None


def test_a_write_that_no_coroutine_waits_for_says_so(utime: Utime) -> None:
    def asked(frame: Frame, *arguments: object) -> None:
        assert frame.stamp == (CHANGES["writev"], NOW)

    utime.child.writev_now = asked  # type: ignore[method-assign, assignment]
    assert utime.writev_now(Frame(), Fd(ROOT_GFID), b"data", 0, lambda rest: None) is None


def test_what_changes_nothing_says_nothing(utime: Utime) -> None:
    assert run(utime.lookup(Frame(), object())) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("valid", "flags"),
    [
        (SetattrValid.MODE, TimeFlag.CTIME),
        (SetattrValid.UID | SetattrValid.ATIME, TimeFlag.CTIME),
        (SetattrValid.ATIME | SetattrValid.MTIME, 0),
    ],
)
def test_setting_times_does_not_claim_the_ctime(utime: Utime, valid: int, flags: int) -> None:
    request = SetattrRequest(ROOT_GFID, ZERO_IATT, valid)
    assert run(utime.setattr(Frame(), request)) == (flags, NOW)
    on_fd = FsetattrRequest(ROOT_GFID, 0, ZERO_IATT, valid)
    assert run(utime.fsetattr(Frame(), Fd(ROOT_GFID), on_fd)) == (flags, NOW)


def test_a_stamp_goes_where_the_credential_has_it() -> None:
    plain = Credentials(pid=7, uid=1, gid=2, groups=(3, 4), lk_owner=b"12345678")
    bare = encode_v3(plain)
    changed = stamped(bare, int(TimeFlag.MTIME), NOW)
    assert len(changed) == len(bare)
    expected = plain._replace(flags=int(TimeFlag.MTIME), ctime=NOW)
    assert changed == encode_v3(expected)
    assert decode(AuthFlavor.GLUSTERFS_V3, changed[8:-8]) == expected
