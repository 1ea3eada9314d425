"""What glusterio's peers have in common: commands in, answers out, offsets, a stop-watch, memory.

The protocol is in `tests.bench.lines`. Nothing here imports glusterio: one line wants to know the
memory of the process from before that.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Parameters = Mapping[str, Any]
Answer = dict[str, Any]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Skipped(Exception):
    """This peer does not do that line; the text says why."""


def rss() -> int:
    """The resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def url_of(parameters: Parameters) -> str:
    """Where to connect."""
    if parameters.get("volfile"):
        return f"volfile://{parameters['volfile']}"
    return "gluster://{host}:{port}/{volume}".format(**parameters)


def offsets(parameters: Parameters, thread: int = 0) -> Iterator[int]:
    """The offsets to read and write at, the same for every peer, without an end."""
    block = parameters["block"]
    blocks = parameters["size"] // block
    x = parameters["seed"] + thread
    while True:
        x = (x * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        yield (x >> 33) % blocks * block


def names(parameters: Parameters, number: int) -> list[str]:
    """The names of a round, each new to the session."""
    count = parameters["count"]
    shared = parameters["shared"]
    return [f"{shared}/names/f{n:06d}" for n in range(number * count, (number + 1) * count)]


def handle_names(parameters: Parameters) -> Iterator[str]:
    """What each handle is on, for the lines about handles."""
    for n in range(parameters["handles"]):
        yield f"{parameters['shared']}/handles/f{n % 1000:03d}"


class Stopwatch:
    """Wall and CPU time of what is between ``start`` and ``stop``; several stretches add up.

    Args:
        parameters: they name the brick's process, whose CPU time is taken, too.
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.seconds = 0.0
        self.cpu = 0.0
        self.brick_cpu = 0.0
        pid = (parameters or {}).get("brick_pid")
        # That process's own CPU clock; see clock_getcpuclockid(3).
        self._brick_clock = None if pid is None else (~pid << 3) | 2

    def start(self) -> float:
        """Begin a stretch; return the clock, of ``time.perf_counter``."""
        self._brick = self._brick_now()
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        return self._wall

    def stop(self) -> None:
        """End the stretch."""
        self.seconds += time.perf_counter() - self._wall
        self.cpu += time.process_time() - self._cpu
        self.brick_cpu += self._brick_now() - self._brick

    def _brick_now(self) -> float:
        return 0.0 if self._brick_clock is None else time.clock_gettime(self._brick_clock)

    def answer(self, ops: int, nbytes: int = 0, **per: float) -> Answer:
        """What a round answers."""
        answer = {
            "ops": ops,
            "seconds": self.seconds,
            "cpu": self.cpu,
            "bytes": nbytes,
            "rss": rss(),
            "per": per,
        }
        if self._brick_clock is not None:
            answer["brick_cpu"] = self.brick_cpu
        return answer


def say(answer: Answer) -> None:
    """Answer a command."""
    print(json.dumps(answer), flush=True)


def explain(error: BaseException) -> Answer:
    """What is answered in place of a result."""
    if isinstance(error, Skipped):
        return {"skip": str(error)}
    return {"error": f"{type(error).__name__}: {error}"}
