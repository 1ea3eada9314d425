"""A file's times on a volume that keeps them itself (``storage.ctime``, GlusterFS's default)."""

from __future__ import annotations

import os

import glusterio
from tests.interop.real_gluster import GlusterVolume
from tests.interop.test_set_up import held_open


def test_writing_to_another_clients_file_moves_its_mtime(gluster_volume: GlusterVolume) -> None:
    prefix = f"times-{os.getpid()}-"
    with held_open(gluster_volume, 1, prefix), glusterio.connect(gluster_volume.url) as volume:
        path = f"{prefix}0"
        before = volume.stat(path)
        with volume.open_handle(path, os.O_RDWR) as file:
            file.pwrite(b"more", 4)
        after = volume.stat(path)
        assert after.st_mtime_ns > before.st_mtime_ns
        assert after.st_ctime_ns > before.st_ctime_ns
        volume.chmod(path, 0o640)
        assert volume.stat(path).st_ctime_ns > after.st_ctime_ns
        assert volume.stat(path).st_mtime_ns == after.st_mtime_ns
        volume.utime(path, ns=(10**18, 2 * 10**18 + 5))
        assert volume.stat(path).st_mtime_ns == 2 * 10**18 + 5
        volume.unlink(path)


def test_a_new_name_moves_its_directorys_mtime(gluster_volume: GlusterVolume) -> None:
    directory = f"times-{os.getpid()}"
    with glusterio.connect(gluster_volume.url) as volume:
        volume.mkdir(directory)
        before = volume.stat(directory)
        with volume.open(f"{directory}/new", "w") as file:
            file.write("x")
        after = volume.stat(directory)
        assert after.st_mtime_ns > before.st_mtime_ns
        volume.unlink(f"{directory}/new")
        assert volume.stat(directory).st_mtime_ns > after.st_mtime_ns
        volume.rmdir(directory)
