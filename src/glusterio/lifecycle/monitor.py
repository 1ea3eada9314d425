"""A session that is watched as it lives: every transition against the tables and the session's rules.

With ``GLUSTERIO_MONITOR=1`` in the environment each session of a program has a monitor
(``docs/traces.md``). It reads the same records as any trace hook, and knows what ``spec/Teardown.tla``
says of them: its verdicts on the corpus of traces are those of the specification, to the line. Unlike
:mod:`glusterio.verify.fitting` it needs no line that comes later, and takes microseconds.

What it finds would be a defect of glusterio's. The session goes on, since nothing that the monitor
could do would make it better; the first finding is told twice, and no other is looked for:

* at once, as a :class:`~glusterio.errors.MonitorWarning`, from inside the call that did it; where
  warnings are errors it is that call that fails;
* in the report of the session's end, among the defects.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from glusterio.errors import MonitorWarning
from glusterio.lifecycle.states import (
    GATE_CLOSED_FROM,
    HANDLE_TABLE,
    SESSION_TABLE,
    SessionState,
)
from glusterio.lifecycle.trace import TraceHook, TraceRecord

#: The tables by name: a record names its states and its event.
_SESSION = {
    state.name: {event.name: after.name for event, after in row.items()}
    for state, row in SESSION_TABLE.items()
}
_HANDLE = {
    state.name: {event.name: after.name for event, after in row.items()}
    for state, row in HANDLE_TABLE.items()
}

#: The session's states in which something may happen to a handle; what is not named may in any.
_BEFORE_GATE = frozenset(state.name for state in SessionState if state < GATE_CLOSED_FROM)
_BEFORE_PARTING = frozenset(("ACTIVE", "SETTLING", "DRAINING"))
_AFTER_GATE = frozenset(
    state.name for state in SessionState if GATE_CLOSED_FROM <= state < SessionState.FORKED
)
_WHEN = {
    "OPENED": _BEFORE_GATE,
    "LATE": _AFTER_GATE,
    "CLOSE": _BEFORE_PARTING,
    "CARRIED": frozenset(("ACTIVE",)),
    "STRIKE": frozenset(("DRAINING",)),
}

#: What happens to one of a session's graphs, and says which.
_OF_A_GRAPH = frozenset(("RECONNECTED", "SWITCHED"))

#: What only the thread that opens a handle does.
_OPENERS = frozenset(("SEND", "ABANDON"))

#: After these whoever opened a handle is done with it.
_ENDS_AN_OPEN = frozenset(("OPENED", "LATE", "REFUSED", "ABANDON"))


class Monitor:
    """Watches one session.

    Args:
        name: the volume's name, for the warning.
        then: a further hook, which gets every record first.

    Attributes:
        wrong: the first illegal step, in words; or ``None``.
        in_child: the further hook's hook for a child process. A child's session is dead, and not
            watched.
    """

    def __init__(self, name: str = "", then: TraceHook | None = None) -> None:
        self.name = name
        self.wrong: str | None = None
        self.in_child: TraceHook | None = getattr(then, "in_child", None)
        self._then = then
        self._seq = 0
        self._session = SessionState.NEW.name
        self._connect = 0  # the call that connects, while it is counted
        self._connecting = False  # the last record was CONNECT
        self._last_call = self._last_handle = 0
        self._calls: dict[int, int] = {}  # what each call has borrowed first, or 0
        self._second: dict[int, int] = {}
        self._handles: dict[int, str] = {}  # their states
        self._lent: dict[int, int] = {}
        self._opener: dict[int, int] = {}  # of a handle: the call that opens it, until it is done
        self._graph = 1  # the one in use
        self._at: dict[int, int] = {}  # of a handle: the graph that it was opened on
        self._gone: set[int] = set()  # graphs whose connection is known to be lost
        self._beside: set[int] = set()  # made by way of another handle, perhaps in that one's graph
        self._unsent: set[int] = set()  # OPEN could not go out: the connection was gone
        self._looks: dict[str, Callable[[TraceRecord], str | None]] = {
            "session": self._of_session,
            "call": self._of_call,
            "handle": self._of_handle,
        }

    def __call__(self, record: TraceRecord) -> None:
        """Look at a step."""
        if self._then is not None:
            self._then(record)
        seq, _, number, event, before, after, calls, handles, refs, of = record
        # A read is two of these, so what is plainly right costs one look; the rest is looked at below.
        if event == "ADMIT":
            if (
                self._handles.get(of) == "OPEN"
                and self._session == "ACTIVE"
                and number > self._last_call
                and seq == self._seq + 1
                and calls == len(self._calls) + 1
                and handles == len(self._handles)
                and refs == self._lent[of] + 1
                and not before
                and not after
                and self.wrong is None
            ):
                self._seq = seq
                self._last_call = number
                self._calls[number] = of
                self._lent[of] = refs
                return
        elif (
            event == "LEAVE"
            and of
            and self._calls.get(number) == of
            and number not in self._second
            and not self._opener
            and seq == self._seq + 1
            and calls == len(self._calls) - 1
            and handles == len(self._handles)
            and refs == self._lent[of] - 1
            and not before
            and not after
            and self.wrong is None
        ):
            self._seq = seq
            del self._calls[number]
            self._lent[of] = refs
            return
        if self.wrong is None:
            self._look(record)

    def _look(self, record: TraceRecord) -> None:
        """Look at a step properly; tell of one that is wrong."""
        self._seq += 1
        look = self._looks.get(record.subject)
        why = look(record) if look is not None else "there is no such subject"
        why = why or self._miscounted(record)
        if why is None:
            return
        self.wrong = f"step {record.seq}, {record.event} of {record.subject} {record.number}: {why}"
        warnings.warn(
            f"volume {self.name!r}: the session did what it must not do: {self.wrong}",
            MonitorWarning,
            stacklevel=3,
        )

    def _miscounted(self, record: TraceRecord) -> str | None:
        """What of the numbers that a record carries is wrong."""
        if record.seq != self._seq:
            return f"it is step {self._seq}"
        if (record.calls, record.handles) != (len(self._calls), len(self._handles)):
            return f"there are {len(self._calls)} calls and {len(self._handles)} handles"
        if record.subject == "session":
            lent = 0
        elif record.subject == "call":
            lent = self._lent.get(record.of, 0) if record.of else 0
            if record.before or record.after:
                return "a call has no state"
        else:
            lent = self._lent.get(record.number, 0)
        return f"it has lent {lent}" if record.refs != lent else None

    # -- the session ------------------------------------------------------------------------------

    def _of_session(self, record: TraceRecord) -> str | None:
        event = record.event
        if self._connecting:
            return "the call that connects is counted with CONNECT"
        if record.number or record.refs or (record.of and event not in _OF_A_GRAPH):
            return "a session has no number, no other party, and lends nothing"
        after = _SESSION[self._session].get(event)
        if after is None or (record.before, record.after) != (self._session, after):
            return f"the session is {self._session}"
        if event == "SETTLED" and self._calls:
            return f"{len(self._calls)} calls have not left"
        if event == "DRAINED" and self._handles:
            return f"{len(self._handles)} handles are open"
        if event == "CONNECTED" and not self._connect:
            return "nobody connects"
        if event == "FORK":
            self._calls.clear()
            self._handles.clear()
            self._lent.clear()
        if event == "SWITCHED":
            self._graph += 1
        if event in _OF_A_GRAPH and not 0 < record.of <= self._graph:
            return f"there are {self._graph} graphs"
        if event == "SWITCHED" and record.of != self._graph:
            return f"it is graph {self._graph}"
        if event == "RECONNECTED":
            self._gone.discard(record.of)
            self._unsent = {one for one in self._unsent if self._at[one] != record.of}
        self._connecting = event == "CONNECT"
        self._session = after
        return None

    # -- calls ------------------------------------------------------------------------------------

    def _of_call(self, record: TraceRecord) -> str | None:
        number, event, of = record.number, record.event, record.of
        if event == "ADMIT":
            return self._admit(number, of)
        if self._connecting:
            return "the call that connects is counted with CONNECT"
        if number not in self._calls:
            return "it is not under way"
        if event == "BORROW":
            if self._session != "ACTIVE":
                return f"the session is {self._session}"
            if self._handles.get(of) != "OPEN":
                return f"handle {of} is {self._handles.get(of)}"
            if number in self._second or not self._calls[number]:
                return "it has borrowed two handles, or none"
            self._second[number] = of
            self._lent[of] = self._lent.get(of, 0) + 1
            return None
        if event not in ("LEAVE", "DISOWN"):
            return "there is no such event"
        if event == "DISOWN" and self._session != "SETTLING":
            return f"the session is {self._session}"
        if event == "LEAVE":
            for handle in [each for each, call in self._opener.items() if call == number]:
                if self._handles[handle] != "RESERVED":
                    return f"it is opening handle {handle}"
                del self._opener[handle]  # it was interrupted; the drain will drop the handle
        if self._calls[number] != of:
            return f"it has borrowed handle {self._calls[number]}"
        for handle in (self._calls.pop(number), self._second.pop(number, 0)):
            if handle:
                self._lent[handle] = self._lent.get(handle, 0) - 1
        if number == self._connect:
            self._connect = 0
        return None

    def _admit(self, number: int, of: int) -> str | None:
        if number <= self._last_call:
            return "there was such a call already"
        if self._connecting:
            self._connect = number
        elif self._session != "ACTIVE":
            return f"the session is {self._session}"
        if of and (self._connecting or self._handles.get(of) != "OPEN"):
            return f"handle {of} is {self._handles.get(of)}"
        self._connecting = False
        self._last_call = number
        self._calls[number] = of
        if of:
            self._lent[of] = self._lent.get(of, 0) + 1
        return None

    # -- handles ----------------------------------------------------------------------------------

    def _of_handle(self, record: TraceRecord) -> str | None:
        number, event = record.number, record.event
        if self._connecting:
            return "the call that connects is counted with CONNECT"
        if event == "RESERVE":
            return self._reserve(record)
        before = self._handles.get(number)
        if before is None:
            return "there is no such handle"
        after = _HANDLE[before].get(event)
        if after is None or (record.before, record.after, record.of) != (before, after, 0):
            return f"it is {before}"
        when = _WHEN.get(event)
        if when is not None and self._session not in when:
            return f"the session is {self._session}"
        if event == "RELEASED" and self._lent.get(number):
            return f"it has lent {self._lent[number]}"
        if event == "STRIKE" and before != "OPENING":
            return f"it is {before}, which ends by itself"
        if event in _OPENERS and number not in self._opener:
            return "nobody opens it"
        if event == "SEND":
            self._at[number] = self._graph
            if self._calls.get(self._opener[number]):
                self._beside.add(number)
            if self._graph in self._gone:
                self._unsent.add(number)
        elif event in ("OPENED", "LATE") and number in self._unsent:
            return "its brick was gone before OPEN was sent, and has not come back"
        elif event == "LOST":
            self._gone.add(self._at[number])
        elif event == "CARRIED":
            if self._at[number] == self._graph and number not in self._beside:
                return "it is on the graph in use"
            if self._graph in self._gone:
                return "the new graph's brick is gone"
            self._at[number] = self._graph
        if event in _ENDS_AN_OPEN or after == "CLOSED":
            self._opener.pop(number, None)
        if after == "CLOSED":
            del self._handles[number]
            self._lent.pop(number, None)
            self._unsent.discard(number)
            self._beside.discard(number)
            self._at.pop(number, None)
        else:
            self._handles[number] = after
        return None

    def _reserve(self, record: TraceRecord) -> str | None:
        number, call = record.number, record.of
        if self._session != "ACTIVE":
            return f"the session is {self._session}"
        if number <= self._last_handle:
            return "there was such a handle already"
        if call not in self._calls:
            return "whatever is opened is opened by a call that is under way"
        if (record.before, record.after) != ("", "RESERVED"):
            return "a handle begins as RESERVED"
        self._last_handle = number
        self._handles[number] = "RESERVED"
        self._lent[number] = 0
        self._opener[number] = call
        return None
