"""The gate, the count, the ledger: one call at a time, then from many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from glusterio.errors import (
    ForkedSessionError,
    HandleClosedError,
    HandleRevokedError,
    HandleStaleError,
    LocalProtocolError,
    SessionClosedError,
)
from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.invariants import violations
from glusterio.lifecycle.session import Call, Session
from glusterio.lifecycle.states import HandleEvent, HandleState, SessionEvent, SessionState
from glusterio.lifecycle.trace import TraceRecord
from tests.lifecycle.driven import Driven, Flag, active, handle_in, session_in


@pytest.mark.parametrize("state", SessionState, ids=lambda state: state.name)
def test_only_an_active_session_admits_and_reserves(state: SessionState) -> None:
    session = session_in(state)
    if state is SessionState.ACTIVE:
        call = session.admit("stat")
        assert (call.number, call.op, call.handle) == (1, "stat", None)
        assert session.calls_under_way() == [call]
        return
    wanted = ForkedSessionError if state is SessionState.FORKED else SessionClosedError
    uses: list[Callable[[], object]] = [
        lambda: session.admit("stat"),
        lambda: session.reserve(HandleKind.FILE, "/f"),
    ]
    for use in uses:
        with pytest.raises(wanted) as caught:
            use()
        assert type(caught.value) is wanted
        assert "volume gv0" in str(caught.value)
    assert not session.calls
    assert not session.ledger
    assert session.calls_admitted == session.handles_reserved == 0


@pytest.mark.parametrize("state", HandleState, ids=lambda state: state.name)
def test_only_an_open_handle_is_borrowed(state: HandleState) -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, state)
    if state is HandleState.OPEN:
        first, second = session.admit("read", handle), session.admit("write", handle)
        assert handle.refs == 2
        session.leave(first)
        session.leave(second)
    else:
        error = HandleStaleError if state is HandleState.STALE else HandleClosedError
        with pytest.raises(error, match="/f"):
            session.admit("read", handle)
    assert handle.refs == 0
    assert session.calls == {}
    assert session.admit("stat").number == (3 if state is HandleState.OPEN else 1)


def test_a_second_handle_is_borrowed_and_given_back_with_the_first() -> None:
    session, first, call = active()
    second = handle_in(session, HandleState.OPEN)
    session.borrow(call, second)
    assert (first.refs, second.refs) == (1, 1)
    assert violations(session) == []
    with pytest.raises(LocalProtocolError, match="second"):
        session.borrow(call, first)
    session.begin_close(second)
    assert not second.idle
    session.leave(call)
    assert (first.refs, second.refs) == (0, 0)
    assert second.idle
    assert violations(session) == []


def test_after_the_gate_no_second_handle_is_borrowed() -> None:
    session, _, call = active()
    second = handle_in(session, HandleState.OPEN)
    session.close_gate()
    with pytest.raises(HandleRevokedError):
        session.borrow(call, second)
    assert (second.refs, call.second) == (0, None)


def test_the_trace_says_who_borrows_what_and_who_opens() -> None:
    session, first, call = active()
    session.records.clear()
    opened = session.reserve(HandleKind.FILE, "/g", call=call)
    session.move(opened, HandleEvent.SEND)
    session.move(opened, HandleEvent.OPENED)
    session.borrow(call, opened)
    session.leave(call)
    other = session.admit("stat")
    session.close_gate()
    session.disown(other)
    session.leave(other)  # means nothing
    assert [(r.event, r.number, r.of, r.refs) for r in session.records] == [
        ("RESERVE", opened.number, call.number, 0),
        ("SEND", opened.number, 0, 0),
        ("OPENED", opened.number, 0, 0),
        ("BORROW", call.number, opened.number, 1),
        ("LEAVE", call.number, first.number, 0),
        ("ADMIT", other.number, 0, 0),
        ("GATE", 0, 0, 0),
        ("DISOWN", other.number, 0, 0),
    ]


def test_a_child_s_trace_has_a_hook_of_its_own() -> None:
    records: list[TraceRecord] = []
    child: list[TraceRecord] = []

    class Hook:
        in_child = staticmethod(child.append)

        def __call__(self, record: TraceRecord) -> None:
            records.append(record)

    session = Session(nullcontext(), Flag, Hook())
    session.begin_connect()
    before = len(records)
    session.forked(nullcontext())
    assert len(records) == before
    assert child == [
        TraceRecord(before + 1, "session", 0, "FORK", "CONNECTING", "FORKED", calls=0, handles=0)
    ]


def test_one_handle_may_be_borrowed_twice_by_one_call() -> None:
    session, handle, call = active()
    session.borrow(call, handle)
    assert handle.refs == 2
    assert violations(session) == []
    session.disown(call)
    assert handle.refs == 0


def test_a_second_handle_that_is_not_open_or_not_here_is_refused() -> None:
    session, handle, call = active()
    for state in (HandleState.CLOSING, HandleState.STALE, HandleState.CLOSED):
        other = handle_in(session, state)
        with pytest.raises((HandleClosedError, HandleStaleError)):
            session.borrow(call, other)
        assert other.refs == 0
    with pytest.raises(ValueError, match="another session"):
        session.borrow(call, handle_in(session_in(SessionState.ACTIVE), HandleState.OPEN))
    without = session.admit("stat")
    with pytest.raises(LocalProtocolError, match="second"):
        session.borrow(without, handle)
    assert handle.refs == 1
    session.leave(call)
    session.leave(without)
    assert handle.refs == 0


def test_a_closed_session_is_told_before_a_closed_handle() -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, HandleState.CLOSING)
    session.close_gate()
    with pytest.raises(SessionClosedError):
        session.admit("read", handle)


def test_leaving_twice_is_a_defect() -> None:
    session, handle, call = active()
    other = session.admit("read", handle)
    session.leave(call)
    with pytest.raises(LocalProtocolError, match="left twice"):
        session.leave(call)
    assert handle.refs == 1
    with pytest.raises(LocalProtocolError):
        session.leave(Call(other.number + 1, "read", handle))
    assert handle.refs == 1


def test_an_interrupt_on_the_way_out_of_the_gate_counts_its_call_out() -> None:
    class Lock:
        """Interrupts once, when it has been given back: as a signal's handler would."""

        interrupts = False

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            if self.interrupts:
                self.interrupts = False
                raise KeyboardInterrupt

    lock = Lock()
    session = Session(lock, Flag)
    session.apply(SessionEvent.CONNECT)
    session.apply(SessionEvent.CONNECTED)
    handle = handle_in(session, HandleState.OPEN)
    lock.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        session.admit("read", handle)
    assert (session.calls, handle.refs) == ({}, 0)
    session.leave(session.admit("read", handle))
    assert (session.calls, handle.refs) == ({}, 0)


