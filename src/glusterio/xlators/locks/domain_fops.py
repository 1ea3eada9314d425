"""features/locks: operations on translators' locks.

Source: GlusterFS xlators/features/locks/src/inodelk.c (``pl_common_inodelk``), entrylk.c
(``pl_common_entrylk``).
"""

from __future__ import annotations

import errno
from typing import Any, Final

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Now, Spawn, next_turn
from glusterio.types import Gfid
from glusterio.wire.fops.files import CommonReply
from glusterio.wire.fops.locks import (
    EntrylkRequest,
    FentrylkRequest,
    FinodelkRequest,
    InodelkRequest,
)
from glusterio.wire.programs import EntrylkCommand, EntrylkType, LockCommand, LockType
from glusterio.xlators.locks.contention import tell_holder
from glusterio.xlators.locks.core import LocksBase
from glusterio.xlators.locks.domains import DomainLocks, EntryLock, InodeLock
from glusterio.xlators.locks.owners import owner_of, pid_of
from glusterio.xlators.locks.posixlk import Answer
from glusterio.xlators.locks.ranges import LAST, forward_range_of
from glusterio.xlators.locks.waiting import Waiting

#: A lock from here on stands for a file's attributes, and is in a domain of its own.
_METADATA_FROM: Final = LAST - 1
_METADATA: Final = ":metadata"

_LOCK_TYPES: Final = frozenset(LockType)
_ENTRYLK_COMMANDS: Final = frozenset(EntrylkCommand)
_ENTRYLK_TYPES: Final = frozenset(EntrylkType)


class DomainLockOperations(LocksBase):
    """INODELK, FINODELK, ENTRYLK and FENTRYLK."""

    # -- ranges -----------------------------------------------------------------------------------

    async def inodelk(self, frame: Frame, request: InodelkRequest) -> CommonReply:
        await self._check_exists(frame, request.gfid)
        return await self._inodelk(frame, request.gfid, request)

    def finodelk(self, frame: Frame, fd: Fd, request: FinodelkRequest) -> Coro[CommonReply]:
        return self._inodelk(frame, fd.gfid, request)

    async def _inodelk(
        self, frame: Frame, gfid: Gfid, request: InodelkRequest | FinodelkRequest
    ) -> CommonReply:
        if request.type not in _LOCK_TYPES:
            raise fs_error(errno.EINVAL)
        flock = request.flock
        lock = InodeLock(
            forward_range_of(flock.start, flock.length),
            request.type,
            owner_of(frame),
            pid_of(frame),
        )
        if request.cmd not in (LockCommand.SETLK, LockCommand.SETLKW):
            raise fs_error(errno.EOPNOTSUPP)
        domain = request.domain
        if flock.start == _METADATA_FROM and not flock.length and not domain.endswith(_METADATA):
            domain += _METADATA
        queue = self.table.at(gfid).inodelk(domain)
        if request.type == LockType.UNLOCK:
            return await self._release(gfid, domain, queue, lock)
        may_wait = request.cmd == LockCommand.SETLKW
        return await self._take(frame, gfid, domain, queue, lock, may_wait)

    # -- names ------------------------------------------------------------------------------------

    async def entrylk(self, frame: Frame, request: EntrylkRequest) -> CommonReply:
        await self._check_exists(frame, request.gfid)
        return await self._entrylk(frame, request.gfid, request)

    def fentrylk(self, frame: Frame, fd: Fd, request: FentrylkRequest) -> Coro[CommonReply]:
        return self._entrylk(frame, fd.gfid, request)

    async def _entrylk(
        self, frame: Frame, gfid: Gfid, request: EntrylkRequest | FentrylkRequest
    ) -> CommonReply:
        if request.cmd not in _ENTRYLK_COMMANDS or request.type not in _ENTRYLK_TYPES:
            raise fs_error(errno.EINVAL)
        name = request.name if request.namelen else None
        lock = EntryLock(name, request.type, owner_of(frame), pid_of(frame))
        queue = self.table.at(gfid).entrylk(request.domain)
        if request.cmd == EntrylkCommand.UNLOCK:
            return await self._release(gfid, request.domain, queue, lock)
        may_wait = request.cmd == EntrylkCommand.LOCK
        return await self._take(frame, gfid, request.domain, queue, lock, may_wait)

    # -- either -----------------------------------------------------------------------------------

    async def _release(
        self, gfid: Gfid, domain: str, queue: DomainLocks[Any], unlock: Any
    ) -> CommonReply:
        found = queue.release(unlock)
        self.table.settle(gfid, queue)
        if queue.waiting:
            await Spawn(self._tell_next_holders(gfid, domain, queue))
        if not found:
            raise fs_error(errno.EINVAL)
        return CommonReply()

    async def _take(
        self,
        frame: Frame,
        gfid: Gfid,
        domain: str,
        queue: DomainLocks[Any],
        lock: Any,
        may_wait: bool,
    ) -> CommonReply:
        waiting = None
        answer = Answer.REFUSED
        try:
            self._check_room(frame)
            if may_wait:
                waiting = Waiting(lock, self.services.new_event())
            answer = queue.take(lock, waiting)
        finally:
            self.table.tidy(gfid)
        if answer is Answer.REFUSED:
            await self._tell_holders(gfid, domain, queue, lock)
            raise fs_error(errno.EAGAIN)
        if answer is Answer.WAITS:
            assert waiting is not None
            await self._tell_holders(gfid, domain, queue, lock)
            await self._wait(frame, gfid, queue, waiting)
        return CommonReply()

    # -- contention -------------------------------------------------------------------------------

    async def _tell_holders(
        self, gfid: Gfid, domain: str, queue: DomainLocks[Any], wanted: Any = None
    ) -> None:
        """Tell the holders of locks that others want; by default, all who wait."""
        if self._notifies:
            for lock in queue.to_be_told(await Now(), self._notify_delay, wanted):
                tell_holder(gfid, domain, lock)

    async def _tell_next_holders(self, gfid: Gfid, domain: str, queue: DomainLocks[Any]) -> None:
        """Tell those who have just got a lock that others still wait; but not before they know it."""
        await next_turn(self.services.new_event)
        await self._tell_holders(gfid, domain, queue)

    async def client_gone(self, frame: Frame) -> None:
        if frame.client is not None and self.table.forget_client(frame.client):
            for gfid, locks in list(self.table.inodes.items()):
                queues: list[tuple[str, DomainLocks[Any]]] = [
                    *locks.inodelks.items(),
                    *locks.entrylks.items(),
                ]
                for domain, queue in queues:
                    if queue.waiting:
                        await Spawn(self._tell_next_holders(gfid, domain, queue))
        await self.child.client_gone(frame)
