"""A state taken apart, and what each part can do, worked out once.

Here are the small instances that :mod:`glusterio.verify.composed` looks things up from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from glusterio.verify.compiler import Compiled, State
from glusterio.verify.config import Config
from glusterio.verify.shapes import FunctionOf, Member, Pair, Plain, SetOf, Shape, shapes
from glusterio.verify.tla import Module, SpecError

#: What is said of one handle, or of one thread: a value for each variable that says something.
Column = tuple[Any, ...]

#: A handle, and the threads at it, in order.
Cluster = tuple[Column, tuple[Column, ...]]


class Broken(Exception):
    """Something that shall always hold does not; the argument is its name."""


class Step(NamedTuple):
    """What can happen in a small instance: one handle, the threads at it, some of the pool.

    Attributes:
        label: the action, and its arguments.
        at_handle, in_pool: whether the handle or a thread at it, and whether a thread of the pool,
            is among these.
        session, cluster, pool: what it leads to.
        ways: in how many ways.
    """

    label: tuple[Any, ...]
    at_handle: bool
    in_pool: bool
    session: int
    cluster: int
    pool: tuple[int, ...]
    ways: int


class Numbers:
    """Numbers for values, from 0, as they come."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self.values: list[Any] = []

    def of(self, value: Any) -> int:
        """Return a value's number."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number


class Taken:
    """Takes states apart, and puts them together.

    Args:
        module: the module.
        config: the configuration.

    Attributes:
        handles, threads: the names of the two sets; a function of the latter says at which handle
            a thread is.

    Raises:
        SpecError: the variables do not say what they say of one name at a time.
    """

    def __init__(self, module: Module, config: Config) -> None:
        form = shapes(module, config)
        self._shapes = [form[name] for name in module.variables]
        references = [
            (at, shape.of, shape.values.of)
            for at, shape in enumerate(self._shapes)
            if isinstance(shape, FunctionOf) and isinstance(shape.values, Member)
        ]
        if len(references) != 1 or len(config.members) != 2:
            raise SpecError("not threads that are at handles")
        self._at, self.threads, self.handles = references[0]
        said = [_about(shape) for shape in self._shapes]
        self._session = [at for at, of in enumerate(said) if not of]
        self._of_thread = [
            at for at, of in enumerate(said) if of == self.threads and at != self._at
        ]
        self._of_handle = [at for at, of in enumerate(said) if of == self.handles]

    def apart(
        self, state: State, handles: int, threads: int
    ) -> tuple[Column, list[Column], list[tuple[int, Column]]]:
        """Return what a state says of the session, of each handle, and of each thread.

        A thread's is preceded by the handle that it is at, or 0.
        """
        said = [
            [self._said(at, state[at], i) for at in self._of_handle] for i in range(1, handles + 1)
        ]
        of_threads = [
            (
                state[self._at][i],
                tuple([self._said(at, state[at], i) for at in self._of_thread]),
            )
            for i in range(1, threads + 1)
        ]
        session = tuple([state[at] for at in self._session])
        return session, [tuple(column) for column in said], of_threads

    def together(self, session: Column, clusters: list[Cluster], pool: list[Column]) -> State:
        """Return the state that is made of these; the threads of the first cluster come first."""
        state: list[Any] = [None] * len(self._shapes)
        for at, value in zip(self._session, session, strict=True):
            state[at] = value
        handles = [column for column, _ in clusters]
        threads = [column for _, at in clusters for column in at] + pool
        state[self._at] = (
            None,
            *[number for number, (_, at) in enumerate(clusters, 1) for _ in at],
            *[0 for _ in pool],
        )
        for which, columns in ((self._of_handle, handles), (self._of_thread, threads)):
            for place, at in enumerate(which):
                state[at] = self._all(at, [column[place] for column in columns])
        return tuple(state)

    def _said(self, at: int, value: Any, name: int) -> Any:
        """What a variable says of one name."""
        match self._shapes[at]:
            case FunctionOf():
                return value[name]
            case SetOf(Pair()):
                return frozenset([second for first, second in value if first == name])
        return name in value

    def _all(self, at: int, said: list[Any]) -> Any:
        """A variable's value, from what it says of each name."""
        match self._shapes[at]:
            case FunctionOf():
                return (None, *said)
            case SetOf(Pair()):
                return frozenset([(i, second) for i, part in enumerate(said, 1) for second in part])
        return frozenset([i for i, is_in in enumerate(said, 1) if is_in])


