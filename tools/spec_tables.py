"""Write spec/Tables.tla: the tables of the two state machines, for the specification.

The tables in :mod:`glusterio.lifecycle.states` are the source. ``--check`` writes nothing and fails
when spec/Tables.tla is not what they give now; the test suite does the same.

    python tools/spec_tables.py
    python tools/spec_tables.py --check
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from glusterio.lifecycle.states import HANDLE_TABLE, SESSION_TABLE

TABLES = Path(__file__).parent.parent / "spec" / "Tables.tla"

_HEAD = """\
------------------------------- MODULE Tables -------------------------------
(* The two state machines of glusterio, generated from their tables in      *)
(* src/glusterio/lifecycle/states.py by tools/spec_tables.py.               *)
(* SessionTable["NEW"]["CONNECT"] is the state that CONNECT leads to.       *)

\\* A row without events.
Nothing == [event \\in {} |-> ""]
"""
_FOOT = "=" * 77 + "\n"

Table = Mapping[Any, Mapping[Any, IntEnum]]


def definition(name: str, table: Table) -> str:
    """Return one table in TLA+: a record of records."""
    rows = []
    for state, row in table.items():
        edges = [f'{event.name} |-> "{after.name}"' for event, after in row.items()]
        cells = f"[{', '.join(edges)}]" if edges else "Nothing"
        rows.append(f"    {state.name} |-> {cells}")
    return f"{name} == [\n" + ",\n".join(rows) + "]\n"


def module() -> str:
    """Return the whole of spec/Tables.tla."""
    return "\n".join(
        [
            _HEAD,
            definition("SessionTable", SESSION_TABLE),
            definition("HandleTable", HANDLE_TABLE),
            _FOOT,
        ]
    ).replace("]\n\n=", "]\n=")


def main() -> int:
    """Write the module, or check it."""
    parser = argparse.ArgumentParser(description="Write spec/Tables.tla.")
    parser.add_argument("--check", action="store_true", help="fail if it is out of date")
    if parser.parse_args().check:
        if TABLES.read_text() == module():
            return 0
        print("spec/Tables.tla is out of date: run tools/spec_tables.py", file=sys.stderr)
        return 1
    TABLES.write_text(module())
    return 0


if __name__ == "__main__":
    sys.exit(main())
