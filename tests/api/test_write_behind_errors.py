"""Deferred writes that fail: every one is told, once; and no file is left open for it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import queue
import select
import time
from collections.abc import Callable
from typing import Any

import pytest

import glusterio
from glusterio.errors import ConnectionLostError, HandleClosedError, RemoteProtocolError
from glusterio.wire.programs import Fop
from tests.api.deferring import ON, connect, held, made, no_file_beyond, round_trip, translator
from tests.api.drivers import Driver
from tests.api.faces import FACES, connect_face
from tests.api.tap import Tap
from tests.embedded import BrickProcess

#: No file of the brick may grow beyond it, in bytes.
LIMIT = 8192

#: What tells of a failure: a call on an open file.
TELLING: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "pwrite": lambda file: (file.pwrite, b"more", 0),
    "flush": lambda file: (file.flush,),
    "fsync": lambda file: (file.fsync,),
    "close": lambda file: (file.close,),
}


def refused(driver: Driver, call: tuple[Any, ...]) -> OSError:
    with pytest.raises(OSError, match="deferred writes failed") as caught:
        driver.do(*call)
    return caught.value


@pytest.mark.parametrize("name", TELLING)
def test_a_failure_is_told_once_at_the_next_call(
    driver: Driver, brick: BrickProcess, url: str, name: str
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/told")
    with no_file_beyond(brick, LIMIT):
        assert driver.do(file.pwrite, b"too far", LIMIT) == 7
        driver.do(file.fstat)  # it has been answered
        error = refused(driver, TELLING[name](file))
    assert error.errno == errno.EFBIG
    assert "7 bytes: 8192-8199" in str(error)
    if name != "close":
        for again in TELLING.values():
            driver.do(*again(file))
    assert file.closed
    brick.wait_for(fds=0)
    report = driver.do(vol.close)
    assert report.graceful, report


def test_what_did_not_fail_is_written_all_the_same(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/rest")
    with no_file_beyond(brick, LIMIT):
        with held(tap):
            for n in range(10):
                driver.do(file.pwrite, bytes([n]) * 100, (n % 2) * LIMIT + n * 100)
        error = refused(driver, (file.close,))
    assert "500 bytes: 8292-8392, 8492-8592, " in str(error)
    expected = bytearray(900)
    for n in range(0, 10, 2):
        expected[n * 100 : n * 100 + 100] = bytes([n]) * 100
    assert (brick.directory / "rest").read_bytes() == bytes(expected)


def test_a_write_that_is_cut_short_names_the_rest(
    driver: Driver, brick: BrickProcess, url: str
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/short")
    with no_file_beyond(brick, LIMIT):
        driver.do(file.pwrite, b"x" * 300, LIMIT - 100)
        error = refused(driver, (file.flush,))
    assert error.errno == errno.EFBIG
    assert "8392" in str(error)
    driver.do(file.close)


def test_every_file_that_writes_is_told_once(driver: Driver, brick: BrickProcess, url: str) -> None:
    vol = connect(driver, url)
    first, second = made(driver, vol, "/both"), made(driver, vol, "/both")
    reading = made(driver, vol, "/both", os.O_RDONLY)
    driver.do(second.pwrite, b"here", 0)
    with no_file_beyond(brick, LIMIT):
        driver.do(first.pwrite, b"too far", LIMIT)
        for file in (first, second):
            assert refused(driver, (file.fsync,)).errno == errno.EFBIG
            driver.do(file.fsync)
    for file in (first, second, reading):
        driver.do(file.close)


def test_the_write_that_tells_of_a_failure_has_not_happened(
    driver: Driver, brick: BrickProcess, url: str
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/not")
    with no_file_beyond(brick, LIMIT):
        driver.do(file.pwrite, b"too far", LIMIT)
        driver.do(file.fstat)
        refused(driver, (file.pwrite, b"this one", 0))
    driver.do(file.close)
    assert (brick.directory / "not").read_bytes() == b""


def test_what_is_left_open_is_in_the_report(driver: Driver, brick: BrickProcess, url: str) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/left")
    with no_file_beyond(brick, LIMIT):
        driver.do(file.pwrite, b"too far", LIMIT)
        report = driver.do(vol.close)
    (handle,) = report.handles
    assert isinstance(handle.error, OSError)
    assert (handle.error.errno, handle.error.filename) == (errno.EFBIG, "/left")
    assert report.errors == [handle.error]
    assert not report.defects
    brick.wait_for(fds=0)


def test_with_flush_behind_a_close_does_not_wait_and_the_report_tells(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: queue.Queue[str] = queue.Queue()
    log = logging.getLogger("glusterio")
    monkeypatch.setattr(log, "handle", lambda record: logged.put(record.getMessage()))
    vol = connect(driver, url, flush_behind="on")
    file = made(driver, vol, "/behind")
    with no_file_beyond(brick, LIMIT):
        with held(tap):
            driver.do(file.pwrite, b"too far", LIMIT)
            driver.do(file.close)
        brick.wait_for(fds=0)
        assert "/behind" in logged.get(timeout=5.0)
    report = driver.do(vol.close)
    assert [error.errno for error in report.errors] == [errno.EFBIG]
    assert report.errors[0].filename == "/behind"


def test_a_lost_connection_is_told_with_what_it_concerns(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    told, untold = made(driver, vol, "/lost-1"), made(driver, vol, "/lost-2")
    with held(tap):
        for file in (told, untold):
            driver.do(file.pwrite, b"x" * 100, 0)
            driver.do(file.pwrite, b"y" * 100, 1000)
        tap.wait_for_calls(4, Fop.WRITE)
        tap.cut()
    error = refused(driver, (told.close,))
    assert isinstance(error, ConnectionLostError)
    assert error.may_have_happened
    assert "200 bytes: 0-100, 1000-1100" in str(error)
    driver.do(told.close)
    report = driver.do(vol.close)
    (left,) = report.errors
    assert isinstance(left, ConnectionLostError)
    assert "/lost-2: " in str(left)
    assert "200 bytes: 0-100, 1000-1100" in str(left)
    brick.wait_for(fds=0)


def test_a_server_that_makes_no_sense_is_told_with_what_it_concerns(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """The connection is lost as well; only for another reason."""
    vol = connect(driver, url)
    told, untold = made(driver, vol, "/nonsense-1"), made(driver, vol, "/nonsense-2")
    with held(tap):
        for file in (told, untold):
            driver.do(file.pwrite, b"x" * 100, 0)
        tap.wait_for_calls(2, Fop.WRITE)
        tap.garble(0)
    error = refused(driver, (told.close,))
    assert isinstance(error, RemoteProtocolError)
    assert "100 bytes: 0-100" in str(error)
    tap.heal()
    report = driver.do(vol.close)
    (left,) = report.errors
    assert isinstance(left, RemoteProtocolError)
    assert "/nonsense-2: " in str(left)
    assert "100 bytes: 0-100" in str(left)
    assert "/nonsense-2: " in str(report)
    brick.wait_for(fds=0)


def test_a_teardown_names_what_was_not_on_the_brick_in_time(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    files = [made(driver, vol, f"/late-{n}") for n in range(3)]
    with held(tap):
        for n, file in enumerate(files):
            driver.do(file.pwrite, b"x" * 50, n)
        began = time.monotonic()
        report = driver.do(vol.close, timeout=0.3, grace=0.0)
        assert time.monotonic() - began < 2.5
    brick.wait_for(fds=0)
    assert len(report.handles) == 3
    for n, handle in enumerate(report.handles):
        assert f"/late-{n}: " in str(handle.error)
        assert f"50 bytes: {n}-{n + 50}" in str(handle.error)
        assert handle.error in report.errors
    assert not report.defects


def test_the_end_of_a_session_brings_everything_to_the_brick(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    files = [made(driver, vol, f"/end-{n}") for n in range(10)]
    for file in files:
        for n in range(20):
            driver.do(file.pwrite, b"%03d" % n, n * 7)
    report = driver.do(vol.close)
    assert report.graceful, report
    assert len(report.handles) == 10
    assert not tap.overtaken()
    expected = bytearray(19 * 7 + 3)
    for n in range(20):
        expected[n * 7 : n * 7 + 3] = b"%03d" % n
    for n in range(10):
        assert (brick.directory / f"end-{n}").read_bytes() == bytes(expected)


def test_a_close_that_is_given_up_closes_all_the_same(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """And the failure that nobody waits for any more is in the report."""

    async def main() -> glusterio.TeardownReport:
        vol = await glusterio.aio.connect(url, options=ON)
        file = await vol.open_handle("/given-up", os.O_RDWR | os.O_CREAT)
        tap.hold(Fop.WRITE)
        with no_file_beyond(brick, LIMIT):
            await file.pwrite(b"too far", LIMIT)
            closing = asyncio.create_task(file.close())
            await vol.statvfs("/")
            assert not closing.done()
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert file.closed
            with pytest.raises(HandleClosedError):
                await file.pwrite(b"more", 0)
            tap.let_go()
            return await vol.close()

    report = asyncio.run(main())
    (error,) = report.errors
    assert isinstance(error, OSError)
    assert (error.errno, error.filename) == (errno.EFBIG, "/given-up")
    brick.wait_for(fds=0)


@pytest.mark.parametrize("how", ["flush", "fsync", "pwrite", "close"])
def test_a_failure_whose_taker_is_cancelled_just_then_is_told_all_the_same(
    brick: BrickProcess, tap: Tap, url: str, how: str
) -> None:
    """By the next call; after a close by the report."""
    size = 4 << 20 if how == "pwrite" else 7  # a further one finds no room

    async def main() -> glusterio.TeardownReport:
        vol = await glusterio.aio.connect(url, options=ON)
        file = await vol.open_handle("/just-then", os.O_RDWR | os.O_CREAT)
        tap.hold(Fop.WRITE)
        with no_file_beyond(brick, LIMIT):
            await file.pwrite(bytes(size), LIMIT)
            call = {"pwrite": lambda: file.pwrite(b"more", 0)}.get(how, getattr(file, how))
            telling = asyncio.create_task(call())
            await vol.statvfs("/")
            if how == "fsync":  # it is told when the brick has answered this one
                tap.let_go(Fop.FSYNC)
                while not tap.calls(Fop.FSYNC):
                    await vol.statvfs("/")
            assert not telling.done()
            await in_one_turn(vol, tap.let_go, telling.cancel)
            with pytest.raises(asyncio.CancelledError):
                await telling
        if how != "close":
            with pytest.raises(OSError, match=f"{size} bytes: 8192-") as caught:
                await file.fsync()
            assert caught.value.errno == errno.EFBIG
            await file.close()
        return await vol.close()

    report = asyncio.run(main())
    if how == "close":
        (error,) = report.errors
        assert isinstance(error, OSError)
        assert (error.errno, error.filename) == (errno.EFBIG, "/just-then")
        assert f"{size} bytes: 8192-" in str(error)
    else:
        assert report.graceful, report
    brick.wait_for(fds=0)


async def in_one_turn(vol: Any, send: Callable[[], object], then: Callable[[], object]) -> None:
    """Have something arrive, and something be called in the same turn of the loop, just after that."""
    (wire,) = vol._session.driver.wires
    loop = asyncio.get_running_loop()
    send()
    assert select.select([wire.transport.get_extra_info("socket")], [], [], 10)[0]
    # The turn after this one calls the first, and receives: in the next one the second comes before
    # those whom what was received has woken.
    loop.call_soon(loop.call_soon, then)
    await asyncio.sleep(0)


def test_a_cancelled_writer_that_found_no_room_has_written_nothing(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    async def main() -> None:
        async with await glusterio.aio.connect(url, options=ON) as vol:
            file = await vol.open_handle("/no-room", os.O_RDWR | os.O_CREAT)
            tap.hold(Fop.WRITE)
            for n in range(32):
                await file.pwrite(b"y" * (128 << 10), n * (256 << 10))
            waiting = asyncio.create_task(file.pwrite(b"n" * (128 << 10), 0))
            await vol.statvfs("/")
            assert not waiting.done()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            tap.let_go()
            await file.close()

    asyncio.run(main())
    assert b"n" not in (brick.directory / "no-room").read_bytes()


def test_a_close_does_not_wait_for_a_call_that_waits_for_a_lock(
    driver: Driver, brick: BrickProcess, url: str
) -> None:
    """What was written is told of before the calls under way have ended."""
    vol, other = connect(driver, url), connect(driver, url)
    file, theirs = made(driver, vol, "/locked"), made(driver, other, "/locked", os.O_RDWR)
    driver.do(theirs.lockf, os.F_LOCK)
    driver.do(file.pwrite, b"data", 0)
    waiting = driver.start(file.lockf, os.F_LOCK)
    while not any(call.op == "lock" or "lock" in call.op for call in _calls(vol)):
        round_trip(driver, vol)
    driver.do(file.close)
    driver.do(theirs.close)
    waiting.result(10)
    brick.wait_for(fds=0)


def _calls(vol: Any) -> list[Any]:
    calls: list[Any] = vol._session.core.session.calls_under_way()
    return calls


@pytest.mark.parametrize("face", FACES)
def test_whole_files_copies_and_streams_tell_of_it(brick: BrickProcess, face: str) -> None:
    with connect_face(face, brick.url, options=ON) as vol:
        vol.write_bytes("/source", b"x" * (LIMIT + 5))
        with no_file_beyond(brick, LIMIT):
            for call in (
                lambda: vol.write_bytes("/whole", b"x" * (LIMIT + 5)),
                lambda: vol.copyfile("/source", "/copied"),
            ):
                with pytest.raises(OSError, match="too large") as caught:
                    call()
                assert caught.value.errno == errno.EFBIG
            if face == "threads":
                for buffering in (0, -1):
                    file = vol.open("/stream", "wb", buffering=buffering)
                    file.seek(LIMIT)
                    file.write(b"too far")
                    with pytest.raises(OSError, match="too large") as caught:
                        file.close()
                    assert caught.value.errno == errno.EFBIG
                    assert file.closed
                file = vol.open("/stream", "w")
                file.seek(LIMIT)
                file.write("too far")
                with pytest.raises(OSError, match="too large"):
                    file.flush()
                file.close()
            else:
                file = vol.open("/stream", "wb")
                file.seek(LIMIT)
                file.write(b"too far")
                with pytest.raises(OSError, match="too large"):
                    file.flush()
                file.write(b"too far")
                with pytest.raises(OSError, match="too large") as caught:
                    file.close()
                assert caught.value.errno == errno.EFBIG
        assert vol.close().graceful
    brick.wait_for(fds=0)


def test_nothing_is_kept_of_a_file_that_is_closed(driver: Driver, url: str) -> None:
    vol = connect(driver, url)
    for n in range(20):
        file = made(driver, vol, f"/kept-{n}")
        driver.do(file.pwrite, b"x", 0)
        driver.do(file.close)
    driver.do(vol.listdir, "/")
    xlator = translator(vol)
    assert not xlator._dirty
    report = driver.do(vol.close)
    assert report.graceful
    assert not xlator._files
