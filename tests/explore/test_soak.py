"""A sample of the soak: two simulated hours, and a few sessions."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.explore.soak import HOUR, SURVIVED, Consumer, Soak, some_sessions
from tests.explore.world import World


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    log = logging.getLogger("glusterio")
    level = log.level
    yield
    log.setLevel(level)


@pytest.mark.parametrize("threads", [False, True])
def test_brick_and_client_agree_at_every_hour(threads: bool) -> None:
    logging.getLogger("glusterio").setLevel(logging.CRITICAL)
    soaked = Soak(Consumer(2.5 * HOUR, 150, 1), 1, SURVIVED, threads).run()
    assert soaked.problems == ()
    assert soaked.hours == 3, "each hour, and at the end"
    assert soaked.handles > 100
    assert soaked.open_most


def test_what_the_brick_keeps_is_noticed() -> None:
    soak = Soak(Consumer(1.5 * HOUR, 100, 2), 2, (), False)

    def leak(world: World) -> None:
        connection = world.brick.connections[0]
        connection.fds[10_000] = next(iter(connection.fds.values()))

    soak.world.clock.call_later(HOUR / 2, lambda: leak(soak.world))
    assert any("BrickAgrees" in problem for problem in soak.run().problems)


def test_sessions_that_end() -> None:
    soaked = some_sessions(range(10))
    assert soaked.problems == ()
    assert soaked.sessions == 10
    assert soaked.accidents
