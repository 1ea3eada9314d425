"""Draw the state machines from their tables: docs/diagrams/*.svg.

The tables in :mod:`glusterio.lifecycle.states` are the source; this program turns each into a Graphviz
description, and that into a picture. ``--check`` draws nothing and fails when a description in the
documentation is not what the tables give now; the test suite does the same.

    python tools/state_diagrams.py          # needs Graphviz (Debian: graphviz)
    python tools/state_diagrams.py --check
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from glusterio.lifecycle.states import (
    HANDLE_TABLE,
    MAY_BE_OPEN_ON_BRICK,
    SESSION_TABLE,
    HandleEvent,
    HandleState,
    SessionEvent,
    SessionState,
)

DIAGRAMS = Path(__file__).parent.parent / "docs" / "diagrams"

_HEAD = """\
digraph {name} {{
  graph [bgcolor="white", fontname="Helvetica", pad="0.3", nodesep="0.45", ranksep="0.55"{layout}]
  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=12, color="#5b6b7a",
        fillcolor="#f3f6f9", margin="0.16,0.08"]
  edge [fontname="Helvetica", fontsize=10, color="#5b6b7a", fontcolor="#33404d", arrowsize=0.7]
"""

Table = Mapping[Any, Mapping[Any, Any]]


def dot(
    name: str, table: Table, fills: Mapping[IntEnum, str], layout: str, skip: Any = None
) -> str:
    """Describe one machine in Graphviz's language.

    Args:
        name: the diagram's name.
        table: state -> event -> next state.
        fills: the states that have a colour of their own.
        layout: further graph attributes.
        skip: an event whose edges are left out, because every state has one.
    """
    lines = [_HEAD.format(name=name, layout=layout)]
    for state in table:
        fill = fills.get(state)
        attributes = f' [fillcolor="{fill}"]' if fill else ""
        lines.append(f"  {state.name}{attributes}\n")
    for state, row in table.items():
        targets: dict[Any, list[str]] = {}
        for event, target in row.items():
            if event is not skip:
                targets.setdefault(target, []).append(event.name)
        for target, events in targets.items():
            label = "\\n".join(events)
            lines.append(f'  {state.name} -> {target.name} [label=" {label} "]\n')
    return "".join(lines) + "}\n"


def descriptions() -> dict[str, str]:
    """Return every diagram's description, by file name without suffix."""
    session_fills = {SessionState.ACTIVE: "#cfe8d5", SessionState.CLOSED: "#d9dde2"}
    session_fills |= {
        state: "#fbe9c6"
        for state in SessionState
        if SessionState.SETTLING <= state <= SessionState.ENDING
    }
    session_fills[SessionState.FORKED] = "#f6d5d2"
    handle_fills: dict[IntEnum, str] = dict.fromkeys(MAY_BE_OPEN_ON_BRICK, "#fbe9c6")
    handle_fills[HandleState.OPEN] = "#cfe8d5"
    handle_fills[HandleState.STALE] = "#f6d5d2"
    handle_fills[HandleState.CLOSED] = "#d9dde2"
    return {
        "session": dot(
            "session",
            {state: row for state, row in SESSION_TABLE.items() if state != SessionState.FORKED},
            session_fills,
            "",
            SessionEvent.FORK,
        ),
        "handle": dot("handle", HANDLE_TABLE, handle_fills, "", HandleEvent.STRIKE),
    }


def main() -> int:
    """Draw, or check."""
    parser = argparse.ArgumentParser(description="Draw the state machines from their tables.")
    parser.add_argument("--check", action="store_true", help="only compare with what is there")
    check = parser.parse_args().check
    stale = []
    for name, text in descriptions().items():
        path = DIAGRAMS / f"{name}.dot"
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(str(path))
            continue
        path.write_text(text, encoding="utf-8")
        subprocess.run(["dot", "-Tsvg", str(path), "-o", str(path.with_suffix(".svg"))], check=True)
    if stale:
        print("not what the tables give: " + ", ".join(stale), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
