"""What a session tells to nobody in particular: one log a session, through the standard library."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from glusterio import ConnectionLostError, HandleStaleError
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.faulty import FaultyProxy


class Kept(logging.Handler):
    """Keeps what it is told; raises once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.fails = False

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        if self.fails:
            raise RuntimeError("this handler is broken")

    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def logger(kept: Kept) -> logging.Logger:
    made = logging.Logger("the application's")
    made.setLevel(logging.DEBUG)
    made.addHandler(kept)
    return made


def test_a_session_tells_its_own_logger_when_it_begins_and_ends(
    driver: Driver, brick: BrickProcess, logger: logging.Logger, kept: Kept
) -> None:
    vol = driver.connect(brick.url, logger=logger)
    driver.do(vol.close)
    began, ended = kept.records
    assert (began.levelname, ended.levelname) == ("INFO", "INFO")
    assert "connected" in began.getMessage()
    assert "ended in" in ended.getMessage()
    number = began.glusterio_session  # type: ignore[attr-defined]
    assert began.getMessage().startswith(f"vol#{number}: ")
    assert began.glusterio_volume == "vol"  # type: ignore[attr-defined]
    assert ended.glusterio_session == number  # type: ignore[attr-defined]
    assert began.filename == "core.py"  # where it was told


def test_two_sessions_are_told_apart_and_leave_no_logger_behind(
    driver: Driver, brick: BrickProcess, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(logging.root.manager.loggerDict)
    with caplog.at_level(logging.INFO, "glusterio"):
        for _ in range(2):
            driver.do(driver.connect(brick.url).close)
    numbers = {record.glusterio_session for record in caplog.records}  # type: ignore[attr-defined]
    assert len(numbers) == 2
    assert {record.name for record in caplog.records} == {"glusterio"}
    assert set(logging.root.manager.loggerDict) == before


def test_a_lost_connection_is_a_warning_in_the_sessions_log(
    driver: Driver,
    brick: BrickProcess,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
    logger: logging.Logger,
    kept: Kept,
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    vol = driver.connect(through(brick, proxy.port), logger=logger)
    proxy.cut()
    with pytest.raises((ConnectionLostError, FileNotFoundError)):
        driver.do(vol.stat, "/nothing")
    warnings = [each.getMessage() for each in kept.records if each.levelno == logging.WARNING]
    assert "connection lost" in warnings[0]


def test_a_handle_that_is_stale_is_named(
    driver: Driver,
    brick: BrickProcess,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
    logger: logging.Logger,
    kept: Kept,
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    vol = driver.connect(through(brick, proxy.port), logger=logger, reconnect=False)
    file = driver.do(vol.open_handle, "/stale", os.O_RDWR | os.O_CREAT)
    proxy.cut()
    with pytest.raises((ConnectionLostError, HandleStaleError)):
        driver.do(file.fstat)
    warnings = [each.getMessage() for each in kept.records if each.levelno == logging.WARNING]
    assert "connection lost" in warnings[0]
    assert warnings[1].endswith("/stale: stale")
    (brick.directory / "stale").unlink()


def test_a_handler_that_raises_does_not_disturb_the_session(
    driver: Driver,
    brick: BrickProcess,
    logger: logging.Logger,
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    kept.fails = True
    vol = driver.connect(brick.url, logger=logger)
    assert driver.do(vol.listdir, "/") == []
    assert driver.do(vol.close).graceful
    assert said.getvalue().count("RuntimeError: this handler is broken") == len(kept.records) == 2


def test_where_nobody_has_set_logging_up_nothing_is_printed(brick: BrickProcess) -> None:
    program = (
        "import glusterio\n"
        f"vol = glusterio.connect({brick.url!r})\n"
        "vol._session.core.log.error('%s', 'something')\n"
        "vol.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_record_that_is_kept_keeps_no_traceback(
    driver: Driver, brick: BrickProcess, logger: logging.Logger, kept: Kept
) -> None:
    vol = driver.connect(brick.url, logger=logger)
    error = ConnectionLostError("gone")
    vol._session.core.log.error("it is %s", error)
    driver.do(vol.close)
    assert kept.messages()[1].endswith("it is [Errno 107] gone")
    for record in kept.records:
        assert record.exc_info is None
        assert all(isinstance(each, str | int | float) for each in record.args or ())
