"""A running coroutine of the core, and what each trap means, for every driver alike.

A fiber is *stepped*: the coroutine runs until its next trap, the trap is armed, and the fiber is at
rest until somebody *wakes* it with the trap's result. Waking is a claim: a trap may be completed by a
reply, by a time-out and by a cancellation at once, and the first to claim it wins. A claimed fiber is
queued; who steps it, and when, is the driver's business. Two fibers of one family (a gather's
children, say) are never stepped at the same time by different threads, unless they are detached.

Cancellation, in one place:

* at rest on a plain trap: the trap is disarmed and ``Cancelled`` is thrown at it;
* at rest on a gather or a within: the children are cancelled, and once they have ended the coroutine
  goes on, with ``Cancelled``. So nothing a coroutine started by these ever outlives it;
* running, or already woken: the result is delivered, and ``Cancelled`` meets it at its next trap.
  A result that has arrived is never dropped.

An interrupt (Ctrl-C) comes in the thread that happens to step a fiber. Where a caller waits for the
fiber, he gets it. Where nobody does, it is raised in that very thread, out of whatever it had called;
the fiber's parents, which another thread may step, are told by ``Cancelled``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeGuard

from glusterio.errors import ConnectionLostError
from glusterio.traps import (
    Cancelled,
    Connect,
    Coro,
    Disconnect,
    Gather,
    Now,
    Offload,
    Outcome,
    Reply,
    Spawn,
    Wait,
    Within,
)
from glusterio.types import Log

#: Stands in a fiber's ``trap`` when that has been completed and the fiber is about to be stepped.
_CLAIMED: Any = object()

#: What arming a trap gives: ``None`` when the fiber is at rest, or ``(value, error)`` at once.
Armed = tuple[Any, BaseException | None] | None


class Timer(Protocol):
    """Something that happens later, unless it is cancelled."""

    def cancel(self) -> None:
        """Do not let it happen; harmless when it has."""


class Driver(Protocol):
    """What a driver provides to fibers."""

    #: Guards the claims; a no-op where there is only one thread.
    lock: AbstractContextManager[Any]
    #: Where the errors go of which nobody else hears; the session's own, once there is one.
    log: Log

    def now(self) -> float:
        """Return the driver's clock, in seconds."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds``."""

    def enqueue(self, fiber: Fiber) -> None:
        """Have a claimed fiber stepped soon. Called with ``lock`` held."""

    def submit(self, reply: Reply) -> None:
        """Send a request. Its fiber is set; the connection completes it. May raise."""

    def corked(self) -> AbstractContextManager[Any]:
        """While in it, what this thread submits is queued; then it is sent in few system calls."""

    def abandon(self, reply: Reply) -> None:
        """Let go of a request, as in :meth:`glusterio.rpc.connection.Connection.abandon`."""

    def connect(self, fiber: Fiber, trap: Connect) -> Armed:
        """Begin to connect, and wake the fiber when that has ended."""

    def cancel_connect(self, trap: Connect) -> None:
        """Stop connecting."""

    def disconnect(self, connection: Any, error: Exception | None = None) -> None:
        """Close a connection's link."""

    def offload(self, fiber: Fiber, trap: Offload) -> Armed:
        """Call a blocking function."""


class _Expired(Exception):
    """Marks the cancellation that a :class:`Within`'s own clock made."""

    def __init__(self, trap: Within) -> None:
        super().__init__(f"not done within {trap.seconds:g} s")
        self.trap = trap


