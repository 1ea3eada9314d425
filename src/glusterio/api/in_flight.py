"""Many requests of one operation in flight at once, and never more than so many.

An operation on a tree, or on many paths, is made of *jobs*, each of a few requests. They are run by
workers, as many as there may be jobs at once, inside one :class:`~glusterio.traps.Gather`. A worker
takes the next job when its last one has ended, so that the wire is kept busy however long single jobs
take; a job may add further jobs, as the listing of a directory does.

Because it is one gather, what holds for a gather holds for all of it: whoever cancels the operation
cancels every job, and the operation ends when all of them have. A job that opens something closes it
in its own ``finally``, as any operation does.

Jobs that were added last are run first: so a tree is worked off depth first, and what waits stays
little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Event, Gather, Wait

if TYPE_CHECKING:
    from glusterio.api.core import Core

A = TypeVar("A")
R = TypeVar("R")

#: How many jobs of one operation are under way at once. A brick takes as many requests of one client
#: before it stops reading from it (GlusterFS rpc/rpc-lib/src/rpcsvc.h,
#: RPCSVC_DEFAULT_OUTSTANDING_RPC_LIMIT).
IN_FLIGHT = 64

#: A coroutine function and its arguments.
Job = tuple[Callable[..., Coro[Any]], tuple[Any, ...]]


class InFlight:
    """The jobs of one operation.

    Args:
        new_event: makes an event to wait for; the driver's.
        limit: how many may be under way at once.

    Attributes:
        error: what a job has raised: the first of them. From then on no further job is begun; those
            under way end, and may look here whether they still need to go on.
    """

    def __init__(self, new_event: Callable[[], Event], limit: int = IN_FLIGHT) -> None:
        self.error: BaseException | None = None
        self._new_event = new_event
        self._limit = limit
        self._jobs: list[Job] = []
        self._source: Iterator[Job] = iter(())
        self._running = 0
        self._idle: list[Event] = []  # one for each worker that waits for a job

    def add(self, function: Callable[..., Coro[Any]], *args: Any) -> None:
        """Have a job done: before those that were added earlier."""
        self._jobs.append((function, args))
        if self._idle:
            self._idle.pop().set()

    async def run(self, source: Iterable[Job] = ()) -> None:
        """Do all jobs: those that were added, and those that they add, before those of ``source``.

        It may be called again, for jobs that were added since.

        Args:
            source: further jobs, taken one by one when there is nothing else to do.

        Raises:
            BaseException: what a job raised, once those under way have ended.
        """
        self._source = iter(source)
        first = self._take()
        if first is None:
            return
        self._jobs.append(first)
        await Gather([self._work() for _ in range(self._limit)])
        if self.error is not None:
            error, self.error = self.error, None
            try:
                raise error
            finally:
                del error  # no reference cycle through the traceback

    def _take(self) -> Job | None:
        if self.error is not None:
            return None
        if self._jobs:
            return self._jobs.pop()
        return next(self._source, None)

    async def _work(self) -> None:
        """One worker. All of them are fibers of one family, so nobody interferes between two traps."""
        while True:
            job = self._take()
            if job is not None:
                function, args = job
                self._running += 1
                try:
                    await function(*args)
                except BaseException as error:
                    self.error = self.error or error
                    if not isinstance(error, Exception):
                        self._wake()
                        raise
                finally:
                    self._running -= 1
            elif self._running:
                event = self._new_event()
                self._idle.append(event)
                await Wait(event)
            else:
                self._wake()
                return

    def _wake(self) -> None:
        """Have the workers that wait look whether all is done."""
        idle, self._idle = self._idle, []
        for event in idle:
            event.set()


async def in_order(
    core: Core,
    frame: Frame,
    function: Callable[[Core, Frame, A], Coro[R]],
    items: Iterable[A],
    limit: int = IN_FLIGHT,
) -> list[R]:
    """Call a coroutine function for each item, many at once; return the results in the items' order.

    Args:
        core: the session.
        frame: the operation's frame; each call gets one of its own.
        function: takes the core, a frame and an item.
        items: the items.
        limit: how many calls may be under way at once.

    Raises:
        Exception: the first that a call raised.
    """
    results: dict[int, R] = {}

    async def one(number: int, item: A) -> None:
        results[number] = await function(core, own_frame(frame), item)

    if isinstance(items, Sized):
        limit = min(limit, len(items))  # a worker without work costs as much as one with it
    jobs = InFlight(core.driver.new_event, limit)
    await jobs.run((one, (number, item)) for number, item in enumerate(items))
    return [results[number] for number in range(len(results))]


def own_frame(frame: Frame) -> Frame:
    """Return a frame for one of several jobs of an operation: each has its own state on the way."""
    own = Frame(frame.call, frame.identity)
    own.kept = None if frame.kept is None else False
    return own
