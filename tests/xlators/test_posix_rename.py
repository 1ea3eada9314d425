"""storage/posix: RENAME, and the handles that have to follow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xlators.posix_bed import PosixBed, posix_bed
from tests.xlators.test_posix_names import handle_of


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path) as made:
        yield made


def test_file_keeps_its_gfid(bed: PosixBed) -> None:
    directory = bed.mkdir("d")
    gfid = bed.make("f", b"data")
    reply = bed.rename("f", "g", new_parent=directory)
    assert reply.stat.gfid == gfid
    assert reply.post_new_parent.gfid == directory
    assert bed.gfid("d", "g") == gfid
    assert bed.stat(gfid).size == 4


def test_directory_takes_its_content_along(bed: PosixBed) -> None:
    outer = bed.mkdir("outer")
    inner = bed.mkdir("inner", outer)
    file = bed.make("f", b"data", inner)
    other = bed.mkdir("other")
    bed.rename("inner", "moved", outer, other)
    assert bed.gfid("other", "moved", "f") == file
    bed.make("g", parent=inner)  # by the same gfid
    assert (bed.directory / "other" / "moved" / "g").exists()
    assert bed.gfid("other", "moved", "..") == other


def test_directory_is_found_after_a_restart(tmp_path: Path) -> None:
    with posix_bed(tmp_path) as bed:
        inner = bed.mkdir("inner", bed.mkdir("outer"))
        bed.rename("outer", "renamed")
    with posix_bed(tmp_path) as bed:
        bed.make("f", parent=inner)
        assert (tmp_path / "renamed" / "inner" / "f").exists()


def test_replaced_file_is_gone(bed: PosixBed) -> None:
    gfid, victim = bed.make("f", b"new"), bed.make("g", b"old")
    bed.rename("f", "g")
    assert bed.gfid("g") == gfid
    with pytest.raises(OSError, match="Stale"):
        bed.stat(victim)
    assert bed.handles() == {handle_of(gfid)}


def test_replaced_file_that_is_open_goes_on(bed: PosixBed) -> None:
    bed.make("f", b"new")
    fd = bed.create("g")
    bed.write(fd, b"old")
    bed.rename("f", "g")
    assert bed.read(fd) == b"old"
    bed.release(fd)


def test_replaced_file_with_another_name_stays(bed: PosixBed) -> None:
    bed.make("f", b"new")
    victim = bed.make("g", b"old")
    bed.link(victim, "h")
    bed.rename("f", "g")
    assert bed.stat(victim).nlink == 1
    assert bed.gfid("h") == victim


def test_replaced_file_without_a_gfid(bed: PosixBed) -> None:
    gfid = bed.make("f", b"new")
    (bed.directory / "g").write_bytes(b"old")
    bed.rename("f", "g")
    assert bed.handles() == {handle_of(gfid)}


def test_replaced_empty_directory_is_gone(bed: PosixBed) -> None:
    gfid, victim = bed.mkdir("d"), bed.mkdir("e")
    bed.gfid("e", ".")
    bed.rename("d", "e")
    assert bed.gfid("e") == gfid
    with pytest.raises(OSError, match="Stale"):
        bed.stat(victim)
    assert bed.handles() == {handle_of(gfid)}


def test_two_names_of_one_file_both_stay(bed: PosixBed) -> None:
    gfid = bed.make("f", b"data")
    bed.link(gfid, "g")
    bed.rename("f", "g")
    assert bed.gfid("f") == bed.gfid("g") == gfid
    assert bed.stat(gfid).nlink == 2


def test_onto_itself(bed: PosixBed) -> None:
    gfid, directory = bed.make("f", b"data"), bed.mkdir("d")
    bed.rename("f", "f")
    bed.rename("d", "d")
    assert (bed.gfid("f"), bed.gfid("d")) == (gfid, directory)
    bed.make("g", parent=directory)


def test_what_the_kernel_refuses_changes_nothing(bed: PosixBed) -> None:
    outer = bed.mkdir("outer")
    inner = bed.mkdir("inner", outer)
    bed.mkdir("full")
    bed.make("f", parent=bed.gfid("full"))
    file = bed.make("file")
    before = bed.handles()
    with pytest.raises(OSError, match="Invalid"):
        bed.rename("outer", "x", new_parent=inner)
    with pytest.raises(OSError, match="not empty"):
        bed.rename("outer", "full")
    with pytest.raises(IsADirectoryError):
        bed.rename("file", "outer")
    with pytest.raises(NotADirectoryError):
        bed.rename("outer", "file")
    with pytest.raises(FileNotFoundError):
        bed.rename("none", "x")
    assert bed.handles() == before
    assert bed.gfid("outer", "inner") == inner
    assert bed.gfid("file") == file


def test_symbolic_link_is_moved_itself(bed: PosixBed) -> None:
    target = bed.make("target")
    gfid = bed.symlink("s", "target")
    bed.rename("s", "t")
    assert bed.gfid("t") == gfid
    assert os.readlink(bed.directory / "t") == "target"
    assert bed.gfid("target") == target
