"""The brick, by clients that do what none should."""

from __future__ import annotations

import errno
import os
import random
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.wire import credentials
from glusterio.wire.fops import FOPS as SPECS
from glusterio.wire.fops import attributes, directories, files, locks, names
from glusterio.wire.fops.data import ReadReply, ReadRequest, WriteRequest
from glusterio.wire.messages import encode
from glusterio.wire.programs import (
    ANONYMOUS_FD,
    DUMP,
    FOPS,
    NULL_GFID,
    ROOT_GFID,
    AcceptStat,
    Fop,
    ReplyStat,
)
from tests.brick.raw import RawClient, accepted, new_gfid
from tests.embedded import BrickProcess, start_brick


@pytest.fixture
def client(brick: BrickProcess) -> Iterator[RawClient]:
    with accepted(brick) as connected:
        yield connected


# -- what it is for -----------------------------------------------------------------------------------


def test_write_and_read(brick: BrickProcess, client: RawClient) -> None:
    made = client.create("f", umask=0o22, mode=0o666)
    assert made.stat.mode == 0o100644
    assert client.write(made.stat.gfid, made.fd, b"hello") == 5
    request = ReadRequest(made.stat.gfid, made.fd, 0, 100)
    reply, data = client.fop(Fop.READ, request)
    assert data == b"hello"
    assert (reply.op_ret, reply.op_errno, reply.size, reply.stat.size) == (5, 2, 5, 5)
    reply, data = client.fop(Fop.READ, request._replace(size=3))
    assert (data, reply.op_errno) == (b"hel", 0)
    assert client.read(made.stat.gfid, ANONYMOUS_FD) == b"hello"
    client.release(made.stat.gfid, made.fd)
    assert (brick.directory / "f").read_bytes() == b"hello"


@pytest.mark.parametrize("size", [65536, 1 << 20, (16 << 20) + 1])
def test_large_data(client: RawClient, size: int) -> None:
    data = random.Random(size).randbytes(size)
    made = client.create("f")
    assert client.write(made.stat.gfid, made.fd, data) == size
    assert client.read(made.stat.gfid, made.fd, size) == data


def test_names_and_directories(client: RawClient) -> None:
    directory = client.mkdir("d")
    client.create("f", directory)
    request = names.RenameRequest(directory, ROOT_GFID, "f", "g")
    assert client.do(Fop.RENAME, request).stat.nlink == 1
    assert client.entries() == [".", "..", "d", "g"]
    client.do(Fop.UNLINK, names.UnlinkRequest(ROOT_GFID, "g"))
    client.do(Fop.RMDIR, names.RmdirRequest(ROOT_GFID, 0, "d"))
    assert client.entries() == [".", ".."]


def test_directories_are_brought_to_the_disk(client: RawClient) -> None:
    fd = client.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID)).fd
    client.do(Fop.FSYNCDIR, directories.FsyncdirRequest(ROOT_GFID, fd, 0))
    client.do(Fop.RELEASEDIR, directories.ReleasedirRequest(ROOT_GFID, fd))
    with pytest.raises(OSError, match="Bad file descriptor"):
        client.do(Fop.FSYNCDIR, directories.FsyncdirRequest(ROOT_GFID, fd, 0))


def test_lock_on_a_name_by_a_descriptor(brick: BrickProcess, client: RawClient) -> None:
    with accepted(brick) as other:
        requests = []
        for each in (client, other):
            fd = each.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID)).fd
            requests.append(locks.FentrylkRequest(ROOT_GFID, fd, 2, 1, 1, "name", "domain"))
        client.do(Fop.FENTRYLK, requests[0])
        with pytest.raises(BlockingIOError):
            other.do(Fop.FENTRYLK, requests[1])
        client.close()  # and with it goes the lock
        brick.wait_for(locks=0)
        other.do(Fop.FENTRYLK, requests[1])


def test_nothing_is_to_be_said_to_the_translators(client: RawClient) -> None:
    reply, _ = client.fop(Fop.IPC, files.IpcRequest(1))
    assert (reply.op_ret, reply.op_errno) == (-1, errno.EOPNOTSUPP)


