"""features/locks: operations that bring along how many locks there are, when asked to."""

from __future__ import annotations

from typing import Any

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro
from glusterio.types import NULL_GFID
from glusterio.wire.fops.attributes import FstatRequest, StatReply
from glusterio.wire.fops.directories import ReaddirpReply, ReaddirpRequest
from glusterio.wire.fops.names import LookupReply, LookupRequest
from glusterio.xlators.locks.core import LocksBase
from glusterio.xlators.locks.counting import asks_for_counts, counts, without_questions


class AskingOperations(LocksBase):
    """LOOKUP, FSTAT and READDIRP."""

    def lookup(self, frame: Frame, request: LookupRequest) -> Coro[LookupReply]:
        if not asks_for_counts(request.xdata):
            return self.child.lookup(frame, request)
        return self._lookup(frame, request)

    async def _lookup(self, frame: Frame, request: LookupRequest) -> LookupReply:
        asked = request.xdata
        reply = await self.child.lookup(frame, _below(request))
        found = counts(self.table, asked, reply.stat.gfid, request.pargfid, request.name)
        return reply._replace(xdata={**(reply.xdata or {}), **found})

    def fstat(self, frame: Frame, fd: Fd, request: FstatRequest) -> Coro[StatReply]:
        if not asks_for_counts(request.xdata):
            return self.child.fstat(frame, fd, request)
        return self._fstat(frame, fd, request)

    async def _fstat(self, frame: Frame, fd: Fd, request: FstatRequest) -> StatReply:
        reply = await self.child.fstat(frame, fd, _below(request))
        found = counts(self.table, request.xdata, fd.gfid)
        return reply._replace(xdata={**(reply.xdata or {}), **found})

    def readdirp(self, frame: Frame, fd: Fd, request: ReaddirpRequest) -> Coro[ReaddirpReply]:
        if not asks_for_counts(request.xdata):
            return self.child.readdirp(frame, fd, request)
        return self._readdirp(frame, fd, request)

    async def _readdirp(self, frame: Frame, fd: Fd, request: ReaddirpRequest) -> ReaddirpReply:
        asked = request.xdata
        reply = await self.child.readdirp(frame, fd, _below(request))
        entries = []
        for entry in reply.entries:
            if entry.stat.gfid != NULL_GFID:
                found = counts(self.table, asked, entry.stat.gfid, fd.gfid, entry.name)
                entry = entry._replace(xdata={**(entry.xdata or {}), **found})
            entries.append(entry)
        return reply._replace(entries=tuple(entries))


def _below(request: Any) -> Any:
    """Return a request as the child is to see it."""
    return request._replace(xdata=without_questions(request.xdata))
