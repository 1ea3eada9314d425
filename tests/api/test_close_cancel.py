"""asyncio: a cancellation at any await strands nothing, here or on the brick."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from glusterio import SessionClosedError, aio
from glusterio.lifecycle.trace import TraceRecord
from glusterio.wire.programs import Fop
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess

CREATING = os.O_RDWR | os.O_CREAT


async def held(tap: Tap, count: int = 1) -> None:
    await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) >= count)


async def cancelled_after(turns: int, work: Awaitable[Any]) -> Any:
    """Start something, cancel it after so many turns of the loop; return its result or None."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


@pytest.mark.parametrize("what", ["create", "open", "listing", "stream"])
def test_an_open_cancelled_after_any_number_of_turns(
    brick: BrickProcess, tap: Tap, url: str, what: str
) -> None:
    async def attempts() -> None:
        watch = Watch()
        async with aio.connect(url, trace=watch) as vol:
            await vol.mkdir("/cancel") if not await vol.exists("/cancel") else None
            await (await vol.open_handle("/cancel/there", CREATING)).close()
            results = 0
            turns = 0
            kept: list[Any] = []
            while results < 3 and turns < 400:
                work: Awaitable[Any]
                if what == "create":
                    work = vol.open_handle(f"/cancel/{what}-{turns}", CREATING | os.O_EXCL)
                elif what == "open":
                    work = vol.open_handle("/cancel/there")
                elif what == "listing":
                    listing = vol.scandir("/cancel")
                    kept.append(listing)
                    work = listing.__anext__()
                else:
                    work = vol.open("/cancel/there", "w")
                opened = await cancelled_after(turns, work)
                if opened is not None:
                    results += 1
                    kept.append(opened)
                turns += 1
            assert turns > 3
            for one in kept:
                if hasattr(one, "close"):
                    await one.close()
            # Late replies are awaited by nobody here: only the session's own word tells.
            await asyncio.to_thread(
                watch.wait_for,
                lambda: (
                    not watch.records[-1].handles
                    and watch.count("RESERVE")
                    == watch.count("RELEASED") + watch.count("REFUSED") + watch.count("DROP")
                ),
            )
            assert brick.dump()["fds"] == 0
            assert tap.released() == tap.opened()
        for name in await asyncio.to_thread(os.listdir, brick.directory / "cancel"):
            os.unlink(brick.directory / "cancel" / name)

    asyncio.run(attempts())


@pytest.mark.parametrize("at", ["at once", "in the same turn"])
def test_an_open_cancelled_as_its_answer_comes(
    brick: BrickProcess, tap: Tap, url: str, at: str
) -> None:
    """The file is open, and its caller is not there any more to take it: it is closed again."""

    async def attempt() -> None:
        loop = asyncio.get_running_loop()
        watch = Watch()

        def cancel_then(record: TraceRecord) -> None:
            watch(record)
            if record.event == "OPENED":
                if at == "at once":
                    task.cancel()
                else:
                    loop.call_soon(task.cancel)

        async with aio.connect(url, trace=cancel_then) as vol:
            task = asyncio.ensure_future(vol.open_handle("/same-turn", CREATING))
            with pytest.raises(asyncio.CancelledError):
                await task
            while watch.count("RELEASED") < 1:
                await asyncio.sleep(0.001)
            assert brick.dump()["fds"] == 0
        assert tap.released() == tap.opened()

    asyncio.run(asyncio.wait_for(attempt(), 10.0))


