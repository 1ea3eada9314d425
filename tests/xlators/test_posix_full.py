"""storage/posix: a full disk, one without inodes, one that is read-only: clear errors, no ruins."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from glusterio.types import ROOT_GFID
from glusterio.wire.fops import files, names, xattrs
from glusterio.xlators.posix.identity import text_of
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR as FRAME
from tests.xlators.posix_bed import PosixBed, new_gfid, posix_bed

PAGE = 4096


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[None]:
    """Mount a small file system, where that is allowed."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[PosixBed]:
    """A file system of 1 MiB."""
    with mounted(tmp_path, "size=1m"), posix_bed(tmp_path) as bed:
        yield bed


def consistent(bed: PosixBed) -> set[str]:
    """Every name has a handle, every handle a name; return the names at the top."""
    wanted: set[str] = set()
    ways = [ROOT_GFID]
    top: set[str] = set()
    while ways:
        parent = ways.pop()
        for name in set(bed.entries(parent)) - {".", ".."}:
            stat = bed.lookup(name, parent).stat
            wanted.add(text_of(stat.gfid))
            if stat.mode & 0o170000 == 0o040000:
                ways.append(stat.gfid)
            if parent == ROOT_GFID:
                top.add(name)
    assert bed.handles() == wanted
    return top


def refused(number: int, action: Callable[[], Any]) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - checked below
        action()
    assert caught.value.errno == number


def fill(bed: PosixBed) -> int:
    """Write until nothing goes any more; return how much went."""
    fd = bed.create("filler")
    written = 0
    try:
        while True:
            written += bed.write(fd, bytes(PAGE), written)
    except OSError as error:
        number = error.errno
    finally:
        bed.release(fd)
    assert number == errno.ENOSPC
    return written


def test_full_disk(small: PosixBed) -> None:
    fd = small.create("f")
    small.write(fd, b"kept")
    written = fill(small)
    assert small.lookup("filler").stat.size == written
    refused(errno.ENOSPC, lambda: small.write(fd, bytes(2 * PAGE), PAGE))
    refused(
        errno.ENOSPC,
        lambda: small.run(
            small.posix.fallocate(FRAME, fd, files.FallocateRequest(fd.gfid, 0, 0, PAGE, 8 * PAGE))
        ),
    )
    assert small.read(fd, 4) == b"kept"
    small.release(fd)
    small.unlink("filler")
    consistent(small)
    small.make("again", b"there is room again")


def test_write_that_goes_half_way_tells_how_far(small: PosixBed) -> None:
    fill(small)
    small.unlink("filler")
    fd = small.create("f")
    written = small.write(fd, bytes(2 << 20))
    assert 0 < written <= 1 << 20
    assert small.lookup("f").stat.size == written
    refused(errno.ENOSPC, lambda: small.write(fd, bytes(PAGE), written))
    small.release(fd)


def test_no_inodes_left(tmp_path: Path) -> None:
    """Each way of making something fails, with nothing left of it, whichever step it is that fails."""
    makes: dict[str, Callable[[PosixBed], Any]] = {
        "create": lambda bed: bed.make("new"),
        "mkdir": lambda bed: bed.mkdir("new"),
        "symlink": lambda bed: bed.symlink("new", "x" * 200),
        "mknod": lambda bed: bed.run(
            bed.posix.mknod(FRAME, names.MknodRequest(ROOT_GFID, 0, 0o010644, 0, "new", new_gfid()))
        ),
        "rename": lambda bed: bed.rename("d", "new"),
    }
    outcomes: set[tuple[str, bool]] = set()
    # Handles may need directories of their own: with more and more inodes it gets further and further.
    with mounted(tmp_path, "size=1m,nr_inodes=40"):
        with posix_bed(tmp_path) as bed:
            bed.mkdir("d")
            used = os.statvfs(tmp_path).f_files - os.statvfs(tmp_path).f_ffree
        for room in range(10):
            command = ["mount", "-o", f"remount,nr_inodes={used + room}", str(tmp_path)]
            for what, make in makes.items():
                subprocess.run(command, check=True)
                with posix_bed(tmp_path) as bed:
                    before = consistent(bed)
                    number = 0
                    try:
                        make(bed)
                    except OSError as error:
                        number = error.errno or -1
                    outcomes.add((what, not number))
                    if number:
                        assert number == errno.ENOSPC, what
                        assert consistent(bed) == before
                        assert not list(tmp_path.glob(".glusterfs/*/*/*.new"))
                    else:
                        assert consistent(bed) - before == {"new"}
                        _undo(bed, what)
                    # The directories of handles stay, empty ones too; the next shall start as this did.
                    for pattern in ("[0-9a-f][0-9a-f]/*", "[0-9a-f][0-9a-f]"):
                        for path in tmp_path.glob(f".glusterfs/{pattern}"):
                            if not any(path.iterdir()):
                                path.rmdir()
    assert outcomes == {(what, went) for what in makes for went in (False, True)}


