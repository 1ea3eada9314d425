"""A timer of the threads driver."""

from __future__ import annotations

from collections.abc import Callable


class Timer:
    """An entry of the timer heap: something that happens later, unless it is cancelled."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None
