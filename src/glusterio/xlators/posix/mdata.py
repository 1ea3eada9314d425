"""The times that a GlusterFS brick keeps beside the inode's own, and what becomes of them here.

With ``storage.ctime`` on, the default, a GlusterFS brick goes by its clients' clocks: it writes the
times of a file into ``trusted.glusterfs.mdata`` and tells those, whatever the inode says. This brick
has the inode's own times only. So a file that bears the attribute shows the times in it until something
happens to it: it is opened, changed, linked or moved; or, being a directory, an entry of it is. Then
the times go to the inode and the attribute goes, and from there on the inode's own count, here and for
a GlusterFS brick that serves the directory again. (Nobody can give an inode its time of change: that
is then the time when this happened.)

Files that have been seen without the attribute are remembered, so that nothing is asked twice.

Sources: GlusterFS xlators/storage/posix/src/posix-metadata-disk.h, posix-metadata.c.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from typing import NamedTuple

from glusterio.types import Gfid
from glusterio.wire.iatt import Iatt
from glusterio.xlators.posix.identity import MDATA_KEY

#: version, flags; seconds and nanoseconds of ctime, mtime and atime
_MDATA = struct.Struct(">BQ6Q")

#: How many files are remembered. Then all are forgotten, and asked again.
REMEMBERED = 64 * 1024

_NONE_THERE = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})


class Times(NamedTuple):
    """A file's times: seconds and nanoseconds of each."""

    ctime: int
    ctime_nsec: int
    mtime: int
    mtime_nsec: int
    atime: int
    atime_nsec: int

    def shown_in(self, stat: Iatt) -> Iatt:
        """Return attributes with these times."""
        return stat._replace(**self._asdict())


def times_of(value: bytes) -> Times | None:
    """Read the attribute; ``None`` when it says nothing."""
    if len(value) < _MDATA.size:
        return None
    times = Times(*_MDATA.unpack_from(value)[2:])
    return times if times.ctime or times.mtime else None


class MdataTimes:
    """The attributes of a directory tree's files.

    Args:
        in_use: whether there can be any.
    """

    def __init__(self, in_use: bool) -> None:
        self._in_use = in_use
        self._without: set[Gfid] = set()

    def none_for(self, gfid: Gfid) -> None:
        """Remember a file that was just made."""
        if len(self._without) >= REMEMBERED:
            self._without.clear()
        self._without.add(gfid)

    def of(self, gfid: Gfid, path: str, follow: bool) -> Times | None:
        """Return the times that a file shall show instead of its inode's; ``None`` for those.

        Args:
            gfid: the file's gfid.
            path: a path to it.
            follow: whether its last part is a link to the file, and not the file.
        """
        if not self._in_use or gfid in self._without:
            return None
        try:
            value = os.getxattr(path, MDATA_KEY, follow_symlinks=follow)
        except OSError as error:
            if error.errno in _NONE_THERE:
                self.none_for(gfid)
            return None
        return times_of(value)

    def settle(self, gfid: Gfid, path: str, follow: bool) -> None:
        """Give the times to the inode and remove the attribute: something is about to happen to it."""
        times = self.of(gfid, path, follow)
        if not self._in_use or gfid in self._without:
            return
        with contextlib.suppress(
            OSError
        ):  # nothing can be changed here: so nothing will happen to it
            if times is not None:
                atime = times.atime * 1_000_000_000 + times.atime_nsec
                mtime = times.mtime * 1_000_000_000 + times.mtime_nsec
                os.utime(path, ns=(atime, mtime), follow_symlinks=follow)
            os.removexattr(path, MDATA_KEY, follow_symlinks=follow)
            self.none_for(gfid)