def test_failure_is_a_reply(client: RawClient) -> None:
    reply, _ = client.fop(Fop.LOOKUP, names.LookupRequest(pargfid=ROOT_GFID, name="none"))
    assert (reply.op_ret, reply.op_errno, reply.stat.gfid) == (-1, errno.ENOENT, NULL_GFID)
    reply, data = client.fop(Fop.READ, ReadRequest(ROOT_GFID, 5, 0, 10))
    assert (reply.op_ret, reply.op_errno, data) == (-1, errno.EBADF, b"")


@pytest.mark.parametrize("fop", [Fop.LEASE])
def test_what_the_graph_does_not_offer(client: RawClient, fop: Fop) -> None:
    spec = SPECS[fop]
    defaults = {
        Fop.LEASE: (ROOT_GFID, SPECS[Fop.LEASE].reply_class().lease, None),
    }
    reply, _ = client.fop(fop, spec.request_class(*defaults[fop]))
    assert (reply.op_ret, reply.op_errno) == (-1, errno.ENOSYS)


def test_the_caller_is_the_one_in_the_credential(brick: BrickProcess, client: RawClient) -> None:
    client.create("mine", mode=0o600)
    gfid = client.lookup("mine").stat.gfid
    stranger = credentials.Credentials(1, 4321, 4321)
    reply, _ = client.fop(Fop.OPEN, files.OpenRequest(gfid, os.O_RDONLY), caller=stranger)
    if not os.geteuid():
        assert (reply.op_ret, reply.op_errno) == (-1, errno.EACCES)
    client.do(Fop.OPEN, files.OpenRequest(gfid, os.O_RDONLY))
    if not os.geteuid():
        os.chmod(brick.directory, 0o777)
        assert client.create("theirs", caller=stranger).stat.uid == 4321


# -- descriptors --------------------------------------------------------------------------------------


def test_lowest_free_number_first(client: RawClient) -> None:
    made = [client.create(f"f{number}") for number in range(5)]
    assert [each.fd for each in made] == [0, 1, 2, 3, 4]
    for number in (3, 1):
        client.release(made[number].stat.gfid, number)
    again = [client.create(f"g{number}").fd for number in range(3)]
    assert again == [1, 3, 5]


def test_release_of_what_is_not_open_works(client: RawClient) -> None:
    for fop, request in (
        (Fop.RELEASE, files.ReleaseRequest(ROOT_GFID, 77)),
        (Fop.RELEASE, files.ReleaseRequest(ROOT_GFID, -2)),
        (Fop.RELEASEDIR, directories.ReleasedirRequest(ROOT_GFID, 77)),
    ):
        assert client.fop(fop, request)[0].op_ret == 0


def test_clients_cannot_use_each_others_descriptors(brick: BrickProcess) -> None:
    with accepted(brick) as one, accepted(brick) as other:
        made = one.create("f")
        one.write(made.stat.gfid, made.fd, b"secret")
        with pytest.raises(OSError, match="Bad file descriptor"):
            other.read(made.stat.gfid, made.fd)
        other.release(made.stat.gfid, made.fd)
        assert one.read(made.stat.gfid, made.fd) == b"secret"
        mine = other.create("g")
        assert mine.fd == made.fd  # a table of its own
        assert other.read(mine.stat.gfid, mine.fd) == b""
        assert brick.dump()["fds"] == 2


def test_same_identity_twice_shares_nothing(brick: BrickProcess) -> None:
    with accepted(brick, "same") as one, accepted(brick, "same") as other:
        made = one.create("f")
        with pytest.raises(OSError, match="Bad file descriptor"):
            other.read(made.stat.gfid, made.fd)
        other.close()
        brick.wait_for(fds=1)
        assert one.read(made.stat.gfid, made.fd) == b""


