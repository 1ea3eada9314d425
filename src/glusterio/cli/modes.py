"""Permission bits as ``chmod`` has them: ``755``, ``u+rwX,go-w``, ``g=u``.

As in POSIX (chmod, "Extended description"), with what GNU does where POSIX leaves it open: a
directory's set-user-ID and set-group-ID bits stay unless the mode names them.
"""

from __future__ import annotations

import re
from typing import Protocol

_SET_ID = 0o6000
_STICKY = 0o1000

#: Whose bits a letter means.
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": _SET_ID, "t": _STICKY}
_SHIFT = {"u": 6, "g": 3, "o": 0}

_OCTAL = re.compile(r"[0-7]{1,5}")
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = re.compile(r"([-+=])([ugo](?![rwxXst])|[rwxXst]*)")


class Change(Protocol):
    """What a mode does with a file's permission bits."""

    def __call__(self, mode: int, *, is_directory: bool, umask: int) -> int:
        """Return the permission bits that the file shall have.

        Args:
            mode: those that it has.
            is_directory: whether it is a directory.
            umask: what ``+x`` and the like, said of nobody, leave alone.
        """


def parse_mode(text: str) -> Change:
    """Understand a mode.

    Raises:
        ValueError: it is none.
    """
    if _OCTAL.fullmatch(text):
        return _octal(int(text, 8), explicit=len(text) > 4)
    clauses = []
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise ValueError(f"{text!r} is no mode: 755 is one, and u+rwX,go-w")
        clauses.append((match[1], _ACTION.findall(match[2])))
    return _symbolic(clauses)


def _octal(wanted: int, *, explicit: bool) -> Change:
    def change(mode: int, *, is_directory: bool, umask: int) -> int:
        kept = mode & _SET_ID if is_directory and not explicit else 0
        return wanted & 0o7777 | kept

    return change


def _symbolic(clauses: list[tuple[str, list[tuple[str, str]]]]) -> Change:
    def change(mode: int, *, is_directory: bool, umask: int) -> int:
        mode &= 0o7777
        for who, actions in clauses:
            affected = 0
            for letter in who:
                affected |= _WHO[letter]
            for operator, what in actions:
                value = _value(mode, what, is_directory)
                changed = affected or ~umask & 0o7777
                named = (affected or 0o7777) & value
                kept = _SET_ID & ~named if is_directory else 0
                value &= changed & ~kept
                if operator == "+":
                    mode |= value
                elif operator == "-":
                    mode &= ~value
                else:
                    mode = mode & ~((affected or 0o7777) & ~kept) | value
        return mode

    return change


def _value(mode: int, what: str, is_directory: bool) -> int:
    if what in _SHIFT and what:
        triple = mode >> _SHIFT[what] & 0o7
        return triple * 0o111
    value = 0
    for letter in what:
        if letter == "X":
            value |= 0o111 if is_directory or mode & 0o111 else 0
        else:
            value |= _BITS[letter]
    return value
