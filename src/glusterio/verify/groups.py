"""What can happen in states that have the session and the pool in common: tables.

They are filled as they are needed; :mod:`glusterio.verify.composed` goes through them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glusterio.verify.packing import Packing
from glusterio.verify.parts import Numbers, Parts

#: No others.
BLOCKED = -1


class Effect(NamedTuple):
    """What a step that concerns all parts does to a handle.

    Attributes:
        cluster: the handle and its threads after it.
        pool: the threads that come to the pool.
    """

    cluster: int
    pool: tuple[int, ...]


class Effects(dict[int, int]):
    """What a step that concerns all does to handles, in all states that have the session in common.

    As a dictionary: from the packed others of a handle to what they are after it; :data:`BLOCKED`
    where one of them is in the way.

    Attributes:
        of: by cluster; None where it is in the way.
        changes: whether it does anything to any of them, or one is in the way.
        frees: whether threads come to the pool from a handle.
    """

    def __init__(self, packing: Packing) -> None:
        super().__init__()
        self.of: dict[int, Effect | None] = {}
        self.changes = self.frees = False
        self._packing = packing

    def put(self, cluster: int, effect: Effect | None) -> None:
        """Put down what it does to one cluster."""
        self.of[cluster] = effect
        self.changes = self.changes or effect != (cluster, ())
        self.frees = self.frees or (effect is not None and effect.pool != ())

    def __missing__(self, number: int) -> int:
        others = self._packing.unpack(number)
        done = [effect for one in others if (effect := self.of[one]) is not None]
        after = tuple(sorted([effect.cluster for effect in done]))
        self[number] = self._packing.pack(after) if len(done) == len(others) else BLOCKED
        return self[number]


class Wide(NamedTuple):
    """A step that concerns all parts.

    Attributes:
        label: the action, and its arguments.
        session, pool: what the session and the pool are after it.
        ways: in how many ways it happens.
        to: the group that it leads to, if no thread comes to the pool from a handle.
        effects: what it does to the handles.
    """

    label: tuple[Any, ...]
    session: int
    pool: tuple[int, ...]
    ways: int
    to: int
    effects: Effects


@dataclass(slots=True)
class Group:
    """All states that have the same session and the same pool.

    Attributes:
        own: what the pool's threads can do without a handle: the group that it leads to, and in how
            many ways.
        steps: by cluster, what a handle and its threads can do, alone or with a thread of the pool:
            the group, the cluster, the ways.
        wide: what concerns all parts, unless a thread of the pool is in the way.
        seen: the states that were met.
    """

    session: int
    pool: tuple[int, ...]
    own: list[tuple[int, int]] = field(default_factory=list)
    steps: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    wide: list[Wide] = field(default_factory=list)
    seen: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))


class Groups:
    """All groups, by number.

    Args:
        parts: what each part can do.
        packing: how the others of a handle become a number.
        unused: the cluster of a handle that nothing was done to.
    """

    def __init__(self, parts: Parts, packing: Packing, unused: int) -> None:
        self.parts = parts
        self._packing = packing
        self._effects: dict[tuple[int, tuple[Any, ...]], Effects] = {}
        self.all: list[Group] = []
        self._unused = unused
        self._numbers = Numbers()

    def of(self, session: int, pool: tuple[int, ...]) -> int:
        """Return the number of the group with this session and this pool, which is put in order."""
        pool = tuple(sorted(pool))
        number = self._numbers.of((session, pool))
        if number == len(self.all):
            self.all.append(Group(session, pool))
        return number

    def steps(self, group: Group, cluster: int) -> list[tuple[int, int, int]]:
        """Return what a handle and its threads can do in a group.

        Raises:
            Broken: something that shall always hold does not.
        """
        if cluster not in group.steps:
            if not group.steps:
                self._work_out_pool(group)
            self._work_out(group, cluster)
        return group.steps[cluster]

    def _work_out(self, group: Group, cluster: int) -> None:
        session, pool = group.session, group.pool
        own: list[tuple[int, int, int]] = []
        effects: dict[tuple[Any, ...], Effect] = {}
        for step in self.parts.steps(session, cluster, ()):
            if step.at_handle:
                own.append((self.of(step.session, pool + step.pool), step.cluster, step.ways))
            else:
                effects[step.label] = Effect(step.cluster, step.pool)
        for place, thread in enumerate(pool):
            others = pool[:place] + pool[place + 1 :]
            for step in self.parts.steps(session, cluster, (thread,)):
                if step.at_handle and step.in_pool:
                    to = self.of(step.session, others + step.pool)
                    own.append((to, step.cluster, step.ways))
        group.steps[cluster] = own
        for wide in group.wide:
            wide.effects.put(cluster, effects.get(wide.label))

    def _work_out_pool(self, group: Group) -> None:
        """What a group's pool can do, and what can happen to all."""
        session, pool = group.session, group.pool
        wide = {
            step.label: step
            for step in self.parts.steps(session, self._unused, ())
            if not step.at_handle
        }
        after: dict[tuple[Any, ...], tuple[int, ...]] = dict.fromkeys(wide, ())
        for place, thread in enumerate(pool):
            others = pool[:place] + pool[place + 1 :]
            steps = [
                step
                for step in self.parts.steps(session, self._unused, (thread,))
                if not step.at_handle
            ]
            group.own += [
                (self.of(step.session, others + step.pool), step.ways)
                for step in steps
                if step.in_pool
            ]
            done = {step.label: step.pool for step in steps if not step.in_pool}
            after = {
                label: threads + done[label] for label, threads in after.items() if label in done
            }
        for label, threads in after.items():
            step = wide[label]
            to = self.of(step.session, threads)
            effects = self._effects.setdefault((session, label), Effects(self._packing))
            group.wide.append(Wide(label, step.session, threads, step.ways, to, effects))
