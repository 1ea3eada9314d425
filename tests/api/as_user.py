"""Does steps as a user without rights, with ``os`` or on a volume, in a process of its own.

    python -m tests.api.as_user os DIRECTORY          > pickled outcomes
    python -m tests.api.as_user threads|asyncio URL   > pickled outcomes
    python -m tests.api.as_user identity URL          > pickled outcomes; see below

The superuser plants a tree of which some belongs to the user; then the process becomes that user, for
good, and does one step after the other. Nothing is planted anew in between, so each step finds what the
ones before it have left. As ``identity`` the process stays the superuser's, and so is the session, in
which the tree has been planted; the steps are done on behalf of the user.
"""

from __future__ import annotations

import os
import pickle
import stat as stat_module
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.api.faces import connect_face
from tests.api.local_os import LocalVolume, change_root
from tests.api.parity import Case, outcome, perform, write

USER, GROUP, SECOND_GROUP = 12_345, 12_346, 12_347

#: What is planted: path, mode, owner, group; a directory's path ends with a slash.
TREE = (
    ("mine/", 0o755, USER, GROUP),
    ("mine/f", 0o644, USER, GROUP),
    ("mine/read-only", 0o444, USER, GROUP),
    ("mine/secret", 0o000, USER, GROUP),
    ("mine/program", 0o755, USER, GROUP),
    ("mine/not-mine", 0o600, 0, 0),
    ("theirs/", 0o755, 0, 0),
    ("theirs/f", 0o644, 0, 0),
    ("theirs/for-all", 0o666, 0, 0),
    ("theirs/secret", 0o600, 0, 0),
    ("theirs/group", 0o640, 0, GROUP),
    ("theirs/second", 0o660, 0, SECOND_GROUP),
    ("theirs/not-the-group", 0o606, 0, GROUP),
    ("theirs/mine", 0o640, USER, 0),
    ("sticky/", 0o1777, 0, 0),
    ("sticky/f", 0o666, 0, 0),
    ("sticky/mine", 0o644, USER, GROUP),
    ("open/", 0o777, 0, 0),
    ("open/f", 0o600, 0, 0),
    ("open/full/", 0o755, 0, 0),
    ("open/full/f", 0o644, 0, 0),
    ("closed/", 0o700, 0, 0),
    ("closed/f", 0o666, 0, 0),
    ("no-way/", 0o744, 0, 0),
    ("no-way/f", 0o666, 0, 0),
    ("no-list/", 0o711, 0, 0),
    ("no-list/f", 0o644, 0, 0),
    ("for-group/", 0o2775, 0, SECOND_GROUP),
)  # fmt: skip


def plant(it: Any) -> None:
    """Make the tree, as the superuser."""
    it.chmod("/", 0o755)
    for path, mode, uid, gid in TREE:
        if path.endswith("/"):
            it.mkdir(path)
        else:
            write(it, path, b"0123456789")
        it.chown(path, uid, gid)
        it.chmod(path, mode)
        it.setxattr(path, "user.there", b"x")