def test_the_gate_is_closed_by_one() -> None:
    session = session_in(SessionState.ACTIVE)
    call = session.admit("stat")
    assert session.close_gate() is True
    assert not session.idle
    assert session.close_gate() is False
    with pytest.raises(LocalProtocolError, match="1 calls have not left"):
        session.apply(SessionEvent.SETTLED)
    assert session.state is SessionState.SETTLING
    session.leave(call)
    assert session.idle
    session.apply(SessionEvent.SETTLED)


@pytest.mark.parametrize(
    "state", [SessionState.NEW, SessionState.CONNECTING, SessionState.ACTIVE], ids=lambda s: s.name
)
def test_a_gate_that_closes_over_nothing_is_idle_at_once(state: SessionState) -> None:
    session = session_in(state)
    assert not session.idle
    assert session.close_gate()
    assert session.idle


def test_the_connecting_is_a_call_that_the_close_settles() -> None:
    session = Driven()
    call = session.begin_connect()
    with pytest.raises(LocalProtocolError):
        session.begin_connect()
    assert session.calls_under_way() == [call]
    assert session.close_gate()
    assert not session.idle
    with pytest.raises(LocalProtocolError):
        session.apply(SessionEvent.CONNECTED)
    session.leave(call)
    assert session.idle
    with pytest.raises(LocalProtocolError):
        session.begin_connect()


