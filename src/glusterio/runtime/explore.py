"""The exploring driver: the same coroutines, and somebody else takes every decision.

There are no threads here, no sockets, and no clock but a :class:`~glusterio.runtime.virtual.Clock`
that stands still until it is told to go on. Nothing happens by itself: a fiber that is ready waits
until it is stepped, a request goes to whoever plays the server (a
:class:`~glusterio.runtime.virtual.Peer`), and its answer arrives when that one delivers it. So
whoever holds this driver (``tests/explore``) can run one session through any order of events that
threads, an event loop, the network and a server could bring about, and the same order again.

Two ways to run a caller, as the two other drivers have them:

* ``run`` is a task's: what :meth:`glusterio.runtime.aio.AioDriver.run` does. An interrupted caller
  goes at once; its fiber unwinds by itself.
* ``run_on_thread`` is a thread's, :meth:`glusterio.runtime.threads.ThreadsDriver.run`: its call is
  counted out when the thread goes on, and an interrupted caller waits until its fiber has ended.

A caller is a coroutine that rests on :class:`~glusterio.runtime.virtual.Until`: whoever runs it
looks whether the condition holds, and then goes on with it, or throws an interrupt at it.

How fine the steps are: a fiber runs from one trap to the next in one go. What two threads could do
to each other between two traps, in the middle of a step, is not explored; the locks are there for
that. A lock that is taken twice, or still held at a trap, is found
(:class:`~glusterio.runtime.virtual.Lock`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from glusterio.errors import ConnectionLostError
from glusterio.rpc.connection import Connection
from glusterio.runtime.fiber import Armed, Fiber, for_caller, has_ended, not_taken, recover, spawn
from glusterio.runtime.virtual import Clock, Connecting, Lock, Reach, Until, Wire
from glusterio.traps import Connect, Coro, Event, Offload, Reply, Spawn
from glusterio.types import Log

#: So many events are kept before those are dropped that nobody can wait for any more.
_MANY = 4096


class ExploreDriver:
    """Runs one session's coroutines, one step at a time, as it is told.

    Args:
        clock: the time.
        reach: finds servers.
        eager: as on an event loop, what is sent in one turn leaves at its end, :meth:`end_turn`;
            else at once, as from a thread.

    Attributes:
        ready: fibers to be stepped, in the order in which they became so.
        wires: the connections that are up.
        connecting: connects that are under way.
        events: every event that was made; who still waits for one when all is over, waits for ever.
    """

    def __init__(self, clock: Clock, reach: Reach, *, eager: bool = True) -> None:
        self.clock = clock
        self.eager = eager
        self.locks: list[Lock] = []
        self.lock: AbstractContextManager[Any] = self.new_lock()
        self.ready: list[Fiber] = []
        self.wires: dict[Wire, None] = {}
        self.connecting: list[Connecting] = []
        self.events: list[Event] = []
        self.untold: list[Exception] = []
        self.log: Log = logging.getLogger("glusterio")
        self.call_later = clock.call_later
        self._reach = reach
        self._corked = False
        self._unsent: list[Wire] = []
        clock.ticked.append(self._tick)

    # -- for whoever decides ----------------------------------------------------------------------

    def step(self, fiber: Fiber) -> None:
        """Step a fiber that is ready, up to its next trap."""
        self.ready.remove(fiber)
        fiber.step()

    def drain(self) -> None:
        """Step every fiber that is ready, and those that this makes ready, in their order."""
        while self.ready:
            self.ready.pop(0).step()

    def end_turn(self) -> None:
        """Let what was sent leave."""
        while self._unsent:
            self._unsent.pop().flush()

    def accept(self, connecting: Connecting) -> None:
        """Let a connect succeed, if somebody is there."""
        self.connecting.remove(connecting)
        fiber, trap = connecting.fiber, connecting.trap
        try:
            serve = self._reach(trap.address)
        except OSError as error:
            fiber.wake(trap, None, error)
            return
        wire = Wire(self, trap.connection)
        wire.peer = serve(wire)
        trap.connection.link = wire
        self.wires[wire] = None
        if not fiber.wake(trap, None):
            self.disconnect(trap.connection)

    def refuse(self, connecting: Connecting, error: OSError) -> None:
        """Let a connect fail."""
        self.connecting.remove(connecting)
        connecting.fiber.wake(connecting.trap, None, error)

    def _tick(self) -> None:
        for wire in list(self.wires):
            failed = wire.connection.tick(self.clock.now)
            if wire.connection.lost is not None:
                self.complete(failed)
                wire.close(wire.connection.lost)
            else:
                wire.flush()

    # -- for callers ------------------------------------------------------------------------------

    async def run(
        self,
        coro: Coro[Any],
        call: Any = None,
        leave: Callable[[Any], None] | None = None,
        unwanted: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run a coroutine for a task; see :meth:`glusterio.runtime.aio.AioDriver.run`."""
        trap = None
        try:
            trap = coro.send(None)
            while type(trap) is Spawn:
                spawn(self, trap)
                trap = coro.send(None)
        except StopIteration as stop:
            if leave is not None:
                leave(call)
            return stop.value
        except BaseException as error:
            assert has_ended(coro), "nothing interrupts a step here"
            if leave is not None:
                leave(call)
            raise for_caller(error, call) from None

        def done(fiber: Fiber) -> None:
            if leave is not None:
                leave(call)
            if fiber.orphaned:
                self._drop(fiber, unwanted)

        fiber = Fiber(coro, self, None, done)
        if call is not None:
            fiber.run_for(call)
        fiber.step(trap)
        has_ended_now = _is_done(fiber)
        if not has_ended_now():
            try:
                await Until(has_ended_now, fiber)
            except GeneratorExit:
                raise  # nobody is there any more
            except BaseException as error:
                if has_ended_now():  # asked anew
                    self._drop(fiber, unwanted)
                else:
                    fiber.orphaned = True
                    fiber.cancel(error)
                raise
        return fiber.result()

    async def run_on_thread(
        self,
        coro: Coro[Any],
        call: Any = None,
        leave: Callable[[Any], None] | None = None,
        unwanted: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run a coroutine for a thread; see :meth:`glusterio.runtime.threads.ThreadsDriver.run`.

        Between the admission and the first step, and between the last step and the leaving, others
        may go on: each is one more rest of the caller.
        """
        home = object()
        try:
            fiber = await self._run_there(home, coro, call, unwanted)
        except GeneratorExit:
            raise  # nobody is there any more
        except BaseException:
            if leave is not None:
                leave(call)
            raise
        if leave is not None:
            leave(call)
        return fiber.result()

    async def _run_there(
        self, home: object, coro: Coro[Any], call: Any, unwanted: Callable[[Any], None] | None
    ) -> Fiber:
        """Run a coroutine on a thread until it has ended. An interrupt is raised when it has."""
        fiber = Fiber(coro, self, home)
        try:
            await Until(_always)  # admitted, and nothing done yet
        except BaseException:
            coro.close()
            raise
        if call is not None:
            fiber.run_for(call)
        fiber.step()
        interrupts: list[BaseException] = []
        while True:
            try:
                await Until(_is_done(fiber), fiber)
                break
            except GeneratorExit:
                raise
            except BaseException as error:
                interrupts.append(error)
                recover(fiber, self.ready, error)
                fiber.cancel(error)
        if interrupts:
            self._drop(fiber, unwanted)
            raise interrupts[0]
        return fiber

    def start_detached(
        self, coro: Coro[Any], on_done: Callable[[Fiber], None], call: Any = None
    ) -> Fiber:
        """Start a coroutine that nobody waits for; see :class:`glusterio.api.core.CoreDriver`."""
        fiber = Fiber(coro, self, None, on_done)
        if call is not None:
            fiber.run_for(call)
        fiber.step()
        return fiber

    def _drop(self, fiber: Fiber, unwanted: Callable[[Any], None] | None) -> None:
        error, fiber.error = fiber.error, None
        if error is not None:
            not_taken(error, self.untold)
        elif unwanted is not None:
            unwanted(fiber.value)

    def stop(self) -> None:
        """Close what is left. Called once, when nothing is in flight any more."""
        for connecting in list(self.connecting):
            self.refuse(connecting, ConnectionLostError("the session has ended"))
        for wire in list(self.wires):
            wire.close(ConnectionLostError("the session has ended"))
        if self._tick in self.clock.ticked:
            self.clock.ticked.remove(self._tick)

    def forget(self) -> None:
        """In a child process: let go of the connections; no peer hears of it."""
        for wire in list(self.wires):
            wire.peer = None
        self.wires.clear()
        self.connecting.clear()
        self.ready.clear()

    # -- for fibers (the Driver protocol), and for the core ---------------------------------------

    def now(self) -> float:
        return self.clock.now

    def wall_clock(self) -> int:
        """Tell the time of day, in nanoseconds since the epoch."""
        return int(self.clock.now * 1e9)

    def new_lock(self) -> Lock:
        """Make a lock for the session."""
        lock = Lock()
        self.locks.append(lock)
        return lock

    def new_event(self) -> Event:
        """Make an event for the session."""
        event = Event()
        self.events.append(event)
        if len(self.events) > _MANY:
            self.events[:] = [each for each in self.events if not each.is_set]
        return event

    def keep_house(self) -> None:
        """Look after the connections while nobody waits: whoever decides does."""

    def quieten(self, connection: Connection) -> None:
        """Nobody waits for what comes on a connection: that is decided for all of them alike."""

    def enqueue(self, fiber: Fiber) -> None:
        self.ready.append(fiber)

    def complete(self, replies: list[Reply]) -> None:
        """Tell whoever waits for these replies: those that count them first, then the fibers."""
        for reply in replies:
            if reply.settled is not None:
                reply.settled(reply)
            fiber = reply.fiber
            if fiber is not None and fiber.claim(reply):
                fiber.resume_value = reply
                self.ready.append(fiber)

    def submit(self, reply: Reply) -> None:
        wire = reply.connection.link
        if wire is None:
            reply.connection.refuse(reply)
        reply.connection.submit(reply)
        if self.eager or self._corked:
            self._unsent.append(wire)
        else:
            wire.flush()

    @contextmanager
    def corked(self) -> Iterator[None]:
        if self._corked:
            yield
            return
        self._corked = True
        try:
            yield
        finally:
            self._corked = False
            if not self.eager:
                self.end_turn()

    def abandon(self, reply: Reply) -> None:
        if reply.connection.abandon(reply) and reply.settled is not None:
            reply.settled(reply)

    def connect(self, fiber: Fiber, trap: Connect) -> Armed:
        fiber.trap = trap
        self.connecting.append(Connecting(fiber, trap))
        return None

    def cancel_connect(self, trap: Connect) -> None:
        self.connecting = [each for each in self.connecting if each.trap is not trap]

    def disconnect(self, connection: Any, error: Exception | None = None) -> None:
        wire = connection.link
        if wire is not None:
            wire.close(error or ConnectionLostError(f"{connection.name}: disconnected"))

    @staticmethod
    def offload(fiber: Fiber, trap: Offload) -> Armed:
        try:
            return trap.function(*trap.args), None
        except Exception as error:
            return None, error


def _always() -> bool:
    return True


def _is_done(fiber: Fiber) -> Callable[[], bool]:
    return lambda: fiber.done
