"""The client's side of a connection: requests out, replies matched by xid, and the ping clock.

A driver uses it so::

    connection.submit(reply)                    # when a coroutine awaits the reply
    sock.sendmsg(connection.data_to_send())     # and connection.sent(n)
    n = sock.recv_into(connection.get_buffer())
    for reply in connection.received(n): ...    # resume who waits
    for reply in connection.tick(now): ...      # now and then

Two halves, which threads may use at the same time: *sending* (``submit``, ``data_to_send``, ``sent``)
and *receiving* (``get_buffer``, ``received``); each needs a lock of its own, and ``fail``, ``tick`` and
``abandon`` need both. They meet only in ``pending``, by single dictionary operations.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from glusterio.errors import (
    AuthRejectedError,
    ConnectionLostError,
    RecordTooLongError,
    Refusal,
    RemoteProtocolError,
    VersionMismatchError,
)
from glusterio.rpc.stream import DIRECT, MAX_RECORD, RecordStream
from glusterio.traps import Reply
from glusterio.wire.credentials import encode_none
from glusterio.wire.programs import AUTH_REJECTED_CREDENTIAL, DUMP, DumpProc
from glusterio.wire.records import (
    LAST_FRAGMENT,
    MARK_SIZE,
    REPLY_HEADER_SIZE,
    ReplyHeader,
    encode_call,
    parse_message,
)

# xid, direction, reply_stat, verifier flavor, verifier length, accept_stat: the usual reply header.
_HEADER = struct.Struct(">6I")
_XID_AND_DIRECTION = struct.Struct(">2I")
_USUAL = (1, 0, 0, 0, 0)
#: The same with the mark before it: mark, xid, the rest. What is usual in the rest; and what a mark
#: holds, for a size that counts the mark.
_MARKED = struct.Struct(">2I20s")
_USUAL_HEAD = struct.pack(">5I", *_USUAL)
_MARK_OF_NOTHING = LAST_FRAGMENT - MARK_SIZE
_HEAD_SIZE = _MARKED.size
_unpack_head = _MARKED.unpack_from

#: So many buffers are sent at once; a system call takes up to 1024.
MANY = 512

#: What a server may send us unasked is bounded, too: callbacks not yet taken by the driver.
MAX_MESSAGES = 10_000

#: How long one of these may be, in bytes. GlusterFS's are a few hundred.
MAX_MESSAGE = 4 * DIRECT

#: How much longer than the data that has a place already a reply may be, in bytes. The longest that are
#: meant are those to a READ of 16 MiB (:data:`glusterio.api.handles.TRANSFER`) without one. What a
#: dictionary or a listing decodes to takes some ten times as much.
MAX_REPLY = 17 * 1024 * 1024

#: A peer that has not sent so many bytes of a record since it was heard last is silent.
PROGRESS = 4096

#: A driver that comes so many seconds later than it meant to has slept: see :meth:`Connection.tick`.
LATE = 0.1

Packet = bytes | bytearray | memoryview


class Connection(RecordStream):
    """One connection to one server.

    Args:
        name: whom we talk to, for messages: ``"brick host:49152"``.
        ping_timeout: seconds of silence, while something is asked for, after which the peer counts
            as dead (GlusterFS: network.ping-timeout, 42). 0 turns pings off.
        max_record: the longest record accepted, in bytes.
        on_lost: called once, with the error, when the connection has ended for whatever reason; once
            more, if that was interrupted.
        on_message: called with each record that the server sent unasked (the callback program).
    """

    def __init__(
        self,
        name: str,
        ping_timeout: float = 42.0,
        max_record: int = MAX_RECORD,
        on_lost: Callable[[Exception], None] | None = None,
        on_message: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(max_record)
        self.name = name
        #: nobody waits for what comes on it: no driver need be quick about it
        self.quiet = False
        self.ping_timeout = ping_timeout
        self.on_lost = on_lost
        self.on_message = on_message
        #: the driver's socket, transport or simulated wire; ``None`` before and after
        self.link: object | None = None
        #: why the connection has ended; ``None`` while it has not
        self.lost: Exception | None = None
        #: requests without a reply yet, by xid
        self.pending: dict[int, Reply] = {}
        #: records that the server sent unasked, which :meth:`messages` returns
        self.unasked: list[bytes] = []
        #: what is to be sent, in order: each request with those of its buffers that have not left
        self.outgoing: deque[tuple[Reply, list[Packet]]] = deque()
        self._usual_size = MARK_SIZE + min(DIRECT, max_record)
        #: returns a number for the next request, unique among those outstanding
        self.next_xid: Callable[[], int] = map(0xFFFFFFFF.__and__, itertools.count(1)).__next__
        #: the replies that were returned last, for a driver that was interrupted before it handed
        #: them out; it empties the list when it has
        self.came: list[Reply] = []
        self._completed: list[Reply] = []
        self._tail_reply: Reply | None = None
        self._heard = True  # anything whole received since the last tick, or much of it
        self._dribble = 0  # bytes that came since of what is not whole
        self._silent_since: float | None = None
        self._ping: Reply | None = None

    # -- sending ----------------------------------------------------------------------------------

    def submit(self, reply: Reply) -> None:
        """Queue a request.

        Raises:
            ConnectionLostError: the connection has ended, or the request was given up meanwhile; it was
                not sent.
        """
        if self.lost is not None:
            raise self._why_lost(reply)
        if reply.done:  # abandoned by another thread before it got here
            raise ConnectionLostError(
                f"{self.name}: given up before it was sent", may_have_happened=False
            )
        reply.submitted = True
        self.pending[reply.xid] = reply
        self.outgoing.append((reply, list(reply.packet)))

    def data_to_send(self, limit: int = MANY) -> list[Packet]:
        """Return up to ``limit`` buffers to be sent next, in order; empty when there are none."""
        outgoing = self.outgoing
        if len(outgoing) == 1:
            return outgoing[0][1]
        buffers: list[Packet] = []
        for _, packet in outgoing:
            buffers += packet
            if len(buffers) >= limit:
                break
        return buffers

    def sent(self, count: int) -> bool:
        """Take note that ``count`` bytes of :meth:`data_to_send` have left.

        Returns:
            Whether there is more to be sent.
        """
        outgoing = self.outgoing
        if len(outgoing) == 1:
            reply, packet = outgoing[0]
            size = len(packet[0]) if len(packet) == 1 else sum(map(len, packet))
            if size == count:  # all of it, as mostly
                reply.sent = True
                outgoing.clear()
                return False
        while outgoing:
            reply, packet = outgoing[0]
            size = len(packet[0])
            if count < size:
                if count:
                    reply.sent = True
                    packet[0] = memoryview(packet[0])[count:]
                return True
            if size:  # an empty part goes with what is before it
                reply.sent = True
            count -= size
            del packet[0]
            if not packet:
                outgoing.popleft()
        return False

    def all_sent(self) -> None:
        """Take note that all has left; :meth:`data_to_send` gave fewer than :data:`MANY` buffers."""
        for reply, _ in self.outgoing:
            reply.sent = True
        self.outgoing.clear()

    def hand_over(self, limit: int = MANY) -> list[Packet]:
        """Return what :meth:`data_to_send` would, and take note that all of it has left.

        For a transport that takes whatever it is given.
        """
        outgoing = self.outgoing
        buffers: list[Packet] = []
        while outgoing and len(buffers) < limit:
            reply, packet = outgoing.popleft()
            reply.sent = True
            buffers += packet
        return buffers

    @property
    def has_data_to_send(self) -> bool:
        """Whether :meth:`data_to_send` would return anything."""
        return bool(self.outgoing)

    # -- receiving --------------------------------------------------------------------------------

    def may_come_alone(self) -> bool:
        """Tell whether :meth:`received_just` may be asked about the bytes that come next."""
        return not self._end and self._place is None

    def received_just(self, reply: Reply, count: int) -> bool:
        """Take ``count`` bytes, if they are the whole reply to a request, and nothing else.

        That is what comes for a single request under way, and takes half of what :meth:`received` does.

        Returns:
            Whether it is so; if not, nothing has been taken.

        Raises:
            RemoteProtocolError: more data than the caller has room for.
        """
        if not _HEAD_SIZE <= count <= self._usual_size or _unpack_head(self._view) != (
            _MARK_OF_NOTHING + count,
            reply.xid,
            _USUAL_HEAD,
        ):
            return False
        self._heard = True
        record = self._view[MARK_SIZE:count]
        if reply.sink is not None:
            record = self._take_tail(reply, record)
        reply.record = record.tobytes()
        reply.done = True
        self.came = [reply]
        del self.pending[reply.xid]
        return True

    def received(self, count: int) -> list[Reply]:
        """Take ``count`` bytes and return the replies that they complete.

        Replies that are whole, small, and headed as usual are matched right here; anything else goes
        the general way (:meth:`feed`). That takes 1 us for a reply, where the general way takes 4.

        Raises:
            RemoteProtocolError: the peer broke the protocol: call :meth:`fail` with this error.
        """
        completed = self._completed
        if self._place is None:
            view, pending = self._view, self.pending
            start, end = self._start, self._end + count
            while end - start >= _MARKED.size:
                mark, xid, head = _MARKED.unpack_from(view, start)
                size = mark - _MARK_OF_NOTHING
                reply = pending.get(xid)
                if (
                    reply is None
                    or head != _USUAL_HEAD
                    or not _MARKED.size <= size <= self._usual_size
                    or start + size > end
                ):
                    break
                record = view[start + MARK_SIZE : start + size]
                if reply.sink is not None:
                    record = self._take_tail(reply, record)
                reply.record = record.tobytes()
                reply.done = True
                del pending[xid]
                completed.append(reply)
                start += size
            if start == end:
                self._heard = True
                self._start = self._end = 0
                self.came, self._completed = completed, []
                return completed
            self._start = start
        self.feed(count)
        self._dribble += count
        if self._completed or self._dribble >= PROGRESS:
            self._heard = True
        self.came, self._completed = self._completed, []
        return self.came

    def messages(self) -> list[bytes]:
        """Return the records that the server sent unasked, since the last time."""
        if not self.unasked:
            return self.unasked
        messages, self.unasked = self.unasked, []
        return messages

    def on_record(self, view: memoryview) -> None:
        if len(view) < 8:
            raise RemoteProtocolError(f"{self.name}: a record of {len(view)} bytes")
        xid, direction = _XID_AND_DIRECTION.unpack_from(view)
        if direction == 0:
            self._take_message(bytes(view))
            return
        reply = self._match(xid)
        self._complete(reply, bytes(self._take_tail(reply, view)))

    def on_long_record(self, store: memoryview) -> None:
        xid, direction = _XID_AND_DIRECTION.unpack_from(store)
        if direction == 0:
            self._take_message(bytes(store))
        else:
            reply = self._match(xid)
            head = len(self._take_tail(reply, memoryview(store)))
            self._complete(reply, store if head == len(store) else store[:head])

    def place_for(self, view: memoryview, length: int) -> tuple[memoryview, int] | None:
        xid, direction = _XID_AND_DIRECTION.unpack_from(view)
        if direction == 0:
            if length > MAX_MESSAGE:
                raise RecordTooLongError(f"{self.name}: {length} bytes that nobody asked for")
            return None
        reply = self._match(xid)
        room = reply.room if reply.sink is None else len(reply.sink)
        if length > MAX_REPLY + room:
            raise RecordTooLongError(
                f"{self.name}: a reply of {length} bytes, where {room} bytes of data was asked for"
            )
        if reply.locate is None or reply.sink is None:
            return None
        offset = reply.locate(view)
        if offset is None or offset > len(view):
            return None  # what precedes the tail is not all there yet: the whole is stored
        size = length - offset
        if size > len(reply.sink):
            raise RemoteProtocolError(f"{self.name}: more data than was asked for")
        reply.record = bytes(view[:offset])
        reply.received = size
        self._tail_reply = reply
        return reply.sink[:size], offset

    def on_tail(self) -> None:
        reply, self._tail_reply = self._tail_reply, None
        assert reply is not None
        self._complete(self._match(reply.xid), reply.record)

    def _match(self, xid: int) -> Reply:
        # It stays pending until it is complete: should it turn out malformed, fail() tells its caller.
        reply = self.pending.get(xid)
        if reply is None:
            raise RemoteProtocolError(f"{self.name}: a reply to nothing (xid {xid})")
        return reply

    def _take_tail(self, reply: Reply, view: memoryview) -> memoryview:
        """Copy a whole record's tail to the reply's sink, if it has both; return what precedes it."""
        locate, sink = reply.locate, reply.sink
        offset = locate(view) if locate is not None and sink is not None else None
        if offset is None or sink is None:
            return view
        tail = view[offset:]
        if len(tail) > len(sink):
            raise RemoteProtocolError(f"{self.name}: more data than was asked for")
        sink[: len(tail)] = tail
        reply.received = len(tail)
        return view[:offset]

    def _complete(self, reply: Reply, record: bytes | bytearray | memoryview) -> None:
        reply.record = record
        if len(record) < REPLY_HEADER_SIZE or _HEADER.unpack_from(record)[1:] != _USUAL:
            reply.error = self._refusal(record)
        reply.done = True
        del self.pending[reply.xid]
        self._completed.append(reply)

    def _refusal(self, record: bytes | bytearray | memoryview) -> Exception:
        """Return the error for a reply by which the server refuses a request.

        Raises:
            RemoteProtocolError: it is no reply that a server could mean.
        """
        header = parse_message(memoryview(record))
        if not isinstance(header, ReplyHeader):
            raise RemoteProtocolError(f"{self.name}: neither a call nor a reply")
        if header.reply_stat and header.low == AUTH_REJECTED_CREDENTIAL:
            return AuthRejectedError(
                f"{self.name}: the request was denied: the server takes requests from source ports"
                " below 1024 only, which root alone may have (server.allow-insecure)",
                reason=Refusal.PORT,
            )
        if header.reply_stat:
            return AuthRejectedError(f"{self.name}: the request was denied")
        if header.accept_stat in (1, 2, 3):
            return VersionMismatchError(
                f"{self.name}: the server does not offer this program or procedure"
                f" (accept_stat {header.accept_stat})"
            )
        if header.accept_stat:
            return RemoteProtocolError(
                f"{self.name}: the server could not take the request"
                f" (accept_stat {header.accept_stat})"
            )
        # An accepted reply with a verifier: allowed, though no GlusterFS sends it. None of our
        # decoders would find the body.
        raise RemoteProtocolError(f"{self.name}: a reply with a verifier")

    def _take_message(self, record: bytes) -> None:
        if len(self.unasked) >= MAX_MESSAGES:
            raise RemoteProtocolError(f"{self.name}: too many messages nobody asked for")
        self._heard = True
        self.unasked.append(record)

    def refuse(self, reply: Reply) -> NoReturn:
        """Say why a request cannot be sent, where the connection has no link.

        Raises:
            ConnectionLostError: always; as :meth:`submit` raises it if the connection was lost.
        """
        if self.lost is not None:
            self.submit(reply)
        raise ConnectionLostError(f"{self.name}: not connected", may_have_happened=False)

    # -- giving up --------------------------------------------------------------------------------

    def abandon(self, reply: Reply) -> bool:
        """Let go of a request: its caller does not wait any more and wants its buffers back.

        A request of which nothing has left is taken back. For any other the reply is still expected,
        since the xid and the server's work are; ``settled`` tells when it has come.

        Returns:
            ``True`` when the request was taken back: it will never happen.
        """
        reply.fiber = None
        if reply.done:
            return False
        if not reply.submitted:
            reply.error = ConnectionLostError(
                f"{self.name}: given up before it was sent", may_have_happened=False
            )
            reply.done = True
            return True
        for position, (queued, packet) in enumerate(self.outgoing):
            if queued is reply:
                if not reply.sent:
                    del self.outgoing[position]
                    reply.packet = ()
                    self.pending.pop(reply.xid, None)
                    reply.error = ConnectionLostError(
                        f"{self.name}: given up before it was sent", may_have_happened=False
                    )
                    reply.done = True
                    return True
                # The stream must go on; the caller's buffer must not be read any more.
                packet[:] = [b"".join(bytes(part) for part in packet)]
                break
        if self._tail_reply is reply:
            self.redirect()
        reply.packet = ()
        if reply.sink is not None:
            reply.room = len(reply.sink)
        reply.sink = None
        reply.locate = None
        return False

    def eof(self) -> list[Reply]:
        """The peer has closed its side. Returns the requests that this fails."""
        return self.fail(ConnectionLostError(f"{self.name}: the connection was closed"))

    def fail(self, error: Exception) -> list[Reply]:
        """End the connection. Harmless when repeated.

        Args:
            error: why; each request gets an error of this kind, with its own ``may_have_happened``.

        Returns:
            The requests that were outstanding, now done with an error; before them those that were
            answered well, but not handed on by :meth:`received` since what followed was malformed.
        """
        if self.lost is not None:
            return []
        if isinstance(error, RemoteProtocolError):
            error = self.blame(error)
        came: list[Reply] = []
        try:
            self._fail(error, came)
        except BaseException:  # an interrupt, in the middle of it: twice does no harm
            self._fail(error, came)
            raise
        return came

    def _fail(self, error: Exception, came: list[Reply]) -> None:
        self.lost = error
        self._tail_reply = None
        self._place = None
        failed = list(self.pending.values())
        for reply in failed:
            reply.error = self._why_lost(reply)
            reply.done = True
        came += self._completed + failed
        self.came = came
        self._completed = []
        self.pending.clear()
        self.outgoing.clear()
        if self.on_lost is not None:
            self.on_lost(error)

    def blame(self, error: RemoteProtocolError) -> RemoteProtocolError:
        """Return an error that says whose bytes they were."""
        message = str(error.args[-1])
        if not message.startswith(f"{self.name}: "):
            message = f"{self.name}: {message}"
        return type(error)(message)

    def _why_lost(self, reply: Reply) -> Exception:
        lost = self.lost
        if isinstance(lost, RemoteProtocolError):
            return type(lost)(str(lost.args[-1]))
        return ConnectionLostError(
            str(lost.args[-1]) if lost is not None and lost.args else f"{self.name}: lost",
            may_have_happened=reply.sent,
        )

    # -- the ping clock ---------------------------------------------------------------------------

    @property
    def doubted(self) -> bool:
        """Whether a ping is out: a driver then takes what has come before it calls :meth:`tick`."""
        return self._ping is not None

    def tick(self, now: float, late: float = 0.0) -> list[Reply]:
        """Let time pass: send a ping when the peer is silent, end the connection when it stays so.

        The clock runs only while something is asked for, as in GlusterFS
        (rpc/rpc-lib/src/rpc-clnt-ping.c). Nothing on the path of a request reads the clock.

        Args:
            now: seconds on any clock that never goes back.
            late: how much later this comes than it was meant to, in seconds: the process was stopped,
                or busy with something else. From :data:`LATE` on that is not the peer's silence. The
                time between ticks that was meant to be counts, so a dead peer is found all the same.

        Returns:
            The requests that failed, when this ended the connection. A ping may be waiting to be sent.
        """
        if self._heard or not self.pending or self._silent_since is None:
            self._heard = False
            self._dribble = 0
            self._silent_since = now
            if self._ping is not None and self._ping.done:
                self._ping = None
            return []
        if late >= LATE:
            self._silent_since += late
        silent = now - self._silent_since
        if not self.ping_timeout or self.lost is not None:
            return []
        if self._ping is not None and silent >= self.ping_timeout:
            return self.fail(
                ConnectionLostError(
                    f"{self.name}: no answer for {silent:.1f} s (network.ping-timeout)"
                )
            )
        if self._ping is None and silent >= self.ping_timeout / 4:
            xid = self.next_xid()
            packet = encode_call(xid, *DUMP, DumpProc.PING, encode_none(), 0)
            self._ping = Reply(self, xid, (packet,))
            self.submit(self._ping)
            # If we were stopped for long, that was not the peer's silence: the ping gets its time.
            self._silent_since = now - self.ping_timeout / 4
        return []

    def __repr__(self) -> str:
        state = "lost" if self.lost is not None else "up" if self.link is not None else "down"
        return f"<Connection {self.name} {state} pending={len(self.pending)}>"
