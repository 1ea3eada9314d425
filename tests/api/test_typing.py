"""What type checkers make of the API, in code as users write it.

mypy checks this file with the rest of the tests, which is the test; run, it checks that it is true.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, assert_type

import glusterio
from glusterio import aio


def test_the_face_for_threads(tmp_path: Path) -> None:
    with glusterio.connect(f"embedded://{tmp_path}", timeout=5) as vol:
        assert_type(vol, glusterio.Volume)
        with vol.open("a.txt", "w", encoding="utf-8") as text:
            assert_type(text, io.TextIOWrapper)
            as_text: IO[str] = text
            assert_type(text.write("hello\n"), int)
            assert isinstance(as_text, io.TextIOWrapper)
        with vol.open(Path("a.txt")) as text:
            assert_type(text.read(), str)
            assert isinstance(text, io.TextIOWrapper)
        with vol.open("a.txt", "rb") as reader:
            assert_type(reader.read(), bytes)
            as_bytes: IO[bytes] = reader
            assert isinstance(as_bytes, io.BufferedReader)
        with vol.open("a.txt", "ab") as writer:
            assert isinstance(writer, io.BufferedWriter)
        with vol.open("a.txt", "r+b") as updater:
            assert isinstance(updater, io.BufferedRandom)
        with vol.open("a.txt", "rb", buffering=0) as raw:
            assert_type(raw, IO[bytes])
            assert isinstance(raw, io.RawIOBase)
        with vol.open_handle("/image.raw", os.O_RDWR | os.O_CREAT) as fd:
            assert_type(fd, glusterio.File)
            assert_type(fd.pwrite(b"x", 0), int)
            assert_type(fd.pread(1, 0), bytes)
            assert_type(fd.read_into(bytearray(1), 0), int)
            assert_type(fd.pread_async(1, 0), Future[bytes])
            assert_type(fd.fstat(), os.stat_result)
        entries = vol.scandir("/")
        iterator: Iterator[glusterio.DirEntry] = entries
        for entry in iterator:
            assert_type(entry, glusterio.DirEntry)
            assert_type(entry.name, str)
            assert_type(entry.stat().st_size, int)
            path_like: os.PathLike[str] = entry
            assert isinstance(path_like, os.PathLike)
        assert_type(vol.listdir(), list[str])
        assert_type(vol.stat("/"), os.stat_result)
        assert_type(vol.exists("/"), bool)
        assert_type(vol.statvfs(), os.statvfs_result)
        vol.symlink("x", "link")
        assert_type(vol.readlink("link"), str)
    report = vol.close()
    assert_type(report, glusterio.TeardownReport)
    assert_type(report.graceful, bool)
    assert report.graceful


def test_the_face_for_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.connect(f"embedded://{tmp_path}") as vol:
            assert_type(vol, aio.Volume)
            async with vol.open("a.txt", "w") as text:
                assert_type(text, aio.Stream[str])
                assert_type(await text.write("hello\n"), int)
            async with vol.open("a.txt") as text:
                async for line in text:
                    assert_type(line, str)
            binary = await vol.open("a.txt", "rb")
            assert_type(binary, aio.Stream[bytes])
            assert_type(await binary.read(), bytes)
            await binary.close()
            async with vol.open_handle("a.txt", os.O_RDWR) as fd:
                assert_type(fd, aio.File)
                assert_type(await fd.pread(1, 0), bytes)
                assert_type(await fd.fstat(), os.stat_result)
            entries: AsyncIterator[aio.DirEntry] = vol.scandir("/")
            async for entry in entries:
                assert_type(entry, aio.DirEntry)
                assert_type((await entry.stat()).st_size, int)
            assert_type(await vol.listdir(), list[str])
            assert_type(await vol.close(), glusterio.TeardownReport)

    asyncio.run(main())


def test_trees_and_paths_for_threads(tmp_path: Path) -> None:
    with glusterio.connect(f"embedded://{tmp_path}") as vol:
        path = vol / "d" / "f.txt"
        assert_type(path, glusterio.VolumePath)
        assert_type(path.parent, glusterio.VolumePath)
        assert_type(path.parents[0], glusterio.VolumePath)
        assert_type(path.with_suffix(".x"), glusterio.VolumePath)
        assert_type(path.volume, glusterio.Volume)
        assert_type(path.name, str)
        path.parent.mkdir()
        assert_type(path.write_text("x"), int)
        assert_type(path.read_bytes(), bytes)
        assert_type(path.exists(), bool)
        assert_type(path.stat(), os.stat_result)
        with path.open() as text:
            assert_type(text, io.TextIOWrapper)
        with path.open("rb") as reader:
            assert_type(reader, io.BufferedReader)
        for one in path.parent.iterdir():
            assert_type(one, glusterio.VolumePath)
        for one in (vol / "/").rglob("*"):
            assert_type(one, glusterio.VolumePath)
        assert_type(path.rename(path.with_name("g")), glusterio.VolumePath)
        assert_type(vol.stat_many(["d/g"]), list[os.stat_result])
        assert_type(vol.stat_many(["x"], return_exceptions=True), list[os.stat_result | OSError])
        assert_type(vol.read_many([path.with_name("g")]), list[bytes])
        assert_type(vol.read_many(["x"], return_exceptions=True), list[bytes | OSError])
        assert_type(vol.exists_many(["d"]), list[bool])
        assert_type(vol.du(), glusterio.Usage)
        assert_type(vol.glob("*"), list[str])
        for directory, directories, files in vol.walk("/"):
            assert_type(directory, str)
            assert_type(directories, list[str])
            assert_type(files, list[str])

        def show(progress: glusterio.CopyProgress) -> None:
            assert_type(progress.bytes_done, int)

        vol.copytree("d", "e", progress=show)
        assert_type(vol.move("e", "h"), str)
        vol.rmtree(vol / "h")


def test_trees_and_paths_for_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.connect(f"embedded://{tmp_path}") as vol:
            path = vol / "f"
            assert_type(path, aio.VolumePath)
            assert_type(path.volume, aio.Volume)
            assert_type(await path.write_bytes(b"x"), int)
            assert_type(await path.read_text(), str)
            async with path.open() as text:
                assert_type(text, aio.Stream[str])
            async with path.open("rb") as binary:
                assert_type(binary, aio.Stream[bytes])
            async for one in (vol / "/").glob("*"):
                assert_type(one, aio.VolumePath)
            async for where, directories, _ in (vol / "/").walk():
                assert_type(where, aio.VolumePath)
                assert_type(directories, list[str])
            assert_type(await vol.read_many([path]), list[bytes])
            assert_type(await vol.du(path), glusterio.Usage)

            async def handler(function: Any, path: str, error: OSError) -> None:
                assert isinstance(error, FileNotFoundError)

            await vol.rmtree("missing", onexc=handler)

    asyncio.run(main())
