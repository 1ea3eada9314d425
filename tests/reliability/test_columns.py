"""The column of a machine that has no uvloop is left out, but not in continuous integration."""

from __future__ import annotations

import sys

import pytest

from tests.reliability.columns import COLUMNS, need


@pytest.mark.parametrize("required", ["0", "1"])
def test_a_machine_without_uvloop(monkeypatch: pytest.MonkeyPatch, required: str) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.setenv("GLUSTERIO_REQUIRE_INTEROP", required)
    ends = pytest.fail.Exception if required == "1" else pytest.skip.Exception
    with pytest.raises(ends, match="uvloop is not installed"):
        need("uvloop")
    for column in COLUMNS.keys() - {"uvloop"}:
        need(column)
