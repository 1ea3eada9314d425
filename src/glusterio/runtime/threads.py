"""The threads driver: calling threads run the core themselves.

A thread that calls an operation steps its coroutine, sends its request, and then waits for the reply
as *leader* or as *follower*. There is one leader at a time. The leader polls the sockets, receives,
and hands each completed reply to the thread that waits for it; when its own work can go on it passes
the lead to a follower and goes. So a lone thread does everything itself, nothing is handed to another
thread on its way; and with many threads one of them reads for all, with every thread's requests in
flight at once.

A thread that finds nobody leading goes a shorter way, :mod:`~glusterio.runtime.exchange`, as long as
nothing comes in between its request and the reply.

Nobody steps a coroutine while leading: what runs in a step (a user's callback, too) may call anything.

When no caller waits, a house-keeping thread leads, for callbacks and pings
(:mod:`~glusterio.runtime.housekeeper`). A caller takes the lead from it without asking.

Detached fibers (asynchronous operations, late releases) have no thread of their own. Whoever is
leading when their reply comes steps them, after passing the lead on.

Locks, in the order in which they may be taken: a link's ``receiving``, its ``sending``, then the
driver's ``lock``, which is the session's and the translators', too. None is held while waiting or
doing I/O that could wait, but for ``receiving``: a leader holds it while it waits in ``recv``, for
:data:`~glusterio.runtime.link.PATIENCE` at the most.

Why it ends: a caller waits only in an exchange, which whatever wakes a leader ends, and in ``_wait``,
for its fiber to be queued. A fiber rests on a reply (the connection completes or fails it: the ping
clock sees to that), on a timer (the leader, or within a tick the house-keeper, fires it), or on an
event; and cancelling it ends any of these. ``stop`` joins the house-keeper, which blocks nowhere but
in ``poll`` (woken by the wake pipe) and in ``Event.wait`` (set by ``stop``).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from glusterio.errors import (
    CloseFromCallbackError,
    ConnectionLostError,
    LocalProtocolError,
    ReentrantCallError,
)
from glusterio.runtime.connecting import Connecting
from glusterio.runtime.exchange import exchange
from glusterio.runtime.fiber import (
    Armed,
    Fiber,
    discard,
    for_caller,
    has_ended,
    is_interrupt,
    not_taken,
    recover,
    spawn,
)
from glusterio.runtime.home import Home
from glusterio.runtime.housekeeper import TICK, HouseKeeper
from glusterio.runtime.link import WAITING, Link
from glusterio.runtime.sockets import WRITE, Sockets
from glusterio.runtime.timer import Timer, Timers
from glusterio.traps import Connect, Coro, Event, Offload, Reply, Spawn
from glusterio.types import Log

#: Whether this thread holds a lock. As a function it is mapped over all of them without Python's help.
_is_owned: Callable[[Any], bool] = type(threading.RLock())._is_owned  # type: ignore[attr-defined]


class ThreadsDriver(Sockets):
    """Runs the core's coroutines on the threads that call."""

    tick = TICK

    def __init__(self) -> None:
        super().__init__()
        self._leader: Home | None = None
        self._followers: dict[Home, None] = {}  # in the order of their coming
        self._loose: deque[Fiber] = deque()  # detached fibers to be stepped
        self._steps_loose = 0  # the thread that steps them, and looks again before it leaves off
        self._timers = Timers()
        self._keeper = HouseKeeper(self)
        self._keeper_home = self._keeper.home  # each exchange looks whether it leads
        self.stopping = False
        self._detached = 0  # started and not yet ended; the house-keeper must not stay away then
        self.untold: list[Exception] = []
        self.log: Log = logging.getLogger("glusterio")

    def keep_house(self) -> None:
        """Start the house-keeping thread, unless there is one, or another thread has stopped all.

        Raises:
            RuntimeError: the process may not have another thread.
        """
        self._keeper.start()

    # -- for callers ------------------------------------------------------------------------------

    def run(
        self,
        coro: Coro[Any],
        call: Any = None,
        leave: Callable[[Any], None] | None = None,
        unwanted: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run a coroutine on this thread until it ends; return its result or raise its error.

        One that does not have to wait, since a translator knows the answer, ends here: it needs no
        fiber and no home, which is half of what such a call costs. One that waits for a reply, and then
        for another, goes from :func:`~glusterio.runtime.exchange.exchange` to exchange as long as that
        will do.

        Args:
            coro: the coroutine.
            call: what it runs for; it gets to know the fiber, if there is one.
            leave: called with ``call`` when the coroutine has ended, before this returns.
            unwanted: called with the result when an interrupt kept this thread from taking it: an
                opened file must not be lost.
        """
        state = self._per_thread.state
        state.calls += 1
        held = state.corked
        if held is not None:  # a run inside a step: what it waits for must go out
            state.corked = None
            self._send_held(held)
        fiber: Fiber | None = None
        home: Home | None = None
        trap = result = None
        try:
            try:
                trap = coro.send(None)
                while True:
                    if type(trap) is Spawn:  # a deferred write, mostly; it is no waiting, either
                        spawn(self, trap)
                    else:
                        if fiber is None:
                            home = state.home if state.calls == 1 else Home()
                            fiber = Fiber(coro, self, home)
                            if call is not None:  # Fiber.run_for(), written out
                                fiber.call = call
                                call.fiber = fiber
                                if call.unwanted is not None:
                                    fiber.cancel(call.unwanted)
                        if type(trap) is not Reply or not (
                            exchange(self, fiber, trap) or self._comes(fiber, trap)
                        ):
                            break
                    trap = coro.send(None)
            except StopIteration as stop:
                result = stop.value
                return result
            if fiber.trap is None:
                fiber.step(trap if fiber.resume_error is None else None)
            while not fiber.done:
                self._wait(fiber.home)
                self._step_ready(fiber.home)
            result = fiber.value
        except BaseException as error:  # the operation's own; or KeyboardInterrupt, most likely
            if has_ended(coro) and (fiber is None or not fiber.done):
                trap = None  # no cycle through the traceback
                if is_interrupt(error):  # just when it had failed, perhaps
                    not_taken(error.__context__, self.untold)
                if for_caller(error, call) is error:
                    raise
                raise for_caller(error, call) from None
            if trap is not None and (fiber is None or fiber.trap is None):
                discard(trap)
            trap = None
            if fiber is None:
                fiber = Fiber(coro, self, home or Home())
            state.home = Home()  # what was interrupted may have left something in the old one
            self._unwind(fiber, fiber.home, error)
            if fiber.error is not None:
                not_taken(fiber.error, self.untold)
            elif unwanted is not None:
                unwanted(fiber.value)
            trap = fiber.error = fiber.wanted_cancel = None  # no cycle through the traceback
            raise
        finally:
            state.calls -= 1
            if held is not None:
                state.corked = held
            if leave is not None:
                try:
                    leave(call)
                except BaseException as error:
                    if is_interrupt(error):
                        with contextlib.suppress(LocalProtocolError):  # it has left all the same
                            leave(call)
                        if unwanted is not None and result is not None:
                            unwanted(result)
                    raise
        if fiber.error is None:
            return fiber.value
        try:
            return fiber.result()
        except BaseException:
            not_taken(fiber.error, self.untold)  # there only if this was interrupted
            raise

    def start_detached(
        self,
        coro: Coro[Any],
        on_done: Callable[[Fiber], None],
        call: Any = None,
    ) -> Fiber:
        """Start a coroutine that this thread does not wait for.

        Args:
            coro: the coroutine.
            on_done: called with the fiber when it has ended, on whichever thread steps it last.
            call: what the fiber runs for; each gets to know the other.
        """

        def deliver(fiber: Fiber) -> None:
            state = self._per_thread.state
            state.callbacks += 1
            if self._loose:  # the callback may take its time
                self._keeper.nudge()
            try:
                on_done(fiber)
            finally:
                state.callbacks -= 1
                with self.lock:
                    self._detached -= 1

        if self._keeper.thread is None:
            self.keep_house()
        with self.lock:
            self._detached += 1
        fiber = Fiber(coro, self, None, deliver)
        if call is not None:
            fiber.run_for(call)
        fiber.step()
        self._keeper.nudge()
        return fiber

    def check_may_block_for_others(self) -> None:
        """Make sure that this thread may wait for every call of the session to end.

        Raises:
            CloseFromCallbackError: it is inside one of them itself.
        """
        state = self._per_thread.state
        if (
            state.calls
            or state.callbacks
            or threading.current_thread() is self._keeper.thread
            or self._is_inside()
        ):
            raise CloseFromCallbackError(
                "close() inside an operation or a completion callback of the same session would wait"
                " for itself; call it from another thread"
            )

    def check_not_inside(self) -> None:
        """Make sure that this thread is not in the middle of the session's own work.

        The garbage collector may run somebody's destructor anywhere, also where a lock is held or
        while this thread leads. A call from there would wait for itself.

        Raises:
            ReentrantCallError: it is.
        """
        leader = self._leader
        if any(map(_is_owned, self._locks)) or (
            leader is not None and leader.thread == threading.get_ident()
        ):
            raise ReentrantCallError(
                "a call from a destructor or a trace hook, in the middle of the same session's own work"
            )

    def _is_inside(self) -> bool:
        leader = self._leader
        if leader is not None and leader.thread == threading.get_ident():
            return True
        return any(map(_is_owned, self._locks))

    def _unwind(self, fiber: Fiber, home: Home, error: BaseException) -> None:
        """End a fiber whose thread was interrupted; bounded, since nothing that waits is left."""
        self._pass_the_lead(home)  # it may have been interrupted before it came to that
        with self.lock:
            recover(fiber, home.ready, error)
        fiber.cancel(error)
        while not fiber.done:
            if not home.ready:
                self._wait(home)
            self._step_ready(home)

    # -- waiting ----------------------------------------------------------------------------------

    def _comes(self, fiber: Fiber, reply: Reply) -> bool:
        """Wait for a reply that a fiber may rest on after an exchange; a step of its own is not needed.

        Returns:
            Whether it has come, and the coroutine can go on. Else the fiber is queued, or to be
            stepped.
        """
        if fiber.trap is not reply and not fiber.is_claimed:
            return False
        home = fiber.home
        self._wait(home)
        ready = home.ready
        if len(ready) != 1 or ready[0] is not fiber or fiber.resume_value is not reply:
            return False
        ready.clear()
        fiber.trap = fiber.resume_value = None
        return True

    def _wait(self, home: Home) -> None:
        """Return when something is queued for ``home``; lead meanwhile if nobody does."""
        lock = self.lock
        while True:
            with lock:  # one time for all that changes hands: it costs as much as ten calls
                leader = self._leader
                if leader is home:  # we have led
                    self._leader = leader = None
                if home.ready:
                    if leader is None:
                        self._wake_a_follower()  # also if we were given the lead just then
                    return
                leads = leader is None or leader is self._keeper_home
                if leads:
                    self._leader = home  # from the house-keeper without asking
                else:
                    self._followers[home] = None
            if leads:
                try:
                    self._lead(home)
                except BaseException:
                    self._hand_out_again()
                    self._pass_the_lead(home)
                    raise
                if self._loose:
                    self._pass_the_lead(home)
                    self._step_loose()
            else:
                try:
                    home.gate.acquire()
                except BaseException:
                    with lock:
                        if self._followers.pop(home, home) is home:
                            home.gate.acquire(blocking=False)  # woken just then
                            self._wake_a_follower()
                    raise

    def _pass_the_lead(self, home: Home) -> None:
        with self.lock:
            if self._leader is home:
                self._leader = None
                self._wake_a_follower()

    def _wake_a_follower(self) -> None:
        """If nobody leads, have somebody lead. Called with the lock held."""
        if self._leader is not None:
            return
        if self._followers:
            follower = next(iter(self._followers))
            del self._followers[follower]
            follower.gate.release()
        elif self._detached:
            self._keeper.may_go.set()

    @staticmethod
    def _step_ready(home: Home) -> None:
        # Others append meanwhile; each of these operations on the list is one of its own.
        ready = home.ready
        while ready:
            fiber = ready.pop(0)
            if not fiber.is_claimed:
                continue  # queued twice, because of an interrupt
            try:
                fiber.step()
            except BaseException:
                if fiber.is_claimed:  # interrupted before it was stepped
                    ready.insert(0, fiber)
                raise

    def _step_loose(self) -> None:
        thread = threading.get_ident()
        try:
            self._steps_loose = thread
            while self._loose:
                try:
                    fiber = self._loose.popleft()
                except IndexError:  # another thread took it
                    return
                if not fiber.is_claimed:
                    continue  # queued twice, because of an interrupt
                try:
                    fiber.step()
                except BaseException:
                    if fiber.is_claimed:  # interrupted before it was stepped
                        self._loose.appendleft(fiber)
                    raise
        finally:
            if self._steps_loose == thread:
                self._steps_loose = 0
            if self._loose:  # interrupted
                self._keeper.nudge()

    # -- leading ----------------------------------------------------------------------------------

    def _lead(self, home: Home, until: float | None = None) -> bool:
        """Poll, receive and hand out, until something is queued for ``home`` or a detached fiber.

        Args:
            home: the leader's.
            until: for the house-keeper, when it shall look at the clocks; and it leads no longer than
                until something has come, unless there is work that waits for nobody but it.

        Returns:
            Whether that was so.
        """
        ready = home.ready
        link = self._sole if until is None else None
        while self._leader is home:  # a caller may take the lead from the house-keeper
            if link is not None:
                # recv waits as well as the poller, as long as something comes: one call less, and the
                # interpreter's lock is given away once less.
                if ready or self._loose or self._timers or link.wants_write:
                    link = None
                    continue
                replies = link.receive(WAITING)
                if replies is None:
                    link = None
                    continue
                self._hand_out(link, replies)
                if ready:
                    return False
                continue
            home.polling = True  # first say so, then look: whoever queues looks after queueing
            try:
                if ready or self._loose:
                    return False
                if until is not None and (self.stopping or self.now() >= until):
                    return False
                timeout = None
                if self._timers or until is not None:
                    timeout = self._poll_timeout(until)
                unwatched = self._keeper.thread is None
                if unwatched:
                    timeout = TICK if timeout is None else min(TICK, timeout)
                events = self._poller.poll(timeout)
            finally:
                home.polling = False
            if unwatched and not events:
                self.keep_house()
            if self._leader is not home:
                return False
            for number, what in events:
                watched = self._watched.get(number)
                if isinstance(watched, Link):
                    if what != WRITE:
                        self._hand_out(watched, watched.receive() or [])
                    if what & WRITE:
                        self._flush(watched)
                elif watched is not None:
                    watched.progress()
                elif number == self._wake_number:
                    self._drain_wake_pipe(home)
            if self._timers:
                self._fire_timers()
            if ready:
                return False
            if until is not None and events and not (self._detached or self._timers):
                return True
        return False

    def _poll_timeout(self, until: float | None) -> float | None:
        """Return how long to poll, in seconds; ``None`` for ever."""
        when = until
        if self._timers:
            with self.lock:
                due = self._timers.next_time()
            if due is not None and (when is None or due < when):
                when = due
        return None if when is None else max(0.0, when - self.now())

    def _hand_out(self, link: Link, replies: list[Reply]) -> None:
        self._complete(replies)
        connection = link.connection
        connection.came = []
        if connection.lost is not None:
            self._close_if_lost(link)
        if connection.unasked and connection.on_message is not None:
            for message in connection.messages():
                connection.on_message(message)

    def _hand_out_again(self) -> None:
        """After an interrupt of the leader: what it had received is not lost to those who wait for it.

        To be told of a reply twice does no harm.
        """
        for link in self._links():
            self._complete(link.connection.came)
            link.connection.came = []

    def _close_if_lost(self, link: Link) -> None:
        lost = link.connection.lost
        if lost is not None:
            self._close(link, lost)

    def _close(self, link: Link, error: Exception) -> None:
        try:
            self._close_now(link, error)
        except BaseException:  # an interrupt, perhaps with what this fails in hand: once more
            self._complete(link.connection.came)
            self._close_now(link, error)
            raise

    def _close_now(self, link: Link, error: Exception) -> None:
        self.unwatch(link)
        self._complete(link.close(error))
        self._closed(link)

    def _complete(self, replies: list[Reply]) -> None:
        """Tell whoever waits for these replies: those that count them first, then the fibers."""
        if not replies:
            return
        interrupt: BaseException | None = None
        for reply in replies:
            if reply.settled is not None:
                try:
                    reply.settled(reply)
                except BaseException as error:  # the others are told all the same, this one again
                    interrupt = error
                    with contextlib.suppress(type(error)):
                        reply.settled(reply)
        # One time for all; and attaching happens under it, too, when a reply is awaited anew.
        with self.lock:
            for reply in replies:
                if reply.fiber is not None:
                    reply.fiber.resume(reply, reply)
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                interrupt = None  # no cycle through the traceback

    def _fire_timers(self) -> None:
        now = self.now()
        while True:
            with self.lock:
                timer = self._timers.take(now)
            if timer is None:
                return
            if timer.callback is not None:
                timer.callback()

    def _wake_leader(self) -> None:
        leader = self._leader
        if leader is not None and leader.polling:
            self._interrupt_poll()

    def _drain_wake_pipe(self, home: Home) -> None:
        with self.lock:
            if self._leader is home:  # else the byte may be for the new leader
                self._empty_wake_pipe()

    def look_at_clocks(self, due: float) -> None:
        """Let every connection's ping clock go on: once a tick, and never while leading.

        Args:
            due: when this was to be, in seconds on the driver's clock.
        """
        now = self.now()
        for link in self._links():
            # A leader may read from another one alone; and who was stopped for long has not read the
            # answer to its ping, which came meanwhile.
            if link.connection.quiet or link.connection.doubted:
                self._hand_out(link, link.receive() or [])
            self._complete(link.tick(now, now - due))
            self._close_if_lost(link)

    # -- the end ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the house-keeping thread and close what is left; once more, if that was interrupted."""
        with self.lock:  # a connect that is over may be starting it
            self.stopping = True
        try:
            self._keeper.join()
        finally:
            for watched in list(self._watched.values()):
                self._complete(watched.close(ConnectionLostError("the session has ended")))
            self._close_poller()

    def forget(self) -> None:
        """In a child process: close this process's copies of the sockets, and nothing else."""
        # Locks that this thread, or one that is not here, held at the fork are the parent's business.
        self.lock = threading.RLock()
        self._locks = (self.lock,)
        self._leader = None
        for watched in self._watched.values():
            watched.forget()
        self._close_poller()

    # -- for fibers (the Driver protocol) ---------------------------------------------------------

    now = staticmethod(time.monotonic)

    @staticmethod
    def wall_clock() -> int:
        """Tell the time of day, in nanoseconds since the epoch."""
        return time.time_ns()

    def new_lock(self) -> Any:
        """Return the lock for the session and the translators: the driver's own."""
        return self.lock

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.now() + seconds, callback)
        with self.lock:
            first = self._timers.put(timer)
        if first:
            self._wake_leader()
            self._keeper.nudge()
        return timer

    def enqueue(self, fiber: Fiber) -> None:
        home = fiber.home
        if home is None:
            self._loose.append(fiber)
            self._wake_leader()
            # Who steps them already comes to this one, too. To wake another thread for it, which would
            # then want the interpreter at every turn, doubled what it costs to make a file.
            if self._steps_loose != threading.get_ident():
                self._keeper.nudge()
            return
        home.ready.append(fiber)
        if home in self._followers:
            del self._followers[home]
            home.gate.release()
        elif home.polling:
            self._interrupt_poll()

    def connect(self, fiber: Fiber, trap: Connect) -> Armed:
        fiber.trap = trap
        Connecting(self, fiber, trap).begin()
        return None

    def disconnect(self, connection: Any, error: Exception | None = None) -> None:
        link = connection.link
        if link is not None:
            self._close(link, error or ConnectionLostError(f"{connection.name}: disconnected"))

    @staticmethod
    def offload(fiber: Fiber, trap: Offload) -> Armed:
        try:
            return trap.function(*trap.args), None
        except Exception as error:
            return None, error

    def new_event(self) -> Event:
        """Make an event for the session."""
        return Event()
