"""features/locks: extended attributes that no file has, by which clients say what LK cannot.

One takes waiting requests back: :mod:`~glusterio.xlators.locks.interrupting`.

By another, a descriptor's POSIX locks become those of another descriptor. A client that gets a new
graph has a new connection for it, and opens its files there anew. For each it asks on the old
connection for the *lockinfo*, and sets it on the new one. It is a dictionary from the brick's name to a
number of the old descriptor, in GlusterFS's old encoding.

Here the number is a random one, since it is all that a client needs to have another's locks.

Source: GlusterFS xlators/features/locks/src/posix.c (``pl_fgetxattr_handle_lockinfo``,
``pl_fsetxattr_handle_lockinfo``, ``pl_migrate_locks``), api/src/glfs-resolve.c
(``glfs_migrate_fd_locks_safe``).
"""

from __future__ import annotations

import errno
import secrets
from typing import Final

from glusterio.errors import XdrError, fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro
from glusterio.wire.dictionary import Value, decode_old, encode_old, old_text
from glusterio.wire.fops.files import CommonReply
from glusterio.wire.fops.xattrs import FgetxattrRequest, FsetxattrRequest, XattrsReply
from glusterio.xlators.locks.core import LocksBase
from glusterio.xlators.locks.interrupting import INTERRUPT, interrupted_by
from glusterio.xlators.locks.owners import pid_of

LOCKINFO: Final = "trusted.glusterfs.lockinfo"


class XattrOperations(LocksBase):
    """FGETXATTR and FSETXATTR of these attributes."""

    def fgetxattr(self, frame: Frame, fd: Fd, request: FgetxattrRequest) -> Coro[XattrsReply]:
        if request.name == LOCKINFO and request.namelen:
            return self._lockinfo(fd)
        if request.name.startswith(INTERRUPT) and request.namelen:
            return self._interrupt(frame, fd, request.name)
        return self.child.fgetxattr(frame, fd, request)

    async def _interrupt(self, frame: Frame, fd: Fd, name: str) -> XattrsReply:
        meant = interrupted_by(name)
        locks = self.table.inodes.get(fd.gfid)
        count = 0
        if locks is not None:
            caller = (frame.client, pid_of(frame))
            for waiting in locks.posix.withdraw(
                lambda lock: (lock.owner.client, lock.caller) == caller and meant.means(lock)
            ):
                waiting.settle(fs_error(errno.EINTR))
                count += 1
            self.table.tidy(fd.gfid)
        told = f"{self.name}: posix blocked locks={count} granted locks=0"
        return XattrsReply(xattrs={name: told if count else "No locks cleared."})

    async def _lockinfo(self, fd: Fd) -> XattrsReply:
        locks = self.table.inodes.get(fd.gfid)
        if locks is None or not locks.posix.has_locks_of(fd):
            return XattrsReply(xattrs={})
        number = fd.context.setdefault(self, secrets.randbits(63) | 1)
        return XattrsReply(xattrs={LOCKINFO: encode_old({self.name: number})})

    def fsetxattr(self, frame: Frame, fd: Fd, request: FsetxattrRequest) -> Coro[CommonReply]:
        lockinfo = (request.xattrs or {}).get(LOCKINFO)
        if lockinfo is None:
            return self.child.fsetxattr(frame, fd, request)
        return self._set_lockinfo(frame, fd, request, lockinfo)

    async def _set_lockinfo(
        self, frame: Frame, fd: Fd, request: FsetxattrRequest, lockinfo: Value
    ) -> CommonReply:
        number = self._number_in(lockinfo)
        locks = self.table.inodes.get(fd.gfid)
        if number and locks is not None and not fd.anonymous:
            for held in {id(lock.fd): lock.fd for lock in locks.posix.held}.values():
                if isinstance(held, Fd) and held.context.get(self) == number:
                    locks.posix.migrate(held, fd, frame.client)
            self.table.settle(fd.gfid, locks.posix)
        others = {key: value for key, value in (request.xattrs or {}).items() if key != LOCKINFO}
        if not others:
            return CommonReply()
        return await self.child.fsetxattr(frame, fd, request._replace(xattrs=others))

    def _number_in(self, lockinfo: Value) -> int:
        """Return the descriptor's number, 0 when there is none of this brick.

        Raises:
            OSError: EINVAL: it is no lockinfo.
        """
        if not isinstance(lockinfo, bytes):
            raise fs_error(errno.EINVAL)
        try:
            return int(old_text(decode_old(lockinfo).get(self.name, b"0")))
        except (XdrError, ValueError):
            raise fs_error(errno.EINVAL) from None
