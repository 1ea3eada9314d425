"""What the values of the variables are made of, read from the invariant ``TypeOK``.

A model value is a small number here, and so is a count; the shape of a variable tells them apart. It is
needed to tell a state with its names (:mod:`told`), and to swap names (:mod:`symmetry`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glusterio.verify.config import Config
from glusterio.verify.tla import Expr, Module


@dataclass(frozen=True, slots=True)
class Plain:
    """A number, a text, a truth: nothing with a name of the configuration's."""


@dataclass(frozen=True, slots=True)
class Member:
    """A model value of one constant set, or something else beside them."""

    of: str


@dataclass(frozen=True, slots=True)
class FunctionOf:
    """A function; ``of`` names the constant set that is its domain, or is empty for another one."""

    of: str
    values: Any


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set."""

    members: Any


@dataclass(frozen=True, slots=True)
class Pair:
    """A tuple of two."""

    left: Any
    right: Any


Shape = Plain | Member | FunctionOf | SetOf | Pair


def shapes(module: Module, config: Config) -> dict[str, Shape]:
    """Return the shape of each variable; of one that ``TypeOK`` does not mention it is plain."""
    found: dict[str, Shape] = {name: Plain() for name in module.variables}
    named = {name for name, value in config.constants.items() if isinstance(value, frozenset)}
    todo: list[Expr] = [module.definitions["TypeOK"][1]]
    while todo:
        e = todo.pop()
        if e[0] == "and":
            todo += e[1]
        elif e[0] == "op" and e[2][0] == "name" and e[2][1] in found:
            shape = _members(e[3], module, named)
            found[e[2][1]] = SetOf(shape) if e[1] == "\\subseteq" else shape
    return found


def _members(e: Expr, module: Module, named: set[str]) -> Shape:
    """The shape of a set's members."""
    if e[0] == "name":
        if e[1] in named:
            return Member(e[1])
        if e[1] in module.definitions:
            return _members(module.definitions[e[1]][1], module, named)
        return Plain()
    if e[0] == "fnset":
        domain = _members(e[1], module, named)
        of = domain.of if isinstance(domain, Member) else ""
        return FunctionOf(of, _members(e[2], module, named))
    if e[0] == "subset":
        return SetOf(_members(e[1], module, named))
    if e[0] == "op" and e[1] == "\\cup":
        left = _members(e[2], module, named)
        return left if left != Plain() else _members(e[3], module, named)
    if e[0] == "op" and e[1] == "\\X":
        return Pair(_members(e[2], module, named), _members(e[3], module, named))
    return Plain()
