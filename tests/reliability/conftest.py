"""What the tests of reliability share: a brick, and where their figures go.

Each test hands what it has seen to :func:`record`; with ``--record FILE`` all of it is written there
when the run ends, for ``tools/reliability_page.py``. What was not run stays as it was there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.drivers import DRIVERS, Driver
from tests.embedded import BrickProcess, start_brick

_RECORDS: dict[str, list[dict[str, Any]]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", metavar="FILE", help="write what was seen, as JSON")


@pytest.fixture(scope="session")
def record() -> Callable[..., None]:
    """Keep figures: ``record("outcomes", event=..., passed=True)``."""

    def keep(chapter: str, **figures: Any) -> None:
        _RECORDS.setdefault(chapter, []).append(figures)

    return keep


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--record", None)
    if path:
        file = Path(path)
        told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"when": {}}
        for chapter, figures in _RECORDS.items():
            told[chapter] = figures
            told["when"][chapter] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


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
    """A brick of this module's; its tests leave nothing open on it."""
    with start_brick(tmp_path_factory.mktemp("brick")) as process:
        yield process
