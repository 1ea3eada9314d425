"""SETVOLUME, refusal by refusal: GlusterFS's brick and ours, asked the same."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glusterio.brick.access import Access
from glusterio.wire.dictionary import old_text
from glusterio.wire.fops.names import LookupRequest
from glusterio.wire.handshake import (
    GetspecReply,
    GetspecRequest,
    PingReply,
    SetvolumeRequest,
)
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import DUMP, FOPS, HANDSHAKE, ROOT_GFID, Fop, HandshakeProc, ReplyStat
from tests.brick.inside import InsideBrick
from tests.brick.raw import RawClient
from tests.interop import real_gluster
from tests.interop.real_gluster import ACCESS, GlusterVolume, HandBrick

#: (op_ret, op_errno, ERROR), or why the call was denied.
Verdict = tuple[int, int, str]


def verdict(port: int, subvolume: str, options: dict[str, str | None]) -> Verdict:
    with RawClient(port) as client:
        reply = client.setvolume(subvolume, **options)
    error = reply.options["ERROR"]
    assert isinstance(error, bytes)
    return reply.op_ret, reply.op_errno, old_text(error)


@contextmanager
def real_brick(access: str) -> Iterator[HandBrick]:
    reason = real_gluster.unavailable()
    if reason is not None:
        pytest.skip(f"no real GlusterFS: {reason}")
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield real_gluster.start_hand_brick(directory, access)
    finally:
        real_gluster.stop(directory)


#: What is asked of a brick that lets everybody in.
ASKED: dict[str, dict[str, str | None]] = {
    "everything there": {},
    "no brick": {"remote_subvolume": None},
    "another brick": {"remote_subvolume": "/other"},
    "no uuid": {"process_uuid": None},
    "another brick and no uuid": {"remote_subvolume": "/other", "process_uuid": None},
    "no version": {"fops_version": None},
    "another version": {"fops_version": "1298438", "mgmt_version": "14398633"},
    "no version that is a number": {"fops_version": "one"},
    "a directory that is not there": {"subdir_mount": "/none"},
    "a directory below one that is not there": {"subdir_mount": "/none/none"},
    "the root": {"subdir_mount": "/"},
    "a stale checksum": {"volfile_checksum": "4711", "volfile_key": "vol"},
    "a login that nobody wants": {"username": "user", "password": "secret"},
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InsideBrick]:
    with InsideBrick(tmp_path_factory.mktemp("ours")) as brick:
        yield brick


@pytest.mark.parametrize("asked", ASKED)
def test_refusals_are_the_same(hand_brick: HandBrick, ours: InsideBrick, asked: str) -> None:
    theirs = verdict(hand_brick.brick_port, "/hand", ASKED[asked])
    mine = verdict(ours.brick_port, str(ours.directory), ASKED[asked])
    assert mine == theirs


def test_id_of_another_volume(gluster_volume: GlusterVolume, ours: InsideBrick) -> None:
    # A hand brick has no volume and takes any id; one of glusterd's does not.
    options: dict[str, str | None] = {"volume_id": "11111111-2222-3333-4444-555555555555"}
    theirs = verdict(gluster_volume.brick_port, gluster_volume.data_dir, options)
    assert verdict(ours.brick_port, str(ours.directory), options) == theirs


PATTERNS = [
    "10.*",
    "127.0.0.*",
    "127.0.0.0/8",
    "localhost",
    "10.*,127.0.0.1",
    "127.*",
    "/sub(127.0.0.1)",
    "/(127.0.0.1|10.*),/sub(10.*)",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_addresses_are_understood_alike(pattern: str, tmp_path: Path) -> None:
    access = f"option auth.addr./hand.allow {pattern}\n  option rpc-auth-allow-insecure on"
    allowed = Access(allow=pattern.split(","))
    with real_brick(access) as real, InsideBrick(tmp_path, access=allowed) as ours:
        (Path(real.data_dir) / "sub").mkdir()
        (tmp_path / "sub").mkdir()
        for options in ({}, {"subdir_mount": "/sub"}):
            theirs = verdict(real.brick_port, "/hand", dict(options))
            mine = verdict(ours.brick_port, str(tmp_path), dict(options))
            assert mine == theirs, options


def test_rejection_counts_more(tmp_path: Path) -> None:
    access = f"{ACCESS}\n  option auth.addr./hand.reject 127.*"
    rejected = Access(reject=["127.*"])
    with real_brick(access) as real, InsideBrick(tmp_path, access=rejected) as ours:
        theirs = verdict(real.brick_port, "/hand", {})
        assert verdict(ours.brick_port, str(tmp_path), {}) == theirs
        assert theirs[1] == 13


def test_login(tmp_path: Path) -> None:
    access = (
        f"{ACCESS}\n  option auth.login./hand.allow user\n"
        "  option auth.login.user.password secret\n  option strict-auth-accept on"
    )
    login = Access(login=("user", "secret"))
    with real_brick(access) as real, InsideBrick(tmp_path, access=login) as ours:
        given: list[dict[str, str | None]] = [
            {},
            {"username": "user"},
            {"username": "user", "password": "secret"},
            {"username": "user", "password": "other"},
            {"username": "other", "password": "secret"},
        ]
        for options in given:
            theirs = verdict(real.brick_port, "/hand", dict(options))
            mine = verdict(ours.brick_port, str(tmp_path), dict(options))
            assert mine == theirs, options


def test_port_that_anybody_can_have(tmp_path: Path) -> None:
    def denial(port: int) -> tuple[int, int, int]:
        with RawClient(port) as client:
            body = encode(SetvolumeRequest({"remote-subvolume": "/hand"}))
            client.send(*HANDSHAKE, HandshakeProc.SETVOLUME, body)
            header, _ = client.receive()
        return header.reply_stat, header.reject_stat, header.low

    access = ACCESS.replace("insecure on", "insecure off")
    with real_brick(access) as real, InsideBrick(tmp_path, access=Access(insecure=False)) as ours:
        theirs = denial(real.brick_port)
        assert denial(ours.brick_port) == theirs
        assert theirs[0] == ReplyStat.DENIED


def test_procedures_are_there_alike(hand_brick: HandBrick, ours: InsideBrick) -> None:
    def answers(port: int, subvolume: str) -> list[object]:
        found: list[object] = []
        with RawClient(port) as client:
            body = encode(GetspecRequest(0, "vol"))
            told = decode(GetspecReply, client.call(*HANDSHAKE, HandshakeProc.GETSPEC, body))
            found.append((told.op_ret, told.op_errno))
            for program, procedures in (
                (HANDSHAKE, (0, 3)),
                (HANDSHAKE, (5, 6, 7, 8)),
                (DUMP, (0, 3)),
                (FOPS, (57, 1000)),
            ):
                if program is FOPS:
                    client.setvolume(subvolume)
                for procedure in procedures:
                    client.send(*program, procedure)
                    header, record = client.receive()
                    found.append((procedure, int(header.accept_stat), record[header.body :]))
            assert decode(PingReply, client.call(*DUMP, 2)).op_ret == 0
        return found

    theirs = answers(hand_brick.brick_port, "/hand")
    assert answers(ours.brick_port, str(ours.directory)) == theirs


def test_whoever_is_root_in_a_directory(hand_brick: HandBrick, tmp_path: Path) -> None:
    """What a client sees whose root is a directory, name by name."""

    def seen(port: int, subvolume: str, mount: str) -> list[object]:
        with RawClient(port) as client:
            assert client.setvolume(subvolume, subdir_mount=mount).op_ret == 0
            directory = client.mkdir("d")
            found: list[object] = [client.entries(), client.entries(directory)]
            for gfid, name in ((ROOT_GFID, "d"), (directory, "none"), (ROOT_GFID, "none")):
                try:
                    found.append(client.lookup(name, gfid).stat.gfid == directory)
                except OSError as error:
                    found.append(error.errno)
            root = client.do(Fop.LOOKUP, LookupRequest(ROOT_GFID)).stat
            found.append((root.gfid, root.ino))
        return found

    name = f"subdir-{os.getpid()}"
    with RawClient(hand_brick.brick_port) as client:
        assert client.setvolume("/hand").op_ret == 0
        client.mkdir(name)
    with InsideBrick(tmp_path) as ours:
        (tmp_path / name).mkdir()
        mine = seen(ours.brick_port, str(tmp_path), f"/{name}")
    theirs = seen(hand_brick.brick_port, "/hand", f"/{name}")
    assert mine == theirs
