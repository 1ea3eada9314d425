"""dup: a second handle on what is open already.

Both are the same on the brick: one descriptor, with its locks, which stays open until the last of them
is closed, also that of a file which has lost its name since. Each is in the ledger by itself, and is
closed by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glusterio.api.closing import close_handle
from glusterio.api.shares import Shares
from glusterio.errors import SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.states import HandleEvent, HandleState

if TYPE_CHECKING:
    from glusterio.api.core import Core


async def dup(core: Core, frame: Frame, handle: Handle, opened_at: str) -> Handle:
    """Make a second handle on an open file or directory; no brick is asked.

    Raises:
        SessionClosedError: the session began to close meanwhile.
        HandleStaleError: the connection to the brick was lost meanwhile.
    """
    with core.lock:  # so that no new graph gets in between
        return _second(core, frame, handle, opened_at)


def _second(core: Core, frame: Frame, handle: Handle, opened_at: str) -> Handle:
    session, fd = core.session, handle.fd
    # Two threads may come here at once: whose object stays, stays for both.
    shares: Shares = fd.context.setdefault(Shares, Shares(core.driver.new_lock(), handle))
    second = session.reserve(handle.kind, handle.path, opened_at, frame.call)
    second.fd = fd
    try:
        session.move(second, HandleEvent.SEND)
        if _is_stale(handle):  # since the call has borrowed it
            raise handle.why_unusable()
        shares.add(second)
        core.inodes.ref(fd.gfid, second)
    except BaseException:
        shares.was_last(second)
        if second.state is HandleState.OPENING:
            session.move(second, HandleEvent.REFUSED)
        raise
    if session.move(second, HandleEvent.OPENED) is not HandleState.OPEN:
        # The gate has closed meanwhile. The call has borrowed the first handle, so that is the last.
        shares.was_last(second)
        core.inodes.unref(fd.gfid, second)
        session.move(second, HandleEvent.RELEASED)
        raise SessionClosedError(f"{handle.path}: the session was closed")
    if _is_stale(handle):  # another thread, which did not see the second one
        session.lose(second)
    return second


async def give_back(core: Core, frame: Frame, handle: Handle, second: Handle) -> None:
    """Close a second handle that nobody wants any more."""
    await close_handle(core, frame, second)


def _is_stale(handle: Handle) -> bool:
    return handle.state is HandleState.STALE  # asked anew: other threads change it
