"""What foreign peers in Python do a call with: the bindings of libgfapi, and a FUSE mount.

Each is thin: a call here is what a user of the package writes. A handle is whatever `open` returns.
Nothing of glusterio is imported.
"""

from __future__ import annotations

import collections
import collections.abc
import ctypes
import importlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.own.serving import Skipped

PATIENCE: Final = 20.0


class Face(ABC):
    """A way to a volume.

    Args:
        parameters: where the volume is.
    """

    #: Processes whose CPU time is the client's, too.
    pids: tuple[int, ...] = ()

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters

    @abstractmethod
    def connect(self) -> None:
        """Begin a session."""

    @abstractmethod
    def leave(self) -> None:
        """Let go of what would stay when the process ends."""

    @abstractmethod
    def open(self, path: str, flags: int) -> Any:
        """Open a file; one that is created has the mode 0644."""

    @abstractmethod
    def pread_into(self, handle: Any, buffer: bytearray, offset: int) -> int:
        """Read into the buffer."""

    @abstractmethod
    def pread(self, handle: Any, size: int, offset: int) -> Any:
        """Read."""

    @abstractmethod
    def pwrite(self, handle: Any, data: bytes, offset: int) -> int:
        """Write."""

    @abstractmethod
    def close(self, handle: Any) -> None:
        """Close a file."""

    @abstractmethod
    def stat(self, path: str) -> Any:
        """A file's attributes."""

    @abstractmethod
    def unlink(self, path: str) -> None:
        """Remove a file's name."""

    @abstractmethod
    def list(self, path: str) -> int:
        """Count a directory's entries, having looked at the attributes of each."""

    @abstractmethod
    def read_file(self, path: str) -> int:
        """Open, read to the end, close; the number of bytes."""

    @abstractmethod
    def write_file(self, path: str, data: bytes) -> None:
        """Create, write, close."""

    def forget(self, handle: Any) -> None:
        """Forget what was read through a handle, if that is kept on this machine."""
        return


# -- bindings ----------------------------------------------------------------------------------------


class Bindings(Face):
    """gfapi or gfapi-cffi: the second is the first's fork, and has its names.

    Neither has pread: a read at an offset is lseek and read.
    """

    module = "gluster.gfapi"

    def _log_level(self) -> Any:
        return 1

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__(parameters)
        collections.Iterator = collections.abc.Iterator  # type: ignore[attr-defined]
        self._package = importlib.import_module(self.module)
        self._file = self._package.File
        if parameters.get("volfile"):
            self._connect_by_volfile(parameters["volfile"].encode())
        self._sessions: list[Any] = []  # a destructor would end them, which takes ten seconds each

    def _connect_by_volfile(self, path: bytes) -> None:
        api: Any = importlib.import_module("gluster.gfapi.api")
        set_volfile = api.gfapi_prototype(
            "glfs_set_volfile", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p
        )
        api.glfs_set_volfile_server = lambda fs, *server: set_volfile(fs, path)

    def connect(self) -> None:
        given = self.parameters
        self.volume = self._package.Volume(
            given.get("host", "localhost"),
            given.get("volume", "bench"),
            port=given.get("port") or 24007,
            log_level=self._log_level(),
        )
        self._sessions.append(self.volume)
        self.volume.mount()

    def leave(self) -> None:
        pass

    def open(self, path: str, flags: int) -> Any:
        return self._file(self.volume.open(path, flags, 0o644), path)

    def pread_into(self, handle: Any, buffer: bytearray, offset: int) -> int:
        handle.lseek(offset, os.SEEK_SET)
        return int(handle.readinto(buffer))

    def pread(self, handle: Any, size: int, offset: int) -> Any:
        handle.lseek(offset, os.SEEK_SET)
        return handle.read(size)

    def pwrite(self, handle: Any, data: bytes, offset: int) -> int:
        handle.lseek(offset, os.SEEK_SET)
        return int(handle.write(data))

    def close(self, handle: Any) -> None:
        handle.close()

    def stat(self, path: str) -> Any:
        return self.volume.stat(path)

    def unlink(self, path: str) -> None:
        self.volume.unlink(path)

    def list(self, path: str) -> int:
        return len(self.volume.listdir_with_stat(path))

    def read_file(self, path: str) -> int:
        with self.volume.fopen(path, "rb") as file:
            return len(file.read())

    def write_file(self, path: str, data: bytes) -> None:
        with self._file(self.volume.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)) as file:
            file.write(data)


