"""The monitor that a session may have: it says what the specification says, as it happens."""

from __future__ import annotations

import os
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest

from glusterio.api.core import MONITOR
from glusterio.errors import MonitorWarning
from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.monitor import Monitor
from glusterio.lifecycle.session import Session
from glusterio.lifecycle.states import HandleEvent, SessionState
from glusterio.lifecycle.trace import TraceRecord
from glusterio.verify.fitting import fit
from glusterio.verify.shipped import SPEC
from glusterio.verify.traces import Line
from tests.api.drivers import DRIVERS, Driver
from tests.embedded import BrickProcess
from tests.lifecycle.driven import Flag
from tests.traces.lives import LIVES, lived
from tests.traces.mutants import corpus, mutants
from tests.traces.test_fitting import WRONG, forged


def followed(lines: list[Line]) -> tuple[bool, int]:
    """Whether a monitor has nothing to say of a trace, and the line that it speaks at."""
    monitor = Monitor()
    for at, line in enumerate(lines, 1):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            monitor(TraceRecord(*line))
        assert bool(told) == (monitor.wrong is not None)
        if told:
            return False, at
    return True, len(lines)


def test_it_says_what_the_specification_says_at_the_same_line() -> None:
    traces = corpus() | {story.__name__: lived(story) for story in LIVES}
    traces |= {mutant.name: mutant.lines for mutant in mutants()}
    traces |= {f"{wrong}": forged(*wrong[:3])[0] for wrong in WRONG}
    for name, lines in traces.items():
        found = fit(SPEC, lines)
        assert followed(lines) == (found.accepted, found.line), (name, found.why)


# -- in a session -----------------------------------------------------------------------------------


def test_a_watched_session_has_nothing_to_say(
    driver: Driver, brick: BrickProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MONITOR, "1")
    records: list[TraceRecord] = []
    vol = driver.connect(brick.url, trace=records.append)
    one = driver.do(vol.open_handle, "/one", os.O_RDWR | os.O_CREAT)
    two = driver.do(vol.open_handle, "/two", os.O_RDWR | os.O_CREAT)
    driver.do(one.pwrite, b"0123", 0)
    driver.do(one.copy_file_range, two, 4)
    driver.do(one.close)
    driver.do(vol.listdir, "/")
    report = driver.do(vol.close)
    assert report.graceful
    monitor = vol._session.core.monitor
    assert monitor._seq == len(records) == records[-1].seq  # it has seen them all
    assert monitor.wrong is None


def test_what_it_finds_is_told_at_once_and_in_the_report(
    driver: Driver, brick: BrickProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MONITOR, "yes")
    vol = driver.connect(brick.url)
    session = vol._session.core.session

    def lend_no_more() -> None:
        session.handles()[0].refs += 1  # a reference that nobody holds

    file = driver.do(vol.open_handle, "/lent", os.O_RDWR | os.O_CREAT)
    lend_no_more()
    with pytest.warns(MonitorWarning, match="ADMIT of call .*: it has lent 1"):
        driver.do(file.fstat)
    session.handles()[0].refs -= 1
    report = driver.do(vol.close)
    assert not report.graceful
    assert [defect for defect in report.defects if "ADMIT of call" in defect] == report.defects


@pytest.mark.parametrize("value", [None, "", "0"])
def test_without_being_asked_nothing_is_watched(
    brick: BrickProcess, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(MONITOR, raising=False)
    else:
        monkeypatch.setenv(MONITOR, value)
    driver = DRIVERS["threads"]()
    vol = driver.connect(brick.url)
    assert vol._session.core.monitor is None
    assert vol._session.core.session._trace is None
    driver.finish()


# -- defects that are planted -------------------------------------------------------------------------


def active(monitor: Monitor) -> Session:
    session = Session(nullcontext(), Flag, monitor)
    call = session.begin_connect()
    session.connected()
    session.leave(call)
    return session


def test_a_gate_that_does_not_hold() -> None:
    session = active(Monitor("gv0"))
    session.close_gate()
    session.state = SessionState.ACTIVE
    with pytest.warns(MonitorWarning, match="'gv0'.* ADMIT of call 2: the session is SETTLING"):
        session.admit("stat")


def test_a_release_that_overtakes_a_call() -> None:
    session = active(Monitor())
    call = session.admit("open")
    handle = session.reserve(HandleKind.FILE, "/f", call=call)
    session.move(handle, HandleEvent.SEND)
    session.move(handle, HandleEvent.OPENED)
    session.leave(call)
    session.admit("pread", handle)
    session.begin_close(handle)
    with pytest.warns(MonitorWarning, match="RELEASED of handle 1: it has lent 1"):
        session.move(handle, HandleEvent.RELEASED)


def test_a_handle_that_nobody_opens() -> None:
    session = active(Monitor())
    with pytest.warns(MonitorWarning, match="RESERVE of handle 1: .*by a call"):
        session.reserve(HandleKind.FILE, "/f")


def test_where_warnings_are_errors_the_offender_fails() -> None:
    session = active(Monitor())
    session.close_gate()
    session.state = SessionState.ACTIVE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MonitorWarning):
            session.admit("stat")


def test_it_speaks_once() -> None:
    monitor = Monitor()
    session = active(monitor)
    with pytest.warns(MonitorWarning):
        session.reserve(HandleKind.FILE, "/f")
    session.reserve(HandleKind.FILE, "/g")  # it would be an error here
    assert monitor.wrong is not None
    assert "handle 1" in monitor.wrong


def test_a_further_hook_gets_what_there_is_and_its_child_s_hook_too(tmp_path: Path) -> None:
    class Hook:
        def __init__(self) -> None:
            self.records: list[TraceRecord] = []
            self.in_child = self.records.append

        def __call__(self, record: TraceRecord) -> None:
            self.records.append(record)

    hook = Hook()
    session = active(Monitor(then=hook))
    session.forked(nullcontext())
    assert [record.event for record in hook.records] == [
        "CONNECT",
        "ADMIT",
        "CONNECTED",
        "LEAVE",
        "FORK",
    ]
