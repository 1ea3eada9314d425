"""Write-behind when something fails, or is interrupted, in the middle of its own work."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from typing import Any

import pytest

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.runtime.aio import AioDriver
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event, Wait, Within
from glusterio.types import Buffer
from glusterio.xlators.base import Services, Written, Xlator
from glusterio.xlators.write_behind import WriteBehind

GFID = bytes(range(16))


class Brick(Xlator):
    """Takes what it is told; the first WRITE waits for ``go``.

    Attributes:
        taken: the offsets of the WRITEs that were done.
        interrupted: the offset of a WRITE in which Ctrl-C comes.
        full: whether a WRITE fails.
        lost: whether a RELEASE fails.
    """

    def __init__(self, services: Services) -> None:
        super().__init__("brick", {}, (), services)
        self.go = services.new_event()
        self.taken: list[int] = []
        self.interrupted = -1
        self.full = self.lost = False

    async def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Written:
        if offset == self.interrupted:
            raise KeyboardInterrupt
        await Wait(self.go)
        if self.full:
            raise fs_error(errno.ENOSPC)
        self.taken.append(offset)
        return Written(len(data))

    async def release(self, frame: Frame, fd: Fd) -> None:
        if self.lost:
            raise fs_error(errno.EBADF)


def test_an_interrupt_where_several_writes_go_on_keeps_none_of_them_back() -> None:
    driver = ThreadsDriver()
    try:
        brick = Brick(Services(new_event=Event, new_lock=driver.new_lock))
        xlator = WriteBehind("behind", {}, (brick,), brick.services)
        fd = Fd(GFID, os.O_RDWR)
        driver.run(xlator.writev(Frame(), fd, bytes(100), 0))
        for offset in (0, 30, 60):  # each waits for the first, and not for the others
            driver.run(xlator.writev(Frame(), fd, bytes(10), offset))
        brick.interrupted = 30
        brick.go.set()
        assert fd.settle is not None
        with pytest.raises(KeyboardInterrupt):
            driver.run(_within(fd.settle()))
        with contextlib.suppress(InterruptedError):  # told, if the call above was not
            driver.run(_within(fd.settle()))
        assert sorted(brick.taken) == [0, 0, 60]
        assert xlator.counts() == {"deferred_writes": 0, "deferred_bytes": 0, "dirty_files": 0}
    finally:
        driver.stop()


async def _within(coro: Coro[Any]) -> Any:
    return await Within(2, coro)


def test_a_loss_is_told_also_when_the_release_fails() -> None:
    async def main() -> None:
        driver = AioDriver(asyncio.get_running_loop())
        brick = Brick(Services(new_event=Event))
        xlator = WriteBehind("behind", {}, (brick,), brick.services)
        fd = Fd(GFID, os.O_RDWR)
        await driver.run(xlator.writev(Frame(), fd, bytes(100), 0))
        brick.full = brick.lost = True
        brick.go.set()
        with pytest.raises(OSError, match="100 bytes: 0-100") as caught:
            await driver.run(xlator.release(Frame(), fd))
        assert caught.value.errno == errno.ENOSPC
        assert xlator not in fd.context
        assert fd.settle is None

    asyncio.run(main())
