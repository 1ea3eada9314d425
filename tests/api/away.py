"""A brick that can be ended, cut off, and come back on another port: for tests of reconnecting.

A module that uses the fixtures names them as its own: ``shared, place = away.shared, away.place``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio.brick.volfiles import client_volfile
from tests.api.tap import Tap
from tests.embedded import BrickProcess, start_brick

CREATING = os.O_RDWR | os.O_CREAT


class Place:
    """A brick behind a tap, which can be ended and come back on another port behind the same tap."""

    def __init__(self, directory: Path, volfile: Path) -> None:
        self.volfile = volfile
        self.directory = directory
        self.brick: BrickProcess = start_brick(directory)
        self.tap = Tap(("127.0.0.1", self.brick.brick_port))
        self.tap.start()
        volfile.write_text(client_volfile("vol", "127.0.0.1", str(directory), port=self.tap.port))
        self.url = f"volfile://{volfile}"

    def with_option(self, line: str) -> str:
        """Return the URL, with another option of the client translator."""
        text = self.volfile.read_text()
        self.volfile.write_text(
            text.replace("type protocol/client\n", f"type protocol/client\n{line}\n")
        )
        return self.url

    def kill(self) -> None:
        """End the brick without notice, and whoever connects is refused."""
        self.tap.refuse()
        self.brick.kill()
        self.tap.cut()

    def come_back(self) -> None:
        self.brick = start_brick(self.directory)
        self.tap.upstream = ("127.0.0.1", self.brick.brick_port)
        self.tap.heal()

    def restart(self) -> None:
        self.kill()
        self.come_back()

    def part(self) -> None:
        """Cut the brick off, which goes on: whoever connects is refused."""
        self.tap.refuse()
        self.tap.cut()

    def meet_again(self) -> None:
        self.tap.heal()

    def clear(self) -> None:
        """Let the next test find it as this one has: healed, and with nothing in it."""
        self.tap.hold()
        self.tap.let_go()
        self.tap.heal()
        self.tap.log.clear()
        with glusterio.connect(self.brick.url) as vol:
            for name in vol.listdir("/"):
                path = f"/{name}"
                if stat.S_ISDIR(vol.stat(path).st_mode):
                    vol.rmtree(path)
                else:
                    vol.unlink(path)
        self.brick.wait_for(fds=0, locks=0)

    def finish(self) -> None:
        self.tap.stop()
        self.brick.kill()


@contextlib.contextmanager
def new_place(directory: Path) -> Iterator[Place]:
    """Start a brick, with what it serves and its volfile in a directory; end it in the end."""
    (directory / "brick").mkdir()
    made = Place(directory / "brick", directory / "client.vol")
    try:
        yield made
    finally:
        made.finish()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for the module: to start a brick takes longer than what is asked of it."""
    with new_place(tmp_path_factory.mktemp("away")) as made:
        yield made


@pytest.fixture
def place(shared: Place) -> Iterator[Place]:
    """That one, which a test may cut off, and must not end."""
    yield shared
    shared.clear()


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Place]:
    """One that the test may end."""
    with new_place(tmp_path) as made:
        yield made


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has been caused already."""
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def counts(vol: Any) -> dict[str, int]:
    """Return what the session's client says of itself."""
    found: dict[str, int] = vol._session.core.graph.leaves[0].counts()
    return found


def lost(vol: Any) -> bool:
    return not counts(vol)["up"]
