"""The server that comes back after a lost connection is another one, and means ill.

Whatever it says when it is asked to open again what was open: no handle leads to another file than
the one that it was opened on, each is open or stale, no lock is believed to be held that is not, all
calls end, and so does the session, in time and with a report that is true.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from glusterio.errors import ConnectionLostError, HandleStaleError, SessionClosedError
from glusterio.wire.fops.attributes import StatReply
from glusterio.wire.fops.files import OpenReply
from glusterio.wire.fops.locks import LkReply
from glusterio.wire.handshake import SetvolumeReply
from glusterio.wire.messages import encode, failure
from glusterio.wire.programs import Fop
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.hostile.opened import (
    BROKEN,
    LONG_PATIENCE,
    PATIENCE,
    Opened,
    instead,
    is_opening,
    is_setvolume,
    opening,
)
from tests.hostile.server import Asked, HostileServer, Script, honest, reply


@pytest.mark.parametrize(
    "code", [0, errno.EPERM, errno.ENOENT, errno.EINTR, errno.EAGAIN, errno.EIO, errno.ESTALE,
             errno.ENOTCONN, errno.ECONNRESET, errno.ETIMEDOUT, errno.EPIPE, 1024, 2**31 - 1, -1],
)  # fmt: skip
def test_errors_of_every_kind(patient: Opened, code: int) -> None:
    """The file is lost, and says so; the session goes on."""
    patient.server.come_back_as(
        opening(lambda xid, _: reply(xid, encode(OpenReply(op_ret=-1, op_errno=code))))
    )
    assert patient.driver.do(patient.vol.read_bytes, "one") == b"one"
    for file in (*patient.files.values(), patient.folder):
        with pytest.raises(HandleStaleError, match="could not be opened again"):
            patient.driver.do(file.fstat)
    patient.server.script = honest
    assert patient.closes().handles_drained == 3


@pytest.mark.parametrize("number", [0, 7, -2], ids=str)
def test_one_number_for_all(opened: Opened, number: int) -> None:
    """Whoever has it would read another's file, and close it."""
    opened.server.come_back_as(
        opening(lambda xid, told: reply(xid, encode(told._replace(fd=number))))
    )
    for name in opened.files:
        with pytest.raises((ConnectionLostError, HandleStaleError)):
            opened.read(name)
    opened.closes()


def test_others_numbers(opened: Opened) -> None:
    """They are changed about; a server that comes after it is an honest one."""
    opened.server.come_back_as(
        opening(lambda xid, told: reply(xid, encode(told._replace(fd=told.fd ^ 1))))
    )
    for name in opened.files:
        with pytest.raises(ConnectionLostError, match="another file was opened"):
            opened.read(name)
    opened.server.script = honest
    opened.is_back()
    for name in opened.files:
        assert opened.read(name) == name.encode()
    assert opened.closes().handles_drained == 3


def test_a_file_of_which_nothing_can_be_told(patient: Opened) -> None:
    """It is stale, and closed again: the others are not."""
    first = iter([encode(failure(StatReply, errno.EIO))])

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        if asked.fop is Fop.FSTAT and (body := next(first, None)) is not None:
            return (reply(asked.header.xid, body),)
        return (record,)

    patient.server.come_back_as(script)
    patient.driver.do(patient.vol.stat, "/")
    complaints = []
    for file in (*patient.files.values(), patient.folder):
        try:
            patient.driver.do(file.fstat)
        except HandleStaleError as error:
            complaints.append(str(error))
    (complaint,) = complaints
    assert "Input/output error" in complaint
    patient.closes()


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_no_server_at_all(opened: Opened, script: Script) -> None:
    """Calls end with their patience, handles stay open, and whoever comes next finds them so."""
    opened.server.come_back_as(script)
    opened.is_lost()
    began = time.monotonic()
    with pytest.raises(ConnectionLostError, match="has not come back") as caught:
        opened.read("one")
    assert PATIENCE * 0.9 < time.monotonic() - began < PATIENCE + 3.0
    assert not caught.value.may_have_happened
    began = time.monotonic()
    opened.server.come_back_as(honest)
    opened.is_back()
    assert time.monotonic() - began < 3.0  # it was not asked for long what else it speaks
    for name in opened.files:
        assert opened.read(name) == name.encode()
    assert opened.closes().handles_drained == 3


