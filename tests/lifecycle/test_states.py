"""The two tables, pair by pair, through their only interpreter."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from glusterio.errors import LocalProtocolError
from glusterio.lifecycle.drain import ACTIONS, STEPS, DrainAction, plan
from glusterio.lifecycle.invariants import violations
from glusterio.lifecycle.states import (
    GATE_CLOSED_FROM,
    HANDLE_TABLE,
    MAY_BE_OPEN_ON_BRICK,
    SESSION_TABLE,
    HandleEvent,
    HandleState,
    SessionEvent,
    SessionState,
)
from tests.lifecycle.driven import WAY, handle_in, session_in


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(SessionState, SessionEvent)),
    ids=lambda value: value.name,
)
def test_every_step_of_a_session(state: SessionState, event: SessionEvent) -> None:
    session = session_in(state)
    session.records.clear()
    target = SESSION_TABLE[state].get(event)
    if target is None:
        with pytest.raises(LocalProtocolError, match=f"no {event.name} in state {state.name}"):
            session.apply(event)
        assert session.state is state
        assert session.records == []
    else:
        assert session.apply(event) is target
        assert session.state is target
        if state is not SessionState.FORKED and event is not SessionEvent.FORK:
            (record,) = session.records
            assert (record.subject, record.number) == ("session", 0)
            assert (record.event, record.before, record.after) == (
                event.name,
                state.name,
                target.name,
            )
    assert violations(session) == []


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(HandleState, HandleEvent)),
    ids=lambda value: value.name,
)
@pytest.mark.parametrize("gate_closed", [False, True])
def test_every_step_of_a_handle(state: HandleState, event: HandleEvent, gate_closed: bool) -> None:
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, state)
    if gate_closed:
        session.close_gate()
    session.records.clear()
    effective = HandleEvent.LATE if gate_closed and event is HandleEvent.OPENED else event
    target = HANDLE_TABLE[state].get(effective)
    if target is None:
        with pytest.raises(LocalProtocolError, match=f"no {effective.name} in state {state.name}"):
            session.move(handle, event)
        assert handle.state is state
        assert session.records == []
    else:
        assert session.move(handle, event) is target
        assert handle.state is target
        (record,) = session.records
        assert (record.subject, record.number) == ("handle", handle.number)
        assert (record.event, record.before, record.after) == (
            effective.name,
            state.name,
            target.name,
        )
    assert (handle.number in session.ledger) == (handle.state is not HandleState.CLOSED)
    assert bool(handle.idle) == (
        handle.state is HandleState.CLOSING
        or (state is HandleState.CLOSING and handle.state is HandleState.CLOSED)
    )
    assert violations(session) == []


def test_the_tables_name_every_state_and_reach_it() -> None:
    assert set(SESSION_TABLE) == set(SessionState)
    assert set(HANDLE_TABLE) == set(HandleState)
    tables: list[tuple[Any, Any]] = [
        (SESSION_TABLE, SessionState.NEW),
        (HANDLE_TABLE, HandleState.RESERVED),
    ]
    for table, first in tables:
        reached = {first}
        todo = [first]
        while todo:
            for target in table[todo.pop()].values():
                if target not in reached:
                    reached.add(target)
                    todo.append(target)
        assert reached == set(table)


def test_there_is_one_ending_and_no_way_back() -> None:
    for state, steps in SESSION_TABLE.items():
        for event, target in steps.items():
            if event in (SessionEvent.RECONNECTED, SessionEvent.SWITCHED):
                assert target is state
                continue
            assert target > state
            if event is not SessionEvent.FORK and state < GATE_CLOSED_FROM:
                assert target <= GATE_CLOSED_FROM
            if event is not SessionEvent.FORK and state >= GATE_CLOSED_FROM:
                assert target == state + 1
    ends = {state for state, steps in SESSION_TABLE.items() if not steps}
    assert ends == {SessionState.CLOSED, SessionState.FORKED}
    into = [
        (state, event)
        for state, steps in HANDLE_TABLE.items()
        for event, target in steps.items()
        if target is HandleState.OPEN
    ]
    assert into == [
        (HandleState.OPENING, HandleEvent.OPENED),
        (HandleState.OPEN, HandleEvent.CARRIED),
    ]


def test_only_an_active_session_is_reached_by_connecting() -> None:
    into = [
        (state, event)
        for state, steps in SESSION_TABLE.items()
        for event, target in steps.items()
        if target is SessionState.ACTIVE and state is not target
    ]
    assert into == [(SessionState.CONNECTING, SessionEvent.CONNECTED)]


def test_the_steps_of_a_teardown_are_the_tables_own() -> None:
    assert [step.done for step in STEPS if step.done is not None] == list(WAY[2:])
    assert len({step.name for step in STEPS}) == len(STEPS)


def test_the_plan_has_an_action_for_every_handle() -> None:
    assert set(ACTIONS) == set(HandleState) - {HandleState.CLOSED}
    session = session_in(SessionState.ACTIVE)
    handles = [handle_in(session, state) for state in ACTIONS]
    items = plan(session.handles())
    assert [item.handle for item in items] == handles
    assert [item.action for item in items] == list(ACTIONS.values())
    for item in items:
        steps = HANDLE_TABLE[item.handle.state]
        if item.action is DrainAction.DROP:
            assert item.handle.state not in MAY_BE_OPEN_ON_BRICK
            assert steps[HandleEvent.DROP] is HandleState.CLOSED
        elif item.action is DrainAction.RELEASE:
            assert steps[HandleEvent.CLOSE] is HandleState.CLOSING
        else:
            assert HandleEvent.CLOSE not in steps  # somebody else's step comes first


def test_a_handle_that_is_closed_by_the_time_it_is_planned_for_needs_nothing() -> None:
    """Its RELEASE was answered between the look into the ledger and the look at the handle."""
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, HandleState.CLOSING)
    open_still = handle_in(session, HandleState.OPEN)
    found = session.handles()
    session.move(handle, HandleEvent.RELEASED)
    assert [(item.handle, item.action) for item in plan(found)] == [
        (open_still, DrainAction.RELEASE)
    ]