class Fiber:
    """One coroutine under way.

    Args:
        coro: the coroutine; the fiber owns it.
        driver: who runs it.
        home: the driver's mark of who steps it; ``None`` for a detached fiber.
        on_done: called once when it has ended, by whoever stepped it last.

    Attributes:
        done: whether it has ended.
        value: what it returned.
        error: what it raised, a :class:`~glusterio.traps.Cancelled` included.
        call: the session's admitted call that it runs for, if any.
        orphaned: nobody takes the result any more.
        unattended: nobody waits for it, nor for a parent of it.
    """

    # What most fibers never need is the class's: to set it would be half of what a call's fiber costs.
    done = False
    call: Any = None
    orphaned = False
    unattended = False
    value: Any = None
    error: BaseException | None = None
    resume_value: Any = None
    resume_error: BaseException | None = None
    children: Sequence[Fiber] = ()
    cleanup: Callable[[], None] | None = None
    wanted_cancel: BaseException | None = None
    turn = 0  # how often it has been stepped
    on_done: Callable[[Fiber], None] | None = None

    def __init__(
        self,
        coro: Coro[Any],
        driver: Driver,
        home: Any = None,
        on_done: Callable[[Fiber], None] | None = None,
    ) -> None:
        self.coro = coro
        self.driver = driver
        self.home = home
        self.trap: Any = None
        if on_done is not None:
            self.on_done = on_done

    @property
    def is_claimed(self) -> bool:
        """Whether it is to be stepped: what it rested on has been completed."""
        return self.trap is _CLAIMED

    def run_for(self, call: Any) -> None:
        """Let the fiber and the admitted call that it runs for know each other, before it begins."""
        self.call = call
        call.fiber = self
        if call.unwanted is not None:  # said before there was a fiber
            self.cancel(call.unwanted)

    def step(self, trap: Any = None) -> None:
        """Run the coroutine to its next trap that does not complete at once, or to its end.

        Args:
            trap: where the coroutine stands already, when it was begun without a fiber.
        """
        value = error = None
        turn = self.turn = self.turn + 1
        try:
            value = self.resume_value
            self.resume_value = self.trap = None
            if self.resume_error is not None:
                error, self.resume_error = self.resume_error, None
            if self.cleanup is not None:
                self.cleanup()
                self.cleanup = None
            if self.children:
                self.children = ()
                if isinstance(error, Cancelled):
                    self.wanted_cancel = None  # this is it
        except BaseException as interrupt:  # what it was resumed with may be lost
            value, error = None, interrupt
        coro = self.coro
        while True:
            if trap is None:
                try:
                    trap = coro.send(value) if error is None else coro.throw(error)
                except StopIteration as stop:
                    self.value = stop.value
                    break
                except BaseException as exception:
                    if not has_ended(coro):
                        value, error = None, exception  # an interrupt when it had come to a trap
                        continue
                    self.error = exception
                    del exception  # no reference cycle through the traceback
                    break
            kind = type(trap)
            if self.wanted_cancel is not None and kind not in _NOT_WAITING:
                value, error = None, Cancelled(self.wanted_cancel)
                self.wanted_cancel = None
                discard(trap)
                trap = None
                continue
            try:
                armed = _ARM[kind](self, trap)
            except BaseException as exception:  # an interrupt; or no such trap
                armed = self._disarm(exception, turn)
                if armed is None and self.unattended:
                    raise
            if armed is None:
                return  # at rest; from here on somebody else may be stepping us
            value, error = armed
            trap = None
        self.done = True  # also if an interrupt comes before what follows
        try:
            self._finish()
        except BaseException:
            if self.on_done is not None:  # interrupted before it had begun
                self._finish()
            raise

    def result(self) -> Any:
        """Return what the coroutine returned, or raise what its caller shall see."""
        if self.error is None:
            return self.value
        error = for_caller(self.error, self.call)
        try:
            raise error
        finally:
            self.error = None  # no reference cycle through the traceback
            del error

    def wake(self, trap: object, value: Any, error: BaseException | None = None) -> bool:
        """Complete ``trap``, if the fiber still rests on it. From any thread.

        Returns:
            Whether this was the completion that counted.
        """
        with self.driver.lock:
            return self.resume(trap, value, error)

    def resume(self, trap: object, value: Any, error: BaseException | None = None) -> bool:
        """Do what :meth:`wake` does. Called with the driver's lock held."""
        if self.trap is not trap:
            return False
        self.trap = _CLAIMED
        self.resume_value = value
        self.resume_error = error
        try:
            self.driver.enqueue(self)
        except BaseException:  # an interrupt, perhaps before that was done: twice does no harm
            self.driver.enqueue(self)
            raise
        return True

    def claim(self, trap: object) -> bool:
        """Claim ``trap``, if the fiber still rests on it. Called with the driver's lock held."""
        if self.trap is not trap:
            return False
        self.trap = _CLAIMED
        return True

    def cancel(self, cause: BaseException, at: object = None) -> None:
        """Make the coroutine give up; ``cause`` is what its caller shall see. From any thread.

        Args:
            cause: why.
            at: the trap that it shall give up; it goes on if it does not rest on that one.
        """
        driver = self.driver
        with driver.lock:
            trap = self.trap
            if self.done or (at is not None and trap is not at):
                return
            if trap is None or trap is _CLAIMED:
                self.wanted_cancel = cause
                return
            if self.children:
                self.wanted_cancel = cause
                children = list(self.children)
            else:
                children = []
                self.trap = _CLAIMED
                self.resume_error = Cancelled(cause)
        if children:
            for child in children:
                child.cancel(cause)
            return
        # Disarmed first, stepped after: when the caller sees the error, its buffers are its own.
        try:
            if type(trap) is Reply:
                driver.abandon(trap)
            elif type(trap) is Connect:
                driver.cancel_connect(trap)
        finally:
            with driver.lock:
                driver.enqueue(self)

    def _disarm(self, error: BaseException, turn: int) -> Armed:
        """Arming the trap has failed: have the error thrown at it, unless somebody was quicker.

        Another thread may be stepping it already, or have done so. Where children are under way they
        end first.
        """
        with self.driver.lock:
            if self.trap is _CLAIMED or self.turn != turn or self.done:
                return None
            if not self.children:
                self.trap = None
                return None, error
        self.cancel(error)
        return None

    def _finish(self) -> None:
        error = self.error
        on_done, self.on_done = self.on_done, None
        if on_done is not None:
            try:
                on_done(self)
            except BaseException:
                if self.unattended or self.home is not None:  # interrupted; twice does no harm
                    on_done(self)
                raise
        elif self.unattended and isinstance(error, Exception):
            self.driver.log.error("a detached coroutine failed", exc_info=error)
        if self.unattended and is_interrupt(error):
            try:
                raise error  # an interrupt of whoever steps this: nobody else would hear of it
            finally:
                self.error = error = None  # no reference cycle through the traceback

    def __repr__(self) -> str:
        state = "done" if self.done else f"at {self.trap!r}"
        return f"<Fiber {getattr(self.coro, '__qualname__', self.coro)} {state}>"


