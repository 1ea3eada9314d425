"""The hazards of a client's teardown that are known from libgfapi, H1 to H13, each answered.

A client of GlusterFS that closes its session while threads are inside it can go wrong in these ways.
The tests bear their numbers; what each one is stands in its docstring. They run on both drivers where
both have the hazard.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
import tracemalloc
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

import glusterio
from glusterio import (
    CloseFromCallbackError,
    ConnectionLostError,
    HandleClosedError,
    HandleStaleError,
    SessionClosedError,
)
from glusterio.api import handles
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess

CREATING = os.O_RDWR | os.O_CREAT
OPENS = (Fop.OPEN, Fop.CREATE)


def held(tap: Tap, count: int = 1) -> None:
    """Wait until the tap keeps so many replies back."""
    tap.wait_for(lambda: len(tap.kept) >= count)


def outcome(future: Future[Any]) -> BaseException | None:
    """The error that a call ended with, if it did; it must end."""
    return future.exception(PATIENCE)


def bounded(seconds: float) -> contextlib.AbstractContextManager[None]:
    """What is inside must be done within so many seconds and one more."""

    @contextlib.contextmanager
    def guard() -> Iterator[None]:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        assert took < seconds + 1.0, f"took {took:.2f} s of {seconds} s"

    return guard()


# -- H1 ---------------------------------------------------------------------------------------------


def new_name() -> str:
    """A file that is not there: to make it takes one request."""
    return f"/new-{uuid.uuid4()}"


def test_h1_an_open_answered_after_the_gate_is_closed_again(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H1: a call past the gate whose fd is in no list yet. Ours is in the ledger before it is sent."""
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    tap.hold(*OPENS)
    opening = driver.start(vol.open_handle, new_name(), CREATING)
    held(tap)  # the brick has opened it, and nobody here knows
    assert brick.dump()["fds"] == 1
    closing = driver.start(vol.close)
    watch.wait("GATE")
    tap.let_go()

    assert isinstance(outcome(opening), SessionClosedError)
    report = closing.result(PATIENCE)
    assert report.graceful
    assert report.calls_settled == 1
    assert report.handles_drained == 0  # nothing was left open by the application
    assert watch.count("LATE") == 1
    assert list(tap.released().values()) == [1]
    assert tap.released() == tap.opened()
    brick.wait_for(fds=0)


