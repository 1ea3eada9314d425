"""storage/posix: data, attributes, directories and extended attributes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.graph.fd import Fd
from glusterio.types import ROOT_GFID
from glusterio.wire.dictionary import UInt
from glusterio.wire.fops import attributes, directories, files, xattrs
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import SeekWhat, SetattrValid
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR as FRAME
from tests.xlators.posix_bed import PosixBed, posix_bed


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path) as made:
        yield made


# -- data ---------------------------------------------------------------------------------------------


def test_read_and_write(bed: PosixBed) -> None:
    fd = bed.create("f")
    reply = bed.run(bed.posix.writev(FRAME, fd, b"hello", 2))
    assert (reply.written, reply.prestat.size, reply.poststat.size) == (5, 0, 7)
    assert bed.read(fd) == b"\0\0hello"
    assert bed.read(fd, 3, 2) == b"hel"
    assert bed.read(fd, 10, 100) == b""
    assert bed.read(fd, 0) == b""
    sink = bytearray(10)
    data = bed.run(bed.posix.readv(FRAME, fd, 10, 1, memoryview(sink)))
    assert (bytes(data.data), bytes(sink)) == (b"\0hello", b"\0hello\0\0\0\0")
    bed.release(fd)


@pytest.mark.parametrize(
    ("size", "offset", "eof"),
    [(4, 0, False), (5, 0, True), (6, 0, True), (1, 4, True), (1, 5, True), (1, 50, True)],
)
def test_end_of_file_is_told(bed: PosixBed, size: int, offset: int, eof: bool) -> None:
    fd = bed.open(bed.make("f", b"12345"))
    assert bed.run(bed.posix.readv(FRAME, fd, size, offset)).eof is eof
    bed.release(fd)


def test_huge_read_allocates_what_there_is(bed: PosixBed) -> None:
    fd = bed.open(bed.make("f", b"12345"))
    assert bed.read(fd, 0xFFFFFFFF) == b"12345"
    bed.release(fd)


@pytest.mark.parametrize("offset", [1 << 63, (1 << 64) - 1])
def test_impossible_offsets(bed: PosixBed, offset: int) -> None:
    fd = bed.create("f")
    with pytest.raises(OSError, match=r"Invalid|too large"):
        bed.write(fd, b"x", offset)
    truncation = files.FtruncateRequest(fd.gfid, 0, offset)
    with pytest.raises(OSError, match=r"Invalid|too large"):
        bed.run(bed.posix.ftruncate(FRAME, fd, truncation))
    allocation = files.FallocateRequest(fd.gfid, 0, 0, offset, 1)
    with pytest.raises(OSError, match=r"Invalid|too large"):
        bed.run(bed.posix.fallocate(FRAME, fd, allocation))
    with pytest.raises(OSError, match="Invalid"):
        bed.read(fd, 10, offset)
    bed.release(fd)


def test_append(bed: PosixBed) -> None:
    fd = bed.open(bed.make("f", b"123"), os.O_RDWR | os.O_APPEND)
    bed.write(fd, b"45", 0)
    assert bed.read(fd) == b"12345"
    bed.release(fd)


def test_flags_of_open(bed: PosixBed) -> None:
    gfid = bed.make("f", b"123")
    fd = bed.open(gfid, os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        bed.write(fd, b"x")
    bed.release(fd)
    fd = bed.open(gfid, os.O_WRONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        bed.read(fd)
    bed.release(fd)
    fd = bed.open(gfid, os.O_RDONLY | os.O_DIRECT | os.O_NOFOLLOW)  # requests need no alignment
    assert bed.read(fd, 2, 1) == b"23"
    bed.release(fd)
    with pytest.raises(NotADirectoryError):
        bed.open(gfid, os.O_DIRECTORY)
    fd = bed.open(gfid, os.O_RDWR | os.O_TRUNC)
    assert bed.read(fd) == b""
    bed.release(fd)


def test_anonymous_fd(bed: PosixBed) -> None:
    fd = Fd(bed.make("f", b"12345"), anonymous=True)
    assert bed.write(fd, b"X", 2) == 1
    assert bed.read(fd) == b"12X45"
    request = attributes.FstatRequest(fd.gfid, -2)
    assert bed.run(bed.posix.fstat(FRAME, fd, request)).stat.size == 5
    bed.run(bed.posix.fsync(FRAME, fd, files.FsyncRequest(fd.gfid, -2)))
    bed.run(bed.posix.ftruncate(FRAME, fd, files.FtruncateRequest(fd.gfid, -2, 1)))
    assert bed.read(fd) == b"1"
    assert bed.posix.counts()["open_files"] == 0


def test_released_fd_is_bad(bed: PosixBed) -> None:
    fd = bed.create("f")
    bed.release(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        bed.read(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        bed.run(bed.posix.flush(FRAME, fd, files.FlushRequest(fd.gfid, 0)))


def test_descriptors_of_the_system_are_closed(bed: PosixBed) -> None:
    before = len(os.listdir("/proc/self/fd"))
    fds = [bed.create(f"f{number}") for number in range(100)]
    assert len(os.listdir("/proc/self/fd")) == before + 100
    for fd in fds:
        bed.release(fd)
    assert len(os.listdir("/proc/self/fd")) == before


def test_fini_closes_what_is_left(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with posix_bed(tmp_path) as bed:
        bed.create("f")
        bed.opendir()
    assert len(os.listdir("/proc/self/fd")) == before


def test_space(bed: PosixBed) -> None:
    fd = bed.create("f")
    bed.write(fd, b"x" * 8192)

    def size_after(request: object, method: str) -> int:
        found: int = bed.run(getattr(bed.posix, method)(FRAME, fd, request)).poststat.size
        return found

    assert size_after(files.FallocateRequest(fd.gfid, 0, 1, 0, 100_000), "fallocate") == 8192
    assert size_after(files.FallocateRequest(fd.gfid, 0, 0, 0, 10_000), "fallocate") == 10_000
    assert size_after(files.DiscardRequest(fd.gfid, 0, 0, 4096), "discard") == 10_000
    assert bed.read(fd, 2, 4095) == b"\0x"
    assert size_after(files.ZerofillRequest(fd.gfid, 0, 5000, 10_000), "zerofill") == 15_000
    assert bed.read(fd, 3, 4999) == b"x\0\0"
    request = files.SeekRequest(fd.gfid, 0, 0, SeekWhat.DATA)
    assert bed.run(bed.posix.seek(FRAME, fd, request)).offset == 4096
    with pytest.raises(OSError, match="No such device"):
        bed.run(bed.posix.seek(FRAME, fd, request._replace(offset=1 << 20)))
    bed.release(fd)


# -- attributes ---------------------------------------------------------------------------------------


def change(bed: PosixBed, gfid: bytes, valid: int, **values: Any) -> files.ChangedReply:
    request = attributes.SetattrRequest(gfid, Iatt()._replace(**values), valid)
    reply: files.ChangedReply = bed.run(bed.posix.setattr(FRAME, request))
    return reply


def test_attributes_are_those_of_the_file(bed: PosixBed) -> None:
    gfid = bed.make("f", b"12345")
    known = os.stat(bed.directory / "f")
    found = bed.stat(gfid)
    assert (found.size, found.blocks, found.blksize) == (5, known.st_blocks, known.st_blksize)
    assert (found.uid, found.gid, found.mode) == (known.st_uid, known.st_gid, known.st_mode)
    assert found.mtime * 10**9 + found.mtime_nsec == known.st_mtime_ns
    assert found.atime * 10**9 + found.atime_nsec == known.st_atime_ns
    assert found.ctime * 10**9 + found.ctime_nsec == known.st_ctime_ns
    assert found.nlink == 1
    assert found.flags == 0x17FF


def test_setattr(bed: PosixBed) -> None:
    gfid = bed.make("f", b"12345")
    reply = change(bed, gfid, SetattrValid.MODE, mode=0o100600)
    assert (stat.S_IMODE(reply.prestat.mode), stat.S_IMODE(reply.poststat.mode)) == (0o644, 0o600)
    assert change(bed, gfid, SetattrValid.SIZE, size=2).poststat.size == 5  # TRUNCATE's affair
    times = {"atime": 11, "atime_nsec": 12, "mtime": -3, "mtime_nsec": 14}
    after = change(bed, gfid, SetattrValid.ATIME | SetattrValid.MTIME, **times).poststat
    assert {name: getattr(after, name) for name in times} == times
    after = change(bed, gfid, SetattrValid.ATIME, atime=99).poststat
    assert (after.atime, after.mtime) == (99, -3)
    after = change(bed, gfid, SetattrValid.MTIME | SetattrValid.MTIME_NOW, mtime=5).poststat
    assert after.atime == 99
    assert after.mtime > 1_000_000_000
    assert change(bed, gfid, 0).poststat.atime == 99


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_setattr_of_the_owner_and_the_mode_at_once(bed: PosixBed) -> None:
    gfid = bed.make("f")
    valid = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID
    after = change(bed, gfid, valid, mode=0o4755, uid=5, gid=6).poststat
    assert (after.uid, after.gid, stat.S_IMODE(after.mode)) == (5, 6, 0o4755)
    assert change(bed, gfid, SetattrValid.UID, uid=7).poststat.gid == 6


def test_setattr_of_a_symbolic_link_is_its_own(bed: PosixBed) -> None:
    target = bed.make("target")
    gfid = bed.symlink("s", "target")
    before = bed.stat(target)
    change(bed, gfid, SetattrValid.MODE | SetattrValid.MTIME, mode=0o600, mtime=5)
    assert bed.stat(target) == before
    assert bed.stat(gfid).mtime == 5
    with pytest.raises(OSError, match="Invalid"):
        bed.run(bed.posix.truncate(FRAME, files.TruncateRequest(gfid, 0)))


def test_fsetattr_of_an_unlinked_file(bed: PosixBed) -> None:
    fd = bed.create("f")
    bed.unlink("f")
    request = attributes.FsetattrRequest(
        fd.gfid, 0, Iatt(mode=0o400, size=10), SetattrValid.MODE | SetattrValid.SIZE
    )
    after = bed.run(bed.posix.fsetattr(FRAME, fd, request)).poststat
    assert (stat.S_IMODE(after.mode), after.size, after.nlink) == (0o400, 0, 0)
    bed.release(fd)


def test_truncate(bed: PosixBed) -> None:
    gfid = bed.make("f", b"12345")
    reply = bed.run(bed.posix.truncate(FRAME, files.TruncateRequest(gfid, 2)))
    assert (reply.prestat.size, reply.poststat.size) == (5, 2)
    with pytest.raises(IsADirectoryError):
        bed.run(bed.posix.truncate(FRAME, files.TruncateRequest(ROOT_GFID, 0)))


def test_statfs(bed: PosixBed) -> None:
    known = os.statvfs(bed.directory)
    found = bed.run(bed.posix.statfs(FRAME, attributes.StatfsRequest(ROOT_GFID))).statfs
    assert (found.bsize, found.blocks, found.namemax) == (
        known.f_bsize,
        known.f_blocks,
        known.f_namemax,
    )


# -- what a lookup answers besides --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "limit", "content"),
    [
        (b"12345", 100, b"12345"),
        (b"12345", 5, b"12345"),
        (b"12345", 4, None),
        (b"", 0, b""),
        (b"", 10, b""),
        (b"x", 0, None),
        (b"x", -1, None),
    ],
)
def test_content_of_small_files(
    bed: PosixBed, data: bytes, limit: int, content: bytes | None
) -> None:
    bed.make("f", data)
    found = bed.lookup("f", xdata={"glusterfs.content": limit}).xdata
    assert found is not None
    assert found.get("glusterfs.content") == content


def test_content_is_of_regular_files_only(bed: PosixBed) -> None:
    bed.mkdir("d")
    bed.symlink("s", "d")
    for name in ("d", "s"):
        assert bed.lookup(name, xdata={"glusterfs.content": 100}).xdata == {}


def test_counts_of_a_lookup(bed: PosixBed) -> None:
    keys = {
        "glusterfs.open-fd-count": 0,
        "glusterfs.posixlk-count": 0,
        "glusterfs.inodelk-count": 0,
        "glusterfs.entrylk-count": 0,
    }
    fd = bed.create("f")
    again = bed.open(fd.gfid)
    found = bed.lookup("f", xdata=keys).xdata
    assert found is not None
    assert found == {**keys, "glusterfs.open-fd-count": 2}
    assert isinstance(found["glusterfs.open-fd-count"], UInt)
    bed.release(again)
    bed.release(fd)
    found = bed.lookup("f", xdata=keys).xdata
    assert found == keys


def test_xattrs_of_a_lookup(bed: PosixBed) -> None:
    gfid = bed.make("f")
    request = xattrs.SetxattrRequest(gfid, 0, {"user.a": b"1", "user.b": b"2"})
    bed.run(bed.posix.setxattr(FRAME, request))
    wanted = {"user.a": 0, "user.none": 0, "trusted.gfid": 0, "user.glusterio.gfid": 0}
    assert bed.lookup("f", xdata=wanted).xdata == {"user.a": b"1", "trusted.gfid": gfid}
    assert bed.lookup("f", xdata={"user.*": 0}).xdata == {"user.a": b"1", "user.b": b"2"}
    assert bed.lookup("f", xdata={"list-xattr": 1}).xdata == {"user.a": b"1", "user.b": b"2"}
    assert bed.lookup("f").xdata == {}


# -- directories --------------------------------------------------------------------------------------


def test_entries_come_with_attributes(bed: PosixBed) -> None:
    known = {"f": bed.make("f", b"123"), "d": bed.mkdir("d"), "s": bed.symlink("s", "f")}
    (bed.directory / "found").touch()
    fd = bed.opendir()
    reply = bed.batch(fd)
    found = {entry.name: entry for entry in reply.entries}
    assert sorted(found) == [".", "..", "d", "f", "found", "s"]
    assert reply.op_errno == errno.ENOENT
    for name, gfid in known.items():
        assert found[name].stat == bed.stat(gfid)
        assert found[name].ino == bed.stat(gfid).ino
    assert found["found"].stat.gfid == bed.gfid("found")
    assert found["found"].stat.nlink == 1
    assert found["."].stat.gfid == ROOT_GFID
    assert found[".."].stat.gfid == bytes(16)
    bed.releasedir(fd)
    assert {entry.name: entry.d_type for entry in reply.entries}["s"] == 10


@pytest.mark.parametrize("size", [0, 1, 300, 4096, 1 << 20, 0xFFFFFFFF])
def test_every_entry_comes_once_whatever_the_budget(bed: PosixBed, size: int) -> None:
    wanted = {f"file-{number}" for number in range(700)}
    for name in wanted:
        (bed.directory / name).touch()
    found = bed.entries(size=size)
    assert len(found) == len(set(found))
    assert set(found) == wanted | {".", ".."}


def test_batch_keeps_to_the_budget(bed: PosixBed) -> None:
    for number in range(1000):
        (bed.directory / f"file-{number}").touch()
    fd = bed.opendir()
    assert 10 < len(bed.batch(fd, size=4096).entries) < 25
    assert 500 < len(bed.batch(fd, size=1 << 20).entries) < 700
    bed.releasedir(fd)


def test_reading_on_while_names_come_and_go(bed: PosixBed) -> None:
    names = [f"file-{number}" for number in range(300)]
    for name in names:
        (bed.directory / name).touch()
    fd = bed.opendir()
    found: list[str] = []
    offset, is_last, turn = 0, False, 0
    while not is_last:
        reply = bed.batch(fd, offset, 3000)
        found += [entry.name for entry in reply.entries]
        is_last, offset = reply.op_errno == errno.ENOENT, reply.entries[-1].d_off
        for name in found[-3:]:
            if name not in (".", ".."):
                bed.unlink(name)
        (bed.directory / f"new-{turn}").touch()
        turn += 1
    assert set(names) <= set(found)
    assert len(found) == len(set(found))
    bed.releasedir(fd)


def test_reading_again_from_any_cookie(bed: PosixBed) -> None:
    for number in range(50):
        (bed.directory / f"file-{number}").touch()
    fd = bed.opendir()
    entries = bed.batch(fd).entries
    for position in (0, 7, 30, len(entries) - 1):
        rest = bed.batch(fd, entries[position].d_off).entries
        assert [e.name for e in rest] == [e.name for e in entries[position + 1 :]]
    assert [e.name for e in bed.batch(fd).entries] == [e.name for e in entries]
    bed.releasedir(fd)


def test_readdir_alone(bed: PosixBed) -> None:
    bed.make("f")
    fd = bed.opendir()
    reply = bed.run(bed.posix.readdir(FRAME, fd, directories.ReaddirRequest(ROOT_GFID, 0, 0, 4096)))
    assert sorted(entry.name for entry in reply.entries) == [".", "..", "f"]
    assert (reply.op_ret, reply.op_errno) == (3, errno.ENOENT)
    bed.releasedir(fd)


def test_a_removed_directory_has_no_entries(bed: PosixBed) -> None:
    fd = bed.opendir(bed.mkdir("d"))
    os.rmdir(bed.directory / "d")
    reply = bed.run(bed.posix.readdir(FRAME, fd, directories.ReaddirRequest(fd.gfid, 0, 0, 4096)))
    assert (reply.op_ret, reply.op_errno, reply.entries) == (0, errno.ENOENT, ())
    bed.run(bed.posix.releasedir(FRAME, fd))


def test_a_directory_may_be_opened_as_files_are_but_not_to_write(bed: PosixBed) -> None:
    gfid = bed.mkdir("d")
    for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY | os.O_TRUNC):
        with pytest.raises(IsADirectoryError):
            bed.open(gfid, flags)
    fd = bed.open(gfid, os.O_RDONLY)
    assert stat.S_ISDIR(
        bed.run(bed.posix.fstat(FRAME, fd, attributes.FstatRequest(gfid, 0))).stat.mode
    )
    with pytest.raises(IsADirectoryError):
        bed.read(fd)
    with pytest.raises(OSError, match="Invalid"):
        bed.batch(fd)
    bed.release(fd)


def test_readdir_of_a_file_and_opendir_of_one(bed: PosixBed) -> None:
    fd = bed.create("f")
    with pytest.raises(OSError, match="Invalid"):
        bed.batch(fd)
    with pytest.raises(NotADirectoryError):
        bed.opendir(fd.gfid)
    bed.release(fd)


# -- extended attributes ------------------------------------------------------------------------------


def get(bed: PosixBed, gfid: bytes, name: str = "") -> xattrs.XattrsReply:
    request = xattrs.GetxattrRequest(gfid, len(name), name)
    reply: xattrs.XattrsReply = bed.run(bed.posix.getxattr(FRAME, request))
    return reply


def test_xattrs(bed: PosixBed) -> None:
    gfid = bed.make("f")

    def set_(flags: int, **values: bytes | str) -> None:
        named = {f"user.{name}": value for name, value in values.items()}
        bed.run(bed.posix.setxattr(FRAME, xattrs.SetxattrRequest(gfid, flags, named)))

    set_(0, a=b"1", b="text")
    reply = get(bed, gfid, "user.a")
    assert (reply.op_ret, reply.xattrs) == (1, {"user.a": b"1"})
    assert get(bed, gfid).xattrs == {"user.a": b"1", "user.b": b"text\0"}
    with pytest.raises(FileExistsError):
        set_(os.XATTR_CREATE, a=b"2")
    with pytest.raises(OSError, match="No data"):
        set_(os.XATTR_REPLACE, c=b"2")
    bed.run(bed.posix.removexattr(FRAME, xattrs.RemovexattrRequest(gfid, "user.a")))
    with pytest.raises(OSError, match="No data") as caught:
        get(bed, gfid, "user.a")
    assert caught.value.errno == errno.ENODATA
    with pytest.raises(OSError, match="No data"):
        bed.run(bed.posix.removexattr(FRAME, xattrs.RemovexattrRequest(gfid, "user.a")))


def test_xattrs_by_fd(bed: PosixBed) -> None:
    fd = bed.create("f")
    bed.unlink("f")
    request = xattrs.FsetxattrRequest(fd.gfid, 0, 0, {"user.a": b"1"})
    bed.run(bed.posix.fsetxattr(FRAME, fd, request))
    found = bed.run(bed.posix.fgetxattr(FRAME, fd, xattrs.FgetxattrRequest(fd.gfid, 0)))
    assert found.xattrs == {"user.a": b"1"}
    bed.run(bed.posix.fremovexattr(FRAME, fd, xattrs.FremovexattrRequest(fd.gfid, 0, "user.a")))
    found = bed.run(bed.posix.fgetxattr(FRAME, fd, xattrs.FgetxattrRequest(fd.gfid, 0)))
    assert found.xattrs == {}
    bed.release(fd)


@pytest.mark.parametrize(
    "name",
    [
        "trusted.gfid",
        "trusted.glusterfs.volume-id",
        "trusted.glusterfs.mdata",
        "trusted.gfid2path.0123456789abcdef",
        "user.glusterio.gfid",
        "user.glusterio.x",
    ],
)
def test_the_bricks_own_xattrs_are_hidden_and_safe(bed: PosixBed, name: str) -> None:
    """As a GlusterFS brick does it: gfid, volume id and times are not set, without a word."""
    gfid = bed.make("f")
    path = bed.directory / "f"
    before = {each: os.getxattr(path, each) for each in os.listxattr(path)}
    for each in (gfid, ROOT_GFID):
        if (name, each) in (
            ("trusted.gfid", gfid),
            ("trusted.gfid", ROOT_GFID),
            ("trusted.glusterfs.volume-id", ROOT_GFID),
        ):
            assert get(bed, each, name).xattrs == {}  # only its length is told
        else:
            with pytest.raises(OSError, match="No data"):
                get(bed, each, name)
        assert name not in (get(bed, each).xattrs or {})
        request = xattrs.SetxattrRequest(each, 0, {name: b"x" * 16})
        if name in ("trusted.gfid", "trusted.glusterfs.volume-id", "trusted.glusterfs.mdata"):
            bed.run(bed.posix.setxattr(FRAME, request))
        else:
            with pytest.raises(OSError) as caught:  # noqa: PT011 - checked below
                bed.run(bed.posix.setxattr(FRAME, request))
            assert caught.value.errno in (errno.EPERM, errno.EOPNOTSUPP)
        with pytest.raises(OSError) as caught:  # noqa: PT011 - checked below
            bed.run(bed.posix.removexattr(FRAME, xattrs.RemovexattrRequest(each, name)))
        assert caught.value.errno in (errno.EPERM, errno.ENODATA)
    assert {each: os.getxattr(path, each) for each in os.listxattr(path)} == before
    assert bed.gfid("f") == gfid


@pytest.mark.parametrize("name", ["", "bad", "user.\0", "user." + "x" * 300])
def test_hostile_names_of_xattrs(bed: PosixBed, name: str) -> None:
    gfid = bed.make("f")
    with pytest.raises(OSError):  # noqa: PT011 - EINVAL, ENOTSUP or ERANGE
        bed.run(bed.posix.setxattr(FRAME, xattrs.SetxattrRequest(gfid, 0, {name: b"x"})))
    if name:
        with pytest.raises(OSError):  # noqa: PT011
            get(bed, gfid, name)
    assert get(bed, gfid).xattrs == {}
