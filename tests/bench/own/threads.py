"""glusterio's threads as a peer: each line as a user of the package would write it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import glusterio
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


class Work:
    """A line: what `prepare` makes, and rounds. The session is there from `prepare` on."""

    def __init__(self, parameters: Parameters, rss_start: int) -> None:
        self.parameters = parameters
        self.rss_start = rss_start
        self.round = 0

    def connect(self) -> glusterio.Volume:
        return glusterio.connect(url_of(self.parameters))

    def prepare(self) -> None:
        self.vol = self.connect()

    def go(self) -> Answer:
        raise NotImplementedError

    def quit(self) -> None:
        self.vol.close()


# -- reads -------------------------------------------------------------------------------------------


class Preads(Work):
    """Random reads, one at a time."""

    def prepare(self) -> None:
        super().prepare()
        self.fd = self.vol.open_handle(f"{self.parameters['shared']}/data")
        self.offsets = offsets(self.parameters)
        for _ in range(WARM_UP):
            self.fd.pread(self.parameters["block"], next(self.offsets))

    def go(self) -> Answer:
        block, fd, where, clock = self.parameters["block"], self.fd, self.offsets, time.perf_counter
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        while clock() < until:
            fd.pread(block, next(where))
            ops += 1
        watch.stop()
        return watch.answer(ops, ops * block)


class LargePreads(Preads):
    """The same into a buffer of the caller's, as one does with large ones."""

    def go(self) -> Answer:
        block, fd, where, clock = self.parameters["block"], self.fd, self.offsets, time.perf_counter
        buffer = bytearray(block)
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        while clock() < until:
            fd.read_into(buffer, next(where))
            ops += 1
        watch.stop()
        return watch.answer(ops, ops * block)


class ThreadedPreads(Preads):
    """The same by several threads on one session."""

    def prepare(self) -> None:
        super().prepare()
        self.each = [offsets(self.parameters, n) for n in range(self.parameters["threads"])]

    def go(self) -> Answer:
        block, fd, clock = self.parameters["block"], self.fd, time.perf_counter
        seconds = self.parameters["seconds"]
        begin = threading.Barrier(len(self.each) + 1)
        done = [0] * len(self.each)

        def run(number: int) -> None:
            where = self.each[number]
            ops = 0
            begin.wait()
            until = clock() + seconds
            while clock() < until:
                fd.pread(block, next(where))
                ops += 1
            done[number] = ops

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(self.each))]
        for thread in threads:
            thread.start()
        watch = Stopwatch(self.parameters)
        watch.start()
        begin.wait()
        for thread in threads:
            thread.join()
        watch.stop()
        return watch.answer(sum(done), sum(done) * block)


class FuturePreads(Preads):
    """The same by futures, so many of them under way."""

    def go(self) -> Answer:
        block, fd, where, clock = self.parameters["block"], self.fd, self.offsets, time.perf_counter
        under_way: deque[Future[bytes]] = deque()
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        for _ in range(self.parameters["inflight"]):
            under_way.append(fd.pread_async(block, next(where)))
        while clock() < until:
            under_way.popleft().result()
            ops += 1
            under_way.append(fd.pread_async(block, next(where)))
        for future in under_way:
            future.result()
            ops += 1
        watch.stop()
        return watch.answer(ops, ops * block)


