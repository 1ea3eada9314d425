"""Calls that are made of many requests: how many there are, how many at once, and what a cut leaves."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import SessionClosedError, aio
from glusterio.api.in_flight import IN_FLIGHT, InFlight
from glusterio.traps import Event, Wait
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.api.test_close_cancel import cancelled_after
from tests.api.watch import Watch
from tests.embedded import BrickProcess
from tests.runtime.peer import RUNNERS, Call, Peer, Runner

# -- the primitive ----------------------------------------------------------------------------------


@pytest.fixture
def peer() -> Any:
    made = Peer()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=sorted(RUNNERS))
def runner(request: pytest.FixtureRequest, peer: Peer) -> Any:
    made = RUNNERS[request.param]()
    try:
        yield made
    finally:
        made.close()


class Count:
    """How many are inside, and the most there ever were."""

    def __init__(self) -> None:
        self.now = self.most = self.ever = 0

    async def inside(self, until: Event) -> None:
        self.now += 1
        self.ever += 1
        self.most = max(self.most, self.now)
        try:
            await Wait(until)
        finally:
            self.now -= 1


def test_never_more_than_the_limit_and_as_many_as_can_be(runner: Runner) -> None:
    count = Count()
    events = [Event() for _ in range(10)]

    async def job(number: int) -> None:
        if number == 2:  # the last of the first three lets those before go, and so on
            for event in events:
                event.set()
        await count.inside(events[number])

    jobs = InFlight(Event, 3)
    runner.run(jobs.run((job, (number,)) for number in range(10)))
    assert (count.most, count.ever, count.now) == (3, 10, 0)


def test_jobs_add_jobs_and_those_that_wait_for_one_are_woken(runner: Runner) -> None:
    done: list[str] = []

    async def tree(name: str, depth: int) -> None:
        await Wait(Event(), 0.0)
        done.append(name)
        for letter in "ab" if depth else "":
            jobs.add(tree, name + letter, depth - 1)

    jobs = InFlight(Event, 5)
    jobs.add(tree, "", 4)
    runner.run(jobs.run())
    assert len(done) == 31
    assert len(set(done)) == 31


def test_a_worker_that_waits_for_jobs_is_woken_by_one(runner: Runner) -> None:
    """One job is under way, the other workers have nothing to do; then there is something."""
    count = Count()
    three_inside, let_go = Event(), Event()

    async def inside() -> None:
        if count.now == 2:
            three_inside.set()
        await count.inside(let_go)

    async def adds() -> None:
        await Wait(Event(), 0.01)  # the other workers have found nothing
        for _ in range(3):
            jobs.add(inside)
        assert await Wait(three_inside, PATIENCE)  # they run while this one goes on
        let_go.set()

    jobs = InFlight(Event, 5)
    jobs.add(adds)
    runner.run(jobs.run())
    assert (count.most, count.ever) == (3, 3)


def test_the_first_error_ends_it_once_those_under_way_have_ended(runner: Runner) -> None:
    ended: list[int] = []
    let_go = Event()

    async def job(number: int) -> None:
        if number == 1:
            let_go.set()
            raise ValueError("the first")
        await Wait(let_go)
        ended.append(number)

    jobs = InFlight(Event, 2)
    with pytest.raises(ValueError, match="the first"):
        runner.run(jobs.run((job, (number,)) for number in range(100)))
    assert ended == [0]


def test_an_error_wakes_the_workers_that_wait_for_jobs(runner: Runner) -> None:
    class Interrupt(BaseException):
        pass

    for error in (ValueError("of a job"), Interrupt()):

        async def job(error: BaseException = error) -> None:
            await Wait(Event(), 0.0)
            raise error

        jobs = InFlight(Event, 4)
        jobs.add(job)
        with pytest.raises(type(error)):
            runner.run(jobs.run())


def test_cancelled_every_job_is_told_and_it_ends_when_all_have(runner: Runner, peer: Peer) -> None:
    class Stop(Exception):
        pass

    count = Count()
    begun = Event()

    async def job(number: int) -> None:
        if number == 3:
            begun.set()
        await count.inside(Event())

    async def all_of_them() -> None:
        await jobs.run((job, (number,)) for number in range(100))

    jobs = InFlight(Event, 4)
    call = Call()
    future = runner.start(all_of_them(), call)
    runner.run(_wait_for(begun))
    assert call.fiber is not None
    runner.call(call.fiber.cancel, Stop("enough"))
    with pytest.raises(Stop):
        future.result(PATIENCE)
    assert (count.ever, count.now) == (4, 0)


async def _wait_for(event: Event) -> None:
    assert await Wait(event, PATIENCE)


# -- on the wire ------------------------------------------------------------------------------------


def most_at_once(tap: Tap) -> int:
    """The most requests that were unanswered at one time, as the tap saw them."""
    under_way = most = 0
    for seen in list(tap.log):
        under_way += 1 if seen.kind == "call" else -1
        most = max(most, under_way)
    return most


def asked(tap: Tap) -> Counter[str]:
    """The requests that passed, less those that let go of something."""
    return Counter(
        seen.fop.name
        for seen in list(tap.log)
        if seen.kind == "call" and seen.fop not in (Fop.RELEASE, Fop.RELEASEDIR)
    )


def make_files(brick: BrickProcess, name: str, count: int, size: int = 10) -> Path:
    """Make a directory with files on the brick, behind the session's back."""
    directory = brick.directory / name
    directory.mkdir()
    for number in range(count):
        (directory / f"f{number:04}").write_bytes(b"x" * size)
    return directory


