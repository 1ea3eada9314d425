"""The leases of a brick's clients, over the wire."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glusterio.brick.limits import Limits
from glusterio.wire.callbacks import RecallLease
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops import files, locks, names
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.messages import decode
from glusterio.wire.programs import (
    CALLBACK,
    ROOT_GFID,
    CallbackProc,
    Fop,
    LeaseCommand,
    LeaseType,
)
from glusterio.wire.records import CallHeader, parse_message
from tests.brick.inside import InsideBrick
from tests.brick.lock_calls import errno_of
from tests.brick.raw import RawClient

READ, RW = LeaseType.READ, LeaseType.READ_WRITE
GET, SET, UNLOCK = LeaseCommand
#: Longer than any test lasts.
LONG = "1000"


class Lessee(NamedTuple):
    """A client, the file that it is about, and its lease id."""

    client: RawClient
    gfid: bytes
    id: bytes

    @property
    def xdata(self) -> Dict:
        return {"lease-id": self.id}

    def lease(self, kind: int, cmd: LeaseCommand = SET) -> tuple[int, int]:
        """The errno, and the type in the reply."""
        request = locks.LeaseRequest(self.gfid, locks.Lease(cmd, kind, self.id))
        reply, _ = self.client.fop(Fop.LEASE, request)
        return errno_of(reply), reply.lease.type

    def open(self, flags: int, xdata: Dict | None = None) -> int:
        fd: int = self.client.do(Fop.OPEN, files.OpenRequest(self.gfid, flags, xdata)).fd
        return fd

    def post_truncate(self, size: int = 0) -> None:
        self.client.post(Fop.TRUNCATE, files.TruncateRequest(self.gfid, size))

    def truncated(self) -> int:
        return errno_of(self.client.take(Fop.TRUNCATE)[0])

    def recalled(self) -> None:
        """Receive the recall, which is the next that the brick says."""
        record = self.client.record()
        header = parse_message(record)
        assert isinstance(header, CallHeader)
        assert (header.program, header.version) == CALLBACK
        assert header.procedure == CallbackProc.RECALL_LEASE
        message = decode(RecallLease, record, header.body)
        assert message == RecallLease(self.gfid, LeaseType.NONE, bytes(16), {})


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InsideBrick]:
    with InsideBrick(tmp_path_factory.mktemp("brick")) as inside:
        yield inside


Connect = Callable[[str], Lessee]


@pytest.fixture
def connect(brick: InsideBrick, request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients that know the test's file; nothing of theirs is left when they have gone."""
    brick.set_options({"features.leases": "on", "features.lease-lock-recall-timeout": LONG})
    name = request.node.name
    with contextlib.ExitStack() as stack:
        maker = stack.enter_context(brick.connect())
        made = maker.create(name)
        maker.write(made.stat.gfid, made.fd, b"content")
        maker.release(made.stat.gfid, made.fd)

        def connecting(who: str) -> Lessee:
            client = stack.enter_context(brick.connect())
            return Lessee(client, made.stat.gfid, who.encode().ljust(16, b"-"))

        yield connecting
    brick.wait_for(fds=0, leases=0, recalled_leases=0, waiting_for_leases=0, pending=0)


@pytest.fixture
def one(connect: Connect) -> Lessee:
    return connect("one")


@pytest.fixture
def two(connect: Connect) -> Lessee:
    return connect("two")


def test_turned_off_there_are_none(brick: InsideBrick, one: Lessee) -> None:
    brick.set_options({"features.leases": None})
    for cmd in LeaseCommand:
        assert one.lease(READ, cmd) == (errno.ENOSYS, 0)


def test_what_is_granted_and_told(one: Lessee, two: Lessee) -> None:
    assert one.lease(READ) == (0, READ)
    assert two.lease(READ) == (0, READ)
    assert two.lease(0, GET) == (0, READ)
    assert two.lease(READ, UNLOCK) == (0, READ)
    assert one.lease(RW) == (0, RW), "his own READ lease is not in the way"
    assert two.lease(0, GET) == (0, READ | RW)


