"""What a hostile server lists is copied into the directory that was named, or nowhere."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio import aio
from glusterio.cli.sides import LocalSide, VolumeSide
from glusterio.cli.transfer import Manner, Transfer
from glusterio.cli.trees import Item, survey
from glusterio.wire.fops import FOPS
from glusterio.wire.fops.directories import DirPlusEntry
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import Fop, SeekWhat
from tests.embedded import BrickProcess
from tests.hostile.server import PATIENCE, Asked, HostileServer, honest, in_turn, reply, rewriting


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What nobody may touch."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "precious").write_text("precious")
    os.chmod(directory / "precious", 0o640)
    return directory


@pytest.fixture
def tree(brick: BrickProcess, outside: Path) -> Iterator[Path]:
    """A tree on the brick: a directory, a file, and links that lead outside."""
    top = brick.directory / "tree"
    top.mkdir()
    (top / "dir").mkdir()
    (top / "dir" / "precious").write_text("evil")
    (top / "file").write_text("evil")
    os.chmod(top / "file", 0o777)
    (top / "to-file").symlink_to(outside / "precious")
    (top / "to-dir").symlink_to(outside)
    try:
        yield top
    finally:
        for path in sorted(top.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        top.rmdir()


Entries = list[DirPlusEntry]


def listing(change: Callable[[dict[str, DirPlusEntry]], Entries]) -> Any:
    """Change what READDIRP tells, where it tells of the tree."""

    def changed(message: Any, data: bytes) -> tuple[Any, bytes]:
        found = {entry.name: entry for entry in message.entries}
        if "to-file" not in found:
            return message, data
        return message._replace(entries=tuple(change(found))), data

    return rewriting(Fop.READDIRP, changed)


def named(entry: DirPlusEntry, name: str) -> DirPlusEntry:
    return DirPlusEntry.of(entry.d_off, entry.d_type, name, entry.stat, entry.xdata)


Complaints = dict[str, Exception]


def copy(brick: BrickProcess, script: Any, tmp_path: Path, **manner: bool) -> Complaints:
    """Copy the tree, as `glusterio cp -rp` does; return what could not be copied, and why."""
    complaints: Complaints = {}

    async def copying() -> None:
        async with await aio.connect(url) as volume:
            source, target = VolumeSide(volume, url), LocalSide()
            complain = complaints.__setitem__
            root = Item("", await source.stat("tree"))
            items = [root, *await survey(source, "tree", complain=complain)]
            how = Manner(preserve=True, **manner)
            transfer = Transfer(source, target, complain=complain, manner=how)
            await transfer.tree(items, "tree", str(tmp_path / "copy"))

    with HostileServer(brick.brick_port, script) as server:
        url = server.volfile(brick.directory, tmp_path / "hostile.vol")
        asyncio.run(asyncio.wait_for(copying(), PATIENCE))
    return complaints


def untouched(outside: Path) -> None:
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_text() == "precious"
    assert (outside / "precious").stat().st_mode & 0o7777 == 0o640


def test_a_name_that_is_a_link_and_then_a_file(
    brick: BrickProcess, tree: Path, outside: Path, tmp_path: Path
) -> None:
    """What follows a link that the copy itself has just made would be written where it leads."""
    stats: dict[str, Any] = {}

    def twice(found: dict[str, DirPlusEntry]) -> Entries:
        stats["link"] = found["to-file"].stat
        return [named(found["to-file"], "file"), found["file"]]

    asked = itertools.count()

    def looked_up(message: Any, data: bytes) -> tuple[Any, bytes]:
        mode = message.stat.mode
        if stats and stat.S_ISREG(mode) and not next(asked) % 2:
            message = message._replace(stat=stats["link"])
        return message, data

    both = in_turn(listing(twice), rewriting(Fop.LOOKUP, looked_up))
    copy(brick, both, tmp_path)
    untouched(outside)


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "dir/../../escaped", "..", "", "a\0b"])
def test_names_that_are_none(
    brick: BrickProcess, tree: Path, outside: Path, tmp_path: Path, name: str
) -> None:
    script = listing(lambda found: [named(found["file"], name), found["dir"]])
    complaints = copy(brick, script, tmp_path)
    if name != "..":  # which is left out, as everywhere
        assert isinstance(complaints.pop(""), OSError)
    assert not complaints
    assert not list(tmp_path.rglob("*escaped*"))
    untouched(outside)


@pytest.mark.parametrize("resume", [False, True], ids=["plain", "resume"])
def test_links_that_a_copy_before_has_left(
    brick: BrickProcess, tree: Path, outside: Path, tmp_path: Path, resume: bool
) -> None:
    """The server's tree had links the last time, and now has a directory and a file in their place."""
    before = tmp_path / "copy"
    before.mkdir()
    (before / "dir").symlink_to(outside)
    (before / "file").symlink_to(outside / "precious")
    complaints = copy(brick, honest, tmp_path, resume=resume)
    assert complaints.keys() == {"dir", "dir/precious"}
    assert all(isinstance(error, NotADirectoryError) for error in complaints.values())
    assert not (before / "file").is_symlink()
    assert (before / "file").read_text() == "evil"
    untouched(outside)


def test_a_link_with_the_name_of_a_part(
    brick: BrickProcess, tree: Path, outside: Path, tmp_path: Path
) -> None:
    (tree / ".file.glusterio-part").symlink_to(outside / "precious")
    complaints = copy(brick, honest, tmp_path, resume=True)
    untouched(outside)
    assert complaints.keys() == {".file.glusterio-part"}
    assert (tmp_path / "copy" / "file").read_text() == "evil"


def test_holes_that_lead_back(brick: BrickProcess, tree: Path, tmp_path: Path) -> None:
    """SEEK_DATA tells of what was copied already, over and over."""
    with open(tree / "file", "wb") as file:
        file.truncate(8 << 20)

    def leading_back(asked: Asked, record: bytes) -> Iterable[bytes]:
        if asked.fop is not Fop.SEEK:
            return (record,)
        request = decode(FOPS[Fop.SEEK].request_class, asked.body)
        found = FOPS[Fop.SEEK].reply_class(
            0, 0, None, 0 if request.what == SeekWhat.DATA else 1 << 20
        )
        return (reply(asked.header.xid, encode(found)),)

    (error,) = copy(brick, leading_back, tmp_path).values()
    assert isinstance(error, OSError)
    assert error.errno == errno.EIO
