"""Closing: while the application closes, too; from a destructor; and what is traced meanwhile."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import json
import os
import threading
from concurrent.futures import Future
from typing import Any

import pytest

import glusterio
from glusterio import CloseFromCallbackError, HandleClosedError, SessionClosedError
from glusterio.lifecycle.invariants import violations
from glusterio.lifecycle.states import (
    HANDLE_TABLE,
    SESSION_TABLE,
    HandleEvent,
    HandleState,
    SessionEvent,
    SessionState,
)
from glusterio.lifecycle.trace import TraceRecord, ndjson
from glusterio.wire import hot
from glusterio.wire.fops.files import CommonReply
from glusterio.wire.fops.names import CreateReply
from glusterio.wire.messages import encode
from glusterio.wire.programs import Fop
from glusterio.xlators.client import client, requests
from tests.api.away import until
from tests.api.drivers import PATIENCE, Driver, Threads
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess

CREATING = os.O_RDWR | os.O_CREAT


def held(tap: Tap, count: int = 1) -> None:
    tap.wait_for(lambda: len(tap.kept) >= count)


# -- by the application, and by the drain -----------------------------------------------------------


def test_a_file_closed_while_an_operation_is_in_flight_and_then_the_session(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """The case that the published models of libgfapi's teardown miss."""
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    file = driver.do(vol.open_handle, f"/in-flight-{driver.name}", CREATING)
    tap.hold(Fop.WRITE)
    writing = driver.start(file.pwrite, b"x" * 1000, 0)
    held(tap)
    driver.do(file.close)
    closing = driver.start(vol.close, grace=0.05)
    assert isinstance(writing.exception(PATIENCE), SessionClosedError)
    watch.wait("SETTLED")
    assert not tap.released()
    tap.let_go()
    report = closing.result(PATIENCE)
    assert report.handles_drained == 0
    assert report.calls_cancelled == ["pwrite"]
    assert not report.errors
    assert not tap.overtaken()
    assert list(tap.released().values()) == [1]
    assert watch.events("handle") == ["RESERVE", "SEND", "OPENED", "CLOSE", "RELEASED"]
    brick.wait_for(fds=0)


