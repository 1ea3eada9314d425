"""features/leases: the operations that a lease of another keeps waiting.

While the option is off each of them is its child's coroutine, at once; so are READ and WRITE when
nobody has a lease and the file is open for what they do.

Source: GlusterFS xlators/features/leases/src/leases.c, leases.h (``GET_FLAGS``, ``GET_FLAGS_LK``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro
from glusterio.types import NULL_GFID, Buffer, Gfid
from glusterio.wire.fops.data import CopyFileRangeRequest
from glusterio.wire.fops.files import OpenReply, OpenRequest
from glusterio.wire.fops.locks import LkReply, LkRequest
from glusterio.wire.fops.names import (
    CreateReply,
    CreateRequest,
    LookupRequest,
    NewEntryReply,
    RemovedEntryReply,
    RenameReply,
    RenameRequest,
    UnlinkRequest,
)
from glusterio.wire.programs import LockCommand, LockType
from glusterio.xlators.base import Data, Written
from glusterio.xlators.leases.core import (
    NONBLOCK,
    LeasesBase,
    holder_of,
    is_internal,
    is_patient,
)
from glusterio.xlators.leases.rules import ANY_LEASE_ID, NO_LEASE_ID, Holder, Use

#: Fops that change a file, named by its gfid. With these, as with UNLINK and RENAME, libgfapi cannot
#: name a lease id: a holder would wait for himself.
CHANGES: Final = ("setattr", "truncate", "setxattr", "removexattr", "link")
#: Those that change an open one, and what they are in the name of without a lease id.
FD_CHANGES: Final = {
    **dict.fromkeys(("ftruncate", "fallocate", "discard", "zerofill"), NO_LEASE_ID),
    **dict.fromkeys(("fsetattr", "fsetxattr", "fremovexattr"), ANY_LEASE_ID),
}

_EXCLUSIVE: Final = 0o200
_CHANGING: Final = 0o1003  # write-only, read-write, or to be truncated


class GuardedOperations(LeasesBase):
    """What uses and changes files."""

    async def _change(
        self,
        frame: Frame,
        holder: Holder,
        gfids: Sequence[Gfid],
        may_wait: bool,
        method: Callable[..., Coro[Any]],
        *arguments: Any,
    ) -> Any:
        """Change files when no lease is in the way. Until it is done, none is granted that would be."""
        use = Use(holder, True)
        key = object()
        used: list[Gfid] = []
        try:
            for gfid in gfids:
                await self._guard(frame, gfid, use, may_wait=may_wait)
                self._file(gfid).uses[key] = use
                used.append(gfid)
            return await method(frame, *arguments)
        finally:
            for gfid in used:
                self._end_use(gfid, key)

    # -- opening ----------------------------------------------------------------------------------

    def open(self, frame: Frame, fd: Fd, request: OpenRequest) -> Coro[OpenReply]:
        if not self.is_on or is_internal(frame, request.xdata):
            return self.child.open(frame, fd, request)
        return self._open(frame, fd, request)

    async def _open(self, frame: Frame, fd: Fd, request: OpenRequest) -> OpenReply:
        flags = request.flags
        use = Use(holder_of(frame, request.xdata), bool(flags & _CHANGING))
        await self._guard(frame, fd.gfid, use, may_wait=not flags & NONBLOCK)
        self._file(fd.gfid).uses[fd] = use
        try:
            return await self.child.open(frame, fd, request)
        except BaseException:
            self._end_use(fd.gfid, fd)
            raise

    def create(self, frame: Frame, fd: Fd, request: CreateRequest) -> Coro[CreateReply]:
        if not self.is_on or is_internal(frame, request.xdata):
            return self.child.create(frame, fd, request)
        return self._create(frame, fd, request)

    async def _create(self, frame: Frame, fd: Fd, request: CreateRequest) -> CreateReply:
        """Make a file, or open one that is there already."""
        flags = request.flags
        holder = holder_of(frame, request.xdata)
        there: Sequence[Gfid] = ()
        if not flags & _EXCLUSIVE:
            there = await self._named(frame, (request.pargfid, request.name))
        reply: CreateReply = await self._change(
            frame, holder, there, not flags & NONBLOCK, self.child.create, fd, request
        )
        self._file(fd.gfid).uses[fd] = Use(holder, bool(flags & _CHANGING))
        return reply

    # -- data -------------------------------------------------------------------------------------

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        if not self.tally:
            return self.child.readv(frame, fd, size, offset, sink)
        file = self.files.get(fd.gfid)
        if file is None or not file.leases or is_internal(frame, frame.xdata):
            return self.child.readv(frame, fd, size, offset, sink)
        return self._readv(frame, fd, size, offset, sink)

    async def _readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None
    ) -> Data:
        use = Use(holder_of(frame, frame.xdata), False)
        await self._guard(frame, fd.gfid, use, may_wait=is_patient(fd))
        return await self.child.readv(frame, fd, size, offset, sink)

    def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Coro[Written]:
        if not self.is_on or self._is_free(fd) or is_internal(frame, frame.xdata):
            return self.child.writev(frame, fd, data, offset)
        method, holder = self.child.writev, holder_of(frame, frame.xdata)
        return self._change(frame, holder, (fd.gfid,), is_patient(fd), method, fd, data, offset)

    def _is_free(self, fd: Fd) -> bool:
        """Tell whether a file has no lease, and gets none, as long as an fd is open for writing."""
        file = self.files.get(fd.gfid)
        if file is None or file.leases:
            return False
        use = file.uses.get(fd)
        return use is not None and use.changes

    def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: CopyFileRangeRequest
    ) -> Coro[NewEntryReply]:
        if not self.is_on or is_internal(frame, request.xdata):
            return self.child.copy_file_range(frame, fd_in, fd_out, request)
        return self._copy(frame, fd_in, fd_out, request)

    async def _copy(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: CopyFileRangeRequest
    ) -> NewEntryReply:
        holder = holder_of(frame, request.xdata)
        use = Use(holder, False)
        await self._guard(frame, fd_in.gfid, use, may_wait=is_patient(fd_in))
        method = self.child.copy_file_range
        gfids = (fd_out.gfid,)
        reply: NewEntryReply = await self._change(
            frame, holder, gfids, is_patient(fd_out), method, fd_in, fd_out, request
        )
        return reply

    def lk(self, frame: Frame, fd: Fd, request: LkRequest) -> Coro[LkReply]:
        file = self.files.get(fd.gfid)
        if file is None or not file.leases or is_internal(frame, request.xdata):
            return self.child.lk(frame, fd, request)
        if request.cmd == LockCommand.GETLK or request.type == LockType.UNLOCK:
            return self.child.lk(frame, fd, request)
        return self._lk(frame, fd, request)

    async def _lk(self, frame: Frame, fd: Fd, request: LkRequest) -> LkReply:
        use = Use(holder_of(frame, request.xdata), request.type == LockType.WRITE)
        await self._guard(frame, fd.gfid, use, may_wait=request.cmd == LockCommand.SETLKW)
        return await self.child.lk(frame, fd, request)

    # -- names ------------------------------------------------------------------------------------

    async def _named(self, frame: Frame, *entries: tuple[Gfid, str]) -> list[Gfid]:
        """Find the files of those entries that are there."""
        found: list[Gfid] = []
        for parent, name in entries:
            try:
                request = LookupRequest(NULL_GFID, parent, 0, name)
                gfid = (await self.child.lookup(frame, request)).stat.gfid
            except OSError:
                continue  # as the fop itself will say
            if gfid not in found:
                found.append(gfid)
        return found

    def unlink(self, frame: Frame, request: UnlinkRequest) -> Coro[RemovedEntryReply]:
        if not self.is_on or is_internal(frame, request.xdata):
            return self.child.unlink(frame, request)
        entry = request.pargfid, request.name
        return self._change_names(frame, request, self.child.unlink, entry)

    def rename(self, frame: Frame, request: RenameRequest) -> Coro[RenameReply]:
        if not self.is_on or is_internal(frame, request.xdata):
            return self.child.rename(frame, request)
        entries = (
            (request.old_pargfid, request.old_name),
            (request.new_pargfid, request.new_name),
        )
        return self._change_names(frame, request, self.child.rename, *entries)

    async def _change_names(
        self,
        frame: Frame,
        request: Any,
        method: Callable[..., Coro[Any]],
        *entries: tuple[Gfid, str],
    ) -> Any:
        gfids = await self._named(frame, *entries)
        holder = holder_of(frame, request.xdata, ANY_LEASE_ID)
        return await self._change(frame, holder, gfids, True, method, request)


def _add(name: str) -> None:
    def method(self: GuardedOperations, frame: Frame, request: Any) -> Coro[Any]:
        fop = getattr(self.child, name)
        if not self.is_on or is_internal(frame, request.xdata):
            return fop(frame, request)  # type: ignore[no-any-return]
        holder = holder_of(frame, request.xdata, ANY_LEASE_ID)
        return self._change(frame, holder, (request.gfid,), True, fop, request)

    setattr(GuardedOperations, name, method)


def _add_on_fd(name: str, nameless: bytes) -> None:
    def method(self: GuardedOperations, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        fop = getattr(self.child, name)
        if not self.is_on or is_internal(frame, request.xdata):
            return fop(frame, fd, request)  # type: ignore[no-any-return]
        holder = holder_of(frame, request.xdata, nameless)
        return self._change(frame, holder, (fd.gfid,), is_patient(fd), fop, fd, request)

    setattr(GuardedOperations, name, method)


for _name in CHANGES:
    _add(_name)
for _name, _nameless in FD_CHANGES.items():
    _add_on_fd(_name, _nameless)
