"""Real bricks for the tests: found running (``GLUSTERIO_INTEROP_DIR``), or started for the session.

Where there is no GlusterFS, or not the rights to run it, the tests that need it are skipped with
the reason; with ``GLUSTERIO_REQUIRE_INTEROP=1`` they fail instead.

The bricks of the session are shared by its tests: work in a directory of your own below the root,
and compare counts with those before. `own_hand_brick` is a test's alone, to stop or to kill.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from tests.interop import real_gluster
from tests.interop.real_gluster import GlusterVolume, HandBrick, SetUpError

T = TypeVar("T")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lives here is an interop test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("GLUSTERIO_REQUIRE_INTEROP") == "1":
        pytest.fail(f"real GlusterFS is required here, but: {reason}", pytrace=False)
    pytest.skip(f"no real GlusterFS: {reason}")


def start_or_skip(start: Callable[[Path], T], directory: Path) -> T:
    """Start a set-up in a directory; the test is skipped where that is not possible."""
    reason = real_gluster.unavailable()
    if reason is not None:
        _unavailable(reason)
    try:
        return start(directory)
    except SetUpError as error:
        _unavailable(str(error))


@pytest.fixture(scope="session")
def interop_dir() -> Iterator[Path]:
    """Where the session's set-ups live; what the session started there is stopped at its end."""
    given = os.environ.get("GLUSTERIO_INTEROP_DIR")
    if given:
        yield Path(given)
        return
    # A short path, since it holds Unix sockets.
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield directory
    finally:
        real_gluster.stop(directory)


@pytest.fixture(scope="session")
def hand_brick(interop_dir: Path) -> HandBrick:
    """A real brick without glusterd: ``.url``, ``.client_vol``, ``.brick_pid``, ``.data_dir``."""
    return real_gluster.load(interop_dir).hand or start_or_skip(
        real_gluster.start_hand_brick, interop_dir
    )


@pytest.fixture(scope="session")
def gluster_volume(interop_dir: Path) -> GlusterVolume:
    """A real volume with a glusterd: ``.url``, ``.brick_pid``, ``.data_dir``, ``.gluster(...)``."""
    return real_gluster.load(interop_dir).volume or start_or_skip(
        real_gluster.start_volume, interop_dir
    )


@pytest.fixture(scope="session", params=["hand_brick", "gluster_volume"])
def real_brick(request: pytest.FixtureRequest) -> HandBrick | GlusterVolume:
    """Both of them in turn: `open_files()` counts what the brick holds, ``.url`` leads to it."""
    brick: HandBrick | GlusterVolume = request.getfixturevalue(request.param)
    return brick


@pytest.fixture(scope="session")
def real_url(real_brick: HandBrick | GlusterVolume) -> str:
    """``volfile:///.../client.vol`` and ``gluster://gluster.test/gv0`` in turn."""
    return real_brick.url


@pytest.fixture
def own_hand_brick() -> Iterator[HandBrick]:
    """A real brick for this test alone, which may stop it (SIGSTOP) or kill it."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield start_or_skip(real_gluster.start_hand_brick, directory)
    finally:
        real_gluster.stop(directory)
