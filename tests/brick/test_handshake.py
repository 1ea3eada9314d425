"""SETVOLUME: who is accepted, who is not, and what a client sees whose root is a directory."""

from __future__ import annotations

import errno
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.brick.access import Access
from glusterio.wire import credentials
from glusterio.wire.dictionary import old_text
from glusterio.wire.fops import attributes, directories, names
from glusterio.wire.handshake import (
    HANDSHAKE_CALLS,
    GetspecReply,
    GetspecRequest,
    PingReply,
    SetLkVerRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import (
    ANONYMOUS_FD,
    FOPS,
    HANDSHAKE,
    ROOT_GFID,
    Fop,
    HandshakeProc,
    ReplyStat,
)
from tests.brick.inside import InsideBrick
from tests.brick.raw import RawClient, accepted, new_gfid
from tests.embedded import start_brick


@pytest.fixture
def brick(tmp_path: Path) -> Iterator[InsideBrick]:
    (tmp_path / "brick").mkdir()
    with InsideBrick(tmp_path / "brick") as inside:
        yield inside


def reason(reply: SetvolumeReply) -> str:
    error = reply.options["ERROR"]
    assert isinstance(error, bytes)
    return old_text(error)


def test_accepted(brick: InsideBrick) -> None:
    with RawClient(brick.brick_port) as client:
        reply = client.setvolume(str(brick.directory), process_uuid="me")
        assert (reply.op_ret, reply.op_errno) == (0, 22)
        assert all(isinstance(value, bytes) for value in reply.options.values())
        options = {k: old_text(v) for k, v in reply.options.items() if isinstance(v, bytes)}
        assert options["ERROR"] == "Success"
        uuid.UUID(options["process-uuid"])  # the brick's own
        assert options["child_up"] == "1"
        volume_id = options["volume-id"]
        assert brick.dump()["clients"][0]["uid"] == "me"
    with RawClient(brick.brick_port) as client:
        assert client.setvolume(str(brick.directory), volume_id=volume_id).op_ret == 0


@pytest.mark.parametrize(
    ("options", "errno", "why"),
    [
        ({"remote_subvolume": None}, 22, "No remote-subvolume option specified"),
        ({"remote_subvolume": "/other"}, 2, "Brick not found"),
        ({"remote_subvolume": "/other", "process_uuid": None}, 22, "UUID not specified"),
        ({"process_uuid": None}, 22, "UUID not specified"),
        ({"process_uuid": ""}, 22, "UUID not specified"),
        ({"fops_version": None}, 22, "version mismatch: client(0) - client-mgmt(0)"),
        ({"fops_version": "x"}, 22, "version mismatch: client(0) - client-mgmt(0)"),
        (
            {"fops_version": "1", "mgmt_version": "2"},
            22,
            "version mismatch: client(1) - client-mgmt(2)",
        ),
        (
            {"volume_id": str(uuid.uuid4())},
            22,
            "Volume-ID different, possible case of same brick re-used in another volume",
        ),
        ({"subdir_mount": "/none"}, 2, 'subdirectory for mount "/none" is not found'),
    ],
)
def test_refused(brick: InsideBrick, options: dict[str, str | None], errno: int, why: str) -> None:
    with RawClient(brick.brick_port) as client:
        reply = client.setvolume(str(brick.directory), **options)
        assert (reply.op_ret, reply.op_errno, reason(reply)) == (-1, errno, why)
        assert brick.dump()["clients"][0]["uid"] is None
        assert client.setvolume(str(brick.directory)).op_ret == 0  # it may try again


def test_once_more_is_fine_but_not_as_somebody_else(brick: InsideBrick) -> None:
    with RawClient(brick.brick_port) as client:
        assert client.setvolume(str(brick.directory), process_uuid="me").op_ret == 0
        made = client.create("f")
        assert client.setvolume(str(brick.directory), process_uuid="me").op_ret == 0
        reply = client.setvolume(str(brick.directory), process_uuid="you")
        assert (reply.op_ret, reply.op_errno) == (-1, 22)
        assert client.read(made.stat.gfid, made.fd) == b""  # and nothing has happened to it
        assert brick.dump()["clients"][0]["uid"] == "me"


def test_refused_by_address(tmp_path: Path) -> None:
    with (
        start_brick(tmp_path, "vol", "--allow", "10.*") as brick,
        RawClient(brick.brick_port) as client,
    ):
        reply = client.setvolume(str(tmp_path))
        assert (reply.op_ret, reply.op_errno, reason(reply)) == (-1, 13, "Authentication failed")


def test_allowed_by_the_name_of_a_host(tmp_path: Path) -> None:
    with (
        InsideBrick(tmp_path, access=Access(allow=["no.such.host.invalid", "localhost"])) as brick,
        brick.connect() as client,
    ):
        client.create("f")


def test_port_that_anybody_can_have(tmp_path: Path) -> None:
    with InsideBrick(tmp_path) as brick:
        brick.set_options({"server.allow-insecure": "off"})
        with RawClient(brick.brick_port) as client:
            body = encode(SetvolumeRequest({"remote-subvolume": str(tmp_path)}))
            client.send(*HANDSHAKE, HandshakeProc.SETVOLUME, body)
            header, _ = client.receive()
            assert (header.reply_stat, header.low) == (ReplyStat.DENIED, 2)
        if os.geteuid() == 0:
            with privileged(brick.brick_port) as client:
                assert client.setvolume(str(tmp_path)).op_ret == 0


def privileged(port: int) -> RawClient:
    client = RawClient(port)
    client.close()
    for source in range(1023, 512, -1):
        client.sock = socket.socket()
        client.sock.settimeout(20)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            client.sock.bind(("127.0.0.1", source))
            client.sock.connect(("127.0.0.1", port))
            return client
        except OSError:
            client.sock.close()
    raise AssertionError("no port is free")


def test_while_the_brick_starts(tmp_path: Path) -> None:
    with InsideBrick(tmp_path) as brick, RawClient(brick.brick_port) as client:
        offer = brick.brick._volume._offer
        offer.ready = False
        reply = client.setvolume(str(tmp_path))
        assert (reply.op_ret, reply.op_errno) == (-1, errno.EAGAIN)
        assert "Try again later" in reason(reply)
        offer.ready = True
        assert client.setvolume(str(tmp_path)).op_ret == 0


def test_other_procedures(brick: InsideBrick) -> None:
    with RawClient(brick.brick_port) as client:
        body = encode(SetLkVerRequest("uid", 7))
        spec = HANDSHAKE_CALLS[HandshakeProc.SET_LK_VER]
        found = client.call(*HANDSHAKE, HandshakeProc.SET_LK_VER, body)
        assert decode(spec.reply_class, found).lk_ver == 7
        assert decode(PingReply, client.call(*HANDSHAKE, HandshakeProc.NULL)).op_ret == 0
        body = encode(GetspecRequest(0, "vol"))
        told = decode(GetspecReply, client.call(*HANDSHAKE, HandshakeProc.GETSPEC, body))
        assert (told.op_ret, told.op_errno) == (-1, errno.ENOSYS)


@pytest.mark.parametrize(
    ("caller", "uid"),
    [
        (credentials.encode_v3(credentials.Credentials(1, 42, 43, (44,), b"owner")), 42),
        (credentials.encode_v2(credentials.Credentials(1, 42, 43, (44,), b"owner")), 42),
        (credentials.encode_none(), credentials.ANONYMOUS.uid),
    ],
    ids=["v3", "v2", "none"],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="files are made in the name of others")
def test_credentials_of_every_kind(brick: InsideBrick, caller: bytes, uid: int) -> None:
    os.chmod(brick.directory, 0o777)
    with accepted(brick) as client:
        body = encode(names.MkdirRequest(ROOT_GFID, 0o755, 0, "d", new_gfid()))
        client.send(*FOPS, Fop.MKDIR, body, caller)
        reply, _ = client.take(Fop.MKDIR)
        assert (reply.op_ret, reply.stat.uid) == (0, uid)


# -- a directory as root ------------------------------------------------------------------------------


@pytest.fixture
def confined(brick: InsideBrick) -> Iterator[RawClient]:
    (brick.directory / "above").mkdir()
    (brick.directory / "above" / "sub").mkdir()
    (brick.directory / "above" / "secret").write_bytes(b"secret")
    (brick.directory / "above" / "link").symlink_to("sub")
    with RawClient(brick.brick_port) as client:
        reply = client.setvolume(str(brick.directory), subdir_mount="/above/sub")
        assert (reply.op_ret, reason(reply)) == (0, "Success")
        yield client


def test_root_is_the_directory(brick: InsideBrick, confined: RawClient) -> None:
    made = confined.create("f")
    confined.write(made.stat.gfid, made.fd, b"data")
    directory = confined.mkdir("d")
    confined.create("g", directory)
    assert (brick.directory / "above" / "sub" / "f").read_bytes() == b"data"
    assert (brick.directory / "above" / "sub" / "d" / "g").exists()
    assert confined.entries() == [".", "..", "d", "f"]
    assert confined.entries(directory) == [".", "..", "g"]
    confined.do(Fop.RENAME, names.RenameRequest(ROOT_GFID, directory, "f", "h"))
    assert confined.read(made.stat.gfid, ANONYMOUS_FD) == b"data"
    with pytest.raises(FileNotFoundError):
        confined.lookup("secret")


def test_root_looks_like_one(confined: RawClient) -> None:
    stat = confined.do(Fop.STAT, attributes.StatRequest(ROOT_GFID)).stat
    assert (stat.gfid, stat.ino) == (ROOT_GFID, 1)
    found = confined.do(Fop.LOOKUP, names.LookupRequest(gfid=ROOT_GFID))
    assert found.stat.gfid == ROOT_GFID
    directory = confined.mkdir("d")
    assert confined.lookup("d").postparent.gfid == ROOT_GFID
    assert confined.lookup("..", directory).stat.gfid == ROOT_GFID


def test_nothing_leads_above_it(confined: RawClient) -> None:
    assert confined.lookup("..").stat.gfid == ROOT_GFID
    fd = confined.do(Fop.OPENDIR, directories.OpendirRequest(ROOT_GFID)).fd
    directory = confined.mkdir("d")
    for gfid in (ROOT_GFID, directory):  # a lie about the gfid does not help
        request: Any = directories.ReaddirpRequest(gfid, fd, 0, 65536)
        entries = {each.name: each for each in confined.do(Fop.READDIRP, request).entries}
        assert entries["."].stat.gfid == ROOT_GFID
        assert (entries[".."].stat.gfid, entries[".."].ino) == (bytes(16), 0)
        request = directories.ReaddirRequest(gfid, fd, 0, 65536)
        plain = {each.name: each for each in confined.do(Fop.READDIR, request).entries}
        assert plain[".."].ino == 0
    with pytest.raises(OSError, match="Invalid argument"):
        confined.create("../f")


@pytest.mark.parametrize("path", ["/above/secret", "/above/link", "/above/none", "/../above"])
def test_what_is_no_directory_is_no_root(
    brick: InsideBrick, confined: RawClient, path: str
) -> None:
    with RawClient(brick.brick_port) as client:
        reply = client.setvolume(str(brick.directory), subdir_mount=path)
        assert (reply.op_ret, reply.op_errno) == (-1, errno.ENOENT)
        assert reason(reply) == f'subdirectory for mount "{path}" is not found'


def test_others_see_it_as_it_is(brick: InsideBrick, confined: RawClient) -> None:
    confined.create("f")
    with accepted(brick) as client:
        above = client.lookup("above").stat.gfid
        sub = client.lookup("sub", above).stat.gfid
        assert client.lookup("f", sub).stat.nlink == 1
        assert client.entries() == [".", "..", "above"]
    assert brick.dump()["fops"]["CREATE"]["count"] == 1  # counted with everybody's
