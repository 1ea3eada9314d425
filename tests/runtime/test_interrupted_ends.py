"""An interrupt (Ctrl-C) where something ends: whoever waits for the end hears of it.

Else a call would wait for a child of its own for ever, and no further interrupt would end it; or
another thread would wait for an answer that cannot come any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import pytest

from glusterio.errors import ConnectionLostError
from glusterio.rpc.connection import Connection
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event, Gather, Wait, Within
from tests.api.away import until
from tests.api.test_interrupts import interrupted
from tests.runtime.peer import PATIENCE, Peer, ThreadsRunner, request

#: Where a child ends, and its parent hears of it.
ENDING = {
    "fiber.py": {"step", "_finish", "child_done", "wake", "resume"},
    "threads.py": {"enqueue", "_step_ready"},
}


async def _leaf(seconds: float) -> None:
    await Wait(Event(), seconds)


async def _gather() -> None:
    await Gather([_leaf(0.001), _leaf(0.02)])


async def _within() -> None:
    await Within(1.0, _leaf(0.001))


async def _nested() -> None:
    for outcome in await Gather([_within(), _leaf(0.02)]):
        outcome.get()


async def _ignored() -> None:
    await Gather([_within(), _leaf(0.02)])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("made", [_gather, _within, _nested, _ignored])
def test_a_parent_hears_of_a_child_that_is_interrupted_at_its_end(
    made: Callable[[], Coro[None]],
) -> None:
    at = 1
    came = True
    while came:
        driver = ThreadsDriver()
        try:
            came = interrupted(at, ENDING, partial(driver.run, made()))
        finally:
            driver.stop()
        at += 1
    assert at > 20


#: Where the loss of a connection is heard of, by the thread that leads.
LOSING = {
    "connection.py": {"eof", "fail", "_fail", "_why_lost"},
    "link.py": {"receive", "close", "_shut_down"},
    "threads.py": {"_hand_out", "_hand_out_again", "_close_if_lost", "_close_now", "_complete"},
    "sockets.py": {"unwatch", "_closed", "_find_sole", "_links"},
    "fiber.py": {"resume"},
}


async def _ask(connection: Connection) -> None:
    await request(connection)


@pytest.mark.timeout(60)
def test_everybody_hears_of_the_loss_of_a_connection_that_was_interrupted() -> None:
    """Whoever waits for an answer, and whoever is told of the loss; and its socket is closed."""
    at = 1
    while _lost(at):
        at += 1
    assert at > 15


def _lost(at: int) -> bool:
    """Have a connection lost that two threads wait at; return whether the leader was interrupted."""
    peer, threads = Peer(), ThreadsRunner()
    others: list[Future[None]] = []
    told: list[Exception] = []
    try:
        connection = threads.connect(peer)
        connection.on_lost = told.append
        peer.hold()

        def cut() -> None:
            peer.wait(1)
            others.append(threads.start(_ask(connection)))
            peer.wait(2)
            peer.cut()

        def ask() -> None:
            with pytest.raises(ConnectionLostError):
                threads.run(_ask(connection))

        cutter = threading.Thread(target=cut)
        cutter.start()
        came = interrupted(at, LOSING, ask)
        cutter.join(PATIENCE)
        assert isinstance(others[0].exception(PATIENCE), ConnectionLostError), at
        assert told, at
        until(lambda: connection.link is None)
    finally:
        threads.close()
        peer.close()
    return came
