"""The byte ranges that are locked through one open file, as the brick's answers told.

A brick drops them when its client's connection ends; who wants to know what was lost then, or to lock
it anew, finds it here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.locks import Flock, LkRequest
from glusterio.wire.programs import LockCommand, LockType

#: Behind the last byte that a file can have.
_END: Final = 1 << 63


class HeldLock(NamedTuple):
    """A locked range.

    Attributes:
        start: the first byte.
        end: the first byte behind it.
        identity: in whose name it is locked; ``None`` for the session's own.
        request: what it was asked for with.
    """

    start: int
    end: int
    identity: Credentials | None
    request: LkRequest

    def again(self) -> LkRequest:
        """Return the request that takes it anew, if nobody else has it."""
        length = 0 if self.end == _END else self.end - self.start
        flock = self.request.flock._replace(start=self.start, length=length)
        return self.request._replace(cmd=LockCommand.SETLK, flock=flock)


class HeldLocks:
    """The locked ranges of one open file. Whoever changes it holds the client's lock."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: list[HeldLock] = []

    def note(self, identity: Credentials | None, request: LkRequest) -> None:
        """Take note that a brick has granted what was asked for: a lock, or its end.

        An owner has no two locks on one byte: the later one replaces the earlier.
        """
        start, end = _bounds(request.flock)
        kept: list[HeldLock] = []
        for lock in self.held:
            if _owner(lock.identity) != _owner(identity) or lock.end <= start or lock.start >= end:
                kept.append(lock)
                continue
            if lock.start < start:
                kept.append(lock._replace(end=start))
            if lock.end > end:
                kept.append(lock._replace(start=end))
        if request.flock.type != LockType.UNLOCK:
            kept.append(HeldLock(start, end, identity, request))
        self.held = kept

    def __bool__(self) -> bool:
        return bool(self.held)


def _bounds(flock: Flock) -> tuple[int, int]:
    return flock.start, flock.start + flock.length if flock.length else _END


def _owner(identity: Credentials | None) -> bytes:
    return b"" if identity is None else identity.lk_owner