def test_a_small_file_is_read_in_one_round_trip(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    (brick.directory / "small").write_bytes(b"s" * 64 * 1024)
    (brick.directory / "nothing").write_bytes(b"")
    (brick.directory / "large").write_bytes(b"l" * (64 * 1024 + 1))
    vol = driver.connect(url)
    for name, size, requests in (
        ("small", 64 * 1024, {"LOOKUP": 1}),
        ("nothing", 0, {"LOOKUP": 1}),
        ("large", 64 * 1024 + 1, {"LOOKUP": 1, "OPEN": 1, "READ": 1}),
    ):
        tap.log.clear()
        assert len(driver.do(vol.read_bytes, name)) == size
        assert asked(tap) == requests, name
    driver.do(vol.close)


def test_many_files_one_request_each_and_64_at_once(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    directory = make_files(brick, f"many-{driver.name}", 200)
    paths = [f"{directory.name}/{name}" for name in sorted(os.listdir(directory))]
    vol = driver.connect(url)
    for function in (vol.stat_many, vol.read_many, vol.exists_many):
        tap.log.clear()
        found = driver.do(function, paths)
        assert len(found) == 200
        assert asked(tap) <= Counter(LOOKUP=201), function  # and once the directory, at the most
        assert most_at_once(tap) == IN_FLIGHT
    driver.do(vol.close)


def test_64_requests_are_not_sent_one_by_one_after_those_before(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """Nothing is answered: so many are out all the same, and no more."""
    directory = make_files(brick, f"held-{driver.name}", 100)
    vol = driver.connect(url)
    driver.do(vol.exists, f"{directory.name}/f0000")
    tap.log.clear()
    tap.hold(Fop.UNLINK)
    removing = driver.start(vol.rmtree, directory.name)
    tap.wait_for(lambda: len(tap.kept) == IN_FLIGHT)
    driver.do(vol.stat, "/")  # whatever had been sent before has come by now
    assert tap.calls(Fop.UNLINK) == IN_FLIGHT
    tap.let_go()
    removing.result(PATIENCE)
    assert tap.calls(Fop.UNLINK) == 100
    assert not directory.exists()
    driver.do(vol.close)


def test_rmtree_asks_once_for_each_name(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    directory = make_files(brick, f"rmtree-{driver.name}", 150)
    vol = driver.connect(url)
    tap.log.clear()
    driver.do(vol.rmtree, directory.name)
    counts = asked(tap)
    assert counts.pop("READDIRP") <= 3
    assert counts == {"LOOKUP": 1, "OPENDIR": 1, "UNLINK": 150, "RMDIR": 1}
    assert not directory.exists()
    driver.do(vol.close)
    assert tap.released() == tap.opened()


def test_a_copy_does_not_cross_the_wire(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    directory = make_files(brick, f"copied-{driver.name}", 100, 3000)
    copy = f"{directory.name}-copy"
    vol = driver.connect(url)
    tap.log.clear()
    told: list[Any] = []
    driver.do(vol.copytree, directory.name, copy, progress=told.append)
    counts = asked(tap)
    assert counts["READ"] == counts["WRITE"] == 0
    assert sum(counts[name] for name in ("OPEN", "CREATE", "COPY_FILE_RANGE", "SETATTR")) == 401
    assert counts["LOOKUP"] < 10
    assert most_at_once(tap) >= IN_FLIGHT
    assert told[-1][:4] == (100, 100, 300_000, 300_000)
    assert [one.bytes_done for one in told] == sorted(one.bytes_done for one in told)
    assert {one.path for one in told} == {f"{directory.name}/f{n:04}" for n in range(100)}
    assert {(brick.directory / copy / name).read_bytes() for name in os.listdir(directory)} == {
        b"x" * 3000
    }
    driver.do(vol.close)
    assert tap.released() == tap.opened()


def test_where_a_brick_cannot_copy_the_data_is_read_and_written(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for = []

    def cannot(*_: object) -> int:
        asked_for.append(True)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", cannot)
    vol = driver.connect(f"embedded://{tmp_path}")
    sizes = (0, 1, (1 << 20) - 1, 1 << 20, (5 << 20) + 1, 7 << 20)
    for size in sizes:
        data = os.urandom(size)
        (tmp_path / "source").write_bytes(data)
        driver.do(vol.copyfile, "source", "target")
        assert (tmp_path / "target").read_bytes() == data
    assert len(asked_for) == len(sizes)
    driver.do(vol.close)


def test_a_copy_into_itself_has_an_end(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "f").write_bytes(b"x")
    vol = driver.connect(f"embedded://{tmp_path}")
    with pytest.raises(shutil.Error) as caught:
        driver.do(vol.copytree, "d", "d/sub/copy")
    ((source, target, _),) = caught.value.args[0]
    assert (source, target) == ("d/sub/copy", "d/sub/copy/sub/copy")
    assert (tmp_path / "d/sub/copy/sub/f").read_bytes() == b"x"
    driver.do(vol.close)


def test_a_function_that_raises_ends_a_copy(driver: Driver, tmp_path: Path) -> None:
    """Progress, what is left out, and one's own copying: nothing stays open, nothing goes on."""

    class Enough(Exception):
        pass

    def raises(*_: object) -> Any:
        raise Enough

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"x")
    vol = driver.connect(f"embedded://{tmp_path}")
    for number, how in enumerate(("progress", "ignore", "copy_function")):
        with pytest.raises(Enough):
            driver.do(vol.copytree, "d", f"copy-{number}", **{how: raises})
    report = driver.do(vol.close)
    assert report.handles == []
    assert report.graceful


def test_an_interrupt_in_the_middle_of_a_copy(brick: BrickProcess, tap: Tap, url: str) -> None:
    """Ctrl-C in a thread's own code: what is under way ends, and nothing stays open."""
    directory = make_files(brick, "interrupted", 200)
    vol = glusterio.connect(url)
    seen: list[Any] = []

    def progress(so_far: Any) -> None:
        seen.append(so_far)
        if len(seen) == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vol.copytree(directory.name, f"{directory.name}-copy", progress=progress)
    assert vol.du(directory.name).files == 200  # the session goes on
    report = vol.close()
    assert report.graceful
    assert report.handles == []
    assert tap.released() == tap.opened()
    assert len(os.listdir(brick.directory / f"{directory.name}-copy")) < 200


@pytest.mark.parametrize("topdown", [True, False])
def test_a_walk_with_open_directories_that_is_left_in_the_middle(
    driver: Driver, brick: BrickProcess, topdown: bool
) -> None:
    (brick.directory / f"left-{driver.name}-{topdown}" / "a" / "b" / "c").mkdir(parents=True)
    vol = driver.connect(brick.url)

    def leave() -> str:
        for path, _, _, _ in vol.fwalk(f"left-{driver.name}-{topdown}", topdown):
            if path.endswith("/b"):
                return str(path)
        raise AssertionError

    async def leave_async() -> str:
        walk = vol.fwalk(f"left-{driver.name}-{topdown}", topdown)
        async for path, _, _, _ in walk:
            if path.endswith("/b"):
                await walk.aclose()
                return str(path)
        raise AssertionError

    assert driver.do(leave if driver.name == "threads" else leave_async).endswith("/a/b")
    brick.wait_for(fds=0)
    report = driver.do(vol.close)
    assert report.handles == []


def test_directories_are_read_64_at_once(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    for number in range(100):
        (brick.directory / f"wide-{driver.name}" / str(number)).mkdir(parents=True)
    vol = driver.connect(url)
    tap.hold(Fop.READDIRP)
    counting = driver.start(vol.du, f"wide-{driver.name}")
    tap.wait_for(lambda: len(tap.kept) == 1)
    tap.let_go(Fop.READDIRP)
    tap.wait_for(lambda: len(tap.kept) == IN_FLIGHT)
    tap.let_go()
    assert counting.result(PATIENCE).directories == 101
    driver.do(vol.close)


# -- a cut ------------------------------------------------------------------------------------------


def plant(brick: BrickProcess, name: str) -> None:
    """A tree with a few of everything, behind the session's back."""
    for number in range(3):
        below = brick.directory / name / f"d{number}" / "below"
        below.mkdir(parents=True)
        for letter in "ab":
            (below / letter).write_bytes(letter.encode() * 100_000)
            (below.parent / letter).write_bytes(letter.encode() * 10)


def tree(vol: Any, operation: str, name: str) -> Any:
    """One of the operations on the planted tree, not awaited."""
    names = [f"{name}/d{number}/{path}" for number in range(3) for path in ("a", "below/b")]
    calls: dict[str, Callable[[], Any]] = {
        "rmtree": lambda: vol.rmtree(name),
        "du": lambda: vol.du(name),
        "read_many": lambda: vol.read_many(names),
        "stat_many": lambda: vol.stat_many(names),
        "copytree": lambda: vol.copytree(name, f"{name}-copy"),
    }
    return calls[operation]()


OPERATIONS = ("rmtree", "du", "read_many", "stat_many", "copytree")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_cancelled_after_any_number_of_turns(
    brick: BrickProcess, tap: Tap, url: str, operation: str
) -> None:
    """Nothing stays open on the brick, whenever it is; what was done is done, and can be done again."""

    async def attempts() -> None:
        watch = Watch()
        async with aio.connect(url, trace=watch) as vol:
            completed, turns = 0, 1  # before its first turn a task has not begun
            while completed < 2 and turns < 500:
                name = f"cut-{operation}-{turns}"
                plant(brick, name)
                work = _finished(tree(vol, operation, name))
                completed += await cancelled_after(turns, work) is not None
                for left in (name, f"{name}-copy"):
                    await vol.rmtree(left, ignore_errors=True)
                    assert not (brick.directory / left).exists()
                turns += 1 + turns // 6
            assert turns > 5
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
        assert not tap.overtaken()

    asyncio.run(attempts())


async def _finished(work: Any) -> bool:
    await work
    return True


HOLDING = {
    "rmtree": (Fop.OPENDIR, Fop.READDIRP, Fop.UNLINK, Fop.RMDIR),
    "du": (Fop.OPENDIR, Fop.READDIRP),
    "read_many": (Fop.LOOKUP, Fop.OPEN, Fop.READ),
    "stat_many": (Fop.LOOKUP,),
    "copytree": (Fop.MKDIR, Fop.OPEN, Fop.CREATE, Fop.COPY_FILE_RANGE, Fop.SETATTR),
}


@pytest.mark.parametrize(
    ("operation", "held_back"), [(name, fop) for name, fops in HOLDING.items() for fop in fops]
)
def test_the_session_closes_in_the_middle(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str, operation: str, held_back: Fop
) -> None:
    name = f"closed-{operation}-{held_back.name}-{driver.name}"
    plant(brick, name)
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    tap.hold(held_back)
    under_way = driver.start(lambda: tree(vol, operation, name))
    tap.wait_for(lambda: len(tap.kept) >= 1)
    closing = driver.start(vol.close, grace=0.0)
    with pytest.raises(SessionClosedError):
        under_way.result(PATIENCE)
    tap.let_go()
    report = closing.result(PATIENCE)
    assert report.calls_cancelled == [operation]
    assert not report.defects
    assert not report.errors
    assert watch.records[-1].handles == 0
    brick.wait_for(fds=0)
    assert tap.released() == tap.opened()


def test_a_failure_is_raised_when_those_under_way_have_ended(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = driver.connect(url)
    paths = [f"missing-{number}" for number in range(300)]
    with pytest.raises(FileNotFoundError) as caught:
        driver.do(vol.stat_many, paths)
    assert caught.value.filename in paths
    found = driver.do(vol.stat_many, [*paths, "/"], return_exceptions=True)
    assert [type(one) for one in found] == [FileNotFoundError] * 300 + [os.stat_result]
    assert [one.filename for one in found[:-1]] == paths
    assert driver.do(vol.exists_many, [*paths, "/"]) == [False] * 300 + [True]
    driver.do(vol.close)
