"""dup: one descriptor on the brick, which is closed once, with the last of its handles."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import glusterio
from glusterio import HandleRevokedError
from glusterio.lifecycle.invariants import violations
from glusterio.wire.programs import Fop
from tests.api.faces import FACES, connect_face
from tests.api.tap import Tap
from tests.embedded import BrickProcess


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, url: str, brick: BrickProcess) -> Iterator[Any]:
    with connect_face(request.param, url) as volume:
        with volume.open("f", "wb") as file:
            file.write(b"0123456789")
        yield volume
    with glusterio.connect(brick.url) as other:
        other.unlink("f")
    brick.wait_for(fds=0, pending=0)


def test_the_brick_hears_of_one(volume: Any, tap: Tap) -> None:
    tap.wait_for(lambda: tap.released() == tap.opened())
    before = tap.calls(Fop.OPEN), tap.calls(Fop.RELEASE)
    file = volume.open_handle("f", os.O_RDWR)
    handles = [file, file.dup(), file.dup()]
    inodes = volume._session.core.inodes
    assert inodes.get(file._handle.fd.gfid).refs == 3
    for handle in handles[:2]:
        handle.close()
        handle.close()
        assert handles[2].pread(2, 0) == b"01"
    assert (tap.calls(Fop.OPEN), tap.calls(Fop.RELEASE)) == (before[0] + 1, before[1])
    handles[2].close()
    volume.stat("/")
    tap.wait_for_calls(before[1] + 1, Fop.RELEASE)
    assert inodes.get(file._handle.fd.gfid) is None, "nothing holds it, and nothing is known of it"
    assert tap.released() == tap.opened()


def test_one_of_which_no_brick_has_heard(volume: Any, brick: BrickProcess) -> None:
    """The content has come along with the LOOKUP, so nothing is opened before something needs it."""
    options = {"performance.open-behind": True, "performance.quick-read": True}
    with glusterio.connect(brick.url, options=options) as other:
        file = other.open_handle("f")
        assert file._handle.fd.unsent
        second = file.dup()
        file.close()
        assert second.pread(4, 0) == b"0123"
        assert second.fstat().st_size == 10
        third = second.dup()
        second.close()
        assert third.fstat().st_size == 10
        third.close()
        report = other.close()
        assert report.graceful
        assert report.handles == []
    brick.wait_for(fds=0, pending=0)


def test_the_drain_closes_all(volume: Any, tap: Tap) -> None:
    file = volume.open_handle("f", os.O_RDWR)
    second, third = file.dup(), file.dup()
    file.close()
    assert violations(volume._session.core.session) == []
    report = volume.close()
    assert report.graceful
    assert [handle.path for handle in report.handles] == ["f", "f"]
    assert second.closed
    assert third.closed
    assert tap.released() == tap.opened()


def test_locks_are_of_both(volume: Any) -> None:
    with volume.open_handle("f", os.O_RDWR) as other:
        file = volume.open_handle("f", os.O_RDWR)
        second = file.dup()
        file.lockf(os.F_LOCK, 5)
        second.lockf(os.F_LOCK, 10)
        file.close()
        assert other.lock_holder() is not None
        second.close()
        other.lockf(os.F_LOCK, 10)


def test_from_many_threads(brick: BrickProcess, url: str, tap: Tap) -> None:
    with glusterio.connect(url) as volume:
        file = volume.open_handle("g", os.O_RDWR | os.O_CREAT)
        begin = threading.Barrier(4)

        def duplicate() -> None:
            begin.wait(20)
            for _ in range(20):
                with file.dup() as second, second.dup() as third:
                    assert third.pwrite(b"x", 0) == 1

        threads = [threading.Thread(target=duplicate) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert file.pread(2, 0) == b"x"
        file.close()
        volume.unlink("g")
        report = volume.close()
        assert report.graceful
        assert report.handles == []
    assert tap.released() == tap.opened()
    with pytest.raises(HandleRevokedError):
        file.dup()
