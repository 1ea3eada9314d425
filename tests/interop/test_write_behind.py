"""Deferred writes on GlusterFS's brick, which serves a connection's requests in any order."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.api.faces import FACES, connect_face
from tests.interop.real_gluster import GlusterVolume


@pytest.mark.parametrize("face", FACES)
def test_overlapping_writes_end_as_if_done_one_after_the_other(
    gluster_volume: GlusterVolume, face: str
) -> None:
    name = f"deferred-{face}-{os.getpid()}"
    on_brick = Path(gluster_volume.data_dir, name)
    chance = random.Random(4)
    expected = bytearray()
    with connect_face(face, gluster_volume.url) as vol:
        files = [vol.open_handle(f"/{name}", os.O_RDWR | os.O_CREAT) for _ in range(2)]
        try:
            for n in range(3000):
                offset, size = chance.randrange(40_000), chance.choice((1, 50, 4096, 20_000))
                data = bytes([n % 256]) * size
                files[n % 2].pwrite(data, offset)
                expected.extend(bytes(max(0, offset - len(expected))))
                expected[offset : offset + size] = data
                if n % 100 == 0:
                    where = chance.randrange(40_000)
                    seen = files[chance.randrange(2)].pread(500, where)
                    assert seen == expected[where : where + 500]
                if n % 250 == 0:
                    assert vol.stat(f"/{name}").st_size == len(expected)
            files[0].fsync()
            assert on_brick.read_bytes() == bytes(expected)
        finally:
            for file in files:
                file.close()
            vol.unlink(f"/{name}")


@pytest.mark.parametrize("face", FACES)
def test_what_two_handles_append_is_in_the_order_of_the_writes(
    gluster_volume: GlusterVolume, face: str
) -> None:
    name = f"appended-{face}-{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    lines = [b"line %d\n" % n for n in range(1000)]
    with connect_face(face, gluster_volume.url) as vol:
        files = [vol.open_handle(f"/{name}", flags) for _ in range(2)]
        try:
            for n, line in enumerate(lines):
                files[n % 3 == 0].pwrite(line, 0)
            for file in files:
                file.close()
            assert vol.read_bytes(f"/{name}") == b"".join(lines)
        finally:
            vol.unlink(f"/{name}")
