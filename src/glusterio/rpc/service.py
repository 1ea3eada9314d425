"""The server's side of a connection: requests in, replies matched by xid, and bounds on both.

A driver uses it so::

    if connection.wants_data:
        connection.received(n)                      # n bytes, put into connection.get_buffer()
    while request := connection.next_request(): ... # each gets one reply or refusal, in any order
    sock.sendmsg(connection.data_to_send())         # and connection.sent(n)

A client may send as much as it likes and read as slowly as it likes: what it makes us keep is bounded,
first by not taking its requests, then by not receiving them. A small request can have a large reply, so
requests that arrived together are taken one by one.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from glusterio.errors import LocalProtocolError, RemoteProtocolError
from glusterio.rpc.stream import MAX_RECORD, RecordStream
from glusterio.wire.credentials import encode_none
from glusterio.wire.programs import (
    AUTH_BAD_CREDENTIAL,
    MAX_AUTH_BYTES,
    RPC_VERSION,
    AcceptStat,
    MessageType,
    RejectStat,
    ReplyStat,
)
from glusterio.wire.records import (
    LAST_FRAGMENT,
    CallHeader,
    encode_call,
    encode_reply,
    parse_message,
)

#: Requests of one client that are being worked on.
MAX_PENDING: Final = 1024

#: Bytes of requests of one client that are being worked on.
MAX_PENDING_BYTES: Final = 64 * 1024 * 1024

#: Bytes of replies that wait for one client to take them. One more reply may come on top.
MAX_QUEUED: Final = 16 * 1024 * 1024

#: Replies up to this size leave in one buffer, in bytes: copying costs less than a second one.
_JOINED: Final = 8 * 1024

#: A call's header up to the length of its credential: xid, direction, RPC version, program, version,
#: procedure, flavor, length.
_HEAD: Final = struct.Struct(">8I")
_NO_VERIFIER: Final = bytes(8)

_VERSIONS: Final = struct.Struct(">2I")
_DENIAL: Final = struct.Struct(">6I")

Packet = bytes | bytearray | memoryview


class Request(NamedTuple):
    """A call that arrived.

    Attributes:
        xid: what the reply must repeat.
        program: the program's number.
        version: the program's version.
        procedure: the procedure within the program.
        header: the whole header, with the credential.
        record: the message, without its mark.
        body: where the arguments begin in it, in bytes.
        arrived: when the driver received it, on the driver's clock, in seconds.
    """

    xid: int
    program: int
    version: int
    procedure: int
    header: CallHeader
    record: bytes | bytearray | memoryview
    body: int
    arrived: float


class ServerConnection(RecordStream):
    """One client's connection.

    Args:
        name: who the client is, for messages.
        max_record: the longest record accepted, in bytes.
        max_pending: how many requests may be under way before no more are taken.
        max_pending_bytes: how many bytes of requests, likewise.
        max_queued: how many bytes of replies may wait for the client before no more requests are taken.

    Attributes:
        pending: the requests that have no reply yet, by xid.
        now: the time, on the driver's clock; the driver sets it before it hands over what it received.
        wake: called when there is something to send that answers no request; the driver sets it.
        too_long: answers a request whose record is over the limit; the request has but its beginning.
            Also given how long it is, in bytes. Without it such a record ends the connection.
        bytes_in: bytes received so far.
        bytes_out: bytes sent so far.
    """

    def __init__(
        self,
        name: str,
        max_record: int = MAX_RECORD,
        max_pending: int = MAX_PENDING,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        super().__init__(max_record)
        self.name = name
        self.max_pending = max_pending
        self.max_pending_bytes = max_pending_bytes
        self.max_queued = max_queued
        self.pending: dict[int, Request] = {}
        self.pending_bytes = 0
        self.queued_bytes = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.now = 0.0
        self.wake: Callable[[], None] | None = None
        self.too_long: Callable[[Request, int], None] | None = None
        self._arrived: deque[Request] = deque()
        self._arrived_bytes = 0
        self._outgoing: deque[Packet] = deque()
        self._callback_xids = itertools.count(1)

    def accept_records(self, max_record: int) -> None:
        """Change how long a record may be: a client that has proved itself may send longer ones."""
        self._max_record = max_record

    # -- receiving --------------------------------------------------------------------------------

    @property
    def wants_data(self) -> bool:
        """Whether more should be received now."""
        return not self._arrived and self.has_room

    @property
    def has_room(self) -> bool:
        """Whether another request may be taken."""
        return (
            len(self.pending) - len(self._arrived) < self.max_pending
            and self.pending_bytes - self._arrived_bytes < self.max_pending_bytes
            and self.queued_bytes < self.max_queued
        )

    @property
    def has_request(self) -> bool:
        """Whether :meth:`next_request` would return one."""
        return bool(self._arrived) and self.has_room

    def received(self, count: int) -> None:
        """Take ``count`` bytes.

        Raises:
            RemoteProtocolError: the client broke the protocol; the connection is of no further use.
        """
        self.bytes_in += count
        self.feed(count)

    def next_request(self) -> Request | None:
        """Return the next request, ``None`` when none is there or too much is under way already."""
        arrived = self._arrived
        if arrived and self.has_room:
            request = arrived.popleft()
            self._arrived_bytes -= len(request.record)
            return request
        return None

    def on_record(self, view: memoryview) -> None:
        self._take(bytes(view))

    def on_long_record(self, store: memoryview) -> None:
        self._take(store)

    def on_too_long(self, length: int) -> None:
        if self.too_long is None or length > MAX_RECORD:
            super().on_too_long(length)

    def on_beginning(self, view: memoryview, length: int) -> None:
        request = self._request(bytes(view))
        assert self.too_long is not None
        self.too_long(request, length)

    def _take(self, record: bytes | bytearray | memoryview) -> None:
        request = self._request(record)
        self._arrived_bytes += len(record)
        self._arrived.append(request)

    def _request(self, record: bytes | bytearray | memoryview) -> Request:
        header = _usual_header(record)
        if header is None:
            parsed = parse_message(memoryview(record))
            if not isinstance(parsed, CallHeader):
                raise RemoteProtocolError(f"{self.name}: a reply to a server")
            header = parsed
        xid = header.xid
        if xid in self.pending:
            raise RemoteProtocolError(f"{self.name}: xid {xid} twice at the same time")
        request = Request(
            xid,
            header.program,
            header.version,
            header.procedure,
            header,
            record,
            header.body,
            self.now,
        )
        self.pending[xid] = request
        self.pending_bytes += len(record)
        return request

    # -- answering --------------------------------------------------------------------------------

    def reply(self, xid: int, *body: Packet) -> None:
        """Answer a request. The buffers are sent as they are, and must not change any more.

        Raises:
            LocalProtocolError: there is no such request, or the reply does not fit in a record.
        """
        size = sum(map(len, body))
        head = encode_reply(xid, size)
        if size <= _JOINED:
            self._answer(xid, b"".join((head, *body)), ())
        else:
            self._answer(xid, head, body)

    def refuse(self, xid: int, accept_stat: int) -> None:
        """Tell that a request could not be taken.

        Args:
            xid: the request's.
            accept_stat: an :class:`~glusterio.wire.programs.AcceptStat` other than ``SUCCESS`` and
                ``PROG_MISMATCH``.
        """
        self._answer(xid, encode_reply(xid, 0, accept_stat), ())

    def refuse_version(self, xid: int, low: int, high: int) -> None:
        """Tell that the program is offered, but only in these versions."""
        versions = _VERSIONS.pack(low, high)
        head = encode_reply(xid, len(versions), AcceptStat.PROG_MISMATCH)
        self._answer(xid, head, (versions,))

    def deny(self, xid: int, reason: int = AUTH_BAD_CREDENTIAL) -> None:
        """Tell that the credential is refused, and why: an ``auth_stat``."""
        denial = _DENIAL.pack(
            LAST_FRAGMENT | _DENIAL.size - 4,
            xid,
            MessageType.REPLY,
            ReplyStat.DENIED,
            RejectStat.AUTH_ERROR,
            reason,
        )
        self._answer(xid, denial, ())

    def _answer(self, xid: int, head: bytes, body: tuple[Packet, ...]) -> None:
        request = self.pending.pop(xid, None)
        if request is None:
            raise LocalProtocolError(f"{self.name}: an answer to nothing (xid {xid})")
        self.pending_bytes -= len(request.record)
        self._queue(head, *body)

    # -- sending ----------------------------------------------------------------------------------

    def callback(self, program: int, version: int, procedure: int, body: bytes) -> None:
        """Call the client. There is no reply to it."""
        xid = next(self._callback_xids) & 0xFFFFFFFF
        credentials = encode_none()
        self._queue(encode_call(xid, program, version, procedure, credentials, len(body)), body)
        if self.wake is not None:
            self.wake()

    def _queue(self, *packets: Packet) -> None:
        for packet in packets:
            if len(packet):
                self._outgoing.append(packet)
                self.queued_bytes += len(packet)

    @property
    def has_data_to_send(self) -> bool:
        """Whether :meth:`data_to_send` would return anything."""
        return bool(self._outgoing)

    def data_to_send(self, limit: int = 64) -> list[Packet]:
        """Return up to ``limit`` buffers to be sent next, in order; empty when there are none."""
        outgoing = self._outgoing
        return list(outgoing) if len(outgoing) <= limit else list(itertools.islice(outgoing, limit))

    def sent(self, count: int) -> None:
        """Take note that ``count`` bytes of :meth:`data_to_send` have left."""
        outgoing = self._outgoing
        self.queued_bytes -= count
        self.bytes_out += count
        if not self.queued_bytes:
            outgoing.clear()
            return
        while count:
            size = len(outgoing[0])
            if count < size:
                outgoing[0] = memoryview(outgoing[0])[count:]
                return
            count -= size
            outgoing.popleft()


def _usual_header(record: bytes | bytearray | memoryview) -> CallHeader | None:
    """Read the header of a call as every client sends it; ``None`` when it needs a closer look."""
    if len(record) < _HEAD.size:
        return None
    xid, direction, rpc_version, program, version, procedure, flavor, length = _HEAD.unpack_from(
        record
    )
    end = _HEAD.size + length
    if (
        direction != MessageType.CALL
        or rpc_version != RPC_VERSION
        or length & 3
        or length > MAX_AUTH_BYTES
        or record[end : end + 8] != _NO_VERIFIER
    ):
        return None
    credentials = bytes(record[_HEAD.size : end])
    return CallHeader(xid, end + 8, program, version, procedure, flavor, credentials)
