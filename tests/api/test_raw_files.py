"""Raw files against ``os.pread`` and its kin: offsets, sizes, buffers, and what is refused."""

from __future__ import annotations

import array
import errno
import mmap
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import glusterio
from tests.api.faces import FACES, connect_face
from tests.api.local_os import LocalFile
from tests.api.parity import outcome
from tests.embedded import BrickProcess
from tests.faulty import FaultyProxy

MIB = 1 << 20


@pytest.fixture(params=[f"{face}-{place}" for face in FACES for place in ("embedded", "brick")])
def volume(request: pytest.FixtureRequest, brick: BrickProcess, tmp_path: Path) -> Iterator[Any]:
    """A volume, by each face and in each place; nothing stays open."""
    face, place = request.param.split("-")
    (tmp_path / "volume").mkdir()
    url = brick.url if place == "brick" else f"embedded://{tmp_path / 'volume'}"
    with connect_face(face, url) as volume:
        yield volume
        for name in volume.listdir():
            volume.unlink(name)
    assert volume.close().graceful
    assert volume.close().handles == []


@pytest.fixture
def pair(volume: Any, tmp_path: Path) -> Iterator[tuple[Any, LocalFile]]:
    """A file on the volume and a local one."""
    flags = os.O_RDWR | os.O_CREAT
    local = LocalFile(os.open(tmp_path / "f", flags))
    try:
        with volume.open_handle("f", flags) as file:
            yield file, local
    finally:
        local.close()


def same(pair: tuple[Any, LocalFile], name: str, *arguments: Any) -> None:
    """Do the same with both; the same must come of it."""
    found, true = (outcome(partial(getattr(file, name), *arguments)) for file in pair)
    assert found == true, (name, arguments)


def test_sizes_and_offsets(pair: tuple[Any, LocalFile]) -> None:
    for step in (
        ("pread", 10, 0), ("pread", 0, 0), ("pwrite", b"", 0), ("pwrite", b"", 100), ("pread", 1, 0),
        ("pwrite", b"beyond the end", 10_000), ("pread", 20_000, 0), ("pread", 10, 9_995),
        ("pread", 10, 10_014), ("pread", 10, 1 << 40), ("pread", -1, 0), ("pread", 1, -1),
        ("pread", -1, -1), ("pwrite", b"x", -1), ("pwrite", b"x", (1 << 63) - 1),
        ("pwrite", b"x", 1 << 62),
        ("pread", 1, 1 << 63), ("pread", 1 << 63, 0), ("pread", 1, 1 << 64), ("pwrite", b"x", 1 << 63),
        ("pread", 100, 0), ("truncate", 3), ("pread", 10, 0), ("truncate", 10), ("pread", 100, 0),
        ("truncate", -1), ("truncate", 1 << 63), ("truncate", 1 << 62), ("truncate", 5 << 30),
        ("pread", 10, (5 << 30) - 3), ("truncate", 0), ("pread", 10, 0),
        ("pread", 1.0, 0), ("pread", "1", 0), ("pread", None, 0), ("pread", 1, 0.0), ("truncate", 1.5),
        ("pwrite", "text", 0), ("pwrite", None, 0), ("pwrite", 5, 0), ("pwrite", b"x", None),
        ("fsync",), ("fdatasync",), ("pread", True, False),
    ):  # fmt: skip
        same(pair, *step)


def test_what_can_be_written(pair: tuple[Any, LocalFile]) -> None:
    square = memoryview(bytes(range(64)))
    for data in (
        bytearray(b"abc"), memoryview(b"abcdef")[2:4], array.array("d", [1.5, -2.0]), array.array("d"),
        square.cast("B", (8, 8)), memoryview(array.array("i", range(20)))[4:8], memoryview(b""),
        square[::2], square[::-1],
    ):  # fmt: skip
        same(pair, "pwrite", data, 3)
        same(pair, "pread", 1000, 0)
        same(pair, "pwritev", [data, b"end", data], 1)
        same(pair, "pread", 1000, 0)
    same(pair, "pwritev", [], 0)
    same(pair, "pwritev", [b"", b""], 0)
    same(pair, "pwritev", [b"x", "y"], 0)


