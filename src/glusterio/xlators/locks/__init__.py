"""features/locks: who holds what lock on the files of a brick.

Above storage/posix in a brick's graph. Three kinds of lock, which do not know of each other:

* POSIX locks (LK), for applications: :mod:`~glusterio.xlators.locks.posixlk`;
* locks on ranges of a file (INODELK) and on names in a directory (ENTRYLK), for translators of clients:
  :mod:`~glusterio.xlators.locks.domains`.

A lock belongs to a client and, within it, to the lock owner of the call's credential. A POSIX lock goes
when the descriptor is released that it was taken through, or with a FLUSH of its owner; and everything
goes with the client, when its connection has ended. Whoever waits for a lock waits no longer than his
client is there.

All locks are advisory: they keep nobody from reading or writing. GlusterFS's default is the same.

Options: ``max-locks-per-client``, the locks and waiting requests that a client may have (4096): more
are refused with ENOLCK. ``notify-contention`` (on) tells the holder of a translator's lock that others
want it, at most every ``notify-contention-delay`` (5) seconds. ``mandatory-locking`` can only be
``off``.

Source: GlusterFS xlators/features/locks/src.
"""

from __future__ import annotations

from typing import Any, ClassVar

from glusterio.xlators.locks.asking_fops import AskingOperations
from glusterio.xlators.locks.description import LockDescription, describe
from glusterio.xlators.locks.domain_fops import DomainLockOperations
from glusterio.xlators.locks.posix_fops import PosixLockOperations
from glusterio.xlators.locks.xattr_fops import XattrOperations

__all__ = ["LockDescription", "Locks"]


class Locks(PosixLockOperations, DomainLockOperations, XattrOperations, AskingOperations):
    """The locks of a brick's clients."""

    xlator_type: ClassVar[str] = "features/locks"

    def counts(self) -> dict[str, int]:
        """Tell how many locks there are: ``locks`` granted, of all kinds, and ``blocked_locks``."""
        described = self.describe()
        blocked = sum(each.state == "blocked" for each in described)
        kinds = [each.kind for each in described if each.state == "granted"]
        return {
            "locks": len(kinds),
            "posix_locks": kinds.count("posix"),
            "inode_locks": kinds.count("inode"),
            "entry_locks": kinds.count("entry"),
            "blocked_locks": blocked,
        }

    def describe(self) -> list[LockDescription]:
        """Describe every lock, for a statedump."""
        return list(describe(self.table))

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        return {"lock_table": [each._asdict() for each in self.describe()]}
