"""Both servers, and the compiled programs.

glusterio's serves from a process of its own, at an address of the loopback that no other test uses,
and there at GlusterFS's own port: some programs know no other, and clients look for a brick's port
there only.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.embedded import start_brick
from tests.interop import real_gluster
from tests.interop.conftest import _unavailable, start_or_skip
from tests.interop.programs import building
from tests.interop.programs.sides import Side, directory_on
from tests.interop.real_gluster import GlusterVolume

GLUSTER_PORT = 24007


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled programs go."""
    reason = building.unavailable()
    if reason is not None:
        _unavailable(reason)
    return tmp_path_factory.mktemp("builds")


@pytest.fixture(scope="session")
def shim(builds: Path) -> Path:
    """What lets `glfs_fini` end promptly, to be preloaded; see ``c/prompt_fini.c``."""
    return building.compile_shim(builds)


@pytest.fixture(scope="session")
def program(builds: Path) -> Callable[[str], Path]:
    """Compile one of the C programs: ``program("names")``."""
    return lambda name: building.compile_program(name, builds)


@pytest.fixture
def needs() -> Callable[..., None]:
    """Skip unless these programs are installed: ``needs(qemu-img="qemu-utils")``."""

    def check(**packages: str) -> None:
        for name, package in packages.items():
            command = name.replace("_", "-")
            if shutil.which(command) is None:
                _unavailable(f"{command} is not installed (on Debian: apt-get install {package})")

    return check


@pytest.fixture(scope="module")
def our_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """glusterio's brick, as a process."""
    data = tmp_path_factory.mktemp("brick")
    data.chmod(0o755)
    dice = random.Random(os.getpid())
    host = ".".join(str(number) for number in (127, *(dice.randrange(2, 254) for _ in range(3))))
    options = ("--host", host, "--port", str(GLUSTER_PORT))
    with start_brick(data, "vol", *options) as brick:
        yield Side(
            name="glusterio",
            host=host,
            port=brick.port,
            volume="vol",
            brick_port=brick.brick_port,
            brick=str(data),
            data=data,
            work=tmp_path_factory.mktemp("work"),
        )


@pytest.fixture(scope="module")
def their_side(gluster_volume: GlusterVolume, tmp_path_factory: pytest.TempPathFactory) -> Side:
    """GlusterFS's."""
    return Side(
        name="GlusterFS",
        host=gluster_volume.host,
        port=gluster_volume.glusterd_port,
        volume=gluster_volume.volume,
        brick_port=gluster_volume.brick_port,
        brick=gluster_volume.data_dir,
        data=Path(gluster_volume.data_dir),
        work=tmp_path_factory.mktemp("work"),
    )


@pytest.fixture(scope="module")
def their_own_brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """A brick of GlusterFS's for calls that leak there, and so cannot be made on a shared one.

    GlusterFS 10 keeps a directory that OPEN opened, and the target of COPY_FILE_RANGE, open for good.
    There is no management daemon to it.
    """
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        brick = start_or_skip(real_gluster.start_hand_brick, directory)
        yield Side(
            name="GlusterFS",
            host="127.0.0.1",
            port=0,
            volume="hand",
            brick_port=brick.brick_port,
            brick="/hand",
            data=Path(brick.data_dir),
            work=tmp_path_factory.mktemp("work"),
        )
    finally:
        real_gluster.stop(directory)


@pytest.fixture
def sides(our_side: Side, their_side: Side, request: pytest.FixtureRequest) -> Iterator[list[Side]]:
    """Both, each with a directory for this test alone: GlusterFS's first."""
    with _directories([their_side, our_side], request.node.nodeid) as sides:
        yield sides


@pytest.fixture
def brick_sides(
    our_side: Side, their_own_brick: Side, request: pytest.FixtureRequest
) -> Iterator[list[Side]]:
    """The same, GlusterFS's with a brick of its own; for clients that need no management daemon."""
    with _directories([their_own_brick, our_side], request.node.nodeid) as sides:
        yield sides


@contextmanager
def _directories(sides: list[Side], test: str) -> Iterator[list[Side]]:
    name = f"programs-{os.getpid()}-{abs(hash(test)) % 10**6}"
    with ExitStack() as stack:
        yield [
            replace(side, directory=stack.enter_context(directory_on(side, name))) for side in sides
        ]
