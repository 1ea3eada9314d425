"""performance/quick-read: a small file's content comes along with the LOOKUP of its open.

A LOOKUP can bring what a small file holds. It is asked for when the file is being opened to be read
(``frame.opening``), and with no other LOOKUP: bricks would open and read each small file that is only
looked at. Reads through the fd that is then opened are answered from it.

What makes that right:

* It is what the file held when it was opened, and it is served for ``cache-timeout`` seconds after it
  was asked for, no longer. For so long an open file misses what another client changes; whoever opens
  it anew sees that.
* A brick gives it without looking at permissions, which in GlusterFS is the client's affair. So it is
  used only where the mode bits, and no access control list, say that the user may read the file. Then,
  too, the open is *granted*: nobody need wait for the brick's word (performance/open-behind).
* While this session has a file open for writing nothing is kept of it; so no write can be missed, and
  writes cost nothing here. A reply that was overtaken by a change is not kept, either.
* Who has been granted a lock sees what others wrote before: what was kept of the file is dropped then.
* It is all of the file, as long as its attributes say, or it is not used.

It is kept until the fd's release or its time is over; of all together, ``cache-size`` bytes.

Options: ``max-file-size``, ``cache-size``, ``cache-timeout``, ``pass-through``.

Source: GlusterFS xlators/performance/quick-read/src/quick-read.c (``qr_lookup``, ``qr_readv_cached``;
there it is kept for a second whoever opens the file), xlators/storage/posix/src/posix-helpers.c
(``_posix_xattr_get_set``).
"""

from __future__ import annotations

import os
import stat as stat_module
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from glusterio.graph.changes import Changes
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame, Opening
from glusterio.graph.options import boolean, integer, option, size
from glusterio.graph.permission import ACL, may_read
from glusterio.traps import Coro, Reply
from glusterio.types import Gfid
from glusterio.wire.dictionary import Constant, Dict
from glusterio.wire.fops.attributes import FstatRequest, StatReply
from glusterio.wire.fops.files import ChangedReply, OpenReply, OpenRequest, TruncateRequest
from glusterio.wire.fops.locks import LkReply, LkRequest
from glusterio.wire.fops.names import CreateReply, CreateRequest, LookupReply, LookupRequest
from glusterio.wire.iatt import Iatt
from glusterio.xlators.base import Data, Notice, Xlator

#: What LOOKUP is asked for; the value is the most bytes wanted.
CONTENT: Final = "glusterfs.content"

_WRITING: Final = os.O_ACCMODE | os.O_TRUNC


class Content:
    """What a small file holds, for all fds that were opened with it.

    Attributes:
        gfid: the file.
        data: all that it holds; ``None`` when that is true no more.
        stat: the file's attributes, from the same reply.
        until: when it may be served no more.
        fds: how many fds read from it.
    """

    __slots__ = ("data", "fds", "gfid", "stat", "until")

    def __init__(self, gfid: Gfid) -> None:
        self.gfid = gfid
        self.data: bytes | None = None
        self.stat: Iatt | None = None
        self.until = 0.0
        self.fds = 0


@lru_cache(maxsize=8)
def _asking_for(size: int) -> Constant:
    """Return what a LOOKUP asks for: so much content, and whether there is a list."""
    return Constant({CONTENT: size, ACL: 0})