def has_ended(coro: Coro[Any]) -> bool:
    """Tell whether a coroutine that raised has ended; if not, it was interrupted at a trap."""
    return getattr(coro, "cr_frame", None) is None


def for_caller(error: BaseException, call: Any) -> BaseException:
    """Return what the caller shall see for an error that ended the coroutine.

    Args:
        error: the error.
        call: the admitted call that the coroutine ran for, if any.
    """
    if isinstance(error, Cancelled):
        return error.cause
    if isinstance(error, ConnectionLostError) and call is not None:
        # It had been told to give up, and found its session gone before it could hear of that.
        unwanted: BaseException | None = call.unwanted
        return unwanted or error
    return error


def not_taken(error: BaseException | None, untold: list[Exception]) -> None:
    """A coroutine has failed, and its caller was cancelled or interrupted just then.

    An error that is to be told once has a ``put_back``, which sees to it that somebody is told later,
    or returns ``False``: then it is kept. Of any other nobody need know.

    Args:
        error: the error, if it is one.
        untold: where it is kept.
    """
    put_back = getattr(error, "put_back", None)
    if put_back is not None and not put_back():
        assert isinstance(error, Exception)
        untold.append(error)


def is_interrupt(error: BaseException | None) -> TypeGuard[BaseException]:
    """Tell whether an error came from outside, as Ctrl-C does, in the middle of anything."""
    return error is not None and not isinstance(error, (Exception, Cancelled))


def was_interrupted(error: BaseException | None) -> bool:
    """Tell whether a fiber has come to its end by an interrupt: its own, or one of a child of it."""
    interrupt = _interrupt_in(error)
    return interrupt is not None and not isinstance(interrupt, GeneratorExit)


def _interrupt_in(error: BaseException | None) -> BaseException | None:
    """Return the interrupt by which a fiber has come to its end, if it was one."""
    if isinstance(error, Cancelled):
        error = error.cause
    return error if is_interrupt(error) else None


