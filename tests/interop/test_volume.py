"""The API on real bricks: the operations of ``os``, files, listings and errors, by both faces."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import aio
from tests.api import as_user, local_os
from tests.api.faces import FACES, connect_face
from tests.api.parity import Case, Runner, uproot
from tests.api.path_parity import GROUPS
from tests.faulty import FaultyProxy
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import GlusterVolume, HandBrick


@pytest.fixture(scope="module")
def empty_brick() -> Iterator[HandBrick]:
    """A brick of this module's, whose whole tree may change."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield start_or_skip(real_gluster.start_hand_brick, directory)
    finally:
        real_gluster.stop(directory)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, tuple[Any, Any]]:
    cases = [case for group in GROUPS for case in some_of(group, 3) + some_of(group, 4)]
    return local_os.outcomes(cases, tmp_path_factory.mktemp("root"))


#: What a real brick does otherwise than ``os``, and why.
DIFFERENT = {
    GROUPS["open mode"][
        4
    ]: "writing takes the set-user-id bit away: a brick writes without CAP_FSETID",
}


def some_of(group: str, start: int) -> list[Case]:
    """Every so many of a group's cases, and sequences of steps all."""
    if group == "sequences":
        return GROUPS[group]
    return [case for case in GROUPS[group][start::8] if case not in DIFFERENT]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("group", GROUPS)
def test_as_with_os(
    face: str, group: str, empty_brick: HandBrick, expected: dict[Case, tuple[Any, Any]]
) -> None:
    with connect_face(face, empty_brick.url) as volume:
        runner = Runner(volume)
        differing = [
            (str(case), expected[case], found)
            for case in some_of(group, 3 if face == "threads" else 4)
            if (found := runner.run(case)) != expected[case]
        ]
        uproot(volume)
    assert differing == []
    report = volume.close()
    assert report.graceful
    assert report.handles == []
    assert empty_brick.no_files_open()


def test_on_behalf_of_a_user_without_rights(own_hand_brick: HandBrick, tmp_path: Path) -> None:
    expected = as_user.expected(tmp_path)
    found = as_user.outcomes("identity", own_hand_brick.url)
    assert [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]] == []
    assert own_hand_brick.no_files_open()


def test_as_a_user_without_rights(own_hand_brick: HandBrick, tmp_path: Path) -> None:
    for place in Path(own_hand_brick.client_vol).parents:  # the user has to come to the volfile
        if place.is_relative_to(tempfile.gettempdir()) and place != Path(tempfile.gettempdir()):
            place.chmod(place.stat().st_mode | 0o011)
    expected = as_user.expected(tmp_path)
    found = as_user.outcomes("threads", own_hand_brick.url)
    assert [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]] == []
    assert own_hand_brick.no_files_open()


@pytest.mark.parametrize("case", DIFFERENT, ids=str)
def test_what_differs_does(case: Case, empty_brick: HandBrick, tmp_path: Path) -> None:
    with glusterio.connect(empty_brick.url) as volume:
        found = Runner(volume).run(case)
        uproot(volume)
    assert found != local_os.outcomes([case], tmp_path)[case]


# -- on both kinds of volume ------------------------------------------------------------------------


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def volume(
    face: str, real_brick: HandBrick | GlusterVolume, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """A session that leaves no name and no handle behind."""
    with connect_face(face, real_brick.url) as volume:
        yield volume
        for name in volume.listdir():
            if name.startswith("mine"):
                volume.unlink(name)
    assert volume.close().graceful
    assert volume.close().handles == []
    assert real_brick.no_files_open()


def test_files_of_text_and_of_bytes(volume: Any) -> None:
    with volume.open("mine", "w", encoding="utf-8") as file:
        assert file.write("one\n\N{SNOWMAN}\n") == 6
    with volume.open("mine", encoding="utf-8") as file:
        assert list(file) == ["one\n", "\N{SNOWMAN}\n"]
    with volume.open("mine", "ab") as file:
        file.write(b"more")
    with volume.open("mine", "r+b") as file:
        file.seek(4)
        file.write(b"XYZ")
        assert file.read() == b"\nmore"
        file.truncate(5)
    with volume.open("mine", "rb") as file:
        assert file.read() == b"one\nX"
    with pytest.raises(FileExistsError):
        volume.open("mine", "x").close()


@pytest.mark.parametrize("size", [0, 1, 131_073, 1 << 20, (16 << 20) + 5])
def test_data_of_any_size(volume: Any, size: int) -> None:
    content = random.Random(size).randbytes(size)
    with volume.open_handle("mine", os.O_RDWR | os.O_CREAT) as file:
        assert file.pwrite(content, 3) == size
        assert file.pread(size + 10, 0) == (bytes(3) + content if size else b"")
        sink = bytearray(size)
        assert file.read_into(sink, 3) == size
        assert sink == content
        file.fsync()
        file.fdatasync()
        assert file.fstat().st_size == (size + 3 if size else 0)
        assert file.pread(10, 1 << 40) == b""
        assert file.pread(0, 0) == b""


def test_a_file_that_was_removed_is_read_on(volume: Any) -> None:
    with volume.open_handle("mine", os.O_RDWR | os.O_CREAT) as file:
        file.pwrite(b"data", 0)
        volume.unlink("mine")
        assert file.pread(10, 0) == b"data"
        file.truncate(2)
        assert file.fstat().st_size == 2


def test_a_long_listing(face: str, real_brick: HandBrick | GlusterVolume) -> None:
    """Several batches; put there by threads, all requests in flight at once."""
    names = {f"{'long' * (n % 9)}{n}" for n in range(1400)}
    with glusterio.connect(real_brick.url) as volume:
        volume.mkdir("crowd")
        with ThreadPoolExecutor(8) as pool:
            for file in pool.map(
                lambda name: volume.open_handle(f"crowd/{name}", os.O_CREAT), names
            ):
                file.close()
    try:
        with connect_face(face, real_brick.url) as volume:
            with volume.scandir("crowd") as entries:
                found = [(entry.name, entry.is_file(), entry.stat().st_nlink) for entry in entries]
            assert len(found) == len(names)
            assert set(found) == {(name, True, 1) for name in names}
            with volume.scandir("crowd") as entries:
                next(entries)  # closed half-way
    finally:
        with glusterio.connect(real_brick.url) as volume:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda name: volume.unlink(f"crowd/{name}"), names))
            volume.rmdir("crowd")


