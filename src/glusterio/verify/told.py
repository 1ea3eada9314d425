"""A counterexample, told: what happens in each step, and what it changes.

Lines for a terminal, plain data for programs, and the matter of the pages (:mod:`page`) are made of the
same. What a step *means* is in ``words.toml``, a sentence for each action; what a variable, a property
and a configuration mean is in the specification's own comments, and read from there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from glusterio.verify.checking import Checking
from glusterio.verify.checking import text as text_of_module
from glusterio.verify.compiler import Compiled, State
from glusterio.verify.config import Config
from glusterio.verify.explore import Result
from glusterio.verify.shapes import FunctionOf, Member, Pair, SetOf, Shape, shapes
from glusterio.verify.tla import Expr, Module, names_in

#: A variable's value as a person reads it: a text, number or truth; a sorted list for a set, whose
#: pairs are tuples; a dictionary for a function.
Value = Any

_INITIAL = "Initial predicate"

#: A label, and the state that its step leads to.
Link = tuple[tuple[Any, ...], State]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a step changes.

    Attributes:
        variable: the variable.
        arguments: where in it, if it is a function: of a function of functions there are two.
        before, after: the values there.
    """

    variable: str
    arguments: tuple[str, ...]
    before: Value
    after: Value

    @property
    def place(self) -> str:
        """``fd[fd1]``."""
        return self.variable + "".join(f"[{argument}]" for argument in self.arguments)

    def __str__(self) -> str:
        return f"{self.place} = {text(self.after)}"

    @property
    def words(self) -> str:
        """What became of it; of a set what came and what went."""
        if isinstance(self.before, list):
            came = [text(one) for one in self.after if one not in self.before]
            went = [text(one) for one in self.before if one not in self.after]
            parts = [f"+ {', '.join(came)}"] if came else []
            return "; ".join([*parts, f"− {', '.join(went)}"] if went else parts)
        return f"{text(self.before)} → {text(self.after)}"


@dataclass(frozen=True, slots=True)
class Step:
    """One state of a counterexample, and the step that led there.

    Attributes:
        number: 1 for the first state.
        action: the action's name, with its arguments: ``GlfsOpen(fd1)``.
        words: a sentence that says what happens.
        changes: what it changes.
        state: by variable, its value.
    """

    number: int
    action: str
    words: str
    changes: tuple[Change, ...]
    state: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Counterexample:
    """What violates a property, step by step; or another way through a module's states.

    Attributes:
        config: the configuration: ``FdLifecycle/no-drain``.
        purpose: what it shows.
        violated: the property's name; empty if none is.
        property_words: what the property says, in words; empty where nobody wrote any.
        property_text: the property, in TLA+.
        liveness: whether the violation is that from the last state on nothing good comes.
        closing: what is to be said at the end where nothing is violated.
        module: the module: ``FdLifecycle``.
        steps: the states, in order.
        variables: what each variable is.
        members: by name of a set of names or numbers that functions have as domain, its members.
        orders: of a variable whose values are texts, all of them in the specification's order.
    """

    config: str
    purpose: str
    violated: str
    property_words: str
    property_text: str
    liveness: bool
    closing: str
    module: str
    steps: tuple[Step, ...]
    variables: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    orders: Mapping[str, tuple[str, ...]]

    def lines(self) -> Iterator[str]:
        """One line a step: the action, what it means, and what it changes."""
        width = max(len(step.action) for step in self.steps)
        for step in self.steps:
            said = [step.words.removesuffix(".")] if step.words else []
            said += ["; ".join(map(str, step.changes))] if step.changes else []
            yield f"{step.number:3}  {step.action:<{width}}  {': '.join(said)}".rstrip()

    def record(self) -> dict[str, object]:
        """The same as plain data."""
        return {
            "violated": self.violated,
            "means": self.property_words,
            "steps": [
                {
                    "step": step.number,
                    "action": step.action,
                    "words": step.words,
                    "changes": {change.place: change.after for change in step.changes},
                    "state": step.state,
                }
                for step in self.steps
            ],
        }


