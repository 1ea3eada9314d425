"""Whether what shall happen at last does: ``P ~> Q``, under weak fairness.

A behaviour breaks ``P ~> Q`` if from a state with P on it never comes to one with Q. Since there are
finitely many states, it then goes on for ever within some of them that lead to each other, or stands
still in one. Weak fairness forbids that where a fair action could be taken in all of these states and
never is. So it is enough to look at the strongly connected components of the states without Q that can
be reached from P (Robert Tarjan, "Depth-first search and linear graph algorithms", 1972).
"""

from __future__ import annotations

from glusterio.verify.compiler import Compiled, State
from glusterio.verify.explore import Result


def look(spec: Compiled) -> Result:
    """Look at every state, and then at the properties of liveness.

    Returns:
        The verdict; the counts are those of all states. The counterexample ends in a state from which
        the behaviour never comes to what it should.
    """
    numbers: dict[State, int] = {}
    states: list[State] = []
    edges: list[list[int]] = []
    came: list[tuple[int, tuple[object, ...]] | None] = []
    generated = depth = 0

    def number(state: State, link: tuple[int, tuple[object, ...]] | None) -> int:
        if state not in numbers:
            numbers[state] = len(states)
            states.append(state)
            came.append(link)
        return numbers[state]

    for state in spec.initial:
        generated += 1
        number(state, None)
    level = range(len(states))
    while level:
        depth += 1
        for at in level:
            after = spec.successors(states[at])
            generated += sum(ways for _, _, ways in after)
            edges.append([number(state, (at, label)) for label, state, _ in after])
        level = range(level.stop, len(states))

    for name, pairs in spec.leads.items():
        for before, after_ in pairs:
            without = [not after_(state) for state in states]
            start = [at for at, state in enumerate(states) if without[at] and before(state)]
            for component in _components(start, edges, without):
                if _may_stay(spec, component, states, numbers):
                    trace = _way(component[0], states, came)
                    return Result(name, generated, len(states), depth, trace)
    return Result("holds", generated, len(states), depth)


def _may_stay(
    spec: Compiled, component: list[int], states: list[State], numbers: dict[State, int]
) -> bool:
    """Whether a fair behaviour may stay in these states for ever."""
    inside = set(component)
    for action in spec.fair:
        for at in component:
            steps = [state for _, state, _ in action(states[at]) if state != states[at]]
            if not steps or any(numbers[state] in inside for state in steps):
                break  # it cannot be taken here, or is taken without leaving
        else:
            return False
    return True


def _way(
    at: int, states: list[State], came: list[tuple[int, tuple[object, ...]] | None]
) -> list[tuple[tuple[object, ...], State]]:
    way: list[tuple[tuple[object, ...], State]] = []
    while (link := came[at]) is not None:
        way.append((link[1], states[at]))
        at = link[0]
    return [(("Initial predicate",), states[at]), *reversed(way)]


def _components(start: list[int], edges: list[list[int]], inside: list[bool]) -> list[list[int]]:
    """The strongly connected components of what can be reached without leaving ``inside``."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in start:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            at, rest = work[-1]
            for to in rest:
                if not inside[to]:
                    continue
                if to not in index:
                    index[to] = low[to] = len(index)
                    stack.append(to)
                    on_stack.add(to)
                    work.append((to, iter(edges[to])))
                    break
                if to in on_stack:
                    low[at] = min(low[at], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == index[at]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == at:
                            break
                    found.append(component)
    return found
