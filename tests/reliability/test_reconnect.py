"""A brick's connection is lost, and made anew: what goes on, and what is told to whom."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from glusterio import ConnectionLostError, HandleStaleError
from glusterio.wire.programs import Fop
from tests.api import away
from tests.api.away import CREATING, Place, counts, lost, until
from tests.api.drivers import Driver

place = away.own_place

#: How long a brick may take to come back, in seconds: as long as :func:`start_brick` waits, and more.
COMES_BACK = 30.0


# -- what goes on -----------------------------------------------------------------------------------


def test_a_thousand_handles_are_opened_again(driver: Driver, place: Place) -> None:
    for number in range(1000):
        (place.directory / f"{number}").write_bytes(b"%d" % number)
    vol = driver.connect(place.url)
    files = [driver.do(vol.open_handle, f"{number}") for number in range(1000)]
    place.tap.cut()
    assert [driver.do(file.pread, 10, 0) for file in files] == [b"%d" % n for n in range(1000)]
    place.brick.wait_for(fds=1000)
    report = driver.do(vol.close)
    assert report.graceful, report
    place.brick.wait_for(fds=0)


def test_what_is_asked_while_the_brick_is_away_waits_for_it(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url, patience=COMES_BACK)
    driver.do(vol.mkdir, "before")
    place.kill()
    until_told = driver.start(vol.stat, "before")
    made = driver.start(vol.mkdir, "after")
    writing = driver.start(vol.open_handle, "f", CREATING)
    until(lambda: lost(vol))
    assert not made.done()
    place.come_back()
    assert until_told.result(20).st_nlink >= 2
    made.result(20)
    assert (place.directory / "after").is_dir()
    driver.do(writing.result(20).close)
    assert driver.do(vol.close).graceful


def test_what_was_under_way_and_changes_nothing_is_asked_again(
    driver: Driver, place: Place
) -> None:
    (place.directory / "f").write_bytes(b"content")
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f")
    folder = driver.do(vol.open_handle, "/")
    asked = {
        Fop.READ: lambda: driver.start(file.pread, 10, 0),
        Fop.FSTAT: lambda: driver.start(file.fstat),
        Fop.READDIRP: lambda: driver.start(vol.listdir, "/"),
        Fop.STATFS: lambda: driver.start(vol.statvfs, "/"),
    }
    for fop, start in asked.items():
        place.tap.hold(fop)
        answer = start()
        place.tap.wait_for(lambda: bool(place.tap.kept))
        place.tap.cut()
        place.tap.let_go()
        answer.result(20)
    assert counts(vol)["reconnects"] == len(asked)
    driver.do(folder.close)
    assert driver.do(vol.close).graceful


# -- patience ---------------------------------------------------------------------------------------


def test_a_patience_that_is_over(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url, patience=0.3)
    file = driver.do(vol.open_handle, "f", CREATING)
    place.kill()
    until(lambda: lost(vol))
    began = time.monotonic()
    with pytest.raises(ConnectionLostError, match=r"has not come back within 0\.3 s") as caught:
        driver.do(file.pread, 1, 0)
    assert not caught.value.may_have_happened
    assert 0.29 < time.monotonic() - began < 2.0
    report = driver.do(vol.close)
    assert not report.defects


def test_a_deadline_ends_the_waiting(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    place.kill()
    until(lambda: lost(vol))

    def read() -> Any:
        with vol.deadline(0.1):
            return file.pread(1, 0)

    async def read_soon() -> Any:
        with vol.deadline(0.1):
            return await file.pread(1, 0)

    with pytest.raises(TimeoutError):
        driver.do(read if driver.name == "threads" else read_soon)
    driver.do(vol.close)


def test_without_reconnecting_the_loss_is_final(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url, reconnect=False)
    file = driver.do(vol.open_handle, "f", CREATING)
    connections = place.tap.connections
    place.tap.cut()
    with pytest.raises(ConnectionLostError):
        driver.do(vol.stat, "/")
    with pytest.raises(HandleStaleError):
        driver.do(file.pread, 1, 0)
    driver.do(vol.close)
    assert place.tap.connections == connections


# -- closing ----------------------------------------------------------------------------------------


def test_a_close_with_deferred_writes_while_the_brick_is_away(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url, options={"performance.write-behind": "on"})
    file = driver.do(vol.open_handle, "f", CREATING)
    place.kill()
    until(lambda: lost(vol))
    driver.do(file.pwrite, b"deferred", 0)
    began = time.monotonic()
    report = driver.do(vol.close, timeout=0.5, grace=0.1)
    assert time.monotonic() - began < 3.0
    assert not report.defects
    assert any("8 bytes" in str(error) for error in report.errors), report.errors


def test_deferred_writes_are_written_when_the_brick_is_back(driver: Driver, place: Place) -> None:
    """However long it takes to start, in the time that they and the close have."""
    vol = driver.connect(place.url, options={"performance.write-behind": "on"}, patience=COMES_BACK)
    file = driver.do(vol.open_handle, "f", CREATING)
    place.kill()
    until(lambda: lost(vol))
    driver.do(file.pwrite, b"deferred", 0)
    closing = driver.start(vol.close, timeout=COMES_BACK)
    until(lambda: vol.closed)
    place.come_back()
    assert closing.result(20).graceful
    assert (place.directory / "f").read_bytes() == b"deferred"


@pytest.mark.parametrize("what", ["the session", "the file"])
def test_closing_while_it_is_being_opened_again(driver: Driver, place: Place, what: str) -> None:
    (place.directory / "f").touch()
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f")
    before = place.tap.calls(Fop.OPEN)
    place.tap.hold(Fop.OPEN)
    place.tap.cut()
    place.tap.wait_for(lambda: place.tap.calls(Fop.OPEN) > before)
    place.tap.wait_for(lambda: bool(place.tap.kept))
    if what == "the file":
        closed = driver.start(file.close)
        place.tap.let_go()
        closed.result(20)
    report = driver.do(vol.close, timeout=2.0)
    assert not report.defects
    place.brick.wait_for(fds=0)


# -- what cannot be had back ------------------------------------------------------------------------


def test_locks_are_taken_anew_where_the_volume_wants_that(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.with_option("    option strict-locks off"))
    held = driver.do(vol.open_handle, "f", CREATING)
    driver.do(held.lockf, os.F_LOCK, 10)
    place.tap.cut()
    until(lambda: counts(vol)["reconnects"] == 1 and not lost(vol))
    assert driver.do(held.pwrite, b"x", 0) == 1
    other = driver.do(vol.open_handle, "f", CREATING)
    with pytest.raises(BlockingIOError):
        driver.do(other.lockf, os.F_TLOCK, 10)
    driver.do(other.lockf, os.F_TLOCK, 10, 10)
    driver.do(vol.close)
    place.brick.wait_for(fds=0, locks=0)


def test_locks_that_others_have_taken_are_lost_in_any_case(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.with_option("    option strict-locks off"))
    held = driver.do(vol.open_handle, "f", CREATING)
    driver.do(held.lockf, os.F_LOCK, 10)
    place.tap.refuse()
    place.tap.cut()
    until(lambda: lost(vol))
    rival = driver.connect(place.brick.url)
    its = driver.do(rival.open_handle, "f", CREATING)
    driver.do(its.lockf, os.F_LOCK, 10)
    place.tap.heal()
    until(lambda: not lost(vol))
    with pytest.raises(HandleStaleError, match="others have them now"):
        driver.do(held.pwrite, b"x", 0)
    driver.do(rival.close)
    driver.do(vol.close)
    place.brick.wait_for(fds=0, locks=0)


def test_a_lock_that_is_waited_for_is_asked_for_anew(driver: Driver, place: Place) -> None:
    rival = driver.connect(place.brick.url)
    its = driver.do(rival.open_handle, "f", CREATING)
    driver.do(its.lockf, os.F_LOCK)
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    locking = driver.start(file.lockf, os.F_LOCK)
    place.tap.wait_for(lambda: place.tap.calls(Fop.LK) == 1)
    place.tap.cut()
    place.tap.wait_for(lambda: place.tap.calls(Fop.LK) == 2)
    assert not locking.done()
    driver.do(its.lockf, os.F_ULOCK)
    locking.result(20)
    driver.do(file.pwrite, b"x", 0)
    driver.do(rival.close)
    driver.do(vol.close)
    place.brick.wait_for(fds=0, locks=0)


# -- what was written and not synced ----------------------------------------------------------------


def test_a_sync_says_what_may_be_gone_with_the_brick(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    synced = driver.do(vol.open_handle, "synced", CREATING)
    unsynced = driver.do(vol.open_handle, "unsynced", CREATING)
    for file in (synced, unsynced):
        driver.do(file.pwrite, b"data", 0)
    driver.do(synced.fsync)
    place.restart()
    driver.do(synced.fsync)
    with pytest.raises(ConnectionLostError, match="may be gone"):
        driver.do(unsynced.fsync)
    driver.do(unsynced.fsync)
    assert driver.do(vol.close).graceful


def test_whatever_changes_contents_is_unsynced(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    changes = {
        "truncate": (100,),
        "fallocate": (0, 100),
        "discard": (0, 50),
        "zerofill": (0, 50),
    }
    files = {name: driver.do(vol.open_handle, name, CREATING) for name in changes}
    for name, file in files.items():
        driver.do(file.pwrite, bytes(100), 0)
        driver.do(file.fsync)
        driver.do(getattr(file, name), *changes[name])
    place.restart()
    for file in files.values():
        with pytest.raises(ConnectionLostError, match="may be gone"):
            driver.do(file.fsync)
        driver.do(file.fsync)
    assert driver.do(vol.close).graceful


def test_a_sync_that_is_under_way_when_the_brick_ends(driver: Driver, place: Place) -> None:
    """It is asked again, of a brick that has nothing of this to sync."""
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    driver.do(file.pwrite, b"data", 0)
    place.tap.hold(Fop.FSYNC)
    syncing = driver.start(file.fsync)
    place.tap.wait_for(lambda: bool(place.tap.kept))
    place.kill()
    place.tap.let_go()
    place.come_back()
    with pytest.raises(ConnectionLostError, match="may be gone"):
        syncing.result(20)
    driver.do(file.fsync)
    assert driver.do(vol.close).graceful


def test_a_sync_after_the_loss_of_the_connection_alone(driver: Driver, place: Place) -> None:
    """The brick's process is still the same, so it has what it had."""
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    driver.do(file.pwrite, b"data", 0)
    place.tap.cut()
    driver.do(file.fsync)
    assert driver.do(vol.close).graceful
