"""storage/posix: what a brick that was killed left half made is found and mended, removed or named.

Each state is made by hand, as a kill between two system calls would leave it.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glusterio.types import ROOT_GFID
from glusterio.xlators.posix.gfid2path import attribute
from glusterio.xlators.posix.identity import text_of
from glusterio.xlators.posix.marker import MARKER
from glusterio.xlators.posix.recovery import (
    Defect,
    HandleFacts,
    NameFacts,
    Remedy,
    judge_handle,
    judge_name,
)
from tests.xlators.posix_bed import PosixBed, posix_bed

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="writes trusted attributes")

MENDED, REMOVED, NAMED = Remedy.MENDED, Remedy.REMOVED, Remedy.NAMED


class Left:
    """A directory that was served: ``d/f``, ``d/sub/g``, ``link``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with posix_bed(directory, gfid2path="on") as bed:
            self.d = bed.mkdir("d")
            self.f = bed.make("f", b"acknowledged", self.d)
            self.sub = bed.mkdir("sub", self.d)
            self.g = bed.make("g", b"too", self.sub)
            self.link = bed.symlink("link", "nowhere")
        assert not (directory / MARKER).exists()

    def handle(self, gfid: bytes) -> Path:
        text = text_of(gfid)
        return self.directory / ".glusterfs" / text[:2] / text[2:4] / text

    def kill(self, began: float = 0) -> None:
        """Leave it as a brick does that is killed."""
        (self.directory / MARKER).touch()
        os.utime(self.directory / MARKER, (began, began))


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


def found(bed: PosixBed) -> list[tuple[Defect, str, Remedy]]:
    assert [each["where"] for each in bed.posix.dump()["recovered_files"]] == [
        each.where for each in bed.posix.recovered
    ]
    findings = [(each.defect, each.where, each.remedy) for each in bed.posix.recovered]
    return sorted(findings, key=lambda each: each[1])


def check(bed: PosixBed, left: Left) -> None:
    """All that was acknowledged is there."""
    assert bed.gfid("d", "f") == left.f
    assert bed.gfid("d", "sub", "g") == left.g
    assert bed.gfid("link") == left.link
    fd = bed.open(left.f)
    assert bed.read(fd) == b"acknowledged"
    bed.release(fd)
    bed.make("new", parent=left.sub)
    bed.unlink("new", left.sub)


# -- when there is something to look for --------------------------------------------------------------


def test_a_directory_that_was_left_well_is_not_looked_through(left: Left) -> None:
    left.handle(left.f).unlink()
    with posix_bed(left.directory) as bed:
        assert (left.directory / MARKER).exists()
        assert found(bed) == []
        assert not left.handle(left.f).exists()
    assert not (left.directory / MARKER).exists()


def test_a_directory_that_was_left_unclean_is(left: Left) -> None:
    left.kill()
    left.handle(left.f).unlink()
    before = time.time()
    with posix_bed(left.directory) as bed:
        assert found(bed) == [(Defect.NO_HANDLE, "/d/f", MENDED)]
        assert left.handle(left.f).stat().st_ino == (left.directory / "d" / "f").stat().st_ino
        assert (left.directory / MARKER).stat().st_mtime >= before - 1
        check(bed, left)
    assert not (left.directory / MARKER).exists()
    with posix_bed(left.directory) as bed:
        assert found(bed) == []


def test_a_directory_that_another_serves_is_not_looked_through(left: Left) -> None:
    with posix_bed(left.directory):
        left.handle(left.f).unlink()
        with posix_bed(left.directory) as second:
            assert found(second) == []
        assert (left.directory / MARKER).exists()
    assert not (left.directory / MARKER).exists()


def test_nothing_is_wrong_after_a_kill_at_rest(left: Left) -> None:
    left.kill()
    with posix_bed(left.directory) as bed:
        assert found(bed) == []
        check(bed, left)


# -- the states ---------------------------------------------------------------------------------------


def no_gfid(left: Left) -> None:
    (left.directory / "d" / "half").mkdir(0o700)


def no_handle_of_a_directory(left: Left) -> None:
    left.handle(left.sub).unlink()