def test_what_can_be_read_into(pair: tuple[Any, LocalFile]) -> None:
    same(pair, "pwrite", bytes(range(200)), 0)

    def reading(make: Callable[[], Any]) -> None:
        results = []
        for file in pair:
            buffer = make()
            came = outcome(partial(file.read_into, buffer, 10))
            results.append((came, bytes(buffer)))
        assert results[0] == results[1]

    reading(lambda: bytearray(20))
    reading(lambda: bytearray(500))
    reading(bytearray)
    reading(lambda: memoryview(bytearray(20))[5:9])
    reading(lambda: array.array("d", [0.0, 0.0]))
    reading(lambda: array.array("d"))
    reading(lambda: memoryview(bytearray(16)).cast("B", (4, 4)))
    reading(lambda: mmap.mmap(-1, 100)[:] and bytearray(1))
    for wrong in (b"constant", memoryview(b"constant"), memoryview(bytearray(20))[::2]):
        with pytest.raises(BufferError):
            pair[0].read_into(wrong, 0)
    for useless in ("text", 5, None):
        with pytest.raises(TypeError):
            pair[0].read_into(useless, 0)


def test_several_buffers(pair: tuple[Any, LocalFile]) -> None:
    same(pair, "pwritev", [b"one", bytearray(b"two"), memoryview(b"three")], 5)
    for sizes in ((3, 3, 5), (100, 3), (2, 0, 2), (0,), (), (16, 16)):
        results = []
        for file in pair:
            buffers = [bytearray(size) for size in sizes]
            results.append((file.preadv(buffers, 0), buffers))
        assert results[0] == results[1]
    assert outcome(lambda: pair[0].preadv([bytearray(1)], -1)).errno == errno.EINVAL  # no position
    same(pair, "preadv", [bytearray(1)], 1 << 63)


@pytest.mark.parametrize("size", [MIB, MIB + 1, 16 * MIB, 16 * MIB + 1, 40 * MIB])
def test_large_ones(volume: Any, size: int) -> None:
    content = random.Random(size).randbytes(size)
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        assert file.pwrite(content, 7) == size
        assert file.fstat().st_size == size + 7
        assert file.pread(size, 7) == content
        assert file.pread(2 * size, 0) == bytes(7) + content
        sink = bytearray(size + 100)
        assert file.read_into(memoryview(sink)[:size], 7) == size
        assert sink == content + bytes(100)
        assert file.read_into(sink, 8) == size - 1
        assert sink[: size - 1] == content[1:]
        assert file.pread(1 << 40, size) == content[-7:]


