"""Defects planted in the threads driver: does the scheduler find each of them?

As :mod:`tests.explore.planted`, whose way of planting this is: replacements of text in the memory of a
process of their own. ``python -m tests.scheduled.planted`` tells of each in which schedule it was found.
"""

# ruff: noqa: E501 - what is replaced is as long as it is

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.explore.mutants import ROOT, plant
from tests.explore.planted import Change, Planted

_THREADS = "glusterio.runtime.threads"
_EXCHANGE = "glusterio.runtime.exchange"

#: How many schedules at random, at most, of each scenario.
SCHEDULES = 1500

#: In seconds.
PATIENCE = 240

PLANTED: tuple[Planted, ...] = (
    Planted(
        "lead not handed over", "a leader whose own answer has come wakes no follower",
        (Change(_EXCHANGE,
            "        if driver._followers or driver._detached:\n            driver._wake_a_follower()\n", ""),),
        "", ("two",),
    ),
    Planted(
        "lead not handed over, the general way", "the same, where it had gone the general way",
        (Change(_THREADS, "                        self._wake_a_follower()  # also if we were given the lead just then\n",
            "                        pass\n"),),
        "", ("three", "split"),
    ),
    Planted(
        "lead dropped", "who passes the lead on wakes nobody",
        (Change(_THREADS,
            "            if self._leader is home:\n                self._leader = None\n                self._wake_a_follower()\n",
            "            if self._leader is home:\n                self._leader = None\n"),),
        "", ("interrupt",),
    ),
    Planted(
        "look, then say so", "a leader says that it polls after it has looked whether it has to",
        (Change(_THREADS,
            "            home.polling = True  # first say so, then look: whoever queues looks after queueing\n            try:\n", "            try:\n"),
         Change(_THREADS, "                events = self._poller.poll(timeout)\n",
            "                home.polling = True\n                events = self._poller.poll(timeout)\n")),
        "", ("close-mute",),
    ),
    Planted(
        "polling unsaid", "an exchange does not say that it polls",
        (Change(_EXCHANGE, "                home.polling = True  # first say so, then look: whoever queues looks after queueing\n", ""),),
        "", ("close-late",),
    ),
    Planted(
        "leader not woken", "what is queued for a leader does not end its poll",
        (Change(_THREADS, "        elif home.polling:\n            self._interrupt_poll()\n", ""),),
        "", ("close-mute",),
    ),
    Planted(
        "follower not woken", "what is queued for a follower does not wake it",
        (Change(_THREADS,
            "        if home in self._followers:\n            del self._followers[home]\n            home.gate.release()\n        elif",
            "        if"),),
        "", ("deadline",),
    ),
    Planted(
        "timer unsaid", "a leader in poll does not hear of a timer that is the next one",
        (Change(_THREADS, "            self._wake_leader()\n            self._keeper.nudge()\n        return timer", "            self._keeper.nudge()\n        return timer"),),
        "", ("deadlines",),
    ),
    Planted(
        "house-keeper not called", "nobody tells the house-keeper of a future that was started",
        (Change(_THREADS, "        fiber.step()\n        self._keeper.nudge()\n        return fiber", "        fiber.step()\n        return fiber"),),
        "", ("futures",),
    ),
    Planted(
        "house-keeper stays away", "a caller leaves, a future is due, and the house-keeper is not told",
        (Change(_THREADS, "        elif self._detached:\n            self._keeper.may_go.set()\n", ""),),
        "", ("futures-beside",),
    ),
)  # fmt: skip


def judge(planted: Planted) -> tuple[int, str, str]:
    """Look for a defect that is planted here: after how many schedules, what, and the line."""
    from tests.explore.quiet import quiet
    from tests.scheduled.scenarios import SCENARIOS
    from tests.scheduled.search import Bounds, at_random, exhaust

    count = 0
    with quiet():
        for name in planted.scenarios:
            scenario = SCENARIOS[name]
            searches = (
                lambda scenario=scenario: exhaust(scenario, Bounds(most=1), lines=False),
                lambda scenario=scenario: exhaust(scenario, Bounds(most=1), lines=True),
                lambda scenario=scenario: at_random(scenario, range(SCHEDULES), lines=True),
            )
            for search in searches:
                covered = search()
                count += covered.schedules
                if covered.failure is not None:
                    return count, covered.failure.problems[0], covered.failure.line
    return count, "", ""


def judged(planted: Planted) -> tuple[int, str, str]:
    """Judge a defect in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.scheduled.planted", "--judge", planted.name],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{planted.name}: {done.stderr[-2000:]}")
    count, problem, line = json.loads(done.stdout.splitlines()[-1])
    return count, problem, line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: whether a defect survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.scheduled.planted")
    parser.add_argument("names", nargs="*", help="which; by default all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--judge", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.judge:
        planted = {each.name: each for each in PLANTED}[given.judge]
        plant(planted)
        print(json.dumps(judge(planted)), flush=True)
        return 0
    chosen = [each for each in PLANTED if not given.names or each.name in given.names]
    survivors = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for planted, (count, problem, line) in zip(chosen, pool.map(judged, chosen), strict=True):
            print(f"{planted.name}: {f'found after {count}' if problem else 'SURVIVES'}")
            if problem:
                print(f"    {problem}\n    {line}", flush=True)
            survivors += not problem
    return 1 if survivors else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a life that could not go on has left its threads
