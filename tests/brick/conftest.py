"""Bricks for the tests that live here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded import BrickProcess, start_brick


@pytest.fixture
def brick(tmp_path: Path) -> Iterator[BrickProcess]:
    """A brick of this test's own, with an empty directory."""
    directory = tmp_path / "brick"
    directory.mkdir()
    with start_brick(directory) as process:
        yield process


@pytest.fixture(scope="package")
def shared_brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick for tests that leave nothing behind. A test has to name it as its argument."""
    with start_brick(tmp_path_factory.mktemp("shared")) as process:
        yield process