def test_a_large_read_of_a_small_file_costs_little(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        file.pwrite(b"small", 0)
        for size in (1 << 30, (1 << 31) + 1, 1 << 62):
            assert file.pread(size, 0) == b"small"


def test_appending(volume: Any, tmp_path: Path) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    local = LocalFile(os.open(tmp_path / "f", flags))
    with volume.open_handle("f", flags) as file:
        for step in (
            ("pwrite", b"one", 0), ("pwrite", b"two", 0), ("pwrite", b"three", 100), ("pread", 100, 0),
            ("truncate", 2), ("pwrite", b"four", 50), ("pread", 100, 0), ("pwritev", [b"a", b"b"], 0),
            ("pread", 100, 0),
        ):  # fmt: skip
            same((file, local), *step)
    local.close()


def test_what_a_file_was_not_opened_for(volume: Any, tmp_path: Path) -> None:
    volume.open_handle("f", os.O_CREAT).close()
    (tmp_path / "f").touch()
    for path, flags in (("f", os.O_RDONLY), ("f", os.O_WRONLY), ("/", os.O_RDONLY)):
        local = LocalFile(os.open(tmp_path if path == "/" else tmp_path / "f", flags))
        with volume.open_handle(path, flags) as file:
            for step in (
                ("pread", 1, 0), ("pread", 0, 0), ("pwrite", b"x", 0), ("pwrite", b"", 0),
                ("truncate", 0), ("preadv", [bytearray(1)], 0), ("fsync",), ("fdatasync",),
            ):  # fmt: skip
                same((file, local), *step)
        local.close()


def test_a_file_that_was_removed_is_read_on(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        file.pwrite(b"data", 0)
        volume.unlink("f")
        assert not volume.exists("f")
        assert file.pread(10, 0) == b"data"
        assert file.pwrite(b"more", 4) == 4
        file.fsync()
        file.truncate(6)
        assert file.pread(10, 0) == b"datamo"
        assert file.fstat().st_size == 6
        assert file.fstat().st_nlink == 0


def test_a_closed_file(volume: Any) -> None:
    file = volume.open_handle("f", os.O_RDWR | os.O_CREAT)
    file.close()
    file.close()
    assert file.closed
    assert file.path == "f"
    for refused in (
        lambda: file.pread(1, 0), lambda: file.pwrite(b"x", 0), file.fsync, file.fstat,
        lambda: file.pread(0, 0), lambda: file.pwrite(b"", 0), lambda: file.truncate(0),
        lambda: file.read_into(bytearray(1), 0),
    ):  # fmt: skip
        with pytest.raises(glusterio.HandleClosedError):
            refused()


# -- threads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["embedded", "brick"])
def test_threads_with_mixed_work(place: str, brick: BrickProcess, tmp_path: Path) -> None:
    """Eight threads on one volume, and partly on one file; each finds what it wrote."""
    threads, rounds, block = 8, 25, 3000

    def work(volume: glusterio.Volume, shared: glusterio.File, number: int) -> None:
        chance = random.Random(number)
        mine = bytearray(10 * block)
        base = number * len(mine)
        with volume.open(f"log{number}", "w") as log:
            for turn in range(rounds):
                name = f"t{number}-{turn}"
                data = chance.randbytes(chance.randrange(1, 20_000))
                with volume.open(name, "wb") as file:
                    file.write(data)
                at = chance.randrange(9 * block)
                piece = chance.randbytes(block)
                mine[at : at + block] = piece
                assert shared.pwrite(piece, base + at) == block
                assert volume.stat(name).st_size == len(data)
                volume.rename(name, name + "r")
                with volume.open(name + "r", "rb") as file:
                    assert file.read() == data
                assert shared.pread(block, base + at) == piece
                assert name + "r" in volume.listdir()
                with pytest.raises(FileNotFoundError):
                    volume.stat(name)
                volume.unlink(name + "r")
                log.write(f"{turn}\n")
        found = bytearray(shared.pread(len(mine), base))
        assert found.ljust(len(mine), b"\0") == mine

    url = brick.url if place == "brick" else f"embedded://{tmp_path}"
    with glusterio.connect(url) as volume:
        with (
            volume.open_handle("shared", os.O_RDWR | os.O_CREAT) as shared,
            ThreadPoolExecutor(threads) as pool,
        ):
            for done in [pool.submit(work, volume, shared, number) for number in range(threads)]:
                done.result()
        for number in range(threads):
            with volume.open(f"log{number}") as log:
                assert [int(line) for line in log] == list(range(rounds))
        for name in volume.listdir():
            volume.unlink(name)
    report = volume.close()
    assert report.graceful
    assert report.handles == []


def test_the_requests_of_all_threads_are_in_flight_at_once(
    brick: BrickProcess,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
) -> None:
    threads = 8
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    with glusterio.connect(through(brick, proxy.port)) as volume:
        with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
            file.pwrite(bytes(range(threads)), 0)
            proxy.reorder(threads)  # nothing comes before so many replies are there
            start = threading.Barrier(threads)

            def read(number: int) -> bytes:
                start.wait()
                return file.pread(1, number)

            with ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(read, range(threads)))
            assert found == [bytes([number]) for number in range(threads)]
            proxy.heal()
        volume.unlink("f")


def test_asynchronous_reads_and_writes(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as volume:
        with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
            writes = [file.pwrite_async(b"%03d" % n, 3 * n) for n in range(300)]
            assert [done.result() for done in writes] == [3] * 300
            reads = [file.pread_async(3, 3 * n) for n in range(300)]
            assert [done.result() for done in reads] == [b"%03d" % n for n in range(300)]
            assert isinstance(file.pread_async(-1, 0).exception(), OSError)
        volume.unlink("f")
