"""What Python's own buffers hold when a session ends is written, or its loss is reported."""

from __future__ import annotations

import errno
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

import glusterio
from glusterio import ConnectionLostError, SessionClosedError
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess


def held(tap: Tap, count: int = 1) -> None:
    tap.wait_for(lambda: len(tap.kept) >= count)


@pytest.mark.parametrize("mode", ["w", "wb", "a", "r+", "r+b", "w+", "x"])
def test_unflushed_data_is_written_by_the_close(brick: BrickProcess, mode: str) -> None:
    path = brick.directory / f"unflushed-{mode.replace('+', 'p')}"
    if "r" in mode or "a" in mode:
        path.write_text("before ")
    else:
        path.unlink(missing_ok=True)
    vol = glusterio.connect(brick.url)
    file = vol.open("/" + path.name, mode)
    if "r" in mode:
        file.seek(0, os.SEEK_END)
    file.write(b"some data" if "b" in mode else "some data")
    expected = ("before " if "r" in mode or "a" in mode else "") + "some data"
    assert path.read_text() == expected.removesuffix("some data")
    line = _this_line() - 6
    report = vol.close()
    assert path.read_text() == expected
    assert report.graceful
    (handle,) = report.handles
    assert (handle.path, handle.kind, handle.error) == ("/" + path.name, "file", None)
    assert handle.opened_at == f"{__file__}:{line}"
    with pytest.raises(SessionClosedError):
        _write_more(file, b"x" if "b" in mode else "x")
    _give_up(file)
    assert path.read_text() == expected
    brick.wait_for(fds=0)


def _this_line() -> int:
    import sys

    return sys._getframe(1).f_lineno


def _write_more(file: Any, data: Any) -> None:
    file.write(data * 1_000_000)
    file.flush()


def _give_up(file: Any) -> None:
    """Close a file of a closed session, whatever that says of data that was written too late."""
    try:
        file.close()
    except SessionClosedError:
        pass


def test_many_unflushed_files_are_written_by_the_close(brick: BrickProcess) -> None:
    vol = glusterio.connect(brick.url)
    files = [vol.open(f"/many-{n}", "w") for n in range(50)]
    for n, file in enumerate(files):
        file.write(f"file {n}")
    report = vol.close()
    assert report.graceful
    assert report.handles_drained == 50
    for n in range(50):
        assert (brick.directory / f"many-{n}").read_text() == f"file {n}"
    for file in files:
        file.close()


def test_a_write_error_in_the_drain_is_reported(
    own_brick: BrickProcess, through: Callable[..., str]
) -> None:
    """The brick is dead, which only the close comes to know."""
    with Tap(("127.0.0.1", own_brick.brick_port)) as tap:
        vol = glusterio.connect(through(own_brick, tap.port))
        file = vol.open("/lost", "w")
        file.write("what will be lost")
        tap.black_hole()
        began = time.monotonic()
        report = vol.close(timeout=0.5, grace=0.1)
        assert time.monotonic() - began < 1.5
    (handle,) = report.handles
    assert handle.path == "/lost"
    assert isinstance(handle.error, TimeoutError | ConnectionLostError)
    assert handle.error in report.errors
    assert not report.graceful
    assert "/lost" in str(report.errors[0]) or report.handles[0].error is report.errors[0]
    _give_up(file)


def test_a_full_disk_in_the_drain_is_reported(brick: BrickProcess, tap: Tap, url: str) -> None:
    """What the brick itself says is what the report says."""
    vol = glusterio.connect(url)
    file = vol.open("/full", "wb", buffering=100_000_000)
    limit = 1 << 62
    file.seek(limit)
    file.write(b"beyond what any file system can hold")
    report = vol.close()
    (handle,) = report.handles
    assert isinstance(handle.error, OSError)
    assert handle.error.errno in (errno.EFBIG, errno.EINVAL, errno.ENOSPC)
    assert report.errors == [handle.error]
    assert not report.defects
    _give_up(file)
    brick.wait_for(fds=0)


