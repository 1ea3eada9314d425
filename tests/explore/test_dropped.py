"""A session that nobody ends, and the collector finds: whatever it is about, it says nothing then."""

from __future__ import annotations

import gc
import random
import sys
import warnings
from typing import Any

import pytest

from glusterio.lifecycle.states import SessionState
from tests.explore.quiet import quiet
from tests.explore.scenarios import SCENARIOS
from tests.explore.search import at_random
from tests.explore.world import World


def _dropped_while_following(name: str, steps: int) -> bool:
    """Live so many steps, and drop everything. Tells whether the volfile was being followed then."""
    world = World(SCENARIOS[name])
    world.begin()
    for _ in range(steps):
        options = world.options()
        if not options or world.problems:
            return False
        world.take(options, 0)
    return any(call.op == "follow" for call in world.app.core.session.calls.values())


# What has not begun is Python's to tell of.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("name", ["reload-anew", "reload-anew-threads"])
def test_a_session_that_follows_its_volume_is_dropped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: said.append(what.exc_value))
    gc.collect()
    said.clear()
    followed = 0
    gc.freeze()  # what is there now is not looked at
    try:
        with quiet():
            for steps in range(60):
                followed += _dropped_while_following(name, steps)
                gc.collect()
    finally:
        gc.unfreeze()
    assert followed > 5
    assert said == []


def test_a_life_that_is_let_go_in_its_end_begins_nothing() -> None:
    """Who ends the session, and is dropped, cuts its connections, which are then made anew."""
    ending = 0
    gc.collect()
    gc.freeze()
    try:
        with quiet(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for seed in range(20):
                ending += _let_go_in_its_end(seed)
                gc.collect()
    finally:
        gc.unfreeze()
    assert ending > 5
    texts = [str(each.message) for each in said]
    assert [text for text in texts if "never awaited" in text] == []


def _let_go_in_its_end(seed: int) -> bool:
    """Live until the session is ending, and let go of it. Tells whether it came to that."""
    world = World(SCENARIOS["two-reconnect-asyncio"])
    decide = at_random(random.Random(seed))
    world.begin()
    while world.app.core.session.state is SessionState.ACTIVE:
        options = world.options()
        world.take(options, decide(options) if len(options) > 1 else 0)
    ends = world.app.core.session.state < SessionState.CLOSED
    world.abandon()
    return ends
