"""What a coroutine of the core may wait for.

The core (translators, sessions, teardown) is written once, as coroutines that know no event loop, no
thread and no clock. Where one of them has to wait, it awaits a *trap*: a small object that describes
what is awaited. A driver (:mod:`glusterio.runtime`) runs the coroutine, is handed the trap, arranges
for it to complete, and resumes the coroutine with the result. There are three drivers of the same
coroutines: calling threads, asyncio, and a simulation.

========================  ====================================================================
trap                      completes with
========================  ====================================================================
:class:`Reply`            the reply's record, or ``ConnectionLostError``
:class:`Gather`           one :class:`Outcome` for each coroutine, when all have ended
:class:`Within`           the coroutine's result, or ``TimeoutError`` when it was not in time
:class:`Wait`             ``True`` when the event was set, ``False`` when the time was over
:class:`Spawn`            at once; the coroutine goes on by itself and is counted until it ends
:class:`Connect`          a link to a server, or ``OSError``
:class:`Disconnect`       when the link is closed
:class:`Offload`          a blocking function's result
:class:`Now`              the driver's clock, in seconds
========================  ====================================================================

Two rules for those who write such coroutines:

* **Cancellation arrives as** :class:`Cancelled` **at a trap.** What a coroutine took it must drop on
  the way out, without waiting again; work that has to outlive it is handed to :class:`Spawn`.
* **No lock is held across a trap.**
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: A coroutine of the core.
Coro = Coroutine[Any, Any, T]


class Cancelled(BaseException):
    """Thrown into a coroutine at its trap when it shall give up.

    Attributes:
        cause: the error that the coroutine's caller shall see.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Trap(Generic[T]):
    """Base of everything that can be awaited in the core."""

    __slots__ = ()

    def __await__(self) -> Generator[Trap[T], T, T]:
        return (yield self)


class Reply(Trap["Reply"]):
    """A request on its way and the reply that it waits for.

    Made by a translator, sent by the driver when it is awaited, completed by the connection. Awaiting
    it again after a cancellation waits for the same reply; it is never sent twice.

    Args:
        connection: the :class:`glusterio.rpc.connection.Connection` that carries it.
        xid: the request's number on that connection.
        packet: the buffers of the request, record mark included, in order.
        sink: where the reply's data tail shall land, or ``None`` to have it with the record.
        locate: finds the data tail: given the record so far, returns the tail's offset in it, or
            ``None`` when it holds no tail (then, or without it, the whole record is kept).

    Attributes:
        record: the reply's record without its mark (without its tail, when that went to ``sink``).
        received: bytes that went to ``sink``.
        room: bytes that the reply may be longer than others, where there is no sink.
        error: why there is no reply.
        done: whether the reply, or the error, is there.
        sent: whether any byte of the request has left.
        settled: called once, with the reply, when it is done, whoever still waits. Optional.
    """

    # What each begins with is the class's: to set all of it costs as much as packing the request.
    record: bytes | bytearray | memoryview = b""
    received = 0
    room = 0
    error: Exception | None = None
    done = False
    sent = False
    submitted = False
    fiber: Any = None

    def __init__(
        self,
        connection: Any,
        xid: int,
        packet: Sequence[bytes | bytearray | memoryview],
        sink: memoryview | None = None,
        locate: Callable[[memoryview], int | None] | None = None,
        settled: Callable[[Reply], None] | None = None,
    ) -> None:
        self.connection = connection
        self.xid = xid
        self.packet = packet
        self.sink = sink
        self.locate = locate
        self.settled = settled

    def __await__(self) -> Generator[Trap[Reply], Reply, Reply]:
        if not self.done:
            yield self
        error = self.error
        if error is None:
            return self
        try:
            raise error
        finally:
            del self, error  # no reference cycle through the traceback


