"""Peers in Python that are not glusterio, each through its face::

    python -m tests.bench.peers.foreign gfapi|gfapi-cffi|fuse LINE PARAMETERS

Their end is by ``os._exit``: the sessions of libgfapi are left, as ending one takes ten seconds.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.bench.own.serving import (
    Answer,
    Parameters,
    Skipped,
    Stopwatch,
    explain,
    names,
    offsets,
    rss,
    say,
)
from tests.bench.peers.faces import FACES, Face, Mount

SMALL_FILE: Final = 4096
SMALL: Final = b"s" * SMALL_FILE
WARM_UP: Final = 50


class Work:
    """A line: what `prepare` makes, and rounds."""

    def __init__(self, face: Face, parameters: Parameters) -> None:
        self.face = face
        self.parameters = parameters
        self.round = 0

    def prepare(self) -> None:
        self.face.connect()
        self.face.stat(self.parameters["dir"])
        self.face.stat(self.parameters["shared"])

    def go(self) -> Answer:
        raise NotImplementedError

    def stopwatch(self) -> Stopwatch:
        """One for a round."""
        return Stopwatch(self.parameters)

    def until(self, begun: float) -> Callable[[int], bool]:
        """Whether a round goes on, after so many operations: by its count, or by the clock."""
        count = self.parameters.get("count")
        if count:
            each = -(-count // (self.parameters.get("threads") or 1))
            return lambda done: done < each
        clock, end = time.perf_counter, begun + self.parameters["seconds"]
        return lambda done: clock() < end


# -- reads -------------------------------------------------------------------------------------------


class Preads(Work):
    """Random reads, one at a time."""

    def prepare(self) -> None:
        super().prepare()
        self.threads = self.parameters.get("threads") or 1
        path = self.parameters["shared"] + "/data"
        # One for each thread: with the bindings, a read at an offset is two calls.
        self.handles = [self.face.open(path, os.O_RDONLY) for _ in range(self.threads)]
        self.where = [offsets(self.parameters, thread) for thread in range(self.threads)]
        for handle in self.handles:
            for _ in range(WARM_UP):
                self.face.pread(handle, self.parameters["block"], 0)

    def read(self, thread: int, goes_on: Callable[[int], bool]) -> int:
        face, handle, block = self.face, self.handles[thread], self.parameters["block"]
        where = self.where[thread]
        done = 0
        while goes_on(done):
            face.pread(handle, block, next(where))
            done += 1
        return done

    def go(self) -> Answer:
        self.face.forget(self.handles[0])
        done = [0] * self.threads
        watch = self.stopwatch()
        goes_on = self.until(watch.start())

        def run(thread: int) -> None:
            done[thread] = self.read(thread, goes_on)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(1, self.threads)]
        for thread in threads:
            thread.start()
        run(0)
        for thread in threads:
            thread.join()
        watch.stop()
        return watch.answer(sum(done), sum(done) * self.parameters["block"])


class LargePreads(Preads):
    """The same into a buffer."""

    def read(self, thread: int, goes_on: Callable[[int], bool]) -> int:
        face, handle, where = self.face, self.handles[thread], self.where[thread]
        buffer = bytearray(self.parameters["block"])
        done = 0
        while goes_on(done):
            face.pread_into(handle, buffer, next(where))
            done += 1
        return done


class StreamIn(Work):
    """A file from its begin to its end."""

    def go(self) -> Answer:
        face, block = self.face, self.parameters["block"]
        buffer = bytearray(block)
        handle = face.open(self.parameters["shared"] + "/data", os.O_RDONLY)
        face.forget(handle)
        offset = 0
        watch = self.stopwatch()
        watch.start()
        while offset < self.parameters["size"]:
            offset += face.pread_into(handle, buffer, offset)
        watch.stop()
        face.close(handle)
        return watch.answer(offset // block, offset)


# -- writes ------------------------------------------------------------------------------------------


class Pwrites(Work):
    """Random writes, one at a time; closed in the timed part."""

    def prepare(self) -> None:
        super().prepare()
        self.path = self.parameters["dir"] + "/own"
        self.where = offsets(self.parameters)
        self.data = b"x" * self.parameters["block"]
        piece = bytes(self.parameters["block"])
        handle = self.face.open(self.path, os.O_RDWR | os.O_CREAT)
        for offset in range(0, self.parameters["size"], len(piece)):
            self.face.pwrite(handle, piece, offset)
        self.face.close(handle)

    def go(self) -> Answer:
        face, where, data = self.face, self.where, self.data
        handle = face.open(self.path, os.O_RDWR)
        face.pread(handle, 1, 0)
        done = 0
        watch = self.stopwatch()
        goes_on = self.until(watch.start())
        while goes_on(done):
            face.pwrite(handle, data, next(where))
            done += 1
        face.close(handle)
        watch.stop()
        return watch.answer(done, done * len(data))


class StreamOut(Work):
    """A new file, written from its begin to its end, and closed."""

    def go(self) -> Answer:
        face, size = self.face, self.parameters["size"]
        data = os.urandom(self.parameters["block"])
        path = f"{self.parameters['dir']}/out-{self.round}"
        handle = face.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        watch = self.stopwatch()
        watch.start()
        for offset in range(0, size, len(data)):
            face.pwrite(handle, data, offset)
        face.close(handle)
        watch.stop()
        face.unlink(path)
        return watch.answer(size // len(data), size)


# -- names -------------------------------------------------------------------------------------------


class StatCold(Work):
    """Attributes of names that the session has not seen."""

    def go(self) -> Answer:
        paths, stat = names(self.parameters, self.round), self.face.stat
        watch = self.stopwatch()
        watch.start()
        for path in paths:
            stat(path)
        watch.stop()
        return watch.answer(len(paths))


class StatWarm(Work):
    """Attributes of names that it has just seen."""

    def go(self) -> Answer:
        paths, stat, clock = names(self.parameters, 0), self.face.stat, time.perf_counter
        for path in paths:
            stat(path)
        done = 0
        watch = self.stopwatch()
        until = watch.start() + self.parameters["seconds"]
        for path in itertools.cycle(paths):
            stat(path)
            done += 1
            if clock() >= until:
                break
        watch.stop()
        return watch.answer(done)


class Small(Work):
    """Small files: open, read to the end, close."""

    def go(self) -> Answer:
        paths, read_file = names(self.parameters, self.round), self.face.read_file
        total = 0
        watch = self.stopwatch()
        watch.start()
        for path in paths:
            total += read_file(path)
        watch.stop()
        return watch.answer(len(paths), total)


class Create(Work):
    """New files, with something in them."""

    def paths(self) -> Iterator[str]:
        for number in range(self.parameters["count"]):
            yield f"{self.parameters['dir']}/r{self.round}-{number:06d}"

    def make(self) -> None:
        for path in self.paths():
            self.face.write_file(path, SMALL)

    def remove(self) -> None:
        for path in self.paths():
            self.face.unlink(path)

    def go(self) -> Answer:
        watch = self.stopwatch()
        watch.start()
        self.make()
        watch.stop()
        count = self.parameters["count"]
        return watch.answer(count, count * SMALL_FILE)


class Unlink(Create):
    """Files that go."""

    def go(self) -> Answer:
        self.make()
        watch = self.stopwatch()
        watch.start()
        self.remove()
        watch.stop()
        return watch.answer(self.parameters["count"])


class Readdirp(Work):
    """A directory with everything's attributes."""

    def go(self) -> Answer:
        entries = self.parameters["entries"]
        watch = self.stopwatch()
        watch.start()
        found = self.face.list(f"{self.parameters['shared']}/d{entries}")
        watch.stop()
        if found != entries:
            raise ValueError(f"{found} entries of {entries}")
        return watch.answer(found)


