"""The tools that make pages, as modules, for the tests of both."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


def load(name: str) -> Any:
    """Return a tool as a module."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def comparing(
    tool: Any, changed: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], list[str]]:
    """Return what compares with a table in which a text is another one: what is complained of.

    Args:
        tool: the tool.
        changed: where the changed table may lie.
        monkeypatch: pytest's.
    """

    def complained(old: str, new: str) -> list[str]:
        text = tool.TABLE.read_text(encoding="utf-8")
        assert old in text
        changed.write_text(text.replace(old, new, 1), encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(tool, "TABLE", changed)
            found: list[str] = list(tool.complaints())
        return found

    return complained