def test_closing_what_is_being_opened_anew(opened: Opened) -> None:
    """It does not wait for the server; the end of the session does, as long as it may, and tells."""
    asked = threading.Event()

    def script(call: Asked, record: bytes) -> Iterable[bytes]:
        if is_opening(call):
            asked.set()
            return ()
        return (record,)

    opened.server.come_back_as(script)
    assert asked.wait(10.0)
    began = time.monotonic()
    opened.driver.do(opened.files["one"].close)
    assert time.monotonic() - began < 1.0
    report = opened.closes(0.5)
    assert "3 handles were not released within the time" in str(report.errors)


@pytest.mark.parametrize("script", [BROKEN["nothing"], BROKEN["no-handshake"], BROKEN["starting"]])
def test_the_end_of_a_session_that_nobody_answers(opened: Opened, script: Script) -> None:
    opened.server.come_back_as(script)
    opened.is_lost()
    waiting = opened.driver.start(opened.files["one"].pread, 1, 0)
    closing = opened.driver.start(opened.files["two"].close)
    report = opened.closes(1.0)
    assert report.handles_drained in (2, 3)
    with pytest.raises((ConnectionLostError, SessionClosedError)):
        waiting.result(5)
    closing.exception(5)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"process-uuid": b"\0" * 100_000}, {"process-uuid": b"", "child_up": b"x"},
        {"child_up": b"0", "volume-id": b"", "clnt-lk-version": b"99999999999999999999"},
        {f"{number}": bytes(10) for number in range(5000)}, {"ERROR": b"\xff\xfe%s%n"},
    ],
    ids=["empty", "long", "odd", "numbers", "many", "error"],
)  # fmt: skip
def test_odd_dictionaries(patient: Opened, options: dict[str, bytes]) -> None:
    """They are believed as far as they make sense: this server does open what it is asked to."""
    patient.server.come_back_as(
        instead(is_setvolume, lambda xid, _: reply(xid, encode(SetvolumeReply(0, 0, options))))
    )
    for name in patient.files:
        assert patient.read(name) == name.encode()
    assert patient.closes().handles_drained == 3


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOLCK, 0, 2000])
def test_locks_that_are_not_given_back(
    driver: Driver, server: HostileServer, brick: BrickProcess, tmp_path: Path, code: int
) -> None:
    opened = Opened(
        driver,
        server,
        server.volfile(brick.directory, tmp_path / "hostile.vol"),
        patience=LONG_PATIENCE,
        options={"client.strict-locks": False},
    )
    driver.do(opened.files["one"].lockf, os.F_LOCK)
    answer = encode(failure(LkReply, code))
    server.come_back_as(
        instead(lambda asked: asked.fop is Fop.LK, lambda xid, _: reply(xid, answer))
    )
    assert opened.read("two") == b"two"
    with pytest.raises(HandleStaleError, match="its locks were lost"):
        opened.read("one")
    brick.wait_for(locks=0, fds=2)
    opened.closes()


FLOOD = struct.pack(">6I", 1, 0, 2, 52743234, 1, 3) + bytes(200)  # a call, of its callback program


def test_a_flood_while_it_comes_back(
    driver: Driver, server: HostileServer, brick: BrickProcess, tmp_path: Path
) -> None:
    """What nobody asked for neither holds up the others for long nor is it kept."""
    url = server.volfile(brick.directory, tmp_path / "hostile.vol")
    opened = Opened(driver, server, url, patience=LONG_PATIENCE)
    opened.server.come_back_as(
        lambda asked, record: [FLOOD] * 3000 + [record] if is_opening(asked) else [record]
    )
    for name in opened.files:
        assert opened.read(name) == name.encode()
    opened.closes()