@pytest.mark.parametrize("held_back", [Fop.CREATE, Fop.LOOKUP])
def test_an_open_cancelled_while_the_brick_is_at_it(
    brick: BrickProcess, tap: Tap, url: str, held_back: Fop
) -> None:
    async def attempt() -> None:
        watch = Watch()
        async with aio.connect(url, trace=watch) as vol:
            if held_back is Fop.LOOKUP:  # names are looked up first once one was there already
                await (await vol.open_handle("/other", CREATING)).close()
            other = await vol.open_handle("/other", CREATING)
            before = tap.released()
            tap.hold(held_back)
            task = asyncio.ensure_future(vol.open_handle(f"/at-it-{time.time_ns()}", CREATING))
            await held(tap)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await other.fstat()  # the brick would have had a RELEASE before this
            assert tap.released() == before
            tap.let_go()
            if held_back is Fop.CREATE:
                await asyncio.to_thread(watch.wait, "RELEASED")
                assert watch.events("handle")[3:] == [
                    "RESERVE", "SEND", "ABANDON", "OPENED", "RELEASED",
                ]  # fmt: skip
            await vol.stat("/")
            assert brick.dump()["fds"] == 1
            await other.close()
        assert tap.released() == tap.opened()

    asyncio.run(attempt())


@pytest.mark.parametrize("size", [1000, 400_000])
def test_a_cancelled_read_writes_nothing_to_its_buffer(
    brick: BrickProcess, tap: Tap, url: str, size: int
) -> None:
    (brick.directory / "read-into").write_bytes(b"x" * size)

    async def attempt() -> None:
        async with aio.connect(url) as vol:
            file = await vol.open_handle("/read-into")
            buffer = bytearray(size)
            tap.hold(Fop.READ)
            reading = asyncio.ensure_future(file.read_into(buffer, 0))
            await held(tap)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            tap.let_go()
            assert await file.pread(10, 0) == b"x" * 10  # behind the reply that nobody wanted
            assert not any(buffer)
            await file.close()

    asyncio.run(attempt())