def _about(shape: Shape) -> str:
    """The set of whose members a variable speaks; empty for one that speaks of the session."""
    match shape:
        case Plain():
            return ""
        case FunctionOf(of, Plain() | FunctionOf("", Plain())):
            return of
        case FunctionOf(of, Member()):
            return of
        case SetOf(Member(of)) | SetOf(Pair(Member(of), Plain())):
            return of
    raise SpecError(f"a variable that cannot be taken apart: {shape}")


class Parts:
    """What each part of a state can do; worked out when it is first asked for.

    Attributes:
        sessions, clusters, threads: numbers for the session's part, for a handle with its threads,
            and for what is said of a thread.
    """

    def __init__(self, module: Module, config: Config) -> None:
        self.taken = Taken(module, config)
        self._module, self._config = module, config
        self._instances: dict[int, Compiled] = {}
        self._known: dict[tuple[int, int, tuple[int, ...]], list[Step]] = {}
        self.sessions, self.clusters, self.threads = Numbers(), Numbers(), Numbers()

    def split(self, state: State, handles: int, threads: int) -> tuple[int, list[int], list[int]]:
        """Return the numbers of a state's parts: the session's, each handle's, the pool's."""
        session, columns, of_threads = self.taken.apart(state, handles, threads)
        clusters = [
            self.clusters.of((column, tuple(sorted([c for at, c in of_threads if at == i]))))
            for i, column in enumerate(columns, 1)
        ]
        pool = [self.threads.of(column) for at, column in of_threads if at == 0]
        return self.sessions.of(session), clusters, sorted(pool)

    def _instance(self, threads: int) -> Compiled:
        """The specification for one handle, and so many threads."""
        if threads not in self._instances:
            sizes = {self.taken.handles: 1, self.taken.threads: threads}
            members = {of: self._config.members[of][:size] for of, size in sizes.items()}
            whole = {of: frozenset(range(1, size + 1)) for of, size in sizes.items()}
            constants = {**self._config.constants, **whole}
            config = replace(self._config, constants=constants, members=members)
            self._instances[threads] = Compiled(self._module, config)
        return self._instances[threads]

    def steps(self, session: int, cluster: int, pool: tuple[int, ...]) -> list[Step]:
        """Return what can happen to one handle, the threads at it, and some of the pool.

        Raises:
            Broken: an invariant, or a property of steps, is.
        """
        key = (session, cluster, pool)
        if key not in self._known:
            self._known[key] = list(self._steps(*key))
        return self._known[key]

    def _steps(self, session: int, cluster: int, pool: tuple[int, ...]) -> Iterator[Step]:
        column, at = self.clusters.values[cluster]
        free = [self.threads.values[number] for number in pool]
        state = self.taken.together(self.sessions.values[session], [(column, at)], free)
        count = len(at) + len(free)
        instance = self._instance(count)
        for name, holds in instance.invariants.items():
            if not holds(state):
                raise Broken(name)
        for label, after, ways in instance.successors(state):
            for name, step_holds in instance.steps.items():
                if not step_holds(state, after):
                    raise Broken(name)
            handle, thread = self._about(label)
            number, (reached,), left = self.split(after, 1, count)
            yield Step(
                label,
                handle > 0 or 0 < thread <= len(at),
                thread > len(at),
                number,
                reached,
                tuple(left),
                ways,
            )

    def _about(self, label: tuple[Any, ...]) -> tuple[int, int]:
        """The handle and the thread that an action's arguments name; 0 for none.

        A parameter's letter is that of the names of the set that it is from.
        """
        action, *arguments = label
        handle = thread = 0
        for parameter, value in zip(self._module.definitions[action][0], arguments, strict=True):
            if self._config.members[self.taken.handles][0].startswith(parameter):
                handle = value
            elif self._config.members[self.taken.threads][0].startswith(parameter):
                thread = value
        return handle, thread
