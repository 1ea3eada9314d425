"""What GLUSTERIO_MONITOR=1 costs on a 4 KiB pread.

    python -m tests.bench.monitor_cost

Two sessions of one process on one brick, one of them watched, read the same file in turns: A B, B A,
and so on. Printed is the median of the ratios of each pair: of the time, and of the client's own
processor time. The exit status is 1 when either costs more than ten percent.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time

import glusterio
from glusterio.api.core import MONITOR
from tests.embedded import start_brick

SIZE = 4096
FILE = 1 << 20

#: What was asked for.
AT_MOST = 1.10


def _round(file: glusterio.File, reads: int) -> tuple[float, float]:
    """Read; return the seconds that it took, and those of the processor."""
    pread = file.pread
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    for offset in range(0, reads * SIZE, SIZE):
        pread(SIZE, offset % FILE)
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(url: str, rounds: int, reads: int) -> list[tuple[str, float, float, float]]:
    """Return, of both times, microseconds a read without and with a monitor, and the ratio."""
    sessions = []
    for watched in ("0", "1"):
        os.environ[MONITOR] = watched
        sessions.append(glusterio.connect(url))
    del os.environ[MONITOR]
    files = [session.open_handle("/file", os.O_RDWR) for session in sessions]
    for file in files:
        _round(file, reads)
    found: list[list[tuple[float, float]]] = [[], []]
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            found[which].append(_round(files[which], reads))
    for session in sessions:
        assert not session.close().defects
    rows = []
    for at, what in enumerate(("time", "processor time")):
        plain, watched_ = ([each[at] for each in side] for side in found)
        ratio = statistics.median(b / a for a, b in zip(plain, watched_, strict=True))
        rows.append((what, min(plain) / reads * 1e6, min(watched_) / reads * 1e6, ratio))
    return rows


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="What the monitor costs on a 4 KiB pread.")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--reads", type=int, default=1000, help="in a round")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="glusterio-bench-") as place,
        start_brick(place) as brick,
    ):
        with glusterio.connect(brick.url) as vol:
            vol.write_bytes("/file", os.urandom(FILE))
        rows = measure(brick.url, arguments.rounds, arguments.reads)
    for what, without, watched, ratio in rows:
        print(f"{what:<16} {without:7.2f} us, watched {watched:7.2f} us; of the pairs {ratio:.3f}")
    return int(any(ratio > AT_MOST for *_, ratio in rows))


if __name__ == "__main__":
    sys.exit(main())
