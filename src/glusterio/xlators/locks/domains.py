"""Translators' locks: on ranges of a file (inodelk) and on names in a directory (entrylk).

Cluster translators serialize with them what they do to one file on several bricks. Each keeps to a
*domain* of its own: locks of different domains never conflict. Neither do those of one owner, which are
not merged: each is dropped by itself, with what it was taken with.

Who waits is served in the order of coming. A new request that conflicts with one that waits has to
queue up behind it, lest the latter starve; but for an owner who holds a lock in the domain, because it
may need the new one to come to its end, and so to dropping the old.

Pure: nothing here waits.

Source: GlusterFS xlators/features/locks/src/inodelk.c (``__lock_inodelk``, ``__inode_unlock_lock``,
``__grant_blocked_inode_locks``), entrylk.c (``__lock_entrylk``, ``__unlock_entrylk``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from glusterio.wire.programs import LockType
from glusterio.xlators.locks.owners import Owner
from glusterio.xlators.locks.posixlk import Answer
from glusterio.xlators.locks.ranges import Range
from glusterio.xlators.locks.waiting import Waiting, parted


class InodeLock(NamedTuple):
    """A translator's lock on a range of a file.

    Attributes:
        range: the bytes.
        type: READ or WRITE.
        owner: whose it is.
        caller: the process that the request's credential names.
    """

    range: Range
    type: int
    owner: Owner
    caller: int = 0

    def collides(self, other: InodeLock) -> bool:
        """Tell whether both could not be held by different owners."""
        return self.range.overlaps(other.range) and LockType.WRITE in (self.type, other.type)

    def is_dropped_by(self, unlock: InodeLock) -> bool:
        """Tell whether an unlock request means this lock: the same range, whatever the type."""
        return self.range == unlock.range and self.owner == unlock.owner


class EntryLock(NamedTuple):
    """A translator's lock on a name in a directory.

    Attributes:
        name: the name, or ``None`` for all names.
        type: READ or WRITE; both exclude each other and themselves.
        owner: whose it is.
        caller: the process that the request's credential names.
    """

    name: str | None
    type: int
    owner: Owner
    caller: int = 0

    def collides(self, other: EntryLock) -> bool:
        """Tell whether both could not be held by different owners."""
        return self.name is None or other.name is None or self.name == other.name

    def is_dropped_by(self, unlock: EntryLock) -> bool:
        """Tell whether an unlock request means this lock."""
        return (self.name, self.type, self.owner) == (unlock.name, unlock.type, unlock.owner)


L = TypeVar("L", InodeLock, EntryLock)


class DomainLocks(Generic[L]):
    """The locks of one kind on one file or directory, in one domain.

    Args:
        tally: how many locks and waiting requests each client has, kept up to date.
    """

    def __init__(self, tally: Counter[object]) -> None:
        self.held: list[L] = []  # the newest first
        self.waiting: list[Waiting[L]] = []
        self._tally = tally
        self._owners: Counter[Owner] = Counter()  # of those held and waiting
        self._told: dict[L, float] = {}

    def __len__(self) -> int:
        return len(self.held) + len(self.waiting)

    def take(self, wanted: L, waiting: Waiting[L] | None = None) -> Answer:
        """Take a lock.

        Args:
            wanted: what is asked for.
            waiting: the request's place in the queue, if it may wait.
        """
        may_have = self._may_have(wanted)
        if may_have:
            self.held.insert(0, wanted)
        elif waiting is None:
            return Answer.REFUSED
        else:
            self.waiting.append(waiting)
        self._tally[wanted.owner.client] += 1
        self._owners[wanted.owner] += 1
        return Answer.GRANTED if may_have else Answer.WAITS

    def release(self, unlock: L) -> bool:
        """Drop a lock. :meth:`grant` must follow.

        Returns:
            Whether there was one that the request means.
        """
        for index, lock in enumerate(self.held):
            if lock.is_dropped_by(unlock):
                del self.held[index]
                self._forget(lock)
                return True
        return False

    def grant(self) -> list[Waiting[L]]:
        """Give those who wait what they can have now, in the order in which they came.

        Returns:
            Those who have it.
        """
        granted = []
        queue, self.waiting = self.waiting, []
        for waiting in queue:  # so that it counts only who is ahead in the queue
            self._owners[waiting.lock.owner] -= 1
        for waiting in queue:
            if self._may_have(waiting.lock):
                self.held.insert(0, waiting.lock)
                granted.append(waiting)
            else:
                self.waiting.append(waiting)
            self._owners[waiting.lock.owner] += 1
        return granted

    def drop(self, gone: Callable[[L], bool]) -> None:
        """Drop the locks for which ``gone`` says so. :meth:`grant` must follow."""
        left = []
        for lock in self.held:
            if gone(lock):
                self._forget(lock)
            else:
                left.append(lock)
        self.held = left

    def withdraw(self, gone: Callable[[L], bool]) -> list[Waiting[L]]:
        """Take the requests out of the queue for which ``gone`` says so, and return them.

        Others may have waited behind them only: :meth:`grant` must follow.
        """
        self.waiting, out = parted(self.waiting, gone)
        for waiting in out:
            self._forget(waiting.lock)
        return out

    def _forget(self, lock: L) -> None:
        self._told.pop(lock, None)
        self._tally[lock.owner.client] -= 1
        self._owners[lock.owner] -= 1
        if not self._owners[lock.owner]:
            del self._owners[lock.owner]

    def to_be_told(self, now: float, delay: float, wanted: L | None = None) -> list[L]:
        """Return the locks whose holders are to be told that others want them, and take note of it.

        Args:
            now: the time, in seconds.
            delay: after how many seconds a holder is told again.
            wanted: who wants them; by default all who wait.
        """
        requests = [waiting.lock for waiting in self.waiting] if wanted is None else [wanted]
        due = []
        for lock in self.held:
            if lock in self._told and now - self._told[lock] < delay:
                continue
            if any(each.collides(lock) and each.owner != lock.owner for each in requests):
                self._told[lock] = now
                due.append(lock)
        return due

    def _may_have(self, wanted: L) -> bool:
        if any(lock.collides(wanted) and lock.owner != wanted.owner for lock in self.held):
            return False
        if self._owners[wanted.owner]:
            return True
        return not any(waiting.lock.collides(wanted) for waiting in self.waiting)