class QuickRead(Xlator):
    """See the top of this file."""

    xlator_type = "performance/quick-read"

    def set_up(self) -> None:
        self._clock = self.services.clock
        self._lock = self.services.new_lock()
        self._kept: OrderedDict[Gfid, Content] = OrderedDict()  # fetched first, first
        self._size = 0
        self._writers: dict[Gfid, int] = {}
        self._changes = Changes()

    def configure(self, options: Mapping[str, str]) -> None:
        self._largest = option(options, "max-file-size", size, 64 * 1024)
        self._seconds = option(options, "cache-timeout", integer, 1)
        self._room = option(options, "cache-size", size, 128 * 1024 * 1024)
        if option(options, "pass-through", boolean, False):
            self._largest = 0
        self._asked: Dict = _asking_for(self._largest)

    def counts(self) -> dict[str, int]:
        return {"files": len(self._kept), "bytes": self._size}

    # -- content comes ----------------------------------------------------------------------------

    def lookup(self, frame: Frame, request: LookupRequest) -> Coro[LookupReply]:
        opening = frame.opening
        if opening is None or not self._largest:
            return self.child.lookup(frame, request)
        return self._with_content(frame, opening, request)

    async def _with_content(
        self, frame: Frame, opening: Opening, request: LookupRequest
    ) -> LookupReply:
        theirs = request.xdata
        asked = {**theirs, **self._asked} if theirs else self._asked
        since = self._changes.latest
        until = self._clock() + self._seconds
        gfid, parent, flags, name, _ = request
        reply = await self.child.lookup(frame, LookupRequest(gfid, parent, flags, name, asked))
        stat, answer = reply.stat, reply.xdata or {}
        if stat_module.S_ISREG(stat.mode) and ACL not in answer:
            data = answer.get(CONTENT) if stat.size else b""
            if isinstance(data, bytes) and len(data) == stat.size:
                opening.content = self._keep(stat, data, since, until)
        if not answer:
            return reply
        if len(answer) == 1 and CONTENT in answer and not theirs:  # as most are
            return LookupReply(stat=stat)
        if theirs:
            others = {key: answer[key] for key in answer if key in theirs or key not in asked}
        else:
            others = {key: answer[key] for key in answer if key not in asked}
        return LookupReply(reply.op_ret, reply.op_errno, others or None, stat, reply.postparent)

    def _keep(self, stat: Iatt, data: bytes, since: int, until: float) -> Content | None:
        gfid = stat.gfid
        with self._lock:
            if self._changes.since(gfid, since) or gfid in self._writers:
                return None
            content = self._kept.get(gfid)
            if content is None:
                content = self._kept[gfid] = Content(gfid)
            elif until < content.until:
                return content  # asked for later, answered earlier
            else:
                self._kept.move_to_end(gfid)
                self._size -= len(content.data or b"")
            content.data, content.stat, content.until = data, stat, until
            self._size += len(data)
            self._make_room(until - self._seconds)
            return None if content.gfid not in self._kept else content

    def _make_room(self, now: float) -> None:
        """Drop what is too old to be served, and the oldest while it is too much."""
        kept = self._kept
        while kept:
            oldest = next(iter(kept.values()))
            if oldest.until > now and self._size <= self._room:
                return
            self._drop(oldest.gfid)

    def open(self, frame: Frame, fd: Fd, request: OpenRequest) -> Coro[OpenReply]:
        if request.flags & _WRITING:
            return self._to_write(fd, self.child.open(frame, fd, request))
        opening = frame.opening
        if opening is not None:
            opening.granted = self._use(frame, fd, opening.content)
        return self.child.open(frame, fd, request)

    def _use(self, frame: Frame, fd: Fd, content: object) -> bool:
        """Have an fd that is about to be opened read from what is in hand, if its user may."""
        user = frame.identity or self.services.identity
        if not isinstance(content, Content) or content.gfid != fd.gfid or user is None:
            return False
        with self._lock:
            if content.data is None or content.stat is None or not may_read(user, content.stat):
                return False
            content.fds += 1
        fd.context[self] = content
        fd.at_hand = partial(self._at_hand, content)
        return True

    def _at_hand(self, content: Content, size: int, offset: int) -> bytes | None:
        data = content.data
        if data is None or self._clock() >= content.until:
            return None
        return data if not offset and size >= len(data) else data[offset : offset + size]

    # -- content is read --------------------------------------------------------------------------

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        content = fd.context.get(self)
        if type(content) is not Content:
            return self.child.readv(frame, fd, size, offset, sink)
        return self._read(content, frame, fd, size, offset, sink)

    async def _read(
        self,
        content: Content,
        frame: Frame,
        fd: Fd,
        size: int,
        offset: int,
        sink: memoryview | None,
    ) -> Data:
        piece = self._at_hand(content, size, offset)
        if piece is None:
            self._part(fd)
            return await self.child.readv(frame, fd, size, offset, sink)
        eof = content.stat is None or offset + len(piece) >= content.stat.size
        if sink is None:
            return Data(piece, None, eof)
        sink[: len(piece)] = piece
        return Data(sink[: len(piece)], None, eof)

    def fstat(self, frame: Frame, fd: Fd, request: FstatRequest) -> Coro[StatReply]:
        content = fd.context.get(self)
        if type(content) is not Content:
            return self.child.fstat(frame, fd, request)
        return self._compared(content, self.child.fstat(frame, fd, request))

    async def _compared(self, content: Content, fop: Coro[StatReply]) -> StatReply:
        """If the file's attributes tell of a change, what is in hand is true no more."""
        reply = await fop
        with self._lock:
            stat = content.stat
            if stat is not None and _version(stat) != _version(reply.stat):
                self._drop(content.gfid)
        return reply

    # -- content goes -----------------------------------------------------------------------------

    def create(self, frame: Frame, fd: Fd, request: CreateRequest) -> Coro[CreateReply]:
        return self._to_write(fd, self.child.create(frame, fd, request))

    async def _to_write(self, fd: Fd, fop: Coro[Any]) -> Any:
        """Open a file to write to it: from then until its release nothing is kept of it."""
        try:
            reply = await fop
        except BaseException:  # it may have been made shorter all the same
            self._change(fd.gfid)
            raise
        with self._lock:
            self._writers[fd.gfid] = self._writers.get(fd.gfid, 0) + 1
        fd.context[self] = _WRITING
        self._change(fd.gfid)
        return reply

    def truncate(self, frame: Frame, request: TruncateRequest) -> Coro[ChangedReply]:
        return self._changing(request.gfid, self.child.truncate(frame, request))

    def lk(self, frame: Frame, fd: Fd, request: LkRequest) -> Coro[LkReply]:
        return self._changing(fd.gfid, self.child.lk(frame, fd, request))

    async def _changing(self, gfid: Gfid, fop: Coro[Any]) -> Any:
        try:
            return await fop
        finally:
            self._change(gfid)

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        self._part(fd)
        return self.child.release(frame, fd)

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        request = self.child.release_now(fd, done)
        if request is not None and self in fd.context:
            self._part(fd)
        return request

    def drop(self, fd: Fd) -> bool:
        dropped = self.child.drop(fd)
        if dropped:
            self._part(fd)
        return dropped

    def _part(self, fd: Fd) -> None:
        """An fd reads from what is in hand no more, or is written to no more."""
        with self._lock:
            had = fd.context.pop(self, None)
            if had is None:
                return
            fd.at_hand = None
            if type(had) is Content:
                had.fds -= 1
                if not had.fds and self._kept.get(had.gfid) is had:
                    self._drop(had.gfid)
                return
            gfid = fd.gfid
            left = self._writers[gfid] - 1
            if left:
                self._writers[gfid] = left
            else:
                del self._writers[gfid]
            self._changes.note(gfid)
            if gfid in self._kept:
                self._drop(gfid)

    def _change(self, gfid: Gfid) -> None:
        """This session has changed a file, or is about to."""
        with self._lock:
            self._changes.note(gfid)
            self._drop(gfid)

    def _drop(self, gfid: Gfid) -> None:
        content = self._kept.pop(gfid, None)
        if content is not None:
            self._size -= len(content.data or b"")
            content.data = None

    def on_notice(self, notice: Notice, source: Xlator, detail: object) -> None:
        if notice is not Notice.CHILD_UP:  # others may change, or have changed, what is kept here
            with self._lock:
                self._changes.note_all()
                for gfid in list(self._kept):
                    self._drop(gfid)
        super().on_notice(notice, source, detail)


def _version(stat: Iatt) -> tuple[int, int, int]:
    return stat.size, stat.mtime, stat.mtime_nsec
