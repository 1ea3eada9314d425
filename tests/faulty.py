"""A faulty transport: a TCP proxy on the loopback that breaks what passes, as told.

    with FaultyProxy(("127.0.0.1", brick_port)) as proxy:
        session = connect(..., port=proxy.port)
        proxy.drop_replies(1)
        ...
        proxy.wait_for(lambda: proxy.dropped == 1)

One thread serves all connections; `stop` ends it and closes everything. A fault is in force when
the call that asks for it returns, for the connections that are open and for those to come. Faults
add up, in this order towards the client: records are dropped, then reordered, bytes garbled, the
stream truncated, delivery delayed. `heal` ends them all and lets go what was held back.

Towards the server everything passes as it came, unless the proxy is paused or a black hole.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

CHUNK = 1 << 16
#: Reading from one side stops while so much waits to be written to the other.
HIGH_WATER = 4 << 20
#: No call of this module waits longer than this, in seconds.
PATIENCE = 10.0

LAST_FRAGMENT = 0x8000_0000


class RecordSplitter:
    """Cut a stream at the ends of its RPC records (RFC 5531, section 11), at any chunking.

    It looks at the record marks only, and keeps none of the payload.
    """

    def __init__(self) -> None:
        self._mark = bytearray()
        self._left = 0  # of the current fragment
        self._last = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Give the data back in pieces, each with whether a record ends with it."""
        start = at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                at += step
                self._left -= step
            else:
                step = min(4 - len(self._mark), len(data) - at)
                self._mark += data[at : at + step]
                at += step
                if len(self._mark) < 4:
                    break
                (mark,) = struct.unpack(">I", self._mark)
                self._mark.clear()
                self._last = bool(mark & LAST_FRAGMENT)
                self._left = mark & ~LAST_FRAGMENT
            if not self._left and self._last:
                yield data[start:at], True
                start = at
                self._last = False
        if start < len(data):
            yield data[start:], False


class _Connection:
    """A client, the server that it believes to talk to, and what is on its way between them."""

    def __init__(self, client: socket.socket, server: socket.socket | None) -> None:
        self.client = client
        self.server = server
        self.to_client: deque[tuple[float, bytes]] = deque()  # when due, what
        self.to_server: deque[bytes] = deque()
        self.client_ended = False  # it will send no more; did we tell the server?
        self.server_told = False
        self.server_ended = False
        self.client_told = False
        self.splitter = RecordSplitter()
        self.partial = bytearray()  # of a record that is held back until it is whole
        self.begun = False  # whether the current record's beginning went on its way
        self.held: list[bytes] = []
        self.seen = 0  # bytes towards the client since garbling was asked for
        self.left: int | None = None  # bytes towards the client until truncation

    @property
    def sockets(self) -> list[socket.socket]:
        return [self.client] if self.server is None else [self.client, self.server]

    @property
    def waiting(self) -> int:
        """How many bytes are on their way to the client."""
        return sum(len(data) for _, data in self.to_client)