def test_disconnect_closes_everything(brick: BrickProcess) -> None:
    with accepted(brick) as client, accepted(brick) as bystander:
        kept = bystander.create("kept")
        made = [client.create(f"f{number}") for number in range(1000)]
        for _ in range(20):
            client.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID))
        for each in made[:10]:  # open files that have no name any more
            client.do(Fop.UNLINK, names.UnlinkRequest(ROOT_GFID, f"f{each.fd}"))
        found = brick.dump()
        assert (found["fds"], found["open_files"], found["open_directories"]) == (1021, 1001, 20)
        client.close()
        brick.wait_for(fds=1, open_files=1, open_directories=0)
        assert brick.open_files() == 1
        assert len(brick.dump()["clients"]) == 1
        assert bystander.read(kept.stat.gfid, kept.fd) == b""


@pytest.mark.parametrize("abruptly", [False, True])
def test_disconnect_while_operations_run(brick: BrickProcess, abruptly: bool) -> None:
    for _ in range(5):
        client = accepted(brick)
        made = [client.create(f"f{number}") for number in range(20)]
        for each in made:
            client.post(Fop.WRITE, WriteRequest(each.stat.gfid, each.fd, 0, 4096), bytes(4096))
            for _ in range(5):
                client.post(Fop.FSYNC, files.FsyncRequest(each.stat.gfid, each.fd))
            client.post(Fop.CREATE, names.CreateRequest(ROOT_GFID, 2, 0o644, 0, "n", new_gfid()))
        if abruptly:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        found = brick.wait_for(fds=0, open_files=0, pending=0)
        assert found["clients"] == []
    assert brick.open_files() == 0
    with accepted(brick) as client:
        client.create("g")


def test_release_overtakes_a_running_operation(brick: BrickProcess, client: RawClient) -> None:
    made = client.create("f")
    for _ in range(20):
        client.post(Fop.FSYNC, files.FsyncRequest(made.stat.gfid, made.fd))
    client.post(Fop.RELEASE, files.ReleaseRequest(made.stat.gfid, made.fd))
    client.post(Fop.CREATE, names.CreateRequest(ROOT_GFID, 2, 0o644, 0, "g", new_gfid()))
    answered = {}
    for _ in range(22):
        header, record = client.receive()
        answered[header.xid] = struct.unpack_from(">ii", record, header.body)
    assert all(result == 0 for result, _ in answered.values())
    brick.wait_for(fds=1, open_files=1)


def test_half_a_request_and_gone(brick: BrickProcess) -> None:
    for cut in (1, 3, 4, 30, 60, 5000):
        client = accepted(brick)
        body = encode(WriteRequest(ROOT_GFID, 0, 0, 200_000)) + bytes(200_000)
        client.create(f"f{cut}")
        whole = len(body) + 500
        client.sock.sendall((struct.pack(">I", 0x80000000 | whole) + body[:5000].rjust(5000))[:cut])
        client.close()
    brick.wait_for(fds=0, open_files=0)


# -- what is refused ----------------------------------------------------------------------------------


def test_operation_before_the_handshake(brick: BrickProcess) -> None:
    with RawClient(brick.brick_port) as client:
        client.post(Fop.STAT, attributes.StatRequest(ROOT_GFID))
        assert client.receive()[0].accept_stat == AcceptStat.GARBAGE_ARGS
        assert client.setvolume(str(brick.directory)).op_ret == 0
        client.do(Fop.STAT, attributes.StatRequest(ROOT_GFID))


@pytest.mark.parametrize(
    "procedure",
    [Fop.COMPOUND, Fop.ICREATE, Fop.NAMELINK, Fop.PUT, 57, 1000, 0xFFFFFFFF],
)
def test_procedures_that_are_not_offered(shared_brick: BrickProcess, procedure: int) -> None:
    with accepted(shared_brick) as client:
        client.send(*FOPS, procedure, bytes(100))
        assert client.receive()[0].accept_stat == AcceptStat.PROC_UNAVAIL
        client.do(Fop.STAT, attributes.StatRequest(ROOT_GFID))


