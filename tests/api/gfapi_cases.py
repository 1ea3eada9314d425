"""A test for each function of libgfapi that has its like here: by its name, what a user of it does.

Each takes a volume, of either face behind the one interface of :mod:`tests.api.faces`, whose working
directory is the case's own. They are run against the embedded brick by ``tests/api/test_gfapi.py`` and
against GlusterFS by ``tests/interop/test_gfapi_calls.py``; ``tests/test_gfapi_reference.py`` sees to it
that none is missing.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

import glusterio
from tests.api.faces import connect_face

Case = Callable[[Any], None]

#: The cases, by the functions that they are for.
CASES: dict[str, Case] = {}

#: Those that need a volume that has upcalls and leases turned on, and two sessions of it: the second is
#: another client's, for threads. Run by ``test_upcalls.py``, of either directory.
WATCHED: dict[str, Callable[[Any, Any], None]] = {}

T = TypeVar("T", bound=Callable[..., None])


def case(*names: str, cases: dict[str, Any] = CASES) -> Callable[[T], T]:
    """Enter a case for functions of libgfapi."""

    def enter(function: T) -> T:
        for name in names:
            assert name not in CASES.keys() | WATCHED.keys(), f"{name} has a case"
            cases[name] = function
        return function

    return enter


def write(it: Any, path: str, data: bytes = b"0123456789") -> None:
    """Make a file."""
    with it.open(path, "wb") as file:
        file.write(data)


def read(it: Any, path: str) -> bytes:
    """Return what a file holds."""
    with it.open(path, "rb") as file:
        data: bytes = file.read()
    return data


def opened(it: Any, path: str = "f", data: bytes = b"0123456789") -> Any:
    """Make a file, and open it to read and write."""
    file = it.open_handle(path, os.O_RDWR | os.O_CREAT)
    if data:
        file.pwrite(data, 0)
    return file


# -- sessions -----------------------------------------------------------------------------------------


@case(
    "glfs_new",
    "glfs_init",
    "glfs_set_volfile",
    "glfs_set_volfile_server",
    "glfs_set_xlator_option",
    "glfs_fini",
)
def a_session(it: Any) -> None:
    """Another one: as this was connected, and by a volfile; with options; closed with a file open."""
    assert not it.closed
    assert it.name
    assert it.stat("/").st_ino == it.stat("..").st_ino or it.getcwd().count("/") > 1
    write(it, "f")
    face = "threads" if isinstance(it, glusterio.Volume) else "asyncio"
    kind, name = "performance/write-behind", "performance.write-behind"
    with tempfile.NamedTemporaryFile("w", suffix=".vol") as file:
        file.write(it.volfile)
        file.flush()
        for url in (it.statedump()["url"], f"volfile://{file.name}"):
            for wanted in (True, False):
                other = connect_face(face, url, options={name: wanted}, timeout=20)
                with other:
                    types = [each["type"] for each in other.statedump()["translators"]]
                    assert (kind in types) is wanted
                    left_open = other.open_handle(f"{it.getcwd()}/f")
                    assert left_open.pread(3, 0) == b"012"
                    report = other.close()
                assert other.closed
                assert left_open.closed
                assert [each.path for each in report.handles] == [left_open.path]
                assert report.graceful


@case("glfs_get_volfile", "glfs_get_volumeid", "glfs_sysrq", "glfs_set_statedump_path")
def facts(it: Any) -> None:
    assert "type protocol/client" in it.volfile
    if "volfile:" in it.statedump()["url"] and "hand" in it.volfile:
        with pytest.raises(OSError, match="No data"):  # a brick that is of no glusterd's making
            it.volume_id()
    else:
        told = it.volume_id()
        assert told.version == 4
        assert it.volume_id() == told
    with it.open_handle(".") as directory, it.lookup(".") as place:
        dump = it.statedump()
    assert (dump["volume"], dump["state"]) == (it.name, "active")
    assert [handle["path"] for handle in dump["handles"]] == [directory.path]
    assert [each["gfid"] for each in dump["objects"]] == [str(uuid.UUID(bytes=place.gfid))]
    assert dump["references"]
    assert dump["translators"][-1]["type"]
    assert it.name in [one["volume"] for one in glusterio.statedump()]
    json.dumps(dump)


# -- paths --------------------------------------------------------------------------------------------


@case("glfs_stat", "glfs_lstat", "glfs_symlink", "glfs_readlink")
def stat_and_links(it: Any) -> None:
    write(it, "f")
    it.symlink("f", "link")
    assert it.readlink("link") == "f"
    assert it.stat("link").st_size == 10
    assert stat.S_ISLNK(it.lstat("link").st_mode)


@case("glfs_access")
def access(it: Any) -> None:
    write(it, "f")
    assert it.access("f", os.R_OK | os.W_OK)
    assert not it.access("f", os.X_OK)
    assert not it.access("nothing", os.F_OK)


@case("glfs_mknod", "glfs_mkdir", "glfs_rmdir", "glfs_unlink")
def making_and_removing(it: Any) -> None:
    it.mkfifo("pipe")
    it.mknod("file", stat.S_IFREG | 0o600)
    it.mkdir("d", 0o700)
    assert sorted(it.listdir(".")) == ["d", "file", "pipe"]
    assert stat.S_ISFIFO(it.stat("pipe").st_mode)
    it.unlink("pipe")
    it.unlink("file")
    it.rmdir("d")
    assert it.listdir(".") == []


@case("glfs_renameat2")
def renaming_with_a_condition(it: Any) -> None:
    only = glusterio.RENAME_NOREPLACE
    write(it, "f", b"f")
    write(it, "g", b"g")
    it.makedirs("d/e")
    it.mkdir("empty")
    it.symlink("f", "link")
    for source, target in (("f", "g"), ("g", "link"), ("d/e", "empty"), ("f", "f")):
        with pytest.raises(FileExistsError):
            it.renameat2(source, target, only)
    with pytest.raises(FileNotFoundError):
        it.renameat2("nothing", "new", only)
    with pytest.raises(OSError, match="Invalid"):
        it.renameat2("f", "new", 2)
    with it.open_handle("d") as d:
        it.renameat2("f", "f", only, dst_dir_fd=d)
        it.renameat2("e", "moved", only, src_dir_fd=d)
        it.renameat2("link", "link", only, dst_dir_fd=d)
    it.renameat2("g", "d/f", 0)
    assert sorted(it.listdir("d")) == ["f", "link"]
    assert sorted(it.listdir(".")) == ["d", "empty", "moved"]
    assert read(it, "d/f") == b"g"
    assert it.readlink("d/link") == "f"


@case("glfs_rename", "glfs_link")
def renaming(it: Any) -> None:
    write(it, "f")
    it.link("f", "g")
    assert it.stat("g").st_nlink == 2
    it.rename("f", "h")
    assert sorted(it.listdir(".")) == ["g", "h"]
    it.symlink("h", "link")
    it.link("link", "same-link", follow_symlinks=False)
    assert it.readlink("same-link") == "h"


@case("glfs_truncate", "glfs_chmod", "glfs_chown", "glfs_lchown", "glfs_utimens", "glfs_lutimens")
def changing(it: Any) -> None:
    write(it, "f")
    it.symlink("f", "link")
    it.truncate("f", 4)
    it.chmod("f", 0o640)
    it.chown("f", -1, 12345)
    it.lchown("link", -1, 12346)
    it.utime("f", ns=(5, 7))
    it.utime("link", ns=(8, 9), follow_symlinks=False)
    file, link = it.stat("f"), it.lstat("link")
    assert (file.st_size, stat.S_IMODE(file.st_mode), file.st_gid) == (4, 0o640, 12345)
    assert (file.st_atime_ns, file.st_mtime_ns) == (5, 7)
    assert (link.st_gid, link.st_mtime_ns) == (12346, 9)


@case("glfs_statvfs")
def figures(it: Any) -> None:
    found = it.statvfs("/")
    assert found.f_blocks >= found.f_bfree > 0
    assert found.f_namemax == 255


@case("glfs_getcwd", "glfs_chdir", "glfs_fchdir", "glfs_realpath")
def working_directory(it: Any) -> None:
    here = it.getcwd()
    it.makedirs("a/b")
    it.symlink("a", "link")
    it.chdir("link/b")
    assert it.getcwd() == f"{here}/a/b"
    assert it.realpath(f"{here}/link/b") == f"{here}/a/b"
    with it.open_handle(here) as directory:
        it.fchdir(directory)
    assert it.getcwd() == here


# -- opening and closing ------------------------------------------------------------------------------


@case("glfs_open", "glfs_creat", "glfs_close", "glfs_opendir", "glfs_closedir")
def opening(it: Any) -> None:
    file = it.open_handle("f", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    assert file.pwrite(b"abc", 0) == 3
    file.close()
    assert file.closed
    with it.open("f", "rb") as stream:
        assert stream.read() == b"abc"
    with it.open_handle(".", os.O_RDONLY) as directory:
        assert it.listdir(directory) == ["f"]
    assert directory.closed


@case("glfs_dup")
def a_second_handle(it: Any) -> None:
    file = opened(it)
    second = file.dup()
    it.unlink("f")
    file.close()
    assert second.pread(3, 0) == b"012"
    third = second.dup()
    second.close()
    assert third.pwrite(b"ab", 0) == 2
    assert third.fstat().st_nlink == 0
    third.close()
    with pytest.raises(ValueError, match="closed"):
        third.dup()
    with it.open_handle(".") as directory, directory.dup() as same:
        it.mkdir("d", dir_fd=same)
        assert it.listdir(same) == ["d"]


# -- open files ---------------------------------------------------------------------------------------


@case("glfs_read", "glfs_write", "glfs_lseek")
def at_a_position(it: Any) -> None:
    with it.open("f", "wb+") as stream:
        stream.write(b"0123456789")
        stream.seek(4)
        assert stream.read(3) == b"456"
        stream.seek(-2, os.SEEK_END)
        assert stream.read() == b"89"
    with opened(it, "holes", b"") as file:
        file.truncate(1 << 20)
        file.pwrite(b"x" * 4096, 1 << 18)
        assert file.lseek(0, os.SEEK_DATA) == 1 << 18
        assert file.lseek(1 << 18, os.SEEK_HOLE) == (1 << 18) + 4096


@case("glfs_pread", "glfs_pwrite", "glfs_preadv", "glfs_pwritev")
def where_it_is_said(it: Any) -> None:
    with opened(it) as file:
        assert file.pread(4, 3) == b"3456"
        assert file.pwritev([b"ab", b"cd"], 2) == 4
        parts = [bytearray(3), bytearray(4)]
        assert file.preadv(parts, 0) == 7
        assert parts == [b"01a", b"bcd6"]
        buffer = bytearray(20)
        assert file.read_into(buffer, 8) == 2


@case("glfs_copy_file_range")
def copying(it: Any) -> None:
    with opened(it) as file, opened(it, "g", b"") as other:
        assert file.copy_file_range(other, 5, 2, 1) == 5
        assert other.pread(20, 0) == b"\x0023456"


@case("glfs_ftruncate", "glfs_fstat", "glfs_fsync", "glfs_fdatasync")
def the_open_file(it: Any) -> None:
    with opened(it) as file:
        file.truncate(3)
        file.fsync()
        file.fdatasync()
        assert file.fstat().st_size == 3


@case("glfs_fallocate", "glfs_discard", "glfs_zerofill")
def parts(it: Any) -> None:
    with opened(it, data=b"x" * 20000) as file:
        file.fallocate(0, 30000)
        assert file.fstat().st_size == 30000
        file.fallocate(30000, 10000, keep_size=True)
        assert file.fstat().st_size == 30000
        file.discard(4096, 4096)
        file.zerofill(12000, 10)
        assert file.pread(1, 4096) == file.pread(1, 12000) == b"\0"
        assert file.pread(1, 4095) == file.pread(1, 12010) == b"x"


@case("glfs_setattr", "glfs_fsetattr")
def several_attributes(it: Any) -> None:
    with opened(it) as file:
        it.setattr("f", mode=0o600, gid=12345)
        file.setattr(mode=0o604, ns=(5, 7))
        found = it.stat("f")
    assert (stat.S_IMODE(found.st_mode), found.st_gid, found.st_mtime_ns) == (0o604, 12345, 7)
    before = found.st_mtime_ns
    it.setattr("f", gid=12346)
    assert (it.stat("f").st_mtime_ns, it.stat("f").st_gid) == (before, 12346)
    assert it.statx("f").mtime_ns == before


@case("glfs_fchmod", "glfs_fchown", "glfs_futimens")
def changing_the_open_file(it: Any) -> None:
    with opened(it) as file:
        file.chmod(0o604)
        file.chown(-1, 12345)
        file.utime(ns=(5, 7))
        found = file.fstat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid, found.st_mtime_ns) == (0o604, 12345, 7)


# -- asynchronously -----------------------------------------------------------------------------------


def result(started: Any) -> Any:
    """Wait for what one of the calls for threads has started."""
    return started.result(20.0)


@case("glfs_read_async", "glfs_pread_async", "glfs_write_async", "glfs_pwrite_async")
def reading_and_writing_beside(it: Any) -> None:
    with opened(it) as file:
        if isinstance(file, glusterio.File):
            assert result(file.pwrite_async(b"ab", 2)) == 2
            assert result(file.pread_async(4, 1)) == b"1ab4"
        else:
            where_it_is_said(it)


@case(
    "glfs_readv_async",
    "glfs_writev_async",
    "glfs_preadv_async",
    "glfs_pwritev_async",
    "glfs_ftruncate_async",
    "glfs_fsync_async",
    "glfs_fdatasync_async",
    "glfs_discard_async",
    "glfs_zerofill_async",
)
def futures(it: Any) -> None:
    """Behind the asyncio face each of these is awaited on an event loop."""
    with opened(it, data=b"x" * 20000) as file:
        if not isinstance(file, glusterio.File):
            parts(it)
            return
        assert result(file.pwritev_async([b"ab", b"cd"], 1)) == 4
        sinks = [bytearray(2), bytearray(3)]
        assert result(file.preadv_async(sinks, 0)) == 5
        assert sinks == [b"xa", b"bcd"]
        result(file.discard_async(4096, 4096))
        result(file.zerofill_async(12000, 10))
        assert file.pread(1, 4096) == file.pread(1, 12000) == b"\0"
        result(file.truncate_async(5))
        result(file.fsync_async())
        result(file.fdatasync_async())
        assert file.fstat().st_size == 5


# -- listing directories ------------------------------------------------------------------------------


@case(
    "glfs_readdir",
    "glfs_readdir_r",
    "glfs_readdirplus",
    "glfs_readdirplus_r",
    "glfs_xreaddirplus_r_get_stat",
)
def listing(it: Any) -> None:
    for name in ("a", "b", "c"):
        write(it, name, name.encode() * 3)
    assert sorted(it.listdir(".")) == ["a", "b", "c"]
    with it.scandir(".") as entries:
        assert {entry.name: entry.stat().st_size for entry in entries} == {"a": 3, "b": 3, "c": 3}


@case("glfs_telldir", "glfs_seekdir")
def positions_in_a_listing(it: Any) -> None:
    for number in range(9):
        it.mknod(f"f{number}")
    with it.scandir(".") as entries:
        assert entries.telldir() == 0
        names = [next(entries).name for _ in range(4)]
        position = entries.telldir()
        rest = [entry.name for entry in entries]
        assert sorted(names + rest) == [f"f{number}" for number in range(9)]
        entries.seekdir(position)
        assert [entry.name for entry in entries] == rest
        entries.seekdir(0)
        assert next(entries).name == names[0]
        entries.seekdir(position)
        assert next(entries).name == rest[0]


# -- relative to an open directory --------------------------------------------------------------------


@case(
    "glfs_openat",
    "glfs_fstatat",
    "glfs_mkdirat",
    "glfs_mknodat",
    "glfs_faccessat",
    "glfs_fchmodat",
    "glfs_fchownat",
    "glfs_linkat",
    "glfs_symlinkat",
    "glfs_readlinkat",
    "glfs_renameat",
    "glfs_unlinkat",
)
def relative(it: Any) -> None:
    it.mkdir("d")
    with it.open_handle("d") as d:
        with it.open_handle("f", os.O_WRONLY | os.O_CREAT, dir_fd=d) as file:
            file.pwrite(b"abc", 0)
        assert it.stat("f", dir_fd=d).st_size == 3
        it.mkdir("sub", dir_fd=d)
        it.mknod("node", stat.S_IFREG | 0o600, dir_fd=d)
        assert it.access("node", os.W_OK, dir_fd=d)
        it.chmod("f", 0o640, dir_fd=d)
        it.chown("f", -1, 12345, dir_fd=d)
        it.link("f", "g", src_dir_fd=d, dst_dir_fd=d)
        it.symlink("f", "link", dir_fd=d)
        assert it.readlink("link", dir_fd=d) == "f"
        it.rename("g", "moved", src_dir_fd=d)
        found = it.stat("moved")
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, 12345)
        it.unlink("node", dir_fd=d)
        it.rmdir("sub", dir_fd=d)
        assert sorted(it.listdir(d)) == ["f", "link"]


# -- objects ------------------------------------------------------------------------------------------


def stale(function: Callable[..., Any], *args: Any) -> None:
    """Have a call say that the file is gone."""
    with pytest.raises(OSError, match="Stale") as raised:
        function(*args)
    assert raised.value.errno == errno.ESTALE


@case(
    "glfs_h_lookupat",
    "glfs_h_close",
    "glfs_h_extract_handle",
    "glfs_h_create_from_handle",
    "glfs_object_copy",
)
def objects(it: Any) -> None:
    """An object is the file, whatever its names mean."""
    write(it, "f")
    here = it.lookup(".")
    file = here.lookup("f")
    assert len(file.gfid) == 16
    it.rename("f", "g")
    write(it, "f", b"another")
    again = it.object(file.gfid)
    copied = again.copy()
    again.close()
    again.close()
    assert again.closed
    with pytest.raises(ValueError, match="closed"):
        again.stat()
    assert copied.stat().st_size == 10
    with it.lookup("g") as same:
        assert same.gfid == file.gfid
    with pytest.raises(FileNotFoundError):
        here.lookup("nothing")
    with pytest.raises(NotADirectoryError):
        file.lookup("x")
    for name in ("", ".", "..", "a/b"):
        with pytest.raises(OSError, match="Invalid"):
            here.lookup(name)
    it.unlink("g")
    stale(it.object, file.gfid)
    stale(copied.stat)
    stale(copied.chmod, 0o600)
    stale(it.object, b"nobody has this!")
    for each in (here, file, copied):
        each.close()


@case(
    "glfs_h_creat",
    "glfs_h_creat_open",
    "glfs_h_mkdir",
    "glfs_h_mknod",
    "glfs_h_symlink",
    "glfs_h_readlink",
    "glfs_h_link",
    "glfs_h_unlink",
    "glfs_h_rename",
)
def names_in_objects(it: Any) -> None:
    with (
        it.lookup(".") as here,
        here.mkdir("d", 0o750) as d,
        here.create("f", 0o642) as f,
        here.mknod("pipe", stat.S_IFIFO | 0o600) as pipe,
        here.symlink("f", "link") as link,
    ):
        assert stat.S_IMODE(d.stat().st_mode) == 0o750
        assert stat.S_IMODE(f.stat().st_mode) == 0o642
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert link.readlink() == "f"
        with here.lookup("link", follow_symlinks=True) as followed:
            assert followed.gfid == f.gfid
        f.link(d, "second")
        assert it.stat("d/second").st_nlink == 2
        with pytest.raises(FileExistsError):
            here.create("f")
        made, file = d.create_open("new", os.O_RDWR | os.O_EXCL, 0o600)
        with made, file:
            file.pwrite(b"abc", 0)
            assert made.stat().st_size == 3
        here.rename("pipe", d, "moved")
        d.unlink("moved")
        with d.mkdir("sub") as sub:
            sub.create("x").close()
            with pytest.raises(OSError, match="not empty"):
                d.rmdir("sub")
            sub.unlink("x")
        d.rmdir("sub")
        assert sorted(it.listdir("d")) == ["new", "second"]


@case(
    "glfs_h_stat",
    "glfs_h_getattrs",
    "glfs_h_setattrs",
    "glfs_h_truncate",
    "glfs_h_access",
    "glfs_h_statfs",
    "glfs_h_getxattrs",
    "glfs_h_setxattrs",
    "glfs_h_removexattrs",
)
def attributes_of_objects(it: Any) -> None:
    write(it, "f")
    with it.lookup("f") as f:
        f.truncate(4)
        f.setattr(mode=0o640, gid=12345, ns=(5, 7))
        found = f.stat()
        assert (found.st_size, stat.S_IMODE(found.st_mode)) == (4, 0o640)
        assert (found.st_gid, found.st_atime_ns, found.st_mtime_ns) == (12345, 5, 7)
        f.chmod(0o600)
        f.chown(-1, 12346)
        f.utime(ns=(1, 2))
        assert f.stat() == it.stat("f")
        more = f.statx()
        assert (more.gfid, more.size, more.mtime_ns) == (f.gfid, 4, 2)
        assert f.access(os.R_OK)
        assert not f.access(os.X_OK)
        assert f.statvfs().f_namemax == 255
        f.setxattr("user.a", b"1")
        assert f.getxattr("user.a") == b"1"
        assert f.listxattr() == ["user.a"]
        f.removexattr("user.a")
        assert it.listxattr("f") == []


@case("glfs_h_acl_get", "glfs_h_acl_set")
def access_lists(it: Any) -> None:
    write(it, "f")
    it.mkdir("d")
    it.chmod("f", 0o640)
    plain = glusterio.Acl.from_mode(0o640)
    more = glusterio.Acl.parse("u::rw-,u:12346:r--,g::r--,g:12347:rw-,m::rw-,o::---")
    with it.lookup("f") as f, it.lookup("d") as d:
        assert f.getacl() == plain
        f.setacl(more)
        assert f.getacl() == it.getacl("f") == more
        assert stat.S_IMODE(f.stat().st_mode) == 0o660
        with it.identity(12346, 12346):
            assert f.read(3, 0) == b"012"
            with pytest.raises(PermissionError):
                f.write(b"x", 0)
            with pytest.raises(PermissionError):
                f.setacl(plain)
        with it.open_handle("f", os.O_RDWR) as file:
            assert file.getacl() == more
            file.setacl(glusterio.Acl())
        assert not it.listxattr("f")
        assert d.getacl(default=True) == glusterio.Acl()
        it.setacl("d", more, default=True)
        assert d.getacl(default=True) == more
        write(it, "d/new")
        assert it.getacl("d/new").entries[1] == (glusterio.AclTag.USER, 4, 12346)
        d.setacl(glusterio.Acl(), default=True)
        d.setacl(glusterio.Acl(), default=True)
        assert not d.getacl(default=True)


@case("glfs_h_open", "glfs_h_opendir", "glfs_h_anonymous_read", "glfs_h_anonymous_write")
def data_of_objects(it: Any) -> None:
    write(it, "f")
    it.makedirs("d/sub")
    with it.lookup("f") as f, it.lookup("d") as d:
        assert f.write(b"ab", 2) == 2
        assert f.read(4, 1) == b"1ab4"
        assert f.read(100, 8) == b"89"
        assert f.read(10, 10) == b""
        with f.open(os.O_RDWR) as file:
            assert file.pread(20, 0) == b"01ab456789"
        with pytest.raises(IsADirectoryError):
            d.read(1, 0)
        with d.open() as directory, it.object(d.gfid) as again, again.open() as same:
            assert it.listdir(directory) == ["sub"]
            assert it.stat("sub", dir_fd=same).st_ino == it.stat("d/sub").st_ino
            assert it.stat("../f", dir_fd=same).st_size == 10


@case("glfs_xreaddirplus_r", "glfs_xreaddirplus_r_get_object")
def objects_of_a_listing(it: Any) -> None:
    write(it, "f")
    it.mkdir("d")
    with it.scandir(".") as entries:
        found = {entry.name: it.object(entry) for entry in entries}
    assert sorted(found) == ["d", "f"]
    with found["f"] as f, found["d"] as d:
        assert f.stat() == it.stat("f")
        d.create("x").close()
    assert it.listdir("d") == ["x"]


# -- extended attributes ------------------------------------------------------------------------------


@case("glfs_getxattr", "glfs_listxattr", "glfs_setxattr", "glfs_removexattr")
def attributes(it: Any) -> None:
    write(it, "f")
    it.setxattr("f", "user.a", b"1")
    with pytest.raises(FileExistsError):
        it.setxattr("f", "user.a", b"2", os.XATTR_CREATE)
    assert it.getxattr("f", "user.a") == b"1"
    assert it.listxattr("f") == ["user.a"]
    it.removexattr("f", "user.a")
    assert it.listxattr("f") == []


@case("glfs_lgetxattr", "glfs_llistxattr", "glfs_lsetxattr", "glfs_lremovexattr")
def attributes_of_links(it: Any) -> None:
    write(it, "f")
    it.symlink("f", "link")
    it.setxattr("link", "trusted.a", b"1", follow_symlinks=False)
    assert it.getxattr("link", "trusted.a", follow_symlinks=False) == b"1"
    assert it.listxattr("link", follow_symlinks=False) == ["trusted.a"]
    assert it.listxattr("f") == []
    it.removexattr("link", "trusted.a", follow_symlinks=False)
    assert it.listxattr("link", follow_symlinks=False) == []


@case("glfs_fgetxattr", "glfs_flistxattr", "glfs_fsetxattr", "glfs_fremovexattr")
def attributes_of_open_files(it: Any) -> None:
    with opened(it) as file:
        file.setxattr("user.a", b"1")
        assert file.getxattr("user.a") == b"1"
        assert file.listxattr() == ["user.a"]
        file.removexattr("user.a")
        assert file.listxattr() == []


# -- on whose behalf ----------------------------------------------------------------------------------


@case("glfs_setfsuid", "glfs_setfsgid", "glfs_setfsgroups")
def somebody_else(it: Any) -> None:
    it.mkdir("d", 0o770)
    it.chown("d", -1, 12345)
    it.chmod("d", 0o770)
    with it.open_handle("d") as d:
        with it.identity(12346, 12347), pytest.raises(PermissionError):
            it.listdir(d)
        with it.identity(12346, 12347, [12345]):
            write(it, "d/f")
            with it.lookup("d/f") as f:
                assert (f.stat().st_uid, f.stat().st_gid) == (12346, 12347)
                with it.identity(12348, 12348), pytest.raises(PermissionError):
                    f.chmod(0o600)
    assert (it.stat("d/f").st_uid, it.stat("d/f").st_gid) == (12346, 12347)


@case("glfs_fd_set_lkowner")
def lock_owners(it: Any) -> None:
    with opened(it) as file, it.open_handle("f", os.O_RDWR) as other:
        with it.lock_owner(b"somebody"):
            file.lockf(os.F_TLOCK, 5)
            other.lockf(os.F_TLOCK, 5)
        with pytest.raises(BlockingIOError):
            file.lockf(os.F_TLOCK, 5)
        with it.lock_owner(b"somebody"):
            other.lockf(os.F_ULOCK, 5)
        file.lockf(os.F_TLOCK, 5)


# -- locks --------------------------------------------------------------------------------------------


@case("glfs_file_lock")
def mandatory_locks(it: Any) -> None:
    """Where the volume does not have them they are like others."""
    with opened(it) as file, it.open_handle("f", os.O_RDWR) as other:
        with file.lock(5, 0, mandatory=True):
            assert other.lock_holder() is not None
            with pytest.raises(BlockingIOError):
                other.lockf(os.F_TLOCK, 10)
            assert other.pread(3, 0) == b"012"
        other.lockf(os.F_TLOCK, 10)


@case("glfs_posix_lock")
def locking(it: Any) -> None:
    with opened(it) as file, it.open_handle("f", os.O_RDWR) as other:
        lock = file.lock(5, 0)
        lock.acquire()
        found = other.lock_holder(10, 0)
        assert (found.start, found.length, found.shared) == (0, 5, False)
        with pytest.raises(BlockingIOError):
            other.lockf(os.F_TLOCK, 10)
        lock.release()
        other.lockf(os.F_TLOCK, 10)
        assert file.lock_holder() is not None


# -- what bricks tell unasked -------------------------------------------------------------------------


def coming(events: Any, *wanted: glusterio.UpcallKind) -> list[glusterio.Upcall]:
    """Take upcalls until one of each kind has come; return those, in the order of the kinds."""
    found: dict[glusterio.UpcallKind, glusterio.Upcall] = {}
    for upcall in events:
        found[upcall.kind] = upcall
        if set(wanted) <= found.keys():
            break
    return [found[kind] for kind in wanted]


@case(
    "glfs_h_poll_upcall",
    "glfs_upcall_get_reason",
    "glfs_upcall_get_event",
    "glfs_upcall_inode_get_object",
    "glfs_upcall_inode_get_flags",
    "glfs_upcall_inode_get_stat",
    "glfs_upcall_inode_get_expire",
    cases=WATCHED,
)
def changes_by_others(it: Any, other: Any) -> None:
    write(it, "f", b"123")
    with it.upcalls() as events:
        assert it.stat("f").st_size == 3
        other.truncate(f"{it.getcwd()}/f", 1)
        (upcall,) = coming(events, glusterio.UpcallKind.INVALIDATION)
    assert upcall.flags & glusterio.UpcallFlag.SIZE
    assert upcall.expire > 0
    assert upcall.stat is not None
    assert upcall.stat.st_size == 1
    with it.object(upcall.gfid) as changed:
        assert changed.stat().st_ino == it.stat("f").st_ino
    assert list(events) == []


@case(
    "glfs_upcall_inode_get_pobject",
    "glfs_upcall_inode_get_pstat",
    "glfs_upcall_inode_get_oldpobject",
    "glfs_upcall_inode_get_oldpstat",
    cases=WATCHED,
)
def renames_by_others(it: Any, other: Any) -> None:
    it.makedirs("a")
    it.makedirs("b")
    write(it, "a/f")
    here = it.getcwd()
    with it.lookup("a") as a, it.lookup("b") as b, it.lookup("a/f") as f:
        with it.upcalls({glusterio.UpcallKind.INVALIDATION}) as events:
            it.listdir("a")
            it.stat("b")
            with it.open("a/f", "rb") as file:
                file.read()
            other.rename(f"{here}/a/f", f"{here}/b/g")
            for upcall in events:
                if upcall.gfid == f.gfid and upcall.flags & glusterio.UpcallFlag.RENAMED:
                    break
        assert (upcall.parent_gfid, upcall.old_parent_gfid) == (b.gfid, a.gfid)
        assert upcall.parent_stat.st_ino == b.stat().st_ino
        assert upcall.old_parent_stat.st_ino == a.stat().st_ino


@case("glfs_upcall_register", "glfs_upcall_unregister", cases=WATCHED)
def a_callback(it: Any, other: Any) -> None:
    write(it, "f")
    come: list[glusterio.Upcall] = []
    both = it.upcalls()
    registered = it.register_upcall(come.append, {glusterio.UpcallKind.INVALIDATION})
    it.stat("f")
    other.chmod(f"{it.getcwd()}/f", 0o600)
    coming(both, glusterio.UpcallKind.INVALIDATION)
    it.stat("f")  # by then it has been called
    assert come[0].flags & glusterio.UpcallFlag.MODE
    registered.unregister()
    registered.unregister()
    seen = len(come)
    other.chmod(f"{it.getcwd()}/f", 0o604)
    coming(both, glusterio.UpcallKind.INVALIDATION)
    both.close()
    it.stat("f")
    assert len(come) == seen


@case(
    "glfs_setfsleaseid",
    "glfs_lease",
    "glfs_h_lease",
    "glfs_upcall_lease_get_object",
    "glfs_upcall_lease_get_lease_type",
    cases=WATCHED,
)
def leases(it: Any, other: Any) -> None:
    """A lease keeps another client waiting until it is recalled and given back; not its holder."""
    write(it, "f")
    path = f"{it.getcwd()}/f"
    kinds = glusterio.LeaseType
    with (
        it.lease_id(b"mine"),
        it.upcalls({glusterio.UpcallKind.LEASE_RECALL}) as recalls,
        it.open_handle("f", os.O_RDWR) as file,
        it.lookup("f") as found,
    ):
        lease = file.lease(kinds.READ_WRITE)
        lease.acquire()
        assert lease.held
        assert file.lease_held() == found.lease_held() == kinds.READ_WRITE
        assert file.pwrite(b"ab", 0) == 2
        assert file.pread(3, 0) == b"ab2"
        file.truncate(5)
        with it.open_handle("f") as again:
            assert again.pread(3, 0) == b"ab2"
        done: list[str] = []

        def change() -> None:
            with other.open_handle(path, os.O_WRONLY) as theirs:
                theirs.pwrite(b"xy", 1)
            done.append("changed")

        changing = threading.Thread(target=change)
        changing.start()
        recall = next(recalls)
        assert (recall.gfid, recall.lease_type) == (found.gfid, kinds.NONE)
        assert done == []
        lease.release()
        lease.release()
        changing.join(20)
        assert done == ["changed"]
        with it.lookup("f") as again:
            assert again.read(10, 0) == b"axy34"
        with found.lease():
            assert file.lease_held() == kinds.READ
        assert file.lease_held() == kinds.NONE
    with it.lookup("f") as found, pytest.raises(ValueError, match="lease id"):
        found.lease().acquire()
