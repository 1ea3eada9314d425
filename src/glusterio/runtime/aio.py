"""The asyncio driver: the same coroutines, run on an event loop.

A caller awaits :meth:`AioDriver.run`; its fiber is stepped at once, up to the first reply that it has
to wait for. Received bytes go into the connection's own buffer (``BufferedProtocol``), and the fibers
that they complete are stepped before the callback returns. What is sent during one turn of the loop
is written once, at its end: with hundreds of operations in flight that is one system call for many.

Everything here happens on the loop's thread, so the claims need no lock.

Cancelling a caller cancels its fiber: the fiber unwinds then and there, up to what it hands to
:class:`~glusterio.traps.Spawn`, and the caller's ``CancelledError`` goes on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, cast

from glusterio.errors import ConnectionLostError, RemoteProtocolError
from glusterio.rpc.connection import LATE, Connection
from glusterio.runtime.certificates import context_of
from glusterio.runtime.connecting import unknown_host
from glusterio.runtime.fiber import Armed, Fiber, for_caller, has_ended, not_taken, spawn
from glusterio.runtime.link import PRIVILEGED_PORTS, is_with_itself
from glusterio.runtime.secured import tls_error
from glusterio.traps import Connect, Coro, Event, Offload, Reply, Spawn
from glusterio.types import Log

#: How often the ping clocks are looked at, in seconds.
TICK = 0.25

#: What a loop polls within, in seconds, when it is not to be for nothing: it does between two timers.
_MOMENT = 0.001

#: Seconds that a handshake may take by itself: how long all of connecting may is the caller's to say.
_FOR_EVER = 1e6

#: What binding to a port, or connecting from it, says that is somebody else's.
_PORT_IS_TAKEN = (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL)


class _NoLock:
    """A lock for where there is one thread only."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _has_ended(fiber: Fiber) -> bool:
    return fiber.done  # asked anew, after an await


