"""A scheduler of real threads: one of them runs at a time, and which one is decided.

Each thread has a *baton*, a lock that is released to let it go on. Whoever has the baton comes to a
*point* before each thing that another thread can notice: a lock, a wait, a socket, the poller, or a
line of the driver's. There a function decides which of the *options* comes next; the first of them is
always the one by which things simply go on. So a list of decisions is a schedule, which can be had
again, and almost all of its numbers are zero.

Time stands still while any thread can run, or the world has something that is to come; then it is the
next time that somebody waits for. When there is none either, nothing will ever happen: a deadlock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple, Protocol

#: More points no schedule has, unless it goes round for ever.
MOST_POINTS = 200_000

#: How long a schedule may take, in seconds of real time: somebody may block where we do not see it.
PATIENCE = 60.0

#: So often time does not pass, unless somebody waits for ever.
MOST_PASSES = 1500

#: Times that are nearer to each other are the same, in seconds.
NANOSECOND = 1e-9


class Managed:
    """A thread under the scheduler.

    Attributes:
        number: its number, in the order in which they were made.
        name: its name.
        until: what it waits for, or ``None`` when it can run.
        deadline: when it goes on all the same.
        where: the point that it is at.
        owner: what it waits at: a lock, an event, a socket.
        interrupt: what is raised where it waits.
        done: whether it has ended.
        error: what it ended with, if it was an error.
        face: what it is to those who made it.
    """

    __slots__ = (
        "baton", "deadline", "done", "error", "face", "ident", "interrupt", "name", "number",
        "owner", "until", "where",
    )  # fmt: skip

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.baton = threading.Lock()
        self.baton.acquire()
        self.ident = 0
        self.until: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.where = "its beginning"
        self.owner: Any = None
        self.interrupt: BaseException | None = None
        self.done = False
        self.error: BaseException | None = None
        self.face: Any = None

    def can_run(self, now: float) -> bool:
        return not self.done and (
            self.until is None
            or self.interrupt is not None
            or (self.deadline is not None and self.deadline <= now + NANOSECOND)
            or self.until()
        )

    def __repr__(self) -> str:
        return f"{self.name} at {self.where}"


class Option(NamedTuple):
    """What may come next.

    Attributes:
        kind: what it costs to choose it: ``""`` for the first, ``preempt`` when the running thread
            could go on, ``turn`` when it could not, ``accident``.
        name: what it is, for people.
        thread: the thread that goes on, or ``None``.
        happen: what happens, where it is no thread.
    """

    kind: str
    name: str
    thread: Managed | None = None
    happen: Callable[[], None] | None = None


class World(Protocol):
    """What else there is: what comes by itself, and what may go wrong."""

    def coming(self) -> list[tuple[str, Callable[[], None]]]:
        """What is to come by itself, in any order: answers."""

    def accidents(self) -> list[tuple[str, Callable[[], None]]]:
        """What may go wrong now."""

    def next_time(self) -> float | None:
        """When something happens by itself."""

    def at_rest(self) -> list[str]:
        """What is wrong now that no thread can run, whatever is on its way."""


class Scheduler:
    """Runs threads, one at a time.

    Args:
        decide: given the options, of which there are at least two, returns which one it shall be.
        lines: the lines that are points, by file.

    Attributes:
        current: the thread that runs.
        exploring: whether options are given; else things simply go on.
        now: the time, in seconds.
        failure: what was wrong, when it could not go on.
        points: how many points there were with a choice.
        switches: how often one thread went on after another.
        passed: how often time passed.
    """

    def __init__(
        self, decide: Callable[[Sequence[Option]], int], lines: Mapping[str, frozenset[int]] = {}
    ) -> None:
        self.threads: list[Managed] = []
        self.current: Managed | None = None
        self.exploring = False
        self.now = 1000.0
        self.failure: list[str] = []
        self.world: World | None = None
        self.points = self.switches = self.passed = 0
        self.log: Callable[[str], None] | None = None
        self._decide = decide
        self._lines = lines
        self._all_points = 0
        self._over = threading.Lock()
        self._over.acquire()
        self._inside = False  # in the middle of a point: nothing there is a point

    # -- from outside -----------------------------------------------------------------------------

    def run(self, function: Callable[[], None], name: str = "main") -> None:
        """Run a function on a first thread, and whatever it starts, until all have ended.

        When it cannot go on, ``failure`` says why, and the threads are left where they are.
        """
        first = self.spawn(function, name)
        self.current = first
        first.baton.release()
        if not self._over.acquire(timeout=PATIENCE):
            frames = sys._current_frames()
            stacks = [
                f"{each!r}: {_stack(frames[each.ident])}"
                for each in self.threads
                if not each.done and each.ident in frames
            ]
            self.failure = ["Ends: a thread blocks or goes round, out of sight", *stacks]

    def spawn(self, function: Callable[[], None], name: str) -> Managed:
        """Make a thread. It begins when it is its turn."""
        made = Managed(len(self.threads), name)
        self.threads.append(made)

        def begin() -> None:
            made.ident = threading.get_ident()
            made.baton.acquire()
            if self._lines and made.number:  # the first has nothing to decide
                sys.settrace(self._trace)
            try:
                function()
            except BaseException as error:
                made.error = error
            finally:
                sys.settrace(None)
            self._ended(made)

        threading.Thread(target=begin, name=name, daemon=True).start()
        return made

    def only(self, thread: Managed) -> None:
        """In the child of a fork: no other thread is here."""
        self.threads = [thread]

    # -- for what is played -----------------------------------------------------------------------

    @property
    def is_here(self) -> bool:
        """Whether the thread that asks is one of ours, and not in the middle of a point."""
        current = self.current
        return current is not None and current.ident == threading.get_ident() and not self._inside

    def point(self, where: str) -> None:
        """Others may go on here."""
        if not self.exploring or not self.is_here:
            return
        me = self.current
        assert me is not None
        me.where = where
        self._choose(me)

    def block(
        self, where: str, until: Callable[[], bool], seconds: float | None, owner: Any = None
    ) -> bool:
        """Wait until something is so. Returns whether it is; else the time is over.

        Raises:
            BaseException: the thread was interrupted.
        """
        me = self.current
        assert me is not None, where
        me.where, me.until, me.owner = where, until, owner
        me.deadline = None if seconds is None else self.now + max(0.0, seconds)
        self._choose(me)
        me.until = me.deadline = me.owner = None
        if me.interrupt is not None:
            interrupt, me.interrupt = me.interrupt, None
            raise interrupt
        return until()

    def let_time_pass(self) -> None:
        """Have it be later, though something is on its way."""
        self._let_time_pass()

    @property
    def waits_for_time(self) -> bool:
        """Whether no thread can run now, and one can later."""
        waiting = self._waiting()
        return any(each.deadline is not None for each in waiting) and not any(
            each.can_run(self.now) for each in waiting
        )

    # -- choosing ---------------------------------------------------------------------------------

    def _choose(self, me: Managed) -> None:
        """Come back when it is ``me`` who goes on."""
        while True:
            self._inside = True
            try:
                option = self._next(me)
                if option is None:
                    break
                if option.happen is not None:
                    option.happen()
                    continue
            finally:
                self._inside = False
            thread = option.thread
            if thread is me:
                return
            assert thread is not None
            self.switches += 1
            self.current = thread
            thread.baton.release()
            if me.done:
                return
            me.baton.acquire()
            return
        self._over.release()
        if not me.done:
            me.baton.acquire()  # for ever

    def _next(self, me: Managed) -> Option | None:
        self._all_points += 1
        if self._all_points > MOST_POINTS:
            self.failure = [f"Ends: {MOST_POINTS} points, and no end", *map(repr, self._waiting())]
            return None
        while True:
            options = self._options(me)
            if not any(option.thread for option in options):
                assert self.world is not None
                wrong = self.world.at_rest()
                if wrong:
                    self.failure = [*wrong, *map(repr, self._waiting())]
                    return None
            if options:
                break
            if not self._let_time_pass():
                return None
        index = 0
        if len(options) > 1 and self.exploring:
            index = self._decide(options)
            self.points += 1
        option = options[index]
        if self.log is not None and (index or option.thread is not me):
            at = f"{self.points}={index}" if index else ""
            self.log(f"{at:>8}  {me!r}; then {option.name}")
        return option

    def _options(self, me: Managed) -> list[Option]:
        now = self.now
        options = []
        kind = "turn"
        if me.can_run(now):
            options.append(Option("", f"{me.name} goes on", me))
            if not self.exploring:
                return options
            kind = "preempt"
        at = self.threads.index(me) + 1
        options += [
            Option(kind, f"{each!r} goes on", each)
            for each in self.threads[at:] + self.threads[: at - 1]
            if each.can_run(now)
        ]
        assert self.world is not None
        options += [Option(kind, name, None, happen) for name, happen in self.world.coming()]
        if self.exploring:
            options += [
                Option("accident", name, None, happen) for name, happen in self.world.accidents()
            ]
            if options and options[0].kind == "accident":  # nothing else can be: it is no must
                options.insert(0, Option("", "time passes", None, self._pass_or_fail))
        return options

    def _pass_or_fail(self) -> None:
        if not self._let_time_pass():
            self.exploring = False  # nothing comes, and so it will be said

    def _let_time_pass(self) -> bool:
        """Let it be the next time that somebody waits for. Returns whether there is one."""
        assert self.world is not None
        waiting = self._waiting()
        if not waiting:
            return False
        times = [each.deadline for each in waiting if each.deadline is not None]
        next_time = self.world.next_time()
        if next_time is not None:
            times.append(next_time)
        if not times or self.passed > MOST_PASSES:
            self.failure = ["Ends: nobody can go on, and nothing is to come", *map(repr, waiting)]
            return False
        self.now = max(self.now, min(times))
        self.passed += 1
        if self.log is not None:
            self.log(f"          it is {self.now:.6f}")
        return True

    def _waiting(self) -> list[Managed]:
        return [each for each in self.threads if not each.done]

    def _ended(self, me: Managed) -> None:
        me.done = True
        me.where = "its end"
        self._choose(me)

    # -- lines ------------------------------------------------------------------------------------

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._trace_lines if frame.f_code.co_filename in self._lines else None

    def _trace_lines(self, frame: FrameType, event: str, argument: Any) -> Any:
        if (
            self.exploring
            and event == "line"
            and frame.f_lineno in self._lines[frame.f_code.co_filename]
        ):
            self.point(f"{frame.f_code.co_name}:{frame.f_lineno}")
        return self._trace_lines


def _stack(frame: FrameType | None) -> str:
    places: list[str] = []
    while frame is not None and len(places) < 12:
        places.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(places)
