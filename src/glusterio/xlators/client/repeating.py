"""What may be asked again when the connection was lost and nobody knows whether it has been done.

A brick does not remember its clients' requests. So what changes something is not repeated: the first
request may still lie in the old brick process, or in its kernel's socket, and be carried out when the
second one has been, and others after that. A WRITE that comes so late would put old data over newer
data whose WRITE was acknowledged; a REMOVEXATTR, an UNLINK or a CREATE that has succeeded would fail
when it is asked for anew. Their callers are told that it may have happened.

A lock goes with the connection on which it was granted, so to ask for it anew is always right; and to
drop it when it is gone does no harm. So it is with leases, and with opening, which a brick undoes when
the client has gone.
"""

from __future__ import annotations

import os
from typing import Any, Final

from glusterio.wire.programs import Fop

#: The fops that change nothing, or nothing that outlives the connection.
REPEATABLE: Final = frozenset(
    {
        Fop.LOOKUP, Fop.STAT, Fop.FSTAT, Fop.READLINK, Fop.ACCESS, Fop.STATFS,
        Fop.READ, Fop.SEEK, Fop.RCHECKSUM,
        Fop.OPEN, Fop.OPENDIR, Fop.READDIR, Fop.READDIRP,
        Fop.GETXATTR, Fop.FGETXATTR,
        Fop.FLUSH, Fop.FSYNC, Fop.FSYNCDIR,
        Fop.LK, Fop.LEASE, Fop.GETACTIVELK,
    }
)  # fmt: skip


def may_repeat(fop: Fop, message: Any = None) -> bool:
    """Tell whether a request may be sent again that may have been carried out.

    Args:
        fop: what it asks for.
        message: the request, where the fop does not tell: an OPEN that truncates changes the file.
    """
    if fop is Fop.OPEN:
        return not message.flags & os.O_TRUNC
    return fop in REPEATABLE
