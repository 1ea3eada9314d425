"""On uvloop's event loop all is as on asyncio's own: what is read, who is cancelled, how it ends."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from glusterio import SessionClosedError, TeardownReport, aio
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
