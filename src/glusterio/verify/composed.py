"""States as the parts that they are made of: a way to look at far more of them.

A session with three handles and three threads is the session, what is said of each handle and of the
threads that are at it, and what is said of each thread that is at none. Nearly every step concerns
the session and *one* of these parts, so what a part can do is worked out once, by the compiled
specification itself, in a small instance that has this part alone, and is looked up from then on. A
state is a few small numbers: the session's, the pool's (the threads at no handle), and each handle's,
with these in order: so states that differ in names alone are one, as in :mod:`symmetry`, and bringing
a state into its form is sorting three numbers.

What it buys, for ``Teardown/two`` (186,473 forms): 22 s come down to 3.

It rests on what a step may look at, by the parameters of its action:

====================  ======================================================================
a handle              the session, that handle, the threads at it
a thread              the session, that thread, the handle that it is at
a thread and a        the session, both, and the threads at that handle
handle
neither               everything, but only part by part: it may happen if it may happen in each
                      small instance, and does to each part what it does there
====================  ======================================================================

and on this: an invariant holds if it holds in each small instance. (So an action without parameters
must not ask whether there is *some* handle of a kind; one that did would be found out.) That is how
Teardown is written, and it is not taken on trust: the states' successors are compared with those that
the whole specification gives, all of the first :data:`COMPARED`, and one of :data:`EVERY` from then
on; and the counts of ``Teardown/two``, ``three`` and ``fork`` are those of TLC, to the last form.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from math import factorial, prod
from typing import Any

from glusterio.verify.compiler import Compiled, State
from glusterio.verify.config import Config
from glusterio.verify.explore import Counts, Result
from glusterio.verify.parts import Broken, Numbers, Parts
from glusterio.verify.tla import Module, SpecError

#: So many of the first states are compared with the whole specification, and one of so many after.
COMPARED, EVERY = 2_000, 1_000

#: The handles of a state, by the numbers of their clusters, in order.
Handles = tuple[int, ...]

#: A form of a state: the number of its group, and its handles.
Form = tuple[int, Handles]


class Group:
    """All states that have the same session and the same pool.

    Attributes:
        own: what the pool's threads can do without a handle: the group that it leads to, and in how
            many ways.
        steps: by cluster, what a handle and its threads can do, alone or with a thread of the pool:
            the group, the cluster, the ways.
        wide: what concerns all parts: the action, the session and the pool after, the ways, and the
            group after if no thread comes to the pool.
        effects: by cluster, what each of these does to it: the cluster after, and the threads that
            come to the pool; None where it cannot happen.
        alike: in how many ways the pool's threads can be swapped.
        seen: the handles of the states that were met.
    """

    __slots__ = ("alike", "effects", "own", "pool", "seen", "session", "steps", "wide")

    def __init__(self, session: int, pool: tuple[int, ...]) -> None:
        self.session, self.pool = session, pool
        self.alike = _alike(pool)
        self.own: list[tuple[int, int]] = []
        self.wide: list[tuple[tuple[Any, ...], int, tuple[int, ...], int, int]] = []
        self.steps: dict[int, list[tuple[int, int, int]]] = {}
        self.effects: dict[int, list[tuple[int, tuple[int, ...]] | None]] = {}
        self.seen: set[Handles] = set()


class Composed:
    """Looks at every form of a state, part by part.

    Args:
        compiled: the whole specification, with which the parts' steps are compared.
        module, config: what it was compiled from.

    Raises:
        SpecError: the states cannot be taken apart.
    """

    def __init__(self, compiled: Compiled, module: Module, config: Config) -> None:
        self._compiled = compiled
        self._parts = Parts(module, config)
        self._handles = len(config.members[self._parts.taken.handles])
        self._threads = len(config.members[self._parts.taken.threads])
        self._all = factorial(self._handles) * factorial(self._threads)
        self._numbers = Numbers()
        self._groups: list[Group] = []
        self._alike: dict[int, int] = {}  # by cluster: in how many ways its threads can be swapped
        self._looked = 0
        if len(compiled.initial) != 1:
            raise SpecError("more than one beginning")
        session, clusters, pool = self._parts.split(
            compiled.initial[0], self._handles, self._threads
        )
        if len(set(clusters)) != 1:
            raise SpecError("handles that differ from the beginning")
        self._unused = clusters[0]  # a handle that nothing was done to
        self._first: Form = (self._group(session, tuple(pool)), tuple(clusters))

    # -- the search -------------------------------------------------------------------------------

    def explore(self, counts: Counts | None = None) -> Result:
        """Look at every form of a state that can be reached, the nearest first.

        Args:
            counts: gets what the forms stand for.

        Raises:
            SpecError: a state's successors are not those that the whole specification gives.
        """
        number, handles = self._first
        self._groups[number].seen.add(handles)
        levels: list[dict[int, list[Handles]]] = [{number: [handles]}]
        generated = distinct = 1
        if counts is not None:
            counts.generated, counts.distinct = 1, 0
        while levels[-1]:
            coming: dict[int, list[Handles]] = {}
            for number, states in levels[-1].items():
                group = self._groups[number]
                for handles in states:
                    try:
                        steps = self._after(number, handles)
                    except Broken as broken:
                        trace = self._told(self._way(levels, (number, handles)), str(broken))
                        return Result(str(broken), generated, distinct, len(levels), trace)
                    made = 0
                    for to, reached, ways in steps:
                        made += ways
                        seen = self._groups[to].seen
                        if reached not in seen:
                            seen.add(reached)
                            distinct += 1
                            if to in coming:
                                coming[to].append(reached)
                            else:
                                coming[to] = [reached]
                    generated += made
                    if counts is not None:
                        stands = self._stands(group, handles)
                        counts.generated += made * stands
                        counts.distinct += stands
                    self._looked += 1
                    if self._looked <= COMPARED or self._looked % EVERY == 0:
                        self._compare((number, handles), steps)
            levels.append(coming)
        return Result("holds", generated, distinct, len(levels) - 1)

    def _after(self, number: int, handles: Handles) -> list[tuple[int, Handles, int]]:
        """Return the forms that may follow one, and in how many ways each does."""
        group = self._groups[number]
        if not group.steps:
            self._work_out_pool(group)
        found = [(to, handles, ways) for to, ways in group.own]
        before = -1
        for place, cluster in enumerate(handles):
            if cluster == before:
                continue
            before = cluster
            others = handles[:place] + handles[place + 1 :]
            alike = handles.count(cluster)
            steps = group.steps.get(cluster)
            if steps is None:
                steps = self._work_out(group, cluster)
            for to, reached, ways in steps:
                found.append((to, tuple(sorted((*others, reached))), ways * alike))
        effects = [group.effects[cluster] for cluster in handles]
        for place, (_, session, pool, ways, to) in enumerate(group.wide):
            after = [done for effect in effects if (done := effect[place]) is not None]
            if len(after) < len(handles):
                continue  # a part is in the way
            left = sum([threads for _, threads in after], ())
            if left:
                to = self._group(session, tuple(sorted(pool + left)))
            found.append((to, tuple(sorted([reached for reached, _ in after])), ways))
        return found

    def _group(self, session: int, pool: tuple[int, ...]) -> int:
        number = self._numbers.of((session, pool))
        if number == len(self._groups):
            group = Group(session, pool)
            self._groups.append(group)
        return number

    def _work_out(self, group: Group, cluster: int) -> list[tuple[int, int, int]]:
        """What a handle and its threads can do in a group, and what is done to them."""
        own: list[tuple[int, int, int]] = []
        session, pool = group.session, group.pool
        effects = {}
        for step in self._parts.steps(session, cluster, ()):
            if step.at_handle:
                to = self._group(step.session, tuple(sorted(pool + step.pool)))
                own.append((to, step.cluster, step.ways))
            else:
                effects[step.label] = (step.cluster, step.pool)
        for place, thread in enumerate(pool):
            others = pool[:place] + pool[place + 1 :]
            for step in self._parts.steps(session, cluster, (thread,)):
                if step.at_handle and step.in_pool:
                    to = self._group(step.session, tuple(sorted(others + step.pool)))
                    own.append((to, step.cluster, step.ways))
        group.steps[cluster] = own
        group.effects[cluster] = [effects.get(label) for label, *_ in group.wide]
        return own

    def _work_out_pool(self, group: Group) -> None:
        """What a group's pool can do, and what can happen to all."""
        session, pool = group.session, group.pool
        wide = {
            step.label: (step.session, step.ways)
            for step in self._parts.steps(session, self._unused, ())
            if not step.at_handle
        }
        after: dict[tuple[Any, ...], tuple[int, ...]] = dict.fromkeys(wide, ())
        for place, thread in enumerate(pool):
            others = pool[:place] + pool[place + 1 :]
            can = set()
            for step in self._parts.steps(session, self._unused, (thread,)):
                if step.at_handle:
                    continue
                if step.in_pool:
                    to = self._group(step.session, tuple(sorted(others + step.pool)))
                    group.own.append((to, step.ways))
                elif step.label in after:
                    can.add(step.label)
                    after[step.label] += step.pool
            after = {label: threads for label, threads in after.items() if label in can}
        for label, threads in after.items():
            to, ways = wide[label]
            left = tuple(sorted(threads))
            group.wide.append((label, to, left, ways, self._group(to, left)))

    # -- what is a state, what stands for it --------------------------------------------------------

    def _form(self, state: State) -> Form:
        session, clusters, pool = self._parts.split(state, self._handles, self._threads)
        return self._group(session, tuple(pool)), tuple(sorted(clusters))

    def _state(self, form: Form) -> State:
        """A state that the form stands for."""
        number, handles = form
        group, parts = self._groups[number], self._parts
        return parts.taken.together(
            parts.sessions.values[group.session],
            [parts.clusters.values[cluster] for cluster in handles],
            [parts.threads.values[thread] for thread in group.pool],
        )

    def _stands(self, group: Group, handles: Handles) -> int:
        """How many states a form stands for."""
        alike = group.alike * _alike(handles)
        for cluster in handles:
            if cluster not in self._alike:
                self._alike[cluster] = _alike(self._parts.clusters.values[cluster][1])
            alike *= self._alike[cluster]
        return self._all // alike

    def _compare(self, form: Form, steps: list[tuple[int, Handles, int]]) -> None:
        """Compare what follows with what the whole specification gives."""
        expected: Counter[Form] = Counter()
        for _, after, ways in self._compiled.successors(self._state(form)):
            expected[self._form(after)] += ways
        found: Counter[Form] = Counter()
        for to, handles, ways in steps:
            found[to, handles] += ways
        if found != expected:
            raise SpecError("the parts of a state do more, or less, than the whole")

    # -- the way to a violation -------------------------------------------------------------------

    def _way(self, levels: list[dict[int, list[Handles]]], last: Form) -> list[Form]:
        """The forms that lead to one of the last level, found again from level to level.

        So nothing has to be remembered of the millions that violate nothing.
        """
        way = [last]
        for level in reversed(levels[:-1]):
            forms = ((number, handles) for number, states in level.items() for handles in states)
            way.append(
                next(form for form in forms if way[-1] in [step[:2] for step in self._after(*form)])
            )
        return way[::-1]

    def _told(self, way: list[Form], name: str) -> list[tuple[tuple[Any, ...], State]]:
        """The actions and states on the way to what violates ``name``, by the whole specification."""
        state = self._compiled.initial[0]
        trace: list[tuple[tuple[Any, ...], State]] = [(("Initial predicate",), state)]
        for form in way[1:]:
            label, state = next(
                (label, after)
                for label, after, _ in self._compiled.successors(state)
                if self._form(after) == form
            )
            trace.append((label, state))
        if name in self._compiled.invariants:
            if self._compiled.invariants[name](state):
                raise SpecError(f"{name}: violated by a part, and not by the whole")
            return trace
        for label, after, _ in self._compiled.successors(state):
            if not self._compiled.steps[name](state, after):
                return [*trace, (label, after)]
        raise SpecError(f"{name}: violated by a part, and not by the whole")


def _alike(sorted_: tuple[Any, ...]) -> int:
    """In how many ways those that are equal can be swapped."""
    return prod(factorial(len(list(same))) for _, same in groupby(sorted_))
