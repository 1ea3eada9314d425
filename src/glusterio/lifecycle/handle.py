"""One handle: the ledger's entry for one file or directory open on a brick."""

from __future__ import annotations

from enum import Enum
from typing import Any

from glusterio.errors import HandleClosedError, HandleStaleError, LocalProtocolError
from glusterio.lifecycle.states import HANDLE_TABLE, HandleEvent, HandleState


class HandleKind(Enum):
    """What the handle is open on; decides between RELEASE and RELEASEDIR."""

    FILE = "file"
    DIRECTORY = "directory"


class Handle:
    """A reserved, open or closing file or directory.

    Only :class:`~glusterio.lifecycle.session.Session` changes one, under its lock.

    Attributes:
        number: the handle's number in its session, from 1; never used twice.
        kind: file or directory.
        path: the path as the application gave it, for messages and the report.
        opened_at: ``file:line`` of the application's call, or an empty string.
        state: where it is in its life.
        refs: calls under way that have borrowed it.
        releasing: whether somebody is about to release it, now that it is closing.
        fd: the graph's fd behind the handle, once there is one. The lifecycle only carries it.
        deferred: called by the drain, before RELEASE, to write out what the application's own
            buffers still hold; or ``None``.
        why: for a stale handle, why it is that; or an empty string.
        error: why its release was not graceful, once it was tried; or ``None``.
    """

    __slots__ = (
        "__weakref__",
        "deferred",
        "error",
        "fd",
        "gone",
        "idle",
        "kind",
        "number",
        "opened_at",
        "path",
        "refs",
        "releasing",
        "state",
        "why",
    )

    def __init__(
        self, number: int, kind: HandleKind, path: str, opened_at: str, idle: Any, gone: Any
    ) -> None:
        self.number = number
        self.kind = kind
        self.path = path
        self.opened_at = opened_at
        self.state = HandleState.RESERVED
        self.refs = 0
        self.releasing = False
        self.fd: Any = None
        self.deferred: Any = None
        self.why = ""
        self.error: Exception | None = None
        #: set when a closing handle gets its last reference back; an event of the runtime's making
        self.idle = idle
        #: set when the handle is closed and out of the ledger
        self.gone = gone

    def next_state(self, event: HandleEvent) -> HandleState:
        """Return the state that ``event`` leads to.

        Raises:
            LocalProtocolError: the table has no such step: a defect in glusterio.
        """
        try:
            return HANDLE_TABLE[self.state][event]
        except KeyError:
            raise LocalProtocolError(
                f"handle {self.number}: no {event.name} in state {self.state.name}"
            ) from None

    def why_unusable(self) -> Exception:
        """Return the error for a caller that wants to use the handle in a state other than OPEN."""
        if self.state is HandleState.STALE:
            why = self.why or "the brick that held this handle is gone"
            return HandleStaleError(f"{self.path}: {why}")
        return HandleClosedError(f"{self.path}: the handle is closed")

    def __repr__(self) -> str:
        return (
            f"<Handle {self.number} {self.kind.value} {self.path!r} {self.state.name}"
            f" refs={self.refs}>"
        )
