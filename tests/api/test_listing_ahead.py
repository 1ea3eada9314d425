"""A listing's next batch is on its way while one is looked at: one, in time, and in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio import ConnectionLostError, HandleStaleError, aio
from glusterio.api import directory
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.embedded import BrickProcess

MANY = 2200  #: names, which are more than three batches


@pytest.fixture(scope="module")
def crowd(brick: BrickProcess) -> Path:
    """A directory with many names, put on the brick behind its back."""
    made = brick.directory / "crowd"
    made.mkdir()
    for number in range(MANY):
        (made / f"{number}").touch()
    return made


@pytest.fixture(autouse=True)
def nothing_is_left(brick: BrickProcess) -> Iterator[None]:
    yield
    brick.wait_for(fds=0, pending=0)


def begun(driver: Driver, volume: Any) -> tuple[Any, list[Any]]:
    """A listing of which one entry was taken; and that entry."""
    entries = volume.scandir("crowd")
    return entries, [following(driver, entries)]


def following(driver: Driver, entries: Any) -> Any:
    return driver.do(entries.__next__ if driver.name == "threads" else entries.__anext__)


def with_one_held(driver: Driver, tap: Tap, volume: Any) -> tuple[Any, list[Any]]:
    """A listing of which one entry was taken; the tap has the answer with the second batch."""
    tap.hold(Fop.READDIRP)
    entries = volume.scandir("crowd")
    first = driver.start(entries.__next__ if driver.name == "threads" else entries.__anext__)
    tap.wait_for(lambda: len(tap.kept) == 1)
    tap.let_go(Fop.READDIRP)
    found = [first.result(PATIENCE)]
    tap.wait_for(lambda: len(tap.kept) == 1)
    return entries, found


def both_came(tap: Tap) -> None:
    """Wait until the first batch and that behind it have passed the tap."""
    tap.wait_for(lambda: sum(seen[:2] == ("reply", Fop.READDIRP) for seen in list(tap.log)) == 2)


def until_it_fails(driver: Driver, function: Any, *args: Any) -> None:
    while True:
        driver.do(function, *args)


def take_all(driver: Driver, entries: Any, into: list[Any]) -> None:
    """Take one entry after another, up to the error, as at the end."""
    while True:
        into.append(following(driver, entries))


def rest(driver: Driver, entries: Any) -> list[Any]:
    if driver.name == "threads":
        return list(entries)

    async def taken() -> list[Any]:
        return [entry async for entry in entries]

    found: list[Any] = driver.do(taken)
    return found


def test_the_next_batch_is_asked_for_and_none_behind_it(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    volume = driver.connect(url)
    entries, found = begun(driver, volume)
    tap.wait_for_calls(2, Fop.READDIRP)
    both_came(tap)
    driver.do(driver.connect(url).statvfs, "/")
    assert tap.calls(Fop.READDIRP) == 2
    found += rest(driver, entries)
    assert sorted(entry.name for entry in found) == sorted(os.listdir(crowd))
    calls = tap.calls(Fop.READDIRP)
    tap.log.clear()
    assert len(driver.do(volume.listdir, "crowd")) == MANY
    assert tap.calls(Fop.READDIRP) == calls, "none is asked for twice, nor behind the last"


def test_a_small_directory_takes_one_request(
    driver: Driver, tap: Tap, url: str, brick: BrickProcess
) -> None:
    (brick.directory / "small").mkdir(exist_ok=True)
    (brick.directory / "small" / "f").touch()
    volume = driver.connect(url)
    assert driver.do(volume.listdir, "small") == ["f"]
    driver.do(volume.statvfs, "/")
    assert tap.calls(Fop.READDIRP) == 1


def test_a_directory_is_not_released_while_a_batch_is_on_its_way(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    volume = driver.connect(url)
    entries, _ = with_one_held(driver, tap, volume)
    driver.do(entries.close)
    driver.do(volume.statvfs, "/")
    assert tap.calls(Fop.RELEASEDIR) == 0
    assert rest(driver, entries) == []
    tap.let_go()
    tap.wait_for_calls(1, Fop.RELEASEDIR)
    assert tap.overtaken() == []
    assert driver.do(volume.close).graceful


def test_nor_while_a_batch_waits_for_deferred_writes(
    driver: Driver,
    own_brick: BrickProcess,
    through: Callable[..., str],
    stack: contextlib.ExitStack,
) -> None:
    """It is not even sent when the listing is closed: else it would name an fd that is released."""
    (own_brick.directory / "crowd").mkdir()
    for number in range(600):
        (own_brick.directory / "crowd" / f"{number}").touch()
    tap = stack.enter_context(Tap(("127.0.0.1", own_brick.brick_port)))
    volume = driver.connect(
        through(own_brick, tap.port), options={"performance.write-behind": "on"}
    )
    file = driver.do(volume.open_handle, "f", os.O_CREAT | os.O_WRONLY)
    tap.hold(Fop.READDIRP)
    entries = volume.scandir("crowd")
    first = driver.start(entries.__next__ if driver.name == "threads" else entries.__anext__)
    tap.wait_for(lambda: len(tap.kept) == 1)
    os.kill(own_brick.pid, signal.SIGSTOP)
    try:
        driver.do(file.pwrite, b"deferred", 0)
        tap.let_go()
        first.result(PATIENCE)
        driver.do(entries.close)
    finally:
        os.kill(own_brick.pid, signal.SIGCONT)
    tap.wait_for_calls(1, Fop.RELEASEDIR)
    assert tap.calls(Fop.READDIRP) == 2
    assert tap.overtaken() == []
    driver.do(file.close)
    assert driver.do(volume.close).graceful


def test_a_session_ends_in_time_though_a_batch_never_comes(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    volume = driver.connect(url)
    entries, _ = with_one_held(driver, tap, volume)
    report = driver.do(volume.close, timeout=0.3, grace=0.0)
    assert [handle.path for handle in report.handles] == ["crowd"]
    tap.let_go()
    driver.do(entries.close)


def test_an_error_is_told_when_the_batch_is_wanted(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    volume = driver.connect(url, reconnect=False)
    entries, found = with_one_held(driver, tap, volume)
    tap.cut()
    with pytest.raises(ConnectionLostError):
        until_it_fails(driver, volume.statvfs, "/")
    with pytest.raises(HandleStaleError):
        take_all(driver, entries, found)
    assert len(found) > 300, "the first batch was told to its end"
    driver.do(entries.close)


def test_what_was_read_ahead_long_ago_is_not_told(
    driver: Driver, tap: Tap, url: str, crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "TIMEOUT", 0.0)
    for path in crowd.iterdir():
        path.chmod(0o640)
    volume = driver.connect(url)
    entries, found = begun(driver, volume)
    both_came(tap)
    for path in crowd.iterdir():
        path.chmod(0o604)
    found += rest(driver, entries)
    assert len(found) == len({entry.name for entry in found}) == MANY
    assert driver.do(found[-1].stat).st_mode & 0o777 == 0o604
    changed = [entry for entry in found if entry._batch.listing.mode(entry._place) & 0o777 == 0o604]
    assert len(changed) > MANY - 700, "all but the first batch"


def test_ones_own_changes_are_told_as_if_nothing_were_read_ahead(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    for path in crowd.iterdir():
        path.chmod(0o640)
    volume = driver.connect(url)
    entries, found = begun(driver, volume)
    both_came(tap)
    changed = set(os.listdir(crowd)[::20])
    for name in changed:
        driver.do(volume.chmod, f"crowd/{name}", 0o604)
    found += rest(driver, entries)
    assert len(found) == len({entry.name for entry in found}) == MANY
    later = [entry for entry in found if entry._batch is not found[0]._batch]
    assert later[0]._batch is later[300]._batch
    shown = {driver.do(entry.stat).st_mode & 0o777 for entry in later if entry.name in changed}
    assert shown == {0o604}


def test_a_change_under_way_may_concern_the_next_batch(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    volume = driver.connect(url)
    tap.hold(Fop.SETATTR)
    changing = driver.start(volume.chmod, "crowd/1", 0o600)
    tap.wait_for_calls(1, Fop.SETATTR)
    entries, _ = begun(driver, volume)
    driver.do(driver.connect(url).statvfs, "/")
    assert tap.calls(Fop.READDIRP) == 1
    tap.let_go()
    changing.result(PATIENCE)
    driver.do(entries.close)


def test_for_one_who_does_something_with_each_nothing_is_read_ahead(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    volume = driver.connect(url)
    driver.do(volume.listdir, "crowd")
    batches = tap.calls(Fop.READDIRP)
    tap.log.clear()
    entries, found = begun(driver, volume)
    for number in range(1, MANY):
        if number % 100 == 1:
            driver.do(volume.stat, "crowd")
        found.append(following(driver, entries))
    driver.do(entries.close)
    assert len({entry.name for entry in found}) == MANY
    assert tap.calls(Fop.READDIRP) == batches + 1


def test_a_caller_who_gives_up_loses_nothing(tap: Tap, url: str, crowd: Path) -> None:
    async def main() -> None:
        async with await aio.connect(url) as volume:
            entries = volume.scandir("crowd")
            tap.hold(Fop.READDIRP)
            first = asyncio.ensure_future(entries.__anext__())
            await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) == 1)
            tap.let_go(Fop.READDIRP)
            found = [(await first).name]
            batch = len([None for _ in entries._entries])  # the rest of it, left out
            waiting = asyncio.ensure_future(entries.__anext__())
            await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            calls = tap.calls(Fop.READDIRP)
            tap.let_go()
            found += [entry.name async for entry in entries]
            assert len(found) == len(set(found)) == MANY - batch
            assert calls == 2
            assert (await volume.close()).graceful

    asyncio.run(main())


def test_its_attributes_are_kept_by_none_who_knows_better(
    driver: Driver, tap: Tap, url: str, crowd: Path
) -> None:
    """What changed since the batch was asked for is not told from it later."""
    volume = driver.connect(url, options={"performance.stat-prefetch": "on"})
    entries, found = begun(driver, volume)
    both_came(tap)
    names = sorted(os.listdir(crowd))
    for name in names[::100]:
        driver.do(volume.chmod, f"crowd/{name}", 0o611)
    found += rest(driver, entries)
    modes = [driver.do(volume.stat, f"crowd/{name}").st_mode & 0o777 for name in names[::100]]
    assert set(modes) == {0o611}
    assert len(found) == MANY
