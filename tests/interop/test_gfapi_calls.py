"""What libgfapi's functions do, done on GlusterFS by both faces.

With and without a management daemon, in one session for each face: a directory for each case, and
all of them are removed at the end.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.faces import FACES, connect_face
from tests.api.gfapi_cases import CASES, Case
from tests.interop.real_gluster import GlusterVolume, HandBrick

#: Each case once, by the first function that it is for.
ONCE = {function: name for name, function in reversed(CASES.items())}


@pytest.fixture(scope="module", params=FACES)
def volume(request: pytest.FixtureRequest, real_brick: HandBrick | GlusterVolume) -> Iterator[Any]:
    """One session for all cases, and a place for them."""
    place = f"/gfapi-{uuid.uuid4().hex[:8]}"
    with connect_face(request.param, real_brick.url) as volume:
        volume.mkdir(place)
        volume.chdir(place)
        volume.listdir(
            "."
        )  # whatever a session starts at its first handle is there before the tests
        yield volume
        volume.rmtree(place)
    report = volume.close()
    assert report.graceful
    assert report.handles == []
    assert real_brick.no_files_open()


@pytest.mark.parametrize("function", ONCE, ids=ONCE.values())
def test_like_libgfapi(volume: Any, function: Case) -> None:
    place = volume.getcwd()
    volume.mkdir(ONCE[function])
    volume.chdir(ONCE[function])
    try:
        function(volume)
    finally:
        volume.chdir(place)
