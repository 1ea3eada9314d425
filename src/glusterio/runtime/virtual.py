"""What the exploring driver has where others have a clock, locks and sockets."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol

from glusterio.errors import LocalProtocolError, RemoteProtocolError
from glusterio.rpc.connection import Connection
from glusterio.runtime.timer import Timer
from glusterio.traps import Connect

if TYPE_CHECKING:
    from glusterio.runtime.explore import ExploreDriver
    from glusterio.runtime.fiber import Fiber


class Peer(Protocol):
    """The other end of a connection, as the driver sees it. It answers by :meth:`Wire.deliver`."""

    def received(self, data: bytes) -> None:
        """Take what the client has sent: whole records, or parts of them."""

    def closed(self) -> None:
        """The client has closed the connection."""


#: Finds who listens at an address. Raises ``OSError`` when nobody does.
Reach = Callable[[tuple[str, int] | str], Callable[["Wire"], Peer]]


class Clock:
    """The time, which goes on from timer to timer, when it is told to. Several drivers may share
    one.

    Attributes:
        now: seconds.
        ticked: called after each advance: the drivers' ping clocks.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.ticked: list[Callable[[], None]] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Have something called; see :class:`glusterio.runtime.fiber.Driver`."""
        timer = Timer(self.now + seconds, callback)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def due(self) -> Timer | None:
        """Return the timer that is next, if there is one."""
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heapq.heappop(timers)
        return timers[0][2] if timers else None

    def timers(self) -> list[Timer]:
        """Return those that are still to come, in their order."""
        return [timer for _, _, timer in sorted(self._timers) if timer.callback is not None]

    def advance(self) -> None:
        """Let it be the time of the next timer, and that one happen."""
        timer = self.due()
        if timer is not None:
            heapq.heappop(self._timers)
            self.pass_until(timer.when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()

    def pass_until(self, when: float) -> None:
        """Let it be a time, if it is not later already; what is due by then does not happen yet."""
        self.now = max(self.now, when)
        for tick in self.ticked:
            tick()


class Lock:
    """A lock where there is one thread: it only tells when it is taken twice."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = False

    def __enter__(self) -> None:
        if self.held:
            raise LocalProtocolError("a lock is taken twice")
        self.held = True

    def __exit__(self, *_: object) -> None:
        self.held = False


class Until:
    """What a caller rests on.

    Args:
        holds: tells whether it may go on.
        fiber: the fiber that runs its operation, if there is one.
        begins: whether an operation is about to begin.
    """

    __slots__ = ("begins", "fiber", "holds")

    def __init__(
        self, holds: Callable[[], bool], fiber: Fiber | None = None, begins: bool = False
    ) -> None:
        self.holds = holds
        self.fiber = fiber
        self.begins = begins

    def __await__(self) -> Generator[Until, None, None]:
        yield self


class Wire:
    """A connection without a socket.

    Attributes:
        jammed: the peer takes nothing for now; what is sent stays in the connection.
    """

    __slots__ = ("connection", "driver", "jammed", "peer")

    def __init__(self, driver: ExploreDriver, connection: Connection) -> None:
        self.driver = driver
        self.connection = connection
        self.jammed = False
        self.peer: Peer | None = None

    def flush(self) -> None:
        """Hand over what is queued, if the peer takes it."""
        if self.peer is not None and not self.jammed and self.connection.has_data_to_send:
            self.peer.received(b"".join(self.connection.hand_over()))

    def deliver(self, data: bytes) -> None:
        """Let bytes from the peer arrive."""
        connection = self.connection
        while data and self.peer is not None:
            buffer = connection.get_buffer()
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            data = data[count:]
            try:
                replies = connection.received(count)
            except RemoteProtocolError as error:
                self.close(error)
                return
            self.driver.complete(replies)
            connection.came = []
            if connection.unasked and connection.on_message is not None:
                for message in connection.messages():
                    connection.on_message(message)

    def lose(self) -> None:
        """The peer's end is gone."""
        self._part()
        self.driver.complete(self.connection.eof())
        self.connection.came = []

    def close(self, error: Exception) -> None:
        """Close it from our side; what is in flight fails with ``error``."""
        peer = self._part()
        failed = self.connection.fail(error)
        if peer is not None:
            peer.closed()
        self.driver.complete(failed)
        self.connection.came = []

    def _part(self) -> Peer | None:
        peer, self.peer = self.peer, None
        self.driver.wires.pop(self, None)
        self.connection.link = None
        return peer


class Connecting:
    """A connect that nobody has answered yet."""

    __slots__ = ("fiber", "trap")

    def __init__(self, fiber: Fiber, trap: Connect) -> None:
        self.fiber = fiber
        self.trap = trap
