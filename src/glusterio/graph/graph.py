"""The graph: translators built from a volfile, children first.

:func:`build` decides about every volume before it makes anything. A type in the registry is built;
one that :mod:`glusterio.graph.passing` allows is left out, its child in its place; any other makes
the whole graph unusable. The registry comes first, so a translator that glusterio learns takes the
place of a pass without a change here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from glusterio.errors import LocalProtocolError, UnsupportedGraphError, VolfileError
from glusterio.graph.passing import why_passed
from glusterio.graph.volfile import Volfile


class Node(Protocol):
    """A translator, as far as the graph cares: :class:`glusterio.xlators.base.Xlator` is one."""

    name: str

    async def init(self) -> None:
        """Make ready; children are ready."""

    async def fini(self) -> None:
        """Give everything back; children have done so. Called also when ``init`` failed."""


#: How many translators may stand one on another. Usual graphs have ten; each operation passes them all.
MAX_DEPTH: Final = 64

N = TypeVar("N", bound=Node)
S = TypeVar("S")


class PassedThrough(NamedTuple):
    """A volume of the volfile that the graph does without.

    Attributes:
        name: its name in the volfile.
        type: its type.
        why: why that is harmless, and what is lost.
    """

    name: str
    type: str
    why: str


class Graph(Generic[N]):
    """A built graph.

    Args:
        xlators: the translators, each behind its children.
        leaves: those of them without children: the connections to bricks.
        passed_through: what was left out.
        generation: which graph of its session it is, from 1; a switch to a new volfile counts up.
        volfile: what it was built from.

    Attributes:
        top: the translator that operations enter at.
        was_used: it is in use, or was.
        is_down: no brick of it can be reached any more, for good.
        is_left: another graph is in use instead, and no call is under way in this one: it ends when no
            open file is left in it.
    """

    def __init__(
        self,
        xlators: Sequence[N],
        leaves: Sequence[N],
        passed_through: Sequence[PassedThrough] = (),
        generation: int = 1,
        volfile: Volfile | None = None,
    ) -> None:
        self.top = xlators[-1]
        self.xlators = tuple(xlators)
        self.leaves = tuple(leaves)
        self.passed_through = tuple(passed_through)
        self.generation = generation
        self.volfile = volfile
        self.was_used = False
        self.is_down = False
        self.is_left = False
        self._initiated = False
        self._to_end: list[N] = []

    async def init(self) -> None:
        """Make the translators ready, children first. Once.

        When one fails, those that were begun, itself included, are ended again; what goes wrong in
        that is added to the error's notes.

        Raises:
            LocalProtocolError: it was called before.
            Exception: whatever a translator's ``init`` raised.
        """
        if self._initiated:
            raise LocalProtocolError(f"graph {self.generation}: init a second time")
        self._initiated = True
        try:
            for xlator in self.xlators:
                self._to_end.append(xlator)
                await xlator.init()
        except GeneratorExit:
            raise
        except BaseException as error:
            for further in await self.fini():
                error.add_note(f"and in ending the graph: {type(further).__name__}: {further}")
            raise

    async def fini(self) -> list[Exception]:
        """End the translators that were begun, children first. Harmless when repeated.

        Every one is ended, whatever happens to the others; a cancellation goes on when all are.

        Returns:
            What went wrong, in order.
        """
        self._initiated = True
        errors: list[Exception] = []
        interrupted: BaseException | None = None
        while self._to_end:
            try:
                await self._to_end.pop(0).fini()
            except Exception as error:
                errors.append(error)
            except BaseException as error:
                interrupted = interrupted or error
        if interrupted is not None:
            raise interrupted
        return errors

    def __repr__(self) -> str:
        return f"<Graph {self.generation} {self.top.name} of {len(self.xlators)} translators>"


def build(
    volfile: Volfile,
    registry: Mapping[str, Callable[[str, Mapping[str, str], Sequence[N], S], N]],
    services: S,
    generation: int = 1,
) -> Graph[N]:
    """Build a graph. Nothing is connected or started yet; that is :meth:`Graph.init`.

    Args:
        volfile: what to build.
        registry: the translators that there are, by type: mostly their classes.
        services: handed to every translator.
        generation: the graph's number in its session.

    Raises:
        UnsupportedGraphError: a translator is needed that is not in the registry and may not be left
            out. No translator was made.
        VolfileError: volumes that the top does not stand on, or too many that do; or a translator's
            maker could not read its options.
    """
    unused = volfile.unused()
    if unused:
        raise VolfileError(
            f"volume {unused[-1].name!r} is no part of the graph below {volfile.top.name!r}",
            unused[-1].line,
        )
    _check_depth(volfile)
    passed: list[PassedThrough] = []
    for volume in volfile.volumes:
        if volume.type not in registry:
            why = why_passed(volume)
            if why is None:
                raise UnsupportedGraphError(volume.type, volume.name)
            passed.append(PassedThrough(volume.name, volume.type, why))
    left_out = {entry.name for entry in passed}
    built: dict[str, N] = {}  # by name; a volume that was left out stands for its child
    xlators: list[N] = []
    leaves: list[N] = []
    for volume in volfile.volumes:
        if volume.name in left_out:
            built[volume.name] = built[volume.subvolumes[0]]
            continue
        children = tuple(built[name] for name in volume.subvolumes)
        xlator = registry[volume.type](volume.name, volume.options, children, services)
        built[volume.name] = xlator
        xlators.append(xlator)
        if not children:
            leaves.append(xlator)
    return Graph(xlators, leaves, passed, generation, volfile)


def _check_depth(volfile: Volfile) -> None:
    """Refuse a graph in which an operation would call more translators than Python bears.

    Raises:
        VolfileError: it is too deep.
    """
    if len(volfile.volumes) <= MAX_DEPTH:  # as always, almost: a chain of all is not too deep
        return
    depths: dict[str, int] = {}
    for volume in volfile.volumes:
        depth = 1 + max((depths[name] for name in volume.subvolumes), default=0)
        if depth > MAX_DEPTH:
            raise VolfileError(
                f"volume {volume.name!r} is the top of {depth} translators; the limit is {MAX_DEPTH}",
                volume.line,
            )
        depths[volume.name] = depth
