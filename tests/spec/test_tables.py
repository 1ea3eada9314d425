"""The specification and the code's tables say the same: spec/Tables.tla, spec/Teardown.tla."""

from __future__ import annotations

import importlib.util
import re
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from glusterio.lifecycle.invariants import INVARIANTS
from glusterio.lifecycle.states import (
    HANDLE_TABLE,
    SESSION_TABLE,
    HandleEvent,
    SessionEvent,
)
from glusterio.verify.checking import Checking
from glusterio.verify.checking import text as module_text

ROOT = Path(__file__).parent.parent.parent
TEARDOWN = module_text(ROOT / "spec", "Teardown")

#: What the trace calls a call's beginning and end, and a handle's (lifecycle/trace.py).
OF_THE_TRACE = {"ADMIT", "LEAVE", "RESERVE"}


def spec_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("spec_tables", ROOT / "tools" / "spec_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def definitions() -> dict[str, str]:
    """Every definition of the module, by name: what follows its sign, up to the next one."""
    parts = re.split(r"^(\w+)(?:\([\w, ]+\))? ==", TEARDOWN, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


DEFINITIONS = definitions()


def actions_that_use(move: str) -> dict[str, set[str]]:
    """Definitions that move a machine, and the events that they move it by."""
    used = {
        name: set(re.findall(move + r'(?:\([^()]*|\([^()]*\[[^\[\]]*\][^()]*)"(\w+)"\)', text))
        for name, text in DEFINITIONS.items()
    }
    return {name: events for name, events in used.items() if events}


def test_the_tables_of_the_specification_are_the_code_s():
    tables = spec_tables()
    assert tables.TABLES.read_text() == tables.module(), "run tools/spec_tables.py"


@pytest.mark.parametrize(
    ("move", "events"), [("SessionMove", SessionEvent), ("HandleMove", HandleEvent)]
)
def test_each_event_is_an_action_of_its_name_and_no_other_moves_the_machine(
    move: str, events: type[IntEnum]
):
    assert actions_that_use(move) == {event.name: {event.name} for event in events}


def test_what_is_written_in_capitals_is_an_event():
    named = {name for name in DEFINITIONS if re.fullmatch(r"[A-Z]{3,}", name)}
    events = {event.name for event in SessionEvent} | {event.name for event in HandleEvent}
    assert named == events | OF_THE_TRACE


def test_every_action_is_one_of_the_next_steps():
    named = {name for name in DEFINITIONS if re.fullmatch(r"[A-Z]{3,}", name)}
    assert named <= set(re.findall(r"\w+", DEFINITIONS["Next"]))


def test_states_are_written_by_moves_alone():
    """``state'`` and ``session'`` are what a table says, but for a handle's beginning, and a fork."""
    writers = {
        name for name, text in DEFINITIONS.items() if re.search(r"\b(?:state|session)' = ", text)
    }
    assert writers == {
        "SessionMove",
        "HandleMove",
        "RESERVE",
        "FORK",  # the child's ledger is empty
        "ABANDON",  # where a guard is missing
    }


def test_the_code_s_invariants_are_in_the_specification():
    # "OpenOnlyWhileActive" is the part of NoStaleFds that a single state can show.
    assert set(INVARIANTS) - {"OpenOnlyWhileActive"} <= DEFINITIONS.keys()


def guards() -> list[str]:
    """The second block of constants."""
    block = TEARDOWN.split("\nCONSTANTS\n")[2].split("\nVARIABLES")[0]
    return re.findall(r"^ {4}(\w+),? +\\\*", block, re.MULTILINE)


@pytest.mark.parametrize("guard", guards())
def test_no_guard_is_idle(guard: str):
    """Where a guard alone is missing, something is violated: spec/expected.toml says what."""
    name = "without-" + re.sub(r"(?<!^)(?=[A-Z])", "-", guard).lower()
    text = (ROOT / "spec" / "Teardown" / f"{name}.cfg").read_text()
    settings = dict(re.findall(r"^ {4}(\w+) = (.+)$", text, re.MULTILINE))
    assert {other for other in guards() if settings[other] == "FALSE"} == {guard}
    expected = (ROOT / "spec" / "expected.toml").read_text()
    verdict = re.search(rf'config = "Teardown/{name}"\nverdict = "(\w+)"', expected)
    assert verdict is not None
    assert verdict[1] != "holds"


def test_every_edge_of_the_tables_is_taken() -> None:
    """The model goes wherever the tables lead; but for what would be a defect, and a fork."""
    taken: set[tuple[str, str, str]] = set()
    for name in ("Teardown/changes", "Teardown/changes-locks"):
        checking = Checking(ROOT / "spec", name)
        variables = checking.module.variables
        session, handle = variables.index("session"), variables.index("state")
        seen = set(checking.compiled.initial)
        todo = list(seen)
        while todo:
            state = todo.pop()
            for label, after, _ in checking.compiled.successors(state):
                if state[session] != after[session] or label[0] in SessionEvent.__members__:
                    taken.add((state[session], label[0], after[session]))
                if state[handle] != after[handle] or label[0] in HandleEvent.__members__:
                    taken.add((state[handle][1], label[0], after[handle][1]))
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
    tables: list[dict[Any, dict[Any, Any]]] = [SESSION_TABLE, HANDLE_TABLE]
    edges = {
        (state.name, event.name, after.name)
        for table in tables
        for state, row in table.items()
        for event, after in row.items()
        if event.name not in ("FORK", "STRIKE")
    }
    assert taken == edges | {("NONE", "RESERVE", "RESERVED"), ("OPENING", "STRIKE", "CLOSED")}
