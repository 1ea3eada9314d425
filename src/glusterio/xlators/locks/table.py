"""All locks of a brick, by file."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from glusterio.errors import fs_error
from glusterio.types import Gfid
from glusterio.xlators.locks.domains import DomainLocks, EntryLock, InodeLock
from glusterio.xlators.locks.posixlk import PosixLocks

#: The locks that one request competes with.
Queue: TypeAlias = PosixLocks | DomainLocks[InodeLock] | DomainLocks[EntryLock]


class InodeLocks:
    """The locks on one file or directory.

    Attributes:
        posix: its POSIX locks.
        inodelks: translators' locks on ranges of it, by domain.
        entrylks: translators' locks on names in it, by domain.
    """

    __slots__ = ("_tally", "entrylks", "inodelks", "posix")

    def __init__(self, tally: Counter[object]) -> None:
        self.posix = PosixLocks(tally)
        self.inodelks: dict[str, DomainLocks[InodeLock]] = {}
        self.entrylks: dict[str, DomainLocks[EntryLock]] = {}
        self._tally = tally

    def inodelk(self, domain: str) -> DomainLocks[InodeLock]:
        """Return the locks on ranges in a domain."""
        return self.inodelks.setdefault(domain, DomainLocks(self._tally))

    def entrylk(self, domain: str) -> DomainLocks[EntryLock]:
        """Return the locks on names in a domain."""
        return self.entrylks.setdefault(domain, DomainLocks(self._tally))

    def queues(self) -> Iterator[Queue]:
        """Go through all that locks compete in."""
        yield self.posix
        yield from self.inodelks.values()
        yield from self.entrylks.values()

    def tidy(self) -> bool:
        """Forget domains without a lock; tell whether no lock is left at all."""
        for domains in (self.inodelks, self.entrylks):
            for name in [name for name, queue in domains.items() if not len(queue)]:
                del domains[name]
        return not len(self.posix) and not self.inodelks and not self.entrylks


class LockTable:
    """The locks of a brick.

    Attributes:
        inodes: the files that something is locked on, by gfid.
        tally: how many locks and waiting requests each client has.
    """

    def __init__(self) -> None:
        self.inodes: dict[Gfid, InodeLocks] = {}
        self.tally: Counter[object] = Counter()

    def at(self, gfid: Gfid) -> InodeLocks:
        """Return a file's locks, to add to them. :meth:`tidy` must follow."""
        locks = self.inodes.get(gfid)
        if locks is None:
            locks = self.inodes[gfid] = InodeLocks(self.tally)
        return locks

    def tidy(self, gfid: Gfid) -> None:
        """Forget a file without locks."""
        locks = self.inodes.get(gfid)
        if locks is not None and locks.tidy():
            del self.inodes[gfid]

    def settle(self, gfid: Gfid, queue: Queue) -> None:
        """Locks have been dropped: let those who wait for them have them."""
        for waiting in queue.grant():
            waiting.settle()
        self.tidy(gfid)

    def forget_client(self, client: object) -> bool:
        """Drop all that a client holds, and take its requests out of the queues.

        Returns:
            Whether there was anything.
        """
        if client not in self.tally:
            return False
        for gfid, locks in list(self.inodes.items()):
            for queue in list(locks.queues()):
                queue.drop(lambda lock: lock.owner.client is client)
                for waiting in queue.withdraw(lambda lock: lock.owner.client is client):
                    waiting.settle(fs_error(errno.ENOTCONN))
                self.settle(gfid, queue)
        del self.tally[client]
        return True
