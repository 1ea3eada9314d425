"""What is left of a client that has gone: nothing."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.brick.limits import Limits
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Event, Wait
from glusterio.wire.fops import attributes, data, directories, files, names, xattrs
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import encode
from glusterio.wire.programs import ROOT_GFID, Fop
from glusterio.xlators.base import Services, Xlator
from tests.brick.inside import InsideBrick
from tests.brick.raw import accepted, new_gfid
from tests.embedded import BrickProcess

TCP_REPAIR = 19


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[InsideBrick]:
    with InsideBrick(tmp_path) as brick:
        yield brick


@pytest.mark.parametrize("count", [1000, 5000])
def test_thousand_descriptors_are_closed_soon(inside: InsideBrick, count: int) -> None:
    client = inside.connect()
    for number in range(100):
        client.create(f"f{number}")
    gfid = client.lookup("f0").stat.gfid
    for _ in range(count - 100):
        client.post(Fop.OPEN, files.OpenRequest(gfid, os.O_RDWR))
    for _ in range(count - 100):
        client.take(Fop.OPEN)
    assert inside.dump()["open_files"] == count
    begun = time.monotonic()
    client.close()
    inside.wait_for(fds=0, open_files=0)
    took = time.monotonic() - begun
    print(f"{count} descriptors closed in {1000 * took:.0f} ms")
    assert took < 2.0  # 0.1 s for a thousand, on a machine that has nothing else to do


def test_descriptor_with_a_running_operation_is_closed_when_that_ends(inside: InsideBrick) -> None:
    client = inside.connect()
    made = [client.create(f"f{number}") for number in range(10)]
    inside.hold_up()
    client.post(Fop.FSYNC, files.FsyncRequest(made[3].stat.gfid, made[3].fd))
    inside.wait_for(pending=1)
    client.close()
    # the nine others do not wait for it
    found = inside.wait_for(fds=0, open_files=1)
    assert [inode["path"] for inode in found["inodes"]] == ["/f3"]
    assert found["pending"] == 1
    inside.let_go()
    assert inside.wait_for(open_files=0, pending=0)["clients"] == []


def test_released_descriptor_with_a_running_operation_likewise(inside: InsideBrick) -> None:
    with inside.connect() as client:
        made = client.create("f")
        inside.hold_up()
        client.post(Fop.FSYNC, files.FsyncRequest(made.stat.gfid, made.fd))
        client.post(Fop.RELEASE, files.ReleaseRequest(made.stat.gfid, made.fd))
        assert client.take(Fop.RELEASE)[0].op_ret == 0
        inside.wait_for(fds=0, open_files=1, pending=1)
        assert client.create("g").fd == made.fd  # the number is free, and it is another file
        inside.let_go()
        assert client.take(Fop.FSYNC)[0].op_ret == 0
        inside.wait_for(fds=1, open_files=1, pending=0)


HOLDER = """
import sys
from tests.brick.raw import RawClient
client = RawClient(int(sys.argv[1]))
assert client.setvolume(sys.argv[2]).op_ret == 0
for number in range(100):
    client.create(f"f{number}")
