"""features/locks: what all its operations share."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Mapping
from typing import Any, Final

from glusterio.errors import VolfileError, fs_error
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, integer, option, seconds
from glusterio.types import Gfid
from glusterio.wire.fops.attributes import StatRequest
from glusterio.xlators.base import Xlator
from glusterio.xlators.locks.table import LockTable, Queue
from glusterio.xlators.locks.waiting import Waiting

#: How many locks and waiting requests a client may have, unless ``max-locks-per-client`` says so.
MAX_LOCKS: Final = 4096

#: Seconds until a lock's holder is told again that others want it, unless ``notify-contention-delay``
#: says so.
NOTIFY_DELAY: Final = 5


class LocksBase(Xlator):
    """The table of locks, its limits, and the waiting."""

    def set_up(self) -> None:
        self.table = LockTable()

    def configure(self, options: Mapping[str, str]) -> None:
        mandatory = options.get("mandatory-locking", "off")
        if mandatory != "off":
            raise VolfileError(
                f"option mandatory-locking: {mandatory!r} is not supported, only 'off'"
            )
        self._limit = option(options, "max-locks-per-client", integer, MAX_LOCKS)
        self._notifies = option(options, "notify-contention", boolean, True)
        self._notify_delay = option(options, "notify-contention-delay", seconds, NOTIFY_DELAY)

    def _check_room(self, frame: Frame, *, unlocking: bool = False) -> None:
        """Let a client take no more than is good for the others, and nothing when it has gone.

        Dropping a part of a lock may leave one more than before, so there is some room to spare.

        Raises:
            OSError: ENOLCK; or ENOTCONN, as nothing would drop the lock any more.
        """
        gone = getattr(frame.client, "gone", None)
        if gone is not None and gone.is_set:
            raise fs_error(errno.ENOTCONN)
        limit = 2 * self._limit if unlocking else self._limit
        if self.table.tally[frame.client] >= limit:
            raise fs_error(errno.ENOLCK)

    async def _check_exists(self, frame: Frame, gfid: Gfid) -> None:
        """Lock nothing that is not there, since nobody would ever unlock it.

        Raises:
            OSError: ESTALE, or what else STAT says.
        """
        if gfid not in self.table.inodes:
            await self.child.stat(frame, StatRequest(gfid))

    async def _wait(self, frame: Frame, gfid: Gfid, queue: Queue, waiting: Waiting[Any]) -> None:
        """Wait until a lock is granted, the client has gone, or the caller gives up.

        Raises:
            OSError: it was not granted.
        """

        def withdraw() -> None:
            if waiting.event.is_set:
                return
            for each in queue.withdraw(lambda lock: lock is waiting.lock):
                each.settle(fs_error(errno.ENOTCONN))
                self.table.settle(gfid, queue)

        gone = getattr(frame.client, "gone", None)
        if gone is not None:
            gone.waiters.append(withdraw)
        try:
            await waiting.wait()
        except BaseException:
            withdraw()
            raise
        finally:
            if gone is not None:
                with contextlib.suppress(ValueError):
                    gone.waiters.remove(withdraw)
