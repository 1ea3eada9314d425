"""Which schedules are lived: all with few deviations, or some at random; and how one comes again.

A schedule is its *deviations*: at which point which option was taken that was not the first. All with
at most so many are lived one after the other, each from the beginning: first without any, then each
further deviation after the last one. That is the bound of CHESS (Musuvathi and others, 2008): most
defects of this kind need very few.

At random there are two ways, in turns: a walk that now and then deviates; and priorities, which each
thread has, and which change at a few points (PCT: Burckhardt and others, 2010).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.scheduled.life import Life, Scenario
from tests.scheduled.scheduler import Option

Deviations = tuple[tuple[int, int], ...]


class Bounds(NamedTuple):
    """How much a schedule may deviate.

    Attributes:
        preempt: how often another goes on, or something comes, though the running thread could go on.
        turn: how often it is not the next one who goes on when a thread has to wait.
        accident: how many accidents there are.
        most: how many of all of these.
    """

    preempt: int = 1
    turn: int = 1
    accident: int = 1
    most: int = 2

    def __str__(self) -> str:
        return f"{self.preempt}/{self.turn}/{self.accident}, {self.most} in all"


class Failure(NamedTuple):
    """A schedule in which something is wrong."""

    scenario: str
    lines: bool
    deviations: Deviations
    problems: list[str]

    @property
    def line(self) -> str:
        """What replays it."""
        return f"{self.scenario}{'/lines' if self.lines else ''}:{to_text(self.deviations)}"

    @property
    def kind(self) -> str:
        return self.problems[0].partition(":")[0]


class Covered(NamedTuple):
    """What a search has come to.

    Attributes:
        schedules: how many were lived.
        complete: whether those were all within the bounds.
        points: how many points the longest had.
        failure: what was wrong first.
    """

    schedules: int
    complete: bool
    points: int
    failure: Failure | None


def to_text(deviations: Deviations) -> str:
    """Write deviations on a line."""
    return ".".join(f"{point}={index}" for point, index in deviations)


def from_text(text: str) -> Deviations:
    """Read what :func:`to_text` has written."""
    pairs = (each.split("=") for each in text.split(".") if each)
    return tuple((int(point), int(index)) for point, index in pairs)


class Guided:
    """Takes the decisions that it is given, and the first option elsewhere.

    Attributes:
        seen: what kinds of options there were at each point.
    """

    def __init__(self, deviations: Mapping[int, int]) -> None:
        self._deviations = deviations
        self.seen: list[tuple[str, ...]] = []

    def __call__(self, options: Sequence[Option]) -> int:
        index = self._deviations.get(len(self.seen), 0)
        self.seen.append(tuple([option.kind for option in options]))
        return index if index < len(options) else 0


class AtRandom:
    """Decides at random, and remembers what.

    Attributes:
        deviations: what it has decided.
    """

    def __init__(self, seed: str, length: int) -> None:
        self.deviations: list[tuple[int, int]] = []
        self._random = random.Random(seed)
        self._point = 0
        self._deviates = self._random.choice((0.02, 0.05, 0.15, 0.4))
        self._priorities: dict[str, float] | None = {} if self._random.random() < 0.5 else None
        self._changes = {self._random.randrange(length) for _ in range(self._random.randint(1, 3))}

    def __call__(self, options: Sequence[Option]) -> int:
        index = self._decide(options)
        if index:
            self.deviations.append((self._point, index))
        self._point += 1
        return index

    def _decide(self, options: Sequence[Option]) -> int:
        chance, priorities = self._random, self._priorities
        if priorities is None:
            return chance.randrange(len(options)) if chance.random() < self._deviates else 0
        if chance.random() < 0.02:
            return chance.randrange(len(options))
        names = [
            option.thread.name if option.thread is not None else "the world" for option in options
        ]
        for name in names:
            priorities.setdefault(name, chance.random())
        if self._point in self._changes:
            priorities[names[0]] = -self._point
        usual = [n for n, option in enumerate(options) if option.kind != "accident"]
        best = max(usual, key=lambda n: priorities[names[n]], default=0)
        # Of the world's, which have one priority, any.
        return chance.choice([n for n in usual if names[n] == names[best]]) if usual else 0


def all_within(
    scenario: Scenario, bounds: Bounds, lines: bool
) -> Iterator[tuple[int, Failure | None]]:
    """Live every schedule within bounds; give the number of its points, and what was wrong.

    They come in no order, so that those of a search that is broken off are of all kinds.
    """
    chance = random.Random(scenario.name)
    todo: list[Deviations] = [()]
    while todo:
        at = chance.randrange(len(todo))
        todo[at], todo[-1] = todo[-1], todo[at]
        deviations = todo.pop()
        guided = Guided(dict(deviations))
        life = Life(scenario, guided, lines)
        problems = life.run()
        failure = Failure(scenario.name, lines, deviations, problems) if problems else None
        yield len(guided.seen), failure
        if failure is not None:
            continue
        spent = [guided.seen[point][index] for point, index in deviations]
        if len(spent) >= bounds.most:
            continue
        left = {
            kind: getattr(bounds, kind) - spent.count(kind)
            for kind in ("preempt", "turn", "accident")
        }
        first = deviations[-1][0] + 1 if deviations else 0
        todo += [
            (*deviations, (point, index))
            for point in range(first, len(guided.seen))
            for index, kind in enumerate(guided.seen[point])
            if index and left[kind] > 0
        ]


def exhaust(
    scenario: Scenario,
    bounds: Bounds,
    lines: bool,
    seconds: float | None = None,
    schedules: int | None = None,
) -> Covered:
    """Live every schedule within bounds, or so many, or for so long, until something is wrong."""
    until = None if seconds is None else time.monotonic() + seconds
    count = most = 0
    for points, failure in all_within(scenario, bounds, lines):
        count += 1
        most = max(most, points)
        if failure is not None:
            return Covered(count, False, most, failure)
        if (until is not None and time.monotonic() > until) or count == schedules:
            return Covered(count, False, most, None)
    return Covered(count, True, most, None)


def at_random(scenario: Scenario, seeds: range, lines: bool) -> Covered:
    """Live schedules at random, until something is wrong."""
    most = 0
    length = 60
    for count, seed in enumerate(seeds, 1):
        decide = AtRandom(f"{scenario.name} {lines} {seed}", length)
        life = Life(scenario, decide, lines)
        problems = life.run()
        most = max(most, life.scheduler.points)
        length = max(10, life.scheduler.points)
        if problems:
            failure = Failure(scenario.name, lines, tuple(decide.deviations), problems)
            return Covered(count, False, most, failure)
    return Covered(len(seeds), True, most, None)


def shrunk(scenario: Scenario, failure: Failure) -> Failure:
    """Leave deviations out, as long as the same goes wrong."""
    best = failure
    size = len(best.deviations)
    while size:
        at = 0
        while at < len(best.deviations):
            fewer = best.deviations[:at] + best.deviations[at + size :]
            problems = Life(scenario, Guided(dict(fewer)), failure.lines).run()
            shorter = Failure(scenario.name, failure.lines, fewer, problems)
            if problems and shorter.kind == best.kind:
                best = shorter
            else:
                at += size
        size //= 2
    return best
