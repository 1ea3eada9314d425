"""A session on the exploring driver: what the two faces do around the core, step by step.

It has the methods of :class:`glusterio.api.aio.session.AioSession`. Callers are tasks, and then it
does what that one does, or threads, and then what
:class:`glusterio.api.threads.session.ThreadsSession` does: how an operation runs, what becomes of
it when its caller is interrupted, and how a close that is interrupted hurries.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from glusterio.api.closing import close_at_once, close_handle
from glusterio.api.core import Core
from glusterio.api.ending import Ending
from glusterio.api.url import Target
from glusterio.errors import ForkedSessionError, SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.trace import TraceHook
from glusterio.runtime.explore import ExploreDriver
from glusterio.runtime.fiber import Fiber
from glusterio.runtime.virtual import Clock, Reach, Until
from glusterio.traps import Coro

Op = Callable[..., Coro[Any]]


class _HurryError(Exception):
    """Interrupts a run of the ending, which is then run again with no time left."""


class _Step:
    fiber: Fiber | None = None
    unwanted: Exception | None = None


class DrivenSession:
    """One session.

    Args:
        clock: the time.
        reach: finds servers.
        target: the volume.
        trace: receives each transition.
        start: has a further caller run beside the others.
        threads: whether callers are threads; else they are tasks.
    """

    def __init__(
        self,
        clock: Clock,
        reach: Reach,
        target: Target,
        trace: TraceHook | None,
        start: Callable[[str, Coroutine[Any, Any, Any]], Any],
        *,
        threads: bool,
    ) -> None:
        self.threads = threads
        self.driver = ExploreDriver(clock, reach, eager=not threads)
        self.core = Core(self.driver, target, trace)
        self.run = self.driver.run_on_thread if threads else self.driver.run
        self.ended = False
        self._ending: Ending | None = None
        self._step = _Step()
        self._start = start

    async def connect(self, timeout: float) -> None:
        """See :meth:`glusterio.api.aio.session.AioSession.connect`."""
        call = self.core.session.begin_connect()
        try:
            await self.run(self.core.connect(timeout), call, self.core.left)
        except GeneratorExit:
            raise
        except BaseException:
            await self.close(1.0, 0.0)
            raise

    async def call(self, op: Op, handle: Handle | None, *args: Any) -> Any:
        """Run an operation for a caller."""
        coro, call = self.core.begin(op, handle, *args)
        return await self.run(coro, call, self.core.left)

    async def open(self, op: Op, *args: Any) -> Handle:
        """Run an operation that opens something."""
        coro, call = self.core.begin(op, None, *args)
        handle: Handle = await self.run(coro, call, self.core.left, self._close_unwanted)
        return handle

    async def take(self, op: Op, handle: Handle | None, give_back: Op, *args: Any) -> Any:
        """Run an operation that takes something."""
        coro, call = self.core.begin(op, handle, *args)

        def unwanted(result: Any) -> None:
            self._detach(give_back(self.core, Frame(), handle, result))

        return await self.run(coro, call, self.core.left, unwanted)

    async def close_handle(self, handle: Handle) -> None:
        """Close a handle."""
        if close_at_once(self.core, handle):
            return
        try:
            await self.call(close_handle, None, handle)
        except SessionClosedError as error:
            if isinstance(error, ForkedSessionError):
                raise

    def _close_unwanted(self, handle: Handle) -> None:
        self._detach(close_handle(self.core, Frame(), handle))

    def _detach(self, coro: Coro[Any]) -> None:
        self.driver.start_detached(coro, lambda fiber: None)

    # -- the end ----------------------------------------------------------------------------------

    async def close(self, timeout: float, grace: float) -> TeardownReport:
        """End the session, or wait for the end that another caller has begun."""
        if self.threads:
            return await self._close_on_thread(timeout, grace)
        return await self._close_as_task(timeout, grace)

    async def _close_on_thread(self, timeout: float, grace: float) -> TeardownReport:
        core = self.core
        if not core.session.close_gate():
            await Until(lambda: self.ended)
            assert core.report is not None
            return core.report
        self._ending = ending = Ending(core, timeout, grace)
        interrupt: BaseException | None = None
        try:
            while True:
                try:
                    await self.run(ending.run())
                    break
                except GeneratorExit:
                    raise
                except BaseException as error:
                    if interrupt is not None and isinstance(error, Exception):
                        raise
                    interrupt = interrupt or error
                    ending.hurry()
            if interrupt is not None:
                raise interrupt
        finally:
            self._stopped(ending)
        assert core.report is not None
        return core.report

    async def _close_as_task(self, timeout: float, grace: float) -> TeardownReport:
        if self._ending is None:
            self.core.session.close_gate()
            self._ending = Ending(self.core, timeout, grace)
            self._start("the ending", self._run_ending(self._ending))
        interrupt: BaseException | None = None
        while not self.ended:
            try:
                await Until(lambda: self.ended)
            except GeneratorExit:
                raise
            except BaseException as error:
                interrupt = error
                self._ending.hurry()
                if self._step.fiber is not None:
                    self._step.fiber.cancel(_HurryError())
        if interrupt is not None:
            raise interrupt
        assert self.core.report is not None
        return self.core.report

    async def _run_ending(self, ending: Ending) -> None:
        await Until(lambda: True)
        try:
            while True:
                try:
                    await self.run(ending.run(), self._step)
                    break
                except _HurryError:
                    pass
        finally:
            self._step.fiber = None
            self._stopped(ending)

    def _stopped(self, ending: Ending) -> None:
        self.driver.stop()
        self.core.report = ending.report
        self.ended = True

    def forget_after_fork(self) -> None:
        """Become, in a child process, a dead session."""
        self.core.session.forked(self.driver.new_lock())
        self.core.pins.forked(self.driver.new_lock())
        self.driver.forget()
