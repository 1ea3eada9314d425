"""performance/quick-read above a brick's posix: what it asks for, and what it makes of the answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame, Opening
from glusterio.traps import Event
from glusterio.types import ROOT_GFID
from glusterio.wire.credentials import Credentials
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.fops.names import LookupReply, LookupRequest
from glusterio.xlators.base import Data, Notice, Services, Xlator
from glusterio.xlators.open_behind import OpenBehind
from glusterio.xlators.quick_read import CONTENT, QuickRead
from tests.xlators.posix_bed import PosixBed, posix_bed

SUPERUSER = Credentials(1, 0, 0)
OWNER = Credentials(1, 1000, 1000)
MEMBER = Credentials(1, 2000, 7, (3000,))
STRANGER = Credentials(1, 4000, 4000)
LIST = "system.posix_acl_access"


class Between(Xlator):
    """Notes what is asked, and changes the answers."""

    asked: Any = None
    changes: Dict = MappingProxyType({})

    async def lookup(self, frame: Frame, request: LookupRequest) -> LookupReply:
        self.asked = request.xdata
        reply = await self.child.lookup(frame, request)
        return reply._replace(xdata={**(reply.xdata or {}), **self.changes})


class Bed:
    """The translator, as the session of ``user`` has it."""

    def __init__(self, below: PosixBed, user: Credentials | None, **options: str) -> None:
        services = Services(Event, identity=user)
        self.below = below
        self.between = Between("between", {}, (below.posix,), services)
        self.quick_read = QuickRead("quick-read", options, (self.between,), services)

    def lookup(self, name: str, xdata: Dict | None = None) -> tuple[Frame, LookupReply]:
        """Look up a file that is to be opened for reading."""
        frame = Frame()
        frame.opening = Opening(ROOT_GFID, name)
        request = LookupRequest(pargfid=ROOT_GFID, name=name, xdata=xdata)
        return frame, self.below.run(self.quick_read.lookup(frame, request))

    def open(self, name: str) -> tuple[Fd, bool]:
        """Look it up and open it; return the fd, and whether that was granted."""
        frame, reply = self.lookup(name)
        fd = Fd(reply.stat.gfid, os.O_RDONLY)
        self.below.run(self.quick_read.open(frame, fd, OpenRequest(fd.gfid, os.O_RDONLY)))
        assert frame.opening is not None
        return fd, frame.opening.granted

    def read(self, fd: Fd) -> bytes:
        data: Data = self.below.run(self.quick_read.readv(Frame(), fd, 100, 0))
        return bytes(data.data)

    def release(self, fd: Fd) -> None:
        self.below.run(self.quick_read.release(Frame(), fd))


@pytest.fixture
def below(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path) as made:
        (tmp_path / "f").write_bytes(b"content")
        os.chmod(tmp_path / "f", 0o640)
        os.chown(tmp_path / "f", 1000, 3000)
        yield made


def test_others_keys_are_asked_for_and_answered_too(below: PosixBed) -> None:
    bed = Bed(below, SUPERUSER)
    _, reply = bed.lookup("f")
    assert bed.between.asked == {CONTENT: 65536, LIST: 0}
    assert reply.xdata is None
    _, reply = bed.lookup("f", {CONTENT: 3, "user.x": 0})
    assert set(bed.between.asked) == {CONTENT, LIST, "user.x"}
    assert reply.xdata == {CONTENT: b"content"}


@pytest.mark.parametrize(
    ("user", "granted"),
    [(SUPERUSER, True), (OWNER, True), (MEMBER, True), (STRANGER, False), (None, False)],
)
def test_content_is_for_those_who_may_read_the_file(
    below: PosixBed, user: Credentials | None, granted: bool
) -> None:
    bed = Bed(below, user)
    fd, was_granted = bed.open("f")
    assert was_granted is granted
    (below.directory / "f").write_bytes(b"changed")
    assert bed.read(fd) == (b"content" if granted else b"changed")
    bed.release(fd)


@pytest.mark.parametrize(
    "changes",
    [{LIST: b"a list"}, {CONTENT: b"conten"}, {CONTENT: b"content."}, {CONTENT: 7}],
    ids=["a list", "too short", "too long", "no bytes"],
)
def test_what_is_in_doubt_is_not_used(below: PosixBed, changes: Dict) -> None:
    bed = Bed(below, SUPERUSER)
    bed.between.changes = changes
    fd, granted = bed.open("f")
    assert not granted
    assert bed.quick_read.counts() == {"files": 0, "bytes": 0}
    assert bed.read(fd) == b"content"
    bed.release(fd)


@pytest.mark.parametrize("notice", [Notice.CHILD_DOWN, Notice.UPCALL])
def test_nothing_is_kept_when_the_brick_went_or_tells_of_changes(
    below: PosixBed, notice: Notice
) -> None:
    bed = Bed(below, SUPERUSER)
    fd, _ = bed.open("f")
    (below.directory / "f").write_bytes(b"changed")
    assert bed.read(fd) == b"content"
    bed.between.notify(notice)
    assert bed.quick_read.counts() == {"files": 0, "bytes": 0}
    assert bed.read(fd) == b"changed"
    bed.release(fd)


def test_an_older_answer_does_not_replace_a_newer_one(below: PosixBed) -> None:
    bed = Bed(below, SUPERUSER, **{"cache-timeout": "600"})
    fd, _ = bed.open("f")
    (content,) = bed.quick_read._kept.values()
    content.until += 1000  # as if it had been asked for later
    (below.directory / "f").write_bytes(b"an older answer")
    other, granted = bed.open("f")
    assert granted
    assert bed.read(other) == b"content"
    bed.release(other)
    assert bed.quick_read.counts() == {"files": 1, "bytes": 7}
    bed.release(fd)
    assert bed.quick_read.counts() == {"files": 0, "bytes": 0}


def test_what_is_kept_goes_with_the_last_fd(below: PosixBed) -> None:
    bed = Bed(below, SUPERUSER)
    fds = [bed.open("f")[0] for _ in range(3)]
    for fd in fds:
        assert bed.quick_read.counts() == {"files": 1, "bytes": 7}
        bed.release(fd)
    assert bed.quick_read.counts() == {"files": 0, "bytes": 0}


class Told(Between):
    """Has a ``release`` of its own, and nothing to say about dropping."""

    released = 0

    async def release(self, frame: Frame, fd: Fd) -> None:
        self.released += 1
        await self.child.release(frame, fd)


def test_an_fd_is_not_dropped_past_a_translator_that_wants_to_hear_of_it(below: PosixBed) -> None:
    bed = Bed(below, SUPERUSER)
    services = Services(Event, identity=SUPERUSER)
    behind = OpenBehind("open-behind", {}, (below.posix,), services)
    told = Told("told", {}, (behind,), services)
    quick_read = QuickRead("quick-read", {}, (told,), services)
    for bed.quick_read, may_be_dropped in (
        (quick_read, False),
        (QuickRead("quick-read", {}, (behind,), services), True),
    ):
        fd, granted = bed.open("f")
        assert granted
        assert bed.quick_read.drop(fd) is may_be_dropped
        assert bed.quick_read.counts()["files"] == (0 if may_be_dropped else 1)
        if not may_be_dropped:
            bed.release(fd)
        assert behind.counts() == {"pending": 0}
    assert told.released == 1
