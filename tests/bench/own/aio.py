"""glusterio's asyncio face as a peer: each line as a user of the package would write it.

Requests in flight are as many tasks, each of which awaits one call after the other. The variant
``tasks`` does the lines about names with 64 of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Final

from glusterio import aio
from tests.bench.own.serving import (
    Answer,
    Parameters,
    Skipped,
    Stopwatch,
    explain,
    handle_names,
    names,
    offsets,
    rss,
    say,
    url_of,
)

SMALL: Final = b"s" * 4096
WARM_UP: Final = 200
TASKS: Final = 64


class Work:
    """A line: what `prepare` makes, and rounds. The session is there from `prepare` on."""

    def __init__(self, parameters: Parameters, rss_start: int, tasks: int) -> None:
        self.parameters = parameters
        self.rss_start = rss_start
        self.tasks = tasks
        self.round = 0

    async def connect(self) -> aio.Volume:
        return await aio.connect(url_of(self.parameters))

    async def prepare(self) -> None:
        self.vol = await self.connect()

    async def go(self) -> Answer:
        raise NotImplementedError

    async def quit(self) -> None:
        await self.vol.close()


async def in_tasks(
    paths: list[str], one: Callable[[str], Coroutine[Any, Any, Any]], tasks: int
) -> None:
    """Do the same for all paths, by so many tasks."""
    if tasks == 1:
        for path in paths:
            await one(path)
        return
    left = iter(paths)

    async def run() -> None:
        for path in left:
            await one(path)

    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(run())


# -- reads -------------------------------------------------------------------------------------------


class Preads(Work):
    """Random reads, so many in flight."""

    async def prepare(self) -> None:
        await super().prepare()
        self.fd = await self.vol.open_handle(f"{self.parameters['shared']}/data")
        self.offsets = offsets(self.parameters)
        for _ in range(WARM_UP):
            await self.fd.pread(self.parameters["block"], next(self.offsets))

    async def run(self, until: float) -> int:
        block, fd, where, clock = self.parameters["block"], self.fd, self.offsets, time.perf_counter
        ops = 0
        while clock() < until:
            await fd.pread(block, next(where))
            ops += 1
        return ops

    async def go(self) -> Answer:
        in_flight = self.parameters.get("inflight", 1)
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        if in_flight == 1:
            ops = await self.run(until)
        else:
            ops = sum(await asyncio.gather(*[self.run(until) for _ in range(in_flight)]))
        watch.stop()
        return watch.answer(ops, ops * self.parameters["block"])


class LargePreads(Preads):
    """The same into a buffer of the caller's, as one does with large ones."""

    async def run(self, until: float) -> int:
        fd, where, clock = self.fd, self.offsets, time.perf_counter
        buffer = bytearray(self.parameters["block"])
        ops = 0
        while clock() < until:
            await fd.read_into(buffer, next(where))
            ops += 1
        return ops


