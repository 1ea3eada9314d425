"""A client of GlusterFS's own goes on while the options of its volume change under it."""

from __future__ import annotations

import asyncio
import ctypes.util
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


@pytest.mark.skipif(ctypes.util.find_library("gfapi") is None, reason="no libgfapi")
def test_options_change_under_an_open_session(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    log = tmp_path / "log"

    async def logged(client: subprocess.Popen[str], what: str, times: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while log.read_text(errors="replace").count(what) < times:
            assert time.monotonic() < deadline, f"{what!r} is not in the client's log {times} times"
            assert client.poll() is None, client.communicate()
            await asyncio.sleep(0.02)

    async def line(client: subprocess.Popen[str]) -> str:
        assert client.stdout is not None
        return (await asyncio.to_thread(client.stdout.readline)).strip()

    async def change(daemon: Daemon, client: subprocess.Popen[str]) -> None:
        assert await line(client) == "ready"
        for number, (option, value) in enumerate(CHANGES, 1):
            daemon.change_options("vol", {option: value})
            await logged(client, "switched to graph", number + 1)
        daemon.change_options("vol", {"performance.md-cache-timeout": "5"})
        daemon.change_options("vol", {"performance.quick-read": "off"})
        await logged(client, "switched to graph", len(CHANGES) + 2)

    async def main() -> tuple[str, int]:
        async with Daemon([Volume(served, "vol")], port=0) as daemon:
            client = subprocess.Popen(
                [sys.executable, str(WRITER), "vol", str(daemon.port), str(log)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert client.stdin is not None
            assert client.stdout is not None
            with client, client.stdin, client.stdout:
                try:
                    await change(daemon, client)
                    client.stdin.close()
                    return await line(client), await asyncio.to_thread(client.wait)
                finally:
                    client.kill()

    said, code = asyncio.run(main())
    assert (said.isdecimal(), code) == (True, 0), said
    rounds = int(said)
    assert rounds > len(CHANGES)
    data = (served / "written").read_bytes()
    for at in range(min(rounds, BLOCKS)):
        last = rounds - 1 - (rounds - 1 - at) % BLOCKS
        assert data[at * BLOCK : (at + 1) * BLOCK] == last.to_bytes(8, "big") * (BLOCK // 8)
