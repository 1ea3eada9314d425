"""Listings: complete, each entry once, with what ``os.DirEntry`` tells, and closed in every way."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import aio
from glusterio.wire.programs import Fop
from tests.api.faces import FACES, connect_face
from tests.embedded import BrickProcess
from tests.faulty import FaultyProxy

MANY = 5000


@pytest.fixture(scope="module")
def crowd(brick: BrickProcess) -> str:
    """A directory with many names on a brick; put there behind its back."""
    crowd = brick.directory / "crowd"
    crowd.mkdir()
    for number in range(MANY):
        (crowd / f"{'long name ' * (number % 8)}{number}").touch()
    return "crowd"


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, brick: BrickProcess) -> Iterator[Any]:
    with connect_face(request.param, brick.url) as volume:
        yield volume
    brick.wait_for(fds=0, pending=0)
    assert volume.close().graceful


def until_released(volume: Any, brick: BrickProcess) -> None:
    """Wait until the brick holds nothing open. An event loop goes on only while it is called."""
    for _ in range(10_000):
        if not brick.dump()["fds"]:
            return
        volume.stat(".")
    brick.wait_for(fds=0)


class Circling(FaultyProxy):
    """A brick that begins a listing anew after so many batches, and is never at its end."""

    def __init__(self, upstream: tuple[str, int], batches: int) -> None:
        super().__init__(upstream)
        self._batches = batches
        self._asked: set[bytes] = set()

    def __enter__(self) -> Circling:
        self.start()
        return self

    def _from_client(self, connection: Any) -> None:
        super()._from_client(connection)
        if connection.to_server:
            data = bytearray(connection.to_server.pop())
            at = 0
            while at < len(data):
                end = at + 4 + (int.from_bytes(data[at : at + 4]) & 0x7FFFFFFF)
                if int.from_bytes(data[at + 24 : at + 28]) == Fop.READDIRP:
                    offset = slice(end - 24, end - 16)  # before the size and no dictionary
                    self._asked.add(bytes(data[offset]))
                    if len(self._asked) > self._batches:
                        data[offset] = bytes(8)
                at = end
            connection.to_server.append(bytes(data))


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("face", FACES)
def test_a_listing_that_the_brick_leads_in_a_circle_ends(
    brick: BrickProcess, through: Callable[..., str], crowd: str, batches: int, face: str
) -> None:
    with (
        Circling(("127.0.0.1", brick.brick_port), batches) as proxy,
        connect_face(face, through(brick, proxy.port)) as volume,
    ):
        for listing in (volume.listdir, lambda path: list(volume.scandir(path)), volume.du):
            with pytest.raises(OSError, match="in a circle") as caught:
                listing(crowd)
            assert (caught.value.errno, caught.value.filename) == (errno.EIO, crowd)
        assert volume.close().defects == []
    brick.wait_for(fds=0)


def test_thousands_of_names_each_once(volume: Any, brick: BrickProcess, crowd: str) -> None:
    names = volume.listdir(crowd)
    assert len(names) == MANY
    assert set(names) == set(os.listdir(brick.directory / crowd))
    with volume.scandir(crowd) as entries:
        found = {entry.name: entry for entry in entries}
    assert len(found) == MANY
    assert len({entry.inode() for entry in found.values()}) == MANY
    assert all(entry.is_file() and not entry.is_dir() for entry in found.values())
    some = found[names[0]]
    assert some.stat().st_ino == volume.stat(f"{crowd}/{some.name}").st_ino == some.inode()


def test_names_that_come_and_go_while_they_are_listed(volume: Any, brick: BrickProcess) -> None:
    """What is there all the time is listed once; the rest once or not at all."""
    (brick.directory / "busy").mkdir(exist_ok=True)
    stay = {f"stay{n}" for n in range(700)}
    go = {f"go{n}" for n in range(700)}
    for name in stay | go:
        (brick.directory / "busy" / name).touch()
    seen = []
    with volume.scandir("busy") as entries:
        for entry in entries:
            seen.append(entry.name)
            if entry.name.startswith("go") and go:
                volume.unlink(f"busy/{go.pop()}")
            if len(seen) % 50 == 0:
                volume.open_handle(f"busy/new{len(seen)}", os.O_CREAT).close()
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)
    for name in os.listdir(brick.directory / "busy"):
        volume.unlink(f"busy/{name}")
    volume.rmdir("busy")


def test_removing_all_that_is_listed(volume: Any, brick: BrickProcess) -> None:
    (brick.directory / "doomed").mkdir()
    for number in range(1200):
        (brick.directory / "doomed" / str(number)).touch()
    with volume.scandir("doomed") as entries:
        for entry in entries:
            volume.unlink(entry.path)
    assert volume.listdir("doomed") == []
    volume.rmdir("doomed")


def test_an_entry_tells_what_it_told_though_the_file_is_gone(volume: Any) -> None:
    volume.mkdir("d")
    volume.open_handle("d/f", os.O_CREAT).close()
    volume.symlink("f", "d/l")
    with volume.scandir("d") as entries:
        found = {entry.name: entry for entry in entries}
    volume.unlink("d/f")
    assert found["f"].is_file()
    assert found["f"].stat().st_size == 0
    assert found["l"].is_symlink()
    assert not found["l"].is_file()  # it is followed now
    with pytest.raises(FileNotFoundError) as caught:
        found["l"].stat()
    assert caught.value.filename == "d/l"
    assert os.fspath(found["l"]) == "d/l"
    volume.unlink("d/l")
    volume.rmdir("d")


def test_paths_of_entries(volume: Any, brick: BrickProcess) -> None:
    volume.mkdir("d")
    volume.mkdir("d/e")
    for path in ("d", "d/", "/d", "./d", "d//", Path("d"), "d/../d"):
        with volume.scandir(path) as entries:
            found = [entry.path for entry in entries]
        os_path = brick.directory / os.fspath(path).lstrip("/")
        with os.scandir(os_path) as true:
            suffixes = [entry.name for entry in true]
        assert found == [os.path.join(os.fspath(path), name) for name in suffixes]
        assert volume.stat(found[0]).st_ino
    volume.rmdir("d/e")
    volume.rmdir("d")


def test_an_iterator_closed_half_way(volume: Any, brick: BrickProcess, crowd: str) -> None:
    entries = volume.scandir(crowd)
    first = next(entries)
    brick.wait_for(fds=1)
    entries.close()
    until_released(volume, brick)
    assert first.name
    entries.close()
    assert list(entries) == []


def test_an_exhausted_iterator_is_closed(volume: Any, brick: BrickProcess, crowd: str) -> None:
    entries = volume.scandir(crowd)
    assert sum(1 for _ in entries) == MANY
    brick.wait_for(fds=0)
    assert list(entries) == []
    with entries:
        pass


def test_a_directory_that_is_gone(volume: Any) -> None:
    volume.mkdir("d")
    volume.open_handle("d/f", os.O_CREAT).close()
    with volume.scandir("d") as entries:
        assert next(entries).name == "f"
        volume.unlink("d/f")
        volume.rmdir("d")
        assert list(entries) == []
    with pytest.raises(FileNotFoundError):
        volume.listdir("d")


def test_what_is_no_directory(volume: Any) -> None:
    volume.open_handle("f", os.O_CREAT).close()
    for path, kind in (("f", NotADirectoryError), ("missing", FileNotFoundError)):
        with pytest.raises(kind) as caught, volume.scandir(path) as entries:
            next(entries)
        assert caught.value.filename == path
    volume.unlink("f")


def test_the_listings_of_a_session_that_ends(brick: BrickProcess, crowd: str) -> None:
    volume = glusterio.connect(brick.url)
    entries = volume.scandir(crowd)
    next(entries)
    report = volume.close()
    assert [(handle.path, handle.kind) for handle in report.handles] == [(crowd, "directory")]
    assert __file__ in report.handles[0].opened_at
    with pytest.raises(glusterio.SessionClosedError):
        list(entries)
    entries.close()
    brick.wait_for(fds=0)


def test_an_iterator_dropped_half_way_warns(brick: BrickProcess, crowd: str) -> None:
    with glusterio.connect(brick.url) as volume:
        entries = volume.scandir(crowd)
        next(entries)
        with pytest.warns(ResourceWarning, match=r"unclosed listing of 'crowd'.*test_scandir\.py"):
            del entries
        report = volume.close()
    assert [handle.path for handle in report.handles] == [crowd]


def test_an_iterator_dropped_at_its_end_does_not_warn(brick: BrickProcess, crowd: str) -> None:
    with glusterio.connect(brick.url) as volume, warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in volume.scandir(crowd):
            pass
        gc.collect()


def test_an_asynchronous_iterator_dropped_half_way_warns(brick: BrickProcess, crowd: str) -> None:
    async def main() -> None:
        async with aio.connect(brick.url) as volume:
            entries = volume.scandir(crowd)
            async for _ in entries:
                break
            with pytest.warns(ResourceWarning, match="unclosed listing of 'crowd'"):
                del entries
            report = await volume.close()
        assert [handle.path for handle in report.handles] == [crowd]

    asyncio.run(main())


def test_several_listings_of_one_directory_at_once(volume: Any, crowd: str) -> None:
    with volume.scandir(crowd) as one, volume.scandir(crowd) as two:
        both = [(first.name, second.name) for first, second in zip(one, two, strict=True)]
    assert len(both) == MANY
    assert all(first == second for first, second in both)