def test_programs_and_versions_that_are_not_offered(client: RawClient) -> None:
    client.send(1298438, 400, 1)
    assert client.receive()[0].accept_stat == AcceptStat.PROG_UNAVAIL
    client.send(FOPS.number, 330, 1)
    header, _ = client.receive()
    assert header.accept_stat == AcceptStat.PROG_MISMATCH
    assert (header.low, header.high) == (400, 400)
    client.send(DUMP.number, 2, 1)
    assert client.receive()[0].accept_stat == AcceptStat.PROG_MISMATCH


@pytest.mark.parametrize("fop", sorted(SPECS.keys() - {49, 53, 54, 55} - {Fop.NULL}))
def test_arguments_that_do_not_decode(shared_brick: BrickProcess, fop: Fop) -> None:
    with accepted(shared_brick) as client:
        for body in (b"", b"x", b"\xff" * 50, b"\xff" * 500):
            client.send(*FOPS, fop, body)
            assert client.receive()[0].accept_stat == AcceptStat.GARBAGE_ARGS
        client.do(Fop.STAT, attributes.StatRequest(ROOT_GFID))


def test_data_of_another_length_than_said(brick: BrickProcess, client: RawClient) -> None:
    made = client.create("f")
    for data in (b"", b"1234", b"123456"):
        request = WriteRequest(made.stat.gfid, made.fd, 0, 5)
        client.send(*FOPS, Fop.WRITE, encode(request) + data)
        assert client.receive()[0].accept_stat == AcceptStat.GARBAGE_ARGS
    assert (brick.directory / "f").read_bytes() == b""


def test_credential_that_is_no_good(client: RawClient) -> None:
    body = encode(attributes.StatRequest(ROOT_GFID))
    for caller in (
        struct.pack(">II", 12345, 0) + bytes(8),
        struct.pack(">II", 390040, 4) + b"bad!" + bytes(8),
    ):
        client.send(*FOPS, Fop.STAT, body, caller)
        assert client.receive()[0].reply_stat == ReplyStat.DENIED
    client.do(Fop.STAT, attributes.StatRequest(ROOT_GFID))


