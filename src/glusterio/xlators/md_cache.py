"""performance/md-cache: remembers for a moment what files are, so that a brick need not be asked again.

Two tables: a file's attributes by its gfid, and to which file a name in a directory leads. Each entry
is trusted for ``md-cache-timeout`` seconds, counted from when the brick was *asked*. So a change by
another client shows at the latest that much later. One's own changes show at once: each of them drops
what it concerns before it is sent and again when it is answered, and an answer that it overtook is not
kept (:mod:`glusterio.graph.changes`). Of a file that this session has written to, nothing is kept until
that descriptor is released; so attributes never miss a write that is acknowledged but not sent.

Nothing is remembered of names that lead nowhere. LOOKUPs that ask for more than attributes, or are a
part of an OPEN, go down. Reading drops what is known only if it shows that the file is longer or
shorter; the time of the last access may be old by the timeout, too. A lock that was granted drops it,
since who takes locks wants to see what others wrote. All is dropped when a child goes down or comes up.

A listing tells names, too; they count once a LOOKUP in the directory has shown that this user may look
names up there.

The tables are read without the lock: an entry is one immutable tuple, and it is there or it is not.

Source: GlusterFS xlators/performance/md-cache/src/md-cache.c.
"""

from __future__ import annotations

import os
import stat as stat_module
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from glusterio.graph.changes import Changes
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.listings import Listings
from glusterio.graph.options import option, seconds
from glusterio.traps import Coro, Reply
from glusterio.types import NULL_GFID, Buffer, Gfid
from glusterio.wire.callbacks import CacheInvalidation
from glusterio.wire.fops import attributes, data, directories, files, locks, names, xattrs
from glusterio.wire.fops.directories import Listing
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import SetattrValid
from glusterio.xlators.base import Data, Notice, Written, Xlator

#: Seconds for which an answer is trusted, unless the option says otherwise.
TIMEOUT: Final = 1

#: Entries in each of the two tables; the oldest go first. A thousand take about a megabyte.
MOST: Final = 8192

#: How often what is old is taken out of them, in time-outs: to look each time took as long as to enter
#: something.
_TIDY: Final = 1 / 16

#: What a SETATTR changes of who may look names up in a directory.
_PERMISSIONS: Final = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID

#: How the extended attributes begin that do the same.
_ACL: Final = "system.posix_acl_"


class Listed(bytes):
    """The gfid of a name that a listing told. Who may list a directory need not be allowed to look
    names up in it; a LOOKUP in the same directory shows that.
    """


#: Stands for every file of several names among what changes.
_LINKS: Final = "links"

Entries = OrderedDict[Any, tuple[Any, float]]


