"""The translators of clients: each is where the table says, and is loaded when it is wanted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from glusterio.api.registry import REGISTRY


@pytest.mark.parametrize("xlator_type", list(REGISTRY))
def test_each_is_where_the_table_says(xlator_type: str) -> None:
    assert REGISTRY[xlator_type].xlator_type == xlator_type
    assert xlator_type in REGISTRY


def test_what_there_is_not() -> None:
    assert "cluster/stripe" not in REGISTRY
    with pytest.raises(KeyError):
        REGISTRY["cluster/stripe"]


def test_importing_glusterio_loads_no_more_than_connecting_needs() -> None:
    """No storage, no event loop, and nothing that reads source code."""
    program = "import sys, glusterio; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    unwanted = {"glusterio.xlators.posix", "glusterio.brick", "asyncio", "ctypes", "inspect"}
    assert not unwanted & set(loaded)
