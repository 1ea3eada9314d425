"""Write the tables and the picture of docs/proof.md and docs/proof-tables.md, from the specification.

Verdicts, counts and bounds are those of ``spec/expected.toml`` and of the configurations; the picture
is that of ``glusterio verify FdLifecycle/no-drain --html``, all states on one sheet. ``--check`` writes
nothing and fails when something else is there; the test suite does the same.

    python tools/proof_page.py
    python tools/proof_page.py --check
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from glusterio.verify import told
from glusterio.verify.checking import Checking
from glusterio.verify.config import Config, read
from glusterio.verify.drawing import strip
from glusterio.verify.shipped import HOLDS, SEED, SPEC, Expected, expected

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FOUND = ROOT / "tests" / "explore" / "test_found.py"
PLANTED = ROOT / "tests" / "explore" / "planted.py"
PAGE = DOCS / "proof.md"
DETAILS = DOCS / "proof-tables.md"
PICTURE = DOCS / "diagrams" / "counterexample.svg"

MADE = "<!-- Made by tools/proof_page.py: {name}. -->\n"
END = "<!-- The end of what is made. -->\n"

EVERY = {one.config: one for one in expected()}

#: What TLC was not run on to its end: it would take ten hours.
ALONE = "Teardown/all"

#: What libgfapi does, and what was proposed for it: how the model has it, and where.
FIXES = [
    ("as it is: what is open stays open", "FdLifecycle/no-drain"),
    ("as it is: a file may be opened once `glfs_fini` was entered", "Session/no-gate"),
    ("the gate (4666), if an open were one step", "Session/gate"),
    ("the gate and the drain (4668), an open as the steps that it is", "SessionSteps/gate-drain"),
    ("... and the end waits for calls, too, for ten seconds", "SessionSteps/counted-time-out"),
    ("... and it waits for them as long as it takes", "SessionSteps/counted-3"),
    ("the drain with `fd_unref` and NULL, as published", "Drain/mitigated"),
    ("... but the application closes a file with a request on its way", "DrainSteps/close-in-flight"),
    ("... or callbacks give back the fd that they took (4800)", "DrainFrames/fix-4800"),
    ("... or translators' frames hold the file, as they do", "DrainFrames/locals"),
    ("all of it, and the end waits for the unwinding before the drain", "DrainFrames/wait-frames"),
    ("a graph switch, as it is (4799)", "GraphSwitch/own-not-dropped"),
]  # fmt: skip

#: What lies between.
MORE = [
    ("the counterexample above, from `glfs_new` on", "FdLifecycle/no-drain-from-new"),
    ("the drain, if no request outlives the wait", "FdLifecycle/drain"),
    ("the drain, and a request outlives the wait", "Drain/unmitigated"),
    ("the drain in the order of the code, without NULL", "DrainSteps/unmitigated"),
    ("... with NULL", "DrainSteps/mitigated"),
    ("... and it holds a reference of its own on what it works on", "DrainSteps/close-in-flight-own"),
    ("requests as they are, no drain", "DrainFrames/no-drain-leaks"),
    ("... a drain without NULL", "DrainFrames/drain"),
    ("... with NULL, and requests that hold the handle alone", "DrainFrames/nullify"),
    ("... and callbacks give back what the handle points to: safe", "DrainFrames/nullify-unref"),
    ("... but it leaks", "DrainFrames/nullify-unref-leaks"),
    ("a graph switch, and each request gives back what it took", "GraphSwitch/holds"),
]  # fmt: skip


def states(one: Expected) -> str:
    """How many states there are, or how far it is to the violation."""
    if one.verdict == HOLDS:
        forms = "forms" if config(one.config).symmetry else "states"
        alone = "; not by TLC" if one.config == ALONE else ""
        return f"{one.counts['distinct']:,} {forms}{alone}"
    return f"after {one.counts['depth']} states" if "depth" in one.counts else ""


def config(name: str) -> Config:
    """Return a configuration."""
    return read((SPEC / f"{name}.cfg").read_text(encoding="utf-8"))


def fixes() -> Iterator[str]:
    """What libgfapi does, and what was proposed for it."""
    yield from _fixes(FIXES)


def more() -> Iterator[str]:
    """What lies between."""
    yield from _fixes(MORE)


def _fixes(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "| libgfapi | configuration | |"
    yield "| --- | --- | --- |"
    for what, name in rows:
        one = EVERY[name]
        holds = one.verdict == HOLDS
        verdict = f"holds: {states(one)}" if holds else f"**{one.verdict}** violated {states(one)}"
        yield f"| {what} | `{name}` | {verdict} |"


#: What can happen in Teardown, by the constant that switches it on; what begins with a space says more
#: of what comes before.
CAN = {
    "Writes": "deferred writes",
    "Fails": " that fail",
    "Switches": "a graph switch",
    "Steps": " in its steps",
    "Loses": "lost connections",
    "Reconnects": " that come back",
    "Locks": "locks",
    "Moves": " that may be lost on their way",
    "Forks": "a fork",
}


#: Those that no other is larger than, in what can happen, too.
LARGEST = ("reconnect", "switch", "changes-all", "changes-handles", "all")


def bounds() -> Iterator[str]:
    """Within which bounds Teardown holds."""
    yield from _bounds(name for name in EVERY if name.startswith("Teardown/"))


def largest() -> Iterator[str]:
    """The largest of them."""
    yield from _bounds(f"Teardown/{name}" for name in LARGEST)


def _bounds(names: Iterable[str]) -> Iterator[str]:
    yield "| configuration | threads | handles | what can happen, too | it shows | looked at |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in names:
        one = EVERY[name]
        if one.verdict == HOLDS:
            read_ = config(name)
            can = [what for constant, what in CAN.items() if read_.constants.get(constant)]
            told_so = ", ".join(can).replace(",  ", " ") or "no more"
            shows = "close returns" if "TeardownEnds" in read_.properties else "all else"
            if "EndingComesCloser" in read_.properties:
                shows = "all, and that close returns"
            yield (
                f"| `{name}` | {len(read_.members['Threads'])} | {len(read_.members['Handles'])} | "
                f"{told_so} | {shows} | {states(one)} |"
            )


def numbers() -> Iterator[str]:
    """How much there is of everything."""
    holds = sum(one.verdict == HOLDS for one in EVERY.values())
    guarded = [each for each in EVERY if each.startswith("Teardown/without-")]
    counted = (
        (
            len(EVERY),
            f"configurations: {holds} hold, {len(EVERY) - holds} must be violated, and are",
        ),
        (EVERY[ALONE].counts["distinct"], "states of the largest, in which names do not count"),
        (len(_proved()), "properties"),
        (len(guarded), "guards of which one is missing; each time something is violated"),
        (len(_items(PLANTED, "PLANTED")), "defects planted in the code"),
        (len(_items(FOUND, "FOUND")), "defects of the code that the explorer has found, mended"),
    )
    yield "| | |"
    yield "| ---: | --- |"
    for count, what in counted:
        yield f"| {count:,} | {what} |"


def _proved() -> list[str]:
    names: dict[str, None] = {}
    for name, one in EVERY.items():
        if name.startswith("Teardown/") and one.verdict == HOLDS:
            names |= dict.fromkeys([*config(name).invariants, *config(name).properties])
    return [name for name in names if name != "TypeOK"]


def properties() -> Iterator[str]:
    """What is proved of Teardown: all that some configuration of what holds looks at."""
    yield "| property | it says |"
    yield "| --- | --- |"
    for name in _proved():
        yield f"| `{name}` | {told.meaning('Teardown', name)} |"


def guards() -> Iterator[str]:
    """What happens where one guard is missing."""
    yield "| without | what happens | violated |"
    yield "| --- | --- | --- |"
    for name, one in sorted(EVERY.items()):
        if name.startswith("Teardown/without-"):
            first = (SPEC / f"{name}.cfg").read_text(encoding="utf-8").partition("\n")[0]
            match = re.match(r"\\\* Without (\w+): (.*)", first)
            guard, what = (match[1], match[2]) if match else ("", "")
            yield f"| `{guard}` | {what} | `{one.verdict}` {states(one)} |"


def found() -> Iterator[str]:
    """What the explorer has found: the defects that the tests replay."""
    yield "| what was wrong | the line |"
    yield "| --- | --- |"
    for line, what in _items(FOUND, "FOUND"):
        yield f"| {ast.literal_eval(what)} | `{ast.literal_eval(line)}` |"


def _items(path: Path, name: str) -> list[tuple[ast.expr, ast.expr]]:
    """Return what a table of the tests has, a tuple or a dictionary, without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == name:
                value = node.value
                if isinstance(value, ast.Dict):
                    keys = [key for key in value.keys if key is not None]
                    return list(zip(keys, value.values, strict=True))
                assert isinstance(value, ast.Tuple)
                return [(each, each) for each in value.elts]
    raise ValueError(f"{path}: no {name}")


