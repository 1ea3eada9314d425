"""The soak, in virtual time: what a file server does to a session in thirty days.

.. code-block:: console

    $ python -m tests.explore.soak                     # all of it; some twenty minutes
    $ python -m tests.explore.soak --days 1 --bricks 20 --sessions 50

The problem that this project starts from is a brick that gains 13,000 fds a day of clients that have
forgotten them. Here a Samba-like consumer (workers that have files open for minutes and hours, read,
write, and are cancelled now and then) lives on the explorer's driver, so it is the real session that
runs, on time that is not waited for:

* one session, on one brick, for the whole time at the whole rate;
* a session for each of 600 bricks (the client has no cluster translator yet that would give one
  session 600 of them), for an hour at the whole rate, all together 325,000 handles;
* the same for the whole time, at a thousandth of that rate each: at the whole rate that would be 234
  million handles, and some 35 hours of processor time;
* 1,000 sessions that are opened, used for an hour, and closed; their connections are lost, their bricks
  stop, their processes fork.

At every simulated hour, and whenever a session has ended, the fds that its brick holds are compared
with the handles that it has open, one by one; in the end nothing may be left.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from glusterio.errors import GlusterError
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.states import SessionState
from tests.explore.session import App, Interrupt, Interrupted
from tests.explore.world import FAULTS, Option, Scenario, World

HOUR = 3600.0
DAY = 24 * HOUR

#: Handles that are opened in a day, by one session on one brick.
A_DAY = 13_000

#: Workers of the consumer: each serves one client of its own.
WORKERS = 5

#: For how long a file is open, in the middle, in seconds.
OPEN_FOR = 1200.0

#: How often something goes wrong that could, where there is anything to decide.
ACCIDENTS = 0.002

#: What can go wrong in a session that is to live on.
SURVIVED = ("time", "interrupt", "refuse", "split", "jam")

#: What can go wrong in one that need not.
ENDING = tuple(fault for fault in FAULTS if fault != "stall")

_FILES = {f"file-{number}": b"content" * number for number in range(20)}
_EXPECTED = (OSError, GlusterError, Interrupt, Interrupted)


class Soaked(NamedTuple):
    """What came of a part of the soak.

    Attributes:
        sessions: how many.
        handles: that were opened.
        hours: how often brick and client were compared.
        open_most: fds that a brick held at once, at most.
        accidents: things that went wrong on purpose.
        problems: what was wrong.
    """

    sessions: int = 0
    handles: int = 0
    hours: int = 0
    open_most: int = 0
    accidents: int = 0
    problems: tuple[str, ...] = ()

    def plus(self, other: Soaked) -> Soaked:
        """Return both together."""
        return Soaked(
            self.sessions + other.sessions,
            self.handles + other.handles,
            self.hours + other.hours,
            max(self.open_most, other.open_most),
            self.accidents + other.accidents,
            self.problems + other.problems,
        )


# -- the consumer ---------------------------------------------------------------------------------


class Consumer:
    """Samba-like: workers that open files, keep them for a while, and close them.

    Args:
        seconds: for how long.
        handles: how many it opens meanwhile, about.
        seed: of what is random.
    """

    def __init__(self, seconds: float, handles: float, seed: object) -> None:
        self.seconds = seconds
        self.pause = seconds * WORKERS / handles
        self.seed = seed

    async def work(self, app: App, number: int) -> None:
        """One worker."""
        rng = random.Random(f"{self.seed} {number}")
        clock = app.driver.clock
        end = clock.now + self.seconds
        open_until: list[tuple[float, Handle]] = []
        when = clock.now + rng.expovariate(1 / self.pause)
        while True:
            open_until.sort(key=lambda each: each[0])
            closing = open_until[0][0] if open_until else end
            try:
                await app.sleep(min(when, closing, end) - clock.now)
                if app.core.session.state is not SessionState.ACTIVE or clock.now >= end:
                    return  # what is still open is left to the end of the session
                if open_until and clock.now >= closing:
                    await app.close_file(open_until.pop(0)[1])
                if clock.now >= when:
                    when += rng.expovariate(1 / self.pause)
                    handle = await self._open(app, rng)
                    open_until.append((clock.now + rng.expovariate(1 / OPEN_FOR), handle))
                    await app.read(handle)
            except _EXPECTED:
                pass  # its client is told; the worker goes on

    @staticmethod
    async def _open(app: App, rng: random.Random) -> Handle:
        name = f"/file-{rng.randrange(len(_FILES))}"
        if rng.random() < 0.1:
            handle = await app.open(name, "r+")
            await app.write(handle, b"written", rng.randrange(10))
            return handle
        return await app.open(name, "r")


def _scenario(consumer: Consumer, faults: Sequence[str], threads: bool) -> Scenario:
    def worker(number: int):
        return lambda app: consumer.work(app, number)

    return Scenario(
        "soak", "", {f"worker {number}": worker(number) for number in range(WORKERS)},
        threads=threads, faults=dict.fromkeys(faults, 1 << 40), files=_FILES, most=1 << 40,
    )  # fmt: skip


# -- living ---------------------------------------------------------------------------------------


class Soak:
    """One session, for as long as its consumer goes on, and its end."""

    def __init__(
        self,
        consumer: Consumer,
        seed: object,
        faults: Sequence[str],
        threads: bool,
        accidents: float = ACCIDENTS,
    ) -> None:
        self.often = accidents
        self.world = World(_scenario(consumer, faults, threads))
        self.budget = self.world.budget
        self.rng = random.Random(f"accidents {seed}")
        self.hours = self.open_most = self.accidents = 0

    def run(self) -> Soaked:
        """Live. Returns what came of it."""
        world = self.world
        world.begin()
        clock = world.clock
        next_hour = clock.now + HOUR
        closer = next(caller for caller in world.callers if caller.name == "close")
        world.callers.remove(closer)
        while not world.problems:
            if closer not in world.callers and all(caller.done for caller in world.callers):
                world.callers.append(closer)
            accident = self._accident_is_due()
            options = world.options()
            if not options:
                break
            usual = options[0].kind
            if usual == "time" and clock.now >= next_hour:
                next_hour += HOUR * (1 + (clock.now - next_hour) // HOUR)
                self._compare()
            world.take(options, self._accident(options) if accident else 0, check=False)
            self._forget()
        handles = world.app.core.session.handles_reserved
        world.finish()
        return Soaked(
            1, handles, self.hours + 1, self.open_most, self.accidents, tuple(world.problems)
        )

    def _accident_is_due(self) -> bool:
        """Decide whether something goes wrong next; else the world need not say what could."""
        due = self.rng.random() < self.often
        self.world.budget = self.budget if due else {}
        return due

    def _accident(self, options: Sequence[Option]) -> int:
        accidents = [at for at, each in enumerate(options) if at and each.kind in FAULTS]
        if not accidents:
            return 0
        kinds = sorted({options[at].kind for at in accidents})
        kind = self.rng.choice(kinds)
        if kind == "fork" and self.rng.random() < 0.8:
            return 0  # it ends a life, so it shall be seldom
        self.accidents += 1
        return self.rng.choice([at for at in accidents if options[at].kind == kind])

    def _compare(self) -> None:
        """Nothing is on its way: brick and client have to agree, to the fd."""
        from tests.explore.checks import after_step

        world = self.world
        world.problems += after_step(world)
        session = world.app.core.session
        held = world.brick.fds
        states = [handle.state.name for handle in session.ledger.values()]
        known = states.count("OPEN") + states.count("CLOSING")
        if held != known or len(states) != known + states.count("STALE"):
            world.problems.append(
                f"BrickAgrees: the brick holds {held} fds, the client {known} open handles of"
                f" {len(states)} in its ledger"
            )
        self.hours += 1
        self.open_most = max(self.open_most, held)

    def _forget(self) -> None:
        """What a life of seconds keeps, one of days must not."""
        world = self.world
        world.steps = 0
        if len(world.records) > 5000:
            app = world.app
            for kept in (world.records, world.choices, app.errors, app.written):
                kept.clear()
            world.checked = 0


def one_session(days: float, a_day: float, seed: int, threads: bool) -> Soaked:
    """A session that lives on, whatever goes wrong."""
    logging.getLogger("glusterio").setLevel(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    return Soak(Consumer(days * DAY, days * a_day, seed), seed, SURVIVED, threads).run()


def some_bricks(seeds: range, a_day: float) -> Soaked:
    """Sessions on a brick each, for an hour and a little, so that they are compared in the middle."""
    found = Soaked()
    for seed in seeds:
        found = found.plus(one_session(1.02 * HOUR / DAY, a_day, seed, threads=bool(seed % 2)))
    return found


def some_sessions(seeds: range) -> Soaked:
    """Sessions that are opened, used for an hour, and closed, or end otherwise."""
    logging.getLogger("glusterio").setLevel(logging.CRITICAL)
    found = Soaked()
    for seed in seeds:
        consumer = Consumer(HOUR, 12, f"session {seed}")
        soak = Soak(consumer, seed, ENDING, threads=bool(seed % 2), accidents=20 * ACCIDENTS)
        found = found.plus(soak.run())
    return found


# -- the command ----------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.explore.soak")
    parser.add_argument("--days", type=float, default=30.0, help="simulated")
    parser.add_argument("--a-day", type=float, default=A_DAY, help="handles of the one session")
    parser.add_argument("--bricks", type=int, default=600, help="how many more sessions live on")
    parser.add_argument("--share", type=float, default=0.001, help="their share of that rate")
    parser.add_argument("--whole", type=int, default=600, help="... for an hour, at the whole rate")
    parser.add_argument("--sessions", type=int, default=1000, help="that are opened and closed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    with ProcessPoolExecutor(given.jobs) as pool:
        one = pool.submit(one_session, given.days, given.a_day, 0, False)
        whole = [
            pool.submit(some_bricks, range(first, min(first + 10, given.whole + 1)), given.a_day)
            for first in range(1, given.whole + 1, 10)
        ]
        bricks = [
            pool.submit(one_session, given.days, given.a_day * given.share, seed, bool(seed % 2))
            for seed in range(1, given.bricks + 1)
        ]
        portions = [
            pool.submit(some_sessions, range(first, min(first + 50, given.sessions)))
            for first in range(0, given.sessions, 50)
        ]
        parts = {
            f"one session, {given.days:g} days, {given.a_day:,.0f} handles a day": [one],
            f"{given.whole} bricks, an hour, as many a day on each": whole,
            f"{given.bricks} bricks, {given.days:g} days, {given.a_day * given.share:g} a day": bricks,
            f"{given.sessions:,} sessions opened and closed": portions,
        }
        wrong: list[str] = []
        for name, futures in parts.items():
            total = Soaked()
            for future in futures:
                total = total.plus(future.result())
            print(
                f"{name}: {total.handles:,} handles, compared {total.hours:,} times, at most"
                f" {total.open_most} open at once; {total.accidents:,} accidents;"
                f" {len(total.problems)} things wrong",
                flush=True,
            )
            wrong += total.problems
    for problem in wrong[:20]:
        print(f"  WRONG: {problem}")
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
