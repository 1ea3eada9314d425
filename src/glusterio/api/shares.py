"""Several handles with one fd: who is the last to have it, whose end a brick is told of."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from glusterio.graph.fd import Fd
from glusterio.lifecycle.handle import Handle


class Shares:
    """The handles that have one fd: in the fd's context, by this class, once there are several.

    Args:
        lock: a mutual-exclusion lock.
        first: the handle that has opened it.
    """

    __slots__ = ("_lock", "_numbers")

    def __init__(self, lock: AbstractContextManager[Any], first: Handle) -> None:
        self._lock = lock
        self._numbers = {first.number}

    def add(self, handle: Handle) -> None:
        """One more handle has it. Called while another one that has it is borrowed."""
        with self._lock:
            self._numbers.add(handle.number)

    def was_last(self, handle: Handle) -> bool:
        """A handle has it no more; tell whether it was the last. May be told of more than once."""
        with self._lock:
            self._numbers.discard(handle.number)
            return not self._numbers

    def carried(self, handles: Iterable[Handle]) -> Shares:
        """These have another fd from now on; return what is to be kept with that."""
        with self._lock:
            numbers = {handle.number for handle in handles}
            self._numbers -= numbers
            others = Shares.__new__(Shares)
            others._lock, others._numbers = self._lock, numbers
            return others


def is_shared(fd: Fd) -> bool:
    """Tell whether several handles have, or had, an fd."""
    return Shares in fd.context


def may_release(handle: Handle) -> bool:
    """Tell whether a brick is to be told that a handle is closed: not while others have its fd."""
    shares: Shares | None = handle.fd.context.get(Shares)
    return shares is None or shares.was_last(handle)
