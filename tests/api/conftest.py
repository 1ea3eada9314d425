"""What the tests of the public face share: a brick of one's own, and a tap before one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glusterio.brick.volfiles import client_volfile
from tests.api.tap import Tap
from tests.embedded import BrickProcess, start_brick


@pytest.fixture
def own_brick(tmp_path: Path) -> Iterator[BrickProcess]:
    """A brick for this test alone, which may stop or kill it."""
    directory = tmp_path / "brick"
    directory.mkdir()
    with start_brick(directory) as process:
        yield process


@pytest.fixture
def through(tmp_path: Path) -> Callable[..., str]:
    """Make the URL of a brick that is reached by another port: ``through(brick, port)``."""

    def url(brick: BrickProcess, port: int, ping_timeout: int = 42) -> str:
        volfile = tmp_path / f"through-{port}.vol"
        volfile.write_text(
            client_volfile(
                "vol", "127.0.0.1", str(brick.directory), port=port, ping_timeout=ping_timeout
            )
        )
        return f"volfile://{volfile}"

    return url


@pytest.fixture
def tap(brick: BrickProcess) -> Iterator[Tap]:
    """A tap before the module's brick."""
    with Tap(("127.0.0.1", brick.brick_port)) as made:
        yield made


@pytest.fixture
def url(brick: BrickProcess, tap: Tap, through: Callable[..., str]) -> str:
    """The module's brick behind the tap."""
    return through(brick, tap.port)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """What is entered here is left at the test's end."""
    with contextlib.ExitStack() as made:
        yield made
