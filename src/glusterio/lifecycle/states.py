"""The two state machines of glusterio, as tables.

How to read this file
=====================

Two rules:

* Everything that decides whether a session or a handle may do something is in this file.
* This file knows nothing else: no bricks, no threads, no sockets.

**A session** is one connection to a volume, with everything opened through it. It ends in steps, one
state a step, so that "how far did the close get" is a question with an answer::

    NEW -> CONNECTING -> ACTIVE -> SETTLING -> DRAINING -> PARTING -> CHECKING -> ENDING -> CLOSED

``GATE`` is the only way out of the first three. From that event on nothing new is admitted. A session
that never came up, or whose connect failed half-way, ends through the very same steps: there is one
ending, and it is used every time. ``FORKED`` is where a child process finds its parent's sessions.

**A handle** is one file or directory that a brick holds, or may hold, open for us. It is *reserved*
before OPEN is sent, so a brick can never hold an fd that the session does not know of::

    RESERVED -> OPENING -> OPEN -> CLOSING -> CLOSED

Beside that path lie the three accidents of an open file:

* the caller gives up while OPEN is on its way: ``ABANDONED``. The handle stays in the ledger until
  the reply comes (or its connection is gone); if the brick did open it, it is released at once.
* the reply comes after the gate closed: the event is then ``LATE`` instead of ``OPENED``, and the
  handle goes straight to ``CLOSING``. So no handle is ever ``OPEN`` that the drain did not see.
* the brick goes away, and the handle cannot be opened again (``LOST``): ``STALE``. The brick has closed
  its side; only our own side is left to close. So it is with a handle whose locks were on their way to
  a new graph when that one's brick went away (``UNLOCKED``); but its brick holds it still.

``CLOSING`` is entered once, by whoever comes first: the application, the drain, or a late reply.
That one, and nobody else, sends RELEASE. While calls still hold references the handle waits in
``CLOSING`` for them, because a RELEASE can overtake a WRITE on the brick.

Three events change no state. They are in the tables since these say *when* they may happen: a
connection that was lost comes back (``RECONNECTED``) until the drain is over, and not after it; a new
graph replaces the old one (``SWITCHED``) only while calls are admitted; and an open handle, no other,
gets its fd on the new graph (``CARRIED``). A handle that is open stays so while its connection is
away: on its return it is opened again on the brick, or becomes ``STALE`` if it cannot be.

The tables are nested dictionaries, ``TABLE[state][event] -> next state``. A pair that is not there is
a defect in glusterio and raises :class:`~glusterio.errors.LocalProtocolError`. The diagrams in the
documentation and the names in the specification are taken from these tables; tests compare them.
"""

from __future__ import annotations

from enum import IntEnum

# IntEnum, not Enum: these are dictionary keys on the hot path, and int hashes in C.


class SessionState(IntEnum):
    """Where a session is in its life. The order of the values is the order of the life."""

    NEW = 0  #: made, nothing done
    CONNECTING = 1  #: asking for the volfile, building the graph, connecting its bricks
    ACTIVE = 2  #: the only state in which calls are admitted
    SETTLING = 3  #: gate closed; admitted calls are finishing, or being cancelled
    DRAINING = 4  #: no call left; every handle in the ledger is being released
    PARTING = 5  #: ledger empty; connections are being closed
    CHECKING = 6  #: nothing can call back any more; the inode table is being checked
    ENDING = 7  #: translators end, bottom-up
    CLOSED = 8  #: the report is there; nothing is left
    FORKED = 9  #: this process inherited the session by fork: it is the parent's


class SessionEvent(IntEnum):
    """What can happen to a session."""

    CONNECT = 0
    CONNECTED = 1
    GATE = 2
    SETTLED = 3
    DRAINED = 4
    PARTED = 5
    CHECKED = 6
    ENDED = 7
    FORK = 8
    RECONNECTED = 9  #: a connection that was lost is back, and every handle of it is open or lost
    SWITCHED = 10  #: a new graph is in use


