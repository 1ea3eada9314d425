"""Bytes written by hand from the protocol's description, so that both directions cannot err alike."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from glusterio.wire import messages
from glusterio.wire.credentials import Credentials, encode_none, encode_v2, encode_v3
from glusterio.wire.fops.data import ReadReply, ReadRequest, WriteRequest
from glusterio.wire.fops.directories import DirPlusEntry, ReaddirpReply, ReaddirReply
from glusterio.wire.fops.files import ChangedReply, OpenReply, OpenRequest, ReleaseRequest
from glusterio.wire.fops.locks import Flock, LkRequest
from glusterio.wire.fops.names import (
    CreateReply,
    CreateRequest,
    LookupRequest,
    RmdirRequest,
    SymlinkRequest,
    UnlinkRequest,
)
from glusterio.wire.fops.xattrs import GetxattrRequest, SetxattrRequest, XattrsReply
from glusterio.wire.handshake import (
    DumpReply,
    GetspecRequest,
    PortByBrickReply,
    ProgramDetail,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.iatt import Iatt
from glusterio.wire.records import encode_call, encode_reply

GFID = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
ROOT = "00000000000000000000000000000001"
NULL_DICT = "00000000 ffffffff 00000000"
NO_IATT = "00" * 148


def test_a_call_header() -> None:
    credentials = encode_v3(
        Credentials(
            pid=1234,
            uid=1000,
            gid=1001,
            groups=(4, 27),
            lk_owner=b"ownership",
            flags=1,
            ctime=1_700_000_000_000_000_005,
        )
    )
    assert credentials == bytes.fromhex(
        "0005f398"  # flavor 390040
        "00000038"  # 56 bytes
        "000004d2 000003e8 000003e9 00000001"  # pid, uid, gid, flags
        "00000005 000000006553f100"  # nanoseconds, seconds
        "00000002 00000004 0000001b"  # two groups
        "00000009 6f776e657273686970 000000"  # lock owner, padded
        "00000000 00000000"  # verifier
    )
    assert (
        encode_call(7, 1298437, 400, 12, credentials, 64)
        == bytes.fromhex(
            "800000a0"  # last fragment, 24 + 72 + 64 bytes
            "00000007 00000000 00000002"  # xid, call, RPC version
            "0013d005 00000190 0000000c"  # program, version, procedure
        )
        + credentials
    )


def test_a_version_2_credential() -> None:
    assert encode_v2(Credentials(-1, 0, 0, (), bytes(8))) == bytes.fromhex(
        "0005f397"  # flavor 390039
        "0000001c"  # 28 bytes
        "ffffffff 00000000 00000000"  # pid, uid, gid
        "00000000"  # no groups
        "00000008 0000000000000000"  # lock owner
        "00000000 00000000"  # verifier
    )


def test_no_credential() -> None:
    assert encode_none() == bytes(16)


def test_a_reply_header() -> None:
    assert encode_reply(7, 8) == bytes.fromhex(
        "80000020"  # last fragment, 24 + 8 bytes
        "00000007 00000001 00000000"  # xid, reply, accepted
        "00000000 00000000 00000000"  # verifier, success
    )


IATT = Iatt(
    gfid=GFID,
    flags=0x1FFF,
    ino=0x08090A0B0C0D0E0F,
    dev=0x801,
    rdev=0,
    size=10,
    blocks=8,
    attributes=0,
    attributes_mask=0,
    atime=1,
    mtime=-2,
    ctime=3,
    btime=4,
    atime_nsec=5,
    mtime_nsec=6,
    ctime_nsec=7,
    btime_nsec=8,
    nlink=1,
    uid=1000,
    gid=1001,
    blksize=4096,
    mode=0o100644,
)
IATT_HEX = (
    "000102030405060708090a0b0c0d0e0f"
    "0000000000001fff"  # flags
    "08090a0b0c0d0e0f"  # ino
    "0000000000000801"  # dev
    "0000000000000000"  # rdev
    "000000000000000a"  # size
    "0000000000000008"  # blocks
    "0000000000000000"  # attributes
    "0000000000000000"  # attributes_mask
    "0000000000000001 fffffffffffffffe 0000000000000003 0000000000000004"  # a m c b times
    "00000005 00000006 00000007 00000008"  # their nanoseconds
    "00000001 000003e8 000003e9 00001000 000081a4"  # nlink uid gid blksize mode
)

GFID_HEX = GFID.hex()

EXAMPLES: dict[str, tuple[Any, str]] = {
    "OPEN": (
        OpenRequest(GFID, 0o2),
        GFID_HEX + "00000002" + NULL_DICT,
    ),
    "OPEN reply": (
        OpenReply(0, 22, {}, 3),
        "00000000 00000016 00000000 00000000 00000000 0000000000000003",
    ),
    "READ": (
        ReadRequest(GFID, -2, 4096, 512),
        GFID_HEX + "fffffffffffffffe 0000000000001000 00000200 00000000" + NULL_DICT,
    ),
    "READ reply": (
        ReadReply(5, 2, IATT, 5),
        "00000005 00000002" + IATT_HEX + "00000005" + NULL_DICT,
    ),
    "WRITE": (
        WriteRequest(GFID, 3, 1 << 40, 5, 0o2000),
        GFID_HEX + "0000000000000003 0000010000000000 00000005 00000400" + NULL_DICT,
    ),
    "WRITE reply": (
        ChangedReply(5, 0, None, Iatt(), IATT),
        "00000005 00000000" + NULL_DICT + NO_IATT + IATT_HEX,
    ),
    "CREATE": (
        CreateRequest(
            bytes(15) + b"\1", 0o102, 0o666, 0o22, "file", {"gfid-req": uuid.UUID(bytes=GFID)}
        ),
        ROOT + "00000042 000001b6 00000012"  # flags, mode, umask
        "00000004 66696c65"  # name
        "00000024 00000001 00000001"  # 36 bytes of one pair
        "00000009 676669642d72657100 000000"  # gfid-req with its NUL, padded
        "00000007" + GFID_HEX,
    ),
    "CREATE reply": (
        CreateReply(0, 0, None, IATT, 9),
        "00000000 00000000" + NULL_DICT + IATT_HEX + "0000000000000009" + NO_IATT * 2,
    ),
    "LOOKUP": (
        LookupRequest(pargfid=GFID, name="a", xdata={"glusterfs.content": 4096}),
        "00" * 16 + GFID_HEX + "00000000"  # flags
        "00000001 61000000"  # name
        "00000024 00000001 00000001"  # 36 bytes of one pair
        "00000012 676c757374657266732e636f6e74656e7400 0000"  # key with its NUL, padded
        "00000002 0000000000001000",
    ),
    "UNLINK": (
        UnlinkRequest(GFID, "ab", 0),
        GFID_HEX + "00000002 61620000 00000000" + NULL_DICT,
    ),
    "RMDIR": (
        RmdirRequest(GFID, 1, "ab"),
        GFID_HEX + "00000001 00000002 61620000" + NULL_DICT,
    ),
    "SYMLINK": (
        SymlinkRequest(GFID, "l", 0o22, "../t"),
        GFID_HEX + "00000001 6c000000 00000012 00000004 2e2e2f74" + NULL_DICT,
    ),
    "RELEASE": (
        ReleaseRequest(GFID, 3),
        GFID_HEX + "0000000000000003" + NULL_DICT,
    ),
    "SETXATTR": (
        SetxattrRequest(GFID, 1, {"user.a": b"v"}),
        GFID_HEX + "00000001 00000018 00000001 00000001"
        "00000007 757365722e6100 00"  # key with its NUL, padded
        "00000006 00000001 76000000" + NULL_DICT,  # opaque
    ),
    "GETXATTR": (
        GetxattrRequest(GFID, 6, "user.a"),
        GFID_HEX + "00000006 00000006 757365722e61 0000" + NULL_DICT,
    ),
    "GETXATTR reply": (
        XattrsReply(1, 0, None, {"a": "v"}),
        "00000001 00000000" + NULL_DICT + "00000014 00000001 00000001"
        "00000002 61000000 00000005 00000002 76000000"  # text with its NUL
         + NO_IATT * 2,
    ),
    "LK": (
        LkRequest(GFID, 3, 1, 1, Flock(1, 0, 10, 20, 99, b"owner")),
        GFID_HEX + "0000000000000003 00000001 00000001"  # fd, cmd, type
        "00000001 00000000 000000000000000a 0000000000000014 00000063"
        "00000005 6f776e6572 000000" + NULL_DICT,
    ),
    "READDIR reply without entries": (
        ReaddirReply(0, 2),
        "00000000 00000002" + NULL_DICT + "00000000",
    ),
    "READDIRP reply": (
        ReaddirpReply(
            2,
            2,
            None,
            (
                DirPlusEntry(15, 7, 5, 8, "hello", IATT, None),
                DirPlusEntry(1, 0x7FFFFFFFFFFFFFFF, 2, 4, "..", Iatt(), {"a": -1}),
            ),
        ),
        "00000002 00000002"
        + NULL_DICT
        + "00000001 000000000000000f 0000000000000007 00000005 00000008"
        + "00000005 68656c6c6f 000000"
        + IATT_HEX
        + NULL_DICT
        + "00000001 0000000000000001 7fffffffffffffff 00000002 00000004"
        + "00000002 2e2e 0000"
        + NO_IATT
        + "00000014 00000001 00000001 00000002 6100 0000 00000002 ffffffffffffffff"
        + "00000000",
    ),
    "SETVOLUME": (
        SetvolumeRequest({"fops-version": b"1298437\0", "x": b""}),
        "0000002b"  # 43 bytes, nothing padded inside
        "00000002"
        "0000000c 00000008 666f70732d76657273696f6e00 3132393834333700"
        "00000001 00000000 7800"
        "00",  # padding of the opaque
    ),
    "SETVOLUME reply": (
        SetvolumeReply(0, 22, {"ERROR": b"Success\0"}),
        "00000000 00000016 0000001a 00000001"
        "00000005 00000008 4552524f5200 5375636365737300"
        "0000",  # padding of the opaque
    ),
    "GETSPEC": (
        GetspecRequest(0, "gv0"),
        "00000000 00000003 67763000 00000000",
    ),
    "PORTBYBRICK reply": (
        PortByBrickReply(0, 0, 1, 49152),
        "00000000 00000000 00000001 0000c000",
    ),
    "DUMP reply": (
        DumpReply(5, 0, 0, (ProgramDetail("GF-DUMP", 123451501, 1),)),
        "0000000000000005 00000000 00000000"
        "00000001 00000007 47462d44554d5000 00000000075bb86d 0000000000000001"
        "00000000",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_is_these_bytes_and_these_bytes_are_the_message(name: str) -> None:
    message, text = EXAMPLES[name]
    expected = bytes.fromhex(text)
    assert messages.encode(message).hex(" ", 4) == expected.hex(" ", 4)
    tail = b"tail!" if name in ("READ reply", "WRITE") else b""
    decoded, rest = messages.decode_with_tail(type(message), expected + tail)
    assert decoded == message
    assert bytes(rest) == tail


def test_a_read_reply_without_extra_data_is_two_hundred_bytes_long() -> None:
    body = messages.encode(ReadReply())
    assert len(encode_reply(1, len(body)) + body) == 200


def test_numbers_and_text_get_a_nul_in_the_old_dictionary() -> None:
    with_python_values = SetvolumeRequest({"fops-version": 1298437, "x": "y", "z": b"\0\1"})
    with_bytes = SetvolumeRequest({"fops-version": b"1298437\0", "x": b"y\0", "z": b"\0\1"})
    assert messages.encode(with_python_values) == messages.encode(with_bytes)
