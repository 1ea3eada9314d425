"""What clients do while a fault comes, and what they know then: the oracle.

A worker is written once, as a coroutine that awaits whatever a face gives; on threads nothing of it
ever waits, and it runs through.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import os
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glusterio import HandleStaleError, SessionClosedError
from glusterio.errors import ConnectionLostError

BLOCK = 4096
CREATING = os.O_RDWR | os.O_CREAT

#: Blocks of a file that is only read, and at most of one that is written.
BLOCKS = 64
MOST = 400

#: A writer leaves off after so many errors.
PATIENCE = 200


def block(name: str, number: int) -> bytes:
    """Return what a file's block holds: nobody else's block holds the same."""
    return hashlib.blake2b(f"{name}:{number}".encode()).digest() * (BLOCK // 64)


async def done(value: Any) -> Any:
    """Await it, if this is the face for asyncio."""
    return await value if inspect.isawaitable(value) else value


def run(worker: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
    """Run a worker of the face for threads."""
    try:
        worker(*args).send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


@dataclass
class Seen:
    """What the workers of one round have seen.

    Attributes:
        stop: they shall leave off.
        calls: how many calls were answered.
        errors: errors, by their class.
        wrong: reads that did not give what the file holds, and the like.
        synced: for each file, how many blocks are certainly there.
        written: for each file, how many were acknowledged.
        unexpected: the texts of errors that may not be.
    """

    stop: bool = False
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    synced: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    def failed(self, error: Exception, allowed: tuple[str, ...]) -> None:
        """Note an error."""
        name = type(error).__name__
        self.errors[name] += 1
        if name not in allowed:
            self.unexpected.append(f"{name}: {error}")


class Work:
    """The workers of one session.

    Args:
        vol: the volume, of either face.
        seen: what they note.
        allowed: the names of the errors that may be.
        goes_on: a lost connection is made again, so it is worth trying again.

    Attributes:
        deadline: how long each call has, in seconds; ``None`` for as long as it takes.
    """

    deadline: float | None = None

    def __init__(self, vol: Any, seen: Seen, allowed: tuple[str, ...], goes_on: bool) -> None:
        self.vol = vol
        self.seen = seen
        self.allowed = allowed
        self.goes_on = goes_on

    async def write(self, name: str) -> None:
        """Write blocks, sync after each four, go back to what is synced after an error."""
        seen = self.seen
        file: Any = None
        seen.synced[name] = number = 0
        failures = 0
        try:
            while not seen.stop and failures < PATIENCE:
                try:
                    if file is None:
                        file = await done(self.vol.open_handle(name, CREATING))
                    place = number % MOST
                    with self.in_time():
                        await done(file.pwrite(block(name, place), place * BLOCK))
                    number += 1
                    seen.calls += 1
                    if number % 4 == 0:
                        with self.in_time():
                            await done(file.fsync())
                        seen.calls += 1
                        seen.synced[name] = number
                except SessionClosedError:
                    return
                except (ConnectionLostError, HandleStaleError) as error:
                    seen.failed(error, self.allowed)
                    if not self.goes_on:
                        return
                    number = seen.synced[name]
                    failures += 1
                    if isinstance(error, HandleStaleError):
                        await self.close(file)
                        file = None
                except OSError as error:
                    seen.failed(error, self.allowed)
                    number = seen.synced[name]
                    failures += 1
                    await self.rest()
        finally:
            await self.close(file)

    async def read(self, name: str, first: int) -> None:
        """Read blocks and compare them."""
        seen = self.seen
        file: Any = None
        number = first
        failures = 0
        try:
            while not seen.stop and failures < PATIENCE:
                try:
                    if file is None:
                        file = await done(self.vol.open_handle(name))
                    number = (number * 5 + 1) % BLOCKS
                    with self.in_time():
                        found = await done(file.pread(BLOCK, number * BLOCK))
                    seen.calls += 1
                    if found != block(name, number):
                        seen.wrong.append(f"{name}, block {number}: {found[:20]!r}")
                except SessionClosedError:
                    return
                except (ConnectionLostError, HandleStaleError, OSError) as error:
                    seen.failed(error, self.allowed)
                    if not self.goes_on:
                        return
                    failures += 1
                    if isinstance(error, HandleStaleError):
                        await self.close(file)
                        file = None
                    await self.rest()
        finally:
            await self.close(file)

    async def hold(self, name: str, waits: bool) -> None:
        """Have a file open, and call nothing.

        Args:
            name: the file.
            waits: this face waits by awaiting.
        """
        seen = self.seen
        file = None
        try:
            file = await done(self.vol.open_handle(name))
            seen.calls += 1
            while not seen.stop:
                with self.in_time():
                    if waits:
                        await asyncio.sleep(0.01)
                    else:
                        time.sleep(0.01)
        finally:
            await self.close(file)

    async def end(self, timeout: float, grace: float) -> Any:
        """Close the volume."""
        return await done(self.vol.close(timeout=timeout, grace=grace))

    def in_time(self) -> contextlib.AbstractContextManager[Any]:
        """What a call is made in: it has a deadline, if there is one just now."""
        seconds = self.deadline
        return contextlib.nullcontext() if seconds is None else self.vol.deadline(seconds)

    async def close(self, file: Any) -> None:
        """Close a file; what was not synced may be told of now."""
        if file is None:
            return
        try:
            await done(file.close())
        except SessionClosedError:
            pass
        except OSError as error:
            self.seen.failed(error, self.allowed)

    async def rest(self) -> None:
        """Do something harmless that takes a moment: whoever failed does not come again at once."""
        try:
            await done(self.vol.statvfs("/"))
        except (OSError, SessionClosedError):
            pass

    async def open_many(self, names: list[str]) -> list[Any]:
        """Open files and write to each; what is written may be deferred."""
        files = []
        for name in names:
            file = await done(self.vol.open_handle(name, CREATING))
            for number in range(8):
                await done(file.pwrite(block(name, number), number * BLOCK))
            self.seen.written[name] = 8
            files.append(file)
        return files


def lost(paths: list[Path], name: str, count: int) -> list[int]:
    """Return which of a file's first blocks are nowhere.

    Args:
        paths: where the file is; several, if the volume was another one in between.
        name: its name.
        count: how many blocks it is to have.
    """
    held = [path.read_bytes() for path in paths if path.exists()]
    return [
        number
        for number in range(min(count, MOST))
        if all(data[number * BLOCK : (number + 1) * BLOCK] != block(name, number) for data in held)
    ]
