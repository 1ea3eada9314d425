"""Serving on an event loop: listening sockets, and one :class:`Served` for each client.

Sockets are used without asyncio's transports: a request is received into the connection's own
buffer, and what was answered during one turn of the loop is sent by one system call. A request's
coroutine is stepped as soon as the request is there, so that what needs no waiting is done in order.

A client that does not read its replies, or has too many requests under way, is not read from until
that has changed; one that sends many at once has some of them taken, and then it is the others' turn.
When a client goes, it is cleaned up after at once, and again when its last operation has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from glusterio.errors import RemoteProtocolError
from glusterio.rpc.service import Request, ServerConnection
from glusterio.runtime.aio import AioDriver
from glusterio.runtime.fiber import Fiber
from glusterio.traps import Coro

log = logging.getLogger("glusterio.serve")

#: Seconds without accepting, after there was no descriptor left for it.
PAUSE = 0.5

#: How often a socket is read before the others have their turn.
_TURNS = 8

#: How many requests of one client are taken before the others have their turn.
_REQUESTS = 64

#: Buffers handed to one system call.
_BUFFERS = 256

#: Linux's ``struct ucred``: process, user, group (unix(7)).
_UCRED = struct.Struct("iII")


class Endpoint(NamedTuple):
    """Where a client comes from, and where it came to.

    Attributes:
        peer: the client's address: its host, or ``"unix"``.
        name: its address in full, for messages.
        local: the address of this machine that it came to.
        port: the client's port; 0 for a Unix socket.
        uid: the client's user, as the system says; -1 where it does not, as for TCP.
        certificate: the common name in the client's certificate; ``None`` without TLS.
    """

    peer: str
    name: str
    local: str
    port: int = 0
    uid: int = -1
    certificate: str | None = None


class ServerTls(NamedTuple):
    """How clients that come by TCP are secured.

    Attributes:
        context: what with.
        required: whether those who do not speak TLS are turned away.
    """

    context: ssl.SSLContext
    required: bool = True


class Patience(NamedTuple):
    """What a server bears.

    Attributes:
        clients: connections at the same time; more have to wait until one goes.
        clients_of_one: connections from one address; more are closed at once.
        strangers: connections that are not known yet; when there are more, the oldest is closed.
        seconds: how long a connection may stay unknown.
        keepalive: seconds of silence before a client's machine is asked whether it is there, seconds
            between questions, and how many go unanswered before the connection ends.
        unacknowledged: seconds that what was sent may stay unacknowledged.
    """

    clients: int = 4096
    clients_of_one: int = 4096
    strangers: int = 256
    seconds: float = 30.0
    keepalive: tuple[int, int, int] = (20, 2, 9)
    unacknowledged: int = 42


class Session(Protocol):
    """What serves one client."""

    #: its connection
    connection: ServerConnection

    def identified(self, certificate: str) -> None:
        """The client has shown a certificate, in which there is this common name, or none."""

    @property
    def is_known(self) -> bool:
        """Whether the client has shown what it is: then it may be silent for as long as it likes."""

    def handle(self, request: Request) -> Coro[None] | None:
        """Begin to answer a request; ``None`` when it has been answered already."""

    def disconnected(self) -> None:
        """The client is gone. Operations may still be running; what they wait for shall not come."""

    def clean_up(self) -> Coro[None]:
        """Give back what the client held.

        Called at once when it has gone, and again when nothing of its is running any more.
        """


class Served:
    """One client's socket, and what goes on for it.

    Args:
        server: whose client it is.
        sock: the connected socket.
        session: what serves it.
        peer: its address.

    Attributes:
        running: how many of its operations are under way.
        since: when it came, on the loop's clock.
    """

    def __init__(self, server: Server, sock: socket.socket, session: Session, peer: str) -> None:
        self.server = server
        self.sock = sock
        self.session = session
        self.peer = peer
        self.since = server.loop.time()
        self.connection = session.connection
        self.running = 0
        self.is_open = True
        self._reading = False
        self._writing = False
        self._flush_wanted = False
        self._advancing = False

    def begin(self) -> None:
        """Start to receive."""
        self._reading = True
        self.connection.wake = self._want_flush
        self.server.loop.add_reader(self.sock, self._readable)

    # -- receiving --------------------------------------------------------------------------------

    def _readable(self) -> None:
        connection = self.connection
        try:
            for _ in range(_TURNS):
                buffer = connection.get_buffer()
                count = self.sock.recv_into(buffer)
                if not count:
                    self.close()
                    return
                connection.now = self.server.loop.time()
                connection.received(count)
                self._advance()
                if count < len(buffer) or not connection.wants_data or not self.is_open:
                    break
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._end(error)

    def _advance(self) -> None:
        """Take what requests may be taken, send what may be sent, and receive or do not."""
        connection = self.connection
        self._advancing = True
        left = _REQUESTS
        while True:
            while left and (request := connection.next_request()):
                left -= 1
                self._handle(request)
                if not self.is_open:
                    return
            self._flush()
            if not left or not connection.has_request:  # which the flush may have made room for
                break
        self._advancing = False
        if connection.has_request:
            self._want_flush()  # on from here, when the others have had their turn
        wanted = self.is_open and connection.wants_data
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self.server.loop.add_reader(self.sock, self._readable)
            elif self.is_open:
                self.server.loop.remove_reader(self.sock)

    def _end(self, error: OSError) -> None:
        if isinstance(error, RemoteProtocolError):
            log.warning("%s: %s", self.connection.name, error.args[-1])
        self.close()

    def _handle(self, request: Request) -> None:
        coro = self.session.handle(request)
        if coro is None:
            return
        self.running += 1
        try:
            if self.server.driver.start_quick(coro, self._handled):
                self.running -= 1
        except Exception:
            self.running -= 1
            log.exception("%s: a request failed", self.connection.name)
            self.close()

    def _handled(self, fiber: Fiber) -> None:
        self.running -= 1
        if fiber.error is not None:
            log.error("%s: a request failed", self.connection.name, exc_info=fiber.error)
            self.close()
        if self.is_open:
            self._want_flush()
        elif not self.running:
            self._clean_up()

    # -- sending ----------------------------------------------------------------------------------

    def _want_flush(self) -> None:
        """Send what is queued at the end of this turn of the loop."""
        if not self._flush_wanted and not self._advancing:
            self._flush_wanted = True
            self.server.loop.call_soon(self._turn_over)

    def _turn_over(self) -> None:
        self._flush_wanted = False
        if self.is_open:
            self._advance()

    def _flush(self) -> None:
        connection = self.connection
        if not self.is_open or self._writing:
            return
        try:
            while connection.has_data_to_send:
                connection.sent(self.sock.sendmsg(connection.data_to_send(_BUFFERS)))
        except (BlockingIOError, InterruptedError):
            self._writing = True
            self.server.loop.add_writer(self.sock, self._writable)
        except OSError:
            self.close()

    def _writable(self) -> None:
        self._writing = False
        self.server.loop.remove_writer(self.sock)
        self._advance()

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the socket, and clean up. Harmless when repeated."""
        if not self.is_open:
            return
        self.is_open = False
        loop = self.server.loop
        loop.remove_reader(self.sock)
        loop.remove_writer(self.sock)
        self.sock.close()
        self.connection.wake = None
        self.server.ended(self)
        self.session.disconnected()
        self.running += 1
        self.server.driver.start_detached(self.session.clean_up(), self._handled)

    def _clean_up(self) -> None:
        self.server.driver.start_detached(self.session.clean_up(), self._cleaned_up)

    def _cleaned_up(self, fiber: Fiber) -> None:
        if fiber.error is not None:
            log.error("%s: cleaning up failed", self.connection.name, exc_info=fiber.error)
        self.server.forget(self)


