"""States that differ in names alone, taken as one.

Handles are alike, and so are threads: a state in which ``h1`` is open and ``h2`` is not says what the
one with the names swapped says. Here each state is brought into a form in which the names are in a
fixed order: they are sorted by all that the state says of them. That takes one sort, where trying
every renaming takes n! of them; and from how many names are alike it follows how many states the form
stands for, so that the number of *all* states comes out, too, though they are never looked at one by
one.

A name may be used as an argument of functions, as a member of sets, or of pairs in sets, and as a
value; and one set of names may refer to another by one function (a thread has a handle). Then two
names are sorted alike only if a renaming leads from the one to the other: a thread belongs to one
handle at most, so a handle's place follows from what is said of it and of its threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import factorial, prod
from typing import Any

from glusterio.verify.shapes import FunctionOf, Member, Pair, Plain, SetOf, Shape
from glusterio.verify.tla import SpecError

State = tuple[Any, ...]
Rebuild = Callable[[Any, list[int], Mapping[Any, int]], Any]


def _column(at: int, shape: Shape, of: str, name: int) -> str | None:
    """What a variable says of one name, as Python whose value can be sorted."""
    match shape:
        case FunctionOf(domain, values) if domain == of:
            return f"sorted(s{at}[{name}])" if isinstance(values, SetOf) else f"s{at}[{name}]"
        case SetOf(Member(members)) if members == of:
            return f"({name} in s{at})"
        case SetOf(Pair(Member(members), Plain())) if members == of:
            return f"sorted([b for a, b in s{at} if a == {name}])"
        case Member(members) if members == of:
            return f"(s{at} == {name})"
    return None


def _rebuild(shape: Shape, of: str) -> Rebuild | None:
    """How a variable's value changes when the names are put into an order."""
    match shape:
        case FunctionOf(domain, _) if domain == of:
            return lambda value, order, places: (None, *(value[name] for name in order))
        case FunctionOf(_, Member(members)) if members == of:
            return lambda value, order, places: tuple(places.get(v, v) for v in value)
        case SetOf(Member(members)) if members == of:
            return lambda value, order, places: frozenset(places[v] for v in value)
        case SetOf(Pair(Member(members), Plain())) if members == of:
            return lambda value, order, places: frozenset((places[a], b) for a, b in value)
        case Member(members) if members == of:
            return lambda value, order, places: places.get(value, value)
    if _mentions(shape, of):
        raise SpecError(f"names of {of} are used in a way that cannot be sorted")
    return None


def _mentions(shape: Shape, of: str) -> bool:
    match shape:
        case Member(members):
            return members == of
        case FunctionOf(domain, values):
            return domain == of or _mentions(values, of)
        case SetOf(members):
            return _mentions(members, of)
        case Pair(left, right):
            return _mentions(left, of) or _mentions(right, of)
    return False


class Sorting:
    """Brings states into the form that stands for all that differ from it in names alone.

    Args:
        shapes: of each variable, in the state's order.
        sizes: of each set of names, how many there are.

    Raises:
        SpecError: the names are used in a way that this cannot sort.
    """

    def __init__(self, shapes: list[Shape], sizes: Mapping[str, int]) -> None:
        references = {
            (at, shape.of, shape.values.of)
            for at, shape in enumerate(shapes)
            if isinstance(shape, FunctionOf)
            and isinstance(shape.values, Member)
            and shape.of in sizes
            and shape.values.of in sizes
        }
        if len(references) > 1 or any(a == b for _, a, b in references):
            raise SpecError("names refer to names in more ways than one")
        self._reference = next(iter(references), None)
        first = self._reference[2] if self._reference else ""
        #: those that are referred to come first
        self._sets = sorted(sizes, key=lambda of: of != first)
        self._sizes = dict(sizes)
        self._keys = {of: self._keys_of(shapes, of) for of in sizes}
        self._rebuilds = {
            of: [(at, made) for at, shape in enumerate(shapes) if (made := _rebuild(shape, of))]
            for of in sizes
        }
        self._all = prod(factorial(size) for size in sizes.values())

    def _keys_of(self, shapes: list[Shape], of: str) -> Callable[[State], list[Any]]:
        """Make a function: what a state says of each name of a set, in the names' order."""

        def columns(of: str, name: int, without: int = -1) -> str:
            said = (
                _column(at, shape, of, name) for at, shape in enumerate(shapes) if at != without
            )
            return "".join(f"{text}, " for text in said if text is not None)

        lines = [f"    {''.join(f's{at}, ' for at in range(len(shapes)))}= state"]
        tail = ""
        if self._reference is not None and of == self._reference[2]:
            at, others, _ = self._reference
            rows = "".join(
                f"(s{at}[{other}], ({columns(others, other, at)})), "
                for other in range(1, self._sizes[others] + 1)
            )
            lines.append(f"    others = ({rows})")
            tail = "sorted([said for name, said in others if name == {}]), "
        keys = "".join(
            f"({columns(of, name)}{tail.format(name)}), " for name in range(1, self._sizes[of] + 1)
        )
        text = "\n".join(["def keys(state):", *lines, f"    return ({keys})"])
        made: dict[str, Any] = {}
        exec(compile(text, "<names>", "exec"), made)
        keys_of: Callable[[State], list[Any]] = made["keys"]
        return keys_of

    def form(self, state: State) -> tuple[State, int]:
        """Return the form of a state, and how many states it stands for."""
        alike = 1
        for of in self._sets:
            keys = self._keys[of](state)
            places = sorted(range(len(keys)), key=keys.__getitem__)
            run = 1
            for before, after in pairwise(places):
                run = run + 1 if keys[before] == keys[after] else 1
                alike *= run
            order = [place + 1 for place in places]
            if order != sorted(order):
                where = {name: place for place, name in enumerate(order, 1)}
                new = list(state)
                for at, made in self._rebuilds[of]:
                    new[at] = made(state[at], order, where)
                state = tuple(new)
        return state, self._all // alike
