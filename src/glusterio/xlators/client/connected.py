"""One connection to one brick, and when that is lost, the next one.

Whoever hears that the connection is lost (:meth:`Connected._lost`) starts the *reconnector*, a
coroutine that nobody waits for. It connects anew, asking the portmapper anew where the volfile names no
port, opens again what was open (:mod:`.reopening`), and then lets the requests through that have come
meanwhile. It tries at once, and then less and less often.

A call whose request was lost with the connection, or that comes while the brick is away, waits here
(:meth:`Connected._again`) for at most ``patience`` seconds, and its request is sent on the new
connection: whatever it is, if nothing of it had left; and what changes nothing in any case
(:mod:`.repeating`). Else its caller is told that it may have happened.

An interrupt (Ctrl-C) may come anywhere, since whichever thread is there steps the reconnector, and
hears of the loss. What it kept from being done is done by the reconnector that is started in the place
of an interrupted one, or by the next call (:meth:`Connected._mend`).

Why it ends: :meth:`Connected.sever` cancels the reconnector, which rests on traps alone, and wakes
everyone who waits for the brick. Each of those has a patience of its own besides.

Source: GlusterFS xlators/protocol/client/src/client-handshake.c (``client_setvolume_cbk``,
``client_post_handshake``), rpc/rpc-lib/src/rpc-clnt.c (``rpc_clnt_reconnect``, every 3 s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from glusterio.errors import ConnectionLostError, RemoteProtocolError
from glusterio.graph.frame import Frame
from glusterio.rpc.connection import Connection
from glusterio.traps import Coro, Disconnect, Event, Wait, Within
from glusterio.wire.callbacks import decode_callback
from glusterio.wire.programs import RELEASES_COPIES
from glusterio.xlators.base import Notice, Task
from glusterio.xlators.client.handshake import connect_to_brick
from glusterio.xlators.client.reopening import Reopening

#: How long to wait between two tries to connect, in seconds: before the second one, and at most. It is
#: up to a quarter more or less each time, so that not all clients of a brick come at once.
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 3.0

#: How long a try may take, in seconds: connecting, the handshake, and opening all again.
ATTEMPT: Final = 30.0

#: How long to wait for the reconnector to end, which has nothing to wait for, in seconds.
UNWINDING: Final = 1.0

T = TypeVar("T")


class Connected(Reopening):
    """The part of the client that has a connection."""

    def set_up(self) -> None:
        super().set_up()
        self._reconnects = self.services.reconnect and self.services.start_later is not None
        self._up = False
        self._ended = False
        self._losing: Exception | None = None  # why the brick was lost, until all have been told
        self._is_losing = False  # somebody is telling them
        self._copies = False
        self._tries = 0
        self._times = 0  # how often we have connected again
        self._connected_at = 0.0
        self._pause = 0.0
        self._why = ""  # why the last try has failed
        #: while the brick is away: set when it is back, or will not be any more
        self._back: Event | None = None
        self._reconnector: Task | None = None
        self._over: Event | None = None  # set when that has ended

    # -- life -------------------------------------------------------------------------------------

    async def init(self) -> None:
        """Find the brick, connect, and shake hands.

        Raises:
            HandshakeError: the brick, or the management daemon, would not have us.
            OSError: nobody there.
            RemoteProtocolError: not a GlusterFS brick.
        """
        self._connection, told = await connect_to_brick(
            self.name, self.options, self.services, self._lost
        )
        self._next_xid = self._connection.next_xid
        self._process = told.get("process-uuid")
        self._accepted(self._connection, told)
        self._up = True
        lost = self._connection.lost
        if lost is not None:
            self._up = False
            self._ended = True
            raise lost
        self.notify(Notice.CHILD_UP)

    def _accepted(self, connection: Connection, told: Mapping[str, object]) -> None:
        connection.on_message = self._told
        self._copies = RELEASES_COPIES in told
        self._connected_at = self.services.clock()

    async def fini(self) -> None:
        """Close the connection; the brick lets go of whatever it still held for us."""
        await self.sever(None)
        self._connection = self._reconnector = None
        self._fds.clear()
        self._numbered.clear()

    async def sever(self, error: Exception | None) -> None:
        """Cut the connection; what is in flight fails, and so does what waits for the brick."""
        with self._lock:
            self._up = False
            self._ended = True
            reconnector, over, back = self._reconnector, self._over, self._back
        if error is not None:
            self._why = str(error.args[-1])
        if back is not None:
            back.set()
        if over is not None and not over.is_set:
            if reconnector is not None:
                reconnector.cancel(error or ConnectionLostError(f"{self.name}: disconnected"))
            await Wait(over, UNWINDING)
        if self._connection is not None:
            await Disconnect(self._connection, error)

    def counts(self) -> dict[str, int]:
        """Tell how it goes: whether the brick is there, how often we have reconnected, what is open."""
        return {"up": self._up, "reconnects": self._times, "open": len(self._fds)}

    def _told(self, record: bytes) -> None:
        """The brick tells something unasked. What makes no sense is left out: nobody waits for it."""
        try:
            message = decode_callback(record)
        except RemoteProtocolError as error:
            self.services.log.warning("%s: a message that does not decode: %s", self.name, error)
            return
        if message is not None:
            self.notify(Notice.UPCALL, message)

    # -- losing it, and connecting anew -----------------------------------------------------------

    def _lost(self, error: Exception) -> None:
        """The connection has ended. Called in the middle of receiving: nothing may be waited for here.

        Harmless when repeated.
        """
        back = self.services.new_event()
        was_long = self.services.clock() - self._connected_at >= LONGEST_PAUSE
        tells = False
        try:
            with self._lock:
                if self._is_losing or (self._losing is None and not self._up):
                    return
                self._is_losing = tells = True
                if self._up:
                    self._losing = error
                    if self._reconnects:
                        self._connection = None
                        if self._back is None or self._back.is_set:
                            self._back = back  # else somebody may be waiting for it still
                        if was_long:
                            self._pause = 0.0
                    self._up = False
            self.notify(Notice.CHILD_DOWN, self._losing)
            self._let_leases_go()
            if self._reconnects:
                self._begin()
            self._losing = None
        finally:
            if tells:
                self._is_losing = False

    def _begin(self) -> None:
        """Start the reconnector; one that there is already ends."""
        start, over = self.services.start_later, self.services.new_event()
        assert start is not None
        with self._lock:
            self._over = over
        self._reconnector = start(self._reconnect(over))

    def _mend(self, lost: Exception) -> None:
        """Do what an interrupt has kept another thread from doing when the brick was lost."""
        reconnector = self._reconnector
        if self._losing is not None:
            self._lost(lost)
        elif not (self._up or self._ended or self._is_losing) and (
            reconnector is None or reconnector.done
        ):
            self._begin()

    def _is_wanted(self, over: Event) -> bool:
        """Tell whether a reconnector has something to do, and not another one."""
        return self._over is over and not self._up and not self._ended

    async def _reconnect(self, over: Event) -> None:
        """Connect anew, as often as it takes."""
        try:
            while self._is_wanted(over):
                if self._pause:
                    await Wait(self.services.new_event(), self._pause * self._spread())
                self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
                try:
                    await Within(ATTEMPT, self._connect_again(over))
                except Exception as error:
                    self._why = str(error)
                    self.services.log.info("%s: not connected again yet: %s", self.name, error)
        except GeneratorExit:  # dropped, in the child of a fork for one
            raise
        except BaseException:  # severed; or an interrupt of whoever steps this
            if not self._ended:
                self._begin()
            raise
        finally:
            if self._up and self._back is not None:
                self._back.set()
            over.set()

    def _spread(self) -> float:
        """Return a number from 0.75 to 1.25, which is another one for each client and each time."""
        return 0.75 + (self.services.wall_clock() // 1000 % 1000) / 2000

    async def _connect_again(self, over: Event) -> None:
        """Connect once, and open again what was open.

        Raises:
            OSError: nobody there; or a brick that would not have us, or is none.
        """
        self._tries += 1
        connection, told = await connect_to_brick(
            self.name, self.options, self.services, self._lost, self._tries
        )
        try:
            # Requests on the old connection may be told of late: their numbers shall not come again.
            connection.next_xid = self._next_xid
            self._numbered.clear()  # the old connection's
            in_doubt = told.get("process-uuid") != self._process
            self._accepted(connection, told)
            announced = False
            while True:
                with self._lock:
                    fds = self._not_on(connection)
                    if not fds and announced and not self._forgone:
                        if self._is_wanted(over):
                            self._connection = connection
                            self._process = told.get("process-uuid")
                            self._up = True
                        break
                if fds:
                    await self._reopen_all(connection, fds, in_doubt)
                await self._drop_forgone(connection)
                if not announced:
                    self._times += 1
                    self.notify(Notice.CHILD_UP)
                    announced = True
        except GeneratorExit:
            raise
        except BaseException:
            await Disconnect(connection)
            raise
        if self._connection is not connection:
            await Disconnect(connection)
            return
        self.services.log.info("%s: connected again", self.name)
        if connection.lost is not None:
            self._lost(connection.lost)

    # -- waiting for it ---------------------------------------------------------------------------

    async def _again(
        self,
        lost: ConnectionLostError,
        repeats: bool,
        frame: Frame,
        fop: Callable[..., Coro[T]],
        *args: Any,
    ) -> T:
        """Do once more what could not be done, or of which that is not known, when the brick is back.

        Args:
            lost: why it could not.
            repeats: whether it may be done twice.
            frame: the operation's frame, which knows for how long it has waited.
            fop: what to do, with the frame as its first argument.
            args: further arguments.

        Raises:
            ConnectionLostError: it may have happened; or the brick has not come back.
        """
        ends = frame.patience_ends
        try:
            if not self._reconnects or self._ended or (lost.may_have_happened and not repeats):
                raise lost
            self._mend(lost)
            connection = self._connection
            if connection is not None and connection.lost is not None:
                self._lost(connection.lost)
            if ends is None:
                frame.patience_ends = self.services.clock() + self.services.patience
            while self._connection is None or self._ended:
                back = self._back
                if back is None or self._ended:
                    raise self._given_up(lost)
                left = (frame.patience_ends or 0.0) - self.services.clock()
                if left <= 0 or not await Wait(back, left):
                    raise self._given_up(lost)
            return await fop(frame, *args)
        finally:
            frame.patience_ends = ends
            del lost  # no reference cycle through the traceback

    def _given_up(self, lost: ConnectionLostError) -> ConnectionLostError:
        """Return the error for a call that has waited for the brick in vain."""
        if self._ended:
            why = self._why or "disconnected"
        else:
            why = f"the brick has not come back within {self.services.patience:g} s"
            if self._why:
                why += f" ({self._why})"
        return ConnectionLostError(
            f"{lost.args[-1]}; {why}", may_have_happened=lost.may_have_happened
        )
