"""A client of GlusterFS's own goes on while its volume changes under it, and when it comes back."""

from __future__ import annotations

import asyncio
import ctypes.util
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glusterio.brick.daemon import Daemon
from glusterio.brick.volume import Volume
from tests.interop.gfapi_writer import BLOCK, BLOCKS

PATIENCE = 40.0

WRITER = Path(__file__).parent / "gfapi_writer.py"

#: Each has the client build a new graph and move its open files there.
CHANGES = [
    ("performance.write-behind", "off"),
    ("performance.write-behind", "on"),
    ("performance.read-ahead", "on"),
    ("performance.write-behind", "off"),
    ("performance.write-behind", "on"),
    ("performance.read-ahead", "off"),
]


pytestmark = pytest.mark.skipif(ctypes.util.find_library("gfapi") is None, reason="no libgfapi")


class Writer:
    """The client, a process of its own."""

    def __init__(self, port: int, log: Path, *words: str) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, str(WRITER), "vol", str(port), str(log), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def line(self) -> str:
        assert self._process.stdout is not None
        return (await asyncio.to_thread(self._process.stdout.readline)).strip()

    async def logged(self, what: str, times: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._log.read_text(errors="replace").count(what) < times:
            assert time.monotonic() < deadline, f"{what!r} is not in the client's log {times} times"
            assert self._process.poll() is None, await self.line()
            await asyncio.sleep(0.02)

    async def rounds(self) -> int:
        """Tell it to end, and return how many rounds there were."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said = await self.line()
        assert await asyncio.to_thread(self._process.wait) == 0, said
        return int(said)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:  # which waits, and closes what is open
            pass


def check_written(path: Path, rounds: int) -> None:
    """Every block is that of the last round that wrote it."""
    data = path.read_bytes()
    for at in range(min(rounds, BLOCKS)):
        last = rounds - 1 - (rounds - 1 - at) % BLOCKS
        assert data[at * BLOCK : (at + 1) * BLOCK] == last.to_bytes(8, "big") * (BLOCK // 8)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    directory = tmp_path / "served"
    directory.mkdir()
    return directory


def test_options_change_under_an_open_session(served: Path, tmp_path: Path) -> None:
    async def main() -> int:
        async with Daemon([Volume(served, "vol")], port=0) as daemon:
            with Writer(daemon.port, tmp_path / "log") as writer:
                assert await writer.line() == "ready"
                for number, (option, value) in enumerate(CHANGES, 1):
                    await daemon.change_options("vol", {option: value})
                    await writer.logged("switched to graph", number + 1)
                await daemon.change_options("vol", {"performance.md-cache-timeout": "5"})
                await daemon.change_options("vol", {"performance.quick-read": "off"})
                await writer.logged("switched to graph", len(CHANGES) + 2)
                return await writer.rounds()

    rounds = asyncio.run(main())
    assert rounds > len(CHANGES)
    check_written(served / "written", rounds)


def test_a_daemon_comes_back_with_another_port_for_its_brick(served: Path, tmp_path: Path) -> None:
    """The client asks it anew, and goes on with the file that it had open."""

    async def main() -> int:
        async with Daemon([Volume(served, "vol")], port=0) as daemon:
            port, before = daemon.port, daemon.volumes["vol"].port
            writer = Writer(port, tmp_path / "log", "patient")
            with writer:
                assert await writer.line() == "ready"
                await daemon.stop()
                assert await writer.line() == "lost"
                with socket.create_server(("127.0.0.1", before)):  # nobody else shall have it
                    async with Daemon([Volume(served, "vol")], port=port) as again:
                        assert again.volumes["vol"].port != before
                        assert await writer.line() == "back"
                        return await writer.rounds()

    rounds = asyncio.run(main())
    check_written(served / "written", rounds)