class Outcome(NamedTuple):
    """How one coroutine of a :class:`Gather` ended: with a value, or with an error."""

    value: Any
    error: BaseException | None

    def get(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class Gather(Trap[list[Outcome]]):
    """Run several coroutines at once and wait until each has ended, well or badly.

    Cancelling it cancels each of them; it still waits until all have ended.
    """

    __slots__ = ("coroutines",)

    def __init__(self, coroutines: Sequence[Coro[Any]]) -> None:
        self.coroutines = coroutines


class Within(Trap[Any]):
    """Run a coroutine, but not for longer than ``seconds``; then it is cancelled.

    Raises (in the awaiting coroutine):
        TimeoutError: it was cancelled, and has ended, since the time was over.
    """

    __slots__ = ("coroutine", "seconds")

    def __init__(self, seconds: float, coroutine: Coro[Any]) -> None:
        self.seconds = seconds
        self.coroutine = coroutine


class Event:
    """Something that happens once. :meth:`set` may be called from anywhere, any number of times."""

    __slots__ = ("is_set", "waiters")

    def __init__(self) -> None:
        self.is_set = False
        #: called once each when the event is set, and possibly more often: they must not mind
        self.waiters: list[Callable[[], None]] = []

    def set_already(self) -> bool:
        """Tell whether it has happened, to someone who has just begun to wait."""
        return self.is_set

    def set(self) -> None:
        """Let it have happened; everyone who waits goes on."""
        # A waiter that is added after this sees is_set; one added before it is called here. They are
        # forgotten when all have been called: an interrupt may come before, and this is done again.
        self.is_set = True
        for wake in list(self.waiters):
            wake()
        self.waiters = []


class Wait(Trap[bool]):
    """Wait for an event, for at most ``seconds`` (``None``: for ever)."""

    __slots__ = ("event", "seconds")

    def __init__(self, event: Event, seconds: float | None = None) -> None:
        self.event = event
        self.seconds = seconds


#: Seconds: as good as none, but a wait.
_NEXT_TURN = 1e-6


def next_turn(new_event: Callable[[], Event]) -> Wait:
    """Let whoever else is ready go on first. To be awaited, in what goes on for long.

    Args:
        new_event: makes an event, which nobody will set.
    """
    return Wait(new_event(), _NEXT_TURN)


class Spawn(Trap[None]):
    """Start coroutines that outlive the one that starts them; nobody waits for their results.

    What several of them ask at once is sent together. They must not raise. Allowed while being
    cancelled: it does not wait.
    """

    __slots__ = ("coroutines",)

    def __init__(self, *coroutines: Coro[None]) -> None:
        self.coroutines = coroutines


class Tls(NamedTuple):
    """What a connection is secured with: a context, or the files to make one of.

    The files' defaults, and what is checked with them, are GlusterFS's: see
    :func:`glusterio.runtime.certificates.context_of`.

    Attributes:
        context: an ``ssl.SSLContext``; it counts alone, if there is one.
        certificate: the file with our certificate, and those between it and the authority's.
        key: the file with its private key.
        authorities: the file with the certificates of the authorities that we trust.
        ciphers: which ciphers may be used up to TLS 1.2, in OpenSSL's words; empty for its defaults.
        revoked: a directory with lists of revoked certificates, or empty.
        anybody: take whatever certificate the server has, and show none: to find out what it speaks.
    """

    context: Any = None
    certificate: str = "/etc/ssl/glusterfs.pem"
    key: str = "/etc/ssl/glusterfs.key"
    authorities: str = "/etc/ssl/glusterfs.ca"
    ciphers: str = ""
    revoked: str = ""
    anybody: bool = False


class Connect(Trap[None]):
    """Connect to a server and attach the link to ``connection``.

    Args:
        address: ``(host, port)``, or the path of a Unix socket.
        connection: the sans-I/O connection that will speak over the link.
        privileged: try a source port below 1024 first, as older bricks want.
        tls: what to secure it with; ``None`` for a connection in the clear. The server's name is the
            host.

    Raises (in the awaiting coroutine):
        OSError: unreachable, refused, unknown host.
        TlsError: there is no TLS between us.
    """

    __slots__ = ("address", "connection", "privileged", "tls")

    def __init__(
        self,
        address: tuple[str, int] | str,
        connection: Any,
        privileged: bool = False,
        tls: Tls | None = None,
    ) -> None:
        self.address = address
        self.connection = connection
        self.privileged = privileged
        self.tls = tls


class Disconnect(Trap[None]):
    """Close a connection's link. What is still in flight on it fails. Harmless when repeated.

    Args:
        connection: the connection.
        error: why; what is in flight fails with errors of this kind. By default, "disconnected".
    """

    __slots__ = ("connection", "error")

    def __init__(self, connection: Any, error: Exception | None = None) -> None:
        self.connection = connection
        self.error = error


class Linked:
    """An ``async with`` block at whose end a connection is closed, however it is left.

    But not when the coroutine is dropped, in the child of a fork for one: then nothing may be awaited.

    Args:
        connection: the connection; it need not have a link.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not GeneratorExit:
            await Disconnect(self._connection)


class Offload(Trap[Any]):
    """Call a blocking function where it holds up nobody else."""

    __slots__ = ("args", "function")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function = function
        self.args = args


class Now(Trap[float]):
    """Ask for the time: seconds on a clock that never goes back."""

    __slots__ = ()
