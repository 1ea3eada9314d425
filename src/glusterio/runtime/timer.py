"""The timers of the threads driver."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class Timer:
    """An entry of the timer heap: something that happens later, unless it is cancelled."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timers(list[tuple[float, int, Timer]]):
    """The heap, the next one first. To be used with the driver's lock held.

    It is a list, since whether it is empty is looked at for every request.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order = itertools.count()

    def put(self, timer: Timer) -> bool:
        """Put a timer in. Returns whether it is the next one."""
        heapq.heappush(self, (timer.when, next(self._order), timer))
        return self[0][2] is timer

    def next_time(self) -> float | None:
        """Return when the next one is due, or ``None``: most time-outs are cancelled."""
        while self and self[0][2].callback is None:
            heapq.heappop(self)
        return self[0][0] if self else None

    def take(self, now: float) -> Timer | None:
        """Take the next one out, if it is due."""
        return heapq.heappop(self)[2] if self and self[0][0] <= now else None
