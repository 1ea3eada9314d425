"""performance/read-ahead: reads on where a file is read in sequence.

A descriptor that is read from its beginning, or twice in a row, is followed: what comes next is asked
for before it is wanted, so that the brick and the network work while the application does. What is
asked for at once, a *page* here, grows with what was read, up to ``page-count`` times ``page-size`` (4
of 128 KiB); who reads more than that at once has pages of that size. Two pages are kept ahead of the
one that is being read. A read elsewhere drops them. Nobody reads on for a caller who has several reads
under way himself.

When a page is not served, and a brick is asked instead:

* a change of the file by this session, through any descriptor or name, or a lock on it, was answered
  since the page was asked for (:mod:`glusterio.graph.changes`);
* it is older than a second: so much later than elsewhere the change of another client may be seen;
* it came short, or not at all: neither the end of a file nor an error is ever told from a page.

A page's data is what the answer to the READ brought, where that was received to: so memory is taken
when it comes, not when it is asked for, and it is mostly the same again (:mod:`glusterio.rpc.buffers`).
A reader copies out of it once. The descriptor is not released while a page is on its way.

A read within the page that the one before it was served from does not even pass the graph: it is
``at_hand`` (:class:`~glusterio.graph.fd.Fd`). It costs a fifth of the instructions of one that passes;
of reads of 128 KiB that concerns three of four.

Options: ``page-count``, ``page-size``.

Source: GlusterFS xlators/performance/read-ahead/src/read-ahead.c (``ra_readv``, ``read_ahead``: there,
too, what is ahead grows with what was read, and is up to twice ``page-count`` pages).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from glusterio.graph.changes import Changes
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import integer, option, size
from glusterio.traps import Coro, Event, Reply, Spawn, Wait
from glusterio.types import Buffer, Gfid
from glusterio.wire.fops import data, files, locks, names
from glusterio.xlators.base import Data, Notice, Written, Xlator

#: GlusterFS's defaults: pages, and bytes of each.
PAGE_COUNT: Final = 4
PAGE_SIZE: Final = 128 * 1024

#: Reads that are larger pass, in bytes: they take long enough, and much memory.
LARGEST_READ: Final = 1 << 20

#: How long a page is good for after it was asked for, in seconds.
TIMEOUT: Final = 1.0

#: How much a session holds ahead at most, in bytes. Whoever wants more drops what is oldest.
MOST: Final = 64 << 20

#: How long a release waits for pages on their way, in seconds; then the translator below, which
#: waits for them as well, does what is to be done about a brick that does not answer.
PATIENCE: Final = 60.0

_NOTHING: Final = memoryview(b"")
_UNREADABLE: Final = os.O_WRONLY | os.O_DIRECT


class Page:
    """A part of a file that was asked for ahead.

    Attributes:
        offset: where in the file it begins.
        size: bytes that were asked for.
        data: what came; nothing before, and after an error.
        mark: the history of changes when it was asked for.
        until: how long it may be served.
        come: set when the answer is here, or an error.
    """

    __slots__ = ("come", "data", "mark", "offset", "size", "until")

    def __init__(self, offset: int, size: int, mark: int, until: float, come: Event) -> None:
        self.offset = offset
        self.size = size
        self.data = _NOTHING
        self.mark = mark
        self.until = until
        self.come = come


class Stream:
    """How a descriptor is read.

    Attributes:
        gfid: the file.
        expected: where the next read begins if it is one in sequence.
        run: bytes that were read in sequence.
        reads: how many reads those were.
        pages: what is ahead, one page behind the other; under the translator's lock.
        page: the one that the next reads may be served from at once; or ``None``.
        coming: pages on their way, also those that were dropped since.
        quiet: while a release waits for that to be none, the event that says so.
    """

    __slots__ = ("coming", "expected", "gfid", "page", "pages", "quiet", "reads", "run")

    def __init__(self, gfid: Gfid) -> None:
        self.gfid = gfid
        self.expected = 0
        self.run = 0
        self.reads = 1  # one from the beginning counts as the second in a row
        self.pages: deque[Page] = deque()
        self.page: Page | None = None
        self.coming = 0
        self.quiet: Event | None = None


class ReadAhead(Xlator):
    """See the top of this file."""

    xlator_type = "performance/read-ahead"

    def set_up(self) -> None:
        self._lock = self.services.new_lock()
        self._changes = Changes()
        #: those with pages, that which read on last at the end; and the bytes of those pages
        self._ahead: dict[Stream, None] = {}
        self._held = 0

    def configure(self, options: Mapping[str, str]) -> None:
        self.page_size = option(options, "page-size", size, PAGE_SIZE)
        self.most = option(options, "page-count", integer, PAGE_COUNT) * self.page_size

    def counts(self) -> dict[str, int]:
        return {"read_ahead": self._held}

    def on_notice(self, notice: Notice, source: Xlator, detail: object) -> None:
        """A child goes or comes, or tells of others' changes: no page is good any more."""
        with self._lock:
            self._changes.note_all()
        super().on_notice(notice, source, detail)

    # -- reading ----------------------------------------------------------------------------------

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        stream = fd.context.get(self)
        if stream is None:
            if fd.anonymous or fd.flags & _UNREADABLE or frame.identity is not None:
                return self.child.readv(frame, fd, size, offset, sink)
            stream = fd.context[self] = Stream(fd.gfid)
        if offset == stream.expected and size <= LARGEST_READ:
            return self._in_sequence(frame, fd, stream, size, offset, sink)
        stream.expected = offset + size
        stream.run = size
        stream.reads = 1
        if stream.pages:
            self._drop(stream)
        return self.child.readv(frame, fd, size, offset, sink)

    async def _in_sequence(
        self,
        frame: Frame,
        fd: Fd,
        stream: Stream,
        size: int,
        offset: int,
        sink: memoryview | None,
    ) -> Data:
        stream.expected = offset + size
        if stream.pages:
            pages = self._pages_for(stream, size, offset)
            if pages:
                stream.run += size
                await self._read_on(fd, stream, size)
                for page in pages:
                    if not page.come.is_set:
                        await Wait(page.come)
                found = _copied(pages, size, offset, sink)
                if found is not None:
                    self._put_at_hand(fd, stream, pages, size, offset + size)
                    return Data(found)
            self._drop(stream)
        answer = await self.child.readv(frame, fd, size, offset, sink)
        if len(answer.data) == size and stream.expected == offset + size:
            stream.run += size
            stream.reads += 1
            if stream.reads >= 2:
                await self._read_on(fd, stream, size)
        else:  # the end of the file; or the next read is under way, or one elsewhere
            stream.run = stream.reads = 0
        return answer

    def _pages_for(self, stream: Stream, size: int, offset: int) -> list[Page]:
        """Return the pages that hold a range, and may be served; none, if there is anything amiss."""
        found: list[Page] = []
        end = offset + size
        now = self.services.clock()
        with self._lock:
            pages = stream.pages
            while pages and pages[0].offset + pages[0].size <= offset:
                page = pages.popleft()
                self._held -= page.size
                if page is stream.page:
                    stream.page = None
            if not pages or pages[0].offset > offset:
                return []
            for page in pages:
                if now >= page.until or self._changes.since(stream.gfid, page.mark):
                    return []
                found.append(page)
                if page.offset + page.size >= end:
                    return found
        return []

    def _put_at_hand(self, fd: Fd, stream: Stream, pages: list[Page], size: int, end: int) -> None:
        """Let the next reads be served without passing the graph, if there will be some.

        Args:
            fd: the open file.
            stream: how it is read.
            pages: what a read has just been served from; all of it has come.
            size: how much such a read is, in bytes.
            end: where it ended.
        """
        page = pages[-1]
        with self._lock:
            if end + size <= page.offset + len(page.data) and page in stream.pages:
                stream.page = page
                if fd.at_hand is None:
                    fd.at_hand = partial(self._at_hand, stream)
            else:
                stream.page = None

    def _at_hand(self, stream: Stream, size: int, offset: int) -> memoryview | None:
        """Serve a read from the page that the one before was served from."""
        page = stream.page
        if page is None or offset != stream.expected:
            return None
        start = offset - page.offset
        end = start + size
        if (
            end > len(page.data)
            or self.services.clock() >= page.until
            or self._changes.since(stream.gfid, page.mark)
        ):
            return None
        stream.expected = offset + size
        stream.run += size
        return page.data[start:end]

    def _drop(self, stream: Stream) -> None:
        """Forget what is ahead. What is on its way goes to where nobody looks."""
        with self._lock:
            self._drop_pages(stream)

    def _drop_pages(self, stream: Stream) -> None:
        self._ahead.pop(stream, None)
        stream.page = None
        while stream.pages:
            self._held -= stream.pages.popleft().size

    # -- reading on -------------------------------------------------------------------------------

    async def _read_on(self, fd: Fd, stream: Stream, size: int) -> None:
        """Ask for what comes next, unless enough is there or on its way: two pages beyond this one.

        That is by the first read of a page, since the others may not come by here.
        """
        wanted = min(max(stream.run, size), max(self.most, size))
        if wanted < self.page_size or not size:
            return
        wanted -= wanted % size  # so that a read mostly finds what it wants in one page
        while True:
            with self._lock:
                pages = stream.pages
                start = stream.expected
                if pages:
                    last = pages[-1]
                    start = last.offset + last.size
                    if last.come.is_set and len(last.data) < last.size:
                        return  # the end of the file, as far as is known
                    if start - stream.expected + size > 2 * wanted or stream.quiet is not None:
                        return
                page = self._new_page(stream, start, wanted)
                fd.ahead = start + wanted
            await Spawn(self._fill(fd, stream, page))

    def _new_page(self, stream: Stream, offset: int, size: int) -> Page:
        """Make a page, which is then on its way. With the lock held."""
        self._held += size
        self._ahead.pop(stream, None)
        while self._held > MOST and self._ahead:
            self._drop_pages(next(iter(self._ahead)))
        self._ahead[stream] = None
        until = self.services.clock() + TIMEOUT
        page = Page(
            offset,
            size,
            self._changes.latest,
            until,
            self.services.new_event(),
        )
        stream.pages.append(page)
        stream.coming += 1
        return page

    async def _fill(self, fd: Fd, stream: Stream, page: Page) -> None:
        try:
            answer = await self.child.readv(Frame(), fd, page.size, page.offset)
            page.data = memoryview(answer.data)
        except Exception:
            pass  # whoever reads there asks again, and hears of it himself
        finally:
            page.come.set()
            with self._lock:
                stream.coming -= 1
                quiet = stream.quiet if not stream.coming else None
            if quiet is not None:
                quiet.set()

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        stream: Stream | None = fd.context.get(self)
        if stream is not None:
            if stream.pages or stream.coming:
                with self._lock:
                    if stream.coming:
                        return None
                    self._drop_pages(stream)
            else:
                self._ahead.pop(stream, None)
            del fd.context[self]
            fd.at_hand = None
        return self.child.release_now(fd, done)

    async def release(self, frame: Frame, fd: Fd) -> None:
        """Release the descriptor, when no page is on its way any more."""
        stream: Stream | None = fd.context.get(self)
        if stream is not None:
            with self._lock:
                self._drop_pages(stream)
                if stream.coming:
                    stream.quiet = self.services.new_event()
            if stream.quiet is not None:
                await Wait(stream.quiet, PATIENCE)
            fd.context.pop(self, None)
            fd.at_hand = None
        await self.child.release(frame, fd)

    # -- changing ---------------------------------------------------------------------------------

    async def _change(self, gfid: Gfid, fop: Coro[Any]) -> Any:
        """Have a file changed: once that is answered, no page is served that was asked for before."""
        try:
            return await fop
        finally:
            if self._held:  # else there is no page: one that is asked for from now on is new enough
                with self._lock:
                    self._changes.note(gfid)

    def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> Coro[files.OpenReply]:
        fop = self.child.open(frame, fd, request)
        return self._change(fd.gfid, fop) if request.flags & os.O_TRUNC else fop

    def truncate(self, frame: Frame, request: files.TruncateRequest) -> Coro[files.ChangedReply]:
        return self._change(request.gfid, self.child.truncate(frame, request))

    def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Coro[Written]:
        return self._change(fd.gfid, self.child.writev(frame, fd, data, offset))

    def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: data.CopyFileRangeRequest
    ) -> Coro[names.NewEntryReply]:
        fop = self.child.copy_file_range(frame, fd_in, fd_out, request)
        return self._change(fd_out.gfid, fop)

    def lk(self, frame: Frame, fd: Fd, request: locks.LkRequest) -> Coro[locks.LkReply]:
        """A lock: who has got it wants to read what others wrote."""
        return self._change(fd.gfid, self.child.lk(frame, fd, request))


def _copied(pages: list[Page], size: int, offset: int, sink: memoryview | None) -> Buffer | None:
    """Return what pages hold of a range, in ``sink`` if there is one; ``None`` if that is not all."""
    end = offset + size
    if len(pages) == 1 and sink is not None:  # as mostly
        page = pages[0]
        if len(page.data) < end - page.offset:
            return None
        sink[:] = page.data[offset - page.offset : end - page.offset]
        return sink
    for page in pages:
        if len(page.data) < min(end - page.offset, page.size):
            return None
    parts = [page.data[max(offset - page.offset, 0) : end - page.offset] for page in pages]
    if sink is None:
        return parts[0] if len(parts) == 1 else b"".join(parts)
    at = 0
    for part in parts:
        sink[at : at + len(part)] = part
        at += len(part)
    return sink[:size]


#: Further fops on an open file that change its data.
_CHANGING: Final = ("ftruncate", "fallocate", "discard", "zerofill")


def _add_changing(name: str) -> None:
    def method(self: ReadAhead, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        return self._change(fd.gfid, getattr(self.child, name)(frame, fd, request))

    setattr(ReadAhead, name, method)


for _name in _CHANGING:
    _add_changing(_name)
