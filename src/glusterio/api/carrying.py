"""Carrying open files from one graph to another, with their locks.

In this order, so that at no instant anything of an open file is lost or in the wrong place:

1. it is opened anew, by its gfid, through the new graph, and asked for its gfid there: a server that
   has lost its wits would have a handle read another's file;
2. what is written through it is deferred no more (``Fd.through``), and what was is waited for: nobody
   could be told of it by the new graph;
3. its locks become the new descriptor's, which a brick does in one step (the *lockinfo*). From just
   before that until the handle has changed over, requests about its locks wait; one that waits on the
   brick is taken back, and asked anew by the new graph;
4. the handle changes over. That is done for all handles at once (:mod:`glusterio.api.switching`).

Sources: GlusterFS api/src/glfs-resolve.c (``glfs_migrate_fd_safe``, ``glfs_migrate_fd_locks_safe``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from glusterio.api.directory import until_quiet
from glusterio.api.in_flight import in_order
from glusterio.api.lock_owner import LockOwner
from glusterio.api.locks import take_back
from glusterio.api.on_its_way import OnItsWay
from glusterio.api.shares import Shares
from glusterio.api.standpoint import Standpoint
from glusterio.api.unbroken import Unbroken
from glusterio.errors import ConnectionLostError, HandleStaleError, RemoteProtocolError
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleEvent, HandleState
from glusterio.traps import Coro, Event, Wait, Within
from glusterio.wire.fops.attributes import FstatRequest
from glusterio.wire.fops.directories import OpendirRequest
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.fops.xattrs import FgetxattrRequest, FsetxattrRequest
from glusterio.xlators.base import Xlator

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: By this name a brick tells of a descriptor's locks, and moves them.
_LOCKINFO: Final = "trusted.glusterfs.lockinfo"

#: What a file is not opened with once more.
_ONCE: Final = os.O_CREAT | os.O_EXCL | os.O_TRUNC

#: How long one open file may take, in seconds: a brick keeps an OPEN waiting that a lease is against.
_PATIENCE: Final = 10.0

#: How long to wait before a brick is asked anew to take a lock request back, in seconds.
_PAUSE: Final = 0.02

#: What the session itself keeps with an fd, and is to be found with the new one.
_KEPT: Final = (LockOwner, Standpoint)


class _Move:
    """The moving of a file's locks from one fd to another. Once begun it goes on, whoever gives up.

    To do it twice does no harm: what has been moved is not the old fd's any more.

    Attributes:
        doing: the moving itself.
        is_begun: the brick was asked to move them.
        error: why it has failed, or ``None``.
    """

    def __init__(self, core: Core, old: Fd, new: Fd) -> None:
        self._old, self._new = old, new
        self.doing = Unbroken(core, self._run)
        self.is_begun = False
        self.error: Exception | None = None

    async def _run(self) -> None:
        old, new = self._old, self._new
        try:
            request = FgetxattrRequest(old.gfid, 0, len(_LOCKINFO) + 1, _LOCKINFO)
            told = (await old.top.fgetxattr(Frame(), old, request)).xattrs or {}
            lockinfo = told.get(_LOCKINFO)
            if lockinfo:
                self.is_begun = True
                new.top.inherit(new, old)  # they are lost if its connection is
                setting = FsetxattrRequest(new.gfid, 0, 0, {_LOCKINFO: lockinfo})
                await new.top.fsetxattr(Frame(), new, setting)
        except Exception as error:
            self.error = error.with_traceback(None)


LOCKS_LOST: Final = "its locks were lost when its graph was to be exchanged"


class Carrying:
    """An open file on its way to another graph.

    Each of its steps goes on where it was, if it is done once more since that was interrupted. What is
    to be given back is known before it is had: the fd in the new graph before that is asked to open it.

    Args:
        core: the session.
        handle: one that has it.

    Attributes:
        old: its fd in the old graph.
        new: its fd in the new one, once it is to be opened there.
        is_open: the brick has opened it there.
        why_not: why it cannot be carried, or ``None``.
        was_locked: it was locked for the first time when it was to change over: try it again.
        is_carried: a handle has the new fd.
    """

    def __init__(self, core: Core, handle: Handle) -> None:
        self.old: Fd = handle.fd
        self.is_carried = False
        self._way = OnItsWay(core.driver.new_event(), self.old)
        self.kind = handle.kind
        self.new: Fd | None = None
        self.is_open = False
        self.why_not: Exception | None = None
        self._owner: LockOwner | None = None
        self.was_locked = False
        self._moving: _Move | None = None
        self._moved: Event | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is open in one graph alone, wherever that is."""
        return self._way.over.is_set

    def begin(self) -> None:
        """From here on the file is not closed by the old fd alone. Harmless when repeated."""
        self._way.begin()

    async def open_anew(self, top: Xlator) -> None:
        """Open it through another graph, and look whether it is the same file; unless that was done.

        Raises:
            ConnectionLostError: that graph's connection is gone.
            RemoteProtocolError: that graph's server cannot be relied on.
        """
        if self.is_open or self.why_not is not None:
            return
        self.begin()
        old = self.old
        if self.new is not None:
            await release(self.new, self.kind)  # perhaps it was opened when that was interrupted
        new = self.new = Fd(old.gfid, old.flags, top=top)
        new.through = True
        self._way.mark(new)
        frame = Frame()

        async def late(fd: Fd, error: Exception | None) -> None:
            if error is None:
                await release(fd, self.kind)

        frame.late = late
        opening: Coro[object]
        if self.kind is HandleKind.DIRECTORY:
            opening = top.opendir(frame, new, OpendirRequest(old.gfid))
        else:
            opening = top.open(frame, new, OpenRequest(old.gfid, old.flags & ~_ONCE))
        try:
            await Within(_PATIENCE, opening)
            await Within(_PATIENCE, top.prove(new))
        except (ConnectionLostError, RemoteProtocolError):
            raise
        except Exception as error:
            self._stays(error)
        else:
            self.is_open = True

    def _stays(self, why: Exception) -> None:
        """It cannot be carried. Its error is kept for long: without what it came through."""
        self.why_not = why.with_traceback(None)

    def begin_to_move(self, core: Core) -> bool:
        """From here on the old fd is not released, until it is known where the file stays.

        Returns:
            Whether it is open still.
        """
        self._way.is_moving = True
        self._way.is_moving = any(
            handle.fd is self.old and handle.state is HandleState.OPEN
            for handle in core.session.handles()
        )
        return self._way.is_moving

    async def settle(self, core: Core) -> None:
        """Have nothing deferred any more, and wait for what was; but not for a brick that is away."""
        old = self.old
        old.through = True
        if self.why_not is not None or self.kind is HandleKind.DIRECTORY:
            return
        settle = old.settle
        try:
            if settle is not None:
                await settle()
            elif old.flags & os.O_ACCMODE:
                await self._settle_unheard(core)
        except Exception as error:
            put_back = getattr(error, "put_back", None)
            if put_back is not None:
                put_back()  # it is for the application, which the old fd will tell
            self._stays(error)

    async def _settle_unheard(self, core: Core) -> None:
        """Wait for what may be deferred, where nobody wants to hear of errors, as FSTAT does, too."""
        frame = Frame()
        frame.kept = None
        frame.patience_ends = core.now()
        try:
            await self.old.top.fstat(frame, self.old, FstatRequest(self.old.gfid, 0))
        except ConnectionLostError:
            pass  # nothing is deferred any more; perhaps the brick is found in the new graph alone

    async def move_locks(self, core: Core) -> None:
        """Let its locks be those of the new fd. Until :meth:`moved` none is asked for."""
        if self.why_not is not None:
            return
        with core.lock:
            owner = self._owner = self.old.context.get(LockOwner)
            if owner is None or not self.is_open:
                return
            if owner.moved is None:
                owner.moved = core.driver.new_event()
        assert self.new is not None
        try:
            move = self._moving
            if move is None:
                await Within(_PATIENCE, self._when_quiet(core, owner))
                move = self._moving = _Move(core, self.old, self.new)
            await move.doing.begin()
            await Wait(move.doing.over)
            if move.error is not None:
                raise move.error
        except Exception as error:
            self._stays(error)

    async def _when_quiet(self, core: Core, owner: LockOwner) -> None:
        while True:
            with core.lock:
                if not owner.asking:
                    return
                quiet = owner.quiet = core.driver.new_event()
                waiting = [asking for asking in owner.asking if asking.waits]
            for asking in waiting:
                await take_back(self.old, owner, asking.where)
            await Wait(quiet, _PAUSE)

    def change_over(self, core: Core, handles: Iterable[Handle]) -> bool:
        """Let all handles that have it use the new fd. Called with the session's lock held.

        Args:
            core: the session.
            handles: those that have the old fd, and those that have the new one already.

        Returns:
            Whether one does: else the new fd is to be released.
        """
        old, new = self.old, self.new
        if self._way.why_lost:
            self._stays(HandleStaleError(self._way.why_lost))
        if new is None or not self.is_open or self.why_not is not None:
            return False
        if self._owner is not old.context.get(LockOwner):
            self.was_locked = True  # for the first time, just now
            return False
        for kept in _KEPT:
            if kept in old.context:
                new.context[kept] = old.context[kept]
        new.top.inherit(new, old)
        carried = []
        for handle in handles:
            if handle.fd is old:
                core.session.carry(handle, new)
            if handle.fd is new:
                carried.append(handle)
        shares: Shares | None = old.context.get(Shares)
        if shares is not None:  # those that are being closed keep the old one
            new.context[Shares] = shares.carried(carried)
        self.is_carried = bool(carried)
        if carried:
            self._way.is_moving = False
        return self.is_carried

    def moved(self, core: Core) -> None:
        """Let the requests about its locks go on, wherever it is. Harmless when repeated."""
        owner = self._owner
        if owner is not None:
            with core.lock:
                self._moved = owner.moved or self._moved
                owner.moved = owner.quiet = None
            if self._moved is not None:
                self._moved.set()
            self._owner = None

    async def take_back(self, core: Core) -> None:
        """It stays where it was: let the old fd have its locks, and release the new one.

        Where its locks cannot be had back, it is lost.
        """
        new, moving = self.new, self._moving
        if new is not None:
            if moving is not None:
                await moving.doing.begin()
                await Wait(moving.doing.over)
                if moving.is_begun:
                    await self._move_back(core, new)
                self._moving = None
            self.moved(core)
            await release(new, self.kind)
            self.new = None
        self.moved(core)
        self._way.end()

    async def _move_back(self, core: Core, new: Fd) -> None:
        back = _Move(core, new, self.old)
        await back.doing.begin()
        await Wait(back.doing.over)
        if back.error is not None:
            self._stays(back.error)
            for handle in core.session.handles():
                if handle.fd is self.old:
                    core.session.lose(handle, LOCKS_LOST, HandleEvent.UNLOCKED)
                    core.log.warning("%s: stale: %s", handle.path, LOCKS_LOST)

    async def leave(self, core: Core) -> None:
        """It has been carried: release the old fd, unless a handle that is being closed has it."""
        if not any(handle.fd is self.old for handle in core.session.handles()):
            assert self.new is not None
            self.new.top.inherit(self.new, self.old)  # what was written since
            await release(self.old, self.kind)
        self._way.end()

    def forget(self) -> None:
        """The new graph has ended, and with it the new fd."""
        self._way.end()


