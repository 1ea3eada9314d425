"""Counting what a session's calls do: how many, how long each took, what failed, how many bytes.

It is there with ``connect(metrics=True)``, in two places of a call's way that are taken anyway: where
its context is looked at (:mod:`glusterio.api.calling`), which wraps its coroutine into one that counts;
and at the gate, by which it leaves. A session without it has neither class, so it pays nothing.

Reads and writes are timed by the coroutine that wraps them, everything else at the gate: an interrupt
that comes when the operation has ended, and its wrapper has not, would lose what it returned, an opened
file for instance; of what the gate is given, nothing is lost.

What was counted is appended to a queue, and gathered when much has come together or somebody asks. That
is a fifth of what it takes to find the bucket at once, under a lock.
"""

from __future__ import annotations

import errno
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from glusterio.api.calling import NOTHING, Callings, Op
from glusterio.graph.frame import Frame
from glusterio.lifecycle.session import Call, Session
from glusterio.traps import Cancelled

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The upper bounds of the histogram's buckets, in seconds; the last one, without a bound, comes on top.
#: A read of a brick nearby takes some 0.0001 s, one that waits for a disk 0.01 s.
BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
)  # fmt: skip

#: How many calls of one operation come together before they are gathered.
TOGETHER: Final = 512


def _all_of(results: Iterable[object]) -> int:
    return sum(len(each) for each in results if isinstance(each, bytes))


#: Operations that bring data, and how many bytes that is, of their results.
READING: Final[Mapping[str, Callable[[Any], int]]] = {
    "pread": len,
    "preadv": int,
    "read": len,
    "read_file": len,
    "read_into": int,
    "read_many": _all_of,
    "read_rest": len,
}

#: Operations that take data, likewise.
WRITING: Final[Mapping[str, Callable[[Any], int]]] = {
    "pwrite": int,
    "pwrite_last": int,
    "write": int,
    "write_file": int,
}

_MOVING: Final = {**READING, **WRITING}

_leave = Session.leave


class Operation:
    """What is counted of one operation.

    Attributes:
        recent: what has not been gathered: the time, in seconds, and the bytes, of each call.
        buckets: how many calls took as long as each bucket of :data:`BUCKETS` says.
        seconds: how long all of them took together.
        size: how many bytes they read or wrote.
        errors: how many failed, by what went wrong.
    """

    def __init__(self) -> None:
        self.recent: deque[tuple[float, int]] = deque()
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.size = 0
        self.errors: dict[str, int] = {}
        # Re-entrant, since a destructor may use the session in the middle of this.
        self._lock = threading.RLock()

    def gather(self) -> None:
        """Sort what is recent into the buckets."""
        recent, buckets = self.recent, self.buckets
        with self._lock:
            for _ in range(len(recent)):
                took, size = recent.popleft()
                buckets[bisect_left(BUCKETS, took)] += 1
                self.seconds += took
                self.size += size

    def failed(self, error: BaseException) -> None:
        """A call has failed."""
        what = name_of(error)
        with self._lock:
            self.errors[what] = self.errors.get(what, 0) + 1

    def forked(self) -> None:
        """This is a child process; the old lock may be held by nobody for ever."""
        self._lock = threading.RLock()


class Operations(dict[str, Operation]):
    """What is counted of each operation, by name; one that is new begins at nothing."""

    def __missing__(self, name: str) -> Operation:
        return self.setdefault(name, Operation())


class CountedSession(Session):
    """A session that times its calls, but for reads and writes.

    Args:
        now: tells the time, by the driver's clock.
        given: what :class:`~glusterio.lifecycle.session.Session` takes.

    Attributes:
        operations: what has been counted.
    """

    def __init__(self, now: Callable[[], float], *given: Any) -> None:
        super().__init__(*given)
        self._now = now
        self.operations = Operations()

    def begin_connect(self) -> Call:
        """Do what a session does; the call's time begins."""
        call = super().begin_connect()
        call.began = self._now()
        return call

    def leave(self, call: Call) -> None:
        """Do what a session does; the call's time ends, also when that has come too late."""
        _leave(self, call)
        if call.began:
            operation = self.operations[call.op]
            operation.recent.append((self._now() - call.began, 0))
            if len(operation.recent) >= TOGETHER:
                operation.gather()

    def forked(self, lock: Any) -> None:
        """Do what a session does; its numbers are the parent's up to now."""
        super().forked(lock)
        for operation in self.operations.values():
            operation.forked()


class CountedCallings(Callings):
    """The contexts of one session's callers, whose calls are counted.

    Args:
        operations: where they are counted.
        now: tells the time, by the driver's clock.
    """

    def __init__(self, operations: Operations, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._operations = operations
        self._counted: dict[Op, Op] = {}
        self._look = self._current.get

    def prepared(self, op: Op, frame: Frame) -> Op:
        """Do what callings do; and have it counted what comes of the operation."""
        if self._look() is NOTHING:
            counted = self._counted.get(op)
            if counted is None:
                counted = self._count(op.__name__, op)
                if "<locals>" not in op.__qualname__:  # that would be another one each time
                    self._counted[op] = counted
            return counted
        try:
            run = super().prepared(op, frame)
        except TimeoutError as error:
            self._operations[op.__name__].failed(error)
            raise
        return self._count(op.__name__, run)

    def _count(self, name: str, run: Op) -> Op:
        """Return an operation that is counted under a name."""
        size = _MOVING.get(name)
        operation = self._operations[name]
        if size is None:
            return _doing(operation, run, self._now)
        return _moving(operation, run, self._now, size)


def _doing(operation: Operation, op: Op, now: Callable[[], float]) -> Op:
    async def doing(core: Core, frame: Frame, *args: Any) -> Any:
        assert frame.call is not None
        frame.call.began = now()
        try:
            return await op(core, frame, *args)
        except BaseException as error:
            operation.failed(error)
            raise

    return doing


def _moving(
    operation: Operation, op: Op, now: Callable[[], float], size: Callable[[Any], int]
) -> Op:
    recent = operation.recent
    note = recent.append

    async def moving(core: Core, frame: Frame, *args: Any) -> Any:
        began = now()
        try:
            result = await op(core, frame, *args)
        except BaseException as error:
            note((now() - began, 0))
            operation.failed(error)
            raise
        note((now() - began, size(result)))
        if len(recent) >= TOGETHER:
            operation.gather()
        return result

    return moving


def name_of(error: BaseException) -> str:
    """Return what went wrong, in a word: an errno's name, or the error's where it has none."""
    if isinstance(error, Cancelled):
        error = error.cause
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)
