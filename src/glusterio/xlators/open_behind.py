"""performance/open-behind: the OPEN of a file whose content is in hand is not waited for.

It concerns opens that were *granted* (``frame.opening.granted``): the file was there a moment ago, its
user may read it, and what it holds has come along, so that the OPEN could tell nothing new. With
``lazy-open`` on, which is the default, it is not even sent, until something needs it; and when nothing
has until the release, neither is a RELEASE. With it off it is sent at once, but not waited for.

What needs it:

* a fop on the fd. Two do without: FSTAT becomes a STAT of the file, and FLUSH has nothing to flush.
  With ``use-anonymous-fd`` on and ``read-after-open`` off, reads do, too.
* what this session is about to do to the file, since afterwards the OPEN might fail, which it must not
  once the application has its fd: removing or moving the name that the file was opened by, or putting
  another file in its place; changing attributes or extended attributes; opening it once more for
  something else than reading. So these wait until the OPEN has been answered.

Another client may remove or replace the file meanwhile, and then a late OPEN fails: with ESTALE or
ENOENT, in the operation that needed it. Where that must not happen this translator, or lazy-open, is
switched off.

An OPEN that is under way goes on by itself, whatever becomes of the call that needed it. So the fd is
either known to the brick and released, or was never known to it.

Options: ``lazy-open``, ``use-anonymous-fd``, ``read-after-open``, ``pass-through``.

Source: GlusterFS xlators/performance/open-behind/src/open-behind.c (``ob_open_and_resume_inode``,
``ob_fdclose``), where any open is delayed that does not truncate, and errors come later.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from glusterio.errors import ConnectionLostError, GlusterError, fs_error
from glusterio.graph.changes import Changes
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, option
from glusterio.traps import Coro, Event, Reply, Spawn, Wait
from glusterio.types import Buffer, Gfid
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.attributes import FstatRequest, StatReply, StatRequest
from glusterio.wire.fops.data import CopyFileRangeRequest
from glusterio.wire.fops.files import CommonReply, FlushRequest, OpenReply, OpenRequest
from glusterio.wire.fops.names import (
    LookupReply,
    LookupRequest,
    NewEntryReply,
    RemovedEntryReply,
    RenameReply,
    RenameRequest,
    UnlinkRequest,
)
from glusterio.xlators.base import Data, Written, Xlator

#: What an open is answered with that has not been sent.
_OPENED: Final = OpenReply()


class Pending:
    """An OPEN that was granted and has not been answered.

    Attributes:
        fd: the fd that it opens.
        request: what is sent.
        identity: on whose behalf, where that is not the session's own user; or ``None``.
        keys: the file and the name by which it is found: its gfid, and the directory with the name.
        begun: whether it has been sent, or shall not be any more.
        dropped: it shall not, since the fd has been released.
        answered: set when the brick has answered it, or never will.
        error: why it failed, or ``None``.
    """

    __slots__ = ("answered", "begun", "dropped", "error", "fd", "identity", "keys", "request")

    def __init__(
        self,
        fd: Fd,
        request: OpenRequest,
        identity: Credentials | None,
        name: tuple[Gfid, str],
        answered: Event,
    ) -> None:
        self.fd = fd
        self.request = request
        self.identity = identity
        self.keys: tuple[Hashable, ...] = (fd.gfid, name)
        self.begun = self.dropped = False
        self.answered = answered
        self.error: Exception | None = None

    def why_failed(self) -> Exception:
        """Return the error for an operation on an fd that the brick would not open."""
        error = self.error
        if error is None or isinstance(error, GlusterError) or not isinstance(error, OSError):
            return error or fs_error(0)
        return fs_error(error.errno or 0)


class OpenBehind(Xlator):
    """See the top of this file."""

    xlator_type = "performance/open-behind"

    def set_up(self) -> None:
        self._lock = self.services.new_lock()
        self._pending: dict[Hashable, dict[Pending, None]] = {}  # by each of their keys
        self._under_way: dict[Hashable, int] = {}  # how many changes that these wait for, likewise
        self._changes = Changes()

    def configure(self, options: Mapping[str, str]) -> None:
        self._lazy = option(options, "lazy-open", boolean, True)
        self._anonymous = option(options, "use-anonymous-fd", boolean, False) and not option(
            options, "read-after-open", boolean, True
        )
        self._passes = option(options, "pass-through", boolean, False)

    def counts(self) -> dict[str, int]:
        return {"pending": len({each for found in self._pending.values() for each in found})}

    # -- opening ----------------------------------------------------------------------------------

    def lookup(self, frame: Frame, request: LookupRequest) -> Coro[LookupReply]:
        if frame.opening is not None:
            frame.opening.since = self._changes.latest
        return self.child.lookup(frame, request)

    def open(self, frame: Frame, fd: Fd, request: OpenRequest) -> Coro[OpenReply]:
        opening = frame.opening
        if (
            opening is not None
            and opening.granted
            and opening.since is not None
            and not self._passes
        ):
            name = (opening.parent, opening.name)
            pending = Pending(fd, request, frame.identity, name, self.services.new_event())
            if self._enter(pending, opening.since):
                return self._behind(pending)
        elif fd.gfid in self._pending:
            return self._after((fd.gfid,), self.child.open, frame, fd, request)
        return self.child.open(frame, fd, request)

    def _enter(self, pending: Pending, since: int) -> bool:
        """Note an OPEN that is put off, unless the file has been changed since it was looked up."""
        with self._lock:
            for key in pending.keys:
                if key in self._under_way or self._changes.since(key, since):
                    return False
            pending.fd.context[self] = pending
            pending.fd.unsent = self._lazy
            for key in pending.keys:
                self._pending.setdefault(key, {})[pending] = None
        return True

    async def _behind(self, pending: Pending) -> OpenReply:
        if not self._lazy:
            await Spawn(self._send(pending))
        return _OPENED

    async def _send(self, pending: Pending) -> None:
        """Send an OPEN, unless it has been, and see it through."""
        with self._lock:
            if pending.begun:
                return
            pending.begun = True
            pending.fd.unsent = False
        frame = Frame(identity=pending.identity)

        async def late(_: Fd, error: Exception | None) -> None:
            self._answered(pending, error)

        frame.late = late
        error: Exception | None
        error = ConnectionLostError("the open was interrupted", may_have_happened=False)
        try:
            try:
                await self.child.open(frame, pending.fd, pending.request)
                error = None
            except Exception as failure:
                error = failure
            self._answered(pending, error)
        except BaseException:  # interrupted, in the middle of anything
            if not frame.adopted:
                self._answered(pending, error)
            raise

    def _answered(self, pending: Pending, error: Exception | None) -> None:
        pending.error = error
        try:
            with self._lock:
                self._forget(pending)
                if error is None:
                    pending.fd.context.pop(self, None)
        finally:
            pending.answered.set()

    def _forget(self, pending: Pending) -> None:
        for key in pending.keys:
            found = self._pending.get(key)
            if found is not None:
                found.pop(pending, None)
                if not found:
                    del self._pending[key]

    async def _opened(self, pending: Pending) -> None:
        """Return when the brick holds an fd open.

        Raises:
            OSError: it would not open it, or is gone.
        """
        if not pending.begun:
            await Spawn(self._send(pending))
        await Wait(pending.answered)
        if pending.error is not None:
            raise pending.why_failed()

    async def _after(
        self, keys: tuple[Hashable, ...], fop: Callable[..., Coro[Any]], *arguments: Any
    ) -> Any:
        """Do something to a file when the OPENs that are pending on it have been answered.

        Until it is done no other is put off, nor one whose LOOKUP was before that.
        """
        with self._lock:
            found = [each for key in keys for each in self._pending.get(key, ())]
            for key in keys:
                self._under_way[key] = self._under_way.get(key, 0) + 1
        try:
            for pending in found:
                if not pending.begun:
                    await Spawn(self._send(pending))
            for pending in found:
                await Wait(pending.answered)  # its error is its own fd's business
            return await fop(*arguments)
        finally:
            with self._lock:
                for key in keys:
                    self._changes.note(key)
                    self._under_way[key] -= 1
                    if not self._under_way[key]:
                        del self._under_way[key]

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        pending = fd.context.get(self)
        if pending is None:
            return self.child.release(frame, fd)
        return self._release(frame, pending)

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        return None if self in fd.context else self.child.release_now(fd, done)

    def drop(self, fd: Fd) -> bool:
        pending = fd.context.get(self)
        if pending is None:
            return False
        with self._lock:
            if pending.begun and not pending.dropped:
                return False
            pending.dropped = pending.begun = True
            self._forget(pending)
        pending.answered.set()
        fd.context.pop(self, None)
        return True

    async def _release(self, frame: Frame, pending: Pending) -> None:
        with self._lock:
            if not pending.begun:
                pending.dropped = pending.begun = True
            if pending.dropped:
                self._forget(pending)
                pending.answered.set()
        if not pending.answered.is_set:
            await Wait(pending.answered)
        if not pending.dropped and pending.error is None:
            await self.child.release(frame, pending.fd)
        pending.fd.context.pop(self, None)

    # -- fops on an fd ----------------------------------------------------------------------------

    async def _when_opened(self, fd: Fd, fop: Callable[..., Coro[Any]], *arguments: Any) -> Any:
        pending = fd.context.get(self)
        if pending is not None:
            await self._opened(pending)
        return await fop(*arguments)

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        pending = fd.context.get(self)
        if pending is None:
            return self.child.readv(frame, fd, size, offset, sink)
        if self._anonymous and not pending.begun:
            unopened = Fd(fd.gfid, fd.flags, anonymous=True)
            return self.child.readv(frame, unopened, size, offset, sink)
        return self._when_opened(fd, self.child.readv, frame, fd, size, offset, sink)

    def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Coro[Written]:
        if fd.context.get(self) is None:
            return self.child.writev(frame, fd, data, offset)
        return self._when_opened(fd, self.child.writev, frame, fd, data, offset)

    def fstat(self, frame: Frame, fd: Fd, request: FstatRequest) -> Coro[StatReply]:
        if fd.context.get(self) is None:
            return self.child.fstat(frame, fd, request)
        return self.child.stat(frame, StatRequest(fd.gfid, request.xdata))

    def flush(self, frame: Frame, fd: Fd, request: FlushRequest) -> Coro[CommonReply]:
        if fd.context.get(self) is None:
            return self.child.flush(frame, fd, request)
        return _nothing_to_flush()

    def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: CopyFileRangeRequest
    ) -> Coro[NewEntryReply]:
        fop = self.child.copy_file_range
        if fd_in.context.get(self) is None and fd_out.context.get(self) is None:
            return fop(frame, fd_in, fd_out, request)
        return self._when_opened(
            fd_in, self._when_opened, fd_out, fop, frame, fd_in, fd_out, request
        )

    # -- what is done to a file -------------------------------------------------------------------

    def unlink(self, frame: Frame, request: UnlinkRequest) -> Coro[RemovedEntryReply]:
        name = (request.pargfid, request.name)
        return self._after((name,), self.child.unlink, frame, request)

    def rename(self, frame: Frame, request: RenameRequest) -> Coro[RenameReply]:
        old = (request.old_pargfid, request.old_name)
        new = (request.new_pargfid, request.new_name)
        return self._after((old, new), self.child.rename, frame, request)


async def _nothing_to_flush() -> CommonReply:
    return CommonReply()


#: Fops on an fd that need it opened.
_ON_FD: Final = (
    "fsync", "ftruncate", "fallocate", "discard", "zerofill", "seek", "rchecksum",
    "fgetxattr", "fxattrop", "lk", "finodelk", "fentrylk",
)  # fmt: skip

#: Fops that change whether a file could be opened: of the file itself, and on an fd.
_ON_FILE: Final = ("setattr", "setxattr", "removexattr")
_BOTH: Final = ("fsetattr", "fsetxattr", "fremovexattr")


def _add_on_fd(name: str) -> None:
    def method(self: OpenBehind, frame: Frame, fd: Fd, *arguments: Any) -> Coro[Any]:
        fop = getattr(self.child, name)
        if fd.context.get(self) is None:
            return fop(frame, fd, *arguments)  # type: ignore[no-any-return]
        return self._when_opened(fd, fop, frame, fd, *arguments)

    setattr(OpenBehind, name, method)


def _add_on_file(name: str) -> None:
    def method(self: OpenBehind, frame: Frame, request: Any) -> Coro[Any]:
        return self._after((request.gfid,), getattr(self.child, name), frame, request)

    setattr(OpenBehind, name, method)


def _add_both(name: str) -> None:
    def method(self: OpenBehind, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        fop = getattr(self.child, name)
        return self._after((fd.gfid,), self._when_opened, fd, fop, frame, fd, request)

    setattr(OpenBehind, name, method)


for _name in _ON_FD:
    _add_on_fd(_name)
for _name in _ON_FILE:
    _add_on_file(_name)
for _name in _BOTH:
    _add_both(_name)
