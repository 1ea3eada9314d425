"""One life: a session on the real threads driver, its callers' threads, its brick, in one schedule.

The session is connected and a file is opened while things simply go on. Then the scenario's callers
begin, and the schedule is decided until they have ended; after that the session is closed, and looked
at: is anything left?

What is wrong is told as sentences, which begin with a word for their kind:

===============  ==============================================================================
``Ends``         nobody can go on, or it goes round for ever
``WokenUp``      somebody waits, and what it waits for has happened, and nobody is about to say so
``Read``         an answer is there, somebody waits for it, and nobody reads
``Leads``        somebody waits at the gate, and nobody leads
``OnTime``       a timer is due, and nobody looks after the timers
``Answer``       a caller was given what it has not asked for
``Raises``       an error that the scenario does not have in it
``NothingLeft``  a lock that is held, a descriptor, a thread, something in one of the driver's queues
``InTime``       a close, or a call with a deadline, took longer than it may
===============  ==============================================================================

and the names of :data:`glusterio.lifecycle.invariants.INVARIANTS`.

The first four are looked for whenever no thread can run, though an answer may be on its way, which
would help. So what would have come right after the next time-out is found, too. Two waits are let off,
since they are meant: a leader that waits in ``recv`` cannot be woken for 5 ms, and the house-keeper
rests for 10 ms after work that nobody waits for.
"""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import glusterio
from glusterio.api import live
from glusterio.errors import ForkedSessionError
from glusterio.lifecycle.invariants import violations
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.fiber import Fiber
from glusterio.runtime.housekeeper import REST
from glusterio.traps import Reply, Wait
from tests.explore.brick import Brick, BrickConnection, Request
from tests.explore.volfiles import ADDRESS, target_of
from tests.scheduled.kernel import Kernel
from tests.scheduled.played import LINES, played
from tests.scheduled.primitives import Lock, RLock, Thread
from tests.scheduled.scheduler import Managed, Option, Scheduler

#: What the file holds: block after block, each another one.
BLOCK = 8
CONTENT = b"".join(b"block%03d" % number for number in range(64))

#: What a close may take over its timeout, in seconds: twice the unwinding, a tick, a link's patience.
OVER = 2.3

#: What a close may take that has nothing to wait for, in seconds: the house-keeper's rest, and a link's
#: patience, with something to spare.
AT_ONCE = 0.03

#: What the child of a fork may take for its end, in seconds of real time.
CHILD = 5.0


class Scenario(NamedTuple):
    """What is looked at.

    Attributes:
        name: as the command line has it.
        about: what it is about, in one line.
        callers: what each of its threads does, by name.
        accidents: how many of each kind there may be: ``split``, ``lose``, ``interrupt``, ``jam``, and
            ``slow``: time passes, though an answer is on its way; by default twice.
        may_raise: the errors that a caller may get.
        mute: the requests that the brick never answers.
        volfile: the graph, of :mod:`tests.explore.volfiles`.
        reconnect: whether a connection that is lost is made anew.
        opened: whether the file is open when the callers begin, and so there is a house-keeper.
        settled: whether nothing has happened for a while then, and so the house-keeper leads.
    """

    name: str
    about: str
    callers: Mapping[str, Callable[[Life], object]]
    accidents: Mapping[str, int] = {}
    may_raise: tuple[type[BaseException], ...] = ()
    mute: frozenset[str] = frozenset()
    volfile: str = "client"
    reconnect: bool = False
    opened: bool = True
    settled: bool = False


