"""The trace: one record for each transition, written where the transition happens.

A record is made inside the lock that orders the transitions, after the state has changed; so a trace
is a true history, and :mod:`glusterio.verify.traces` replays it against the specification
(``docs/traces.md``). When nobody listens, tracing costs one test for ``None``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TextIO


class TraceRecord(NamedTuple):
    """One transition.

    Attributes:
        seq: position in the session's history, from 1.
        subject: ``"session"``, ``"call"`` or ``"handle"``.
        number: which handle or call; 0 for the session itself.
        event: the event's name. A session's and a handle's are those of
            :mod:`glusterio.lifecycle.states`, and ``RESERVE`` for a handle's beginning. A call's are
            ``ADMIT``, ``BORROW`` (a second handle), ``LEAVE``, and ``DISOWN`` when the teardown has
            counted it out.
        before: the state's name before (empty for calls, and before ``RESERVE``).
        after: the state's name after (empty for calls).
        calls: admitted calls, after the step.
        handles: handles in the ledger, after the step.
        refs: references lent by the handle concerned, after the step; 0 if none is.
        of: the other party. Of a call, the handle that it borrows, or the first that it gives back; of
            ``RESERVE``, the call that opens; of ``SWITCHED`` and ``RECONNECTED``, the number of the
            graph, the first of which is 1; else 0.
    """

    seq: int
    subject: str
    number: int
    event: str
    before: str
    after: str
    calls: int
    handles: int
    refs: int = 0
    of: int = 0


#: Receives each record, under the session's lock: it must not block and must not call the session. One
#: that raises hears of nothing more.
#: In a child process, after a fork, nothing is recorded; unless the hook has an attribute ``in_child``,
#: which is then the child's hook.
TraceHook = Callable[[TraceRecord], None]


def ndjson(stream: TextIO) -> TraceHook:
    """Return a hook that writes each record as one line of JSON.

    Args:
        stream: an open text file. The hook writes and flushes a line; closing the file is the owner's.
    """
    from json import dumps  # few trace

    def write(record: TraceRecord) -> None:
        stream.write(dumps(record._asdict(), separators=(",", ":")) + "\n")
        stream.flush()

    return write


class UntilItFails:
    """A hook that is left alone once it has raised an exception, which must not be the session's.

    What it raises comes in the middle of a transition: whoever gave up there would leave a call that is
    counted for good, or an end that nobody makes. An interrupt goes through all the same.

    Args:
        hook: the application's hook.
        tell: is told, once, what it has raised.
    """

    def __init__(self, hook: TraceHook, tell: Callable[[Exception], None]) -> None:
        self._hook: TraceHook | None = hook
        self._tell = tell
        self._whole = hook

    @property
    def in_child(self) -> TraceHook | None:
        """The hook's hook for a child process, which may be itself, looked after likewise."""
        child: TraceHook | None = getattr(self._whole, "in_child", None)
        return None if child is None else UntilItFails(child, self._tell)

    def __call__(self, record: TraceRecord) -> None:
        """Hand the record on."""
        if self._hook is not None:
            try:
                self._hook(record)
            except Exception as error:
                self._hook = None
                self._tell(error)
