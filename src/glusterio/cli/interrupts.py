"""Ctrl-C where it can be borne: set-ups and clean-ups are done to their end, and interrupted then."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_CTRL_C = frozenset({signal.SIGINT})


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Do something that a Ctrl-C must not cut in two; it is noticed afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own; a Ctrl-C cancels it.

    As ``asyncio.run``, which a Ctrl-C in the moment of its beginning or end could catch with the loop
    half made or half closed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)

    async def disturbed() -> T:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            return await coroutine
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)

    try:
        with asyncio.Runner() as runner:
            return runner.run(disturbed())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Termination:
    """Makes SIGTERM and SIGHUP end a command as Ctrl-C does, with everything closed and removed.

    Attributes:
        code: the exit code that the signal asks for; 0 when there was none.
    """

    def __init__(self) -> None:
        self.code = 0
        self._ours: list[int] = []

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
        signal.raise_signal(signal.SIGINT)

    def __enter__(self) -> Termination:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._tell)
                self._ours.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._ours:
            signal.signal(number, signal.SIG_DFL)
