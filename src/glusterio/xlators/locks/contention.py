"""What a brick tells the holder of a translator's lock when another wants it: to give it back soon.

Cluster translators keep such a lock for a while after the operation that needed it, since the next one
will need it, too; but not when they hear that somebody waits.

Source: GlusterFS xlators/features/locks/src/inodelk.c (``inodelk_contention_notify``), entrylk.c
(``entrylk_contention_notify``).
"""

from __future__ import annotations

from glusterio.types import Gfid
from glusterio.wire.callbacks import EntrylkContention, InodelkContention
from glusterio.wire.fops.locks import Flock
from glusterio.wire.programs import CallbackProc
from glusterio.xlators.locks.domains import EntryLock, InodeLock


def tell_holder(gfid: Gfid, domain: str, lock: InodeLock | EntryLock) -> None:
    """Tell a lock's holder that it is wanted; a client that cannot hear it, or will not, is none."""
    notify = getattr(lock.owner.client, "notify", None)
    if notify is None:
        return
    pid = lock.caller & 0xFFFFFFFF
    if isinstance(lock, InodeLock):
        where = lock.range
        flock = Flock(lock.type, 0, where.first, where.length, pid, lock.owner.lk_owner)
        message = InodelkContention(gfid, flock, pid, domain)
        notify(CallbackProc.INODELK_CONTENTION, message)
    else:
        name = lock.name or ""
        notify(
            CallbackProc.ENTRYLK_CONTENTION, EntrylkContention(gfid, lock.type, pid, name, domain)
        )
