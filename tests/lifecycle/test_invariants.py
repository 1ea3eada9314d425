"""Each invariant is able to fail: the object is corrupted by hand, and the violation is named.

Afterwards the rest of what tells: traces as text, and the report.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from glusterio.lifecycle.invariants import INVARIANTS, violations
from glusterio.lifecycle.report import DrainedHandle, StepTime, TeardownReport
from glusterio.lifecycle.session import Session
from glusterio.lifecycle.states import HandleState, SessionState
from glusterio.lifecycle.trace import ndjson
from tests.lifecycle.driven import Driven, Flag, active, handle_in, session_in


def jumped(state: SessionState, handle_state: HandleState = HandleState.OPEN) -> Driven:
    """A session that came to a state without the steps before: with a handle still there."""
    session = session_in(SessionState.ACTIVE)
    handle_in(session, handle_state)
    session.state = state
    return session


def with_call(state: SessionState) -> Driven:
    """The same with a call still there, which has borrowed nothing."""
    session = session_in(SessionState.ACTIVE)
    session.admit("stat")
    session.state = state
    return session


def borrowed_in(state: SessionState) -> Driven:
    session, _, _ = active()
    session.state = state
    return session


def lent_too_much() -> Driven:
    session, handle, _ = active()
    handle.refs += 1
    return session


def lent_too_little() -> Driven:
    session, handle, _ = active()
    handle.refs = 0
    return session


def closed_but_held() -> Driven:
    session, handle, _ = active()
    del session.ledger[handle.number]
    handle.state = HandleState.CLOSED
    return session


CORRUPTIONS: list[tuple[str, Callable[[], Session], str]] = [
    ("NoStaleFds", lambda: jumped(SessionState.PARTING), "open or opening after the drain"),
    ("NoStaleFds", lambda: jumped(SessionState.ENDING, HandleState.ABANDONED), "after the drain"),
    ("NoLeakedFds", lambda: jumped(SessionState.CLOSED), "outlived its session"),
    (
        "DrainedImpliesAllClosed",
        lambda: jumped(SessionState.PARTING, HandleState.STALE),
        "in the ledger after the drain",
    ),
    (
        "LeakedOnlyFromHeldRefs",
        lambda: borrowed_in(SessionState.DRAINING),
        "has a borrower after the calls settled",
    ),
    ("CompositionSafety", lambda: jumped(SessionState.CLOSED), "outlived"),
    ("CompositionSafety", lambda: with_call(SessionState.CLOSED), "<Call 1 stat> outlived"),
    ("AdmittedOnlyBeforeDrain", lambda: with_call(SessionState.DRAINING), "still admitted"),
    ("RefsAddUp", lent_too_much, "lent 2, held by 1"),
    ("RefsAddUp", lent_too_little, "lent 0, held by 1"),
    ("RefsAddUp", closed_but_held, "which is closed"),
    ("OpenOnlyWhileActive", lambda: jumped(SessionState.CONNECTING), "not active yet"),
]


@pytest.mark.parametrize(("name", "corrupt", "sentence"), CORRUPTIONS)
def test_a_violation_is_seen_and_named(
    name: str, corrupt: Callable[[], Session], sentence: str
) -> None:
    session = corrupt()
    assert any(sentence in found for found in INVARIANTS[name](session))
    named = [found for found in violations(session) if found.startswith(f"{name}: ")]
    assert any(sentence in found for found in named)


def test_every_invariant_is_able_to_fail() -> None:
    assert {name for name, _, _ in CORRUPTIONS} == set(INVARIANTS)


@pytest.mark.parametrize("state", SessionState, ids=lambda state: state.name)
def test_a_sound_session_violates_nothing(state: SessionState) -> None:
    assert violations(session_in(state)) == []


@pytest.mark.parametrize("state", HandleState, ids=lambda state: state.name)
def test_no_handle_of_an_active_session_violates_anything(state: HandleState) -> None:
    session = session_in(SessionState.ACTIVE)
    handle_in(session, state)
    assert violations(session) == []


# ----------------------------------------------------------------------------- trace, repr, report


def test_a_trace_is_one_line_of_json_a_step() -> None:
    stream = io.StringIO()
    sound = Driven()
    session = Session(sound._lock, Flag, ndjson(stream))
    for each in (sound, session):
        call = each.begin_connect()
        each.leave(call)
        each.close_gate()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["CONNECT", "ADMIT", "LEAVE", "GATE"]
    assert lines[0] == {
        "seq": 1,
        "subject": "session",
        "number": 0,
        "event": "CONNECT",
        "before": "NEW",
        "after": "CONNECTING",
        "calls": 0,
        "handles": 0,
        "refs": 0,
        "of": 0,
    }
    assert [record.seq for record in sound.records] == [line["seq"] for line in lines]


def test_reprs_say_what_matters() -> None:
    session, handle, call = active()
    assert repr(session) == "<Session gv0 ACTIVE calls=1 handles=1>"
    assert repr(handle) == "<Handle 1 file '/f' OPEN refs=1>"
    assert repr(call) == "<Call 1 read>"


def test_a_report() -> None:
    report = TeardownReport("gv0")
    report.calls_settled = 2
    report.steps.append(StepTime("gate", 0.001))
    report.handles.append(DrainedHandle("/f", "file", "app.py:7"))
    assert report.graceful
    assert report.handles_drained == 1
    assert report.seconds == pytest.approx(0.001)
    assert "ended in 1.0 ms\n" in str(report)
    report.errors += [OSError(f"number {number}") for number in range(12)]
    report.defects.append("an inode is held")
    assert not report.graceful
    text = str(report)
    for part in ("not gracefully", "number 9", "and 2 more", "DEFECT an inode", "gate 1.0 ms"):
        assert part in text
    assert "number 10" not in text
    noted = KeyError("x")
    noted.add_note("/f")
    report.errors = [noted]
    assert "KeyError: 'x'; /f\n" in str(report)
    report = TeardownReport()
    assert report.graceful
    report.calls_cancelled.append("read")
    assert not report.graceful
