"""A management daemon that means ill, in what it answers and in what it tells unasked.

Each question comes to an answer or to an error that says what is wrong, within its deadline; the
session goes on with the graph that it has, as long as there is one that works, and ends in time.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from glusterio.errors import GlusterError, HandshakeError
from glusterio.wire.handshake import GetspecReply, PortByBrickReply
from glusterio.wire.messages import encode
from glusterio.wire.programs import CALLBACK, HANDSHAKE, PORTMAP, CallbackProc, HandshakeProc
from tests.api.away import until
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.hostile.server import Asked, Daemon, HostileServer, Raw, reply, volfile

Answer = Callable[[int], Iterable[bytes]]

#: FETCHSPEC, without the procedure that gives the volfile.
NOTE = struct.pack(">10I", 1, 0, 2, *CALLBACK, CallbackProc.FETCHSPEC, 0, 0, 0, 0)


def spec(text: str, **changes: Any) -> bytes:
    return encode(GetspecReply(len(text), 0, text)._replace(**changes))


class Lying:
    """A daemon that gives a true volfile, and answers as a test says when it has another answer for it.

    Attributes:
        text: the volfile.
        getspec: what is sent in its place, of the xid.
        port: what is sent when a brick's port is asked for, likewise.
        asked: how often the volfile was asked for.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.getspec: Answer | None = None
        self.port: Answer | None = None
        self.asked = 0

    def __call__(self, asked: Asked) -> Iterable[bytes]:
        header = asked.header
        what = header.program, header.procedure
        if what == (HANDSHAKE.number, HandshakeProc.GETSPEC):
            self.asked += 1
            if self.getspec is not None:
                return self.getspec(header.xid)
            return (reply(header.xid, spec(self.text)),)
        if header.program == PORTMAP.number and self.port is not None:
            return self.port(header.xid)
        return (struct.pack(">6I", header.xid, 1, 0, 0, 0, 1),)  # no such program


@pytest.fixture
def relay(brick: BrickProcess) -> Iterator[HostileServer]:
    (brick.directory / "one").write_bytes(b"one")
    with HostileServer(brick.brick_port) as made:
        yield made
    brick.wait_for(fds=0, locks=0)


@pytest.fixture
def lying(brick: BrickProcess, relay: HostileServer) -> Lying:
    return Lying(volfile(relay.port, str(brick.directory)))


@pytest.fixture
def daemon(lying: Lying) -> Iterator[Daemon]:
    with Daemon(lying) as made:
        yield made


@pytest.fixture
def url(daemon: Daemon) -> str:
    return f"gluster://127.0.0.1:{daemon.port}/vol"


def in_time(seconds: float, began: float) -> None:
    assert time.monotonic() - began < seconds + 3.0


GETSPECS: dict[str, Answer] = {
    "negative": lambda xid: (reply(xid, spec("", op_ret=-1, op_errno=errno.EACCES)),),
    "odd-error": lambda xid: (reply(xid, spec("", op_ret=-(2**31), op_errno=-(2**31))),),
    "nothing": lambda xid: (reply(xid, spec("")),),
    "rubbish": lambda xid: (reply(xid, spec("\x00\x01\xff" * 5)),),
    "16 MiB": lambda xid: (reply(xid, spec("#" * (16 << 20))),),
    "endless": lambda xid: (Raw(b"\xff\xff\xff\xff" + xid.to_bytes(4, "big") + bytes(4096)),),
    "cut-off": lambda xid: (reply(xid, spec("volume v\n")[:-9]),),
    "longer": lambda xid: (reply(xid, spec("volume v\n") + bytes(4096)),),
    "claims": lambda xid: (reply(xid, struct.pack(">3I", 0, 0, 0x7FFFFFFF) + bytes(64)),),
    "rubbish-options": lambda xid: (reply(xid, spec("")[:-4] + struct.pack(">I", 64) + b"\xff" * 64),),
    "many-options": lambda xid: (reply(xid, spec("", options={str(n): b"" for n in range(9999)})),),
    "denied": lambda xid: (struct.pack(">6I", xid, 1, 1, 1, 5, 0),),
    "no-program": lambda xid: (struct.pack(">6I", xid, 1, 0, 0, 0, 1),),
    "other-xid": lambda xid: (reply(xid ^ 1, spec("volume v\n")),),
    "twice": lambda xid: (reply(xid, spec("volume v\n")),) * 2,
    "a-call": lambda xid: (struct.pack(">I", xid) + NOTE[4:], reply(xid, spec(""))),
    "half-a-call": lambda xid: (NOTE[:14], NOTE[:3], reply(xid, spec(""))),
}  # fmt: skip


@pytest.mark.parametrize("answer", GETSPECS.values(), ids=GETSPECS)
def test_getspec(driver: Driver, lying: Lying, url: str, answer: Answer) -> None:
    """Connecting fails, and says why; a session that was connected before goes on."""
    vol = driver.connect(url)
    lying.getspec = answer
    began = time.monotonic()
    with pytest.raises((GlusterError, ConnectionError, PermissionError)):
        driver.do(vol.reload, timeout=2.0)
    assert driver.do(vol.read_bytes, "one") == b"one"
    with pytest.raises((GlusterError, ConnectionError, PermissionError)):
        driver.connect(url, timeout=2.0)
    in_time(1.0, began)


def test_getspec_that_is_not_answered(driver: Driver, lying: Lying, url: str) -> None:
    vol = driver.connect(url)
    lying.getspec = lambda xid: ()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        driver.do(vol.reload, timeout=0.2)
    with pytest.raises(TimeoutError):
        driver.connect(url, timeout=0.2)
    assert driver.do(vol.read_bytes, "one") == b"one"
    driver.do(vol.close, timeout=1.0)
    in_time(0.4, began)


@pytest.mark.parametrize("number", [0, -1, -(2**31), 70_000, 65_536, 2**31 - 1, "its own"])
def test_a_port_that_is_none(
    driver: Driver, lying: Lying, daemon: Daemon, url: str, number: int | str
) -> None:
    port = daemon.port if isinstance(number, str) else number
    lying.port = lambda xid: (reply(xid, encode(PortByBrickReply(0, 0, 0, port))),)
    lying.text = "\n".join(
        f"  option glusterd-port {daemon.port}" if "remote-port" in line else line
        for line in lying.text.splitlines()
    )
    began = time.monotonic()
    with pytest.raises(HandshakeError):
        driver.connect(url, timeout=2.0)
    in_time(0.5, began)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        NOTE[:3],
        NOTE[:8],
        NOTE[:20],
        NOTE[:4] + bytes(3000),
        NOTE + bytes(100_000),
        reply(7, b""),
    ],
    ids=["empty", "tiny", "a-head", "cut-off", "nulls", "long", "a-reply"],
)
def test_what_makes_no_sense_is_told(
    driver: Driver, lying: Lying, daemon: Daemon, url: str, record: bytes
) -> None:
    """It is left out, or ends the connection: then the daemon is connected to anew."""
    vol = driver.connect(url)
    daemon.tell(record)
    before = lying.asked
    text = lying.text
    lying.text = text.replace("volume v-client-0", "volume another")
    daemon.tell(NOTE)

    def changed() -> bool:
        assert driver.do(vol.read_bytes, "one") == b"one"
        return bool(vol.volfile != text)

    until(changed)
    assert lying.asked > before
    assert driver.do(vol.close, timeout=2.0).errors == []
