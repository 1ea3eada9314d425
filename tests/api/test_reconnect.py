"""A brick's connection is lost, and made anew: what goes on, and what is told to whom."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio import ConnectionLostError, HandleStaleError, SessionClosedError
from glusterio.brick.volfiles import client_volfile
from glusterio.wire.programs import Fop
from tests.api.drivers import Driver
from tests.api.tap import Tap
from tests.embedded import BrickProcess, start_brick

CREATING = os.O_RDWR | os.O_CREAT


class Place:
    """A brick behind a tap, which can be ended and come back on another port behind the same tap."""

    def __init__(self, directory: Path, volfile: Path) -> None:
        self.volfile = volfile
        self.directory = directory
        self.brick: BrickProcess = start_brick(directory)
        self.tap = Tap(("127.0.0.1", self.brick.brick_port))
        self.tap.start()
        volfile.write_text(client_volfile("vol", "127.0.0.1", str(directory), port=self.tap.port))
        self.url = f"volfile://{volfile}"

    def with_option(self, line: str) -> str:
        """Return the URL, with another option of the client translator."""
        text = self.volfile.read_text()
        self.volfile.write_text(
            text.replace("type protocol/client\n", f"type protocol/client\n{line}\n")
        )
        return self.url

    def kill(self) -> None:
        """End the brick without notice, and whoever connects is refused."""
        self.tap.refuse()
        self.brick.kill()
        self.tap.cut()

    def come_back(self) -> None:
        self.brick = start_brick(self.directory)
        self.tap.upstream = ("127.0.0.1", self.brick.brick_port)
        self.tap.heal()

    def restart(self) -> None:
        self.kill()
        self.come_back()

    def finish(self) -> None:
        self.tap.stop()
        self.brick.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    directory = tmp_path / "brick"
    directory.mkdir()
    made = Place(directory, tmp_path / "client.vol")
    try:
        yield made
    finally:
        made.finish()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has been caused already."""
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def counts(vol: Any) -> dict[str, int]:
    """Return what the session's client says of itself."""
    found: dict[str, int] = vol._session.core.graph.leaves[0].counts()
    return found


def lost(vol: Any) -> bool:
    return not counts(vol)["up"]


# -- what goes on -----------------------------------------------------------------------------------


def test_a_session_goes_on_across_a_restart(driver: Driver, place: Place) -> None:
    (place.directory / "d").mkdir()
    for number in range(20):
        (place.directory / "d" / f"{number}").write_bytes(b"%d" % number)
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    driver.do(file.pwrite, b"before", 0)
    folder = driver.do(vol.open_handle, "d")
    for _ in range(2):
        place.restart()
        assert driver.do(file.pread, 10, 0) == b"before"
        assert driver.do(vol.stat, "f").st_size == 6
        assert sorted(driver.do(vol.listdir, "d")) == sorted(map(str, range(20)))
        assert driver.do(folder.fstat).st_nlink >= 2
        assert driver.do(file.pwrite, b"before", 0) == 6
    report = driver.do(vol.close)
    assert report.graceful, report
    assert report.handles_drained == 2
    place.brick.wait_for(fds=0)


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
    vol = driver.connect(place.url)
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


# -- patience ---------------------------------------------------------------------------------------


def test_no_patience_at_all(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url, patience=0)
    file = driver.do(vol.open_handle, "f", CREATING)
    place.kill()
    until(lambda: lost(vol))
    for call, args in ((vol.stat, ("/",)), (file.pread, (1, 0)), (vol.mkdir, ("d",))):
        with pytest.raises(ConnectionLostError) as caught:
            driver.do(call, *args)
        assert not caught.value.may_have_happened
    place.come_back()
    until(lambda: not lost(vol))
    assert driver.do(file.pread, 1, 0) == b""
    assert driver.do(vol.close).graceful


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


def test_a_close_while_the_brick_is_away(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    files = [driver.do(vol.open_handle, f"{n}", CREATING) for n in range(5)]
    place.kill()
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
    vol = driver.connect(place.url, options={"performance.write-behind": "on"})
    file = driver.do(vol.open_handle, "f", CREATING)
    place.kill()
    until(lambda: lost(vol))
    driver.do(file.pwrite, b"deferred", 0)
    closing = driver.start(vol.close)
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


def test_a_sync_after_the_loss_of_the_connection_alone(driver: Driver, place: Place) -> None:
    """The brick's process is still the same, so it has what it had."""
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    driver.do(file.pwrite, b"data", 0)
    place.tap.cut()
    driver.do(file.fsync)
    assert driver.do(vol.close).graceful
