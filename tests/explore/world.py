"""The world of one life: a session, its callers, its brick, and every choice of what happens next.

A :class:`World` is made from a scenario and run with a function that decides. At every step it
offers a list of *options*, and the first of them is always the one by which things simply go on:
callers do their operations in turn, answers come in the order of the requests, time passes only
when nothing else can happen. Those that follow are other orders, and accidents, as far as the
scenario's budget of them reaches. So a list of numbers is a life, and zeros at its end need not be
written down.

    world = World(SCENARIOS["open-close"])
    problems = world.run(decide)        # [] or what was wrong, as sentences
    world.choices                       # what was decided, to be replayed
    world.records                       # the trace: every transition (glusterio.lifecycle.trace)

After every step the invariants are evaluated (:mod:`tests.explore.checks`), and at the end that
nothing is left.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from glusterio.api.url import Target
from glusterio.errors import (
    ForkedSessionError,
    GlusterError,
    LocalProtocolError,
    ReentrantCallError,
)
from glusterio.lifecycle.monitor import Monitor
from glusterio.lifecycle.states import SessionState
from glusterio.lifecycle.trace import TraceRecord
from glusterio.runtime.fiber import Fiber
from glusterio.runtime.virtual import Clock, Until, Wire
from glusterio.wire.programs import LockType
from tests.explore.brick import Brick, BrickConnection, Request
from tests.explore.checks import after_end, after_fork, after_step
from tests.explore.driven import DrivenSession
from tests.explore.fibers import alive, bury, name_of
from tests.explore.loop import LoopSession, TaskCaller, take_turn
from tests.explore.session import App, Interrupt, Interrupted
from tests.explore.volfiles import ADDRESS, VOLFILES, target_of

#: A caller's script.
Script = Callable[[App], Coroutine[Any, Any, Any]]

#: No life of a few callers takes so many steps.
MOST_STEPS = 3000

#: The accidents that there are, and the errors that a brick refuses requests with.
FAULTS = (
    "time",  # time passes, though answers could come, or callers do something
    "stall",  # ... though somebody here is about to go on: the machine is busy
    "interrupt",  # a caller is cancelled, or its thread interrupted
    "lose",  # a connection is lost
    "lose-answer",  # ... after the brick has done what was asked, but before it could say so
    "down",  # the brick stops: connections are lost, and no other is accepted
    "refuse",  # the brick says no
    "garble",  # the brick's answer makes no sense
    "split",  # the answer comes in two parts
    "jam",  # the connection takes nothing for a while
    "fork",  # the process forks; what follows is the child
)
_NO = errno.ENOSPC


def _may_be_refused(kind: str, request: Request) -> bool:
    """Whether a brick may say no: never where it would not let go of what is to be let go of."""
    if request.name == "LK" and kind == "refuse":
        return bool(request.message.type != LockType.UNLOCK)
    return request.name not in ("RELEASE", "RELEASEDIR", "PING")


class Scenario(NamedTuple):
    """What is explored.

    Attributes:
        name: as the command line has it.
        about: what it is about, in one line.
        callers: their scripts, by name, in the order in which they begin if nothing else is
            decided.
        threads: whether callers are threads; else they are tasks.
        loop: whether it is the real asyncio session, on a loop that stands still.
        faults: how many accidents of each kind there may be in one life.
        most: how many accidents of any kind there may be.
        volfile: which graph, of :mod:`tests.explore.volfiles`.
        connected: whether the exploring begins when the session is connected.
        files: what is on the brick.
        reconnect: whether a connection that is lost is made anew; a brick that has stopped may then
            come back at any time.
        follow: whether the volfile comes from a daemon, which tells when it has changed.
    """

    name: str
    about: str
    callers: Mapping[str, Script]
    threads: bool = False
    faults: Mapping[str, int] = {}
    volfile: str = "client"
    connected: bool = True
    files: Mapping[str, bytes] = {}
    most: int = 100
    loop: bool = False
    reconnect: bool = False
    follow: bool = False


class Option(NamedTuple):
    """Something that may happen next."""

    kind: str
    what: Any

    def __str__(self) -> str:
        what = self.what
        if isinstance(what, tuple):
            what = what[1]
        if isinstance(what, Fiber):
            what = name_of(what)
        return self.kind if what is None else f"{self.kind} {what}"


#: Decides: the number of the option that is taken.
Decide = Callable[[Sequence[Option]], int]


class Records(list[TraceRecord]):
    """A trace, of a life and of its child process."""

    def __call__(self, record: TraceRecord) -> None:
        self.append(record)

    @property
    def in_child(self) -> Records:
        """The hook in a child process."""
        return self


class Caller:
    """A caller and how far it is."""

    def __init__(self, name: str, coro: Coroutine[Any, Any, Any], inner: bool = False) -> None:
        self.name = name
        self.coro = coro
        self.inner = inner
        self.begun = False
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.rest: Until = coro.send(None)  # all that comes before the first operation

    def go(self, interrupt: BaseException | None = None) -> None:
        """Let it go on to its next rest."""
        self.begun = True
        try:
            if interrupt is None:
                self.rest = self.coro.send(None)
            else:
                self.rest = self.coro.throw(interrupt)
        except StopIteration as stop:
            self.done, self.value = True, stop.value
        except BaseException as error:
            self.done, self.error = True, error
            error.__traceback__ = None if _is_expected(error) else error.__traceback__

    def __str__(self) -> str:
        return self.name


def _may_begin(caller: Caller, state: SessionState) -> bool:
    """Whether it has a session to use: once connected, or for a close while connecting."""
    if caller.begun or caller.name == "connect":
        return True
    if caller.name.startswith("close"):
        return state is not SessionState.NEW
    return state is not SessionState.NEW and state is not SessionState.CONNECTING


def _is_expected(error: BaseException) -> bool:
    """Whether a caller may be told this: what the world did to it, not what glusterio made up."""
    if isinstance(error, (LocalProtocolError, ReentrantCallError)):
        return False
    return isinstance(error, (OSError, GlusterError, asyncio.CancelledError, Interrupt))


class World:
    """One life.

    Args:
        scenario: what is explored.
        log: gets each step, as a line for people; or ``None``.

    Attributes:
        app: the session.
        choices: what was decided, where there was anything to decide.
        records: every transition.
        steps: how many steps were taken.
    """

    def __init__(self, scenario: Scenario, log: Callable[[str], None] | None = None) -> None:
        self.scenario = scenario
        self.log = log
        self.clock = Clock()
        target: Target = target_of(scenario.volfile, scenario.reconnect, scenario.follow)
        self.brick = Brick(ADDRESS, VOLFILES[scenario.volfile])
        for name, content in scenario.files.items():
            self.brick.make(name, content)
        self.records = Records()
        self.monitor = Monitor(scenario.name, self.records)
        self.callers: list[Any] = []
        self.app = App(self._session(target), take_turn if scenario.loop else _turn, self._start)
        self.app.set_volfile = self.brick.set_volfile
        self.due: list[Caller] = []
        self.budget = dict(scenario.faults) if scenario.most else {}
        self.accidents = 0
        self.happened: set[str] = set()
        self.choices: list[int] = []
        self.steps = 0
        self.forked = False
        self.stalled = False
        self.problems: list[str] = []
        self.checked = 0
        self.gate_closed = False
        self.at_fork: Any = None
        self.orphans: list[Fiber] = []

    def _reach(self, address: tuple[str, int] | str) -> Callable[[Wire], BrickConnection]:
        if not self.brick.is_up:
            raise OSError(errno.ECONNREFUSED, "nobody listens")
        return self.brick.connect

    def _session(self, target: Target) -> Any:
        if self.scenario.loop:
            return LoopSession(self.clock, self._reach, target, self.monitor)
        return DrivenSession(
            self.clock, self._reach, target, self.monitor, self._start,
            threads=self.scenario.threads,
        )  # fmt: skip

    def _start(self, name: str, coro: Coroutine[Any, Any, Any]) -> None:
        self.callers.append(self._caller(name, coro, inner=True))

    def _caller(self, name: str, coro: Coroutine[Any, Any, Any], inner: bool = False) -> Any:
        if self.scenario.loop:
            return TaskCaller(name, coro, self.app.session.loop)
        return Caller(name, coro, inner)

    # -- running ----------------------------------------------------------------------------------

    def run(self, decide: Decide) -> list[str]:
        """Live a life. Returns what was wrong."""
        self.begin()
        while not self.problems:
            options = self.options()
            if not options:
                break
            self.take(options, decide(options) if len(options) > 1 else 0)
        return self.finish()

    def begin(self) -> None:
        """Start the callers; if the scenario has it so, connect first."""
        connecting = self._caller("connect", self.app.connect())
        self.callers.append(connecting)
        if self.scenario.connected:
            while not connecting.done:
                self._perform(self.options()[0])
            assert connecting.error is None, connecting.error
            self.callers.remove(connecting)
        self.callers += [
            self._caller(name, script(self.app)) for name, script in self.scenario.callers.items()
        ]
        if not any(name.startswith("close") for name in self.scenario.callers):
            self.callers.append(self._caller("close", self.app.close()))

    def take(self, options: Sequence[Option], number: int, *, check: bool = True) -> None:
        """Let one of the options happen, and look whether all is well, unless that is known."""
        if len(options) > 1:
            number %= len(options)
            self.choices.append(number)
        option = options[number]
        if self.log is not None:
            which = f" [{number} of {len(options)}]" if len(options) > 1 else ""
            self.log(f"{self.clock.now - 1000:9.3f} s  {option}{which}")
        seen = len(self.records)
        if option.kind in self.budget and number:
            self.budget[option.kind] -= 1
            self.accidents += 1
            self.happened.add(option.kind)
            if self.accidents >= self.scenario.most:
                self.budget = {}
        self._perform(option)
        self.steps += 1
        if self.log is not None:
            for record in self.records[seen:]:
                self.log(
                    f"               {record.subject} {record.number} {record.event}"
                    f" {record.before} -> {record.after}"
                )
        if check:
            self.problems += after_step(self)
        if self.steps > MOST_STEPS:
            self.problems.append(f"TeardownEnds: not over after {self.steps} steps")

    def finish(self) -> list[str]:
        """Look at what is left; return all that was wrong."""
        if not self.problems:
            if self.forked:
                self.problems += self._bury(self.orphans)
                self.problems += after_fork(self)
            else:
                self.problems += after_end(self)
        if self.problems:
            self._bury(alive(self.app.driver))
        return self.problems

    def abandon(self) -> None:
        """Let go of a life that is not lived to its end."""
        self._bury(alive(self.app.driver))

    def _bury(self, fibers: list[Fiber]) -> list[str]:
        """Drop all that has not ended, as when a child process is done with the session."""
        for caller in self.callers:
            caller.coro.close()
        said = bury(fiber.coro for fiber in fibers)
        # Who was about to end the session has cut its connections, and that has begun something: tasks
        # that are made while this goes on are buried, too.
        if self.scenario.loop:
            said += bury(task.get_coro() for task in self.app.session.loop.tasks)
        said += bury(fiber.coro for fiber in self.app.driver.ready)
        return [f"Fork: dropped, {what}" for what in said]

    # -- what may happen --------------------------------------------------------------------------

    def options(self) -> list[Option]:
        """Return what may happen next: first how things go on, then other orders and accidents."""
        app, driver = self.app, self.app.driver
        found: list[Option] = []
        if self.forked:
            return found
        if app.ended and not driver.ready and all(caller.done for caller in self.callers):
            return found
        heads: set[int] = set()
        for fiber in driver.ready:  # of one thread's the first, of those that are nobody's any
            if fiber.home is None or id(fiber.home) not in heads:
                heads.add(id(fiber.home))
                found.append(Option("step", fiber))
        due = self._may_resume()
        found += [Option("resume", caller) for caller in due]
        wires = list(driver.wires)
        for wire in wires:
            if wire.jammed:
                found.append(Option("unjam", wire))
        inboxes = [
            (connection, request)
            for connection in self.brick.connections
            for request in connection.inbox
        ]
        served = [each for each in inboxes if not each[0].coming and each[0].can_serve(each[1])]
        found += [Option("rest", each) for each in self.brick.connections if each.coming]
        found += [Option("answer", each) for each in served]
        found += [Option("accept", each) for each in driver.connecting]
        state = app.core.session.state
        for caller in self.callers:
            if not caller.done and caller.rest.begins and _may_begin(caller, state):
                found.append(Option("go", caller))
        if not self.brick.is_up and self.scenario.reconnect:
            found.append(Option("up", None))
        budget = self.budget
        if self.clock.due() is not None:
            passing = "stall" if found and found[0].kind in ("step", "resume") else "time"
            if not found or budget.get(passing, 0) > 0:
                found.append(Option(passing, None))
        if budget.get("interrupt", 0) > 0:
            for caller in self.callers:
                if caller.done or caller.inner or caller.rest.begins:
                    continue
                if caller in due or not caller.rest.holds():
                    found.append(Option("interrupt", caller))
        if budget.get("lose", 0) > 0:
            found += [Option("lose", each) for each in self.brick.connections]
        if budget.get("down", 0) > 0 and self.brick.is_up:
            found.append(Option("down", None))
        if budget.get("lose-answer", 0) > 0:
            found += [Option("lose-answer", each) for each in served]
        for kind in ("refuse", "garble"):
            if budget.get(kind, 0) > 0:
                found += [
                    Option(kind, each)
                    for each in inboxes
                    if not each[0].coming and _may_be_refused(kind, each[1])
                ]
        if budget.get("split", 0) > 0:
            found += [Option("split", each) for each in served]
        if budget.get("jam", 0) > 0:
            found += [Option("jam", wire) for wire in wires if not wire.jammed]
        if budget.get("fork", 0) > 0 and app.core.session.state < SessionState.CLOSED:
            found.append(Option("fork", None))
        return found

    def _may_resume(self) -> list[Caller]:
        """Return the callers that may go on: threads in any order, tasks as they became ready."""
        ready = [
            caller
            for caller in self.callers
            if not caller.done and not caller.rest.begins and caller.rest.holds()
        ]
        if self.scenario.threads:
            return ready
        self.due = [caller for caller in self.due if caller in ready]
        self.due += [caller for caller in ready if caller not in self.due]
        return self.due[:1]

    def _perform(self, option: Option) -> None:
        kind, what = option
        _PERFORM[kind](self, what)
        driver = self.app.driver
        if driver.eager:
            driver.drain()
            driver.end_turn()

    # -- letting it happen ------------------------------------------------------------------------

    def _step(self, fiber: Any) -> None:
        self.app.driver.step(fiber)

    def _resume(self, caller: Caller) -> None:
        caller.go()

    def _unjam(self, wire: Wire) -> None:
        wire.jammed = False
        wire.flush()

    def _answer(self, what: tuple[BrickConnection, Request]) -> None:
        connection, request = what
        connection.wire.deliver(connection.serve(request))

    def _accept(self, connecting: Any) -> None:
        self.app.driver.accept(connecting)

    def _time(self, _: None) -> None:
        self.clock.advance()

    def _stall(self, _: None) -> None:
        self.stalled = True
        self.clock.advance()

    def _interrupt(self, caller: Caller) -> None:
        caller.go(Interrupt() if self.scenario.threads else Interrupted())

    def _lose(self, connection: BrickConnection) -> None:
        connection.lose()

    def _down(self, _: None) -> None:
        self.brick.stop()

    def _up(self, _: None) -> None:
        self.brick.is_up = True

    def _lose_answer(self, what: tuple[BrickConnection, Request]) -> None:
        connection, request = what
        connection.serve(request)
        connection.lose()

    def _refuse(self, what: tuple[BrickConnection, Request]) -> None:
        connection, request = what
        connection.wire.deliver(connection.refuse(request, _NO))

    def _garble(self, what: tuple[BrickConnection, Request]) -> None:
        connection, request = what
        packet = bytearray(connection.refuse(request, _NO))
        packet += b"\xff\xff\xff\xff"  # more than there should be
        packet[:4] = (0x80000000 | (len(packet) - 4)).to_bytes(4, "big")
        connection.wire.deliver(bytes(packet))

    def _split(self, what: tuple[BrickConnection, Request]) -> None:
        connection, request = what
        packet = connection.serve(request)
        middle = len(packet) - max(1, len(packet) // 8)  # in the data, if there is any
        connection.coming = packet[middle:]
        connection.wire.deliver(packet[:middle])

    def _rest(self, connection: BrickConnection) -> None:
        packet, connection.coming = connection.coming, b""
        connection.wire.deliver(packet)

    def _jam(self, wire: Wire) -> None:
        wire.jammed = True

    def _fork(self, _: None) -> None:
        self.at_fork = self.on_brick()
        self.forked = True
        self.orphans = alive(self.app.driver)
        self.app.session.forget_after_fork()

    # -- telling ----------------------------------------------------------------------------------

    @staticmethod
    def may_be_told(error: BaseException) -> bool:
        """Whether this is an error that a caller may be told."""
        return _is_expected(error)

    def on_brick(self) -> Any:
        """Return what the brick has: what a child process must not change."""
        brick = self.brick
        return [
            (id(each), sorted(each.fds), [str(request) for request in each.inbox])
            for each in brick.connections
        ], list(brick.locks)

    def dead_in_child(self) -> list[str]:
        """In a child process: every call is refused, with the right error."""
        found = []
        core = self.app.core
        for what, attempt in (
            ("a call", lambda: core.session.admit("read")),
            ("close", core.session.close_gate),
        ):
            try:
                attempt()
            except ForkedSessionError:
                continue
            except Exception as error:
                found.append(f"Fork: {what} raises {error!r}")
            else:
                found.append(f"Fork: {what} is accepted")
        return found


_PERFORM: dict[str, Callable[[World, Any], None]] = {
    "step": World._step,
    "resume": World._resume,
    "go": World._resume,
    "unjam": World._unjam,
    "answer": World._answer,
    "accept": World._accept,
    "time": World._time,
    "stall": World._stall,
    "interrupt": World._interrupt,
    "lose": World._lose,
    "down": World._down,
    "up": World._up,
    "lose-answer": World._lose_answer,
    "refuse": World._refuse,
    "garble": World._garble,
    "split": World._split,
    "rest": World._rest,
    "jam": World._jam,
    "fork": World._fork,
}


async def _turn() -> None:
    await Until(_always, begins=True)


def _always() -> bool:
    return True
