"""The management daemon, and the handshake with the brick."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from glusterio.graph.volfile import parse
from glusterio.wire.dictionary import old_text
from glusterio.wire.handshake import (
    DUMP_CALLS,
    BrickByPortReply,
    BrickByPortRequest,
    DumpReply,
    DumpRequest,
    PingReply,
    SetvolumeReply,
    SigninReply,
    SigninRequest,
)
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import DUMP, HANDSHAKE, PORTMAP, DumpProc, HandshakeProc, PortmapProc
from tests.brick.questions import QUESTIONS, check
from tests.brick.raw import RawClient, to_the_brick
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
    options = to_the_brick(reply.spec)
    assert options["remote-host"] == "127.0.0.1"
    assert options["remote-subvolume"] == str(brick.directory)
    assert options["remote-port"] == str(brick.port)  # where there is a portmapper to be asked
    assert (port.op_ret, port.port) == (0, brick.brick_port)


@pytest.mark.parametrize("name", QUESTIONS)
def test_it_answers_as_glusterd_does(shared_brick: BrickProcess, name: str) -> None:
    with RawClient(shared_brick.port) as client:
        reply = QUESTIONS[name].ask(client, "vol", str(shared_brick.directory))
    check(QUESTIONS[name], reply)


def test_where_glusterd_slips(shared_brick: BrickProcess) -> None:
    """It answers a name that is too long with a positive number, and BRICKBYPORT never."""
    with RawClient(shared_brick.port) as client:
        reply = client.getspec("x" * 255)
        assert (reply.op_ret, reply.op_errno) == (-1, 22)
        for port, brick in ((shared_brick.brick_port, str(shared_brick.directory)), (1, "")):
            body = encode(BrickByPortRequest(port))
            found = client.call(*PORTMAP, PortmapProc.BRICKBYPORT, body)
            answer = decode(BrickByPortReply, found)
            assert (answer.op_ret < 0, answer.brick) == (not brick, brick)


def test_volume_info(shared_brick: BrickProcess) -> None:
    with RawClient(shared_brick.port) as client:
        reply = QUESTIONS["info"].ask(client, "vol", "")
    uuid.UUID(old_text(reply.options["volume_id"]))


def test_server_list(shared_brick: BrickProcess) -> None:
    with RawClient(shared_brick.port) as client:
        assert "servers-list" not in client.getspec("vol").options
        told = client.getspec("vol", flags=1).options["servers-list"]
    assert isinstance(told, bytes)
    assert old_text(told) == f"127.0.0.1:{shared_brick.port}"


def test_volfile_of_the_brick(shared_brick: BrickProcess) -> None:
    path = str(shared_brick.directory)
    with RawClient(shared_brick.port) as client:
        spec = client.getspec(f"vol.some-host.{path.strip('/').replace('/', '-')}").spec
    (posix,) = [each for each in parse(spec).volumes if each.type == "storage/posix"]
    assert posix.options["directory"] == path


def test_bricks_of_others_do_not_sign_in(shared_brick: BrickProcess) -> None:
    """Whoever could enter a brick's port could have its clients come to him."""
    path = str(shared_brick.directory)
    with RawClient(shared_brick.port) as client:
        for port, result in ((shared_brick.brick_port, 0), (1, -1)):
            body = encode(SigninRequest(path, port, 1))
            reply = decode(SigninReply, client.call(*PORTMAP, PortmapProc.SIGNIN, body))
            assert reply.op_ret == result
        assert client.port_by_brick(path).port == shared_brick.brick_port


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
            options = to_the_brick(client.getspec("vol").spec)
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


# -- both of them ------------------------------------------------------------------------------------


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
