"""Looking at every state that can be reached, the nearest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from glusterio.verify.compiler import Compiled, State


@dataclass
class Result:
    """What was found.

    Attributes:
        verdict: ``holds``, or the name of what is violated.
        generated, distinct, depth: as TLC counts them: successors, states, and levels.
        trace: the shortest way to the violation: actions, and the states that they lead to.
    """

    verdict: str
    generated: int
    distinct: int
    depth: int
    trace: list[tuple[tuple[Any, ...], State]] = field(default_factory=list)


@dataclass
class Counts:
    """How many states the forms that were looked at stand for.

    Attributes:
        generated, distinct: what they would be, had every state been looked at.
    """

    generated: int = 0
    distinct: int = 0


#: Returns the form of a state that stands for all that differ from it in names alone, and how many
#: those are (:mod:`glusterio.verify.symmetry`).
Form = Callable[[State], tuple[State, int]]


def explore(spec: Compiled, form: Form | None = None, counts: Counts | None = None) -> Result:
    """Look at every state, or at every form of one.

    Args:
        spec: the specification.
        form: brings a state into its form. The result's counts are then those of the forms.
        counts: gets what the forms stand for.
    """
    successors, invariants = spec.successors, list(spec.invariants.items())
    steps = list(spec.steps.items())
    before: dict[State, tuple[State, tuple[Any, ...]] | None] = {}
    level: list[State] = []
    sizes: dict[State, int] = {}  # filled only where states have forms
    generated = depth = 0

    def trace(state: State) -> list[tuple[tuple[Any, ...], State]]:
        way: list[tuple[tuple[Any, ...], State]] = []
        while (link := before[state]) is not None:
            way.append((link[1], state))
            state = link[0]
        return [(("Initial predicate",), state), *reversed(way)]

    stands = 1
    for state in spec.initial:
        if form is not None:
            state, stands = form(state)
        generated += 1
        if counts is not None:
            counts.generated += stands
        if state not in before:
            sizes[state] = stands
            before[state] = None
            level.append(state)
            for name, holds in invariants:
                if not holds(state):
                    return Result(name, generated, len(before), 1, trace(state))
    while level:
        depth += 1
        coming: list[State] = []
        for state in level:
            first = generated
            for label, after, ways in successors(state):
                generated += 1
                if form is None:
                    reached = after
                else:
                    reached, stands = form(after)
                if reached not in before:
                    before[reached] = (state, label)
                    if form is not None:
                        sizes[reached] = stands
                    for name, holds in invariants:
                        if not holds(reached):
                            way = trace(reached)
                            return Result(name, generated, len(before), depth + 1, way)
                    coming.append(reached)
                for name, step_holds in steps:
                    if not step_holds(state, after):
                        way = [*trace(state), (label, after)]
                        return Result(name, generated, len(before), depth + 1, way)
                generated += ways - 1
            if counts is not None:
                counts.generated += (generated - first) * sizes[state]
        level = coming
    if counts is not None:
        counts.distinct = sum(sizes.values())
    return Result("holds", generated, len(before), depth)
