"""Whether a trace is a behaviour of ``Teardown``: the set of states that fit it, step by step.

The actions are those of ``spec/Teardown.tla`` itself, compiled one by one. After each step of the trace
there is a set of states in which the specification may be; what bricks and the wire do is not in the
trace, so it may have happened, or not. The trace is rejected at the line after which the set is empty.

Why the sets stay small, and nothing is lost. What is unseen and concerns a handle is looked at only
right before a line that needs it: it commutes with everything in between, but for the loss of a
connection. A loss lets nothing happen that could not happen without it but ``LOST``, ``STRIKE`` and
``RECONNECTED``, so it is looked at before these; and what a loss could overtake is a brick's answer to
an OPEN, which is therefore given at once. What is opened again when a connection comes back is said in
no line either; but the connection is not up again before all is that was not lost, so it all is, at
once. A deferred write, and a call that leaves without its answer, let nothing happen either; they are
left out, and so is how a handle is carried over, which in a trace is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from glusterio.verify.checking import load
from glusterio.verify.compiler import Compiled, State, Successor
from glusterio.verify.config import Config
from glusterio.verify.traces import (
    HANDLE_ACTS,
    OPENERS_ACTS,
    SESSION_ACTS,
    Bound,
    Line,
    Step,
    bound,
)

MODULE = "Teardown"

#: What a trace does not say may have happened right before a step. Of an action: what, with which of
#: the step's arguments (``@`` is the graph that its handle is of, ``*`` each that there is).
HIDDEN: dict[str, tuple[tuple[str, str], ...]] = {
    "CONNECTED": (("BrickConnects", ""),),
    "DOWN": (("BrickConnects", ""),),
    "LEAVE": (("OpenFails", "t"),),
    "LOST": (("Lose", "@"),),
    "RELEASED": (
        ("BrickAnswers", "h*"),
        ("ReleaseOld", "h*"),
        ("SendRelease", "h"),
        ("BrickReleases", "h"),
    ),
    "STRIKE": (("Cut", ""),),
}

#: The actions that are steps by themselves, with their arguments; ``-`` is a LEAVE with its answer.
ARGUMENTS: dict[str, str] = {
    **dict.fromkeys(SESSION_ACTS, ""),
    **dict.fromkeys(OPENERS_ACTS, "t"),
    **dict.fromkeys(HANDLE_ACTS, "h"),
    "ADMIT": "th",
    "RESERVE": "th",
    "LEAVE": "t-",
    "RECONNECTED": "g",
    "BACK": "g",
}

#: What such a step is called in the specification, where that is not its name.
NAMES = {"BACK": "ComesBack"}


@dataclass
class Fit:
    """What came of it.

    Attributes:
        accepted: whether every line fits.
        line: the line that does not, counted from 1; else how many there are.
        why: what is wrong with it.
        possible: what could have come instead: events, with the names of what they are of.
        states: the most states that the specification could be in at once.
        steps: how often each action of the specification was taken for a line.
        hidden: actions that are in no line, and may have been taken before one.
    """

    accepted: bool
    line: int
    why: str = ""
    possible: list[tuple[str, int, int]] = field(default_factory=list)
    states: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)


def settings(
    constants: Iterable[str], threads: int, handles: int, graphs: int = 1, *missing: str
) -> Config:
    """The configuration for a trace: every guard, no deferred writes, no locks, switches as one step.

    Args:
        constants: the module's.
        threads, handles, graphs: how many there are.
        missing: guards that are not there.
    """
    config = Config("Spec", dict.fromkeys(constants, True))
    config.constants.update(dict.fromkeys(("Fails", "Locks", "Steps", *missing), False))
    config.constants.update(Writes=0, Switches=graphs - 1)
    for name, count in (("Threads", threads), ("Handles", handles)):
        config.constants[name] = frozenset(range(1, count + 1))
        config.members[name] = [f"{name[0].lower()}{i}" for i in range(1, count + 1)]
    return config


class Fitting:
    """Follows traces of up to so many names.

    Args:
        spec: the directory with the modules.
        threads, handles, graphs: how many there are.
        missing: guards of the specification that are not there.
    """

    def __init__(
        self, spec: Path, threads: int, handles: int, graphs: int = 1, missing: Sequence[str] = ()
    ) -> None:
        self._module = load(spec, MODULE)
        self._config = settings(self._module.constants, threads, handles, graphs, *missing)
        self._compiled = Compiled(self._module, self._config)
        self._actions: dict[str, Callable[..., list[Successor]]] = {}
        self._at = {name: i for i, name in enumerate(self._module.variables)}
        self._names = range(1, threads + 1), range(1, handles + 1)
        self._graphs = range(1, graphs + 1)
        self._unseen: set[str] = set()

    def fit(self, trace: Bound) -> Fit:
        """Follow a trace, up to the line that does not fit."""
        states = set(self._compiled.initial)
        self._unseen.clear()
        fit = Fit(True, trace.steps[-1].line if trace.steps else 0)
        for step in trace.steps:
            after = self._after(states, step)
            fit.states = max(fit.states, len(after))
            if not after:
                fit.accepted, fit.line = False, step.line
                fit.why = trace.why or self._why(states, step)
                fit.possible = self._possible(states)
                return fit
            fit.steps[step.act] = fit.steps.get(step.act, 0) + 1
            fit.hidden |= self._unseen
            states = after
        return fit

    # -- one step ---------------------------------------------------------------------------------

    def _after(self, states: Iterable[State], step: Step) -> set[State]:
        """The states after a step that agree with what is said of it."""
        return {
            after
            for before in self._with_hidden(states, step)
            for after in self._taken(before, step)
            if not step.look or not self._disagreement(before, after, step)
        }

    def _with_hidden(self, states: Iterable[State], step: Step) -> set[State]:
        found = set(states)
        todo = list(found)
        hidden = HIDDEN.get(step.act, ())
        while todo:
            state = todo.pop()
            for name, arguments in hidden:
                for after in self._do(name, state, step, arguments):
                    self._unseen.add(name)
                    if after not in found:
                        found.add(after)
                        todo.append(after)
        return found

    def _do(self, name: str, state: State, step: Step, arguments: str) -> list[State]:
        return [after for _, after, _ in self._successors(name, state, step, arguments)]

    def _successors(self, name: str, state: State, step: Step, arguments: str) -> list[Successor]:
        action = self._actions.get(name)
        if action is None:
            action = self._actions[name] = self._compiled.action(name)
        known = {"t": step.thread, "h": step.handle, "g": step.graph, "-": False, "y": step.yes}
        if "@" in arguments:
            known["@"] = state[self._at["at"]][step.handle]
        if "*" not in arguments:
            return action(state, *[known[a] for a in arguments])
        return [
            successor
            for graph in self._graphs
            for successor in action(state, *[known.get(a, graph) for a in arguments])
        ]

    def _taken(self, state: State, step: Step) -> list[State]:
        """What a step leads to."""
        act, at = step.act, self._at
        if act in ARGUMENTS:
            return self._do(NAMES.get(act, act), state, step, ARGUMENTS[act])
        if act == "DISOWN":
            return self._do("Disown", state, step, "t")
        if act == "ANSWER":
            wire, conn = state[at["wire"]][step.handle], state[at["conn"]]
            on_its_way = wire == "open" and conn[state[at["at"]][step.handle]] == "up"
            return self._do("BrickOpens", state, step, "hy") if on_its_way else [state]
        if act == "REUSE":
            return self._reused(state, step.handle)
        if act == "DOWN":
            up = state[at["conn"]][step.graph] == "up"
            return self._do("Lose", state, step, "g") if up else [state]
        if act == "REOPENED":
            return [self._reopened(state, step.graph)]
        session, connecting = state[at["session"]], state[at["connecting"]]
        if act == "JOIN":
            return [state] if connecting and session == "CONNECTING" else []
        if act == "PART":
            return self._do("ConnectFails", state, step, "") if connecting else [state]
        if act == "DISOWN_CONNECT":
            if connecting:
                return self._do("DisownConnect", state, step, "")
            return [state] if session == "SETTLING" else []
        return []  # NEVER

    def _reused(self, state: State, handle: int) -> list[State]:
        """A closed handle's name is used again: the code has numbers enough."""
        at = self._at
        pairs = state[at["brick"]] | state[at["unanswered"]]
        if handle in state[at["on"]] or any(pair[0] == handle for pair in pairs):
            return []
        states = list(state)
        handles = list(state[at["state"]])
        if handles[handle] != "CLOSED":
            return []
        handles[handle] = "NONE"
        states[at["state"]] = tuple(handles)
        return [tuple(states)]

    def _reopened(self, state: State, graph: int) -> State:
        """All handles of a graph are opened again that may be."""
        at = self._at
        of_graph, states, wire = state[at["at"]], state[at["state"]], state[at["wire"]]
        opened = [
            (handle, graph)
            for handle in self._names[1]
            if of_graph[handle] == graph
            and (
                wire[handle] == "opened"
                or (wire[handle] == "none" and states[handle] in ("OPEN", "STALE", "CLOSING"))
            )
        ]
        after = list(state)
        after[at["brick"]] = state[at["brick"]].union(opened)
        return tuple(after)

    def _disagreement(self, before: State, after: State, step: Step) -> str:
        """In what a state after a step is not what the line says; empty if in nothing."""
        at, handle = self._at, step.handle
        if step.act in SESSION_ACTS:
            states = before[at["session"]], after[at["session"]]
        elif step.act in HANDLE_ACTS or step.act in OPENERS_ACTS or step.act == "RESERVE":
            states = before[at["state"]][handle], after[at["state"]][handle]
        else:
            states = "", ""
        if states != (step.before, step.after):
            return f"it leads from {states[0]} to {states[1]}"
        if step.act in ("LEAVE", "DISOWN"):
            using = before[at["pc"]][step.thread] == "using"
            if handle != (before[at["on"]][step.thread] if using else 0):
                return "the call has borrowed another handle"
        refs = after[at["refs"]][handle] if handle else 0
        if refs != step.refs:
            return f"the handle has lent {refs}"
        if len(after[at["calls"]]) != step.calls:
            return f"{len(after[at['calls']]) - step.calls:+} calls are counted"
        ledger = sum(state not in ("NONE", "CLOSED") for state in after[at["state"]][1:])
        if ledger != step.handles:
            return f"{ledger} handles are in the ledger"
        return ""

    # -- when nothing fits ------------------------------------------------------------------------

    def _why(self, states: Iterable[State], step: Step) -> str:
        for before in self._with_hidden(states, step):
            for after in self._taken(before, step):
                return f"in the specification {self._disagreement(before, after, step)}"
        return "there is no such step in the specification, from where the trace has come to"

    def _possible(self, states: Iterable[State]) -> list[tuple[str, int, int]]:
        """What could come next: an event, and the thread or the handle that it is of."""
        states = set(states)
        threads, handles = self._names
        found: list[tuple[str, int, int]] = []
        for steps in (
            [Step(0, act) for act in sorted(SESSION_ACTS - {"FORK", "RECONNECTED"})],
            [Step(0, act, thread) for act in ("ADMIT", "LEAVE", "DISOWN") for thread in threads],
            [Step(0, act, thread) for act in sorted(OPENERS_ACTS) for thread in threads],
        ):
            found += [(step.act, step.thread, 0) for step in steps if self._after(states, step)]
        for handle in handles:
            for act in sorted(HANDLE_ACTS):
                asked = self._after(states, Step(0, "ANSWER", handle=handle, yes=act != "REFUSED"))
                if self._after(asked, Step(0, act, handle=handle)):
                    found.append((act, 0, handle))
        return found