def _undo(bed: PosixBed, what: str) -> None:
    if what == "rename":
        bed.rename("new", "d")
    elif what == "mkdir":
        bed.rmdir("new")
    else:
        bed.unlink("new")


def test_read_only(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=1m"), posix_bed(tmp_path) as bed:
        gfid = bed.make("f", b"data")
        bed.mkdir("d")
        remount = ["mount", "-o", "remount,{}", str(tmp_path)]
        subprocess.run([word.format("ro") for word in remount], check=True)
        try:
            for action in (
                lambda: bed.make("new"),
                lambda: bed.mkdir("new"),
                lambda: bed.symlink("new", "x"),
                lambda: bed.link(gfid, "new"),
                lambda: bed.unlink("f"),
                lambda: bed.rmdir("d"),
                lambda: bed.rename("f", "new"),
                lambda: bed.rename("d", "new"),
                lambda: bed.open(gfid, os.O_RDWR),
                lambda: bed.run(
                    bed.posix.setxattr(FRAME, xattrs.SetxattrRequest(gfid, 0, {"trusted.a": b"1"}))
                ),
                lambda: bed.run(bed.posix.truncate(FRAME, files.TruncateRequest(gfid, 0))),
            ):
                refused(errno.EROFS, action)
            fd = bed.open(gfid, os.O_RDONLY)
            assert bed.read(fd) == b"data"
            bed.release(fd)
            assert consistent(bed) == {"f", "d"}
        finally:
            subprocess.run([word.format("rw") for word in remount], check=True)
        bed.make("new")
        assert consistent(bed) == {"f", "d", "new"}


def test_a_read_only_directory_is_not_served(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=1m,ro"):
        with pytest.raises(OSError) as caught, posix_bed(tmp_path):  # noqa: PT011 - checked below
            pass
        assert caught.value.errno == errno.EROFS


def test_file_that_may_grow_no_further(tmp_path: Path) -> None:
    with posix_bed(tmp_path) as bed:
        fd = bed.create("f")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10 * PAGE, limits[1]))
        try:
            assert bed.write(fd, bytes(20 * PAGE)) == 10 * PAGE
            refused(errno.EFBIG, lambda: bed.write(fd, b"x", 10 * PAGE))
            refused(
                errno.EFBIG,
                lambda: bed.run(
                    bed.posix.ftruncate(FRAME, fd, files.FtruncateRequest(fd.gfid, 0, 11 * PAGE))
                ),
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert bed.lookup("f").stat.size == 10 * PAGE
        bed.release(fd)


def test_names_and_targets_of_every_length(tmp_path: Path) -> None:
    with posix_bed(tmp_path) as bed:
        for name in ("x" * 255, "ü" * 127):
            gfid = bed.make(name)
            assert bed.gfid(name) == gfid
            bed.rename(name, name[::-1] + "y" * (255 - len(os.fsencode(name))))
        refused(errno.ENAMETOOLONG, lambda: bed.make("ü" * 128))
        refused(errno.ENAMETOOLONG, lambda: bed.symlink("s", "x" * 4096))
        bed.symlink("s", "x" * 4095)
        assert len(consistent(bed)) == 3
