"""The explorer's command: ``python -m tests.explore``.

.. code-block:: console

    $ python -m tests.explore                            # all scopes, and 100,000 random lives
    $ python -m tests.explore --lives 5000 --seed 7 two  # random lives of one scenario
    $ python -m tests.explore --exhaust --seconds 60 two-small
    $ python -m tests.explore --replay two:0.3.1         # one life, step by step
    $ python -m tests.explore --speed
    $ python -m tests.explore --reductions               # what leaving out orders would save
    $ python -m tests.explore --list

A life in which something is wrong is shrunk and printed with the line that replays it; the command
ends with 1.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.explore import page
from tests.explore.quiet import quiet
from tests.explore.reduction import Saved, at_best
from tests.explore.scenarios import EXHAUSTIVE, RANDOM, SCENARIOS
from tests.explore.search import (
    Covered,
    Exhaustive,
    Failure,
    from_text,
    live,
    replay,
    search_at_random,
)
from tests.explore.shrink import shrink
from tests.explore.world import Scenario

#: How many random lives a process lives before it tells.
PORTION = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.explore", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "scenarios", nargs="*", help="which; by default those that are meant for it"
    )
    parser.add_argument("--list", action="store_true", help="tell which scenarios there are")
    parser.add_argument("--replay", metavar="SCENARIO:CHOICES", help="live one life, step by step")
    parser.add_argument("--exhaust", action="store_true", help="the exhaustive scopes alone")
    parser.add_argument("--random", action="store_true", help="random lives alone")
    parser.add_argument("--lives", type=int, default=100_000, help="how many random lives")
    parser.add_argument("--seed", type=int, default=0, help="of the first random life")
    parser.add_argument("--seconds", type=float, help="for how long each exhaustive scope may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--speed", action="store_true", help="how many lives a minute on one core")
    parser.add_argument(
        "--reductions", action="store_true", help="what leaving out orders could save, at best"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="the table of the scopes")
    parser.add_argument(
        "--check", type=Path, metavar="PAGE", help="whether that table says the same"
    )
    given = parser.parse_args(arguments)
    with quiet():
        return _run(given)


def _run(given: argparse.Namespace) -> int:
    if given.list:
        for scenario in SCENARIOS.values():
            print(f"{scenario.name:16} {scenario.about}")
        return 0
    if given.replay:
        return _replay(given.replay)
    if given.speed:
        return _speed(given.scenarios or RANDOM)
    if given.reductions:
        return _reductions(given.scenarios or EXHAUSTIVE, given.jobs)
    failures: list[Failure] = []
    scopes = given.scenarios or EXHAUSTIVE
    if not given.exhaust:  # what is no small scope has no end
        scopes = [] if given.random else [name for name in scopes if name in EXHAUSTIVE]
    others = [] if given.exhaust else given.scenarios or RANDOM
    with ProcessPoolExecutor(given.jobs) as pool:
        found = pool.map(_exhaust, scopes, [given.seconds] * len(scopes))
        all_covered = []
        for name, (covered, seconds) in zip(scopes, found, strict=True):
            _tell_covered(name, covered, seconds)
            all_covered.append((name, covered))
            failures += covered.failures
        if given.write:
            page.write(given.write, all_covered)
        stale = page.differing(given.check, all_covered) if given.check else []
        for name in stale:
            print(f"{given.check} says otherwise of {name}: --write {given.check}")
        if others:
            failures += _random(pool, others, given.lives, given.seed)
    for first, count in _kinds(failures):
        _tell_failure(first, count)
    return 1 if failures or stale else 0


def _replay(line: str) -> int:
    name, _, text = line.partition(":")
    world = replay(SCENARIOS[name], from_text(text), print)
    for problem in world.problems:
        print(f"WRONG: {problem}")
    if not world.problems:
        print(f"all is well after {world.steps} steps; choices {'.'.join(map(str, world.choices))}")
    return 1 if world.problems else 0


def _speed(names: Sequence[str]) -> int:
    """Measure complete lives: from connecting to the end, in random orders, without accidents."""
    lives = 300
    for name in names:
        scenario = SCENARIOS[name]._replace(faults={})
        began = time.process_time()
        steps = sum(live(scenario, seed).steps for seed in range(lives))
        seconds = time.process_time() - began
        print(
            f"{name:22} {lives / seconds * 60:8,.0f} lives a minute of processor time,"
            f" {steps / lives:.0f} steps each"
        )
    return 0


def _reductions(names: Sequence[str], jobs: int) -> int:
    """Print what leaving out orders could save of each scope, at best."""
    names = [name for name in names if not SCENARIOS[name].loop]  # there no state is taken note of
    with ProcessPoolExecutor(jobs) as pool:
        for name, saved in zip(names, pool.map(_at_best, names), strict=True):
            print(
                f"{name:28} {saved.states:7,} states, {saved.alone:,} with a step that commutes with"
                f" all others: {saved.left:,} left at best, {saved.states / saved.left:.2f} times"
                f" fewer; {saved.lives:,} lives begun, {saved.told:,} at best",
                flush=True,
            )
    return 0


def _at_best(name: str) -> Saved:
    search = Exhaustive(SCENARIOS[name])
    with quiet():
        search.run()
    return at_best(search.following)


def _exhaust(name: str, seconds: float | None) -> tuple[Covered, float]:
    began = time.process_time()
    with quiet():
        return Exhaustive(SCENARIOS[name], seconds=seconds).run(), time.process_time() - began


def _tell_covered(name: str, covered: Covered, seconds: float) -> None:
    lives = "" if covered.lives is None else f" = {covered.lives:,} orders"
    print(
        f"{name:16} {'everything' if covered.complete else 'NOT everything'}:"
        f" {covered.states:,} states{lives}; {covered.runs:,} lives begun,"
        f" up to {covered.steps} steps, {seconds:.1f} s",
        flush=True,
    )


def _random(
    pool: ProcessPoolExecutor, names: Sequence[str], lives: int, first: int
) -> list[Failure]:
    began = time.monotonic()
    portions = [
        (name, range(start, min(start + PORTION, first + lives // len(names))))
        for start in range(first, first + lives // len(names), PORTION)
        for name in names
    ]
    failures = [
        failure
        for found in pool.map(_some_lives, *zip(*portions, strict=True))
        for failure in found
    ]
    seconds = time.monotonic() - began
    count = sum(len(seeds) for _, seeds in portions)
    print(
        f"{count:,} random lives of {len(names)} scenarios, seeds from {first}, in {seconds:.1f} s:"
        f" {len(failures)} with something wrong"
    )
    return failures


def _some_lives(name: str, seeds: range) -> list[Failure]:
    with quiet():
        return list(search_at_random(SCENARIOS[name], seeds))


def _kinds(failures: Sequence[Failure]) -> list[tuple[Failure, int]]:
    """One of each kind, by its scenario and what was wrong, and how often it came."""
    kinds: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        kinds.setdefault((failure.scenario, re.sub(r"\d+", "", failure.problems[0])), []).append(
            failure
        )
    return [
        (min(those, key=lambda each: len(each.choices)), len(those)) for those in kinds.values()
    ]


def _tell_failure(failure: Failure, count: int) -> None:
    scenario: Scenario = SCENARIOS[failure.scenario]
    shrunk = shrink(scenario, failure)
    seed = "" if failure.seed is None else f" (seed {failure.seed})"
    print(
        f"\n{failure.scenario}{seed}, from {len(failure.choices)} choices,"
        f" one of {count} of its kind:"
    )
    replay(scenario, shrunk.choices, lambda line: print("  " + line))
    for problem in shrunk.problems:
        print(f"  WRONG: {problem}")
    print(f"  python -m tests.explore --replay '{shrunk.line}'")


if __name__ == "__main__":
    sys.exit(main())