class Server:
    """Listens, and serves each client that comes.

    Args:
        accept: makes the session of a new client.
        patience: what it bears.
        threads: where blocking functions are called; by default the loop's own.
    """

    def __init__(
        self,
        accept: Callable[[Endpoint], Session],
        patience: Patience | None = None,
        threads: ThreadPoolExecutor | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.driver = AioDriver(self.loop, threads)
        self.clients: dict[Served, None] = {}
        self.patience = patience or Patience()
        #: how those are secured who come from now on; ``None`` for in the clear
        self.tls: ServerTls | None = None
        self._accept = accept
        self._of_one: Counter[str] = Counter()
        #: those who were not known when last looked at, the oldest first
        self._strangers: dict[Served, None] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._listeners: dict[socket.socket, bool] = {}
        self._paths: list[str] = []
        self._closing = False
        self._empty: asyncio.Future[None] | None = None

    def run(self, coro: Coro[Any]) -> Coroutine[Any, Any, Any]:
        """Run a coroutine of the core; to be awaited."""
        return self.driver.run(coro)

    # -- listening --------------------------------------------------------------------------------

    async def listen(self, host: str, port: int) -> int:
        """Listen on a TCP port; 0 takes any that is free. Returns the port.

        Raises:
            OSError: the address is unknown, or the port is taken; it says which.
        """
        found = await self.loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            self._listen(listener)
        except BaseException as error:
            listener.close()
            if isinstance(error, OSError) and error.errno:
                where = f"{host or '*'}:{port}"
                raise OSError(error.errno, os.strerror(error.errno), where) from None
            raise
        bound: int = listener.getsockname()[1]
        return bound

    def listen_unix(self, path: str) -> None:
        """Listen on a Unix socket, which is removed at the end.

        Raises:
            OSError: it cannot be made.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            self._paths.append(path)
            self._listen(listener)
        except BaseException:
            listener.close()
            raise

    def _listen(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        listener.listen(256)
        self._listeners[listener] = False
        self._control_accepting()

    def _control_accepting(self) -> None:
        wanted = not self._closing and len(self.clients) < self.patience.clients
        for listener, accepting in self._listeners.items():
            if wanted and not accepting:
                self.loop.add_reader(listener, self._acceptable, listener)
            elif accepting and not wanted:
                self.loop.remove_reader(listener)
            self._listeners[listener] = wanted

    def _acceptable(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                log.error("cannot accept: %s", os.strerror(error.errno))
                self.loop.remove_reader(listener)
                self._listeners[listener] = False
                self.loop.call_later(PAUSE, self._control_accepting)
            return  # the client has gone again, or there is none
        try:
            sock.setblocking(False)
            endpoint = _endpoint_of(sock, self.patience)
            if self._of_one[endpoint.peer] >= self.patience.clients_of_one:
                log.warning("%s: too many connections from there", endpoint.name)
                sock.close()
                return
            kind: type[Served] = Served
            if self.tls is not None and sock.family != socket.AF_UNIX:
                from glusterio.runtime.secure_serve import SecureServed as kind
            client = kind(self, sock, self._accept(endpoint), endpoint.peer)
        except OSError:
            sock.close()
            return
        self.clients[client] = None
        self._of_one[client.peer] += 1
        self._strangers[client] = None
        client.begin()
        if len(self._strangers) > self.patience.strangers or self._watch is None:
            self._look_at_strangers()
        self._control_accepting()

    def _look_at_strangers(self) -> None:
        """Close those who have stayed unknown for too long, and the oldest if there are too many."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        patience = self.patience
        for client in [each for each in self._strangers if each.session.is_known]:
            del self._strangers[client]
        latest = self.loop.time() - patience.seconds
        surplus = len(self._strangers) - patience.strangers
        for client in list(self._strangers):
            if surplus <= 0 and client.since > latest:
                self._watch = self.loop.call_at(
                    client.since + patience.seconds, self._look_at_strangers
                )
                return
            surplus -= 1
            log.warning("%s: has not said in time what it wants", client.connection.name)
            del self._strangers[client]
            client.close()

    # -- the end ----------------------------------------------------------------------------------

    def ended(self, client: Served) -> None:
        """A client's connection has ended."""
        self._strangers.pop(client, None)

    def forget(self, client: Served) -> None:
        """A client has been cleaned up after."""
        if self.clients.pop(client, client) is None:
            self._of_one[client.peer] -= 1
            if not self._of_one[client.peer]:
                del self._of_one[client.peer]
        self._control_accepting()
        if not self.clients and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    async def close(self) -> None:
        """Stop listening, close every client, and return when all are cleaned up after."""
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._control_accepting()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self._paths.clear()
        for client in list(self.clients):
            client.close()
        if self.clients:
            self._empty = self.loop.create_future()
            await self._empty


def _endpoint_of(sock: socket.socket, patience: Patience) -> Endpoint:
    if sock.family == socket.AF_UNIX:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, uid, _ = _UCRED.unpack(credentials)
        return Endpoint("unix", f"unix, process {pid}", "", 0, uid)
    idle, interval, count = patience.keepalive
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * patience.unacknowledged),
    ):
        sock.setsockopt(level, option, value)
    peer, local = sock.getpeername(), sock.getsockname()
    return Endpoint(peer[0], f"{peer[0]}:{peer[1]}", local[0], peer[1])