def recover(fiber: Fiber, ready: list[Fiber], error: BaseException) -> None:
    """After an interrupt of the thread that steps a family, find those that nobody would step any more.

    Called with the driver's lock held, by that thread.

    Args:
        fiber: the family's head.
        ready: who is going to be stepped; the lost ones are added.
        error: the interrupt.
    """
    for child in fiber.children:
        recover(child, ready, error)
    if fiber.done or fiber in ready:
        return
    trap = fiber.trap
    lost = trap is None or trap is _CLAIMED
    if fiber.children:
        lost = all(child.done for child in fiber.children)
    if lost:
        fiber.trap = _CLAIMED
        fiber.resume_error = Cancelled(error)
        ready.append(fiber)


# -- what each trap does ------------------------------------------------------------------------------


def _arm_reply(fiber: Fiber, reply: Reply) -> Armed:
    if reply.submitted:  # awaited once more, after its first fiber was cancelled
        with fiber.driver.lock:
            if reply.done:
                return reply, None
            fiber.trap = reply
            reply.fiber = fiber
        return None
    reply.fiber = fiber
    fiber.trap = reply
    try:
        fiber.driver.submit(reply)
    except Exception as error:
        with fiber.driver.lock:
            if fiber.trap is not reply:  # cancelled meanwhile: so it will be stepped
                return None
            fiber.trap = None
        not_sent(reply, error)
        return None, error
    return None


def not_sent(reply: Reply, error: Exception) -> None:
    """A request will never be sent: whoever counts it shall know."""
    reply.fiber = None
    reply.done = True
    reply.error = error
    if reply.settled is not None:
        reply.settled(reply)


def _arm_gather(fiber: Fiber, trap: Gather) -> Armed:
    coroutines = trap.coroutines
    if not coroutines:
        return [], None
    driver = fiber.driver

    def child_done(child: Fiber) -> None:
        with driver.lock:
            under_way.discard(child)
            last = not under_way
        if last:
            interrupts = [_interrupt_in(one.error) for one in children]
            cause = next(filter(None, interrupts), fiber.wanted_cancel)
            if cause is not None:
                fiber.wake(trap, None, Cancelled(cause))
            else:
                fiber.wake(trap, [Outcome(child.value, child.error) for child in children])
        elif (interrupt := _interrupt_in(child.error)) is not None:
            fiber.cancel(interrupt, trap)  # the others may wait for what it has not come to do

    children = [_child(fiber, coro, child_done) for coro in coroutines]
    under_way = set(children)
    fiber.children = children
    fiber.trap = trap
    with driver.corked():
        unbegun = children[::-1]
        interrupt: BaseException | None = None
        while unbegun:
            try:
                while unbegun:
                    unbegun[-1].step()
                    unbegun.pop()
            except BaseException as error:  # no child is left behind, and none begun again
                interrupt = error
                if unbegun and (unbegun[-1].done or unbegun[-1].trap is not None):
                    unbegun.pop()
    if interrupt is not None:
        fiber.cancel(interrupt, trap)
        if fiber.unattended:
            raise interrupt
    return None


def _child(parent: Fiber, coro: Coro[Any], on_done: Callable[[Fiber], None]) -> Fiber:
    child = Fiber(coro, parent.driver, parent.home, on_done)
    if parent.unattended:
        child.unattended = True
    return child


def _arm_within(fiber: Fiber, trap: Within) -> Armed:
    driver = fiber.driver

    def child_done(child: Fiber) -> None:
        error = child.error
        if (
            isinstance(error, Cancelled)
            and isinstance(error.cause, _Expired)
            and error.cause.trap is trap
        ):
            error = TimeoutError(str(error.cause))
        if child.unattended and is_interrupt(error):
            error = Cancelled(error)  # its thread has heard of it
        fiber.wake(trap, child.value, error)

    child = _child(fiber, trap.coroutine, child_done)
    fiber.children = [child]
    fiber.trap = trap
    try:
        timer = driver.call_later(trap.seconds, lambda: child.cancel(_Expired(trap)))
        fiber.cleanup = timer.cancel
        child.step()
    except BaseException as interrupt:
        if not child.done and child.trap is None:  # not begun
            child.wanted_cancel = interrupt
            child.step()
        raise
    return None


