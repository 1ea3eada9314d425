"""A trace hook of the application's that raises, at any step: it is the session's trouble at none."""

from __future__ import annotations

import os

import pytest

from glusterio.lifecycle.trace import TraceRecord
from tests.api.drivers import Driver
from tests.embedded import BrickProcess


class Failing:
    """Raises at one record."""

    def __init__(self, at: int) -> None:
        self.heard = 0
        self._at = at

    def __call__(self, record: TraceRecord) -> None:
        self.heard += 1
        if record.seq == self._at:
            raise OSError(28, "No space left on device")


def test_it_fails_at_each_step(
    driver: Driver, brick: BrickProcess, caplog: pytest.LogCaptureFixture
) -> None:
    at, failed = 0, True
    while failed:
        at += 1
        hook = Failing(at)
        vol = driver.connect(brick.url, trace=hook)
        kept = [driver.do(vol.open_handle, f"/{n}", os.O_RDWR | os.O_CREAT) for n in range(2)]
        for file in kept:
            driver.do(file.pwrite, b"x", 0)
        driver.do(kept[0].close)
        report = driver.do(vol.close)
        assert report.graceful
        assert report.handles_drained == 1
        assert driver.do(vol.close) is report
        told = caplog.text
        caplog.clear()
        failed = "the trace hook has failed" in told
        if failed:
            assert hook.heard == at
            assert told.count("the trace hook has failed") == told.count("No space left") == 1
    assert hook.heard == at - 1 > 20
    brick.wait_for(fds=0)
