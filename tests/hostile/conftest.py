"""What the tests of lying servers share.

In `make test` each case is run with one of the drivers, in turn; in `make reliability` with both, and
there are more lives at random.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.hostile.opened import LONG_PATIENCE, Opened
from tests.hostile.server import HostileServer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "FUZZ_EXAMPLES" in os.environ:
        return
    cases: dict[tuple[str, str], dict[str, pytest.Item]] = {}
    for item in items:
        spec = getattr(item, "callspec", None)
        if item.path.parent == Path(__file__).parent and spec and "driver" in spec.params:
            case = item.nodeid.replace(spec.params["driver"], "*")
            cases.setdefault((str(item.path), case), {})[spec.params["driver"]] = item
    both = [found for found in cases.values() if len(found) > 1]
    left_out = {found[sorted(found)[number % 2]] for number, found in enumerate(both)}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def server(brick: BrickProcess) -> Iterator[HostileServer]:
    for name in ("one", "two"):
        (brick.directory / name).write_bytes(name.encode())
    (brick.directory / "dir").mkdir(exist_ok=True)
    with HostileServer(brick.brick_port) as made:
        yield made
    brick.wait_for(fds=0, locks=0)


@pytest.fixture
def url(server: HostileServer, brick: BrickProcess, tmp_path: Path) -> str:
    return server.volfile(brick.directory, tmp_path / "hostile.vol")


@pytest.fixture
def opened(driver: Driver, server: HostileServer, url: str) -> Opened:
    """A session whose calls do not wait long for a brick that is away."""
    return Opened(driver, server, url)


@pytest.fixture
def patient(driver: Driver, server: HostileServer, url: str) -> Opened:
    """One whose calls do: for where the brick comes back."""
    return Opened(driver, server, url, patience=LONG_PATIENCE)
