"""From an expression to Python: its text, or its value where the constants decide it.

The expressions are those of :mod:`glusterio.verify.tla`; their values those of
:mod:`glusterio.verify.values`. A definition that is used is compiled where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from glusterio.verify import values
from glusterio.verify.config import Config
from glusterio.verify.tla import Expr, Module, SpecError


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of Python: its text, or its value where the constants decide it."""

    text: str
    value: Any = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """A definition of a LET with parameters."""

    parameters: list[str]
    body: Expr
    scope: Mapping[str, Any]


Scope = Mapping[str, Any]  # bound names: Code, or Closure

_OPERATORS = {"=": "==", "#": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "+": "+", "-": "-",
              "\\cup": "|", "\\": "-"}  # fmt: skip


class Expressions:
    """Compiles expressions of one module, with one configuration.

    Args:
        module: the module.
        config: the configuration.

    Raises:
        SpecError: a constant has no value.
    """

    def __init__(self, module: Module, config: Config) -> None:
        self.module = module
        self.config = config
        self.variables = module.variables
        self._globals: dict[str, Any] = {
            "function": values.function,
            "changed": values.changed,
            "cross": values.cross,
            "span": values.span,
            "Functions": values.Functions,
            "Subsets": values.Subsets,
        }
        self._primed: Mapping[
            str, str
        ] = {}  # inside of F(x)': what the variables are after the step
        self._prime = True  # whether there is a state before; there is none before the first
        self._many: dict[str, bool] = {}
        self._known: dict[str, Code] = {}
        self._actions: dict[str, bool] = {}
        self._fresh = 0
        missing = set(module.constants) - config.constants.keys()
        if missing:
            raise SpecError(f"constants without a value: {', '.join(sorted(missing))}")

    def _new(self, prefix: str) -> str:
        self._fresh += 1
        return f"{prefix}{self._fresh}"

    # -- in how many ways a guard is true ---------------------------------------------------------

    def _has_ways(self, e: Expr, scope: Scope) -> bool:
        """Whether there may be more ways than one."""
        kind = e[0]
        if kind in ("or", "some"):
            return True
        if kind == "and":
            return any(self._has_ways(item, scope) for item in e[1])
        if kind == "all":
            return self._has_ways(e[2], scope)
        if kind == "op" and e[1] == "=>":
            return self._has_ways(e[3], scope)
        if kind == "if":
            return self._has_ways(e[2], scope) or self._has_ways(e[3], scope)
        if kind == "let":
            return self._has_ways(e[2], scope)
        if kind == "name" and e[1] in self.module.definitions and e[1] not in scope:
            if e[1] not in self._many:
                self._many[e[1]] = self._has_ways(self.module.definitions[e[1]][1], {})
            return self._many[e[1]]
        return False

    def _ways(self, e: Expr, scope: Scope, assigned: Mapping[str, str]) -> Code:
        if not self._has_ways(e, scope):
            return self._expr(e, scope, assigned)
        kind = e[0]
        if kind == "and":
            return _product([self._ways(item, scope, assigned) for item in e[1]])
        if kind == "or":
            return _sum([self._ways(item, scope, assigned) for item in e[1]])
        if kind in ("all", "some"):
            scopes: list[Scope] = [scope]
            for name, over in e[1]:
                members = self._expr(over, scope, assigned)
                if not members.known:
                    raise SpecError("a guard over a set that is not constant")
                scopes = [{**s, name: constant(m)} for s in scopes for m in sorted(members.value)]
            ways = [self._ways(e[2], inner, assigned) for inner in scopes]
            return _product(ways) if kind == "all" else _sum(ways)
        if kind == "op":  # =>
            condition = self._expr(e[2], scope, assigned)
            if condition.known and not condition.value:
                return constant(True)
            ways_of = self._ways(e[3], scope, assigned)
            if condition.known:
                return ways_of
            return Code(f"({ways_of.text} if {condition.text} else 1)")
        if kind == "if":
            condition = self._expr(e[1], scope, assigned)
            if condition.known:
                return self._ways(e[2] if condition.value else e[3], scope, assigned)
            yes, no = (self._ways(e[i], scope, assigned) for i in (2, 3))
            return Code(f"({yes.text} if {condition.text} else {no.text})")
        if kind == "let":
            return self._ways(e[2], self._let_inline(e[1], scope, assigned), assigned)
        parameters, body = self.module.definitions[e[1]]
        codes = [self._expr(argument, scope, assigned) for argument in e[2]]
        return self._ways(body, dict(zip(parameters, codes, strict=True)), assigned)

    # -- expressions ------------------------------------------------------------------------------

    def value(self, e: Expr) -> Any:
        """Return what an expression is; ``None`` where the constants do not decide it."""
        return self._expr(e, {}, {}).value

    def _expr(self, e: Expr, scope: Scope, assigned: Mapping[str, str]) -> Code:
        """Compile an expression; what is constant is evaluated."""
        method: Callable[..., Code] = getattr(self, f"_x_{e[0]}", None) or _refuse(e)
        return method(e, scope, assigned)

    def _fold(self, text: str, *parts: Code) -> Code:
        """Code made of parts: its value, when theirs are all known."""
        if all(part.known for part in parts):
            return self._remember(eval(text, self._globals))
        return Code(text)

    def _remember(self, value: Any) -> Code:
        if isinstance(value, int | str):
            return constant(value)
        name = self._new("k")
        self._globals[name] = value
        return Code(name, value, known=True)

    def _x_num(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        return constant(e[1])

    _x_str = _x_bool = _x_num

    def _x_at(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        old: Code = scope["@"]
        return old

    def _x_prime(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        if e[1][0] == "name" and e[1][1] in assigned:
            return Code(assigned[e[1][1]])
        if not assigned.keys() >= set(self.variables):
            raise SpecError(f"the next value of {e[1]!r} is not known yet")
        before, self._primed = self._primed, assigned
        try:
            return self._expr(e[1], scope, assigned)
        finally:
            self._primed = before

    def _x_name(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        _, name, arguments = e
        bound = scope.get(name)
        if isinstance(bound, Code):
            return bound
        codes = [self._expr(argument, scope, assigned) for argument in arguments]
        if isinstance(bound, Closure):
            inner = {**bound.scope, **dict(zip(bound.parameters, codes, strict=True))}
            return self._expr(bound.body, inner, assigned)
        if name in self.variables:
            if self._primed:
                return Code(self._primed[name])
            return Code(f"v_{name}" if self._prime else assigned[name])
        if name in self.config.constants:
            return self._constant_named(name, self.config.constants[name])
        if name == "Int":
            return self._constant_named(name, values.Integers())
        if name == "BOOLEAN":
            return self._constant_named(name, frozenset({False, True}))
        if name == "Cardinality":
            return self._fold(f"len({codes[0].text})", *codes)
        if name not in self.module.definitions:
            raise SpecError(f"{name} is not known")
        parameters, body = self.module.definitions[name]
        if not parameters and name in self._known:
            return self._known[name]
        if not parameters and self._is_action(body):
            return self._x_taken(e, scope, assigned)
        code = self._expr(body, dict(zip(parameters, codes, strict=True)), assigned)
        if not parameters and code.known:
            self._known[name] = code
        return code

    def _is_action(self, e: Any) -> bool:
        """Whether a definition says of all variables what becomes of them."""
        if isinstance(e, tuple) and e and e[0] in ("unchanged", "enabled"):
            return bool(e[0] == "unchanged")
        if isinstance(e, tuple) and e and e[0] == "name" and e[1] in self.module.definitions:
            if e[1] not in self._actions:
                self._actions[e[1]] = self._is_action(self.module.definitions[e[1]][1])
            return self._actions[e[1]]
        return isinstance(e, tuple | list) and any(self._is_action(part) for part in e)

    def _x_taken(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        raise NotImplementedError

    def _constant_named(self, name: str, value: Any) -> Code:
        if name not in self._known:
            self._known[name] = self._remember(value)
        return self._known[name]

    def _x_not(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        inner = self._expr(e[1], scope, assigned)
        return self._fold(f"(not {inner.text})", inner)

    def _x_and(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        return self._short(e[1], scope, assigned, "and", True)

    def _x_or(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        return self._short(e[1], scope, assigned, "or", False)

    def _short(
        self, items: list[Expr], scope: Scope, assigned: Any, word: str, neutral: bool
    ) -> Code:
        """A conjunction or a disjunction: nothing is compiled after what decides it."""
        texts: list[str] = []
        for item in items:
            code = self._expr(item, scope, assigned)
            if code.known and bool(code.value) is not neutral:
                if not texts:
                    return constant(not neutral)
                texts.append(str(not neutral))
                break
            if not code.known:
                texts.append(code.text)
        if not texts:
            return constant(neutral)
        return Code(f"({f' {word} '.join(texts)})" if len(texts) > 1 else texts[0])

    def _x_op(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        sign = e[1]
        left = self._expr(e[2], scope, assigned)
        if sign == "=>":
            if left.known:
                return self._expr(e[3], scope, assigned) if left.value else constant(True)
            right = self._expr(e[3], scope, assigned)
            return Code(f"(not {left.text} or {right.text})")
        right = self._expr(e[3], scope, assigned)
        if sign in _OPERATORS:
            text = f"({left.text} {_OPERATORS[sign]} {right.text})"
        elif sign in ("\\in", "\\notin"):
            word = "in" if sign == "\\in" else "not in"
            text = f"({left.text} {word} {right.text})"
        elif sign == "\\subseteq":
            text = f"({left.text} <= {right.text})"
        elif sign == "\\X":
            text = f"cross({left.text}, {right.text})"
        elif sign == "..":
            text = f"span({left.text}, {right.text})"
        else:
            raise SpecError(f"{sign} is not known here")
        return self._fold(text, left, right)

    def _x_if(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        condition = self._expr(e[1], scope, assigned)
        if condition.known:
            return self._expr(e[2] if condition.value else e[3], scope, assigned)
        yes, no = (self._expr(e[i], scope, assigned) for i in (2, 3))
        return Code(f"({yes.text} if {condition.text} else {no.text})")

    def _x_let(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        return self._expr(e[2], self._let_inline(e[1], scope, assigned), assigned)

    def _let_inline(self, definitions: Any, scope: Scope, assigned: Any) -> Scope:
        inner = dict(scope)
        for name, parameters, body in definitions:
            if parameters:
                inner[name] = Closure(parameters, body, dict(inner))
            else:
                inner[name] = self._expr(body, inner, assigned)
        return inner

    def _x_set(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        items = [self._expr(item, scope, assigned) for item in e[1]]
        if not items:
            return self._remember(frozenset())
        return self._fold(f"frozenset(({''.join(i.text + ', ' for i in items)}))", *items)

    def _x_tuple(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        items = [self._expr(item, scope, assigned) for item in e[1]]
        return self._fold(f"({''.join(item.text + ', ' for item in items)})", *items)

    def _x_record(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        fields = [(name, self._expr(value, scope, assigned)) for name, value in e[1]]
        inner = ", ".join(f"{name!r}: {code.text}" for name, code in fields)
        return self._fold(f"{{{inner}}}", *(code for _, code in fields))

    def _x_domain(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        inner = self._expr(e[1], scope, assigned)
        return self._fold(f"frozenset({inner.text})", inner)  # of a record: its names

    def _x_subset(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        inner = self._expr(e[1], scope, assigned)
        return self._fold(f"Subsets({inner.text})", inner)

    def _x_fnset(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        domain, over = (self._expr(e[i], scope, assigned) for i in (1, 2))
        return self._fold(f"Functions({domain.text}, {over.text})", domain, over)

    def _x_apply(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        of, argument = self._expr(e[1], scope, assigned), self._expr(e[2], scope, assigned)
        if of.known and argument.known and isinstance(of.value, tuple):  # <<a, b>>[1]
            return self._remember(of.value[argument.value - 1])
        if e[1][0] == "name" and e[1][1] in scope:  # a bound tuple: counted from 1
            return self._fold(f"{of.text}[{argument.text} - 1]", of, argument)
        return self._fold(f"{of.text}[{argument.text}]", of, argument)

    def _members(self, over: Code) -> list[Any]:
        """The members of a constant set, in their order."""
        return sorted(over.value)

    def _x_fn(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        _, name, over, body = e
        domain = self._expr(over, scope, assigned)
        if not domain.known:
            raise SpecError("a function on a set that is not constant")
        members = self._members(domain)
        if not members:
            return self._remember({})
        codes = {
            member: self._expr(body, {**scope, name: constant(member)}, assigned)
            for member in members
        }
        places = [codes.get(i, constant(None)).text for i in range(members[-1] + 1)]
        return self._fold(f"({''.join(p + ', ' for p in places)})", *codes.values())

    def _x_except(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        code = self._expr(e[1], scope, assigned)
        for path, body in e[2]:
            arguments = [self._expr(argument, scope, assigned) for argument in path]
            old = self._new("o")
            value = self._expr(body, {**scope, "@": Code(old)}, assigned)
            if len(path) == 1 and code.text.isidentifier() and arguments[0].known:
                at = arguments[0].value
                value = self._expr(body, {**scope, "@": Code(f"{code.text}[{at}]")}, assigned)
                code = Code(f"({code.text}[:{at}] + ({value.text},) + {code.text}[{at + 1}:])")
                continue
            inner = "".join(argument.text + ", " for argument in arguments)
            code = Code(f"changed({code.text}, ({inner}), lambda {old}: {value.text})")
        return code

    def _x_filter(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        _, name, over, condition = e
        members = self._expr(over, scope, assigned)
        variable = self._new("x")
        code = self._expr(condition, {**scope, name: Code(variable)}, assigned)
        return Code(f"frozenset([{variable} for {variable} in {members.text} if {code.text}])")

    def _x_map(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        _, body, name, over = e
        members = self._expr(over, scope, assigned)
        variable = self._new("x")
        code = self._expr(body, {**scope, name: Code(variable)}, assigned)
        return Code(f"frozenset([{code.text} for {variable} in {members.text}])")

    def _x_all(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        return self._quantified(e[1], e[2], scope, assigned, "and", True)

    def _x_some(self, e: Expr, scope: Scope, assigned: Any) -> Code:
        return self._quantified(e[1], e[2], scope, assigned, "or", False)

    def _quantified(
        self, bounds: Any, body: Expr, scope: Scope, assigned: Any, word: str, neutral: bool
    ) -> Code:
        if not bounds:
            return self._expr(body, scope, assigned)
        (name, over), *others = bounds
        members = self._expr(over, scope, assigned)
        if not members.known:
            variable = self._new("x")
            inner = self._quantified(
                others, body, {**scope, name: Code(variable)}, assigned, word, neutral
            )
            every = "all" if neutral else "any"
            return Code(f"{every}([{inner.text} for {variable} in {members.text}])")
        texts = []
        for member in self._members(members):
            bound = {**scope, name: constant(member)}
            code = self._quantified(others, body, bound, assigned, word, neutral)
            if code.known:
                if bool(code.value) is not neutral:
                    return constant(not neutral)
                continue
            texts.append(code.text)
        return Code(f"({f' {word} '.join(texts)})") if texts else constant(neutral)


def constant(value: Any) -> Code:
    """Return the code of a value that can be written down."""
    return Code(repr(value), value, known=True)


def holds(e: Any, kind: str) -> bool:
    """Whether an expression holds one of a kind."""
    if isinstance(e, tuple) and e and e[0] == kind:
        return True
    return isinstance(e, tuple | list) and any(holds(part, kind) for part in e)


def _refuse(e: Expr) -> Callable[..., Code]:
    raise SpecError(f"no expression: {e[0]}")


def _product(ways: list[Code]) -> Code:
    if any(code.known and not code.value for code in ways):
        return constant(False)
    texts = [code.text for code in ways if not (code.known and code.value == 1)]
    if not texts:
        return constant(True)
    # "and" first, so that nothing is looked at after what is false.
    product = " * ".join(texts)
    return Code(f"({' and '.join(texts)} and {product})" if len(texts) > 1 else texts[0])


def _sum(ways: list[Code]) -> Code:
    ways = [code for code in ways if not (code.known and not code.value)]
    if not ways:
        return constant(False)
    if all(code.known for code in ways):
        return constant(sum(int(code.value) for code in ways))
    return Code(f"({' + '.join(f'int({code.text})' for code in ways)})")
