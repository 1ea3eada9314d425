"""What a session lives through, measured: ``make bench-changes``.

On a volume of its own of a real GlusterFS: graph switches under load, many graph switches, and a brick
that is killed and started again under writers. What is asked for stands beside what was found.

::

    python -m tests.bench.changes [--quick] [--only load,memory,restarts]
                                  [--directory /var/tmp] [--write docs/benchmarks-changes.md]

Quick is less of each, in under a minute.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.api.drivers import DRIVERS
from tests.bench import machine
from tests.bench.formatting import table as markdown_table
from tests.bench.lines import KIB, MIB
from tests.bench.restarts import WRITERS, Restarts, restarts
from tests.bench.switches import CALLERS, Memory, UnderLoad, many, under_load
from tests.bench.targets import FLAT
from tests.bench.venue import gluster_venue
from tests.interop import real_gluster

PARTS: Final = ("load", "memory", "restarts")

#: For how long a caller may be held up by a graph switch, in seconds.
PAUSE: Final = 1.0


class Size(NamedTuple):
    """How much of each is done."""

    handles: int
    switches: int
    memory_files: int
    memory_switches: int
    followed: int
    rounds: int


WHOLE: Final = Size(1000, 10, 100, 600, 60, 20)
QUICK: Final = Size(1000, 4, 100, 200, 6, 3)


@dataclass
class Run:
    """A whole run, and how the machine was meanwhile."""

    size: Size
    load: float
    began: datetime.datetime
    file_system: str
    work: list[float] = field(default_factory=list)
    loads: list[UnderLoad] = field(default_factory=list)
    memory: Memory | None = None
    restarts: list[Restarts] = field(default_factory=list)


def run(place: Path, size: Size, parts: Sequence[str]) -> Run:
    """Measure."""
    done = Run(
        size, machine.load(), datetime.datetime.now(datetime.UTC), machine.file_system_of(place)
    )

    def tell(what: str) -> None:
        done.work.extend(machine.fixed_work() for _ in range(3))
        print(what, file=sys.stderr, flush=True)

    with gluster_venue(place) as venue:
        if "memory" in parts:  # first, while the process is small
            tell(f"{size.memory_switches} graph switches")
            done.memory = many(venue, place, size.memory_files, size.memory_switches, size.followed)
        for driver in DRIVERS:
            if "load" in parts:
                tell(f"graph switches under load, {driver}")
                done.loads.append(under_load(venue, driver, size.handles, size.switches))
        for driver in DRIVERS:
            if "restarts" in parts:
                tell(f"restarts under writers, {driver}")
                done.restarts.append(restarts(venue, place / "brick", driver, size.rounds))
        tell("done")
    return done


# -- what is written ----------------------------------------------------------------------------------


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        measure: what it is.
        asked: what is asked for, or nothing.
        found: what was found.
        met: whether it is what is asked for; ``None`` if nothing is.
    """

    measure: str
    asked: str
    found: str
    met: bool | None = None


def milliseconds(values: Sequence[float]) -> str:
    """A median with its range."""
    low, median, high = (
        f"{1e3 * value:,.0f}" for value in (min(values), statistics.median(values), max(values))
    )
    return f"{median} ms ({low}-{high})"


def kinds(errors: Counter[str]) -> str:
    """Errors by kind."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(errors.items())) or "none"


def load_rows(found: UnderLoad) -> Iterator[Row]:
    """What was found of switches under load."""
    on = f", {found.driver}"
    failed = found.failures.total()
    asked = found.handles * len(found.seconds)
    yield Row(
        f"failed operations, of {found.operations:,}{on}", "0", kinds(found.failures), failed == 0
    )
    yield Row(f"handles carried{on}", f"{asked:,}", f"{found.carried:,}", found.carried == asked)
    yield Row(
        f"longest that a caller waited during a switch{on}",
        f"< {PAUSE:g} s",
        milliseconds(found.gaps),
        max(found.gaps) < PAUSE,
    )
    yield Row(f"the same for as long without a switch{on}", "", milliseconds(found.gaps_before))
    yield Row(
        f"`report.pause`: requests about locks{on}",
        f"< {PAUSE:g} s",
        milliseconds(found.pause),
        max(found.pause) < PAUSE,
    )
    yield Row(f"the whole switch{on}", "", milliseconds(found.seconds))


def memory_rows(found: Memory) -> Iterator[Row]:
    """What was found of many switches."""
    first, last = min(found.ours), max(found.ours)
    grown = found.ours[last] - found.ours[first]
    yield Row(
        f"memory that grew from switch {first} to {last}",
        f"flat (< {FLAT / KIB:,.0f} KiB)",
        f"{grown / KIB:,.0f} KiB",
        grown < FLAT,
    )


def restart_rows(found: Restarts) -> Iterator[Row]:
    """What was found of restarts."""
    on = f", {found.driver}"
    done = len(found.last)
    yield Row(f"rounds{on}", str(found.rounds), f"{done}", done == found.rounds)
    yield Row(
        f"lost synced bytes, of {found.syncs:,} syncs{on}",
        "0",
        f"{found.lost:,}",
        found.lost == 0 and found.syncs > 0,
    )
    yield Row(f"handles left on the brick{on}", "0", str(found.handles), found.handles == 0)
    yield Row(f"hangs{on}", "0", str(found.hangs), found.hangs == 0)
    yield Row(
        f"writers that an error has ended{on}",
        "0",
        ", ".join(found.ended) or "0",
        not found.ended,
    )
    yield Row(f"errors that writers were told{on}", "", kinds(found.errors))
    if found.first:
        yield Row(f"start of the brick to the first sync{on}", "", milliseconds(found.first))
        yield Row(f"to every writer's{on}", "", milliseconds(found.last))
        yield Row(f"of that, `gluster volume start force`{on}", "", milliseconds(found.commands))


def table(rows: Sequence[Row]) -> str:
    """Rows, in Markdown."""
    head = ("measure", "asked", "found", "met")
    words = {True: "yes", False: "**no**", None: ""}
    body = [(row.measure, row.asked, row.found, words[row.met]) for row in rows]
    return markdown_table(head, body)


def memory_text(found: Memory) -> str:
    """How the memory went."""
    marks = " | ".join(f"{number:,}" for number in found.ours)
    sizes = " | ".join(f"{size / MIB:.1f}" for size in found.ours.values())
    text = f"""\
