"""A real brick is killed and started again, many times, under writers: is what was synced there?

Each writer writes the blocks of a file of its own round and round, and syncs them. What was under way
or not synced yet when it hears of an error it writes once more. What was there when an ``fsync`` came
back without an error is *promised*. When the brick is dead, and when all is over, its files are looked
at themselves: each promised block has what was promised, or what was written there since.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from glusterio import HandleStaleError
from tests.api.drivers import DRIVERS
from tests.bench.callers import BLOCK, Life, block_of, start_all, told
from tests.bench.venue import GlusterVenue, online
from tests.interop import real_gluster
from tests.interop.real_gluster import poll

WRITERS: Final = 8

#: How many blocks a file has, and after how many written ones it is synced.
BLOCKS: Final = 256
SYNCED: Final = 16

#: How long a writer may be without a successful fsync before it is said to hang, in seconds.
PATIENCE: Final = 60.0

CREATING: Final = os.O_RDWR | os.O_CREAT


class Writer:
    """One writer.

    Args:
        file: its open file.
        path: the file itself, on the brick.
        stop: ends it, after a last sync.

    Attributes:
        synced: when ``fsync`` came back without an error, each time.
        errors: its errors, by kind.
    """

    def __init__(self, file: Any, path: Path, stop: threading.Event) -> None:
        self._file = file
        self._path = path
        self._stop = stop
        self._lock = threading.Lock()
        self._promised: dict[int, int] = {}
        self._since: dict[int, int] = {}
        self.synced: list[float] = []
        self.errors: Counter[str] = Counter()

    def life(self) -> Life:
        """Work until it is stopped. A handle that is stale ends it with the error."""
        number = 0
        while not self._stop.is_set():
            well = True
            for _ in range(SYNCED):
                number += 1
                with self._lock:
                    self._since[number % BLOCKS] = number
                well &= yield from self._does(self._writing(number))
            while not (well and (yield from self._does(self._file.fsync))):
                well = True
                for again in list(self._since.values()):
                    well &= yield from self._does(self._writing(again))
            with self._lock:
                self._promised.update(self._since)
                self._since.clear()
                self.synced.append(time.perf_counter())

    def _writing(self, number: int) -> Callable[[], Any]:
        return partial(self._file.pwrite, block_of(number), number % BLOCKS * BLOCK)

    def _does(self, operation: Callable[[], Any]) -> Generator[Callable[[], Any], Any, bool]:
        try:
            yield operation
        except HandleStaleError:
            raise
        except OSError as error:
            self.errors[told(error)] += 1
            return False
        return True

    def lost(self) -> int:
        """Count the promised bytes that are not in the file. Nobody may be able to write meanwhile."""
        with self._lock:
            data = self._path.read_bytes()
            lost = 0
            for block, number in self._promised.items():
                there = data[block * BLOCK : (block + 1) * BLOCK]
                if there != block_of(number):
                    # Or what was being written there, or a part of that.
                    since = self._since.get(block, number)
                    allowed = {n.to_bytes(8, "big") for n in (number, since)}
                    words = (there[at : at + 8] for at in range(0, BLOCK, 8))
                    lost += 8 * sum(word not in allowed for word in words)
        return lost


@dataclass
class Restarts:
    """What was found on one driver.

    Attributes:
        driver: which one.
        rounds: how many times the brick was killed.
        ports: on how many different ports it was.
        syncs: how many times something was promised.
        lost: promised bytes that were not there.
        hangs: writers that were not back in time, or did not end.
        ended: errors that ended a writer.
        errors: what writers were told, by kind.
        handles: what the brick held open when the session was closed.
        graceful: whether the close was.
        commands: how long ``gluster volume start force`` took each time, in seconds.
        first: how long after that was begun the first writer had synced,
        last: and the last one.
    """

    driver: str
    rounds: int
    ports: int = 0
    syncs: int = 0
    lost: int = 0
    hangs: int = 0
    ended: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    handles: int = 0
    graceful: bool = False
    commands: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)


def restarts(venue: GlusterVenue, data: Path, driver_name: str, rounds: int) -> Restarts:
    """Kill a volume's brick and start it again, under writers.

    Args:
        venue: the volume.
        data: its brick's directory.
        driver_name: the writers' driver.
        rounds: how many times.
    """
    found = Restarts(driver_name, rounds)
    driver = DRIVERS[driver_name]()
    stop = threading.Event()
    ports = set()
    pid = _brick(venue)[0]
    try:
        volume = driver.connect(venue.url)
        names = [f"{driver_name}-{number}" for number in range(WRITERS)]
        files = [driver.do(volume.open_handle, name, CREATING) for name in names]
        writers = [Writer(file, data / name, stop) for file, name in zip(files, names, strict=True)]
        at_work = start_all(driver, [writer.life() for writer in writers])
        for _ in range(rounds):
            found.hangs += _not_synced(writers, time.perf_counter())
            _kill(pid)
            found.lost += sum(writer.lost() for writer in writers)
            begun = time.perf_counter()
            venue.glusterd.gluster("volume", "start", venue.volume, "force")
            found.commands.append(time.perf_counter() - begun)
            pid, port = _brick(venue, pid)
            ports.add(port)
            found.hangs += _not_synced(writers, begun)
            if found.hangs:
                break
            synced = [next(at for at in writer.synced if at > begun) for writer in writers]
            found.first.append(min(synced) - begun)
            found.last.append(max(synced) - begun)
        stop.set()
        for future in at_work:
            try:
                future.result(PATIENCE)
            except TimeoutError:
                found.hangs += 1
            except Exception as error:
                found.ended.append(told(error))
        report = driver.do(volume.close)
        found.graceful = report.graceful
        poll(lambda: real_gluster.open_files(pid, data) == 0, 5.0)
        found.handles = real_gluster.open_files(pid, data) + real_gluster.open_directories(
            pid, data
        )
        found.lost += sum(writer.lost() for writer in writers)
        found.ports = len(ports)
        for writer in writers:
            found.syncs += len(writer.synced)
            found.errors += writer.errors
    finally:
        stop.set()
        driver.finish()
    return found


def _brick(venue: GlusterVenue, but: int = 0) -> tuple[int, int]:
    """The brick's process and port, as soon as that is another process."""
    seen: list[tuple[int, int]] = []

    def is_there() -> bool:
        now = online(venue.glusterd, venue.volume)
        if now is not None and now[0] != but:
            seen.append(now)
        return bool(seen)

    assert poll(is_there, PATIENCE), "the brick does not come back"
    return seen[0]


def _not_synced(writers: list[Writer], begun: float) -> int:
    """Wait until all have synced since some time; return how many have not."""

    def late() -> int:
        return sum(not writer.synced or writer.synced[-1] <= begun for writer in writers)

    poll(lambda: not late(), PATIENCE)
    return late()


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert poll(lambda: not Path(f"/proc/{pid}").exists()), "the brick is not gone"