def _arm_wait(fiber: Fiber, trap: Wait) -> Armed:
    event = trap.event
    if event.is_set:
        return True, None
    if trap.seconds is not None and trap.seconds <= 0:
        return False, None

    def happened() -> None:
        fiber.wake(trap, True)

    def too_late() -> None:
        fiber.wake(trap, False)

    timer: Timer | None = None

    def cleanup() -> None:
        if timer is not None:
            timer.cancel()
        with contextlib.suppress(ValueError):
            event.waiters.remove(happened)

    fiber.cleanup = cleanup
    fiber.trap = trap  # from here on it can be woken: so the trap comes before all that wakes it
    if trap.seconds is not None:
        timer = fiber.driver.call_later(trap.seconds, too_late)
    event.waiters.append(happened)
    if event.set_already():
        happened()
    return None


def _arm_spawn(fiber: Fiber, trap: Spawn) -> Armed:
    spawn(fiber.driver, trap)
    return None, None


def spawn(driver: Driver, trap: Spawn) -> None:
    """Start what a coroutine hands on to outlive it."""
    coroutines = trap.coroutines
    if len(coroutines) == 1:
        _unattended(coroutines[0], driver).step()
        return
    unbegun = list(coroutines[::-1])
    with driver.corked():
        try:
            while unbegun:
                _unattended(unbegun.pop(), driver).step()
        except BaseException:  # an interrupt: whoever spawns sees to the rest
            for coro in unbegun:
                coro.close()
            raise


def _unattended(
    coro: Coro[Any], driver: Driver, on_done: Callable[[Fiber], None] | None = None
) -> Fiber:
    fiber = Fiber(coro, driver, None, on_done)
    fiber.unattended = True
    return fiber


def post(driver: Driver, requests: Sequence[Reply]) -> None:
    """Send requests that no coroutine waits for, together; of the answers their ``settled`` is told."""
    if len(requests) == 1:
        post_one(driver, requests[0])
    else:
        with driver.corked():
            for request in requests:
                post_one(driver, request)


def post_one(driver: Driver, request: Reply) -> None:
    """Send a request that no coroutine waits for; of the answer its ``settled`` is told."""
    try:
        driver.submit(request)
    except Exception as error:
        not_sent(request, error)


def start_later(
    driver: Driver,
    coro: Coro[None],
    on_done: Callable[[Fiber], None] | None = None,
    call: Any = None,
) -> Fiber:
    """Start a coroutine that nobody waits for, from where nothing may be stepped: ``settled``, say.

    Args:
        driver: who runs it.
        coro: the coroutine.
        on_done: called with the fiber when it has ended; once more, if that was interrupted.
        call: the admitted call that it runs for, if any: it has a fiber once this can not be undone.
    """
    fiber = _unattended(coro, driver, on_done)
    fiber.trap = _CLAIMED
    try:
        if call is not None:
            fiber.run_for(call)
        with driver.lock:
            driver.enqueue(fiber)
    except BaseException:  # an interrupt, perhaps before that was done: twice does no harm
        if call is not None:
            fiber.run_for(call)
        with driver.lock:
            driver.enqueue(fiber)
        raise
    return fiber


def _arm_connect(fiber: Fiber, trap: Connect) -> Armed:
    return fiber.driver.connect(fiber, trap)


def _arm_disconnect(fiber: Fiber, trap: Disconnect) -> Armed:
    fiber.driver.disconnect(trap.connection, trap.error)
    return None, None


def _arm_offload(fiber: Fiber, trap: Offload) -> Armed:
    return fiber.driver.offload(fiber, trap)


def _arm_now(fiber: Fiber, trap: Now) -> Armed:
    return fiber.driver.now(), None


_ARM: dict[type, Callable[[Fiber, Any], Armed]] = {
    Reply: _arm_reply,
    Gather: _arm_gather,
    Within: _arm_within,
    Wait: _arm_wait,
    Spawn: _arm_spawn,
    Connect: _arm_connect,
    Disconnect: _arm_disconnect,
    Offload: _arm_offload,
    Now: _arm_now,
}

#: Traps that complete at once: a cancelled coroutine may use them on its way out.
_NOT_WAITING = frozenset({Spawn, Disconnect, Now})


def discard(trap: object) -> None:
    """Let go of what a trap holds that will never be armed."""
    if isinstance(trap, Reply):
        if not trap.submitted and not trap.done:
            not_sent(
                trap, ConnectionLostError("given up before it was sent", may_have_happened=False)
            )
    elif isinstance(trap, Gather):
        for coro in trap.coroutines:
            coro.close()
    elif isinstance(trap, Within):
        trap.coroutine.close()
