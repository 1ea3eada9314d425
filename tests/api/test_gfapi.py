"""What libgfapi's functions do, done on the embedded brick by both faces."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from tests.api.faces import FACES, connect_face
from tests.api.gfapi_cases import CASES, Case
from tests.embedded import BrickProcess

#: Each case once, by the first function that it is for.
ONCE = {function: name for name, function in reversed(CASES.items())}


@pytest.fixture(scope="module", params=FACES)
def volume(request: pytest.FixtureRequest, brick: BrickProcess) -> Iterator[Any]:
    """One session for all cases."""
    with connect_face(request.param, brick.url) as volume:
        volume.listdir(
            "/"
        )  # whatever a session starts at its first handle is there before the tests
        yield volume
    report = volume.close()
    assert report.graceful
    assert report.handles == []
    assert brick.dump()["fds"] == 0


@pytest.mark.parametrize("function", ONCE, ids=ONCE.values())
def test_like_libgfapi(volume: Any, function: Case) -> None:
    place = f"/{type(volume).__name__}-{ONCE[function]}"
    volume.mkdir(place)
    volume.chdir(place)
    try:
        function(volume)
    finally:
        volume.chdir("/")


def test_the_pages_examples(brick: BrickProcess) -> None:
    """The first two of the page for users of libgfapi do what they say."""
    page = Path(__file__).parents[2] / "docs" / "from-libgfapi.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    with glusterio.connect(brick.url) as vol:
        vol.makedirs("/examples/projects")
        vol.mkdir("/examples/slow")
        vol.chdir("/examples")
        vol.chmod(".", 0o777)
        with vol.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
            for block in blocks[:2]:
                exec(compile(block, str(page), "exec"), {"vol": vol, "file": file})
        assert vol.listdir("projects") == ["plan-1.txt"]
        assert (vol.stat("mine").st_uid, vol.stat("mine").st_gid) == (1000, 1000)
        vol.chdir("/")
        vol.rmtree("/examples")
