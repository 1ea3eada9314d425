"""A session on the asyncio driver: how the asyncio face runs operations, and ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import Any

from glusterio.api import live
from glusterio.api.call_site import call_site
from glusterio.api.closing import close_at_once, close_handle
from glusterio.api.core import Core
from glusterio.api.ending import UNWINDING, Ending, HurriedError, Run
from glusterio.api.url import Target
from glusterio.errors import (
    CloseFromCallbackError,
    ConnectionLostError,
    ForkedSessionError,
    SessionClosedError,
)
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.states import SessionState
from glusterio.lifecycle.trace import TraceHook
from glusterio.runtime.aio import AioDriver
from glusterio.traps import Coro

Op = Callable[..., Coro[Any]]


#: Why nothing can be sent any more.
_LOOP_GONE = ConnectionLostError("the event loop was closed before the session")


class AioSession:
    """One session, used by any number of tasks of one event loop.

    Args:
        target: which volume.
        trace: receives every transition of the lifecycle, or ``None``.
    """

    def __init__(self, target: Target, trace: TraceHook | None = None) -> None:
        self.driver = AioDriver(asyncio.get_running_loop())
        self.core = Core(self.driver, target, trace)
        self._end: asyncio.Task[TeardownReport] | None = None
        self._run = Run()
        self.connected_at = call_site()
        live.add(self)

    async def connect(self, timeout: float) -> None:
        """Connect. When that fails, or is cancelled, nothing is left.

        Args:
            timeout: in seconds.

        Raises:
            What :meth:`glusterio.api.core.Core.connect` raises.
        """
        call = self.core.session.begin_connect()
        try:
            self.driver.start()
            await self.driver.run(self.core.connect(timeout), call, self.core.left)
        except GeneratorExit:  # dropped, in the child of a fork for one
            raise
        except BaseException:
            await self.close(timeout=1.0, grace=0.0)
            raise

    async def call(self, op: Op, handle: Handle | None, *args: Any) -> Any:
        """Run an operation for this task."""
        coro, call = self.core.begin(op, handle, *args)
        return await self.driver.run(coro, call, self.core.left)

    async def open(self, op: Op, *args: Any) -> Handle:
        """Run an operation that opens something; a cancellation does not lose what it opened."""
        coro, call = self.core.begin(op, None, *args)
        handle: Handle = await self.driver.run(coro, call, self.core.left, self._close_unwanted)
        return handle

    async def take(self, op: Op, handle: Handle | None, give_back: Op, *args: Any) -> Any:
        """Run an operation that takes something; a cancellation does not lose what it took.

        Args:
            op: the operation.
            handle: the handle that it borrows, or ``None``.
            give_back: an operation that gets the result when nobody else does.
            args: further arguments.
        """
        coro, call = self.core.begin(op, handle, *args)

        def unwanted(result: Any) -> None:
            self.driver.start_detached(
                give_back(self.core, Frame(), handle, result), lambda fiber: None
            )

        return await self.driver.run(coro, call, self.core.left, unwanted)

    async def close_handle(self, handle: Handle) -> None:
        """Close a handle; nothing happens if it is closed, or if the session is ending."""
        if close_at_once(self.core, handle):
            return
        try:
            await self.call(close_handle, None, handle)
        except SessionClosedError as error:
            if isinstance(error, ForkedSessionError):
                raise

    def _close_unwanted(self, handle: Handle) -> None:
        self.driver.start_detached(close_handle(self.core, Frame(), handle), lambda fiber: None)

    async def close(self, timeout: float, grace: float) -> TeardownReport:
        """End the session, or wait for the end that another task has begun.

        The ending is a task of its own, so that cancelling a caller does not cut it short: a cancelled
        caller makes it hurry and waits for it all the same, which is bounded.

        Raises:
            ForkedSessionError: the session is the parent process's.
            CloseFromCallbackError: called from another event loop than the session's.
        """
        if self.core.session.state is SessionState.FORKED:
            self.core.session.close_gate()  # raises
        if self.core.report is not None:
            return self.core.report
        if asyncio.get_running_loop() is not self.driver.loop:
            raise CloseFromCallbackError(
                "a session is closed on the event loop that it was made on"
            )
        if self._end is None:
            self.core.session.close_gate()
            ending = Ending(self.core, timeout, grace)
            self._ending = ending
            self._end = self.driver.loop.create_task(
                self._run_ending(ending), name="glusterio-close"
            )
        cancelled: asyncio.CancelledError | None = None
        while not self._end.done():
            try:
                await asyncio.shield(self._end)
            except asyncio.CancelledError as error:
                cancelled = error
                self._hurry()
        if cancelled is not None:
            raise cancelled
        return self._end.result()

    def _hurry(self) -> None:
        self._ending.hurry()
        self._run.hurry()

    async def _run_ending(self, ending: Ending) -> TeardownReport:
        try:
            while True:
                try:
                    await self.driver.run(ending.run(), self._run)
                    break
                except HurriedError:
                    pass
                except asyncio.CancelledError:  # the loop is about to end, and this with it
                    ending.hurry()
        finally:
            self._run.fiber = None  # no cycle shall keep the session in memory
            if self.core.session.state is not SessionState.FORKED:  # else it is the parent's
                await self.driver.stop()
                self.core.report = ending.report
                live.discard(self)
        return ending.report

    def close_at_exit(self, timeout: float) -> None:
        """Close at interpreter exit, when nobody else can hear of what went wrong.

        A loop that still runs, on a daemon thread, does it; one that has stopped runs once more. One
        that is closed has left the sockets to nobody: they are closed, by which the bricks let go of
        everything, and what was not sent is told to be lost.
        """
        loop = self.driver.loop
        begun = self._end is not None
        if loop.is_closed():
            self._end_without_loop()
        elif not loop.is_running():
            loop.run_until_complete(self.close(timeout, timeout / 2))
        else:
            closing = asyncio.run_coroutine_threadsafe(self._close_in(timeout), loop)
            with contextlib.suppress(concurrent.futures.TimeoutError):
                closing.result(timeout + 2 * UNWINDING)
        if not begun:
            live.warn_of_exit(self.core.target.volume, self.connected_at)
        report = self.core.report
        if report is None:
            self.core.log.last_words(f"at interpreter exit, {self.core.session!r} has not ended")
        elif not report.graceful:
            self.core.log.last_words(f"at interpreter exit, {report}")

    async def _close_in(self, timeout: float) -> None:
        """Close; or have a close that has begun hurry, which gets as much time as this one would."""
        if self._end is not None:
            self._ending.hurry(timeout)
            self._run.hurry()
        await self.close(timeout, timeout / 2)

    def _end_without_loop(self) -> None:
        """Bring the session to its end on a loop that is there for nothing else."""
        session = self.core.session
        if self._end is None:
            session.close_gate()
        for (
            call
        ) in session.calls_under_way():  # tasks of the closed loop: nobody runs them any more
            session.disown(call)
            if call.fiber is not None:
                call.fiber.orphaned = True
        with asyncio.Runner() as runner:
            self.driver.move_to(runner.get_loop())
            runner.run(self._sever_and_end(Ending(self.core, 0.0, 0.0)))

    async def _sever_and_end(self, ending: Ending) -> TeardownReport:
        if self.core.graph is not None:
            await self.driver.run(self.core.graph.top.sever(_LOOP_GONE))
        return await self._run_ending(ending)

    def forget_after_fork(self) -> None:
        """Become, in a child process, a dead session."""
        self.core.session.forked(self.driver.new_lock())
        self.core.pins.forked(self.driver.new_lock())
        self.core.upcalls.forked()
        self.driver.forget()
