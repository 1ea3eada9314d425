"""What leaving out orders could save of an exhaustive search, at best: ``--reductions``.

The search (:mod:`tests.explore.search`) cuts lives at states that were seen, and leaves out nothing
else. Two methods would leave out steps that are independent of each other, so that their order does
not matter. How much either could save, at the very best, is in the graph of states that a search has
found:

* *Sleep sets* leave out steps that lead to states seen before. They leave out no state; of the lives
  that are begun, those that only end where another one has been.
* *Ample sets* follow, at a state, only one of the steps that are possible there. That needs a step
  which commutes with every other one; here it is enough that, whichever of the others is taken first,
  some next step leads to where the two orders could meet. What must be shown besides is not asked for:
  that it is so in all that follows, and that no invariant sees the step. So what is left is at least
  as much as any sound choice would leave.

Source: P. Godefroid, Partial-Order Methods for the Verification of Concurrent Systems (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Saved(NamedTuple):
    """How much a search needs, and would need at best.

    Attributes:
        states: states that are different.
        alone: those at which one step commutes with every other one, of several.
        left: states that are left, if only that one is followed there.
        lives: lives that were begun.
        told: those of them that a search by sleep sets would have to begin.
    """

    states: int
    alone: int
    left: int
    lives: int
    told: int


def at_best(following: Sequence[Sequence[int]]) -> Saved:
    """Tell what could be saved.

    Args:
        following: for each state, beginning with the first one, those that one step leads to.
    """
    after = [frozenset(those) for those in following]
    chosen = [_alone(those, after) for those in following]
    left, todo = {0}, [0]
    while todo:
        state = todo.pop()
        one = chosen[state]
        for next_state in following[state] if one is None else (one,):
            if next_state not in left:
                left.add(next_state)
                todo.append(next_state)
    steps = sum(map(len, following))
    going_on = sum(map(bool, following))
    lives = 1 + steps - going_on
    again = steps - (len(following) - 1)  # steps that lead to where another one has led
    alone = sum(one is not None for one in chosen)
    return Saved(len(following), alone, len(left), lives, lives - again)


def _alone(those: Sequence[int], after: Sequence[frozenset[int]]) -> int | None:
    """Return where a step leads that commutes with every other one; ``None`` if there is no such."""
    if len(those) < 2:
        return None
    for one in those:
        if all(after[one] & after[other] for other in those if other is not one):
            return one
    return None
