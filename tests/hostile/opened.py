"""A session with something open, through a server that begins to lie."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from glusterio.wire.fops import FOPS
from glusterio.wire.fops.files import OpenReply
from glusterio.wire.handshake import SetvolumeReply
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import Fop, HandshakeProc
from glusterio.wire.records import REPLY_HEADER_SIZE
from tests.api.away import lost, until
from tests.api.drivers import Driver
from tests.hostile.server import Asked, HostileServer, Raw, Script, reply

#: How long a call of these sessions waits for its brick, in seconds: where that does not come back, and
#: where it does, however busy the machine is.
PATIENCE = 0.2
LONG_PATIENCE = 10.0


class Opened:
    """A session with two files and a directory open, through a server that is honest so far."""

    def __init__(
        self,
        driver: Driver,
        server: HostileServer,
        url: str,
        patience: float = PATIENCE,
        **how: Any,
    ) -> None:
        self.driver = driver
        self.server = server
        self.vol = driver.connect(url, patience=patience, **how)
        self.files = {
            name: driver.do(self.vol.open_handle, name, os.O_RDWR) for name in ("one", "two")
        }
        self.folder = driver.do(self.vol.open_handle, "dir")

    def read(self, name: str) -> bytes:
        data: bytes = self.driver.do(self.files[name].pread, 10, 0)
        return data

    def is_back(self) -> None:
        """Wait until the session is connected again."""
        until(lambda: not lost(self.vol))

    def is_lost(self) -> None:
        """Wait until the session knows that its connection is lost."""
        until(lambda: lost(self.vol))

    def closes(self, within: float = 2.0) -> Any:
        """Close the session; return the report."""
        began = time.monotonic()
        report = self.driver.do(self.vol.close, timeout=within, grace=0.2)
        assert time.monotonic() - began < within + 3.0
        assert not report.defects, report
        return report


def opening(answer: Callable[[int, OpenReply], bytes]) -> Script:
    """Make a script for OPENs and OPENDIRs, of the xid and the true answer."""

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        if asked.fop not in (Fop.OPEN, Fop.OPENDIR):
            return (record,)
        told = decode(FOPS[Fop.OPEN].reply_class, memoryview(record), REPLY_HEADER_SIZE)
        return (answer(asked.header.xid, told),)

    return script


def instead(asked_for: Callable[[Asked], bool], *records: Callable[[int, bytes], bytes]) -> Script:
    """Make a script that answers some calls with other records, of the xid and the true record."""

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        if not asked_for(asked):
            return (record,)
        return [make(asked.header.xid, record) for make in records]

    return script


def is_opening(asked: Asked) -> bool:
    return asked.fop in (Fop.OPEN, Fop.OPENDIR)


def is_setvolume(asked: Asked) -> bool:
    return asked.handshake == HandshakeProc.SETVOLUME


#: What whoever connects anew, or opens files anew, may be answered.
BROKEN: dict[str, Script] = {
    "cut-off": instead(is_opening, lambda xid, record: record[:-5]),
    "without-body": instead(is_opening, lambda xid, record: record[:24]),
    "longer": instead(is_opening, lambda xid, record: record + bytes(4096)),
    "endless": instead(
        is_opening, lambda xid, record: Raw(b"\xff\xff\xff\xff" + record + bytes(4096))
    ),
    "other-xid": instead(is_opening, lambda xid, record: reply(xid ^ 0x40000000, record[24:])),
    "twice": instead(is_opening, *[lambda xid, record: record] * 2),
    "garbage": instead(is_opening, lambda xid, record: Raw(os.urandom(500))),
    "nothing": instead(is_opening),
    "no-handshake": instead(is_setvolume),
    "handshake-cut-off": instead(is_setvolume, lambda xid, record: record[:40]),
    "refused": instead(
        is_setvolume,
        lambda xid, record: reply(xid, encode(SetvolumeReply(-1, errno.EACCES, {"ERROR": b"no"}))),
    ),
    "starting": instead(
        is_setvolume, lambda xid, record: reply(xid, encode(SetvolumeReply(-1, errno.EAGAIN)))
    ),
}