class _Wire(asyncio.BufferedProtocol):
    """One connection's transport."""

    def __init__(self, driver: AioDriver, connection: Connection) -> None:
        self.driver = driver
        self.connection = connection
        self.transport: asyncio.Transport | None = None
        self.paused = False
        self.flush_wanted = False

    # -- asyncio's side ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by class
        self.connection.link = self
        self.driver.wires.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.connection.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        connection = self.connection
        try:
            replies = connection.received(nbytes)
        except RemoteProtocolError as error:
            self.close(error)
            return
        self.driver.complete(replies)
        connection.came = []
        if connection.unasked and connection.on_message is not None:
            for message in connection.messages():
                connection.on_message(message)
        self.driver.drain()

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self.driver.wires.discard(self)
        self.connection.link = None
        self.transport = None
        connection = self.connection
        reason = "the connection was closed"
        lost: Exception | None = None
        if isinstance(exc, ssl.SSLError):
            lost = tls_error(exc, connection.name)
        elif isinstance(exc, OSError) and exc.errno:
            reason = os.strerror(exc.errno)
        lost = lost or ConnectionLostError(f"{connection.name}: {reason}")
        self.driver.complete(connection.fail(lost))
        self.driver.drain()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.flush()

    # -- our side ---------------------------------------------------------------------------------

    def want_flush(self) -> None:
        """Write what is queued at the end of this turn of the loop."""
        if not self.flush_wanted:
            self.flush_wanted = True
            self.driver.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what is queued, unless the peer is slow to take it."""
        self.flush_wanted = False
        transport, connection = self.transport, self.connection
        while connection.has_data_to_send and transport is not None and not self.paused:
            buffers = connection.hand_over()
            # The transport may keep what it could not send at once, and a cancelled caller may then
            # change its buffer: so what is not immutable is joined, that is, copied.
            if len(buffers) == 1 and type(buffers[0]) is bytes:
                transport.write(buffers[0])
            else:
                transport.write(b"".join(buffers))

    def close_socket(self) -> None:
        """Close this process's copy of the socket, and tell nobody.

        The transport itself would unregister it: from the parent's selector, or from a closed one.
        uvloop has no socket, but a descriptor, which it closes when the transport goes, whatever that
        is by then: so from here on it is one of nothing.
        """
        wrapped: Any = self.transport and self.transport.get_extra_info("socket")
        sock = getattr(wrapped, "_sock", None)
        if sock is not None:
            sock.close()
        elif wrapped is not None and wrapped.fileno() != -1:
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), wrapped.fileno(), inheritable=False)

    def leave_closed_loop(self) -> None:
        """Close the socket; the transport can do nothing more, and need not complain of that."""
        if self.transport is not None:
            name = type(self.transport).__name__
            wrapped = self.transport.get_extra_info("socket")
            if wrapped is not None:  # uvloop closes what is left when it is closed itself
                warnings.filterwarnings(
                    "ignore", f"unclosed transport <{name} fd={wrapped.fileno()}>"
                )
                self.close_socket()
            self.transport = None

    def close(self, error: Exception) -> None:
        """Close the transport now; what is in flight fails with ``error``."""
        self.driver.wires.discard(self)
        self.connection.link = None
        transport, self.transport = self.transport, None
        failed = self.connection.fail(error)
        if transport is not None:
            transport.abort()  # what it has not sent yet nobody waits for
        self.driver.complete(failed)
        self.driver.drain()


class AioDriver:
    """Runs the core's coroutines on one event loop.

    Args:
        loop: the loop, running.
        threads: where blocking functions are called; ``None`` for the loop's own.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor | None = None
    ) -> None:
        self.loop = loop
        self.threads = threads
        self.lock: AbstractContextManager[Any] = _NoLock()
        self.wires: set[_Wire] = set()
        self.untold: list[Exception] = []
        self.log: Log = logging.getLogger("glusterio")
        self._ready: deque[Fiber] = deque()
        self._draining = False
        self._drain_wanted = False
        self._connecting: dict[Connect, asyncio.Task[None]] = {}
        self._ticker: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the ping clocks."""
        self._tick_in(TICK)

    def keep_house(self) -> None:
        """Look after the connections while nobody waits: the event loop does."""

    def quieten(self, connection: Connection) -> None:
        """Nobody waits for what comes on a connection: the event loop sees to all of them alike."""

    # -- for callers ------------------------------------------------------------------------------

    async def run(
        self,
        coro: Coro[Any],
        call: Any = None,
        leave: Callable[[Any], None] | None = None,
        unwanted: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run a coroutine of the core; return its result or raise its error.

        Args:
            coro: the coroutine; one that does not have to wait needs no fiber.
            call: what it runs for; it gets to know the fiber, if there is one.
            leave: called with ``call`` when the coroutine has ended, which after a cancellation can be
                later than the return from here.
            unwanted: called with the result when the caller was cancelled and cannot take it: an
                opened file must not be lost.
        """
        trap = interrupt = None
        try:
            trap = coro.send(None)
            while type(trap) is Spawn:  # a deferred write, mostly; it is no waiting, either
                spawn(self, trap)
                trap = coro.send(None)
        except StopIteration as stop:
            if leave is not None:
                leave(call)
            return stop.value
        except BaseException as error:
            if has_ended(coro):
                if leave is not None:
                    leave(call)
                if for_caller(error, call) is error:
                    raise
                raise for_caller(error, call) from None
            interrupt = error
        waiter: asyncio.Future[None] | None = None

        def done(fiber: Fiber) -> None:
            if leave is not None:
                leave(call)
            if fiber.orphaned:
                self._drop(fiber, unwanted)
            elif waiter is not None and not waiter.done():
                waiter.set_result(None)

        fiber = Fiber(coro, self, None, done)
        fiber.resume_error, interrupt = interrupt, None
        if call is not None:
            fiber.run_for(call)
        fiber.step(trap)
        if not fiber.done:
            waiter = self.loop.create_future()
            try:
                await waiter
            except asyncio.CancelledError as error:
                # It may have ended in the same turn, before or after the cancellation.
                if _has_ended(fiber):
                    self._drop(fiber, unwanted)
                else:
                    fiber.orphaned = True
                    fiber.cancel(error)
                    self.drain()
                raise
        return fiber.result()

    def _drop(self, fiber: Fiber, unwanted: Callable[[Any], None] | None) -> None:
        """A fiber has ended, and its caller does not take the result."""
        error, fiber.error = fiber.error, None
        if error is not None:
            not_taken(error, self.untold)
        elif unwanted is not None:
            unwanted(fiber.value)

    def start_detached(
        self,
        coro: Coro[Any],
        on_done: Callable[[Fiber], None],
        call: Any = None,
    ) -> Fiber:
        """Start a coroutine that nobody awaits.

        Args:
            coro: the coroutine.
            on_done: called with the fiber when it has ended.
            call: what the fiber runs for; each gets to know the other.
        """
        fiber = Fiber(coro, self, None, on_done)
        if call is not None:
            fiber.run_for(call)
        fiber.step()
        return fiber

    def start_quick(self, coro: Coro[None], on_done: Callable[[Fiber], None]) -> bool:
        """Start a coroutine that will mostly not have to wait: it gets a fiber only if it has to.

        Args:
            coro: the coroutine; what it raises, it raises here, when it has not waited.
            on_done: called with the fiber when it has ended, if it had to wait.

        Returns:
            Whether it has ended at once.
        """
        try:
            trap = coro.send(None)
        except StopIteration:
            return True
        Fiber(coro, self, None, on_done).step(trap)
        return False

    async def stop(self) -> None:
        """Close what is left. Called once, when nothing is in flight any more."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        connecting = list(self._connecting.values())
        for task in connecting:
            task.cancel()
        if connecting:
            await asyncio.wait(connecting)
        for wire in list(self.wires):
            wire.close(ConnectionLostError("the session has ended"))
        # A transport's socket is closed by the loop, one turn later.
        await asyncio.sleep(0)

    def forget(self) -> None:
        """In a child process: close this process's copies of the sockets, and nothing else."""
        for wire in self.wires:
            wire.close_socket()
        self.wires.clear()

    def move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is closed: close the sockets, which it has left open, and end on another one."""
        for wire in self.wires:
            wire.leave_closed_loop()
        self.loop = loop
        self._connecting.clear()
        self._ticker = None
        self._drain_wanted = False

    # -- stepping ---------------------------------------------------------------------------------

    def complete(self, replies: list[Reply]) -> None:
        """Tell whoever waits for these replies; :meth:`drain` follows."""
        ready = self._ready
        for reply in replies:
            if reply.settled is not None:
                reply.settled(reply)
            fiber = reply.fiber
            if fiber is not None and fiber.claim(reply):
                fiber.resume_value = reply
                ready.append(fiber)

    def enqueue(self, fiber: Fiber) -> None:
        self._ready.append(fiber)
        if not self._draining and not self._drain_wanted:
            self._drain_wanted = True
            self.loop.call_soon(self.drain)

    def drain(self) -> None:
        """Step every fiber that is ready, and those that this makes ready."""
        self._drain_wanted = False
        if self._draining:
            return
        self._draining = True
        ready = self._ready
        try:
            while ready:
                ready.popleft().step()
        finally:
            self._draining = False

    def _tick_in(self, seconds: float, late: float = 0.0) -> None:
        self._ticker = self.loop.call_later(seconds, self._tick, self.now() + seconds, late)

    def _tick(self, due: float, late: float) -> None:
        """Let every connection's ping clock go on.

        Args:
            due: when this was to be, in seconds on the loop's clock.
            late: how much too late it was put off.
        """
        now = self.now()
        if not late and now - due >= LATE and any(wire.connection.doubted for wire in self.wires):
            # A loop that was stopped while it polled does not poll again before it runs its timers:
            # the answers to our pings may be there.
            self._tick_in(_MOMENT, now - due)
            return
        late += now - due
        for wire in list(self.wires):
            failed = wire.connection.tick(now, late)
            if wire.connection.lost is not None:
                self.complete(failed)
                wire.close(wire.connection.lost)
            elif wire.connection.has_data_to_send:
                wire.want_flush()
        self.drain()
        self._tick_in(TICK)

    # -- for fibers (the Driver protocol) ---------------------------------------------------------

    def now(self) -> float:
        return self.loop.time()

    @staticmethod
    def wall_clock() -> int:
        """Tell the time of day, in nanoseconds since the epoch."""
        return time.time_ns()

    @staticmethod
    def new_lock() -> _NoLock:
        """Make a lock for the session."""
        return _NoLock()

    @staticmethod
    def new_event() -> Event:
        """Make an event for the session."""
        return Event()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, callback)

    def corked(self) -> AbstractContextManager[Any]:
        return self.lock  # nothing is sent before the end of the turn, anyway

    def submit(self, reply: Reply) -> None:
        wire = reply.connection.link
        if wire is None:
            reply.connection.refuse(reply)
        reply.connection.submit(reply)
        wire.want_flush()

    def abandon(self, reply: Reply) -> None:
        if reply.connection.abandon(reply) and reply.settled is not None:
            reply.settled(reply)

    def connect(self, fiber: Fiber, trap: Connect) -> Armed:
        fiber.trap = trap

        def ended(task: asyncio.Task[None]) -> None:
            del self._connecting[trap]
            if task.cancelled():
                error: BaseException | None = ConnectionLostError("given up while connecting")
            else:
                error = task.exception()
            if not fiber.wake(trap, None, error) and error is None:
                self.disconnect(trap.connection)  # cancelled meanwhile

        task = self.loop.create_task(self._connect(trap))
        self._connecting[trap] = task
        task.add_done_callback(ended)
        return None

    async def _connect(self, trap: Connect) -> None:
        """Connect, and then shake hands, if that is wanted: who does not like the other in it has
        answered.

        The loop makes the socket. Who gives uvloop one that is connected has its descriptor closed
        twice, the second time perhaps when a stranger's file has it: if the peer resets the connection
        before ``create_connection`` has taken note, uvloop closes the descriptor and does not tell the
        Python socket, which closes it again when it is collected (uvloop/loop.pyx,
        ``create_connection``: ``_attach_fileobj`` comes after the connection was made).
        """
        address, tls = trap.address, trap.tls
        wire = _Wire(self, trap.connection)
        if tls is None:
            await self._reach(address, trap.privileged, wire)
            return
        context = tls.context
        if context is None:  # which takes reading files
            context = await self.loop.run_in_executor(self.threads, context_of, tls)
        transport = await self._reach(address, trap.privileged, asyncio.Protocol())
        by_path = isinstance(address, str)
        try:
            if transport.is_closing():  # no handshake would ever hear of that
                raise ConnectionResetError
            secured = await self.loop.start_tls(
                transport,
                wire,
                context,
                server_hostname="" if by_path else address[0],
                ssl_handshake_timeout=_FOR_EVER,
            )
            if secured is None or trap.connection.lost is not None:
                raise ConnectionResetError
        except BaseException as error:
            transport.abort()
            if isinstance(error, (OSError, ValueError)):
                raise tls_error(
                    error, str(address) if by_path else f"{address[0]}:{address[1]}"
                ) from error
            raise
        wire.connection_made(secured)

    async def _reach(
        self, address: tuple[str, int] | str, privileged: bool, protocol: asyncio.BaseProtocol
    ) -> asyncio.Transport:
        """Connect, from a privileged port if that is wanted and can be."""
        if isinstance(address, str):
            return (await self.loop.create_unix_connection(lambda: protocol, address))[0]
        try:
            if privileged and os.geteuid() == 0:
                transport = await self._reach_privileged(*address, protocol)
            else:
                transport, _ = await self.loop.create_connection(lambda: protocol, *address)
            sock = transport.get_extra_info("socket")
            if sock is not None and is_with_itself(sock):  # uvloop has none that is closed already
                transport.abort()
                raise ConnectionRefusedError(errno.ECONNREFUSED, "connected with itself")
            return transport
        except socket.gaierror as error:
            raise unknown_host(address[0], error) from None
        except OSError as error:
            if not error.errno:
                raise  # several addresses, each with an error of its own
            where = f"{address[0]}:{address[1]}"
            raise OSError(error.errno, os.strerror(error.errno), where) from None

    async def _reach_privileged(
        self, host: str, port: int, protocol: asyncio.BaseProtocol
    ) -> asyncio.Transport:
        """Connect to one of a host's addresses, from the first privileged port that is free."""
        failure: OSError | None = None
        found = await self.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, _, _, _, where in found:
            anywhere = "0.0.0.0" if family == socket.AF_INET else "::"
            for own in (*PRIVILEGED_PORTS, 0):  # 0: the choice is the kernel's
                try:
                    transport, _ = await self.loop.create_connection(
                        lambda: protocol, *where[:2], family=family, local_addr=(anywhere, own)
                    )
                    return transport
                except OSError as error:
                    failure = error
                    if error.errno not in _PORT_IS_TAKEN:
                        break
        raise failure or OSError(f"no address for {host}:{port}")

    def cancel_connect(self, trap: Connect) -> None:
        task = self._connecting.get(trap)
        if task is not None:
            task.cancel()

    def disconnect(self, connection: Any, error: Exception | None = None) -> None:
        wire = connection.link
        if wire is not None:
            wire.close(error or ConnectionLostError(f"{connection.name}: disconnected"))

    def offload(self, fiber: Fiber, trap: Offload) -> Armed:
        fiber.trap = trap

        def ended(future: asyncio.Future[Any]) -> None:
            error: BaseException | None = (
                ConnectionLostError("the loop is closing")
                if future.cancelled()
                else future.exception()
            )
            fiber.wake(trap, None if error is not None else future.result(), error)

        calling = self.loop.run_in_executor(self.threads, trap.function, *trap.args)
        calling.add_done_callback(ended)
        return None
