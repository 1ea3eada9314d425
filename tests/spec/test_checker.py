"""Our own checker says what TLC says: verdict, generated, distinct, depth, to the last state.

``spec/expected.toml`` holds TLC's words, which ``make verify`` compares with TLC itself.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from glusterio.verify.checking import Checking
from glusterio.verify.explore import Result
from glusterio.verify.tla import SpecError, parse

SPEC = Path(__file__).parent.parent.parent / "spec"
CHECKS: list[dict[str, Any]] = tomllib.loads((SPEC / "expected.toml").read_text())["check"]

#: What takes more than a moment is left to ``python -m glusterio.verify``.
FEW = 3_000


SMALL = [check for check in CHECKS if check.get("distinct", 0) <= FEW]


def compare(check: dict[str, Any], result: Result) -> None:
    assert result.verdict == check["verdict"]
    counts = [count for count in ("generated", "distinct", "depth") if count in check]
    assert [getattr(result, count) for count in counts] == [check[count] for count in counts]


@pytest.mark.parametrize("check", SMALL, ids=lambda check: check["config"])
def test_what_tlc_says_to_the_last_state(check: dict[str, Any]):
    compare(check, Checking(SPEC, check["config"]).run())


@pytest.mark.parametrize("name", ["DrainSteps/scale-4", "DrainSteps/scale-5", "GraphSwitch/holds"])
def test_the_forms_alone_tell_how_many_states_there_are(name: str):
    check = next(check for check in CHECKS if check["config"] == name)
    compare(check, Checking(SPEC, name).counted())


def test_names_that_cannot_be_sorted_are_left_as_they_are():
    """Brick has pairs whose second is a name: every state is looked at."""
    check = next(check for check in CHECKS if check["config"] == "Brick/holds")
    compare(check, Checking(SPEC, "Brick/holds").counted())


@pytest.mark.parametrize("text", ["X == a @@ b", "X == [i \\in S", "X == (a"])
def test_what_it_cannot_read_it_refuses(text: str):
    with pytest.raises(SpecError):
        parse(f"---- MODULE M ----\n{text}\n====")
