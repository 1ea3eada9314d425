"""features/leases: promises that nobody else touches a file, until further notice.

Above features/locks in a brick's graph. A client that has a lease on a file may keep what it knows of
the file, and with a READ-WRITE lease what it would write, too: whoever wants to do what the lease
promises that nobody does has to wait. The holder is told to give the lease back (RECALL_LEASE), and it
is taken from him when he does not within ``lease-lock-recall-timeout`` seconds (60). An open that must
not wait (``O_NONBLOCK``) gets EAGAIN, and so does what is done through it.

A lease belongs to a client and, within it, to the lease id of the LEASE. Another request is the
holder's own if its extra data names that id (``glfs_setfsleaseid``). The rules themselves are
:mod:`~glusterio.xlators.leases.rules`. A lease ends with the last descriptor that its holder opened in
its name, and with the client, when its connection has ended. One that was taken without any such
descriptor ends with the client only, unless it is dropped.

Options: ``leases`` (off) and ``lease-lock-recall-timeout``; they may change while the brick runs. When
leases are turned off, all end. What was opened before they were turned on keeps no lease from being
granted, but whatever is done with it counts.

What is different from GlusterFS, which makes a holder lose his lease, or wait, for nothing:

* only those are recalled who are in the way, and nobody waits for others;
* a holder is never in his own way, not with RENAME and UNLINK either, nor with what libgfapi sends no
  lease id along with: changes of names and attributes, and TRUNCATE, count as all his client's;
* who reads without a lease id does not end a READ lease, and FLUSH and FSYNC end none, since they
  change nothing on a brick; nor do an LK that only asks or unlocks;
* an LK waits for a lease if it would wait for a lock, whatever the flags of the descriptor;
* an OPEN that must not wait is told EAGAIN: GlusterFS 10 says EINVAL, and frees its fd twice;
* when one of several holders has given his lease back, others may get one before the rest has.

Beyond GlusterFS, the file that a RENAME replaces, extended attributes and COPY_FILE_RANGE count, a
change that is under way keeps a lease from being granted, and two clients that use the same lease id
are two holders.

Source: GlusterFS xlators/features/leases/src.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from glusterio.xlators.leases.guarded_fops import GuardedOperations
from glusterio.xlators.leases.lease_fops import LeaseOperations

__all__ = ["Leases"]


class Leases(LeaseOperations, GuardedOperations):
    """The leases of a brick's clients."""

    xlator_type: ClassVar[str] = "features/leases"

    def counts(self) -> dict[str, int]:
        """Tell how many ``leases`` there are, how many of them are being recalled, and how many
        requests wait for that.
        """
        files = self.files.values()
        return {
            "leases": self.tally.total(),
            "recalled_leases": sum(
                lease.recalled is not None for file in files for lease in file.leases.values()
            ),
            "waiting_for_leases": sum(len(file.waiting) for file in files),
        }

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "lease_table": [
                {
                    "gfid": str(uuid.UUID(bytes=bytes(gfid))),
                    "lease_id": holder.lease_id.hex(),
                    "types": lease.types,
                    "recalled": lease.recalled is not None,
                    "client": getattr(holder.client, "name", ""),
                    "client_uid": getattr(holder.client, "uid", ""),
                }
                for gfid, file in self.files.items()
                for holder, lease in file.leases.items()
            ]
        }
