"""The core of one session: lifecycle, graph and inode table together, below both faces.

A face runs an operation with :meth:`Core.begin`: the coroutine is made, admitted (gate passed, call
counted, handle borrowed, in one step), and run by the driver; when its fiber has ended, by whatever
way, the call is counted out. So what the session counts is the callers, not the packets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Protocol
from uuid import UUID

from glusterio.api.calling import Callings
from glusterio.api.logs import SessionLog
from glusterio.api.management import Management
from glusterio.api.on_its_way import note_lost
from glusterio.api.pins import Pins
from glusterio.api.registry import REGISTRY, check_from_afar
from glusterio.api.standpoint import Standpoint
from glusterio.api.upcalls import Upcalls
from glusterio.api.url import Target
from glusterio.api.volfile_server import volfile_of
from glusterio.errors import with_path
from glusterio.graph.frame import Frame
from glusterio.graph.graph import Graph, build
from glusterio.graph.inode import InodeTable
from glusterio.graph.tuning import DAEMON_DEFAULTS, tuned
from glusterio.graph.volfile import Volfile, parse
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.monitor import Monitor
from glusterio.lifecycle.report import TeardownReport
from glusterio.lifecycle.session import Call, Session
from glusterio.lifecycle.states import HandleState, SessionState
from glusterio.lifecycle.trace import TraceHook, UntilItFails
from glusterio.rpc.connection import Connection
from glusterio.runtime.fiber import Driver, Fiber, post, start_later, was_interrupted
from glusterio.traps import Coro, Disconnect, Event, Within
from glusterio.types import Gfid
from glusterio.wire.credentials import Credentials, encode_v3
from glusterio.wire.iatt import Iatt
from glusterio.xlators.base import Notice, Services, VolfileServer, Xlator

#: How long connecting may take, in seconds.
CONNECT_TIMEOUT = 30.0

#: The environment variable that has each session watch itself, unless it is empty or 0.
MONITOR = "GLUSTERIO_MONITOR"

#: How many errors of which nobody heard are kept for the report; all are logged.
UNTOLD = 1000


#: Volfiles up to this size, in characters, are kept in mind: most processes connect to few volumes, and
#: to read one is a seventh of the Python instructions of connecting.
_OFTEN = 64 * 1024


@lru_cache(maxsize=8)
def _read(text: str, options: tuple[tuple[str, str], ...]) -> Volfile:
    """Return a volfile as a session with these options wants it. Nobody changes it."""
    return tuned(parse(text), dict(options), REGISTRY)


class CoreDriver(Driver, Protocol):
    """What the core itself asks of a driver; the faces ask more.

    Attributes:
        untold: errors that are told once, and could not be told to anybody.
    """

    untold: list[Exception]

    def wall_clock(self) -> int:
        """Tell the time of day, in nanoseconds since the epoch."""

    def new_lock(self) -> Any:
        """Make a lock, used as a context manager."""

    def new_event(self) -> Event:
        """Make an event to wait for."""

    def keep_house(self) -> None:
        """Look after the connections while nobody waits for a reply, from now on."""

    def quieten(self, connection: Connection) -> None:
        """Nobody waits for what comes on a connection, from now on: there is no hurry with it."""

    def start_detached(
        self, coro: Coro[Any], on_done: Callable[[Fiber], None], call: Any = None
    ) -> Fiber:
        """Start a coroutine that nobody waits for."""


class Core:
    """One session on one volume.

    Args:
        driver: who runs the coroutines.
        target: which volume, and how the session wants its graph.
        trace: receives every transition of the lifecycle, or ``None``.

    Attributes:
        session: the lifecycle's machine: the gate, the admitted calls, the ledger.
        monitor: what watches the session, if ``GLUSTERIO_MONITOR`` is set.
        graph: the translators, once connected: those that paths are asked of, and files opened by.
        graphs: all that have not been ended, that one last: an older one has handles, or calls under
            way, from before a switch.
        lock: held while the graph in use is exchanged, and by who must not see half of that.
        switching: while a new graph is being prepared, the event that says that it is done.
        through: the exchanges that are under way: meanwhile no open file has writes deferred.
        built: how many graphs have been built, also those that did not come up.
        top: the one at the top of them: there is none before, nor an admitted call that would ask.
        inodes: what is known of names and files, and who holds them.
        pins: the gfid objects.
        upcalls: who listens to what bricks tell unasked.
        identity: on whose behalf the session calls.
        report: how the session ended, once it has.
        volfile: the volfile's text, once it is there.
        volume_id: the volume's id, once somebody has asked for it.
        is_down: the top of the graph has told that it is down, for good.
        cwd: the working directory, where relative paths begin.
        links_are_counted: a directory with a link count above 1 was seen: the file system counts
            the names of directories in a directory.
        makes_anew: a file that was to be made, if it was not there, was last not there.
        callings: what is so in its callers' contexts; ``None`` as long as nobody has set anything
            and nothing is counted.
        log: where the session tells what no caller hears of, and what happens to it.
        reconnects: how often a brick's connection was made again.
        switches: how often the graph was exchanged for another one.
        untold_errors: how many errors there were of which no caller heard.
        house_is_kept: since the first handle the driver looks after the connections while nobody waits.
    """

    top: Xlator

    def __init__(self, driver: CoreDriver, target: Target, trace: TraceHook | None = None) -> None:
        self.driver = driver
        self.target = target
        self.log = driver.log = SessionLog(target.logger, target.volume)
        self.reconnects = 0
        self.switches = 0
        self.monitor: Monitor | None = None
        if trace is not None:
            trace = UntilItFails(trace, self.log.hook_failed)
        if os.environ.get(MONITOR, "0") not in ("", "0"):
            trace = self.monitor = Monitor(target.volume, trace)
        given = (driver.new_lock(), driver.new_event, trace, target.volume)
        if target.metrics:
            from glusterio.api.counting import CountedCallings, CountedSession  # as few need

            self.session: Session = (counted := CountedSession(driver.now, *given))
            self.callings: Callings | None = CountedCallings(counted.operations, driver.now)
        else:
            self.session = Session(*given)
            self.callings = None
        self.inodes = InodeTable(lock=driver.new_lock())
        self.upcalls = Upcalls(self)
        self.pins = Pins(driver.new_lock(), self.inodes)
        self.graph: Graph[Xlator] | None = None
        self.graphs: list[Graph[Xlator]] = []
        self.management = Management(self)
        self.lock = driver.new_lock()
        self.switching: Event | None = None
        self.through: set[object] = set()
        self.built = 0
        self._context_id = os.urandom(16).hex()
        self.report: TeardownReport | None = None
        self.volfile = ""
        self.volume_id: UUID | None = None
        self.is_down = False
        self._away: set[Xlator] = set()  # the tops that are down, and will be up again
        self.cwd = Standpoint()
        self.links_are_counted = False
        self.makes_anew = True
        self.house_is_kept = False
        self.identity = Credentials(os.getpid(), os.geteuid(), os.getegid(), tuple(os.getgroups()))
        self.now = driver.now
        self.untold_errors = 0
        #: errors of which nobody in the application heard; the teardown reports them
        self.untold = driver.untold
        #: the top translator's :meth:`~glusterio.xlators.base.Xlator.known`, once there is one
        self.known_at: Callable[[Gfid, str, float], Iatt | None] | None = None

    # -- running operations -----------------------------------------------------------------------

    def begin(
        self, op: Callable[..., Coro[Any]], handle: Handle | None, *args: Any
    ) -> tuple[Coro[Any], Call]:
        """Make an operation's coroutine and have it admitted.

        Args:
            op: the coroutine function; its arguments are the core, the frame, the handle if there is
                one, and ``args``.
            handle: the handle that the operation borrows, or ``None``.
            args: further arguments.

        Returns:
            The coroutine and the admitted call, for the driver; :meth:`left` must follow.

        Raises:
            SessionClosedError: not admitted; nothing happened.
            HandleClosedError: the handle is closed.
            TimeoutError: the caller's deadline is over.
        """
        frame = Frame()
        run = op if self.callings is None else self.callings.prepared(op, frame)
        coro = run(self, frame, *args) if handle is None else run(self, frame, handle, *args)
        try:
            call = frame.call = self.session.admit(op.__name__, handle)
        except BaseException:
            coro.close()
            raise
        return coro, call

    def start(self, op: Callable[..., Coro[Any]], *args: Any) -> Call:
        """Have an operation of the session's own done, as a call that is admitted, and waited for.

        Nothing of it is done yet when this returns, which may be called from anywhere.

        Where an interrupt of the thread that happens to be at it ends the operation, it is begun anew
        for the same call: it must be one that goes on where it was.

        Returns:
            The call.

        Raises:
            SessionClosedError: not admitted; nothing will happen.
        """
        frame = Frame()

        def begin() -> None:
            start_later(self.driver, op(self, frame, *args), done, call)

        def done(fiber: Fiber) -> None:
            if self.session.calls.get(call.number) is not call or call.fiber not in (fiber, None):
                return  # told once more, since that was interrupted, and there is nothing left to do
            if was_interrupted(fiber.error):
                begin()
                return
            if isinstance(fiber.error, Exception) and call.unwanted is None:
                self.log.error("%s: %s", op.__name__, fiber.error, exc_info=fiber.error)
            self.left(call)

        call = frame.call = self.session.admit(op.__name__)
        try:
            begin()
        except BaseException:
            if call.fiber is None and self.session.calls.get(call.number) is call:
                self.left(call)  # interrupted before it was begun
            raise
        return call

    def left(self, call: Call) -> None:
        """An operation has ended: count its call out."""
        self.session.leave(call)

    def not_told(self, handle: Handle, error: Exception) -> None:
        """An error concerns a handle, and nobody waits for it: the report of the teardown gets it.

        While the session goes on it is logged, too, since that may be for long.
        """
        error = with_path(error, handle.path)
        if handle.error is None:
            handle.error = error
        self.untold_errors += 1
        if len(self.untold) < UNTOLD:
            self.untold.append(error)
        if self.session.state is SessionState.ACTIVE:
            self.log.error("%s", error)

    def user(self, frame: Frame) -> Credentials:
        """Return on whose behalf an operation is done."""
        return frame.identity or self.identity

    def is_own(self, frame: Frame) -> bool:
        """Tell whether that is the session's own user, who has filled its memory."""
        who, own = frame.identity, self.identity
        return who is None or (
            who.uid == own.uid and who.gid == own.gid and who.groups == own.groups
        )

    def keep_house(self) -> None:
        """Have the driver look after the connections while nobody waits, from now on."""
        if not self.house_is_kept:
            self.driver.keep_house()
            self.house_is_kept = True

    # -- connecting -------------------------------------------------------------------------------

    async def connect(self, timeout: float) -> None:
        """Get the volfile, build the graph, bring it up. The session becomes active, or fails.

        Args:
            timeout: for all of it, in seconds.

        Raises:
            TimeoutError: not up in time.
            HandshakeError: a server refused.
            GraphError: the volume needs what glusterio does not have; nothing was touched.
            ValueError: so does one of the session's own options.
            OSError: nobody there.
        """
        try:
            await Within(timeout, self._bring_up())
        except TimeoutError:
            raise TimeoutError(
                f"volume {self.target.volume}: not connected within {timeout:g} s"
            ) from None
        self.session.connected()
        self.management.connected()
        self.log.info("connected by %s", self.target.url)

    async def _bring_up(self) -> None:
        text, server = await volfile_of(self.target)
        self.volfile = text
        if server is not None and self.target.follow:
            self.management.keep(server)
        try:
            graph = self.graph = self.make_graph(self.tuned(text), server)
            self.graphs.append(graph)
            await graph.init()
        except GeneratorExit:
            raise
        except BaseException:
            if server is not None:
                await Disconnect(server.connection)
            raise
        if server is not None and not self.target.follow:
            await Disconnect(server.connection)
        graph.was_used = True
        self.top = graph.top
        self.known_at = graph.top.known

    def tuned(self, text: str) -> Volfile:
        """Return a volfile as this session wants it.

        Raises:
            VolfileError: it is none.
        """
        defaults = DAEMON_DEFAULTS if self.target.servers else {}
        options = tuple({**defaults, **self.target.options}.items())
        return (_read if len(text) <= _OFTEN else _read.__wrapped__)(text, options)

    def make_graph(self, volfile: Volfile, server: VolfileServer | None) -> Graph[Xlator]:
        """Make a graph, which is the session's once it is in ``graphs``. It is not connected yet.

        Raises:
            GraphError: it needs what glusterio does not have.
        """
        services = Services(
            new_event=self.driver.new_event,
            wall_clock=self.driver.wall_clock,
            new_lock=self.driver.new_lock,
            credentials=encode_v3(self.identity),
            identity=self.identity,
            process_uuid=(
                f"CTX_ID:{self._context_id}-GRAPH_ID:{self.built}-PID:{os.getpid()}"
                f"-HOST:{os.uname().nodename}"
            ),
            volume=self.target.volume,
            volfile_server=server or self.management.server,
            clock=self.driver.now,
            ssl=self.target.ssl,
            management_tls=self.target.management_tls(),
            log=self.log,
            start_later=partial(start_later, self.driver),
            post=partial(post, self.driver),
            reconnect=self.target.reconnect,
            patience=self.target.patience,
        )
        registry = REGISTRY
        if self.target.servers:
            check_from_afar(volfile)
            registry = REGISTRY.from_afar()
        self.built += 1
        graph = build(volfile, registry, services, self.built)
        graph.top.parents.append(self._on_notice)
        return graph

    def _on_notice(self, notice: Notice, source: Xlator, detail: object) -> None:
        """What the top of a graph tells.

        When it is down, no brick holds its handles any more. If it is going to be up again they are
        opened anew, but for those of which it tells then; if not, they are stale.
        """
        self.upcalls.heard(self, notice, detail)
        if notice in (Notice.UPCALL, Notice.FORGET):
            return
        if notice is Notice.CHILD_UP:
            if self._is_current(source):
                self.is_down = False
            if source in self._away:
                self._away.discard(source)
                self.reconnects += 1
                for graph in self.graphs:
                    if graph.top is source and graph.was_used:
                        self.session.reconnected(graph.generation)
                        self.upcalls.forgotten()
        elif notice is Notice.CHILD_DOWN:
            self.log.warning("connection lost: %s", detail)
            if self.target.reconnect:
                self._away.add(source)
            else:
                self._lose_all(source)
        elif notice is Notice.FD_LOST:
            assert isinstance(detail, dict)
            note_lost(detail)
            for handle in self.session.handles():
                if handle.fd in detail:
                    self.session.lose(handle, detail[handle.fd])
                    self.log.warning("%s: stale: %s", handle.path, detail[handle.fd])
        if self.session.state is SessionState.ACTIVE:
            self.inodes.invalidate_all()  # nobody has told what happened meanwhile

    def _lose_all(self, top: Xlator) -> None:
        """A graph is down for good: its handles are stale."""
        with self.lock:  # whoever is about to go over to it sees this, or we see its handles
            for graph in self.graphs:
                graph.is_down = graph.is_down or graph.top is top
            if self._is_current(top):
                self.is_down = True
        for handle in self.session.handles():
            if handle.state is HandleState.OPEN and handle.fd.top is top:
                self.session.lose(handle)
                self.log.warning("%s: stale", handle.path)

    def is_lost(self, top: Xlator) -> bool:
        """Tell whether a graph, in use or an older one, is down for good."""
        return any(graph.top is top and graph.is_down for graph in self.graphs)

    def _is_current(self, top: Xlator) -> bool:
        return self.graph is not None and self.graph.top is top
