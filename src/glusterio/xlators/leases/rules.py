"""Which leases may be held together, and what a lease keeps others from.

A READ lease promises that nobody else changes the file, a READ-WRITE lease that nobody else uses its
data at all. What would break the promise waits until the holder has given the lease back.

Source: GlusterFS xlators/features/leases/src/leases-internal.c (``__is_lease_grantable``,
``__check_lease_conflict``).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

from glusterio.wire.programs import LeaseType

#: The length of a lease id, in bytes.
LEASE_ID_SIZE: Final = 16

#: The lease id of a request that names none.
NO_LEASE_ID: Final = b""

#: That of a request that cannot name one: it is made in the name of all that its client has.
ANY_LEASE_ID: Final = b"any"


class Holder(NamedTuple):
    """Whose lease it is: nothing that is his own stands in his way.

    Attributes:
        client: the client, by identity.
        lease_id: the lease id; :data:`NO_LEASE_ID` for one who holds none; or :data:`ANY_LEASE_ID`.
    """

    client: object
    lease_id: bytes


def is_own(lease_of: Holder, caller: Holder) -> bool:
    """Tell whether a holder's lease is the caller's own."""
    if caller.lease_id == ANY_LEASE_ID:
        return lease_of.client is caller.client
    return lease_of == caller


class Use(NamedTuple):
    """What somebody does with a file, or may do as he has it open.

    Attributes:
        holder: in whose name.
        changes: whether it may change the file.
    """

    holder: Holder
    changes: bool


def may_coexist(one: int, other: int) -> bool:
    """Tell whether two holders may have leases of these types on a file."""
    return one == other == LeaseType.READ


def keeps_out(held: Container[int], *, changes: bool) -> bool:
    """Tell whether leases of these types, held by one, keep out another who uses the file."""
    return LeaseType.READ_WRITE in held or (changes and LeaseType.READ in held)


def permits(wanted: int, use: Use) -> bool:
    """Tell whether a lease of this type may be granted to another while a file is used so."""
    return wanted == LeaseType.READ and not use.changes
