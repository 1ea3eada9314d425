"""From a module and a configuration to Python: a function that yields the successors of a state.

Everything that the constants decide is decided here: a guard that is TRUE leaves no trace in the
code, a quantifier over a constant set is written out. What remains is straight Python on tuples,
which is what makes the checker fast.

An action is compiled the way TLC reads one: from left to right, ``x' = e`` is an assignment, and each
way to make a disjunction true is a successor of its own, even when both ways lead to the same state;
so the numbers of states *generated* are TLC's, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from glusterio.verify.config import Config
from glusterio.verify.expressions import Closure, Code, Expressions, Scope, constant, holds
from glusterio.verify.tla import Expr, Module, SpecError

State = tuple[Any, ...]

Predicate = Callable[[State], bool]

#: A successor: the action's name and arguments, the state, and in how many ways it is reached.
Successor = tuple[tuple[Any, ...], State, int]

Then = Callable[["Path", int], None]


@dataclass(frozen=True, slots=True)
class Path:
    """What has been met on the way through an action.

    Attributes:
        assigned: the text of each variable's next value.
        weights: texts of numbers, of ways to make the guards so far true.
        label: the action's name and the texts of its arguments.
    """

    assigned: Mapping[str, str]
    weights: tuple[str, ...] = ()
    label: tuple[str, tuple[str, ...]] | None = None


class Compiled(Expressions):
    """A specification, ready to be explored.

    Attributes:
        variables: their names, in the state's order.
        initial: the initial states.
        invariants: by name, a predicate of a state.
        steps: by name, a predicate of two states: the temporal properties ``[][A]_v``.
        leads: by name, the temporal properties ``P ~> Q``: pairs of predicates.
        fair: for each action that weak fairness is assumed of, what it may lead to.
    """

    def __init__(self, module: Module, config: Config) -> None:
        super().__init__(module, config)
        self._lines: list[str] = []
        self._pure: dict[str, bool] = {}
        self.leads: dict[str, list[tuple[Predicate, Predicate]]] = {}
        init, action, fair = self._parts(config.specification)
        self._next = action
        self.initial = [state for _, state, _ in self._successors(init, prime=False)(())]
        self.invariants = {
            name: self._predicate(("name", name, []), {}) for name in config.invariants
        }
        self.steps = {}
        for name in config.properties:
            body = module.definitions[name][1]
            if body[0] == "box":
                self.steps[name] = self._step(body[1])
            else:
                self.leads[name] = [
                    (self._predicate(pair[2], scope), self._predicate(pair[3], scope))
                    for scope, pair in self._instances(body, "op")
                ]
        self.fair = [
            self._successors(part[2], prime=True, scope=scope)
            for e in fair
            for scope, part in self._instances(e, "wf")
        ]

    # -- what to explore --------------------------------------------------------------------------

    @cached_property
    def successors(self) -> Callable[[State], list[Successor]]:
        """Yields what may follow a state."""
        return self._successors(self._next, prime=True)

    def action(self, name: str) -> Callable[..., list[Successor]]:
        """Compile one action by itself.

        Returns:
            A function of a state and of the action's arguments; it returns what may follow.
        """
        parameters = self.module.definitions[name][0]
        call: Expr = ("name", name, [("name", parameter, []) for parameter in parameters])
        scope = {parameter: Code(f"a_{parameter}") for parameter in parameters}
        head = f"def successors({', '.join(['state', *(f'a_{p}' for p in parameters)])}):"
        return self._successors(call, prime=True, scope=scope, head=head)

    def _parts(self, name: str) -> tuple[Expr, Expr, list[Expr]]:
        """Find the parts of the formula, which is Init, always Next, and perhaps fairness."""
        parts: list[Expr] = []
        todo = [self.module.definitions[name][1]]
        while todo:
            expression = todo.pop(0)
            if expression[0] == "and":
                todo = [*expression[1], *todo]
            elif expression[0] == "name" and self._mentions_box(expression[1]):
                todo.insert(0, self.module.definitions[expression[1]][1])
            else:
                parts.append(expression)
        init = [part for part in parts if part[0] == "name"]
        box = [part for part in parts if part[0] == "box"]
        fair = [part for part in parts if holds(part, "wf")]
        if len(init) != 1 or len(box) != 1 or len(parts) != 2 + len(fair):
            raise SpecError(f"{name}: not Init, always Next, and weak fairness")
        return init[0], box[0][1], fair

    def _instances(self, e: Expr, kind: str) -> list[tuple[Scope, Expr]]:
        """What a temporal formula says for each member of the sets that it is about."""
        scopes: list[Scope] = [{}]
        while e[0] == "all":
            for name, over in e[1]:
                members = self._expr(over, {}, {})
                scopes = [{**s, name: constant(m)} for s in scopes for m in sorted(members.value)]
            e = e[2]
        if e[0] != kind or (kind == "op" and e[1] != "~>"):
            raise SpecError(f"a temporal formula that is not known: {e[0]}")
        return [(scope, e) for scope in scopes]

    def _mentions_box(self, name: str) -> bool:
        return holds(self.module.definitions[name][1], "box")

    # -- functions --------------------------------------------------------------------------------

    def _make(self, name: str, head: str) -> Callable[..., Any]:
        text = "\n".join([head, *self._lines])
        self._lines = []
        exec(compile(text, f"<{self.module.name}: {name}>", "exec"), self._globals)
        made: Callable[..., Any] = self._globals[name]
        return made

    def _unpack(self, prefix: str, state: str) -> str:
        names = "".join(f"{prefix}{name}, " for name in self.variables)
        return f"    {names}= {state}"

    def _successors(
        self,
        action: Expr,
        prime: bool,
        scope: Scope | None = None,
        head: str = "def successors(state):",
    ) -> Callable[..., list[Successor]]:
        self._lines = []
        if prime:
            self._lines.append(self._unpack("v_", "state"))
        self._lines.append("    out = []")
        self._prime = prime

        def found(path: Path, depth: int) -> None:
            if set(path.assigned) != set(self.variables):
                left = set(self.variables) - set(path.assigned)
                raise SpecError(f"{path.label}: nothing said of {', '.join(sorted(left))}")
            state = "".join(path.assigned[name] + ", " for name in self.variables)
            name, arguments = path.label or ("Init", ())
            label = "".join(text + ", " for text in (repr(name), *arguments))
            weight = " * ".join(path.weights) or "1"
            self._write(depth, f"out.append((({label}), ({state}), {weight}))")

        self._act(action, scope or {}, Path({}), 1, found)
        self._lines.append("    return out")
        return self._make("successors", head)

    def _predicate(self, e: Expr, scope: Scope) -> Predicate:
        self._prime = True
        code = self._expr(e, scope, {})
        self._lines = [self._unpack("v_", "state"), f"    return {code.text}"]
        return self._make("invariant", "def invariant(state):")

    def _step(self, action: Expr) -> Callable[[State, State], bool]:
        self._prime = True
        code = self._expr(action, {}, {name: f"n_{name}" for name in self.variables})
        self._lines = [
            self._unpack("v_", "before"),
            self._unpack("n_", "after"),
            f"    return before == after or {code.text}",
        ]
        return self._make("step", "def step(before, after):")

    def _x_enabled(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        """Whether an action can be taken, and changes something."""
        successors = self._successors(e[1], prime=True)
        name = self._new("can")
        self._globals[name] = lambda state: any(after != state for _, after, _ in successors(state))
        return Code(f"{name}({self._now()})")

    def _x_taken(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        """Whether a step is one of a named action's."""
        successors = self._successors(e, prime=True)
        name = self._new("did")
        self._globals[name] = lambda before, to: any(
            to == after for _, after, _ in successors(before)
        )
        after = "".join(assigned[name] + ", " for name in self.variables)
        return Code(f"{name}({self._now()}, ({after}))")

    def _now(self) -> str:
        return f"({''.join(f'v_{name}, ' for name in self.variables)})"

    def _write(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    # -- actions ----------------------------------------------------------------------------------

    def _act(self, e: Expr, scope: Scope, path: Path, depth: int, then: Then) -> None:
        """Write what an action does, and what ``then`` writes after it."""
        kind = e[0]
        if self._is_pure(e, scope):
            self._guard(e, scope, path, depth, then)
        elif kind == "and":
            self._all_of(e[1], scope, path, depth, then)
        elif kind == "or":
            for item in e[1]:
                self._act(item, scope, path, depth, then)
        elif kind == "some":
            self._for_some(e[1], e[2], scope, path, depth, then)
        elif kind == "all":
            self._all_of_bound(e[1], e[2], scope, path, depth, then)
        elif kind == "if":
            condition = self._expr(e[1], scope, path.assigned)
            if condition.known:
                self._act(e[2] if condition.value else e[3], scope, path, depth, then)
                return
            self._write(depth, f"if {condition.text}:")
            self._act(e[2], scope, path, depth + 1, then)
            self._write(depth + 1, "pass")
            self._write(depth, "else:")
            self._act(e[3], scope, path, depth + 1, then)
            self._write(depth + 1, "pass")
        elif kind == "let":
            self._act(e[2], self._let(e[1], scope, path, depth), path, depth, then)
        elif kind == "unchanged":
            assigned = dict(path.assigned)
            for name in self._flat(e[1]):
                if name in assigned:
                    raise SpecError(f"{path.label}: {name} is said twice")
                assigned[name] = f"v_{name}"
            then(Path(assigned, path.weights, path.label), depth)
        elif kind == "op" and e[1] == "=" and self._assigns(e[2]):
            name = e[2][1][1] if self._prime else e[2][1]
            if name in path.assigned:
                self._guard(e, scope, path, depth, then)
                return
            value = self._expr(e[3], scope, path.assigned)
            text = value.text
            if not (value.known or text.isidentifier()):
                text = f"p_{name}"
                self._write(depth, f"{text} = {value.text}")
            then(Path({**path.assigned, name: text}, path.weights, path.label), depth)
        elif kind == "name":
            self._call(e, scope, path, depth, then)
        else:
            raise SpecError(f"no action: {e!r}")

    def _assigns(self, e: Expr) -> bool:
        if self._prime:
            return bool(e[0] == "prime")
        return bool(e[0] == "name" and e[1] in self.variables)

    def _all_of(self, items: list[Expr], scope: Scope, path: Path, depth: int, then: Then) -> None:
        if not items:
            then(path, depth)
            return
        self._act(
            items[0],
            scope,
            path,
            depth,
            lambda after, deeper: self._all_of(items[1:], scope, after, deeper, then),
        )

    def _all_of_bound(
        self, bounds: Any, e: Expr, scope: Scope, path: Path, depth: int, then: Then
    ) -> None:
        scopes = [scope]
        for name, over in bounds:
            members = self._expr(over, scope, path.assigned)
            if not members.known:
                raise SpecError("an action for all of a set that is not constant")
            scopes = [{**s, name: constant(m)} for s in scopes for m in sorted(members.value)]

        def rest(left: list[Scope], after: Path, deeper: int) -> None:
            if not left:
                then(after, deeper)
                return
            self._act(e, left[0], after, deeper, lambda p, d: rest(left[1:], p, d))

        rest(scopes, path, depth)

    def _for_some(
        self, bounds: Any, e: Expr, scope: Scope, path: Path, depth: int, then: Then
    ) -> None:
        if not bounds:
            self._act(e, scope, path, depth, then)
            return
        (name, over), *others = bounds
        members = self._expr(over, scope, path.assigned)
        if members.known:
            for member in sorted(members.value):
                inner = {**scope, name: constant(member)}
                self._for_some(others, e, inner, path, depth, then)
            return
        variable = self._new("x")
        self._write(depth, f"for {variable} in sorted({members.text}):")
        self._for_some(others, e, {**scope, name: Code(variable)}, path, depth + 1, then)
        self._write(depth + 1, "pass")

    def _let(self, definitions: Any, scope: Scope, path: Path, depth: int) -> Scope:
        inner = dict(scope)
        for name, parameters, body in definitions:
            if parameters:
                inner[name] = Closure(parameters, body, dict(inner))
                continue
            value = self._expr(body, inner, path.assigned)
            if not value.known:
                variable = self._new("l")
                self._write(depth, f"{variable} = {value.text}")
                value = Code(variable)
            inner[name] = value
        return inner

    def _call(self, e: Expr, scope: Scope, path: Path, depth: int, then: Then) -> None:
        _, name, arguments = e
        parameters, body = self.module.definitions[name]
        codes = [self._expr(argument, scope, path.assigned) for argument in arguments]
        inner = dict(zip(parameters, codes, strict=True))
        if path.label is None and body[0] not in ("or", "some"):
            label = (name, tuple(code.text for code in codes))
            path = Path(path.assigned, path.weights, label)
        self._act(body, inner, path, depth, then)

    def _guard(self, e: Expr, scope: Scope, path: Path, depth: int, then: Then) -> None:
        ways = self._ways(e, scope, path.assigned)
        if ways.known:
            if ways.value:
                weights = path.weights if ways.value == 1 else (*path.weights, ways.text)
                then(Path(path.assigned, weights, path.label), depth)
            return
        if self._has_ways(e, scope):
            weight = self._new("w")
            self._write(depth, f"{weight} = {ways.text}")
            self._write(depth, f"if {weight}:")
            path = Path(path.assigned, (*path.weights, weight), path.label)
        else:
            self._write(depth, f"if {ways.text}:")
        then(path, depth + 1)
        self._write(depth + 1, "pass")

    def _flat(self, e: Expr) -> list[str]:
        """The variables of a tuple of variables, or of such tuples."""
        if e[0] == "tuple":
            return [name for item in e[1] for name in self._flat(item)]
        if e[1] in self.variables:
            return [e[1]]
        return self._flat(self.module.definitions[e[1]][1])

    def _is_pure(self, e: Any, scope: Scope) -> bool:
        """Whether an expression speaks of one state only."""
        if not self._prime:
            return not any(self._mentions(e, name) for name in self.variables)
        if isinstance(e, list):
            return all(self._is_pure(item, scope) for item in e)
        if not isinstance(e, tuple) or not e:
            return True
        if e[0] in ("prime", "unchanged"):
            return False
        if e[0] == "name":
            name = e[1]
            if name in self.module.definitions and name not in scope:
                if name not in self._pure:
                    self._pure[name] = self._is_pure(self.module.definitions[name][1], {})
                if not self._pure[name]:
                    return False
        return all(self._is_pure(part, scope) for part in e[1:])

    def _mentions(self, e: Any, name: str) -> bool:
        if isinstance(e, tuple) and e and e[0] == "name":
            if e[1] == name:
                return True
            if e[1] in self.module.definitions:
                return self._mentions(self.module.definitions[e[1]][1], name)
        if isinstance(e, tuple | list):
            return any(self._mentions(part, name) for part in e)
        return False