| switches | {marks} |
|---|{"---|" * len(found.ours)}
| resident, MiB | {sizes} |

{found.files} files were open, and were used after each switch; they took {found.seconds:.0f} s.
"""
    if not found.theirs:
        return text + f"\nThere was no FUSE mount beside it: {found.why_not}.\n"
    times = max(found.theirs)
    before, after = found.ours_followed
    theirs = ", ".join(
        f"{size / MIB:.1f} MiB after {number}" for number, size in found.theirs.items()
    )
    grown = found.theirs[times] - found.theirs[0]
    return f"""{text}
Then the volume's option was set {times} times by `gluster volume set`. A FUSE mount, by GlusterFS's own
client, with the same files open and used, followed: {theirs}; that is
{grown / times / KIB:,.0f} KiB for each. glusterio followed, too, {found.followed} times: from
{before / MIB:.1f} to {after / MIB:.1f} MiB, {(after - before) / times / KIB:,.0f} KiB for each.
"""


def page(done: Run) -> str:
    """The page of documentation."""
    size, work = done.size, done.work
    text = f"""\
# What a session lives through, measured

Made by `make bench-changes`, on a volume of GlusterFS {machine.gluster_version()} with its translators
as shipped, in one run. A time is the median, with the range. [What is guaranteed](changes.md).
"""
    if done.loads:
        rows = [row for found in done.loads for row in load_rows(found)]
        text += f"""
## The graph is exchanged under load

{size.handles:,} open handles, {CALLERS} callers who write them, read them, and compare; write-behind is
taken out of the volfile and put in again, {size.switches} switches. On asyncio all callers and the
switch itself are tasks of one event loop.

{table(rows)}
"""
    if done.memory is not None:
        text += f"""
## It is exchanged {size.memory_switches} times

{table(list(memory_rows(done.memory)))}

{memory_text(done.memory)}"""
    if done.restarts:
        rows = [row for found in done.restarts for row in restart_rows(found)]
        text += f"""
## The brick is killed under writers

`kill -9`, then `gluster volume start force`, which gives it another port; {WRITERS} writers of one
session, who sync what they write. When the brick is dead, and at the end, its files are looked at
themselves: are there all bytes that an `fsync` without an error has promised?

{table(rows)}
"""
    return f"""{text}
The machine: {os.cpu_count()} x {machine.processor()}, Linux {platform.release()}, {done.file_system};
Python {platform.python_version()}; client and servers share it. A fixed piece of work took
{statistics.median(work):.0f} ms ({min(work):.0f}-{max(work):.0f}) between the parts; the load when
the run began was {done.load:.1f}. Measured {done.began:%Y-%m-%d %H:%M} UTC.
"""


def unmet(done: Run) -> list[Row]:
    """What was asked for and not reached."""
    rows = [row for load in done.loads for row in load_rows(load)]
    rows += memory_rows(done.memory) if done.memory is not None else ()
    rows += [row for restart in done.restarts for row in restart_rows(restart)]
    return [row for row in rows if row.met is False]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; see the top of this file. Returns 1 if something is unmet."""
    parser = argparse.ArgumentParser(description="Graph switches and restarts, measured.")
    parser.add_argument("--quick", action="store_true", help="less of each, in under a minute")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--directory", default="/var/tmp", help="a directory on the disk to use")
    parser.add_argument("--write", type=Path, help="the page to write")
    options = parser.parse_args(arguments)
    parts = options.only.split(",")
    unknown = set(parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    reason = real_gluster.unavailable()
    if reason is not None:
        print(f"changes: {reason}", file=sys.stderr)
        return 1
    place = Path(tempfile.mkdtemp(prefix="glusterio-bench-", dir=options.directory))
    try:
        done = run(place, QUICK if options.quick else WHOLE, parts)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    text = page(done)
    print(text)
    if options.write is not None:
        options.write.write_text(text)
    return int(bool(unmet(done)))


if __name__ == "__main__":
    sys.exit(main())
