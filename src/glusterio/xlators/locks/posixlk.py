"""The POSIX locks of one file: what ``fcntl`` locks are on a volume.

An owner's locks never conflict with each other: a new one takes the place of what the owner had there,
so that a range may be split, made longer, upgraded and downgraded. Those of other owners conflict when
they overlap and one of them is for writing.

The replies are those of a GlusterFS brick, down to how the locks of an owner fall into pieces: pieces
that overlap are merged, neighbours are not.

Three things are done better than there. Who waits is served in the order of coming; and as soon as
nothing conflicts any more, also when the holder downgraded its lock or another reader is still there;
and a downgrade takes effect whoever else reads.

A blocking request that has to wait gives up what its owner holds in the range first. So two readers
that both want to write do not wait for each other for ever. Deadlocks over several files are not
noticed, as they are not on GlusterFS's bricks.

Pure: nothing here waits.

Source: GlusterFS xlators/features/locks/src/common.c (``pl_setlk``, ``__insert_and_merge``,
``subtract_locks``, ``first_conflicting_overlap``, ``__grant_blocked_locks``), posix.c (``pl_lk``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from glusterio.wire.programs import LockType
from glusterio.xlators.locks.owners import Owner
from glusterio.xlators.locks.ranges import Range
from glusterio.xlators.locks.waiting import Waiting, parted


class PosixLock(NamedTuple):
    """A lock, or a request for one.

    Attributes:
        range: the bytes.
        type: a :class:`~glusterio.wire.programs.LockType`; UNLOCK in a request only.
        owner: whose it is.
        fd: the descriptor that it was taken through; the lock goes when that is released.
        pid: the process that the request names.
        caller: the process that the request's credential names.
        flags: the mode that the request asks for, which is only kept.
        client_uid: the client's name, for those who ask.
        whence: what the request says; the range does not depend on it.
    """

    range: Range
    type: int
    owner: Owner
    fd: object = None
    pid: int = 0
    caller: int = 0
    flags: int = 0
    client_uid: str = ""
    whence: int = 0


class Answer(Enum):
    """What became of a request."""

    GRANTED = auto()
    REFUSED = auto()
    WAITS = auto()


class PosixLocks:
    """The POSIX locks of one file.

    Args:
        tally: how many locks and waiting requests each client has, kept up to date.
    """

    def __init__(self, tally: Counter[object]) -> None:
        self.held: list[PosixLock] = []
        self.waiting: list[Waiting[PosixLock]] = []
        self._tally = tally
        self._pieces: Counter[Owner] = Counter()  # how many of those held are whose
        self._freed: list[Range] = []  # where less is locked than when grant() was last called

    def __len__(self) -> int:
        return len(self.held) + len(self.waiting)

    def conflict(self, wanted: PosixLock) -> PosixLock | None:
        """Return the oldest lock that is in the way."""
        (first, last), owner = wanted.range, wanted.owner
        if self._pieces[owner] == len(self.held):
            return None
        for lock in self.held:
            begins, ends = lock.range
            if (
                begins <= last
                and ends >= first
                and lock.owner != owner
                and LockType.WRITE in (lock.type, wanted.type)
            ):
                return lock
        return None

    def set(self, wanted: PosixLock, waiting: Waiting[PosixLock] | None = None) -> Answer:
        """Take a lock, or drop one. Others may be granted by it: :meth:`grant` must follow.

        Args:
            wanted: what is asked for.
            waiting: the request's place in the queue, if it may wait.
        """
        if wanted.type == LockType.UNLOCK or self.conflict(wanted) is None:
            self._insert(wanted)
            return Answer.GRANTED
        if waiting is None:
            return Answer.REFUSED
        self._insert(wanted._replace(type=LockType.UNLOCK))
        self.waiting.append(waiting)
        self._tally[wanted.owner.client] += 1
        return Answer.WAITS

    def grant(self) -> list[Waiting[PosixLock]]:
        """Give those who wait what they can have now, in the order in which they came.

        Returns:
            Those who have it.
        """
        granted: list[Waiting[PosixLock]] = []
        while self._freed:  # again, since a grant may downgrade what its owner has
            first = min(each.first for each in self._freed)
            freed = Range(first, max(each.last for each in self._freed))
            self._freed = []
            left = []
            for waiting in self.waiting:
                lock = waiting.lock
                if lock.range.overlaps(freed) and self.conflict(lock) is None:
                    self._tally[lock.owner.client] -= 1
                    self._insert(lock)
                    granted.append(waiting)
                else:
                    left.append(waiting)
            self.waiting = left
        return granted

    def drop(self, gone: Callable[[PosixLock], bool]) -> None:
        """Drop the locks for which ``gone`` says so. :meth:`grant` must follow."""
        left = []
        for lock in self.held:
            if gone(lock):
                self._taken_from(lock.owner)
                self._freed.append(lock.range)
            else:
                left.append(lock)
        self.held = left

    def withdraw(self, gone: Callable[[PosixLock], bool]) -> list[Waiting[PosixLock]]:
        """Take the requests out of the queue for which ``gone`` says so, and return them."""
        self.waiting, out = parted(self.waiting, gone)
        for waiting in out:
            self._tally[waiting.lock.owner.client] -= 1
        return out

    def has_locks_of(self, fd: object) -> bool:
        """Tell whether something is locked, or waited for, through a descriptor."""
        return any(lock.fd is fd for lock in self.held) or any(
            waiting.lock.fd is fd for waiting in self.waiting
        )

    def migrate(self, old: object, fd: object, client: object) -> None:
        """Let the locks that were taken through ``old`` be those of another descriptor and client."""
        for index, lock in enumerate(self.held):
            if lock.fd is old:
                owner = Owner(client, lock.owner.lk_owner)
                self._taken_from(lock.owner)
                self._given_to(owner)
                self.held[index] = lock._replace(fd=fd, owner=owner)
                self._freed.append(lock.range)

    def put(self, lock: PosixLock) -> None:
        """Add a lock as it is."""
        self.held.append(lock)
        self._given_to(lock.owner)

    def _given_to(self, owner: Owner) -> None:
        self._tally[owner.client] += 1
        self._pieces[owner] += 1

    def _taken_from(self, owner: Owner) -> None:
        self._tally[owner.client] -= 1
        self._pieces[owner] -= 1
        if not self._pieces[owner]:
            del self._pieces[owner]

    def _insert(self, new: PosixLock) -> None:
        """Let ``new``, with which nothing conflicts, take the place of what its owner had there.

        In the order of a GlusterFS brick's list: it decides which lock GETLK names. There, the search
        for pieces ends at another owner's read lock, so that a write lock may outlive its downgrade;
        here, only the search for pieces to merge with does.
        """
        to_insert = [new]
        while to_insert:
            wanted = to_insert.pop(0)
            index = self._piece_for(wanted)
            if index is None:
                if wanted.type != LockType.UNLOCK:
                    self.put(wanted)
                continue
            found = self.held.pop(index)
            self._taken_from(found.owner)
            if wanted.type not in (found.type, LockType.WRITE):
                self._freed.append(found.range)
            if found.type == wanted.type and found.flags == wanted.flags:
                to_insert.insert(0, wanted._replace(range=wanted.range.union(found.range)))
            else:
                to_insert[:0] = _replaced(found, wanted)

    def _piece_for(self, wanted: PosixLock) -> int | None:
        """Return where the first piece of the same owner is that ``wanted`` overlaps.

        Behind another owner's read lock those are passed over that could only be merged.
        """
        if wanted.owner not in self._pieces:
            return None
        first, last = wanted.range
        merging = True
        for index, lock in enumerate(self.held):
            begins, ends = lock.range
            if begins > last or ends < first:
                continue
            if lock.owner != wanted.owner:
                merging = merging and wanted.type == LockType.UNLOCK
            elif merging or lock.type != wanted.type:
                return index
        return None


def _replaced(old: PosixLock, new: PosixLock) -> list[PosixLock]:
    """Return what is left of ``old`` when ``new`` takes the place of a part of it, and ``new``."""
    whole, part = old.range.union(new.range), new.range
    if whole == part:
        return [old._replace(range=whole, type=new.type)]
    left = old._replace(range=Range(whole.first, part.first - 1))
    right = old._replace(range=Range(part.last + 1, whole.last))
    if part.first == whole.first:
        return [right, new]
    if part.last == whole.last:
        return [left, new]
    return [left, new, right]
