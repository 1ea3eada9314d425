"""Write the tables and the picture of docs/proof.md, from the specification and what is expected of it.

Verdicts, counts and bounds are those of ``spec/expected.toml`` and of the configurations; the picture
is that of ``glusterio verify FdLifecycle/no-drain --html``, all states on one sheet. ``--check`` writes
nothing and fails when something else is there; the test suite does the same.

    python tools/proof_page.py
    python tools/proof_page.py --check
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from glusterio.verify import told
from glusterio.verify.checking import Checking
from glusterio.verify.config import Config, read
from glusterio.verify.drawing import strip
from glusterio.verify.shipped import HOLDS, SEED, SPEC, Expected, expected

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "proof.md"
PICTURE = DOCS / "diagrams" / "counterexample.svg"

MADE = "<!-- Made by tools/proof_page.py: {name}. -->\n"
END = "<!-- The end of what is made. -->\n"

EVERY = {one.config: one for one in expected()}

#: What libgfapi does, and what was proposed for it: how the model has it, and where.
FIXES = [
    ("as it is: a file may be opened once `glfs_fini` was entered", "Session/no-gate"),
    ("as it is: what is open stays open", "FdLifecycle/no-drain"),
    ("the gate", "Session/gate"),
    ("the gate and the drain, an open as the steps that it is", "SessionSteps/gate-drain"),
    ("... and the end waits for the calls, not only for their requests", "SessionSteps/counted-3"),
    ("... for ten seconds at most, and goes on", "SessionSteps/counted-time-out"),
    ("the drain, if no request outlives the wait", "FdLifecycle/drain"),
    ("the drain, and a request outlives the wait", "Drain/unmitigated"),
    ("... with `fd_unref` and NULL, as was published", "Drain/mitigated"),
    ("... step by step, as the code would do it", "DrainSteps/mitigated"),
    ("... and the application closes while a request is on its way", "DrainSteps/close-in-flight"),
    ("... and the drain holds a reference of its own", "DrainSteps/close-in-flight-own"),
    ("requests as they are: no drain", "DrainFrames/no-drain-leaks"),
    ("... a drain without NULL", "DrainFrames/drain"),
    ("... with NULL, and requests that hold the handle alone", "DrainFrames/nullify"),
    ("... with the fix for asynchronous releases (issue 4800)", "DrainFrames/fix-4800"),
    ("... and translators' frames hold the file, as they do", "DrainFrames/locals"),
    ("... and the end waits for the unwinding, before the drain", "DrainFrames/wait-frames"),
    ("a graph switch, as it is (issue 4799)", "GraphSwitch/own-not-dropped"),
    ("... and each request gives back what it took", "GraphSwitch/holds"),
]  # fmt: skip


def states(one: Expected) -> str:
    """How many states there are, or how far it is to the violation."""
    if one.verdict == HOLDS:
        forms = " forms" if config(one.config).symmetry else ""
        return f"{one.counts['distinct']:,}{forms}"
    return f"after {one.counts['depth']} states" if "depth" in one.counts else ""


def config(name: str) -> Config:
    """Return a configuration."""
    return read((SPEC / f"{name}.cfg").read_text(encoding="utf-8"))


def fixes() -> Iterator[str]:
    """What libgfapi does, and what was proposed for it."""
    yield "| libgfapi | configuration | verdict | states |"
    yield "| --- | --- | --- | --- |"
    for what, name in FIXES:
        one = EVERY[name]
        verdict = HOLDS if one.verdict == HOLDS else f"**{one.verdict}** violated"
        yield f"| {what} | `{name}` | {verdict} | {states(one)} |"


#: What can happen in Teardown, by the constant that switches it on.
CAN = {
    "Writes": "deferred writes",
    "Switches": "a graph switch",
    "Loses": "lost connections",
    "Forks": "a fork",
}


def bounds() -> Iterator[str]:
    """Within which bounds Teardown holds."""
    yield "| configuration | threads | handles | what can happen besides | it shows | states |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, one in EVERY.items():
        if name.startswith("Teardown/") and one.verdict == HOLDS:
            read_ = config(name)
            can = [what for constant, what in CAN.items() if read_.constants.get(constant)]
            alive = (
                "close returns" if "TeardownEnds" in read_.properties else "safety: all else above"
            )
            yield (
                f"| `{name}` | {len(read_.members['Threads'])} | {len(read_.members['Handles'])} | "
                f"{', '.join(can) or 'nothing'} | {alive} | {states(one)} |"
            )


def properties() -> Iterator[str]:
    """What is proved of Teardown: all that some configuration of what holds looks at."""
    names: dict[str, None] = {}
    for name, one in EVERY.items():
        if name.startswith("Teardown/") and one.verdict == HOLDS:
            names |= dict.fromkeys([*config(name).invariants, *config(name).properties])
    yield "| property | it says |"
    yield "| --- | --- |"
    for name in names:
        if name != "TypeOK":
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


TABLES = {"fixes": fixes, "bounds": bounds, "properties": properties, "guards": guards}


def page(text: str) -> str:
    """Return the page with the tables of today in it."""
    for name, table in TABLES.items():
        before, begin, rest = text.partition(MADE.format(name=name))
        _, _, after = rest.partition(END)
        if not begin:
            raise ValueError(f"{PAGE}: no place for the table {name!r}")
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
    before = PAGE.read_text(encoding="utf-8")
    if checking:
        drawn = PICTURE.read_text(encoding="utf-8")
        return int(before != page(before) or drawn != picture())
    PAGE.write_text(page(before), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
