"""A client that sends what it is told to, one request after the other, by the wire codecs alone.

It knows nothing that a client should know; so it can also do what none should.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import uuid
from pathlib import Path
from typing import Any, Protocol

from glusterio.graph.volfile import parse
from glusterio.wire import credentials, records
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops import FOPS as SPECS
from glusterio.wire.fops import directories, files, names
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.handshake import (
    HANDSHAKE_CALLS,
    GetspecReply,
    GetspecRequest,
    PortByBrickReply,
    PortByBrickRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.messages import decode, decode_with_tail, encode
from glusterio.wire.programs import (
    FOPS,
    HANDSHAKE,
    PORTMAP,
    ROOT_GFID,
    Fop,
    HandshakeProc,
    PortmapProc,
)

ROOT = credentials.Credentials(os.getpid(), 0, 0, (), b"owner000")


class RawClient:
    """A connection.

    Args:
        server: the server's port on this machine, or the path of its Unix socket.
    """

    def __init__(self, server: int | str) -> None:
        if isinstance(server, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(20)
            self.sock.connect(server)
        else:
            self.sock = socket.create_connection(("127.0.0.1", server), timeout=20)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._xids = itertools.count(1)
        self.unasked: list[tuple[records.CallHeader, bytes]] = []

    @classmethod
    def of(cls, server: int | str, subvolume: str) -> RawClient:
        """Connect to a brick, be it ours or GlusterFS's, and introduce ourselves."""
        client = cls(server)
        reply = client.setvolume(subvolume)
        if reply.op_ret < 0:
            client.close()
            raise OSError(reply.op_errno, str(reply.options.get("ERROR")))
        return client

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    # -- records ----------------------------------------------------------------------------------

    def send(
        self,
        program: int,
        version: int,
        procedure: int,
        body: bytes = b"",
        caller: bytes | None = None,
        xid: int | None = None,
    ) -> int:
        xid = next(self._xids) if xid is None else xid
        if caller is None:
            caller = credentials.encode_v3(ROOT)
        head = records.encode_call(xid, program, version, procedure, caller, len(body))
        self.sock.sendall(head + body)
        return xid

    def record(self) -> bytes:
        (mark,) = struct.unpack(">I", self._exactly(4))
        return self._exactly(records.record_length(mark))

    def receive(self) -> tuple[records.ReplyHeader, bytes]:
        """Receive a reply. What the server says unasked before it is kept in ``unasked``."""
        while True:
            record = self.record()
            header = records.parse_message(record)
            if isinstance(header, records.ReplyHeader):
                return header, record
            self.unasked.append((header, record))

    def receive_call(self) -> records.CallHeader:
        """Receive what the server says unasked."""
        header = records.parse_message(self.record())
        assert isinstance(header, records.CallHeader)
        return header

    def _exactly(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            more = self.sock.recv(size - len(received))
            if not more:
                raise ConnectionError("the server closed the connection")
            received += more
        return bytes(received)

    def is_closed(self) -> bool:
        """Wait until the server has closed the connection; what it still says is dropped."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def call(self, program: int, version: int, procedure: int, body: bytes = b"") -> bytes:
        self.send(program, version, procedure, body)
        header, record = self.receive()
        assert header.accept_stat == 0, header
        return record[header.body :]

    # -- what every client does -------------------------------------------------------------------

    def setvolume(self, subvolume: str, **options: str | None) -> SetvolumeReply:
        """Introduce ourselves; an option that is ``None`` is left out."""
        given: dict[str, str | None] = {
            "remote-subvolume": subvolume,
            "process-uuid": f"CTX_ID:{uuid.uuid4()}-GRAPH_ID:0-PID:{os.getpid()}",
            "fops-version": str(FOPS.number),
            **{key.replace("_", "-"): value for key, value in options.items()},
        }
        request = SetvolumeRequest({k: v for k, v in given.items() if v is not None})
        body = encode(request)
        spec = HANDSHAKE_CALLS[HandshakeProc.SETVOLUME]
        reply = self.call(HANDSHAKE.number, HANDSHAKE.version, HandshakeProc.SETVOLUME, body)
        return decode(spec.reply_class, reply)

    def getspec(
        self, key: str, flags: int = 0, options: dict[str, str] | None = None
    ) -> GetspecReply:
        """Ask for a volfile, as a client of any version unless told otherwise."""
        if options is None:
            options = {"min-op-version": "1", "max-op-version": "100000"}
        body = encode(GetspecRequest(flags, key, options))
        reply = self.call(HANDSHAKE.number, HANDSHAKE.version, HandshakeProc.GETSPEC, body)
        return decode(GetspecReply, reply)

    def port_by_brick(self, brick: str) -> PortByBrickReply:
        body = encode(PortByBrickRequest(brick))
        reply = self.call(PORTMAP.number, PORTMAP.version, PortmapProc.PORTBYBRICK, body)
        return decode(PortByBrickReply, reply)

    # -- file operations --------------------------------------------------------------------------

    def post(
        self,
        fop: Fop,
        request: Any,
        data: bytes = b"",
        caller: credentials.Credentials = ROOT,
    ) -> int:
        """Send without waiting for the reply."""
        body = encode(request) + data
        return self.send(FOPS.number, FOPS.version, fop, body, credentials.encode_v3(caller))

    def take(self, fop: Fop) -> tuple[Any, bytes]:
        """Receive a reply."""
        header, record = self.receive()
        assert header.accept_stat == 0, header
        reply, tail = decode_with_tail(SPECS[fop].reply_class, record, header.body)
        return reply, bytes(tail)

    def fop(
        self,
        fop: Fop,
        request: Any,
        data: bytes = b"",
        caller: credentials.Credentials = ROOT,
    ) -> tuple[Any, bytes]:
        """Send, and return the reply, failed or not, and the data behind it."""
        self.post(fop, request, data, caller)
        return self.take(fop)

    def do(
        self,
        fop: Fop,
        request: Any,
        data: bytes = b"",
        caller: credentials.Credentials = ROOT,
    ) -> Any:
        """Send, and return the reply of what worked, or raise what went wrong."""
        reply, _ = self.fop(fop, request, data, caller)
        if reply.op_ret < 0:
            raise OSError(reply.op_errno, os.strerror(reply.op_errno))
        return reply

    def create(
        self,
        name: str,
        parent: bytes = ROOT_GFID,
        flags: int = os.O_RDWR,
        mode: int = 0o644,
        umask: int = 0,
        caller: credentials.Credentials = ROOT,
    ) -> names.CreateReply:
        request = names.CreateRequest(parent, flags, mode, umask, name, new_gfid())
        reply: names.CreateReply = self.do(Fop.CREATE, request, caller=caller)
        return reply

    def mkdir(self, name: str, parent: bytes = ROOT_GFID, mode: int = 0o755) -> bytes:
        reply = self.do(Fop.MKDIR, names.MkdirRequest(parent, mode, 0, name, new_gfid()))
        gfid: bytes = reply.stat.gfid
        return gfid

    def lookup(
        self, name: str, parent: bytes = ROOT_GFID, xdata: Dict | None = None
    ) -> names.LookupReply:
        request = names.LookupRequest(pargfid=parent, name=name, xdata=xdata)
        reply: names.LookupReply = self.do(Fop.LOOKUP, request)
        return reply

    def write(self, gfid: bytes, fd: int, data: bytes, offset: int = 0) -> int:
        written: int = self.do(Fop.WRITE, WriteRequest(gfid, fd, offset, len(data)), data).op_ret
        return written

    def read(self, gfid: bytes, fd: int, size: int = 65536, offset: int = 0) -> bytes:
        reply, data = self.fop(Fop.READ, ReadRequest(gfid, fd, offset, size))
        if reply.op_ret < 0:
            raise OSError(reply.op_errno, os.strerror(reply.op_errno))
        assert reply.op_ret == len(data)
        return data

    def release(self, gfid: bytes, fd: int) -> None:
        self.do(Fop.RELEASE, files.ReleaseRequest(gfid, fd))

    def entries(self, gfid: bytes = ROOT_GFID) -> list[str]:
        fd = self.do(Fop.OPENDIR, directories.OpendirRequest(gfid)).fd
        found: list[str] = []
        offset, is_last = 0, False
        while not is_last:
            request = directories.ReaddirpRequest(gfid, fd, offset, 65536)
            reply = self.do(Fop.READDIRP, request)
            found += [entry.name for entry in reply.entries]
            is_last = reply.op_errno == 2
            if reply.entries:
                offset = reply.entries[-1].d_off
        self.do(Fop.RELEASEDIR, directories.ReleasedirRequest(gfid, fd))
        return sorted(found)


def to_the_brick(spec: str) -> dict[str, str]:
    """What a client's volfile says about the brick."""
    (client,) = [each for each in parse(spec).volumes if each.type == "protocol/client"]
    return dict(client.options)


def new_gfid() -> Dict:
    """An ``xdata`` with a fresh gfid for what is to be made."""
    return {"gfid-req": uuid.uuid4()}


class HasBrick(Protocol):
    """A running brick of a test's."""

    directory: Path

    @property
    def brick_port(self) -> int: ...


def accepted(brick: HasBrick, uid: str | None = None) -> RawClient:
    """Connect to a brick and introduce ourselves."""
    client = RawClient(brick.brick_port)
    try:
        reply = client.setvolume(str(brick.directory), process_uuid=uid or str(uuid.uuid4()))
        assert reply.op_ret == 0
    except BaseException:
        client.close()
        raise
    return client