print("ready", flush=True)
sys.stdin.read()
"""


def test_client_that_is_killed(brick: BrickProcess) -> None:
    command = [sys.executable, "-c", HOLDER, str(brick.brick_port), str(brick.directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        assert brick.dump()["fds"] == 100
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert brick.wait_for(fds=0, open_files=0)["clients"] == []


def unacknowledged(inside: InsideBrick) -> int:
    """What the brick has sent its only client and the kernel waits for to be acknowledged."""
    (served,) = inside.clients()
    info = served.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    count: int = struct.unpack_from("I", info, 24)[0]  # tcp_info.tcpi_unacked
    return count


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a socket vanish without a word")
def test_client_whose_machine_vanishes(tmp_path: Path) -> None:
    limits = Limits(keepalive_seconds=1, keepalive_interval=1, keepalive_count=1)
    with InsideBrick(tmp_path, limits) as inside:
        client = inside.connect()
        client.create("f")
        while inside.ask(lambda: unacknowledged(inside)):
            pass  # else the brick would hear of it by its own repetition
        # Closed in repair mode, a socket says nothing to its peer, as when the cable is cut.
        client.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        client.close()
        assert inside.dump()["fds"] == 1
        assert inside.wait_for(fds=0, open_files=0)["clients"] == []


def test_what_a_connection_is_told_about_silence(tmp_path: Path) -> None:
    limits = Limits(unacknowledged_seconds=7, keepalive_seconds=11)
    with InsideBrick(tmp_path, limits) as inside, inside.connect():

        def options() -> list[int]:
            (served,) = inside.brick.server.clients
            return [
                served.sock.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE, socket.TCP_KEEPCNT)
            ]

        assert inside.ask(options) == [7000, 11, 9]


class Slow(Xlator):
    """Lets what opens something wait, and everything pass."""

    def __init__(self, child: Xlator, services: Services) -> None:
        super().__init__("slow", {}, (child,), services)
        self.go = services.new_event()

    async def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> files.OpenReply:
        await Wait(self.go)
        return await self.child.open(frame, fd, request)


def test_what_is_opened_when_the_client_has_gone_is_closed(inside: InsideBrick) -> None:
    fops = inside.fops()
    top = fops.top
    slow = Slow(top, Services(new_event=Event))
    client = inside.connect()
    gfid = client.create("f").stat.gfid
    inside.ask(lambda: setattr(fops, "top", slow))
    client.post(Fop.OPEN, files.OpenRequest(gfid, os.O_RDWR))
    inside.wait_for(pending=1)
    client.close()
    inside.wait_for(pending=1, open_files=0)
    inside.ask(slow.go.set)
    assert inside.wait_for(pending=0, open_files=0)["clients"] == []
    inside.ask(lambda: setattr(fops, "top", top))
    assert inside.dump()["fops"]["OPEN"]["failed"] == 1  # of which nobody heard


def test_client_that_vanishes_in_the_middle_of_a_record(inside: InsideBrick) -> None:
    body = encode(WriteRequest(ROOT_GFID, 0, 0, 2 << 20))
    for cut in (1, 3, 4, 30, 60, 5000, 100_000, 1 << 20):
        client = inside.connect()
        client.create(f"f{cut}")
        record = struct.pack(">I", 0x80000000 | 3 << 20) + body + bytes(2 << 20)
        client.sock.sendall(record[:cut])
        client.close()
    assert inside.wait_for(fds=0, open_files=0)["clients"] == []


# -- nothing of one client is another's ---------------------------------------------------------------

#: Every operation on a descriptor, but RELEASE, by a number that is another client's.
ON_FD: dict[Fop, Callable[[bytes, int], Any]] = {
    Fop.READ: lambda gfid, fd: ReadRequest(gfid, fd, 0, 100),
    Fop.WRITE: lambda gfid, fd: WriteRequest(gfid, fd, 0, 4),
    Fop.FLUSH: files.FlushRequest,
    Fop.FSYNC: files.FsyncRequest,
    Fop.FSTAT: attributes.FstatRequest,
    Fop.FTRUNCATE: lambda gfid, fd: files.FtruncateRequest(gfid, fd, 0),
    Fop.FALLOCATE: lambda gfid, fd: files.FallocateRequest(gfid, fd, 0, 0, 100),
    Fop.DISCARD: lambda gfid, fd: files.DiscardRequest(gfid, fd, 0, 100),
    Fop.ZEROFILL: lambda gfid, fd: files.ZerofillRequest(gfid, fd, 0, 100),
    Fop.SEEK: lambda gfid, fd: files.SeekRequest(gfid, fd, 0, 0),
    Fop.FSETATTR: lambda gfid, fd: attributes.FsetattrRequest(gfid, fd, ZERO_IATT, 1),
    Fop.FSETXATTR: lambda gfid, fd: xattrs.FsetxattrRequest(gfid, fd, 0, {"user.a": b"b"}),
    Fop.FGETXATTR: lambda gfid, fd: xattrs.FgetxattrRequest(gfid, fd, 0, ""),
    Fop.FREMOVEXATTR: lambda gfid, fd: xattrs.FremovexattrRequest(gfid, fd, "user.a"),
    Fop.READDIR: lambda gfid, fd: directories.ReaddirRequest(gfid, fd, 0, 1000),
    Fop.READDIRP: lambda gfid, fd: directories.ReaddirpRequest(gfid, fd, 0, 1000),
    Fop.FSYNCDIR: lambda gfid, fd: directories.FsyncdirRequest(gfid, fd, 0),
    Fop.RCHECKSUM: lambda gfid, fd: data.RchecksumRequest(gfid, fd, 0, 10, 0),
    Fop.COPY_FILE_RANGE: lambda gfid, fd: data.CopyFileRangeRequest(gfid, gfid, fd, fd, 0, 4, 4, 0),
}


def test_numbers_of_others_lead_nowhere(shared_brick: BrickProcess) -> None:
    with accepted(shared_brick) as owner, accepted(shared_brick) as guesser:
        made = owner.create("guessed")
        owner.write(made.stat.gfid, made.fd, b"secret")
        opened = owner.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID))
        for number in (made.fd, opened.fd, 7, 1 << 40, -1, -3, -(1 << 62)):
            for fop, request in ON_FD.items():
                gfid = ROOT_GFID if "DIR" in fop.name else made.stat.gfid
                tail = b"evil" if fop is Fop.WRITE else b""
                reply, got = guesser.fop(fop, request(gfid, number), tail)
                assert (reply.op_ret, reply.op_errno, got) == (-1, 9, b""), fop.name
            guesser.do(Fop.RELEASE, files.ReleaseRequest(made.stat.gfid, number))
            guesser.do(Fop.RELEASEDIR, directories.ReleasedirRequest(ROOT_GFID, number))
        assert owner.read(made.stat.gfid, made.fd) == b"secret"
        assert owner.do(Fop.READDIR, ON_FD[Fop.READDIR](ROOT_GFID, opened.fd)).op_ret > 0
        owner.do(Fop.UNLINK, names.UnlinkRequest(ROOT_GFID, "guessed"))


def test_calls_of_others_are_not_answered_to_oneself(inside: InsideBrick) -> None:
    with inside.connect() as one, inside.connect() as other:
        made = one.create("f")
        inside.hold_up()
        waiting = one.post(Fop.FSYNC, files.FsyncRequest(made.stat.gfid, made.fd))
        inside.wait_for(pending=1)
        # the same number at the same time, from somebody else
        body = encode(names.LookupRequest(pargfid=ROOT_GFID, name="f", xdata=new_gfid()))
        other.send(1298437, 400, Fop.LOOKUP, body, xid=waiting)
        header, _ = other.receive()
        assert header.xid == waiting
        other.close()
        assert inside.wait_for(pending=1)["fds"] == 1
        inside.let_go()
        assert one.take(Fop.FSYNC)[0].op_ret == 0