def moved_directory(left: Left) -> None:
    """A rename of a directory, killed before its handle was changed."""
    os.rename(left.directory / "d" / "sub", left.directory / "elsewhere")
    os.symlink("../../00/00/00000000-0000-0000-0000-000000000001/elsewhere", _new(left, left.sub))


def _new(left: Left, gfid: bytes) -> Path:
    return left.handle(gfid).with_name(text_of(gfid) + ".new")


def half_moved(left: Left) -> None:
    os.symlink("../../00/00/00000000-0000-0000-0000-000000000001/x", _new(left, left.sub))


def orphan(left: Left) -> None:
    """An unlink, or a create, killed half-way."""
    os.unlink(left.directory / "link")


def dangling(left: Left) -> None:
    os.unlink(left.directory / "d" / "sub" / "g")
    os.unlink(left.handle(left.g))
    os.rmdir(left.directory / "d" / "sub")


def stray(left: Left) -> None:
    left.handle(left.f).with_name("stray").write_text("whose?")


def misplaced(left: Left) -> None:
    os.link(left.handle(left.f), left.handle(left.g).with_name(text_of(left.f)))


STATES: dict[str, tuple[Callable[[Left], None], list[tuple[Defect, str, Remedy]]]] = {
    "mkdir": (no_gfid, [(Defect.NO_GFID, "/d/half", MENDED)]),
    "handle": (no_handle_of_a_directory, [(Defect.NO_HANDLE, "/d/sub", MENDED)]),
    "rename": (
        moved_directory,
        [
            (Defect.HALF_MOVED, "SUB.new", REMOVED),
            (Defect.STALE_HANDLE, "/elsewhere", MENDED),
        ],
    ),
    "rename, before": (half_moved, [(Defect.HALF_MOVED, "SUB.new", REMOVED)]),
    "unlink": (orphan, [(Defect.ORPHAN, "LINK", REMOVED)]),
    "rmdir": (dangling, [(Defect.DANGLING, "SUB", REMOVED)]),
    "stray": (stray, [(Defect.STRAY, "stray", NAMED)]),
    "misplaced": (misplaced, [(Defect.STRAY, "F", NAMED)]),
}


@needs_root
@pytest.mark.parametrize("state", STATES)
def test_half_made(left: Left, state: str) -> None:
    make, expected = STATES[state]
    make(left)
    left.kill()
    words = {text_of(left.sub): "SUB", text_of(left.link): "LINK", text_of(left.f): "F"}

    def short(where: str) -> str:
        if not where.startswith(".glusterfs"):
            return where
        name = os.path.basename(where)
        base, dot, rest = name.partition(".")
        return words.get(base, base) + dot + rest

    with posix_bed(left.directory) as bed:
        told = [(defect, short(where), remedy) for defect, where, remedy in found(bed)]
        assert sorted(told, key=str) == sorted(expected, key=str)
        assert bed.gfid("d", "f") == left.f
    left.kill()
    with posix_bed(left.directory) as bed:  # and then all is well, but for what was only named
        assert [each for each in found(bed) if each[2] is not NAMED] == []


@needs_root
def test_moved_directory_is_found_again(left: Left) -> None:
    moved_directory(left)
    left.kill()
    with posix_bed(left.directory) as bed:
        assert bed.gfid("elsewhere") == left.sub
        assert bed.gfid("elsewhere", "g") == left.g
        bed.make("new", parent=left.sub)
        with pytest.raises(FileNotFoundError):
            bed.lookup("sub", left.d)


@needs_root
def test_names_that_were_not_noted(left: Left) -> None:
    """A rename of a file, killed before its notes were changed."""
    os.rename(left.directory / "d" / "f", left.directory / "moved")
    left.kill()
    with posix_bed(left.directory) as bed:
        assert found(bed) == [(Defect.STALE_NAME, "/moved", MENDED)]
        keys = [k for k in os.listxattr(left.directory / "moved") if "gfid2path" in k]
        assert keys == [attribute(ROOT_GFID, "moved")[0]]


