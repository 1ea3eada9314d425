"""Identity, lock owner and deadline: so for a context's calls, and for no other's."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import aio
from glusterio.lifecycle.invariants import violations
from glusterio.wire.programs import Fop
from tests.api import as_user
from tests.api.faces import FACES, connect_face
from tests.api.parity import uproot
from tests.api.tap import Tap
from tests.embedded import BrickProcess

#: A deadline that is over before a brick answers, since the answer is kept back; in seconds.
SOON = 0.05


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, brick: BrickProcess) -> Iterator[Any]:
    with connect_face(request.param, brick.url) as volume:
        volume.chmod("/", 0o777)
        yield volume
        uproot(volume)
    brick.wait_for(fds=0, pending=0)


def owner(volume: Any, path: str) -> tuple[int, int]:
    """Return who owns a file."""
    found = volume.stat(path)
    return found.st_uid, found.st_gid


# -- on whose behalf ----------------------------------------------------------------------------------


def test_who_may_do_what(own_brick: BrickProcess, tmp_path: Path) -> None:
    """The steps of a user without rights end as they do for a process that is that user."""
    expected = as_user.expected(tmp_path)
    found = as_user.outcomes("identity", own_brick.url)
    assert len(found) > 800
    assert [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]] == []
    own_brick.wait_for(fds=0, pending=0)


def test_what_is_made_belongs_to_whom_it_is_made_for(volume: Any) -> None:
    with volume.identity(uid=1000, gid=1001):
        volume.mkdir("d")
        with volume.identity(uid=1002):
            volume.mknod("e")
        volume.mknod("f")
    volume.mknod("g")
    assert [owner(volume, path) for path in "defg"] == [
        (1000, 1001),
        (1002, 1001),
        (1000, 1001),
        (os.geteuid(), os.getegid()),
    ]


def test_groups_are_nobody_elses(volume: Any) -> None:
    volume.mkdir("d", 0o770)
    volume.chown("d", -1, 1005)
    volume.chmod("d", 0o770)
    for who in (
        volume.identity(1000, 1000, [1004, 1005]),
        volume.identity(1000, 1005),
        volume.identity(0),
    ):
        with who:
            volume.listdir("d")
    with volume.identity(1000, 1000, [1005]), volume.identity(uid=1003):
        with pytest.raises(PermissionError):  # another user does not get those groups
            volume.listdir("d")
        with volume.identity(groups=[1005]):
            volume.listdir("d")


def test_a_way_that_is_known_is_not_open_to_everybody(volume: Any) -> None:
    """The session's user has just gone there; another may not, whatever is remembered."""
    volume.makedirs("closed/sub")
    with volume.open("closed/sub/f", "w") as file:
        file.write("x")
    volume.chmod("closed", 0o700)
    for _ in range(2):
        assert volume.stat("closed/sub/f").st_size == 1
        with volume.identity(1000, 1000):
            for ask in (
                lambda: volume.stat("closed/sub/f"),
                lambda: volume.open_handle("closed/sub/f"),
                lambda: volume.unlink("closed/sub/f"),
                lambda: volume.mkdir("closed/sub/d"),
                lambda: volume.open_handle("closed/sub/g", os.O_CREAT | os.O_WRONLY),
            ):
                with pytest.raises(PermissionError):
                    ask()


def test_anonymous_reads_and_writes_are_checked(volume: Any) -> None:
    with volume.open("f", "wb") as file:
        file.write(b"secret")
    volume.chmod("f", 0o604)
    with volume.lookup("f") as found, volume.identity(1000, 1000):
        assert found.read(10, 0) == b"secret"
        with pytest.raises(PermissionError):
            found.write(b"x", 0)


@pytest.mark.parametrize("wrong", [{"uid": -1}, {"gid": (1 << 32) - 1}, {"groups": range(92)}])
def test_numbers_that_can_be_none_are_refused(volume: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"group|user"):
        volume.identity(**wrong)


