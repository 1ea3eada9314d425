"""Threads that open files while another closes the session, fifty times over, on the embedded brick."""

from __future__ import annotations

from pathlib import Path

from tests.api.drivers import Driver, Threads
from tests.api.race import ROUNDS, race
from tests.embedded import BrickProcess


def test_on_a_brick_process(driver: Driver, own_brick: BrickProcess) -> None:
    assert sum(race(driver, own_brick.url, number) for number in range(ROUNDS)) > ROUNDS
    own_brick.wait_for(fds=0)
    assert own_brick.open_files() == 0


def test_inside_the_process(tmp_path: Path) -> None:
    """No network, no reply to wait for: the races are those of the threads alone."""
    threads = Threads()
    try:
        url = f"embedded://{tmp_path}"
        assert sum(race(threads, url, number) for number in range(ROUNDS)) > ROUNDS
    finally:
        threads.finish()
