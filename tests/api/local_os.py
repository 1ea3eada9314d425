"""Does cases with ``os``, in a process whose root directory is a directory for this alone.

    python -m tests.api.local_os DIRECTORY < pickled cases > pickled outcomes

The root is changed since a volume's paths begin at its root: "/", "/..", and links to "/d" mean
something inside. Without the rights to do so the process makes itself a user namespace.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.api.parity import Case, Runner

_CLONE_NEWUSER = 0x10000000


class LocalFile:
    """A descriptor with the methods of ``glusterio.File``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def pread(self, size: int, offset: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def pwrite(self, data: Any, offset: int) -> int:
        return os.pwrite(self._descriptor, data, offset)

    def preadv(self, buffers: Any, offset: int) -> int:
        return os.preadv(self._descriptor, buffers, offset)

    def pwritev(self, buffers: Any, offset: int) -> int:
        return os.pwritev(self._descriptor, buffers, offset)

    def read_into(self, buffer: Any, offset: int) -> int:
        return os.preadv(self._descriptor, [buffer], offset)

    def fstat(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def truncate(self, length: int) -> None:
        os.ftruncate(self._descriptor, length)

    def fsync(self) -> None:
        os.fsync(self._descriptor)

    def fdatasync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class LocalVolume:
    """``os`` with the methods of ``glusterio.Volume``."""

    stat = staticmethod(os.stat)
    lstat = staticmethod(os.lstat)
    exists = staticmethod(os.path.exists)
    scandir = staticmethod(os.scandir)
    listdir = staticmethod(os.listdir)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    unlink = staticmethod(os.unlink)
    remove = staticmethod(os.remove)
    rename = staticmethod(os.rename)
    replace = staticmethod(os.replace)
    truncate = staticmethod(os.truncate)
    statvfs = staticmethod(os.statvfs)
    symlink = staticmethod(os.symlink)
    readlink = staticmethod(os.readlink)
    chmod = staticmethod(os.chmod)

    @staticmethod
    def utime(path: Any, ns: tuple[int, int], follow_symlinks: bool = True) -> None:
        os.utime(path, ns=ns, follow_symlinks=follow_symlinks)

    @staticmethod
    def open_handle(path: Any, flags: int, mode: int = 0o777) -> LocalFile:
        return LocalFile(os.open(path, flags, mode))


def change_root(directory: str) -> None:
    """Make a directory this process's root."""
    try:
        os.chroot(directory)
    except PermissionError:
        uid, gid = os.getuid(), os.getgid()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "neither chroot nor a user namespace") from None
        for name, line in (
            ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1"),
        ):  # fmt: skip
            Path(f"/proc/self/{name}").write_text(line)
        os.chroot(directory)
    os.chdir("/")


def main() -> None:
    """Do the cases that come in."""
    cases: list[Case] = pickle.load(sys.stdin.buffer)
    change_root(sys.argv[1])
    runner = Runner(LocalVolume())
    pickle.dump({case: runner.run(case) for case in cases}, sys.stdout.buffer)


def outcomes(cases: list[Case], directory: Path) -> dict[Case, tuple[Any, Any]]:
    """Do cases with ``os``, each on a fresh tree below an empty directory."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.local_os", str(directory)],
        input=pickle.dumps(cases),
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    found: dict[Case, tuple[Any, Any]] = pickle.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
