"""A client takes requests back that wait for a POSIX lock.

It does so by asking for an extended attribute whose name says which:
``glusterfs.intrlk.tposix.kblocked.0,100-10``, with whence, start and length of the lock. Only what its
own client and process wait for is meant; without a range, that is all of it on the file. They are
answered EINTR.

Source: GlusterFS xlators/features/locks/src/clear.c (``clrlk_parse_args``, ``clrlk_clear_posixlk``),
xlators/mount/fuse/src/fuse-bridge.c (``fuse_setlk_interrupt_handler``).
"""

from __future__ import annotations

import errno
import re
from typing import Final, NamedTuple

from glusterio.errors import fs_error
from glusterio.xlators.locks.posixlk import PosixLock

#: How the name of the attribute begins.
INTERRUPT: Final = "glusterfs.intrlk"

_NAME: Final = re.compile(
    r"glusterfs\.intrlk\.tposix\.kblocked(?:\.(-?[0-9]{1,5}),(-?[0-9]{1,19})-(-?[0-9]{1,19}))?"
)


class Interrupted(NamedTuple):
    """Which requests are meant.

    Attributes:
        whence: as in the request.
        start: the first byte; ``None`` for any range.
        length: the number of bytes, 0 for all that follow.
    """

    whence: int = 0
    start: int | None = None
    length: int = 0

    def means(self, lock: PosixLock) -> bool:
        """Tell whether a waiting request is one of them."""
        return self.start is None or (self.whence, self.start, self.length) == (
            lock.whence,
            lock.range.first,
            lock.range.length,
        )


def interrupted_by(name: str) -> Interrupted:
    """Read the attribute's name.

    Raises:
        OSError: EINVAL: it is no such name. Other locks than these are nobody's to take back.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise fs_error(errno.EINVAL)
    whence, start, length = found.groups()
    return Interrupted() if start is None else Interrupted(int(whence), int(start), int(length))