@pytest.mark.parametrize("wrong", [{"uid": 1.5}, {"gid": "1"}, {"groups": "ab"}])
def test_what_is_no_number_is_refused(volume: Any, wrong: Any) -> None:
    """Where it is said, not at each call in the block."""
    with pytest.raises(TypeError, match="integer"):
        volume.identity(**wrong)


def test_each_task_has_its_own(brick: BrickProcess) -> None:
    """A task inherits what is so where it is made; what it sets itself is its own."""

    async def made(vol: aio.Volume, name: str, uid: int | None) -> None:
        if uid is None:
            await vol.mknod(name)
            return
        with vol.identity(uid, uid):
            await asyncio.sleep(0)
            await vol.mknod(name)
            await asyncio.create_task(made(vol, f"{name}-inherited", None))

    async def attempt() -> list[int]:
        async with aio.connect(brick.url) as vol:
            await vol.chmod("/", 0o777)
            names = ["a", "b", "c", "a-inherited", "b-inherited"]
            await asyncio.gather(made(vol, "a", 1000), made(vol, "b", 1001), made(vol, "c", None))
            found = [(await vol.stat(name)).st_uid for name in names]
            for name in names:
                await vol.unlink(name)
            return found

    assert asyncio.run(attempt()) == [1000, 1001, os.geteuid(), 1000, 1001]


def test_one_block_for_many_tasks(brick: BrickProcess) -> None:
    async def made(vol: aio.Volume, somebody: Any, name: str, turns: int) -> None:
        with somebody:
            for _ in range(turns):
                await vol.stat("/")
            await vol.mknod(name)
        await vol.mknod(f"{name}-after")

    async def attempt() -> list[int]:
        async with aio.connect(brick.url) as vol:
            await vol.chmod("/", 0o777)
            somebody = vol.identity(1000, 1000)
            await asyncio.gather(made(vol, somebody, "a", 5), made(vol, somebody, "b", 1))
            with somebody, somebody:
                await vol.mknod("twice")
            names = ["a", "b", "twice", "a-after", "b-after"]
            found = [(await vol.stat(name)).st_uid for name in names]
            for name in names:
                await vol.unlink(name)
            return found

    assert asyncio.run(attempt()) == [1000, 1000, 1000, os.geteuid(), os.geteuid()]


def test_each_thread_has_its_own(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as vol:
        vol.chmod("/", 0o777)
        both = threading.Barrier(2)

        def made(uid: int) -> None:
            with vol.identity(uid, uid):
                both.wait(20)
                vol.mknod(str(uid))
                both.wait(20)

        with ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(made, 1000), pool.submit(made, 1001)]:
                done.result()
            with vol.identity(1002, 1002):
                pool.submit(vol.mknod, "other-thread").result()
                pool.submit(copy_context().run, vol.mknod, "same-context").result()
        names = ["1000", "1001", "other-thread", "same-context"]
        assert [vol.stat(name).st_uid for name in names] == [1000, 1001, os.geteuid(), 1002]
        for name in names:
            vol.unlink(name)


def test_each_session_has_its_own(volume: Any, brick: BrickProcess) -> None:
    with connect_face("threads", brick.url) as other, volume.identity(1000, 1000):
        other.mknod("other")
        volume.mknod("mine")
        assert (owner(other, "other")[0], owner(other, "mine")[0]) == (os.geteuid(), 1000)


@pytest.mark.parametrize("face", FACES)
def test_a_closed_session_is_let_go_of_without_the_collector(
    face: str, brick: BrickProcess
) -> None:
    gc.collect()
    gc.disable()
    try:
        with connect_face(face, brick.url) as volume:
            with volume.identity(1000), volume.identity(1001), volume.deadline(20):
                volume.stat("/")
            core = weakref.ref(volume._session.core)
        del volume
        assert core() is None
    finally:
        gc.enable()


# -- who locks ----------------------------------------------------------------------------------------


