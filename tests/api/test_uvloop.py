"""On uvloop's event loop all is as on asyncio's own: what is read, who is cancelled, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from glusterio import SessionClosedError, TeardownReport, aio
from glusterio.rpc.connection import Connection
from glusterio.runtime.aio import AioDriver
from glusterio.traps import Connect, Disconnect, Tls
from glusterio.wire.programs import Fop
from tests.api.deferring import ON, no_file_beyond
from tests.api.tap import Tap
from tests.embedded import BrickProcess

DATA = bytes(range(256)) * 4000


NewLoop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(scope="module")
def uvloops() -> NewLoop:
    """Makes loops. The first one of a process makes a pipe that stays as long as that does."""
    import uvloop

    new_loop: NewLoop = uvloop.new_event_loop
    new_loop().close()
    return new_loop


async def life(brick: BrickProcess, tap: Tap, url: str) -> TeardownReport:
    """Open, write, read, cancel, leave open, leave under way, and close."""
    vol = await aio.connect(url, options=ON)
    file = await vol.open_handle("/file", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for at in range(0, len(DATA), 100_000):
        await file.pwrite(DATA[at : at + 100_000], at)
    await file.fsync()
    pieces = [file.pread(10_000, at) for at in range(0, len(DATA), 10_000)]
    assert b"".join(await asyncio.gather(*pieces)) == DATA
    sink = bytearray(len(DATA))
    assert await file.read_into(sink, 0) == len(DATA)
    assert sink == DATA
    async with vol.open("/file", "rb") as stream:
        assert await stream.read() == DATA

    tap.hold(Fop.READ)
    before = tap.calls(Fop.READ)
    given_up = asyncio.create_task(file.pread(10, 0))
    overdue = asyncio.create_task(file.pread(20, 0))
    while tap.calls(Fop.READ) < before + 2:
        await vol.statvfs("/")
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    opening = asyncio.create_task(vol.open_handle("/other", os.O_RDWR | os.O_CREAT))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    while len(vol._session.core.session.handles()) > 1:  # what came of that is closed
        await vol.statvfs("/")

    await file.pwrite(b"too far", len(DATA) + 8192)
    closing = asyncio.create_task(vol.close(grace=0))
    with pytest.raises(SessionClosedError):
        await overdue
    tap.let_go()
    return await closing


def told(report: TeardownReport) -> dict[str, Any]:
    """What a report says that is the same each time."""
    return {
        "handles": [(one.path, one.kind, one.opened_at, str(one.error)) for one in report.handles],
        "calls": (report.calls_settled, report.calls_cancelled),
        "errors": [(type(error), str(error)) for error in report.errors],
        "defects": report.defects,
        "steps": [step.name for step in report.steps],
    }


def test_a_life_on_either_loop_ends_with_an_equal_report(
    brick: BrickProcess, tap: Tap, url: str, uvloops: NewLoop
) -> None:
    def run(new_loop: NewLoop) -> dict[str, Any]:
        with no_file_beyond(brick, len(DATA)), asyncio.Runner(loop_factory=new_loop) as runner:
            report = runner.run(life(brick, tap, url))
        brick.wait_for(fds=0, locks=0, pending=0)
        return told(report)

    found = run(asyncio.new_event_loop)
    assert found["calls"] == (0, ["pread"])
    ((path, _, _, error),) = found["handles"]
    assert path == "/file"
    assert f"[Errno {errno.EFBIG}]" in error
    assert found["defects"] == []
    assert run(uvloops) == found


def test_a_lost_connection_on_uvloop(own_brick: BrickProcess, uvloops: NewLoop) -> None:
    async def main() -> TeardownReport:
        vol = await aio.connect(own_brick.url, reconnect=False)
        file = await vol.open_handle("/file", os.O_RDWR | os.O_CREAT)
        own_brick.kill()
        with pytest.raises(ConnectionError):
            await file.pread(10, 0)
        return await vol.close()

    with asyncio.Runner(loop_factory=uvloops) as runner:
        report = runner.run(main())
    assert report.defects == []


async def turns(count: int) -> None:
    """Let the loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("privileged", [False, True], ids=["", "privileged"])
def test_no_descriptor_is_closed_twice(uvloops: NewLoop, secure: bool, privileged: bool) -> None:
    """A connection is reset while uvloop takes note of it, at any turn; strangers' files stay open."""
    tls = Tls(context=ssl.create_default_context()) if secure else None
    strangers: list[int] = []

    async def reset(listening: socket.socket, after: int) -> None:
        sock, _ = await asyncio.get_running_loop().sock_accept(listening)
        await turns(after)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    async def connect(address: tuple[str, int]) -> None:
        connection = Connection("somebody")
        with contextlib.suppress(OSError):
            await Connect(address, connection, tls=tls, privileged=privileged)
        await Disconnect(connection)

    async def main() -> None:
        driver = AioDriver(asyncio.get_running_loop())
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            for after in range(16):
                resetting = asyncio.create_task(reset(listening, after))
                await driver.run(connect(listening.getsockname()))
                await resetting
                await turns(4)  # a transport closes its socket a turn later
                # The numbers of what has been closed are strangers' now.
                strangers.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(3))
        await driver.stop()

    def is_open(number: int) -> bool:
        try:
            os.close(number)
        except OSError:
            return False
        return True

    with asyncio.Runner(loop_factory=uvloops) as runner:
        runner.run(main())
        gc.collect()
        assert [number for number in strangers if not is_open(number)] == []


def run_program(url: str, program: str) -> str:
    """Run a program with warnings off, to its good end; return what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM + textwrap.dedent(program), url],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


PROGRAM = """
import asyncio, os, sys
import uvloop
from glusterio import CloseFromCallbackError, ForkedSessionError, aio

def sockets():
    found = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")[:-1]]
    return sum(name.startswith("socket:") for name in found)
"""


def test_forked_on_uvloop(own_brick: BrickProcess) -> None:
    """The child has none of the sockets any more, and its end is not the end of the parent's."""
    said = run_program(
        own_brick.url,
        """
        async def main():
            before = sockets()
            vol, other = await aio.connect(sys.argv[1]), await aio.connect(sys.argv[1])
            file = await vol.open_handle("/file", os.O_RDWR | os.O_CREAT)
            pid = os.fork()
            if not pid:
                assert sockets() == before
                for each in (vol, other):
                    try:
                        await each.stat("/")
                    except ForkedSessionError:
                        continue
                    os._exit(1)
                sys.exit()  # which closes the loop
            assert os.waitpid(pid, 0)[1] == 0
            assert await file.pwrite(b"goes on", 0) == 7
            assert (await vol.close()).handles_drained == 1
            assert (await other.close()).graceful
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
        """,
    )
    assert said == ""
    own_brick.wait_for(fds=0)


def test_uvloop_is_closed_before_the_volume(brick: BrickProcess, tap: Tap, url: str) -> None:
    tap.hold(Fop.WRITE)
    said = run_program(
        url,
        """
        async def main():
            global vol, file
            vol = await aio.connect(sys.argv[1], options={"performance.write-behind": "on"})
            file = await vol.open_handle("/file", os.O_RDWR | os.O_CREAT)
            await file.pwrite(b"x", 0)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
        try:
            asyncio.run(vol.close())
        except CloseFromCallbackError:
            pass
        else:
            raise AssertionError("closed on another loop")
        """,
    )
    assert "/file: the event loop was closed before the session; deferred writes failed" in said
    brick.wait_for(fds=0)