def text(value: Value) -> str:
    """Return a value as TLA+ writes it, but for the quotes of texts."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, list):
        return "{" + ", ".join(map(text, value)) + "}"
    if isinstance(value, tuple):
        return "<" + ", ".join(map(text, value)) + ">"
    if isinstance(value, dict):
        return "[" + ", ".join(f"{key}: {text(one)}" for key, one in value.items()) + "]"
    return str(value)


def tell(checking: Checking, result: Result) -> Counterexample:
    """Tell the counterexample of a result that has one."""
    telling = Telling(checking.spec, checking.module, checking.config, checking.compiled)
    first = (checking.spec / f"{checking.name}.cfg").read_text(encoding="utf-8").partition("\n")[0]
    return telling.tell(
        _linked(checking, result.trace),
        checking.name,
        first.removeprefix("\\*").strip(),
        result.verdict,
    )


def _linked(checking: Checking, trace: Sequence[Link]) -> list[Link]:
    """The same way, with one name for one thing.

    Where states that differ in names alone were taken as one, names may have changed places in a step.
    Here each step leads on from the state before, to one of the same form.
    """
    way = [trace[0]]
    for label, state in trace[1:]:
        steps = [(took, to) for took, to, _ in checking.compiled.successors(way[-1][1])]
        if (label, state) not in steps:
            form = checking.form()
            wanted = form(state)[0]
            alike = [
                (took, to) for took, to in steps if took[0] == label[0] and form(to)[0] == wanted
            ]
            label, state = alike[0]
        way.append((label, state))
    return way


class Telling:
    """Tells ways through the states of one configuration.

    Args:
        spec: the directory with the modules.
        module, config, compiled: the configuration.
    """

    def __init__(self, spec: Path, module: Module, config: Config, compiled: Compiled) -> None:
        self._module = module
        self._compiled = compiled
        self._shapes = shapes(module, config)
        self._names = config.members
        self._types = dict(_types(module))
        self._tla = text_of_module(spec, module.name)
        self._special = {
            variable: self._specials(self._types.get(variable)) for variable in module.variables
        }

    def tell(
        self, trace: Sequence[Link], config: str, purpose: str, violated: str, closing: str = ""
    ) -> Counterexample:
        """Tell a way.

        Args:
            trace: the way: labels, and the states that their steps lead to.
            config, purpose, violated, closing: as in :class:`Counterexample`.
        """
        steps: list[Step] = []
        state: dict[str, Value] = {}
        for number, (label, raw) in enumerate(trace, 1):
            before, state = state, self._state(raw)
            changes = tuple(self._changes(before, state)) if before else ()
            action, words = self._action(label)
            steps.append(Step(number, action, words, changes, state))
        return Counterexample(
            config=config,
            purpose=purpose,
            violated=violated,
            property_words=meaning(self._module.name, violated),
            property_text=_definition(self._tla, violated) if violated else "",
            liveness=violated in self._compiled.leads,
            closing=closing,
            module=self._module.name,
            steps=tuple(steps),
            variables=_variables(self._tla),
            members=self._members(),
            orders=self._orders(),
        )

    # -- values -----------------------------------------------------------------------------------

    def _state(self, raw: State) -> dict[str, Value]:
        return {
            variable: self._value(value, self._shapes[variable], self._special[variable])
            for variable, value in zip(self._module.variables, raw, strict=True)
        }

    def _value(self, raw: Any, shape: Shape, special: Mapping[int, str]) -> Value:
        match shape:
            case Member(of) if isinstance(raw, int) and 1 <= raw <= len(self._names[of]):
                return self._names[of][raw - 1]
            case FunctionOf(of, values):
                return {
                    self._names[of][i - 1] if of else str(i): self._value(one, values, special)
                    for i, one in enumerate(raw)
                    if one is not None
                }
            case SetOf(members):
                return sorted((self._value(one, members, special) for one in raw), key=text)
            case Pair(left, right):
                return (self._value(raw[0], left, {}), self._value(raw[1], right, {}))
        if isinstance(raw, int) and not isinstance(raw, bool) and raw in special:
            return special[raw]
        return raw

    def _specials(self, kind: Expr | None) -> dict[int, str]:
        r"""Numbers that stand for something else: ``Threads \cup {None}``, where ``None == 0``."""
        found: dict[int, str] = {}
        if kind is None:
            return found
        if kind[0] == "fnset":
            return self._specials(kind[2])
        if kind[0] == "op" and kind[1] == "\\cup":
            return self._specials(kind[2]) | self._specials(kind[3])
        if kind[0] == "set":
            for one in kind[1]:
                if one[0] == "name" and not one[2] and one[1] in self._module.definitions:
                    value = self._compiled.value(one)
                    if isinstance(value, int):
                        found[value] = one[1]
        return found

    def _changes(self, before: dict[str, Value], after: dict[str, Value]) -> Iterator[Change]:
        for variable, value in after.items():
            yield from _differences(variable, (), before[variable], value)

    # -- words ------------------------------------------------------------------------------------

    def _action(self, label: tuple[Any, ...]) -> tuple[str, str]:
        """An action with its arguments; and a sentence about it."""
        action, *values = label
        sentences = _words().get(self._module.name, {})
        if action not in self._module.definitions:  # what binds a trace to the module
            sentences = sentences | _words().get(f"{self._module.name}Trace", {})
        if action == _INITIAL:
            return action, sentences.get("Init", "This is where it begins.")
        parameters = self._module.definitions[action][0] if values else []
        named = {
            parameter: self._argument(parameter, value)
            for parameter, value in zip(parameters, values, strict=True)
        }
        keys = [f"{action} {parameter}={value}" for parameter, value in named.items()]
        sentence = next((sentences[key] for key in [*keys, action] if key in sentences), "")
        arguments = f"({', '.join(named.values())})" if named else ""
        return action + arguments, sentence.format_map(named)

    def _argument(self, parameter: str, value: Any) -> str:
        """An argument; a parameter's letter is that of the set of names that it is from."""
        if isinstance(value, bool) or not isinstance(value, int):
            return text(value)
        known = next((n for n in self._names.values() if n[0].startswith(parameter)), [])
        if known and 1 <= value <= len(known):
            return known[value - 1]
        return "None" if known and value == 0 else str(value)

    # -- what the pictures need -------------------------------------------------------------------

    def _members(self) -> dict[str, tuple[str, ...]]:
        """The sets that ``TypeOK`` names, where the configuration decides what is in them."""
        found = {name: tuple(members) for name, members in self._names.items()}
        for name in dict.fromkeys(names_in(self._module.definitions["TypeOK"][1])):
            _, body = self._module.definitions.get(name, ([], ("none",)))
            if name not in found and (body[0] == "set" or body[:2] == ("op", "..")):
                value = self._compiled.value(("name", name, []))
                found[name] = tuple(map(str, sorted(value)))
        return found

    def _orders(self) -> dict[str, tuple[str, ...]]:
        found = {}
        for variable, kind in self._types.items():
            while kind[0] == "fnset":
                kind = kind[2]
            texts = tuple(self._texts(kind))
            if texts:
                found[variable] = texts
        return found

    def _texts(self, kind: Expr) -> Iterator[str]:
        if kind[0] == "set":
            yield from (one[1] for one in kind[1] if one[0] == "str")
        elif kind[0] == "op" and kind[1] == "\\cup":
            yield from self._texts(kind[3])
            yield from self._texts(kind[2])
        elif kind[0] == "domain" and kind[1][0] == "name":
            body = self._module.definitions[kind[1][1]][1]
            if body[0] == "record":
                yield from (field for field, _ in body[1])


