"""The graph switch on a real brick: files, locks, a rival for them, and a file without a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import glusterio
from tests.api.drivers import PATIENCE, Driver
from tests.api.test_switch import with_translators
from tests.api.test_switch_steps import settled
from tests.interop.real_gluster import HandBrick, poll

CREATING = os.O_RDWR | os.O_CREAT


def test_what_is_open_goes_along(driver: Driver, own_hand_brick: HandBrick) -> None:
    """And with it its locks: a rival who asks for them all the time never gets one."""
    brick = own_hand_brick
    text = Path(brick.client_vol).read_text()
    volume = driver.connect(brick.url)
    file, waiter, gone = (
        driver.do(volume.open_handle, name, CREATING) for name in ("file", "waiter", "gone")
    )
    directory = driver.do(volume.open_handle, "/", os.O_DIRECTORY)
    driver.do(file.lockf, os.F_LOCK, 10)
    driver.do(gone.lockf, os.F_LOCK, 10)
    driver.do(gone.pwrite, b"here", 0)
    driver.do(volume.unlink, "gone")
    with glusterio.connect(brick.url) as other:
        rival = other.open_handle("file", os.O_RDWR)
        holder = other.open_handle("waiter", os.O_RDWR)
        holder.lockf(os.F_LOCK, 10)
        waiting = driver.start(waiter.lockf, os.F_LOCK, 10)
        for number, types in enumerate([("write-behind",), ("md-cache", "quick-read"), ()]):
            switching = driver.start(volume.reload, with_translators(text, *types))
            while True:
                done = switching.done()
                with pytest.raises(BlockingIOError):
                    rival.lockf(os.F_TLOCK, 10)
                if done:
                    break
            report = switching.result(PATIENCE)
            # A real brick opens no file that has no name; it stays in the first graph for good.
            assert report.carried == 3
            left = {left.path: type(left.why) for left in report.left_behind}
            assert left == ({} if number else {"gone": FileNotFoundError})
            data = b"%04d" % number
            for one in (file, gone):
                assert driver.do(one.pwrite, data, 4) == 4
                assert driver.do(one.pread, 4, 4) == data
            assert driver.do(gone.pread, 4, 0) == b"here"
            assert "file" in driver.do(volume.listdir, directory)
            assert not waiting.done()
        holder.lockf(os.F_ULOCK, 10)
        waiting.result(PATIENCE)
        with pytest.raises(BlockingIOError):
            holder.lockf(os.F_TLOCK, 10)
        driver.do(file.lockf, os.F_ULOCK, 10)
        rival.lockf(os.F_TLOCK, 10)
        for one in (rival, holder):
            one.close()
    for one in (file, waiter, gone, directory):
        driver.do(one.close)
    settled(driver, volume)
    assert driver.do(volume.close).graceful
    assert brick.no_files_open()
    assert poll(lambda: brick.open_directories() == 0, 5.0)


def test_old_graphs_leave_nothing_on_the_brick(driver: Driver, own_hand_brick: HandBrick) -> None:
    brick = own_hand_brick
    text = Path(brick.client_vol).read_text()
    volume = driver.connect(brick.url)
    files = [driver.do(volume.open_handle, f"f{n}", CREATING) for n in range(50)]
    second = driver.do(files[0].dup) if driver.name == "asyncio" else files[0].dup()
    for number in range(10):
        wanted = with_translators(text, "write-behind") if number % 2 == 0 else text
        assert driver.do(volume.reload, wanted).carried == 51
        driver.do(files[number].pwrite, b"x", 0)
    settled(driver, volume)
    assert poll(lambda: brick.open_files() == 50, PATIENCE), brick.open_files()
    driver.do(second.close)
    for file in files:
        driver.do(file.close)
    assert brick.no_files_open()
