"""Callers: what a program does with a volume all the time, written once for threads and for asyncio.

A caller is a generator: it yields an operation, and is sent its result, or has its error thrown at it.
On threads each has a thread of its own; on asyncio each is a task of the driver's event loop.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from tests.api.drivers import Driver

#: A caller at work.
Life = Generator[Callable[[], Any], Any, None]

#: How much is written at a time, in bytes.
BLOCK: Final = 4096


def block_of(number: int) -> bytes:
    """A block of data that says which one it is."""
    return number.to_bytes(8, "big") * (BLOCK // 8)


def start_all(driver: Driver, lives: Iterable[Life]) -> list[Future[Any]]:
    """Have callers begin. Each future is done when its caller has ended, by itself or by an error."""
    run = _called if driver.name == "threads" else _awaited
    return [driver.start(run, life) for life in lives]


def _called(life: Life) -> None:
    with contextlib.suppress(StopIteration):
        operation = next(life)
        while True:
            try:
                result = operation()
            except Exception as error:
                operation = life.throw(error)
            else:
                operation = life.send(result)


async def _awaited(life: Life) -> None:
    with contextlib.suppress(StopIteration):
        operation = next(life)
        while True:
            try:
                result = await operation()
            except Exception as error:
                operation = life.throw(error)
            else:
                operation = life.send(result)


def told(error: BaseException) -> str:
    """An error's kind."""
    happened = getattr(error, "may_have_happened", None)
    return type(error).__name__ + ("" if happened is None else f" (may_have_happened={happened})")


class User:
    """Writes open files and reads them, in no order, and compares; now and then asks for attributes.

    Args:
        volume: a volume of either face.
        files: open files of its own, with their paths.
        stop: ends it.

    Attributes:
        operations: how many it has done.
        failures: its errors, by kind; what it read wrongly among them.
        longest: the longest time from the end of one operation to that of the next, in seconds.
    """

    def __init__(
        self, volume: Any, files: Sequence[tuple[str, Any]], stop: threading.Event
    ) -> None:
        self._volume = volume
        self._files = files
        self._stop = stop
        self._since = 0.0
        self.operations = 0
        self.failures: Counter[str] = Counter()
        self.longest = 0.0

    def life(self) -> Life:
        """Work until it is stopped."""
        choose = random.Random(len(self._files)).randrange
        written: dict[str, bytes] = {}
        self._since = time.perf_counter()
        while not self._stop.is_set():
            path, file = self._files[choose(len(self._files))]
            if self.operations % 2:
                data = block_of(self.operations)
                if (yield from self._result(partial(file.pwrite, data, 0))) is not None:
                    written[path] = data
                else:
                    written.pop(path, None)
            else:
                data = yield from self._result(partial(file.pread, BLOCK, 0))
                if path in written and data != written[path]:
                    self.failures["other data than was written"] += 1
            if self.operations % 50 == 0:
                yield from self._result(partial(self._volume.stat, path))

    def _result(self, operation: Callable[[], Any]) -> Generator[Callable[[], Any], Any, Any]:
        result = None
        try:
            result = yield operation
        except Exception as error:
            self.failures[told(error)] += 1
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._since)
        self._since = now
        self.operations += 1
        return result
