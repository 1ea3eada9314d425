"""Does cases with ``os``, in a process whose root directory is a directory for this alone.

    python -m tests.api.local_os DIRECTORY < pickled cases > pickled outcomes

The root is changed since a volume's paths begin at its root: "/", "/..", and links to "/d" mean
something inside. Without the rights to do so the process makes itself a user namespace.
"""

from __future__ import annotations

import codecs
import ctypes
import glob as glob_module
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.api.parity import Case, Runner
from tests.api.path_parity import GROUPS as _  # noqa: F401  # its steps are known then

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

    def chmod(self, mode: int) -> None:
        os.fchmod(self._descriptor, mode)

    def chown(self, uid: int, gid: int) -> None:
        os.fchown(self._descriptor, uid, gid)

    def utime(self, *args: Any, **options: Any) -> None:
        os.utime(self._descriptor, *args, **options)

    def statvfs(self) -> os.statvfs_result:
        return os.fstatvfs(self._descriptor)

    def getxattr(self, name: Any) -> bytes:
        return os.getxattr(self._descriptor, name)

    def setxattr(self, name: Any, value: Any, flags: int = 0) -> None:
        os.setxattr(self._descriptor, name, value, flags)

    def listxattr(self) -> list[str]:
        return os.listxattr(self._descriptor)

    def removexattr(self, name: Any) -> None:
        os.removexattr(self._descriptor, name)

    def posix_fallocate(self, offset: int, length: int) -> None:
        os.posix_fallocate(self._descriptor, offset, length)

    def lseek(self, position: int, how: int) -> int:
        return os.lseek(self._descriptor, position, how)

    def copy_file_range(
        self, dst: LocalFile, count: int, offset_src: int = 0, offset_dst: int = 0
    ) -> int:
        return os.copy_file_range(self._descriptor, dst._descriptor, count, offset_src, offset_dst)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Usage(NamedTuple):
    """What a tree takes."""

    apparent: int
    files: int
    directories: int


def _or_error(function: Callable[[Any], Any], path: Any) -> Any:
    try:
        return function(path)
    except OSError as error:
        return error


def descriptor_of(value: Any) -> Any:
    return value._descriptor if isinstance(value, LocalFile) else value


class LocalVolume:
    """``os``, ``os.path`` and ``shutil`` with the methods of ``glusterio.Volume``."""

    def __getattr__(self, name: str) -> Any:
        found = next(
            getattr(module, name) for module in (os, os.path, shutil) if hasattr(module, name)
        )

        def call(*args: Any, **options: Any) -> Any:
            return found(
                *map(descriptor_of, args),
                **{option: descriptor_of(value) for option, value in options.items()},
            )

        return call

    @staticmethod
    def chown(path: Any, *args: Any, **options: Any) -> None:
        if options.keys() & {"user", "group"}:
            shutil.chown(path, *args, **options)
        else:
            os.chown(
                descriptor_of(path), *args,
                **{option: descriptor_of(value) for option, value in options.items()},
            )  # fmt: skip

    @staticmethod
    def glob(pattern: Any, *, dir_fd: Any = None, **options: Any) -> list[Any]:
        return glob_module.glob(pattern, dir_fd=descriptor_of(dir_fd), **options)

    iglob = staticmethod(glob_module.iglob)
    path = Path
    copyfile = staticmethod(shutil.copyfile)
    copy = staticmethod(shutil.copy)
    copy2 = staticmethod(shutil.copy2)
    move = staticmethod(shutil.move)

    @staticmethod
    def copytree(src: Any, dst: Any, *args: Any, progress: Any = None, **options: Any) -> Any:
        return shutil.copytree(src, dst, *args, **options)

    @staticmethod
    def read_bytes(path: Any) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    @staticmethod
    def write_bytes(path: Any, data: Any) -> int:
        with memoryview(data), open(path, "wb") as file:
            return file.write(data)

    @staticmethod
    def read_text(path: Any, **how: Any) -> str:
        with open(path, **{"encoding": "utf-8", **how}) as file:
            text: str = file.read()
            return text

    @staticmethod
    def write_text(path: Any, text: Any, **how: Any) -> int:
        if not isinstance(text, str):
            raise TypeError("data must be str")
        text.encode(how.get("encoding", "utf-8"))  # what cannot be written is not begun
        with open(path, "w", **{"encoding": "utf-8", **how}) as file:
            return file.write(text)

    def stat_many(self, paths: Any, return_exceptions: bool = False) -> list[Any]:
        return [_or_error(os.stat, path) for path in paths]

    def read_many(self, paths: Any, return_exceptions: bool = False) -> list[Any]:
        return [_or_error(self.read_bytes, path) for path in paths]

    @staticmethod
    def exists_many(paths: Any) -> list[bool]:
        return [os.path.exists(path) for path in paths]

    @staticmethod
    def du(path: Any) -> Usage:
        """Sum up what ``os.walk`` finds."""
        if not os.path.isdir(path) or (os.path.islink(path) and not path.endswith("/")):
            return Usage(os.lstat(path).st_size, 1, 0)
        found = {}
        directories = 0
        for directory, names, others in os.walk(path):
            directories += 1
            links = [name for name in names if os.path.islink(os.path.join(directory, name))]
            for one in (directory, *(os.path.join(directory, name) for name in others + links)):
                status = os.lstat(one)
                found[status.st_ino] = status.st_size
        return Usage(sum(found.values()), len(found) - directories, directories)

    @staticmethod
    def open_handle(path: Any, flags: int, mode: int = 0o777, dir_fd: Any = None) -> LocalFile:
        return LocalFile(os.open(path, flags, mode, dir_fd=descriptor_of(dir_fd)))


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
    for encoding in ("latin-1", "ascii"):  # Python's library is out of reach then
        codecs.lookup(encoding)
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
