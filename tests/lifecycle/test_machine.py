"""The session under a random but lawful user, and under an unlawful one in between.

After every step all invariants are evaluated on the live object, and the trace is replayed through
the tables: it must lead to the states that the objects are in.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from glusterio.errors import (
    ForkedSessionError,
    HandleClosedError,
    HandleStaleError,
    LocalProtocolError,
    SessionClosedError,
)
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.invariants import violations
from glusterio.lifecycle.session import Call
from glusterio.lifecycle.states import (
    GATE_CLOSED_FROM,
    HANDLE_TABLE,
    SESSION_TABLE,
    HandleEvent,
    HandleState,
    SessionEvent,
    SessionState,
)
from glusterio.lifecycle.trace import TraceRecord
from tests.lifecycle.driven import Driven, handle_in

pick = st.integers(0, 1000)


class History:
    """What a trace says, replayed through the tables. A record that does not fit is an error."""

    def __init__(self) -> None:
        self.session = SessionState.NEW
        self.handles: dict[int, HandleState] = {}
        self.calls: set[int] = set()
        self.seen = 0

    def play(self, record: TraceRecord) -> None:
        self.seen += 1
        assert record.seq == self.seen
        if record.subject == "session":
            assert record.before == self.session.name
            self.session = SESSION_TABLE[self.session][SessionEvent[record.event]]
            assert record.after == self.session.name
            if self.session is SessionState.DRAINING:
                assert not self.calls
            if self.session is SessionState.PARTING:
                assert not self.handles
        elif record.subject == "call":
            if record.event == "ADMIT":
                connecting = self.session is SessionState.CONNECTING and record.number == 1
                assert connecting or self.session is SessionState.ACTIVE
                assert record.number not in self.calls
                self.calls.add(record.number)
            elif record.event == "BORROW":
                assert self.session is SessionState.ACTIVE
                assert record.number in self.calls
            else:
                assert record.event in ("LEAVE", "DISOWN")
                self.calls.remove(record.number)
        elif record.event == "RESERVE":
            assert self.session is SessionState.ACTIVE
            self.handles[record.number] = HandleState.RESERVED
            assert record.after == "RESERVED"
        else:
            before = self.handles[record.number]
            event = HandleEvent[record.event]
            assert record.before == before.name
            after = self.handles[record.number] = HANDLE_TABLE[before][event]
            assert record.after == after.name
            if after is HandleState.OPEN:
                assert self.session is SessionState.ACTIVE
            if event is HandleEvent.LATE:
                assert self.session >= GATE_CLOSED_FROM
            if after is HandleState.CLOSED:
                del self.handles[record.number]
        assert (record.calls, record.handles) == (len(self.calls), len(self.handles))


class Life(RuleBasedStateMachine):
    """One session from NEW to CLOSED (or FORKED), with calls and handles coming and going."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Driven()
        self.history = History()
        self.opening: dict[Call, Handle] = {}  # calls that open something, until it is settled
        self.known: list[Handle] = []
        self.left: list[Call] = []
        self.gates = 0
        self.closers: set[int] = set()
        self.life = 0  # steps until the gate may close
        self.steps = 0

    @initialize(
        life=st.integers(0, 40),
        connected=st.sampled_from([True, True, True, False]),
        states=st.lists(st.sampled_from(HandleState), max_size=5),
        lent=st.lists(pick, max_size=3),
    )
    def begin(self, life: int, connected: bool, states: list[HandleState], lent: list[int]) -> None:
        """Most lives begin in the middle: connected, with some handles and calls."""
        self.life = life
        if not connected:
            return
        call = self.session.begin_connect()
        self.session.apply(SessionEvent.CONNECTED)
        self.session.leave(call)
        for state in states:
            handle = handle_in(self.session, state)
            self.known.append(handle)
            if state in (HandleState.RESERVED, HandleState.OPENING):
                self.opening[self.session.admit("open")] = handle
            elif state is HandleState.CLOSING:
                self.closers.add(handle.number)
        opened = [handle for handle in self.known if handle.state is HandleState.OPEN]
        for number in lent:
            self.session.admit("read", opened[number % len(opened)] if opened else None)

    def some_call(self, number: int) -> Call | None:
        calls = self.session.calls_under_way()
        return calls[number % len(calls)] if calls else None

    def some_handle(self, number: int) -> Handle | None:
        return self.known[number % len(self.known)] if self.known else None

    # -- the lawful user --------------------------------------------------------------------------

    @precondition(lambda self: self.session.state is SessionState.NEW)
    @rule()
    def connect(self) -> None:
        self.session.begin_connect()

    @precondition(lambda self: self.session.state is SessionState.CONNECTING)
    @rule()
    def connected(self) -> None:
        self.session.apply(SessionEvent.CONNECTED)

    @rule(number=pick, on_handle=st.booleans())
    def admit(self, number: int, on_handle: bool) -> None:
        handle = self.some_handle(number) if on_handle else None
        refs = handle.refs if handle is not None else 0
        before = len(self.session.calls)
        if self.session.state is not SessionState.ACTIVE:
            error: type[Exception] | None = SessionClosedError
        elif handle is None or handle.state is HandleState.OPEN:
            error = None
        else:
            stale = handle.state is HandleState.STALE
            error = HandleStaleError if stale else HandleClosedError
        if error is not None:
            with pytest.raises(error):
                self.session.admit("op", handle)
            assert len(self.session.calls) == before
            assert handle is None or handle.refs == refs
            return
        call = self.session.admit("op", handle)
        assert call.handle is handle
        assert handle is None or handle.refs == refs + 1

    @rule(number=pick)
    def leave(self, number: int) -> None:
        call = self.some_call(number)
        if call is None:
            return
        handle = self.opening.pop(call, None)
        if handle is not None and handle.state is HandleState.RESERVED:
            self.session.move(handle, HandleEvent.DROP)
        if handle is not None and handle.state is HandleState.OPENING:
            self.session.move(handle, HandleEvent.ABANDON)
        self.session.leave(call)
        self.left.append(call)

    @rule(number=pick, kind=st.sampled_from(HandleKind))
    def open(self, number: int, kind: HandleKind) -> None:
        call = self.some_call(number)
        if call is None or call in self.opening:
            return
        if self.session.state is not SessionState.ACTIVE:
            with pytest.raises(SessionClosedError):
                self.session.reserve(kind, "/f")
            return
        handle = self.opening[call] = self.session.reserve(kind, "/f")
        self.known.append(handle)

    @rule(number=pick)
    def send(self, number: int) -> None:
        waiting = [h for h in self.opening.values() if h.state is HandleState.RESERVED]
        if waiting:
            self.session.move(waiting[number % len(waiting)], HandleEvent.SEND)

    @rule(number=pick, opened=st.booleans())
    def reply(self, number: int, opened: bool) -> None:
        waiting = [h for h in self.known if h.state in (HandleState.OPENING, HandleState.ABANDONED)]
        if waiting:
            handle = waiting[number % len(waiting)]
            abandoned = handle.state is HandleState.ABANDONED
            self.session.move(handle, HandleEvent.OPENED if opened else HandleEvent.REFUSED)
            assert not (abandoned and handle.state is HandleState.OPEN)

    @rule(number=pick)
    def lost(self, number: int) -> None:
        handle = self.some_handle(number)
        if handle is not None:
            was = handle.state
            self.session.lose(handle)
            assert handle.state is (HandleState.STALE if was is HandleState.OPEN else was)

    @rule(number=pick)
    def close_handle(self, number: int) -> None:
        handle = self.some_handle(number)
        if handle is not None and self.session.begin_close(handle):
            assert handle.number not in self.closers
            self.closers.add(handle.number)

    @rule(number=pick)
    def released(self, number: int) -> None:
        idle = [h for h in self.known if h.state is HandleState.CLOSING and h.idle]
        if idle:
            self.session.move(idle[number % len(idle)], HandleEvent.RELEASED)

    @precondition(
        lambda self: self.session.state is not SessionState.FORKED and self.steps >= self.life
    )
    @rule()
    def close_gate(self) -> None:
        self.gates += self.session.close_gate()
        assert self.gates <= 1
        assert self.session.state >= GATE_CLOSED_FROM

    @precondition(lambda self: SessionState.SETTLING <= self.session.state < SessionState.CLOSED)
    @rule()
    def go_on_ending(self) -> None:
        (event,) = SESSION_TABLE[self.session.state].keys() - {
            SessionEvent.FORK,
            SessionEvent.RECONNECTED,
        }
        before = self.session.state
        held_up = (event is SessionEvent.SETTLED and self.session.calls) or (
            event is SessionEvent.DRAINED and self.session.ledger
        )
        if held_up:
            with pytest.raises(LocalProtocolError):
                self.session.apply(event)
            assert self.session.state is before
        else:
            self.session.apply(event)

    @precondition(lambda self: self.session.state is SessionState.DRAINING)
    @rule()
    def disconnect(self) -> None:
        """What the wire still owes comes as a refusal; then nothing is in the way of the end."""
        for handle in self.session.handles():
            if handle.state in (HandleState.ABANDONED, HandleState.OPENING):
                self.session.move(handle, HandleEvent.REFUSED)
            elif self.session.begin_close(handle) or handle.state is HandleState.CLOSING:
                self.session.move(handle, HandleEvent.RELEASED)

    # -- the unlawful user ------------------------------------------------------------------------

    @rule(event=st.sampled_from(SessionEvent))
    def wrong_step(self, event: SessionEvent) -> None:
        before = self.session.state
        if event not in SESSION_TABLE[before]:
            with pytest.raises(LocalProtocolError):
                self.session.apply(event)
            assert self.session.state is before

    @rule(number=pick, event=st.sampled_from(HandleEvent))
    def wrong_move(self, number: int, event: HandleEvent) -> None:
        handle = self.some_handle(number)
        if handle is None:
            return
        if event is HandleEvent.OPENED and self.session.state >= GATE_CLOSED_FROM:
            event = HandleEvent.LATE
        before = handle.state
        if event not in HANDLE_TABLE[before]:
            with pytest.raises(LocalProtocolError):
                self.session.move(handle, event)
            assert handle.state is before

    @rule(number=pick)
    def leave_twice(self, number: int) -> None:
        if self.left:
            before = len(self.session.calls)
            with pytest.raises(LocalProtocolError):
                self.session.leave(self.left[number % len(self.left)])
            assert len(self.session.calls) == before

    @precondition(lambda self: self.steps >= self.life)
    @rule(really=st.integers(0, 9))
    def fork(self, really: int) -> None:
        if really or self.session.state is SessionState.CLOSED:
            return
        self.session.forked(nullcontext())
        self.known.clear()
        self.opening.clear()
        self.left.clear()
        with pytest.raises(ForkedSessionError):
            self.session.admit("op")
        with pytest.raises(ForkedSessionError):
            self.session.close_gate()

    def teardown(self) -> None:
        """Every life can be brought to its end from wherever it is."""
        if self.session.state is SessionState.FORKED:
            return
        self.session.close_gate()
        while self.session.calls:
            self.leave(0)
            self.check()
        assert self.session.idle
        while self.session.state is not SessionState.CLOSED:
            if self.session.state is SessionState.DRAINING:
                self.disconnect()
                self.check()
            self.go_on_ending()
            self.check()

    def check(self) -> None:
        self.everything_holds()
        self.the_trace_is_a_true_history()
        self.who_waits_is_woken()
        self.the_ledger_holds_all_that_is_not_closed()

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def everything_holds(self) -> None:
        self.steps += 1
        assert violations(self.session) == []

    @invariant()
    def the_trace_is_a_true_history(self) -> None:
        for record in self.session.records[self.history.seen :]:
            self.history.play(record)
        if self.session.state is SessionState.FORKED:
            return
        assert self.history.session is self.session.state
        assert self.history.calls == self.session.calls.keys()
        assert self.history.handles == {
            number: handle.state for number, handle in self.session.ledger.items()
        }

    @invariant()
    def who_waits_is_woken(self) -> None:
        if self.session.state is SessionState.FORKED:
            return
        over = self.session.state >= GATE_CLOSED_FROM and not self.session.calls
        assert bool(self.session.idle) == over
        for handle in self.known:
            if handle.state is HandleState.CLOSING:
                assert bool(handle.idle) == (handle.refs == 0)
            elif handle.state is not HandleState.CLOSED:
                assert not handle.idle
            assert bool(handle.gone) == (handle.state is HandleState.CLOSED)

    @invariant()
    def the_ledger_holds_all_that_is_not_closed(self) -> None:
        assert self.session.handles() == [
            h for h in self.known if h.state is not HandleState.CLOSED
        ]


TestLife = Life.TestCase
TestLife.settings = settings(stateful_step_count=80)
