"""What a GlusterFS brick of their own tells unasked, and leases on it: elsewhere they are off."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from tests.api.contention import told_of_contention
from tests.api.faces import FACES, connect_face
from tests.api.gfapi_cases import WATCHED
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import HandBrick

ONCE = {function: name for name, function in reversed(WATCHED.items())}


@pytest.fixture(scope="module")
def watching() -> Iterator[HandBrick]:
    """A brick with leases and upcalls."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield start_or_skip(
            lambda place: real_gluster.start_hand_brick(place, leases="on"), directory
        )
    finally:
        real_gluster.stop(directory)


@pytest.mark.parametrize("function", ONCE, ids=ONCE.values())
@pytest.mark.parametrize("face", FACES)
def test_like_libgfapi(watching: HandBrick, face: str, function: Any) -> None:
    with connect_face(face, watching.url) as volume, glusterio.connect(watching.url) as other:
        place = f"/{face}-{ONCE[function]}"
        volume.mkdir(place)
        volume.chdir(place)
        function(volume, other)
    assert volume.close().graceful
    assert watching.no_files_open()


@pytest.mark.parametrize("face", FACES)
def test_the_holder_of_a_translators_lock_hears_that_another_wants_it(
    watching: HandBrick, face: str
) -> None:
    with connect_face(face, watching.url) as volume, glusterio.connect(watching.url) as other:
        told_of_contention(volume, other)