def _differences(
    variable: str, arguments: tuple[str, ...], before: Value, after: Value
) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(after, dict):
        for argument, value in after.items():
            yield from _differences(variable, (*arguments, argument), before[argument], value)
    else:
        yield Change(variable, arguments, before, after)


def _types(module: Module) -> Iterator[tuple[str, Expr]]:
    """What ``TypeOK`` says that each variable is a member of."""
    todo: list[Expr] = [module.definitions["TypeOK"][1]]
    while todo:
        e = todo.pop(0)
        if e[0] == "and":
            todo = [*e[1], *todo]
        elif e[0] == "op" and e[1] == "\\in" and e[2][0] == "name":
            yield e[2][1], e[3]


@cache
def _words() -> dict[str, dict[str, str]]:
    """The sentences: by module, and then by action."""
    path = Path(__file__).with_name("words.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def meaning(module: str, name: str) -> str:
    """Return what a property says, in words; nothing if nobody wrote any."""
    said = _words().get("properties", {})
    return said.get(f"{module} {name}", said.get(name, ""))


def _definition(tla: str, name: str) -> str:
    """A definition's text."""
    pattern = rf"^{re.escape(name)} ==.*?(?=\n\s*\n|\n\\\*|\n[-=]{{4}}|\n\S+ ==|\Z)"
    match = re.search(pattern, tla, re.MULTILINE | re.DOTALL)
    return match[0] if match else name


def _variables(tla: str) -> dict[str, str]:
    """Each variable, and the comment beside it."""
    match = re.search(r"^VARIABLES?\n(.*?)\n\n", tla, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (match[1] if match else "").splitlines():
        code, _, comment = line.partition("\\*")
        if re.findall(r"\w+", code):
            names = re.findall(r"\w+", code)
            found |= dict.fromkeys(names, comment.strip())
        elif line.startswith("     "):  # it goes on; what is not so far right is a heading
            found |= {name: f"{found[name]} {comment.strip()}".strip() for name in names}
    return found
