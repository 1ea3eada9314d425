"""A brick that is away: who waits for it, who gives up, who forks, and on which port it comes back."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import aio
from tests.api import away, test_fork_exit
from tests.api.away import CREATING, Place, counts, lost, until
from tests.api.drivers import Driver
from tests.embedded import start_brick

run = test_fork_exit.run
shared, place = away.shared, away.place


def test_a_brick_that_comes_back_on_another_port(driver: Driver, tmp_path: Path) -> None:
    """The management daemon is asked anew where it is: the daemon's port alone is known."""
    brick = start_brick(tmp_path)
    try:
        vol = driver.connect(brick.url)
        file = driver.do(vol.open_handle, "f", CREATING)
        driver.do(file.pwrite, b"content", 0)
        driver.do(file.fsync)  # else it might be under way
        brick.kill()
        until(lambda: lost(vol))
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", brick.brick_port))
            again = start_brick(tmp_path, "vol", "--port", str(brick.port))
        try:
            assert again.brick_port != brick.brick_port
            assert driver.do(file.pread, 10, 0) == b"content"
            assert driver.do(vol.close).graceful
            again.wait_for(fds=0)
        finally:
            again.kill()
    finally:
        brick.kill()


def test_who_gives_up_leaves_nothing(driver: Driver, place: Place) -> None:
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "there", CREATING)
    place.part()
    until(lambda: lost(vol))
    calls: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "an open": (vol.open_handle, ("new", CREATING)),
        "a lock": (file.lockf, (os.F_LOCK,)),
        "a read": (file.pread, (1, 0)),
        "a mkdir": (vol.mkdir, ("made",)),
    }

    def soon(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        with vol.deadline(0.05):
            return function(*args)

    async def soon_too(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        with vol.deadline(0.05):
            return await function(*args)

    for what, (function, args) in calls.items():
        with pytest.raises(TimeoutError):
            driver.do(soon if driver.name == "threads" else soon_too, function, args)
        assert not vol._session.core.session.calls, what
    place.meet_again()
    until(lambda: not lost(vol))
    assert sorted(driver.do(vol.listdir, "/")) == ["there"]
    place.brick.wait_for(fds=1, locks=0, pending=0)
    assert driver.do(vol.close).graceful


def test_a_task_that_is_cancelled_leaves_nothing(place: Place) -> None:
    async def attempt() -> None:
        async with aio.connect(place.url) as vol:
            file = await vol.open_handle("there", CREATING)
            await asyncio.to_thread(place.part)
            while not lost(vol):
                await asyncio.sleep(0)
            tasks = [
                asyncio.ensure_future(each)
                for each in (
                    vol.open_handle("new", CREATING),
                    file.lockf(os.F_LOCK),
                    file.pwrite(b"x", 0),
                )
            ]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in told), told
            assert not vol._session.core.session.calls
            await asyncio.to_thread(place.meet_again)
            while lost(vol):
                await asyncio.sleep(0.005)
            assert await vol.listdir("/") == ["there"]
            await asyncio.to_thread(place.brick.wait_for, fds=1, locks=0, pending=0)

    asyncio.run(attempt())


def test_many_wait_at_once(driver: Driver, place: Place) -> None:
    (place.directory / "f").write_bytes(b"0123456789")
    vol = driver.connect(place.url)
    file = driver.do(vol.open_handle, "f", CREATING)
    for round_ in range(3):
        place.part()
        waiting = [driver.start(file.pread, 1, number) for number in range(10)]
        until(lambda: lost(vol))
        waiting += [driver.start(file.pread, 1, number) for number in range(10)]
        place.meet_again()
        assert [each.result(20) for each in waiting] == [b"%d" % n for n in range(10)] * 2
        assert counts(vol)["reconnects"] == round_ + 1
    assert driver.do(vol.close).graceful


@pytest.mark.parametrize("face", ["threads", "asyncio"])
def test_a_fork_while_the_brick_is_away(
    place: Place, run: Callable[..., test_fork_exit.Program], face: str
) -> None:
    """The child's session is dead and connects to nothing; the parent's comes back."""
    (place.directory / "f").write_bytes(b"content")
    program = run(
        f"""
        def client(vol):
            return vol._session.core.graph.leaves[0]

        def fork_with(vol, file):
            told, tell = os.pipe()
            def child():
                os.close(tell)
                assert os.read(told, 1) == b"!"  # by now the parent has reconnected
                assert client(vol).counts()["up"] == client(vol).counts()["reconnects"] == 0
                if {face == "threads"}:
                    refused(vol.stat, "/")
                    refused(file.pread, 1, 0)
                    refused(vol.close)
            pid = in_child(child)
            os.close(told)
            return pid, tell

        def end(pid, tell):
            os.write(tell, b"!")
            os.close(tell)
            ended_well(pid)

        def threads():
            with glusterio.connect(url) as vol:
                file = vol.open_handle("f")
                say("open")
                while client(vol).counts()["up"]:
                    time.sleep(0.01)
                pid, tell = fork_with(vol, file)
                say("forked")
                assert file.pread(10, 0) == b"content"
                say("back")
                end(pid, tell)

        async def loop():
            async with aio.connect(url) as vol:
                file = await vol.open_handle("f")
                say("open")
                while client(vol).counts()["up"]:
                    await asyncio.sleep(0.01)
                pid, tell = fork_with(vol, file)
                say("forked")
                assert await file.pread(10, 0) == b"content"
                say("back")
                end(pid, tell)

        threads() if {face == "threads"} else asyncio.run(loop())
        """,
        place.url,
    )
    program.hears("open")
    place.part()
    program.hears("forked")
    place.meet_again()
    program.hears("back")
    assert place.tap.live == 1, "the child has connected, too"
    program.ends()
    place.brick.wait_for(fds=0)


def test_a_closed_session_is_freed_though_it_had_reconnected(place: Place) -> None:
    (place.directory / "f").write_bytes(b"content")

    def on_threads() -> list[weakref.ref[Any]]:
        with glusterio.connect(place.url) as vol:
            file = vol.open_handle("f")
            for _ in range(2):
                place.tap.cut()
                assert file.pread(10, 0) == b"content"
            return parts(vol)

    async def on_asyncio() -> list[weakref.ref[Any]]:
        async with aio.connect(place.url) as vol:
            file = await vol.open_handle("f")
            for _ in range(2):
                await asyncio.to_thread(place.tap.cut)
                assert await file.pread(10, 0) == b"content"
            return parts(vol)

    for found in (on_threads(), asyncio.run(on_asyncio())):
        gc.collect()
        left = [each() for each in found if each() is not None]
        assert not left, [gc.get_referrers(each) for each in left]


def parts(vol: Any) -> list[weakref.ref[Any]]:
    core = vol._session.core
    client = core.graph.leaves[0]
    assert client.counts()["reconnects"] == 2
    return [weakref.ref(each) for each in (vol, core, core.graph, client, client._reconnector)]
