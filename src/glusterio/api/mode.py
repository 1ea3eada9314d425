"""The mode of ``open``, and what its arguments must not contradict."""

from __future__ import annotations

import functools
import os
import warnings
from typing import Literal, TypeAlias

#: The buffer of a buffered file, in bytes: what one READ or WRITE then carries.
BUFFER_SIZE = 128 * 1024


#: The mode strings for text, and those for bytes, as far as type checkers shall tell them apart; the
#: letters may come in any order all the same.
TextMode: TypeAlias = Literal[
    "r", "r+", "rt", "r+t", "rt+", "w", "w+", "wt", "w+t", "wt+",
    "a", "a+", "at", "a+t", "at+", "x", "x+", "xt", "x+t", "xt+",
]  # fmt: skip
ReadBinaryMode: TypeAlias = Literal["rb", "br"]
WriteBinaryMode: TypeAlias = Literal["wb", "bw", "ab", "ba", "xb", "bx"]
UpdateBinaryMode: TypeAlias = Literal[
    "r+b", "rb+", "w+b", "wb+", "a+b", "ab+", "x+b", "xb+",
]  # fmt: skip
BinaryMode: TypeAlias = ReadBinaryMode | WriteBinaryMode | UpdateBinaryMode


@functools.lru_cache(maxsize=64)
def mode_of(text: str) -> Mode:
    """Take a mode string of ``open`` apart; there are not many, and each is taken apart once.

    Raises:
        ValueError: Python's ``open`` would not take it either.
    """
    return Mode(text)


class Mode:
    """A mode string of ``open``, taken apart. It does not change.

    Args:
        text: ``"r"``, ``"wb"``, ``"a+"`` and so on.

    Raises:
        ValueError: Python's ``open`` would not take it either.
    """

    def __init__(self, text: str) -> None:
        letters = set(text)
        if letters - set("rwaxbt+") or len(text) > len(letters):
            raise ValueError(f"invalid mode: {text!r}")
        if len(letters & set("rwax")) != 1:
            raise ValueError("must have exactly one of create/read/write/append mode")
        if {"b", "t"} <= letters:
            raise ValueError("can't have text and binary mode at once")
        self.binary = "b" in letters
        self.updating = "+" in letters
        self.reading = "r" in letters or self.updating
        self.writing = "r" not in letters or self.updating
        self.appending = "a" in letters
        access = os.O_RDWR if self.updating else os.O_RDONLY if "r" in letters else os.O_WRONLY
        self.flags = access | os.O_CLOEXEC | _CREATION[(letters & set("rwax")).pop()]
        # as io.FileIO shows it
        raw = "r" if self.updating and "w" in letters else (letters & set("rwax")).pop()
        self.raw = raw + "b" + "+" * self.updating
        self.text = text


_CREATION = {
    "r": 0,
    "w": os.O_CREAT | os.O_TRUNC,
    "x": os.O_CREAT | os.O_EXCL,
    "a": os.O_CREAT | os.O_APPEND,
}


def check_arguments(
    mode: Mode, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> None:
    """Raise what Python's ``open`` raises for arguments that contradict each other."""
    if encoding is errors is newline is None and buffering < 0:  # as mostly
        return
    if mode.binary:
        for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
            if value is not None:
                raise ValueError(f"binary mode doesn't take {_article(name)} {name} argument")
    elif buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    if mode.binary and buffering == 1:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, the default buffer size"
            " will be used",
            RuntimeWarning,
            stacklevel=3,
        )


def _article(word: str) -> str:
    return "an" if word[0] in "ae" else "a"