# -- sessions ----------------------------------------------------------------------------------------


class InChild(Work):
    """Rounds in a child each, so that none inherits a session from the one before."""

    def prepare(self) -> None:
        if isinstance(self.face, Mount):
            raise Skipped("a mount is no session of this process")

    def go(self) -> Answer:
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                found = self.alone()
            except Exception as error:
                found = explain(error)
            os.write(writable, json.dumps(found).encode())
            os._exit(0)
        os.close(writable)
        with open(readable, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        answer: Answer = json.loads(said)
        return answer

    def alone(self) -> Answer:
        raise NotImplementedError


class Connect(InChild):
    """The connecting alone; the first of a process, which loads the translators, is not counted."""

    def alone(self) -> Answer:
        begun = time.perf_counter()
        self.face.connect()
        first = time.perf_counter() - begun
        watch = self.stopwatch()
        for _ in range(self.parameters["count"]):
            watch.start()
            self.face.connect()
            watch.stop()
        return watch.answer(self.parameters["count"], first=first)


class IdleSessions(InChild):
    """Sessions that are open and do nothing."""

    def alone(self) -> Answer:
        before = rss()
        watch = self.stopwatch()
        watch.start()
        for _ in range(self.parameters["count"]):
            self.face.connect()
            self.face.stat("/")
        watch.stop()
        return watch.answer(self.parameters["count"], rss_before=before, rss_end=rss())


WORK: Final[dict[str, type[Work]]] = {
    "connect": Connect,
    "pread4k": Preads,
    "pread4k_4t": Preads,
    "pread4k_16t": Preads,
    "pread64k": LargePreads,
    "pread1m": LargePreads,
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
    "session_idle": IdleSessions,
}


def serve(face: Face, line: str, parameters: Parameters) -> int:
    """Do what standard input says; return the exit code."""
    work: Work | None = None
    try:
        for command in sys.stdin:
            match command.strip():
                case "prepare":
                    if line not in WORK:
                        say({"skip": f"this peer has no {line}"})
                        continue
                    work = WORK[line](face, parameters)
                    work.prepare()
                    say({"ready": True, "pids": list(face.pids)})
                case "go" if work is not None:
                    say(work.go())
                    work.round += 1
                case "quit":
                    break
    except Exception as error:
        say(explain(error))
        return 0 if isinstance(error, Skipped) else 1
    finally:
        if face.pids:
            if work is not None:
                _close_all(work)
            face.leave()
    return 0


def _close_all(work: Any) -> None:
    """Close what a line holds open, or there would be no unmounting."""
    for handle in getattr(work, "handles", ()):
        work.face.close(handle)


def main(face: str, line: str, text: str) -> None:
    """Be a peer."""
    parameters = json.loads(text)
    used = FACES[face](parameters)  # named, as its sessions must not be destroyed before the end
    code = serve(used, line, parameters)
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
