"""The management daemon: it tells when the volfile has changed, and the session follows.

The connection that the volfile came by stays open, for daemons tell whoever has asked them for a
volfile that there is a new one (FETCHSPEC). Then it is asked for, and the graph switches
(:mod:`glusterio.api.switching`) in a call of its own, as if somebody had called ``reload``; what goes
wrong is logged, and the session goes on with the graph that it has.

Each further look, while notes come without end, waits longer: half a second at first and ten at most,
as long as nothing has changed, and half a second after each change. So a daemon that tells the same
thing for ever, or another one each time, does not keep the session busy.

When the connection is lost another daemon is asked, one after the other and then again, less and less
often: nobody would tell of a change else. What the volfile has become meanwhile is looked at then.

On the threads driver nobody waits for this connection: its link is *quiet*, so that a session with
one brick still reads from that one alone, as fast as it can. Who polls, or the house-keeper at its next
tick, finds what has come.

Why it ends: :meth:`Management.end` cancels the two coroutines that nobody waits for, which rest on
traps alone, and closes the connection. A switch under way is an admitted call, which the end of the
session has settled before.

Source: GlusterFS api/src/glfs-mgmt.c (``mgmt_cbk_spec``, ``mgmt_rpc_notify``),
xlators/mgmt/glusterd/src/glusterd-utils.c (``glusterd_fetchspec_notify``).
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from glusterio.api.url import Target
from glusterio.api.volfile_server import ask_server, getspec
from glusterio.errors import ConnectionLostError, RemoteProtocolError, SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.fiber import Fiber, start_later
from glusterio.traps import Coro, Disconnect, Event, Wait, Within
from glusterio.wire.callbacks import callback_of
from glusterio.wire.programs import CallbackProc
from glusterio.xlators.base import VolfileServer

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How long a daemon gets to answer, and a new graph to come up, in seconds.
ANSWER: Final = 30.0
SWITCH: Final = 60.0

#: How long to wait before the daemons are tried again, or the volfile is looked at again, in seconds:
#: at first, and at most.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0

#: How long to wait for what has nothing to wait for, in seconds.
UNWINDING: Final = 1.0


class Pace:
    """When something may be done again: the pauses double, until it was not wanted for a while."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._next = 0.0

    def left(self, now: float) -> float:
        """Return how long to wait, in seconds."""
        return max(0.0, self._next - now)

    def done(self, now: float, *, of_use: bool = False) -> None:
        """It was done; if it was of use, the pauses are short again."""
        if of_use or now > self._next + LONGEST_PAUSE:
            self._pause = 0.0
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._next = now + self._pause