class Life:
    """One life.

    Args:
        scenario: the scenario.
        decide: takes the decisions.
        lines: whether each line of the driver's files is a point.
        log: is told what happens.

    Attributes:
        problems: what was wrong.
        raised: the errors that callers got, as they may.
    """

    def __init__(
        self,
        scenario: Scenario,
        decide: Callable[[Sequence[Option]], int],
        lines: bool = False,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.scheduler = Scheduler(decide, LINES if lines else {})
        self.scheduler.world = self
        self.scheduler.log = log
        self.brick = Brick(ADDRESS)
        self.brick.make("file", CONTENT)
        self.kernel = Kernel(self.scheduler, self.brick)
        self.problems: list[str] = []
        self.raised: list[BaseException] = []
        self.volume: Any = None
        self.file: Any = None
        self.report: Any = None
        self._left = {"slow": 2, **scenario.accidents}
        self._mute: frozenset[str] = frozenset()
        self._locks: list[RLock] = []
        self._callers: list[Thread] = []

    def run(self) -> list[str]:
        """Live it. Returns what was wrong."""
        collects = gc.isenabled()
        gc.disable()  # what it ends would come at another place each time
        try:
            with played(self.scheduler, self.kernel) as self._locks:
                self.scheduler.run(self._live)
                self.problems += self.scheduler.failure
                if not self.scheduler.failure:
                    for thread in self.scheduler.threads:
                        if thread.error is not None:
                            self.problems.append(f"Raises: {thread.name}: {thread.error!r}")
                    self.problems += self._what_is_left()
        finally:
            if self.volume is not None:
                live.discard(self.volume._session)
            if collects:
                gc.enable()
        return self.problems

    def _live(self) -> None:
        scenario, scheduler = self.scenario, self.scheduler
        url = f"volfile://{target_of(scenario.volfile).path}"
        self.volume = glusterio.connect(url, reconnect=scenario.reconnect)
        if scenario.opened:
            self.file = self.volume.open_handle("file", os.O_RDWR)
        if scenario.settled:
            self.sleep(1.0)
        self._mute = scenario.mute
        for name, function in scenario.callers.items():
            self._callers.append(Thread(self._caller(name, function), name, scheduler=scheduler))
        scheduler.exploring = True
        for caller in self._callers:
            caller.start()
        for caller in self._callers:
            caller.join()
        scheduler.exploring = False
        self._mute = frozenset()
        began = scheduler.now
        self.close()
        took = scheduler.now - began
        if took > AT_ONCE:
            self.problems.append(f"InTime: a close that has nothing to wait for took {took:.3f} s")
        core = self.volume._session.core
        self.problems += [f"the report tells a defect: {each}" for each in core.report.defects]

    def _caller(self, name: str, function: Callable[[Life], object]) -> Callable[[], None]:
        def call() -> None:
            try:
                function(self)
            except self.scenario.may_raise as error:
                self.raised.append(error)
            except KeyboardInterrupt as error:
                if not self.scenario.accidents.get("interrupt"):
                    raise
                self.raised.append(error)
            except AssertionError as error:
                self.problems.append(str(error))

        return call

    # -- what callers do --------------------------------------------------------------------------

    def read(self, number: int, **context: Any) -> None:
        """Read a block."""
        self.expect(self.file.pread(BLOCK, number * BLOCK), number)

    @staticmethod
    def expect(data: bytes, number: int) -> None:
        assert data == CONTENT[number * BLOCK :][:BLOCK], (
            f"Answer: asked for block {number}, and was given {data!r}"
        )

    def submit(self, number: int) -> Any:
        """Begin to read a block."""
        return self.file.pread_async(BLOCK, number * BLOCK)

    def close(self, timeout: float = 5.0, grace: float = 2.0) -> None:
        """Close the session."""
        began = self.scheduler.now
        self.report = self.volume.close(timeout, grace)
        took = self.scheduler.now - began
        assert took <= timeout + OVER, f"InTime: close({timeout}) took {took:.3f} s"

    def sleep(self, seconds: float) -> None:
        """Let time pass, if nothing else can happen."""
        self.scheduler.block("sleep", lambda: False, seconds, self)

    def jam(self) -> None:
        """Let the sockets be nearly full, until somebody waits for room."""
        self.kernel.room = 50

    def lose(self) -> None:
        """Lose every connection."""
        for connection in list(self.brick.connections):
            connection.lose()

    def fork(self) -> None:
        """Fork; the child closes what it has inherited."""
        scheduler, kernel = self.scheduler, self.kernel
        exploring, scheduler.exploring = scheduler.exploring, False
        connections = len(self.brick.connections)
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # more than one thread: of course
            child = os.fork()
        if not child:
            found = "Raises: in the child"
            try:
                found = self._in_child(connections)
            except BaseException as error:
                found = f"Raises: in the child: {error!r}"
            finally:
                os.write(write, found.encode() or b"well")
                os._exit(0)
        os.close(write)
        with open(read, "rb") as stream:
            told = stream.read().decode()
        os.waitpid(child, 0)
        scheduler.exploring = exploring
        assert told == "well", told or "Ends: the child of a fork waits for ever"
        assert not kernel.harmed, kernel.harmed

    def _in_child(self, connections: int) -> str:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # it ends the child
        signal.setitimer(signal.ITIMER_REAL, CHILD)
        scheduler = self.scheduler
        assert scheduler.current is not None
        scheduler.only(scheduler.current)
        for use in (lambda: self.read(0), self.volume.close):
            try:
                use()
            except ForkedSessionError:
                pass
            else:
                return "Raises: the child's session is alive"
        if self.kernel.harmed or len(self.brick.connections) != connections:
            return f"ParentUnharmed: {self.kernel.harmed}"
        if self.kernel.open:
            return f"NothingLeft: the child has {self.kernel.open}"
        return ""

    # -- the world (tests.scheduled.scheduler.World) ----------------------------------------------

    def coming(self) -> list[tuple[str, Callable[[], None]]]:
        found: list[tuple[str, Callable[[], None]]] = []
        if self.kernel.is_child:
            return found
        for sock in self.kernel.sockets():
            if sock.connecting is not None:
                found.append(("a connection is made", sock.connected))
        if self.kernel.room is not None:
            found.append(("there is room again", self._unjam))
        for connection, request in self._answerable():
            if connection.coming:
                found.append(("the rest of an answer", _rest(connection)))
                break
            found.append((f"{request!r} is answered", _answer(connection, request)))
        return found

    def _answerable(self) -> Iterator[tuple[BrickConnection, Request | None]]:
        for connection in self.brick.connections:
            if connection.coming:
                yield connection, None
                continue
            for request in connection.inbox:
                if request.name not in self._mute and connection.can_serve(request):
                    yield connection, request

    def _unjam(self) -> None:
        self.kernel.room = None

    def accidents(self) -> list[tuple[str, Callable[[], None]]]:
        found: list[tuple[str, Callable[[], None]]] = []
        left = self._left

        def once(kind: str, name: str, happen: Callable[[], None]) -> None:
            def spend() -> None:
                left[kind] -= 1
                happen()

            found.append((name, spend))

        if left.get("slow") and self.scheduler.waits_for_time:
            once("slow", "the brick is slow, and time passes", self.scheduler.let_time_pass)
        if left.get("split"):
            for connection, request in self._answerable():
                if request is not None:
                    once("split", f"{request!r} is answered in parts", _part(connection, request))
        if left.get("lose"):
            for connection in self.brick.connections:
                once("lose", "the connection is lost", connection.lose)
        if left.get("jam") and self.kernel.room is None:
            once("jam", "the socket is nearly full", self.jam)
        if left.get("interrupt"):
            for thread in self.scheduler.threads:
                waits = thread.until is not None and not thread.done
                if thread.name == "interrupted" and waits and thread.interrupt is None:
                    once("interrupt", f"Ctrl-C for {thread!r}", _interrupt(thread))
        return found

    def next_time(self) -> float | None:
        return None

    # -- what must hold ---------------------------------------------------------------------------

    def at_rest(self) -> list[str]:
        """Look whether somebody waits for what has happened."""
        volume = self.volume
        if volume is None:
            return []
        driver, core = volume._session.driver, volume._session.core
        waiting = [each for each in self.scheduler.threads if not each.done]
        found = violations(core.session)
        gates = [each for each in waiting if _is_at_gate(each)]
        asleep = [each.owner for each in gates]
        found += [
            f"WokenUp: {each!r} is queued, and its thread at the gate"
            for each in self._fibers()
            if each.home is not None and each in each.home.ready and each.home.gate in asleep
        ]
        if any(each.where == "recv" and each.until is not None for each in waiting):
            return found
        if any(self._rests(each) for each in waiting):
            return found
        fibers = [each for each in self._fibers() if each.home is not None or driver._detached]
        found += [
            f"WokenUp: {each!r} could go on"
            for each in fibers
            # Any other is that of a thread which is in a callback, and will come to it.
            if each.is_claimed and (each.home in (None, driver._leader) or each.home.gate in asleep)
        ]
        found += [f"WokenUp: {each!r} is to be stepped" for each in driver._loose]
        found += [
            f"WokenUp: {each!r} waits for what has happened"
            for each in fibers
            if type(each.trap) is Wait and each.trap.event.is_set
        ]
        found += [
            f"Read: the answer to {each!r} is there"
            for each in fibers
            if type(each.trap) is Reply and self._has_come(each.trap)
        ]
        if gates and driver._leader is None:
            found.append(f"Leads: nobody, and {gates} wait")
        if gates or any(
            each.where == "poll" and each.face not in self._keepers() for each in waiting
        ):
            now = self.scheduler.now
            found += [
                f"OnTime: a timer is due since {now - when:.6f} s"
                for when, _, timer in driver._timers
                if timer.callback is not None and when <= now
            ]
        return found

    def _keepers(self) -> list[Any]:
        return [self.volume._session.driver._keeper.thread]

    def _rests(self, thread: Managed) -> bool:
        """Whether it is the house-keeper, and rests after work that nobody waits for."""
        if thread.face not in self._keepers() or thread.where != "event.wait":
            return False
        deadline = thread.deadline
        return deadline is not None and deadline - self.scheduler.now <= REST

    def _fibers(self) -> list[Fiber]:
        session = self.volume._session
        heads = [call.fiber for call in session.core.session.calls.values()]
        heads.append(session._run.fiber)
        found: list[Fiber] = []
        while heads:
            fiber = heads.pop()
            if fiber is not None and not fiber.done:
                found.append(fiber)
                heads += fiber.children
        return found

    def _has_come(self, reply: Reply) -> bool:
        if reply.done:
            return True
        link = reply.connection.link
        return link is not None and bool(link.sock.readable)

    def _what_is_left(self) -> list[str]:
        session = self.volume._session
        driver, core = session.driver, session.core
        found = violations(core.session)
        if core.session.state is not SessionState.CLOSED:
            found.append(f"Ends: the session is {core.session.state.name}")
        left: dict[str, Any] = {
            "locks held": [each for each in self._locks if each.owner is not None],
            "descriptors": list(self.kernel.open.values()),
            "fds on the brick": self.brick.fds,
            "connections": self.brick.connections,
            "followers": driver._followers,
            "detached fibers to be stepped": driver._loose,
            "detached fibers": driver._detached,
        }
        if not self.scenario.accidents.get("interrupt"):  # one that is made just then is forgotten
            left["timers"] = [each for *_, each in driver._timers if each.callback is not None]
        found += [f"NothingLeft: {what}: {those}" for what, those in left.items() if those]
        found += [f"the brick complains: {each}" for each in self.brick.complaints]
        return found


def _is_at_gate(thread: Managed) -> bool:
    return thread.until is not None and isinstance(thread.owner, Lock) and thread.where == "gate"


def _answer(connection: BrickConnection, request: Request | None) -> Callable[[], None]:
    def answer() -> None:
        assert request is not None
        wire: Any = connection.wire
        wire.deliver(connection.serve(request))

    return answer


def _part(connection: BrickConnection, request: Request) -> Callable[[], None]:
    def answer() -> None:
        wire: Any = connection.wire
        data = connection.serve(request)
        wire.deliver(data[: len(data) // 2])
        connection.coming = data[len(data) // 2 :]

    return answer


def _rest(connection: BrickConnection) -> Callable[[], None]:
    def rest() -> None:
        wire: Any = connection.wire
        data, connection.coming = connection.coming, b""
        wire.deliver(data)

    return rest


def _interrupt(thread: Managed) -> Callable[[], None]:
    def interrupt() -> None:
        thread.interrupt = KeyboardInterrupt()

    return interrupt
