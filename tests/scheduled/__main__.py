"""The command: ``python -m tests.scheduled``.

.. code-block:: console

    $ python -m tests.scheduled                               # about a minute of everything
    $ python -m tests.scheduled --preempt 2 --most 3 two      # every schedule of one scenario, so far
    $ python -m tests.scheduled --lines --random 5000 three   # at random, each line a point
    $ python -m tests.scheduled --replay 'two/lines:57=1.90=2'
    $ python -m tests.scheduled --list

A schedule in which something is wrong is shrunk and printed with the line that replays it; the command
ends with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.explore.quiet import quiet
from tests.scheduled.life import Life
from tests.scheduled.scenarios import SCENARIOS
from tests.scheduled.search import Bounds, Covered, Guided, at_random, exhaust, from_text, shrunk


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.scheduled")
    parser.add_argument("scenarios", nargs="*", help="which; by default all")
    parser.add_argument("--list", action="store_true", help="tell which scenarios there are")
    parser.add_argument("--replay", metavar="SCENARIO[/lines]:POINT=OPTION...", help="one schedule")
    parser.add_argument("--lines", action="store_true", help="each line of the driver is a point")
    parser.add_argument("--random", type=int, metavar="N", help="N schedules at random of each")
    parser.add_argument("--seed", type=int, default=0, help="of the first one at random")
    parser.add_argument("--preempt", type=int, help="how often a running thread is preempted")
    parser.add_argument("--turn", type=int, help="how often a waiting thread is not the next one's")
    parser.add_argument("--accident", type=int, help="how many accidents")
    parser.add_argument("--most", type=int, help="how many of all of these")
    parser.add_argument("--seconds", type=float, help="how long each scenario may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    given = parser.parse_args(arguments)
    if given.list:
        for scenario in SCENARIOS.values():
            print(f"{scenario.name:16} {scenario.about}")
        return 0
    if given.replay:
        return _replay(given.replay)
    limits = {each: getattr(given, each) for each in Bounds._fields}
    bounds = Bounds(**{name: count for name, count in limits.items() if count is not None})
    jobs = [
        (name, given.lines, bounds, given.random, given.seed, given.seconds)
        for name in given.scenarios or SCENARIOS
    ]
    wrong = 0
    with ProcessPoolExecutor(given.jobs) as pool:
        for job, (covered, seconds) in zip(
            jobs, pool.map(_search, *zip(*jobs, strict=True)), strict=True
        ):
            wrong += _tell(job[0], covered, seconds)
    return 1 if wrong else 0


def _search(
    name: str, lines: bool, bounds: Bounds, count: int | None, seed: int, seconds: float | None
) -> tuple[Covered, float]:
    scenario = SCENARIOS[name]
    began = time.monotonic()
    with quiet():
        if count is None:
            covered = exhaust(scenario, bounds, lines, seconds)
        else:
            covered = at_random(scenario, range(seed, seed + count), lines)
        if covered.failure is not None:
            covered = covered._replace(failure=shrunk(scenario, covered.failure))
    return covered, time.monotonic() - began


def _tell(name: str, covered: Covered, seconds: float) -> bool:
    how = "all" if covered.complete else "NOT all"
    print(
        f"{name:16} {covered.schedules:7,} schedules, {how}; up to {covered.points} points,"
        f" {seconds:.1f} s",
        flush=True,
    )
    failure = covered.failure
    if failure is None:
        return False
    for problem in failure.problems:
        print(f"  WRONG: {problem}")
    print(f"  python -m tests.scheduled --replay '{failure.line}'", flush=True)
    return True


def _replay(line: str) -> int:
    name, _, text = line.partition(":")
    name, _, lines = name.partition("/")
    life = Life(SCENARIOS[name], Guided(dict(from_text(text))), bool(lines), print)
    with quiet():
        problems = life.run()
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"{life.scheduler.points} points, {len(problems)} problems; raised: {life.raised}")
    return 1 if problems else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a life that could not go on has left its threads
