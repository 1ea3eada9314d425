"""The columns of the tables, and where the figures of the tests of reliability go.

Each test hands what it has seen to :func:`record`; with ``--record FILE`` all of it is written there
when the run ends, for ``tools/reliability_page.py``. What was not run stays as it was there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.columns import COLUMNS, need

_RECORDS: dict[str, list[dict[str, Any]]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", metavar="FILE", help="write what was seen, as JSON")


@pytest.fixture(scope="session")
def record() -> Callable[..., None]:
    """Keep figures: ``record("outcomes", event=..., passed=True)``."""

    def keep(chapter: str, **figures: Any) -> None:
        _RECORDS.setdefault(chapter, []).append(figures)

    return keep


@pytest.fixture(scope="module", params=COLUMNS)
def column(request: pytest.FixtureRequest) -> str:
    """Each driver, by its name, asyncio's on either event loop."""
    name: str = request.param
    need(name)
    return name


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--record", None)
    if path:
        file = Path(path)
        told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"when": {}}
        for chapter, figures in _RECORDS.items():
            told[chapter] = figures
            told["when"][chapter] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
