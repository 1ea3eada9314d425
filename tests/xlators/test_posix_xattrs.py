"""storage/posix: arrays of counters, access control lists, the names and times that files keep."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from glusterio.types import ROOT_GFID, Gfid
from glusterio.wire.fops import data, files, names, xattrs
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import XattropFlag
from glusterio.xlators.posix import acl
from glusterio.xlators.posix.counters import apply
from glusterio.xlators.posix.gfid2path import attribute, xxh64
from glusterio.xlators.posix.identity import gfid_of, text_of
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR as FRAME
from tests.xlators.posix_bed import PosixBed, posix_bed

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="writes trusted attributes")


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path) as made:
        yield made


def array(width: str, *numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}{width}", *numbers)


# -- XATTROP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "given", "old", "new", "answer"),
    [
        (0, array("i", 1, -1), None, array("i", 1, -1), array("i", 1, -1)),
        (0, array("i", 1, -1), array("i", 5, 5), array("i", 6, 4), array("i", 6, 4)),
        (0, array("I", 1), array("I", 0xFFFFFFFF), array("I", 0), array("I", 0)),
        (0, array("i", 1, 1), array("i", 5), array("i", 6, 1), array("i", 6, 1)),
        (0, array("i", 0), array("i", 5), None, array("i", 5)),
        (0, array("i", 0), None, None, array("i", 0)),
        (0, b"\1\2\3\4\5", b"\0\0\0\0\7", b"\1\2\3\4\7", b"\1\2\3\4\7"),
        (1, array("q", 1), array("q", -3), array("q", -2), array("q", -2)),
        (4, b"new", None, b"new", None),
        (4, b"new", b"ol", b"new", b"ol\0"),
        (4, bytes(3), b"old", bytes(3), b"old"),
        (5, array("i", 1, 2, 10, 20), None, array("i", 11, 22), array("i", 11, 22)),
        (5, array("i", 1, 2, 10, 20), array("i", 5, 0), array("i", 6, 22), array("i", 6, 22)),
        (6, array("q", 1, 10), array("q", 0), array("q", 11), array("q", 11)),
        (2, bytes(4), array("i", 5), None, array("i", 5)),
    ],
)
def test_what_xattrop_makes_of_an_array(
    op: int, given: bytes, old: bytes | None, new: bytes | None, answer: bytes | None
) -> None:
    assert apply(op, given, old) == (new, answer)


@pytest.mark.parametrize(
    ("op", "given", "old", "error"),
    [
        (XattropFlag.OR_ARRAY, array("i", 1), None, errno.EINVAL),
        (XattropFlag.AND_ARRAY, array("i", 1), None, errno.EINVAL),
        (77, array("i", 1), None, errno.EINVAL),
        (0, array("i", 1), array("i", 1, 1), errno.ERANGE),
        (5, array("i", 1, 1), array("i", 1, 1), errno.ERANGE),
    ],
)
def test_what_xattrop_refuses(op: int, given: bytes, old: bytes | None, error: int) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - checked below
        apply(op, given, old)
    assert caught.value.errno == error


def test_xattrop_is_kept(bed: PosixBed) -> None:
    gfid = bed.make("f")
    one = {"user.count": array("i", 1, 10)}
    for round_ in range(1, 4):
        reply = bed.run(bed.posix.xattrop(FRAME, xattrs.XattropRequest(gfid, 0, one)))
        assert reply.xattrs == {"user.count": array("i", round_, 10 * round_)}
    fd = bed.open(gfid)
    reply = bed.run(bed.posix.fxattrop(FRAME, fd, xattrs.FxattropRequest(gfid, 0, 0, one)))
    assert reply.xattrs == {"user.count": array("i", 4, 40)}
    assert os.getxattr(bed.directory / "f", "user.count") == array("i", 4, 40)
    bed.release(fd)


@pytest.mark.parametrize("name", ["trusted.gfid", "user.glusterio.gfid", "trusted.gfid2path.0"])
def test_xattrop_leaves_the_bricks_own_alone(bed: PosixBed, name: str) -> None:
    gfid = bed.make("f")
    request = xattrs.XattropRequest(gfid, 0, {name: array("i", 1, 1, 1, 1)})
    with pytest.raises(OSError):  # noqa: PT011 - EPERM or ENOTSUP
        bed.run(bed.posix.xattrop(FRAME, request))
    assert bed.gfid("f") == gfid


# -- sums and copies ----------------------------------------------------------------------------------


def test_rchecksum_does_not_read_what_is_not_there(bed: PosixBed) -> None:
    fd = bed.open(bed.make("f", b"1234"))
    request = data.RchecksumRequest(fd.gfid, 0, 0, 0xFFFFFFFF)
    reply = bed.run(bed.posix.rchecksum(FRAME, fd, request))
    assert reply.strong == bytes.fromhex("81dc9bdb52d04dc20036dbd8313ed055") + bytes(16)
    bed.release(fd)


def test_copy_file_range(bed: PosixBed) -> None:
    source, target = bed.open(bed.make("a", b"0123456789")), bed.create("b")
    request = data.CopyFileRangeRequest(source.gfid, target.gfid, 0, 0, 2, 3, 100)
    reply = bed.run(bed.posix.copy_file_range(FRAME, source, target, request))
    assert (reply.op_ret, reply.stat.size) == (8, 10)
    assert (reply.preparent.size, reply.postparent.size) == (0, 11)
    assert bed.read(target) == b"\0\0\x0023456789"
    bed.release(source)
    bed.release(target)


# -- access control lists -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["u::rw-,g::r--,o::---", "u::rwx,u:1234:r--,g::r-x,g:5:-w-,g:77:--x,m::rwx,o::--x"],
)
def test_acl_there_and_back(text: str) -> None:
    assert acl.text_of(acl.value_of(text)) == text
    assert acl.value_of(text.replace("u:", "user:").replace(",", "\n")) == acl.value_of(text)


@pytest.mark.parametrize(
    "text", ["", "u::rwxx", "x::rwx", "u:me:rwx", "m:5:rwx", "u::rwx,,", "u::"]
)
def test_acl_that_is_none(text: str) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        acl.value_of(text)


def test_acl_of_garbage() -> None:
    for value in (b"", b"\2\0\0", b"\1\0\0\0", b"\2\0\0\0\1", b"\2\0\0\0\x77\0\7\0\1\0\0\0"):
        with pytest.raises(OSError, match="Invalid argument"):
            acl.text_of(value)


# -- the names that a file keeps ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"a0a62de7-54fa-4947-a7ad-88adef9587b6/hard", 0xDCF29BB6CF93355D),
        (b"722cdfb2-d2a3-471f-9b68-6cfae8390586/File", 0xCA866FDFCAA9DF54),
    ],
)
def test_xxh64(value: bytes, digest: int) -> None:
    assert xxh64(value) == digest


def test_attribute_of_a_name() -> None:
    """As GlusterFS 10.3 wrote it."""
    parent = gfid_of("722cdfb2-d2a3-471f-9b68-6cfae8390586")
    assert attribute(parent, "File") == (
        "trusted.gfid2path.ca866fdfcaa9df54",
        b"722cdfb2-d2a3-471f-9b68-6cfae8390586/File",
    )


def noted(bed: PosixBed, gfid: Gfid) -> list[bytes]:
    request = xattrs.GetxattrRequest(gfid, 1, "glusterfs.gfidtopath")
    value = bed.run(bed.posix.getxattr(FRAME, request)).xattrs["glusterfs.gfidtopath"]
    found: list[bytes] = sorted(value.split(b":"))
    path = bed.directory / os.fsdecode(found[0][1:])
    count = sum(key.startswith("trusted.gfid2path.") for key in os.listxattr(path))
    assert count == len(found)
    return found


@pytest.fixture
def noting(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path, gfid2path="on") as made:
        yield made


def follow_names(bed: PosixBed, gfid: Gfid) -> None:
    """Link, move and remove the file ``f``; its notes have to be true all the time."""
    d = bed.mkdir("d")
    assert noted(bed, gfid) == [b"/f"]
    bed.link(gfid, "g", d)
    assert noted(bed, gfid) == [b"/d/g", b"/f"]
    bed.rename("f", "h", new_parent=d)
    assert noted(bed, gfid) == [b"/d/g", b"/d/h"]
    bed.rename("d", "e")
    assert noted(bed, gfid) == [b"/e/g", b"/e/h"]
    bed.unlink("g", d)
    assert noted(bed, gfid) == [b"/e/h"]
    other = bed.make("other")
    bed.rename("h", "other", d)
    assert noted(bed, gfid) == [b"/other"]
    with pytest.raises(OSError, match="Stale"):
        bed.stat(other)
    bed.link(gfid, "again")
    bed.rename("again", "other")  # names of one file: nothing happens
    assert noted(bed, gfid) == [b"/again", b"/other"]


@needs_root
def test_names_are_noted(noting: PosixBed) -> None:
    follow_names(noting, noting.make("f"))


@needs_root
def test_names_that_are_noted_are_kept_true(bed: PosixBed) -> None:
    """Also by a brick whose new files do not note theirs."""
    gfid = bed.make("f")
    key, value = attribute(ROOT_GFID, "f")
    os.setxattr(bed.directory / "f", key, value)
    follow_names(bed, gfid)
    other = bed.make("unnoted")
    bed.link(other, "too")
    bed.rename("too", "two")
    bed.unlink("unnoted")
    assert not any("gfid2path" in key for key in os.listxattr(bed.directory / "two"))


@needs_root
def test_names_of_what_lay_there(noting: PosixBed) -> None:
    (noting.directory / "found").touch()
    assert noted(noting, noting.gfid("found")) == [b"/found"]
    strange = os.fsdecode(b"n\xff")
    assert noted(noting, noting.make(strange)) == [b"/n\xff"]


def test_the_only_name_is_known_without_notes(bed: PosixBed) -> None:
    d = bed.mkdir("d")
    gfid = bed.make("f", parent=d)

    def ask(name: str) -> object:
        request = xattrs.GetxattrRequest(gfid, 1, name)
        return bed.run(bed.posix.getxattr(FRAME, request)).xattrs[name]

    assert ask("glusterfs.gfidtopath") == b"/d/f"
    assert ask("glusterfs.gfid2path") == "/d/f"
    bed.rename("d", "e")
    assert ask("glusterfs.gfidtopath") == b"/e/f"
    bed.link(gfid, "g")
    assert ask("glusterfs.gfid2path") == "/g"
    with pytest.raises(OSError, match="No data"):
        ask("glusterfs.gfidtopath")  # of two names only one is known
    (bed.directory / "e" / "f").rename(bed.directory / "moved")
    (bed.directory / "g").unlink()
    with pytest.raises(OSError, match="No data"):
        ask("glusterfs.gfid2path")  # it has been moved behind our back
    assert str(ask("glusterfs.pathinfo")).endswith(f"{text_of(gfid)}>")
    assert bed.gfid("moved") == gfid
    assert ask("glusterfs.gfid2path") == "/moved"


# -- the times that a GlusterFS brick keeps -----------------------------------------------------------

SECOND = 1_000_000_000
MDATA = "trusted.glusterfs.mdata"


def put_mdata(path: Path, ctime: int, mtime: int, atime: int) -> None:
    value = struct.pack(">BQ6Q", 1, 0, ctime, 1, mtime, 2, atime, 3)
    os.setxattr(path, MDATA, value, follow_symlinks=False)


def times(stat: Iatt) -> tuple[int, ...]:
    nsec = (stat.ctime_nsec, stat.mtime_nsec, stat.atime_nsec)
    return (stat.ctime, stat.mtime, stat.atime, *nsec)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """What a GlusterFS brick left: files that say when they were changed."""
    with posix_bed(tmp_path) as bed:
        bed.make("f", b"data")
        bed.mkdir("d")
        bed.symlink("s", "nowhere")
        bed.make("in", parent=bed.gfid("d"))
    for name in ("f", "d", "s"):
        put_mdata(tmp_path / name, 1000, 2000, 3000)
    return tmp_path


@needs_root
@pytest.mark.parametrize("name", ["f", "d", "s"])
def test_times_are_shown_until_something_happens(served: Path, name: str) -> None:
    with posix_bed(served) as bed:
        shown = (1000, 2000, 3000, 1, 2, 3)
        gfid = bed.gfid(name)
        assert times(bed.lookup(name).stat) == shown
        assert times(bed.stat(gfid)) == shown
        root = bed.opendir()
        listed = {entry.name: entry.stat for entry in bed.batch(root).entries}
        assert times(listed[name]) == shown
        bed.releasedir(root)
        assert os.getxattr(served / name, MDATA, follow_symlinks=False)


@needs_root
@pytest.mark.parametrize(
    "happens",
    [
        lambda bed: bed.release(bed.open(bed.gfid("f"))),
        lambda bed: bed.link(bed.gfid("f"), "l"),
        lambda bed: bed.rename("f", "r") and bed.rename("r", "f"),
        lambda bed: bed.run(
            bed.posix.setxattr(FRAME, xattrs.SetxattrRequest(bed.gfid("f"), 0, {"user.a": b"1"}))
        ),
    ],
    ids=["open", "link", "rename", "setxattr"],
)
def test_times_go_to_the_inode_then(served: Path, happens: object) -> None:
    with posix_bed(served) as bed:
        happens(bed)  # type: ignore[operator]
        found = os.stat(served / "f")
        assert (found.st_mtime_ns, found.st_atime_ns) == (2000 * SECOND + 2, 3000 * SECOND + 3)
        assert MDATA not in os.listxattr(served / "f")
        assert times(bed.lookup("f").stat)[1] == 2000


@needs_root
def test_new_times_are_the_inodes(served: Path) -> None:
    with posix_bed(served) as bed:
        fd = bed.open(bed.gfid("f"))
        bed.write(fd, b"new")
        bed.release(fd)
        bed.make("new", parent=bed.gfid("d"))
        for name in ("f", "d"):
            assert bed.lookup(name).stat.mtime == int(os.stat(served / name).st_mtime) > 3000
            assert MDATA not in os.listxattr(served / name)


@needs_root
def test_times_set_by_a_client_are_the_inodes(served: Path) -> None:
    """What features/utime sends for a file that has no times yet is taken, and not kept."""
    with posix_bed(served) as bed:
        gfid = bed.gfid("f")
        request = xattrs.SetxattrRequest(gfid, 0, {"set-ctime-mdata": b"x"})
        bed.run(bed.posix.setxattr(FRAME, request))
        assert MDATA not in os.listxattr(served / "f")


def test_root_is_where_names_begin(bed: PosixBed) -> None:
    request = xattrs.GetxattrRequest(ROOT_GFID, 1, "glusterfs.gfidtopath")
    found = bed.run(bed.posix.getxattr(FRAME, request)).xattrs
    assert found == {"glusterfs.gfidtopath": "/"}
    assert bed.run(bed.posix.lookup(FRAME, names.LookupRequest(ROOT_GFID))).stat.gfid == ROOT_GFID


def test_truncate_is_a_change(bed: PosixBed) -> None:
    gfid = bed.make("f", b"12345")
    reply = bed.run(bed.posix.truncate(FRAME, files.TruncateRequest(gfid, 3)))
    assert (reply.prestat.size, reply.poststat.size) == (5, 3)