def cases() -> Iterator[Case]:
    """Yield the steps."""
    for path, *_ in TREE:
        yield Case("stat", (path,))
        for mode in (os.R_OK, os.W_OK, os.X_OK, os.R_OK | os.W_OK):
            yield Case("access", (path, mode))
        yield Case("exists", (path,))
        yield Case("getxattr", (path, "user.there"))
        yield Case("setxattr", (path, "user.new", b"y"))
        yield Case("getxattr", (path, "trusted.x"))
        yield Case("setxattr", (path, "trusted.x", b"y"))
        yield Case("removexattr", (path, "user.new"))
        yield Case("nameless", ("call", "utime", (path,)))
        yield Case("nameless", ("call", "utime", (path, (5, 6))))
        if path.endswith("/"):
            yield Case("listdir", (path,))
            yield Case("from_there", (path, ("listdir", "."), ("exists", "f")))
            yield Case("unlink", (path + "nothing",))
            yield Case("mkdir", (path + "made",))
            yield Case("lstat", (path + "made",))
            yield Case("nameless", ("call", "mkfifo", (path + "pipe",)))
            yield Case("symlink", ("to", path + "link"))
            yield Case("write", (path + "written", b"new"))
            yield Case("lstat", (path + "written",))
            yield Case(
                "nameless", ("call", "mknod", (path + "null", stat_module.S_IFCHR | 0o600, 259))
            )
        else:
            yield Case("read", (path,))
            for flags in (os.O_WRONLY, os.O_RDWR | os.O_TRUNC):
                yield Case("opened", (path, flags))
            yield Case("truncate", (path, 8))
    yield Case("write", ("mine/made/f", b""))
    for mode in (0, 0o711, 0o600, 0o755):  # where the way leads is known; not whether one may go it
        yield Case("stat", ("mine/made/f",))
        yield Case("chmod", ("mine/", mode))
        yield Case("stat", ("mine/made/f",))
        yield Case("read", ("mine/made/f",))
    yield Case("unlink", ("mine/made/f",))
    for path, *_ in TREE:
        for ids in ((-1, GROUP), (-1, SECOND_GROUP), (-1, 0), (USER, -1), (0, -1)):
            yield Case("chown", (path, *ids))
        yield Case("chmod", (path, 0o2755 if path.endswith("/") else 0o2640))
        yield Case("lstat", (path,))
    for path, *_ in TREE:
        if not path.endswith("/"):
            yield Case("rename", (path, "open/moved"))
            yield Case("rename", (path, path + "-moved"))
            yield Case("rename", (path + "-moved", path))
            yield Case("unlink", (path,))
    for path, *_ in TREE:
        if path.endswith("/"):
            yield Case("rmdir", (path + "made",))
            yield Case("rmdir", (path,))


def opened(it: Any, path: str, flags: int) -> str:
    """Open, with no more ado."""
    it.open_handle(path, flags).close()
    return "open"


def do(it: Any) -> list[tuple[Case, Any]]:
    """Do the steps."""
    return [
        (
            case,
            outcome(
                partial(opened, it, *case.arguments)
                if case.operation == "opened"
                else partial(perform, it, case)
            ),
        )
        for case in cases()
    ]


def become_user() -> None:
    """Give all rights up."""
    os.setgroups([GROUP, SECOND_GROUP])
    os.setresgid(GROUP, GROUP, GROUP)
    os.setresuid(USER, USER, USER)
    os.umask(0o022)


def main() -> None:
    """Do what the command line says."""
    kind, where = sys.argv[1:]
    if kind == "os":
        change_root(where)
        local = LocalVolume()
        plant(local)
        become_user()
        found = do(local)
    elif kind == "identity":
        os.umask(0o022)
        with connect_face("threads", where) as volume:
            plant(volume)
            with volume.identity(USER, GROUP, [GROUP, SECOND_GROUP]):
                found = do(volume)
        assert volume.close().handles == []
    else:
        with connect_face("threads", where) as root:
            plant(root)
        become_user()
        with connect_face(kind, where) as volume:
            found = do(volume)
        assert volume.close().handles == []
    pickle.dump(found, sys.stdout.buffer)


def outcomes(kind: str, where: str | Path) -> list[tuple[Case, Any]]:
    """Plant and do the steps in a process of their own; the caller is the superuser."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.as_user", kind, str(where)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=50,
    )
    found: list[tuple[Case, Any]] = pickle.loads(done.stdout)
    return found


_expected: list[tuple[Case, Any]] = []


def expected(directory: Path) -> list[tuple[Case, Any]]:
    """Do the steps with ``os``: once for all tests, in an empty directory of the first one's."""
    if not _expected:
        (directory / "root").mkdir()
        _expected.extend(outcomes("os", directory / "root"))
    return _expected


if __name__ == "__main__":
    main()
