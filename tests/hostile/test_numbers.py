"""A server that gives one number to two open files: whoever closes one of them would close both."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

from glusterio.errors import RemoteProtocolError
from glusterio.wire.programs import Fop
from tests.api.away import CREATING, until
from tests.embedded import BrickProcess
from tests.hostile.opened import Opened
from tests.hostile.server import Asked, honest, rewriting

#: What is opened twice by each of them, and how.
OPENINGS = {
    Fop.OPEN: (("one", os.O_RDWR), ("one", os.O_RDWR)),
    Fop.CREATE: (("new", CREATING), ("newer", CREATING)),
    Fop.OPENDIR: (("dir", os.O_DIRECTORY), ("/", os.O_DIRECTORY)),
}


@pytest.mark.parametrize("fop", OPENINGS, ids=lambda fop: fop.name)
def test_another_open_files_number(patient: Opened, brick: BrickProcess, fop: Fop) -> None:
    """Nothing that it says can be relied on: the connection ends, and what is open is opened anew."""
    driver, vol = patient.driver, patient.vol
    numbers: list[int] = []
    for name in ("new", "newer"):  # of another driver
        (brick.directory / name).unlink(missing_ok=True)

    def change(told: Any, data: bytes) -> tuple[Any, bytes]:
        numbers.append(told.fd)
        return told._replace(fd=numbers[0]), data

    patient.server.script = rewriting(fop, change)
    first, second = OPENINGS[fop]
    file = driver.do(vol.open_handle, *first)
    with pytest.raises(RemoteProtocolError, match="one number for two open files"):
        driver.do(vol.open_handle, *second)
    assert numbers[0] != numbers[1]
    patient.server.script = honest
    patient.is_back()
    driver.do(file.fstat)
    for name in patient.files:
        assert patient.read(name) == name.encode()
    brick.wait_for(fds=4)
    driver.do(file.close)
    assert patient.closes().handles_drained == 3


def test_a_number_whose_release_is_being_answered(patient: Opened, brick: BrickProcess) -> None:
    """A brick gives it anew when it has handled the RELEASE: that is none of these."""
    driver, vol = patient.driver, patient.vol
    given: list[int] = []
    kept: list[bytes] = []

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        if asked.fop is Fop.RELEASE:
            kept.append(record)
            return ()
        return rewriting(Fop.OPEN, note)(asked, record)

    def note(told: Any, data: bytes) -> tuple[Any, bytes]:
        given.append(told.fd)
        return told, data

    patient.server.script = script
    file = driver.do(vol.open_handle, "one")
    for _ in range(3):
        driver.do(file.close)
        until(lambda: len(kept) == len(given))
        file = driver.do(vol.open_handle, "two")
        assert driver.do(file.pread, 10, 0) == b"two"
    assert len(set(given)) == 1
    brick.wait_for(fds=4)
    report = patient.closes(0.5)
    assert "not released within the time" in str(report.errors)
