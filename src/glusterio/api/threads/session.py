"""A session on the threads driver: how the sync face runs, submits, and ends."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

from glusterio.api import live
from glusterio.api.call_site import call_site
from glusterio.api.closing import close_at_once, close_handle
from glusterio.api.core import Core
from glusterio.api.ending import UNWINDING, Ending, HurriedError, Run
from glusterio.api.url import Target
from glusterio.errors import ForkedSessionError, SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.states import SessionState
from glusterio.lifecycle.trace import TraceHook
from glusterio.runtime.callbacks import ends_program
from glusterio.runtime.fiber import Fiber, for_caller
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Within

Op = Callable[..., Coro[Any]]


class ThreadsSession:
    """One session, used by any number of threads.

    Args:
        target: which volume.
        trace: receives every transition of the lifecycle, or ``None``.
    """

    def __init__(self, target: Target, trace: TraceHook | None = None) -> None:
        self.driver = ThreadsDriver()
        self.core = Core(self.driver, target, trace)
        self._ended = threading.Event()
        self._closing = threading.Lock()  # whose it is, is ending the session
        self._ending: Ending | None = None
        self._run = Run()
        self.connected_at = call_site()
        live.add(self)

    def connect(self, timeout: float) -> None:
        """Connect. When that fails nothing is left.

        Args:
            timeout: in seconds.

        Raises:
            What :meth:`glusterio.api.core.Core.connect` raises.
        """
        call = self.core.session.begin_connect()
        try:
            self.driver.run(self.core.connect(timeout), call, self.core.left)
        except BaseException:
            self.close(timeout=1.0, grace=0.0)
            raise

    # -- operations -------------------------------------------------------------------------------

    def call(self, op: Op, handle: Handle | None, *args: Any) -> Any:
        """Run an operation on this thread.

        :meth:`Core.begin` is written out, which saves 40 of the interpreter's instructions.
        """
        driver, core = self.driver, self.core
        driver.check_not_inside()
        session = core.session
        frame = Frame()
        run = op if core.callings is None else core.callings.prepared(op, frame)
        coro = run(core, frame, *args) if handle is None else run(core, frame, handle, *args)
        try:
            call = frame.call = session.admit(op.__name__, handle)
        except BaseException:
            coro.close()
            raise
        return driver.run(coro, call, session.leave)

    def open(self, op: Op, *args: Any) -> Handle:
        """Run an operation that opens something; an interrupt does not lose what it opened."""
        self.driver.check_not_inside()
        coro, call = self.core.begin(op, None, *args)
        handle: Handle = self.driver.run(coro, call, self.core.left, self._close_unwanted)
        return handle

    def take(self, op: Op, handle: Handle | None, give_back: Op, *args: Any) -> Any:
        """Run an operation that takes something; an interrupt does not lose what it took.

        Args:
            op: the operation.
            handle: the handle that it borrows, or ``None``.
            give_back: an operation that gets the result when nobody else does.
            args: further arguments.
        """
        self.driver.check_not_inside()
        coro, call = self.core.begin(op, handle, *args)

        def unwanted(result: Any) -> None:
            self.driver.start_detached(
                give_back(self.core, Frame(), handle, result), lambda fiber: None
            )

        return self.driver.run(coro, call, self.core.left, unwanted)

    def submit(self, op: Op, handle: Handle | None, *args: Any) -> concurrent.futures.Future[Any]:
        """Start an operation; the future is completed exactly once, also when the session closes.

        Its callbacks run on whichever thread receives the reply; of what they raise see
        :mod:`glusterio.runtime.callbacks`.
        """
        self.driver.check_not_inside()
        coro, call = self.core.begin(op, handle, *args)
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()

        def done(fiber: Fiber) -> None:
            try:
                error = fiber.error
                if error is None:
                    future.set_result(fiber.value)
                else:
                    future.set_exception(for_caller(error, call))
            except BaseException as error:  # a callback's, and not what the future itself logs
                if ends_program(error):
                    raise
                self.core.log.error("a callback of a future failed", exc_info=error)
            finally:
                # After the callbacks: a close that settles this call has seen them delivered.
                self.core.left(call)

        self.driver.start_detached(coro, done, call)
        return future

    def draining(self, seconds: float, op: Op, handle: Handle, *args: Any) -> Any:
        """Run an operation of the drain's own on a handle, past the gate, for at most ``seconds``."""
        return self.driver.run(_within(seconds, op(self.core, Frame(), handle, *args)))

    def close_handle(self, handle: Handle) -> None:
        """Close a handle; nothing happens if it is closed, or if the session is ending."""
        self.driver.check_not_inside()
        if close_at_once(self.core, handle):
            return
        try:
            self.call(close_handle, None, handle)
        except SessionClosedError as error:
            if isinstance(error, ForkedSessionError):
                raise

    def _close_unwanted(self, handle: Handle) -> None:
        self.driver.start_detached(close_handle(self.core, Frame(), handle), lambda fiber: None)

    # -- the end ----------------------------------------------------------------------------------

    def close(self, timeout: float, grace: float) -> TeardownReport:
        """End the session, or wait for the end that another thread has begun.

        Returns when everything is done, at the latest ``timeout`` and a moment after the call: see
        :mod:`glusterio.api.ending`. An interrupt makes it hurry, and is raised when it is done.

        Raises:
            CloseFromCallbackError: called from inside one of the session's own operations.
            ForkedSessionError: the session is the parent process's.
        """
        core = self.core
        if self._ended.is_set() and core.report is not None:
            return core.report
        self.driver.check_may_block_for_others()
        core.session.close_gate()
        with self._closing:  # an end that an interrupt has cut short is gone on with
            if not self._ended.is_set():
                self._end(timeout, grace)
        assert core.report is not None
        return core.report

    def _end(self, timeout: float, grace: float) -> None:
        """Bring the session to its end, from wherever it is."""
        core = self.core
        ending = self._ending = self._ending or Ending(core, timeout, grace)
        interrupt: BaseException | None = None
        try:
            while True:
                try:
                    self.driver.run(ending.run(), self._run)
                    break
                except HurriedError:
                    pass
                except BaseException as error:
                    if interrupt is not None and isinstance(error, Exception):
                        raise  # no interrupt: it would come again
                    interrupt = interrupt or error
                    ending.hurry()
            if interrupt is not None:
                raise interrupt
        finally:
            interrupt = self._run.fiber = None  # no reference cycle keeps the session in memory
            try:
                try:
                    self.driver.stop()
                except BaseException:  # an interrupt
                    self.driver.stop()
                    raise
            finally:  # whoever waits for this end hears of it, also when it was interrupted
                core.report = ending.report
                live.discard(self)
                self._ended.set()

    def close_at_exit(self, timeout: float) -> None:
        """Close at interpreter exit, when nobody else can hear of what went wrong.

        A close that another thread, a daemon, is in the middle of gets as much time as this one would.
        """
        if not self._closing.locked():
            self.close(timeout, timeout / 2)
            live.warn_of_exit(self.core.target.volume, self.connected_at)
        elif self._ending is not None:
            self._ending.hurry(timeout)
            self._run.hurry()
            self._ended.wait(timeout + 2 * UNWINDING)
        report = self.core.report
        if report is None:
            self.core.log.last_words(f"at interpreter exit, {self.core.session!r} has not ended")
        elif not report.graceful:
            self.core.log.last_words(f"at interpreter exit, {report}")

    def forget_after_fork(self) -> None:
        """Become, in a child process, a dead session."""
        session = self.core.session
        self.driver.forget()
        session.forked(self.driver.new_lock())
        self.core.pins.forked(self.driver.new_lock())
        self.core.upcalls.forked()
        # The old event may be locked by a thread that does not exist here.
        self._ended = threading.Event()
        self._closing = threading.Lock()
        if session.state is SessionState.CLOSED:
            self.core.report = self.core.report or TeardownReport(volume=session.name)
            self._ended.set()


async def _within(seconds: float, coro: Coro[Any]) -> Any:
    return await Within(seconds, coro)
