"""storage/posix: killed before each system call of each operation, it leaves nothing half made.

A child process does one operation and ends, without any clean-up, before its n-th system call that
would change something; then the directory is served again. So every state that a kill can leave is
seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glusterio.types import ROOT_GFID
from glusterio.wire.fops import attributes, names, xattrs
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import SetattrValid
from glusterio.xlators.posix.identity import gfid_of, text_of
from glusterio.xlators.posix.marker import MARKER
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR as FRAME
from tests.xlators.posix_bed import PosixBed, new_gfid, posix_bed, user
from tests.xlators.unprivileged import unprivileged

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="writes trusted attributes")

#: What changes something on the disk.
CHANGING = [
    "chmod",
    "chown",
    "fchmod",
    "fchown",
    "link",
    "mkdir",
    "mknod",
    "open",
    "pwrite",
    "removexattr",
    "rename",
    "rmdir",
    "setxattr",
    "symlink",
    "truncate",
    "unlink",
    "utime",
]

KILLED = 9

#: Makes files that others may read, on behalf of a user.
USER = user(1234, 1234)


def create(bed: PosixBed) -> None:
    bed.create("new", bed.gfid("d"), mode=0o640, frame=USER)


def mknod(bed: PosixBed) -> None:
    request = names.MknodRequest(bed.gfid("d"), 0, 0o010644, 0, "new", new_gfid())
    bed.run(bed.posix.mknod(FRAME, request))


def setxattr(bed: PosixBed) -> None:
    bed.run(bed.posix.setxattr(FRAME, xattrs.SetxattrRequest(bed.gfid("f"), 0, {"user.a": b"1"})))


def setattr_(bed: PosixBed) -> None:
    wanted = Iatt(mode=0o600, uid=5, gid=6, mtime=1)
    valid = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID | SetattrValid.MTIME
    request = attributes.SetattrRequest(bed.gfid("f"), wanted, valid)
    bed.run(bed.posix.setattr(FRAME, request))


OPERATIONS: dict[str, Callable[[PosixBed], Any]] = {
    "create": create,
    "mknod": mknod,
    "mkdir": lambda bed: bed.mkdir("new", bed.gfid("d")),
    "symlink": lambda bed: bed.symlink("new", "target", bed.gfid("d")),
    "link": lambda bed: bed.link(bed.gfid("f"), "new", bed.gfid("d")),
    "unlink": lambda bed: bed.unlink("f"),
    "unlink of one of two": lambda bed: bed.unlink("l"),
    "rmdir": lambda bed: bed.rmdir("empty"),
    "rmdir with all": lambda bed: bed.rmdir("d", xflags=1),
    "rename": lambda bed: bed.rename("f", "new", new_parent=bed.gfid("d")),
    "rename over": lambda bed: bed.rename("f", "other"),
    "rename over one of two": lambda bed: bed.rename("f", "l"),
    "rename of a directory": lambda bed: bed.rename("d", "new", new_parent=bed.gfid("empty")),
    "rename over a directory": lambda bed: bed.rename("d", "empty"),
    "setxattr": setxattr,
    "setattr": setattr_,
    "found": lambda bed: bed.lookup("foreign"),
}

#: What each operation may make disappear; all else stays.
MAY_GO = {
    "unlink": {"f"},
    "unlink of one of two": {"l"},
    "rmdir": {"empty"},
    "rmdir with all": {"d", "d/in"},
    "rename": {"f"},
    "rename over": {"f"},
    "rename over one of two": {"f"},
    "rename of a directory": {"d", "d/in"},
    "rename over a directory": {"d", "d/in"},
}


def build(directory: Path) -> dict[str, bytes]:
    """Make the files that the operations are about; return the gfid of each."""
    with posix_bed(directory, gfid2path="on") as bed:
        made = {"f": bed.make("f", b"data"), "other": bed.make("other", b"other")}
        made["d"] = bed.mkdir("d")
        made["d/in"] = bed.make("in", b"in", made["d"])
        made["empty"] = bed.mkdir("empty")
        made["l"] = bed.make("l", b"linked")
        bed.link(made["l"], "ll")
        made["ll"] = made["l"]
    (directory / "foreign").write_text("foreign")
    (directory / "d").chmod(0o777)
    return made


def die_before(directory: Path, operation: Callable[[PosixBed], Any], step: int) -> bool:
    """Do an operation in a child that ends before a system call; tell whether it came to that."""
    child = os.fork()
    if not child:
        status = 1
        try:
            with posix_bed(directory, gfid2path="on") as bed:
                left = step

                def counted(call: Callable[..., Any]) -> Callable[..., Any]:
                    def counting(*args: Any, **kwargs: Any) -> Any:
                        nonlocal left
                        left -= 1
                        if not left:
                            os._exit(KILLED)
                        return call(*args, **kwargs)

                    return counting

                for name in CHANGING:
                    setattr(os, name, counted(getattr(os, name)))
                operation(bed)
                status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    assert code in (0, KILLED)
    return code == KILLED


def check(bed: PosixBed) -> None:
    """Every name has its gfid and its handle, every handle its name, every file its noted names."""
    wanted: set[str] = set()
    ways = [("", ROOT_GFID)]
    while ways:
        path, gfid = ways.pop()
        for name in bed.entries(gfid):
            if name in (".", ".."):
                continue
            where = f"{path}/{name}".lstrip("/")
            stat = bed.lookup(name, gfid).stat
            wanted.add(text_of(stat.gfid))
            assert bed.stat(stat.gfid).gfid == stat.gfid
            if (bed.directory / where).is_dir():
                ways.append((where, stat.gfid))
            elif bed.posix.handles.is_trusted:
                status = os.lstat(bed.directory / where)
                noted = bed.posix.handles.paths_of(stat.gfid)
                assert f"/{where}" in noted
                assert len(noted) == status.st_nlink - 1 == stat.nlink
    handles = {path.name for path in (bed.directory / ".glusterfs").glob("[0-9a-f][0-9a-f]/*/*")}
    assert handles == wanted
    indexed = {path.name for path in (bed.directory / ".glusterfs").glob("inodes/*")}
    assert indexed <= {str(bed.posix.handles.stat(gfid_of(text)).st_ino) for text in wanted}


@needs_root
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_before_each_system_call(tmp_path: Path, operation: str) -> None:
    kill_at_each_step(tmp_path, operation, (0o100640, 1234, 1234))


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each != "setattr"])
def test_without_rights(operation: str) -> None:
    unprivileged(
        lambda path: kill_at_each_step(path, operation, (0o100640, os.getuid(), os.getgid()))
    )


def kill_at_each_step(tmp_path: Path, operation: str, owned: tuple[int, int, int]) -> None:
    for step in range(1, 60):
        directory = tmp_path / str(step)
        directory.mkdir()
        made = build(directory)
        is_killed = die_before(directory, OPERATIONS[operation], step)
        assert (directory / MARKER).exists() or not is_killed
        new = directory / "d" / "new"
        if (
            operation == "mkdir"
            and new.exists()
            and any("gfid" in key for key in os.listxattr(new))
        ):
            assert new.stat().st_mode == 0o040755  # which comes before the gfid
        with posix_bed(directory) as bed:
            check(bed)
            for path, gfid in made.items():
                if path in MAY_GO.get(operation, ()) and not (directory / path).exists():
                    continue
                if operation == "rename over" and path == "other":
                    assert bed.gfid("other") in (made["f"], made["other"])
                elif operation == "rename over one of two" and path == "l":
                    assert bed.gfid("l") in (made["f"], made["l"])
                elif operation == "rename over a directory" and path == "empty":
                    assert bed.gfid("empty") in (made["d"], made["empty"])
                else:
                    assert bed.gfid(*path.split("/")) == gfid, path
            if operation == "create" and new.exists():
                stat = bed.lookup("new", made["d"]).stat
                assert (stat.mode, stat.uid, stat.gid) == owned
        if not is_killed:
            break
    else:
        pytest.fail("the operation never came to its end")
    assert step > 2 or operation == "rmdir with all"