GARBAGE = {
    "text": b"GET / HTTP/1.1\r\nHost: brick\r\n\r\n",
    "zeros": bytes(64),
    "an endless record": b"\xff\xff\xff\xff",
    "random": random.Random(3).randbytes(4096),
    "a reply": struct.pack(">7I", 0x80000018, 1, 1, 0, 0, 0, 0),
    "another version of rpc": struct.pack(">8I", 0x8000001C, 1, 0, 3, 1, 1, 1, 0),
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("server", ["port", "brick_port"])
def test_garbage_ends_its_connection_only(
    brick: BrickProcess, client: RawClient, kind: str, server: str
) -> None:
    made = client.create("f")
    with RawClient(getattr(brick, server)) as hostile:
        if server == "brick_port":
            assert hostile.setvolume(str(brick.directory)).op_ret == 0
            hostile.create("g")
        hostile.sock.sendall(GARBAGE[kind])
        assert hostile.is_closed()
    brick.wait_for(fds=1)
    assert client.write(made.stat.gfid, made.fd, b"well") == 4
    with RawClient(brick.port) as other:
        assert other.getspec("vol").op_ret > 0


def test_long_records_are_for_those_who_were_accepted(brick: BrickProcess) -> None:
    with RawClient(brick.brick_port) as client:
        client.sock.sendall(struct.pack(">I", 0x80000000 | 1 << 20))
        assert client.is_closed()


def test_mutilated_requests(brick: BrickProcess, client: RawClient) -> None:
    random_ = random.Random(11)
    requests: list[tuple[Fop, Any]] = [
        (Fop.LOOKUP, names.LookupRequest(pargfid=ROOT_GFID, name="f", xdata={"a": 1})),
        (Fop.CREATE, names.CreateRequest(ROOT_GFID, 2, 0o644, 0, "f", new_gfid())),
        (Fop.READ, ReadRequest(ROOT_GFID, 0, 0, 100)),
        (Fop.SETATTR, attributes.SetattrRequest(ROOT_GFID, ReadReply().stat, 0)),
        (Fop.READDIRP, directories.ReaddirpRequest(ROOT_GFID, 0, 0, 1000)),
        (Fop.RENAME, names.RenameRequest(ROOT_GFID, ROOT_GFID, "f", "g")),
    ]
    for _ in range(600):
        fop, request = random_.choice(requests)
        body = bytearray(encode(request))
        for _ in range(random_.randrange(1, 6)):
            body[random_.randrange(len(body))] = random_.randrange(256)
        client.send(*FOPS, fop, bytes(body[: random_.randrange(len(body) + 1)]))
        header, _ = client.receive()
        assert header.accept_stat in (AcceptStat.SUCCESS, AcceptStat.GARBAGE_ARGS)
    assert brick.log == ""  # nothing failed in a way that nobody had thought of
    found = brick.dump()
    assert found["open_files"] + found["open_directories"] == found["fds"]


# -- clients that are slow, or many -------------------------------------------------------------------


def test_client_that_does_not_read_is_not_read_from(brick: BrickProcess, client: RawClient) -> None:
    made = client.create("f")
    size = 1 << 20
    data = random.Random(5).randbytes(size)
    client.write(made.stat.gfid, made.fd, data)
    count = 400  # far more than the brick may keep
    body = encode(ReadRequest(made.stat.gfid, made.fd, 0, size))
    for _ in range(count):
        client.send(*FOPS, Fop.READ, body)
    with accepted(brick) as other:  # others are served meanwhile
        other.create("g")
    queued = brick.dump()["clients"][0]["queued_bytes"]
    assert queued < 20 * 1024 * 1024
    for _ in range(count):
        reply, received = client.take(Fop.READ)
        assert reply.op_ret == size
        assert received == data
    brick.wait_for(pending=0)


def test_many_requests_at_once(client: RawClient) -> None:
    made = client.create("f")
    data = random.Random(5).randbytes(5000)
    client.write(made.stat.gfid, made.fd, data)
    wanted = {}
    for offset in range(2000):
        xid = client.post(Fop.READ, ReadRequest(made.stat.gfid, made.fd, offset, 100))
        wanted[xid] = data[offset : offset + 100]
    for _ in range(2000):
        header, record = client.receive()
        assert record.endswith(wanted.pop(header.xid))
    assert not wanted


def test_many_clients(brick: BrickProcess) -> None:
    clients = [accepted(brick) for _ in range(100)]
    try:
        for number, client in enumerate(clients):
            assert client.create(f"f{number}").fd == 0
        assert brick.dump()["fds"] == 100
    finally:
        for client in clients:
            client.close()
    brick.wait_for(fds=0, open_files=0)


# -- the end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_while_clients_work(tmp_path: Path, number: signal.Signals) -> None:
    with start_brick(tmp_path) as brick, accepted(brick) as client:
        made = client.create("f")
        client.write(made.stat.gfid, made.fd, b"data")
        for _ in range(50):
            client.post(Fop.FSYNC, files.FsyncRequest(made.stat.gfid, made.fd))
        os.kill(brick.pid, number)
        assert client.is_closed()
        assert brick.wait() == 0
        assert brick.log == ""
    assert (tmp_path / "f").read_bytes() == b"data"


def test_what_was_made_is_there_after_a_kill(tmp_path: Path) -> None:
    with start_brick(tmp_path) as brick, accepted(brick) as client:
        directory = client.mkdir("d")
        made = client.create("f", directory)
        client.write(made.stat.gfid, made.fd, b"data")
        brick.kill()
        assert client.is_closed()
    with start_brick(tmp_path) as brick, accepted(brick) as client:
        assert client.read(made.stat.gfid, ANONYMOUS_FD) == b"data"
        assert client.lookup("f", directory).stat.gfid == made.stat.gfid


def test_port_can_be_used_again_at_once(tmp_path: Path) -> None:
    with start_brick(tmp_path) as brick, accepted(brick):
        port, brick_port = brick.port, brick.brick_port
        brick.stop()
    options = ("--port", str(port), "--brick-port", str(brick_port))
    with start_brick(tmp_path, "vol", *options) as brick:
        assert (brick.port, brick.brick_port) == (port, brick_port)
        accepted(brick).close()
