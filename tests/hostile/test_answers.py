"""Answers that a server could mean to harm by: each is an error of the call, and soon."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.errors import RemoteProtocolError
from glusterio.rpc.connection import MAX_REPLY
from glusterio.wire.fops.directories import DirPlusEntry
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import Fop
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.hostile.server import USUAL, Asked, HostileServer, Raw, Script, honest, rewriting

MIB = 1 << 20


@pytest.fixture
def server(brick: BrickProcess) -> Iterator[HostileServer]:
    (brick.directory / "file").write_bytes(b"content")
    (brick.directory / "dir").mkdir(exist_ok=True)
    if not (brick.directory / "link").is_symlink():
        (brick.directory / "link").symlink_to("file")
    with HostileServer(brick.brick_port) as made:
        yield made


@pytest.fixture(params=[(), USUAL], ids=["plain", "usual"])
def vol(
    request: pytest.FixtureRequest,
    driver: Driver,
    server: HostileServer,
    brick: BrickProcess,
    tmp_path: Path,
) -> Any:
    """A session on the hostile server, whose script is honest until a test has another one."""
    return driver.connect(server.volfile(brick.directory, tmp_path / "hostile.vol", *request.param))


def stated(**changes: Any) -> Script:
    """Lie about attributes."""

    def change(message: Any, data: bytes) -> tuple[Any, bytes]:
        stat: Iatt = message.stat
        return message._replace(stat=stat._replace(**changes)), data

    return rewriting(Fop.LOOKUP, change)


@pytest.mark.parametrize("size", [2**31, 2**40, 2**63 - 1, 2**64 - 1])
def test_a_file_that_is_said_to_be_huge(
    driver: Driver, server: HostileServer, vol: Any, size: int
) -> None:
    """Room is made for what comes, not for what is said."""
    server.script = stated(size=size)
    tracemalloc.start()
    try:
        assert driver.do(vol.read_bytes, "file") == b"content"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80 * MIB
    server.script = honest


def test_a_link_longer_than_any(driver: Driver, server: HostileServer, vol: Any) -> None:
    def change(message: Any, data: bytes) -> tuple[Any, bytes]:
        return message._replace(target="a/" * 4_000_000), data

    server.script = rewriting(Fop.READLINK, change)
    with pytest.raises(RemoteProtocolError, match="symbolic link"):
        driver.do(vol.stat, "link")


def test_a_listing_of_dots(driver: Driver, server: HostileServer, vol: Any) -> None:
    """As many as a record holds, and that in no more time than other names would take."""

    def change(message: Any, data: bytes) -> tuple[Any, bytes]:
        dot = DirPlusEntry.of(1, 4, ".", message.entries[0].stat)
        return message._replace(entries=(dot,) * 80_000, op_errno=2), data

    server.script = rewriting(Fop.READDIRP, change)
    assert driver.do(vol.listdir, "dir") == []


def in_place_of(fop: Fop, answer: Callable[[int], bytes]) -> Script:
    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        return (answer(asked.header.xid),) if asked.fop is fop else (record,)

    return script


def test_a_reply_that_is_endless(driver: Driver, server: HostileServer, vol: Any) -> None:
    mark = (0x80000000 | MAX_REPLY + 1).to_bytes(4, "big")
    server.script = in_place_of(
        Fop.STATFS,
        lambda xid: Raw(mark + xid.to_bytes(4, "big") + bytes([0, 0, 0, 1]) + bytes(4096)),
    )
    with pytest.raises(RemoteProtocolError, match="was asked for"):
        driver.do(vol.statvfs, "/")


def test_reads_larger_than_any_reply(driver: Driver, vol: Any, brick: BrickProcess) -> None:
    """What was asked for may come, whatever limit there is for the rest."""
    data = os.urandom(MAX_REPLY + 3 * MIB)
    (brick.directory / "large").write_bytes(data)
    assert driver.do(vol.read_bytes, "large") == data
    handle = driver.do(vol.open_handle, "large", os.O_RDONLY)
    assert driver.do(handle.pread, len(data), 0) == data
    driver.do(handle.close)
