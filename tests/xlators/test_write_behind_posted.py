"""Write-behind's requests that no coroutine waits for, and what takes over where that will not do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.runtime.fiber import start_later
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event, Reply, Within
from glusterio.types import Buffer
from glusterio.xlators.base import Rest, Services, Written, Xlator
from glusterio.xlators.write_behind import WriteBehind

GFID = bytes(range(16))
CLEAN = {"deferred_writes": 0, "deferred_bytes": 0, "dirty_files": 0}


class Brick(Xlator):
    """Takes requests, which are answered by hand; what comes by a coroutine is done at once.

    Attributes:
        asked: what was asked by requests: the data, and what tells of the answer.
        carried: what came by coroutines: offset and data.
        takes: whether it takes requests, or what it raises.
    """

    def set_up(self) -> None:
        self.asked: list[tuple[bytes, Callable[[Rest | None], None]]] = []
        self.carried: list[tuple[int, bytes]] = []
        self.takes: bool | Exception = True

    def writev_now(
        self,
        frame: Frame,
        fd: Fd,
        data: Buffer,
        offset: int,
        answered: Callable[[Rest | None], None],
    ) -> Reply | None:
        if isinstance(self.takes, Exception):
            raise self.takes
        if not self.takes:
            return None
        self.asked.append((bytes(data), answered))
        return Reply(None, len(self.asked), ())

    async def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Written:
        self.carried.append((offset, bytes(data)))
        return Written(len(data))


class Bed:
    """Write-behind on such a brick, and an open file.

    Attributes:
        posted: the requests that were sent.
    """

    def __init__(self) -> None:
        self.driver = ThreadsDriver()
        self.posted: list[Reply] = []
        services = Services(
            new_event=Event,
            new_lock=self.driver.new_lock,
            start_later=partial(start_later, self.driver),
            post=self._post,
        )
        self.brick = Brick("brick", {}, (), services)
        self.xlator = WriteBehind("behind", {}, (self.brick,), services)
        self.fd = Fd(GFID, os.O_RDWR)

    def _post(self, requests: Sequence[Reply]) -> None:
        self.posted += requests

    def write(self, data: bytes, offset: int) -> int:
        written: Written = self.driver.run(self.xlator.writev(Frame(), self.fd, data, offset))
        return written.written

    def settle(self) -> None:
        assert self.fd.settle is not None
        self.driver.run(_within(self.fd.settle()))


async def _within(coro: Coro[Any]) -> Any:
    return await Within(2, coro)


def _rest(outcome: int | Exception) -> Rest:
    async def rest() -> Written:
        if isinstance(outcome, Exception):
            raise outcome
        return Written(outcome)

    return rest


@pytest.fixture
def bed() -> Iterator[Bed]:
    made = Bed()
    yield made
    assert made.xlator.counts() == CLEAN
    made.driver.stop()


def test_one_that_waits_for_another_is_sent_where_the_others_answer_comes_in(bed: Bed) -> None:
    for data, offset in ((b"aaaa", 0), (b"bbbb", 2), (b"cccc", 100)):
        assert bed.write(data, offset) == 4
    ((_, first),) = bed.brick.asked
    first(None)
    assert [data for data, _ in bed.brick.asked] == [b"aaaa", b"bbbb", b"cccc"]
    assert len(bed.posted) == 3
    for _, answered in bed.brick.asked[1:]:
        answered(None)
    assert bed.xlator.counts() == CLEAN
    assert not bed.driver._loose  # and no coroutine was begun for it
    bed.settle()
    assert bed.brick.carried == []


def test_an_answer_that_is_told_twice_counts_once(bed: Bed) -> None:
    bed.write(b"aaaa", 0)
    bed.write(b"bbbb", 2)
    ((_, first),) = bed.brick.asked
    first(None)
    first(None)
    assert len(bed.posted) == 2
    assert bed.xlator.counts()["deferred_writes"] == 1
    bed.brick.asked[1][1](None)


def test_an_error_is_told_to_who_wrote(bed: Bed) -> None:
    bed.write(b"aaaa", 10)
    ((_, answered),) = bed.brick.asked
    answered(_rest(fs_error(errno.ENOSPC)))
    answered(_rest(fs_error(errno.ENOSPC)))
    with pytest.raises(OSError, match="4 bytes: 10-14") as caught:
        bed.settle()
    assert caught.value.errno == errno.ENOSPC
    bed.settle()


def test_what_was_written_in_part_is_carried_to_its_end(bed: Bed) -> None:
    bed.write(b"abcdef", 10)
    bed.write(b"x", 12)  # waits for all of it
    ((_, answered),) = bed.brick.asked
    answered(_rest(2))
    bed.settle()
    assert bed.brick.carried == [(12, b"cdef"), (12, b"x")]


@pytest.mark.parametrize("takes", [False, OSError(errno.ENOMEM, "no")])
def test_what_cannot_be_sent_at_once_is_carried_by_a_coroutine(
    bed: Bed, takes: bool | Exception
) -> None:
    bed.brick.takes = takes
    bed.write(b"aaaa", 0)
    bed.write(b"bbbb", 2)
    bed.settle()
    assert bed.brick.carried == [(0, b"aaaa"), (2, b"bbbb")]
    assert bed.posted == []


def test_one_that_can_go_now_and_cannot_be_sent_at_once_is_carried(bed: Bed) -> None:
    bed.write(b"aaaa", 0)
    bed.write(b"bbbb", 2)
    bed.brick.takes = False
    bed.brick.asked[0][1](None)
    bed.settle()
    assert bed.brick.carried == [(2, b"bbbb")]
