"""The locks of a brick's clients, over the wire."""

from __future__ import annotations

import contextlib
import errno
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glusterio.wire.callbacks import EntrylkContention, InodelkContention
from glusterio.wire.fops import files, locks, xattrs
from glusterio.wire.fops.attributes import FstatRequest
from glusterio.wire.fops.directories import OpendirRequest, ReaddirpRequest
from glusterio.wire.programs import ANONYMOUS_FD, ROOT_GFID, EntrylkCommand, Fop
from tests.brick.lock_calls import (
    GETLK,
    ONE,
    READ,
    SETLKW,
    TWO,
    UNLOCK,
    WRITE,
    Locker,
    caller,
    introduce,
)
from tests.brick.raw import RawClient
from tests.embedded import BrickProcess, start_brick

Connect = Callable[[], Locker]


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick for the tests of this module."""
    with start_brick(tmp_path_factory.mktemp("brick")) as process:
        yield process


@pytest.fixture
def connect(brick: BrickProcess) -> Iterator[Connect]:
    """Makes clients that have the file ``f`` open; nothing of theirs is left when they have gone."""
    with contextlib.ExitStack() as stack:

        def connecting() -> Locker:
            client = stack.enter_context(RawClient(brick.brick_port))
            made = introduce(client, str(brick.directory)).create("f")
            return Locker(client, made.stat.gfid, made.fd)

        yield connecting
    brick.wait_for(fds=0, locks=0, blocked_locks=0, pending=0)


@pytest.fixture
def one(connect: Connect) -> Locker:
    return connect()


@pytest.fixture
def two(one: Locker, connect: Connect) -> Locker:
    return connect()


# -- POSIX locks --------------------------------------------------------------------------------------


def test_a_lock_keeps_others_out_until_it_is_dropped(one: Locker, two: Locker) -> None:
    assert one.lk(length=10).op_ret == 0
    assert two.lk(start=5).op_errno == errno.EAGAIN
    assert one.lk(start=5, who=TWO).op_errno == errno.EAGAIN, "another owner of the same client"
    assert one.lk(kind=UNLOCK).op_ret == 0
    assert two.lk(start=5).op_ret == 0


def test_getlk_names_what_is_in_the_way(one: Locker, two: Locker) -> None:
    one.lk(kind=READ, start=3, length=4, who=caller(b"the one", pid=9))
    flock = two.lk(GETLK, WRITE, 0, 10, whence=1).flock
    assert flock == locks.Flock(READ, 1, 3, 4, 9, b"the one")
    flock = two.lk(GETLK, READ, 0, 10).flock
    assert (flock.type, flock.start, flock.length) == (UNLOCK, 0, 10)
    assert flock.lk_owner == ONE.lk_owner, "of the credential"


def test_who_waits_gets_it_in_turn(brick: BrickProcess, connect: Connect) -> None:
    holder, *others = [connect() for _ in range(4)]
    holder.lk()
    for count, other in enumerate(others, 2):
        other.post_lk(SETLKW)
        holder.wait_for_count("f", count)
    assert not any(other.is_answered() for other in others)
    previous = holder
    for other in others:
        assert previous.lk(kind=UNLOCK).op_ret == 0
        reply = other.take_lk()
        assert (reply.op_ret, reply.flock.type) == (0, WRITE)
        previous = other
    assert brick.dump()["blocked_locks"] == 0


def test_waiting_gives_up_what_one_had_there(one: Locker, two: Locker) -> None:
    one.lk(kind=READ)
    two.lk(kind=READ)
    one.post_lk(SETLKW)
    one.client.lookup("f")  # is answered behind it, as the brick is one loop
    assert two.lk().op_ret == 0, "the first reader does not stand in the second's way"
    two.lk(kind=UNLOCK)
    assert one.take_lk().op_ret == 0


def test_unlocking_a_part_tells_whether_the_descriptor_has_more(one: Locker) -> None:
    one.lk(length=10)
    assert one.lk(kind=UNLOCK, start=3, length=3).flock.type == READ
    assert one.active() == [
        (WRITE, 0, 3, ONE.lk_owner, ONE.pid),
        (WRITE, 6, 4, ONE.lk_owner, ONE.pid),
    ]
    assert one.lk(kind=UNLOCK).flock.type == UNLOCK


@pytest.mark.parametrize(
    ("cmd", "kind", "start", "length", "wrong"),
    [
        (1, WRITE, -1, 1, errno.EINVAL),
        (1, WRITE, 5, -6, errno.EINVAL),
        (1, WRITE, (1 << 63) - 1, 5, errno.EINVAL),
        (1, 3, 0, 1, errno.EINVAL),
        (5, WRITE, 0, 1, errno.EOPNOTSUPP),
    ],
)
def test_what_is_no_lock(
    one: Locker, cmd: int, kind: int, start: int, length: int, wrong: int
) -> None:
    assert one.lk(cmd, kind, start, length).op_errno == wrong


@pytest.mark.parametrize("owner", [b"", bytes(8)])
def test_nobody_can_hold_no_lock(one: Locker, owner: bytes) -> None:
    assert one.lk(who=caller(owner)).op_errno == errno.EINVAL
    assert one.inodelk(who=caller(owner)) == errno.EINVAL
    assert one.entrylk(who=caller(owner)) == errno.EINVAL


def test_not_through_an_anonymous_descriptor(one: Locker) -> None:
    assert one._replace(fd=ANONYMOUS_FD).lk().op_errno == errno.EBADF


def test_a_request_that_waits_is_taken_back(brick: BrickProcess, one: Locker, two: Locker) -> None:
    one.lk(start=20)
    two.post_lk(SETLKW, start=25, length=5)
    two.post_lk(SETLKW, start=30, length=5, who=TWO)
    one.interrupt(25, 5)  # not his own
    assert "No locks" in next(iter(one.client.take(Fop.FGETXATTR)[0].xattrs.values()))
    two.interrupt(25, 5)
    assert "blocked locks=1" in next(iter(two.client.take(Fop.FGETXATTR)[0].xattrs.values()))
    assert two.take_lk().op_errno == errno.EINTR
    one.lk(kind=UNLOCK)
    assert two.take_lk().op_ret == 0, "the other request goes on waiting"
    brick.wait_for(locks=1, blocked_locks=0)


@pytest.mark.parametrize(
    "name", ["", ".tposix", ".tposix.kgranted", ".tinode.kblocked", ".tposix.kblocked.x", "."]
)
def test_only_what_waits_is_taken_back(one: Locker, name: str) -> None:
    one.lk()
    name = "glusterfs.intrlk" + name
    request = xattrs.FgetxattrRequest(one.gfid, one.fd, len(name) + 1, name)
    assert one.client.fop(Fop.FGETXATTR, request)[0].op_errno == errno.EINVAL
    assert one.count("f") == 1


# -- how they end -------------------------------------------------------------------------------------


def test_flush_drops_its_owners_locks(one: Locker, two: Locker) -> None:
    one.lk(length=5)
    one.lk(start=5, length=5, who=TWO)
    two.lk(start=10, length=5)
    assert one.flush() == 0
    assert [start for _, start, *_ in one.active()] == [5, 10]


def test_flush_of_nobody_drops_the_descriptors_locks_and_its_waiting(
    one: Locker, two: Locker
) -> None:
    two.lk(start=10)
    one.lk(length=5)
    one.lk(start=5, length=5, who=TWO)
    one.post_lk(SETLKW, start=10)
    one.client.post(Fop.FLUSH, files.FlushRequest(one.gfid, one.fd), caller=caller(b""))
    _, first = one.client.receive()
    _, second = one.client.receive()
    assert len(first) != len(second), "one is LK's, the other FLUSH's"
    assert [start for _, start, *_ in one.active()] == [10]


def test_release_drops_the_descriptors_locks(brick: BrickProcess, one: Locker) -> None:
    second = one.client.do(Fop.OPEN, files.OpenRequest(one.gfid, 2)).fd
    one.lk(length=5)
    one._replace(fd=second).lk(start=5, length=5)
    one.client.release(one.gfid, second)
    assert [start for _, start, *_ in one.active()] == [0]
    one.client.release(one.gfid, one.fd)
    assert one.active() == []
    assert brick.dump()["locks"] == 0


def test_all_goes_with_the_client(brick: BrickProcess, one: Locker, two: Locker) -> None:
    one.lk()
    assert one.inodelk(by_fd=True) == 0
    assert one.inodelk(domain="other") == 0
    assert one.entrylk(name="x") == 0
    assert brick.dump()["locks"] == 4
    two.post_lk(SETLKW)
    one.wait_for_count("f", 2)
    one.client.close()
    assert two.take_lk().op_ret == 0
    assert two.inodelk() == 0
    assert two.entrylk() == 0
    brick.wait_for(locks=3, blocked_locks=0)


def test_a_client_that_goes_while_it_waits(
    brick: BrickProcess, one: Locker, two: Locker, connect: Connect
) -> None:
    one.lk()
    one.inodelk()
    one.entrylk()
    two.post_lk(SETLKW)
    flock = locks.Flock(WRITE)
    two.client.post(Fop.INODELK, locks.InodelkRequest(two.gfid, SETLKW, WRITE, flock, "domain"))
    two.client.post(
        Fop.ENTRYLK, locks.EntrylkRequest(two.gfid, EntrylkCommand.LOCK, 1, 0, "", "domain")
    )
    brick.wait_for(blocked_locks=3)
    two.client.close()
    brick.wait_for(blocked_locks=0, fds=1, pending=0)
    one.lk(kind=UNLOCK)
    three = connect()
    assert three.lk().op_ret == 0, "nothing is left of the one who went"
    assert three.inodelk() == errno.EAGAIN


def test_a_brick_stops_while_its_clients_wait(
    tmp_path: Path,
) -> None:
    with start_brick(tmp_path) as brick, RawClient(brick.brick_port) as client:
        made = introduce(client, str(brick.directory)).create("f")
        one = Locker(client, made.stat.gfid, made.fd)
        one.lk()
        one.post_lk(SETLKW, who=TWO)
        one.post_lk(GETLK)
        one.take_lk()
        assert brick.stop() == 0
        assert brick.log == ""


def test_nothing_of_anothers_can_be_dropped(one: Locker, two: Locker) -> None:
    one.lk()
    one.inodelk()
    one.entrylk(name="x")
    assert two.lk(kind=UNLOCK).op_ret == 0
    assert two.inodelk(kind=UNLOCK) == errno.EINVAL
    assert two.entrylk(EntrylkCommand.UNLOCK, "x") == errno.EINVAL
    assert two.flush() == 0
    assert two.flush(caller(b"")) == 0
    assert one.count("f") == 1
    assert one.count("f", "glusterfs.inodelk-count") == 1
    assert one.count("f", "glusterfs.entrylk-count") == 1


# -- translators' locks -------------------------------------------------------------------------------


def test_domains_do_not_know_each_other(one: Locker, two: Locker) -> None:
    assert one.inodelk() == 0
    assert two.inodelk() == errno.EAGAIN
    assert two.inodelk(domain="other") == 0
    assert one.entrylk(by_fd=True) == 0
    assert two.entrylk(name="x") == errno.EAGAIN
    assert two.entrylk(name="x", by_fd=True) == errno.EAGAIN
    assert two.entrylk(name="x", domain="other") == 0


def test_the_range_that_stands_for_the_attributes(one: Locker, two: Locker) -> None:
    assert one.inodelk() == 0
    assert two.inodelk(start=(1 << 63) - 2) == 0, "not in the domain of the data"
    assert one.inodelk(start=(1 << 63) - 2) == errno.EAGAIN


@pytest.mark.parametrize(("cmd", "wrong"), [(GETLK, errno.EOPNOTSUPP), (7, errno.EOPNOTSUPP)])
def test_inodelk_can_only_lock(one: Locker, cmd: int, wrong: int) -> None:
    assert one.inodelk(cmd) == wrong


def test_what_is_no_translators_lock(one: Locker) -> None:
    assert one.inodelk(length=-1) == errno.EINVAL
    assert one.inodelk(kind=9) == errno.EINVAL
    assert one.entrylk(9) == errno.EINVAL
    assert one.entrylk(kind=9) == errno.EINVAL
    nowhere = one._replace(gfid=bytes(15) + b"\x77")
    assert nowhere.inodelk() in (errno.ESTALE, errno.ENOENT)
    assert nowhere.entrylk() in (errno.ESTALE, errno.ENOENT)


def test_a_holder_hears_that_others_want_it(one: Locker, two: Locker, connect: Connect) -> None:
    one.inodelk(start=5, length=10)
    assert two.inodelk(start=8) == errno.EAGAIN
    flock = locks.Flock(WRITE, 0, 5, 10, ONE.pid, ONE.lk_owner)
    assert one.told() == (InodelkContention, flock, ONE.pid, "domain", {})
    assert two.inodelk(start=8) == errno.EAGAIN
    assert one.inodelk(kind=UNLOCK, start=5, length=10) == 0, "and is not told again at once"
    assert one.client.unasked == []
    one.entrylk(name="x")
    assert two.entrylk() == errno.EAGAIN
    assert one.told() == (EntrylkContention, 1, ONE.pid, "x", "domain", {})
    assert two.entrylk(name="y") == 0
    assert one.entrylk() == errno.EAGAIN
    assert two.told() == (EntrylkContention, 1, ONE.pid, "y", "domain", {})


@pytest.mark.parametrize("leaving", [False, True])
def test_the_next_holder_hears_of_those_who_still_wait(
    brick: BrickProcess, one: Locker, two: Locker, connect: Connect, leaving: bool
) -> None:
    three = connect()
    one.inodelk()
    request = locks.InodelkRequest(one.gfid, SETLKW, WRITE, locks.Flock(WRITE), "domain")
    for count, each in enumerate((two, three), 1):
        each.client.post(Fop.INODELK, request)
        brick.wait_for(blocked_locks=count)
    if leaving:
        one.client.close()
    else:
        assert one.inodelk(kind=UNLOCK) == 0
        assert len(one.client.unasked) == 1
    assert two.client.take(Fop.INODELK)[0].op_ret == 0
    assert two.told()[0] is InodelkContention
    two.client.close()
    assert three.client.take(Fop.INODELK)[0].op_ret == 0


def test_the_dump_lists_every_lock(brick: BrickProcess, one: Locker, two: Locker) -> None:
    one.lk(start=5, length=10)
    two.post_lk(SETLKW, start=7)
    two.entrylk(name="x")
    brick.wait_for(blocked_locks=1)
    table = {(each["kind"], each["state"]): each for each in brick.dump()["lock_table"]}
    assert sorted(table) == [("entry", "granted"), ("posix", "blocked"), ("posix", "granted")]
    granted = table["posix", "granted"]
    assert granted["gfid"] == str(uuid.UUID(bytes=one.gfid))
    assert (granted["start"], granted["length"], granted["type"]) == (5, 10, "write")
    assert granted["owner"] == ONE.lk_owner.hex()
    assert table["entry", "granted"]["name"] == "x"
    per_client = [(each["locks"], each["blocked_locks"]) for each in brick.dump()["clients"]]
    assert sorted(per_client) == [(1, 0), (1, 1)]


# -- asking -------------------------------------------------------------------------------------------


def test_counts(one: Locker) -> None:
    one.lk()
    one.inodelk()
    one.inodelk(domain="other")
    directory = one._replace(gfid=ROOT_GFID)
    directory.entrylk(name="f")
    asked = {
        "glusterfs.posixlk-count": 0,
        "glusterfs.inodelk-count": 0,
        "glusterfs.entrylk-count": 0,
        "glusterfs.parent-entrylk": 0,
        "glusterfs.multi-dom-lk-cnt-req": 1,
        "glusterfs.inodelk-dom-prefix:other": 0,
    }
    answers = {
        "glusterfs.posixlk-count": 1,
        "glusterfs.inodelk-count": 2,
        "glusterfs.entrylk-count": 0,
        "glusterfs.parent-entrylk": 1,
        "glusterfs.inodelk-dom-prefix:other": 1,
    }
    found = one.client.lookup("f", xdata=asked).xdata or {}
    assert {key: found.get(key) for key in answers} == answers
    found = one.client.lookup("f", xdata={"glusterfs.inodelk-dom-count": "other"}).xdata or {}
    assert found["glusterfs.inodelk-count"] == 1
    request = FstatRequest(one.gfid, one.fd, {"glusterfs.posixlk-count": 0})
    assert one.client.do(Fop.FSTAT, request).xdata["glusterfs.posixlk-count"] == 1
    fd = one.client.do(Fop.OPENDIR, OpendirRequest(ROOT_GFID)).fd
    listing = one.client.do(Fop.READDIRP, ReaddirpRequest(ROOT_GFID, fd, 0, 4096, asked))
    (entry,) = [entry for entry in listing.entries if entry.name == "f"]
    assert {key: entry.xdata.get(key) for key in answers} == answers


def test_no_locks_no_trace(brick: BrickProcess, one: Locker) -> None:
    assert one.count("f") == 0
    one.lk()
    one.lk(kind=UNLOCK)
    one.inodelk()
    one.inodelk(kind=UNLOCK)
    assert one.count("f") == 0
    assert one.count("f", "glusterfs.inodelk-count") == 0


def test_locks_of_one_file_are_put_on_it_anew(one: Locker) -> None:
    one.lk(length=5)
    one.lk(kind=READ, start=5, length=5, who=TWO)
    found = one.client.do(Fop.GETACTIVELK, locks.GetactivelkRequest(one.gfid)).locks
    one.client.do(Fop.FLUSH, files.FlushRequest(one.gfid, one.fd), caller=caller(b""))
    assert one.active() == []
    one.client.do(Fop.SETACTIVELK, locks.SetactivelkRequest(one.gfid, found))
    assert len(one.active()) == 2
    with pytest.raises(FileExistsError):
        one.client.do(Fop.SETACTIVELK, locks.SetactivelkRequest(one.gfid, found))
    with pytest.raises(OSError, match="Invalid"):
        one.client.do(Fop.SETACTIVELK, locks.SetactivelkRequest(one.gfid, ()))
    assert one.flush() == 0, "they have their owner again"
    assert [owner for *_, owner, _ in one.active()] == [TWO.lk_owner]


LOCKINFO = "trusted.glusterfs.lockinfo"


def test_locks_move_to_another_connection(brick: BrickProcess, one: Locker, two: Locker) -> None:
    ask = xattrs.FgetxattrRequest(one.gfid, one.fd, len(LOCKINFO) + 1, LOCKINFO)
    assert one.client.do(Fop.FGETXATTR, ask).xattrs == {}
    one.lk(length=5)
    info = one.client.do(Fop.FGETXATTR, ask).xattrs[LOCKINFO]
    two.client.do(Fop.FSETXATTR, xattrs.FsetxattrRequest(two.gfid, two.fd, 0, {LOCKINFO: info}))
    one.client.close()
    brick.wait_for(fds=1)
    assert two.count("f") == 1
    assert two.lk(kind=UNLOCK).op_ret == 0, "it is the same owner's, of the other client"
    assert two.count("f") == 0


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\1\0\0\0\1\0\0\0\1x\0y", "text"])
def test_lockinfo_that_is_none(one: Locker, value: bytes | str) -> None:
    one.lk(length=5)
    request = xattrs.FsetxattrRequest(one.gfid, one.fd, 0, {LOCKINFO: value})
    reply, _ = one.client.fop(Fop.FSETXATTR, request)
    assert reply.op_errno in (0, errno.EINVAL)
    assert one.count("f") == 1


# -- limits -------------------------------------------------------------------------------------------


def test_many_wait_at_once(brick: BrickProcess, one: Locker, two: Locker) -> None:
    one.lk()
    for number in range(900):
        two.post_lk(SETLKW, start=number, length=1)
    assert two.client.sock.fileno() >= 0
    brick.wait_for(blocked_locks=900)
    one.client.close()
    assert {two.take_lk().op_errno for _ in range(900)} == {0}
    two.client.close()
    brick.wait_for(locks=0, fds=0)