class StreamIn(Work):
    """A file from its begin to its end."""

    async def prepare(self) -> None:
        await super().prepare()
        self.fd = await self.vol.open_handle(f"{self.parameters['shared']}/data")
        await self.go()

    async def go(self) -> Answer:
        fd, buffer = self.fd, bytearray(self.parameters["block"])
        offset = 0
        watch = Stopwatch(self.parameters)
        watch.start()
        while offset < self.parameters["size"]:
            offset += await fd.read_into(buffer, offset)
        watch.stop()
        return watch.answer(offset // len(buffer), offset)


# -- writes ------------------------------------------------------------------------------------------


class Pwrites(Work):
    """Random writes, one at a time; what was deferred is written by the close at the latest."""

    async def prepare(self) -> None:
        await super().prepare()
        self.path = f"{self.parameters['dir']}/data"
        self.offsets = offsets(self.parameters)
        self.block = os.urandom(self.parameters["block"])
        piece = os.urandom(1 << 20)
        async with self.vol.open_handle(self.path, os.O_RDWR | os.O_CREAT, 0o644) as fd:
            for offset in range(0, self.parameters["size"], len(piece)):
                await fd.pwrite(piece, offset)

    async def go(self) -> Answer:
        block, where, clock = self.block, self.offsets, time.perf_counter
        fd = await self.vol.open_handle(self.path, os.O_RDWR)
        await fd.pread(1, 0)
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        while clock() < until:
            await fd.pwrite(block, next(where))
            ops += 1
        await fd.close()
        watch.stop()
        return watch.answer(ops, ops * len(block))


class StreamOut(Work):
    """A new file, written from its begin to its end, and closed."""

    async def go(self) -> Answer:
        size, block = self.parameters["size"], os.urandom(self.parameters["block"])
        path = f"{self.parameters['dir']}/new"
        fd = await self.vol.open_handle(path, os.O_RDWR | os.O_CREAT, 0o644)
        watch = Stopwatch(self.parameters)
        watch.start()
        for offset in range(0, size, len(block)):
            await fd.pwrite(block, offset)
        await fd.close()
        watch.stop()
        await self.vol.unlink(path)
        return watch.answer(size // len(block), size)


# -- names -------------------------------------------------------------------------------------------


class EachName(Work):
    """The same for every name of a round."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.vol.stat(self.parameters["shared"])

    async def one(self, path: str) -> None:
        raise NotImplementedError

    async def go(self) -> Answer:
        paths = names(self.parameters, self.round)
        watch = Stopwatch(self.parameters)
        watch.start()
        await in_tasks(paths, self.one, self.tasks)
        watch.stop()
        return watch.answer(len(paths))


class StatCold(EachName):
    """Attributes of names that the session has not seen."""

    async def one(self, path: str) -> None:
        await self.vol.stat(path)


class StatWarm(Work):
    """Attributes of names that it has just seen."""

    async def go(self) -> Answer:
        paths, stat, clock = names(self.parameters, 0), self.vol.stat, time.perf_counter
        for path in paths:
            await stat(path)
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        while clock() < until:
            for path in paths:
                await stat(path)
            ops += len(paths)
        watch.stop()
        return watch.answer(ops)


class Small(EachName):
    """Small files, as one opens files."""

    async def one(self, path: str) -> None:
        async with self.vol.open(path, "rb") as file:
            await file.read()


class NewNames(EachName):
    """What is done with names in a directory of our own."""

    async def prepare(self) -> None:
        await Work.prepare(self)
        await self.vol.stat(self.parameters["dir"])

    async def make(self, paths: list[str]) -> None:
        """Make what has to be there, untimed."""

    async def go(self) -> Answer:
        directory, count = self.parameters["dir"], self.parameters["count"]
        paths = [f"{directory}/r{self.round}-{n}" for n in range(count)]
        await self.make(paths)
        watch = Stopwatch(self.parameters)
        watch.start()
        await in_tasks(paths, self.one, self.tasks)
        watch.stop()
        return watch.answer(count)


class Create(NewNames):
    """New files, with something in them."""

    async def one(self, path: str) -> None:
        async with self.vol.open(path, "xb") as file:
            await file.write(SMALL)


class Unlink(NewNames):
    """Files that go."""

    async def make(self, paths: list[str]) -> None:
        async def write(path: str) -> None:
            await self.vol.write_bytes(path, SMALL)

        await in_tasks(paths, write, TASKS)

    async def one(self, path: str) -> None:
        await self.vol.unlink(path)


class Readdirp(Work):
    """A directory with everything's attributes."""

    async def go(self) -> Answer:
        path = f"{self.parameters['shared']}/d{self.parameters['entries']}"
        watch = Stopwatch(self.parameters)
        watch.start()
        ops = 0
        async with self.vol.scandir(path) as entries:
            async for entry in entries:
                await entry.stat(follow_symlinks=False)
                ops += 1
        watch.stop()
        return watch.answer(ops)


# -- sessions ----------------------------------------------------------------------------------------


class Sessions(Work):
    """What makes its sessions itself; the first one, untimed, has everything imported."""

    async def prepare(self) -> None:
        async with aio.connect(url_of(self.parameters)) as vol:
            await vol.stat("/")

    async def quit(self) -> None:
        pass


class Connect(Sessions):
    """The connecting alone."""

    async def go(self) -> Answer:
        watch = Stopwatch(self.parameters)
        for _ in range(self.parameters["count"]):
            watch.start()
            vol = await self.connect()
            watch.stop()
            await vol.close()
        return watch.answer(self.parameters["count"])


class Close(Sessions):
    """The end of a session with handles open."""

    async def go(self) -> Answer:
        vol = await self.connect()
        files: list[aio.File] = []
        left: Iterator[str] = handle_names(self.parameters)

        async def open_them() -> None:
            for path in left:
                file = await vol.open_handle(path, os.O_RDWR)
                await file.pread(1, 0)
                files.append(file)

        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(open_them())
        watch = Stopwatch(self.parameters)
        watch.start()
        report = await vol.close()
        watch.stop()
        return watch.answer(1, released=report.handles_drained)


class ManySessions(Sessions):
    """Sessions, one after another."""

    async def prepare(self) -> None:
        pass

    async def go(self) -> Answer:
        per: dict[str, float] = {"rss_before": rss()}
        watch = Stopwatch(self.parameters)
        watch.start()
        for number in range(self.parameters["count"]):
            async with aio.connect(url_of(self.parameters)) as vol:
                await vol.stat("/")
            if number == 9:
                per["rss_10"] = rss()
        watch.stop()
        return watch.answer(self.parameters["count"], 0, **per, rss_end=rss())


class IdleSessions(Sessions):
    """Sessions that are open and do nothing."""

    async def prepare(self) -> None:
        pass

    async def go(self) -> Answer:
        rss_before = rss()
        watch = Stopwatch(self.parameters)
        watch.start()
        volumes = [await self.connect() for _ in range(self.parameters["count"])]
        watch.stop()
        for vol in volumes:
            await vol.stat("/")
        rss_end = rss()
        for vol in volumes:
            await vol.close()
        return watch.answer(
            len(volumes), 0, rss_start=self.rss_start, rss_before=rss_before, rss_end=rss_end
        )


WORK: Final[dict[str, Callable[[Parameters, int, int], Work]]] = {
    "connect": Connect,
    "pread4k": Preads,
    "pread64k": LargePreads,
    "pread1m": LargePreads,
    "apread4k_1": Preads,
    "apread4k_8": Preads,
    "apread4k_64": Preads,
    "apread4k_512": Preads,
    "pwrite4k": Pwrites,
    "seqread1m": StreamIn,
    "seqread128k": StreamIn,
    "seqwrite1m": StreamOut,
    "seqwrite128k": StreamOut,
    "stat_cold": StatCold,
    "stat_warm": StatWarm,
    "small": Small,
    "create": Create,
    "unlink": Unlink,
    "readdirp500": Readdirp,
    "readdirp5k": Readdirp,
    "readdirp50k": Readdirp,
    "sessions_100": ManySessions,
    "sessions_1000": ManySessions,
    "session_idle": IdleSessions,
    "sessions_open_100": IdleSessions,
}


def choose(line: str) -> Callable[[Parameters, int, int], Work]:
    """The work of a line.

    Raises:
        Skipped: there is none.
    """
    if line.startswith("close_"):
        return Close
    if line not in WORK:
        raise Skipped("asyncio is one thread" if "t" in line[-3:] else "no such line")
    return WORK[line]


async def commands() -> AsyncIterator[str]:
    """Standard input, line by line; the session goes on meanwhile."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            yield line.decode().strip()
    finally:
        transport.close()


async def answer_commands(
    line: str, parameters: Parameters, options: list[str], rss_start: int
) -> int:
    """Do what standard input says."""
    work: Work | None = None
    async for command in commands():
        try:
            match command:
                case "prepare":
                    tasks = TASKS if "tasks" in options else 1
                    work = choose(line)(parameters, rss_start, tasks)
                    await work.prepare()
                    say({"ready": True})
                case "go" if work is not None:
                    say(await work.go())
                    work.round += 1
                case "quit":
                    if work is not None:
                        await work.quit()
                    return 0
        except Exception as error:
            say(explain(error))
            if not isinstance(error, Skipped):
                return 1
            work = None
    return 0


def serve(line: str, parameters: Parameters, options: list[str], rss_start: int) -> int:
    """Do what standard input says, on asyncio's own loop or on uvloop's."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if "uvloop" in options:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(answer_commands(line, parameters, options, rss_start))
