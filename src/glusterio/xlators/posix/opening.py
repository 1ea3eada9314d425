"""Open flags: GlusterFS's numbering, and what a brick does with each."""

from __future__ import annotations

import errno
import os
import stat

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.types import Gfid
from glusterio.wire.programs import ACCMODE, OpenFlag
from glusterio.xlators.posix.core import PosixCore
from glusterio.xlators.posix.permissions import READ, WRITE

#: Flags that reach the operating system. O_DIRECT does not: requests are not aligned. Neither do the
#: flags that make a file, which CREATE sets itself. As plain numbers: it is slow to reckon with an
#: enumeration's members.
_HONOURED = {
    int(flag): value
    for flag, value in {
        OpenFlag.APPEND: os.O_APPEND,
        OpenFlag.TRUNC: os.O_TRUNC,
        OpenFlag.SYNC: os.O_SYNC,
        OpenFlag.DIRECTORY: os.O_DIRECTORY,
        OpenFlag.NOATIME: getattr(os, "O_NOATIME", 0),
    }.items()
}

_NEEDED = (READ, WRITE, READ | WRITE, READ | WRITE)
_TRUNC = int(OpenFlag.TRUNC)


def system_flags(flags: int) -> int:
    """Turn GlusterFS's open flags into this machine's."""
    system = flags & ACCMODE
    for flag, value in _HONOURED.items():
        if flags & flag:
            system |= value
    return system | os.O_CLOEXEC | os.O_NONBLOCK


def needed_permission(flags: int) -> int:
    """Return what a caller must be allowed to do with a file to open it so."""
    needed = _NEEDED[flags & ACCMODE]
    if flags & _TRUNC:
        needed |= WRITE
    return needed


class Opening(PosixCore):
    """Opens files by their gfid."""

    def _open(self, fd: Fd, gfid: Gfid, flags: int) -> None:
        self._keep(fd, self._open_descriptor(gfid, flags), gfid)

    def _open_descriptor(self, gfid: Gfid, flags: int, changing: bool = True) -> int:
        """Open a regular file, or a directory for its attributes: Samba does that.

        Args:
            gfid: the file's gfid.
            flags: GlusterFS's flags.
            changing: whether anything may happen to the file.

        Raises:
            OSError: EISDIR when a directory is to be written, ELOOP for a symbolic link, EINVAL for a
                device or the like.
        """
        with self.handles.inode(gfid, changing) as inode:
            mode = os.fstat(inode).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise fs_error(errno.ELOOP if stat.S_ISLNK(mode) else errno.EINVAL)
            return os.open(f"/proc/self/fd/{inode}", system_flags(flags))
