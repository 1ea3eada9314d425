"""What leaving out orders could save: on graphs that a person can look through."""

from __future__ import annotations

import pytest

from tests.explore.__main__ import main
from tests.explore.reduction import Saved, at_best


def test_two_steps_that_commute() -> None:
    diamond = [[1, 2], [3], [3], []]
    assert at_best(diamond) == Saved(states=4, alone=1, left=3, lives=2, told=1)


def test_two_steps_that_do_not() -> None:
    apart = [[1, 2], [3], [4], [], []]
    assert at_best(apart) == Saved(states=5, alone=0, left=5, lives=2, told=2)


def test_of_a_scope(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--reductions", "--jobs", "1", "scope-reload", "scope-open-asyncio"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "191 states, 0 with a step that commutes" in line
    assert "166 lives begun" in line