class FaultyProxy:
    """A TCP proxy between clients and one server, with faults. See the top of this file.

    Args:
        upstream: the server's IPv4 address and port.

    Attributes:
        connections: how many clients were accepted, ever.
        live: how many connections are open now.
        to_client: bytes written to clients.
        to_server: bytes written to the server.
        dropped: records dropped.
        held: records held back now, whole ones.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.connections = 0
        self.live = 0
        self.to_client = 0
        self.to_server = 0
        self.dropped = 0
        self.held = 0

        self._changed = threading.Condition()
        self._commands: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._failure: BaseException | None = None
        self._selector: selectors.BaseSelector
        self._listener: socket.socket
        self._wake: socket.socket
        self._woken: socket.socket
        self._open: list[_Connection] = []

        self._paused = False
        self._refusing = False
        self._black_hole = False
        self._delay = 0.0
        self._to_drop = 0
        self._order: Sequence[int] = ()
        self._garble: Callable[[int], bool] | None = None
        self._truncate: int | None = None

    # ------------------------------------------------------------------------------- life

    def start(self) -> FaultyProxy:
        """Listen on a free port of 127.0.0.1, and serve."""
        assert self._thread is None, "a proxy starts once"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"faulty proxy {self.port}")
        self._thread.start()
        return self

    def stop(self) -> None:
        """End every connection and the proxy. Raises what its thread died of, if it did."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._poke()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the faulty proxy hangs"
        self._wake.close()
        self._woken.close()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> FaultyProxy:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect."""
        return ("127.0.0.1", self.port)

    def wait_for(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until a condition on the counters holds; fail if it does not in time."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise AssertionError(
                    f"not in {timeout} s: connections={self.connections} live={self.live}"
                    f" to_client={self.to_client} to_server={self.to_server}"
                    f" dropped={self.dropped} held={self.held}"
                )

    # ------------------------------------------------------------------------------- faults

    def cut(self, *, reset: bool = True, newest: bool = False) -> None:
        """End every connection on both sides: by RST, or by FIN. New ones are accepted.

        What is on its way is lost.

        Args:
            reset: by RST.
            newest: only the connection that was accepted last.
        """

        def cut() -> None:
            for connection in list(self._open)[-1 if newest else 0 :]:
                self._end(connection, reset=reset)

        self._do(cut)

    def refuse(self) -> None:
        """Reset new connections at once, as a host does where nothing listens any more."""
        self._do(lambda: setattr(self, "_refusing", True))

    def pause(self) -> None:
        """Read and write nothing more, but keep all open: a half-open connection's peer."""
        self._do(lambda: setattr(self, "_paused", True))

    def resume(self) -> None:
        """Go on after `pause`; nothing was lost."""
        self._do(lambda: setattr(self, "_paused", False))

    def black_hole(self) -> None:
        """Swallow all that clients send, and what the server still says. New ones are accepted."""
        self._do(lambda: setattr(self, "_black_hole", True))

    def delay(self, seconds: float) -> None:
        """Deliver what comes for the client so much later, in order."""
        self._do(lambda: setattr(self, "_delay", seconds))

    def garble(self, where: int | Callable[[int], bool]) -> None:
        """Flip all bits of some bytes towards the client.

        Args:
            where: the offset of one byte, or what says of an offset whether to. Offsets count on
                each connection from the moment of this call.
        """
        chosen = where if callable(where) else where.__eq__

        def garble() -> None:
            self._garble = chosen
            for connection in self._open:
                connection.seen = 0

        self._do(garble)

    def truncate_after(self, count: int) -> None:
        """Deliver so many more bytes to the client, on each connection, then FIN.

        The server's side is ended too; what the client sends from then on is swallowed.
        """

        def truncate() -> None:
            self._truncate = count
            for connection in self._open:
                connection.left = count
                self._deliver(connection, b"")

        self._do(truncate)

    def drop_replies(self, count: int) -> None:
        """Drop the next so many whole RPC records towards the client, whichever connection's."""
        self._do(lambda: setattr(self, "_to_drop", count))

    def reorder(self, order: int | Sequence[int] = 2) -> None:
        """Hold back RPC records towards the client, and release groups of them in another order.

        Args:
            order: a group's size, to be released last first; or the order itself, so that
                ``(1, 2, 0)`` lets the first of three come last. `release` does not wait for a whole
                group.
        """
        group = tuple(reversed(range(order))) if isinstance(order, int) else tuple(order)
        assert sorted(group) == list(range(len(group))), "not a permutation"
        self._do(lambda: setattr(self, "_order", group))

    def release(self) -> None:
        """Deliver the records that are held back, last first. `reorder` stays in force."""

        def release() -> None:
            for connection in list(self._open):
                self._release(connection, range(len(connection.held) - 1, -1, -1))

        self._do(release)

    def heal(self) -> None:
        """End all faults. What was held back is delivered at once, in the order it came."""

        def heal() -> None:
            self._paused = self._refusing = self._black_hole = False
            self._delay = 0.0
            self._to_drop = 0
            self._order = ()
            self._garble = None
            self._truncate = None
            for connection in list(self._open):
                connection.left = None
                connection.to_client = deque((0.0, data) for _, data in connection.to_client)
                self._release(connection, range(len(connection.held)))
                self._let_partial_go(connection)

        self._do(heal)

    # ------------------------------------------------------------------------------- the thread

    def _poke(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b"!")

    def _do(self, command: Callable[[], None]) -> None:
        """Have the proxy's thread do something, and wait until it is done."""
        assert self._thread is not None, "the proxy does not run"
        done = threading.Event()
        self._commands.append((command, done))
        self._poke()
        assert done.wait(PATIENCE), "the faulty proxy hangs, or died"

    def _run(self) -> None:
        try:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping:
                self._turn()
        except BaseException as error:
            self._failure = error  # `stop` raises it
        finally:
            for connection in list(self._open):
                self._end(connection, reset=True)
            self._listener.close()
            self._selector.close()

    def _turn(self) -> None:
        now = time.monotonic()
        due = []
        for connection in self._open:
            self._watch(connection, now)
            if connection.to_client and not self._paused:
                due.append(connection.to_client[0][0])
        timeout = min((when - now for when in due if when > now), default=None)
        ready: set[object] = {key.fileobj for key, _ in self._selector.select(timeout)}
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(CHUNK):
                    pass
        done = []
        while self._commands:
            command, event = self._commands.popleft()
            command()
            done.append(event)
        if self._listener in ready:
            self._accept()
        if not self._paused:
            for connection in list(self._open):
                if not ready.isdisjoint(connection.sockets):
                    self._serve(connection, ready)
                else:
                    self._flush(connection)
        with self._changed:
            self.live = len(self._open)
            self.held = sum(len(connection.held) for connection in self._open)
            self._changed.notify_all()
        for event in done:
            event.set()

    def _watch(self, connection: _Connection, now: float) -> None:
        """Ask the selector for what this connection can make use of, and no more."""
        client = server = 0
        if not self._paused:
            if not connection.client_ended and sum(map(len, connection.to_server)) < HIGH_WATER:
                client |= selectors.EVENT_READ
            if connection.to_client and connection.to_client[0][0] <= now:
                client |= selectors.EVENT_WRITE
            if not connection.server_ended and connection.waiting < HIGH_WATER:
                server |= selectors.EVENT_READ
            if connection.to_server:
                server |= selectors.EVENT_WRITE
        for sock, events in zip(connection.sockets, (client, server), strict=False):
            watched = sock in self._selector.get_map()
            if events and watched:
                self._selector.modify(sock, events)
            elif events:
                self._selector.register(sock, events)
            elif watched:
                self._selector.unregister(sock)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        self.connections += 1
        server: socket.socket | None = None
        if not self._black_hole and not self._refusing:
            try:
                server = socket.create_connection(self.upstream, timeout=PATIENCE)
            except OSError:
                _close(client, reset=True)
                return
        if self._refusing:
            _close(client, reset=True)
            return
        connection = _Connection(client, server)
        connection.left = self._truncate
        for sock in connection.sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(connection)

    def _end(self, connection: _Connection, *, reset: bool) -> None:
        self._open.remove(connection)
        for sock in connection.sockets:
            self._forget(sock, reset=reset)

    def _forget(self, sock: socket.socket, *, reset: bool) -> None:
        if sock in self._selector.get_map():
            self._selector.unregister(sock)
        _close(sock, reset=reset)

    def _serve(self, connection: _Connection, ready: set[object]) -> None:
        try:
            if connection.client in ready and not connection.client_ended:
                self._from_client(connection)
            if connection.server in ready and not connection.server_ended:
                self._from_server(connection)
            if connection in self._open:
                self._flush(connection)
        except ConnectionError:
            if connection in self._open:  # what the one side broke is broken for the other
                self._end(connection, reset=True)

    def _from_client(self, connection: _Connection) -> None:
        try:
            data = connection.client.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            connection.client_ended = True
        elif not self._black_hole and connection.server is not None:
            connection.to_server.append(data)

    def _from_server(self, connection: _Connection) -> None:
        assert connection.server is not None
        try:
            data = connection.server.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            connection.server_ended = True
            self._let_partial_go(connection)
            return
        if self._black_hole:
            return
        for piece, ends in connection.splitter.feed(data):
            self._through_records(connection, piece, ends)

    def _through_records(self, connection: _Connection, piece: bytes, ends: bool) -> None:
        """Let a piece of a record pass, or keep it, if records are to be dropped or reordered."""
        by_record = bool(self._to_drop or self._order)
        if connection.begun or not (by_record or connection.partial):
            connection.begun = not ends  # too late to keep a record whose beginning went on
            self._deliver(connection, piece)
            return
        connection.partial += piece
        if not ends:
            return
        record = bytes(connection.partial)
        connection.partial.clear()
        if self._to_drop:
            self._to_drop -= 1
            self.dropped += 1
        elif self._order:
            connection.held.append(record)
            if len(connection.held) >= len(self._order):
                self._release(connection, self._order)
        else:
            self._deliver(connection, record)

    def _release(self, connection: _Connection, order: Sequence[int]) -> None:
        """Deliver held records in this order, and those that are not in it after them."""
        held, connection.held = connection.held, []
        rest = [at for at in range(len(held)) if at not in order]
        for at in [*(at for at in order if at < len(held)), *rest]:
            self._deliver(connection, held[at])

    def _let_partial_go(self, connection: _Connection) -> None:
        if connection.partial:
            connection.begun = True
            self._deliver(connection, bytes(connection.partial))
            connection.partial.clear()

    def _deliver(self, connection: _Connection, data: bytes) -> None:
        """Garble, truncate, and put on the way to the client."""
        if self._garble is not None:
            changed = bytearray(data)
            for at in range(len(changed)):
                if self._garble(connection.seen + at):
                    changed[at] ^= 0xFF
            connection.seen += len(data)
            data = bytes(changed)
        if connection.left is not None:
            data = data[: connection.left]
            connection.left -= len(data)
        if data:
            due = time.monotonic() + self._delay if self._delay else 0.0
            connection.to_client.append((due, data))
        if connection.left == 0:
            # The client gets what is on its way, then the end. Its side stays open until it ends
            # itself: to close with something unread would reset it, and lose what is on its way.
            connection.server_ended = True
            connection.held.clear()
            connection.to_server.clear()
            if connection.server is not None:
                self._forget(connection.server, reset=True)
                connection.server = None

    def _flush(self, connection: _Connection) -> None:
        """Write what is due; pass on the end of a side that has ended; close when both have."""
        try:
            while connection.to_client and connection.to_client[0][0] <= time.monotonic():
                due, data = connection.to_client.popleft()
                sent = _send(connection.client, data)
                self.to_client += sent
                if sent < len(data):
                    connection.to_client.appendleft((due, data[sent:]))
                    break
            while connection.to_server and connection.server is not None:
                data = connection.to_server.popleft()
                sent = _send(connection.server, data)
                self.to_server += sent
                if sent < len(data):
                    connection.to_server.appendleft(data[sent:])
                    break
            nothing_more = connection.server_ended and not connection.held
            if nothing_more and not connection.to_client and not connection.client_told:
                connection.client_told = True
                connection.client.shutdown(socket.SHUT_WR)
            if connection.client_ended and not connection.to_server and not connection.server_told:
                connection.server_told = True
                if connection.server is not None:
                    connection.server.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(connection, reset=True)
            return
        if connection.server_told and (connection.client_told or connection.server is None):
            self._end(connection, reset=False)


def _send(sock: socket.socket, data: bytes) -> int:
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0


def _close(sock: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            # What is unread at close would make it a reset after all.
            while sock.recv(CHUNK):
                pass
    sock.close()
