"""Values of TLA+ as values of Python, and what a compiled specification uses of them.

===============  ==========================================================================
TLA+             here
===============  ==========================================================================
number, string   ``int``, ``str``; ``TRUE`` is ``True``
model value      a small ``int``, from 1, by its place in the configuration
set              ``frozenset``; sets of functions and of sets are objects that know membership
function         ``tuple`` indexed by the argument, ``None`` where it is not defined;
                 arguments are numbers or model values
record           ``dict``
tuple            ``tuple``
===============  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any


class Functions:
    """``[S -> T]``: all functions from one set to another. Only membership can be asked."""

    def __init__(self, domain: frozenset[int], values: Any) -> None:
        self.domain = tuple(sorted(domain))
        self.values = values
        self._known: dict[Any, bool] = {}  # the same few are asked for again and again

    def __contains__(self, function: Any) -> bool:
        known = self._known.get(function)
        if known is None:
            values = self.values
            known = all(function[argument] in values for argument in self.domain)
            self._known[function] = known
        return known


class Subsets:
    """``SUBSET S``: all subsets of a set. Only membership can be asked."""

    def __init__(self, of: frozenset[Any]) -> None:
        self.of = of

    def __contains__(self, candidate: Any) -> bool:
        return bool(candidate <= self.of)


class Integers:
    """``Int``. Only membership can be asked."""

    def __contains__(self, candidate: Any) -> bool:
        return isinstance(candidate, int) and not isinstance(candidate, bool)


def function(domain: Iterable[int], value: Callable[[int], Any]) -> tuple[Any, ...]:
    """Make a function from its domain and its rule."""
    arguments = sorted(domain)
    values: list[Any] = [None] * (arguments[-1] + 1 if arguments else 0)
    for argument in arguments:
        values[argument] = value(argument)
    return tuple(values)


def changed(of: Any, path: tuple[Any, ...], value: Callable[[Any], Any]) -> Any:
    """``[f EXCEPT ![a][b] = ...]``: the rule gets the old value, ``@``."""
    argument = path[0]
    old = of[argument]
    new = value(old) if len(path) == 1 else changed(old, path[1:], value)
    return (*of[:argument], new, *of[argument + 1 :])


def cross(left: Iterable[Any], right: Iterable[Any]) -> frozenset[Any]:
    r"""``S \X T``."""
    return frozenset(product(left, right))


def span(first: int, last: int) -> frozenset[int]:
    """``a .. b``."""
    return frozenset(range(first, last + 1))
