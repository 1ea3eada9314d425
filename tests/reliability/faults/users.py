"""The program that uses a session: who calls, on which driver, and what is done to it.

A fault need not be the brick's or the network's. A caller is cancelled, his deadline passes, the
process forks, the graph is replaced: :class:`Users` does these, for the table of faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final

from glusterio import SessionClosedError
from tests.api.drivers import Driver
from tests.reliability.faults.work import Work, done, run

#: How long the child of a fork may take, in seconds.
CHILD: Final = 20.0


class Caller:
    """Somebody who calls: a thread, or a task, that can be interrupted.

    Args:
        driver: on which driver.
        worker: what he does: a coroutine's function, of either face.
        args: its arguments.

    Attributes:
        future: what came of it; ``None`` if he was interrupted.
    """

    def __init__(
        self, driver: Driver, worker: Callable[..., Coroutine[Any, Any, Any]], *args: Any
    ) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], object] | None = None
        of_threads = driver.name == "threads"
        self.future: Future[Any] = driver.start(
            self._thread if of_threads else self._task, worker, *args
        )

    def interrupt(self) -> None:
        """Cancel the task; have a KeyboardInterrupt come in the thread. Nothing if it has ended."""
        with self._lock:
            if self._interrupt is not None:
                self._interrupt()

    async def _task(self, worker: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._interrupt = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await worker(*args)
        except asyncio.CancelledError:
            return None
        finally:
            with self._lock:
                self._interrupt = None

    def _thread(self, worker: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        ident = ctypes.c_ulong(threading.get_ident())
        raised = ctypes.py_object(KeyboardInterrupt)
        self._interrupt = lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, raised)
        try:
            try:
                return run(worker, *args)
            finally:
                with self._lock:
                    self._interrupt = None
                for _ in range(3):
                    pass  # one that was asked for a moment ago comes here at the latest
        except KeyboardInterrupt:
            return None


class Users:
    """All that is done with a session, and to those who do it.

    Args:
        driver: on which driver.
        vol: the session.
        work: what its callers do.
    """

    def __init__(self, driver: Driver, vol: Any, work: Work) -> None:
        self._driver = driver
        self.vol = vol
        self.work = work
        self._callers: list[Caller] = []
        self.wrong: list[str] = []

    def start(self, worker: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Future[Any]:
        """Have somebody do something beside the test."""
        caller = Caller(self._driver, worker, *args)
        self._callers.append(caller)
        return caller.future

    # -- what is done to them ---------------------------------------------------------------------

    def reload(self, text: str) -> None:
        """Replace the graph; a session that is closed already has none."""
        with contextlib.suppress(SessionClosedError):
            self._driver.do(self.vol.reload, text)

    def interrupt(self) -> None:
        """Interrupt every other one of those who call; who is alone, too."""
        for caller in self._callers[::2]:
            caller.interrupt()

    def hurry(self, seconds: float | None) -> None:
        """From now on each call has so long; ``None``: as long as it takes."""
        self.work.deadline = seconds

    def fork(self) -> None:
        """Fork; in the child the session is dead, and nothing of it reaches the brick."""
        hears, tells = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.write(tells, _outcomes(self.vol).encode())
            finally:
                os._exit(0)
        os.close(tells)
        try:
            if not select.select([hears], [], [], CHILD)[0]:
                os.kill(child, signal.SIGKILL)
            found = os.read(hears, 1000).decode()
        finally:
            os.close(hears)
            os.waitpid(child, 0)
        if set(found.split()) != {"ForkedSessionError"}:
            self.wrong.append(f"calls of a fork's child: {found or 'it hangs'}")

    # -- what is looked at ------------------------------------------------------------------------

    def follows(self, patience: float) -> bool:
        """Wait until the session has a management daemon that it is told of changes by."""
        management = self.vol._session.core.management
        deadline = time.monotonic() + patience
        while management.server.connection.lost is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


def _outcomes(vol: Any) -> str:
    """Return how calls end in the child of a fork, each with a word."""
    found = []
    for function, *args in ((vol.stat, "/"), (vol.open_handle, "read"), (vol.close,)):
        try:
            run(call, function, *args)
            found.append("result")
        except BaseException as error:
            found.append(type(error).__name__)
    return " ".join(found)


async def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call, on either face."""
    return await done(function(*args))