class HandleState(IntEnum):
    """Where a handle is in its life."""

    RESERVED = 0  #: in the ledger; nothing was sent
    OPENING = 1  #: OPEN, CREATE or OPENDIR is on its way
    OPEN = 2  #: the brick holds it, and calls may borrow it
    ABANDONED = 3  #: nobody waits for the OPEN any more, but its reply has not come
    STALE = 4  #: what it stood for is gone: with its brick's connection, or with its locks
    CLOSING = 5  #: nobody may borrow it; RELEASE follows when the last reference is back
    CLOSED = 6  #: out of the ledger


class HandleEvent(IntEnum):
    """What can happen to a handle."""

    SEND = 0  #: OPEN goes out
    DROP = 1  #: the open was given up before anything was sent
    OPENED = 2  #: the brick opened it
    LATE = 3  #: the brick opened it, but the gate has closed meanwhile
    REFUSED = 4  #: the brick did not open it
    ABANDON = 5  #: the caller gave up waiting for the reply
    CLOSE = 6  #: the application, or the drain, wants it closed
    LOST = 7  #: the connection to its brick is gone, and with it what the handle stood for
    RELEASED = 8  #: the brick holds it no longer
    STRIKE = 9  #: a defect: nothing closes it, and the drain strikes it off the ledger
    CARRIED = 10  #: it is open on the new graph, and uses that from now on
    UNLOCKED = 11  #: its locks were lost on their way to a new graph


_S, _E = SessionState, SessionEvent

SESSION_TABLE: dict[SessionState, dict[SessionEvent, SessionState]] = {
    _S.NEW: {_E.CONNECT: _S.CONNECTING, _E.GATE: _S.SETTLING, _E.FORK: _S.FORKED},
    _S.CONNECTING: {_E.CONNECTED: _S.ACTIVE, _E.GATE: _S.SETTLING, _E.FORK: _S.FORKED},
    _S.ACTIVE: {_E.GATE: _S.SETTLING, _E.FORK: _S.FORKED},
    _S.SETTLING: {_E.SETTLED: _S.DRAINING, _E.FORK: _S.FORKED},
    _S.DRAINING: {_E.DRAINED: _S.PARTING, _E.FORK: _S.FORKED},
    _S.PARTING: {_E.PARTED: _S.CHECKING, _E.FORK: _S.FORKED},
    _S.CHECKING: {_E.CHECKED: _S.ENDING, _E.FORK: _S.FORKED},
    _S.ENDING: {_E.ENDED: _S.CLOSED, _E.FORK: _S.FORKED},
    _S.CLOSED: {},
    _S.FORKED: {},
}

# A connection may come back while there is anything to be done with it.
for _session in (_S.CONNECTING, _S.ACTIVE, _S.SETTLING, _S.DRAINING):
    SESSION_TABLE[_session][_E.RECONNECTED] = _session
SESSION_TABLE[_S.ACTIVE][_E.SWITCHED] = _S.ACTIVE

_H, _V = HandleState, HandleEvent

HANDLE_TABLE: dict[HandleState, dict[HandleEvent, HandleState]] = {
    _H.RESERVED: {_V.SEND: _H.OPENING, _V.DROP: _H.CLOSED},
    _H.OPENING: {
        _V.OPENED: _H.OPEN,
        _V.LATE: _H.CLOSING,
        _V.REFUSED: _H.CLOSED,
        _V.ABANDON: _H.ABANDONED,
    },
    _H.OPEN: {
        _V.CLOSE: _H.CLOSING,
        _V.LOST: _H.STALE,
        _V.CARRIED: _H.OPEN,
        _V.UNLOCKED: _H.STALE,
    },
    _H.ABANDONED: {_V.OPENED: _H.CLOSING, _V.LATE: _H.CLOSING, _V.REFUSED: _H.CLOSED},
    _H.STALE: {_V.CLOSE: _H.CLOSING},
    _H.CLOSING: {_V.RELEASED: _H.CLOSED},
    _H.CLOSED: {},
}

# A defect can befall a handle in any state.
for _state, _row in HANDLE_TABLE.items():
    if _state is not _H.CLOSED:
        _row[_V.STRIKE] = _H.CLOSED

#: The states in which the brick holds an fd for the handle, or may come to hold one.
MAY_BE_OPEN_ON_BRICK = frozenset(
    {_H.OPENING, _H.OPEN, _H.ABANDONED, _H.CLOSING},
)

#: From this state on the gate is closed.
GATE_CLOSED_FROM = SessionState.SETTLING
