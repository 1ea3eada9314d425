"""Write docs/reference/brick.md: every procedure of a brick, its state, and what was tested against it.

What is answered is asked of the programs themselves, who does an operation of the translators, the
limits of their dataclass, and what kind of test names an operation of the tests' own text. Which
operations libgfapi's programs reach was measured and is in docs/reference/brick.toml;
tests/interop/programs/test_reach.py measures it again. ``--check`` writes nothing and fails when the
page is not what all this gives now; the test suite does the same.

    python tools/brick_page.py
    python tools/brick_page.py --check
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import fields
from enum import IntEnum
from pathlib import Path
from typing import Any

from glusterio.brick.access import Access
from glusterio.brick.connection import SimpleProgram
from glusterio.brick.handshake import Handshake, Offer
from glusterio.brick.limits import Limits
from glusterio.brick.management import Management
from glusterio.brick.server import SERVED, FopProgram
from glusterio.brick.volume import XLATORS
from glusterio.traps import Event
from glusterio.wire.fops import FOPS as SPECS
from glusterio.wire.programs import (
    CALLBACK,
    CRASHING_FOPS,
    DUMP,
    FOPS,
    HANDSHAKE,
    PORTMAP,
    REFUSED_FOPS,
    CallbackProc,
    DumpProc,
    Fop,
    HandshakeProc,
    PortmapProc,
    Program,
)
from glusterio.xlators.base import Services, Xlator

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "brick.md"
DATA = ROOT / "docs" / "reference" / "brick.toml"

#: The prose, with places for what is made here.
TEMPLATE = Path(__file__).with_suffix(".md")

PROGRAMS: list[tuple[str, Program, type[IntEnum]]] = [
    ("handshake", HANDSHAKE, HandshakeProc),
    ("dump", DUMP, DumpProc),
    ("portmap", PORTMAP, PortmapProc),
]


def page() -> str:
    """Return the page's text."""
    top = Xlator("top", {}, (), Services(new_event=Event))
    fops = FopProgram(top)
    offer = Offer("/brick", uuid.UUID(int=0), Access())
    brick = {HANDSHAKE.number: Handshake(offer, fops).program().procedures}
    management = {
        program.program.number: program.procedures
        for program in Management({}).programs()
        if isinstance(program, SimpleProgram)
    }
    brick[DUMP.number] = management[DUMP.number]
    return TEMPLATE.read_text(encoding="utf-8").format(
        fops=FOPS,
        callback=CALLBACK,
        table=_fop_table(),
        programs=_programs(brick, management),
        callbacks=_callbacks(),
        limits=_limits(),
        requests=_constant(ROOT / "src/glusterio/runtime/serve.py", "_REQUESTS"),
    )


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def _fop_table() -> str:
    reached: Mapping[str, list[str]] = tomllib.loads(DATA.read_text())["reached"]
    raw, translator = _texts("brick"), _texts("xlators")
    theirs = _texts("interop")
    rows = [
        _row("#", "procedure", "state", "done by", "tested", "beside GlusterFS", "reached by"),
        _row(*["---"] * 7),
    ]
    for fop in Fop:
        doers = [kind for kind, xlator in XLATORS.items() if _does(xlator, fop)]
        if fop in REFUSED_FOPS | CRASHING_FOPS:
            state = "PROC_UNAVAIL"
        else:
            assert fop in SERVED
            state = "answered" if doers or fop is Fop.NULL else "ENOSYS"
            if not doers and fop is Fop.IPC:
                state = "EOPNOTSUPP"
            if fop is Fop.LEASE:
                state = "ENOSYS, unless `features.leases` is on"
        programs = [name for name, names in reached.items() if fop.name in names]
        rows.append(
            _row(
                int(fop),
                fop.name,
                state,
                ", ".join(doers) or ("the server" if state == "answered" else ""),
                ", ".join(
                    name
                    for name, text in (("raw", raw), ("translator", translator))
                    if _names(text, fop)
                ),
                "yes" if _names(theirs, fop) else "",
                ", ".join(programs),
            )
        )
    return "".join(rows)


#: What an operation is called in the graph, where that is not its name.
_METHODS = {Fop.READ: "readv", Fop.WRITE: "writev"}


def _does(xlator: Any, fop: Fop) -> bool:
    """Tell whether a translator does something about an operation."""
    name = _METHODS.get(fop, fop.name.lower())
    return getattr(xlator, name, None) is not getattr(Xlator, name, None)


def _texts(where: str) -> str:
    """Return what tests say, and what they import from each other's words for requests."""
    found = {path: path.read_text(encoding="utf-8") for path in ROOT.glob(f"tests/{where}/**/*.py")}
    for text in list(found.values()):
        for name in re.findall(r"from tests\.brick\.(lock_calls|questions) import", text):
            path = ROOT / "tests" / "brick" / f"{name}.py"
            found[path] = path.read_text(encoding="utf-8")
    return "\n".join(text for path, text in found.items() if path.name != "raw.py")


def _names(text: str, fop: Fop) -> bool:
    """Tell whether tests name an operation, by its number's name or by its request's."""
    words = [rf"Fop\.{fop.name}\b"]
    if fop in SPECS and not {fop} & (REFUSED_FOPS | CRASHING_FOPS):
        words.append(rf"\b{SPECS[fop].request_class.__name__}\b")
    return re.search("|".join(words), text) is not None


def _programs(brick: Mapping[int, Any], management: Mapping[int, Any]) -> str:
    rows = []
    for name, (number, version), procedures in PROGRAMS:
        for procedure in procedures:
            answers = [
                "answered" if procedure in found.get(number, ()) else ""
                for found in (brick, management)
            ]
            if any(answers):
                label = f"{procedure.name} ({int(procedure)})"
                if procedure is HandshakeProc.GETSPEC:
                    answers[0] = "refused with ENOSYS"
                rows.append(_row(f"{name} {number}, version {version}", label, *answers))
    return "".join(rows)


def _callbacks() -> str:
    sources = {
        path.relative_to(ROOT / "src" / "glusterio"): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "src" / "glusterio").glob("**/*.py"))
        if path.parts[-2] != "wire"
    }
    rows = []
    for procedure in CallbackProc:
        if procedure is not CallbackProc.NULL:
            callers = [
                f"`{path}`"
                for path, text in sources.items()
                if f"CallbackProc.{procedure.name}" in text
            ]
            rows.append(_row(int(procedure), procedure.name, ", ".join(callers) or "not called"))
    return "".join(rows)


def _limits() -> str:
    text = inspect.cleandoc(Limits.__doc__ or "").partition("Attributes:\n")[2]
    told = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", text, re.MULTILINE))
    rows = []
    for each in fields(Limits):
        what = " ".join(told[each.name].split()).replace("``", "`")
        rows.append(_row(f"`{each.name}`", f"{each.default:,}", what))
    return "".join(rows)


def _constant(path: Path, name: str) -> str:
    found = re.search(rf"^{name} = (\d+)$", path.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description="Write docs/reference/brick.md.")
    parser.add_argument("--check", action="store_true", help="only compare with what is there")
    check = parser.parse_args().check
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print(f"not what the tables give: {PAGE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
