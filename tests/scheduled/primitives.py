"""What the driver has of ``threading``, played: each is a point of the scheduler.

They behave as the real ones, for the threads of one :class:`~tests.scheduled.scheduler.Scheduler`.
Any other thread (a collector's, when all is over) finds each lock free.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

from tests.scheduled.scheduler import Managed, Scheduler


class Lock:
    """A lock, or the gate at which a follower waits: that one is held at rest.

    Args:
        scheduler: the scheduler.
        what: what it is, for people.
    """

    def __init__(self, scheduler: Scheduler, what: str) -> None:
        self.what = what
        self.held = False
        self._scheduler = scheduler

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        scheduler = self._scheduler
        if scheduler.is_here:
            scheduler.point(self.what)
            if self.held and blocking:
                seconds = None if timeout < 0 else timeout
                scheduler.block(self.what, lambda: not self.held, seconds, self)
        if self.held:
            return False
        self.held = True
        return True

    def release(self) -> None:
        if not self.held:
            raise RuntimeError("release unlocked lock")
        self._scheduler.point(f"{self.what}.release")
        self.held = False

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock:
    """A re-entrant lock."""

    def __init__(self, scheduler: Scheduler, what: str = "a lock") -> None:
        self.what = what
        self.owner: Managed | None = None
        self._count = 0
        self._scheduler = scheduler

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        scheduler = self._scheduler
        if not scheduler.is_here:
            return True
        me = scheduler.current
        if self.owner is not me:
            scheduler.point(self.what)
            if self.owner is not None:
                if not blocking:
                    return False
                seconds = None if timeout < 0 else timeout
                if not scheduler.block(self.what, lambda: self.owner is None, seconds, self):
                    return False
            self.owner = me
        self._count += 1
        return True

    def release(self) -> None:
        if not self._scheduler.is_here:
            return
        if self.owner is not self._scheduler.current:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self.owner = None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return self._scheduler.is_here and self.owner is self._scheduler.current


class Event:
    """An event."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._scheduler.point("event.set")
        self._is_set = True

    def clear(self) -> None:
        self._scheduler.point("event.clear")
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        self._scheduler.point("event.wait")
        if not self._is_set:
            self._scheduler.block("event.wait", self.is_set, timeout, self)
        return self._is_set


class Condition:
    """What a future has its result waited for by."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._lock = RLock(scheduler, "a future")
        self._woken = 0

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        before = self._woken
        self._lock.release()
        try:
            return self._scheduler.block(
                "future.result", lambda: self._woken != before, timeout, self
            )
        finally:
            self._lock.acquire()

    def notify_all(self) -> None:
        self._woken += 1


class Thread:
    """A thread."""

    def __init__(
        self,
        target: Callable[[], None],
        name: str = "a thread",
        daemon: bool = True,
        *,
        scheduler: Scheduler,
    ) -> None:
        self.name = name
        self.managed: Managed | None = None
        self._target = target
        self._scheduler = scheduler

    def start(self) -> None:
        self.managed = self._scheduler.spawn(self._target, self.name)
        self.managed.face = self
        self._scheduler.point("thread.start")

    def join(self, timeout: float | None = None) -> None:
        managed = self.managed
        assert managed is not None
        if not managed.done:
            self._scheduler.block("thread.join", lambda: managed.done, timeout, self)

    def is_alive(self) -> bool:
        return self.managed is not None and not self.managed.done


class Threading:
    """Stands for the module ``threading`` in one module of the driver's."""

    local = threading.local

    def __init__(self, scheduler: Scheduler, lock: str = "a lock") -> None:
        self._scheduler = scheduler
        self._lock = lock
        self.locks: list[RLock] = []

    def get_ident(self) -> int:
        return threading.get_ident()

    def current_thread(self) -> Any:
        current = self._scheduler.current
        return None if current is None else current.face

    def RLock(self) -> RLock:
        made = RLock(self._scheduler, self._lock)
        self.locks.append(made)
        return made

    def Lock(self) -> Lock:
        return Lock(self._scheduler, self._lock)

    def Event(self) -> Event:
        return Event(self._scheduler)

    def Thread(self, target: Callable[[], None], name: str, daemon: bool) -> Thread:
        return Thread(target, name, daemon, scheduler=self._scheduler)


class Futures:
    """Stands for the package ``concurrent`` where futures are made."""

    def __init__(self, scheduler: Scheduler) -> None:
        class Future(concurrent.futures.Future[Any]):
            def __init__(self) -> None:
                super().__init__()
                self._condition = Condition(scheduler)  # type: ignore[assignment]

        self.futures = self
        self.Future = Future
