"""The session machine: the gate, the count of admitted calls, and the ledger of handles.

Everything in here happens under one lock, takes a few microseconds, never waits and never does I/O.
Whoever needs to wait for something (the calls to settle, a handle to fall idle) waits on an event
that this class sets; the events and the lock are made by the runtime and passed in, so that the same
class serves threads, asyncio and a simulated world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

from glusterio.errors import (
    ForkedSessionError,
    HandleRevokedError,
    LocalProtocolError,
    SessionClosedError,
)
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import (
    GATE_CLOSED_FROM,
    HANDLE_TABLE,
    SESSION_TABLE,
    HandleEvent,
    HandleState,
    SessionEvent,
    SessionState,
)
from glusterio.lifecycle.trace import TraceHook, TraceRecord

# Each is looked at in every call; as an enumeration's member it costs three times as much.
_ACTIVE: Final = SessionState.ACTIVE
_OPEN: Final = HandleState.OPEN
_OPENED: Final = HandleEvent.OPENED
_RELEASED: Final = HandleEvent.RELEASED
_CLOSING: Final = HandleState.CLOSING
_CLOSED: Final = HandleState.CLOSED

#: Makes a record in a fifth of the time that the class itself takes: there are two in a watched read.
_made: Final = tuple.__new__


class Call:
    """One admitted call: proof that its caller passed the gate and is counted.

    Attributes:
        number: the call's number in its session, from 1.
        op: the operation's name, for the report.
        handle: the handle that lent the call a reference, or ``None``.
        second: a further handle that did, for what concerns two of them; or ``None``.
        fiber: what runs the call; the runtime's, for cancelling it.
        disowned: the teardown has counted the call out, since it would not end.
        unwanted: why it shall give up, said perhaps before there was a fiber to be told.
        began: when it was admitted, by the driver's clock, where it is timed.
        left: called with it when it leaves, under the session's lock, for who waits for that; or
            ``None``. May be called more than once.
    """

    # What few calls need is the class's.
    second: Handle | None = None
    fiber: Any = None
    disowned = False
    unwanted: Exception | None = None
    began = 0.0
    left: Callable[[Call], None] | None = None

    def __init__(self, number: int, op: str, handle: Handle | None) -> None:
        self.number = number
        self.op = op
        self.handle = handle

    def __repr__(self) -> str:
        return f"<Call {self.number} {self.op}>"


class Session:
    """A session's state, its admitted calls and its handles.

    Args:
        lock: a mutual-exclusion lock, used as a context manager; not re-entrant.
        event: makes an event with a ``set`` method; called for the session and for each handle.
        trace: receives every transition, or ``None``.
        name: the volume's name, for messages.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        event: Callable[[], Any],
        trace: TraceHook | None = None,
        name: str = "",
    ) -> None:
        self._lock = lock
        self._event = event
        self._trace = trace
        self.name = name
        self.state = SessionState.NEW
        #: admitted calls by number; its length is the count that the teardown waits for
        self.calls: dict[int, Call] = {}
        #: the ledger: every handle that a brick may hold open for us, by number
        self.ledger: dict[int, Handle] = {}
        #: set when the gate is closed and no admitted call is left
        self.idle = event()
        self.calls_admitted = 0
        self.handles_reserved = 0
        #: how many graphs there have been: the number of the one in use
        self.graphs = 1
        self._sequence = 0

    # -- the gate ---------------------------------------------------------------------------------

    def admit(self, op: str, handle: Handle | None = None) -> Call:
        """Pass the gate, be counted, and borrow ``handle``: one atomic step.

        Raises:
            SessionClosedError: the session is not active. Nothing was counted or borrowed. With a
                handle it is a ``HandleRevokedError``, which is a ``HandleClosedError``, too.
            HandleClosedError: the handle is closed or closing.
            HandleStaleError: the handle's brick is gone.
        """
        call = None
        try:
            with self._lock:
                if self.state is not _ACTIVE:
                    raise self._why_not_admitted(handle)
                if handle is not None and handle.state is not _OPEN:
                    raise handle.why_unusable()
                self.calls_admitted = number = self.calls_admitted + 1
                call = self.calls[number] = Call(number, op, handle)
                if handle is not None:  # here, for no interrupt comes in between
                    handle.refs += 1
                if self._trace is not None:
                    self._record_call(call, "ADMIT", handle)
                return call
        except BaseException:
            # Perhaps an interrupt on the way out of the lock: then nobody else knows the call.
            if call is not None:
                self.leave(call)
            raise

    def leave(self, call: Call) -> None:
        """Count the call out and give back what it borrowed. Exactly once a call; once more, if that
        was interrupted.

        Raises:
            LocalProtocolError: the call has left already.
        """
        calls = self.calls
        with self._lock:
            if calls.get(call.number) is not call:
                if call.disowned:
                    return
                raise LocalProtocolError(f"{call!r} left twice")
            call.fiber = None  # which knows its call: nothing shall be left to the collector
            handle = call.handle
            if handle is not None:
                call.handle = None
                handle.refs -= 1
                if handle.state is not _OPEN:
                    self._given_back(handle)
                if call.second is not None:
                    second, call.second = call.second, None
                    second.refs -= 1
                    self._given_back(second)
            if self.state is not _ACTIVE and len(calls) == 1 and self.state >= GATE_CLOSED_FROM:
                self.idle.set()
            if call.left is not None:
                call.left(call)
            del calls[call.number]  # the last thing, so that it can be seen what is left to be done
            if self._trace is not None:
                self._record_call(call, "DISOWN" if call.disowned else "LEAVE", handle)

    def borrow(self, call: Call, handle: Handle) -> None:
        """Borrow a second handle for an admitted call, which has one already.

        Raises:
            SessionClosedError: the gate has closed since the call was admitted.
            HandleClosedError: the handle is closed or closing.
            HandleStaleError: the handle's brick is gone.
            ValueError: the handle is another session's.
        """
        with self._lock:
            if call.disowned or call.handle is None or call.second is not None:
                raise LocalProtocolError(f"{call!r} may not borrow a second handle")
            if self.state is not _ACTIVE:
                raise self._why_not_admitted(handle)
            if handle.state is not HandleState.OPEN:
                raise handle.why_unusable()
            if self.ledger.get(handle.number) is not handle:
                raise ValueError(f"{handle.path}: opened by another session")
            handle.refs += 1
            call.second = handle
            if self._trace is not None:
                self._record_call(call, "BORROW", handle)

    @staticmethod
    def _given_back(handle: Handle) -> None:
        if not handle.refs and handle.state is HandleState.CLOSING:
            handle.idle.set()

    def apply(self, event: SessionEvent) -> SessionState:
        """Move the session; the only writer of its state.

        Returns:
            The new state.

        Raises:
            LocalProtocolError: the table has no such step, or the step's guard does not hold.
        """
        with self._lock:
            return self._apply(event)

    def begin_connect(self) -> Call:
        """Move to ``CONNECTING``; the connecting itself is the first call that a close must settle.

        Raises:
            LocalProtocolError: the session has been connected or closed before.
        """
        with self._lock:
            self._apply(SessionEvent.CONNECT)
            self.calls_admitted = number = self.calls_admitted + 1
            call = self.calls[number] = Call(number, "connect", None)
            if self._trace is not None:
                self._record_call(call, "ADMIT", None)
            return call

    def connected(self) -> None:
        """The session is up: move to ``ACTIVE``.

        Raises:
            SessionClosedError: the gate has closed meanwhile.
        """
        with self._lock:
            if self.state >= GATE_CLOSED_FROM:
                raise SessionClosedError(f"volume {self.name}: closed while connecting")
            self._apply(SessionEvent.CONNECTED)

    def close_gate(self) -> bool:
        """Close the gate if it is open.

        Returns:
            ``True`` for the one caller that closed it, who must then bring the session to its end.

        Raises:
            ForkedSessionError: the session is the parent process's.
        """
        with self._lock:
            if self.state is SessionState.FORKED:
                raise self._why_not_admitted()
            if self.state >= GATE_CLOSED_FROM:
                return False
            self._apply(SessionEvent.GATE)
            return True

    # -- what a session lives through -------------------------------------------------------------

    def switched(self) -> int:
        """A new graph is in use from now on.

        Returns:
            Its number: the first graph of a session is 1.

        Raises:
            SessionClosedError: the session is not active: the new graph must go.
        """
        with self._lock:
            if self.state is not _ACTIVE:
                raise self._why_not_admitted()
            number = self.graphs + 1
            self._apply(SessionEvent.SWITCHED, number)
            self.graphs = number
            return number

    def carry(self, handle: Handle, fd: Any) -> bool:
        """Let a handle use its fd on the new graph, if it is still open, and the session active.

        Returns:
            ``False`` if not: nothing was done, and nobody knows of the new fd but the caller.
        """
        with self._lock:
            if self.state is not _ACTIVE or handle.state is not _OPEN:
                return False
            handle.fd = fd
            self._move(handle, HandleEvent.CARRIED)
            return True

    def reconnected(self, graph: int = 1) -> bool:
        """A connection that was lost is back: each handle of it is open again, or was lost.

        Args:
            graph: the number of the graph that it is of.

        Returns:
            ``False`` if the session has no use for it any more: it must go at once.
        """
        with self._lock:
            if SessionEvent.RECONNECTED not in SESSION_TABLE[self.state]:
                return False
            self._apply(SessionEvent.RECONNECTED, graph)
            return True

    def _apply(self, event: SessionEvent, of: int = 0) -> SessionState:
        before = self.state
        try:
            after = SESSION_TABLE[before][event]
        except KeyError:
            raise LocalProtocolError(f"session: no {event.name} in state {before.name}") from None
        if event is SessionEvent.SETTLED and self.calls:
            raise LocalProtocolError(f"session: {len(self.calls)} calls have not left")
        if event is SessionEvent.DRAINED and self.ledger:
            raise LocalProtocolError(f"session: {len(self.ledger)} handles are still in the ledger")
        self.state = after
        if after is SessionState.SETTLING and not self.calls:
            self.idle.set()
        if self._trace is not None:
            self._record("session", 0, event.name, before.name, after.name, 0, of)
        return after

    def _why_not_admitted(self, handle: Handle | None = None) -> SessionClosedError:
        volume = f"volume {self.name}: " if self.name else ""
        if self.state is SessionState.FORKED:
            return ForkedSessionError(
                f"{volume}this session belongs to the parent process; connect again after fork"
            )
        if self.state < SessionState.ACTIVE:
            return SessionClosedError(f"{volume}the session is not connected")
        if handle is not None:
            return HandleRevokedError(f"{handle.path}: closed with its session")
        return SessionClosedError(f"{volume}the session is closed")

    # -- the ledger -------------------------------------------------------------------------------

    def reserve(
        self, kind: HandleKind, path: str, opened_at: str = "", call: Call | None = None
    ) -> Handle:
        """Enter a handle into the ledger, before anything is sent for it.

        Called from inside an admitted call, so the drain cannot begin before the entry is settled.

        Args:
            kind: file or directory.
            path: as the application gave it.
            opened_at: ``file:line`` of the application's call.
            call: the admitted call, for the trace.

        Raises:
            SessionClosedError: the gate has closed since the call was admitted.
        """
        with self._lock:
            if self.state is not SessionState.ACTIVE:
                raise self._why_not_admitted()
            self.handles_reserved = number = self.handles_reserved + 1
            handle = self.ledger[number] = Handle(
                number, kind, path, opened_at, self._event(), self._event()
            )
            if self._trace is not None:
                of = call.number if call is not None else 0
                self._record("handle", number, "RESERVE", "", handle.state.name, 0, of)
            return handle

    def move(self, handle: Handle, event: HandleEvent) -> HandleState:
        """Move a handle; the only writer of its state.

        ``OPENED`` becomes ``LATE`` by itself when the gate has closed, so that no handle is ever
        ``OPEN`` that was not so before the gate.

        Returns:
            The new state.

        Raises:
            LocalProtocolError: the table has no such step.
        """
        with self._lock:
            return self._move(handle, event)

    def begin_close(self, handle: Handle) -> bool:
        """Move an open or stale handle to ``CLOSING``, if nobody has.

        Returns:
            ``True`` for the one caller that moved it, who must then release it and say ``RELEASED``.
        """
        with self._lock:
            if HandleEvent.CLOSE not in HANDLE_TABLE[handle.state]:
                return False
            self._move(handle, HandleEvent.CLOSE)
            return True

    def begin_closes(self, handles: Iterable[Handle]) -> list[Handle]:
        """Do what :meth:`begin_close` does for many at once; return those that were moved."""
        moved = []
        with self._lock:
            for handle in handles:
                if HandleEvent.CLOSE in HANDLE_TABLE[handle.state]:
                    self._move(handle, HandleEvent.CLOSE)
                    moved.append(handle)
        return moved

    def end_close(self, handle: Handle) -> None:
        """Move a handle from ``CLOSING`` to ``CLOSED``, if nobody has: its brick holds it no longer."""
        with self._lock:
            if handle.state is _CLOSING:
                self._move(handle, _RELEASED)

    def drop(self, handle: Handle) -> bool:
        """Drop a handle for which nothing was sent, if that is still so.

        Returns:
            ``False`` if the thread that had reserved it has gone on meanwhile.
        """
        with self._lock:
            if HandleEvent.DROP not in HANDLE_TABLE[handle.state]:
                return False
            self._move(handle, HandleEvent.DROP)
            return True

    def begin_release(self, handle: Handle) -> bool:
        """Take it on to release a closing handle, if nobody has.

        Returns:
            ``True`` for one caller, until that sets the handle's ``releasing`` back.
        """
        with self._lock:
            if handle.releasing or handle.state is not HandleState.CLOSING:
                return False
            handle.releasing = True
            return True

    def lose(self, handle: Handle, why: str = "", event: HandleEvent = HandleEvent.LOST) -> None:
        """What an open handle stood for is gone: it becomes stale. Else nothing.

        Args:
            handle: the handle.
            why: the reason, for whoever wants to use it.
            event: ``LOST`` with its connection, or ``UNLOCKED`` on the way to another graph.
        """
        with self._lock:
            if event in HANDLE_TABLE[handle.state]:
                handle.why = why
                self._move(handle, event)

    def disown(self, call: Call) -> None:
        """Count out a call that could not be ended in time; its own leaving will mean nothing.

        What it borrowed is taken back. The teardown uses this when its deadline is over, and names
        the call in its report.
        """
        with self._lock:
            if self.calls.get(call.number) is not call:
                return
        call.disowned = True
        self.leave(call)

    def strike(self, handle: Handle) -> None:
        """Strike a handle off the ledger that cannot be closed: a defect, named in the report."""
        with self._lock:
            if handle.number in self.ledger:
                handle.refs = 0
                self._move(handle, HandleEvent.STRIKE)

    def _move(self, handle: Handle, event: HandleEvent) -> HandleState:
        if event is _OPENED and self.state is not _ACTIVE and self.state >= GATE_CLOSED_FROM:
            event = HandleEvent.LATE
        before = handle.state
        after = handle.state = handle.next_state(event)
        if after is _CLOSING and not handle.refs:
            handle.idle.set()
        elif after is _CLOSED:
            del self.ledger[handle.number]
            handle.gone.set()
        if self._trace is not None:
            self._record("handle", handle.number, event.name, before.name, after.name, handle.refs)
        return after

    def handles(self) -> list[Handle]:
        """Return the handles in the ledger, oldest first: a copy, taken under the lock."""
        with self._lock:
            return list(self.ledger.values())

    def calls_under_way(self) -> list[Call]:
        """Return the admitted calls, oldest first: a copy, taken under the lock."""
        with self._lock:
            return list(self.calls.values())

    # -- fork -------------------------------------------------------------------------------------

    def forked(self, lock: AbstractContextManager[Any]) -> None:
        """Say, in a child process, that this session is the parent's.

        Args:
            lock: a fresh lock. The old one may be held by a thread that does not exist here.
        """
        self._lock = lock
        # The trace is the parent's, too; a hook may name another one for the child.
        self._trace = getattr(self._trace, "in_child", None)
        self.calls.clear()
        self.ledger.clear()
        if SessionEvent.FORK in SESSION_TABLE[self.state]:
            self._apply(SessionEvent.FORK)

    # -- trace ------------------------------------------------------------------------------------

    def _record(
        self,
        subject: str,
        number: int,
        event: str,
        before: str,
        after: str,
        refs: int = 0,
        of: int = 0,
    ) -> None:
        assert self._trace is not None
        self._sequence = seq = self._sequence + 1
        calls, handles = len(self.calls), len(self.ledger)
        self._trace(
            TraceRecord(seq, subject, number, event, before, after, calls, handles, refs, of)
        )

    def _record_call(self, call: Call, event: str, handle: Handle | None) -> None:
        assert self._trace is not None
        self._sequence = seq = self._sequence + 1
        refs, of = (handle.refs, handle.number) if handle is not None else (0, 0)
        calls, handles = len(self.calls), len(self.ledger)
        self._trace(
            _made(
                TraceRecord,
                (seq, "call", call.number, event, "", "", calls, handles, refs, of),
            )
        )

    def __repr__(self) -> str:
        return (
            f"<Session {self.name} {self.state.name}"
            f" calls={len(self.calls)} handles={len(self.ledger)}>"
        )
