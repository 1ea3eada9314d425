"""Counting what a session's calls do: how many, how long each took, what failed, how many bytes.

It is there with ``connect(metrics=True)``, in two places of a call's way that are taken anyway: where
its context is looked at (:mod:`glusterio.api.calling`), which wraps its coroutine into one that counts;
and at the gate, by which it leaves. A session without it has neither class, so it pays nothing.

Reads and writes are timed by the coroutine that wraps them, everything else at the gate: an interrupt
that comes when the operation has ended, and its wrapper has not, would lose what it returned, an opened
file for instance; of what the gate is given, nothing is lost.

On a call's way there is one append to a list. When much has come together it is sorted into the buckets
all at once: that is one of the interpreter's instructions for a read, of 84 that counting takes; one by
one it was 38, of 121. Who asks adds up a copy, and holds nobody up.
"""

from __future__ import annotations

import errno
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from glusterio.api.calling import NOTHING, Callings, Op
from glusterio.api.metrics import BUCKETS
from glusterio.graph.frame import Frame
from glusterio.lifecycle.session import Call, Session
from glusterio.traps import Cancelled

if TYPE_CHECKING:
    from glusterio.api.core import Core

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


class Gathered(NamedTuple):
    """What has been sorted into the buckets.

    Attributes:
        buckets: how many calls took as long as each bucket of :data:`BUCKETS` says.
        seconds: how long all of them took together.
        size: how many bytes they read or wrote.
    """

    buckets: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    seconds: float = 0.0
    size: int = 0


def _summed(samples: list[Any]) -> Gathered:
    """Return a sum and the samples behind it as one sum."""
    gathered, *recent = samples
    if not recent:
        return gathered  # type: ignore[no-any-return]
    times, sizes = zip(*recent, strict=True)
    ascending = sorted(times)
    up_to = [0, *(bisect_right(ascending, bound) for bound in BUCKETS), len(ascending)]
    return Gathered(
        tuple(map(add, gathered.buckets, (after - before for before, after in pairwise(up_to)))),
        gathered.seconds + sum(ascending),
        gathered.size + sum(sizes),
    )


class Operation:
    """What is counted of one operation.

    Attributes:
        samples: a :class:`Gathered`, and then what has come since: the time, in seconds, and the bytes,
            of each call. One list for both, so that one assignment makes a sum of samples: no interrupt
            and no fork finds one that is in both, or in neither. It is the same list for ever.
        errors: how many failed, by what went wrong.
    """

    def __init__(self) -> None:
        self.samples: list[Any] = [Gathered()]
        self.errors: dict[str, int] = {}
        # Re-entrant, since a destructor may use the session in the middle of this.
        self._lock = threading.RLock()
        self._gathering = False

    def told(self) -> Gathered:
        """Return what has been counted up to now. From any thread; nothing waits for it."""
        return _summed(self.samples.copy())

    def gather(self) -> None:
        """Make one sum of what is there, so that it does not grow."""
        with self._lock:
            if self._gathering:  # in a destructor, in the middle of it
                return
            try:
                self._gathering = True
                there = self.samples.copy()
                self.samples[: len(there)] = [_summed(there)]
            finally:
                self._gathering = False

    def failed(self, error: BaseException) -> None:
        """A call has failed."""
        what = name_of(error)
        with self._lock:
            self.errors[what] = self.errors.get(what, 0) + 1
        if len(self.samples) >= TOGETHER:  # also where no call ends well
            self.gather()

    def forked(self) -> None:
        """This is a child process; the old lock may be held by nobody for ever."""
        self._lock = threading.RLock()
        self._gathering = False


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
            operation.samples.append((self._now() - call.began, 0))
            call.began = 0.0  # one that was disowned leaves once more
            if len(operation.samples) >= TOGETHER:
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
    samples = operation.samples
    note = samples.append

    async def moving(core: Core, frame: Frame, *args: Any) -> Any:
        began = now()
        try:
            result = await op(core, frame, *args)
        except BaseException as error:
            note((now() - began, 0))
            operation.failed(error)
            raise
        note((now() - began, size(result)))
        if len(samples) >= TOGETHER:
            operation.gather()
        return result

    return moving


def name_of(error: BaseException) -> str:
    """Return what went wrong, in a word: an errno's name, or the error's where it has none."""
    if isinstance(error, Cancelled):
        error = error.cause
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)
