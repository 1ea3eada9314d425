"""Short lives of a session, driven by hand.

Each is a story about :class:`glusterio.lifecycle.session.Session` itself, with nobody around it. So
they show what its records look like, and can go where a real run seldom does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext

from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.session import Call
from glusterio.lifecycle.states import HandleEvent as E
from glusterio.lifecycle.states import SessionEvent as S
from glusterio.lifecycle.trace import TraceRecord
from glusterio.verify.traces import Line
from tests.lifecycle.driven import Driven


def lines_of(records: Iterable[TraceRecord]) -> list[Line]:
    """Records, as the lines that are read from a file."""
    return [Line(*record) for record in records]


class Life(Driven):
    """A session, and the steps of its stories."""

    def connect(self) -> None:
        call = self.begin_connect()
        self.connected()
        self.leave(call)

    def open(self, call: Call, *events: E) -> Handle:
        handle = self.reserve(HandleKind.FILE, "/f", call=call)
        for event in events or (E.SEND, E.OPENED):
            self.move(handle, event)
        return handle

    def opened(self) -> Handle:
        call = self.admit("open")
        handle = self.open(call)
        self.leave(call)
        return handle

    def close(self, *handles: Handle) -> None:
        self.close_gate()
        self.drain(*handles)

    def drain(self, *handles: Handle) -> None:
        self.apply(S.SETTLED)
        for handle in handles:
            self.begin_close(handle)
            self.move(handle, E.RELEASED)
        self.drain_no_more()

    def drain_no_more(self) -> None:
        for event in (S.DRAINED, S.PARTED, S.CHECKED, S.ENDED):
            self.apply(event)


def one_file(life: Life) -> None:
    """A file is opened, used, and left open."""
    life.connect()
    handle = life.opened()
    life.leave(life.admit("pread", handle))
    life.close(handle)


def several_at_once(life: Life) -> None:
    """A call opens two files at once, and another opens one while it uses one, and borrows."""
    life.connect()
    call = life.admit("copytree")
    one, two = life.open(call, E.SEND), life.open(call, E.SEND)
    life.move(two, E.OPENED)
    life.move(one, E.OPENED)
    life.leave(call)
    call = life.admit("copy_file_range", one)
    life.borrow(call, two)
    three = life.open(call)
    life.leave(call)
    life.close(one, two, three)


def nothing_opened(life: Life) -> None:
    """Calls that open nothing, or what is not there, or what is there at the second try."""
    life.connect()
    life.leave(life.admit("stat"))
    call = life.admit("open")
    life.open(call, E.SEND, E.REFUSED)
    handle = life.open(call)
    life.leave(call)
    life.close(handle)


def given_up(life: Life) -> None:
    """Callers give up; one brick opens all the same, one does not, one does when the gate is closed."""
    life.connect()
    calls = [life.admit("open") for _ in range(3)]
    handles = [life.open(call, E.SEND, E.ABANDON) for call in calls]
    for call in calls:
        life.leave(call)
    life.move(handles[0], E.REFUSED)
    life.move(handles[1], E.OPENED)
    life.move(handles[1], E.RELEASED)
    life.close_gate()
    life.move(handles[2], E.OPENED)
    life.drain(handles[2])


def late(life: Life) -> None:
    """The gate closes while a file is being opened."""
    life.connect()
    call = life.admit("open")
    handle = life.open(call, E.SEND)
    life.close_gate()
    life.move(handle, E.OPENED)
    life.leave(call)
    life.drain(handle)


def lost(life: Life) -> None:
    """The connection is lost; one reply was here already."""
    life.connect()
    one, two = life.opened(), life.opened()
    call = life.admit("open")
    three = life.open(call, E.SEND)
    using = life.admit("pread", two)
    life.lose(one)
    life.move(three, E.OPENED)
    life.leave(call)
    life.lose(two)
    life.leave(using)
    call = life.admit("open")
    life.open(call, E.SEND, E.REFUSED)
    life.leave(call)
    life.close(one, two, three)


def came_back(life: Life) -> None:
    """The connection is lost, and comes back; one file is not there any more, and one open waits."""
    life.connect()
    one, two = life.opened(), life.opened()
    call = life.admit("open")
    three = life.open(call, E.SEND)
    life.lose(one)
    other = life.admit("open")
    four = life.open(other, E.SEND)
    life.begin_close(two)
    assert life.reconnected()
    life.move(four, E.OPENED)
    life.move(three, E.OPENED)
    life.leave(other)
    life.leave(call)
    life.move(two, E.RELEASED)
    assert life.reconnected()
    life.lose(three)
    life.close(one, three, four)


def back_while_ending(life: Life) -> None:
    """It comes back while the session is settling, and while it drains; and then not any more."""
    life.connect()
    one, two = life.opened(), life.opened()
    using = life.admit("pread", one)
    life.close_gate()
    life.lose(two)
    assert life.reconnected()
    life.leave(using)
    life.apply(S.SETTLED)
    assert life.reconnected()
    for handle in (one, two):
        life.begin_close(handle)
        life.move(handle, E.RELEASED)
    life.apply(S.DRAINED)
    assert not life.reconnected()
    life.apply(S.PARTED)
    life.apply(S.CHECKED)
    life.apply(S.ENDED)


def switched(life: Life) -> None:
    """The graph is replaced, twice: one file is carried over, one is being used, one stays behind."""
    life.connect()
    one, two, three = life.opened(), life.opened(), life.opened()
    using = life.admit("pread", two)
    opening = life.admit("open")
    four = life.open(opening, E.SEND)
    reload = life.admit("reload")
    assert life.switched() == 2
    assert life.carry(one, "fd")
    assert life.carry(two, "fd")
    life.leave(life.admit("pread", two))
    life.move(four, E.OPENED)
    life.leave(opening)
    assert life.carry(four, "fd")
    life.leave(using)
    life.leave(reload)
    life.begin_close(one)
    life.move(one, E.RELEASED)
    assert life.switched() == 3
    assert life.carry(two, "fd")
    assert not life.carry(one, "fd")
    five = life.opened()
    life.close_gate()
    assert not life.carry(three, "fd")
    life.drain(two, three, four, five)


def switched_and_back(life: Life) -> None:
    """The graph is replaced while the old one's brick is away; and then the new one's comes back."""
    life.connect()
    one, two = life.opened(), life.opened()
    life.lose(one)
    assert life.switched() == 2
    assert life.carry(two, "fd")
    three = life.opened()
    assert life.reconnected(1)
    assert life.reconnected(2)
    life.lose(three)
    call = life.admit("open")
    four = life.open(call, E.SEND)
    assert life.reconnected(2)
    life.move(four, E.OPENED)
    life.leave(call)
    life.close(one, two, three, four)


def counted_out(life: Life) -> None:
    """Two calls never end: one sits between RESERVE and SEND, one uses a file and opens another."""
    life.connect()
    handle = life.opened()
    calls = [life.admit("open"), life.admit("pread", handle)]
    reserved = life.reserve(HandleKind.FILE, "/g", call=calls[0])
    opening = life.open(calls[1], E.SEND)
    life.close_gate()
    for call in calls:
        life.disown(call)
    life.apply(S.SETTLED)
    life.drop(reserved)
    life.begin_close(handle)
    life.move(handle, E.RELEASED)
    life.strike(opening)
    for call in calls:
        life.leave(call)
    life.drain_no_more()


def interrupted(life: Life) -> None:
    """Callers are interrupted between RESERVE and SEND; one takes back what it reserved."""
    life.connect()
    calls = life.admit("open"), life.admit("open")
    one, other = (life.reserve(HandleKind.FILE, "/f", call=call) for call in calls)
    life.drop(one)
    for call in calls:
        life.leave(call)
    life.close_gate()
    life.apply(S.SETTLED)
    life.drop(other)
    life.drain_no_more()


def never_up(life: Life) -> None:
    """It was closed before it was connected."""
    life.close()


def not_connected(life: Life) -> None:
    """Connecting failed."""
    life.leave(life.begin_connect())
    life.close()


def cut_short(life: Life) -> None:
    """Connecting does not end, and is counted out."""
    call = life.begin_connect()
    life.close_gate()
    life.disown(call)
    life.leave(call)
    life.drain()


def forked(life: Life) -> None:
    """What a child process finds, with its parent's history before it."""
    life.connect()
    handle = life.opened()
    life.admit("pread", handle)
    life._trace = type("Hook", (), {"in_child": staticmethod(life.records.append)})
    life.forked(nullcontext())


LIVES: list[Callable[[Life], None]] = [
    one_file,
    several_at_once,
    nothing_opened,
    given_up,
    late,
    lost,
    came_back,
    back_while_ending,
    switched,
    switched_and_back,
    counted_out,
    interrupted,
    never_up,
    not_connected,
    cut_short,
    forked,
]


def lived(story: Callable[[Life], None]) -> list[Line]:
    """The trace of a story."""
    life = Life()
    story(life)
    return lines_of(life.records)
