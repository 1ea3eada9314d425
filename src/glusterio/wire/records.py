"""Record marks and RPC headers (RFC 5531 sections 9 and 11).

A record is a mark of four bytes and a message. The functions that encode give the mark, the header
and, for a call, the credential of a message whose body the caller sends behind them, so that a body
never has to be copied to be sent.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from glusterio.errors import LocalProtocolError, RemoteProtocolError
from glusterio.wire.credentials import Credentials
from glusterio.wire.credentials import decode as decode_credentials
from glusterio.wire.programs import (
    MAX_AUTH_BYTES,
    RPC_VERSION,
    AcceptStat,
    MessageType,
    RejectStat,
    ReplyStat,
)
from glusterio.wire.xdr import Unpacker

MARK_SIZE: Final = 4
#: Set in the mark of a record's last fragment. GlusterFS sends every message as one fragment.
LAST_FRAGMENT: Final = 0x80000000
#: The longest message that a mark can announce, in bytes.
MAX_RECORD: Final = 0x7FFFFFFF

_CALL: Final = struct.Struct(">7I")
_REPLY: Final = struct.Struct(">7I")
_CALL_HEADER_SIZE: Final = _CALL.size - MARK_SIZE
#: The size of a reply's header without the mark, when the call was accepted, in bytes.
REPLY_HEADER_SIZE: Final = _REPLY.size - MARK_SIZE
#: What follows the xid in the header of a reply with which nothing is wrong.
_SUCCESS: Final = struct.pack(
    ">5I", MessageType.REPLY, ReplyStat.ACCEPTED, 0, 0, AcceptStat.SUCCESS
)


class CallHeader(NamedTuple):
    """The header of a call.

    Attributes:
        xid: what the reply must repeat.
        body: where the body begins, in bytes from the beginning of the message.
        program: the program's number.
        version: the program's version.
        procedure: the procedure within the program.
        flavor: the kind of credential.
        credentials: the credential's body, as it came. :meth:`caller` decodes it.
    """

    xid: int
    body: int
    program: int
    version: int
    procedure: int
    flavor: int
    credentials: bytes

    def caller(self) -> Credentials:
        """Decode the credential.

        Raises:
            RemoteProtocolError: the flavor is unknown or the bytes do not decode.
        """
        return decode_credentials(self.flavor, self.credentials)


class ReplyHeader(NamedTuple):
    """The header of a reply.

    Attributes:
        xid: that of the call.
        body: where the body begins, in bytes from the beginning of the message.
        reply_stat: a :class:`~glusterio.wire.programs.ReplyStat`.
        accept_stat: an :class:`~glusterio.wire.programs.AcceptStat`; -1 when the call was denied.
        reject_stat: a :class:`~glusterio.wire.programs.RejectStat`; -1 when the call was accepted.
        low: the lowest version offered, when versions mismatch; the reason (``auth_stat``) when the
            credential was refused.
        high: the highest version offered, when versions mismatch.
    """

    xid: int
    body: int
    reply_stat: int = ReplyStat.ACCEPTED
    accept_stat: int = AcceptStat.SUCCESS
    reject_stat: int = -1
    low: int = 0
    high: int = 0


def record_length(mark: int) -> int:
    """Tell how many bytes follow a record mark.

    Raises:
        RemoteProtocolError: the fragment is not its record's last. GlusterFS never splits a record.
    """
    if not mark & LAST_FRAGMENT:
        raise RemoteProtocolError("a record in several fragments")
    return mark & MAX_RECORD


def encode_call(
    xid: int, program: int, version: int, procedure: int, credentials: bytes, body_length: int
) -> bytes:
    """Encode what precedes the body of a call: record mark, header, credential and verifier.

    Args:
        xid: number of the call, unique among those under way on the connection.
        program: the program's number.
        version: the program's version.
        procedure: the procedure within the program.
        credentials: what one of the encoders of :mod:`glusterio.wire.credentials` gave.
        body_length: how many bytes the caller will send after these, raw data included.

    Raises:
        LocalProtocolError: a number that does not fit, or a message too long for one record.
    """
    length = _CALL_HEADER_SIZE + len(credentials) + body_length
    if length > MAX_RECORD:
        raise LocalProtocolError(f"a message of {length} bytes does not fit in a record")
    try:
        header = _CALL.pack(
            LAST_FRAGMENT | length,
            xid,
            MessageType.CALL,
            RPC_VERSION,
            program,
            version,
            procedure,
        )
    except struct.error as error:
        raise LocalProtocolError(f"call header: {error}") from None
    return header + credentials


def encode_reply(xid: int, body_length: int, accept_stat: int = AcceptStat.SUCCESS) -> bytes:
    """Encode what precedes the body of a reply to a call that was accepted.

    Args:
        xid: that of the call.
        body_length: how many bytes the caller will send after these, raw data included. For
            ``PROG_MISMATCH`` the body is the lowest and the highest version, as two words.
        accept_stat: an :class:`~glusterio.wire.programs.AcceptStat`.

    Raises:
        LocalProtocolError: a number that does not fit, or a message too long for one record.
    """
    length = REPLY_HEADER_SIZE + body_length
    if length > MAX_RECORD:
        raise LocalProtocolError(f"a message of {length} bytes does not fit in a record")
    try:
        return _REPLY.pack(
            LAST_FRAGMENT | length,
            xid,
            MessageType.REPLY,
            ReplyStat.ACCEPTED,
            0,
            0,
            accept_stat,
        )
    except struct.error as error:
        raise LocalProtocolError(f"reply header: {error}") from None


def parse_message(view: memoryview | bytes) -> CallHeader | ReplyHeader:
    """Take the header off a message.

    Args:
        view: a record without its mark.

    Raises:
        RemoteProtocolError: neither a call nor a reply, or bytes that do not decode.
    """
    unpacker = Unpacker(view)
    xid = unpacker.u32()
    if view[unpacker.offset : REPLY_HEADER_SIZE] == _SUCCESS:
        return ReplyHeader(xid, REPLY_HEADER_SIZE)
    direction = unpacker.u32()
    if direction == MessageType.CALL:
        return _parse_call(xid, unpacker)
    if direction == MessageType.REPLY:
        return _parse_reply(xid, unpacker)
    raise RemoteProtocolError(f"a message that is neither call nor reply: {direction}")


def _parse_call(xid: int, unpacker: Unpacker) -> CallHeader:
    rpc_version = unpacker.u32()
    if rpc_version != RPC_VERSION:
        raise RemoteProtocolError(f"RPC version {rpc_version}")
    program, version, procedure = unpacker.u32(), unpacker.u32(), unpacker.u32()
    flavor, body = unpacker.u32(), unpacker.opaque(MAX_AUTH_BYTES)
    _skip_verifier(unpacker)
    return CallHeader(xid, unpacker.offset, program, version, procedure, flavor, body)


def _parse_reply(xid: int, unpacker: Unpacker) -> ReplyHeader:
    reply_stat = unpacker.u32()
    if reply_stat == ReplyStat.DENIED:
        return _parse_denial(xid, unpacker)
    if reply_stat != ReplyStat.ACCEPTED:
        raise RemoteProtocolError(f"reply_stat {reply_stat}")
    _skip_verifier(unpacker)
    accept_stat = unpacker.u32()
    if accept_stat > AcceptStat.SYSTEM_ERR:
        raise RemoteProtocolError(f"accept_stat {accept_stat}")
    low = high = 0
    if accept_stat == AcceptStat.PROG_MISMATCH:
        low, high = unpacker.u32(), unpacker.u32()
    return ReplyHeader(xid, unpacker.offset, reply_stat, accept_stat, low=low, high=high)


def _parse_denial(xid: int, unpacker: Unpacker) -> ReplyHeader:
    reject_stat = unpacker.u32()
    if reject_stat == RejectStat.RPC_MISMATCH:
        low, high = unpacker.u32(), unpacker.u32()
    elif reject_stat == RejectStat.AUTH_ERROR:
        low, high = unpacker.u32(), 0
    else:
        raise RemoteProtocolError(f"reject_stat {reject_stat}")
    return ReplyHeader(xid, unpacker.offset, ReplyStat.DENIED, -1, reject_stat, low, high)


def _skip_verifier(unpacker: Unpacker) -> None:
    unpacker.u32()
    unpacker.opaque(MAX_AUTH_BYTES)
