"""An interrupt (Ctrl-C) anywhere in the closing of a file: it is closed all the same, on the brick too.

A real interrupt comes when a function begins or has just returned; so these are interrupted there, one
after the other, by a trace function.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import pytest

import glusterio
from glusterio.api import handles
from glusterio.api.lock_owner import LockOwner
from glusterio.errors import ConnectionLostError, HandleStaleError
from glusterio.lifecycle.states import HandleState
from glusterio.runtime.housekeeper import HouseKeeper
from glusterio.wire.programs import Fop
from glusterio.xlators.quick_read import QuickRead
from glusterio.xlators.write_behind import WriteBehind
from tests.api.away import until
from tests.api.deferring import held, no_file_beyond
from tests.api.tap import Tap
from tests.embedded import BrickProcess

#: The functions at whose beginning and end a close is interrupted, by their files.
CLOSING = {
    "closing.py": {
        "close_handle",
        "close_at_once",
        "let_go",
        "_let_go_at_once",
        "_release_now",
        "_released",
        "answered",
    },
    "session.py": {"begin_close", "begin_release", "end_close"},
    "client.py": {"release", "releasedir", "_release", "release_now", "_released"},
    "reopening.py": {"_parted"},
    "remote.py": {"answered"},
    "hot.py": {"release", "releasedir", "_on_fd", "common_reply"},
    "md_cache.py": {"release_now"},
    "open_behind.py": {"drop", "release", "_release", "_forget", "release_now"},
    "quick_read.py": {"drop", "release", "_part", "release_now"},
    "read_ahead.py": {"release_now"},
    "inode.py": {"unref"},
    "fiber.py": {"post"},
}

#: Those that a file is opened in.
OPENING = {
    "handles.py": {"open_file", "_open", "_make", "make", "late", "gfid_request"},
    "session.py": {"reserve", "move", "_move", "leave"},
    "core.py": {"left"},
    "inode.py": {"ref"},
    "client.py": {"open", "create", "_open", "_opened", "_see_out"},
    "reopening.py": {"_entered"},
    "requests.py": {"_request", "_answer"},
    "open_behind.py": {"open", "_opened", "create"},
    "fiber.py": {"step", "resume", "_finish"},
}

#: Those that close a file object.
CLOSING_OBJECTS = {"io_file.py": {"close", "_close"}}

#: Those that an OPEN is interrupted in which was put off until something needed it.
LATE_OPEN = {
    "client.py": {"_open"},
    "reopening.py": {"_entered"},
    "open_behind.py": {"readv", "_when_opened", "_opened", "_send", "_answered", "_forget"},
    "quick_read.py": {"_read", "_part"},
}

#: Those that a WRITE is interrupted in before it is sent.
SENDING = {
    "client.py": {"writev", "_hot_for"},
    "reopening.py": {"_remote"},
    "hot.py": {"write"},
    "traps.py": {"__init__", "__await__"},
}

#: Those that write-behind does its bookkeeping in.
DEFERRING = {
    "writes.py": {
        "writev",
        "_writer",
        "_limits",
        "_to_start",
        "_post",
        "came",
        "_came",
        "_carry_later",
        "ended",
        "_mend",
        "_start",
        "_carry",
        "_answered",
        "_until",
        "_tell",
    },
    "order.py": {"accept", "ready", "answered", "urge", "_is_held", "_place_for", "has_passed"},
    "writer.py": {"take_woken"},
    "utime.py": {"writev_now"},
    "client.py": {"writev_now", "settled"},
    "remote.py": {"answered"},
    "fiber.py": {"post", "post_one", "spawn", "start_later"},
}

#: Those that a request is interrupted in while it is sent, and just after.
LEAVING = {
    "fiber.py": {"_arm_reply", "post", "post_one", "spawn"},
    "writes.py": {"_post"},
    "link.py": {"submit"},
    "sockets.py": {"submit", "_send_held"},
}

#: Those that a call is told of a failed write in.
TELLING = {
    "closing.py": {"close_handle", "_settle", "let_go"},
    "handles.py": {"flush"},
    "client.py": {"settled"},
    "writes.py": {
        "came",
        "_came",
        "_carry_later",
        "_carry",
        "ended",
        "_mend",
        "_answered",
        "_until",
        "_settle",
        "_tell",
        "_error_for",
    },
    "writer.py": {"__init__", "error", "describe", "take_woken"},
    "fiber.py": {"step", "wake", "resume", "start_later", "_finish", "result"},
    "threads.py": {"_wait", "_lead", "_hand_out", "_complete", "_step_ready", "_step_loose"},
}

#: Those that the close of a session is interrupted in.
ENDING = {
    "session.py": {"close", "close_gate", "_end"},
    "ending.py": {"__init__", "hurry"},
    "threads.py": {"check_may_block_for_others", "run", "stop"},
}

#: Those that an operation of many requests at once is interrupted in.
MANY = {
    "fiber.py": {"step"},
    "in_flight.py": {"_work", "_take", "add"},
    "threads.py": {"_step_ready"},
}

#: Those that a request and its reply are interrupted in, on the short way and on the usual one.
EXCHANGING = {
    "exchange.py": {"exchange"},
    "link.py": {"submit", "receive", "_send"},
    "connection.py": {"received", "submit"},
    "fiber.py": {"__init__", "run_for", "step"},
    "client.py": {"readv"},
    "remote.py": {"answered"},
    "traps.py": {"__await__"},
    "threads.py": {"_wait", "_lead", "_hand_out", "_complete", "_step_ready", "_wake_a_follower"},
}


class Interrupt(BaseException):
    """What a signal's handler raises."""


