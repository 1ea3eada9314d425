"""Write-behind on a brick that does a WRITE long after what was asked later: GlusterFS's may."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.runtime.aio import AioDriver
from glusterio.traps import Event, Wait
from glusterio.types import NULL_GFID, Buffer
from glusterio.wire.fops.names import LookupReply, LookupRequest
from glusterio.wire.iatt import ZERO_IATT
from glusterio.xlators.base import Data, Services, Written, Xlator
from glusterio.xlators.write_behind import WriteBehind

GFID = bytes(range(16))


class LateBrick(Xlator):
    """One file, in memory. A WRITE is done when ``go`` is set; anything else at once."""

    def __init__(self, services: Services) -> None:
        super().__init__("late", {}, (), services)
        self.content = bytearray()
        self.go = services.new_event()
        self.asked: list[str] = []

    async def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Written:
        self.asked.append("WRITE")
        await Wait(self.go)
        self.content.extend(bytes(max(0, offset - len(self.content))))
        self.content[offset : offset + len(data)] = data
        return Written(len(data))

    async def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Data:
        self.asked.append("READ")
        return Data(bytes(self.content[offset : offset + size]))

    async def lookup(self, frame: Frame, request: LookupRequest) -> LookupReply:
        self.asked.append("LOOKUP")
        stat = ZERO_IATT._replace(gfid=GFID, size=len(self.content))
        return LookupReply(stat=stat)


async def _meanwhile(make: Any) -> tuple[Any, list[str]]:
    """Write ten bytes at 100, then do something, which the brick is asked before it writes."""
    driver = AioDriver(asyncio.get_running_loop())
    brick = LateBrick(Services(new_event=Event))
    xlator = WriteBehind("behind", {}, (brick,), brick.services)
    fd = Fd(GFID, os.O_RDWR)
    await driver.run(xlator.writev(Frame(), fd, b"x" * 10, 100))
    other = asyncio.create_task(driver.run(make(xlator, fd)))
    while len(brick.asked) < 2:
        await asyncio.sleep(0)
    assert not brick.content
    brick.go.set()
    return await other, brick.asked


def test_a_read_that_ends_early_is_done_again_when_what_lies_further_on_is_written() -> None:
    async def main() -> None:
        data, asked = await _meanwhile(lambda top, fd: top.readv(Frame(), fd, 50, 0))
        assert bytes(data.data) == bytes(50)
        assert asked == ["WRITE", "READ", "READ"]

    asyncio.run(main())


def test_the_size_that_a_name_leads_to_is_not_older_than_what_was_written() -> None:
    async def main() -> None:
        request = LookupRequest(NULL_GFID, NULL_GFID, 0, "name")
        reply, asked = await _meanwhile(lambda top, fd: top.lookup(Frame(), request))
        assert reply.stat.size == 110
        assert asked == ["WRITE", "LOOKUP", "LOOKUP"]

    asyncio.run(main())
