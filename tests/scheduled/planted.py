"""Defects planted in the threads driver: does the scheduler find each of them?

As :mod:`tests.explore.planted`, whose way of planting this is: replacements of text in the memory of a
process of their own. ``python -m tests.scheduled.planted`` tells of each in which schedule it was found;
``--write`` puts the table into ``docs/mutants-threads.md`` (:mod:`tests.scheduled.planted_page`).
"""

# ruff: noqa: E501 - what is replaced is as long as it is

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.explore.mutants import ROOT, plant
from tests.explore.planted import Change, Planted
from tests.scheduled.planted_page import Verdict, row, write

if TYPE_CHECKING:
    from tests.scheduled.life import Scenario
    from tests.scheduled.search import Covered

_THREADS = "glusterio.runtime.threads"
_EXCHANGE = "glusterio.runtime.exchange"
_KEEPER = "glusterio.runtime.housekeeper"
_FIBER = "glusterio.runtime.fiber"
_LINK = "glusterio.runtime.link"
_SESSION = "glusterio.api.threads.session"

#: How many schedules, at most, of each scenario: of those with two deviations, and at random.
SCHEDULES = 1000

#: How long the search for one may take, in seconds.
PATIENCE = 400

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
    Planted(
        "reply completed without the lock", "a reply is completed without the lock",
        (Change(_THREADS,
            "        with self.lock:\n            for reply in replies:\n                if reply.fiber is not None:\n                    reply.fiber.resume(reply, reply)\n",
            "        for reply in replies:\n            if reply.fiber is not None:\n                reply.fiber.resume(reply, reply)\n"),),
        "", ("two",),
    ),
    Planted(
        "another's wake byte", "who has lost the lead takes the byte that was to wake the new leader",
        (Change(_THREADS,
            "            if self._leader is home:  # else the byte may be for the new leader\n                self._empty_wake_pipe()\n",
            "            self._empty_wake_pipe()\n"),),
        "", ("deadlines-settled",),
    ),
    Planted(
        "cancelled meanwhile", "an exchange does not see that it was cancelled while its answer came",
        (Change(_EXCHANGE,
            "        if fiber.trap is not reply:  # cancelled meanwhile: so it will be queued\n            return False\n        fiber.trap = None\n    return True",
            "        fiber.trap = None\n    return True"),),
        "", ("close-at-once",),
    ),
    Planted(
        "look at the queue left out", "an exchange polls without looking whether it is queued",
        (Change(_EXCHANGE, "if home.ready or driver._loose or driver._timers:", "if driver._loose or driver._timers:"),),
        "", ("ping-late",),
    ),
    Planted(
        "the last look left out", "a leader polls without looking whether something is queued for it",
        (Change(_THREADS, "                if ready or self._loose:\n                    return False\n                if until", "                if until"),),
        "", ("close-mute",),
    ),
    Planted(
        "woken at the gate, and interrupted", "a follower that is interrupted keeps the lead that it was just given",
        (Change(_THREADS,
            "                            home.gate.acquire(blocking=False)  # woken just then\n                            self._wake_a_follower()\n",
            "                            home.gate.acquire(blocking=False)  # woken just then\n"),),
        "", ("interrupt",),
    ),
    Planted(
        "replies lost to an interrupt", "what an interrupted leader had received nobody is told of",
        (Change(_EXCHANGE, "        driver._hand_out_again()\n        raise", "        raise"),
         Change(_THREADS, "                    self._hand_out_again()\n                    self._pass_the_lead(home)\n", "                    self._pass_the_lead(home)\n")),
        "", ("interrupt",),
    ),
    Planted(
        "lead kept by who cannot send", "a leader whose request cannot be sent keeps the lead",
        (Change(_EXCHANGE, "    except Exception as error:\n        driver._pass_the_lead(home)\n", "    except Exception as error:\n"),),
        "", ("lose-settled",),
    ),
    Planted(
        "two receive at once", "a link is received from by two threads at once",
        (Change(_LINK,
            "        with self.receiving:\n            if self.closed:\n                return []\n            connection = self.connection\n",
            "        if True:\n            if self.closed:\n                return []\n            connection = self.connection\n"),),
        "", ("futures-beside",),
    ),
    Planted(
        "two send at once", "two threads send on a link at once",
        (Change(_LINK,
            "        with self.sending:\n            if connection.lost is not None or reply.done or connection.outgoing:\n",
            "        if True:\n            if connection.lost is not None or reply.done or connection.outgoing:\n"),),
        "", ("jam",),
    ),
    Planted(
        "interest in writing lost", "a socket is no more polled for room after another thread has filled it",
        (Change(_LINK,
            "            left = self._send()\n            if not left and flushed is not None:\n                flushed()\n            return left\n",
            "            left = self._send()\n        if not left and flushed is not None:\n            flushed()\n        return left\n"),),
        "", ("jam-twice",),
    ),
    Planted(
        "two house-keepers", "two threads start a house-keeper each",
        (Change(_KEEPER, "        with driver.lock:\n            if self.thread is None and not driver.stopping:\n",
            "        if True:\n            if self.thread is None and not driver.stopping:\n"),),
        "", ("first-files",),
    ),
    Planted(
        "nudged without a byte", "the house-keeper polls on after a caller had the lead, and is not woken",
        (Change(_KEEPER,
            "            if self.home.polling:  # still, though a caller had taken the lead from it\n                driver._interrupt_poll()\n", ""),),
        "", ("deadline-future",),
    ),
    Planted(
        "waits before it can be woken", "a coroutine waits for an event before the event can wake it",
        (Change(_FIBER, "    fiber.trap = trap  # from here on it can be woken: so the trap comes before all that wakes it\n", ""),
         Change(_FIBER, "    if event.set_already():\n        happened()\n    return None", "    if event.set_already():\n        happened()\n    fiber.trap = trap\n    return None")),
        "", ("close-one",),
    ),
    Planted(
        "an event that has happened", "who begins to wait does not look whether it has happened just now",
        (Change(_FIBER, "    if event.set_already():\n        happened()\n    return None", "    return None"),),
        "", ("close-one",),
    ),
    Planted(
        "stops before it is seen", "the end does not wake the house-keeper",
        (Change(_KEEPER, "        self.may_go.set()\n        self._driver()._interrupt_poll()\n", ""),),
        "", ("one",),
    ),
    Planted(
        "the parent's lock", "the child of a fork goes on with a lock that another thread held",
        (Change(_THREADS, "        self.lock = threading.RLock()\n        self._locks = (self.lock,)\n        self._leader = None\n", "        self._leader = None\n"),),
        "", ("fork-beside",),
    ),
    Planted(
        "a close that nobody hears of", "a close that is interrupted at its end tells nobody",
        (
            Change(_SESSION, "            finally:  # whoever", "            except ZeroDivisionError:\n                raise\n            else:  # whoever"),
            Change(
                _SESSION, "        core.session.close_gate()\n        with self._closing:  # an end that an interrupt has cut short is gone on with\n            if not self._ended.is_set():\n",
                "        if not core.session.close_gate():\n            self._ended.wait()\n        else:\n            if True:\n",
            ),
        ),
        "", ("interrupt-close",),
    ),
)  # fmt: skip


