"""Traces that somebody has tampered with, made from the corpus, always the same ones.

A change of one line shows at once in the numbers that the other lines carry. So most mutants are
*mended*: the numbers, counts and states are made to agree with the change, as far as the tables allow,
and only the rules of a session's life are left to tell it from a true history. Some of them are true
histories, of another session: :func:`why_legal` knows which, and why, without asking the specification.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glusterio.lifecycle.states import (
    HANDLE_TABLE,
    SESSION_TABLE,
    HandleEvent,
    HandleState,
    SessionEvent,
    SessionState,
)
from glusterio.verify.traces import Line, read

CORPUS = Path(__file__).parent / "corpus"

#: How many mutants are made of each trace.
OF_EACH = 5


class Mutant(NamedTuple):
    """A trace with one change.

    Attributes:
        name: the trace's, the change, and its line.
        change: what was done.
        at: to which line, counted from 0.
        original: the trace.
        lines: the mutant.
    """

    name: str
    change: str
    at: int
    original: list[Line]
    lines: list[Line]


def corpus() -> dict[str, list[Line]]:
    """The recorded traces, by name."""
    return {path.stem: read(path.read_text()) for path in sorted(CORPUS.glob("*.ndjson"))}


def mended(lines: Sequence[Line]) -> list[Line]:
    """Make the numbers, the counts and the states agree with the events, as far as they can."""
    session = SessionState.NEW
    states: dict[int, HandleState] = {}
    calls: dict[int, list[int]] = {}
    refs: dict[int, int] = {}
    done = []
    for seq, line in enumerate(lines, 1):
        before, after, of = line.before, line.after, line.of
        if line.subject == "session":
            event = SessionEvent[line.event]
            before = session.name
            session = SESSION_TABLE[session].get(event, session)
            after = session.name
            if event is SessionEvent.FORK:
                calls.clear()
                states.clear()
        elif line.subject == "handle" and line.event == "RESERVE":
            states[line.number] = HandleState.RESERVED
        elif line.subject == "handle":
            state = states.get(line.number, HandleState.CLOSED)
            before = state.name
            state = HANDLE_TABLE[state].get(HandleEvent[line.event], state)
            after = state.name
            states[line.number] = state
            if state is HandleState.CLOSED:
                del states[line.number]
        elif line.event in ("ADMIT", "BORROW"):
            calls.setdefault(line.number, []).append(of)
            refs[of] = refs.get(of, 0) + 1
        else:
            borrowed = calls.pop(line.number, [of])
            of = borrowed[0]
            for handle in borrowed:
                refs[handle] = refs.get(handle, 0) - 1
        handle = of if line.subject == "call" else line.number
        lent = refs.get(handle, 0) if handle and line.subject != "session" else 0
        done.append(
            line._replace(
                seq=seq,
                before=before,
                after=after,
                calls=len(calls),
                handles=len(states),
                refs=lent,
                of=of,
            )
        )
    return done


# -- the changes ------------------------------------------------------------------------------------

Change = Callable[[random.Random, list[Line], int], list[Line] | None]


def _other(chance: random.Random, choices: Sequence[int] | Sequence[str], than: object) -> object:
    found = sorted({choice for choice in choices if choice != than})
    return chance.choice(found) if found else None


def drop(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    return mended([*lines[:at], *lines[at + 1 :]])


def swap(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    if at + 1 == len(lines):
        return None
    return mended([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])


def duplicate(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    return mended([*lines[: at + 1], *lines[at:]])


def event(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    """Another event of the same kind of subject."""
    line = lines[at]
    if line.event in ("ADMIT", "BORROW", "RESERVE"):
        return None  # what borrows and what reserves says more than its name
    events = {
        "session": [event.name for event in SessionEvent],
        "handle": [event.name for event in HandleEvent],
        "call": ["LEAVE", "DISOWN"],
    }[line.subject]
    changed = line._replace(event=str(_other(chance, events, line.event)))
    return mended([*lines[:at], changed, *lines[at + 1 :]])


def handle(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    """Another handle: the one that is moved, or borrowed, or given back."""
    line = lines[at]
    handles = [each.number for each in lines if each.subject == "handle"]
    if line.subject == "handle":
        other = _other(chance, handles, line.number)
        changed = line._replace(number=other) if isinstance(other, int) else None
    elif line.subject == "call" and line.of:
        other = _other(chance, handles, line.of)
        changed = line._replace(of=other) if isinstance(other, int) else None
    else:
        changed = None
    if changed is None:
        return None
    result = mended([*lines[:at], changed, *lines[at + 1 :]])
    if line.event in ("LEAVE", "DISOWN"):  # mended back
        result[at] = result[at]._replace(of=changed.of)
    return result


def call(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    """Another call: the one that leaves, or borrows, or opens."""
    line = lines[at]
    calls = [each.number for each in lines if each.subject == "call"]
    if line.subject == "call":
        other = _other(chance, calls, line.number)
        changed = line._replace(number=other) if isinstance(other, int) else None
    elif line.event == "RESERVE":
        other = _other(chance, calls, line.of)
        changed = line._replace(of=other) if isinstance(other, int) else None
    else:
        changed = None
    return None if changed is None else mended([*lines[:at], changed, *lines[at + 1 :]])


def number(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    """One of the numbers that a line carries; not mended."""
    line = lines[at]
    name = chance.choice(("seq", "calls", "handles", "refs"))
    changed = line._replace(**{name: getattr(line, name) + chance.choice((-1, 1))})
    return [*lines[:at], changed, *lines[at + 1 :]]


def state(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    """Where a line says that its subject came from, or went to; not mended."""
    line = lines[at]
    name = chance.choice(("before", "after"))
    names = [each.name for each in (SessionState if line.subject == "session" else HandleState)]
    other: Any = _other(chance, names, getattr(line, name))
    changed = line._replace(**{name: other})
    return [*lines[:at], changed, *lines[at + 1 :]]


def after_the_gate(chance: random.Random, lines: list[Line], at: int) -> list[Line] | None:
    """A call is admitted, and leaves, when the gate is closed."""
    if not any(line.event == "GATE" for line in lines[:at]):
        return None
    one = max((line.number for line in lines if line.subject == "call"), default=0) + 1
    come = Line(0, "call", one, "ADMIT", "", "", 0, 0, 0, 0)
    return mended([*lines[:at], come, come._replace(event="LEAVE"), *lines[at:]])


CHANGES: list[Change] = [
    drop,
    swap,
    duplicate,
    event,
    handle,
    call,
    number,
    state,
    after_the_gate,
]


def every_mutant(name: str, lines: list[Line]) -> Iterator[Mutant]:
    """Change a trace at every line, in every way; where there is a choice, in one of them."""
    chance = random.Random(name)
    for change in CHANGES:
        for at in range(len(lines)):
            changed = change(chance, lines, at)
            if changed is not None and changed != lines:
                title = f"{name}/{change.__name__}-{at + 1}"
                yield Mutant(title, change.__name__, at, lines, changed)


def mutants() -> list[Mutant]:
    """All of them: of each trace ``OF_EACH``, with changes that take turns."""
    made = []
    turn = 0
    for name, lines in corpus().items():
        chance = random.Random(name)
        taken: set[tuple[str, int]] = set()
        while len(taken) < OF_EACH:
            change = CHANGES[turn % len(CHANGES)]
            turn += 1
            places = list(range(len(lines)))
            chance.shuffle(places)
            for at in places:
                changed = change(chance, lines, at)
                if changed is not None and changed != lines:
                    taken.add((change.__name__, at))
                    title = f"{name}/{change.__name__}-{at + 1}"
                    made.append(Mutant(title, change.__name__, at, lines, changed))
                    break
    return made


# -- mutants that are true histories ------------------------------------------------------------------


def why_legal(mutant: Mutant) -> str | None:
    """Say why a mutant is a true history all the same, if it is one; by its change alone."""
    lines, at = mutant.original, mutant.at
    line, later = lines[at], lines[at + 1 :]
    if _concerns_a_return(mutant):
        if _returns_as_it_may(mutant.lines):
            return "a connection may be lost, and come back, at any time, and nobody notices"
        return None
    if mutant.change == "drop":
        return _why_dropped(lines, at)
    if mutant.change == "swap" and _commute(lines, at):
        return "the two concern different things: either may come first"
    if mutant.change == "event":
        changed = mutant.lines[at]
        if changed.event == "FORK" and not later and line.before != "CLOSED":
            return "a process may fork at any time"
        if changed.event == "GATE" and not later and _session_at(lines, at) <= SessionState.ACTIVE:
            return "a session may be closed at any time"
        drained = any(each.event == "DRAINED" for each in later)
        told = any(
            _concerns(each, line.number) or (each.subject == "call" and each.of == line.number)
            for each in later
        )
        possible = changed.event == "REFUSED" or not drained
        if {line.event, changed.event} <= _ANSWERS and possible and not told:
            return "that may as well come of it, and nothing more is told of the handle"
        settling = _session_at(lines, at) is SessionState.SETTLING
        if {line.event, changed.event} == {"LEAVE", "DISOWN"} and settling:
            return "at the deadline a call may leave by itself, or be counted out"
        lent = any(each.event in ("ADMIT", "BORROW") and each.of == line.number for each in later)
        possible = _carried_as_it_may(mutant.lines) and _returns_as_it_may(mutant.lines)
        both = {line.event, changed.event}
        if both == {"LOST", "UNLOCKED"} and possible:
            return "what makes a handle stale may be that its connection is gone, or its locks"
        if both in ({"CARRIED", "LOST"}, {"CARRIED", "UNLOCKED"}) and possible and not lent:
            return "a handle may be lost when its graph is replaced, or carried over"
    if mutant.change == "handle" and line.event == "CARRIED":
        other = mutant.lines[at].number
        if _state_at(lines, at, other) is HandleState.OPEN and _carried_as_it_may(mutant.lines):
            return "the other one may as well be carried over, and this one left where it is"
    if mutant.change == "handle" and line.event == "UNLOCKED":
        other = mutant.lines[at].number
        used = ("CARRIED", "LOST", "UNLOCKED")
        needed = any(
            (each.of == other and each.event in ("ADMIT", "BORROW"))
            or (each.number == other and each.event in used)
            for each in later
        )  # fmt: skip
        if _state_at(lines, at, other) is HandleState.OPEN and not needed:
            return "the other one may as well have lost its locks"
    if mutant.change == "handle" and line.event in ("ADMIT", "BORROW"):
        other = mutant.lines[at].of
        if _state_at(lines, at, other) is HandleState.OPEN and _left_before_released(
            lines, at, line.number, other
        ):
            return "the call may as well borrow the other file, which is open"
    if mutant.change == "call" and line.event == "RESERVE":
        other = mutant.lines[at].of
        opened = next((i for i, each in enumerate(later) if _ends_open(each, line.number)), 0)
        if _under_way(lines, at, other) and _under_way(lines, at + 1 + opened, other):
            return "the other call is under way, too, and may as well be the one that opens"
    return None


def _concerns_a_return(mutant: Mutant) -> bool:
    """Whether what was changed is when a connection is back, and nothing else."""
    moved = {"drop": 1, "duplicate": 1, "swap": 2}.get(mutant.change, 0)
    return "RECONNECTED" in [line.event for line in mutant.original[mutant.at :][:moved]]


def _returns_as_it_may(lines: list[Line]) -> bool:
    """Whether connections come back while that may be, and no file is open before its brick is back."""
    graph = 1
    at: dict[int, int] = {}
    gone: set[int] = set()
    in_vain: set[int] = set()
    for line in lines:
        if line.event == "RECONNECTED":
            if SessionEvent.RECONNECTED not in SESSION_TABLE[SessionState[line.before]]:
                return False
            gone.discard(line.of)
            in_vain = {handle for handle in in_vain if at[handle] != line.of}
        elif line.event == "SWITCHED":
            graph = line.of
        elif line.event in ("SEND", "CARRIED"):
            at[line.number] = graph
            if graph in gone:
                in_vain.add(line.number)
        elif line.event == "LOST":
            gone.add(at.get(line.number, graph))
        if line.event in ("OPENED", "LATE", "CARRIED") and line.number in in_vain:
            return False
    return True


def _carried_as_it_may(lines: list[Line]) -> bool:
    """Whether each handle that is carried over is of an older graph."""
    graph = 1
    at: dict[int, int] = {}
    for line in lines:
        if line.event == "SWITCHED":
            graph = line.of
        elif line.event == "CARRIED" and at.get(line.number, graph) == graph:
            return False
        if line.event in ("SEND", "CARRIED"):
            at[line.number] = graph
    return True


def _why_dropped(lines: list[Line], at: int) -> str | None:
    line, later = lines[at], lines[at + 1 :]
    if not later:
        return "a history may be told up to any line"
    if line.event == "BORROW":
        return "a call need not borrow a second handle"
    if line.event in ("LOST", "UNLOCKED"):
        return "nobody need notice a lost connection, nor lost locks"
    if line.event == "CARRIED":
        return "a handle may be left where it is"
    settled = any(each.event == "SETTLED" for each in later)
    drained = any(each.event == "DRAINED" for each in later)
    if line.subject == "call":
        mentioned = any(
            (each.subject == "call" and each.number == line.number)
            or (each.event == "RESERVE" and each.of == line.number)
            for each in later
        )
        released = any(each.event == "RELEASED" and each.number == line.of for each in later)
        told = line.event == "LEAVE" or line.number > 1  # the one that connects must have come
        if not mentioned and not settled and not released and told:
            return "the call may still be under way, or nothing is told of it"
    if line.event == "ABANDON":
        after = next((each for each in later if _concerns(each, line.number)), None)
        ends = next(i for i, each in enumerate(later) if _ends_open(each, line.number))
        leaves = _opener_leaves(lines, at, line.number)
        if after is not None and after.event in ("LATE", "REFUSED") and ends < leaves:
            return "the caller need not give up while the answer is on its way"
    if line.event == "CONNECTED" and not any(each.event in _NEEDS_ACTIVE for each in later):
        return "connecting may fail"
    if line.event == "SETTLED" and not any(each.event in ("DRAINED", "DROP") for each in later):
        return "files may be closed while calls settle"
    if line.subject == "handle" and not drained:
        told = any(_concerns(each, line.number) for each in later)
        leaves = _opener_leaves(lines, at, line.number) < len(lines)
        if not told and (line.event in ("CLOSE", "RELEASED") or not leaves):
            return "nothing more is told of the handle, and the session does not drain"
    return None


def _concerns(line: Line, handle: int) -> bool:
    return line.subject == "handle" and line.number == handle


def _ends_open(line: Line, handle: int) -> bool:
    return _concerns(line, handle) and line.event in ("OPENED", "LATE", "REFUSED", "ABANDON")


def _opener_leaves(lines: list[Line], at: int, handle: int) -> int:
    """How many lines after this one the call leaves that opens the handle."""
    opener = next(line.of for line in lines if line.event == "RESERVE" and line.number == handle)
    for i, line in enumerate(lines[at + 1 :]):
        if line.subject == "call" and line.number == opener:
            return i
    return len(lines)


def _session_at(lines: list[Line], at: int) -> SessionState:
    names = [line.after for line in lines[:at] if line.subject == "session"]
    return SessionState[names[-1]] if names else SessionState.NEW


def _state_at(lines: list[Line], at: int, handle: int) -> HandleState | None:
    names = [line.after for line in lines[:at] if _concerns(line, handle)]
    return HandleState[names[-1]] if names else None


def _left_before_released(lines: list[Line], at: int, call: int, handle: int) -> bool:
    for line in lines[at + 1 :]:
        if line.subject == "call" and line.number == call and line.event != "BORROW":
            return True
        if _concerns(line, handle) and line.event == "RELEASED":
            return False
    return True


def _under_way(lines: list[Line], at: int, call: int) -> bool:
    events = [
        line.event
        for line in lines[:at]
        if line.subject == "call" and line.number == call and line.event != "BORROW"
    ]
    return events == ["ADMIT"] and call > 1


#: What may come of an OPEN, as far as the caller can tell beforehand.
_ANSWERS = {"OPENED", "REFUSED", "ABANDON"}

#: What is possible in an active session alone.
_NEEDS_ACTIVE = {"ADMIT", "BORROW", "RESERVE"}

#: What the gate decides, and whether calls have settled.
_THE_GATE_DECIDES = {*_NEEDS_ACTIVE, "OPENED", "LATE"}
_SETTLING_DECIDES = {*_NEEDS_ACTIVE, "OPENED", "LEAVE", "DISOWN", "STRIKE"}


def _commute(lines: list[Line], at: int) -> bool:
    """Whether a line may change places with the next one."""
    one, other = lines[at], lines[at + 1]
    if one.subject == other.subject:
        if one.subject == "session" or one.event == other.event in ("ADMIT", "RESERVE"):
            return False  # those are numbered in their order
        return one.number != other.number
    for session, of_other in ((one, other), (other, one)):
        if session.subject == "session":
            return _commutes_with_session(lines, at, session, of_other)
    call, of_handle = (one, other) if one.subject == "call" else (other, one)
    if of_handle.event == "RESERVE":
        return of_handle.of != call.number
    if call.event in ("ADMIT", "BORROW"):
        return call.of != of_handle.number
    if of_handle.event == "RELEASED":
        return of_handle.number not in _borrowed(lines, at, call.number)
    return of_handle.event in ("CLOSE", "LOST", "UNLOCKED", "DROP") or not _opens(
        lines, at, call, of_handle.number
    )


def _commutes_with_session(lines: list[Line], at: int, session: Line, other: Line) -> bool:
    if session.event == "GATE":
        return other.event not in _THE_GATE_DECIDES | {"DISOWN"}
    if session.event == "SETTLED":
        if other.event in ("LATE", "REFUSED"):
            return _state_at(lines, at, other.number) is HandleState.ABANDONED
        return other.event not in _SETTLING_DECIDES
    if session.event == "SWITCHED":
        return other.event not in ("SEND", "CARRIED")
    return False


def _borrowed(lines: list[Line], at: int, call: int) -> list[int]:
    return [
        line.of
        for line in lines[:at]
        if line.subject == "call" and line.number == call and line.event in ("ADMIT", "BORROW")
    ]


def _opens(lines: list[Line], at: int, call: Line, handle: int) -> bool:
    """Whether a call is opening a handle, and has not given up."""
    opener = next(line.of for line in lines if line.event == "RESERVE" and line.number == handle)
    return opener == call.number and _state_at(lines, at, handle) is not HandleState.ABANDONED
