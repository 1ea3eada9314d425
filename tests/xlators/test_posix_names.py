"""storage/posix: names, gfids and handles."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from glusterio.graph.fd import Fd
from glusterio.types import NULL_GFID, ROOT_GFID
from glusterio.wire.fops import names
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR, PosixBed, new_gfid, posix_bed, user


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[PosixBed]:
    with posix_bed(tmp_path) as made:
        yield made


def handle_of(gfid: bytes) -> str:
    return str(uuid.UUID(bytes=gfid))


# -- gfids and handles --------------------------------------------------------------------------------


def test_root_has_its_gfid(bed: PosixBed) -> None:
    found = bed.stat(ROOT_GFID)
    assert (found.gfid, found.ino) == (ROOT_GFID, 1)
    assert stat.S_ISDIR(found.mode)


def test_new_file_has_the_wanted_gfid_and_a_handle(bed: PosixBed) -> None:
    gfid = uuid.uuid4()
    fd = Fd(NULL_GFID, os.O_RDWR)
    request = names.CreateRequest(ROOT_GFID, os.O_RDWR, 0o644, 0, "f", {"gfid-req": gfid})
    reply = bed.run(bed.posix.create(NOBODY_IN_PARTICULAR, fd, request))
    assert reply.stat.gfid == fd.gfid == gfid.bytes
    assert reply.stat.ino == int.from_bytes(gfid.bytes[8:], "big")
    assert reply.stat.nlink == 1
    text = str(gfid)
    handle = bed.directory / ".glusterfs" / text[:2] / text[2:4] / text
    assert handle.samefile(bed.directory / "f")
    bed.release(fd)


def test_directory_handle_names_parent_and_name(bed: PosixBed) -> None:
    outer = bed.mkdir("outer")
    text, parent = handle_of(bed.mkdir("inner", outer)), handle_of(outer)
    link = os.readlink(bed.directory / ".glusterfs" / text[:2] / text[2:4] / text)
    assert link == f"../../{parent[:2]}/{parent[2:4]}/{parent}/inner"


def test_gfids_outlive_the_brick(tmp_path: Path) -> None:
    with posix_bed(tmp_path) as bed:
        directory = bed.mkdir("d")
        file = bed.make("f", b"data", directory)
        volume_id = bed.posix.volume_id
    with posix_bed(tmp_path) as bed:
        assert bed.stat(file).size == 4
        assert bed.gfid("d", "f") == file
        assert bed.posix.volume_id == volume_id
    with (
        pytest.raises(OSError, match="another volume"),
        posix_bed(tmp_path, **{"volume-id": str(uuid.uuid4())}),
    ):
        pass


@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "fifo"])
def test_what_lies_there_gets_a_gfid_at_lookup(bed: PosixBed, kind: str) -> None:
    path = bed.directory / "found"
    if kind == "file":
        path.write_bytes(b"12345")
    elif kind == "directory":
        path.mkdir()
    elif kind == "symlink":
        path.symlink_to("nowhere")
    else:
        os.mkfifo(path)
    first = bed.lookup("found").stat
    assert bed.lookup("found").stat == first
    assert bed.stat(first.gfid).mode == first.mode
    assert first.nlink == (2 if kind == "directory" else 1)


def test_gfid_wanted_at_lookup_is_given(bed: PosixBed) -> None:
    (bed.directory / "found").touch()
    wanted = uuid.uuid4()
    assert bed.lookup("found", xdata={"gfid-req": wanted}).stat.gfid == wanted.bytes
    other = bed.lookup("found", xdata={"gfid-req": uuid.uuid4()}).stat.gfid
    assert other == wanted.bytes  # what has one keeps it


@pytest.mark.parametrize("is_directory", [False, True])
def test_copy_with_the_same_gfid_gets_its_own(bed: PosixBed, is_directory: bool) -> None:
    if is_directory:
        gfid = bed.mkdir("original")
        (bed.directory / "copy").mkdir()
    else:
        gfid = bed.make("original", b"1")
        (bed.directory / "copy").write_bytes(b"2")
    for name in os.listxattr(bed.directory / "original"):
        os.setxattr(bed.directory / "copy", name, os.getxattr(bed.directory / "original", name))
    copy = bed.gfid("copy")
    assert copy != gfid
    assert bed.gfid("original") == gfid
    assert bed.gfid("copy") == copy


def test_lost_handles_are_made_again(bed: PosixBed) -> None:
    directory = bed.mkdir("d")
    file = bed.make("f", b"data", directory)
    for gfid in (directory, file):
        text = handle_of(gfid)
        (bed.directory / ".glusterfs" / text[:2] / text[2:4] / text).unlink()
    assert bed.gfid("d", "f") == file
    assert bed.stat(file).size == 4


def test_directory_moved_behind_our_back_is_found_again(tmp_path: Path) -> None:
    with posix_bed(tmp_path) as bed:
        directory = bed.mkdir("d")
        file = bed.make("f", b"data", directory)
    (tmp_path / "d").rename(tmp_path / "elsewhere")
    with posix_bed(tmp_path) as bed:
        assert bed.gfid("elsewhere") == directory
        assert bed.gfid("elsewhere", "f") == file
        bed.make("g", parent=directory)
        assert (tmp_path / "elsewhere" / "g").exists()


@pytest.mark.parametrize("make", ["create", "mkdir", "mknod", "symlink"])
def test_gfid_is_required(bed: PosixBed, make: str) -> None:
    fd = Fd(NULL_GFID)
    for xdata in (
        None,
        {},
        {"gfid-req": uuid.UUID(int=0)},
        {"gfid-req": b"short"},
        {"gfid-req": 1},
    ):
        requests = {
            "create": lambda x: bed.posix.create(
                NOBODY_IN_PARTICULAR,
                fd,
                names.CreateRequest(ROOT_GFID, os.O_RDWR, 0o644, 0, "n", x),
            ),
            "mkdir": lambda x: bed.posix.mkdir(
                NOBODY_IN_PARTICULAR, names.MkdirRequest(ROOT_GFID, 0o755, 0, "n", x)
            ),
            "mknod": lambda x: bed.posix.mknod(
                NOBODY_IN_PARTICULAR, names.MknodRequest(ROOT_GFID, 0, 0o100644, 0, "n", x)
            ),
            "symlink": lambda x: bed.posix.symlink(
                NOBODY_IN_PARTICULAR, names.SymlinkRequest(ROOT_GFID, "n", 0, "t", x)
            ),
        }
        with pytest.raises(OSError, match="Invalid argument") as caught:
            bed.run(requests[make](xdata))
        assert caught.value.errno == errno.EINVAL
    assert sorted(os.listdir(bed.directory)) == [".glusterfs"]


def test_gfid_of_another_file_is_refused_and_nothing_is_left(bed: PosixBed) -> None:
    taken = bed.make("f", b"data")
    xdata = {"gfid-req": uuid.UUID(bytes=taken)}
    before = bed.handles()
    with pytest.raises(FileExistsError):
        bed.run(
            bed.posix.create(
                NOBODY_IN_PARTICULAR,
                Fd(NULL_GFID),
                names.CreateRequest(ROOT_GFID, os.O_RDWR, 0o644, 0, "n", xdata),
            )
        )
    with pytest.raises(FileExistsError):
        bed.run(
            bed.posix.mkdir(
                NOBODY_IN_PARTICULAR, names.MkdirRequest(ROOT_GFID, 0o755, 0, "n", xdata)
            )
        )
    assert sorted(os.listdir(bed.directory)) == [".glusterfs", "f"]
    assert bed.handles() == before
    assert bed.posix.counts()["open_files"] == 0
    assert bed.stat(taken).size == 4


# -- lookup -------------------------------------------------------------------------------------------


def test_lookup_of_nothing(bed: PosixBed) -> None:
    with pytest.raises(FileNotFoundError):
        bed.lookup("none")
    with pytest.raises(OSError, match="Stale") as caught:
        bed.lookup("none", uuid.uuid4().bytes)
    assert caught.value.errno == errno.ESTALE
    with pytest.raises(FileNotFoundError):
        bed.run(
            bed.posix.lookup(NOBODY_IN_PARTICULAR, names.LookupRequest(gfid=uuid.uuid4().bytes))
        )
    with pytest.raises(OSError, match="Stale"):
        bed.stat(uuid.uuid4().bytes)
    with pytest.raises(OSError, match="Stale"):
        bed.open(uuid.uuid4().bytes)


def test_lookup_by_gfid_has_no_parent(bed: PosixBed) -> None:
    gfid = bed.make("f", b"123")
    reply = bed.run(bed.posix.lookup(NOBODY_IN_PARTICULAR, names.LookupRequest(gfid=gfid)))
    assert (reply.stat.gfid, reply.stat.size) == (gfid, 3)
    assert reply.postparent.gfid == NULL_GFID


def test_lookup_of_dots(bed: PosixBed) -> None:
    outer = bed.mkdir("outer")
    inner = bed.mkdir("inner", outer)
    assert bed.gfid("outer", "inner", ".") == inner
    assert bed.gfid("outer", "inner", "..") == outer
    assert bed.gfid("..") == ROOT_GFID


def test_lookup_in_a_file(bed: PosixBed) -> None:
    file = bed.make("f")
    for parent in (file, bed.symlink("s", ".")):
        with pytest.raises(PermissionError) as caught:  # GlusterFS's word for it
            bed.lookup("x", parent)
        assert caught.value.errno == errno.EPERM


def test_error_says_nothing_of_this_machine(bed: PosixBed) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        bed.lookup("none")
    assert caught.value.filename is None


# -- making -------------------------------------------------------------------------------------------


def test_umask_and_owner(bed: PosixBed) -> None:
    os.chmod(bed.directory, 0o777)
    fd = bed.create("f", mode=0o666, umask=0o027, frame=user(1234, 5678))
    found = bed.stat(fd.gfid)
    assert stat.S_IMODE(found.mode) == 0o640
    if not os.geteuid():
        assert (found.uid, found.gid) == (1234, 5678)
    bed.release(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_set_group_directory_gives_its_group(bed: PosixBed) -> None:
    directory = bed.mkdir("d", mode=0o2777)
    os.chown(bed.directory / "d", 0, 77)
    os.chmod(bed.directory / "d", 0o2777)
    file = bed.create("f", directory, frame=user(1000))
    below = bed.mkdir("below", directory, frame=user(1000))
    assert (bed.stat(file.gfid).uid, bed.stat(file.gfid).gid) == (1000, 77)
    assert bed.stat(below).gid == 77
    assert bed.stat(below).mode & stat.S_ISGID
    bed.release(file)


def test_create_with_excl_and_without(bed: PosixBed) -> None:
    gfid = bed.make("f", b"old")
    with pytest.raises(FileExistsError):
        bed.create("f", flags=os.O_RDWR | os.O_EXCL)
    fd = bed.create("f")
    assert fd.gfid == gfid
    assert bed.read(fd) == b"old"
    bed.release(fd)
    fd = bed.create("f", flags=os.O_RDWR | os.O_TRUNC)
    assert (fd.gfid, bed.read(fd)) == (gfid, b"")
    bed.release(fd)


def test_create_over_others(bed: PosixBed) -> None:
    bed.mkdir("d")
    bed.symlink("s", "/etc/passwd")
    with pytest.raises(IsADirectoryError):
        bed.create("d")
    with pytest.raises(OSError, match="symbolic") as caught:
        bed.create("s")
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(FileExistsError):
        bed.mkdir("d")


def test_mode_without_any_right_can_be_made(bed: PosixBed) -> None:
    fd = bed.create("f", mode=0)
    assert bed.write(fd, b"data") == 4
    assert stat.S_IMODE(bed.stat(fd.gfid).mode) == 0
    bed.release(fd)
    assert bed.gfid("f") == fd.gfid


def test_fifo_and_regular_by_mknod(bed: PosixBed) -> None:
    for name, kind in (("p", stat.S_IFIFO), ("r", stat.S_IFREG), ("s", stat.S_IFSOCK)):
        request = names.MknodRequest(ROOT_GFID, 0, kind | 0o640, 0, name, new_gfid())
        reply = bed.run(bed.posix.mknod(NOBODY_IN_PARTICULAR, request))
        assert reply.stat.mode == kind | 0o640
        assert bed.gfid(name) == reply.stat.gfid
    with pytest.raises(OSError, match="Invalid"):
        bed.open(bed.gfid("p"))  # and does not wait for a writer


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device")
def test_device_number_as_glusterfs_writes_it(bed: PosixBed) -> None:
    device = os.makedev(1, 3)
    request = names.MknodRequest(ROOT_GFID, device, stat.S_IFCHR | 0o600, 0, "null", new_gfid())
    assert bed.run(bed.posix.mknod(NOBODY_IN_PARTICULAR, request)).stat.rdev == 1 << 32 | 3
    with pytest.raises(PermissionError):
        bed.run(bed.posix.mknod(user(1000), request._replace(name="n2", xdata=new_gfid())))
    with pytest.raises(OSError, match="Invalid"):
        bed.open(bed.gfid("null"))


def test_readlink(bed: PosixBed) -> None:
    gfid = bed.symlink("s", "../a/b")
    reply = bed.run(bed.posix.readlink(NOBODY_IN_PARTICULAR, names.ReadlinkRequest(gfid, 4096)))
    assert (reply.op_ret, reply.target) == (6, "../a/b")
    assert reply.stat.size == 6
    with pytest.raises(OSError, match="Invalid"):
        bed.run(
            bed.posix.readlink(NOBODY_IN_PARTICULAR, names.ReadlinkRequest(bed.make("f"), 4096))
        )


def test_names_that_are_not_utf8(bed: PosixBed) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    gfid = bed.make(name)
    assert bed.gfid(name) == gfid
    assert name in bed.entries()
    assert os.path.exists(os.fsencode(bed.directory) + b"/caf\xe9")
    assert (
        bed.run(
            bed.posix.readlink(
                NOBODY_IN_PARTICULAR, names.ReadlinkRequest(bed.symlink("s", name), 100)
            )
        ).target
        == name
    )


# -- links, unlink, rmdir -----------------------------------------------------------------------------


def test_links_count_without_the_handle(bed: PosixBed) -> None:
    gfid = bed.make("f", b"data")
    assert bed.link(gfid, "g").stat.nlink == 2
    assert bed.gfid("g") == gfid
    bed.unlink("f")
    assert bed.stat(gfid).nlink == 1
    bed.unlink("g")
    with pytest.raises(OSError, match="Stale"):
        bed.stat(gfid)
    assert bed.handles() == set()


def test_directory_cannot_be_linked(bed: PosixBed) -> None:
    with pytest.raises(PermissionError):
        bed.link(bed.mkdir("d"), "e")


def test_unlinked_open_file_goes_on(bed: PosixBed) -> None:
    fd = bed.create("f")
    bed.write(fd, b"data")
    bed.unlink("f")
    assert bed.handles() == set()
    assert bed.read(fd) == b"data"
    assert bed.write(fd, b"more", 4) == 4
    assert bed.posix.counts() == {"open_files": 1, "open_directories": 0}
    bed.release(fd)
    bed.release(fd)  # once more does nothing
    assert bed.posix.counts() == {"open_files": 0, "open_directories": 0}


def test_unlink_and_rmdir_of_the_wrong_kind(bed: PosixBed) -> None:
    directory = bed.mkdir("d")
    bed.make("f", parent=directory)
    with pytest.raises(IsADirectoryError):
        bed.unlink("d")
    with pytest.raises(NotADirectoryError):
        bed.rmdir("f", directory)
    with pytest.raises(OSError, match="not empty"):
        bed.rmdir("d")
    with pytest.raises(FileNotFoundError):
        bed.unlink("none")


def test_removed_directory_is_stale(bed: PosixBed) -> None:
    gfid = bed.mkdir("d")
    bed.gfid("d", ".")
    bed.rmdir("d")
    assert bed.handles() == set()
    with pytest.raises(OSError, match="Stale"):
        bed.make("f", parent=gfid)
    with pytest.raises(OSError, match="Stale"):
        bed.entries(gfid)


def test_rmdir_with_all_that_is_in_it(bed: PosixBed) -> None:
    top = bed.mkdir("top")
    at = top
    for depth in range(20):
        for number in range(5):
            bed.make(f"f{number}", b"x", at)
        bed.symlink("s", "/", at)
        at = bed.mkdir(f"d{depth}", at)
        bed.mkdir("empty", at)
    (bed.directory / "top" / "unseen").mkdir()
    (bed.directory / "top" / "unseen" / "file").touch()
    keep = bed.make("keep")
    bed.link(bed.gfid("top", "f0"), "also-kept")
    bed.rmdir("top", xflags=1)
    assert sorted(os.listdir(bed.directory)) == [".glusterfs", "also-kept", "keep"]
    assert bed.handles() == {handle_of(keep), handle_of(bed.gfid("also-kept"))}


def test_many_directories_do_not_keep_many_descriptors(bed: PosixBed) -> None:
    gfids = [bed.mkdir(f"d{number}") for number in range(600)]
    for gfid in gfids:
        bed.make("f", parent=gfid)
    assert len(os.listdir("/proc/self/fd")) < 400
    for gfid in gfids:
        assert bed.stat(gfid).nlink == 2


def test_deep_directory(bed: PosixBed) -> None:
    at = ROOT_GFID
    way = []
    for number in range(400):
        at = bed.mkdir(f"d{number}", at)
        way.append(at)
    for gfid in way[::7]:
        assert bed.stat(gfid).gfid == gfid
    bed.make("f", parent=at)
    bed.rmdir("d0", xflags=1)
    assert bed.handles() == set()
