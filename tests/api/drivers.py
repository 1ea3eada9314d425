"""Both drivers behind one blocking interface, so that a test of the promise is written once.

``do(function, ...)`` calls a method of a volume or file and returns its result; ``start(...)`` has it
called beside the test and returns a future. On the threads driver a call runs on the calling thread,
and each started one on a thread of its own; on asyncio they are tasks of one event loop, which runs in
a thread of the driver's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import glusterio
import glusterio.aio

#: No call of a test waits longer than this, in seconds.
PATIENCE = 20.0


class Driver(Protocol):
    """What a test may ask of either driver."""

    name: str

    def connect(self, url: str, **options: Any) -> Any:
        """Connect to a volume; it is closed at the test's end if the test has not done so."""

    def do(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call, and return the result or raise the error."""

    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        """Call beside the test."""

    def finish(self) -> None:
        """End everything."""


class Threads:
    """glusterio.connect."""

    name = "threads"

    def __init__(self) -> None:
        self._volumes: list[glusterio.Volume] = []
        self._threads: list[threading.Thread] = []

    def connect(self, url: str, **options: Any) -> glusterio.Volume:
        volume = glusterio.connect(url, **options)
        self._volumes.append(volume)
        return volume

    def do(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return function(*args, **options)

    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                result = function(*args, **options)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        thread = threading.Thread(target=run, name=f"test {function}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return future

    def finish(self) -> None:
        for volume in self._volumes:
            volume.close(timeout=1.0, grace=0.0)
        self._volumes.clear()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} hangs"
        self._threads.clear()


class Aio:
    """glusterio.aio.connect."""

    name = "asyncio"
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None  # asyncio's own

    def __init__(self) -> None:
        self._volumes: list[Any] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="the test's event loop", daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            self.loop = runner.get_loop()
            self._stop = asyncio.Event()
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._ready.set()
        await self._stop.wait()

    def connect(self, url: str, **options: Any) -> Any:
        volume = self.do(glusterio.aio.connect, url, **options)
        self._volumes.append(volume)
        return volume

    def do(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        future = self.start(function, *args, **options)
        try:
            return future.result(PATIENCE)
        except concurrent.futures.TimeoutError:
            assert future.done(), f"{function} hangs"
            raise

    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        async def run() -> Any:
            return await function(*args, **options)

        return asyncio.run_coroutine_threadsafe(run(), self.loop)

    def finish(self) -> None:
        for volume in self._volumes:
            self.do(volume.close, timeout=1.0, grace=0.0)
        self._volumes.clear()
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the event loop hangs"


DRIVERS: dict[str, Callable[[], Driver]] = {"threads": Threads, "asyncio": Aio}
