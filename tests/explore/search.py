"""Searching: at random, and exhaustively.

*At random*: each life has a seed of its own, printed when it fails, and decides by it: mostly how
things simply go on, sometimes another order, seldom an accident.

*Exhaustively*: every list of choices, in the order of a depth-first search, each life begun anew
and brought to where the next untried choice is (there is no copying of a coroutine). A life is cut
short when it comes to a state (:mod:`tests.explore.state`) that was seen before: what can follow
from there has been, or will be, looked at from that one. This is a reduction by states, and the
only one in use: no order is left out on the ground that two steps are independent of each other;
where they are, both orders lead to the same state, and one of the two lives ends there. The number
of orders that this covers, without the cutting, is counted from the graph of states
(:attr:`Covered.lives`).
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from tests.explore.state import state_of
from tests.explore.world import FAULTS, Option, Scenario, World

_FAULTS = frozenset(FAULTS)

#: How many lives are lived between two collections of garbage.
_COLLECT = 200


class Failure(NamedTuple):
    """A life in which something was wrong.

    Attributes:
        scenario: of which scenario.
        choices: what was decided.
        problems: what was wrong.
        seed: of a random life; or ``None``.
    """

    scenario: str
    choices: tuple[int, ...]
    problems: tuple[str, ...]
    seed: int | None = None

    @property
    def line(self) -> str:
        """What replays it."""
        return f"{self.scenario}:{to_text(self.choices)}"


class Covered(NamedTuple):
    """What an exhaustive search has looked at.

    Attributes:
        runs: lives that were begun.
        states: states that are different; 0 where none was taken note of.
        lives: lives that differ in the order of their steps, up to the same end; ``None`` when a
            state can come back, and there is no end to them.
        steps: the longest life.
        complete: whether nothing was left to be tried.
        failures: what was wrong.
    """

    runs: int
    states: int
    lives: int | None
    steps: int
    complete: bool
    failures: tuple[Failure, ...]


def to_text(choices: Sequence[int]) -> str:
    """Write choices down, without the zeros at their end."""
    kept = list(choices)
    while kept and not kept[-1]:
        kept.pop()
    return ".".join(map(str, kept))


def from_text(text: str) -> list[int]:
    """Read what :func:`to_text` wrote."""
    return [int(number) for number in text.split(".")] if text else []


def decided(choices: Sequence[int]) -> Callable[[Sequence[Option]], int]:
    """Decide as was decided before; then as things simply go on."""
    left = iter(choices)
    return lambda _: next(left, 0)


def at_random(rng: random.Random) -> Callable[[Sequence[Option]], int]:
    """Decide at random. How wild a life is, is its own."""
    other, accident = rng.random(), rng.random() * 0.2

    def decide(options: Sequence[Option]) -> int:
        dice = rng.random()
        if dice < accident:
            accidents = [at for at, option in enumerate(options) if at and option.kind in _FAULTS]
            if accidents:  # each kind as often as any other, however many there are of it
                kinds = sorted({options[at].kind for at in accidents})
                kind = kinds[rng.randrange(len(kinds))]
                if kind == "fork" and rng.random() < 0.9:
                    return 0  # it ends a life, so it shall be seldom
                those = [at for at in accidents if options[at].kind == kind]
                return those[rng.randrange(len(those))]
        if dice < other:
            usual = sum(option.kind not in _FAULTS for option in options)
            return rng.randrange(max(1, usual))
        return 0

    return decide


def live(scenario: Scenario, seed: int) -> World:
    """Live one life at random."""
    world = World(scenario)
    world.run(at_random(random.Random(f"{scenario.name} {seed}")))
    return world


def search_at_random(scenario: Scenario, seeds: range) -> Iterator[Failure]:
    """Live one life for each seed; yield those in which something was wrong."""
    with _CollectedByHand():
        for seed in seeds:
            world = live(scenario, seed)
            if world.problems:
                yield Failure(scenario.name, tuple(world.choices), tuple(world.problems), seed)
            if not seed % _COLLECT:
                gc.collect()


def replay(
    scenario: Scenario, choices: Sequence[int], log: Callable[[str], None] | None = None
) -> World:
    """Live a life again."""
    world = World(scenario, log)
    world.run(decided(choices))
    return world


class _CollectedByHand:
    """Worlds are cycles, and the collector would look at all of them all the time."""

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()


# -- exhaustively
# -------------------------------------------------------------------------------------


class _Choice(NamedTuple):
    """A choice on the way to a life: which option was taken, of how many, in which state."""

    taken: int
    of: int
    state: int


class Exhaustive:
    """A search of everything that can happen in a scenario.

    Args:
        scenario: the scenario.
        cut: whether lives are cut short at a state that was seen.
        seconds: for how long; ``None`` until nothing is left.
        runs: how many lives at most; ``None`` for any number.
        stop: whether to stop at the first failure.

    Attributes:
        ends: what has come of lives, each once.
        following: for each state, those that one step leads to; the first state is 0.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        cut: bool = True,
        seconds: float | None = None,
        runs: int | None = None,
        stop: bool = True,
    ) -> None:
        self.scenario = scenario
        self.cut = cut and not scenario.loop  # asyncio keeps to itself what its loop has to do
        self.seconds = seconds
        self.most = runs
        self.stop = stop
        self.ends: set[Hashable] = set()
        self._numbers: dict[Hashable, int] = {}
        self.following: list[list[int]] = []
        self._failures: list[Failure] = []

    def run(self) -> Covered:
        """Search. Returns what was looked at."""
        began = time.monotonic()
        runs = steps = 0
        path: list[_Choice] = []
        complete = False
        with _CollectedByHand():
            while True:
                world = World(self.scenario)
                self._live(world, path)
                runs += 1
                steps = max(steps, world.steps)
                if world.problems:
                    failure = Failure(
                        self.scenario.name, tuple(world.choices), tuple(world.problems)
                    )
                    self._failures.append(failure)
                    if self.stop:
                        break
                while path and path[-1].taken + 1 == path[-1].of:
                    path.pop()
                if not path:
                    complete = True
                    break
                path[-1] = path[-1]._replace(taken=path[-1].taken + 1)
                if not runs % _COLLECT:
                    gc.collect()
                if self.most is not None and runs >= self.most:
                    break
                if self.seconds is not None and time.monotonic() - began > self.seconds:
                    break
        lives = self._count() if self.cut else runs
        return Covered(runs, len(self._numbers), lives, steps, complete, tuple(self._failures))

    def _live(self, world: World, path: list[_Choice]) -> None:
        """Follow a path to its end, and go on from there, always with the first option."""
        world.begin()
        depth, known = 0, len(path)
        state = self._note(world, -1)[0] if not path else -1
        while not world.problems:
            options = world.options()
            if not options:
                break
            number = 0
            if len(options) > 1:
                if depth < known:
                    number, _, state = path[depth]
                else:
                    path.append(_Choice(0, len(options), state))
                depth += 1
            world.take(options, number, check=depth >= known)
            if depth >= known:  # from the last step of the path on, all is new
                state, is_new = self._note(world, state)
                if self.cut and not is_new:
                    world.abandon()
                    return
        world.finish()
        if not world.problems:
            self.ends.add(_end_of(world))

    def _note(self, world: World, before: int) -> tuple[int, bool]:
        """Take note of where a step has led to; return its number, and whether it is new."""
        if not self.cut:
            return -1, True
        state = state_of(world)
        number = self._numbers.get(state)
        is_new = number is None
        if number is None:
            number = self._numbers[state] = len(self.following)
            self.following.append([])
        if before >= 0:
            self.following[before].append(number)
        return number, is_new

    def _count(self) -> int | None:
        """Count the ways from the beginning to an end; ``None`` if one goes in a circle."""
        following = self.following
        if not following:
            return None
        ways: dict[int, int] = {}
        under_way: set[int] = set()
        todo = [0]
        while todo:
            state = todo[-1]
            if state in ways:
                todo.pop()
                continue
            left = [each for each in following[state] if each not in ways]
            if left:
                if state in under_way:
                    return None
                under_way.add(state)
                todo += left
                continue
            under_way.discard(state)
            ways[state] = sum(ways[each] for each in following[state]) or 1
            todo.pop()
        return ways[0]


def _end_of(world: World) -> Hashable:
    """What came of a life: to compare two searches of the same scenario."""
    report = world.app.core.report
    return (
        world.forked,
        tuple((caller.name, type(caller.error).__name__) for caller in world.callers),
        () if report is None else (
            len(report.handles), tuple(report.calls_cancelled), report.calls_settled,
            tuple(type(error).__name__ for error in report.errors),
        ),
        tuple(
            (name, bytes(node.data)) for name, node in sorted(world.brick.root.entries.items())
        ),
    )  # fmt: skip
