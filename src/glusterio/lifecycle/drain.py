"""The plan of a teardown: which steps, and what is to be done with each handle that is left.

Deciding is separate from doing. :func:`plan` looks at the ledger and says what each handle needs;
the executor (:mod:`glusterio.api.ending`) does it, with I/O, and tells the session what happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.states import HandleState, SessionEvent


class DrainAction(Enum):
    """What a handle in the ledger needs before it is gone."""

    RELEASE = "release"  #: close it: nobody has begun to
    AWAIT = "await"  #: somebody is closing it, or its OPEN is still unanswered: wait for that
    DROP = "drop"  #: nothing was ever sent for it


#: Every state that a handle can be found in, and what it needs. ``RESERVED`` and ``OPENING`` can only
#: be met when a call could not be ended in time; the disconnect then ends what the wire still owes.
ACTIONS: dict[HandleState, DrainAction] = {
    HandleState.RESERVED: DrainAction.DROP,
    HandleState.OPENING: DrainAction.AWAIT,
    HandleState.OPEN: DrainAction.RELEASE,
    HandleState.STALE: DrainAction.RELEASE,
    HandleState.ABANDONED: DrainAction.AWAIT,
    HandleState.CLOSING: DrainAction.AWAIT,
}


class DrainItem(NamedTuple):
    """One handle and what it needs."""

    handle: Handle
    action: DrainAction


def plan(handles: Iterable[Handle]) -> list[DrainItem]:
    """Decide, for each handle in the ledger, what the drain has to do. Oldest first.

    One that has been closed since the ledger was looked at needs nothing.
    """
    items = []
    for handle in handles:
        action = ACTIONS.get(handle.state)
        if action is not None:
            items.append(DrainItem(handle, action))
    return items


class Step(NamedTuple):
    """One step of the teardown.

    Attributes:
        name: as the report shows it.
        done: the session event that ends the step, or ``None`` for a step within a state.
    """

    name: str
    done: SessionEvent | None


#: The order of a session's end. Each step is bounded by the caller's deadline and happens once.
STEPS: tuple[Step, ...] = (
    Step("gate", SessionEvent.GATE),
    Step("settle", SessionEvent.SETTLED),
    Step("drain", None),
    Step("relatives", SessionEvent.DRAINED),
    Step("disconnect", SessionEvent.PARTED),
    Step("inodes", SessionEvent.CHECKED),
    Step("translators", SessionEvent.ENDED),
)