def test_what_another_session_changed_is_seen(
    volume: Any, real_brick: HandBrick | GlusterVolume
) -> None:
    with glusterio.connect(real_brick.url) as other:
        volume.mkdir("d")
        volume.mkdir("d/e")
        volume.open_handle("d/e/old", os.O_CREAT).close()
        assert volume.listdir("d/e") == ["old"]
        other.unlink("d/e/old")
        other.rmdir("d/e")
        other.rmdir("d")
        other.mkdir("d")
        other.mkdir("d/e")
        assert not volume.exists("d/e/old")
        volume.open_handle("d/e/new", os.O_CREAT).close()
        assert other.listdir("d/e") == ["new"]
        other.unlink("d/e/new")
        other.rmdir("d/e")
        other.rmdir("d")


def test_many_operations_in_flight(real_brick: HandBrick | GlusterVolume) -> None:
    block = 4096
    blocks = [random.Random(n).randbytes(block) for n in range(400)]

    async def main() -> None:
        async with aio.connect(real_brick.url) as volume:
            async with volume.open_handle("mine", os.O_RDWR | os.O_CREAT) as file:
                await asyncio.gather(
                    *(file.pwrite(data, n * block) for n, data in enumerate(blocks))
                )
                found = await asyncio.gather(*(file.pread(block, n * block) for n in range(400)))
                assert found == blocks
            await volume.unlink("mine")
        assert (await volume.close()).graceful

    asyncio.run(main())


# -- errors -----------------------------------------------------------------------------------------


def test_a_volume_that_glusterd_does_not_know(face: str, gluster_volume: GlusterVolume) -> None:
    with pytest.raises(glusterio.VolumeNotFoundError, match="'nonesuch'"):
        connect_face(face, f"gluster://{gluster_volume.host}/nonesuch")


def test_a_brick_that_is_another(face: str, hand_brick: HandBrick, tmp_path: Path) -> None:
    text = Path(hand_brick.client_vol).read_text().replace("/hand", "/nonesuch")
    (tmp_path / "v.vol").write_text(text)
    with pytest.raises(glusterio.HandshakeError):
        connect_face(face, f"volfile://{tmp_path}/v.vol")


def test_a_brick_that_rejects_this_address(face: str, empty_brick: HandBrick) -> None:
    rejecting = real_gluster.ACCESS.replace("auth.addr./hand.allow", "auth.addr./hand.reject")
    assert rejecting != real_gluster.ACCESS
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        brick = start_or_skip(partial(real_gluster.start_hand_brick, access=rejecting), directory)
        with pytest.raises(glusterio.AuthRejectedError) as caught:
            connect_face(face, brick.url)
        assert caught.value.errno == errno.EACCES
    finally:
        real_gluster.stop(directory)


def test_garbled_replies(empty_brick: HandBrick, tmp_path: Path) -> None:
    """Any byte of a real brick's reply may be another."""
    with FaultyProxy(("127.0.0.1", empty_brick.brick_port)) as proxy:
        text = Path(empty_brick.client_vol).read_text()
        text = text.replace(f"remote-port {empty_brick.brick_port}", f"remote-port {proxy.port}")
        (tmp_path / "v.vol").write_text(text.replace("ping-timeout 5", "ping-timeout 1"))
        for at in range(0, 700, 13):
            proxy.heal()
            volume = glusterio.connect(f"volfile://{tmp_path}/v.vol")
            proxy.garble(at)
            try:
                volume.listdir("/")
                volume.stat("/")
            except OSError:
                pass
            proxy.heal()
            assert volume.close().defects == [], at
    assert empty_brick.no_files_open()


def test_two_connections_do_for_a_session(gluster_volume: GlusterVolume) -> None:
    """The daemon is asked for the volfile and for the brick's port on one and the same."""
    program = (
        "import sys, glusterio\n"
        "def hook(event, args):\n"
        "    if event == 'socket.__new__' and args[1] in (2, 10):\n"  # IPv4, IPv6
        "        print('socket')\n"
        "    if event == 'socket.connect':\n"  # again when it is established, which it is at once
        "        print(args[1][1])\n"
        "sys.addaudithook(hook)\n"
        "glusterio.connect(sys.argv[1]).close()\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, gluster_volume.url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert said.count("socket") == 2
    ports = [str(gluster_volume.glusterd_port), str(gluster_volume.brick_port)]
    assert list(dict.fromkeys(said)) == ["socket", *ports]
