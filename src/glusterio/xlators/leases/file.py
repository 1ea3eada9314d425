"""The leases on one file, and who uses it. Pure: no request waits here."""

from __future__ import annotations

from collections import Counter

from glusterio.traps import Event
from glusterio.wire.programs import LeaseType
from glusterio.xlators.leases.rules import Holder, Use, is_own, keeps_out, may_coexist, permits


class Lease:
    """What one holder has on a file.

    Attributes:
        counts: how often he took a lease of each type: he has to give each back as often.
        recalled: when he was first asked to give it back, by the driver's clock in seconds; ``None``
            when he was not.
    """

    __slots__ = ("counts", "recalled")

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.recalled: float | None = None

    @property
    def types(self) -> int:
        """The types that are held, or'ed, as GET tells them."""
        return sum(self.counts)


class FileLeases:
    """The leases on a file.

    Attributes:
        leases: what each holder has.
        uses: who has the file open, by fd, and what changes it just now, by a key of the request's own.
        waiting: of each request that waits for a lease to end, what wakes it.
    """

    __slots__ = ("leases", "uses", "waiting")

    def __init__(self) -> None:
        self.leases: dict[Holder, Lease] = {}
        self.uses: dict[object, Use] = {}
        self.waiting: list[Event] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to be kept in mind."""
        return not (self.leases or self.uses or self.waiting)

    @property
    def types(self) -> int:
        """The types of all leases, or'ed."""
        found = 0
        for lease in self.leases.values():
            found |= lease.types
        return found

    def in_the_way(self, use: Use) -> list[Holder]:
        """Return the holders whose leases keep somebody from using the file."""
        return [
            holder
            for holder, lease in self.leases.items()
            if not is_own(holder, use.holder) and keeps_out(lease.counts, changes=use.changes)
        ]

    def can_grant(self, holder: Holder, wanted: LeaseType) -> bool:
        """Tell whether somebody may have a lease: not while one is being recalled, either, for those
        who wait come first.
        """
        if self.waiting or any(lease.recalled is not None for lease in self.leases.values()):
            return False
        if not all(
            permits(wanted, use) for use in self.uses.values() if not is_own(holder, use.holder)
        ):
            return False
        return all(
            may_coexist(wanted, held)
            for other, lease in self.leases.items()
            if other != holder
            for held in lease.counts
        )

    def grant(self, holder: Holder, wanted: LeaseType) -> None:
        """Give a lease, once more if the holder has it already."""
        self.leases.setdefault(holder, Lease()).counts[wanted] += 1

    def give_back(self, holder: Holder, given: int) -> bool:
        """Take a lease back once; tell whether the holder had it."""
        lease = self.leases[holder]
        if given not in lease.counts:
            return False
        lease.counts[given] -= 1
        if not lease.counts[given]:
            del lease.counts[given]
        if not lease.counts:
            del self.leases[holder]
        self.wake()
        return True

    def revoke(self, holder: Holder) -> None:
        """Take back all that a holder has."""
        del self.leases[holder]
        self.wake()

    def wake(self) -> None:
        """Something has ended: whoever waits looks again."""
        for event in self.waiting:
            event.set()