class MdCache(Xlator):
    """Keeps attributes and names.

    Option ``md-cache-timeout``, in seconds; 0 keeps nothing.
    """

    xlator_type = "performance/md-cache"

    def set_up(self) -> None:
        self._clock = self.services.clock
        self._lock = self.services.new_lock()
        self._changes = Changes()
        #: attributes by gfid, and gfids by directory and name; each with when to stop trusting it,
        #: which is also the order of their coming
        self._files: OrderedDict[Gfid, tuple[Iatt, float]] = OrderedDict()
        self._names: OrderedDict[tuple[Gfid, str], tuple[Gfid | Listed, float]] = OrderedDict()
        self._tidy_at = 0.0  # when what is old is taken out of them
        #: those files in the table that have several names
        self._linked: set[Gfid] = set()
        #: until when names may be looked up in directories in which one was
        self._searched: dict[Gfid, float] = {}
        #: what listings told and nobody has asked for yet; it goes into the tables when asked for
        self._listings = Listings()
        #: files that descriptors have written to which are not released yet, and how many those are
        self._written: dict[Gfid, int] = {}

    def configure(self, options: Mapping[str, str]) -> None:
        self.timeout = option(options, "md-cache-timeout", seconds, TIMEOUT)

    async def fini(self) -> None:
        with self._lock:
            self._note_all()

    def counts(self) -> dict[str, int]:
        listed = self._listings.names
        return {
            "kept_attributes": len(self._files) + listed,
            "kept_names": len(self._names) + listed,
        }

    def on_notice(self, notice: Notice, source: Xlator, detail: object) -> None:
        """Drop everything when a child goes or comes, or what another client has changed."""
        with self._lock:
            try:
                if notice is Notice.UPCALL and isinstance(detail, CacheInvalidation):
                    self._note(uuid.UUID(detail.gfid).bytes)
                else:
                    self._note_all()
            except ValueError:  # no gfid
                self._note_all()
        super().on_notice(notice, source, detail)

    # -- what is kept -----------------------------------------------------------------------------

    def known(self, parent: Gfid, name: str, now: float) -> Iatt | None:
        if self._listings.kept:
            self._take_name(parent, name, now)
        entry = self._names.get((parent, name))
        if entry is None or now >= entry[1]:
            return None
        gfid = entry[0]
        if type(gfid) is Listed and now >= self._searched.get(parent, now):
            return None
        kept = self._files.get(gfid)
        if kept is None or now >= kept[1]:
            return None
        return kept[0]

    def _kept(self, frame: Frame, gfid: Gfid) -> Iatt | None:
        if self._listings.kept:
            self._take_file(gfid)
        kept = self._files.get(gfid)
        if kept is None or frame.kept is None or self._clock() >= kept[1]:
            return None
        frame.kept = True
        return kept[0]

    def _ask(self) -> tuple[int, float]:
        """A brick is about to be asked: return the mark, and until when its answer will be good."""
        return self._changes.latest, self._clock() + self.timeout

    def _keep(self, mark: int, until: float, *stats: Iatt) -> None:
        """Keep an answer's attributes, those that there are and that nothing changed meanwhile."""
        with self._lock:
            for stat in stats:
                self._put_stat(stat, mark, until)

    def _take_name(self, parent: Gfid, name: str, now: float) -> None:
        """Enter into the tables what listings told of a name."""
        with self._lock:
            for stat, mark, until in self._listings.of_name(parent, name, now):
                self._put_name(parent, name, Listed(stat.gfid), mark, until)
                self._put_stat(stat, mark, until)

    def _take_file(self, gfid: Gfid) -> None:
        """Enter into the tables what listings told of a file."""
        with self._lock:
            for stat, mark, until in self._listings.of_file(gfid, self._clock()):
                self._put_stat(stat, mark, until)

    # -- under the lock

    def _put_stat(self, stat: Iatt, mark: int, until: float) -> None:
        gfid = stat.gfid
        # A translator below that cannot tell them leaves attributes empty. And of a file without a
        # name its descriptors alone can tell.
        if gfid == NULL_GFID or not stat.ctime or not stat.nlink or gfid in self._written:
            return
        if self._changes.since(gfid, mark):
            return
        if stat.nlink > 1 and not stat_module.S_ISDIR(stat.mode):
            if self._changes.since(_LINKS, mark):
                return
            if len(self._linked) >= MOST:
                self._drop_linked()
            self._linked.add(gfid)
        self._put(self._files, gfid, stat, until)

    def _drop_linked(self) -> None:
        """A file of several names may have a link less, whichever it is."""
        for gfid in self._linked:
            self._files.pop(gfid, None)
        self._linked.clear()

    def _put_name(
        self, parent: Gfid, name: str, gfid: Gfid | Listed, mark: int, until: float
    ) -> None:
        if gfid != NULL_GFID and not self._changes.since((parent, name), mark):
            self._put(self._names, (parent, name), gfid, until)

    def _put(self, table: Entries, key: Hashable, value: Any, until: float) -> None:
        """Enter something into a table, at its end; take out what is too much, at times what is old."""
        now = until - self.timeout
        before = table.get(key)
        if before is None:
            table[key] = (value, until)
        else:
            if before[1] <= until:  # else it was asked for later, and answered earlier
                table[key] = (value, until)
            table.move_to_end(key)
        if now >= self._tidy_at or len(table) > MOST:
            self._tidy(table, now)

    def _tidy(self, table: Entries, now: float) -> None:
        """Take out of a table what is old, or too much; the other's turn comes with its next entry."""
        while table and (len(table) > MOST or next(iter(table.values()))[1] <= now):
            table.popitem(last=False)
        if table is self._files:  # as a rule the second of the two
            self._tidy_at = now + self.timeout * _TIDY

    def _note(self, gfid: Gfid) -> None:
        """A file changes."""
        self._changes.note(gfid)
        self._files.pop(gfid, None)

    def _note_name(self, parent: Gfid, name: str) -> None:
        """A name comes, or goes: so its directory changes, too."""
        self._changes.note_name(parent, name)
        self._files.pop(parent, None)
        self._names.pop((parent, name), None)

    def _note_all(self) -> None:
        """Anything may change."""
        self._changes.note_all()
        self._files.clear()
        self._names.clear()
        self._listings.clear()
        self._searched.clear()

    # -- asking -----------------------------------------------------------------------------------

    async def lookup(self, frame: Frame, request: names.LookupRequest) -> names.LookupReply:
        _, parent, _, name, xdata = request
        mark = self._changes.latest
        until = self._clock() + self.timeout
        may_answer = frame.kept is not None and frame.opening is None and frame.identity is None
        if may_answer and not xdata:
            if name:
                found = self.known(parent, name, until - self.timeout)
                if found is not None:
                    frame.kept = True
            else:
                found = self._kept(frame, request.gfid)
            if found is not None:
                return names.LookupReply(stat=found)
        try:
            reply = await self.child.lookup(frame, request)
        except OSError:
            with self._lock:
                self._changes.note((parent, name))
                self._names.pop((parent, name), None)
                self._note(request.gfid)
            raise
        stat = reply.stat
        with self._lock:
            if name:
                self._put_name(parent, name, stat.gfid, mark, until)
                searched = self._searched
                if searched.get(parent, 0.0) < until and not self._changes.since(parent, mark):
                    if len(searched) >= MOST:
                        searched.clear()  # each comes back with the next LOOKUP in it
                    searched[parent] = until
            self._put_stat(stat, mark, until)
        return reply

    def stat(self, frame: Frame, request: attributes.StatRequest) -> Coro[attributes.StatReply]:
        return self._stat(frame, request.gfid, self.child.stat, frame, request)

    def fstat(
        self, frame: Frame, fd: Fd, request: attributes.FstatRequest
    ) -> Coro[attributes.StatReply]:
        return self._stat(frame, fd.gfid, self.child.fstat, frame, fd, request)

    async def _stat(
        self, frame: Frame, gfid: Gfid, fop: Any, *arguments: Any
    ) -> attributes.StatReply:
        found = self._kept(frame, gfid)
        if found is not None:
            return attributes.StatReply(stat=found)
        mark, until = self._ask()
        try:
            reply: attributes.StatReply = await fop(*arguments)
        except OSError:
            with self._lock:
                self._note(gfid)
            raise
        self._keep(mark, until, reply.stat)
        return reply

    async def readdirp(
        self, frame: Frame, fd: Fd, request: directories.ReaddirpRequest
    ) -> directories.ReaddirpReply:
        mark, until = self._ask()
        reply = await self.child.readdirp(frame, fd, request)
        if reply.entries and self.timeout:
            listing = Listing.of(reply.entries)
            with self._lock:
                self._listings.add(fd.gfid, listing, mark, until, MOST)
        return reply

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        fop = self.child.readv(frame, fd, size, offset, sink)
        if self._listings.kept:
            self._take_file(fd.gfid)
        kept = self._files.get(fd.gfid)
        if kept is None or (offset + size <= kept[0].size and fd.ahead <= kept[0].size):
            return fop
        return self._read_to_the_end(fd, kept[0].size, offset, size, fop)

    async def _read_to_the_end(
        self, fd: Fd, known: int, offset: int, size: int, fop: Coro[Data]
    ) -> Data:
        """Who finds more or less than there is known to be is not told that size again."""
        answer = await fop
        end = offset + len(answer.data)
        more = end > known and end > offset
        # What is at hand may reach further than is known, and the next reads will not pass here.
        more = more or (fd.at_hand is not None and fd.ahead > known)
        if more or (end < known and end < offset + size):
            with self._lock:
                self._note(fd.gfid)
        return answer

    # -- changing a file --------------------------------------------------------------------------

    async def _change(self, gfid: Gfid, fop: Coro[Any], names_below: bool = False) -> Any:
        """Have a file changed; of its attributes afterwards, keep what the answer tells.

        Args:
            gfid: the file.
            fop: what changes it.
            names_below: whether it changes who may look names up in it.
        """
        with self._lock:
            self._note(gfid)
            if names_below:
                self._note_all()
            mark = self._changes.latest
        until = self._clock() + self.timeout
        after: Iatt | None = None
        try:
            reply = await fop
            after = getattr(reply, "poststat", None)
        finally:
            with self._lock:
                undisturbed = not self._changes.since(gfid, mark)
                self._note(gfid)
                if names_below:
                    self._note_all()
                if undisturbed and after is not None:
                    self._put_stat(after, self._changes.latest, until)
        return reply

    def setattr(self, frame: Frame, request: attributes.SetattrRequest) -> Coro[files.ChangedReply]:
        below = self._concerns_names(request.gfid, request.valid)
        return self._change(request.gfid, self.child.setattr(frame, request), below)

    def fsetattr(
        self, frame: Frame, fd: Fd, request: attributes.FsetattrRequest
    ) -> Coro[files.ChangedReply]:
        below = self._concerns_names(fd.gfid, request.valid)
        return self._change(fd.gfid, self.child.fsetattr(frame, fd, request), below)

    def _concerns_names(self, gfid: Gfid, valid: int) -> bool:
        """Tell whether a SETATTR may change who may look names up in what may be a directory."""
        if self._listings.kept:
            self._take_file(gfid)
        kept = self._files.get(gfid)
        return bool(valid & _PERMISSIONS) and (kept is None or stat_module.S_ISDIR(kept[0].mode))

    def setxattr(self, frame: Frame, request: xattrs.SetxattrRequest) -> Coro[files.CommonReply]:
        below = any(name.startswith(_ACL) for name in request.xattrs or ())
        return self._change(request.gfid, self.child.setxattr(frame, request), below)

    def fsetxattr(
        self, frame: Frame, fd: Fd, request: xattrs.FsetxattrRequest
    ) -> Coro[files.CommonReply]:
        below = any(name.startswith(_ACL) for name in request.xattrs or ())
        return self._change(fd.gfid, self.child.fsetxattr(frame, fd, request), below)

    def removexattr(
        self, frame: Frame, request: xattrs.RemovexattrRequest
    ) -> Coro[files.CommonReply]:
        below = request.name.startswith(_ACL)
        return self._change(request.gfid, self.child.removexattr(frame, request), below)

    def fremovexattr(
        self, frame: Frame, fd: Fd, request: xattrs.FremovexattrRequest
    ) -> Coro[files.CommonReply]:
        below = request.name.startswith(_ACL)
        return self._change(fd.gfid, self.child.fremovexattr(frame, fd, request), below)

    def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> Coro[files.OpenReply]:
        fop = self.child.open(frame, fd, request)
        return self._change(fd.gfid, fop) if request.flags & os.O_TRUNC else fop

    async def lk(self, frame: Frame, fd: Fd, request: locks.LkRequest) -> locks.LkReply:
        """A lock: what was known before it was granted is not good enough any more."""
        try:
            return await self.child.lk(frame, fd, request)
        finally:
            with self._lock:
                self._note(fd.gfid)

    # -- writing ----------------------------------------------------------------------------------

    def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Coro[Written]:
        if self not in fd.context:
            if fd.anonymous:
                return self._change(fd.gfid, self.child.writev(frame, fd, data, offset))
            self._note_written(fd)
        return self.child.writev(frame, fd, data, offset)

    def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: data.CopyFileRangeRequest
    ) -> Coro[names.NewEntryReply]:
        if self not in fd_out.context:
            self._note_written(fd_out)
        return self.child.copy_file_range(frame, fd_in, fd_out, request)

    def _note_written(self, fd: Fd) -> None:
        """A descriptor is written to for the first time: keep nothing of its file until its release."""
        gfid = fd.gfid
        with self._lock:
            if self not in fd.context:
                fd.context[self] = gfid
                self._written[gfid] = self._written.get(gfid, 0) + 1
                self._files.pop(gfid, None)

    def drop(self, fd: Fd) -> bool:
        return self not in fd.context and self.child.drop(fd)

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        request = self.child.release_now(fd, done)
        # All that was written is answered by now, and a RELEASE changes nothing.
        if request is not None and self in fd.context:
            self._note_released(fd)
        return request

    async def release(self, frame: Frame, fd: Fd) -> None:
        try:
            await self.child.release(frame, fd)
        except Exception:
            self._note_released(fd)
            raise
        self._note_released(fd)

    def _note_released(self, fd: Fd) -> None:
        with self._lock:
            gfid = fd.context.pop(self, None)
            if gfid is not None:
                self._changes.note(gfid)
                self._written[gfid] -= 1
                if not self._written[gfid]:
                    del self._written[gfid]

    # -- changing names ---------------------------------------------------------------------------

    async def _make(self, parent: Gfid, name: str, fop: Coro[Any]) -> Any:
        """Have a name made; keep what the answer tells of the file and of the directory."""
        with self._lock:
            self._note_name(parent, name)
            mark = self._changes.latest
        until = self._clock() + self.timeout
        try:
            reply = await fop
        except BaseException:
            with self._lock:
                self._note_name(parent, name)
            raise
        stat = reply.stat
        with self._lock:
            since = self._changes.since
            disturbed = since(parent, mark) or since((parent, name), mark) or since(stat.gfid, mark)
            self._note_name(parent, name)
            self._note(stat.gfid)  # it has a link more; or another client had made it meanwhile
            if not disturbed:
                mark = self._changes.latest
                self._put_name(parent, name, stat.gfid, mark, until)
                self._put_stat(stat, mark, until)
                self._put_stat(reply.postparent, mark, until)
        return reply

    def link(self, frame: Frame, request: names.LinkRequest) -> Coro[names.NewEntryReply]:
        fop = self._make(request.new_pargfid, request.new_name, self.child.link(frame, request))
        return self._change(request.gfid, fop)

    def create(self, frame: Frame, fd: Fd, request: names.CreateRequest) -> Coro[names.CreateReply]:
        return self._make(request.pargfid, request.name, self.child.create(frame, fd, request))

    async def _remove(self, parent: Gfid, name: str, fop: Coro[Any]) -> Any:
        """Have a name removed. The file that it led to has a link less, whichever it was."""
        if self._listings.kept:
            self._take_name(parent, name, self._clock())
        entry = self._names.get((parent, name))
        gfid = entry[0] if entry is not None and self._clock() < entry[1] else None
        self._note_removed(parent, name, gfid)
        try:
            return await fop
        finally:
            self._note_removed(parent, name, gfid)

    def _note_removed(self, parent: Gfid, name: str, gfid: Gfid | None) -> None:
        with self._lock:
            self._note_name(parent, name)
            if gfid is not None:
                self._note(gfid)
                # Another client may have given the name to another file, which the brick does not tell.
                self._changes.note(_LINKS)
                self._drop_linked()
            else:
                self._changes.note_all()
                self._files.clear()
                self._listings.clear()

    def unlink(self, frame: Frame, request: names.UnlinkRequest) -> Coro[names.RemovedEntryReply]:
        return self._remove(request.pargfid, request.name, self.child.unlink(frame, request))

    def rmdir(self, frame: Frame, request: names.RmdirRequest) -> Coro[names.RemovedEntryReply]:
        return self._remove(request.pargfid, request.name, self.child.rmdir(frame, request))

    async def rename(self, frame: Frame, request: names.RenameRequest) -> names.RenameReply:
        """Four files change, of which two are perhaps not known: everything is dropped."""
        with self._lock:
            self._note_all()
        try:
            return await self.child.rename(frame, request)
        finally:
            with self._lock:
                self._note_all()


#: The fops that change a file, and need no code of their own: by gfid, and on an open file.
_BY_GFID: Final = ("truncate", "xattrop")
_BY_FD: Final = ("ftruncate", "fallocate", "discard", "zerofill", "fxattrop")
#: Those that make a name.
_MAKING: Final = ("mknod", "mkdir", "symlink")


def _add_by_gfid(name: str) -> None:
    def method(self: MdCache, frame: Frame, request: Any) -> Coro[Any]:
        return self._change(request.gfid, getattr(self.child, name)(frame, request))

    setattr(MdCache, name, method)


def _add_by_fd(name: str) -> None:
    def method(self: MdCache, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        return self._change(fd.gfid, getattr(self.child, name)(frame, fd, request))

    setattr(MdCache, name, method)


def _add_making(name: str) -> None:
    def method(self: MdCache, frame: Frame, request: Any) -> Coro[Any]:
        fop = getattr(self.child, name)(frame, request)
        return self._make(request.pargfid, request.name, fop)

    setattr(MdCache, name, method)


for _name in _BY_GFID:
    _add_by_gfid(_name)
for _name in _BY_FD:
    _add_by_fd(_name)
for _name in _MAKING:
    _add_making(_name)
