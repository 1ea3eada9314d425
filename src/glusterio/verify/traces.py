"""A trace of a real session, in the words of the specification ``Teardown``.

A trace is what :func:`glusterio.lifecycle.trace.ndjson` writes: one line for each transition, in the
order in which they happened. :func:`bound` turns each line into steps of the specification: actions
with their arguments, and what the line says of the state after them. Nothing is judged here; whether
the steps are possible is what :mod:`glusterio.verify.fitting` finds out without Java, and TLC with
``spec/TeardownTrace.tla``.

What has to be bound, since the code is finer or coarser than the specification:

* A *thread* of the specification has one call, which has borrowed one handle or opens one at a time. A
  call of the code that has borrowed a second handle, or opens while it has borrowed one, is several
  threads, which leave together.
* The call that connects is a truth there (``connecting``) and no thread.
* What a brick answers to an OPEN is known from a later line, so it is said at once. This keeps the
  states few; what else bricks and the wire do is left to be found.
* A connection that comes back is one line: that it was lost, and that every handle of it was opened
  again that was not lost, is said with it.
* Numbers of calls and handles go on for ever; names are used again once nothing is left of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class TraceError(ValueError):
    """A file that is no trace; the message names the line."""


class Line(NamedTuple):
    """One line of a trace; the fields are those of ``TraceRecord``."""

    seq: int
    subject: str
    number: int
    event: str
    before: str
    after: str
    calls: int
    handles: int
    refs: int
    of: int

    def __str__(self) -> str:
        who = self.subject if self.subject == "session" else f"{self.subject} {self.number}"
        of = f" (handle {self.of})" if self.subject == "call" and self.of else ""
        return f"{self.event} of {who}{of}"


class Step(NamedTuple):
    """One step of the specification.

    Attributes:
        line: the line that it is from, counted from 1.
        act: an action of ``Teardown``, or one of ``TeardownTrace``'s own.
        thread, handle: its arguments; 0 where there is none.
        yes: of an answer: whether the brick opens.
        look: whether what follows is to be compared with the state after the step.
        before, after: the subject's state; empty for a call.
        calls: how many threads' calls are counted.
        handles: how many handles are in the ledger.
        refs: how many references the handle has lent.
        graph: which graph; 0 where it is of none.
    """

    line: int
    act: str
    thread: int = 0
    handle: int = 0
    yes: bool = False
    look: bool = False
    before: str = ""
    after: str = ""
    calls: int = 0
    handles: int = 0
    refs: int = 0
    graph: int = 0


class Bound(NamedTuple):
    """A trace in the specification's words.

    Attributes:
        steps: the steps.
        threads, handles: how many names of each it takes.
        why: if the last step can only be ``NEVER``: what is wrong with its line.
        call_of, handle_of: after the last line, the number of each name that stands for something;
            of no thread, 0, the call that connects.
        graphs: how many graphs there are.
    """

    steps: list[Step]
    threads: int
    handles: int
    why: str
    call_of: dict[int, int]
    handle_of: dict[int, int]
    graphs: int


_TEXTS = ("subject", "event", "before", "after")


def read(text: str) -> list[Line]:
    """Read a trace.

    Raises:
        TraceError: a line is no record.
    """
    return [_line(number, each) for number, each in enumerate(text.splitlines(), 1)]


def _line(number: int, text: str) -> Line:
    try:
        fields: dict[str, Any] = json.loads(text)
        line = Line(**fields)
    except (ValueError, TypeError) as error:
        raise TraceError(f"line {number}: no record of a trace: {error}") from None
    for name, value in line._asdict().items():
        kind = str if name in _TEXTS else int
        if type(value) is not kind:
            raise TraceError(f"line {number}: {name} is no {kind.__name__}")
    return line


def dumped(lines: Sequence[Line]) -> str:
    """Return the text of a trace; :func:`read` reads it."""
    return "".join(json.dumps(line._asdict(), separators=(",", ":")) + "\n" for line in lines)


#: Each event of a session is an action of its name; of these two a graph is told.
GRAPH_ACTS = frozenset(("SWITCHED", "RECONNECTED"))
SESSION_ACTS = GRAPH_ACTS | frozenset(
    ("CONNECT", "CONNECTED", "GATE", "SETTLED", "DRAINED", "PARTED", "CHECKED", "ENDED", "FORK")
)

#: Each event of a handle is an action of its name; these two are the thread's that opens it.
OPENERS_ACTS = frozenset(("SEND", "ABANDON"))
HANDLE_ACTS = frozenset(
    (
        *("OPENED", "LATE", "REFUSED", "CLOSE", "LOST", "CARRIED", "UNLOCKED", "RELEASED", "DROP"),
        "STRIKE",
    )
)

CALL_EVENTS = frozenset(("ADMIT", "BORROW", "LEAVE", "DISOWN"))

#: After these whoever opened the handle is done with it.
_ENDS_AN_OPEN = frozenset(("OPENED", "LATE", "REFUSED", "ABANDON"))

#: After these nothing is left of the handle.
_ENDS_A_HANDLE = frozenset(("RELEASED", "REFUSED"))


class _Impossible(Exception):
    """The line cannot even be said in the specification's words."""


