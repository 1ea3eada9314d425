"""POSIX locks on open files.

Each handle is a lock owner of its own: two handles of one file, of the same session or not, keep each
other out, and one handle never itself. Locks keep nobody from reading and writing who does not ask for
one. They are the handle's, and go with it.

Nothing may be left on a brick that nobody here knows of. So a request whose caller gives up is not
forgotten: a sub-call takes it back, asking the brick until the answer is there, and if the lock has
been granted all the same, drops it. An unlock is a sub-call, too, which goes on when its caller does
not. Until both have ended no other lock is asked for through the handle, since a brick serves the
requests of one connection in any order; and the handle's RELEASE waits for them.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from glusterio.api.handles import check_offset
from glusterio.api.lock_owner import Asking, LockOwner, Unsettled, begin_to_ask, lock_owner
from glusterio.api.shares import is_shared
from glusterio.api.unbroken import Unbroken
from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleState
from glusterio.traps import Wait, Within
from glusterio.wire.credentials import Credentials
from glusterio.wire.dictionary import UInt
from glusterio.wire.fops.attributes import FstatRequest
from glusterio.wire.fops.files import FlushRequest
from glusterio.wire.fops.locks import Flock, LkRequest
from glusterio.wire.fops.xattrs import FgetxattrRequest
from glusterio.wire.programs import LOCK_MODE, MANDATORY, LockCommand, LockType

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How long to wait before a brick is asked anew to take a request back, in seconds: at first, and at
#: most. The first try may have overtaken the request.
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0

#: The last byte that a file can have.
_LAST: Final = (1 << 63) - 1


class Section(NamedTuple):
    """A part of a file, as an application names it.

    Attributes:
        length: bytes; 0 for all that follow, also what is appended later; a negative number of bytes
            lies before the offset.
        offset: where it begins, in bytes.
        whence: from where: ``os.SEEK_SET``, or ``os.SEEK_END`` for the file's end as it is now.
    """

    length: int = 0
    offset: int = 0
    whence: int = os.SEEK_SET


class LockedBytes(NamedTuple):
    """A part of a file, as a brick knows it.

    Attributes:
        start: the first byte.
        length: how many, 0 for all that follow.
        owner: in whose name it is locked; empty for the open file's own.
    """

    start: int
    length: int
    owner: bytes = b""


class LockHolder(NamedTuple):
    """A lock that is in the way.

    Attributes:
        shared: whether others may share it.
        start: the first byte.
        length: the number of bytes, 0 for all that follow.
        pid: the process, on the machine of the client that has it.
    """

    shared: bool
    start: int
    length: int
    pid: int


# -- operations ---------------------------------------------------------------------------------------


async def lock(
    core: Core,
    frame: Frame,
    handle: Handle,
    section: Section,
    shared: bool,
    seconds: float | None,
    mandatory: bool = False,
) -> LockedBytes:
    """Lock a section.

    Args:
        core: the session.
        frame: the operation's frame.
        handle: the file.
        section: what is to be locked.
        shared: whether others may share it.
        seconds: how long to wait for others: ``None`` for as long as it takes, 0 not at all.
        mandatory: whether it keeps others from reading and writing, too, where the volume has that.

    Returns:
        What has been locked, for :func:`unlock`.

    Raises:
        BlockingIOError: another has a lock there, and the caller would not wait.
        TimeoutError: another still has it.
        OSError: EBADF: the file is not open for reading, or for an exclusive lock for writing; EINVAL,
            EOVERFLOW: no such section; ENOLCK: the brick has no room for more locks.
    """
    refused = os.O_WRONLY if shared else os.O_RDONLY
    if handle.kind is HandleKind.DIRECTORY or handle.fd.flags & os.O_ACCMODE == refused:
        raise fs_error(errno.EBADF)
    where = await _resolve(core, frame, handle, section)
    kind = LockType.READ if shared else LockType.WRITE
    if seconds is None or seconds <= 0:
        await _set(core, frame, handle, kind, where, seconds is None, mandatory)
    else:
        await Within(seconds, _set(core, frame, handle, kind, where, True, mandatory))
    return where


async def unlock(
    core: Core, frame: Frame, handle: Handle, section: Section, owner: bytes | None = None
) -> None:
    """Drop what the handle has locked in a section; what it has not does no harm.

    Args:
        core: the session.
        frame: the operation's frame.
        handle: the file.
        section: what is to be unlocked.
        owner: in whose name; ``None`` for who is it in the caller's context.

    Raises:
        OSError: as for :func:`lock`; or the connection is lost, and with it the lock.
    """
    where = await _resolve(core, frame, handle, section)
    if owner is not None:
        where = where._replace(owner=owner)
    dropped = await _drop(core, handle, where)
    await Wait(dropped.settled)
    if dropped.error is not None:
        raise dropped.error


async def give_back(core: Core, frame: Frame, handle: Handle, where: LockedBytes) -> None:
    """Drop a lock that nobody wants any more; if that fails, the lock is gone anyway.

    One whose handle is being closed goes with that: a request about it could come after the RELEASE.
    """
    if handle.state is HandleState.OPEN or is_shared(handle.fd):
        await _drop(core, handle, where)


async def holder(
    core: Core, frame: Frame, handle: Handle, section: Section, shared: bool
) -> LockHolder | None:
    """Tell which lock of another keeps the handle from locking a section, if there is one."""
    where = await _resolve(core, frame, handle, section)
    kind = LockType.READ if shared else LockType.WRITE
    asking = Asking(where)
    owner, fd = await begin_to_ask(core, handle, asking)
    try:
        frame.identity = _identity(owner, where)
        request = _request(handle, LockCommand.GETLK, kind, where)
        flock = (await fd.top.lk(frame, fd, request)).flock
    finally:
        owner.answered(asking)
    if flock.type == LockType.UNLOCK:
        return None
    return LockHolder(flock.type == LockType.READ, flock.start, flock.length, flock.pid)


# -- what they are made of ----------------------------------------------------------------------------


async def _resolve(core: Core, frame: Frame, handle: Handle, section: Section) -> LockedBytes:
    """Return which bytes a section is now."""
    length, start = check_offset(section.length), check_offset(section.offset)
    if section.whence == os.SEEK_END:
        fd = handle.fd
        start += (await fd.top.fstat(frame, fd, FstatRequest(fd.gfid, 0))).stat.size
    elif section.whence != os.SEEK_SET:
        raise fs_error(errno.EINVAL)
    if length < 0:
        start, length = start + length, -length
    if start < 0:
        raise fs_error(errno.EINVAL)
    if start + length > _LAST:
        raise fs_error(errno.EOVERFLOW)
    return LockedBytes(start, length, b"" if frame.identity is None else frame.identity.lk_owner)


def _identity(owner: LockOwner, where: LockedBytes) -> Credentials:
    """Return in whose name a part is locked or unlocked, as a request says it."""
    return owner.identity._replace(lk_owner=where.owner) if where.owner else owner.identity


def _request(handle: Handle, cmd: LockCommand, kind: LockType, where: LockedBytes) -> LkRequest:
    flock = Flock(kind, 0, where.start, where.length, os.getpid())
    return LkRequest(handle.fd.gfid, 0, cmd, kind, flock)


async def _set(
    core: Core,
    frame: Frame,
    handle: Handle,
    kind: LockType,
    where: LockedBytes,
    blocking: bool,
    mandatory: bool,
) -> None:
    owner = lock_owner(core, handle)
    await owner.settle()
    cmd = LockCommand.SETLKW if blocking else LockCommand.SETLK
    request = _request(handle, cmd, kind, where)
    if mandatory:
        request = request._replace(xdata={LOCK_MODE: UInt(MANDATORY)})
    given_up = Unsettled(core)

    async def late(_: Fd, error: Exception | None) -> None:
        given_up.granted = error is None
        given_up.answered.set()

    lease_id = b"" if frame.identity is None else frame.identity.lease_id
    frame.identity = _identity(owner, where)._replace(lease_id=lease_id)
    frame.late = late
    asking = Asking(where, blocking)
    while True:
        owner, fd = await begin_to_ask(core, handle, asking)
        call = frame.call
        if call is not None and call.left is not None and fd.top is core.top:
            with core.lock:
                call.left(call)  # the old graph: nobody need wait there for this one
        try:
            await fd.top.lk(frame, fd, request)
        except InterruptedError:
            # It was taken back: by another handle of this process, whose request looked the same, or
            # since the handle moves to another graph. Ask anew.
            owner.answered(asking)
        except (Exception, GeneratorExit):
            owner.answered(asking)
            raise
        except BaseException:  # cancelled; or interrupted, in the middle of anything
            if frame.adopted:
                taking_back = partial(_take_back, core, handle, fd, owner, given_up, asking)
                await Unbroken(core, taking_back).begin()
            else:
                owner.answered(asking)
            raise
        else:
            owner.answered(asking)
            return


async def _take_back(
    core: Core, handle: Handle, fd: Fd, owner: LockOwner, given_up: Unsettled, asking: Asking
) -> None:
    """Have a brick answer a request that nobody waits for, and drop the lock if it was granted.

    Source: GlusterFS xlators/features/locks/src/posix.c (``pl_flush``): a request that waits is
    answered, too, when all owners' locks of its fd are flushed.
    """
    where: LockedBytes = asking.where
    identity = _identity(owner, where)
    pause = _FIRST_PAUSE
    owner.begin(given_up)
    try:
        try:
            while not given_up.answered.is_set:
                await take_back(fd, owner, where)
                if handle.state is HandleState.CLOSING:
                    everyone = Frame(identity=identity._replace(lk_owner=b""))
                    await fd.top.flush(everyone, fd, FlushRequest(fd.gfid, 0))
                await Wait(given_up.answered, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except ConnectionError:  # it was granted before that was lost, perhaps
            await Wait(given_up.answered, _LONGEST_PAUSE)
        if given_up.granted:  # and if need be taken anew on the next connection
            request = _request(handle, LockCommand.SETLK, LockType.UNLOCK, where)
            await fd.top.lk(Frame(identity=identity), fd, request)
    except OSError:
        pass  # the connection is gone, or the fd, and with it the lock
    except Exception as error:
        core.log.error("a lock that nobody wants any more: %s", error, exc_info=error)
    owner.answered(asking)
    owner.end(given_up)


async def take_back(fd: Fd, owner: LockOwner, where: LockedBytes) -> None:
    """Ask a brick to answer a request that waits there: with EINTR, if it was not granted.

    Source: GlusterFS xlators/features/locks/src/clear.c (``clrlk_clear_posixlk``): it is answered when
    its own process asks for that.

    Raises:
        ConnectionError: the connection is gone.
    """
    name = f"glusterfs.intrlk.tposix.kblocked.0,{where.start}-{where.length}"
    request = FgetxattrRequest(fd.gfid, 0, len(name) + 1, name)
    try:
        await fd.top.fgetxattr(Frame(identity=_identity(owner, where)), fd, request)
    except ConnectionError:
        raise
    except OSError:
        pass  # a brick that does not know how


async def _drop(core: Core, handle: Handle, where: LockedBytes) -> Unsettled:
    """Begin to unlock, which goes on whatever becomes of the caller."""
    dropping, asking = Unsettled(core), Asking(where)
    work = partial(_dropping, core, handle, lock_owner(core, handle), dropping, asking)
    await Unbroken(core, work).begin()
    return dropping


async def _dropping(
    core: Core, handle: Handle, owner: LockOwner, dropping: Unsettled, asking: Asking
) -> None:
    where: LockedBytes = asking.where
    request = _request(handle, LockCommand.SETLK, LockType.UNLOCK, where)
    owner.begin(dropping)
    try:
        _, fd = await begin_to_ask(core, handle, asking)
        await fd.top.lk(Frame(identity=_identity(owner, where)), fd, request)
    except Exception as error:
        dropping.error = error
    owner.answered(asking)
    owner.end(dropping)
