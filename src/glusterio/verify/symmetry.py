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


def _sorted(at: int, shape: Shape, of: str, size: int) -> str | None:
    """A variable's value, as Python, when the names are put into an order.

    ``o1`` is then the name that comes first, and ``place[name]`` is where a name goes.
    """
    value = f"s{at}"
    match shape:
        case FunctionOf(domain, _) if domain == of:
            return f"(None, {''.join(f'{value}[o{i}], ' for i in range(1, size + 1))})"
        case FunctionOf(_, Member(members)) if members == of:
            return f"tuple([place.get(v, v) for v in {value}])"
        case SetOf(Member(members)) if members == of:
            return f"frozenset([place[v] for v in {value}])"
        case SetOf(Pair(Member(members), Plain())) if members == of:
            return f"frozenset([(place[a], b) for a, b in {value}])"
        case Member(members) if members == of:
            return f"place.get({value}, {value})"
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
        self._shapes = shapes
        self._all = prod(factorial(size) for size in sizes.values())
        #: returns the form of a state, and how many states it stands for
        self.form: Callable[[State], tuple[State, int]] = self._made()

    def _said(self, of: str, name: int, without: int = -1) -> str:
        """All that is said of one name, but by one variable."""
        said = (
            _column(at, shape, of, name) for at, shape in enumerate(self._shapes) if at != without
        )
        return "".join(f"{text}, " for text in said if text is not None)

    def _made(self) -> Callable[[State], tuple[State, int]]:
        names = "".join(f"s{at}, " for at in range(len(self._shapes)))
        lines = ["def form(state):", f"    {names}= state", "    alike = 1"]
        for of in self._sets:
            lines += self._lines_of(of)
        lines.append(f"    return ({names}), {self._all} // alike")
        made: dict[str, Any] = {"runs": _runs}
        exec(compile("\n".join(lines), "<form>", "exec"), made)
        form: Callable[[State], tuple[State, int]] = made["form"]
        return form

    def _lines_of(self, of: str) -> list[str]:
        """Sort the names of one set."""
        size = self._sizes[of]
        lines, tail = [], ""
        if self._reference is not None and of == self._reference[2]:
            at, others, _ = self._reference  # what is said of a handle's threads counts, too
            rows = "".join(
                f"(s{at}[{other}], ({self._said(others, other, at)})), "
                for other in range(1, self._sizes[others] + 1)
            )
            lines.append(f"    others = ({rows})")
            tail = "sorted([said for name, said in others if name == {}]), "
        numbers = range(1, size + 1)
        lines += [f"    k{i} = ({self._said(of, i)}{tail.format(i)})" for i in numbers]
        keys = "".join(f"k{i}, " for i in numbers)
        orders = "".join(f"o{i}, " for i in numbers)
        lines += [
            f"    if not {' <= '.join(f'k{i}' for i in numbers)}:" if size > 1 else "    if False:",
            f"        keys = (None, {keys})",
            f"        {orders}= sorted({tuple(numbers)}, key=keys.__getitem__)",
            f"        {keys}= {''.join(f'keys[o{i}], ' for i in numbers)}",
            f"        place = {{{''.join(f'o{i}: {i}, ' for i in numbers)}}}",
        ]
        for at, shape in enumerate(self._shapes):
            text = _sorted(at, shape, of, size)
            if text is not None:
                lines.append(f"        s{at} = {text}")
        if size > 1:
            equal = " or ".join(f"k{i} == k{i + 1}" for i in range(1, size))
            lines += [f"    if {equal}:", f"        alike *= runs(({keys}))"]
        return lines


def _runs(keys: tuple[Any, ...]) -> int:
    """In how many ways names that are alike can be swapped; the keys are sorted."""
    alike = run = 1
    for before, after in pairwise(keys):
        run = run + 1 if before == after else 1
        alike *= run
    return alike