class _Names:
    """Gives out small numbers, the smallest that is free."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self.most = 0

    def take(self) -> int:
        if self._free:
            self._free.sort()
            return self._free.pop(0)
        self.most += 1
        return self.most

    def give_back(self, name: int) -> None:
        self._free.append(name)


def bound(lines: Sequence[Line]) -> Bound:
    """Turn a trace into steps. It ends with a line that cannot be said, if there is one."""
    binding = _Binding(lines)
    steps: list[Step] = []
    why = ""
    for at, line in enumerate(lines, 1):
        try:
            steps += binding.steps(at, line)
        except _Impossible as error:
            why = str(error)
            steps.append(Step(at, "NEVER"))
            break
    call_of = {thread: call for call, threads in binding.calls.items() for thread in threads}
    if binding.connect is not None:
        call_of[0] = binding.connect
    handle_of = {name: number for number, name in binding.handle.items()}
    names = binding.threads.most, binding.handles.most
    return Bound(steps, *names, why, call_of, handle_of, binding.graphs)


class _Binding:
    """Which name stands for what, as the lines go on."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.threads = _Names()
        self.handles = _Names()
        self.calls: dict[int, list[int]] = {}  # the threads of each call; the first is its own
        self._borrows: dict[int, bool] = {}  # of a call: whether it may borrow another handle
        self._opens: dict[int, int] = {}  # of a thread that opens: the handle's name, or 0
        self._opener: dict[int, int] = {}  # of a handle's name: the thread that opens it
        self.handle: dict[int, int] = {}  # of a handle's number: its name
        self.connect: int | None = None  # the call that connects, while it is counted
        self.graphs = 1
        self._connecting = False  # the last line was CONNECT
        self._last_call = self._last_handle = 0
        self._seq = 0
        self._answers: dict[int, bool] = {}
        self._asked: dict[int, bool] = {}  # of a handle's name: what the brick says to its OPEN
        for line in lines:
            if line.subject == "handle" and line.event in ("OPENED", "LATE", "REFUSED"):
                self._answers.setdefault(line.number, line.event != "REFUSED")

    def steps(self, at: int, line: Line) -> Iterator[Step]:
        """Turn one line into steps."""
        self._seq += 1
        if line.seq != self._seq:
            raise _Impossible(f"its number is {line.seq}, not {self._seq}")
        if self._connecting and (line.subject, line.event, line.of) != ("call", "ADMIT", 0):
            raise _Impossible("the call that connects is counted with CONNECT")
        if line.subject == "session":
            made = self._session(at, line)
        elif line.subject == "call":
            made = self._call(at, line)
        elif line.subject == "handle":
            made = self._of_handle(at, line)
        else:
            raise _Impossible(f"there is no subject {line.subject!r}")
        yield from made

    def _look(self, at: int, act: str, line: Line, thread: int = 0, handle: int = 0) -> Step:
        """The step that the line's numbers are compared after."""
        more = sum(len(threads) - 1 for threads in self.calls.values())
        calls = line.calls + more - (self.connect is not None)
        return Step(
            at,
            act,
            thread,
            handle,
            look=True,
            before=line.before,
            after=line.after,
            calls=calls,
            handles=line.handles,
            refs=line.refs,
        )

    # -- the session ------------------------------------------------------------------------------

    def _session(self, at: int, line: Line) -> Iterator[Step]:
        if line.event not in SESSION_ACTS:
            raise _Impossible(f"there is no event {line.event} of a session")
        if line.number or line.refs or (line.of and line.event not in GRAPH_ACTS):
            raise _Impossible("a session has no number, no other party, and lends nothing")
        if line.event == "SWITCHED":
            self.graphs += 1
        if line.event in GRAPH_ACTS and not 0 < line.of <= self.graphs:
            raise _Impossible(f"there are {self.graphs} graphs")
        if line.event == "SWITCHED" and line.of != self.graphs:
            raise _Impossible(f"it is graph {self.graphs}")
        if line.event == "SETTLED" and self.connect is not None:
            raise _Impossible("the call that connects has not left")
        if line.event == "FORK":
            self.calls.clear()
            self.connect = None
        self._connecting = line.event == "CONNECT"
        if line.event != "RECONNECTED":
            yield self._look(at, line.event, line)
            return
        for act in ("DOWN", "BACK", "REOPENED"):
            yield Step(at, act, graph=line.of)
        yield self._look(at, line.event, line)._replace(graph=line.of)
        for handle, yes in self._asked.items():  # what waited for it
            yield Step(at, "ANSWER", handle=handle, yes=yes)

    # -- calls ------------------------------------------------------------------------------------

    def _call(self, at: int, line: Line) -> Iterator[Step]:
        if line.event not in CALL_EVENTS:
            raise _Impossible(f"there is no event {line.event} of a call")
        if line.before or line.after or (line.refs and not line.of):
            raise _Impossible("a call has no state, and by itself lends nothing")
        if line.event == "ADMIT":
            if line.number <= self._last_call:
                raise _Impossible(f"there was a call {line.number} already")
            self._last_call = line.number
            if self._connecting:
                self._connecting = False
                self.connect = line.number
                yield self._look(at, "JOIN", line)
                return
        elif line.number == self.connect:
            if line.of or line.event == "BORROW":
                raise _Impossible("the call that connects has borrowed nothing")
            self.connect = None
            yield self._look(at, "PART" if line.event == "LEAVE" else "DISOWN_CONNECT", line)
            return
        elif line.number not in self.calls:
            raise _Impossible(f"there is no call {line.number}")
        if line.event in ("ADMIT", "BORROW"):
            handle = self._name_of(line.of) if line.of else 0
            if line.event == "BORROW":
                if not handle or not self._borrows[line.number]:
                    raise _Impossible("a second handle is borrowed, after a first, and no third")
                self._borrows[line.number] = False
            else:
                self._borrows[line.number] = bool(handle)
            thread = self._new_thread(line.number, handle)
            yield self._look(at, "ADMIT", line, thread, handle)
        else:
            yield from self._leaves(at, line)

    def _leaves(self, at: int, line: Line) -> Iterator[Step]:
        act = "LEAVE" if line.event == "LEAVE" else "DISOWN"
        own, *others = self.calls.pop(line.number)
        del self._borrows[line.number]
        for thread in others:
            yield Step(at, act, thread)
        yield self._look(at, act, line, own, self._name_of(line.of) if line.of else 0)
        if act == "LEAVE":  # one that is counted out goes on, unseen
            for thread in (own, *others):
                self._opener.pop(self._opens.pop(thread, 0), None)
                self.threads.give_back(thread)

    def _new_thread(self, call: int, handle: int) -> int:
        thread = self.threads.take()
        self.calls.setdefault(call, []).append(thread)
        if not handle:
            self._opens[thread] = 0
        return thread

    # -- handles ----------------------------------------------------------------------------------

    def _name_of(self, number: int) -> int:
        """A handle's name. One that was never reserved has one, too; the specification will see."""
        name = self.handle.get(number)
        if name is None:
            name = self.handle[number] = self.handles.take()
        return name

    def _of_handle(self, at: int, line: Line) -> Iterator[Step]:
        if line.event == "RESERVE":
            yield from self._reserve(at, line)
            return
        if line.of:
            raise _Impossible(f"{line.event} has no other party")
        handle = self._name_of(line.number)
        if line.event in OPENERS_ACTS:
            if handle not in self._opener:
                raise _Impossible("nobody opens it")
            yield self._look(at, line.event, line, self._opener[handle], handle)
            if line.event == "SEND" and line.number in self._answers:
                self._asked[handle] = self._answers[line.number]
                yield Step(at, "ANSWER", handle=handle, yes=self._asked[handle])
        elif line.event in HANDLE_ACTS:
            yield self._look(at, line.event, line, handle=handle)
        else:
            raise _Impossible(f"there is no event {line.event} of a handle")
        if line.event in ("OPENED", "LATE", "REFUSED"):
            self._asked.pop(handle, None)
        if line.event in _ENDS_AN_OPEN:
            thread = self._opener.pop(handle, 0)
            if thread in self._opens:
                self._opens[thread] = 0
        if line.event in _ENDS_A_HANDLE:
            yield Step(at, "REUSE", handle=handle)
            del self.handle[line.number]
            self.handles.give_back(handle)

    def _reserve(self, at: int, line: Line) -> Iterator[Step]:
        if line.number <= self._last_handle:
            raise _Impossible(f"there was a handle {line.number} already")
        if line.before or line.of not in self.calls:
            raise _Impossible("whatever is opened is opened by a call that is under way")
        self._last_handle = line.number
        handle = self._name_of(line.number)
        free = [thread for thread in self.calls[line.of] if self._opens.get(thread) == 0]
        if free:
            thread = free[0]
        else:
            thread = self._new_thread(line.of, 0)
            yield Step(at, "ADMIT", thread)
        self._opens[thread] = handle
        self._opener[handle] = thread
        yield self._look(at, "RESERVE", line._replace(before="NONE"), thread, handle)