def test_a_read_cancelled_half_way_into_its_buffer(brick: BrickProcess, tap: Tap, url: str) -> None:
    """The beginning is there already; what comes later goes elsewhere, and the stream goes on."""
    size = 4_000_000
    (brick.directory / "half-way").write_bytes(b"x" * size)

    async def attempt() -> None:
        async with aio.connect(url) as vol:
            file = await vol.open_handle("/half-way")
            for goal in (1, size // 4, size // 2):
                buffer = bytearray(size)
                task = asyncio.ensure_future(file.read_into(buffer, 0))
                while not (task.done() or buffer[goal]):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    written = buffer.count(b"x")
                    assert await file.pread(100, 5) == b"x" * 100
                    assert buffer.count(b"x") == written
            await file.close()

    asyncio.run(attempt())


def test_a_cancelled_write_leaves_its_buffer_alone(brick: BrickProcess, tap: Tap, url: str) -> None:
    """What has partly left goes on as it was, whatever its owner does to the buffer since."""
    size = 3_000_000

    async def attempt() -> None:
        async with aio.connect(url) as vol:
            file = await vol.open_handle("/write", CREATING | os.O_TRUNC)
            tap.pause()  # the sockets fill up with the first part of it
            buffer = bytearray(b"a" * size)
            writing = asyncio.ensure_future(file.pwrite(buffer, 0))
            for _ in range(20):
                await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            buffer[:] = b"b" * size
            tap.resume()
            found = await file.pread(size, 0)
            assert found == b"a" * len(found)  # a brick may be in the middle of the write
            assert await file.pwrite(b"c", size) == 1
            await file.close()

    asyncio.run(attempt())
    brick.wait_for(fds=0, pending=0)
    found = (brick.directory / "write").read_bytes()
    assert found in (b"a" * size + b"c", bytes(size) + b"c")


def test_hundreds_in_flight_each_gets_its_own(brick: BrickProcess, tap: Tap, url: str) -> None:
    async def attempt() -> None:
        async with aio.connect(url) as vol:
            file = await vol.open_handle("/hundreds", CREATING)
            await asyncio.gather(*(file.pwrite(b"%08d" % n, 8 * n) for n in range(500)))
            tap.reorder(7)
            tasks = [asyncio.ensure_future(file.pread(8, 8 * n)) for n in range(500)]
            for task in tasks[::3]:
                task.cancel()
            await asyncio.sleep(0)
            for task in tasks[1::3]:
                task.cancel()  # these have been sent
            tap.heal()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            for n, result in enumerate(found):
                if n % 3 == 2:
                    assert result == b"%08d" % n
                else:
                    assert isinstance(result, asyncio.CancelledError)
            await file.close()
        assert not tap.overtaken()

    asyncio.run(attempt())
    brick.wait_for(fds=0)


@pytest.mark.parametrize("held_back", [Fop.READ, Fop.RELEASE])
def test_a_cancelled_close_hurries_and_completes(
    brick: BrickProcess, tap: Tap, url: str, held_back: Fop
) -> None:
    """Cancelled in the settling (a call does not end), or in the drain (a brick does not answer)."""

    async def attempt() -> None:
        watch = Watch()
        vol = await aio.connect(url, trace=watch)
        file = await vol.open_handle("/hurry", CREATING)
        tap.hold(held_back)
        reading = asyncio.ensure_future(file.pread(1, 0))
        closing = asyncio.ensure_future(vol.close(timeout=60.0, grace=50.0))
        await held(tap)
        began = time.monotonic()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert time.monotonic() - began < 2.5
        report = await vol.close()
        assert watch.events("session")[-1] == "ENDED"
        assert not report.defects
        assert not report.graceful
        if held_back is Fop.READ:
            with pytest.raises(SessionClosedError):
                await reading
            assert report.calls_cancelled == ["pread"]
        else:
            await reading
            assert report.errors
        assert file.closed

    asyncio.run(attempt())
    brick.wait_for(fds=0)


def test_a_close_cancelled_at_any_turn_completes(brick: BrickProcess) -> None:
    async def attempt(turns: int) -> bool:
        vol = await aio.connect(brick.url)
        files = [await vol.open_handle(f"/turn-{n}", CREATING) for n in range(3)]
        closing = asyncio.ensure_future(vol.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        done = closing.done()
        closing.cancel()
        try:
            await closing
        except asyncio.CancelledError:
            assert not done
        assert vol.closed
        assert all(file.closed for file in files)
        report = await vol.close()
        assert not report.defects
        assert report.handles_drained == 3
        return done

    async def attempts() -> None:
        turns = 1  # before its first turn a task has not called anything yet
        while not await attempt(turns):
            turns += 1
        assert turns > 2

    asyncio.run(attempts())
    brick.wait_for(fds=0)


def test_the_end_of_the_loop_does_not_cut_a_close_short(
    brick: BrickProcess, tap: Tap, url: str
) -> None:
    """asyncio.run cancels every task that is left, the ending's own included."""
    seen: dict[str, Any] = {}

    async def leave() -> None:
        watch = seen["watch"] = Watch()
        vol = await aio.connect(url, trace=watch)
        seen["file"] = await vol.open_handle("/cut-short", CREATING)
        tap.hold(Fop.RELEASE)
        seen["task"] = asyncio.ensure_future(vol.close(timeout=30.0))
        seen["vol"] = vol
        await held(tap)

    asyncio.run(leave())
    assert seen["watch"].events("session")[-1] == "ENDED"
    assert seen["file"].closed
    brick.wait_for(fds=0)


def test_many_tasks_wait_for_one_close(brick: BrickProcess, tap: Tap, url: str) -> None:
    async def attempt() -> None:
        vol = await aio.connect(url)
        file = await vol.open_handle("/many", CREATING)
        tap.hold(Fop.RELEASE)
        closings = [asyncio.ensure_future(vol.close()) for _ in range(10)]
        await held(tap)
        tap.let_go()
        reports = await asyncio.gather(*closings)
        assert len({id(report) for report in reports}) == 1
        assert file.closed

    asyncio.run(attempt())
