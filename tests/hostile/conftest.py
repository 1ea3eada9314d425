"""What the tests of lying servers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.hostile.opened import Opened
from tests.hostile.server import HostileServer


@pytest.fixture
def server(brick: BrickProcess) -> Iterator[HostileServer]:
    for name in ("one", "two"):
        (brick.directory / name).write_bytes(name.encode())
    (brick.directory / "dir").mkdir(exist_ok=True)
    with HostileServer(brick.brick_port) as made:
        yield made
    brick.wait_for(fds=0, locks=0)


@pytest.fixture
def opened(driver: Driver, server: HostileServer, brick: BrickProcess, tmp_path: Path) -> Opened:
    return Opened(driver, server, server.volfile(brick.directory, tmp_path / "hostile.vol"))
