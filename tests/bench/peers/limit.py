"""The limit: a peer that replays packets on a bare socket, and does nothing else.

``python -m tests.bench.peers.limit PROGRAM LINE PARAMETERS`` looks up what the line needs, makes
every packet of it with glusterio's codecs, and then becomes PROGRAM (``c/limit.c``), which is
measured. That one gets them in the parameters, in hexadecimal, with the places where a number has to
be put for each call: the descriptor, the offset, the digits of a name.

Here a connection is a socket that blocks, and each call waits for its reply.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from glusterio.graph import volfile
from glusterio.wire import records
from glusterio.wire.credentials import Credentials, encode_v2, encode_v3
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.fops.directories import OpendirRequest, ReaddirpRequest, ReleasedirRequest
from glusterio.wire.fops.files import OpenRequest, ReleaseRequest
from glusterio.wire.fops.names import CreateRequest, LookupReply, LookupRequest, UnlinkRequest
from glusterio.wire.handshake import (
    GetspecReply,
    GetspecRequest,
    PortByBrickReply,
    PortByBrickRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import (
    FOPS,
    HANDSHAKE,
    PORTMAP,
    Fop,
    HandshakeProc,
    PortmapProc,
    Program,
)
from tests.bench.lines import HANDLE_FILES, SMALL_FILE

Parameters = Mapping[str, Any]

GLUSTERD_PORT: Final = 24007
ROOT: Final = bytes(15) + b"\x01"

#: What stands in a packet where the program puts something for each call.
FD: Final = 0x1122_3344_5566_7788
OFFSET: Final = 0x2233_4455_6677_8899
GFID: Final = uuid.UUID("33445566-7788-4900-aabb-ccddeeff0011")
DIGITS: Final = "000000"
#: Digits of the process's identity, which has to be another for each connection.
IDENTITY: Final = "00000000"

_PID: Final = os.getpid()
_OWNER: Final = Credentials(_PID, os.getuid(), os.getgid(), lk_owner=bytes(8))
FOP_CREDENTIALS: Final = encode_v3(_OWNER)


def call_packet(program: Program, procedure: int, request: Any, tail: int = 0) -> bytes:
    """A whole packet, but for so many bytes of data behind it."""
    body = encode(request)
    credentials = FOP_CREDENTIALS if program == FOPS else encode_v2(_OWNER)
    return records.encode_call(1, *program, procedure, credentials, len(body) + tail) + body


class Line:
    """A connection that waits for each reply."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=20)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def call(self, program: Program, procedure: int, request: Any, reply: type[Any]) -> Any:
        """Make a call and decode its reply.

        Raises:
            OSError: it failed, or the server closed the connection.
        """
        self._socket.sendall(call_packet(program, procedure, request))
        mark = self._stream.read(records.MARK_SIZE)
        if len(mark) < records.MARK_SIZE:
            raise ConnectionResetError(f"no answer to {type(request).__name__}")
        record = self._stream.read(records.record_length(int.from_bytes(mark, "big")))
        answer = decode(reply, record, records.REPLY_HEADER_SIZE)
        if answer.op_ret < 0:
            raise OSError(answer.op_errno, f"{type(request).__name__} {request}")
        return answer

    def gfid_of(self, path: str) -> bytes:
        """Look a path up from the root."""
        gfid: bytes = ROOT
        for name in path.strip("/").split("/"):
            request = LookupRequest(pargfid=gfid, name=name)
            gfid = self.call(FOPS, Fop.LOOKUP, request, LookupReply).stat.gfid
        return gfid


class Packets:
    """What the program is told, beside the line's parameters."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def add(self, name: str, packet: bytes, **places: bytes | int | str | uuid.UUID) -> None:
        """Tell a packet, and where in it something has to be put.

        Args:
            name: the packet's name.
            packet: its bytes.
            places: by the name of a place, what stands there, and nowhere else in the packet.
        """
        self.told[name] = packet.hex()
        for place, what in places.items():
            if isinstance(what, int):
                sought = what.to_bytes(8, "big")
            elif isinstance(what, uuid.UUID):
                sought = what.bytes
            else:
                sought = what if isinstance(what, bytes) else what.encode()
            if packet.count(sought) != 1:
                raise ValueError(f"{what!r} is not once in {name}")
            self.told[f"{name}_{place}"] = packet.index(sought)


def brick_of(parameters: Parameters, packets: Packets) -> tuple[tuple[str, int], dict[str, str]]:
    """Find the brick: its address and the volfile's options. The packets for that are told, too."""
    told = packets.told
    if parameters.get("volfile"):
        text = Path(parameters["volfile"]).read_text()
        options = client_options(text)
        address = (options["remote-host"], int(options["remote-port"]))
    else:
        server = (parameters["host"], int(parameters.get("port") or GLUSTERD_PORT))
        versions = {"min-op-version": "1", "max-op-version": "100000"}
        getspec = GetspecRequest(0, parameters["volume"], versions)
        with Line(server) as line:
            text = line.call(HANDSHAKE, HandshakeProc.GETSPEC, getspec, GetspecReply).spec
            options = client_options(text)
            by_brick = PortByBrickRequest(options["remote-subvolume"])
            port = line.call(PORTMAP, PortmapProc.PORTBYBRICK, by_brick, PortByBrickReply).port
        address = (options["remote-host"], port)
        told["glusterd"], told["glusterd_port"] = socket.gethostbyname(server[0]), server[1]
        packets.add("getspec", call_packet(HANDSHAKE, HandshakeProc.GETSPEC, getspec))
        packets.add("portbybrick", call_packet(PORTMAP, PortmapProc.PORTBYBRICK, by_brick))
    told["brick"], told["brick_port"] = socket.gethostbyname(address[0]), address[1]
    return address, options


