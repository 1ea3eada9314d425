"""A session that follows its volume: how soon and how often, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from glusterio.lifecycle.states import SessionState
from tests.explore.brick import BrickConnection
from tests.explore.quiet import quiet
from tests.explore.session import App
from tests.explore.volfiles import VOLFILES
from tests.explore.world import Scenario, World

#: No test takes so many steps, unless something goes on without end.
MOST = 2500


async def _close_later(app: App) -> None:
    await app.sleep(3600.0)
    await app.close()


def _world(*, connected: bool = True) -> World:
    world = World(
        Scenario(
            "following",
            "",
            {"close": _close_later},
            connected=connected,
            follow=True,
            reconnect=True,
        )
    )
    world.begin()
    return world


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


def go_on(world: World, until: Callable[[], bool], each: Callable[[], None] = lambda: None) -> bool:
    """Let things go on until something is so, with something done before each step."""
    for _ in range(MOST):
        each()
        world.take(world.options(), 0)
        assert world.problems == []
        if until():
            return True
    return False


def daemon(world: World) -> BrickConnection | None:
    """The connection of the one who plays the daemon, as long as the session follows."""
    return next((each for each in world.brick.connections if each.follows), None)


def has_volfile(world: World, name: str) -> Callable[[], bool]:
    core = world.app.core
    return lambda: core.volfile == VOLFILES[name] and not core.session.calls


class Notes:
    """A daemon that tells again whenever it was asked, and notes when."""

    def __init__(self, world: World, *names: str) -> None:
        self.world = world
        self.names = names
        self.asked_at: list[float] = []
        self._asked = world.brick.asked

    def __call__(self) -> None:
        brick = self.world.brick
        if not self.asked_at or brick.asked > self._asked:
            self._asked = brick.asked
            self.asked_at.append(self.world.clock.now)
            brick.set_volfile(VOLFILES[self.names[len(self.asked_at) % len(self.names)]])


def test_notes_without_end_are_followed_less_and_less_often() -> None:
    world = _world()
    until = world.clock.now + 300.0
    notes = Notes(world, "client")
    assert go_on(world, lambda: world.clock.now > until, notes)
    pauses = [late - soon for soon, late in zip(notes.asked_at, notes.asked_at[1:], strict=False)]
    assert pauses[:7] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert set(pauses[7:]) == {10.0}
    world.abandon()


def test_a_volfile_that_changes_without_end_is_followed_at_half_seconds() -> None:
    world = _world()
    until = world.clock.now + 10.0
    notes = Notes(world, "client", "write-behind")
    assert go_on(world, lambda: world.clock.now > until, notes)
    pauses = [late - soon for soon, late in zip(notes.asked_at, notes.asked_at[1:], strict=False)]
    assert len(pauses) > 10
    assert set(pauses[1:]) == {0.5}
    world.abandon()


def test_after_a_while_a_change_is_followed_at_once_again() -> None:
    world = _world()
    notes = Notes(world, "client")
    until = world.clock.now + 40.0
    assert go_on(world, lambda: world.clock.now > until, notes)
    until = world.clock.now + 60.0
    world.clock.call_later(60.0, lambda: None)
    assert go_on(world, lambda: world.clock.now >= until)
    world.brick.set_volfile(VOLFILES["write-behind"])
    assert go_on(world, has_volfile(world, "write-behind"))
    assert world.clock.now == until
    world.abandon()


def test_what_was_told_while_the_session_connected_is_followed() -> None:
    world = _world(connected=False)
    assert go_on(world, lambda: daemon(world) is not None)
    assert world.app.core.session.state is not SessionState.ACTIVE
    world.brick.set_volfile(VOLFILES["write-behind"])
    assert go_on(world, has_volfile(world, "write-behind"))
    world.brick.set_volfile(VOLFILES["client"])  # nor was that the last
    assert go_on(world, has_volfile(world, "client"))
    world.abandon()


def test_a_daemon_that_is_lost_while_the_session_connects_is_found_again() -> None:
    world = _world(connected=False)
    assert go_on(world, lambda: daemon(world) is not None and len(world.brick.connections) > 1)
    assert world.app.core.session.state is not SessionState.ACTIVE
    lost = daemon(world)
    assert lost is not None
    lost.lose()
    assert go_on(world, lambda: daemon(world) is not None)
    world.brick.set_volfile(VOLFILES["write-behind"])
    assert go_on(world, has_volfile(world, "write-behind"))
    world.abandon()


def test_a_daemon_that_hangs_up_each_time_is_called_less_and_less_often() -> None:
    world = _world()

    def hang_up() -> None:
        connection = daemon(world)
        if connection is not None:
            connection.lose()

    before = world.brick.accepted
    until = world.clock.now + 100.0
    assert go_on(world, lambda: world.clock.now > until, hang_up)
    assert 10 < world.brick.accepted - before < 20
    world.abandon()