def test_a_stopped_brick_in_the_drain_is_reported_for_each_file(
    own_brick: BrickProcess, through: Callable[..., str]
) -> None:
    vol = glusterio.connect(own_brick.url)
    files = [vol.open(f"/stopped-{n}", "w") for n in range(20)]
    for file in files:
        file.write("lost")
    os.kill(own_brick.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        report = vol.close(timeout=0.4, grace=0.1)
        took = time.monotonic() - began
    finally:
        os.kill(own_brick.pid, signal.SIGCONT)
    assert took < 1.4
    assert len(report.handles) == 20
    assert all(handle.error is not None for handle in report.handles)
    assert not report.defects
    for file in files:
        _give_up(file)


def test_a_dropped_file_warns_and_its_data_is_written(brick: BrickProcess) -> None:
    vol = glusterio.connect(brick.url)
    for mode, data in (("w", "text"), ("wb", b"bytes"), ("w+", "text"), ("a", "text")):
        name = f"dropped-{mode}"
        (brick.directory / name).unlink(missing_ok=True)
        file = vol.open("/" + name, mode)
        line = _this_line() - 1
        file.write(data)
        with pytest.warns(ResourceWarning, match=f"unclosed.*{name}.*{__file__}:{line}"):
            del file
    report = vol.close()  # a second warning would be an error
    gc.collect()
    assert report.graceful
    assert report.handles_drained == 4
    for mode in ("w", "wb", "w+", "a"):
        assert (brick.directory / f"dropped-{mode}").read_text() in ("text", "bytes")
    brick.wait_for(fds=0)


def test_a_dropped_file_that_was_read_warns(brick: BrickProcess) -> None:
    (brick.directory / "dropped-read").write_text("text")
    vol = glusterio.connect(brick.url)
    for mode in ("r", "rb"):
        file = vol.open("/dropped-read", mode)
        assert file.read(2) in ("te", b"te")
        with pytest.warns(ResourceWarning, match="unclosed.*dropped-read"):
            del file
    raw = vol.open("/dropped-read", "rb", buffering=0)
    with pytest.warns(ResourceWarning, match="unclosed.*dropped-read"):
        del raw
    assert vol.close().handles_drained == 3


def test_a_dropped_file_in_a_cycle(brick: BrickProcess) -> None:
    vol = glusterio.connect(brick.url)
    file: Any = vol.open("/cycle", "w")
    file.write("kept")
    file.itself = file
    del file
    with pytest.warns(ResourceWarning, match="unclosed"):
        gc.collect()
    assert vol.close().graceful
    assert (brick.directory / "cycle").read_text() == "kept"
    gc.collect()


def test_a_failing_close_of_a_file_loses_no_handle(brick: BrickProcess, tap: Tap, url: str) -> None:
    vol = glusterio.connect(url)
    file = vol.open("/failing", "wb", buffering=1000)
    file.seek(1 << 62)
    file.write(b"x")
    with pytest.raises(OSError, match=r"too large|Invalid"):
        file.close()
    tap.wait_for_calls(1, Fop.RELEASE)
    assert vol.close().handles_drained == 0
    assert tap.released() == tap.opened()


def test_only_the_drain_writes_past_the_gate(brick: BrickProcess, tap: Tap, url: str) -> None:
    """A thread that writes to a file while the drain flushes it is a late comer like any other."""
    watch = Watch()
    vol = glusterio.connect(url, trace=watch)
    file = vol.open("/late", "wb", buffering=1000)
    file.write(b"in time")
    tap.hold(Fop.WRITE)
    closing: Future[Any] = Future()
    closer = threading.Thread(target=lambda: closing.set_result(vol.close()))
    closer.start()
    held(tap)  # the drain's own write
    # Past the buffer's lock, which the drain holds: straight to the layer that writes.
    with pytest.raises(SessionClosedError):
        file.raw.write(b"too late")  # type: ignore[attr-defined]
    late: Future[Any] = Future()

    def write() -> None:
        begun.set()
        try:
            late.set_result(file.write(b"z" * 100_000))  # waits for the buffer's lock
        except BaseException as error:
            late.set_exception(error)

    begun = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(PATIENCE)
    for _ in range(20):
        os.sched_yield()
    tap.let_go()
    closer.join(PATIENCE)
    writer.join(PATIENCE)
    assert isinstance(late.exception(0), SessionClosedError)
    assert closing.result(0).graceful
    assert (brick.directory / "late").read_bytes() == b"in time"
    _give_up(file)
    assert not tap.overtaken()


def test_files_written_by_threads_while_the_session_closes(brick: BrickProcess) -> None:
    """Nothing that a flush has acknowledged is lost, and nobody hangs."""
    vol = glusterio.connect(brick.url)
    acknowledged = [0] * 4
    errors: list[BaseException] = []
    files = []

    def write(n: int) -> None:
        file = vol.open(f"/threads-{n}", "w")
        files.append(file)
        try:
            while True:
                file.write("x" * 1000)
                file.flush()
                acknowledged[n] += 1000
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while min(acknowledged) < 20_000:
        time.sleep(0)
    report = vol.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert [isinstance(error, SessionClosedError) for error in errors] == [True] * 4
    assert report.graceful
    for file in files:
        _give_up(file)
    for n in range(4):
        assert (brick.directory / f"threads-{n}").stat().st_size >= acknowledged[n]
    brick.wait_for(fds=0)
