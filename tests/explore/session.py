"""One session, as a scenario's callers use it: what the two faces do around the core, step by step.

A caller is a coroutine; each of its operations begins with a rest, at which others may go on. As
the scenario has it, callers are tasks (:class:`glusterio.api.aio.session.AioSession`) or threads
(:class:`glusterio.api.threads.session.ThreadsSession`): how an operation runs, what becomes of it
when its caller is interrupted, and how a close that is interrupted hurries, follows the one or the
other.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Coroutine
from typing import Any

from glusterio.api import directory, dup, handles, names, objects
from glusterio.api import locks as lock_ops
from glusterio.api.attributes import stat
from glusterio.api.core import Core
from glusterio.api.ending import Ending
from glusterio.api.pins import Pin
from glusterio.api.url import Target
from glusterio.errors import ForkedSessionError, SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.trace import TraceHook
from glusterio.runtime.explore import ExploreDriver
from glusterio.runtime.fiber import Fiber, for_caller
from glusterio.runtime.virtual import Clock, Reach, Until
from glusterio.traps import Coro

Op = Callable[..., Coro[Any]]

MODES = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "r+": os.O_RDWR,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


class Interrupted(asyncio.CancelledError):
    """What a task is cancelled with."""


class Interrupt(KeyboardInterrupt):
    """What a thread is interrupted with."""


class _HurryError(Exception):
    """Interrupts a run of the ending, which is then run again with no time left."""


class _Step:
    fiber: Fiber | None = None
    unwanted: Exception | None = None


class Accepted:
    """An asynchronous operation that was accepted.

    Attributes:
        times: how often it was completed.
        call: its call.
    """

    def __init__(self, call: Any) -> None:
        self.call = call
        self.times = 0
        self.value: Any = None
        self.error: BaseException | None = None
        self.then: Callable[[], None] | None = None


class App:
    """One session.

    Args:
        clock: the time.
        reach: finds servers.
        target: the volume.
        threads: whether callers are threads; else they are tasks.
        start: has a further caller run beside the others.
        trace: receives each transition.

    Attributes:
        accepted: every asynchronous operation.
        written: what was written and acknowledged: path, offset, data.
        attempted: what was not acknowledged, and may be there or not.
        given_back: buffers that are their callers' again, and what is in them.
        locked: the numbers of handles by which callers hold a lock.
        locking: of those by which they ask for one.
        errors: errors that callers were told.
        deadline: when the session has to be closed.
        closed_at: when each close was called, and when it returned.
    """

    def __init__(
        self,
        clock: Clock,
        reach: Reach,
        target: Target,
        start: Callable[[str, Coroutine[Any, Any, Any]], Any],
        *,
        threads: bool = False,
        trace: TraceHook | None = None,
    ) -> None:
        self.threads = threads
        self.driver = ExploreDriver(clock, reach, eager=not threads)
        self.core = Core(self.driver, target, trace)
        self.run = self.driver.run_on_thread if threads else self.driver.run
        self.accepted: list[Accepted] = []
        self.written: list[tuple[str, int, bytes]] = []
        self.attempted: list[tuple[str, int, bytes]] = []
        self.errors: list[BaseException] = []
        self.given_back: list[tuple[bytearray, bytes]] = []
        self.locked: set[int] = set()
        self.locking: list[int] = []
        self.deadline = math.inf
        self.closed_at: list[tuple[float, float]] = []
        self.ended = False
        self._ending: Ending | None = None
        self._step = _Step()
        self._start = start

    # -- connecting -------------------------------------------------------------------------------

    async def connect(self, timeout: float = 30.0) -> None:
        await _begin()
        call = self.core.session.begin_connect()
        try:
            await self.run(self.core.connect(timeout), call, self.core.left)
        except GeneratorExit:
            raise
        except BaseException:
            await self._close(1.0, 0.0)
            raise

    # -- running ----------------------------------------------------------------------------------

    async def call(self, op: Op, handle: Handle | None, *args: Any) -> Any:
        """Run an operation."""
        await _begin()
        coro, call = self.core.begin(op, handle, *args)
        try:
            return await self.run(coro, call, self.core.left)
        except Exception as error:
            self.errors.append(error)
            raise

    def submit(self, op: Op, handle: Handle | None, *args: Any) -> Accepted:
        """Start an operation that nobody waits for."""
        core = self.core
        coro, call = core.begin(op, handle, *args)
        accepted = Accepted(call)

        def done(fiber: Fiber) -> None:
            try:
                accepted.times += 1
                accepted.value = fiber.value
                if fiber.error is not None:
                    accepted.error = for_caller(fiber.error, call)
                    self.errors.append(accepted.error)
                if accepted.then is not None:
                    accepted.then()
            finally:
                core.left(call)

        self.accepted.append(accepted)
        self.driver.start_detached(coro, done, call)
        return accepted

    # -- operations -------------------------------------------------------------------------------

    async def open(self, path: str, mode: str = "r") -> Handle:
        await _begin()
        core = self.core
        coro, call = core.begin(handles.open_file, None, path, MODES[mode], 0o644, 0o22, "")
        handle: Handle = await self.run(coro, call, core.left, self._close_unwanted)
        return handle

    async def opendir(self, path: str) -> Handle:
        await _begin()
        core = self.core
        coro, call = core.begin(handles.open_directory, None, path, "")
        handle: Handle = await self.run(coro, call, core.left, self._close_unwanted)
        return handle

    def _close_unwanted(self, handle: Handle) -> None:
        self._detach(handles.close_handle(self.core, Frame(), handle))

    def _detach(self, coro: Coro[Any]) -> None:
        self.driver.start_detached(coro, lambda fiber: None)

    async def dup(self, handle: Handle) -> Handle:
        await _begin()
        coro, call = self.core.begin(dup.dup, handle, "")
        second: Handle = await self.run(coro, call, self.core.left, self._close_unwanted)
        return second

    async def find(self, path: str) -> Pin:
        """Take a gfid object."""
        await _begin()
        coro, call = self.core.begin(objects.find, None, path, True, "")

        def unwanted(pin: Pin) -> None:
            self._detach(objects.give_back(self.core, Frame(), None, pin))

        pin: Pin = await self.run(coro, call, self.core.left, unwanted)
        return pin

    def drop(self, pin: Pin) -> None:
        """Let go of a gfid object."""
        self.core.pins.drop(pin)

    async def read(self, handle: Handle, size: int = 100, offset: int = 0) -> bytes:
        data: bytes = await self.call(handles.pread, handle, size, offset)
        return data

    async def read_into(self, handle: Handle, size: int = 100) -> None:
        """Read into a buffer, which is the caller's own again when this returns or raises."""
        buffer = bytearray(size)
        try:
            await self.call(handles.read_into, handle, memoryview(buffer), 0)
        finally:
            self.given_back.append((buffer, bytes(buffer)))

    async def write(self, handle: Handle, data: bytes, offset: int = 0) -> None:
        attempt = (handle.path, offset, data)
        self.attempted.append(attempt)
        await self.call(handles.pwrite, handle, data, offset)
        self.attempted.remove(attempt)
        self.written.append(attempt)

    async def fsync(self, handle: Handle) -> None:
        await self.call(handles.fsync, handle, False)

    async def fstat(self, handle: Handle) -> Any:
        return await self.call(handles.fstat, handle)

    async def list(self, handle: Handle) -> list[str]:
        found: list[str] = []
        cursor = directory.Cursor(handle.path)
        while not cursor.is_last:
            batch = await self.call(directory.read_directory, handle, cursor.offset)
            found += cursor.follow(batch).names
        return found

    async def unlink(self, path: str) -> None:
        await self.call(names.unlink, None, path)

    async def stat(self, path: str) -> Any:
        return await self.call(stat, None, path, True)

    async def lock(self, handle: Handle, seconds: float | None = None) -> Any:
        await _begin()
        coro, call = self.core.begin(lock_ops.lock, handle, lock_ops.Section(10), False, seconds)

        def unwanted(result: Any) -> None:
            self._detach(lock_ops.give_back(self.core, Frame(), handle, result))

        self.locking.append(handle.number)
        try:
            where = await self.run(coro, call, self.core.left, unwanted)
            self.locked.add(handle.number)
        finally:
            self.locking.remove(handle.number)
        return where

    async def unlock(self, handle: Handle) -> None:
        try:
            await self.call(lock_ops.unlock, handle, lock_ops.Section(10))
        except Exception:
            raise  # the session is closing: the lock goes with the handle
        except BaseException:
            self.locked.discard(handle.number)  # it is being dropped
            raise
        self.locked.discard(handle.number)

    async def close_file(self, handle: Handle) -> None:
        await _begin()
        if handles.close_at_once(self.core, handle):
            return
        try:
            await self.call(handles.close_handle, None, handle)
        except SessionClosedError as error:
            if isinstance(error, ForkedSessionError):
                raise

    # -- the end ----------------------------------------------------------------------------------

    async def close(self, timeout: float = 5.0, grace: float = 2.0) -> TeardownReport:
        await _begin()
        return await self._close(timeout, grace)

    def close_soon(self) -> None:
        """Have the session closed beside the caller, who may be in one of its callbacks."""
        self._start("a close", self._close(5.0, 2.0))

    async def _close(self, timeout: float, grace: float) -> TeardownReport:
        started = self.core.now()
        try:
            if self.threads:
                return await self._close_on_thread(timeout, grace)
            return await self._close_as_task(timeout, grace)
        finally:
            self.closed_at.append((started, self.core.now()))

    async def _close_on_thread(self, timeout: float, grace: float) -> TeardownReport:
        core = self.core
        if not core.session.close_gate():
            await Until(lambda: self.ended)
            assert core.report is not None
            return core.report
        self._ending = ending = Ending(core, timeout, grace)
        self.deadline = core.now() + timeout
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
            self.deadline = self.core.now() + timeout
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
        self.driver.forget()


async def _begin() -> None:
    await Until(_always, begins=True)


def _always() -> bool:
    return True
