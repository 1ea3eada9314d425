"""features/leases: LEASE itself, and what ends leases.

Source: GlusterFS xlators/features/leases/src/leases-internal.c (``process_lease_req``,
``__remove_lease``).
"""

from __future__ import annotations

import errno
from typing import Final

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Now
from glusterio.wire.fops.attributes import StatRequest
from glusterio.wire.fops.locks import LeaseReply, LeaseRequest
from glusterio.wire.programs import LeaseCommand, LeaseType
from glusterio.xlators.leases.core import LeasesBase, is_internal
from glusterio.xlators.leases.file import FileLeases
from glusterio.xlators.leases.rules import Holder, Use

#: How many leases a client may have; GlusterFS has no limit.
MOST_LEASES: Final = 65536

_GRANTED: Final = frozenset({LeaseType.READ, LeaseType.READ_WRITE})


class LeaseOperations(LeasesBase):
    """LEASE and RELEASE."""

    def lease(self, frame: Frame, request: LeaseRequest) -> Coro[LeaseReply]:
        if not self.is_on or is_internal(frame, request.xdata):
            return self.child.lease(frame, request)
        return self._lease(frame, request)

    async def _lease(self, frame: Frame, request: LeaseRequest) -> LeaseReply:
        """Get, take or drop a lease.

        Raises:
            OSError: EINVAL for no lease id, an unknown command or type; EPERM when the lease cannot be
                granted now; ESTALE for a file that is not there.
        """
        gfid, lease = request.gfid, request.lease._replace(flags=0)
        if gfid not in self.files:  # one that is used may have lost its name
            await self.child.stat(frame, StatRequest(gfid))
        if not any(lease.id):
            raise fs_error(errno.EINVAL)
        now = await Now()
        file = self._file(gfid)
        try:
            self._revoke_overdue(gfid, file, now)
            holder = Holder(frame.client, lease.id)
            if lease.cmd == LeaseCommand.GET:
                return LeaseReply(lease=lease._replace(type=file.types))
            if lease.cmd == LeaseCommand.SET and lease.type in _GRANTED:
                self._set(file, request, holder, now)
                return LeaseReply(lease=lease)
            if lease.cmd == LeaseCommand.UNLOCK:
                self._unlock(file, holder, lease.type)
                return LeaseReply(lease=lease)
            raise fs_error(errno.EINVAL)
        finally:
            self._settle(gfid, file)

    def _set(self, file: FileLeases, request: LeaseRequest, holder: Holder, now: float) -> None:
        gone = getattr(holder.client, "gone", None)
        if gone is not None and gone.is_set:
            raise fs_error(errno.ENOTCONN)  # nothing would end it any more
        wanted = LeaseType(request.lease.type)
        if not file.can_grant(holder, wanted):
            use = Use(holder, wanted == LeaseType.READ_WRITE)
            self._recall(request.gfid, file, file.in_the_way(use), now)
            raise fs_error(errno.EPERM)
        if holder not in file.leases:
            if self.tally[holder.client] >= MOST_LEASES:
                raise fs_error(errno.ENOLCK)
            self.tally[holder.client] += 1
        file.grant(holder, wanted)

    def _unlock(self, file: FileLeases, holder: Holder, given: int) -> None:
        """Drop a lease. One that is not there is no error: it may have been taken back just now."""
        if holder not in file.leases:
            return
        if not file.give_back(holder, given):
            raise fs_error(errno.EINVAL)
        if holder not in file.leases:
            self._uncount(holder)

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        file = self.files.get(fd.gfid)
        if file is not None:
            use = file.uses.pop(fd, None)
            if use is not None and use.holder in file.leases:
                others = (key for key, each in file.uses.items() if each.holder == use.holder)
                if not any(isinstance(key, Fd) for key in others):
                    self._revoke(fd.gfid, file, use.holder)
            self._settle(fd.gfid, file)
        return self.child.release(frame, fd)