def interrupted(at: int, functions: dict[str, set[str]], function: Callable[[], Any]) -> bool:
    """Call a function and interrupt it the ``at``-th time; return whether it came to that."""
    count = 0
    failing: FrameType | None = None  # what an exception may be about to leave

    def trace(frame: FrameType, event: str, returned: Any) -> Any:
        nonlocal count, failing
        code = frame.f_code
        if code.co_name not in functions.get(os.path.basename(code.co_filename), ()):
            return None
        frame.f_trace_lines = False
        # Where an exception is on its way no signal's handler is run, before somebody catches it.
        is_left = event == "return" and returned is None and frame is failing
        failing = frame if event == "exception" or is_left else None
        if failing is not None:
            return trace
        # A coroutine is also left and entered where it waits; there no signal's handler is run.
        waits = code.co_flags & inspect.CO_COROUTINE
        if not waits or (event == "call" and frame.f_lineno == code.co_firstlineno):
            count += 1
            if count == at:
                sys.settrace(None)
                raise Interrupt(f"{event} of {code.co_name}, {os.path.basename(code.co_filename)}")
        return trace

    before = sys.gettrace()
    gc.disable()  # a coroutine made in vain warns below, and not where a namespace has no imports
    sys.settrace(trace)
    try:
        function()
    except Interrupt:
        return True
    finally:
        sys.settrace(before)
        gc.collect(0)
        gc.enable()
    assert count < at, "the interrupt got lost"
    return False


