"""A brick and its daemon are gone for good, and another daemon of the URL serves it from now on.

The brick has another port then. The session hears of that from the other daemon, whose volfile is
another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio import ConnectionLostError
from tests.api.away import CREATING, lost, until
from tests.api.drivers import Driver
from tests.api.tap import Tap
from tests.embedded import BrickProcess, start_brick


class Moving:
    """Two daemons, of which the second one is not there yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.brick: BrickProcess = start_brick(directory)
        self._first = self.brick.port
        self._second = Tap(("127.0.0.1", self.brick.port))
        self._second.start()
        self._second.refuse()
        self.url = f"gluster://127.0.0.1:{self._first},127.0.0.1:{self._second.port}/vol"

    def leave(self) -> None:
        """The first daemon ends, and with it the brick."""
        self.brick.kill()

    def arrive(self) -> None:
        """The second one serves the brick."""
        self.brick = start_brick(self.directory)
        assert self.brick.port != self._first
        self._second.upstream = ("127.0.0.1", self.brick.port)
        self._second.heal()

    def finish(self) -> None:
        self._second.stop()
        self.brick.kill()


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Moving]:
    made = Moving(tmp_path)
    try:
        yield made
    finally:
        made.finish()


def has_moved(vol: Any) -> bool:
    """Whether the session has found the brick."""
    core = vol._session.core
    return bool(core.graph.generation == 2 and core.switching is None)


def test_what_is_open_goes_on(driver: Driver, moving: Moving) -> None:
    (moving.directory / "d").mkdir()
    vol = driver.connect(moving.url)
    written = driver.do(vol.open_handle, "written", CREATING)
    driver.do(written.pwrite, b"data", 0)
    driver.do(written.fsync)
    fresh = driver.do(vol.open_handle, "fresh", CREATING)
    read = driver.do(vol.open_handle, "written")
    folder = driver.do(vol.open_handle, "d", os.O_DIRECTORY)
    moving.leave()
    until(lambda: lost(vol))
    moving.arrive()
    until(lambda: has_moved(vol))
    assert driver.do(read.pread, 10, 0) == b"data"
    assert driver.do(written.pwrite, b"more", 4) == 4
    assert driver.do(fresh.pwrite, b"first", 0) == 5
    driver.do(written.fsync)
    driver.do(folder.fstat)
    assert sorted(driver.do(vol.listdir, "/")) == ["d", "fresh", "written"]
    assert (moving.directory / "written").read_bytes() == b"datamore"
    moving.brick.wait_for(fds=4)
    report = driver.do(vol.close)
    assert report.graceful, report
    moving.brick.wait_for(fds=0)


def test_a_sync_says_what_may_be_gone(driver: Driver, moving: Moving) -> None:
    vol = driver.connect(moving.url)
    synced, unsynced = (driver.do(vol.open_handle, name, CREATING) for name in ("one", "two"))
    for file in (synced, unsynced):
        driver.do(file.pwrite, b"data", 0)
    driver.do(synced.fsync)
    moving.leave()
    until(lambda: lost(vol))
    moving.arrive()
    until(lambda: has_moved(vol))
    driver.do(synced.fsync)
    with pytest.raises(ConnectionLostError, match="may be gone"):
        driver.do(unsynced.fsync)
    driver.do(unsynced.fsync)
    assert driver.do(vol.close).graceful
