"""What a session tells of itself as numbers: ``vol.metrics()``, ``glusterio.metrics.all()``."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio.api.counting import TOGETHER, name_of
from glusterio.api.metrics import BUCKETS
from glusterio.api.upcalls import UpcallKind
from glusterio.traps import Cancelled
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.faulty import FaultyProxy


@pytest.fixture
def vol(driver: Driver, brick: BrickProcess) -> Iterator[Any]:
    made = driver.connect(brick.url, metrics=True)
    yield made
    assert driver.do(made.close).graceful


def test_operations_bytes_and_errors_are_counted(driver: Driver, vol: Any) -> None:
    file = driver.do(vol.open_handle, "/counted", os.O_RDWR | os.O_CREAT)
    for number in range(5):
        driver.do(file.pwrite, bytes(100), 100 * number)
    assert len(driver.do(file.pread, 250, 0)) == 250
    assert driver.do(file.preadv, [bytearray(100), bytearray(200)], 0) == 300
    assert driver.do(vol.read_bytes, "/counted") == bytes(500)
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            driver.do(vol.unlink, "/nothing")
    with pytest.raises(IsADirectoryError):
        driver.do(vol.unlink, "/")
    driver.do(file.close)
    told = vol.metrics()
    assert told.counted
    operations = told.operations
    assert operations["pwrite"].calls == 5
    assert operations["pread"].calls == operations["preadv"].calls == 1
    assert operations["unlink"].calls == operations["unlink"].failed == 4
    assert operations["unlink"].errors == {"ENOENT": 3, "EISDIR": 1}
    assert operations["pwrite"].failed == 0
    assert operations["connect"].calls == 1
    assert (told.bytes_read, told.bytes_written) == (250 + 300 + 500, 500)
    for each in operations.values():
        assert len(each.buckets) == len(BUCKETS) + 1
        assert each.seconds > 0
    driver.do(vol.unlink, "/counted")


def test_a_call_is_in_the_bucket_of_the_time_that_it_took(
    driver: Driver,
    brick: BrickProcess,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    vol = driver.connect(through(brick, proxy.port), metrics=True)
    proxy.delay(0.06)
    driver.do(vol.statvfs, "/")
    operation = vol.metrics().operations["statvfs"]
    (bucket,) = [place for place, count in enumerate(operation.buckets) if count]
    assert BUCKETS[bucket] >= 0.1
    assert operation.seconds >= 0.06


def test_what_is_held_is_told_without_counting(driver: Driver, brick: BrickProcess) -> None:
    vol = driver.connect(brick.url)
    file = driver.do(vol.open_handle, "/held", os.O_RDWR | os.O_CREAT)
    pinned = driver.do(vol.lookup, "/held")
    told = vol.metrics()
    assert not told.counted
    assert (told.operations, told.bytes_read, told.bytes_written) == ({}, 0, 0)
    assert (told.volume, told.state) == ("vol", "active")
    assert (told.handles, told.handles_open, told.objects) == (1, 1, 1)
    assert (told.calls, told.calls_in_flight) == (3, 0)
    assert (told.reconnects, told.graph_switches, told.untold_errors) == (0, 0, 0)
    driver.do(pinned.close)
    driver.do(file.close)
    driver.do(vol.unlink, "/held")
    told = vol.metrics()
    assert (told.handles, told.handles_open, told.objects) == (1, 0, 0)
    driver.do(vol.close)
    assert vol.metrics().state == "closed"
    assert vol.metrics().calls == told.calls


def test_a_call_under_way_is_in_flight_and_a_cancelled_one_has_failed(
    driver: Driver,
    brick: BrickProcess,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    vol = driver.connect(through(brick, proxy.port), metrics=True)
    proxy.black_hole()
    future = driver.start(vol.statvfs, "/")
    proxy.wait_for(lambda: vol.metrics().calls_in_flight == 1)
    assert "statvfs" not in vol.metrics().operations
    driver.do(vol.close, timeout=0.2, grace=0.0)
    with pytest.raises(glusterio.SessionClosedError):
        future.result(20)
    operation = vol.metrics().operations["statvfs"]
    assert (operation.calls, operation.errors) == (1, {"SessionClosedError": 1})
    assert vol.metrics().calls_in_flight == 0


def test_a_call_that_comes_too_late_has_failed(driver: Driver, vol: Any) -> None:
    def late() -> None:
        with vol.deadline(0.0), pytest.raises(TimeoutError):
            vol.statvfs("/")

    async def late_too() -> None:
        with vol.deadline(0.0), pytest.raises(TimeoutError):
            await vol.statvfs("/")

    driver.do(late if driver.name == "threads" else late_too)
    assert vol.metrics().operations["statvfs"].errors == {"ETIMEDOUT": 1}


def test_upcalls_are_counted_by_kind(
    driver: Driver,
    own_brick: BrickProcess,
) -> None:
    vol = driver.connect(own_brick.url)
    assert vol.metrics().upcalls == {UpcallKind.CHILD_UP.value: 1}


def test_a_connection_that_was_made_again_is_counted(
    driver: Driver,
    brick: BrickProcess,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    vol = driver.connect(through(brick, proxy.port))
    for times in (1, 2):
        proxy.cut()
        driver.do(vol.statvfs, "/")  # waits for the brick to be back
        assert vol.metrics().reconnects == times


def test_a_statedump_has_them_too_and_is_json(driver: Driver, vol: Any) -> None:
    driver.do(vol.statvfs, "/")
    told = json.loads(json.dumps(vol.statedump()))["metrics"]
    assert told["calls"] == vol.metrics().calls
    operation = told["operations"]["statvfs"]
    assert operation["calls"] == sum(operation["buckets"].values()) == 1
    assert set(operation["buckets"]) == {*map(str, BUCKETS), "inf"}


def test_all_sessions_are_told_of_and_none_that_has_ended(
    driver: Driver, brick: BrickProcess
) -> None:
    before = {each.session for each in glusterio.metrics.all()}
    one, other = driver.connect(brick.url), driver.connect(brick.url, metrics=True)
    numbers = {one.metrics().session, other.metrics().session}
    assert {each.session for each in glusterio.metrics.all()} - before == numbers
    driver.do(one.close)
    assert {each.session for each in glusterio.metrics.all()} - before == {other.metrics().session}


def test_no_call_of_many_threads_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(10))
    with glusterio.connect(f"embedded://{tmp_path}", metrics=True) as vol:
        file = vol.open_handle("/file")

        def reads() -> None:
            for _ in range(TOGETHER + 7):
                file.pread(10, 0)

        threads = [threading.Thread(target=reads) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():  # while they are asked for in the middle
                vol.metrics().as_dict()
                thread.join(0.001)
        told = vol.metrics()
    assert told.operations["pread"].calls == 4 * (TOGETHER + 7)
    assert told.bytes_read == 40 * (TOGETHER + 7)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.ENOENT, "x"), "ENOENT"),
        (glusterio.ConnectionLostError("x"), "ENOTCONN"),
        (OSError("x"), "OSError"),
        (OSError(99999, "x"), "OSError"),
        (ValueError("x"), "ValueError"),
        (Cancelled(KeyboardInterrupt()), "KeyboardInterrupt"),
    ],
)
def test_the_name_of_an_error(error: BaseException, name: str) -> None:
    assert name_of(error) == name


def test_what_an_interrupt_finds_opened_is_closed(
    brick: BrickProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted while it counts the open: nobody gets the file, so it is closed."""
    vol = glusterio.connect(brick.url, metrics=True)
    now = vol._session.core.session._now  # type: ignore[attr-defined]

    def interrupted() -> float:
        monkeypatch.setattr(vol._session.core.session, "_now", now)
        raise KeyboardInterrupt

    monkeypatch.setattr(vol._session.core.session, "_now", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vol.open_handle("/interrupted", os.O_RDWR | os.O_CREAT)
    vol.unlink("/interrupted")
    brick.wait_for(fds=0)
    report = vol.close()
    assert (report.graceful, report.handles_drained) == (True, 0)
