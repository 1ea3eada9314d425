"""Make docs/reference/os.md: every name of os, os.path, shutil and pathlib.Path, and its state.

The states are in docs/reference/os.toml. This program compares them with the running Python, whose
names must all be there, and with both faces, which must have what is said to be there, with Python's
arguments.

    python tools/os_reference.py            # writes the page
    python tools/os_reference.py --check    # only compares; the test suite does this
"""

from __future__ import annotations

import argparse
import inspect
import os
import os.path
import pathlib
import shutil
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import glusterio
from glusterio import aio

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
TABLE = REFERENCE / "os.toml"
PAGE = REFERENCE / "os.md"

#: What is compared, by its name in the table.
ORIGINALS: dict[str, Any] = {
    "os": os,
    "os.path": os.path,
    "shutil": shutil,
    "pathlib.Path": pathlib.Path,
}

#: Arguments of any number: of what name does not matter.
_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}

_STATES = {
    "pure": "use Python's own",
    "none": "not on a volume",
    "yet": "not yet",
}

_HEAD = """\
# `os`, `os.path`, `shutil` and `pathlib.Path` on a volume

<!-- Made by tools/os_reference.py from os.toml: change that one, and run the tool. -->

Every public name of Python 3.11 to 3.13. What is there has the same name, the same arguments and the
same errors on both faces, `glusterio.Volume` and `glusterio.aio.Volume`; where `os` takes a descriptor,
an open `File` of the same session is taken, `dir_fd` among them. What differs all the same is in the
remarks, and with reasons in `tests/api/test_os_parity.py`, which compares each call with `os`.
"""


class Entry(NamedTuple):
    """A line of the table.

    Attributes:
        name: the name, or a pattern.
        state: ``there``, or a key of `_STATES`.
        target: where it is, ``Volume.stat`` for instance; or empty.
        remark: what differs, or why it is not there.
        less: arguments of Python's that it does not have.
    """

    name: str
    state: str
    target: str
    remark: str
    less: tuple[str, ...] = ()


def entries(module: str) -> list[Entry]:
    """Read the lines for one of `ORIGINALS`."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))[module]
    less = table.get("less", {})
    default = "VolumePath" if module == "pathlib.Path" else "Volume"
    found = []
    for name, text in table["there"].items():
        target, _, remark = text.partition("|")
        where = target.strip() or f"{default}.{name}"
        found.append(Entry(name, "there", where, remark.strip(), tuple(less.get(name, "").split())))
    for state in _STATES:
        for row in table.get(state, ()):
            found += [Entry(name, state, "", row["why"]) for name in row["names"].split()]
    return found


def public(original: Any) -> list[str]:
    """Return the public names of a module, as it says itself, or of a class."""
    names: list[str] = getattr(original, "__all__", dir(original))
    return sorted({name for name in names if not name.startswith("_")})


def entry_of(lines: list[Entry], name: str) -> Entry | None:
    """Return the line for a name; one that names it goes before a pattern."""
    exact = next((line for line in lines if line.name == name), None)
    return exact or next((line for line in lines if fnmatchcase(name, line.name)), None)


# -- comparing --------------------------------------------------------------------------------------


def complaints() -> Iterator[str]:
    """Say what is wrong with the table."""
    for module, original in ORIGINALS.items():
        lines = entries(module)
        seen: set[str] = set()
        for line in lines:
            if line.name in seen:
                yield f"{module}.{line.name} is there twice"
            seen.add(line.name)
            if line.state == "there":
                yield from _missing(module, original, line)
        for name in public(original):
            if entry_of(lines, name) is None:
                yield f"{module}.{name} is not in the table"


def _missing(module: str, original: Any, line: Entry) -> Iterator[str]:
    """Say what of an entry that is said to be there is not."""
    owner, _, name = line.target.rpartition(".")
    for face in (glusterio, aio):
        where = face if owner == "glusterio" else getattr(face, owner, None)
        found = getattr(where, name, None)
        if found is None:
            yield f"{module}.{line.name}: {face.__name__} has no {line.target}"
        elif hasattr(original, line.name) and not isinstance(found, type):
            theirs = getattr(original, line.name)
            for argument in _lacking(theirs, found, owner == "File"):
                if argument not in line.less:
                    yield (
                        f"{module}.{line.name}: {face.__name__}'s {line.target}"
                        f" does not take {argument!r}"
                    )


def _lacking(theirs: Any, ours: Any, is_of_file: bool) -> Iterator[str]:
    """Yield the arguments that Python's function has and ours has not, or at another place."""
    try:
        wanted = list(inspect.signature(theirs).parameters.values())
    except (TypeError, ValueError):
        return  # some of C's do not tell
    given = list(inspect.signature(ours).parameters.values())[1:]
    wanted = wanted[1:] if is_of_file or (wanted and wanted[0].name == "self") else wanted
    names = {parameter.name for parameter in given}
    kinds = {parameter.kind for parameter in given}
    for at, parameter in enumerate(wanted):
        if parameter.name.startswith("_") or parameter.kind in (
            _VARIABLE & kinds or {parameter.VAR_KEYWORD}
        ):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            if at >= len(given):
                yield parameter.name
        elif parameter.name not in names:
            if parameter.VAR_KEYWORD not in kinds:
                yield parameter.name
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and given[at].name != parameter.name:
            if module_merges(theirs):
                continue
            yield parameter.name


def module_merges(theirs: Any) -> bool:
    """Whether two of Python's functions are one here, so that places cannot be the same."""
    return theirs is shutil.chown


# -- the page ---------------------------------------------------------------------------------------


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for module in ORIGINALS:
        lines = entries(module)
        there = [line for line in lines if line.state == "there"]
        parts.append(f"\n## `{module}`\n")
        if there:
            parts.append("\n| name | on a volume | remark |\n| --- | --- | --- |\n")
            parts += [
                f"| `{line.name}` | `{line.target}` | {_remark(line)} |\n"
                for line in sorted(there, key=lambda line: line.name.lower())
            ]
        rest: dict[tuple[str, str], list[str]] = {}
        for line in lines:
            if line.state != "there":
                rest.setdefault((line.state, line.remark), []).append(line.name)
        if rest:
            parts.append("\n| names | state | why |\n| --- | --- | --- |\n")
            for (state, why), names in rest.items():
                listed = ", ".join(f"`{name}`" for name in sorted(names, key=str.lower))
                parts.append(f"| {listed} | {_STATES[state]} | {why} |\n")
    return "".join(parts)


def _remark(line: Entry) -> str:
    less = " and ".join(f"`{argument}`" for argument in line.less)
    return "; ".join(filter(None, (line.remark, less and f"without {less}")))


def main() -> int:
    """Write the page, or check."""
    parser = argparse.ArgumentParser(description="Make docs/reference/os.md.")
    parser.add_argument("--check", action="store_true", help="only compare with what is there")
    check = parser.parse_args().check
    wrong = list(complaints())
    text = page()
    if check and (not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text):
        wrong.append(f"{PAGE.name} is not made from {TABLE.name}")
    for line in wrong:
        print(line, file=sys.stderr)
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
