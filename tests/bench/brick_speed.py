"""How fast glusterio's brick is beside GlusterFS's: ``make bench-brick``.

The same libgfapi client (``tests/interop/c/gfbench.c``) uses both, on the same disk of the same
machine, in one run, in turns: A B, B A, A B ... The client has no translators of its own, so that
each call is one on the wire; for streams there is a second run with those that a volume has as
shipped. The servers are ``glusterfsd``, by a volfile with the translators that matter here
(access-control, locks, io-threads), and ``python -m glusterio.brick``.

How noisy the machine is stands beside the figures: how long a fixed piece of work took, round by
round, and the load when the run began.

::

    python -m tests.bench.brick_speed [--rounds 5] [--milliseconds 500] [--only read-4k,create]
                                      [--directory /var/tmp] [--write docs/benchmarks-brick.md]
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import glusterio
from tests.bench.formatting import table as markdown_table
from tests.bench.machine import file_system_of, fixed_work, gluster_version, processor
from tests.embedded import start_brick
from tests.interop import real_gluster
from tests.interop.programs import building


class Workload(NamedTuple):
    """What is measured.

    Attributes:
        name: gfbench's word for it.
        text: for people.
        unit: of the figure.
        target: the ratio, ours to theirs, that is asked of glusterio's brick.
    """

    name: str
    text: str
    unit: str
    target: float


SMALL: Final = 0.5
STREAM: Final = 0.8

WORKLOADS: Final = [
    Workload("read-4k", "4 KiB random reads, one at a time", "/s", SMALL),
    Workload("read-4k-16", "4 KiB random reads, 16 in flight", "/s", SMALL),
    Workload("write-4k", "4 KiB random writes, one at a time", "/s", SMALL),
    Workload("write-4k-16", "4 KiB random writes, 16 in flight", "/s", SMALL),
    Workload("fstat", "fstat", "/s", SMALL),
    Workload("create", "create, write 4 KiB, close", "files/s", SMALL),
    Workload("readdirp", "readdirp of 2,000 files", "entries/s", SMALL),
    Workload("read-1m", "1 MiB reads in sequence, one at a time", "MiB/s", STREAM),
    Workload("read-1m-4", "1 MiB reads in sequence, 4 in flight", "MiB/s", STREAM),
    Workload("write-1m", "1 MiB writes in sequence, one at a time", "MiB/s", STREAM),
    Workload("write-1m-4", "1 MiB writes in sequence, 4 in flight", "MiB/s", STREAM),
]
BY_NAME: Final = {workload.name: workload for workload in WORKLOADS}

#: What is measured again with the client's translators as shipped.
SHIPPED: Final = ["read-1m", "write-1m"]

#: The client's translators as shipped, from the bottom up; they stand above protocol/client.
PERFORMANCE: Final = [
    "features/utime",
    "performance/write-behind",
    "performance/open-behind",
    "performance/quick-read",
    "performance/md-cache",
    "performance/io-threads",
]

CLIENT: Final = """\
volume client
  type protocol/client
  option transport-type tcp
  option transport.address-family inet
  option remote-host 127.0.0.1
  option remote-port {port}
  option remote-subvolume {brick}
  option ping-timeout 42
end-volume
"""

ABOVE: Final = """
volume {name}
  type {kind}
  subvolumes {below}
end-volume
"""


@dataclass
class Server:
    """One of the two.

    Attributes:
        name: what it is.
        plain: a client's volfile without translators.
        shipped: one with them.
        found: the figures, by workload.
        found_shipped: the same with translators.
    """

    name: str
    plain: Path
    shipped: Path
    found: dict[str, list[float]] = field(default_factory=dict)
    found_shipped: dict[str, list[float]] = field(default_factory=dict)


def write_volfiles(place: Path, port: int, brick: str) -> tuple[Path, Path]:
    """Write the two volfiles of a server's client."""
    text = CLIENT.format(port=port, brick=brick)
    plain, shipped = place / "plain.vol", place / "shipped.vol"
    plain.write_text(text)
    below = "client"
    for kind in PERFORMANCE:
        name = kind.rpartition("/")[2]
        text += ABOVE.format(name=name, kind=kind, below=below)
        below = name
    shipped.write_text(text)
    return plain, shipped


@contextmanager
def servers(place: Path) -> Iterator[list[Server]]:
    """Start both, each with a directory to work in: GlusterFS's first."""
    theirs_at, ours_at = place / "theirs", place / "ours"
    (ours_at / "data").mkdir(parents=True)
    hand = real_gluster.start_hand_brick(theirs_at)
    try:
        with start_brick(ours_at / "data", "bench") as ours:
            theirs = write_volfiles(theirs_at, hand.brick_port, "/hand")
            both = [
                Server("glusterfsd", *theirs),
                Server("glusterio", *write_volfiles(ours_at, ours.brick_port, str(ours.directory))),
            ]
            for server in both:
                with glusterio.connect(f"volfile://{server.plain}") as volume:
                    volume.mkdir("plain")
                    volume.mkdir("shipped")
            yield both
    finally:
        real_gluster.stop(theirs_at)