def test_the_drain_is_over_when_the_ledger_is_empty() -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, HandleState.OPEN)
    session.close_gate()
    session.apply(SessionEvent.SETTLED)
    with pytest.raises(LocalProtocolError, match="1 handles are still in the ledger"):
        session.apply(SessionEvent.DRAINED)
    assert session.begin_close(handle) is True
    assert session.begin_close(handle) is False
    assert handle.idle
    session.move(handle, HandleEvent.RELEASED)
    session.apply(SessionEvent.DRAINED)


@pytest.mark.parametrize("state", HandleState, ids=lambda state: state.name)
def test_only_what_was_never_sent_is_dropped(state: HandleState) -> None:
    """The thread that had reserved it may go on between the drain's look at it and its dropping it."""
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, state)
    assert session.drop(handle) is (state is HandleState.RESERVED)
    assert handle.state is (HandleState.CLOSED if state is HandleState.RESERVED else state)
    assert session.drop(handle) is False


def test_a_closing_handle_waits_for_its_borrowers() -> None:
    session, handle, call = active()
    other = session.admit("write", handle)
    assert session.begin_close(handle)
    session.leave(call)
    assert not handle.idle
    session.leave(other)
    assert handle.idle


@pytest.mark.parametrize("state", HandleState, ids=lambda state: state.name)
def test_closing_begins_once_and_only_where_there_is_something_to_close(state: HandleState) -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, state)
    assert session.begin_close(handle) is (state in (HandleState.OPEN, HandleState.STALE))
    assert session.begin_close(handle) is False


def test_many_are_begun_to_be_closed_as_each_would_be() -> None:
    session = session_in(SessionState.ACTIVE)
    handles = {state: handle_in(session, state) for state in HandleState}
    moved = session.begin_closes(handles.values())
    assert moved == [handles[HandleState.OPEN], handles[HandleState.STALE]]
    for state, handle in handles.items():
        assert handle.state is (HandleState.CLOSING if handle in moved else state)
        assert not handle.releasing
    assert all(handle.idle for handle in moved)
    assert session.begin_closes(handles.values()) == []


@pytest.mark.parametrize("first", [HandleEvent.SEND, HandleEvent.ABANDON], ids=lambda e: e.name)
def test_a_late_reply_goes_straight_to_closing(first: HandleEvent) -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, HandleState.OPENING)
    if first is HandleEvent.ABANDON:
        session.move(handle, first)
    session.close_gate()
    assert session.move(handle, HandleEvent.OPENED) is HandleState.CLOSING
    assert handle.idle
    assert session.records[-1].event == "LATE"
    with pytest.raises(SessionClosedError):
        session.admit("read", handle)


def test_numbers_are_never_used_twice() -> None:
    session = session_in(SessionState.ACTIVE)
    numbers = []
    for state in (HandleState.CLOSED, HandleState.OPEN, HandleState.CLOSED):
        numbers.append(handle_in(session, state).number)
        call = session.admit("x")
        session.leave(call)
    assert numbers == [1, 2, 3]
    assert session.calls_admitted == 3


# --------------------------------------------------------------------------------------------- fork


class Unusable:
    """A lock that a thread holds which does not exist here."""

    def __enter__(self) -> None:
        raise AssertionError("this would never return")

    def __exit__(self, *args: object) -> None:
        raise AssertionError


@pytest.mark.parametrize("state", SessionState, ids=lambda state: state.name)
def test_a_child_process_finds_its_parents_session_dead(state: SessionState) -> None:
    session = session_in(state)
    if state is SessionState.ACTIVE:
        session.admit("read", handle_in(session, HandleState.OPEN))
    records = len(session.records)
    session._lock = Unusable()
    session.forked(nullcontext())
    session.forked(nullcontext())
    assert not session.calls
    assert not session.ledger
    assert len(session.records) == records  # the trace is the parent's
    assert violations(session) == []
    if state is SessionState.CLOSED:
        assert session.state is SessionState.CLOSED
        assert session.close_gate() is False
        return
    assert session.state is SessionState.FORKED
    with pytest.raises(ForkedSessionError, match="parent process"):
        session.close_gate()
    with pytest.raises(ForkedSessionError):
        session.admit("stat")


