"""A lock that keeps others from the data: on a GlusterFS brick that has that turned on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import glusterio
from tests.api.faces import FACES, connect_face
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import HandBrick


@pytest.fixture(scope="module")
def locking() -> Iterator[HandBrick]:
    """A brick with mandatory locks."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield start_or_skip(
            lambda place: real_gluster.start_hand_brick(place, locking="optimal"), directory
        )
    finally:
        real_gluster.stop(directory)


@pytest.mark.parametrize("face", FACES)
def test_others_wait_and_the_owner_does_not(locking: HandBrick, face: str) -> None:
    flags = os.O_RDWR | os.O_CREAT
    with (
        connect_face(face, locking.url) as volume,
        glusterio.connect(locking.url) as other,
        volume.open_handle(face, flags) as file,
        other.open_handle(face, flags) as theirs,
    ):
        file.pwrite(b"0123456789", 0)
        with volume.lock_owner(b"me"), file.lock(5, mandatory=True):
            assert file.pwrite(b"ab", 0) == 2
            assert file.pread(3, 0) == b"ab2"
            for use in (lambda: theirs.pread(3, 0), lambda: theirs.pwrite(b"x", 0)):
                with other.deadline(0.05), pytest.raises(TimeoutError):
                    use()
            assert theirs.pread(3, 7) == b"789"
        assert theirs.pread(3, 5) == b"567"
        theirs.fsync()
    assert locking.no_files_open()