def test_a_change_waits_until_the_lease_is_given_back(
    brick: InsideBrick, one: Lessee, two: Lessee
) -> None:
    one.lease(READ)
    two.post_truncate()
    one.recalled()
    brick.wait_for(waiting_for_leases=1, recalled_leases=1)
    assert brick.dump()["lease_table"][0]["recalled"] is True
    assert one.client.lookup("test_a_change_waits_until_the_lease_is_given_back").stat.size == 7
    assert one.lease(READ) == (errno.EPERM, 0), "first those who wait"
    assert one.lease(READ, UNLOCK) == (0, READ)
    assert two.truncated() == 0


def test_everybody_in_the_way_is_told_once(brick: InsideBrick, connect: Connect) -> None:
    holders = [connect(f"holder {number}") for number in range(3)]
    others = [connect(f"other {number}") for number in range(2)]
    for holder in holders:
        holder.lease(READ)
    for number, other in enumerate(others, 1):
        other.post_truncate(number)
        brick.wait_for(waiting_for_leases=number)
    for left, holder in reversed(list(enumerate(holders))):
        holder.recalled()
        assert brick.dump()["waiting_for_leases"] == 2
        holder.lease(READ, UNLOCK)
        assert not holder.client.unasked, "told twice"
        assert brick.dump()["leases"] == left
    for other in others:
        assert other.truncated() == 0


def test_who_will_not_wait_gets_eagain(one: Lessee, two: Lessee) -> None:
    one.lease(READ)
    request = files.OpenRequest(two.gfid, os.O_WRONLY | os.O_NONBLOCK)
    assert errno_of(two.client.fop(Fop.OPEN, request)[0]) == errno.EAGAIN
    one.recalled()
    two.open(os.O_RDONLY | os.O_NONBLOCK)
    one.lease(READ, UNLOCK)
    two.client.do(Fop.OPEN, request)


def test_the_holders_own_requests_name_the_lease_id(
    brick: InsideBrick, one: Lessee, two: Lessee
) -> None:
    fd = one.open(os.O_RDWR, one.xdata)
    assert one.lease(RW) == (0, RW)
    gfid = one.gfid
    write = WriteRequest(gfid, fd, 0, 4, 0, one.xdata)
    reply, _ = one.client.fop(Fop.WRITE, write, b"data")
    assert reply.op_ret == 4
    assert one.client.fop(Fop.READ, ReadRequest(gfid, fd, 0, 4, 0, one.xdata))[1] == b"data"
    assert not one.client.unasked
    two.client.post(Fop.READ, ReadRequest(gfid, -2, 0, 4))
    one.recalled()
    one.client.release(gfid, fd)
    assert two.client.take(Fop.READ)[1] == b"data", "the lease went with its descriptor"


def test_without_the_lease_id_the_holder_is_another(one: Lessee) -> None:
    fd = one.open(os.O_RDWR, one.xdata)
    one.lease(RW)
    reading = one.client.post(Fop.READ, ReadRequest(one.gfid, fd, 0, 4))
    one.recalled()
    lease = locks.Lease(UNLOCK, RW, one.id)
    dropping = one.client.post(Fop.LEASE, locks.LeaseRequest(one.gfid, lease))
    answered = [one.client.receive()[0].xid for _ in range(2)]
    assert sorted(answered) == [reading, dropping]


def test_a_lease_that_is_not_given_back_is_taken(
    brick: InsideBrick, one: Lessee, two: Lessee
) -> None:
    one.lease(RW)
    two.post_truncate()
    one.recalled()
    brick.set_options({"features.lease-lock-recall-timeout": "0"})
    assert two.truncated() == 0
    assert one.lease(RW, UNLOCK) == (0, RW), "as if it were still there"
    assert one.lease(0, GET) == (0, 0)


def test_the_time_out_is_counted_from_the_recall(
    brick: InsideBrick, one: Lessee, two: Lessee
) -> None:
    brick.set_options({"features.lease-lock-recall-timeout": "1"})
    one.lease(READ)
    two.post_truncate()
    one.recalled()
    assert two.truncated() == 0
    assert brick.dump()["leases"] == 0


def test_the_holders_end_is_the_leases(brick: InsideBrick, one: Lessee, two: Lessee) -> None:
    one.lease(RW)
    two.post_truncate()
    one.recalled()
    one.client.close()
    assert two.truncated() == 0