def test_files_closed_by_the_application_while_the_drain_is_at_them(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = driver.connect(url)
    files = [driver.do(vol.open_handle, f"/both-{n}", CREATING) for n in range(20)]
    tap.hold(Fop.RELEASE)
    for file in files[:5]:
        driver.do(file.close)
    closing = driver.start(vol.close)
    held(tap, 20)  # each RELEASE was sent, and none is answered
    for file in files:
        driver.do(file.close)
        assert file.closed
    tap.let_go()
    report = closing.result(PATIENCE)
    assert report.graceful
    assert [handle.path for handle in report.handles] == [f"/both-{n}" for n in range(5, 20)]
    assert set(tap.released().values()) == {1}
    assert tap.released() == tap.opened()
    brick.wait_for(fds=0)


def test_files_closed_by_many_callers_and_the_session_at_once(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    files = [driver.do(vol.open_handle, f"/at-once-{n % 7}", CREATING) for n in range(200)]

    def close(some: list[Any]) -> None:
        for file in some:
            file.close()

    async def close_async(some: list[Any]) -> None:
        for file in some:
            await file.close()

    closers = [
        # Each file is somebody else's, too.
        driver.start(close if driver.name == "threads" else close_async, files[n::4] + files[::5])
        for n in range(4)
    ]
    watch.wait("CLOSE", 20)
    report = driver.do(vol.close)
    for closer in closers:
        assert closer.exception(PATIENCE) is None
    assert report.graceful
    assert all(file.closed for file in files)
    assert tap.released() == tap.opened()
    assert watch.count("CLOSE") == watch.count("RELEASED") == 200
    brick.wait_for(fds=0)


def test_a_file_is_closed_once(driver: Driver, brick: BrickProcess, tap: Tap, url: str) -> None:
    vol = driver.connect(url)
    file = driver.do(vol.open_handle, "/once", CREATING)
    closers = [driver.start(file.close) for _ in range(8)]
    assert [closer.exception(PATIENCE) for closer in closers] == [None] * 8
    driver.do(file.close)
    with pytest.raises(HandleClosedError, match="/once"):
        driver.do(file.fstat)
    assert driver.do(vol.close).handles_drained == 0
    assert list(tap.released().values()) == [1]


# -- the session's users ----------------------------------------------------------------------------


def test_the_grace_lets_calls_finish(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    file = driver.do(vol.open_handle, "/grace", CREATING)
    driver.do(file.pwrite, b"0123456789", 0)
    tap.hold(Fop.READ)
    reading = driver.start(file.pread, 10, 0)
    held(tap)
    closing = driver.start(vol.close)
    watch.wait("GATE")
    with pytest.raises(SessionClosedError):
        driver.do(vol.stat, "/")
    assert not reading.done()
    assert not closing.done()
    tap.let_go()
    assert reading.result(PATIENCE) == b"0123456789"
    report = closing.result(PATIENCE)
    assert (report.calls_settled, report.calls_cancelled) == (1, [])
    assert report.graceful


def test_a_call_that_cannot_be_ended_is_named_and_left_behind(brick: BrickProcess) -> None:
    """Its thread sits in the application's own code; whatever it does later, it does to nobody."""
    driver = Threads()
    vol = driver.connect(brick.url)
    begun, may_go = threading.Event(), threading.Event()

    class Path:
        def __fspath__(self) -> str:
            begun.set()
            assert may_go.wait(PATIENCE)
            return "/"

    opening = driver.start(vol.open_handle, Path())
    assert begun.wait(PATIENCE)
    report = vol.close(timeout=0.1, grace=0.0)
    assert report.seconds < 2.0
    assert report.calls_cancelled == ["open_file"]
    assert [str(error) for error in report.errors] == [
        "open_file did not end within the time given to close"
    ]
    assert not report.defects
    may_go.set()
    assert isinstance(opening.exception(PATIENCE), SessionClosedError)
    driver.finish()


@pytest.mark.parametrize("event", ["CLOSE", "RELEASED"])
def test_an_interrupt_in_the_middle_of_the_drain(brick: BrickProcess, event: str) -> None:
    """Ctrl-C when some handles are CLOSING already, and nobody works on them yet."""
    interrupts = [KeyboardInterrupt("now")]

    def interrupt(record: TraceRecord) -> None:
        if record.event == event and record.number == 150 and interrupts:
            raise interrupts.pop()

    vol = glusterio.connect(brick.url, trace=interrupt)
    files = [vol.open_handle(f"/drained-{n % 3}", CREATING) for n in range(250)]
    if event == "CLOSE":
        with pytest.raises(KeyboardInterrupt, match="now"):
            vol.close()
    else:  # perhaps in the house-keeper, whom nobody interrupts
        with contextlib.suppress(KeyboardInterrupt):
            vol.close()
    report = vol.close()
    assert not report.defects
    assert report.handles_drained == len(files)
    assert all(file.closed for file in files)


def test_two_interrupts_in_the_middle_of_the_drain(brick: BrickProcess) -> None:
    """Ctrl-C, and once more while the close hurries: it comes to its end all the same."""
    interrupts = {100: KeyboardInterrupt("once"), 150: KeyboardInterrupt("twice")}

    def interrupt(record: TraceRecord) -> None:
        if record.event == "CLOSE" and record.number in interrupts:
            raise interrupts.pop(record.number)

    vol = glusterio.connect(brick.url, trace=interrupt)
    files = [vol.open_handle(f"/drained-{n % 3}", CREATING) for n in range(250)]
    with pytest.raises(KeyboardInterrupt, match="once"):
        vol.close()
    assert not interrupts
    assert vol._session.core.session.state is SessionState.CLOSED
    report = vol.close()
    assert not report.defects
    assert report.handles_drained == len(files)


def test_the_usual_answers_to_release() -> None:
    """The second is GlusterFS 10.3's."""
    assert encode(CommonReply()) in client._DONE
    assert bytes(20) in client._DONE


@pytest.mark.parametrize("refused", [False, True])
def test_an_answer_to_release_that_is_not_the_usual_one(
    driver: Driver, tap: Tap, url: str, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """Somebody looks at it properly; no descriptor's number is released twice, and nothing hangs."""
    monkeypatch.setattr(client, "_DONE", ())  # no answer is
    if refused:
        monkeypatch.setattr(hot, "common_reply", lambda view, body: (-1, errno.EIO))
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    files = [driver.do(vol.open_handle, f"/unusual-{n % 3}", CREATING) for n in range(30)]
    driver.do(files[0].close)
    watch.wait("RELEASED")
    report = driver.do(vol.close)
    assert report.handles_drained == len(files) - 1
    assert not report.defects
    assert [type(error) for error in report.errors] == [OSError] * len(files) * refused
    assert tap.released() == tap.opened()
    assert watch.count("RELEASED") == len(files)


def test_an_interrupt_in_the_middle_of_an_open(
    brick: BrickProcess, tap: Tap, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C can come anywhere in Python code: here with the answer there, and not yet read."""
    interrupts = [KeyboardInterrupt("now")]
    watch = Watch()

    def created(record: Any) -> CreateReply:
        if interrupts:
            raise interrupts.pop()
        return take_apart(record)

    take_apart = requests._created
    monkeypatch.setattr(requests, "_created", created)
    vol = glusterio.connect(url, trace=watch)
    (brick.directory / "interrupt").unlink(missing_ok=True)
    with pytest.raises(KeyboardInterrupt, match="now"):
        vol.open_handle("/interrupt", CREATING)
    watch.wait("RELEASED")
    assert vol.close().handles_drained == 0
    assert tap.released() == tap.opened()
    assert len(tap.opened()) == 1


def test_close_in_a_destructor(brick: BrickProcess) -> None:
    class Owner:
        def __init__(self) -> None:
            self.volume = glusterio.connect(brick.url)
            self.file = self.volume.open_handle("/destructor", CREATING)

        def __del__(self) -> None:
            reports.append(self.volume.close())

    reports: list[glusterio.TeardownReport] = []
    owner = Owner()
    del owner
    assert [report.handles_drained for report in reports] == [1]
    owner = Owner()
    owner.itself = owner  # type: ignore[attr-defined]
    del owner
    gc.collect()
    assert [report.handles_drained for report in reports] == [1, 1]
    assert all(report.graceful for report in reports)
    brick.wait_for(fds=0)


def test_a_close_waits_for_a_callback(brick: BrickProcess, tap: Tap, url: str) -> None:
    """Who is told of an operation's end is told before that is counted out."""
    vol = glusterio.connect(url)
    session = vol._session.core.session
    closing = threading.Thread(target=vol.close)
    seen: Future[tuple[SessionState, list[str]]] = Future()

    def callback(_: Future[bytes]) -> None:
        closing.start()
        until(lambda: session.state is not SessionState.ACTIVE)
        seen.set_result((session.state, [call.op for call in session.calls_under_way()]))

    file = vol.open_handle("/waited-for", CREATING)
    tap.hold(Fop.READ)
    file.pread_async(1, 0).add_done_callback(callback)
    tap.let_go()
    assert seen.result(PATIENCE) == (SessionState.SETTLING, ["pread"])
    closing.join(PATIENCE)
    assert vol.closed
    brick.wait_for(fds=0)


def test_close_in_a_destructor_inside_an_operation_is_refused(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """A callback drops the last reference to somebody who closes: that would wait for itself."""
    vol = glusterio.connect(url)
    refused: Future[BaseException] = Future()

    class Closer:
        def __del__(self) -> None:
            try:
                vol.close()
            except BaseException as error:
                refused.set_result(error)

    file = vol.open_handle("/destructor", CREATING)
    owners = [Closer()]
    tap.hold(Fop.READ)
    file.pread_async(1, 0).add_done_callback(lambda _: owners.clear())
    tap.let_go()
    assert isinstance(refused.result(PATIENCE), CloseFromCallbackError)
    assert vol.close().graceful


def test_a_dropped_volume_warns_and_is_closed_later(driver: Driver, brick: BrickProcess) -> None:
    vol = driver.connect(brick.url)
    session = vol._session
    driver._volumes.clear()  # type: ignore[attr-defined]
    with pytest.warns(ResourceWarning, match="unclosed"):
        del vol
    assert driver.do(session.close, 1.0, 0.0).graceful


def test_late_comers_hear_that_the_session_is_closed(driver: Driver, brick: BrickProcess) -> None:
    vol = driver.connect(brick.url)
    assert not vol.closed
    report = driver.do(vol.close)
    assert vol.closed
    for method, *arguments in (
        (vol.stat, "/"), (vol.open_handle, "/x", CREATING), (vol.mkdir, "/d"), (vol.statvfs,),
    ):  # fmt: skip
        with pytest.raises(SessionClosedError, match="closed"):
            driver.do(method, *arguments)
    assert driver.do(vol.close, timeout=0.0) is report


# -- the trace --------------------------------------------------------------------------------------


def replay(lines: list[str]) -> tuple[SessionState, dict[int, HandleState]]:
    """Run a trace through the tables; every line must be a step of theirs."""
    session = SessionState.NEW
    handles: dict[int, HandleState] = {}
    calls: set[int] = set()
    expected = 1
    for line in lines:
        record = TraceRecord(**json.loads(line))
        assert record.seq == expected
        expected += 1
        if record.subject == "session":
            assert record.before == session.name
            session = SESSION_TABLE[session][SessionEvent[record.event]]
            assert record.after == session.name
        elif record.subject == "handle":
            if record.event == "RESERVE":
                assert session is SessionState.ACTIVE
                handles[record.number] = HandleState.RESERVED
            else:
                before = handles[record.number]
                assert record.before == before.name
                handles[record.number] = HANDLE_TABLE[before][HandleEvent[record.event]]
            assert record.after == handles[record.number].name
        elif record.event == "ADMIT":
            assert session is SessionState.ACTIVE or record.number == 1
            calls.add(record.number)
        else:
            calls.remove(record.number)
        in_ledger = sum(state is not HandleState.CLOSED for state in handles.values())
        assert (record.calls, record.handles) == (len(calls), in_ledger)
    assert not calls
    return session, handles


def test_a_trace_is_a_history_of_the_tables(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    stream = io.StringIO()
    vol = driver.connect(url, trace=ndjson(stream))
    files = [driver.do(vol.open_handle, f"/trace-{n}-{driver.name}", CREATING) for n in range(3)]
    with pytest.raises(IsADirectoryError):
        driver.do(vol.open_handle, "/", CREATING)
    driver.do(files[0].pwrite, b"x", 0)
    driver.do(files[0].close)
    tap.hold(Fop.CREATE, Fop.OPEN, Fop.READ)
    calls = [
        driver.start(files[1].pread, 1, 0),
        driver.start(vol.open_handle, f"/trace-late-{driver.name}", CREATING),
    ]
    held(tap, 2)
    closing = driver.start(vol.close, grace=0.0)
    for call in calls:
        assert isinstance(call.exception(PATIENCE), SessionClosedError)
    tap.let_go()
    assert not closing.result(PATIENCE).errors
    lines = stream.getvalue().splitlines()
    session, handles = replay(lines)
    assert session is SessionState.CLOSED
    assert set(handles.values()) == {HandleState.CLOSED}
    assert len(handles) == 4
    # What was changed is noticed: the replay is not a rubber stamp.
    for at in range(len(lines) - 1):
        with pytest.raises((AssertionError, KeyError)):
            replay(lines[:at] + lines[at + 1 :])


def test_the_invariants_hold_at_every_transition_of_a_storm(
    driver: Driver, brick: BrickProcess
) -> None:
    found: list[str] = []
    count = 0
    live: list[Any] = []

    def check(_: TraceRecord) -> None:
        nonlocal count
        if live:
            count += 1
            found.extend(violations(live[0]))

    for grace in (1.0, 0.0):
        vol = driver.connect(brick.url, trace=check)
        live[:] = [vol._session.core.session]
        stormers = [
            driver.start(storm if driver.name == "threads" else storm_async, vol, n)
            for n in range(4)
        ]
        before = count
        while count - before < 400:
            assert not any(stormer.done() for stormer in stormers)
            threading.Event().wait(0.001)
        report = driver.do(vol.close, grace=grace)
        for stormer in stormers:
            assert isinstance(stormer.exception(PATIENCE), SessionClosedError | HandleClosedError)
        assert not report.defects
        assert not report.errors
        assert found == []
        assert live[0].state is SessionState.CLOSED
    brick.wait_for(fds=0)


def storm(vol: Any, n: int) -> None:
    kept: list[Any] = []
    while True:
        file = vol.open_handle(f"/storm-{n}", CREATING)
        file.pwrite(b"x" * 100, 0)
        file.pread(10, 5)
        if len(kept) < 10:
            kept.append(file)
        else:
            file.close()


async def storm_async(vol: Any, n: int) -> None:
    kept: list[Any] = []
    while True:
        file = await vol.open_handle(f"/storm-{n}", CREATING)
        await file.pwrite(b"x" * 100, 0)
        await file.pread(10, 5)
        if len(kept) < 10:
            kept.append(file)
        else:
            await file.close()
