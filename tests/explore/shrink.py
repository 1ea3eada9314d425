"""Shrinking: from a life in which something was wrong to the fewest choices that show the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.explore.search import Failure, replay
from tests.explore.world import Scenario

#: How many lives are lived in search of a shorter one.
TRIES = 3000


def shrink(scenario: Scenario, failure: Failure) -> Failure:
    """Return a shorter life with the same kind of problem: fewer choices, and more zeros among
    them.

    A choice out of range is taken modulo, and a list that ends early goes on with zeros; so
    anything that is done to a list gives another life.
    """
    kind = _kind(failure.problems)
    best = replay(scenario, failure.choices)
    if _kind(best.problems) != kind:
        return failure  # it does not come again: whoever reads it has to know
    choices = _stripped(best.choices)
    left = TRIES

    def attempt(candidate: list[int]) -> bool:
        nonlocal choices, best, left
        left -= 1
        world = replay(scenario, candidate)
        if _kind(world.problems) != kind:
            return False
        shorter = _stripped(world.choices)
        if _weight(shorter) >= _weight(choices):
            return False
        choices, best = shorter, world
        return True

    while left > 0 and _pass(lambda: choices, attempt, lambda: left > 0):
        pass
    return Failure(scenario.name, tuple(choices), tuple(best.problems), failure.seed)


def _pass(
    current: Callable[[], list[int]],
    attempt: Callable[[list[int]], bool],
    may: Callable[[], bool],
) -> bool:
    """Try everything once; return whether anything made it shorter."""
    better = False
    size = max(1, len(current()) // 2)
    while size and may():
        at = 0
        while at < len(current()) and may():
            now = current()
            piece = now[at : at + size]
            zeros = [0] * len(piece)
            if attempt(now[:at] + now[at + size :]) or (
                piece != zeros and attempt(now[:at] + zeros + now[at + size :])
            ):
                better = True
            else:
                at += size
        size //= 2
    for at in range(len(current())):
        for less in range(1, 20):
            now = current()
            if at >= len(now) or now[at] < less or not may():
                break
            if attempt([*now[:at], less - 1, *now[at + 1 :]]):
                better = True
                break
    return better


def _weight(choices: Sequence[int]) -> tuple[int, int, int]:
    return sum(map(bool, choices)), len(choices), sum(choices)


def _stripped(choices: Sequence[int]) -> list[int]:
    kept = list(choices)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _kind(problems: Sequence[str]) -> str:
    """The invariant that a life has violated, or the beginning of what was wrong."""
    return problems[0].partition(":")[0].partition("<")[0] if problems else ""
