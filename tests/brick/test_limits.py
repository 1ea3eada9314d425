"""What a client may ask for, and that none can hold up the others."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glusterio.brick.limits import Limits
from glusterio.rpc.stream import MAX_RECORD
from glusterio.wire.credentials import Credentials
from glusterio.wire.dictionary import old_text
from glusterio.wire.fops import attributes, directories, files, names
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.fops.locks import Flock, LkRequest
from glusterio.wire.messages import encode
from glusterio.wire.programs import (
    DUMP,
    FOPS,
    ROOT_GFID,
    AcceptStat,
    DumpProc,
    Fop,
    LockCommand,
    LockType,
    OpenFlag,
)
from tests.brick.inside import InsideBrick
from tests.brick.raw import RawClient, accepted, new_gfid
from tests.embedded import BrickProcess, start_brick


def refusal(brick: InsideBrick, client: RawClient) -> tuple[int, str]:
    reply = client.setvolume(str(brick.directory))
    assert reply.op_ret == -1
    error = reply.options["ERROR"]
    assert isinstance(error, bytes)
    return reply.op_errno, old_text(error)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(connections=2), "2 clients are connected already"),
        (Limits(connections_per_address=2), "2 clients are connected from 127.0.0.1 already"),
    ],
)
def test_connections(tmp_path: Path, limits: Limits, why: str) -> None:
    with (
        InsideBrick(tmp_path, limits) as brick,
        RawClient(brick.brick_port) as late,
        brick.connect() as one,
        brick.connect(),
    ):
        assert refusal(brick, late) == (errno.EUSERS, why)
        assert len(brick.dump()["clients"]) == 3
        one.close()
        while len(brick.dump()["clients"]) > 2:
            pass
        assert late.setvolume(str(tmp_path)).op_ret == 0


def test_too_many_connections_from_one_address_are_not_even_heard(tmp_path: Path) -> None:
    limits = Limits(connections_per_address=1, strangers=2)
    with InsideBrick(tmp_path, limits) as brick, contextlib.ExitStack() as stack:
        first = [stack.enter_context(brick.connect())]
        first += [stack.enter_context(RawClient(brick.brick_port)) for _ in range(2)]
        for client in first:
            client.call(*DUMP, DumpProc.PING)
        with RawClient(brick.brick_port) as surplus:
            assert surplus.is_closed()
        for client in first:
            client.call(*DUMP, DumpProc.PING)


def test_silent_stranger_has_to_go(tmp_path: Path) -> None:
    with (
        InsideBrick(tmp_path, Limits(handshake_seconds=0.3)) as brick,
        brick.connect() as friend,
        RawClient(brick.brick_port) as silent,
        RawClient(brick.brick_port) as talkative,
        RawClient(brick.port) as asked,
        RawClient(brick.port) as silent_too,
    ):
        assert asked.getspec("vol").op_ret > 0
        talkative.call(*DUMP, DumpProc.PING)  # which does not count
        assert silent.is_closed()
        assert talkative.is_closed()
        assert silent_too.is_closed()
        asked.call(*DUMP, DumpProc.PING)
        friend.call(*DUMP, DumpProc.PING)


def test_of_many_strangers_the_oldest_has_to_go(tmp_path: Path) -> None:
    with InsideBrick(tmp_path, Limits(strangers=3)) as brick, contextlib.ExitStack() as stack:
        friend = stack.enter_context(brick.connect())
        strangers = []
        for _ in range(5):
            strangers.append(stack.enter_context(RawClient(brick.brick_port)))
            strangers[-1].call(*DUMP, DumpProc.PING)
        assert strangers[0].is_closed()
        assert strangers[1].is_closed()
        for client in [friend, *strangers[2:]]:
            client.call(*DUMP, DumpProc.PING)


def test_length_of_a_record(tmp_path: Path) -> None:
    limits = Limits(first_record=1000, record=100_000)
    with InsideBrick(tmp_path, limits) as brick:
        with RawClient(brick.brick_port) as client:
            client.sock.sendall(struct.pack(">I", 0x80000000 | 1001))
            assert client.is_closed()
        with brick.connect() as client:
            made = client.create("f")
            assert client.write(made.stat.gfid, made.fd, bytes(99_000)) == 99_000
            for size in (100_000, 1_000_000):
                with pytest.raises(OSError, match="Message too long"):
                    client.write(made.stat.gfid, made.fd, bytes(size))
            assert client.write(made.stat.gfid, made.fd, b"here") == 4
            client.sock.sendall(struct.pack(">I", 0x80000000 | MAX_RECORD + 1))
            assert client.is_closed()
        brick.wait_for(fds=0)


def test_descriptors_of_a_client(tmp_path: Path) -> None:
    with InsideBrick(tmp_path, Limits(fds=3)) as brick, brick.connect() as client:
        made = [client.create(f"f{number}") for number in range(3)]
        gfid = made[0].stat.gfid
        for open_one in (
            lambda: client.create("f3"),
            lambda: client.do(Fop.OPEN, files.OpenRequest(gfid, os.O_RDONLY)),
            lambda: client.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID)),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                open_one()
        assert brick.dump()["open_files"] == 3
        assert not (tmp_path / "f3").exists()
        with brick.connect() as other:  # each has as many
            assert other.create("g").fd == 0
        client.release(gfid, made[0].fd)
        assert client.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID)).fd == 0


def test_limits_have_to_make_sense() -> None:
    with pytest.raises(ValueError, match="strangers"):
        Limits(strangers=0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fd=3", "no such limit: 'fd'; there are connections,"),
        ("fds", "fds has to be a whole number: 'fds'"),
        ("fds=many", "fds has to be a whole number"),
        ("fds=1.5", "fds has to be a whole number"),
        ("fds=0", "positive"),
        ("fds=-1", "positive"),
        ("record=999999999", "134,217,728 at most: record=999,999,999"),
        ("keepalive_count=128", "127 at most"),
        ("handshake-seconds=nan", "positive"),
        ("handshake-seconds=inf", "positive"),
        ("handshake-seconds=soon", "handshake_seconds has to be a number"),
    ],
)
def test_limits_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Limits().changed([text])


def test_limits_of_a_command_line(tmp_path: Path) -> None:
    with start_brick(tmp_path, "vol", "--limit", "fds=2") as brick, accepted(brick) as client:
        for number in range(2):
            client.create(f"f{number}")
        with pytest.raises(OSError, match="Too many open files"):
            client.create("f2")
        assert brick.dump()["limits"]["fds"] == 2
    with pytest.raises(RuntimeError, match="no such limit: 'files'"):
        start_brick(tmp_path, "vol", "--limit", "files=2")


# -- nobody holds up the others -----------------------------------------------------------------------


class Pinger:
    """Another client, whose pings are answered as long as this is running; the slowest counts."""

    def __init__(self, brick: BrickProcess) -> None:
        self._client = accepted(brick)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0
        self.slowest = 0.0

    def _run(self) -> None:
        while not self._end.is_set():
            begun = time.monotonic()
            self._client.call(*DUMP, DumpProc.PING)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.count += 1

    def __enter__(self) -> Pinger:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._client.close()


def flood(client: RawClient) -> None:
    """Ask for 20,000 small things at once."""
    body = encode(attributes.StatRequest(ROOT_GFID))
    taking = threading.Thread(target=lambda: [client.receive() for _ in range(20_000)])
    taking.start()
    for _ in range(20_000):
        client.send(*FOPS, Fop.STAT, body)
    taking.join()


def large_writes(client: RawClient) -> None:
    made = client.create("large")
    block = bytes(64 << 20)
    for _ in range(2):
        assert client.write(made.stat.gfid, made.fd, block) == len(block)


def large_reads(client: RawClient) -> None:
    made = client.create("large")
    client.do(Fop.FTRUNCATE, files.FtruncateRequest(made.stat.gfid, made.fd, 64 << 20))
    for _ in range(4):
        client.read(made.stat.gfid, made.fd, 64 << 20)


def unread_replies(client: RawClient) -> None:
    made = client.create("large")
    client.write(made.stat.gfid, made.fd, bytes(1 << 20))
    body = encode(ReadRequest(made.stat.gfid, made.fd, 0, 1 << 20))
    client.sock.settimeout(1.0)
    with contextlib.suppress(TimeoutError):
        for _ in range(100_000):
            client.send(*FOPS, Fop.READ, body)


def endless_record(client: RawClient) -> None:
    client.sock.sendall(struct.pack(">I", 0x80000000 | 100 << 20))
    block = random.Random(1).randbytes(1 << 20)
    for _ in range(99):
        client.sock.sendall(block)


def large_directory(client: RawClient) -> None:
    directory = client.mkdir("many")
    for number in range(3000):
        name = f"entry{number:04}"
        client.post(Fop.MKDIR, names.MkdirRequest(directory, 0o755, 0, name, new_gfid()))
    for _ in range(3000):
        client.take(Fop.MKDIR)
    assert len(client.entries(directory)) == 3002


@pytest.mark.parametrize(
    "hostile",
    [flood, large_writes, large_reads, unread_replies, endless_record, large_directory],
    ids=lambda one: one.__name__,
)
def test_others_are_served(brick: BrickProcess, hostile: Callable[[RawClient], None]) -> None:
    with Pinger(brick) as pinger, accepted(brick) as client:
        hostile(client)
    print(f"{hostile.__name__}: {pinger.count} pings, the slowest took {pinger.slowest:.3f} s")
    assert pinger.count > 10
    assert pinger.slowest < 1.0  # some 20 ms on a machine that has nothing else to do


def test_removal_of_a_large_tree(brick: BrickProcess) -> None:
    count = 6_000
    with accepted(brick) as client, accepted(brick) as other:
        top = client.mkdir("tree")
        inner = client.mkdir("inner", top)
        for parent in (brick.directory / "tree", brick.directory / "tree" / "inner"):
            for number in range(count // 2):
                (parent / f"file{number}").touch()
        gone = client.lookup("file7", inner).stat.gfid
        with Pinger(brick) as pinger:
            client.post(Fop.RMDIR, names.RmdirRequest(ROOT_GFID, 1, "tree"))
            # others meanwhile take from it what they like
            with contextlib.suppress(FileNotFoundError):
                other.do(Fop.UNLINK, names.UnlinkRequest(inner, "file2900"))
            assert client.take(Fop.RMDIR)[0].op_ret == 0
        with pytest.raises(OSError, match=r"Stale|No such"):
            client.do(Fop.STAT, attributes.StatRequest(gone))
        assert client.entries() == [".", ".."]
    print(f"{count} files removed: {pinger.count} pings, the slowest took {pinger.slowest:.3f} s")
    assert pinger.slowest < 1.0


def test_first_listing_of_a_directory_with_many_files(brick: BrickProcess) -> None:
    """Files that the brick has not seen before: each gets its gfid and its handle."""
    with accepted(brick) as client:
        directory = client.mkdir("many")
        for number in range(3000):
            (brick.directory / "many" / f"file{number}").touch()
        with Pinger(brick) as pinger:
            begun = time.monotonic()
            assert len(client.entries(directory)) == 3002
            took = time.monotonic() - begun
    print(f"listed in {took:.2f} s: {pinger.count} pings, the slowest took {pinger.slowest:.3f} s")
    assert pinger.slowest < max(0.25, took / 10)  # a batch is a sixth of it


def test_connections_by_the_hundred(brick: BrickProcess) -> None:
    with Pinger(brick) as pinger, contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(
                contextlib.closing(socket.create_connection(("127.0.0.1", brick.brick_port)))
            ).sendall(b"\x80\x00\x00\x40half")
    assert pinger.slowest < 1.0
    with accepted(brick) as client:
        client.do(Fop.STAT, attributes.StatRequest(ROOT_GFID))


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[InsideBrick]:
    with InsideBrick(tmp_path, Limits(pending=20)) as brick:
        yield brick
        brick.let_go()


def test_client_whose_operations_are_stuck_waits_alone(stuck: InsideBrick) -> None:
    with stuck.connect() as client, stuck.connect() as other:
        made = client.create("f")
        stuck.hold_up()
        for _ in range(30):
            client.post(Fop.FSYNC, files.FsyncRequest(made.stat.gfid, made.fd))
        stuck.wait_for(pending=20)  # and no more are taken
        mine = other.create("g")
        assert other.write(mine.stat.gfid, mine.fd, b"data") == 4
        stuck.let_go()
        for _ in range(30):
            assert client.take(Fop.FSYNC)[0].op_ret == 0


def kernel_tells_when_it_would_wait(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except OSError:
            return False
    return True


def test_what_the_disk_has_to_be_waited_for_is_done_aside(stuck: InsideBrick) -> None:
    data = random.Random(9).randbytes(300_000)
    path = stuck.directory / "f"
    path.write_bytes(data)
    synchronous = OpenFlag.RDWR | OpenFlag.SYNC
    with stuck.connect() as client, stuck.connect() as other:
        gfid = client.lookup("f").stat.gfid
        fd = client.do(Fop.OPEN, files.OpenRequest(gfid, os.O_RDONLY)).fd
        through = client.do(Fop.OPEN, files.OpenRequest(gfid, synchronous)).fd
        theirs = other.do(Fop.OPEN, files.OpenRequest(gfid, os.O_RDWR)).fd
        with path.open("rb") as file:  # out of the kernel's cache, but for the beginning
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            file.read(1)
        stuck.hold_up()
        waiting = 0
        if kernel_tells_when_it_would_wait(path):
            client.post(Fop.READ, ReadRequest(gfid, fd, 200_000, 100_000))
            waiting += 1
        client.post(Fop.WRITE, WriteRequest(gfid, through, 0, 4), b"more")
        stuck.wait_for(pending=waiting + 1)
        # what needs no disk goes on
        assert other.read(gfid, theirs, 4096) == data[:4096]
        assert other.write(gfid, theirs, b"data", 8192) == 4
        stuck.let_go()
        answered = [client.record() for _ in range(waiting + 1)]
        assert sum(record.endswith(data[200_000:]) for record in answered) == waiting
    assert path.read_bytes()[:4] == b"more"


def test_write_of_the_longest_record(brick: BrickProcess) -> None:
    with accepted(brick) as client:
        made = client.create("f")
        request = WriteRequest(made.stat.gfid, made.fd, 0, 128 << 20)
        client.send(*FOPS, Fop.STAT, b"")  # a request that is no good, before the one that ends it
        assert client.receive()[0].accept_stat == AcceptStat.GARBAGE_ARGS
        head = struct.pack(">I", 0x80000000 | (128 << 20) + 1000)
        client.sock.sendall(head + encode(request))
        assert client.is_closed()
    brick.wait_for(fds=0)


# -- those who wait for locks -------------------------------------------------------------------------


def want_locks(client: RawClient, gfid: bytes, fd: int, count: int) -> list[int]:
    request = LkRequest(gfid, fd, LockCommand.SETLKW, LockType.WRITE, Flock(LockType.WRITE))
    return [
        client.post(Fop.LK, request, caller=Credentials(1, 0, 0, (), b"wants%03d" % number))
        for number in range(count)
    ]


def test_client_that_waits_for_many_locks_is_still_heard(brick: BrickProcess) -> None:
    with Pinger(brick) as pinger, accepted(brick) as holder, accepted(brick) as client:
        made = holder.create("f")
        mine = client.do(Fop.OPEN, files.OpenRequest(made.stat.gfid, os.O_RDWR))
        holder.do(
            Fop.LK,
            LkRequest(made.stat.gfid, made.fd, LockCommand.SETLK, 1, Flock(LockType.WRITE)),
        )
        want_locks(client, made.stat.gfid, mine.fd, 2000)
        found = brick.wait_for(blocked_locks=2000)
        # its pings, and whatever else it asks
        assert client.call(*DUMP, DumpProc.PING) == bytes(12)
        client.create("g")
        other = next(each for each in found["clients"] if each["blocked_locks"])
        assert (other["blocked_locks"], other["locks"]) == (2000, 0)
        assert len(other["calls"]) == 2000
        client.close()
        brick.wait_for(blocked_locks=0, pending=0, locks=1, fds=1)
    assert pinger.slowest < 1.0


def test_locks_that_a_client_waits_for(tmp_path: Path) -> None:
    limits = Limits(blocked_locks=5)
    with InsideBrick(tmp_path, limits) as brick, brick.connect() as one, brick.connect() as two:
        made = one.create("f")
        mine = two.do(Fop.OPEN, files.OpenRequest(made.stat.gfid, os.O_RDWR))
        lock = LkRequest(made.stat.gfid, made.fd, LockCommand.SETLK, 1, Flock(LockType.WRITE))
        one.do(Fop.LK, lock)
        want_locks(two, made.stat.gfid, mine.fd, 7)
        for _ in range(2):
            reply, _ = two.take(Fop.LK)
            assert (reply.op_ret, reply.op_errno) == (-1, errno.ENOLCK)
        # what does not wait is done all the same: here, to ask, and to fail at once
        reply, _ = two.fop(Fop.LK, lock._replace(fd=mine.fd))
        assert (reply.op_ret, reply.op_errno) == (-1, errno.EAGAIN)
        one.do(Fop.LK, lock._replace(type=LockType.UNLOCK, flock=Flock(LockType.UNLOCK)))
        assert two.take(Fop.LK)[0].op_ret == 0  # the first of the five
