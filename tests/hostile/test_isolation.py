"""Two clients that say the same of themselves share nothing: neither locks nor what may drop them."""

from __future__ import annotations

import errno
import os

from glusterio.wire.fops.files import FlushRequest, OpenRequest
from glusterio.wire.fops.locks import Flock, LkRequest
from glusterio.wire.programs import Fop, LockCommand, LockType
from tests.brick.raw import RawClient, accepted
from tests.embedded import BrickProcess


def lock(client: RawClient, gfid: bytes, fd: int, kind: LockType) -> int:
    """Ask for a lock, or drop it, and return the errno."""
    request = LkRequest(gfid, fd, LockCommand.SETLK, kind, Flock(kind))
    reply, _ = client.fop(Fop.LK, request)  # each with the very same lock owner
    return 0 if reply.op_ret == 0 else int(reply.op_errno)


def test_the_same_owner_of_another_client_is_another(brick: BrickProcess) -> None:
    with (
        accepted(brick, uid="the same") as holder,
        accepted(brick, uid="the same") as forger,
        accepted(brick) as third,
    ):
        made = holder.create("locked")
        gfid = made.stat.gfid
        fd, thirds = (
            client.do(Fop.OPEN, OpenRequest(gfid, os.O_RDWR)).fd for client in (forger, third)
        )
        assert lock(holder, gfid, made.fd, LockType.WRITE) == 0
        assert lock(forger, gfid, fd, LockType.WRITE) == errno.EAGAIN
        # what would drop it, were it the forger's own
        lock(forger, gfid, fd, LockType.UNLOCK)
        lock(forger, gfid, made.fd, LockType.UNLOCK)
        forger.do(Fop.FLUSH, FlushRequest(gfid, fd))
        forger.release(gfid, fd)
        forger.close()
        assert lock(third, gfid, thirds, LockType.WRITE) == errno.EAGAIN
        assert lock(holder, gfid, made.fd, LockType.UNLOCK) == 0
        assert lock(third, gfid, thirds, LockType.WRITE) == 0
