"""A graph switch that is given up at one of its steps, two at once, and what is between two answers."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

import glusterio
from glusterio.brick.volfiles import client_volfile
from glusterio.lifecycle.invariants import violations
from glusterio.wire.programs import Fop
from tests.api.deferring import held
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.api.test_switch import with_translators
from tests.embedded import BrickProcess
from tests.interop.real_gluster import poll

CREATING = os.O_RDWR | os.O_CREAT


@pytest.fixture
def text(brick: BrickProcess, tap: Tap) -> str:
    """The volfile that the session is connected with."""
    return client_volfile("vol", "127.0.0.1", str(brick.directory), port=tap.port)


def given_up(driver: Driver, volume: Any, text: str, reached: Callable[[], bool]) -> Future[Any]:
    """Begin a reload, and give it up when it has come so far."""
    if driver.name == "asyncio":
        reload = driver.start(volume.reload, text)
        assert poll(reached, PATIENCE)
        reload.cancel()
        driver.do(volume.statvfs, "/")  # by then its task has heard of it
        return reload

    def within() -> Any:
        with volume.deadline(0.5):
            return volume.reload(text)

    reload = driver.start(within)
    assert poll(reached, PATIENCE)
    return reload


def settled(driver: Driver, volume: Any) -> None:
    """Wait until nothing of a switch is under way."""
    core = volume._session.core

    def is_settled() -> bool:
        driver.do(volume.statvfs, "/")
        return core.switching is None and len(core.graphs) == 1

    assert poll(is_settled, PATIENCE), core.graphs


#: What is kept back, and whether the session goes over all the same.
STEPS = {
    Fop.OPEN: False,
    Fop.WRITE: True,
    Fop.FGETXATTR: True,
    Fop.FSETXATTR: True,
    Fop.RELEASE: True,
}


@pytest.mark.parametrize("fop", STEPS, ids=lambda fop: fop.name)
def test_given_up(
    driver: Driver, url: str, text: str, tap: Tap, brick: BrickProcess, fop: Fop
) -> None:
    goes_over = STEPS[fop]
    first = with_translators(text, "write-behind")
    second = with_translators(text, "write-behind", "md-cache")
    volume = driver.connect(url)
    driver.do(volume.reload, first)
    settled(driver, volume)
    core = volume._session.core
    graph = core.graph
    file = driver.do(volume.open_handle, "f", CREATING)
    driver.do(file.lockf, os.F_LOCK, 10)
    with glusterio.connect(brick.url) as other, other.open_handle("f", os.O_RDWR) as rival:
        with held(tap, fop):
            driver.do(file.pwrite, b"deferred", 0)

            def reached() -> bool:
                is_begun = bool(core.through) or core.graph is not graph
                return bool(tap.kept) and is_begun == goes_over

            reload = given_up(driver, volume, second, reached)
            if fop is not Fop.RELEASE:  # by then it has its report
                with pytest.raises((TimeoutError, concurrent.futures.CancelledError)):
                    reload.result(PATIENCE)
        settled(driver, volume)
        assert (core.graph is not graph) == goes_over
        assert core.volfile == (second if goes_over else first)
        assert driver.do(file.pread, 10, 0) == b"deferred"
        with pytest.raises(BlockingIOError):
            rival.lockf(os.F_TLOCK, 10)
        driver.do(volume.reload, text)
        settled(driver, volume)
        assert core.volfile == text
        with pytest.raises(BlockingIOError):
            rival.lockf(os.F_TLOCK, 10)
        driver.do(file.lockf, os.F_ULOCK, 10)
        rival.lockf(os.F_TLOCK, 10)
        brick.wait_for(fds=2)
    assert violations(core.session) == []
    driver.do(file.close)
    driver.do(volume.unlink, "f")
    report = driver.do(volume.close)
    assert report.graceful
    assert report.defects == []
    brick.wait_for(fds=0, locks=0, pending=0)


def test_the_new_graph_does_not_answer(
    driver: Driver, url: str, text: str, tap: Tap, brick: BrickProcess
) -> None:
    """Its brick accepts, and says nothing: the reload is given up, and what is open is as before."""
    with Tap(("127.0.0.1", brick.brick_port)) as silent:
        silent.black_hole()
        volume = driver.connect(url)
        file = driver.do(volume.open_handle, "f", CREATING)
        other = text.replace(f"remote-port {tap.port}", f"remote-port {silent.port}")
        assert other != text
        with pytest.raises(TimeoutError, match=r"the new graph was not up within 0\.1 s"):
            driver.do(volume.reload, other, timeout=0.1)
        settled(driver, volume)
        assert driver.do(file.pwrite, b"x", 0) == 1
        driver.do(file.close)
        driver.do(volume.unlink, "f")
    brick.wait_for(fds=0)


def test_two_at_once(driver: Driver, url: str, text: str, tap: Tap, brick: BrickProcess) -> None:
    """The second one waits for the first; and one that is given up while it waits changes nothing."""
    volume = driver.connect(url)
    core = volume._session.core
    files = [driver.do(volume.open_handle, f"f{n}", CREATING) for n in range(3)]
    texts = [with_translators(text, "write-behind", *more) for more in ((), ("md-cache",))]
    with held(tap, Fop.OPEN):
        first = driver.start(volume.reload, texts[0])
        tap.wait_for(lambda: len(tap.kept) == 3)
        second = driver.start(volume.reload, texts[1])
        opens = tap.calls(Fop.OPEN)
        if driver.name == "asyncio":
            third = driver.start(volume.reload, text)
            driver.do(volume.statvfs, "/")
            third.cancel()
        else:
            with volume.deadline(0.1), pytest.raises(TimeoutError):
                volume.reload(text)
        assert not first.done()
        assert not second.done()
        assert tap.calls(Fop.OPEN) == opens
    reports = [first.result(PATIENCE), second.result(PATIENCE)]
    assert [report.generation for report in reports] == [2, 3]
    assert [report.carried for report in reports] == [3, 3]
    settled(driver, volume)
    assert core.volfile == texts[1]
    brick.wait_for(fds=3)
    for number, file in enumerate(files):
        driver.do(file.close)
        driver.do(volume.unlink, f"f{number}")
    brick.wait_for(fds=0)


def test_what_comes_late_and_cannot_be_carried_is_named(
    driver: Driver,
    url: str,
    text: str,
    tap: Tap,
    brick: BrickProcess,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file that was being opened at the switch is in no report: the log says that it stays."""
    volume = driver.connect(url)
    driver.do(volume.write_bytes, "f", b"here")
    with held(tap, Fop.OPEN):
        opening = driver.start(volume.open_handle, "f", os.O_RDWR)
        tap.wait_for(lambda: len(tap.kept) == 1)
        report = driver.do(volume.reload, with_translators(text, "write-behind"))
        assert (report.carried, report.left_behind) == (0, ())
        driver.do(volume.unlink, "f")
    file = opening.result(PATIENCE)

    def named() -> list[str]:
        driver.do(volume.statvfs, "/")
        told = [record.getMessage().partition(": ")[2] for record in caplog.records]
        return [each for each in told if "stays in graph" in each]

    assert poll(lambda: len(named()) == 1, PATIENCE), caplog.text
    assert named()[0].startswith("f stays in graph 1: ")
    assert driver.do(file.pread, 9, 0) == b"here"
    driver.do(file.close)
    settled(driver, volume)
    brick.wait_for(fds=0)


