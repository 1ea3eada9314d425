"""What must always hold, as predicates on the live objects.

Each takes a session (and, where it needs one, a count that the session cannot know) and returns the
violations as sentences; an empty list means that it holds. They are cheap enough to run after every
step: tests do so through the trace hook's caller, the explorer at every scheduling point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from glusterio.lifecycle.session import Session
from glusterio.lifecycle.states import (
    MAY_BE_OPEN_ON_BRICK,
    HandleState,
    SessionState,
)

Predicate = Callable[[Session], list[str]]


def no_stale_fds(session: Session) -> list[str]:
    """NoStaleFds: once the drain is over no handle is open, or can become open."""
    if session.state < SessionState.PARTING or session.state is SessionState.FORKED:
        return []
    return [
        f"{handle!r} is open or opening after the drain"
        for handle in session.ledger.values()
        if handle.state in MAY_BE_OPEN_ON_BRICK
    ]


def no_leaked_fds(session: Session) -> list[str]:
    """NoLeakedFds: a destroyed session has no handle that is not closed."""
    if session.state is not SessionState.CLOSED:
        return []
    return [f"{handle!r} outlived its session" for handle in session.ledger.values()]


def drained_implies_all_closed(session: Session) -> list[str]:
    """DrainedImpliesAllClosed: the ledger is empty before any inode table or connection goes."""
    if session.state < SessionState.PARTING or session.state is SessionState.FORKED:
        return []
    return [f"{handle!r} is in the ledger after the drain" for handle in session.ledger.values()]


def leaked_only_from_held_refs(session: Session) -> list[str]:
    """LeakedOnlyFromHeldRefs: what waits in CLOSING with no reference lent is on its way out.

    A handle may stay only because a call holds it; a call can exist only before the drain.
    """
    if session.state < SessionState.DRAINING or session.state is SessionState.FORKED:
        return []
    return [
        f"{handle!r} has a borrower after the calls settled"
        for handle in session.ledger.values()
        if handle.refs
    ]


def composition_safety(session: Session) -> list[str]:
    """CompositionSafety: after destruction neither leaked nor stale handles, nor calls, exist."""
    if session.state is not SessionState.CLOSED:
        return []
    return no_leaked_fds(session) + [f"{call!r} outlived" for call in session.calls.values()]


def admitted_only_before_drain(session: Session) -> list[str]:
    """The gate's promise: from the drain on, no admitted call is left."""
    if session.state < SessionState.DRAINING or session.state is SessionState.FORKED:
        return []
    return [f"{call!r} is still admitted" for call in session.calls.values()]


def refs_add_up(session: Session) -> list[str]:
    """RefsAddUp: each handle's count equals the number of the calls that hold it."""
    holders = Counter(
        handle.number
        for call in session.calls.values()
        for handle in (call.handle, call.second)
        if handle is not None
    )
    wrong = [
        f"{handle!r} lent {handle.refs}, held by {holders[handle.number]}"
        for handle in session.ledger.values()
        if handle.refs != holders[handle.number]
    ]
    wrong += [
        f"call holds {handle!r}, which is closed"
        for call in session.calls.values()
        for handle in (call.handle, call.second)
        if handle is not None and handle.state is HandleState.CLOSED
    ]
    return wrong


def open_only_while_active(session: Session) -> list[str]:
    """No handle is reserved or becomes open once the gate is closed.

    The predicate sees one instant, so it checks the part that one instant can show: a session that
    never became active has opened nothing.
    """
    if session.state >= SessionState.ACTIVE:
        return []
    return [f"{handle!r} in a session that is not active yet" for handle in session.ledger.values()]


#: All of them, by the names that the specification uses.
INVARIANTS: dict[str, Predicate] = {
    "NoStaleFds": no_stale_fds,
    "NoLeakedFds": no_leaked_fds,
    "DrainedImpliesAllClosed": drained_implies_all_closed,
    "LeakedOnlyFromHeldRefs": leaked_only_from_held_refs,
    "CompositionSafety": composition_safety,
    "AdmittedOnlyBeforeDrain": admitted_only_before_drain,
    "RefsAddUp": refs_add_up,
    "OpenOnlyWhileActive": open_only_while_active,
}


def violations(session: Session) -> list[str]:
    """Evaluate every invariant; return ``name: sentence`` for each violation."""
    return [
        f"{name}: {sentence}" for name, check in INVARIANTS.items() for sentence in check(session)
    ]
