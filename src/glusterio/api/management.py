"""The management daemon: it tells when the volfile has changed, and the session follows.

The connection that the volfile came by stays open, for daemons tell whoever has asked them for a
volfile that there is a new one (FETCHSPEC). Then it is asked for, and the graph switches
(:mod:`glusterio.api.switching`) in a call of its own, as if somebody had called ``reload``; what goes
wrong is logged, and the session goes on with the graph that it has.

When the connection is lost another daemon is asked, one after the other and then again, less and less
often: nobody would tell of a change else. What the volfile has become meanwhile is looked at then.

On the threads driver nobody waits for this connection: its link is *quiet*, so that a session with
one brick still reads from that one alone, as fast as it can. Who polls, or the house-keeper at its next
tick, finds what has come.

Why it ends: :meth:`Management.end` cancels the one coroutine that nobody waits for, which rests on
traps alone, and closes the connection. A switch under way is an admitted call, which the end of the
session has settled before.

Source: GlusterFS api/src/glfs-mgmt.c (``mgmt_cbk_spec``, ``mgmt_rpc_notify``),
xlators/mgmt/glusterd/src/glusterd-utils.c (``glusterd_fetchspec_notify``).
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final

from glusterio.api.switching import reload
from glusterio.api.volfile_server import ask_server, getspec
from glusterio.errors import ConnectionLostError, SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.fiber import Fiber, start_later
from glusterio.traps import Disconnect, Event, Wait, Within
from glusterio.wire.callbacks import callback_of
from glusterio.wire.programs import CallbackProc
from glusterio.xlators.base import VolfileServer

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How long a daemon gets to answer, and a new graph to come up, in seconds.
ANSWER: Final = 30.0
SWITCH: Final = 60.0

#: How long to wait before the daemons are tried again, in seconds: at first, and at most.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0

#: How long to wait for what has nothing to wait for, in seconds.
UNWINDING: Final = 1.0


class Management:
    """One session's connection to a management daemon.

    Args:
        core: the session.

    Attributes:
        server: the daemon, and the connection to it; ``None`` where nobody is followed.
    """

    def __init__(self, core: Core) -> None:
        self._core: Core = weakref.proxy(core)  # whose this is: no cycle shall keep it in memory
        self.server: VolfileServer | None = None
        self._ended = False
        self._is_behind = False  # the volfile may have changed since it was looked at
        self._follows = False  # somebody is looking at it
        self._regaining: Fiber | None = None
        self._over: Event | None = None  # set when that has ended

    def keep(self, server: VolfileServer) -> None:
        """Stay connected to a daemon."""
        self.server = server
        connection = server.connection
        self._core.driver.quieten(connection)
        connection.on_message = self._told
        connection.on_lost = self._lost
        if connection.lost is not None:
            self._lost(connection.lost)

    async def end(self) -> None:
        """Follow nobody any more, and close the connection. Harmless when repeated."""
        self._ended = True
        regaining, over = self._regaining, self._over
        if regaining is not None and over is not None and not over.is_set:
            regaining.cancel(ConnectionLostError("the session has ended"))
            await Wait(over, UNWINDING)
        self._regaining = None
        if self.server is not None:
            await Disconnect(self.server.connection)

    # -- what the daemon tells --------------------------------------------------------------------

    def _told(self, record: bytes) -> None:
        if callback_of(record) == CallbackProc.FETCHSPEC:
            self._look()

    def _look(self) -> None:
        """Have somebody look whether the volfile has changed. Waits for nothing."""
        core = self._core
        with core.lock:
            self._is_behind = True
            if self._follows or self._ended:
                return
            self._follows = True
        try:
            core.start(follow)
        except SessionClosedError:
            pass  # or not connected yet; then the volfile is as new as can be

    async def catch_up(self, frame: Frame) -> None:
        """Look at the volfile, as often as it is said to have changed, and switch to it."""
        core = self._core
        core.keep_house()  # somebody has to take the answers while nobody calls
        try:
            while self._is_behind:
                self._is_behind = False
                server = self.server
                if server is None or server.connection.lost is not None:
                    return  # it is looked at when there is a daemon again
                try:
                    text = await Within(ANSWER, getspec(server, core.target.volume))
                    if text != core.volfile:
                        await reload(core, frame, text, SWITCH)
                except ConnectionLostError:
                    self._is_behind = True  # it is looked at when there is a daemon again
                    return
                except Exception as error:
                    if core.session.state is SessionState.ACTIVE:
                        core.log.error("the volfile has changed, and cannot be used: %s", error)
        finally:
            self._follows = False

    # -- losing it --------------------------------------------------------------------------------

    def _lost(self, error: Exception) -> None:
        """The connection has ended. Called in the middle of receiving: waits for nothing."""
        core = self._core
        with core.lock:
            if self._ended or core.session.state is not SessionState.ACTIVE:
                return
            self._over = core.driver.new_event()
        core.log.warning("the management daemon is lost: %s", error)
        self._regaining = start_later(core.driver, self._regain(self._over))

    async def _regain(self, over: Event) -> None:
        """Connect to one of the daemons, as often as it takes."""
        core = self._core
        servers = core.target.servers
        assert self.server is not None
        number = servers.index(self.server.address)
        pause = 0.0
        try:
            while True:
                for _ in servers:  # the next one first
                    number = (number + 1) % len(servers)
                    try:
                        asking = ask_server(
                            servers[number], core.target.volume, core.target.management_tls()
                        )
                        _, server = await Within(ANSWER, asking)
                    except Exception as error:
                        core.log.info("no management daemon yet: %s", error)
                        continue
                    if self._ended:
                        await Disconnect(server.connection)
                        return
                    core.log.info("followed from now on: %s", server.connection.name)
                    self.keep(server)
                    self._look()
                    return
                pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                await Wait(core.driver.new_event(), pause)
                if self._ended:
                    return
        finally:
            over.set()


async def follow(core: Core, frame: Frame) -> None:
    """Follow the volfile: a call of the session's own."""
    await core.management.catch_up(frame)