@contextmanager
def made_in_vain() -> Iterator[None]:
    """A coroutine that was made, and interrupted before it was awaited, warns; and not elsewhere."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        yield
        gc.collect()


@pytest.mark.parametrize(
    ("what", "flags"),
    [("file", os.O_RDWR), ("file", os.O_RDONLY), ("directory", os.O_RDONLY)],
    ids=["file", "file that was not opened", "directory"],
)
def test_a_close_interrupted_anywhere(brick: BrickProcess, what: str, flags: int) -> None:
    (brick.directory / "file").touch()
    (brick.directory / "directory").mkdir(exist_ok=True)
    at = 1

    def close() -> None:
        file.close()
        volume.stat("/")  # the answer to the RELEASE comes along, if not another thread takes it

    with made_in_vain():
        while True:
            with glusterio.connect(brick.url) as volume:
                file = volume.open_handle(what, flags)
                came = interrupted(at, CLOSING, close)
                gc.collect(0)  # warns here, where no namespace is without imports
                if not file.closed:  # before anything had been done
                    assert at <= 1
                    file.close()
                volume.stat("/")  # the session goes on
                brick.wait_for(fds=0)
            report = volume.close()
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            if not came:
                break
            at += 1
    assert at > 10


def test_the_close_of_a_session_interrupted_anywhere(brick: BrickProcess) -> None:
    """Another close goes on with the end, wherever the first one was; in a hurry, and says so."""
    at, came = 0, True
    while came:
        at += 1
        volume = glusterio.connect(brick.url)
        file = volume.open_handle("file", os.O_RDWR | os.O_CREAT)
        file.pwrite(b"x", 0)
        with made_in_vain():
            came = interrupted(at, ENDING, volume.close)
            gc.collect(0)
        report = volume.close()
        assert file.closed
        assert volume.close() is report
        assert (report.defects, report.handles_drained) == ([], 1)
        assert came or report.errors == []
        brick.wait_for(fds=0)
    assert at > 10


@pytest.mark.parametrize("mode", ["w", "wb", "r+b", "rb"])
def test_the_close_of_a_file_object_interrupted_anywhere(brick: BrickProcess, mode: str) -> None:
    """Where it is open after that, a flush waits for the brick as before."""
    (brick.directory / "object").touch()
    came = True
    at = 1
    with made_in_vain():
        while came:
            with glusterio.connect(brick.url, options={"performance.write-behind": True}) as volume:
                file: Any = volume.open("object", mode)
                if mode != "rb":
                    file.write("text" if mode == "w" else b"bytes")
                came = interrupted(at, CLOSING_OBJECTS, file.close)
                root = (file.buffer if mode == "w" else file).raw
                assert root._closer is None
                with contextlib.suppress(
                    ValueError
                ):  # Python's buffer is gone before what is below it
                    file.close()
                brick.wait_for(fds=0)
            assert volume.close(timeout=2).errors == []
            at += 1
    assert at > 3


def _open_into(opened: list[Any], volume: glusterio.Volume, flags: int) -> None:
    opened.append(volume.open_handle("opened", flags))


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_EXCL])
def test_an_open_interrupted_anywhere(brick: BrickProcess, flags: int) -> None:
    """What the brick opened is closed, and the session ends well."""
    path = brick.directory / "opened"
    came = True
    at = 1
    with made_in_vain():
        while came:
            path.unlink(missing_ok=True)
            if not flags & os.O_EXCL:
                path.touch()
            with glusterio.connect(brick.url) as volume:
                opened: list[Any] = []
                came = interrupted(at, OPENING, partial(_open_into, opened, volume, flags))
                assert came != bool(opened)
                for file in opened:
                    file.close()
                volume.stat("/")  # the session goes on
                brick.wait_for(fds=0)
                for handle in volume._session.core.session.handles():
                    # Nothing was sent; or the answer to the RELEASE has not been looked at yet.
                    assert handle.state in (HandleState.RESERVED, HandleState.CLOSING)
            report = volume.close(timeout=2)
            assert (report.errors, report.defects) == ([], [])
            at += 1
    assert at > 15


def test_a_late_open_interrupted_anywhere(brick: BrickProcess) -> None:
    (brick.directory / "file").write_bytes(b"content")
    came = True
    at = 1
    with made_in_vain():
        while came:
            with glusterio.connect(brick.url, options={"performance.quick-read": True}) as volume:
                file = volume.open_handle("file")
                graph = volume._session.core.graph
                assert graph is not None
                (quick_read,) = (each for each in graph.xlators if isinstance(each, QuickRead))
                assert quick_read._kept
                for content in quick_read._kept.values():
                    content.until = 0.0
                came = interrupted(at, LATE_OPEN, partial(file.pread, 10, 0))
                if not came:
                    assert file.pread(10, 0) == b"content"
                volume.stat("/")  # the session goes on
                file.close()
                brick.wait_for(fds=0)
            report = volume.close()
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            at += 1
    assert at > 8  # what follows the answer may be done by another thread, and is not counted then


def test_many_requests_at_once_interrupted_anywhere(brick: BrickProcess) -> None:
    """Each of those under way has ended when the interrupt comes out of the operation."""
    for number in range(8):
        (brick.directory / f"tree/{number}/below").mkdir(parents=True, exist_ok=True)
    came = True
    at = 1
    with made_in_vain():
        while came:
            with glusterio.connect(brick.url) as volume:
                came = interrupted(at, MANY, lambda: volume.du("/tree"))
                assert not volume._session.core.session.calls
                volume.stat("/")  # the session goes on
                brick.wait_for(fds=0)
            report = volume.close()
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            at += 5
    assert at > 200


def test_a_write_interrupted_anywhere_before_it_is_sent(brick: BrickProcess) -> None:
    """A close waits for no answer to what was not sent."""
    came = True
    at = 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        while came:
            with glusterio.connect(
                brick.url, options={"performance.write-behind": False}
            ) as volume:
                file = volume.open_handle("file", os.O_RDWR | os.O_CREAT)
                came = interrupted(at, SENDING, partial(file.pwrite, b"content", 0))
                assert file.pread(10, 0) in (b"", b"content")
                file.close()
            report = volume.close(timeout=2)
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            brick.wait_for(fds=0)
            at += 1
    assert at > 6


def test_deferred_writes_interrupted_anywhere(brick: BrickProcess) -> None:
    """What was accepted is written, or told of; who waits for it does not wait for ever."""

    def write() -> None:
        file.pwrite(b"x" * 40, 0)
        file.pwrite(b"y" * 10, 30)  # each waits for the first, and not for the other
        file.pwrite(b"z" * 10, 0)
        file.flush()

    came = True
    at = 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        while came:
            with glusterio.connect(brick.url, options={"performance.write-behind": True}) as volume:
                graph = volume._session.core.graph
                assert graph is not None
                (behind,) = (each for each in graph.xlators if isinstance(each, WriteBehind))
                file = volume.open_handle("file", os.O_RDWR | os.O_CREAT)
                came = interrupted(at, DEFERRING, write)
                with contextlib.suppress(InterruptedError):  # one that was on its way
                    volume._session.draining(2.0, handles.flush, file._handle)
                counts = behind.counts()
                assert counts == {"deferred_writes": 0, "deferred_bytes": 0, "dirty_files": 0}
                assert (behind._carried, behind._kept) == (0, [])
                file.close()
                brick.wait_for(fds=0)
            report = volume.close()
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            at += 1
    assert (brick.directory / "file").read_bytes() == b"z" * 10 + b"x" * 20 + b"y" * 10
    assert at > 40


def test_a_deferred_write_that_may_be_on_its_way_is_not_overtaken(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """Interrupted while it is sent, it is waited for by those that overlap it, and lost to nobody."""
    came = True
    at = 1
    went_on = 0
    with made_in_vain():
        while came:
            with glusterio.connect(url, options={"performance.write-behind": True}) as volume:
                file = volume.open_handle("file", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
                before = tap.calls(Fop.WRITE)
                with held(tap):
                    came = interrupted(at, LEAVING, partial(file.pwrite, b"aaaa", 0))
                    try:
                        volume.stat("/")
                    except ConnectionLostError:  # its stream was cut
                        at += 1
                        continue
                    if tap.calls(Fop.WRITE) == before:  # not sent
                        at += 1
                        continue
                    file.pwrite(b"bbbb", 2)
                    volume.stat("/")
                    assert tap.calls(Fop.WRITE) == before + 1
                file.flush()
                file.close()
                brick.wait_for(fds=0)
            assert volume.close().graceful
            assert (brick.directory / "file").read_bytes() == b"aabbbb"
            went_on += 1
            at += 1
    assert went_on > 2


def _hear(told: list[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except OSError as error:
        told.append(error)


@pytest.mark.parametrize("how", ["flush", "close"])
def test_being_told_of_a_failed_write_interrupted_anywhere(brick: BrickProcess, how: str) -> None:
    """It is told by that call, by the next one or by the report: once, and not more often."""
    came = True
    at = 1
    with made_in_vain():
        while came:
            told: list[Exception] = []
            hear = partial(_hear, told)
            with (
                no_file_beyond(brick, 100),
                glusterio.connect(brick.url, options={"performance.write-behind": True}) as volume,
            ):
                file = volume.open_handle("file", os.O_RDWR | os.O_CREAT)
                file.pwrite(b"too far", 100)
                came = interrupted(at, TELLING, partial(hear, getattr(file, how)))
                assert came != bool(told)
                if not file.closed:
                    hear(file.flush)
                    hear(file.close)
                volume.stat("/")  # the session goes on
                brick.wait_for(fds=0)
            report = volume.close()
            assert report.defects == []
            assert len(told) + len(report.errors) == 1
            error = (told + report.errors)[0]
            assert isinstance(error, OSError)
            assert error.errno == errno.EFBIG
            at += 1
    assert at > 15


def test_a_request_interrupted_anywhere(brick: BrickProcess) -> None:
    """Its thread leads no more and is counted out; the session goes on, unless its stream is cut."""
    (brick.directory / "file").write_bytes(b"content")
    came = True
    at = 1
    went_on = 0
    with made_in_vain():
        while came:
            with glusterio.connect(brick.url) as volume:
                file = volume.open_handle("file", os.O_RDWR)
                came = interrupted(at, EXCHANGING, partial(file.pread, 10, 0))
                session = volume._session
                assert not session.core.session.calls
                assert session.driver._leader in (None, session.driver._keeper_home)
                try:
                    assert file.pread(10, 0) == b"content"
                    went_on += 1
                except (ConnectionLostError, HandleStaleError):
                    pass  # bytes may have come, or left, and not been taken note of
            report = volume.close()
            assert (report.errors, report.defects) == ([], [])
            brick.wait_for(fds=0)
            at += 1
    assert at > 15
    assert went_on > 5


#: Those that see a request out whose caller has given up, by their files.
SEEING_OUT = {
    "client.py": {"_see_out", "_opened"},
    "requests.py": {"_answer"},
    "reopening.py": {"_granted", "_entered"},
    "locks.py": {"late", "_take_back"},
    "lock_owner.py": {"answered", "end"},
    "unbroken.py": {"_run"},
    "handles.py": {"late"},
    "closing.py": {"let_go", "_released"},
    "fiber.py": {"step"},
}


@pytest.mark.parametrize("what", [Fop.LK, Fop.OPEN], ids=["lock", "open"])
def test_what_nobody_waits_for_any_more_interrupted_anywhere(
    brick: BrickProcess, tap: Tap, url: str, what: Fop
) -> None:
    """A lock that is granted to a caller who had given up is dropped, and a file is closed."""
    (brick.directory / "file").touch()
    came = True
    at = 1
    with made_in_vain():
        while came:
            with glusterio.connect(url) as volume, pytest.MonkeyPatch.context() as patch:
                patch.setattr(HouseKeeper, "start", lambda keeper: None)
                session = volume._session.core.session
                file = volume.open_handle("file", os.O_RDWR)
                ask = file.lock().acquire if what is Fop.LK else partial(volume.open_handle, "file")
                with held(tap, what), volume.deadline(0.005), pytest.raises(TimeoutError):
                    ask()

                def is_over(volume: Any = volume, file: Any = file, session: Any = session) -> bool:
                    volume.stat("/")
                    owner = file._handle.fd.context.get(LockOwner)
                    return len(session.handles()) == 1 and not (owner and owner.unsettled)

                came = interrupted(at, SEEING_OUT, partial(until, is_over))
                patch.undo()
                volume._session.driver.keep_house()
                brick.wait_for(fds=1, locks=0)
                file.close()
                brick.wait_for(fds=0)
            report = volume.close()
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            at += 1
    assert at > 8


#: Those that a lock is dropped in.
UNLOCKING = {
    "locks.py": {"_drop", "_dropping"},
    "lock_owner.py": {"begin", "answered", "end", "begin_to_ask"},
    "unbroken.py": {"begin", "_run"},
    "client.py": {"lk", "_lk"},
    "requests.py": {"_request", "_answer"},
    "reopening.py": {"_granted"},
    "fiber.py": {"step"},
}


def test_an_unlock_interrupted_anywhere(brick: BrickProcess) -> None:
    """It is done, or has not begun; and nobody waits for it for ever."""
    (brick.directory / "file").touch()
    came = True
    at = 1
    dropped = 0
    with made_in_vain():
        while came:
            with glusterio.connect(brick.url) as volume, volume.deadline(10):
                file = volume.open_handle("file", os.O_RDWR)
                file.lockf(os.F_LOCK, 10)
                came = interrupted(at, UNLOCKING, partial(file.lockf, os.F_ULOCK, 10))
                owner = file._handle.fd.context[LockOwner]

                def is_settled(owner: LockOwner = owner) -> bool:
                    volume.stat("/")
                    return not owner.unsettled

                until(is_settled)
                dropped += came and brick.dump()["locks"] == 0
                file.lockf(os.F_ULOCK, 10)
                brick.wait_for(fds=1, locks=0)
                file.close()
            report = volume.close()
            assert (report.errors, report.defects, report.handles) == ([], [], [])
            at += 1
    assert at > 15
    assert dropped > 5
