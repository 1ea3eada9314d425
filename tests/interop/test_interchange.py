"""A directory that a GlusterFS brick has served is served by ours, and back again.

The same raw client fills it, changes it and looks at it; what it sees has to be the same on either
brick: gfids, contents, links, attributes, extended attributes, times.
"""

from __future__ import annotations

import os
import stat
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from glusterio.wire.credentials import Credentials
from glusterio.wire.fops import attributes, files, names, xattrs
from glusterio.wire.fops.data import WriteRequest
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import ANONYMOUS_FD, ROOT_GFID, Fop, SetattrValid
from glusterio.xlators.posix.gfid2path import attribute
from glusterio.xlators.posix.identity import GFID2PATH_PREFIX
from glusterio.xlators.utime import CHANGES
from tests.brick.raw import ROOT, RawClient, new_gfid
from tests.embedded import start_brick
from tests.interop import real_gluster
from tests.xlators.posix_bed import posix_bed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="runs GlusterFS bricks on one directory")

_METHODS = {Fop.WRITE: "writev"}
_LONG_AGO = 1_000_000_000


class Client(RawClient):
    """Stamps its calls as features/utime does it, by a clock of its own: 2001, and a second each."""

    clock = _LONG_AGO

    def post(self, fop: Fop, request: Any, data: bytes = b"", caller: Credentials = ROOT) -> int:
        flags = CHANGES.get(_METHODS.get(fop, fop.name.lower()), 0)
        type(self).clock += 1
        now = type(self).clock * 1_000_000_000 + 123_456_789
        return super().post(fop, request, data, caller._replace(flags=int(flags), ctime=now))


