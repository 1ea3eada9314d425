"""Locks on open files: what they promise, and that none is ever left behind."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import signal
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import glusterio
from glusterio import aio
from glusterio.api.locks import LockHolder
from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.wire.fops.xattrs import FgetxattrRequest, XattrsReply
from glusterio.wire.programs import Fop
from glusterio.xlators.base import Xlator
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.embedded import BrickProcess

CREATING = os.O_RDWR | os.O_CREAT

#: A little while, after which a wait is given up.
SOON = 0.05

Open = Callable[..., Any]


@pytest.fixture
def opened(driver: Driver, brick: BrickProcess) -> Iterator[Open]:
    """Opens the file ``f`` by a session of its own each time; nothing is left in the end."""
    kept = []

    def opening(flags: int = CREATING, url: str = brick.url) -> Any:
        volume = driver.connect(url)
        file = driver.do(volume.open_handle, "f", flags)
        kept.append((volume, file))
        return file

    yield opening
    for volume, _ in kept:
        driver.do(volume.close)
    brick.wait_for(locks=0, blocked_locks=0, fds=0)


@pytest.fixture
def one(opened: Open) -> Any:
    return opened()


@pytest.fixture
def two(opened: Open) -> Any:
    return opened()


@contextlib.contextmanager
def fails(wrong: int) -> Iterator[None]:
    """What is done here fails with this error number."""
    with pytest.raises(OSError, match=re.escape(f"[Errno {wrong}]")):
        yield


def waits(brick: BrickProcess, future: Future[Any]) -> None:
    """Wait until a call waits for its lock, on the brick."""
    brick.wait_for(blocked_locks=1)
    assert not future.done()


# -- what a lock is -----------------------------------------------------------------------------------


def test_lockf_is_as_in_os(driver: Driver, one: Any, two: Any) -> None:
    driver.do(one.lockf, os.F_LOCK, 10)
    driver.do(one.lockf, os.F_LOCK, 10)  # never against itself
    with pytest.raises(BlockingIOError):
        driver.do(two.lockf, os.F_TLOCK, 5, 5)
    with pytest.raises(PermissionError):
        driver.do(two.lockf, os.F_TEST, 0)
    driver.do(two.lockf, os.F_TLOCK, 5, 10)
    driver.do(one.lockf, os.F_TEST, 10)
    driver.do(one.lockf, os.F_ULOCK, 3)
    driver.do(two.lockf, os.F_TLOCK, 3)
    with fails(errno.EINVAL):
        driver.do(two.lockf, 99, 3)


def test_two_handles_of_one_session_keep_each_other_out(
    driver: Driver, brick: BrickProcess
) -> None:
    volume = driver.connect(brick.url)
    one, two = (driver.do(volume.open_handle, "f", CREATING) for _ in range(2))
    driver.do(one.lockf, os.F_LOCK)
    with pytest.raises(BlockingIOError):
        driver.do(two.lockf, os.F_TLOCK)
    driver.do(one.close)
    driver.do(two.lockf, os.F_LOCK)
    driver.do(volume.close)
    brick.wait_for(locks=0)


def test_shared_locks(driver: Driver, opened: Open) -> None:
    reader, writer = opened(os.O_RDONLY | os.O_CREAT), opened(os.O_WRONLY)
    other = opened()
    driver.do(reader.lock(shared=True).acquire)
    driver.do(other.lock(shared=True, timeout=0).acquire)
    with pytest.raises(BlockingIOError):
        driver.do(writer.lock(timeout=0).acquire)
    for file, shared in ((reader, False), (writer, True)):
        with fails(errno.EBADF):
            driver.do(file.lock(shared=shared, timeout=0).acquire)
    assert driver.do(reader.lock_holder, shared=True) is None


def test_who_holds_it(driver: Driver, one: Any, two: Any) -> None:
    driver.do(one.lock(10, 5).acquire)
    assert driver.do(two.lock_holder) == LockHolder(False, 5, 10, os.getpid())
    assert driver.do(one.lock_holder) is None
    assert driver.do(two.lock_holder, 5) is None


@pytest.mark.parametrize(
    ("section", "start", "length"),
    [
        ((0, 7), 7, 0),
        ((-5, 10), 5, 5),
        ((0, 0, os.SEEK_END), 100, 0),
        ((-30, 0, os.SEEK_END), 70, 30),
        ((10, -40, os.SEEK_END), 60, 10),
    ],
)
def test_which_bytes(
    driver: Driver, one: Any, two: Any, section: tuple[int, ...], start: int, length: int
) -> None:
    driver.do(one.truncate, 100)
    lock = one.lock(*section)
    driver.do(lock.acquire)
    found = driver.do(two.lock_holder)
    assert (found.start, found.length) == (start, length)
    driver.do(one.truncate, 200)  # what was locked stays what it was
    driver.do(lock.release)
    assert driver.do(two.lock_holder) is None


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ((0, -1), errno.EINVAL),
        ((-5, 4), errno.EINVAL),
        ((0, 0, os.SEEK_CUR), errno.EINVAL),
        (((1 << 63) - 1, 1), errno.EOVERFLOW),
    ],
)
def test_no_such_section(driver: Driver, one: Any, section: tuple[int, ...], wrong: int) -> None:
    for cmd in (os.F_LOCK, os.F_ULOCK, os.F_TEST):
        with fails(wrong):
            driver.do(one.lockf, cmd, *section)
    with pytest.raises(OverflowError):
        driver.do(one.lockf, os.F_LOCK, 1 << 70)


def test_a_directory_has_none(driver: Driver, brick: BrickProcess) -> None:
    volume = driver.connect(brick.url)
    directory = driver.do(volume.open_handle, "/", os.O_RDONLY)
    with fails(errno.EBADF):
        driver.do(directory.lock(shared=True).acquire)
    driver.do(volume.close)


# -- with a with --------------------------------------------------------------------------------------


def test_with(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as vol, vol.open_handle("f", CREATING) as file:
        with file.lock(10) as lock:
            assert lock.locked
            assert brick.dump()["locks"] == 1
            with pytest.raises(RuntimeError):
                lock.acquire()
        assert not lock.locked
        assert brick.dump()["locks"] == 0
        lock.release()  # harmless
        with file.lock():
            file.close()  # which drops it
        with (
            pytest.raises(ZeroDivisionError),
            vol.open_handle("f", CREATING) as again,
            again.lock(),
        ):
            raise ZeroDivisionError
    brick.wait_for(locks=0)


def test_async_with(brick: BrickProcess) -> None:
    async def story() -> None:
        async with aio.connect(brick.url) as vol, await vol.open_handle("f", CREATING) as file:
            async with file.lock(10) as lock:
                assert lock.locked
                assert brick.dump()["locks"] == 1
            assert brick.dump()["locks"] == 0

    asyncio.run(story())


def test_the_end_of_a_session_inside_the_lock(brick: BrickProcess) -> None:
    vol = glusterio.connect(brick.url)
    file = vol.open_handle("f", CREATING)
    with file.lock():
        assert vol.close().graceful
    assert file.closed
    brick.wait_for(locks=0, fds=0)


# -- waiting ------------------------------------------------------------------------------------------


def test_it_comes_when_the_other_lets_go(
    driver: Driver, brick: BrickProcess, one: Any, two: Any
) -> None:
    driver.do(one.lockf, os.F_LOCK)
    waiting = driver.start(two.lockf, os.F_LOCK)
    waits(brick, waiting)
    driver.do(one.lockf, os.F_ULOCK)
    waiting.result(PATIENCE)
    with pytest.raises(BlockingIOError):
        driver.do(one.lockf, os.F_TLOCK)


def test_it_comes_when_the_other_is_closed(
    driver: Driver, brick: BrickProcess, one: Any, two: Any
) -> None:
    driver.do(one.lockf, os.F_LOCK)
    waiting = driver.start(two.lockf, os.F_LOCK)
    waits(brick, waiting)
    driver.do(one.close)
    waiting.result(PATIENCE)


def test_given_up_while_it_waits(driver: Driver, brick: BrickProcess, one: Any, two: Any) -> None:
    driver.do(one.lockf, os.F_LOCK)
    with pytest.raises(TimeoutError):
        driver.do(two.lock(timeout=SOON).acquire)
    brick.wait_for(locks=1, blocked_locks=0)
    driver.do(one.lockf, os.F_ULOCK)
    driver.do(two.lock(timeout=PATIENCE).acquire)  # and it may be asked for again
    brick.wait_for(locks=1, blocked_locks=0)


def test_another_who_waits_for_the_same_goes_on(
    driver: Driver, brick: BrickProcess, one: Any
) -> None:
    volume = driver.connect(brick.url)
    two, three = (driver.do(volume.open_handle, "f", CREATING) for _ in range(2))
    driver.do(one.lockf, os.F_LOCK)
    waiting = driver.start(two.lockf, os.F_LOCK)
    waits(brick, waiting)
    with pytest.raises(TimeoutError):
        driver.do(three.lock(timeout=SOON).acquire)
    driver.do(one.lockf, os.F_ULOCK)
    waiting.result(PATIENCE)
    brick.wait_for(locks=1, blocked_locks=0)
    driver.do(volume.close)


@pytest.fixture
def tapped(opened: Open, url: str) -> Any:
    """The file ``f``, open through the tap."""
    return opened(url=url)


def test_granted_when_nobody_waits_any_more(
    driver: Driver, brick: BrickProcess, tap: Tap, tapped: Any
) -> None:
    tap.hold(Fop.LK)
    with pytest.raises(TimeoutError):
        driver.do(tapped.lock(timeout=SOON).acquire)
    brick.wait_for(locks=1)  # the brick has granted it
    tap.let_go()
    brick.wait_for(locks=0)
    driver.do(tapped.lock(timeout=PATIENCE).acquire)


def test_the_next_lock_waits_until_the_last_is_taken_back(
    driver: Driver, brick: BrickProcess, tap: Tap, tapped: Any
) -> None:
    tap.hold(Fop.LK)
    with pytest.raises(TimeoutError):
        driver.do(tapped.lock(timeout=SOON).acquire)
    brick.wait_for(locks=1)
    next_one = driver.start(tapped.lockf, os.F_LOCK)
    assert tap.calls(Fop.LK) == 1
    tap.let_go()
    next_one.result(PATIENCE)
    tap.wait_for_calls(3, Fop.LK)  # lock, unlock, lock
    assert brick.dump()["locks"] == 1, "what is held is not what was given back"


def test_an_unlock_goes_on_without_its_caller(brick: BrickProcess, tap: Tap, url: str) -> None:
    async def story() -> None:
        async with aio.connect(url) as vol, await vol.open_handle("f", CREATING) as file:
            await file.lockf(os.F_LOCK)
            tap.hold(Fop.LK)
            task = asyncio.ensure_future(file.lockf(os.F_ULOCK))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(brick.wait_for, locks=0)
            again = asyncio.ensure_future(file.lockf(os.F_LOCK))
            await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) == 1)
            assert tap.calls(Fop.LK) == 2, "the unlock has not been answered"
            tap.let_go()
            await again

    asyncio.run(story())


@pytest.mark.parametrize("turns", range(6))
def test_a_lock_cancelled_after_any_number_of_turns(brick: BrickProcess, turns: int) -> None:
    async def story() -> None:
        async with aio.connect(brick.url) as vol, await vol.open_handle("f", CREATING) as file:
            lock = file.lock()
            task = asyncio.ensure_future(lock.acquire())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                assert not lock.locked
            else:
                await lock.release()
            await asyncio.to_thread(brick.wait_for, locks=0, blocked_locks=0)
            await file.lock(timeout=PATIENCE).acquire()

    asyncio.run(story())
    brick.wait_for(locks=0)


def test_ctrl_c_while_it_waits(brick: BrickProcess) -> None:
    with (
        glusterio.connect(brick.url) as vol,
        vol.open_handle("f", CREATING) as one,
        vol.open_handle("f", CREATING) as two,
    ):
        one.lockf(os.F_LOCK)

        def press() -> None:
            brick.wait_for(blocked_locks=1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        presser = threading.Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            two.lockf(os.F_LOCK)
        presser.join()
        brick.wait_for(locks=1, blocked_locks=0)
        one.lockf(os.F_ULOCK)
        with two.lock(timeout=PATIENCE):  # the session goes on
            assert brick.dump()["locks"] == 1
    brick.wait_for(locks=0, fds=0)


def test_a_child_process_has_no_part_in_it(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as vol, vol.open_handle("f", CREATING) as file:
        lock = file.lock()
        lock.acquire()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads; the child uses none
            child = os.fork()
        if not child:
            try:
                lock.release()
            except glusterio.ForkedSessionError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert brick.dump()["locks"] == 1
        lock.release()
    brick.wait_for(locks=0)


# -- the end of a session -----------------------------------------------------------------------------


@pytest.mark.parametrize("grace", [0.0, 0.2])
def test_a_session_ends_while_a_lock_is_waited_for(
    driver: Driver, brick: BrickProcess, one: Any, grace: float
) -> None:
    driver.do(one.lockf, os.F_LOCK, 10)
    volume = driver.connect(brick.url)
    file = driver.do(volume.open_handle, "f", CREATING)
    driver.do(file.lockf, os.F_LOCK, 5, 20)
    waiting = driver.start(file.lockf, os.F_LOCK)
    waits(brick, waiting)
    report = driver.do(volume.close, timeout=10.0, grace=grace)
    with pytest.raises(glusterio.SessionClosedError):
        waiting.result(PATIENCE)
    assert not report.defects
    assert report.errors == []
    assert report.calls_cancelled == ["lock"]
    assert next(step.seconds for step in report.steps if step.name == "drain") < 5.0
    brick.wait_for(locks=1, blocked_locks=0, fds=1)


class OlderBrick(Xlator):
    """Before a brick: as one that does not know how requests are taken back."""

    async def fgetxattr(self, frame: Frame, fd: Fd, request: FgetxattrRequest) -> XattrsReply:
        raise fs_error(errno.ENODATA)


def test_an_older_brick_is_told_by_a_flush(driver: Driver, brick: BrickProcess, one: Any) -> None:
    driver.do(one.lockf, os.F_LOCK)
    volume = driver.connect(brick.url)
    core = volume._session.core
    core.top = OlderBrick("older", {}, [core.top], core.top.services)
    file = driver.do(volume.open_handle, "f", CREATING)
    with pytest.raises(TimeoutError):
        driver.do(file.lock(timeout=SOON).acquire)
    assert brick.dump()["blocked_locks"] == 1, "nothing can be done while the file is open"
    driver.do(file.close)
    brick.wait_for(locks=1, blocked_locks=0, fds=1)
    assert not driver.do(volume.close).errors


def test_a_session_ends_while_the_grant_is_on_its_way(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    volume = driver.connect(url)
    file = driver.do(volume.open_handle, "f", CREATING)
    tap.hold(Fop.LK)
    waiting = driver.start(file.lockf, os.F_LOCK)
    tap.wait_for(lambda: len(tap.kept) == 1)
    closing = driver.start(volume.close, timeout=10.0, grace=0.0)
    with pytest.raises(glusterio.SessionClosedError):
        waiting.result(PATIENCE)
    tap.let_go()
    assert closing.result(PATIENCE).errors == []
    brick.wait_for(locks=0, fds=0)


def test_a_brick_that_never_answers_a_lock(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    volume = driver.connect(url)
    file = driver.do(volume.open_handle, "f", CREATING)
    tap.hold(Fop.LK, Fop.FGETXATTR, Fop.FLUSH)
    waiting = driver.start(file.lockf, os.F_LOCK)
    tap.wait_for(lambda: len(tap.kept) == 1)
    report = driver.do(volume.close, timeout=0.5, grace=0.0)
    with pytest.raises(glusterio.SessionClosedError):
        waiting.result(PATIENCE)
    assert any(isinstance(error, glusterio.ConnectionLostError) for error in report.errors)
    brick.wait_for(locks=0, fds=0)  # since the connection was cut
    tap.let_go()


def test_a_file_is_closed_while_its_lock_is_waited_for(
    driver: Driver, brick: BrickProcess, one: Any
) -> None:
    volume = driver.connect(brick.url)
    file = driver.do(volume.open_handle, "f", CREATING)
    driver.do(one.lockf, os.F_LOCK)
    waiting = driver.start(file.lockf, os.F_LOCK)
    waits(brick, waiting)
    driver.do(file.close)
    driver.do(one.lockf, os.F_ULOCK)
    waiting.result(PATIENCE)  # it was under way, and has its result
    brick.wait_for(locks=0, blocked_locks=0, fds=1)
    driver.do(volume.close)


def test_a_lock_is_lost_with_its_brick(driver: Driver, tap: Tap, tapped: Any) -> None:
    lock = tapped.lock()
    driver.do(lock.acquire)
    tap.cut()
    lost = (glusterio.ConnectionLostError, glusterio.HandleStaleError)
    with pytest.raises(lost):
        driver.do(lock.release)
    with pytest.raises(lost):
        driver.do(tapped.lockf, os.F_LOCK)


# -- as the kernel's own ------------------------------------------------------------------------------

HANDLES = 3
offsets = st.integers(0, 12)
steps = st.tuples(
    st.sampled_from(["exclusive", "shared", "unlock", "test"]),
    st.integers(0, HANDLES - 1),
    offsets,
    st.integers(-4, 6),
)
_TYPES = {"exclusive": fcntl.F_WRLCK, "shared": fcntl.F_RDLCK, "unlock": fcntl.F_UNLCK}
_FLOCK = struct.Struct("hhqqi4x")


def local(descriptor: int, what: str, offset: int, length: int) -> object:
    """Do it with an open file description's lock, whose owner is the open file, too."""
    kind = _TYPES.get(what, fcntl.F_WRLCK)
    command = fcntl.F_OFD_GETLK if what == "test" else fcntl.F_OFD_SETLK
    try:
        found = fcntl.fcntl(descriptor, command, _FLOCK.pack(kind, 0, offset, length, 0))
    except OSError as error:
        return error.errno
    return what != "test" or _FLOCK.unpack(found)[0] == fcntl.F_UNLCK


def remote(file: glusterio.File, what: str, offset: int, length: int) -> object:
    """The same on a volume."""
    try:
        if what == "test":
            return file.lock_holder(length, offset) is None
        if what == "unlock":
            file.lockf(os.F_ULOCK, length, offset)
        else:
            file.lock(length, offset, shared=what == "shared", timeout=0).acquire()
    except OSError as error:
        return error.errno
    return True


@pytest.mark.fuzz
@given(sequence=st.lists(steps, min_size=5, max_size=40))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_is_as_on_a_local_file(
    brick: BrickProcess, tmp_path: Path, sequence: list[tuple[str, int, int, int]]
) -> None:
    with contextlib.ExitStack() as stack:
        vol = stack.enter_context(glusterio.connect(brick.url))
        files = [stack.enter_context(vol.open_handle("g", CREATING)) for _ in range(HANDLES)]
        descriptors = [os.open(tmp_path / "g", CREATING) for _ in range(HANDLES)]
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        for what, who, offset, length in sequence:
            here = local(descriptors[who], what, offset, length)
            assert remote(files[who], what, offset, length) == here, (what, who, offset, length)
