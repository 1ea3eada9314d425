"""An event loop without a selector, and the real asyncio session on it.

:class:`StandingLoop` runs what is due in the order in which asyncio would, and nothing comes from
outside but what is
chosen: an answer, a time-out, a connection. So the asyncio face is explored as it is: its session
(:mod:`glusterio.api.aio.session`), its driver (:mod:`glusterio.runtime.aio`), and asyncio's own
tasks and futures. Its tasks cannot be put in another order than asyncio's; what is left to choose
is when each begins an operation, what arrives when, and the accidents.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from glusterio.api import live
from glusterio.api.aio.session import AioSession
from glusterio.api.url import Target
from glusterio.lifecycle.trace import TraceHook
from glusterio.runtime.aio import AioDriver
from glusterio.runtime.virtual import Clock, Reach


class StandingLoop:
    """An event loop that stands still until :meth:`drain`.

    Args:
        clock: the time.
        reach: finds servers.

    Attributes:
        connecting: connects that nobody has answered yet.
        complaints: what asyncio could only report.
        tasks: all that were made.
        callers: those of them that the world lets begin.
    """

    def __init__(self, clock: Clock, reach: Reach) -> None:
        self.clock = clock
        self.reach = reach
        self.connecting: list[_Connecting] = []
        self.transports: dict[Transport, None] = {}
        self.complaints: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.callers: dict[asyncio.Task[Any], TaskCaller] = {}
        self._due: deque[asyncio.Handle] = deque()
        self._draining = False
        self._tick: _Tick | None = None
        self._as_loop: Any = self
        clock.ticked.append(self._let_tick)

    def drain(self) -> None:
        """Run all that is due, and what that makes due."""
        if self._draining:
            return
        self._draining = True
        asyncio._set_running_loop(self._as_loop)
        try:
            while self._due:
                handle = self._due.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)
            self._draining = False

    def _let_tick(self) -> None:
        """Time has passed: let the ping clocks be looked at, once, in time, however much it was."""
        tick, self._tick = self._tick, None
        if tick is not None and tick.callback is not None:
            self.call_soon(tick.callback, self.clock.now, 0.0)

    # -- what asyncio asks of a loop --------------------------------------------------------------

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self._as_loop, context)
        self._due.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if getattr(callback, "__name__", "") == "_tick":
            self._tick = _Tick(callback)
            return self._tick

        def fire() -> None:
            self.call_soon(callback, *args, context=context)

        return self.clock.call_later(delay, fire)

    def time(self) -> float:
        return self.clock.now

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        task = asyncio.Task(coro, loop=self._as_loop, name=name, context=context)
        self.tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def create_connection(self, factory: Any, *address: Any, **_: Any) -> Any:
        connecting = _Connecting(self, factory, address)
        self.connecting.append(connecting)
        try:
            return await connecting.outcome
        finally:
            if connecting in self.connecting:
                self.connecting.remove(connecting)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False


class _Tick:
    """When the ping clocks are looked at next."""

    def __init__(self, callback: Callable[[float, float], None]) -> None:
        self.callback: Callable[[float, float], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class _Connecting:
    """A connect that nobody has answered yet."""

    def __init__(self, loop: StandingLoop, factory: Any, address: Any) -> None:
        self.loop = loop
        self.factory = factory
        self.address = address
        self.outcome: asyncio.Future[Any] = loop.create_future()

    def __str__(self) -> str:
        return str(self.address)


class Transport(asyncio.Transport):
    """A connection without a socket; to the brick it is a :class:`glusterio.runtime.virtual.Wire`.

    Attributes:
        jammed: the peer takes nothing for now.
        peer: the brick's side; ``None`` when either side has closed it.
    """

    family = socket.AF_UNIX  # it has no address that could be its own

    def __init__(self, loop: StandingLoop, protocol: Any) -> None:
        super().__init__()
        self.loop = loop
        self.protocol = protocol
        self.jammed = False
        self.peer: Any = None
        self._kept = b""

    @property
    def connection(self) -> Any:
        """The client's side."""
        return self.protocol.connection

    # -- the protocol's side ----------------------------------------------------------------------

    def write(self, data: Any) -> None:
        if self.peer is None:
            return
        if self.jammed:
            self._kept += bytes(data)
            self.protocol.pause_writing()
        else:
            self.peer.received(bytes(data))

    def abort(self) -> None:
        peer = self._part()
        if peer is not None:
            peer.closed()
            self.loop.call_soon(self.protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self.peer is None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self  # as if it were a socket

    @property
    def _sock(self) -> Transport:
        """Its ``close`` is what a child process does to its copy of the socket."""
        return self

    def close(self) -> None:
        self._part()

    def _part(self) -> Any:
        peer, self.peer = self.peer, None
        self.loop.transports.pop(self, None)
        return peer

    # -- the world's side -------------------------------------------------------------------------

    def flush(self) -> None:
        """The peer takes something again."""
        kept, self._kept = self._kept, b""
        if self.peer is not None and kept:
            self.peer.received(kept)
            self.loop.call_soon(self.protocol.resume_writing)

    def deliver(self, data: bytes) -> None:
        """Let bytes arrive."""
        self.loop.call_soon(self._deliver, data)
        self.loop.drain()

    def _deliver(self, data: bytes) -> None:
        while data and self.peer is not None:
            buffer = self.protocol.get_buffer(len(data))
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            data = data[count:]
            self.protocol.buffer_updated(count)

    def lose(self) -> None:
        """The peer's end is gone."""
        if self._part() is not None:
            self.loop.call_soon(self.protocol.eof_received)
            self.loop.call_soon(self.protocol.connection_lost, None)


class LoopDriver:
    """What a world asks of a driver, for a session on such a loop."""

    eager = True

    def __init__(self, loop: StandingLoop, real: AioDriver) -> None:
        self.loop = loop
        self.start_detached = real.start_detached
        self.clock = loop.clock
        self.ready: list[Any] = []
        self.locks: list[Any] = []
        self.events: list[Any] = []

    @property
    def wires(self) -> dict[Transport, None]:
        return self.loop.transports

    @property
    def connecting(self) -> list[_Connecting]:
        return self.loop.connecting

    def drain(self) -> None:
        self.loop.drain()

    def end_turn(self) -> None: ...

    def accept(self, connecting: _Connecting) -> None:
        self.loop.connecting.remove(connecting)
        if connecting.outcome.done():
            return
        try:
            serve = self.loop.reach(connecting.address)
        except OSError as error:
            connecting.outcome.set_exception(error)
            return
        protocol = connecting.factory()
        transport = Transport(self.loop, protocol)
        transport.peer = serve(transport)  # type: ignore[arg-type]
        self.loop.transports[transport] = None
        protocol.connection_made(transport)
        connecting.outcome.set_result((transport, protocol))


class LoopSession:
    """The real session of the asyncio face, and the loop that it is on."""

    def __init__(self, clock: Clock, reach: Reach, target: Target, trace: TraceHook | None) -> None:
        self.loop = StandingLoop(clock, reach)
        asyncio._set_running_loop(self.loop._as_loop)
        try:
            self.real = AioSession(target, trace)
            live.discard(self.real)  # the world sees to its end
            self._without_sockets(self.real.driver)
        finally:
            asyncio._set_running_loop(None)
        self.driver = LoopDriver(self.loop, self.real.driver)
        self.core = self.real.core
        self.connect = self.real.connect
        self.call = self.real.call
        self.open = self.real.open
        self.take = self.real.take
        self.close_handle = self.real.close_handle
        self.close = self.real.close
        self.forget_after_fork = self.real.forget_after_fork

    def _without_sockets(self, driver: Any) -> None:
        """Whoever asks for TLS connects as the loop does, and finds that the brick speaks none."""

        connect = driver._connect

        async def reset(trap: Any) -> None:
            if trap.tls is None:
                await connect(trap)
                return
            transport = await driver._reach(trap.address, False, asyncio.Protocol())
            transport.abort()
            raise ConnectionResetError(errno.ECONNRESET, "it does not speak TLS")

        driver._connect = reset


class TaskCaller:
    """A caller that is a task of the loop; as :class:`tests.explore.world.Caller`."""

    inner = False

    def __init__(self, name: str, coro: Coroutine[Any, Any, Any], loop: StandingLoop) -> None:
        self.name = name
        self.begun = False
        self.loop = loop
        self.turn: asyncio.Future[None] | None = None
        self.coro = coro
        self.task: asyncio.Task[Any] = loop.create_task(coro, name=name)
        loop.callers[self.task] = self
        loop.drain()

    @property
    def rest(self) -> TaskCaller:
        return self

    @property
    def begins(self) -> bool:
        return self.turn is not None

    @staticmethod
    def holds() -> bool:
        """Whether the world has to let it go on: asyncio does that."""
        return False

    @property
    def done(self) -> bool:
        return self.task.done()

    @property
    def error(self) -> BaseException | None:
        if not self.task.done():
            return None
        if self.task.cancelled():
            return asyncio.CancelledError()
        return self.task.exception()

    def go(self, interrupt: BaseException | None = None) -> None:
        """Let it begin its operation, or cancel it."""
        self.begun = True
        if interrupt is not None:
            self.task.cancel()
        elif self.turn is not None:
            turn, self.turn = self.turn, None
            turn.set_result(None)
        self.loop.drain()

    def __str__(self) -> str:
        return self.name


async def take_turn() -> None:
    """Wait until the world lets this task begin its operation."""
    task = asyncio.current_task()
    loop: Any = asyncio.get_running_loop()
    assert task is not None
    caller = loop.callers[task]
    caller.turn = caller.loop.create_future()
    await caller.turn
