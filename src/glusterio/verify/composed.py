"""States as the parts that they are made of: a way to look at far more of them.

A session with three handles and three threads is the session, what is said of each handle and of the
threads that are at it, and what is said of each thread that is at none. Nearly every step concerns
the session and *one* of these parts, so what a part can do is worked out once, by the compiled
specification itself, in a small instance that has this part alone, and is looked up from then on. A
state is a few small numbers: the session's, the pool's (the threads at no handle), and each handle's,
with these in order: so states that differ in names alone are one, as in :mod:`symmetry`.

What a handle can do, it can do whatever the others are. So states are not gone through one by one:
under each cluster (a handle with its threads) stands the set of what the others may be, and one step
of the cluster goes on from all of them at once. That most of what it leads to was met before is found
by taking one set from another, which is what Python does fastest.

What that buys: ``Teardown/two`` (123,982 forms) takes 2 s, where looking at forms one by one takes 14;
``Teardown/all`` (6.0 million) half a minute.

It rests on what a step may look at, by the parameters of its action:

====================  ======================================================================
a handle              the session, that handle, the threads at it
a thread              the session, that thread, the handle that it is at
a thread and a        the session, both, and the threads at that handle
handle
neither               everything, but only part by part: it may happen if it may happen in each
                      small instance, and does to each part what it does there
====================  ======================================================================

and on this: an invariant holds if it holds in each small instance. So an action without parameters
must not ask whether there is *some* handle of a kind; one that did would be found out. That *some*
action of several can happen (``ENABLED``) follows where at most one of those without parameters looks
at more than the session: if one with a handle or a thread can happen in some small instance, it can
happen in the whole; if none can, that one can in all of them, and so in the whole.

That is how Teardown is written, and it is not taken on trust: successors and invariants are compared
with those of the whole specification, for the first :data:`COMPARED` states, and for one of
:data:`EVERY` from then on; and the counts of ``Teardown/two``, ``three`` and ``fork`` are those of TLC,
to the last form.
"""

from __future__ import annotations

import gc
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from math import factorial, prod
from typing import Any

from glusterio.verify.compiler import Compiled, State
from glusterio.verify.config import Config
from glusterio.verify.explore import Result
from glusterio.verify.groups import BLOCKED, Groups, Wide
from glusterio.verify.packing import Packing
from glusterio.verify.parts import Broken, Parts
from glusterio.verify.tla import Module, SpecError

#: So many of the first forms are compared with the whole specification, and one of so many after.
COMPARED, EVERY = 2_000, 10_000

#: The handles of a state, by the numbers of their clusters, in order.
Handles = tuple[int, ...]

#: A form of a state: the number of its group, and its handles.
Form = tuple[int, Handles]


class Coming:
    """States of one group, all as far from the beginning.

    Attributes:
        states: under each of their clusters.
        once: each under one of its clusters.
        more: for a cluster, the number of handles that are so, beyond one in each state.
        count: how many states.
    """

    __slots__ = ("count", "more", "once", "states")

    def __init__(self) -> None:
        self.states: defaultdict[int, set[int]] = defaultdict(set)
        self.once: defaultdict[int, set[int]] = defaultdict(set)
        self.more: defaultdict[int, int] = defaultdict(int)
        self.count = 0


Level = defaultdict[int, Coming]


