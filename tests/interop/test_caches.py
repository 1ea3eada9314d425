"""What another client changes on a real volume shows within the time-out, or with a cache off at once.

The other client is the brick's own file system; the volume's volfile has md-cache, as glusterd's have.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import glusterio
from tests.interop.real_gluster import GlusterVolume

MIB = 1 << 20
#: Seconds: md-cache's time-out, and read-ahead's; and more than the machine may add.
TIMEOUT, PATIENCE = 1.0, 10.0


@pytest.fixture
def place(gluster_volume: GlusterVolume) -> Iterator[str]:
    path = f"/caches-{uuid.uuid4()}"
    with glusterio.connect(gluster_volume.url) as volume:
        volume.mkdir(path)
        volume.write_bytes(f"{path}/f", b"1234")
        yield path
        volume.rmtree(path)


def _on_the_brick(volume: GlusterVolume, path: str) -> Path:
    return Path(volume.data_dir) / path.lstrip("/")


def test_a_change_shows_within_the_time_out(gluster_volume: GlusterVolume, place: str) -> None:
    path = f"{place}/f"
    with glusterio.connect(gluster_volume.url) as volume:
        volume.stat(path)
        with _on_the_brick(gluster_volume, path).open("ab") as file:
            file.truncate(9)
        changed = time.monotonic()
        while volume.stat(path).st_size == 4:
            assert time.monotonic() < changed + TIMEOUT + PATIENCE
        assert volume.getsize(path) == 9


def test_with_the_cache_off_it_shows_at_once(gluster_volume: GlusterVolume, place: str) -> None:
    path = f"{place}/f"
    options = {"performance.stat-prefetch": False}
    with glusterio.connect(gluster_volume.url, options=options) as volume:
        for size in range(5, 30):
            with _on_the_brick(gluster_volume, path).open("ab") as file:
                file.truncate(size)
            assert volume.getsize(path) == size


def test_with_a_time_out_of_nothing_as_well(gluster_volume: GlusterVolume, place: str) -> None:
    path = f"{place}/f"
    options = {"performance.md-cache-timeout": 0}
    with glusterio.connect(gluster_volume.url, options=options) as volume:
        for size in range(5, 30):
            with _on_the_brick(gluster_volume, path).open("ab") as file:
                file.truncate(size)
            assert volume.getsize(path) == size


@pytest.mark.parametrize("size", [5000, 128 * 1024, MIB])
def test_what_is_read_ahead_is_what_is_there(
    gluster_volume: GlusterVolume, place: str, size: int
) -> None:
    data = os.urandom(3 * MIB + 12345)
    with glusterio.connect(gluster_volume.url, options={"performance.read-ahead": True}) as volume:
        volume.write_bytes(f"{place}/big", data)
        with volume.open_handle(f"{place}/big", os.O_RDWR) as file:
            found = bytearray()
            while piece := file.pread(size, len(found)):
                found += piece
                if len(found) == size:
                    file.pwrite(b"new!", 2 * MIB)
            assert found == data[: 2 * MIB] + b"new!" + data[2 * MIB + 4 :]
        with volume.open(f"{place}/big", "rb") as stream:
            assert stream.read() == found
