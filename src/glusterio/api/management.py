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

Whatever there is to be done, one coroutine does it that nobody waits for, the *attendant*: it looks for
a daemon if there is none, and has the volfile looked at if that may have changed, until neither is so.
Each note and each loss has it started, unless it is there; so does its own end, if something is left to
be done then. It follows from the daemon and from its fiber what is the case, and is noted nowhere else:
so an interrupt (Ctrl-C), which may end it anywhere, leaves nothing behind that would keep the next one
from being started.

Why it ends: :meth:`Management.end` cancels the attendant, which rests on traps alone, and closes the
connection. A switch under way is an admitted call, which the end of the session has settled before.

Source: GlusterFS api/src/glfs-mgmt.c (``mgmt_cbk_spec``, ``mgmt_rpc_notify``),
xlators/mgmt/glusterd/src/glusterd-utils.c (``glusterd_fetchspec_notify``).
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

from glusterio.api.url import Target
from glusterio.api.volfile_server import ask_server, getspec
from glusterio.errors import ConnectionLostError, RemoteProtocolError, SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.fiber import Fiber, start_later
from glusterio.traps import Disconnect, Event, Wait, Within
from glusterio.types import Log
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
        self._looking = Pace()
        self._regaining = Pace()
        self._attendant: Fiber | None = None
        self._over: Event | None = None  # set when that has ended; another one has another

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
        else:
            self._attend()

    async def end(self) -> None:
        """Follow nobody any more, and close the connection. Harmless when repeated."""
        self._ended = True
        attendant, over = self._attendant, self._over
        if attendant is not None and over is not None and not attendant.done:
            attendant.cancel(ConnectionLostError("the session has ended"))
            await Wait(over, UNWINDING)
        if self.server is not None:
            await Disconnect(self.server.connection)

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
            self._is_behind = True
            self._attend()

    def _lost(self, error: Exception) -> None:
        """The connection has ended. Called in the middle of receiving: waits for nothing."""
        self._attend()
        core = self._of()
        if core is not None and self._is_wanted(core):
            core.log.warning("the management daemon is lost: %s", error)

    # -- doing what there is to be done -----------------------------------------------------------

    def _attend(self) -> None:
        """Have somebody do what there is to be done, unless somebody is at it. Waits for nothing."""
        try:
            self._begin()
        except BaseException:  # an interrupt, perhaps before that was done: twice does no harm
            self._begin()
            raise

    def _begin(self) -> None:
        core = self._of()
        if core is None:
            return
        with core.lock:
            attendant = self._attendant
            if not self._is_wanted(core) or (attendant is not None and not attendant.done):
                return
            over = core.driver.new_event()
            work = self._work(core.target, over)
            self._attendant = start_later(core.driver, work, partial(self._ends, over))
            # One that was started and is not known, because of an interrupt, ends when it sees this.
            self._over = over

    def _is_wanted(self, core: Core) -> bool:
        """Tell whether there is something to be done."""
        if self._ended or self.server is None or core.session.state is not SessionState.ACTIVE:
            return False  # if it connects, this is asked when it has
        return self._is_behind or not self._is_there()

    def _ends(self, over: Event, fiber: Fiber) -> None:
        over.set()
        core = self._of()
        if core is not None and isinstance(fiber.error, Exception):
            core.log.error("following the volume: %s", fiber.error, exc_info=fiber.error)
        else:
            self._attend()

    async def _work(self, target: Target, over: Event) -> None:
        """Do what there is to be done. It does not keep the session in memory while it waits.

        Args:
            target: the volume.
            over: what is set at its end; whoever waits for it before waits for nothing but the time.
        """
        while (core := self._of()) is not None and self.server is not None:
            with core.lock:
                if self._over is not over or not self._is_wanted(core):
                    return
            is_there = self._is_there()
            if is_there:
                core.driver.quieten(self.server.connection)
            pause = (self._looking if is_there else self._regaining).left(core.now())
            has_left = None if pause or not is_there else self._follow(core)
            log = core.log
            del core
            if pause:
                await Wait(over, pause)
            elif has_left is not None:
                await Wait(has_left)
            else:
                await self._regain(target, self.server.address, log)

    @staticmethod
    def _follow(core: Core) -> Event:
        """Have the volfile looked at by a call; return what is set when that has left."""
        has_left = core.driver.new_event()
        try:
            call = core.start(follow)
        except SessionClosedError:
            has_left.set()
            return has_left
        with core.lock:
            if core.session.calls.get(call.number) is call:
                call.left = lambda _: has_left.set()
            else:
                has_left.set()
        return has_left

    async def catch_up(self, core: Core, frame: Frame) -> None:
        """Look at the volfile, and switch to it.

        Args:
            core: the session. A call of it is under way, which may know it, and has to: when the
                collector drops both, a weak reference is gone before the call's own last words.
            frame: the call's frame.
        """
        self._is_behind = False
        has_changed = False
        try:
            core.keep_house()  # somebody has to take the answers while nobody calls
            has_changed = await self._catch_up(core, frame)
        except Exception as error:
            if not self._is_there():
                self._is_behind = True  # it is looked at when there is a daemon again
            elif core.session.state is SessionState.ACTIVE:
                core.log.error("the volfile has changed, and cannot be used: %s", error)
        finally:
            self._looking.done(core.now(), of_use=has_changed)

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

    async def _regain(self, target: Target, lost: tuple[str, int] | str, log: Log) -> None:
        """Connect to one of the daemons: the one after that which is lost, or else a further one."""
        servers = target.servers
        first = servers.index(lost) + 1
        for address in [*servers[first:], *servers[:first]]:
            try:
                asking = ask_server(address, target.volume, target.management_tls())
                _, found = await Within(ANSWER, asking)
            except Exception as error:
                log.info("no management daemon yet: %s", error)
                continue
            try:
                self._take(found)
            finally:
                if self.server is not found:
                    await Disconnect(found.connection)
            return
        core = self._of()
        if core is not None:
            self._regaining.done(core.now())

    def _take(self, server: VolfileServer) -> None:
        """Follow the daemon that was found, unless the session has ended meanwhile."""
        core = self._of()
        if core is None or self._ended:
            return
        self._is_behind = True
        self.keep(server)
        self._regaining.done(core.now())
        core.log.info("followed from now on: %s", server.connection.name)


async def follow(core: Core, frame: Frame) -> None:
    """Follow the volfile: a call of the session's own."""
    await core.management.catch_up(core, frame)
