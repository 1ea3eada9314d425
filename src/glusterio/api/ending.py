"""How a session ends: the steps of :data:`glusterio.lifecycle.drain.STEPS`, done.

One coroutine, for every driver. It can be interrupted and run again; it goes on where it was, because
what has been done is in the session's state and in the ledger.

Why it ends in time. Every wait is bounded by what is left of the deadline:

* *settle* waits for the admitted calls for the grace time, then cancels them. A cancelled call has
  nothing left to wait for; one that still does not end (its thread sits in a system call) is counted
  out when the deadline is over, and named in the report.
* *drain* starts every RELEASE at once and waits for the answers; a RELEASE waits for the deferred
  writes of its file. When the deadline is over the connections are cut: every reply that is still due
  then fails, every release ends, and the bricks let go of the fds because their client is gone. What
  was accepted and is not on a brick is then named in the report.
* the later steps wait for nothing but the closing of sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glusterio.api.closing import drop_handles, end_unheard
from glusterio.errors import ConnectionLostError, SessionClosedError
from glusterio.lifecycle.drain import DrainAction, plan
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.report import DrainedHandle, StepTime, TeardownReport
from glusterio.lifecycle.session import Call
from glusterio.lifecycle.states import HandleState, SessionEvent, SessionState
from glusterio.traps import Wait

if TYPE_CHECKING:
    from glusterio.api.core import Core
    from glusterio.runtime.fiber import Fiber

#: How long closing may take, and how much of it calls under way get to finish, in seconds.
CLOSE_TIMEOUT = 5.0
CLOSE_GRACE = 2.0

#: What a cancelled call gets to unwind in, and a cut connection's releases to end in, in seconds,
#: however little is left of the deadline. They have nothing to wait for; this is for a busy machine.
UNWINDING = 1.0

#: What is of no use to anybody once the gate is closed, and what whoever has called it is told.
_AT_ONCE = {
    "connect": "the session was closed while connecting",
    "next_of": "the session was closed",
    "reload": "the session was closed while its graph was being exchanged",
    "retire": "the session was closed",
    "follow": "the session was closed",
    "end_graph": "the session was closed",
}

#: How many RELEASEs are packed before they are sent, so that the brick has something to do meanwhile.
TOGETHER = 100


class HurriedError(Exception):
    """Interrupts a run of the ending, which is then run again with less time left."""


class Run:
    """A run of the ending, which gets to know its fiber: somebody may want it to hurry."""

    fiber: Fiber | None = None
    unwanted: Exception | None = None

    def hurry(self) -> None:
        """Interrupt the run; what it waits for was given the old deadline."""
        if self.fiber is not None:
            self.fiber.cancel(HurriedError())


class Ending:
    """The ending of one session.

    Args:
        core: the session, its gate closed.
        timeout: for the whole ending, in seconds.
        grace: how much of that the admitted calls get to finish by themselves, in seconds.
    """

    def __init__(self, core: Core, timeout: float, grace: float) -> None:
        self._core = core
        self._session = core.session
        self.report = TeardownReport(volume=core.session.name)
        self._started = core.now()
        self._deadline = self._started + timeout
        self._grace = grace
        self._awaited: dict[int, Handle] = {}  # what the drain found in the ledger
        self._drained: dict[int, Handle] = {}  # those of them that nobody had begun to close
        self._written: list[object] = []  # kept until their handles are closed
        self._cut = False  # every connection was
        self.report.steps.append(StepTime("gate", 0.0))

    def hurry(self, seconds: float = 0.0) -> None:
        """Let the deadline be now, or in so many seconds; the grace is half of that."""
        self._deadline = min(self._deadline, self._core.now() + seconds)
        self._grace = min(self._grace, seconds / 2)

    async def run(self) -> TeardownReport:
        """Bring the session to its end, from wherever it is. Returns the report."""
        session = self._session
        if session.state is SessionState.SETTLING:
            with self._step("settle"):
                self._core.upcalls.end()
                await self._settle()
                session.apply(SessionEvent.SETTLED)
        if session.state is SessionState.DRAINING:
            with self._step("drain"):
                self._write_out()
                await self._drain()
            with self._step("relatives"):
                # Directory streams are handles of the ledger. What is left there could only be a
                # defect; objects are their user's to leave.
                self.report.objects += self._core.pins.end()
                if not await self._core.upcalls.ended(max(self._left(), UNWINDING)):
                    late = TimeoutError("a callback for upcalls has not returned")
                    self.report.errors.append(late)
                self._strike_off()
                session.apply(SessionEvent.DRAINED)
        if session.state is SessionState.PARTING:
            with self._step("disconnect"):
                await self._core.management.end()
                for graph in self._core.graphs:
                    await graph.top.sever(None)
                session.apply(SessionEvent.PARTED)
        if session.state is SessionState.CHECKING:
            with self._step("inodes"):
                self.report.defects += self._core.inodes.check()
                self._core.inodes.clear()
                session.apply(SessionEvent.CHECKED)
        if session.state is SessionState.ENDING:
            with self._step("translators"):
                for graph in self._core.graphs:
                    self.report.errors += await graph.fini()
                    for xlator in graph.xlators:
                        xlator.parents.clear()  # no cycle shall keep a session in memory
                session.apply(SessionEvent.ENDED)
        monitor = self._core.monitor
        if monitor is not None and monitor.wrong is not None:
            self.report.defects.append(f"what the session did was not right: {monitor.wrong}")
        level = logging.INFO if self.report.graceful else logging.WARNING
        self._core.log.log(level, "%s", str(self.report))  # it knows errors, too
        return self.report

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        """Time a step, also one that is interrupted."""
        started = self._core.now()
        try:
            yield
        finally:
            self.report.steps.append(StepTime(name, self._core.now() - started))

    def _left(self) -> float:
        return max(0.0, self._deadline - self._core.now())

    # -- settle -----------------------------------------------------------------------------------

    async def _settle(self) -> None:
        session, report = self._session, self.report
        calls = session.calls_under_way()
        report.calls_settled = len(calls)
        for call in calls:
            if call.op in _AT_ONCE:
                _cancel(call, _AT_ONCE[call.op])
        if await Wait(session.idle, min(self._grace, self._left())):
            return
        overdue = session.calls_under_way()
        for call in overdue:
            _cancel(call, f"{call.op}: the session was closed while it was under way")
        if not await Wait(session.idle, max(self._left(), UNWINDING)):
            for call in session.calls_under_way():
                report.errors.append(
                    TimeoutError(f"{call.op} did not end within the time given to close")
                )
                session.disown(call)
        report.calls_cancelled = [call.op for call in overdue]
        report.calls_settled = max(0, len(calls) - len(overdue))

    # -- drain ------------------------------------------------------------------------------------

    def _write_out(self) -> None:
        """Have the application's own buffers written, which Python's file objects keep."""
        for handle in self._session.handles():
            if handle.deferred is not None:
                deferred, handle.deferred = handle.deferred, None
                self._written.append(deferred)
                try:
                    deferred(self._left())
                except Exception as error:
                    handle.error = error
                    self.report.errors.append(error)
                except BaseException:
                    handle.deferred = deferred  # interrupted: the next run tries again, or says so
                    raise

    async def _drain(self) -> None:
        session = self._session
        closing = []
        for handle, action in plan(session.handles()):
            self._awaited[handle.number] = handle
            if handle.state is not HandleState.CLOSING:
                self._drained[handle.number] = handle
            if action is DrainAction.RELEASE:
                closing.append(handle)
            elif action is DrainAction.DROP:
                session.drop(handle)
        for first in range(0, len(closing), TOGETHER):
            await drop_handles(self._core, closing[first : first + TOGETHER])
        waiting = list(self._awaited.values())
        for handle in reversed(waiting):  # the answer that comes last is the one to wait for
            if not handle.gone.is_set and not await Wait(handle.gone, self._left()):
                await self._cut_off()
                unwound = self._core.now() + UNWINDING  # all of them together, not each
                for other in waiting:
                    if not other.gone.is_set:
                        await Wait(other.gone, max(0.0, unwound - self._core.now()))
                break
        self._written.clear()
        self._report_handles(waiting)

    async def _cut_off(self) -> None:
        """The deadline is over: cut the connections, so that every release ends."""
        left = len(self._session.ledger)
        error = ConnectionLostError(
            f"{left} handles were not released within the time given to close; their bricks let go"
            " of them because the connection was cut"
        )
        self.report.errors.append(error)
        for graph in self._core.graphs:
            await graph.top.sever(error)
        self._cut = True

    def _report_handles(self, handles: list[Handle]) -> None:
        self.report.handles = [
            DrainedHandle(handle.path, handle.kind.value, handle.opened_at, handle.error)
            for handle in self._drained.values()
        ]
        further = [handle.error for handle in handles if handle.error is not None]
        for error in further + self._core.untold:
            if error not in self.report.errors:
                self.report.errors.append(error)
        # Somebody may still be cancelled before he took an error that he was to be told.
        self._core.untold = self._core.driver.untold = self.report.errors

    def _strike_off(self) -> None:
        """Leave nothing in the ledger: what is there after the drain was not heard of in time."""
        for handle in self._session.handles():
            if self._cut and end_unheard(self._core, handle):
                error = ConnectionLostError(
                    f"{handle.path}: it was not heard in time that its brick has let go of it; what"
                    " was written to it last may be lost"
                )
                handle.error = handle.error or error
                self.report.errors.append(error)
                continue
            self.report.defects.append(f"{handle!r} could not be closed")
            self._session.strike(handle)


def _cancel(call: Call, why: str) -> None:
    """Have a call give up. One without a fiber yet is told when it gets it."""
    error = call.unwanted = SessionClosedError(why)
    fiber = call.fiber
    if fiber is not None:
        fiber.cancel(error)