def test_locks_are_their_owners(volume: Any) -> None:
    flags = os.O_RDWR | os.O_CREAT
    with volume.open_handle("f", flags) as one, volume.open_handle("f", flags) as two:
        with volume.lock_owner(b"somebody"):
            lock = one.lock(10)
            lock.acquire()
            again = two.lock(10)
            again.acquire()  # the same owner's
            assert one.lock_holder() is None
        assert two.lock_holder() is not None
        with volume.lock_owner(b"another"), pytest.raises(BlockingIOError):
            one.lockf(os.F_TLOCK, 10)
        with pytest.raises(BlockingIOError):
            one.lockf(os.F_TLOCK, 10)
        again.release()  # whose it is, is known; and with it the owner's lock is gone
        assert one.lock_holder() is None
        lock.release()


def test_closing_drops_the_locks_of_all_owners(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as other:
        file = volume.open_handle("f", os.O_RDWR)
        for name in (b"a", b"b"):
            with volume.lock_owner(name):
                file.lockf(os.F_TLOCK, 10, 10 * name[0])
        assert other.lock_holder() is not None
        file.close()
        other.lockf(os.F_LOCK, 0)


@pytest.mark.parametrize("name", [b"", b"x" * 92])
def test_names_that_no_owner_can_have(volume: Any, name: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 91 bytes"):
        volume.lock_owner(name)


# -- until when ---------------------------------------------------------------------------------------


def late(function: Any, *args: Any) -> None:
    """Have a call not end in time."""
    with pytest.raises(TimeoutError) as raised:
        function(*args)
    assert raised.value.errno == errno.ETIMEDOUT


@pytest.mark.parametrize("face", FACES)
def test_what_is_late_is_given_up(face: str, url: str, tap: Tap, brick: BrickProcess) -> None:
    with connect_face(face, url) as volume:
        volume.open_handle("f", os.O_CREAT | os.O_RDWR).close()
        session = volume._session.core.session
        tap.hold(Fop.LOOKUP, Fop.OPEN, Fop.CREATE)
        for call in (
            lambda: volume.stat("f"),
            lambda: volume.open_handle("f"),
            lambda: volume.open_handle("g", os.O_CREAT | os.O_RDWR),
        ):
            began = time.monotonic()
            with volume.deadline(SOON):
                late(call)
                late(volume.statvfs)  # not even begun
            assert SOON <= time.monotonic() - began < 5
            assert session.calls_under_way() == []
            assert violations(session) == []
        tap.let_go()
        assert volume.statvfs("/").f_namemax == 255
        report = volume.close()
        assert report.defects == []
        brick.wait_for(fds=0, pending=0)
    with connect_face(face, brick.url) as volume:
        uproot(volume)


def test_closing_and_unlocking_are_begun_however_late_it_is(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as other:
        with volume.deadline(20):
            file = volume.open_handle("f", os.O_RDWR)
            lock = file.lock(10)
            lock.acquire()
            with volume.deadline(0):
                with pytest.raises(TimeoutError):
                    lock.release()  # nobody waits for it, but it has begun
                late(file.fstat)
                file.close()
        assert file.closed
        other.lockf(os.F_LOCK, 10)


def test_the_sooner_of_two_counts(volume: Any) -> None:
    with volume.deadline(0), volume.deadline(20):
        late(volume.stat, "/")
    with volume.deadline(20):
        assert volume.stat("/")
        with volume.deadline(0):
            late(volume.mkdir, "d")
        volume.mkdir("d")
    assert volume.listdir("/") == ["d"]


def test_a_lock_that_is_not_had_in_time(volume: Any) -> None:
    """It leaves nothing on the brick; the lock's own time-out stays its own."""
    flags = os.O_RDWR | os.O_CREAT
    with volume.open_handle("f", flags) as one, volume.open_handle("f", flags) as two:
        with one.lock(10):
            with volume.deadline(SOON):
                late(two.lock(10).acquire)
            with volume.deadline(20), pytest.raises(TimeoutError) as raised:
                two.lock(10, timeout=SOON).acquire()
            assert raised.value.errno is None
        one.lockf(os.F_LOCK, 10)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_no_deadline(volume: Any, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        volume.deadline(seconds)
