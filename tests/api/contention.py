"""What the holder of a translator's lock hears when another client wants it, on any brick."""

from __future__ import annotations

from typing import Any

import pytest

from glusterio import UpcallKind
from glusterio.api.core import Core
from glusterio.graph.frame import Frame
from glusterio.types import Gfid
from glusterio.wire.fops.locks import Flock, InodelkRequest
from glusterio.wire.programs import LockCommand, LockType
from tests.api.faces import Awaited


async def inodelk(core: Core, frame: Frame, gfid: Gfid, kind: LockType) -> None:
    """Take a translator's lock on a file, or drop it, as a cluster translator does; never wait."""
    frame.identity = core.identity._replace(lk_owner=b"a translator")
    flock = Flock(kind, 0, 0, 10)
    await core.top.inodelk(
        frame, InodelkRequest(gfid, LockCommand.SETLK, kind, flock, "cluster/replicate")
    )


def _lock(volume: Any, gfid: Gfid, kind: LockType) -> None:
    call = volume._session.call
    if isinstance(volume, Awaited):
        volume._result(call, (inodelk, None, gfid, kind), {})
    else:
        call(inodelk, None, gfid, kind)


def told_of_contention(volume: Any, other: Any) -> None:
    """The holder is told that another wants its lock, of that file; and nobody else is told."""
    gfid: Gfid
    volume.write_bytes("/contended", b"x")
    with volume.lookup("/contended") as found:
        gfid = found.gfid
    with volume.upcalls({UpcallKind.LOCK_CONTENTION}) as events:
        beside = other.upcalls({UpcallKind.LOCK_CONTENTION})
        _lock(volume, gfid, LockType.WRITE)
        with pytest.raises(BlockingIOError):
            _lock(other, gfid, LockType.WRITE)
        upcall = next(events)
        assert (upcall.kind, upcall.gfid) == (UpcallKind.LOCK_CONTENTION, gfid)
        _lock(volume, gfid, LockType.UNLOCK)
        _lock(other, gfid, LockType.WRITE)
        _lock(other, gfid, LockType.UNLOCK)
        beside.close()
        assert list(beside) == []
