r"""Reading TLA+: the part of the language that the modules in ``spec/`` are written in.

A module becomes a :class:`Module`: its constants, variables and definitions. An expression becomes a
tuple whose first item names what it is:

=====================  =============================================================
``("num", 3)``         also ``"str"`` and ``"bool"``
``("name", x, args)``  a constant, a variable, a bound name, or a definition used
``("op", o, a, b)``    an operator between two, by its sign; ``("not", a)``
``("and", [...])``     also ``"or"``: a list, written as bullets or between signs
``("prime", x)``       the variable's value after the step
``("all", [(x, S)], e)``   also ``"some"``: ``\A x \in S : e``
``("if", a, b, c)``    also ``("let", [(name, params, e)], e)``
``("set", [...])``     also ``"tuple"``, ``("filter", x, S, e)``, ``("map", e, x, S)``
``("fn", x, S, e)``    also ``("record", [(name, e)])``, ``("fnset", S, T)``
``("apply", f, i)``    also ``("except", f, [([i, ...], e)])``; ``("at",)`` is ``@``
``("box", a, v)``      ``[][a]_v``; also ``("wf", v, a)``; ``("enabled", a, v)``: ``ENABLED <<a>>_v``
=====================  =============================================================

Source: Leslie Lamport, "Specifying Systems", chapters 14 and 15 (precedence, bulleted lists).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Expr = tuple[Any, ...]


class SpecError(Exception):
    """A module, or a configuration, holds what this checker cannot read."""


@dataclass
class Module:
    """One module, with what it extends.

    Attributes:
        name: its name.
        constants, variables: the names declared, in their order.
        definitions: by name: the parameters, and the expression.
    """

    name: str
    constants: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    definitions: dict[str, tuple[list[str], Expr]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it stands."""

    kind: str
    text: str
    line: int
    column: int


_TOKEN = re.compile(
    r"""
      (?P<space>[ \n]+ | \\\*[^\n]*)
    | (?P<rule>-{4,} | ={4,})
    | (?P<number>\d+)
    | (?P<string>"[^"]*")
    | (?P<fair>[WS]F_\w+)
    | (?P<name>[A-Za-z]\w*)
    | (?P<sign>\]_ | \|-> | -> | => | ~> | == | /\\ | \\/ | << | >>_ | >> | <= | >= | \.\. | \[\]
        | \\[a-zA-Z]+ | [-+~=\#<>'!@()\[\]{},:.\\])
    """,
    re.VERBOSE,
)


def _without_comments(text: str) -> str:
    """Blank out ``(* ... *)``, which may nest; columns stay."""
    out, depth, at = [], 0, 0
    while at < len(text):
        pair = text[at : at + 2]
        if pair == "(*" or (depth and pair == "*)"):
            depth += 1 if pair == "(*" else -1
            out.append("  ")
            at += 2
        else:
            out.append(text[at] if not depth or text[at] == "\n" else " ")
            at += 1
    return "".join(out)


def tokens_of(text: str) -> list[Token]:
    """Cut a module's text into tokens.

    Raises:
        SpecError: a sign that is not known.
    """
    text = _without_comments(text)
    found: list[Token] = []
    at, line, start = 0, 1, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SpecError(f"line {line}: cannot read {text[at : at + 20]!r}")
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0], line, at - start))
        if newlines := match[0].count("\n"):
            line += newlines
            start = match.start() + match[0].rindex("\n") + 1
        at = match.end()
    return found


#: Operators between two, with how tightly they bind. Those of one class stand beside each other
#: from left to right.
_BINDS = {
    "~>": 1, "=>": 1, "/\\": 3, "\\/": 3,
    "=": 5, "#": 5, "\\in": 5, "\\notin": 5, "\\subseteq": 5, "<": 5, ">": 5, "<=": 5, ">=": 5,
    "\\cup": 8, "\\": 8, "..": 9, "+": 10, "-": 11, "\\X": 12,
}  # fmt: skip

_END = Token("end", "", 0, -1)


