"""A call from the middle of a session's own work is refused; it would wait for itself.

The garbage collector may run a destructor anywhere. A trace hook and a connection's own methods are
places where a test can have one run for certain.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import CloseFromCallbackError, ReentrantCallError
from glusterio.api.threads.volume import Volume
from glusterio.lifecycle.trace import TraceRecord
from glusterio.rpc.connection import Connection
from tests.embedded import BrickProcess, start_brick

CALLS = {
    "stat": lambda vol: vol.stat("/"),
    "open": lambda vol: vol.open_handle("/x", os.O_CREAT | os.O_RDWR),
    "close": lambda vol: vol.close(),
}


class Attempt:
    """Makes one call, once it is armed, and keeps its error."""

    def __init__(self, name: str) -> None:
        self.call = CALLS[name]
        self.volume: Volume | None = None
        self.errors: list[BaseException] = []

    def __call__(self, *_: object) -> None:
        volume, self.volume = self.volume, None
        if volume is not None:
            try:
                self.call(volume)
            except BaseException as error:
                self.errors.append(error)


@pytest.fixture
def brick(tmp_path: Path) -> Any:
    with start_brick(tmp_path) as brick:
        yield brick


@pytest.mark.parametrize("name", CALLS)
def test_under_the_sessions_lock(brick: BrickProcess, name: str) -> None:
    attempt = Attempt(name)

    def hook(record: TraceRecord) -> None:
        attempt()

    with glusterio.connect(brick.url, trace=hook) as vol:
        attempt.volume = vol
        assert vol.listdir("/") == []
        assert [isinstance(error, ReentrantCallError) for error in attempt.errors] == [True]
        if name == "close":
            assert isinstance(attempt.errors[0], CloseFromCallbackError)
        assert vol.listdir("/") == []  # and the session goes on
    brick.wait_for(fds=0)


@pytest.mark.parametrize("place", ["sending", "received", "get_buffer"])
@pytest.mark.parametrize("name", CALLS)
def test_under_a_connections_locks_and_while_leading(
    brick: BrickProcess, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt(name)

    class Pending(dict[int, Any]):
        """Where a request is entered when it is sent."""

        def __setitem__(self, xid: int, reply: Any) -> None:
            attempt()
            super().__setitem__(xid, reply)

    real = Connection.__init__ if place == "sending" else getattr(Connection, place)

    def wrapped(self: Connection, *arguments: Any, **more: Any) -> Any:
        if place == "sending":
            real(self, *arguments, **more)
            self.pending = Pending()
            return None
        attempt()
        return real(self, *arguments)

    monkeypatch.setattr(Connection, "__init__" if place == "sending" else place, wrapped)
    with glusterio.connect(brick.url) as vol:
        attempt.volume = vol
        assert vol.listdir("/") == []
        assert [isinstance(error, ReentrantCallError) for error in attempt.errors] == [True]
        assert vol.listdir("/") == []
    brick.wait_for(fds=0)


def test_other_threads_are_not_inside(brick: BrickProcess) -> None:
    """What one thread is in the middle of does not keep another from calling."""
    volumes: list[Volume] = []
    listings: list[list[str]] = []
    threads: list[threading.Thread] = []

    def hook(record: TraceRecord) -> None:
        if volumes and not threads:
            other = threading.Thread(target=lambda: listings.append(volumes[0].listdir("/")))
            threads.append(other)
            other.start()  # it waits for the session's lock, which this thread holds

    with glusterio.connect(brick.url, trace=hook) as vol:
        volumes.append(vol)
        assert vol.exists("/")
        threads[0].join(20)
        assert listings == [[]]
