"""A request for a lock that has to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from glusterio.traps import Event, Wait

L = TypeVar("L")


class Waiting(Generic[L]):
    """A place in a queue.

    Args:
        lock: what is waited for.
        event: says that the waiting is over.

    Attributes:
        error: why the lock was not granted; ``None`` when it was.
    """

    __slots__ = ("error", "event", "lock")

    def __init__(self, lock: L, event: Event) -> None:
        self.lock = lock
        self.event = event
        self.error: OSError | None = None

    def settle(self, error: OSError | None = None) -> None:
        """The waiting is over: the lock has been granted, or it never will be."""
        self.error = error
        self.event.set()

    async def wait(self) -> None:
        """Wait until it is over.

        Raises:
            OSError: the lock was not granted.
        """
        await Wait(self.event)
        if self.error is not None:
            raise self.error


def parted(
    queue: list[Waiting[L]], gone: Callable[[L], bool]
) -> tuple[list[Waiting[L]], list[Waiting[L]]]:
    """Part a queue into those who stay and those for whose request ``gone`` says so."""
    stay: list[Waiting[L]] = []
    leave: list[Waiting[L]] = []
    for waiting in queue:
        (leave if gone(waiting.lock) else stay).append(waiting)
    return stay, leave
