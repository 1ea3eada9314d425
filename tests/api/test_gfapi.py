"""What libgfapi's functions do, done on the embedded brick by both faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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