def measure(
    program: Path, volfile: Path, directory: str, milliseconds: int, names: Sequence[str]
) -> dict[str, float]:
    """Run gfbench once; return the figures by workload."""
    if not names:
        return {}
    done = subprocess.run(
        [str(program), str(volfile), f"/{directory}", str(milliseconds), *names],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60 + len(names) * (milliseconds / 1000 * 10 + 10),
    )
    lines = (line.split() for line in done.stdout.splitlines())
    return {name: float(figure) for name, figure, _ in lines}


@dataclass
class Run:
    """A whole run: the servers with their figures, and how the machine was meanwhile."""

    both: list[Server]
    rounds: int
    milliseconds: int
    load: float
    work: list[float]
    began: datetime.datetime
    file_system: str


def run(place: Path, rounds: int, milliseconds: int, names: Sequence[str]) -> Run:
    """Measure both, in turns."""
    program = building.compile_program("gfbench", place)
    load = os.getloadavg()[0]
    work = []
    began = datetime.datetime.now(datetime.UTC)
    with servers(place) as both:
        for number in range(rounds):
            for server in both if number % 2 == 0 else reversed(both):
                work.append(fixed_work())
                for name, figure in measure(
                    program, server.plain, "plain", milliseconds, names
                ).items():
                    server.found.setdefault(name, []).append(figure)
                again = [name for name in SHIPPED if name in names]
                for name, figure in measure(
                    program, server.shipped, "shipped", milliseconds, again
                ).items():
                    server.found_shipped.setdefault(name, []).append(figure)
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return Run(both, rounds, milliseconds, load, work, began, file_system_of(place))


# -- what is written ----------------------------------------------------------------------------------


def figure(values: Sequence[float]) -> str:
    """A median with its range."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def rows(
    theirs: dict[str, list[float]], ours: dict[str, list[float]], note: str = ""
) -> Iterator[tuple[str, ...]]:
    """One row of the table for each workload."""
    for name, values in theirs.items():
        workload = BY_NAME[name]
        ratio = statistics.median(ours[name]) / statistics.median(values)
        pairs = [mine / other for mine, other in zip(ours[name], values, strict=True)]
        yield (
            workload.text + note,
            workload.unit,
            figure(values),
            figure(ours[name]),
            f"{ratio:.2f} ({min(pairs):.2f}-{max(pairs):.2f})",
            f"{workload.target:.1f}",
            "yes" if ratio >= workload.target else "no",
        )


def table(done: Run) -> str:
    """Everything that was measured, in Markdown."""
    theirs, ours = done.both
    head = ("workload", "unit", "glusterfsd", "glusterio", "ratio", "asked", "met")
    body = [
        *rows(theirs.found, ours.found),
        *rows(theirs.found_shipped, ours.found_shipped, ", translators as shipped"),
    ]
    return markdown_table(head, body)


def page(done: Run) -> str:
    """The page of documentation."""
    work = done.work
    return f"""\
# How fast the brick is

Made by `make bench-brick`: the same libgfapi client against `glusterfsd` {gluster_version()} and
against `python -m glusterio.brick`, on the same disk, in turns, in one run. A figure is the median of
{done.rounds} rounds of {done.milliseconds / 1000:g} s each, with the range; a ratio is glusterio's
median to glusterfsd's, with the range of the rounds. Without a note, the client has no translators,
so that each call goes over the wire.

{table(done)}

The machine: {os.cpu_count()} x {processor()}, Linux {platform.release()}, {done.file_system};
Python {platform.python_version()}; client and servers share it. A fixed piece of work took
{statistics.median(work):.0f} ms ({min(work):.0f}-{max(work):.0f}) over the rounds; the load when
the run began was {done.load:.1f}. Measured {done.began:%Y-%m-%d %H:%M} UTC.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; see the top of this file."""
    parser = argparse.ArgumentParser(description="glusterio's brick beside GlusterFS's.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--milliseconds", type=int, default=500, help="for each workload")
    parser.add_argument("--only", default=",".join(BY_NAME), help="workloads, with commas between")
    parser.add_argument("--directory", default="/var/tmp", help="a directory on the disk to use")
    parser.add_argument("--write", type=Path, help="the page to write")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    unknown = set(names) - set(BY_NAME)
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    reason = building.unavailable() or real_gluster.unavailable()
    if reason is not None:
        print(f"brick_speed: {reason}", file=sys.stderr)
        return 1
    place = Path(tempfile.mkdtemp(prefix="glusterio-bench-", dir=options.directory))
    try:
        done = run(place, options.rounds, options.milliseconds, names)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    text = page(done)
    print(text)
    if options.write is not None:
        options.write.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
