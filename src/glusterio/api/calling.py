"""What is so for all calls of a context: who asks, who locks, and how long they may take.

libgfapi keeps the user, the groups and the lease in thread state (``glfs_setfsuid`` and its like),
which an event loop's tasks would share, and which whoever forgets to set back leaves to the next. Here
they are values of the caller's context (:mod:`contextvars`), set for a ``with`` block: of a thread, of
a task, and of the tasks that are made in it. A thread begins without any.

Of another user than the session's own, nothing is answered from memory that the session's user has
filled: each directory on a path is looked up by a brick, which says whether that user may.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from functools import partial
from operator import index
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Within
from glusterio.wire.credentials import MAX_GROUPS_AND_OWNER_V3, Credentials

if TYPE_CHECKING:
    from glusterio.api.core import Core

Op = Callable[..., Coro[Any]]

#: Operations that clean up: they are begun however late it is, and go on when nobody waits any more.
CLEANING = frozenset({"close_handle", "unlock", "drop"})

_LAST_ID = (1 << 32) - 1

#: The length of a lease's id on the wire, in bytes.
LEASE_ID_SIZE: Final = 16


class Calling(NamedTuple):
    """The values of one context.

    Attributes:
        identity: on whose behalf, and in whose name locks are taken; ``None`` for the session's own.
        deadline: when a call must have ended, by the driver's clock; or ``None``.
        undo: how to go back to what was so before, once this is set.
    """

    identity: Credentials | None = None
    deadline: float | None = None
    undo: list[Token[Any]] | None = None


#: What is so where nobody has set anything.
NOTHING: Final = Calling()


class Callings:
    """The contexts of one session's callers.

    Args:
        now: tells the time, by the driver's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._current: ContextVar[Calling] = ContextVar("glusterio", default=NOTHING)

    @property
    def current(self) -> Calling:
        """What is so where this is asked."""
        return self._current.get()

    def prepared(self, op: Op, frame: Frame) -> Op:
        """Return an operation as it is to be begun in this context.

        Args:
            op: the operation.
            frame: its frame, which is told on whose behalf it is.

        Raises:
            TimeoutError: it is too late to begin.
        """
        frame.identity, deadline, _ = self._current.get()
        if deadline is None:
            return op
        if deadline <= self._now() and op.__name__ not in CLEANING:
            raise _too_late(op)
        return partial(_in_time, deadline, op)

    def enter(self, changes: Callable[[Calling], Calling]) -> None:
        """Change what is so, until :meth:`leave`."""
        undo: list[Token[Any]] = []
        undo.append(self._current.set(changes(self._current.get())._replace(undo=undo)))

    def leave(self) -> None:
        """Change it back."""
        undo = self._current.get().undo
        assert undo, "left more often than entered"
        self._current.reset(undo.pop())


async def _in_time(deadline: float, op: Op, core: Core, frame: Frame, *args: Any) -> Any:
    try:
        return await Within(max(0.0, deadline - core.now()), op(core, frame, *args))
    except TimeoutError as error:
        if error.errno is not None or core.now() < deadline:
            raise  # the operation's own
        raise _too_late(op) from None


def _too_late(op: Op) -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, f"{os.strerror(errno.ETIMEDOUT)}: {op.__name__}")


class Setting:
    """A ``with`` block in which something is so. Any number of contexts may use it, at any time.

    Args:
        core: the session.
        changes: tells what is so in the block, from what is so where it is entered.
    """

    def __init__(self, core: Core, changes: Callable[[Calling], Calling]) -> None:
        self._core = core
        self._changes = changes

    def __enter__(self) -> None:
        callings = self._core.callings
        if callings is None:
            callings = self._core.callings = Callings(self._core.now)
        callings.enter(self._changes)

    def __exit__(self, *_: object) -> None:
        callings = self._core.callings
        assert callings is not None
        callings.leave()


def identity(core: Core, uid: int | None, gid: int | None, groups: Iterable[int] | None) -> Setting:
    """Make the block in which calls are on behalf of another user.

    Args:
        core: the session.
        uid: the user; ``None`` leaves who it is.
        gid: the group, likewise.
        groups: further groups; ``None`` leaves them, or with ``uid`` or ``gid`` means none.

    Raises:
        ValueError: a number that can be no id; or more groups than a request holds.
        TypeError: no whole number.
    """
    uid, gid = (None if number is None else index(number) for number in (uid, gid))
    further = None if groups is None else tuple(map(index, groups))
    for number in (uid or 0, gid or 0, *(further or ())):
        if not 0 <= number < _LAST_ID:
            raise ValueError(f"{number} is no user's or group's number")
    if further is not None and len(further) > MAX_GROUPS_AND_OWNER_V3:
        raise ValueError(f"{len(further)} groups; a request holds {MAX_GROUPS_AND_OWNER_V3}")
    if further is None and not (uid is None and gid is None):
        further = ()

    def changes(now: Calling) -> Calling:
        who = now.identity or core.identity
        other = who._replace(
            uid=who.uid if uid is None else uid,
            gid=who.gid if gid is None else gid,
            groups=who.groups if further is None else further,
        )
        return now._replace(identity=other)

    return Setting(core, changes)


def lock_owner(core: Core, owner: bytes) -> Setting:
    """Make the block in which locks are taken and dropped in this owner's name.

    Raises:
        ValueError: an empty name, or one that is too long.
    """
    if not 0 < len(owner) <= MAX_GROUPS_AND_OWNER_V3:
        raise ValueError(f"a lock owner is 1 to {MAX_GROUPS_AND_OWNER_V3} bytes, not {len(owner)}")
    name = bytes(owner)

    def changes(now: Calling) -> Calling:
        return now._replace(identity=(now.identity or core.identity)._replace(lk_owner=name))

    return Setting(core, changes)


def lease_id(core: Core, name: bytes) -> Setting:
    """Make the block whose calls are in the name of a holder of leases.

    Raises:
        ValueError: an empty name, or one that is too long.
    """
    if not 0 < len(name) < LEASE_ID_SIZE or not any(name):
        raise ValueError(f"a lease's id is 1 to {LEASE_ID_SIZE - 1} bytes, not {bytes(name)!r}")
    # A GlusterFS 10 brick looks behind one that has no zero at its end (leases-internal.c,
    # __is_same_lease_id).
    padded = bytes(name).ljust(LEASE_ID_SIZE, b"\0")

    def changes(now: Calling) -> Calling:
        return now._replace(identity=(now.identity or core.identity)._replace(lease_id=padded))

    return Setting(core, changes)


def deadline(core: Core, seconds: float) -> Setting:
    """Make the block whose calls must have ended in so many seconds from where it is entered.

    A block inside another can only end sooner.

    Raises:
        ValueError: a negative number of seconds, or none.
    """
    if not seconds >= 0:
        raise ValueError(f"{seconds!r} seconds")

    def changes(now: Calling) -> Calling:
        end = core.now() + seconds
        return now._replace(deadline=end if now.deadline is None else min(end, now.deadline))

    return Setting(core, changes)
