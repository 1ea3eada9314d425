"""A socket's number may be another socket's as soon as it is closed: who polls for which one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from glusterio.rpc.connection import Connection
from glusterio.runtime.link import Link
from glusterio.runtime.threads import ThreadsDriver


@pytest.fixture
def driver() -> Iterator[ThreadsDriver]:
    made = ThreadsDriver()
    yield made
    made.stop()


class Slow:
    """A poller that lets others go on just before it forgets a socket."""

    def __init__(self, poller: Any, meanwhile: Any) -> None:
        self._poller = poller
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def unregister(self, number: int) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self._poller.unregister(number)


def test_two_close_it_at_once_and_its_number_is_used_again(driver: ThreadsDriver) -> None:
    """Who comes late must not have the new one forgotten: its answers would not be heard of."""
    ours, theirs = socket.socketpair()
    again, other = socket.socketpair()
    number = ours.fileno()
    first, second = Connection("first"), Connection("second")
    driver.attach(ours, first)
    old = first.link
    assert isinstance(old, Link)
    fresh: list[socket.socket] = []

    def close_too() -> None:
        driver.disconnect(first)
        fresh.append(again.dup())  # the lowest number that is free
        driver.attach(fresh[0], second)

    beside = threading.Thread(target=close_too)

    def meanwhile() -> None:
        beside.start()
        beside.join(0.3)  # it may have to wait for us

    driver._poller = Slow(driver._poller, meanwhile)  # type: ignore[assignment]
    driver.disconnect(first)
    beside.join(5.0)
    assert fresh[0].fileno() == number
    other.send(b"x")
    assert driver._poller.poll(1.0) == [(number, 1)]
    for sock in (theirs, again, other):
        sock.close()
