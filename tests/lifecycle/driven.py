"""A session to drive by hand: no runtime, no threads, every transition written down."""

from __future__ import annotations

from contextlib import nullcontext

from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.session import Call, Session
from glusterio.lifecycle.states import HandleEvent, HandleState, SessionEvent, SessionState
from glusterio.lifecycle.trace import TraceRecord


class Flag:
    """An event that nobody waits for; it counts how often it was set."""

    def __init__(self) -> None:
        self.times = 0

    def set(self) -> None:
        self.times += 1

    def __bool__(self) -> bool:
        return self.times > 0


class Driven(Session):
    """A session with a trace."""

    def __init__(self) -> None:
        self.records: list[TraceRecord] = []
        super().__init__(nullcontext(), Flag, self.records.append, "gv0")


#: How to bring a session to each state, from NEW.
WAY = (
    SessionEvent.CONNECT,
    SessionEvent.CONNECTED,
    SessionEvent.GATE,
    SessionEvent.SETTLED,
    SessionEvent.DRAINED,
    SessionEvent.PARTED,
    SessionEvent.CHECKED,
    SessionEvent.ENDED,
)


def session_in(state: SessionState) -> Driven:
    """A session in a state, with nothing open."""
    session = Driven()
    if state is SessionState.FORKED:
        session.forked(nullcontext())
        return session
    for event in WAY:
        if session.state is state:
            break
        session.apply(event)
    assert session.state is state
    return session


HANDLE_WAY: dict[HandleState, tuple[HandleEvent, ...]] = {
    HandleState.RESERVED: (),
    HandleState.OPENING: (HandleEvent.SEND,),
    HandleState.OPEN: (HandleEvent.SEND, HandleEvent.OPENED),
    HandleState.ABANDONED: (HandleEvent.SEND, HandleEvent.ABANDON),
    HandleState.STALE: (HandleEvent.SEND, HandleEvent.OPENED, HandleEvent.LOST),
    HandleState.CLOSING: (HandleEvent.SEND, HandleEvent.OPENED, HandleEvent.CLOSE),
    HandleState.CLOSED: (HandleEvent.SEND, HandleEvent.REFUSED),
}


def handle_in(session: Session, state: HandleState, path: str = "/f") -> Handle:
    """A handle in a state, in an active session."""
    handle = session.reserve(HandleKind.FILE, path)
    for event in HANDLE_WAY[state]:
        session.move(handle, event)
    assert handle.state is state
    return handle


def active() -> tuple[Driven, Handle, Call]:
    """An active session with an open handle that one call has borrowed."""
    session = session_in(SessionState.ACTIVE)
    handle = handle_in(session, HandleState.OPEN)
    return session, handle, session.admit("read", handle)