def client_options(text: str) -> dict[str, str]:
    """The options of a volfile's only brick.

    Raises:
        ValueError: there are several.
    """
    bricks = [one for one in volfile.parse(text).volumes if one.type == "protocol/client"]
    if len(bricks) != 1:
        raise ValueError("not a volume of one brick")
    return bricks[0].options


def setvolume(options: Mapping[str, str], identity: str) -> SetvolumeRequest:
    """What makes a brick serve a connection."""
    given = {
        key: options[key]
        for key in ("remote-subvolume", "username", "password")
        if options.get(key)
    }
    given |= {
        "process-uuid": f"CTX_ID:{uuid.uuid4()}-PID:{_PID}-limit-{identity}-end",
        "fops-version": str(FOPS.number),
        "mgmt-version": str(HANDSHAKE.number),
    }
    return SetvolumeRequest(given)


def add_fops(line: Line, name: str, parameters: Parameters, packets: Packets) -> None:
    """Tell the packets of a line."""
    block = parameters.get("block", SMALL_FILE)
    shared = parameters.get("shared")

    def fop(name: str, procedure: Fop, request: Any, tail: int = 0, **places: Any) -> None:
        packets.add(name, call_packet(FOPS, procedure, request, tail), **places)

    fop("lookup_root", Fop.LOOKUP, LookupRequest(gfid=ROOT))
    fop("release", Fop.RELEASE, ReleaseRequest(GFID.bytes, FD), gfid=GFID, fd=FD)
    if name.startswith(("pread", "apread", "seqread")):
        data = line.gfid_of(f"{shared}/data")
        fop("open", Fop.OPEN, OpenRequest(data, os.O_RDONLY))
        fop("read", Fop.READ, ReadRequest(data, FD, OFFSET, block), fd=FD, offset=OFFSET)
    elif name.startswith(("stat", "small")):
        look = LookupRequest(pargfid=line.gfid_of(f"{shared}/names"), name=f"f{DIGITS}")
        fop("lookup", Fop.LOOKUP, look, digits=f"f{DIGITS}")
        look = look._replace(xdata={"glusterfs.content": SMALL_FILE})
        fop("content", Fop.LOOKUP, look, digits=f"f{DIGITS}")
    elif name.startswith("readdirp"):
        listed = line.gfid_of(f"{shared}/d{parameters['entries']}")
        fop("opendir", Fop.OPENDIR, OpendirRequest(listed))
        batch = ReaddirpRequest(listed, FD, OFFSET, 1 << 20)
        fop("readdirp", Fop.READDIRP, batch, fd=FD, offset=OFFSET)
        fop("releasedir", Fop.RELEASEDIR, ReleasedirRequest(listed, FD), fd=FD)
    elif name.startswith("close_"):
        packets.told["handle_gfids"] = b"".join(handle_gfids(line, parameters)).hex()
        fop("open_handle", Fop.OPEN, OpenRequest(GFID.bytes, os.O_RDWR), gfid=GFID)
        fop("read_handle", Fop.READ, ReadRequest(GFID.bytes, FD, 0, 1), gfid=GFID, fd=FD)
    elif name.startswith(("pwrite", "seqwrite", "create", "unlink")):
        own = line.gfid_of(parameters["dir"])
        create = CreateRequest(own, os.O_RDWR, 0o644, 0, f"f{DIGITS}", {"gfid-req": GFID})
        fop("create", Fop.CREATE, create, digits=f"f{DIGITS}", gfid=GFID)
        fop("unlink", Fop.UNLINK, UnlinkRequest(own, f"f{DIGITS}"), digits=f"f{DIGITS}")
        write = WriteRequest(GFID.bytes, FD, OFFSET, block)
        fop("write", Fop.WRITE, write, block, gfid=GFID, fd=FD, offset=OFFSET)


def handle_gfids(line: Line, parameters: Parameters) -> list[bytes]:
    """The gfids of the files that handles are on."""
    if not parameters["handles"]:
        return []
    parent = line.gfid_of(f"{parameters['shared']}/handles")
    names = [f"f{number:03d}" for number in range(min(parameters["handles"], HANDLE_FILES))]
    requests = [LookupRequest(pargfid=parent, name=name) for name in names]
    return [line.call(FOPS, Fop.LOOKUP, one, LookupReply).stat.gfid for one in requests]


def rehearsed(name: str, parameters: Parameters) -> dict[str, Any]:
    """The parameters of a line, with all its packets."""
    packets = Packets()
    address, options = brick_of(parameters, packets)
    with Line(address) as line:
        request = setvolume(options, IDENTITY)
        line.call(HANDSHAKE, HandshakeProc.SETVOLUME, request, SetvolumeReply)
        add_fops(line, name, parameters, packets)
    packets.add(
        "setvolume",
        call_packet(HANDSHAKE, HandshakeProc.SETVOLUME, setvolume(options, IDENTITY)),
        identity=f"-{IDENTITY}-end",
    )
    return {**parameters, **packets.told}


def main(program: str, line: str, text: str) -> None:
    """Make the packets and become the program."""
    try:
        parameters = rehearsed(line, json.loads(text))
    except (OSError, ValueError) as error:
        sys.stdin.readline()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        sys.exit(1)
    os.execv(program, [program, line, json.dumps(parameters)])


if __name__ == "__main__":
    main(*sys.argv[1:])