class Management:
    """One session's connection to a management daemon.

    Args:
        core: the session.

    Attributes:
        server: the daemon, and the connection to it; ``None`` where nobody is followed.
    """

    def __init__(self, core: Core) -> None:
        self._of = weakref.ref(core)  # whose this is: no cycle shall keep it in memory
        self.server: VolfileServer | None = None
        self._ended = False
        self._is_behind = False  # the volfile may have changed since it was looked at
        self._follows = False  # somebody is looking at it, or about to
        self._regains = False  # somebody is looking for a daemon
        self._looking = Pace()
        self._regaining = Pace()
        self._own: list[tuple[Fiber, Event]] = []  # what nobody waits for, and what it sets at last

    def keep(self, server: VolfileServer) -> None:
        """Stay connected to a daemon, and hear what it tells."""
        self.server = server
        connection = server.connection
        connection.on_message = self._told
        connection.on_lost = self._lost

    def connected(self) -> None:
        """From now on nobody waits for the daemon; what it has told meanwhile is looked at."""
        core, server = self._of(), self.server
        if core is None or server is None:
            return
        core.driver.quieten(server.connection)
        if server.connection.lost is not None:
            self._lost(server.connection.lost)
        elif self._is_behind:
            self._look()

    async def end(self) -> None:
        """Follow nobody any more, and close the connection. Harmless when repeated."""
        self._ended = True
        for fiber, over in self._own:
            if not over.is_set:
                fiber.cancel(ConnectionLostError("the session has ended"))
                await Wait(over, UNWINDING)
        if self.server is not None:
            await Disconnect(self.server.connection)

    def _begin(self, core: Core, coro: Coro[None], over: Event) -> None:
        """Have something done that nobody waits for, but the end of the session.

        Args:
            core: the session.
            coro: it does that. It does not keep the session in memory while it waits.
            over: it sets that at last. Whoever waits for it before waits for nothing but the time.
        """
        fiber = start_later(core.driver, coro)
        with core.lock:
            self._own = [each for each in self._own if not each[1].is_set]
            self._own.append((fiber, over))

    # -- what the daemon tells --------------------------------------------------------------------

    def _told(self, record: bytes) -> None:
        """The daemon tells something unasked. What makes no sense is left out: nobody waits for it."""
        try:
            message = callback_of(record)
        except RemoteProtocolError as error:
            core = self._of()
            if core is not None:
                core.log.warning("the management daemon: a message that does not decode: %s", error)
            return
        if message == CallbackProc.FETCHSPEC:
            self._look()

    def _look(self) -> None:
        """Have somebody look whether the volfile has changed, soon. Waits for nothing."""
        core = self._of()
        if core is None:
            return
        with core.lock:
            self._is_behind = True
            if self._follows or self._ended or core.session.state is not SessionState.ACTIVE:
                return  # if it connects, it is looked at when it has
            self._follows = True
        pause = self._looking.left(core.now())
        if pause:
            over = core.driver.new_event()
            self._begin(core, self._look_after(over, pause), over)
        else:
            self._follow(core)

    async def _look_after(self, over: Event, pause: float) -> None:
        try:
            await Wait(over, pause)
            core = self._of()
            if core is not None and not self._ended:
                self._follow(core)
        finally:
            over.set()

    @staticmethod
    def _follow(core: Core) -> None:
        with suppress(SessionClosedError):
            try:
                core.start(follow)
            except Exception:
                raise
            except BaseException:  # an interrupt: two who look do no harm
                core.start(follow)
                raise

    async def catch_up(self, core: Core, frame: Frame) -> None:
        """Look at the volfile, and switch to it.

        Args:
            core: the session. A call of it is under way, which may know it, and has to: when the
                collector drops both, a weak reference is gone before the call's own last words.
            frame: the call's frame.
        """
        core.keep_house()  # somebody has to take the answers while nobody calls
        self._follows = True
        self._is_behind = False
        has_changed = False
        try:
            has_changed = await self._catch_up(core, frame)
        except Exception as error:
            if not self._is_there():
                self._is_behind = True  # it is looked at when there is a daemon again
            elif core.session.state is SessionState.ACTIVE:
                core.log.error("the volfile has changed, and cannot be used: %s", error)
        finally:
            self._looking.done(core.now(), of_use=has_changed)
            self._follows = False
        if self._is_behind and self._is_there():  # told of meanwhile
            self._look()

    async def _catch_up(self, core: Core, frame: Frame) -> bool:
        """Tell whether the volfile was another one, and could be used."""
        server = self.server
        assert server is not None
        text = await Within(ANSWER, getspec(server, core.target.volume))
        if text == core.volfile:
            return False
        from glusterio.api.switching import reload  # with all that a switch needs

        await reload(core, frame, text, SWITCH)
        return True

    def _is_there(self) -> bool:
        return self.server is not None and self.server.connection.lost is None

    # -- losing it --------------------------------------------------------------------------------

    def _lost(self, error: Exception) -> None:
        """The connection has ended. Called in the middle of receiving: waits for nothing."""
        core = self._of()
        if core is None:
            return
        with core.lock:
            if self._ended or self._regains or core.session.state is not SessionState.ACTIVE:
                return  # if it connects, this is seen when it has
            self._regains = True
        core.log.warning("the management daemon is lost: %s", error)
        over = core.driver.new_event()
        self._begin(core, self._regain(core.target, over), over)

    async def _regain(self, target: Target, over: Event) -> None:
        """Connect to one of the daemons, as often as it takes."""
        try:
            await self._look_for_one(target, over)
        finally:
            over.set()

    async def _look_for_one(self, target: Target, over: Event) -> None:
        servers = target.servers
        assert self.server is not None
        number = servers.index(self.server.address)
        while (core := self._of()) is not None and not self._ended:
            pause, log = self._regaining.left(core.now()), core.log
            del core
            if pause:
                await Wait(over, pause)
                continue
            for _ in servers:  # the next one first
                number = (number + 1) % len(servers)
                try:
                    asking = ask_server(servers[number], target.volume, target.management_tls())
                    _, server = await Within(ANSWER, asking)
                except Exception as error:
                    log.info("no management daemon yet: %s", error)
                    continue
                if self._took(server):
                    return
                await Disconnect(server.connection)
                return
            core = self._of()
            if core is not None:
                self._regaining.done(core.now())

    def _took(self, server: VolfileServer) -> bool:
        """Follow the daemon that was found, unless the session has ended meanwhile."""
        core = self._of()
        if core is None or self._ended:
            return False
        core.log.info("followed from now on: %s", server.connection.name)
        self._regaining.done(core.now())
        self._regains = False
        self._is_behind = True
        self.keep(server)
        self.connected()
        return True


async def follow(core: Core, frame: Frame) -> None:
    """Follow the volfile: a call of the session's own."""
    await core.management.catch_up(core, frame)