@contextmanager
def gluster(directory: Path) -> Iterator[Client]:
    """Serve a directory by GlusterFS; its log has to be free of errors in the end."""
    reason = real_gluster.unavailable()
    if reason is not None:
        pytest.skip(reason)
    place = directory.parent
    port = real_gluster.free_port()
    volfile = real_gluster.SERVER_VOL.format(
        data=directory, port=port, access=real_gluster.ACCESS, leases="off", locking="off"
    )
    (place / "server.vol").write_text(volfile)
    log = place / "brick.log"
    log.write_text("")
    command = ["glusterfsd", "-N", "-f", str(place / "server.vol"), "-l", str(log), "-L", "WARNING"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert real_gluster.poll(lambda: real_gluster.listening(port)), log.read_text()
        with Client.of(port, "/hand") as client:
            yield client  # type: ignore[misc]
    finally:
        process.terminate()
        process.wait(20)
    told = [
        line
        for line in log.read_text().splitlines()
        if (" E [" in line or "handle" in line) and "signum" not in line
    ]
    assert told == []
    check_noted_names(directory)


@contextmanager
def glusterio(directory: Path) -> Iterator[Client]:
    """Serve it by ours."""
    with start_brick(directory) as brick:
        with Client.of(brick.brick_port, str(directory)) as client:
            yield client  # type: ignore[misc]
        assert brick.dump()["recovered_files"] == []
    check_noted_names(directory)


class Facts(dict[str, dict[str, Any]]):
    """All that a client can see of a volume, by path."""

    @classmethod
    def of(cls, client: RawClient) -> Facts:
        found = cls()
        ways = [("", ROOT_GFID)]
        while ways:
            path, gfid = ways.pop()
            for name in client.entries(gfid):
                if name in (".", ".."):
                    continue
                reply = client.lookup(name, gfid, {"user.note": 0, "trusted.note": 0})
                where = f"{path}/{name}"
                found[where] = cls.about(client, reply.stat, dict(reply.xdata or {}))
                if stat.S_ISDIR(reply.stat.mode):
                    ways.append((where, reply.stat.gfid))
        return found

    @classmethod
    def settled(cls, client: RawClient) -> Facts:
        """The facts when everything has been looked at: reading a file moves its access time, once."""
        cls.of(client)
        return cls.of(client)

    @staticmethod
    def about(client: RawClient, iatt: Iatt, noted: dict[str, Any]) -> dict[str, Any]:
        seen: dict[str, Any] = {"gfid": iatt.gfid.hex(), "mode": oct(iatt.mode), "noted": noted}
        for key in ("uid", "gid", "nlink", "rdev"):
            seen[key] = getattr(iatt, key)
        for key in ("mtime", "ctime", "atime"):
            seen[key] = (getattr(iatt, key), getattr(iatt, f"{key}_nsec"))
        if stat.S_ISREG(iatt.mode):
            seen["data"] = client.read(iatt.gfid, ANONYMOUS_FD, 1 << 20)
        elif stat.S_ISLNK(iatt.mode):
            request = names.ReadlinkRequest(iatt.gfid, 4096)
            seen["target"] = client.do(Fop.READLINK, request).target
        return seen


def check_noted_names(directory: Path) -> None:
    """No file has noted a name that it has not.

    Of one that ours made GlusterFS notes the names that it gives itself, and not those that it had.

    A client cannot ask a GlusterFS 10 brick: of several names of unlike length it garbles some.
    """
    noted: dict[int, set[str]] = {}
    wanted: dict[int, set[str]] = {}
    for path, directories, entries in os.walk(directory):
        if path == str(directory):
            directories.remove(".glusterfs")
            parent = ROOT_GFID
        else:
            parent = os.getxattr(path, "trusted.gfid")
        for name in entries:
            file = f"{path}/{name}"
            keys = os.listxattr(file, follow_symlinks=False)
            inode = os.lstat(file).st_ino
            noted[inode] = {key for key in keys if key.startswith(GFID2PATH_PREFIX)}
            wanted.setdefault(inode, set()).add(attribute(parent, name)[0])
    assert [keys - wanted[inode] for inode, keys in noted.items() if keys - wanted[inode]] == []


def differences(one: Facts, other: Facts) -> list[str]:
    found = [f"{path} is missing" for path in sorted(one.keys() ^ other.keys())]
    for path in sorted(one.keys() & other.keys()):
        found += [
            f"{path} {key}: {one[path][key]} before, {other[path].get(key)} after"
            for key in one[path]
            if one[path][key] != other[path].get(key)
        ]
    return found


def make(client: RawClient, parent: bytes, name: str, data: bytes) -> bytes:
    made = client.create(name, parent)
    client.write(made.stat.gfid, made.fd, data)
    client.release(made.stat.gfid, made.fd)
    return made.stat.gfid


def note(client: RawClient, gfid: bytes, **values: bytes) -> None:
    named = {f"{key}.note": value for key, value in values.items()}
    client.do(Fop.SETXATTR, xattrs.SetxattrRequest(gfid, 0, named))


def rename(client: RawClient, old: tuple[bytes, str], new: tuple[bytes, str]) -> None:
    client.do(Fop.RENAME, names.RenameRequest(old[0], new[0], old[1], new[1]))


def fill(client: RawClient) -> None:
    """Files, links, symbolic links, nodes, attributes, a deep directory, an open and unlinked file."""
    top = client.mkdir("top")
    for number in range(5):
        make(client, top, f"file{number}", bytes([number]) * 1000)
    linked = make(client, top, "linked", b"linked")
    deep = top
    for level in range(20):
        deep = client.mkdir(f"level{level}", deep)
    client.do(Fop.LINK, names.LinkRequest(linked, deep, "deep link"))
    client.do(Fop.LINK, names.LinkRequest(linked, top, "third"))
    make(client, deep, "bottom", b"bottom")
    soft = names.SymlinkRequest(top, "soft", 0, "../nowhere", new_gfid())
    link = client.do(Fop.SYMLINK, soft).stat.gfid
    client.do(Fop.MKNOD, names.MknodRequest(top, 0, stat.S_IFIFO | 0o640, 0, "fifo", new_gfid()))
    null = names.MknodRequest(top, os.makedev(1, 3), stat.S_IFCHR | 0o666, 0, "null", new_gfid())
    client.do(Fop.MKNOD, null)
    note(client, linked, user=b"on a file", trusted=b"\0\1")
    note(client, deep, user=b"on a directory")
    note(client, link, trusted=b"on a link")
    wanted = Iatt(mode=0o4711, uid=7, gid=8, mtime=5, mtime_nsec=6, atime=7, atime_nsec=8)
    valid = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID
    valid |= SetattrValid.MTIME | SetattrValid.ATIME
    set_ = make(client, top, "attributes", b"set")
    client.do(Fop.SETATTR, attributes.SetattrRequest(set_, wanted, valid))
    client.mkdir("empty")
    gone = client.create("gone", top)
    client.write(gone.stat.gfid, gone.fd, b"open when it was unlinked")
    client.do(Fop.UNLINK, names.UnlinkRequest(top, "gone"))


def change(client: RawClient) -> None:
    """Everything that can become of a file, to some of each kind."""

    def at(*path: str) -> bytes:
        gfid = ROOT_GFID
        for name in path:
            gfid = client.lookup(name, gfid).stat.gfid
        return gfid

    top = at("top")
    rename(client, (top, "file0"), (top, "moved"))
    rename(client, (top, "file1"), (at("empty"), "away"))
    rename(client, (top, "file2"), (top, "file3"))
    level = at("top", "level0", "level1")
    rename(client, (level, "level2"), (ROOT_GFID, "taken out"))
    rename(client, (ROOT_GFID, "empty"), (at("top", "level0"), "no longer empty"))
    client.do(Fop.LINK, names.LinkRequest(at("top", "file4"), level, "another"))
    client.do(Fop.UNLINK, names.UnlinkRequest(top, "third"))
    client.do(Fop.UNLINK, names.UnlinkRequest(top, "fifo"))
    rename(client, (top, "soft"), (level, "softer"))
    rename(client, (top, "null"), (level, "void"))
    linked = at("top", "linked")
    client.do(Fop.WRITE, WriteRequest(linked, ANONYMOUS_FD, 3, 3), b"NEW")
    note(client, linked, user=b"changed")
    client.do(Fop.TRUNCATE, files.TruncateRequest(at("top", "moved"), 10))
    make(client, at("taken out"), "new", b"new")
    new = client.mkdir("new")
    make(client, client.mkdir("below", new), "file", b"made")
    made = names.SymlinkRequest(new, "made link", 0, "x", new_gfid())
    client.do(Fop.SYMLINK, made)
    client.do(Fop.RMDIR, names.RmdirRequest(client.lookup("new").stat.gfid, 1, "below"))
    set_ = attributes.SetattrRequest(at("top", "attributes"), Iatt(mode=0o600), SetattrValid.MODE)
    client.do(Fop.SETATTR, set_)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    served = tmp_path / "brick"
    served.mkdir()
    return served


def test_there_and_back(directory: Path) -> None:
    with gluster(directory) as client:
        fill(client)
        before = Facts.settled(client)
    assert (directory / "top" / "linked").stat().st_nlink == 4
    with glusterio(directory) as client:
        assert differences(before, Facts.of(client)) == []
        change(client)
        after = Facts.settled(client)
        assert len(differences(before, after)) > 20
        assert after["/top/linked"]["data"] == b"linNEW"
    with gluster(directory) as client:
        assert differences(after, Facts.of(client)) == []
        change_again(client)
        last = Facts.settled(client)
    with glusterio(directory) as client:
        assert differences(last, Facts.of(client)) == []


def change_again(client: RawClient) -> None:
    """GlusterFS goes on with what ours left: moves, removes, links, by the handles that ours made."""
    out = client.lookup("taken out").stat.gfid
    rename(client, (out, "new"), (ROOT_GFID, "newer"))
    rename(client, (ROOT_GFID, "taken out"), (client.lookup("top").stat.gfid, "back"))
    new = client.lookup("new").stat.gfid
    client.do(Fop.UNLINK, names.UnlinkRequest(new, "made link"))
    client.do(Fop.RMDIR, names.RmdirRequest(ROOT_GFID, 0, "new"))
    newer = client.lookup("newer").stat.gfid
    client.do(Fop.LINK, names.LinkRequest(newer, out, "newest"))
    client.do(Fop.WRITE, WriteRequest(newer, ANONYMOUS_FD, 0, 3), b"NEW")


def test_ours_first(directory: Path) -> None:
    with glusterio(directory) as client:
        fill(client)
        before = Facts.settled(client)
    with gluster(directory) as client:
        assert differences(before, Facts.of(client)) == []
        change(client)
        after = Facts.settled(client)
    with glusterio(directory) as client:
        assert differences(after, Facts.of(client)) == []


def test_a_new_mtime_is_seen_by_gluster(directory: Path) -> None:
    """Also where GlusterFS had noted an old one, and the file was only written to."""
    with gluster(directory) as client:
        gfid = make(client, ROOT_GFID, "f", b"old")
        assert client.lookup("f").stat.mtime < _LONG_AGO * 2
        assert "trusted.glusterfs.mdata" in os.listxattr(directory / "f")
    with glusterio(directory) as client:
        assert client.lookup("f").stat.mtime < _LONG_AGO * 2 - 1
        client.do(Fop.WRITE, WriteRequest(gfid, ANONYMOUS_FD, 0, 3), b"new")
        mtime = client.lookup("f").stat.mtime
        assert mtime == int(os.stat(directory / "f").st_mtime)
    with gluster(directory) as client:
        assert client.lookup("f").stat.mtime == mtime


def test_another_volumes_directory_is_refused(directory: Path) -> None:
    volume_id = bytes(range(16))
    with gluster(directory):
        pass
    os.setxattr(directory, "trusted.glusterfs.volume-id", volume_id)
    other = str(uuid.uuid4())
    with (
        pytest.raises(OSError, match="another volume"),
        posix_bed(directory, **{"volume-id": other}),
    ):
        pass
    with glusterio(directory):
        assert os.getxattr(directory, "trusted.glusterfs.volume-id") == volume_id
