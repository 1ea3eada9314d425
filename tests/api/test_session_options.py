"""``connect(options=...)``: wrong ones are refused at once, right ones reach the graph."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

import glusterio
from glusterio import aio
from tests.api.faces import FACES, connect_face

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


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"options": 5}, TypeError, "options should be a glusterio.Options or a mapping, not int"),
        ({"ssl": True}, TypeError, "ssl should be an ssl.SSLContext or None, not bool"),
        ({"patience": -1.0}, ValueError, "patience: -1.0 seconds"),
        ({"patience": float("nan")}, ValueError, "patience: nan seconds"),
        ({"patience": "long"}, TypeError, "str"),
    ],
    ids=str,
)
@pytest.mark.parametrize("face", FACES)
def test_what_can_be_no_argument_is_refused_at_once(
    face: str, wrong: Any, error: type[Exception], words: str
) -> None:
    """Not when it is needed, which is when a brick has gone, or by another's name."""
    with pytest.raises(error, match=words):
        connect_face(face, NOBODY, **wrong)


@pytest.mark.parametrize("face", FACES)
def test_a_url_is_text(face: str) -> None:
    with pytest.raises(TypeError, match="a volume's URL is str, not int"):
        connect_face(face, cast(Any, 7))


def test_a_translator_that_there_is_not_cannot_be_switched_on(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="glusterio has no performance/nl-cache"):
        glusterio.connect(f"embedded://{tmp_path}", options={"performance.nl-cache": True})
