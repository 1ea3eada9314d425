"""``connect(options=...)``: wrong ones are refused at once, right ones reach the graph."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import aio

NOBODY = "gluster://127.0.0.1:1/v"


@pytest.mark.parametrize(
    "options",
    [{"performance.write-behnd": True}, {"performance.write-behind": "perhaps"}],
    ids=["unknown", "unreadable"],
)
def test_what_is_no_option_is_refused_before_anything_is_touched(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"performance\.write-beh"):
        glusterio.connect(NOBODY, options=options)


async def _connect(url: str, options: dict[str, Any]) -> None:
    async with aio.connect(url, options=options):
        raise AssertionError("connected")


def test_so_it_is_with_asyncio() -> None:
    with pytest.raises(ValueError, match="did you mean"):
        asyncio.run(_connect(NOBODY, {"performance.write-behnd": True}))


def test_a_translator_that_there_is_not_cannot_be_switched_on(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="glusterio has no performance/nl-cache"):
        glusterio.connect(f"embedded://{tmp_path}", options={"performance.nl-cache": True})