@needs_root
def test_orphans_that_are_old_are_named_only(left: Left) -> None:
    os.unlink(left.directory / "d" / "f")
    left.kill(began=time.time() + 100)
    with posix_bed(left.directory) as bed:
        assert [(defect, remedy) for defect, _, remedy in found(bed)] == [(Defect.ORPHAN, NAMED)]
        assert bed.stat(left.f).size == len(b"acknowledged")
    assert left.handle(left.f).read_bytes() == b"acknowledged"


@needs_root
def test_a_copy_with_anothers_gfid_gets_its_own(left: Left) -> None:
    copy = left.directory / "copy"
    copy.write_bytes(b"copy")
    gfid = os.getxattr(left.directory / "d" / "f", "trusted.gfid")
    os.setxattr(copy, "trusted.gfid", gfid)
    left.kill()
    with posix_bed(left.directory) as bed:
        assert found(bed) == [(Defect.TAKEN_GFID, "/copy", MENDED)]
        assert bed.gfid("copy") not in (left.f, ROOT_GFID)
        check(bed, left)


def test_open_and_unlinked_at_a_kill(left: Left) -> None:
    with posix_bed(left.directory) as bed:
        fd = bed.create("gone")
        bed.write(fd, b"data")
        bed.unlink("gone")
        assert not left.handle(fd.gfid).exists()
        bed.release(fd)
    left.kill()
    with posix_bed(left.directory) as bed:
        assert found(bed) == []
        with pytest.raises(OSError, match="Stale") as caught:
            bed.stat(fd.gfid)
        assert caught.value.errno == errno.ESTALE


def test_what_gluster_keeps_beside_the_handles_is_left_alone(left: Left) -> None:
    hidden = left.directory / ".glusterfs"
    for name in ("unlink", "indices", "landfill", "changelogs", "00"):
        (hidden / name).mkdir(exist_ok=True)
    (hidden / "health_check").write_text("2026")
    (hidden / "unlink" / text_of(left.f)).write_text("open when it was unlinked")
    (hidden / "00" / "00").mkdir(exist_ok=True)
    (hidden / "00" / "00" / text_of(ROOT_GFID)).symlink_to("../../..")
    left.kill()
    with posix_bed(left.directory) as bed:
        assert found(bed) == []
        check(bed, left)
    assert (hidden / "unlink" / text_of(left.f)).exists()
    assert (hidden / "health_check").read_text() == "2026"
    assert os.readlink(hidden / "00" / "00" / text_of(ROOT_GFID)) == "../../.."


# -- what decides -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "defect"),
    [
        (NameFacts(has_gfid=False), Defect.NO_GFID),
        (NameFacts(True, is_handled=True, has_handle=True), None),
        (NameFacts(True, False, False, False), Defect.NO_HANDLE),
        (NameFacts(True, False, True, False), Defect.STALE_HANDLE),
        (NameFacts(True, False, True, True), Defect.TAKEN_GFID),
    ],
)
def test_what_is_wrong_with_a_name(facts: NameFacts, defect: Defect | None) -> None:
    assert judge_name(facts) is defect


@pytest.mark.parametrize(
    ("facts", "judged"),
    [
        (HandleFacts(True, links=2), None),
        (HandleFacts(True, links=1), (Defect.ORPHAN, REMOVED)),
        (HandleFacts(True, links=1, is_recent=False), (Defect.ORPHAN, NAMED)),
        (HandleFacts(True, is_way=True, leads=True), None),
        (HandleFacts(True, is_way=True), (Defect.DANGLING, REMOVED)),
        (HandleFacts(True, is_way=True, is_recent=False), (Defect.DANGLING, REMOVED)),
        (HandleFacts(False), (Defect.STRAY, NAMED)),
        (HandleFacts(False, is_new=True), (Defect.HALF_MOVED, REMOVED)),
    ],
)
def test_what_is_wrong_with_a_handle(
    facts: HandleFacts, judged: tuple[Defect, Remedy] | None
) -> None:
    assert judge_handle(facts) == judged


def test_the_page_tells_what_can_be_found() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "on-disk.md"
    rows = re.findall(r"^\| ([^|]*) \| [^|]* \| [^|]* \|$", page.read_text(), re.MULTILINE)
    assert {defect.value for defect in Defect} <= set(rows)
