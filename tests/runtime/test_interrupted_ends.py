"""An interrupt (Ctrl-C) where a child of a call ends: its parent hears of the end all the same.

Else the call would wait for that child for ever, and no further interrupt would end it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event, Gather, Wait, Within
from tests.api.test_interrupts import interrupted

#: Where a child ends, and its parent hears of it.
ENDING = {
    "fiber.py": {"step", "_finish", "child_done", "wake", "resume"},
    "threads.py": {"enqueue", "_step_ready"},
}


async def _leaf(seconds: float) -> None:
    await Wait(Event(), seconds)


async def _gather() -> None:
    await Gather([_leaf(0.001), _leaf(0.02)])


async def _within() -> None:
    await Within(1.0, _leaf(0.001))


async def _nested() -> None:
    for outcome in await Gather([_within(), _leaf(0.02)]):
        outcome.get()


async def _ignored() -> None:
    await Gather([_within(), _leaf(0.02)])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("made", [_gather, _within, _nested, _ignored])
def test_a_parent_hears_of_a_child_that_is_interrupted_at_its_end(
    made: Callable[[], Coro[None]],
) -> None:
    at = 1
    came = True
    while came:
        driver = ThreadsDriver()
        try:
            came = interrupted(at, ENDING, partial(driver.run, made()))
        finally:
            driver.stop()
        at += 1
    assert at > 20
