"""A real brick is killed with SIGKILL, and started again: its clients go on."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from glusterio import ConnectionLostError, HandleStaleError
from tests.api.faces import FACES, connect_face
from tests.interop import real_gluster
from tests.interop.real_gluster import HandBrick


def killed_and_started(brick: HandBrick) -> HandBrick:
    """Kill a brick, and start another one with its volfile, its data and its port."""
    os.kill(brick.brick_pid, signal.SIGKILL)
    assert real_gluster.poll(lambda: not real_gluster.listening(brick.brick_port))
    place = Path(brick.data_dir).parent
    state = real_gluster.load(place.parent)
    words = ["-N", "-f", str(place / "server.vol"), "-l", str(place / "brick.log")]
    process = real_gluster._spawn([real_gluster._program("glusterfsd"), *words], place / "output")
    state.processes["hand"] = process
    state.write()
    assert real_gluster.poll(lambda: real_gluster.listening(brick.brick_port))
    return dataclasses.replace(brick, brick_pid=process.pid)


@pytest.mark.parametrize("face", FACES)
def test_a_brick_is_killed_and_comes_back(face: str, own_hand_brick: HandBrick) -> None:
    with connect_face(face, own_hand_brick.url, patience=30) as volume:
        flags = os.O_RDWR | os.O_CREAT
        synced, unsynced, held, gone = (
            volume.open_handle(name, flags) for name in ("synced", "unsynced", "held", "gone")
        )
        volume.mkdir("d")
        for number in range(50):
            volume.write_bytes(f"d/{number}", b"%d" % number)
        for file in (synced, unsynced):
            file.pwrite(b"data", 0)
        synced.fsync()
        held.lockf(os.F_LOCK)
        volume.unlink("gone")
        brick = killed_and_started(own_hand_brick)
        assert synced.pread(10, 0) == b"data"
        synced.fsync()
        with pytest.raises(ConnectionLostError, match="may be gone"):
            unsynced.fsync()
        unsynced.fsync()
        told: tuple[Callable[[], object], ...] = (
            lambda: held.pread(1, 0), lambda: gone.pread(1, 0)
        )  # fmt: skip
        for call in told:
            with pytest.raises(HandleStaleError):
                call()
        assert sorted(volume.listdir("d")) == sorted(map(str, range(50)))
        assert volume.close().graceful
        assert brick.no_files_open()
