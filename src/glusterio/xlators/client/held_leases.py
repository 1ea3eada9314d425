"""The leases that a client holds, as its brick's answers told.

A brick drops them when the client's connection ends. Then their holders are told that they have them no
longer, as if the brick had asked for them back; and when they give them back no brick is asked, for it
has nothing to be given.
"""

from __future__ import annotations

from glusterio.types import Gfid
from glusterio.wire.callbacks import RecallLease
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.locks import Lease, LeaseRequest
from glusterio.wire.programs import LeaseCommand, LeaseType


class HeldLeases:
    """The leases of one client. Whoever uses it holds the client's lock."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[tuple[Gfid, bytes, int], Credentials | None] = {}

    def note(self, identity: Credentials | None, request: LeaseRequest) -> None:
        """Take note that a brick has granted a lease."""
        gfid, lease, _ = request
        if lease.cmd == LeaseCommand.SET:
            self._held[gfid, lease.id, lease.type] = identity

    def give_back(self, request: LeaseRequest) -> bool:
        """A lease is being given back: tell whether it is held."""
        gfid, lease, _ = request
        key = gfid, lease.id, lease.type
        there = key in self._held
        self._held.pop(key, None)
        return there

    def take_all(self) -> list[tuple[LeaseRequest, Credentials | None]]:
        """Take out all of them: return what gives each back, and in whose name."""
        held, self._held = self._held, {}
        return [
            (LeaseRequest(gfid, Lease(LeaseCommand.UNLOCK, kind, lease_id)), who)
            for (gfid, lease_id, kind), who in held.items()
        ]


def recall(gfid: Gfid) -> RecallLease:
    """Return what tells holders that nothing of their leases on a file is left."""
    return RecallLease(gfid, LeaseType.NONE, bytes(16))
