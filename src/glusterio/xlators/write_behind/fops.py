"""performance/write-behind: who waits for deferred writes.

A fop that could tell the difference waits until what was accepted before it is with the brick; what is
accepted after it has begun is a matter between its callers. Where nothing is deferred, none of this
costs anything: the fop is the child's.

Source: GlusterFS xlators/performance/write-behind/src/write-behind.c. What is done otherwise:

* there a failed write is tried again with every later request until an fsync or flush, and a close does
  not hear of it where ``flush-behind`` is on, which is the default. Here it is told at once and not
  tried again: who wrote still has the data. So ``resync-failed-syncs-after-fsync`` has nothing to do,
  and ``flush-behind`` is off unless the volfile says that it is on.
* there a lock request does not wait. Here it does: who gets the lock next shall find the data.
* there READDIRP leaves out the attributes of a file with deferred writes. Here it waits.
* ``trickling-writes`` is always on: what is there is sent when nothing else is under way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Reply
from glusterio.wire.fops import data as data_fops
from glusterio.wire.fops import files, names
from glusterio.xlators.base import Data
from glusterio.xlators.write_behind.writer import Deferred, Writer
from glusterio.xlators.write_behind.writes import Writes


class WriteBehind(Writes):
    """Defers writes.

    Options, as in a volfile: ``cache-size`` (or ``window-size``), ``aggregate-size``, ``flush-behind``,
    ``strict-O_DIRECT``, ``strict-write-ordering``.
    """

    xlator_type = "performance/write-behind"

    async def _after(self, dirty: list[Deferred], fop: Callable[..., Coro[Any]], *args: Any) -> Any:
        for deferred in dirty:
            await self._until(deferred)
        return await fop(*args)

    # -- reading ----------------------------------------------------------------------------------

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        deferred = self._dirty.get(fd.gfid)
        if deferred is None:
            return self.child.readv(frame, fd, size, offset, sink)
        return self._read(deferred, frame, fd, size, offset, sink)

    async def _read(
        self,
        deferred: Deferred,
        frame: Frame,
        fd: Fd,
        size: int,
        offset: int,
        sink: memoryview | None,
    ) -> Data:
        """Read what nothing under way touches at once, and else when it is with the brick."""
        with self._lock:
            last = deferred.order.last
            touching = deferred.order.last_touching(offset, offset + size)
        if touching:
            await self._until(deferred, touching)
        with self._lock:
            settled = deferred.order.has_passed(last)
        answer = await self.child.readv(frame, fd, size, offset, sink)
        if len(answer.data) < size and not settled:
            # The file's end, as the brick knows it: what is under way further on may have moved it.
            await self._until(deferred, last)
            answer = await self.child.readv(frame, fd, size, offset, sink)
        return answer

    # -- attributes of what a name leads to -------------------------------------------------------

    def lookup(self, frame: Frame, request: names.LookupRequest) -> Coro[names.LookupReply]:
        if not self._dirty:
            return self.child.lookup(frame, request)
        with self._lock:
            dirty = dict(self._dirty)
        return self._look_up(dirty, frame, request)

    async def _look_up(
        self, dirty: dict[bytes, Deferred], frame: Frame, request: names.LookupRequest
    ) -> names.LookupReply:
        """Only the answer says whether it is about a file with deferred writes: then ask again."""
        reply = await self.child.lookup(frame, request)
        deferred = dirty.get(reply.stat.gfid)
        if deferred is None:
            return reply
        await self._until(deferred)
        return await self.child.lookup(frame, request)

    # -- opening and closing ----------------------------------------------------------------------

    def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> Coro[files.OpenReply]:
        deferred = self._dirty.get(request.gfid) if request.flags & os.O_TRUNC else None
        if deferred is None:
            return self.child.open(frame, fd, request)
        return self._after([deferred], self.child.open, frame, fd, request)

    async def flush(self, frame: Frame, fd: Fd, request: files.FlushRequest) -> files.CommonReply:
        writer = self._told(fd)
        if writer is not None:
            await self._settle(writer)
        return await self.child.flush(frame, fd, request)

    async def fsync(self, frame: Frame, fd: Fd, request: files.FsyncRequest) -> files.ChangedReply:
        """Sync when everything accepted is with the brick. Also what did not fail is synced.

        Raises:
            OSError: a deferred write has failed.
        """
        writer = self._told(fd)
        if writer is None:
            return await self.child.fsync(frame, fd, request)
        await self._until(writer.deferred)
        reply = await self.child.fsync(frame, fd, request)
        self._tell(writer)
        return reply

    def _told(self, fd: Fd) -> Writer | None:
        """Return an open file as one that hears of failures, if there is anything to hear of."""
        writer: Writer | None = fd.context.get(self)
        if writer is None and fd.gfid in self._dirty and not fd.anonymous:
            writer = self._writer(fd)
        return writer

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        writer: Writer | None = fd.context.get(self)
        if writer is not None:
            with self._lock:
                if fd.gfid in self._dirty or writer.losses.count:
                    return None
            self._part(writer)
        return self.child.release_now(fd, done)

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        writer: Writer | None = fd.context.get(self)
        if writer is None:
            return self.child.release(frame, fd)
        return self._release(writer, frame, fd)

    async def _release(self, writer: Writer, frame: Frame, fd: Fd) -> None:
        """Release when everything accepted is answered, and tell what nobody was told.

        That comes before an error of the release itself: it is lost data.
        """
        deferred = writer.deferred
        await self._until(deferred)
        try:
            await self.child.release(frame, fd)
        except Exception:
            self._part(writer)
            self._tell(writer)
            raise
        self._part(writer)
        self._tell(writer)

    def _part(self, writer: Writer) -> None:
        """Forget an open file."""
        deferred, fd = writer.deferred, writer.fd
        with self._lock:
            fd.context.pop(self, None)
            fd.settle = None
            deferred.writers.pop(writer, None)
            if not deferred.writers and not deferred.order.writes:
                self._files.pop(deferred.gfid, None)

    # -- between two files ------------------------------------------------------------------------

    def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: data_fops.CopyFileRangeRequest
    ) -> Coro[names.NewEntryReply]:
        found = [self._dirty.get(gfid) for gfid in {fd_in.gfid, fd_out.gfid}]
        dirty = [deferred for deferred in found if deferred is not None]
        return self._after(dirty, self.child.copy_file_range, frame, fd_in, fd_out, request)


#: The fops that wait for a file's deferred writes: about a gfid, about an open file, and those whose
#: answer or whose meaning may concern any file: RENAME puts a file, with what was written to it, in
#: another's place.
_BY_GFID: Final = ("stat", "setattr", "truncate", "link", "inodelk", "lease")
_BY_FD: Final = (
    "fstat", "fsetattr", "ftruncate", "fallocate", "discard", "zerofill", "seek", "rchecksum",
    "lk", "finodelk",
)  # fmt: skip
_BY_ALL: Final = ("rename", "readdirp")


def _add(name: str, dirty_of: Callable[[WriteBehind, tuple[Any, ...]], list[Deferred]]) -> None:
    def method(self: WriteBehind, frame: Frame, *args: Any) -> Coro[Any]:
        fop: Callable[..., Coro[Any]] = getattr(self.child, name)
        if self._dirty:
            dirty = dirty_of(self, args)
            if dirty:
                return self._after(dirty, fop, frame, *args)
        return fop(frame, *args)

    setattr(WriteBehind, name, method)


def _of_gfid(self: WriteBehind, args: tuple[Any, ...]) -> list[Deferred]:
    deferred = self._dirty.get(args[0].gfid)
    return [] if deferred is None else [deferred]


def _of_all(self: WriteBehind, _: tuple[Any, ...]) -> list[Deferred]:
    with self._lock:
        return list(self._dirty.values())


for _name in _BY_GFID + _BY_FD:
    _add(_name, _of_gfid)
for _name in _BY_ALL:
    _add(_name, _of_all)