#: Which tables are on which page.
TABLES: dict[Path, dict[str, Callable[[], Iterator[str]]]] = {
    PAGE: {"numbers": numbers, "largest": largest, "fixes": fixes},
    DETAILS: {
        "properties": properties, "bounds": bounds, "guards": guards, "more": more, "found": found,
    },
}  # fmt: skip


def page(path: Path) -> str:
    """Return a page with the tables of today in it."""
    text = path.read_text(encoding="utf-8")
    for name, table in TABLES[path].items():
        before, begin, rest = text.partition(MADE.format(name=name))
        _, _, after = rest.partition(END)
        if not begin:
            raise ValueError(f"{path}: no place for the table {name!r}")
        text = before + begin + "\n" + "\n".join(table()) + "\n\n" + END + after
    return text


def picture() -> str:
    """Return the picture of the seed's counterexample."""
    checking = Checking(SPEC, SEED)
    return strip(told.tell(checking, checking.run()), 3)


def main() -> int:
    """Write the page and the picture, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing, and fail if it differs"
    )
    checking = parser.parse_args().check
    if checking:
        drawn = PICTURE.read_text(encoding="utf-8") == picture()
        told_so = all(path.read_text(encoding="utf-8") == page(path) for path in TABLES)
        return int(not (drawn and told_so))
    for path in TABLES:
        path.write_text(page(path), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
