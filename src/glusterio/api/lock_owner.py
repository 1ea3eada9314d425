"""A handle as the owner of POSIX locks: in whose name it locks, and what has to be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glusterio.lifecycle.handle import Handle
from glusterio.traps import Wait

if TYPE_CHECKING:
    from glusterio.api.core import Core


class Unsettled:
    """A request about a lock that goes on by itself.

    Attributes:
        answered: set when the brick has answered it, or never will.
        granted: whether what it asked for was granted.
        error: why it failed, or ``None``.
        settled: set when nothing is left to be done about it.
    """

    __slots__ = ("answered", "error", "granted", "settled")

    def __init__(self, core: Core) -> None:
        self.answered = core.driver.new_event()
        self.granted = False
        self.error: Exception | None = None
        self.settled = core.driver.new_event()


class LockOwner:
    """What is kept of a handle's locks, with its fd.

    Attributes:
        identity: the session's, with a lock owner that is the handle's alone.
        unsettled: requests that go on by themselves.
    """

    __slots__ = ("identity", "unsettled")

    def __init__(self, core: Core, handle: Handle) -> None:
        self.identity = core.identity._replace(lk_owner=handle.number.to_bytes(8, "big"))
        self.unsettled: list[Unsettled] = []

    def begin(self, core: Core) -> Unsettled:
        """Take note of a request that goes on by itself; :meth:`end` must follow."""
        request = Unsettled(core)
        self.unsettled.append(request)
        return request

    def end(self, request: Unsettled) -> None:
        """Nothing is left to be done about it."""
        self.unsettled.remove(request)
        request.settled.set()

    async def settle(self) -> None:
        """Wait until nothing goes on by itself any more that has begun by now."""
        for request in list(self.unsettled):
            await Wait(request.settled)


def lock_owner(core: Core, handle: Handle) -> LockOwner:
    """Return an open handle as the owner of locks."""
    context = handle.fd.context
    owner: LockOwner | None = context.get(LockOwner)
    if owner is None:
        owner = context.setdefault(LockOwner, LockOwner(core, handle))
    return owner


async def settle_locks(handle: Handle) -> None:
    """Wait until no request about a handle's locks goes on by itself any more."""
    owner: LockOwner | None = handle.fd.context.get(LockOwner)
    if owner is not None:
        await owner.settle()