class _Parser:
    """Reads one module's tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._margins: list[int] = [-1]  # a bulleted item ends at a token no further right

    def peek(self) -> Token:
        if self._at >= len(self._tokens):
            return _END
        token = self._tokens[self._at]
        return _END if token.column <= self._margins[-1] else token

    def take(self, text: str | None = None) -> Token:
        token = self.peek()
        if token is _END or (text is not None and token.text != text):
            here = self._tokens[min(self._at, len(self._tokens) - 1)]
            raise SpecError(f"line {here.line}: expected {text or 'more'}, not {here.text!r}")
        self._at += 1
        return token

    def got(self, text: str) -> bool:
        if self.peek().text != text or self.peek().kind == "string":
            return False
        self._at += 1
        return True

    def next_is_definition(self) -> bool:
        """``Name ==`` or ``Name(a, b) ==`` comes next."""
        if self.peek().kind != "name":
            return False
        at = self._at + 1
        if at < len(self._tokens) and self._tokens[at].text == "(":
            while self._tokens[at].text != ")":
                at += 1
            at += 1
        return at < len(self._tokens) and self._tokens[at].text == "=="

    # -- a module ---------------------------------------------------------------------------------

    def module(self) -> tuple[Module, list[str]]:
        while not self.got("MODULE"):
            self.take()
        module, extends = Module(self.take().text), []
        while self.peek() is not _END:
            token = self.take()
            if token.kind == "rule":
                if token.text.startswith("="):
                    break
            elif token.text == "EXTENDS":
                extends += self._names()
            elif token.text in ("CONSTANT", "CONSTANTS"):
                module.constants += self._names()
            elif token.text in ("VARIABLE", "VARIABLES"):
                module.variables += self._names()
            else:
                self._at -= 1
                name, parameters, body = self._definition()
                module.definitions[name] = (parameters, body)
        return module, extends

    def _names(self) -> list[str]:
        names = [self.take().text]
        while self.got(","):
            names.append(self.take().text)
        return names

    def _definition(self) -> tuple[str, list[str], Expr]:
        name = self.take().text
        parameters = []
        if self.got("("):
            parameters = self._names()
            self.take(")")
        self.take("==")
        return name, parameters, self.expression()

    # -- expressions ------------------------------------------------------------------------------

    def expression(self, least: int = 0) -> Expr:
        left = self._prefixed()
        while True:
            token = self.peek()
            binds = _BINDS.get(token.text, -1) if token.kind == "sign" else -1
            if binds < 0 or binds < least:
                return left
            self._at += 1
            right = self.expression(binds if token.text == "=>" else binds + 1)
            left = _joined(token.text, left, right)

    def _prefixed(self) -> Expr:
        token = self.peek()
        text = token.text
        if token.kind == "sign":
            if text in ("/\\", "\\/"):
                return self._bullets(text)
            if text == "~":
                self._at += 1
                return ("not", self.expression(5))
            if text in ("\\A", "\\E"):
                self._at += 1
                bounds = self._bounds()
                self.take(":")
                return ("all" if text == "\\A" else "some", bounds, self.expression())
            if text == "[]":
                self._at += 1
                return self._box()
        if token.kind == "name":
            if text == "UNCHANGED":
                self._at += 1
                return ("unchanged", self.expression(5))
            if text in ("DOMAIN", "SUBSET"):
                self._at += 1
                return (text.lower(), self.expression(9))
            if text == "IF":
                self._at += 1
                condition = self.expression()
                self.take("THEN")
                then = self.expression()
                self.take("ELSE")
                return ("if", condition, then, self.expression())
            if text == "LET":
                self._at += 1
                definitions = []
                while self.next_is_definition():
                    definitions.append(self._definition())
                self.take("IN")
                return ("let", definitions, self.expression())
        return self._suffixed(self._atom())

    def _bullets(self, sign: str) -> Expr:
        column = self.peek().column
        items = []
        while self.peek().text == sign and self.peek().column == column:
            self._at += 1
            self._margins.append(column)
            items.append(self.expression())
            self._margins.pop()
        return ("and" if sign == "/\\" else "or", items)

    def _bounds(self) -> list[tuple[str, Expr]]:
        bounds = []
        while True:
            names = self._names()
            self.take("\\in")
            over = self.expression(6)
            bounds += [(name, over) for name in names]
            if not self.got(","):
                return bounds

    def _box(self) -> Expr:
        self.take("[")
        action = self.expression()
        self.take("]_")
        return ("box", action, self.take().text)

    def _suffixed(self, left: Expr) -> Expr:
        while True:
            if self.got("["):
                left = ("apply", left, self.expression())
                self.take("]")
            elif self.got("'"):
                left = ("prime", left)
            else:
                return left

    def _atom(self) -> Expr:
        token = self.take()
        text = token.text
        if token.kind == "number":
            return ("num", int(text))
        if token.kind == "string":
            return ("str", text[1:-1])
        if token.kind == "fair":
            self.take("(")
            action = self.expression()
            self.take(")")
            return ("wf", text[3:], action)
        if token.kind == "name":
            if text in ("TRUE", "FALSE"):
                return ("bool", text == "TRUE")
            if text == "ENABLED":
                self.take("<<")
                action = self.expression()
                self.take(">>_")
                return ("enabled", action, self.expression())
            arguments = []
            if self.got("("):
                arguments.append(self.expression())
                while self.got(","):
                    arguments.append(self.expression())
                self.take(")")
            return ("name", text, arguments)
        if text == "(":
            inner = self.expression()
            self.take(")")
            return inner
        if text == "@":
            return ("at",)
        if text == "<<":
            return ("tuple", self._items(">>"))
        if text == "{":
            return self._set()
        if text == "[":
            return self._function()
        raise SpecError(f"line {token.line}: cannot read {text!r}")

    def _items(self, end: str) -> list[Expr]:
        items: list[Expr] = []
        while not self.got(end):
            if items:
                self.take(",")
            items.append(self.expression())
        return items

    def _set(self) -> Expr:
        if self.got("}"):
            return ("set", [])
        first = self.expression()
        if self.got(":"):
            if first[0] == "op" and first[1] == "\\in" and first[2][0] == "name":
                condition = self.expression()
                self.take("}")
                return ("filter", first[2][1], first[3], condition)
            bounds = self._bounds()
            self.take("}")
            if len(bounds) != 1:
                raise SpecError("a set over more than one name")
            return ("map", first, *bounds[0])
        if self.got("}"):
            return ("set", [first])
        self.take(",")
        return ("set", [first, *self._items("}")])

    def _function(self) -> Expr:
        first = self.expression()
        if self.got("|->"):
            if first[0] == "op":  # [x \in S |-> e]
                value = self.expression()
                self.take("]")
                return ("fn", first[2][1], first[3], value)
            fields = [(first[1], self.expression())]
            while self.got(","):
                name = self.take().text
                self.take("|->")
                fields.append((name, self.expression()))
            self.take("]")
            return ("record", fields)
        if self.got("->"):
            over = self.expression()
            self.take("]")
            return ("fnset", first, over)
        if self.got("EXCEPT"):
            changes = []
            while True:
                self.take("!")
                path = []
                while self.got("["):
                    path.append(self.expression())
                    self.take("]")
                self.take("=")
                changes.append((path, self.expression()))
                if not self.got(","):
                    break
            self.take("]")
            return ("except", first, changes)
        raise SpecError(f"line {self.peek().line}: cannot read [")


def _joined(sign: str, left: Expr, right: Expr) -> Expr:
    if sign in ("/\\", "\\/"):
        kind = "and" if sign == "/\\" else "or"
        items = [*left[1], right] if left[0] == kind and left[-1] is _INFIX else [left, right]
        return (kind, items, _INFIX)
    return ("op", sign, left, right)


#: Marks a list that was written between signs, not as bullets: it may grow.
_INFIX = "infix"


def parse(text: str) -> tuple[Module, list[str]]:
    """Read a module's text; return it, and the names of what it extends.

    Raises:
        SpecError: something in it is not known.
    """
    return _Parser(tokens_of(text)).module()


def names_in(expression: Any) -> Iterator[str]:
    """Yield every name that an expression holds, of whatever kind."""
    if isinstance(expression, tuple) and expression and expression[0] == "name":
        yield expression[1]
    if isinstance(expression, tuple | list):
        for part in expression:
            if isinstance(part, tuple | list):
                yield from names_in(part)