def test_who_waits_and_goes_waits_no_more(brick: InsideBrick, one: Lessee, two: Lessee) -> None:
    one.lease(READ)
    two.post_truncate()
    one.recalled()
    brick.wait_for(waiting_for_leases=1)
    two.client.close()
    brick.wait_for(waiting_for_leases=0, leases=1)
    assert one.client.lookup("test_who_waits_and_goes_waits_no_more").stat.size == 7


def test_an_open_that_waited_for_a_client_that_went_leaves_nothing(
    brick: InsideBrick, one: Lessee, two: Lessee
) -> None:
    one.lease(READ)
    two.client.post(Fop.OPEN, files.OpenRequest(two.gfid, os.O_RDWR))
    one.recalled()
    two.client.close()
    brick.wait_for(waiting_for_leases=0, fds=0)
    one.lease(READ, UNLOCK)
    assert one.lease(RW) == (0, RW), "nobody else has it open"


def test_turned_off_whoever_waits_goes_on(brick: InsideBrick, one: Lessee, two: Lessee) -> None:
    one.lease(READ)
    two.post_truncate()
    one.recalled()
    brick.set_options({"features.leases": "off"})
    assert two.truncated() == 0
    assert brick.dump()["leases"] == 0


def test_a_lease_that_is_refused_recalls_what_is_in_the_way(one: Lessee, two: Lessee) -> None:
    one.lease(READ)
    assert two.lease(RW) == (errno.EPERM, 0)
    one.recalled()
    one.lease(READ, UNLOCK)
    assert two.lease(RW) == (0, RW)


def test_waiting_does_not_keep_a_client_from_giving_its_own_lease_back(
    brick: InsideBrick, one: Lessee, two: Lessee
) -> None:
    """Each waits for the other, with more requests than may be under way; pings are still heard."""
    count = Limits().pending + 1
    one.lease(READ)
    for _ in range(count):
        two.post_truncate()
    one.recalled()
    brick.wait_for(waiting_for_leases=count)
    assert two.lease(0, GET) == (0, READ)
    one.lease(READ, UNLOCK)
    for _ in range(count):
        assert two.truncated() == 0


@pytest.mark.parametrize("fop", [Fop.UNLINK, Fop.RENAME, Fop.LINK])
def test_names_wait_too(
    brick: InsideBrick, one: Lessee, two: Lessee, fop: Fop, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    message: Any = {
        Fop.UNLINK: names.UnlinkRequest(ROOT_GFID, name),
        Fop.RENAME: names.RenameRequest(ROOT_GFID, ROOT_GFID, name, f"{name} moved"),
        Fop.LINK: names.LinkRequest(one.gfid, ROOT_GFID, f"{name} linked"),
    }[fop]
    one.lease(READ)
    two.client.post(fop, message)
    one.recalled()
    brick.wait_for(waiting_for_leases=1)
    one.lease(READ, UNLOCK)
    assert errno_of(two.client.take(fop)[0]) == 0


@contextlib.contextmanager
def two_on(brick: InsideBrick) -> Iterator[tuple[Lessee, Lessee]]:
    """Two clients of a brick that is the test's own; the first has a lease."""
    brick.set_options({"features.leases": "on", "features.lease-lock-recall-timeout": LONG})
    with brick.connect() as first, brick.connect() as second:
        made = first.create("f")
        first.release(made.stat.gfid, made.fd)
        one = Lessee(first, made.stat.gfid, b"one" * 5 + b"!")
        assert one.lease(READ) == (0, READ)
        yield one, one._replace(client=second)


def test_only_so_many_requests_may_wait(tmp_path: Path) -> None:
    with (
        InsideBrick(tmp_path, Limits(blocked_locks=1)) as brick,
        two_on(brick) as (one, two),
    ):
        two.post_truncate()
        one.recalled()
        two.post_truncate()
        assert two.truncated() == errno.ENOLCK
        one.lease(READ, UNLOCK)
        assert two.truncated() == 0


def test_the_bricks_end_is_the_waitings(tmp_path: Path) -> None:
    with contextlib.ExitStack() as clients:
        with InsideBrick(tmp_path) as brick:
            one, two = clients.enter_context(two_on(brick))
            two.post_truncate()
            one.recalled()
            brick.wait_for(waiting_for_leases=1)
        assert two.client.is_closed()
