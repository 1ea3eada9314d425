"""Real traces, and what somebody made of them, against the specification.

``python -m tests.traces.record`` records the corpus anew; ``make verify`` has TLC say the same of each.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from glusterio.lifecycle.states import HANDLE_TABLE, HandleEvent, SessionEvent
from glusterio.verify.fitting import HIDDEN, fit, told
from glusterio.verify.shipped import SPEC
from glusterio.verify.traces import Line
from tests.traces.mutants import CHANGES, corpus, mended, mutants, why_legal
from tests.traces.record import names, record

PAGE = Path(__file__).parents[2] / "docs" / "traces.md"

TRACES = corpus()
MUTANTS = mutants()

#: Actions of Teardown that no trace of the corpus takes, and why.
NOT_COVERED = {
    "STRIKE": "would be a defect: a handle that nothing closes; tests/traces/lives.py plays it",
    "Cut": "the deadline is over: in a trace it looks like the brick's own answers, so it is asked"
    " for before STRIKE alone",
    "DisownConnect": "connecting waits for nothing that cannot be cancelled;"
    " tests/traces/lives.py plays it",
    "DeferWrite": "not told: an acknowledged write only ever forbids",
    "Flush": "not told",
    "CloseReturns": "not told: close() returns when ENDED is recorded",
    "TakeError": "not told",
    "FlushFails": "not told",
    "Lock": "not told: a lock only ever forbids",
    "Reopen": "not told: when the connection is up again, all is opened again that may be",
    "BrickReopens": "not told",
    **dict.fromkeys(
        ("BeginReload", "NewGraph", "ReloadFails", "ReloadEnds", "DisownReload"),
        "not told: replacing the graph is a call like another, and its trace has SWITCHED alone",
    ),
    **dict.fromkeys(
        ("BeginCarry", "AskNew", "BrickCarries", "NotCarried"),
        "not told: in a trace a handle is carried over in one step",
    ),
    "OldGraphGoes": "not told: it only ever forbids",
    "Enter": "only where a guard is missing",
    "Tell": "only where a guard is missing",
    "SendUnreserved": "only where a guard is missing",
}

#: What TeardownTrace calls a line's step, where that is not an action's name.
ACTS = {
    "PART": "ConnectFails",
    "DISOWN": "Disown",
    "ANSWER": "BrickOpens",
    "BACK": "ComesBack",
}


def next_actions() -> set[str]:
    """The actions that Teardown's Next names."""
    text = (SPEC / "Teardown.tla").read_text()
    body = text.split("\nNext ==", 1)[1].split("\nSpec ==")[0]
    return set(re.findall(r"[A-Z]\w+", re.sub(r"\\\*.*|\\in \w+|\bNone\b|TRUE|FALSE", "", body)))


def test_it_is_large_enough() -> None:
    assert len(TRACES) >= 30
    assert len(MUTANTS) >= 200
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert {name.split("-")[0] for name in TRACES} == {"threads", "asyncio"}


def test_the_page_says_how_many_there_are() -> None:
    text = PAGE.read_text("utf-8")
    assert f"{len(TRACES)} real traces" in text
    assert f"**{len(MUTANTS)} mutants**" in text


def test_real_traces_fit() -> None:
    for name, lines in TRACES.items():
        found = fit(SPEC, lines)
        assert found.accepted, (name, *told(lines, found))
        assert lines[-1].after in ("CLOSED", "FORKED"), name


def test_every_action_is_covered_or_it_is_said_why_not() -> None:
    taken: Counter[str] = Counter()
    for lines in TRACES.values():
        found = fit(SPEC, lines)
        taken.update({ACTS.get(act, act): count for act, count in found.steps.items()})
        taken.update(dict.fromkeys(found.hidden, 1))
    assert next_actions() - taken.keys() == NOT_COVERED.keys()
    events = {event.name for event in (*SessionEvent, *HandleEvent)}
    assert events - taken.keys() == {"STRIKE"}


def test_every_edge_of_a_handle_is_taken() -> None:
    edges = {
        (line.before, line.event) for lines in TRACES.values() for line in lines if line.before
    }
    table = {
        (state.name, event.name)
        for state, row in HANDLE_TABLE.items()
        for event in row
        if event.name != "STRIKE"
    }
    assert table - edges == set()


@pytest.mark.parametrize("change", [change.__name__ for change in CHANGES])
def test_a_mutant_is_rejected_or_it_is_said_why_it_is_legal(change: str) -> None:
    for mutant in MUTANTS:
        if mutant.change != change:
            continue
        found = fit(SPEC, mutant.lines)
        why = why_legal(mutant)
        assert found.accepted == (why is not None), (mutant.name, why, *told(mutant.lines, found))
        # Up to the line that is rejected something has been changed.
        same = mutant.lines[: found.line] == mutant.original[: found.line]
        assert found.accepted or not same, mutant.name


def test_few_mutants_are_legal() -> None:
    assert sum(why_legal(mutant) is not None for mutant in MUTANTS) < len(MUTANTS) / 10


def test_mending_leaves_a_true_history_as_it_is() -> None:
    for name, lines in TRACES.items():
        assert mended(lines) == lines, name


def test_what_is_recorded_now_fits_too(tmp_path: Path) -> None:
    assert "threads-race" in names()
    recorded: list[Line] = []
    for _, lines in record("threads-race", tmp_path):
        found = fit(SPEC, lines)
        assert found.accepted, list(told(lines, found))
        recorded += lines
    assert recorded[-1].event == "ENDED"


def test_what_is_unseen_is_asked_for_by_actions_that_there_are() -> None:
    assert {name for hidden in HIDDEN.values() for name, _ in hidden} <= next_actions()