def test_a_directory_that_is_being_listed(
    driver: Driver, url: str, text: str, brick: BrickProcess
) -> None:
    """It is left off in the middle, and goes on there: each entry once."""
    volume = driver.connect(url)
    driver.do(volume.mkdir, "d")
    names = [f"{number:04}" for number in range(600)]
    for name in names:
        (brick.directory / "d" / name).touch()
    directory = driver.do(volume.open_handle, "d", os.O_DIRECTORY)
    listing = volume.scandir(directory)
    seen = [_next(driver, listing).name for _ in range(250)]
    for number in range(3):
        types = ("write-behind", "md-cache", "quick-read")[: number + 1]
        assert driver.do(volume.reload, with_translators(text, *types)).left_behind == ()
        seen += [_next(driver, listing).name for _ in range(100)]
    seen += [entry.name for entry in iter(lambda: _next(driver, listing), None)]
    assert sorted(seen) == names
    driver.do(listing.close)
    driver.do(directory.close)
    settled(driver, volume)
    driver.do(volume.rmtree, "d")
    brick.wait_for(fds=0)


def _next(driver: Driver, listing: Any) -> Any:
    try:
        if driver.name == "threads":
            return next(listing, None)
        return driver.do(listing.__anext__)
    except StopAsyncIteration:
        return None