def judge(planted: Planted) -> Verdict:
    """Look for a defect that is planted here."""
    from tests.explore.quiet import quiet
    from tests.scheduled.scenarios import SCENARIOS
    from tests.scheduled.search import Bounds, at_random, exhaust

    searches: tuple[Callable[[Scenario], Covered], ...] = (
        lambda scenario: exhaust(scenario, Bounds(most=1), lines=False),
        lambda scenario: exhaust(scenario, Bounds(most=1), lines=True),
        lambda scenario: exhaust(
            scenario, Bounds(preempt=2, most=2), lines=False, schedules=SCHEDULES
        ),
        lambda scenario: at_random(scenario, range(SCHEDULES), lines=True),
    )
    count = 0
    with quiet():
        for search in searches:
            for name in planted.scenarios:
                covered = search(SCENARIOS[name])
                count += covered.schedules
                if covered.failure is not None:
                    return Verdict(count, covered.failure.problems[0], covered.failure.line)
    return Verdict(count)


def judged(planted: Planted) -> Verdict:
    """Judge a defect in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.scheduled.planted", "--judge", planted.name],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Verdict()
    if done.returncode:
        raise RuntimeError(f"{planted.name}: {done.stderr[-2000:]}")
    return Verdict(*json.loads(done.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: whether a defect survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.scheduled.planted")
    parser.add_argument("names", nargs="*", help="which; by default all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the table there")
    parser.add_argument("--judge", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.judge:
        planted = {each.name: each for each in PLANTED}[given.judge]
        plant(planted)
        print(json.dumps(judge(planted)), flush=True)
        return 0
    chosen = [each for each in PLANTED if not given.names or each.name in given.names]
    verdicts = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for planted, verdict in zip(chosen, pool.map(judged, chosen), strict=True):
            if verdict.problem:
                print(f"{planted.name}: found after {verdict.schedules:,}")
                print(f"    {verdict.problem}\n    {verdict.line}", flush=True)
            else:
                print(f"{planted.name}: SURVIVES", flush=True)
            verdicts.append(verdict)
    if given.write is not None:
        write(given.write, PLANTED, map(row, chosen, verdicts))
    found = sum(bool(verdict.problem) for verdict in verdicts)
    print(f"{len(verdicts)} planted defects, {found} found")
    return 0 if found == len(verdicts) else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a life that could not go on has left its threads