async def release(fd: Fd, kind: HandleKind) -> None:
    """Let a brick close an fd that no handle has; its connection is its end anyway."""
    try:
        if kind is HandleKind.DIRECTORY:
            await until_quiet(fd)
            await fd.top.releasedir(Frame(), fd)
        else:
            await fd.top.release(Frame(), fd)
    except Exception:
        pass


def find_open(core: Core, top: Xlator, files: list[Carrying]) -> bool:
    """Add the open files of a graph that are not there yet, each once.

    Returns:
        Whether there is any that is not open in the new graph, and may yet be.
    """
    seen = {file.old for file in files}
    for handle in core.session.handles():
        fd = handle.fd
        if handle.state is HandleState.OPEN and fd.top is top and fd not in seen:
            file = Carrying(core, handle)
            files.append(file)
            file.begin()
            if _is_open(handle):  # still: else it was closed before that could be seen
                seen.add(fd)
            else:
                files.remove(file)
                file.forget()
    return any(not file.is_open and file.why_not is None for file in files)


def _is_open(handle: Handle) -> bool:
    return handle.state is HandleState.OPEN  # asked anew: other threads change it


async def open_all(core: Core, frame: Frame, files: Iterable[Carrying], top: Xlator) -> None:
    """Open files through another graph, many at once.

    Raises:
        ConnectionLostError: that graph's connection is gone.
    """

    async def one(core: Core, frame: Frame, file: Carrying) -> None:
        await file.open_anew(top)

    await in_order(core, frame, one, files)


async def settle_all(core: Core, frame: Frame, files: Iterable[Carrying]) -> None:
    """Wait for what is deferred, then move the locks, of many at once."""

    async def one(core: Core, frame: Frame, file: Carrying) -> None:
        if file.begin_to_move(core):
            await file.settle(core)
            await file.move_locks(core)

    await in_order(core, frame, one, files)
