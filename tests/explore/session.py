"""One session, as a scenario's callers use it.

A caller is a coroutine; each of its operations begins with a *turn*, at which others may go on.
What an operation does, and what becomes of its result when nobody takes it, is the session's
(:class:`tests.explore.driven.DrivenSession`, or the real one of the asyncio face); what is kept
here is what the callers have been told: :mod:`tests.explore.checks` compares it with what is so.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from glusterio.api import directory, dup, handles, names, objects
from glusterio.api import leases as lease_ops
from glusterio.api import locks as lock_ops
from glusterio.api.attributes import stat
from glusterio.api.pins import Pin
from glusterio.api.switch_report import SwitchReport
from glusterio.api.switching import reload as reload_op
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.fiber import Fiber, for_caller
from glusterio.runtime.virtual import Until
from glusterio.traps import Coro
from glusterio.wire.programs import LeaseType
from tests.explore.volfiles import VOLFILES

Op = Callable[..., Coro[Any]]

MODES = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "r+": os.O_RDWR,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


async def _lease(core: Any, frame: Any, gfid: bytes, name: bytes, kind: LeaseType) -> Any:
    """Take a lease in somebody's name."""
    frame.identity = core.identity._replace(lease_id=name)
    return await lease_ops.take_of(core, frame, gfid, kind)


class Interrupted(asyncio.CancelledError):
    """What a task is cancelled with."""


class Interrupt(KeyboardInterrupt):
    """What a thread is interrupted with."""


class Accepted:
    """An asynchronous operation that was accepted.

    Attributes:
        times: how often it was completed.
        call: its call.
        then: called in its completion, if set.
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
        session: the session.
        turn: what an operation begins with.
        start: has a further caller run beside the others.

    Attributes:
        accepted: every asynchronous operation.
        written: what was written and acknowledged: path, offset, data.
        attempted: what was not acknowledged, and may be there or not.
        given_back: buffers that are their callers' again, and what is in them.
        locked: the numbers of handles by which callers hold a lock.
        locking: of those by which they ask for one.
        unlocking: of those by which they drop theirs.
        doubtful: of those by which they were about to when they were interrupted.
        forgone: of those by which they could not, since the connection was lost.
        errors: errors that callers were told.
        deadline: when the session has to be closed.
        closed_at: when each close was called, and when it returned.
        set_volfile: what another does to the volume: its volfile changes.
    """

    def __init__(
        self,
        session: Any,
        turn: Callable[[], Awaitable[None]],
        start: Callable[[str, Coroutine[Any, Any, Any]], Any],
    ) -> None:
        self.session = session
        self.driver = session.driver
        self.core = session.core
        self.accepted: list[Accepted] = []
        self.written: list[tuple[str, int, bytes]] = []
        self.attempted: list[tuple[str, int, bytes]] = []
        self.errors: list[BaseException] = []
        self.given_back: list[tuple[bytearray, bytes]] = []
        self.locked: set[int] = set()
        self.locking: list[int] = []
        self.unlocking: list[int] = []
        self.doubtful: set[int] = set()
        self.forgone: set[int] = set()
        self.deadline = math.inf
        self.closed_at: list[tuple[float, float]] = []
        self.set_volfile: Callable[[str], None] = lambda text: None
        self._turn = turn
        self._start = start

    @property
    def ended(self) -> bool:
        """Whether the session is closed, and its report there."""
        return self.core.report is not None

    async def connect(self, timeout: float = 30.0) -> None:
        await self._turn()
        await self.session.connect(timeout)

    async def sleep(self, seconds: float) -> None:
        """Let time pass; on the explorer's drivers, which have a clock to be looked at."""
        clock = self.driver.clock
        until = clock.now + seconds
        timer = clock.call_later(seconds, lambda: None)
        try:
            await Until(lambda: clock.now >= until)
        finally:
            timer.cancel()

    async def call(self, op: Op, handle: Handle | None, *args: Any) -> Any:
        """Run an operation."""
        await self._turn()
        try:
            return await self.session.call(op, handle, *args)
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
        await self._turn()
        handle: Handle = await self.session.open(
            handles.open_file, path, MODES[mode], 0o644, 0o22, ""
        )
        return handle

    async def opendir(self, path: str) -> Handle:
        await self._turn()
        handle: Handle = await self.session.open(handles.open_directory, path, "")
        return handle

    async def dup(self, handle: Handle) -> Handle:
        await self._turn()
        second: Handle = await self.session.take(dup.dup, handle, dup.give_back, "")
        return second

    async def find(self, path: str) -> Pin:
        """Take a gfid object."""
        await self._turn()
        pin: Pin = await self.session.take(objects.find, None, objects.give_back, path, True, "")
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
        await self._turn()
        section = lock_ops.Section(10)
        self.locking.append(handle.number)
        try:
            where = await self.session.take(
                lock_ops.lock, handle, lock_ops.give_back, section, False, seconds
            )
            self.locked.add(handle.number)
            self.forgone.discard(handle.number)
        finally:
            self.locking.remove(handle.number)
        return where

    async def unlock(self, handle: Handle) -> None:
        self.unlocking.append(handle.number)
        try:
            await self.call(lock_ops.unlock, handle, lock_ops.Section(10))
        except ConnectionError:
            self.locked.discard(handle.number)  # it is gone, and shall not be taken anew
            self.forgone.add(handle.number)
            raise
        except Exception:
            raise  # the session is closing: the lock goes with the handle
        except BaseException:
            self.locked.discard(handle.number)  # it is being dropped, if that was begun
            self.doubtful.add(handle.number)
            raise
        finally:
            self.unlocking.remove(handle.number)
        self.locked.discard(handle.number)

    async def reload(self, name: str | None, seconds: float = 30.0) -> SwitchReport:
        """Use another volfile, of :mod:`tests.explore.volfiles`, or the one that the daemon has now."""
        text = None if name is None else VOLFILES[name]
        report: SwitchReport = await self.call(reload_op, None, text, seconds)
        return report

    async def change(self, name: str) -> None:
        """Let somebody change the volume: the daemon tells all who follow it."""
        await self._turn()
        self.set_volfile(VOLFILES[name])

    async def lease(self, handle: Handle, name: bytes = b"lease") -> Any:
        """Take a lease on an open file."""
        await self._turn()
        return await self.session.take(
            _lease, None, lease_ops.give_back, handle.fd.gfid, name, LeaseType.READ
        )

    async def give_lease(self, taken: Any) -> None:
        """Give a lease back."""
        await self.call(lease_ops.drop, None, *taken)

    async def close_file(self, handle: Handle) -> None:
        await self._turn()
        try:
            await self.session.close_handle(handle)
        except Exception as error:
            self.errors.append(error)
            raise

    # -- the end ----------------------------------------------------------------------------------

    async def close(self, timeout: float = 5.0, grace: float = 2.0) -> TeardownReport:
        await self._turn()
        return await self._close(timeout, grace)

    def close_soon(self) -> None:
        """Have the session closed beside the caller, who may be in one of its callbacks."""
        self._start("a close", self._close(5.0, 2.0))

    def beside(self, name: str, script: Coroutine[Any, Any, Any]) -> None:
        """Have a further caller run beside the others."""
        self._start(name, script)

    async def _close(self, timeout: float, grace: float) -> TeardownReport:
        began = self.core.now()
        if self.core.session.state < SessionState.SETTLING:
            self.deadline = began + timeout
        try:
            report: TeardownReport = await self.session.close(timeout, grace)
            return report
        finally:
            self.closed_at.append((began, self.core.now()))
