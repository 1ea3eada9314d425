"""A sample of the explorer: random lives of every scenario, and whether it would find a defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from glusterio.lifecycle.session import Session
from glusterio.lifecycle.states import HandleEvent, HandleState, SessionState
from glusterio.xlators.client import client
from tests.explore.__main__ import main
from tests.explore.quiet import quiet
from tests.explore.scenarios import RANDOM, SCENARIOS
from tests.explore.search import Failure, from_text, live, replay, search_at_random, to_text
from tests.explore.shrink import shrink

#: Random lives of each scenario; `make explore` lives 100,000.
LIVES = 8


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


def first_failure(name: str, lives: int = 300) -> Failure:
    failure = next(search_at_random(SCENARIOS[name], range(lives)), None)
    assert failure is not None, "nothing was found"
    return shrink(SCENARIOS[name], failure)


@pytest.mark.parametrize("name", RANDOM)
def test_nothing_is_wrong_in_a_sample(name: str) -> None:
    assert list(search_at_random(SCENARIOS[name], range(LIVES))) == []


def test_a_life_comes_again() -> None:
    scenario = SCENARIOS["three-threads"]
    for seed in range(10):
        world = live(scenario, seed)
        choices = from_text(to_text(world.choices))
        again = replay(scenario, choices)
        assert again.records == world.records
        assert again.choices == world.choices


def test_a_release_that_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None: ...

    monkeypatch.setattr(client.Client, "release", nothing)
    monkeypatch.setattr(client.Client, "release_now", lambda *_: None)
    failure = first_failure("make")
    assert "BrickAgrees" in failure.problems[0]
    assert to_text(failure.choices) == "", "things simply go on, and it is there"


def test_a_handle_that_opens_after_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def move(self: Session, handle: Any, event: HandleEvent) -> HandleState:
        """As it is, but for OPENED turning into LATE."""
        state, self.state = self.state, SessionState.ACTIVE
        try:
            return original(self, handle, event)
        finally:
            self.state = state

    original = Session.move
    monkeypatch.setattr(Session, "move", move)
    failure = first_failure("two")
    assert "NoStaleFds" in failure.problems[0]
    assert len(failure.choices) < 6
    assert [*map(bool, failure.choices)].count(True) <= 2
    monkeypatch.undo()
    assert not replay(SCENARIOS["two"], failure.choices).problems


def test_the_line_that_replays_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--replay", "two-threads:1.0.2"]) == 0
    assert "all is well" in capsys.readouterr().out

    async def nothing(*_: Any) -> None: ...

    monkeypatch.setattr(client.Client, "release", nothing)
    monkeypatch.setattr(client.Client, "release_now", lambda *_: None)
    assert main(["--replay", "two-threads:1.1"]) == 1
    out = capsys.readouterr().out
    assert "WRONG: BrickAgrees" in out
    assert "RESERVE" in out
