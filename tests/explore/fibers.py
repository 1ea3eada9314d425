"""Every fiber of a driver that has not ended: found from what it rests on, or by its children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from glusterio.runtime.fiber import Fiber
from glusterio.runtime.virtual import Connecting


def alive(driver: Any) -> list[Fiber]:
    """Return the fibers that have not ended, each once."""
    found: dict[int, Fiber] = {}
    todo = list(_resting(driver))
    while todo:
        fiber = todo.pop()
        if id(fiber) in found or fiber.done:
            continue
        found[id(fiber)] = fiber
        todo += fiber.children
        if fiber.on_done is not None:  # a child's knows its parent
            todo += of_callback(fiber.on_done)
    return list(found.values())


def _resting(driver: Any) -> Iterator[Fiber]:
    yield from driver.ready
    for wire in driver.wires:
        for reply in wire.connection.pending.values():
            if reply.fiber is not None:
                yield reply.fiber
    for connecting in driver.connecting:
        if isinstance(connecting, Connecting):  # a task of asyncio's knows its fiber itself
            yield connecting.fiber
    for event in driver.events:
        for wake in event.waiters:
            yield from of_callback(wake)
    for timer in driver.clock.timers():
        yield from of_callback(timer.callback)


def of_callback(callback: Any) -> Iterable[Fiber]:
    """Return the fibers that a closure knows."""
    found = []
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            content = cell.cell_contents
        except ValueError:  # not set yet
            continue
        if isinstance(content, Fiber):
            found.append(content)
    return found


def bury(coroutines: Iterable[Any]) -> list[str]:
    """Drop coroutines that nobody will ever step again; return what they had to say about it."""
    said = []
    for coro in coroutines:
        try:
            coro.close()
        except BaseException as error:
            said.append(f"{getattr(coro, '__qualname__', coro)}: {error!r}")
    return said


def name_of(fiber: Fiber) -> str:
    """Return what a fiber runs, for people."""
    return getattr(fiber.coro, "__qualname__", "a coroutine")
