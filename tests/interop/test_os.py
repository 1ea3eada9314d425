"""What of ``os`` a real brick does in its own way: virtual attributes, its clock, device numbers."""

from __future__ import annotations

import os
import stat
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import glusterio
from tests.api.faces import FACES, connect_face
from tests.api.parity import uproot
from tests.interop.real_gluster import GlusterVolume, HandBrick


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, real_brick: HandBrick | GlusterVolume) -> Iterator[Any]:
    """A session in a directory of its own, which is gone afterwards."""
    place = f"/os-{uuid.uuid4().hex[:8]}"
    with connect_face(request.param, real_brick.url) as volume:
        volume.mkdir(place)
        volume.chdir(place)
        yield volume
        for name in volume.listdir("/"):
            if name.startswith(place[1:]):
                uproot(volume, f"/{name}")
                volume.rmdir(f"/{name}")
    report = volume.close()
    assert report.graceful
    assert report.handles == []
    assert real_brick.no_files_open()


def test_the_working_directory_that_another_client_moved(
    volume: Any, real_brick: HandBrick | GlusterVolume
) -> None:
    place = volume.getcwd()
    volume.makedirs("a/b")
    volume.chdir("a/b")
    with glusterio.connect(real_brick.url) as other:
        other.rename(f"{place}/a", f"{place}/moved")
        assert volume.getcwd() == f"{place}/moved/b"
        assert volume.listdir("..") == ["b"]
        volume.mkdir("c")
        assert other.listdir(f"{place}/moved/b") == ["c"]
        other.rmdir(f"{place}/moved/b/c")
        other.rmdir(f"{place}/moved/b")
    for operation in (volume.getcwd, volume.listdir, lambda: volume.mkdir("d")):
        with pytest.raises(FileNotFoundError):
            operation()
    volume.chdir(place)


def test_the_time_now(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        for renew in (lambda: volume.utime("f"), file.utime):
            file.utime(ns=(1, 2))
            assert (file.fstat().st_atime_ns, file.fstat().st_mtime_ns) == (1, 2)
            before = time.time()
            renew()
            assert abs(file.fstat().st_mtime - before) < 30
            assert abs(file.fstat().st_atime - before) < 30


def test_nodes_and_their_numbers(volume: Any) -> None:
    device = os.makedev(300, 70_000)
    volume.mknod("c", stat.S_IFCHR | 0o640, device)
    volume.mkfifo("p", 0o600)
    status = volume.stat("c")
    assert (status.st_rdev, stat.S_ISCHR(status.st_mode)) == (device, True)
    assert stat.S_ISFIFO(volume.stat("p").st_mode)
    with pytest.raises(OSError, match="No such device"):
        volume.open_handle("p")


def test_the_bricks_own_attributes_are_not_shown(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        volume.setxattr("f", "user.colour", b"blue")
        file.setxattr("trusted.mine", b"\0\1")
        assert sorted(volume.listxattr("f")) == ["trusted.mine", "user.colour"]
        assert sorted(file.listxattr()) == ["trusted.mine", "user.colour"]
        assert volume.listxattr("/") == []
        for name in ("trusted.gfid", "trusted.glusterfs.mdata", "trusted.glusterfs.pathinfo"):
            for get in (
                lambda name=name: volume.getxattr("f", name),
                lambda name=name: file.getxattr(name),
            ):
                with pytest.raises(OSError, match="No data"):
                    get()
            with pytest.raises(OSError, match="not supported"):
                volume.setxattr("f", name, b"x" * 16)
        file.removexattr("trusted.mine")
        assert volume.listxattr("f") == ["user.colour"]


def test_parts_of_files(volume: Any) -> None:
    block = 1 << 16
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        file.pwrite(b"x" * (4 * block), 0)
        file.discard(block, block)
        assert file.lseek(0, os.SEEK_HOLE) == block
        assert file.lseek(block, os.SEEK_DATA) == 2 * block
        assert file.pread(block, block) == bytes(block)
        file.zerofill(3 * block, 2 * block)
        assert file.fstat().st_size == 5 * block
        assert file.pread(3 * block, 2 * block) == b"x" * block + bytes(2 * block)
        file.posix_fallocate(5 * block, block)
        assert file.fstat().st_size == 6 * block
        file.fallocate(6 * block, block, keep_size=True)
        assert file.fstat().st_size == 6 * block
        with volume.open_handle("g", os.O_RDWR | os.O_CREAT) as copy:
            assert file.copy_file_range(copy, 10 * block, block // 2, 7) == 6 * block - block // 2
            # by way of here: a GlusterFS brick would keep the target open for good
            assert copy.pread(block, 7) == b"x" * (block // 2) + bytes(block // 2)
        with pytest.raises(OSError, match="No such device"):
            file.lseek(6 * block, os.SEEK_DATA)