def test_h1_an_open_answered_after_the_grace_is_closed_again(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    tap.hold(*OPENS)
    opening = driver.start(vol.open_handle, new_name(), CREATING)
    held(tap)
    closing = driver.start(vol.close, grace=0.0)
    watch.wait("ABANDON")
    assert isinstance(outcome(opening), SessionClosedError)
    assert not closing.done()  # the ledger still knows that the brick owes an answer
    tap.let_go()

    report = closing.result(PATIENCE)
    assert report.calls_cancelled == ["open_file"]
    assert not report.errors
    assert not report.defects
    assert tap.released() == tap.opened()
    assert len(tap.opened()) == 1
    brick.wait_for(fds=0)


def test_h1_an_open_that_is_never_answered_ends_with_the_connection(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = driver.connect(url)
    tap.hold(*OPENS)
    opening = driver.start(vol.open_handle, "/h1", CREATING)
    held(tap)
    with bounded(0.5):
        report = driver.do(vol.close, timeout=0.5, grace=0.1)
    assert isinstance(outcome(opening), SessionClosedError)
    assert [type(error) for error in report.errors] == [ConnectionLostError]
    assert [handle.path for handle in report.handles] == ["/h1"]
    assert not report.defects
    brick.wait_for(fds=0)


def test_h1_an_open_refused_after_the_gate_leaves_nothing(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    (brick.directory / "h1-gone").touch()
    tap.hold(Fop.LOOKUP)
    opening = driver.start(vol.open_handle, "/h1-gone")
    held(tap)
    with glusterio.connect(brick.url) as other:
        other.unlink("/h1-gone")
    tap.let_go(Fop.OPEN)
    held(tap)  # the brick has refused
    closing = driver.start(vol.close)
    watch.wait("GATE")
    tap.let_go()
    assert isinstance(outcome(opening), OSError)  # it had the answer in time
    assert closing.result(PATIENCE).graceful
    assert watch.count("REFUSED") == 1
    assert not tap.opened()
    assert not tap.released()


# -- H2 ---------------------------------------------------------------------------------------------


def test_h2_cancelled_calls_unwind_before_the_drain_and_late_replies_harm_nobody(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H2: frames that outlive the wait complete after the tables are gone. Ours end first."""
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    files = [driver.do(vol.open_handle, f"/h2-{n}", CREATING) for n in range(4)]
    for file in files:
        driver.do(file.pwrite, b"before", 0)
    tap.hold(Fop.READ, Fop.WRITE, Fop.FSTAT)
    calls = []
    for file in files:
        calls.append(driver.start(file.pread, 6, 0))
        calls.append(driver.start(file.pwrite, b"during", 0))
        calls.append(driver.start(file.fstat))
    held(tap, len(calls))
    closing = driver.start(vol.close, grace=0.05)
    assert [type(outcome(call)) for call in calls] == [SessionClosedError] * len(calls)
    watch.wait("CLOSE", 4)
    settled = next(record for record in watch.records if record.event == "SETTLED")
    assert settled.calls == 0
    assert settled.handles == 4
    # The drain knows that the brick may still be at it: no RELEASE yet, though nobody waits here.
    assert not tap.released()
    assert not closing.done()
    tap.let_go()

    report = closing.result(PATIENCE)
    assert sorted(report.calls_cancelled) == sorted(["pread", "pwrite", "fstat"] * 4)
    assert report.handles_drained == 4
    assert not report.errors
    assert not report.defects
    assert tap.released() == tap.opened()
    assert set(tap.released().values()) == {1}
    assert not tap.overtaken()
    brick.wait_for(fds=0)


def test_h2_a_reply_after_the_end_of_its_buffers_owner_writes_nothing(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = driver.connect(url)
    size = 300_000  # received straight into the caller's buffer
    (brick.directory / "h2-data").write_bytes(b"x" * size)
    file = driver.do(vol.open_handle, "/h2-data")
    buffer = bytearray(size)
    tap.hold(Fop.READ)
    reading = driver.start(file.read_into, buffer, 0)
    held(tap)
    closing = driver.start(vol.close, grace=0.0)
    assert isinstance(outcome(reading), SessionClosedError)
    tap.let_go()
    closing.result(PATIENCE)
    assert not any(buffer)


def test_h2_a_write_cut_off_half_way_does_not_read_its_owners_buffer_again(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """A part of it has left, so the rest must follow; its owner has the buffer back already."""
    size = 8_000_000
    vol = driver.connect(url)
    file = driver.do(vol.open_handle, "/h2-write", CREATING | os.O_TRUNC)
    tap.pause()  # the sockets take the first part of it
    before = tap.to_server
    buffer = bytearray(b"a" * size)
    writing = driver.start(file.pwrite, buffer, 0)
    connection = vol._session.core.graph.leaves[0]._connection
    while not (connection.pending and next(iter(connection.pending.values())).sent):
        time.sleep(0.001)
    closing = driver.start(vol.close, grace=0.0)
    assert isinstance(outcome(writing), SessionClosedError)
    buffer[:] = b"b" * size
    tap.resume()
    report = closing.result(PATIENCE)
    assert not report.errors
    assert tap.to_server - before > size
    assert (brick.directory / "h2-write").read_bytes() == b"a" * size
    assert not tap.overtaken()


# -- H3 ---------------------------------------------------------------------------------------------


def test_h3_a_handle_being_drained_refuses_and_nothing_worse(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H3: a call races the drain for the handle's fd. Ours borrow the handle, or are refused."""
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    file = driver.do(vol.open_handle, "/h3", CREATING)
    driver.do(file.pwrite, b"x" * 100, 0)
    tap.hold(Fop.RELEASE)
    closing = driver.start(vol.close)
    held(tap)  # in the middle of the drain
    methods: list[Callable[[], Any]] = [
        lambda: driver.do(file.pread, 1, 0),
        lambda: driver.do(file.pwrite, b"y", 0),
        lambda: driver.do(file.read_into, bytearray(1), 0),
        lambda: driver.do(file.fstat),
        lambda: driver.do(file.fsync),
        lambda: driver.do(file.truncate, 0),
        lambda: driver.do(vol.stat, "/h3"),
        lambda: driver.do(vol.open_handle, "/h3"),
        lambda: driver.do(vol.mkdir, "/h3d"),
    ]
    for method in methods:
        with pytest.raises((SessionClosedError, HandleClosedError)):
            method()
    driver.do(file.close)  # harmless
    assert file.closed
    assert not closing.done()
    tap.let_go()
    assert closing.result(PATIENCE).graceful
    for method in methods:
        with pytest.raises((SessionClosedError, HandleClosedError)):
            method()
    assert list(tap.released().values()) == [1]


def test_h3_many_callers_race_the_drain(driver: Driver, brick: BrickProcess) -> None:
    vol = driver.connect(brick.url)
    files = [driver.do(vol.open_handle, f"/h3-{n}", CREATING) for n in range(8)]
    begun = threading.Barrier(9) if driver.name == "threads" else None
    completed: Counter[type] = Counter()

    def use(file: Any) -> None:
        if begun is not None:
            begun.wait(PATIENCE)
        while True:
            file.pwrite(b"x" * 4096, 0)
            completed[int] += 1

    async def use_async(file: Any) -> None:
        while True:
            await file.pwrite(b"x" * 4096, 0)
            completed[int] += 1

    users = [
        driver.start(use if driver.name == "threads" else use_async, file)
        for file in files
        for _ in range(1)
    ]
    if begun is not None:
        begun.wait(PATIENCE)
    while completed[int] < 50:  # they are at it
        assert not any(user.done() for user in users), users
        time.sleep(0)
    report = driver.do(vol.close)
    for user in users:
        assert isinstance(outcome(user), SessionClosedError | HandleClosedError)
    assert report.handles_drained == 8
    assert report.graceful
    brick.wait_for(fds=0)


# -- H4 ---------------------------------------------------------------------------------------------


def first_entry(driver: Driver, listing: Any) -> Any:
    return driver.do(listing.__next__ if driver.name == "threads" else listing.__anext__)


def test_h4_listings_left_half_way_are_drained(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H4: what no drain knows of. Directory streams are handles like any other."""
    directory = brick.directory / "h4"
    directory.mkdir(exist_ok=True)
    for n in range(20):
        (directory / f"f{n}").touch()
    vol = driver.connect(url)
    listings = [vol.scandir("/h4") for _ in range(3)]
    names = [first_entry(driver, listing).name for listing in listings]
    assert len(set(names)) == 1
    assert brick.dump()["fds"] == 3
    report = driver.do(vol.close)
    assert [(handle.path, handle.kind) for handle in report.handles] == [("/h4", "directory")] * 3
    assert (
        all(__file__ in handle.opened_at for handle in report.handles) or driver.name != "threads"
    )
    assert report.graceful
    assert tap.calls(Fop.RELEASEDIR) == 3
    assert tap.released() == tap.opened()
    brick.wait_for(fds=0)


def test_h4_a_listing_that_needs_more_after_the_end_is_refused(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    directory = brick.directory / "h4-large"
    directory.mkdir(exist_ok=True)
    for n in range(1500):
        (directory / f"a-rather-long-name-for-an-entry-{n:06}").touch()
    vol = driver.connect(url)
    listing = vol.scandir("/h4-large")
    first_entry(driver, listing)
    driver.do(vol.close)

    def rest() -> None:
        while True:
            first_entry(driver, listing)

    with pytest.raises((SessionClosedError, HandleClosedError)):
        rest()


# -- H5 ---------------------------------------------------------------------------------------------


class Completions:
    """Futures, and how often each has called back."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.calls: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, future: Future[Any]) -> None:
        number = len(self.futures)
        self.futures.append(future)

        def called(_: Future[Any]) -> None:
            with self._lock:
                self.calls[number] += 1

        future.add_done_callback(called)

    def check(self, *allowed: type[BaseException]) -> None:
        """Each was completed once, well or with one of these errors."""
        for future in self.futures:
            error = future.exception(PATIENCE)
            assert error is None or isinstance(error, allowed), repr(error)
        assert self.calls == dict.fromkeys(range(len(self.futures)), 1)


def submit_many(file: glusterio.File, count: int = 64) -> Completions:
    completions = Completions()
    file.pwrite(b"z" * 4096, 0)
    for n in range(count // 2):
        completions.add(file.pread_async(4096, 0))
        completions.add(file.pwrite_async(b"%4096d" % n, 0))
    return completions


@pytest.mark.parametrize("grace", [0.0, 2.0])
def test_h5_each_future_completes_once_when_the_session_closes(
    brick: BrickProcess, tap: Tap, url: str, grace: float
) -> None:
    """H5: completions that never come. Each accepted call is completed exactly once."""
    with glusterio.connect(url) as vol:
        tap.hold(Fop.READ) if not grace else None
        file = vol.open_handle("/h5", CREATING)
        completions = submit_many(file)
        if not grace:
            held(tap, 32)
        closing: Future[Any] = Future()
        thread = threading.Thread(
            target=lambda: closing.set_result(vol.close(timeout=5.0, grace=grace))
        )
        thread.start()
        completions.check(*([SessionClosedError] if not grace else []))
        tap.let_go()
        thread.join(PATIENCE)
        report = closing.result(0)
        assert report.calls_cancelled.count("pread") == (0 if grace else 32)
    completions.check(*([SessionClosedError] if not grace else []))
    brick.wait_for(fds=0)


def test_h5_each_future_completes_once_when_the_connection_is_lost(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    with glusterio.connect(url, reconnect=False) as vol:
        tap.hold(Fop.READ, Fop.WRITE)
        file = vol.open_handle("/h5", CREATING)
        completions = Completions()
        for _ in range(16):
            completions.add(file.pread_async(10, 0))
            completions.add(file.pwrite_async(b"0123456789", 0))
        held(tap, 32)
        tap.cut()
        completions.check(ConnectionLostError)
        for future in completions.futures:
            error = future.exception(0)
            assert isinstance(error, ConnectionLostError)
            assert error.may_have_happened
        assert vol.close().graceful
    completions.check(ConnectionLostError)


def test_h5_tasks_complete_once_when_the_session_closes(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = driver.connect(url)
    file = driver.do(vol.open_handle, "/h5", CREATING)
    tap.hold(Fop.READ)
    completions = Completions()
    for _ in range(40):
        completions.add(driver.start(file.pread, 10, 0))
    held(tap, 40)
    closing = driver.start(vol.close, grace=0.0)
    completions.check(SessionClosedError)
    tap.let_go()
    assert closing.result(PATIENCE).calls_cancelled == ["pread"] * 40
    completions.check(SessionClosedError)


# -- H6 ---------------------------------------------------------------------------------------------


def test_h6_nothing_of_a_closed_session_stays_in_memory(
    driver: Driver, brick: BrickProcess
) -> None:
    """H6: handles that stay allocated after the end. Ours go when the last name for them goes."""
    gc.collect()
    gc.disable()  # no cycle may be needed to hold what is to go
    try:
        vol = driver.connect(brick.url)
        driver._volumes.clear()  # type: ignore[attr-defined]
        file = driver.do(vol.open_handle, "/h6", CREATING)
        driver.do(file.pwrite, b"x", 0)
        if driver.name == "threads":
            with vol.open("/h6", "w") as text:
                text.write("y")
            left = vol.open("/h6", "w")
            left.write("z")
        core = vol._session.core
        watched = {
            "handle": weakref.ref(file._handle),
            "fd": weakref.ref(file._handle.fd),
            "core": weakref.ref(core),
            "session": weakref.ref(vol._session),
            "graph": weakref.ref(core.graph),
            "client": weakref.ref(core.graph.top),
            "driver": weakref.ref(vol._session.driver),
            "volume": weakref.ref(vol),
        }
        if driver.name == "threads":
            watched["raw"] = weakref.ref(text.buffer.raw)
            watched["left"] = weakref.ref(left.buffer.raw)
            passed_over = vol.scandir("/")
            next(passed_over)
            with pytest.warns(ResourceWarning, match="unclosed listing"):
                del passed_over
        report = driver.do(vol.close)
        assert report.graceful
        del file, core, vol, report
        if driver.name == "threads":
            del text, left
        driver.do(_a_turn if driver.name == "asyncio" else int)
        alive = [name for name, reference in watched.items() if reference() is not None]
        without_collector = list(alive)
    finally:
        gc.enable()
    gc.collect()
    still = [name for name, reference in watched.items() if reference() is not None]
    assert not still, f"kept alive for good: {still}"
    assert not without_collector, f"kept alive by reference cycles: {without_collector}"


async def _a_turn() -> None:
    import asyncio

    for _ in range(3):
        await asyncio.sleep(0)


# -- H7, H8 -----------------------------------------------------------------------------------------


def let_both_go(tap: Tap) -> None:
    held(tap, 2)
    tap.let_go()


def test_h7_a_callback_on_the_leading_thread_may_use_the_volume(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H7: a callback on the receiving thread takes a lock that it must not. Ours may do anything."""
    with glusterio.connect(url) as vol:
        file = vol.open_handle("/h7", CREATING)
        file.pwrite(b"0123456789", 0)
        seen: Future[Any] = Future()

        def callback(future: Future[bytes]) -> None:
            with vol.open("/h7-other", "w") as other:
                other.write("from a callback")
            seen.set_result(
                (
                    threading.current_thread(),
                    future.result(),
                    file.pread(3, 2),
                    vol.stat("/h7-other").st_size,
                    file.pread_async(2, 8).result(PATIENCE),
                )
            )

        tap.hold(Fop.READ, Fop.FSTAT)
        reading = file.pread_async(10, 0)
        reading.add_done_callback(callback)
        held(tap)
        # This thread leads from now on: it waits for its own reply, and gets the other's first.
        helper = threading.Thread(target=let_both_go, args=(tap,))
        helper.start()
        assert file.fstat().st_size == 10
        assert reading.result(PATIENCE) == b"0123456789"
        helper.join()
        assert seen.result(PATIENCE)[1:] == (b"0123456789", b"234", 15, b"89")
        file.close()
    brick.wait_for(fds=0)


def test_h8_close_in_a_completion_callback_is_refused_and_possible_afterwards(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H8: a close from a callback waits for itself. Ours is refused, and the session is as before."""
    vol = glusterio.connect(url)
    file = vol.open_handle("/h8", CREATING)
    refused: Future[None] = Future()

    def callback(_: Future[bytes]) -> None:
        try:
            vol.close()
        except BaseException as error:
            refused.set_exception(error)
        else:
            refused.set_result(None)

    tap.hold(Fop.READ)
    file.pread_async(1, 0).add_done_callback(callback)
    tap.let_go()
    with pytest.raises(CloseFromCallbackError, match="another thread"):
        refused.result(PATIENCE)
    assert not vol.closed
    assert file.pwrite(b"still there", 0) == 11
    report = vol.close()
    assert report.graceful
    assert report.handles_drained == 1
    brick.wait_for(fds=0)


def test_h8_close_inside_an_operation_is_refused(brick: BrickProcess) -> None:
    vol = glusterio.connect(brick.url)

    class Path:
        def __fspath__(self) -> str:
            vol.close()  # the operation that asks for the path is under way
            return "/"

    with pytest.raises(CloseFromCallbackError):
        vol.stat(Path())
    assert vol.stat("/")
    assert vol.close().graceful


def test_h8_close_on_another_loop_is_refused(brick: BrickProcess) -> None:
    import asyncio

    from glusterio import aio

    async def on_its_own() -> None:
        vol = await aio.connect(brick.url)
        elsewhere: Future[Any] = Future()

        def other_loop() -> None:
            try:
                elsewhere.set_result(asyncio.run(vol.close()))
            except BaseException as error:
                elsewhere.set_exception(error)

        thread = threading.Thread(target=other_loop)
        thread.start()
        await asyncio.to_thread(thread.join, PATIENCE)
        assert isinstance(elsewhere.exception(0), CloseFromCallbackError)
        assert (await vol.close()).graceful

    asyncio.run(on_its_own())


# -- H9 ---------------------------------------------------------------------------------------------


def test_h9_every_close_returns_the_same_report(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H9: a second close, later or at the same time, destroys what is gone."""
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    file = driver.do(vol.open_handle, "/h9", CREATING)
    tap.hold(Fop.RELEASE)
    closings = [driver.start(vol.close) for _ in range(4)]
    held(tap)
    closings += [driver.start(vol.close) for _ in range(4)]
    assert not any(closing.done() for closing in closings)
    tap.let_go()
    reports = [closing.result(PATIENCE) for closing in closings] + [driver.do(vol.close)]
    assert len({id(report) for report in reports}) == 1
    assert reports[0].handles_drained == 1
    assert file.closed
    assert watch.events("session") == [
        "CONNECT", "CONNECTED", "GATE", "SETTLED", "DRAINED", "PARTED", "CHECKED", "ENDED",
    ]  # fmt: skip
    assert [step.name for step in reports[0].steps] == [
        "gate", "settle", "drain", "relatives", "disconnect", "inodes", "translators",
    ]  # fmt: skip


# -- H10 --------------------------------------------------------------------------------------------


def _dead(brick: BrickProcess, tap: Tap) -> None:
    brick.kill()


def _stopped(brick: BrickProcess, tap: Tap) -> None:
    os.kill(brick.pid, signal.SIGSTOP)


def _half_open(brick: BrickProcess, tap: Tap) -> None:
    tap.black_hole()


def _clogged(brick: BrickProcess, tap: Tap) -> None:
    tap.pause()


def _silent(brick: BrickProcess, tap: Tap) -> None:
    tap.hold(*Fop)


@pytest.mark.parametrize("fault", [_dead, _stopped, _half_open, _clogged, _silent])
def test_h10_close_keeps_its_deadline_whatever_the_brick_does(
    driver: Driver,
    own_brick: BrickProcess,
    through: Callable[..., str],
    fault: Callable[[BrickProcess, Tap], None],
) -> None:
    """H10: an unbounded wait for a brick. Every wait of ours has an end."""
    with Tap(("127.0.0.1", own_brick.brick_port)) as tap:
        vol = driver.connect(through(own_brick, tap.port))
        files = [driver.do(vol.open_handle, f"/h10-{n}", CREATING) for n in range(5)]
        listing = vol.scandir("/")
        first_entry(driver, listing)
        fault(own_brick, tap)
        calls = [
            driver.start(files[0].pread, 10, 0),
            driver.start(files[1].pwrite, b"x" * 1_000_000, 0),
            driver.start(vol.open_handle, "/h10-more", CREATING),
        ]
        with bounded(0.6):
            report = driver.do(vol.close, timeout=0.6, grace=0.2)
        errors = [outcome(call) for call in calls]
        allowed: tuple[type[Exception], ...] = (SessionClosedError,)
        if fault is _dead:
            allowed += (ConnectionLostError, HandleStaleError)
        for error in errors:
            assert isinstance(error, allowed), repr(error)
        assert not report.defects
        if fault is not _dead:
            assert not report.graceful
            assert len(report.calls_cancelled) + report.calls_settled <= 3
            assert report.errors
            assert "let go" in str(report.errors[0])
            assert len(report.handles) >= 6
        assert vol.closed
        assert driver.do(vol.close) is report
        os.kill(own_brick.pid, signal.SIGCONT) if fault is _stopped else None


@pytest.mark.parametrize("fault", [_stopped, _half_open])
def test_h10_the_ping_clock_ends_calls_to_a_brick_that_is_silent(
    driver: Driver,
    own_brick: BrickProcess,
    through: Callable[..., str],
    fault: Callable[[BrickProcess, Tap], None],
) -> None:
    with Tap(("127.0.0.1", own_brick.brick_port)) as tap:
        vol = driver.connect(through(own_brick, tap.port, ping_timeout=1), reconnect=False)
        file = driver.do(vol.open_handle, "/h10", CREATING)
        fault(own_brick, tap)
        with bounded(2.0), pytest.raises(ConnectionLostError, match="ping-timeout"):
            driver.do(file.pread, 10, 0)
        with pytest.raises(HandleStaleError):
            driver.do(file.pread, 10, 0)
        report = driver.do(vol.close)
        assert report.seconds < 0.5
        assert report.graceful
        os.kill(own_brick.pid, signal.SIGCONT) if fault is _stopped else None


@pytest.mark.parametrize("calls_before", [0, 2])
def test_h10_the_ping_clock_runs_for_a_session_without_handles(
    driver: Driver, own_brick: BrickProcess, through: Callable[..., str], calls_before: int
) -> None:
    """Nobody but the caller itself could notice, neither in its first call nor in a later one."""
    with Tap(("127.0.0.1", own_brick.brick_port)) as tap:
        vol = driver.connect(through(own_brick, tap.port, ping_timeout=1), reconnect=False)
        for _ in range(calls_before):
            driver.do(vol.statvfs, "/")
        _half_open(own_brick, tap)
        with bounded(2.0), pytest.raises(ConnectionLostError, match="ping-timeout"):
            driver.do(vol.statvfs, "/")
        assert driver.do(vol.close).seconds < 0.5


# -- H11, H12 ---------------------------------------------------------------------------------------


def test_h11_the_house_keeping_thread_ends_with_its_session(brick: BrickProcess) -> None:
    """H11: threads that nobody joins."""
    before = set(threading.enumerate())
    for _ in range(30):
        vol = glusterio.connect(brick.url)
        file = vol.open_handle("/h11", CREATING)
        (keeper,) = set(threading.enumerate()) - before
        assert "housekeeper" in keeper.name
        assert vol.close().handles_drained == 1
        assert not keeper.is_alive()
        assert set(threading.enumerate()) == before
        assert file.closed


def test_h11_a_session_that_opens_nothing_needs_no_thread(brick: BrickProcess) -> None:
    """Unless an answer takes a quarter of a second, as it may on a busy machine."""
    before = threading.active_count()
    alone = 0
    for _ in range(20):
        with glusterio.connect(brick.url) as vol:
            vol.stat("/")
            alone += threading.active_count() == before
        assert threading.active_count() == before
    assert alone


def test_h11_where_there_may_be_no_further_thread_nothing_is_opened(
    brick: BrickProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may be at its limit just then."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with glusterio.connect(brick.url) as vol:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="new thread"):
                vol.open_handle("/h11-none", CREATING)
        assert not vol.exists("/h11-none")
        with vol.open_handle("/h11-some", CREATING):
            pass
        report = vol.close()
        assert report.graceful
        assert report.handles_drained == 0


def _fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_h12_a_hundred_sessions_leave_a_process_as_it_was(
    driver: Driver, brick: BrickProcess
) -> None:
    """H12: what a process pays for each session it ever had."""

    def session(n: int) -> None:
        vol = driver.connect(brick.url)
        file = driver.do(vol.open_handle, f"/h12-{n % 3}", CREATING)
        driver.do(file.pwrite, b"x" * 1000, 0)
        driver.do(vol.close)
        driver._volumes.clear()  # type: ignore[attr-defined]

    for n in range(10):
        session(n)
    gc.collect()
    fds, threads = _fds(), threading.active_count()
    tracemalloc.start()
    try:
        for n in range(10):
            session(n)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for n in range(80):
            session(n)
            assert threading.active_count() == threads or driver.name == "asyncio"
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert _fds() == fds
    assert threading.active_count() == threads
    assert after - before < 80 * 300, f"{(after - before) / 80:.0f} bytes a session"
    brick.wait_for(fds=0, pending=0)


# -- H13 --------------------------------------------------------------------------------------------


def test_h13_a_file_closed_under_a_reader_lets_it_finish(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """H13: an operation uses the handle after its reference went. Ours gives it back last."""
    vol = driver.connect(url)
    file = driver.do(vol.open_handle, "/h13", CREATING)
    driver.do(file.pwrite, b"0123456789", 0)
    tap.hold(Fop.READ, Fop.WRITE)
    reading = driver.start(file.pread, 10, 0)
    writing = driver.start(file.pwrite, b"abc", 0)
    held(tap, 2)
    driver.do(file.close)  # does not wait for them
    assert file.closed
    with pytest.raises(HandleClosedError):
        driver.do(file.pread, 1, 0)
    # Another call and its reply: the brick would have seen a RELEASE sent before.
    driver.do(vol.stat, "/")
    assert not tap.released()
    tap.let_go()
    assert reading.result(PATIENCE) in (b"0123456789", b"abc3456789")
    assert writing.result(PATIENCE) == 3
    tap.wait_for_calls(1, Fop.RELEASE)
    assert not tap.overtaken()
    assert driver.do(vol.close).handles_drained == 0
    assert list(tap.released().values()) == [1]
    brick.wait_for(fds=0)


def test_h13_a_file_closed_between_two_requests_of_one_read(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an operation has borrowed it has until its end, also while nothing is on its way."""
    monkeypatch.setattr(handles, "TRANSFER", 1000)
    (brick.directory / "h13-pieces").write_bytes(b"0123456789" * 250)
    vol = driver.connect(url)
    file = driver.do(vol.open_handle, "/h13-pieces")
    tap.hold(Fop.READ)
    reading = driver.start(file.pread, 2500, 0)
    held(tap)
    driver.do(file.close)
    tap.let_go()
    assert reading.result(PATIENCE) == b"0123456789" * 250
    tap.wait_for_calls(1, Fop.RELEASE)
    assert [seen.fop for seen in tap.log if seen.kind == "call"][-4:] == [
        Fop.READ, Fop.READ, Fop.READ, Fop.RELEASE,
    ]  # fmt: skip
    assert not tap.overtaken()


def test_h13_release_waits_for_requests_whose_callers_are_gone(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """A cancelled task's WRITE is still the brick's to answer: RELEASE must not overtake it."""
    import asyncio

    from glusterio import aio

    async def cancel_and_close() -> None:
        async with aio.connect(url) as vol:
            file = await vol.open_handle("/h13", CREATING)
            tap.hold(Fop.WRITE)
            writing = asyncio.create_task(file.pwrite(b"x" * 100_000, 0))
            await asyncio.to_thread(held, tap)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            await file.close()
            await vol.stat("/")
            assert not tap.released()
            tap.let_go()
            await asyncio.to_thread(tap.wait_for_calls, 1, Fop.RELEASE)

    asyncio.run(cancel_and_close())
    assert not tap.overtaken()
    assert list(tap.released().values()) == [1]


def test_h13_files_closed_under_many_users(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = driver.connect(url)

    def use(file: Any) -> None:
        while True:
            file.pwrite(b"x" * 100, 0)
            file.pread(100, 0)

    async def use_async(file: Any) -> None:
        while True:
            await file.pwrite(b"x" * 100, 0)
            await file.pread(100, 0)

    for n in range(15):
        file = driver.do(vol.open_handle, f"/h13-{n % 2}", CREATING)
        before = tap.calls(Fop.WRITE)
        users = [
            driver.start(use if driver.name == "threads" else use_async, file) for _ in range(3)
        ]
        tap.wait_for_calls(before + 5, Fop.WRITE)
        driver.do(file.close)
        for user in users:
            assert isinstance(outcome(user), HandleClosedError)
    driver.do(vol.close)
    assert not tap.overtaken()
    assert tap.released() == tap.opened()  # a brick gives the same numbers again
    assert sum(tap.released().values()) == 15
