"""The real GlusterFS that the interop tests stand on, and the count of what its bricks hold.

The count is checked against GlusterFS's own client library: if it were wrong, every test that
asserts "the brick holds nothing of ours" would be worth nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop import real_gluster
from tests.interop.real_gluster import GlusterVolume, HandBrick

HOLDER = Path(__file__).parent / "gfapi_holder.py"


@contextmanager
def held_open(brick: HandBrick | GlusterVolume, count: int, prefix: str) -> Iterator[None]:
    """Have GlusterFS's own client hold so many files open."""
    where = (
        ("hand", brick.client_vol) if isinstance(brick, HandBrick) else (brick.volume, brick.host)
    )
    command = [sys.executable, str(HOLDER), *where, str(count), prefix]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield
        holder.communicate()


def test_open_files_counts_what_a_client_holds(real_brick: HandBrick | GlusterVolume) -> None:
    assert real_brick.no_files_open()
    with held_open(real_brick, 7, "held-"):
        assert real_brick.open_files() == 7
        assert real_brick.open_files(writable_only=True) == 7
        data = Path(real_brick.data_dir)
        assert (data / "held-3").read_bytes() == b"held"
        (data / "held-3").unlink()  # an open file without a name counts as well
        assert real_brick.open_files() == 7
    assert real_brick.no_files_open()


def test_the_bricks_listen_on_the_loopback_only(real_brick: HandBrick | GlusterVolume) -> None:
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    hosts = {
        fields[1].split(":")[0]
        for fields in map(str.split, listening.splitlines())
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == real_brick.brick_port
    }
    assert hosts == {"0100007F"}


def test_starting_again_finds_what_runs(own_hand_brick: HandBrick) -> None:
    directory = Path(own_hand_brick.client_vol).parent.parent
    assert real_gluster.start_hand_brick(directory) == own_hand_brick


def test_a_stopped_or_killed_brick_is_started_anew(own_hand_brick: HandBrick) -> None:
    directory = Path(own_hand_brick.client_vol).parent.parent
    os.kill(own_hand_brick.brick_pid, signal.SIGKILL)
    assert real_gluster.poll(lambda: real_gluster.load(directory).hand is None)
    fresh = real_gluster.start_hand_brick(directory)
    assert fresh.brick_pid != own_hand_brick.brick_pid
    os.kill(fresh.brick_pid, signal.SIGSTOP)
    real_gluster.stop(directory)
    assert not Path(f"/proc/{fresh.brick_pid}").exists()
    assert not directory.exists()


def test_glusterd_is_the_volumes_own(gluster_volume: GlusterVolume) -> None:
    assert "Status: Started" in gluster_volume.gluster("volume", "info", gluster_volume.volume)
    assert str(gluster_volume.glusterd_sock).startswith(str(Path(gluster_volume.data_dir).parent))
