"""Closing: how a handle comes from ``CLOSING`` to ``CLOSED``, whoever moved it there.

Closing is a sub-call of its own, started by whoever moves the handle to ``CLOSING``, and goes on
whatever happens to the one that started it; so an fd is never left half closed. Where nothing has to
be waited for, it is no more than a request whose answer is noted.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from glusterio.api.directory import until_quiet
from glusterio.api.graphs import handle_left
from glusterio.api.lock_owner import LockOwner, settle_locks
from glusterio.api.on_its_way import OnItsWay
from glusterio.api.shares import is_shared, may_release
from glusterio.errors import LocalProtocolError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleEvent, HandleState, SessionState
from glusterio.runtime.fiber import post, post_one, spawn, start_later
from glusterio.traps import Event, Reply, Spawn, Wait

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: What is looked at whenever a file is closed.
_FILE: Final = HandleKind.FILE


class Closing:
    """A close that waits for deferred writes, and will tell its caller of those that failed.

    Attributes:
        settled: set when they are answered.
        errors: the error to be told, by whoever takes it out first.
        gave_up: whether the caller does not wait any more.
    """

    __slots__ = ("errors", "gave_up", "settled")

    def __init__(self, settled: Event) -> None:
        self.settled = settled
        self.errors: list[Exception] = []
        self.gave_up = False

    def hand_on(self, core: Core, handle: Handle) -> None:
        """The caller does not wait any more: the report gets the error, if there is one."""
        with contextlib.suppress(IndexError):
            core.not_told(handle, self.errors.pop())


async def close_handle(core: Core, frame: Frame, handle: Handle) -> None:
    """Close a handle, unless somebody has, or is about to.

    Returns when the handle can no longer be used and what was written through it is with the brick;
    calls under way on it finish by themselves, and the brick is told when they have.

    Raises:
        OSError: a deferred write failed, of which the application was not told yet. The handle is
            closed all the same, as with ``os.close``.
    """
    fd = handle.fd
    if fd is None or fd.settle is None or core.session.state is SessionState.FORKED:
        await drop_handle(core, handle)
        return
    closing = Closing(core.driver.new_event())
    try:
        await drop_handle(core, handle, closing)
        await Wait(closing.settled)
    except GeneratorExit:
        raise
    except BaseException:
        closing.gave_up = True
        closing.hand_on(core, handle)
        raise
    if closing.errors:
        raise closing.errors[0]


class Opened:
    """An ``async with`` block at whose end a handle is closed, however it is left.

    But not when the coroutine is dropped, with its session or its event loop: then nothing may be
    awaited, and nobody would be there to send anything.

    Args:
        core: the session.
        frame: the operation's frame.
        handle: the handle.
    """

    __slots__ = ("_core", "_frame", "_handle")

    def __init__(self, core: Core, frame: Frame, handle: Handle) -> None:
        self._core = core
        self._frame = frame
        self._handle = handle

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not GeneratorExit:
            await close_handle(self._core, self._frame, self._handle)


async def drop_handle(core: Core, handle: Handle, closing: Closing | None = None) -> None:
    """Close a handle, unless somebody has, or is about to; never wait.

    For cleaning up, where an error is on its way already: what deferred writes have to tell goes to the
    report of the teardown.
    """
    if core.session.state is SessionState.FORKED:
        return  # the handle is the parent's
    try:
        if core.session.begin_close(handle) and not _let_go_at_once(core, handle):
            await Spawn(let_go(core, handle, closing))
        elif closing is not None:
            closing.settled.set()
    except GeneratorExit:
        raise
    except BaseException:  # interrupted, perhaps when it was CLOSING already and nobody knew
        if core.session.begin_close(handle) or handle.state is HandleState.CLOSING:
            await Spawn(let_go(core, handle))
        raise


async def drop_handles(core: Core, handles: list[Handle]) -> None:
    """Close handles, unless somebody has, or is about to; never wait.

    What has to be sent is sent together.
    """
    try:
        requests = []
        left = []
        for handle in core.session.begin_closes(handles):
            request = None
            if handle.fd.unsent:
                if _let_go_at_once(core, handle):
                    continue
            else:
                request = _release_now(core, handle)
            if request is None:
                left.append(handle)
            else:
                requests.append(request)
        post(core.driver, requests)
        if left:
            await Spawn(*[let_go(core, handle) for handle in left])
    except GeneratorExit:
        raise
    except BaseException:  # interrupted: nobody may know of those that are CLOSING
        core.session.begin_closes(handles)
        await Spawn(
            *[let_go(core, handle) for handle in handles if handle.state is HandleState.CLOSING]
        )
        raise


def close_at_once(core: Core, handle: Handle) -> bool:
    """Close a handle through which nothing is deferred: nobody is waited for, so no call is admitted.

    Returns:
        Whether this is such a handle, of a session that is active; else nothing has been done.
    """
    if handle.fd.settle is not None or core.session.state is not SessionState.ACTIVE:
        return False
    try:
        if core.session.begin_close(handle) and not _let_go_at_once(core, handle):
            spawn(core.driver, Spawn(let_go(core, handle)))
    except BaseException:  # interrupted
        if core.session.begin_close(handle) or handle.state is HandleState.CLOSING:
            spawn(core.driver, Spawn(let_go(core, handle)))
        raise
    return True


def _let_go_at_once(core: Core, handle: Handle) -> bool:
    """Bring a handle on its way from ``CLOSING`` to ``CLOSED`` if nothing has to be waited for first.

    A fiber, which :func:`let_go` needs, would be a sixth of what it costs to read a small file.
    """
    fd = handle.fd
    if fd.unsent:  # if no brick has ever heard of it, it is closed
        if not handle.idle.is_set or is_shared(fd) or OnItsWay in fd.context or not fd.top.drop(fd):
            return False
        _released(core, handle)
        return True
    request = _release_now(core, handle)
    if request is None:
        return False
    post_one(core.driver, request)
    return True


def _release_now(core: Core, handle: Handle) -> Reply | None:
    """Return the RELEASE of a handle that is ``CLOSING``, if nothing has to be waited for before it.

    When that has been sent and answered the handle is ``CLOSED``. Whoever is interrupted meanwhile may
    start :func:`let_go` all the same: it awaits the same request.
    """
    fd = handle.fd
    if (
        handle.kind is not _FILE
        or not handle.idle.is_set
        or LockOwner in fd.context
        or OnItsWay in fd.context
        or is_shared(fd)
    ):
        return None

    def answered(well: bool) -> None:
        if well:
            _released(core, handle)
        else:
            start_later(core.driver, let_go(core, handle))

    return fd.top.release_now(fd, answered)  # type: ignore[no-any-return]


def _released(core: Core, handle: Handle) -> None:
    """The brick holds a handle no longer. Harmless when repeated, as after an interrupt."""
    try:
        core.inodes.unref(handle.fd.gfid, handle)
    except LocalProtocolError:
        pass  # it has given its reference back before
    core.session.end_close(handle)
    if handle.fd.top is not core.top:
        handle_left(core, handle.fd.top)


def end_unheard(core: Core, handle: Handle) -> bool:
    """Say of a handle what whoever waits for its brick's answer would, had it been run in time.

    All connections were cut: so what is closing is closed on its brick, and what was being opened for
    nobody is not open.

    Returns:
        Whether that was so.
    """
    if handle.state is HandleState.CLOSING:
        _released(core, handle)
    elif handle.state is HandleState.ABANDONED:
        with contextlib.suppress(LocalProtocolError):  # it was heard of just now
            core.session.move(handle, HandleEvent.REFUSED)
    return handle.state is HandleState.CLOSED


async def let_go(core: Core, handle: Handle, closing: Closing | None = None) -> None:
    """Bring a handle from ``CLOSING`` to ``CLOSED``: the one place where RELEASE comes from.

    Interrupted in the middle of anything, it is begun anew; a translator sends no second RELEASE.
    """
    try:
        if not core.session.begin_release(handle):
            return
        if closing is not None:
            await _settle(core, handle, closing)
        if not handle.idle.is_set:
            await Wait(handle.idle)
        fd = handle.fd
        way: OnItsWay | None = fd.context.get(OnItsWay)
        if way is not None and way.holds(fd):
            await Wait(way.over)
        if LockOwner in fd.context:
            await settle_locks(handle)
        if handle.kind is HandleKind.FILE:
            release = fd.top.release
        else:
            release = fd.top.releasedir
            await until_quiet(fd)
        try:
            if may_release(handle):
                await release(Frame(), fd)
        except Exception as error:
            core.not_told(handle, error)
        if way is not None:
            await Wait(way.over)
        _released(core, handle)
    except GeneratorExit:
        raise
    except BaseException:
        handle.releasing = False
        await Spawn(let_go(core, handle, closing))
        raise


async def _settle(core: Core, handle: Handle, closing: Closing) -> None:
    """Wait for deferred writes in the name of a close, before that waits for calls under way."""
    settle = handle.fd.settle
    if settle is not None:
        try:
            await settle()
        except Exception as error:
            closing.errors.append(error)
    closing.settled.set()
    if closing.gave_up:
        closing.hand_on(core, handle)