class StreamIn(Work):
    """A file from its begin to its end."""

    def prepare(self) -> None:
        super().prepare()
        self.fd = self.vol.open_handle(f"{self.parameters['shared']}/data")
        self.go()

    def go(self) -> Answer:
        fd, buffer = self.fd, bytearray(self.parameters["block"])
        offset = 0
        watch = Stopwatch(self.parameters)
        watch.start()
        while offset < self.parameters["size"]:
            offset += fd.read_into(buffer, offset)
        watch.stop()
        return watch.answer(offset // len(buffer), offset)


# -- writes ------------------------------------------------------------------------------------------


class Pwrites(Work):
    """Random writes, one at a time; what was deferred is written by the close at the latest."""

    def prepare(self) -> None:
        super().prepare()
        self.path = f"{self.parameters['dir']}/data"
        self.offsets = offsets(self.parameters)
        self.block = os.urandom(self.parameters["block"])
        piece = os.urandom(1 << 20)
        with self.vol.open_handle(self.path, os.O_RDWR | os.O_CREAT, 0o644) as fd:
            for offset in range(0, self.parameters["size"], len(piece)):
                fd.pwrite(piece, offset)

    def go(self) -> Answer:
        block, where, clock = self.block, self.offsets, time.perf_counter
        fd = self.vol.open_handle(self.path, os.O_RDWR)
        fd.pread(1, 0)
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        while clock() < until:
            fd.pwrite(block, next(where))
            ops += 1
        fd.close()
        watch.stop()
        return watch.answer(ops, ops * len(block))


class StreamOut(Work):
    """A new file, written from its begin to its end, and closed."""

    def go(self) -> Answer:
        size, block = self.parameters["size"], os.urandom(self.parameters["block"])
        path = f"{self.parameters['dir']}/new"
        fd = self.vol.open_handle(path, os.O_RDWR | os.O_CREAT, 0o644)
        watch = Stopwatch(self.parameters)
        watch.start()
        for offset in range(0, size, len(block)):
            fd.pwrite(block, offset)
        fd.close()
        watch.stop()
        self.vol.unlink(path)
        return watch.answer(size // len(block), size)


# -- names -------------------------------------------------------------------------------------------


class EachName(Work):
    """The same for every name of a round."""

    def prepare(self) -> None:
        super().prepare()
        self.vol.stat(self.parameters["shared"])

    def one(self, path: str) -> None:
        raise NotImplementedError

    def go(self) -> Answer:
        paths = names(self.parameters, self.round)
        watch = Stopwatch(self.parameters)
        watch.start()
        for path in paths:
            self.one(path)
        watch.stop()
        return watch.answer(len(paths))


class StatCold(EachName):
    """Attributes of names that the session has not seen."""

    def one(self, path: str) -> None:
        self.vol.stat(path)


class StatWarm(Work):
    """Attributes of names that it has just seen."""

    def go(self) -> Answer:
        paths, stat, clock = names(self.parameters, 0), self.vol.stat, time.perf_counter
        for path in paths:
            stat(path)
        ops = 0
        watch = Stopwatch(self.parameters)
        until = watch.start() + self.parameters["seconds"]
        while clock() < until:
            for path in paths:
                stat(path)
            ops += len(paths)
        watch.stop()
        return watch.answer(ops)


class Small(EachName):
    """Small files, as one opens files."""

    def one(self, path: str) -> None:
        with self.vol.open(path, "rb") as file:
            file.read()


class SmallWhole(EachName):
    """Small files, whole."""

    def one(self, path: str) -> None:
        self.vol.read_bytes(path)


class NewNames(EachName):
    """What is done with names in a directory of our own."""

    def prepare(self) -> None:
        Work.prepare(self)
        self.vol.stat(self.parameters["dir"])

    def make(self, paths: list[str]) -> None:
        """Make what has to be there, untimed."""

    def go(self) -> Answer:
        directory, count = self.parameters["dir"], self.parameters["count"]
        paths = [f"{directory}/r{self.round}-{n}" for n in range(count)]
        self.make(paths)
        watch = Stopwatch(self.parameters)
        watch.start()
        for path in paths:
            self.one(path)
        watch.stop()
        return watch.answer(count)


class Create(NewNames):
    """New files, with something in them."""

    def one(self, path: str) -> None:
        with self.vol.open(path, "xb") as file:
            file.write(SMALL)


class CreateWhole(NewNames):
    """The same in one call."""

    def one(self, path: str) -> None:
        self.vol.write_bytes(path, SMALL)


class Unlink(NewNames):
    """Files that go."""

    def make(self, paths: list[str]) -> None:
        for path in paths:
            self.vol.write_bytes(path, SMALL)

    def one(self, path: str) -> None:
        self.vol.unlink(path)


class Readdirp(Work):
    """A directory with everything's attributes."""

    def go(self) -> Answer:
        path = f"{self.parameters['shared']}/d{self.parameters['entries']}"
        watch = Stopwatch(self.parameters)
        watch.start()
        ops = 0
        with self.vol.scandir(path) as entries:
            for entry in entries:
                entry.stat(follow_symlinks=False)
                ops += 1
        watch.stop()
        return watch.answer(ops)


# -- sessions ----------------------------------------------------------------------------------------


class Sessions(Work):
    """What makes its sessions itself; the first one, untimed, has everything imported."""

    def prepare(self) -> None:
        with self.connect() as vol:
            vol.stat("/")

    def quit(self) -> None:
        pass


class Connect(Sessions):
    """The connecting alone."""

    def go(self) -> Answer:
        watch = Stopwatch(self.parameters)
        for _ in range(self.parameters["count"]):
            watch.start()
            vol = self.connect()
            watch.stop()
            vol.close()
        return watch.answer(self.parameters["count"])


class Close(Sessions):
    """The end of a session with handles open."""

    def go(self) -> Answer:
        vol = self.connect()
        files = []
        for path in handle_names(self.parameters):
            files.append(vol.open_handle(path, os.O_RDWR))
            files[-1].pread(1, 0)
        watch = Stopwatch(self.parameters)
        watch.start()
        report = vol.close()
        watch.stop()
        return watch.answer(1, released=report.handles_drained)


class ManySessions(Sessions):
    """Sessions, one after another."""

    def prepare(self) -> None:
        pass

    def go(self) -> Answer:
        per: dict[str, float] = {"rss_before": rss()}
        watch = Stopwatch(self.parameters)
        watch.start()
        for number in range(self.parameters["count"]):
            with self.connect() as vol:
                vol.stat("/")
            if number == 9:
                per["rss_10"] = rss()
        watch.stop()
        return watch.answer(self.parameters["count"], 0, **per, rss_end=rss())


class IdleSessions(Sessions):
    """Sessions that are open and do nothing."""

    def prepare(self) -> None:
        pass

    def go(self) -> Answer:
        rss_before = rss()
        watch = Stopwatch(self.parameters)
        watch.start()
        volumes = [self.connect() for _ in range(self.parameters["count"])]
        watch.stop()
        for vol in volumes:
            vol.stat("/")
        rss_end = rss()
        for vol in volumes:
            vol.close()
        return watch.answer(
            len(volumes), 0, rss_start=self.rss_start, rss_before=rss_before, rss_end=rss_end
        )


WORK: Final[dict[str, Callable[[Parameters, int], Work]]] = {
    "connect": Connect,
    "pread4k": Preads,
    "pread4k_4t": ThreadedPreads,
    "pread4k_16t": ThreadedPreads,
    "pread64k": LargePreads,
    "pread1m": LargePreads,
    "apread4k_1": FuturePreads,
    "apread4k_8": FuturePreads,
    "apread4k_64": FuturePreads,
    "apread4k_512": FuturePreads,
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

#: What the variant "whole" does otherwise.
WHOLE: Final[dict[str, Callable[[Parameters, int], Work]]] = {
    "small": SmallWhole,
    "create": CreateWhole,
}


def choose(line: str, whole: bool) -> Callable[[Parameters, int], Work]:
    """The work of a line.

    Raises:
        Skipped: there is none.
    """
    if line.startswith("close_"):
        return Close
    work = WHOLE.get(line) if whole else WORK.get(line)
    if work is None:
        raise Skipped("no such line")
    return work


def serve(line: str, parameters: Parameters, options: list[str], rss_start: int) -> int:
    """Do what standard input says."""
    work: Work | None = None
    for command in sys.stdin:
        try:
            match command.strip():
                case "prepare":
                    work = choose(line, "whole" in options)(parameters, rss_start)
                    work.prepare()
                    say({"ready": True})
                case "go" if work is not None:
                    say(work.go())
                    work.round += 1
                case "quit":
                    if work is not None:
                        work.quit()
                    return 0
        except Exception as error:
            say(explain(error))
            if not isinstance(error, Skipped):
                return 1
            work = None
    return 0
