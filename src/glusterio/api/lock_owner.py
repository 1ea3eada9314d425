"""A handle as the owner of POSIX locks: in whose name it locks, and what has to be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glusterio.graph.fd import Fd
from glusterio.lifecycle.handle import Handle
from glusterio.traps import Event, Wait

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


class Asking:
    """A request about locks that the brick has not answered.

    Attributes:
        where: the bytes that it is about, and in whose name.
        waits: whether it waits on the brick for others to let go.
    """

    __slots__ = ("waits", "where")

    def __init__(self, where: Any, waits: bool = False) -> None:
        self.where = where
        self.waits = waits


class LockOwner:
    """What is kept of a handle's locks, with its fd.

    Attributes:
        identity: the session's, with a lock owner that is the handle's alone.
        unsettled: requests that go on by themselves.
        asking: requests that are on their way; changed under the session's lock, as the next two.
        moved: while the locks are being moved to another graph, the event that says that they are:
            until then nothing may be asked.
        quiet: while somebody waits for ``asking`` to be empty, the event that says so.
    """

    __slots__ = ("asking", "identity", "moved", "quiet", "unsettled")

    def __init__(self, core: Core, handle: Handle) -> None:
        self.identity = core.identity._replace(lk_owner=handle.number.to_bytes(8, "big"))
        self.unsettled: list[Unsettled] = []
        self.asking: dict[Asking, None] = {}
        self.moved: Event | None = None
        self.quiet: Event | None = None

    def begin(self, request: Unsettled) -> None:
        """Take note of a request that goes on by itself; :meth:`end` must follow. Both are harmless
        when repeated.
        """
        if request not in self.unsettled:
            self.unsettled.append(request)

    def end(self, request: Unsettled) -> None:
        """Nothing is left to be done about it."""
        if request in self.unsettled:
            self.unsettled.remove(request)
        request.settled.set()

    def answered(self, asking: Asking) -> None:
        """The brick has answered a request, or never will. Harmless when repeated."""
        self.asking.pop(asking, None)
        quiet = self.quiet
        if quiet is not None and not self.asking:
            quiet.set()

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


async def begin_to_ask(core: Core, handle: Handle, asking: Asking) -> tuple[LockOwner, Fd]:
    """Take note of a request, and tell of what fd it is; :meth:`LockOwner.answered` must follow.

    While the handle's locks are on their way to another graph this waits: a request of the old one
    would be about locks that are not there any more.
    """
    while True:
        with core.lock:
            fd: Fd = handle.fd
            owner = lock_owner(core, handle)
            moved = owner.moved
            if moved is None:
                owner.asking[asking] = None
                return owner, fd
        await Wait(moved)


async def settle_locks(handle: Handle) -> None:
    """Wait until no request about a handle's locks goes on by itself any more."""
    owner: LockOwner | None = handle.fd.context.get(LockOwner)
    if owner is not None:
        await owner.settle()
