"""Make docs/reference/gfapi.md: every public function of libgfapi, and the call that does it here.

The table is docs/reference/gfapi.toml. This program compares it with gfapi-names.txt, the list of all
of them, and with both faces, which must have what is said to be there.

    python tools/gfapi_reference.py            # writes the page
    python tools/gfapi_reference.py --check    # only compares; the test suite does this
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import glusterio
from glusterio import aio

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
TABLE = REFERENCE / "gfapi.toml"
NAMES = REFERENCE / "gfapi-names.txt"
PAGE = REFERENCE / "gfapi.md"

#: Where a target of the table is looked for, by what it begins with; without that, on both faces.
FACES: dict[str, Any] = {"threads": glusterio, "aio": aio}

_STATES = {
    "python": "Python's own",
    "none": "not needed",
    "yet": "not yet",
}

_HEAD = """\
# libgfapi's functions

<!-- Made by tools/gfapi_reference.py from gfapi.toml: change that one, and run the tool. -->

Every public function of libgfapi (the {count} names of `api/src/gfapi.map` on GlusterFS's development
branch), and the call that does the same here: {there} have one, for {python} Python's own is there,
{none} are not needed, {yet} are not there yet. What is there is on both faces, `glusterio` for threads
and `glusterio.aio`, and `tests/api/gfapi_cases.py` has a test for each, which runs on both faces
against the embedded brick and a GlusterFS volume.
"""


class Entry(NamedTuple):
    """A line of the table.

    Attributes:
        name: the function of libgfapi.
        state: ``there``, or a key of `_STATES`.
        targets: where it is: ``Volume.stat`` for instance.
        remark: how it is used or what differs; or why it is not there.
    """

    name: str
    state: str
    targets: tuple[str, ...]
    remark: str


class Group(NamedTuple):
    """Lines that belong together."""

    title: str
    head: str
    entries: list[Entry]


def groups() -> list[Group]:
    """Read the table."""
    found = []
    for group in tomllib.loads(TABLE.read_text(encoding="utf-8"))["group"]:
        entries = []
        for name, text in group.get("there", {}).items():
            targets, _, remark = text.partition("|")
            where = tuple(target.strip() for target in targets.split(","))
            entries.append(Entry(name, "there", where, remark.strip()))
        for state in _STATES:
            for row in group.get(state, ()):
                entries += [Entry(name, state, (), row["why"]) for name in row["names"].split()]
        found.append(Group(group["title"], group.get("head", ""), entries))
    return found


def entries() -> list[Entry]:
    """Return all lines."""
    return [entry for group in groups() for entry in group.entries]


def names() -> list[str]:
    """Return the functions that GlusterFS's version map has."""
    return NAMES.read_text(encoding="utf-8").split()


def installed(library: str) -> list[str]:
    """Return the public functions that a libgfapi exports, by ``nm``.

    Those whose version says ``PRIVATE`` are for GlusterFS's own programs.
    """
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    )
    symbols = [line.split()[-1] for line in listed.stdout.splitlines() if line]
    public = {symbol.partition("@")[0] for symbol in symbols if "PRIVATE" not in symbol}
    return sorted(name for name in public if name.startswith("glfs_"))


# -- comparing --------------------------------------------------------------------------------------


def complaints() -> Iterator[str]:
    """Say what is wrong with the table."""
    lines = entries()
    counts = Counter(line.name for line in lines)
    wanted = names()
    yield from (f"{name} is there twice" for name, count in counts.items() if count > 1)
    yield from (f"{name} is not in the table" for name in wanted if name not in counts)
    yield from (f"{name} is no function of libgfapi" for name in counts.keys() - set(wanted))
    for line in lines:
        for target in line.targets:
            yield from _missing(line.name, target)


def _missing(name: str, target: str) -> Iterator[str]:
    """Say on which face something is not."""
    first, _, rest = target.partition(".")
    faces = [FACES[first]] if first in FACES else [glusterio, aio]
    if first == "glusterio" and rest != "connect":
        faces = [glusterio]  # a value, which is the same for both
    path = rest if first in ("glusterio", *FACES) else target
    for face in faces:
        found: Any = face
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is None:
            yield f"{name}: {face.__name__} has no {path}"


# -- the page ---------------------------------------------------------------------------------------


def page() -> str:
    """Return the page."""
    counts = Counter(line.state for line in entries())
    states = {state: counts[state] for state in ("there", *_STATES)}
    parts = [_HEAD.format(count=sum(counts.values()), **states)]
    for group in groups():
        parts.append(f"\n## {group.title}\n")
        if group.head:
            parts.append(f"\n{group.head}\n")
        there = [line for line in group.entries if line.state == "there"]
        if there:
            parts.append("\n| libgfapi | glusterio | remark |\n| --- | --- | --- |\n")
            for line in there:
                where = ", ".join(f"`{_shown(target)}`" for target in line.targets)
                parts.append(f"| `{line.name}` | {where} | {line.remark} |\n")
        rest: dict[tuple[str, str], list[str]] = {}
        for line in group.entries:
            if line.state != "there":
                rest.setdefault((line.state, line.remark), []).append(line.name)
        if rest:
            parts.append("\n| libgfapi | state | why |\n| --- | --- | --- |\n")
            for (state, why), functions in rest.items():
                listed = ", ".join(f"`{name}`" for name in functions)
                parts.append(f"| {listed} | {_STATES[state]} | {why} |\n")
    return "".join(parts)


def _shown(target: str) -> str:
    return target.removeprefix("threads.")


def main() -> int:
    """Write the page, or check."""
    parser = argparse.ArgumentParser(description="Make docs/reference/gfapi.md.")
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
