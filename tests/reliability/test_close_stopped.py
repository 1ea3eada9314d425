"""Closing takes its time and no more, whatever is under way, while the brick is stopped (SIGSTOP)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from glusterio.brick.volfiles import client_volfile
from glusterio.errors import ConnectionLostError, SessionClosedError
from tests.api.away import CREATING, lost, until
from tests.api.drivers import Driver
from tests.api.test_switch import with_translators
from tests.embedded import BrickProcess, start_brick
from tests.reliability.columns import COLUMNS

TIMEOUT = 0.5
#: What a call that is cancelled and a release whose connection is cut get to unwind in: a second each.
MARGIN = 2.0

FILES = 12
DIRTY = b"dirty" * 1000
IS_LOST = f"deferred writes failed, {len(DIRTY)} bytes: 0-{len(DIRTY)}"


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    with start_brick(tmp_path_factory.mktemp("stopped")) as made:
        yield made


@pytest.fixture
def stop(brick: BrickProcess) -> Iterator[Callable[[], None]]:
    """Stops the brick; in the end it goes on, and must have nothing of ours."""
    try:
        yield lambda: os.kill(brick.pid, signal.SIGSTOP)
    finally:
        os.kill(brick.pid, signal.SIGCONT)
    brick.wait_for(fds=0, locks=0)


@pytest.fixture
def face(column: str, stop: Callable[[], None]) -> Iterator[Driver]:
    """Each driver, on each event loop."""
    made = COLUMNS[column]()
    try:
        yield made
    finally:
        made.finish()


def sockets() -> int:
    """How many sockets this process has."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


#: What is under way when the session is closed.
SITUATIONS: dict[str, frozenset[str]] = {
    "nothing": frozenset(),
    "deferred writes": frozenset({"dirty"}),
    "reads": frozenset({"read"}),
    "a reload": frozenset({"reload"}),
    "a reload, reads and deferred writes": frozenset({"dirty", "read", "reload"}),
    "locks waited for": frozenset({"lock"}),
    "files being closed": frozenset({"dirty", "close"}),
    "the brick is being looked for": frozenset({"dirty", "lost", "read"}),
}


@pytest.mark.parametrize(
    ("situation", "by"),
    [
        *((situation, "volfile") for situation in SITUATIONS),
        ("deferred writes", "daemon"),
        ("a reload", "daemon"),
    ],
)
def test_close_keeps_its_time(
    face: Driver,
    brick: BrickProcess,
    stop: Callable[[], None],
    tmp_path: Path,
    situation: str,
    by: str,
) -> None:
    under_way = SITUATIONS[situation]
    text = client_volfile(
        "vol",
        "127.0.0.1",
        str(brick.directory),
        port=brick.brick_port,
        ping_timeout=1 if "lost" in under_way else 42,
    )
    volfile = tmp_path / "client.vol"
    volfile.write_text(text)
    own_threads, own_sockets = set(threading.enumerate()), sockets()
    vol = face.connect(
        brick.url if by == "daemon" else f"volfile://{volfile}",
        options={"performance.write-behind": "on"},
    )
    files = [face.do(vol.open_handle, f"/f{n}", CREATING) for n in range(FILES)]
    dirty = files[1:] if "dirty" in under_way else []
    stop()
    for file in dirty:
        assert face.do(file.pwrite, DIRTY, 0) == len(DIRTY)
    calls: list[Future[Any]] = []
    if "read" in under_way:
        calls += [face.start(file.pread, 10, 0) for file in files[:3]]
    if "lock" in under_way:
        calls += [face.start(file.lockf, os.F_LOCK) for file in files[:3]]
    if "reload" in under_way:
        other = (with_translators(text, "quick-read"),) if by == "volfile" else ()
        calls.append(face.start(vol.reload, *other))
    until(lambda: len(vol._session.core.session.calls_under_way()) >= len(calls))
    closers = [face.start(file.close) for file in dirty[:3]] if "close" in under_way else []
    if "lost" in under_way:
        until(lambda: lost(vol))

    began = time.monotonic()
    report = face.do(vol.close, timeout=TIMEOUT)
    assert time.monotonic() - began < TIMEOUT + MARGIN, str(report)

    told = [call.exception(1.0) for call in calls]
    assert all(isinstance(each, (SessionClosedError, ConnectionLostError)) for each in told), told
    words = [str(error) for error in [*report.errors, *(each.exception(1.0) for each in closers)]]
    for file in dirty:
        assert any(f"{file.path}:" in each and IS_LOST in each for each in words), words
    assert not report.graceful
    assert not report.defects
    if "lost" not in under_way:
        assert any("not released within the time" in each for each in words), words
    left = {handle.path for handle in report.handles}
    assert left | {file.path for file in dirty[: len(closers)]} == {file.path for file in files}
    if face.name == "threads":
        until(lambda: set(threading.enumerate()) == own_threads)
    until(lambda: sockets() == own_sockets)


def test_files_whose_closing_hangs_have_one_second_together(
    face: Driver, brick: BrickProcess
) -> None:
    """Not one each. Here whoever has begun to close them does not go on with it."""
    vol = face.connect(brick.url)
    files = [face.do(vol.open_handle, f"/f{n}", CREATING) for n in range(FILES)]
    for file in files:
        assert vol._session.core.session.begin_close(file._handle)
    began = time.monotonic()
    report = face.do(vol.close, timeout=TIMEOUT)
    assert time.monotonic() - began < TIMEOUT + MARGIN, str(report)
    words = [str(error) for error in report.errors]
    for file in files:
        assert any(f"{file.path}: it was not heard in time" in each for each in words), words