# ------------------------------------------------------------------------------------------ threads


@pytest.mark.parametrize("attempt", range(20))
def test_the_gate_against_many_threads(attempt: int) -> None:
    lock = threading.Lock()
    session = Session(lock, threading.Event)
    idle = session.idle
    assert isinstance(idle, threading.Event)
    session.apply(SessionEvent.CONNECT)
    session.apply(SessionEvent.CONNECTED)
    handle = handle_in(session, HandleState.OPEN)
    start = threading.Barrier(9)
    closed: list[int] = []
    admitted = [0] * 8
    wrong: list[str] = []

    def work(number: int) -> None:
        start.wait()
        while True:
            try:
                call = session.admit("read", handle)
            except SessionClosedError:
                break
            admitted[number] += 1
            if idle.is_set():
                wrong.append("idle, but a call is under way")
            session.leave(call)
        if session.close_gate():
            closed.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    if session.close_gate():
        closed.append(-1)
    assert idle.wait(10)
    with lock:
        counted = session.calls_admitted
        assert session.calls == {}
    for thread in threads:
        thread.join()
    assert closed == [-1]
    assert wrong == []
    assert counted == session.calls_admitted == sum(admitted)
    assert handle.refs == 0
    assert violations(session) == []


def test_closing_a_handle_against_many_threads() -> None:
    session = Session(threading.Lock(), threading.Event)
    session.apply(SessionEvent.CONNECT)
    session.apply(SessionEvent.CONNECTED)
    for _ in range(20):
        handle = handle_in(session, HandleState.OPEN)
        start = threading.Barrier(6)
        closers: list[int] = []
        wrong: list[str] = []

        def work(
            number: int,
            handle: object = handle,
            start: threading.Barrier = start,
            closers: list[int] = closers,
            wrong: list[str] = wrong,
        ) -> None:
            start.wait()
            for _ in range(number * 3):
                try:
                    call = session.admit("read", handle)  # type: ignore[arg-type]
                except HandleClosedError:
                    break
                if handle.idle.is_set():  # type: ignore[attr-defined]
                    wrong.append("idle, but borrowed")
                session.leave(call)
            if session.begin_close(handle):  # type: ignore[arg-type]
                closers.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        assert handle.idle.wait(10)
        for thread in threads:
            thread.join()
        assert len(closers) == 1
        assert wrong == []
        assert handle.refs == 0
        session.move(handle, HandleEvent.RELEASED)


# -- what a session lives through -----------------------------------------------------------------


def test_a_new_graph_has_the_next_number_and_none_comes_after_the_gate() -> None:
    session = session_in(SessionState.ACTIVE)
    assert [session.switched(), session.switched()] == [2, 3]
    assert [record.of for record in session.records if record.event == "SWITCHED"] == [2, 3]
    session.close_gate()
    with pytest.raises(SessionClosedError):
        session.switched()
    assert session.graphs == 3


@pytest.mark.parametrize("state", HandleState, ids=lambda state: state.name)
def test_only_an_open_handle_is_carried_over(state: HandleState) -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, state)
    handle.fd = "old"
    carried = session.carry(handle, "new")
    assert carried == (state is HandleState.OPEN)
    assert handle.fd == ("new" if carried else "old")
    assert handle.state is state


def test_no_handle_is_carried_over_after_the_gate() -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, HandleState.OPEN)
    session.close_gate()
    assert not session.carry(handle, "new")
    assert handle.fd is None


@pytest.mark.parametrize("state", SessionState, ids=lambda state: state.name)
def test_a_connection_comes_back_until_the_drain_is_over(state: SessionState) -> None:
    session = session_in(state)
    session.records.clear()
    back = SessionState.CONNECTING <= state <= SessionState.DRAINING
    assert session.reconnected(1) == back
    assert [(record.event, record.of) for record in session.records] == [("RECONNECTED", 1)] * back
    assert session.state is state
