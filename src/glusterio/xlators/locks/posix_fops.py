"""features/locks: operations on POSIX locks.

Source: GlusterFS xlators/features/locks/src/posix.c (``pl_lk``, ``pl_flush``, ``pl_release``,
``pl_getactivelk``, ``pl_setactivelk``), xlators/protocol/server/src/server-rpc-fops_v2.c
(``server4_0_lk``).
"""

from __future__ import annotations

import errno
from typing import Final

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro
from glusterio.types import Gfid
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.files import CommonReply, FlushRequest
from glusterio.wire.fops.locks import (
    ActiveLock,
    Flock,
    GetactivelkReply,
    GetactivelkRequest,
    LkReply,
    LkRequest,
    SetactivelkRequest,
)
from glusterio.wire.programs import LOCK_MODE, LockCommand, LockType
from glusterio.xlators.locks.core import LocksBase
from glusterio.xlators.locks.owners import Owner, owner_of, pid_of
from glusterio.xlators.locks.posixlk import Answer, PosixLock
from glusterio.xlators.locks.ranges import range_of
from glusterio.xlators.locks.waiting import Waiting

_TYPES: Final = frozenset(LockType)


class PosixLockOperations(LocksBase):
    """LK and what else drops or tells POSIX locks."""

    async def lk(self, frame: Frame, fd: Fd, request: LkRequest) -> LkReply:
        if fd.anonymous:
            raise fs_error(errno.EBADF)  # there is no release that could drop the lock
        wanted = _wanted(frame, fd, request)
        flock = request.flock._replace(
            type=request.type, start=wanted.range.first, length=wanted.range.length
        )
        if request.cmd == LockCommand.GETLK:
            return LkReply(flock=self._first_conflict(fd.gfid, wanted, flock))
        if request.cmd not in (LockCommand.SETLK, LockCommand.SETLKW):
            raise fs_error(errno.EOPNOTSUPP)
        unlocking = wanted.type == LockType.UNLOCK
        self._check_room(frame, unlocking=unlocking)
        waiting = None
        if request.cmd == LockCommand.SETLKW and not unlocking:
            waiting = Waiting(wanted, self.services.new_event())
        queue = self.table.at(fd.gfid).posix
        answer = queue.set(wanted, waiting)
        has_locks = unlocking and queue.has_locks_of(fd)
        self.table.settle(fd.gfid, queue)
        if answer is Answer.REFUSED:
            raise fs_error(errno.EAGAIN)
        if answer is Answer.WAITS:
            assert waiting is not None
            await self._wait(frame, fd.gfid, queue, waiting)
            return LkReply(flock=_flock_of(wanted))
        if has_locks:  # which tells a lock manager that it was not the fd's last one
            flock = flock._replace(type=LockType.READ)
        return LkReply(flock=flock)

    def _first_conflict(self, gfid: Gfid, wanted: PosixLock, flock: Flock) -> Flock:
        locks = self.table.inodes.get(gfid)
        conflict = None if locks is None else locks.posix.conflict(wanted)
        if conflict is None:
            return flock._replace(type=LockType.UNLOCK, lk_owner=wanted.owner.lk_owner)
        return _flock_of(conflict)._replace(whence=flock.whence)

    # -- dropping ---------------------------------------------------------------------------------

    def flush(self, frame: Frame, fd: Fd, request: FlushRequest) -> Coro[CommonReply]:
        if fd.gfid in self.table.inodes:
            lk_owner = frame.identity.lk_owner if frame.identity is not None else b""
            if lk_owner:
                self._drop_owner(fd.gfid, Owner(frame.client, lk_owner))
            else:
                self._drop_fd(fd)
        return self.child.flush(frame, fd, request)

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        if fd.gfid in self.table.inodes:
            self._drop_fd(fd)
        fd.context.pop(self, None)
        return self.child.release(frame, fd)

    def _drop_owner(self, gfid: Gfid, owner: Owner) -> None:
        queue = self.table.inodes[gfid].posix
        queue.drop(lambda lock: lock.owner == owner)
        self.table.settle(gfid, queue)

    def _drop_fd(self, fd: Fd) -> None:
        """Drop what was locked through a descriptor, and what is waited for through it."""
        queue = self.table.inodes[fd.gfid].posix
        for waiting in queue.withdraw(lambda lock: lock.fd is fd):
            waiting.settle(fs_error(errno.EAGAIN))
        queue.drop(lambda lock: lock.fd is fd)
        self.table.settle(fd.gfid, queue)

    # -- all of them ------------------------------------------------------------------------------

    async def getactivelk(self, frame: Frame, request: GetactivelkRequest) -> GetactivelkReply:
        await self._check_exists(frame, request.gfid)
        locks = self.table.inodes.get(request.gfid)
        held = () if locks is None else locks.posix.held
        found = tuple(ActiveLock(_flock_of(lock), lock.client_uid, lock.flags) for lock in held)
        return GetactivelkReply(op_ret=len(found), locks=found)

    async def setactivelk(self, frame: Frame, request: SetactivelkRequest) -> CommonReply:
        """Put locks on a file that has none. They are the caller's, whatever names they bear.

        Raises:
            OSError: EINVAL for no locks, or for one that is none; EEXIST when there are some already;
                ENOLCK for too many.
        """
        await self._check_exists(frame, request.gfid)
        if not request.locks or any(each.flock.type not in _HELD for each in request.locks):
            raise fs_error(errno.EINVAL)
        locks = self.table.inodes.get(request.gfid)
        if locks is not None and len(locks.posix):
            raise fs_error(errno.EEXIST)
        if self.table.tally[frame.client] + len(request.locks) > self._limit:
            raise fs_error(errno.ENOLCK)
        wanted = [_given(frame, each) for each in request.locks]
        queue = self.table.at(request.gfid).posix
        for lock in wanted:
            queue.put(lock)
        return CommonReply()


_HELD: Final = frozenset({LockType.READ, LockType.WRITE})


def _wanted(frame: Frame, fd: Fd, request: LkRequest) -> PosixLock:
    """Return what an LK is about.

    Raises:
        OSError: EINVAL.
    """
    if request.type not in _TYPES:
        raise fs_error(errno.EINVAL)
    return PosixLock(
        range_of(request.flock.start, request.flock.length),
        request.type,
        owner_of(frame),
        fd,
        request.flock.pid,
        pid_of(frame),
        _mode_of(request.xdata),
        getattr(frame.client, "uid", ""),
        request.flock.whence,
    )


def _mode_of(xdata: Dict | None) -> int:
    mode = (xdata or {}).get(LOCK_MODE, 0)
    return mode & 0xFFFFFFFF if isinstance(mode, int) else 0


def _given(frame: Frame, given: ActiveLock) -> PosixLock:
    flock = given.flock
    return PosixLock(
        range_of(flock.start, flock.length),
        flock.type,
        Owner(frame.client, flock.lk_owner),
        None,
        flock.pid,
        flock.pid,
        given.flags,
        given.client_uid,
    )


def _flock_of(lock: PosixLock) -> Flock:
    return Flock(lock.type, 0, lock.range.first, lock.range.length, lock.pid, lock.owner.lk_owner)
