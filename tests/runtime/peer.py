"""A server for one connection at a time, and clients of it on each driver, for tests of the runtime.

The server answers what a test tells it to, when it tells it to; coroutines of the core talk to it by
the traps alone, as translators do.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from glusterio.rpc.connection import Connection
from glusterio.runtime.aio import AioDriver
from glusterio.runtime.fiber import Fiber
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Connect, Reply
from glusterio.wire.credentials import encode_none
from glusterio.wire.records import encode_call

PATIENCE = 10.0

#: An accepted reply without a body, behind its mark and xid.
_ACCEPTED = struct.pack(">5I", 1, 0, 0, 0, 0)


class Peer:
    """Accepts connections, reads requests, and answers those that it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = ("127.0.0.1", self._listener.getsockname()[1])
        self._changed = threading.Condition()
        self._asked: list[tuple[socket.socket, int]] = []
        self._answering = True
        self.requests = 0
        self.ended = 0
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="peer", daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._sockets.append(sock)
                self._changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(sock,), name="peer", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        stream = sock.makefile("rb")
        while True:
            try:
                mark = stream.read(4)
                record = stream.read(struct.unpack(">I", mark)[0] & 0x7FFFFFFF)
            except (OSError, struct.error):
                break
            (xid,) = struct.unpack_from(">I", record)
            with self._changed:
                self.requests += 1
                if self._answering:
                    self._answer(sock, xid)
                else:
                    self._asked.append((sock, xid))
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self.ended += 1
            self._changed.notify_all()

    @staticmethod
    def _answer(sock: socket.socket, xid: int) -> None:
        try:
            sock.sendall(struct.pack(">2I", 0x80000018, xid) + _ACCEPTED)
        except OSError:
            pass

    # -- for tests --------------------------------------------------------------------------------

    def hold(self) -> None:
        """Answer nothing from now on."""
        with self._changed:
            self._answering = False

    def expect(self, connect: Callable[[], object]) -> None:
        """Connect, and wait until that has been accepted."""
        before = len(self._sockets)
        connect()
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._sockets) > before, PATIENCE)

    def wait(self, count: int) -> None:
        """Wait until so many requests are there unanswered."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._asked) >= count, PATIENCE), self._asked

    def answer(
        self, count: int | None = None, *, last_first: bool = False, before: bytes = b""
    ) -> None:
        """Answer so many of the unanswered requests, or all, in one system call each connection."""
        with self._changed:
            asked = self._asked[::-1] if last_first else list(self._asked)
            chosen = asked[:count]
            replies: dict[socket.socket, bytes] = {}
            for sock, xid in chosen:
                replies[sock] = replies.get(sock, before) + (
                    struct.pack(">2I", 0x80000018, xid) + _ACCEPTED
                )
                self._asked.remove((sock, xid))
            for sock, data in replies.items():
                sock.sendall(data)

    def answer_part(self, size: int) -> Callable[[], None]:
        """Send the first bytes of an answer; what is returned sends the rest."""
        with self._changed:
            sock, xid = self._asked.pop(0)
        reply = struct.pack(">2I", 0x80000018, xid) + _ACCEPTED
        sock.sendall(reply[:size])
        return lambda: sock.sendall(reply[size:])

    def send(self, data: bytes) -> None:
        """Send something unasked, on the latest connection."""
        self._sockets[-1].sendall(data)

    def go_on(self) -> None:
        """Answer everything, now and from now on."""
        with self._changed:
            self._answering = True
        self.answer()

    def cut(self) -> None:
        """End every connection."""
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """End everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE)
        for sock in self._sockets:
            sock.close()


def request(
    connection: Connection, settled: Callable[[Reply], None] | None = None, size: int = 0
) -> Reply:
    """Make a request; await it."""
    xid = connection.next_xid()
    head = encode_call(xid, 1, 1, 1, encode_none(), size)
    return Reply(connection, xid, (head + bytes(size),), None, None, settled)


async def connect(address: tuple[str, int] | str, connection: Connection) -> None:
    """Connect, as a coroutine of the core."""
    await Connect(address, connection)


class Runner:
    """A driver under a blocking interface.

    ``run`` runs a coroutine of the core to its end; ``start`` has it run beside the test.
    """

    name: str
    driver: Any

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        raise NotImplementedError

    def start(
        self, coro: Coroutine[Any, Any, Any], call: Any = None, leave: Any = None
    ) -> Future[Any]:
        raise NotImplementedError

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call something where the driver's things may be touched."""
        raise NotImplementedError

    def connect(self, peer: Peer) -> Connection:
        """Connect to a peer."""
        connection = Connection("peer", ping_timeout=0)
        peer.expect(lambda: self.run(connect(peer.address, connection)))
        return connection

    def close(self) -> None:
        raise NotImplementedError


class ThreadsRunner(Runner):
    """The threads driver; each started coroutine runs on a thread of its own."""

    name = "threads"

    def __init__(self, driver: ThreadsDriver | None = None) -> None:
        self.driver: ThreadsDriver = driver or ThreadsDriver()
        if driver is None:
            self.driver.keep_house()
        self._threads: list[threading.Thread] = []

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        return self.driver.run(coro)

    def start(
        self, coro: Coroutine[Any, Any, Any], call: Any = None, leave: Any = None
    ) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                result = self.driver.run(coro, call, leave)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()
        return future

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def close(self) -> None:
        self.driver.stop()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a call hangs"


class AioRunner(Runner):
    """The asyncio driver, on an event loop in a thread of its own."""

    name = "asyncio"

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.driver: AioDriver = AioDriver(self.loop)
        self.driver.start()
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await self.driver.stop()

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        return self.start(coro).result(PATIENCE)

    def start(
        self, coro: Coroutine[Any, Any, Any], call: Any = None, leave: Any = None
    ) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self.driver.run(coro, call, leave), self.loop)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        async def run() -> Any:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the loop hangs"


class Call:
    """Stands for an admitted call: gets to know its fiber."""

    def __init__(self) -> None:
        self.fiber: Fiber | None = None
        self.unwanted: Exception | None = None


RUNNERS: dict[str, Callable[[], Runner]] = {"threads": ThreadsRunner, "asyncio": AioRunner}
