"""storage/posix: callers without rights, and a brick without rights."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.types import ROOT_GFID
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops import attributes, directories, files, names, xattrs
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import SetattrValid
from glusterio.xlators.posix import acl
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR, PosixBed, posix_bed, user
from tests.xlators.unprivileged import unprivileged

OWNER, MEMBER, STRANGER = user(1000, 100), user(1001, 1, 100), user(1002, 1)

ALL_MODES = {"r": os.O_RDONLY, "w": os.O_WRONLY}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[PosixBed]:
    os.chmod(tmp_path, 0o777)
    with posix_bed(tmp_path) as made:
        yield made


def made_by(bed: PosixBed, frame: Frame, name: str, mode: int) -> bytes:
    fd = bed.create(name, mode=mode, frame=frame)
    bed.write(fd, b"data")
    bed.release(fd)
    return fd.gfid


@needs_root
@pytest.mark.parametrize(
    ("mode", "frame", "allowed"),
    [
        (0o600, OWNER, "rw"),
        (0o600, MEMBER, ""),
        (0o640, MEMBER, "r"),
        (0o660, MEMBER, "rw"),
        (0o660, STRANGER, ""),
        (0o604, STRANGER, "r"),
        (0o066, OWNER, ""),  # the owner's bits count, not the better ones of others
        (0o606, MEMBER, ""),
        (0o000, user(0), "rw"),
        (0o000, NOBODY_IN_PARTICULAR, "rw"),
        (0o000, Frame(identity=Credentials(-3, 1002, 1)), "rw"),  # one of GlusterFS's own daemons
    ],
)
def test_mode_bits_decide(bed: PosixBed, mode: int, frame: Frame, allowed: str) -> None:
    gfid = made_by(bed, OWNER, "f", mode)
    anonymous = Fd(gfid, anonymous=True)

    def ask(mask: int) -> object:
        return bed.run(bed.posix.access(frame, attributes.AccessRequest(gfid, mask)))

    def set_xattr() -> object:
        request = xattrs.SetxattrRequest(gfid, 0, {"user.a": b"1"})
        return bed.run(bed.posix.setxattr(frame, request))

    def truncate() -> object:
        return bed.run(bed.posix.truncate(frame, files.TruncateRequest(gfid, 2)))

    readings: list[Callable[[], object]] = [
        lambda: bed.release(bed.open(gfid, os.O_RDONLY, frame)),
        lambda: bed.read(anonymous, frame=frame),
        lambda: ask(4),
    ]
    writings: list[Callable[[], object]] = [
        lambda: bed.release(bed.open(gfid, os.O_WRONLY, frame)),
        lambda: (
            bed.release(bed.open(gfid, os.O_RDONLY | os.O_TRUNC, frame))
            if "r" in allowed
            else bed.open(gfid, os.O_WRONLY, frame)
        ),
        lambda: bed.write(anonymous, b"new", frame=frame),
        lambda: ask(2),
        set_xattr,
        truncate,
    ]
    for attempts, letter in ((readings, "r"), (writings, "w")):
        for attempt in attempts:
            if letter in allowed:
                attempt()
                continue
            with pytest.raises(PermissionError) as caught:
                attempt()
            assert caught.value.errno == errno.EACCES


@needs_root
def test_directories_are_guarded(bed: PosixBed) -> None:
    directory = bed.mkdir("d", mode=0o700, frame=OWNER)
    file = bed.make("f", parent=directory)
    bed.mkdir("below", directory)
    for attempt in (
        lambda: bed.lookup("f", directory, frame=STRANGER),
        lambda: bed.create("new", directory, frame=STRANGER),
        lambda: bed.mkdir("new", directory, frame=STRANGER),
        lambda: bed.unlink("f", directory, frame=STRANGER),
        lambda: bed.rename("f", "g", directory, frame=STRANGER),
        lambda: bed.rename("d", "moved", frame=STRANGER, new_parent=directory),
        lambda: bed.run(bed.posix.link(STRANGER, names.LinkRequest(file, directory, "new"))),
        lambda: bed.run(bed.posix.rmdir(STRANGER, names.RmdirRequest(directory, 0, "below"))),
        lambda: bed.run(
            bed.posix.opendir(STRANGER, Fd(directory), directories.OpendirRequest(directory))
        ),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert sorted(bed.entries(directory)) == [".", "..", "below", "f"]
    bed.unlink("f", directory, frame=OWNER)


@needs_root
def test_sticky_directory(bed: PosixBed) -> None:
    os.chmod(bed.directory, 0o1777)
    made_by(bed, OWNER, "f", 0o666)
    made_by(bed, STRANGER, "g", 0o666)
    with pytest.raises(PermissionError) as caught:
        bed.unlink("f", frame=STRANGER)
    assert caught.value.errno == errno.EACCES
    with pytest.raises(PermissionError):
        bed.rename("f", "h", frame=STRANGER)
    with pytest.raises(PermissionError):
        bed.rename("g", "f", frame=STRANGER)
    bed.unlink("f", frame=OWNER)
    bed.rename("g", "f", frame=STRANGER)


@needs_root
def test_an_access_control_list_decides_instead_of_the_groups_mode_bits(bed: PosixBed) -> None:
    gfid = made_by(bed, OWNER, "f", 0o600)
    value = acl.value_of("u::rw-,u:1002:rw-,g::---,g:200:r--,m::rw-,o::---")
    try:
        os.setxattr(bed.directory / "f", "system.posix_acl_access", value)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
    assert stat.S_IMODE(os.stat(bed.directory / "f").st_mode) == 0o660  # the mask, not the group

    def may(frame: Frame) -> str:
        return "".join(letter for letter, flags in ALL_MODES.items() if opens(frame, flags))

    def opens(frame: Frame, flags: int) -> bool:
        try:
            bed.release(bed.open(gfid, flags, frame))
        except PermissionError:
            return False
        return True

    assert may(STRANGER) == "rw"  # named
    assert may(MEMBER) == ""
    assert may(user(1005, 200)) == may(user(1005, 1, 100, 200)) == "r"
    assert may(user(1005, 1)) == ""
    assert may(OWNER) == "rw"
    os.chmod(bed.directory / "f", 0o604)  # nothing for who is named, by the mask
    assert may(STRANGER) == ""
    assert may(user(1005, 1)) == "r"


def test_a_default_list_bounds_what_is_made_and_the_umask_does_not(bed: PosixBed) -> None:
    default = acl.value_of("u::rwx,u:7:r-x,g::r-x,m::r-x,o::---")
    try:
        os.setxattr(bed.directory, "system.posix_acl_default", default)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")

    def made(name: str) -> tuple[int, str]:
        value = os.getxattr(bed.directory / name, "system.posix_acl_access")
        return stat.S_IMODE(os.stat(bed.directory / name).st_mode), acl.text_of(value)

    bed.release(bed.create("f", mode=0o666, umask=0o077))
    assert made("f") == (0o640, "u::rw-,u:7:r-x,g::r-x,m::r--,o::---")
    bed.mkdir("d", mode=0o777)
    assert made("d") == (0o750, "u::rwx,u:7:r-x,g::r-x,m::r-x,o::---")
    os.removexattr(bed.directory, "system.posix_acl_default")
    bed.release(bed.create("g", mode=0o666, umask=0o077))
    assert stat.S_IMODE(os.stat(bed.directory / "g").st_mode) == 0o600


@needs_root
def test_attributes_are_the_owners(bed: PosixBed) -> None:
    gfid = made_by(bed, OWNER, "f", 0o646)

    def change(frame: Frame, valid: int, **values: Any) -> Iatt:
        request = attributes.SetattrRequest(gfid, Iatt()._replace(**values), valid)
        after: Iatt = bed.run(bed.posix.setattr(frame, request)).poststat
        return after

    for valid in (SetattrValid.MODE, SetattrValid.ATIME, SetattrValid.GID, SetattrValid.UID):
        with pytest.raises(PermissionError) as caught:
            change(STRANGER, valid, uid=1002)
        assert caught.value.errno == errno.EPERM
    change(STRANGER, SetattrValid.MTIME_NOW | SetattrValid.ATIME_NOW)  # who may write may touch
    with pytest.raises(PermissionError) as caught:
        change(MEMBER, SetattrValid.ATIME)  # who may not even write
    assert caught.value.errno == errno.EACCES
    truncate = files.TruncateRequest(gfid, 1)
    assert bed.run(bed.posix.truncate(STRANGER, truncate)).poststat.size == 1
    with pytest.raises(PermissionError):
        change(OWNER, SetattrValid.UID, uid=0)
    with pytest.raises(PermissionError):
        change(OWNER, SetattrValid.GID, gid=0)
    assert change(user(1000, 100, 200), SetattrValid.GID, gid=200).gid == 200
    assert stat.S_IMODE(change(OWNER, SetattrValid.MODE, mode=0o2700).mode) == 0o700
    member = user(1000, 100, 200)
    assert stat.S_IMODE(change(member, SetattrValid.MODE, mode=0o2700).mode) == 0o2700


@needs_root
def test_trusted_xattrs_are_the_superusers(bed: PosixBed) -> None:
    gfid = made_by(bed, OWNER, "f", 0o666)
    request = xattrs.SetxattrRequest(gfid, 0, {"trusted.a": b"1"})
    with pytest.raises(PermissionError):
        bed.run(bed.posix.setxattr(OWNER, request))
    bed.run(bed.posix.setxattr(user(0), request))
    with pytest.raises(OSError, match="No data"):
        bed.run(bed.posix.getxattr(OWNER, xattrs.GetxattrRequest(gfid, 9, "trusted.a")))
    every = xattrs.GetxattrRequest(gfid)
    assert bed.run(bed.posix.getxattr(OWNER, every)).xattrs == {}
    assert bed.run(bed.posix.getxattr(user(0), every)).xattrs == {"trusted.a": b"1"}


# -- a brick that is not root -------------------------------------------------------------------------


def _every_kind(directory: Path) -> None:
    with posix_bed(directory) as bed:
        made = {
            "d": bed.mkdir("d"),
            "f": bed.make("f", b"data"),
            "s": bed.symlink("s", "f"),
            "locked": bed.create("locked", mode=0).gfid,
            "readable": bed.create("readable", mode=0o444).gfid,
            "mine": bed.create("mine", frame=user(5)).gfid,
        }
        os.mkfifo(directory / "found-fifo")
        (directory / "found-link").symlink_to("/")
        (directory / "found-file").touch(0o400)
        for name in ("found-fifo", "found-link", "found-file"):
            made[name] = bed.gfid(name)
        volume_id = bed.posix.volume_id
    with posix_bed(directory) as bed:
        assert bed.posix.volume_id == volume_id
        for name, gfid in made.items():
            assert bed.gfid(name) == gfid, name
            assert bed.stat(gfid).gfid == gfid
            assert bed.stat(gfid).nlink == (2 if name == "d" else 1)
        names = {".", "..", *made}
        assert set(bed.entries()) == names
        bed.rename("s", "t")
        assert bed.gfid("t") == made["s"]
        for name in ("f", "t", "locked", "readable", "mine", "found-fifo", "found-link"):
            bed.unlink(name)
        bed.rmdir("d")
        bed.unlink("found-file")
        assert bed.handles() == set()
        assert os.listdir(directory / ".glusterfs" / "inodes") == []


def _inode_numbers_are_used_again(directory: Path) -> None:
    with posix_bed(directory) as bed:
        bed.symlink("s", "target")
        bed.make("f")
    for path in (directory / ".glusterfs").glob("[0-9a-f][0-9a-f]/*/*"):
        path.unlink()  # so that nothing keeps the inodes
    (directory / "s").unlink()
    for number in range(50):  # one of them gets the link's inode number
        (directory / f"s{number}").symlink_to("target")
    with posix_bed(directory) as bed:
        gfids = {bed.gfid(f"s{number}") for number in range(50)}
        assert len(gfids) == 50
        assert {bed.gfid(f"s{number}") for number in range(50)} == gfids


def _what_is_not_ours(directory: Path) -> None:
    with posix_bed(directory) as bed:
        fd = bed.create("f", frame=user(5, 6))
        assert bed.stat(fd.gfid).uid == os.geteuid()  # it cannot be given away
        request = attributes.SetattrRequest(fd.gfid, Iatt(uid=5), SetattrValid.UID)
        with pytest.raises(PermissionError):
            bed.run(bed.posix.setattr(NOBODY_IN_PARTICULAR, request))
        bed.release(fd)
        with pytest.raises(PermissionError):
            bed.gfid("f") and bed.lookup(".glusterfs", ROOT_GFID)


@pytest.mark.parametrize("test", [_every_kind, _inode_numbers_are_used_again, _what_is_not_ours])
def test_a_brick_without_rights(test: Callable[[Path], None]) -> None:
    unprivileged(test)


def _leave_some(directory: Path) -> None:
    with posix_bed(directory) as bed:
        made = {
            "d": bed.mkdir("d"),
            "f": bed.make("f", b"data"),
            "s": bed.symlink("s", "f"),
            "locked": bed.create("locked", mode=0).gfid,
        }
        made["in"] = bed.make("in", parent=made["d"])
        lines = [f"{name} {gfid.hex()}" for name, gfid in made.items()]
        lines.append(f"volume {bed.posix.volume_id}")
    (directory / "told").write_text("\n".join(lines))


def _take_over(directory: Path) -> None:
    told = dict(line.split() for line in (directory / "told").read_text().splitlines())
    for _ in range(2):  # by what was left, and by what was made of it
        with posix_bed(directory) as bed:
            assert str(bed.posix.volume_id) == told["volume"]
            for name in ("d", "f", "s", "locked"):
                assert bed.gfid(name).hex() == told[name], name
                gfid = os.getxattr(directory / name, "trusted.gfid", follow_symlinks=False)
                assert gfid.hex() == told[name]
            assert bed.gfid("d", "in").hex() == told["in"]
            assert bed.stat(bed.gfid("f")).nlink == 1


@needs_root
def test_a_brick_with_rights_takes_the_gfids_over() -> None:
    unprivileged(_leave_some, _take_over)


@needs_root
def test_a_brick_without_rights_refuses_what_it_may_not_use(tmp_path: Path) -> None:
    with posix_bed(tmp_path) as bed:
        bed.make("f")

    def refused(_: Path) -> None:
        with pytest.raises(PermissionError), posix_bed(tmp_path):
            pass

    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    unprivileged(refused)
