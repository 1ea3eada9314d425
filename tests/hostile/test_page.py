"""The bounds that docs/hostile-peers.md tells are those of the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "hostile-peers.md"
ROWS = re.findall(r"^\| `(glusterio[\w.]+)\.([A-Z_]+)` \| ([0-9,]+) \|", PAGE.read_text(), re.M)


def test_there_are_bounds() -> None:
    assert len(ROWS) == 9


@pytest.mark.parametrize(("module", "name", "value"), ROWS, ids=lambda text: text)
def test_bound(module: str, name: str, value: str) -> None:
    assert getattr(importlib.import_module(module), name) == int(value.replace(",", ""))
