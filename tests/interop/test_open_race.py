"""Threads that open files while another closes the session, fifty times over, on real bricks.

libgfapi 10.3 dies in fifty of fifty of these.
"""

from __future__ import annotations

import os
from typing import Any

from glusterio import SessionClosedError
from tests.api.drivers import PATIENCE, Driver
from tests.api.race import ROUNDS, race
from tests.api.watch import Watch


def test_on_a_hand_made_volfile(driver: Driver, hand_brick: Any) -> None:
    assert sum(race(driver, hand_brick.url, number) for number in range(ROUNDS)) > ROUNDS
    assert hand_brick.no_files_open()


def test_on_a_volume_of_a_glusterd(driver: Driver, gluster_volume: Any) -> None:
    assert sum(race(driver, gluster_volume.url, number) for number in range(ROUNDS)) > ROUNDS
    assert gluster_volume.no_files_open()


def test_a_deferred_release_of_a_cancelled_open(driver: Driver, hand_brick: Any) -> None:
    """Cancelled the moment it was sent: the real brick opens it all the same, and is told to close."""
    for number in range(10):
        watch = Watch()
        vol = driver.connect(hand_brick.url, trace=watch)
        opening = driver.start(
            vol.open_handle, f"/race-cancelled-{number % 2}", os.O_RDWR | os.O_CREAT
        )
        watch.wait("SEND")
        report = driver.do(vol.close, grace=0.0)
        error = opening.exception(PATIENCE)
        assert error is None or isinstance(error, SessionClosedError)
        assert not report.errors
        driver._volumes.clear()  # type: ignore[attr-defined]
    assert hand_brick.no_files_open()
