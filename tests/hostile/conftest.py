"""A brick that works, and each driver, for servers and clients that do not mean well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.drivers import DRIVERS, Driver
from tests.embedded import BrickProcess, start_brick


@pytest.fixture(params=sorted(DRIVERS))
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Each driver in turn."""
    made = DRIVERS[request.param]()
    try:
        yield made
    finally:
        made.finish()


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick of this module's."""
    with start_brick(tmp_path_factory.mktemp("brick")) as process:
        yield process