class Composed:
    """Looks at every form of a state, part by part.

    Args:
        compiled: the whole specification, with which the parts' steps are compared.
        module, config: what it was compiled from.

    Attributes:
        handles: how many there are.

    Raises:
        SpecError: the states cannot be taken apart.
    """

    def __init__(self, compiled: Compiled, module: Module, config: Config) -> None:
        self._compiled = compiled
        self._parts = parts = Parts(module, config)
        self.handles = len(config.members[parts.taken.handles])
        self._threads = len(config.members[parts.taken.threads])
        if len(compiled.initial) != 1:
            raise SpecError("more than one beginning")
        _, clusters, _ = parts.split(compiled.initial[0], self.handles, self._threads)
        if len(set(clusters)) != 1:
            raise SpecError("handles that differ from the beginning")
        self._packing = Packing(self.handles)
        self._groups = Groups(parts, self._packing, clusters[0])

    # -- the search -------------------------------------------------------------------------------

    def explore(self) -> Result:
        """Look at every form of a state that can be reached, the nearest first.

        Raises:
            SpecError: a state's successors are not those that the whole specification gives.
        """
        collecting = gc.isenabled()
        gc.disable()  # nothing here is cyclic; of Teardown/all's 37 s that buys 7
        try:
            return self._search()
        except Broken:
            for group in self._groups.all:
                group.seen.clear()
        finally:
            if collecting:
                gc.enable()
        # Once more, and the levels are kept: so nothing is kept of the millions that are in order.
        levels: list[Level] = []
        try:
            return self._search(levels)
        except Broken as broken:
            name, form = broken.args
            count = sum(coming.count for level in levels for coming in level.values())
            return Result(
                name, count, count, len(levels), self._told(self._way(levels, form), name)
            )

    def _search(self, kept: list[Level] | None = None) -> Result:
        number, handles = self._form(self._compiled.initial[0])
        self._found = 0
        self._asked: list[Form] = []
        level: Level = defaultdict(Coming)
        self._meet(number, handles[0], {self._packing.pack(handles[1:])}, level)
        generated, depth = 1, 0
        while level:
            depth += 1
            if kept is not None:
                kept.append(level)
            asked, self._asked = self._asked, []
            for number, coming in level.items():
                seen = self._groups.all[number].seen
                for cluster, others in coming.states.items():
                    seen[cluster] |= others
            after: Level = defaultdict(Coming)
            for number, coming in level.items():
                generated += self._go_on(number, coming, after)
            for form in asked:
                self._compare(form)
            level = after
        return Result("holds", generated, self._found, depth)

    def _go_on(self, number: int, coming: Coming, after: Level) -> int:
        """Go one step on from states of one group; return in how many ways that can be done.

        What a handle can do, it can do whatever the others are: so that is done for all of them at
        once, and that most of it leads to what was met before is found by taking one set from another.
        """
        group, made = self._groups.all[number], 0
        for cluster, others in coming.states.items():
            try:
                steps = self._groups.steps(group, cluster)
            except Broken as broken:
                (name,) = broken.args
                handles = self._handles_of(cluster, next(iter(others)))
                raise Broken(name, (number, handles)) from None
            weight = len(others) + coming.more[cluster]
            for to, reached, ways in steps:
                made += ways * weight
                self._meet(to, reached, others, after)
        for to, ways in group.own:
            made += ways * coming.count
            for cluster, others in coming.once.items():
                self._meet(to, cluster, others, after)
        for wide in group.wide:
            effects = wide.effects
            for cluster, others in coming.once.items():
                effect = effects.of[cluster]
                if not effects.changes:
                    made += wide.ways * len(others)
                    self._meet(wide.to, cluster, others, after)
                elif effects.frees:
                    made += self._free(wide, cluster, others, after)
                elif effect is not None:
                    left = list(map(effects.__getitem__, others))
                    made += wide.ways * (len(left) - left.count(BLOCKED))
                    self._meet(wide.to, effect.cluster, set(left) - {BLOCKED}, after)
        return made

    def _free(self, wide: Wide, cluster: int, others: set[int], after: Level) -> int:
        """Go one step on by what brings threads to the pool: state by state."""
        made = 0
        for one in others:
            for to, (first, *rest), ways in self._wide(wide, self._handles_of(cluster, one)):
                made += ways
                self._meet(to, first, {self._packing.pack(tuple(rest))}, after)
        return made

    def _meet(self, to: int, cluster: int, others: set[int], level: Level) -> None:
        """Put what was not met before into the level."""
        fresh = others - self._groups.all[to].seen[cluster]
        if not fresh:
            return
        coming = level[to]
        fresh -= coming.states[cluster]
        if not fresh:
            return
        coming.states[cluster] |= fresh
        coming.once[cluster] |= fresh
        coming.count += len(fresh)
        self._packing.spread(cluster, fresh, coming.states, coming.more)
        before, self._found = self._found, self._found + len(fresh)
        if before < COMPARED:
            self._asked += [(to, self._handles_of(cluster, one)) for one in fresh]
        elif before // EVERY < self._found // EVERY:
            self._asked.append((to, self._handles_of(cluster, min(fresh))))

    def _handles_of(self, cluster: int, others: int) -> Handles:
        return tuple(sorted((cluster, *self._packing.unpack(others))))

    def states(self) -> int:
        """Return how many states the forms that were met stand for."""
        threads = [alike(at) for _, at in self._parts.clusters.values]
        swaps = factorial(self.handles) * factorial(self._threads)
        found = 0
        for group in self._groups.all:
            stand = swaps // alike(group.pool)
            for cluster, seen in group.seen.items():
                for one in seen:
                    handles = self._handles_of(cluster, one)
                    if handles[0] == cluster:  # each is there under all of its clusters
                        found += stand // (alike(handles) * prod([threads[h] for h in handles]))
        return found

    # -- state by state: what the sets are compared with ------------------------------------------

    def _after(self, form: Form) -> Iterator[tuple[int, Handles, int]]:
        """What may follow a form: the group, the handles, and in how many ways."""
        number, handles = form
        group = self._groups.all[number]
        for place, cluster in enumerate(handles):
            others = handles[:place] + handles[place + 1 :]
            for to, reached, ways in self._groups.steps(group, cluster):
                yield to, tuple(sorted((*others, reached))), ways
        for to, ways in group.own:
            yield to, handles, ways
        for wide in group.wide:
            yield from self._wide(wide, handles)

    def _wide(self, wide: Wide, handles: Handles) -> Iterator[tuple[int, Handles, int]]:
        """What follows by a step that concerns all: one form, or none where a part is in the way."""
        effects = [wide.effects.of[cluster] for cluster in handles]
        done = [effect for effect in effects if effect is not None]
        if len(done) == len(handles):
            freed = [thread for effect in done for thread in effect.pool]
            to = self._groups.of(wide.session, (*wide.pool, *freed))
            yield to, tuple(sorted([effect.cluster for effect in done])), wide.ways

    def _compare(self, form: Form) -> None:
        """Compare what follows, and what holds, with what the whole specification says."""
        state = self._state(form)
        if not all(holds(state) for holds in self._compiled.invariants.values()):
            raise SpecError("the whole breaks what the parts of a state keep")
        expected: Counter[Form] = Counter()
        for _, after, ways in self._compiled.successors(state):
            expected[self._form(after)] += ways
        found: Counter[Form] = Counter()
        for to, handles, ways in self._after(form):
            found[to, handles] += ways
        if found != expected:
            raise SpecError("the parts of a state do more, or less, than the whole")

    def _form(self, state: State) -> Form:
        session, clusters, pool = self._parts.split(state, self.handles, self._threads)
        return self._groups.of(session, tuple(pool)), tuple(sorted(clusters))

    def _state(self, form: Form) -> State:
        """A state that the form stands for."""
        number, handles = form
        group, parts = self._groups.all[number], self._parts
        return parts.taken.together(
            parts.sessions.values[group.session],
            [parts.clusters.values[cluster] for cluster in handles],
            [parts.threads.values[thread] for thread in group.pool],
        )

    # -- the way to a violation -------------------------------------------------------------------

    def _way(self, levels: list[Level], last: Form) -> list[Form]:
        """The forms that lead to one of the last level, found from level to level."""
        way = [last]
        for level in reversed(levels[:-1]):
            forms = (
                (number, self._handles_of(cluster, one))
                for number, coming in level.items()
                for cluster, others in coming.once.items()
                for one in others
            )
            way.append(
                next(form for form in forms if way[-1] in [step[:2] for step in self._after(form)])
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


def alike(in_order: tuple[Any, ...]) -> int:
    """Return in how many ways those that are equal can be swapped."""
    return prod([factorial(len(list(same))) for _, same in groupby(in_order)])
