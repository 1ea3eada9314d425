"""features/locks above storage/posix, without a wire: limits, options, and waiting that is given up."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.errors import VolfileError
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Event, Within
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.locks import Flock, InodelkRequest, LkReply, LkRequest
from glusterio.wire.programs import LockCommand, LockType
from glusterio.xlators.base import Services
from glusterio.xlators.locks import Locks
from tests.xlators.posix_bed import PosixBed, posix_bed

READ, WRITE, UNLOCK = LockType
SETLK, SETLKW = LockCommand.SETLK, LockCommand.SETLKW


class Client:
    """What the translator knows of a client."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.name = f"address of {uid}"
        self.gone = Event()

    def frame(self, owner: bytes = b"owner") -> Frame:
        return Frame(identity=Credentials(5, 0, 0, (), owner), client=self)


class Bed:
    """A file, and who locks it."""

    def __init__(self, posix: PosixBed, **options: str) -> None:
        self.run = posix.run
        self.locks = Locks("locks", options, [posix.posix], Services(new_event=Event))
        self.gfid = posix.make("f")
        self.fd = Fd(self.gfid, 2)

    def lk(
        self, frame: Frame, start: int = 0, length: int = 0, kind: int = WRITE, cmd: int = SETLK
    ) -> Coro[LkReply]:
        flock = Flock(kind, 0, start, length)
        return self.locks.lk(frame, self.fd, LkRequest(self.gfid, 0, cmd, kind, flock))

    def inodelk(self, frame: Frame, cmd: int = SETLK) -> Coro[Any]:
        request = InodelkRequest(self.gfid, cmd, WRITE, Flock(WRITE), "domain")
        return self.locks.inodelk(frame, request)

    def errno_of(self, coro: Coro[Any]) -> int:
        try:
            self.run(coro)
        except OSError as error:
            return error.errno or 0
        return 0


@pytest.fixture
def posix(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path) as made:
        yield made


@pytest.fixture
def bed(posix: PosixBed) -> Bed:
    return Bed(posix)


def test_no_more_locks_than_the_option_says(posix: PosixBed) -> None:
    bed = Bed(posix, **{"max-locks-per-client": "3"})
    one, two = Client("one"), Client("two")
    for start in (0, 20, 40):
        assert bed.errno_of(bed.lk(one.frame(), start, 10)) == 0
    assert bed.errno_of(bed.lk(one.frame(), 60, 10)) == errno.ENOLCK
    assert bed.errno_of(bed.inodelk(one.frame())) == errno.ENOLCK
    assert bed.errno_of(bed.lk(two.frame(), 60, 10)) == 0, "others have their own"
    # A part may be dropped all the same, which makes two of one.
    assert bed.errno_of(bed.lk(one.frame(), 4, 1, UNLOCK)) == 0
    assert bed.errno_of(bed.lk(one.frame(), 24, 1, UNLOCK)) == 0
    assert bed.errno_of(bed.lk(one.frame(), 44, 1, UNLOCK)) == 0
    assert bed.errno_of(bed.lk(one.frame(), 2, 1, UNLOCK)) == errno.ENOLCK, "but not without end"
    bed.run(bed.locks.client_gone(one.frame()))
    assert bed.errno_of(bed.lk(one.frame(), 0, 10)) == 0
    assert bed.locks.counts()["locks"] == 2


def test_waiting_counts_and_ends_with_its_caller(posix: PosixBed) -> None:
    bed = Bed(posix, **{"max-locks-per-client": "1"})
    one, two = Client("one"), Client("two")

    async def story() -> None:
        await bed.lk(one.frame())
        waiting = bed.lk(two.frame(), cmd=SETLKW)
        with pytest.raises(TimeoutError):  # the wait is cancelled
            await Within(0.0, waiting)
        assert bed.locks.table.tally[two] == 0
        assert bed.locks.counts()["blocked_locks"] == 0
        await bed.lk(one.frame(), kind=UNLOCK)
        assert bed.locks.counts()["locks"] == 0, "nobody got what nobody waits for"

    bed.run(story())
    assert not two.gone.waiters
    assert bed.locks.table.inodes == {}


@pytest.mark.parametrize("kind", ["lk", "inodelk"])
def test_who_has_gone_does_not_queue_up(bed: Bed, kind: str) -> None:
    one, two = Client("one"), Client("two")
    bed.run(getattr(bed, kind)(one.frame()))
    two.gone.set()
    for cmd in (SETLK, SETLKW):
        assert bed.errno_of(getattr(bed, kind)(two.frame(), cmd=cmd)) == errno.ENOTCONN
    assert bed.locks.counts()["blocked_locks"] == 0


def test_every_lock_is_described(bed: Bed) -> None:
    one = Client("one")
    bed.run(bed.lk(one.frame(b"\1\2"), 5, 10, READ))
    bed.run(bed.inodelk(one.frame()))
    posix, inode = bed.locks.describe()
    assert posix._asdict() == {
        "gfid": posix.gfid,
        "kind": "posix",
        "state": "granted",
        "type": "read",
        "start": 5,
        "length": 10,
        "name": None,
        "domain": "",
        "owner": "0102",
        "pid": 5,
        "client": "address of one",
        "client_uid": "one",
    }
    assert posix.gfid.replace("-", "") == bed.gfid.hex()
    assert (inode.kind, inode.domain, inode.start, inode.length) == ("inode", "domain", 0, 0)


@pytest.mark.parametrize("mode", ["file", "forced", "optimal"])
def test_mandatory_locks_are_refused_at_the_start(posix: PosixBed, mode: str) -> None:
    with pytest.raises(VolfileError, match="mandatory-locking"):
        Bed(posix, **{"mandatory-locking": mode})
    Bed(posix, **{"mandatory-locking": "off"})