def fit(spec: Path, lines: Sequence[Line], missing: Sequence[str] = ()) -> Fit:
    """Look whether a trace is a behaviour of ``Teardown``.

    Args:
        spec: the directory with the modules.
        lines: the trace.
        missing: guards of the specification that are not there.

    Raises:
        SpecError, OSError: the specification cannot be read.
    """
    trace = bound(lines)
    threads, handles = [1 << max(2, n.bit_length()) for n in (trace.threads, trace.handles)]
    return _fitting(spec, threads, handles, trace.graphs, tuple(missing)).fit(trace)


@lru_cache(8)
def _fitting(
    spec: Path, threads: int, handles: int, graphs: int, missing: tuple[str, ...]
) -> Fitting:
    """To read and to compile the specification takes longer than most traces."""
    return Fitting(spec, threads, handles, graphs, missing)


def told(lines: Sequence[Line], found: Fit) -> Iterator[str]:
    """Say in words what came of following a trace."""
    if found.accepted:
        ended = lines and lines[-1].after in ("CLOSED", "FORKED")
        yield f"{found.line} lines, all of them possible" + (
            "" if ended else "; the end is not there"
        )
        return
    yield f"rejected at line {found.line}: {lines[found.line - 1]}"
    yield f"    {found.why}"
    names = bound(lines[: found.line - 1])
    possible: dict[str, list[str]] = {}
    for act, thread, handle in found.possible:
        if act == "ADMIT":
            who = "a new call"
        elif handle:
            who = f"handle {names.handle_of[handle]}" if handle in names.handle_of else ""
        elif thread:
            who = f"call {names.call_of[thread]}" if thread in names.call_of else ""
        else:
            who = "the session"
        if who and who not in possible.setdefault(act, []):
            possible[act].append(who)
    if 0 in names.call_of:
        possible.setdefault("LEAVE", []).append(f"call {names.call_of[0]}, which connects")
    yield "possible there: " + (
        "; ".join(f"{act} of {', '.join(who)}" for act, who in possible.items() if who) or "nothing"
    )
