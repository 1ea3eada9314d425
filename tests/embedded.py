"""The embedded brick as a process of its own, for tests.

::

    with start_brick(tmp_path) as brick:
        connect(brick.url)

Its calls wait for what they caused, never for a time: for the ready line, for the dump, for the end.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: How long anything may take before the brick counts as stuck, in seconds.
PATIENCE = 20.0


class BrickProcess:
    """A running brick.

    Attributes:
        directory: what it serves.
        url: the volume's URL.
        port: the management daemon's port.
        brick_port: the brick's port.
        pid: its process.
    """

    def __init__(self, directory: str | os.PathLike[str], volume: str, *options: str) -> None:
        self.directory = Path(directory)
        ready, its_end = os.pipe()
        command = [sys.executable, "-m", "glusterio.brick", str(directory), "--volume", volume]
        if "--port" not in options:
            command += ["--port", "0"]
        try:
            self._process = subprocess.Popen(
                [*command, "--ready-fd", str(its_end), *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[its_end],
            )
        except BaseException:
            os.close(ready)
            raise
        finally:
            os.close(its_end)
        assert self._process.stderr is not None
        self._stderr = self._process.stderr.fileno()
        self._unread = b""
        self.log = ""
        try:
            with os.fdopen(ready, "rb", buffering=0) as told:
                line = _read_line(told.fileno())
        except BaseException:
            self.kill()
            raise
        if not line:
            self._process.wait(PATIENCE)
            self._drain()
            self.kill()
            raise RuntimeError(f"the brick did not start:\n{self.log}")
        found = json.loads(line)
        self.url: str = found["url"]
        self.port: int = found["port"]
        self.brick_port: int = found["brick_port"]
        self.pid: int = found["pid"]

    def dump(self) -> dict[str, Any]:
        """Ask for the counts: ``fds``, ``open_files``, ``locks``, ``pending``, ``clients``."""
        os.kill(self.pid, signal.SIGUSR1)
        while True:
            line, self._unread = _take_line(self._stderr, self._unread)
            if line.startswith(b"{"):
                dumped: dict[str, Any] = json.loads(line)
                return dumped
            if not line:
                raise RuntimeError(f"the brick has ended:\n{self.log}")
            self.log += line.decode(errors="replace")

    def wait_for(self, **counts: int) -> dict[str, Any]:
        """Ask for the counts until they are these, and return them.

        Raises:
            TimeoutError: they never were.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.dump()
            if all(found[name] == count for name, count in counts.items()):
                return found
            if time.monotonic() > deadline:
                last = {name: found[name] for name in counts}
                raise TimeoutError(f"{counts} never came; in the end it was {last}")

    def open_files(self) -> int:
        """Count the regular files that the process has open below its directory, by the kernel.

        Not counted is what it keeps open for itself.
        """
        root = os.path.realpath(self.directory)
        count = 0
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            path = f"/proc/{self.pid}/fd/{name}"
            try:
                target = os.readlink(path)
                own = target.startswith(f"{root}/.glusterfs/glusterio-")
                count += target.startswith(root + "/") and not own and os.path.isfile(path)
            except FileNotFoundError:
                continue
        return count

    def stop(self) -> int:
        """Tell it to end, and wait until it has; return its exit code. Harmless when repeated."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self._drain()
        return self._process.returncode

    def wait(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        self._process.wait(PATIENCE)
        self._drain()
        return self._process.returncode

    def kill(self) -> None:
        """End it without notice. Harmless when repeated."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._drain()

    def _drain(self) -> None:
        stderr = self._process.stderr
        if stderr is not None and not stderr.closed:
            self.log += (self._unread + stderr.read()).decode(errors="replace")
            stderr.close()

    def __enter__(self) -> BrickProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_brick(
    directory: str | os.PathLike[str], volume: str = "vol", *options: str
) -> BrickProcess:
    """Start a brick, and return once it can be connected to.

    Args:
        directory: what to serve; it must exist.
        volume: the volume's name.
        options: further words for ``python -m glusterio.brick``.

    Raises:
        RuntimeError: it did not start; the message holds what it said.
    """
    return BrickProcess(directory, volume, *options)


def _read_line(descriptor: int) -> bytes:
    line, _ = _take_line(descriptor, b"")
    return line


def _take_line(descriptor: int, have: bytes) -> tuple[bytes, bytes]:
    """Read a line, and what came behind it; nothing at the end."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in have:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError("the brick does not answer")
            more = os.read(descriptor, 65536)
            if not more:
                return b"", have
            have += more
    line, _, rest = have.partition(b"\n")
    return line + b"\n", rest
