"""The management daemon, and the handshake with the brick."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from glusterio.graph import volfile
from glusterio.wire.dictionary import old_text
from glusterio.wire.handshake import (
    DUMP_CALLS,
    HANDSHAKE_CALLS,
    DumpReply,
    DumpRequest,
    GetVolumeInfoRequest,
    PingReply,
    SetLkVerRequest,
    SetvolumeReply,
)
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import DUMP, HANDSHAKE, DumpProc, HandshakeProc
from tests.brick.raw import RawClient
from tests.embedded import BrickProcess, start_brick


def reason(reply: SetvolumeReply) -> str:
    error = reply.options["ERROR"]
    assert isinstance(error, bytes)
    return old_text(error)


# -- the management daemon ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["vol", "/vol"])
def test_getspec(brick: BrickProcess, key: str) -> None:
    with RawClient(brick.port) as client:
        reply = client.getspec(key)
        port = client.port_by_brick(str(brick.directory))
    assert reply.op_ret == len(reply.spec.encode())
    top = volfile.parse(reply.spec).top
    assert top.type == "protocol/client"
    assert top.options["remote-host"] == "127.0.0.1"
    assert top.options["remote-subvolume"] == str(brick.directory)
    assert top.options["remote-port"] == str(brick.brick_port)
    assert (port.op_ret, port.port) == (0, brick.brick_port)


def test_unknown_volume_and_brick(brick: BrickProcess) -> None:
    with RawClient(brick.port) as client:
        for key in ("other", "", "vol/../vol", "vol2"):
            reply = client.getspec(key)
            assert (reply.op_ret, reply.op_errno, reply.spec) == (-1, 2, "")
        assert client.port_by_brick("/other").op_ret == -1


def test_volume_info(brick: BrickProcess) -> None:
    spec = HANDSHAKE_CALLS[HandshakeProc.GET_VOLUME_INFO]

    def ask(name: str) -> tuple[int, dict[str, bytes]]:
        body = encode(GetVolumeInfoRequest({"volname": name}))
        with RawClient(brick.port) as client:
            found = client.call(*HANDSHAKE, HandshakeProc.GET_VOLUME_INFO, body)
        reply = decode(spec.reply_class, found)
        return reply.op_ret, reply.options

    result, options = ask("vol")
    assert result == 0
    uuid.UUID(old_text(options["volume_id"]))
    assert ask("other")[0] == -1


def test_management_on_a_unix_socket(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    path = str(tmp_path / "glusterd.socket")
    with start_brick(served, "vol", "--unix", path), RawClient(path) as client:
        assert client.getspec("vol").op_ret > 0
    assert not Path(path).exists()


@pytest.mark.parametrize("path", ["with space", 'with "quotes"', "back\\slash", "café", "#hash"])
def test_directories_with_unusual_names(tmp_path: Path, path: str) -> None:
    served = tmp_path / path
    served.mkdir()
    with start_brick(served) as brick:
        with RawClient(brick.port) as client:
            options = volfile.parse(client.getspec("vol").spec).top.options
        assert options["remote-subvolume"] == str(served)
        with RawClient(brick.brick_port) as client:
            assert client.setvolume(options["remote-subvolume"]).op_ret == 0


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    (tmp_path / "`touch x`").mkdir()
    for directory in (tmp_path / "`touch x`", tmp_path / "none", Path("/dev/null")):
        with pytest.raises(RuntimeError, match=r"glusterio\.brick:"):
            start_brick(directory)
    with pytest.raises(RuntimeError, match="no name"):
        start_brick(tmp_path, "a b")


def test_port_that_is_taken(tmp_path: Path, brick: BrickProcess) -> None:
    with pytest.raises(RuntimeError, match="in use"):
        start_brick(tmp_path, "vol", "--port", str(brick.port))


# -- the brick's handshake ----------------------------------------------------------------------------


def test_accepted(brick: BrickProcess) -> None:
    with RawClient(brick.brick_port) as client:
        reply = client.setvolume(str(brick.directory), process_uuid="me")
        assert (reply.op_ret, reply.op_errno) == (0, 22)
        assert all(isinstance(value, bytes) for value in reply.options.values())
        options = {k: old_text(v) for k, v in reply.options.items() if isinstance(v, bytes)}
        assert options["ERROR"] == "Success"
        assert options["process-uuid"] == "me"
        assert options["child_up"] == "1"
        volume_id = options["volume-id"]
        assert brick.dump()["clients"][0]["uid"] == "me"
    with RawClient(brick.brick_port) as client:
        assert client.setvolume(str(brick.directory), volume_id=volume_id).op_ret == 0


@pytest.mark.parametrize(
    ("options", "errno", "why"),
    [
        ({"remote_subvolume": None}, 22, "No remote-subvolume option specified"),
        ({"remote_subvolume": "/other"}, 2, "is not found"),
        ({"process_uuid": None}, 22, "UUID not specified"),
        ({"fops_version": None}, 22, "version mismatch"),
        ({"fops_version": "1"}, 22, "version mismatch"),
        ({"volume_id": str(uuid.uuid4())}, 116, "Volume-ID different"),
        ({"subdir_mount": "/below"}, 95, "subdir-mount"),
    ],
)
def test_refused(brick: BrickProcess, options: dict[str, str | None], errno: int, why: str) -> None:
    with RawClient(brick.brick_port) as client:
        reply = client.setvolume(str(brick.directory), **options)
        assert (reply.op_ret, reply.op_errno) == (-1, errno)
        assert why in reason(reply)
        assert brick.dump()["clients"][0]["uid"] is None
        assert client.setvolume(str(brick.directory)).op_ret == 0  # it may try again
        assert client.setvolume(str(brick.directory)).op_errno == 22  # but once is enough


def test_refused_by_address(tmp_path: Path) -> None:
    with (
        start_brick(tmp_path, "vol", "--allow", "10.*") as brick,
        RawClient(brick.brick_port) as client,
    ):
        reply = client.setvolume(str(tmp_path))
        assert (reply.op_ret, reply.op_errno) == (-1, 13)
        assert reason(reply) == "Authentication failed"


@pytest.mark.parametrize("server", ["port", "brick_port"])
def test_dump_tells_the_programs(brick: BrickProcess, server: str) -> None:
    with RawClient(getattr(brick, server)) as client:
        body = encode(DumpRequest(77))
        reply = decode(DumpReply, client.call(*DUMP, DumpProc.DUMP, body))
        assert decode(PingReply, client.call(*DUMP, DumpProc.PING)).op_ret == 0
        assert decode(PingReply, client.call(*HANDSHAKE, HandshakeProc.PING)).op_ret == 0
    assert DUMP_CALLS[DumpProc.DUMP].reply_class is DumpReply
    assert reply.id == 77
    offered = {(each.number, each.version) for each in reply.programs}
    wanted = {(14398633, 2), (123451501, 1)}
    wanted.add((1298437, 400) if server == "brick_port" else (34123456, 1))
    assert offered == wanted


def test_set_lk_ver(brick: BrickProcess) -> None:
    with RawClient(brick.brick_port) as client:
        body = encode(SetLkVerRequest("uid", 7))
        spec = HANDSHAKE_CALLS[HandshakeProc.SET_LK_VER]
        found = client.call(*HANDSHAKE, HandshakeProc.SET_LK_VER, body)
        assert decode(spec.reply_class, found).lk_ver == 7