class CffiBindings(Bindings):
    """gfapi-cffi."""

    module = "gfapi_cffi"

    def _log_level(self) -> Any:
        return self._package.GF_LOG_LEVEL.EMERG

    def _connect_by_volfile(self, path: bytes) -> None:
        gfapi: Any = importlib.import_module("gfapi_cffi.gfapi")
        real, ffi = gfapi.api, gfapi.ffi
        set_volfile = ctypes.CDLL("libgfapi.so.0").glfs_set_volfile
        set_volfile.argtypes = [ctypes.c_void_p, ctypes.c_char_p]

        class Api:
            """The module's functions, but for one."""

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def glfs_set_volfile_server(self, fs: Any, *server: Any) -> int:
                return int(set_volfile(int(ffi.cast("uintptr_t", fs)), path))

        gfapi.api = Api()


# -- FUSE --------------------------------------------------------------------------------------------


def no_fuse() -> str | None:
    """Why nothing can be mounted here; None if it can."""
    if shutil.which("glusterfs") is None:
        return "glusterfs is not installed (on Debian: apt-get install glusterfs-client)"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"no FUSE here: {error}"
    return None


_PR_SET_PDEATHSIG: Final = 1


def _end_with_parent() -> None:
    """Have this process told to end, which unmounts, when its parent is no more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Mount(Face):
    """A mount by GlusterFS's own client, with its options as they are; used through `os`."""

    def connect(self) -> None:
        reason = no_fuse()
        if reason is not None:
            raise Skipped(reason)
        given = self.parameters
        self._place = Path(tempfile.mkdtemp(prefix="glusterio-bench-"))
        log = self._place / "log"
        self._root = str(self._place / "mount")
        os.mkdir(self._root)
        command = ["glusterfs", "--no-daemon", f"--log-file={log}", "--log-level=ERROR"]
        if given.get("volfile"):
            command += ["--volfile", given["volfile"]]
        else:
            command += [
                f"--volfile-server={given['host']}",
                f"--volfile-server-port={given.get('port') or 24007}",
                f"--volfile-id={given['volume']}",
            ]
        self._daemon = subprocess.Popen(
            [*command, self._root],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # whoever kills this process with its group shall not kill it
            preexec_fn=_end_with_parent,
        )
        self.pids = (self._daemon.pid,)
        deadline = time.monotonic() + PATIENCE
        while not os.path.ismount(self._root):
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                said = log.read_text()[-500:] if log.exists() else ""
                self.leave()
                raise OSError(f"it is not mounted: {said}")
            time.sleep(0.01)

    def leave(self) -> None:
        if os.path.ismount(self._root):
            subprocess.run(["umount", self._root], check=False, timeout=PATIENCE)
        else:
            self._daemon.terminate()
        try:
            self._daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        if not os.path.ismount(self._root):
            shutil.rmtree(self._place, ignore_errors=True)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._root + path, flags, 0o644)

    def pread_into(self, handle: int, buffer: bytearray, offset: int) -> int:
        return os.preadv(handle, [buffer], offset)

    def pread(self, handle: int, size: int, offset: int) -> bytes:
        return os.pread(handle, size, offset)

    def pwrite(self, handle: int, data: bytes, offset: int) -> int:
        return os.pwrite(handle, data, offset)

    def close(self, handle: int) -> None:
        os.close(handle)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(self._root + path)

    def unlink(self, path: str) -> None:
        os.unlink(self._root + path)

    def list(self, path: str) -> int:
        found = 0
        with os.scandir(self._root + path) as entries:
            for entry in entries:
                entry.stat(follow_symlinks=False)
                found += 1
        return found

    def read_file(self, path: str) -> int:
        with open(self._root + path, "rb", buffering=0) as file:
            return len(file.read())

    def write_file(self, path: str, data: bytes) -> None:
        with open(self._root + path, "xb", buffering=0) as file:
            file.write(data)

    def forget(self, handle: int) -> None:
        # What the kernel keeps of a file would be a read of this machine's memory.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


FACES: Final[dict[str, type[Face]]] = {
    "gfapi": Bindings,
    "gfapi-cffi": CffiBindings,
    "fuse": Mount,
}
