"""A brick's connection is lost, and made anew. More of it: tests/reliability/test_reconnect.py."""

from __future__ import annotations

import errno
import os
import time
from typing import Any

import pytest

import glusterio
from glusterio import ConnectionLostError, HandleStaleError, SessionClosedError
from glusterio.wire.programs import Fop
from tests.api import away
from tests.api.away import CREATING, Place, lost, until
from tests.api.drivers import Driver

shared, place, own_place = away.shared, away.place, away.own_place


def test_a_session_goes_on_across_a_restart(driver: Driver, own_place: Place) -> None:
    (own_place.directory / "d").mkdir()
    for number in range(20):
        (own_place.directory / "d" / f"{number}").write_bytes(b"%d" % number)
    vol = driver.connect(own_place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    driver.do(file.pwrite, b"before", 0)
    folder = driver.do(vol.open_handle, "d")
    own_place.restart()
    assert driver.do(file.pread, 10, 0) == b"before"
    assert driver.do(vol.stat, "f").st_size == 6
    assert sorted(driver.do(vol.listdir, "d")) == sorted(map(str, range(20)))
    assert driver.do(folder.fstat).st_nlink >= 2
    assert driver.do(file.pwrite, b"before", 0) == 6
    report = driver.do(vol.close)
    assert report.graceful, report
    assert report.handles_drained == 2
    own_place.brick.wait_for(fds=0)


def test_a_write_under_way_may_have_happened(driver: Driver, place: Place) -> None:
    """It is not asked again: it might come after a later one."""
    vol = driver.connect(place.url, options={"performance.write-behind": "off"})
    file = driver.do(vol.open_handle, "f", CREATING)
    changes = {
        Fop.WRITE: lambda: driver.start(file.pwrite, b"x", 0),
        Fop.FTRUNCATE: lambda: driver.start(file.truncate, 1),
        Fop.MKDIR: lambda: driver.start(vol.mkdir, "d"),
        Fop.CREATE: lambda: driver.start(vol.open_handle, "g", CREATING | os.O_EXCL),
        Fop.UNLINK: lambda: driver.start(vol.unlink, "f"),
    }
    for fop, start in changes.items():
        before = place.tap.calls(fop)
        place.tap.hold(fop)
        answer = start()
        place.tap.wait_for(lambda: bool(place.tap.kept))
        place.tap.cut()
        place.tap.let_go()
        with pytest.raises(ConnectionLostError) as caught:
            answer.result(20)
        assert caught.value.may_have_happened
        assert place.tap.calls(fop) == before + 1
    driver.do(vol.close)


def test_no_patience_at_all(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url, patience=0)
    file = driver.do(vol.open_handle, "f", CREATING)
    place.part()
    until(lambda: lost(vol))
    for call, args in ((vol.stat, ("/",)), (file.pread, (1, 0)), (vol.mkdir, ("d",))):
        with pytest.raises(ConnectionLostError) as caught:
            driver.do(call, *args)
        assert not caught.value.may_have_happened
    place.meet_again()
    until(lambda: not lost(vol))
    assert driver.do(file.pread, 1, 0) == b""
    assert driver.do(vol.close).graceful


def test_a_close_while_the_brick_is_away(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    files = [driver.do(vol.open_handle, f"{n}", CREATING) for n in range(5)]
    place.part()
    until(lambda: lost(vol))
    waiting = driver.start(files[0].pread, 1, 0)
    began = time.monotonic()
    report = driver.do(vol.close, timeout=2.0, grace=0.2)
    assert time.monotonic() - began < 1.5
    assert not report.defects
    assert not report.errors
    assert report.handles_drained == 5
    with pytest.raises(SessionClosedError):
        waiting.result(20)


def test_a_lock_that_nobody_wants_any_more(driver: Driver, place: Place) -> None:
    """It was granted too late, and is being given back when it goes with its connection."""
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    tap = place.tap
    tap.hold(Fop.LK)
    with pytest.raises(TimeoutError):
        driver.do(file.lock(timeout=0.05).acquire)
    tap.wait_for(lambda: len(tap.kept) == 1)
    tap.let_go(Fop.LK)
    tap.wait_for(lambda: len(tap.kept) == 1 and tap.calls(Fop.LK) == 2)
    tap.cut()
    tap.let_go()
    assert driver.do(file.pread, 1, 0) == b""
    driver.do(file.lockf, os.F_TLOCK)
    assert driver.do(vol.close).graceful


def test_a_file_that_was_removed_meanwhile(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    gone = driver.do(vol.open_handle, "gone", CREATING)
    there = driver.do(vol.open_handle, "there", CREATING)
    driver.do(vol.unlink, "gone")
    place.tap.cut()
    assert driver.do(there.pread, 1, 0) == b""
    with pytest.raises(HandleStaleError, match=r"gone.*could not be opened again") as caught:
        driver.do(gone.pread, 1, 0)
    assert caught.value.errno == errno.EBADF
    driver.do(gone.close)
    assert driver.do(vol.close).graceful
    place.brick.wait_for(fds=0)


def test_locks_are_lost_with_the_connection(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    held = driver.do(vol.open_handle, "held", CREATING)
    dropped = driver.do(vol.open_handle, "dropped", CREATING)
    other = driver.do(vol.open_handle, "held", CREATING)
    driver.do(held.lockf, os.F_LOCK)
    driver.do(dropped.lockf, os.F_LOCK)
    driver.do(dropped.lockf, os.F_ULOCK)
    place.tap.cut()
    assert driver.do(dropped.pread, 1, 0) == b""
    assert driver.do(other.pread, 1, 0) == b""
    with pytest.raises(HandleStaleError, match=r"held.*its locks were lost"):
        driver.do(held.pwrite, b"x", 0)
    driver.do(vol.close)
    place.brick.wait_for(fds=0, locks=0)


@pytest.mark.parametrize(
    "options", [{"client.strict-locks": False}, glusterio.Options(client_strict_locks=False)]
)
def test_locks_are_taken_anew_by_a_session_that_wants_that(
    driver: Driver, place: Place, options: Any
) -> None:
    vol = driver.connect(place.url, options=options)
    held = driver.do(vol.open_handle, "f", CREATING)
    driver.do(held.lockf, os.F_LOCK)
    place.tap.cut()
    assert driver.do(held.pwrite, b"x", 0) == 1
    place.brick.wait_for(locks=1)
    driver.do(vol.close)


def test_what_could_not_be_unlocked_is_not_taken_anew(driver: Driver, place: Place) -> None:
    """Whoever unlocked was told that the lock is gone with its connection."""
    vol = driver.connect(place.url, options={"client.strict-locks": False}, patience=0)
    held = driver.do(vol.open_handle, "f", CREATING)
    driver.do(held.lockf, os.F_LOCK, 10)
    place.part()
    until(lambda: lost(vol))
    with pytest.raises(ConnectionLostError):
        driver.do(held.lockf, os.F_ULOCK, 5)
    place.tap.hold(Fop.LK)
    place.meet_again()
    place.tap.wait_for(lambda: bool(place.tap.kept))
    with pytest.raises(ConnectionLostError):  # when it has just been taken anew
        driver.do(held.lockf, os.F_ULOCK, 10)
    place.tap.let_go()
    until(lambda: not lost(vol))
    place.brick.wait_for(locks=0)
    assert driver.do(held.pwrite, b"x", 0) == 1
    driver.do(vol.close)
