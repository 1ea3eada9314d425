"""Two sessions of one process that read the same file in turns: what the one pays for what it has more.

The brick is the embedded one, in a process of its own, and the reads are of 4 KiB. A round of the one
and a round of the other make a pair: A B, B A, and so on. Told is the ratio of the smallest rounds, and
the median of the ratios of the pairs: of the time, and of the client's own processor time. What else
runs on the machine makes rounds longer and never shorter, so the smallest are the least touched by it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import glusterio
from tests.embedded import start_brick

SIZE = 4096
FILE = 1 << 20


class Compared(NamedTuple):
    """What was found.

    Attributes:
        what: which time.
        plain: the smallest round of the session that has nothing more, in microseconds a read.
        other: likewise, of the other one.
        median: of the ratios of the pairs.
    """

    what: str
    plain: float
    other: float
    median: float

    @property
    def smallest(self) -> float:
        """The ratio of the smallest rounds."""
        return self.other / self.plain


def _round(file: glusterio.File, reads: int) -> tuple[float, float]:
    """Read; return the seconds that it took, and those of the processor."""
    pread = file.pread
    before = time.process_time()  # exact, where getrusage may lag behind by a tick of the kernel's
    started = time.perf_counter()
    for offset in range(0, reads * SIZE, SIZE):
        pread(SIZE, offset % FILE)
    took = time.perf_counter() - started
    return took, time.process_time() - before


def measure(
    url: str,
    plain: Callable[[str], glusterio.Volume],
    other: Callable[[str], glusterio.Volume],
    rounds: int,
    reads: int,
) -> list[Compared]:
    """Compare two sessions on a volume that has the file ``/file``.

    Args:
        url: the volume.
        plain: connects the one.
        other: connects the other one.
        rounds: how many pairs.
        reads: how many in a round.
    """
    sessions = plain(url), other(url)
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
        one, two = ([each[at] for each in side] for side in found)
        median = statistics.median(b / a for a, b in zip(one, two, strict=True))
        rows.append(Compared(what, min(one) / reads * 1e6, min(two) / reads * 1e6, median))
    return rows


def compared(
    description: str,
    word: str,
    plain: Callable[[str], glusterio.Volume],
    other: Callable[[str], glusterio.Volume],
) -> list[Compared]:
    """Do what the command line asks for: measure, and print.

    Args:
        description: what the program finds out.
        word: what the other session is.
        plain: connects the one.
        other: connects the other one.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--reads", type=int, default=1000, help="in a round")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="glusterio-bench-") as place,
        start_brick(place) as brick,
    ):
        with glusterio.connect(brick.url) as vol:
            vol.write_bytes("/file", os.urandom(FILE))
        rows = measure(brick.url, plain, other, arguments.rounds, arguments.reads)
    for row in rows:
        print(
            f"{row.what:<16} {row.plain:7.2f} us, {word} {row.other:7.2f} us: {row.smallest:.3f};"
            f" of the pairs {row.median:.3f}"
        )
    return rows
