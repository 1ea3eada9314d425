"""Extended attributes that no file has: questions and orders to the brick in the shape of attributes.

What each answers, with its ``op_ret``, is what a GlusterFS 10 brick answers that has no cluster
translators above it. Those that only clients' translators know, ``glusterfs.gfid.string`` for instance,
are attributes without a namespace to a brick: EOPNOTSUPP.

Sources: GlusterFS xlators/storage/posix/src/posix-inode-fd-ops.c (``posix_getxattr``,
``posix_fgetxattr``, ``posix_common_removexattr``), posix-helpers.c (``posix_handle_pair``).
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from typing import Final

from glusterio.errors import fs_error
from glusterio.types import Gfid
from glusterio.wire.dictionary import UInt, Value
from glusterio.wire.fops.xattrs import XattrsReply
from glusterio.xlators.posix import acl
from glusterio.xlators.posix.extras import (
    ANCESTRY_PATH,
    OPEN_FD_COUNT,
    ExtraAnswers,
    acl_text,
)
from glusterio.xlators.posix.handles import handle_of
from glusterio.xlators.posix.identity import (
    GFID2PATH_PREFIX,
    GFID_KEY,
    MDATA_KEY,
    VOLUME_ID_KEY,
    is_private,
)

PATHINFO: Final = frozenset({"trusted.glusterfs.pathinfo", "glusterfs.pathinfo"})
REAL_FILENAME: Final = "glusterfs.get_real_filename:"
#: Every name of a file; and one of them.
ALL_PATHS: Final = "glusterfs.gfidtopath"
ONE_PATH: Final = "glusterfs.gfid2path"
#: By which a client's features/utime gives times to a file that has none yet.
SET_MDATA: Final = "set-ctime-mdata"

_HEADS: Final = frozenset({GFID_KEY, VOLUME_ID_KEY})
#: What geo-replication keeps, which nobody else is shown.
_GEOREP: Final = (
    "*.glusterfs.*.stime",
    "*.glusterfs.*.xtime",
    "*.glusterfs.lockinfo",
    "*.glusterfs.*.entry_stime",
    "*.glusterfs.volume-mark.*",
)


def is_hidden(name: str) -> bool:
    """Tell whether an attribute is one that clients are not shown."""
    return is_private(name) or any(fnmatch.fnmatchcase(name, pattern) for pattern in _GEOREP)


def is_ignored(name: str) -> bool:
    """Tell whether setting an attribute does nothing, and says so to nobody.

    The brick sees to gfids and volume ids itself; the times are the inode's own here.
    """
    return name in _HEADS or name in (MDATA_KEY, SET_MDATA)


def refuse_to_set(name: str) -> None:
    """Make sure that an attribute is not one that answers only, or the brick's own.

    Raises:
        OSError: EACCES, EOPNOTSUPP or EPERM.
    """
    if name in PATHINFO:
        raise fs_error(errno.EACCES)
    if name.startswith(GFID2PATH_PREFIX):
        raise fs_error(errno.EOPNOTSUPP)
    if is_private(name):
        raise fs_error(errno.EPERM)


def refuse_to_remove(name: str) -> None:
    """Make sure that an attribute is not the brick's own.

    Raises:
        OSError: ERANGE for no name at all, ENODATA or EPERM.
    """
    if not name:
        raise fs_error(errno.ERANGE)
    if name.startswith(GFID2PATH_PREFIX) or name == MDATA_KEY:
        raise fs_error(errno.ENODATA)
    if is_private(name):
        raise fs_error(errno.EPERM)


class VirtualXattrs(ExtraAnswers):
    """Answers the attributes that no file has."""

    def _virtual(self, gfid: Gfid, path: str, name: str) -> XattrsReply | None:
        """Return the answer by gfid; ``None`` for an attribute like any other.

        Raises:
            OSError: EACCES, ENODATA, ENOTDIR or EOPNOTSUPP.
        """
        if name in _HEADS:
            return self._head(path, name)
        if name.startswith(REAL_FILENAME):
            return self._real_filename(gfid, name)
        if is_hidden(name):
            raise fs_error(errno.ENODATA)
        found: Value
        size = 0
        if name in PATHINFO:
            found = f"<POSIX({self.directory}):{os.uname().nodename}:{self._real_path(gfid, path)}>"
            size = len(os.fsencode(found))
        elif name in acl.ATTRIBUTES:
            found = acl_text(path, name, os.stat(path).st_mode)
        elif name == OPEN_FD_COUNT:
            found = UInt(gfid in self._open_counts)
        elif name == ANCESTRY_PATH:
            if not stat.S_ISDIR(os.stat(path).st_mode):
                raise fs_error(errno.ENODATA)
            found = self.handles.path_of(gfid)
        elif name == ALL_PATHS:
            if stat.S_ISDIR(os.stat(path).st_mode):
                found = self.handles.path_of(gfid)
            else:
                found = ":".join(self._paths(gfid)).encode(errors="surrogateescape")
        elif name == ONE_PATH:
            found = self._one_path(gfid)
            size = len(os.fsencode(found))
        else:
            return None
        return XattrsReply(op_ret=size, xattrs={name: found})

    def _head(self, path: str, name: str) -> XattrsReply:
        """Answer that there is such an attribute, and how long it is; but not the attribute."""
        return XattrsReply(op_ret=len(os.getxattr(path, self.handles.own_key(name))), xattrs={})

    def _virtual_of_fd(self, gfid: Gfid, path: str, name: str) -> XattrsReply | None:
        """Return the answer by fd, of which there are fewer."""
        if name in _HEADS:
            return self._head(path, name)
        if name.startswith(REAL_FILENAME):
            return self._real_filename(gfid, name)
        if name == OPEN_FD_COUNT:
            return XattrsReply(xattrs={name: UInt(1)})
        return None

    def _paths(self, gfid: Gfid) -> list[str]:
        """Return the paths of a file.

        Raises:
            OSError: ENODATA when it has not noted them.
        """
        paths = self.handles.paths_of(gfid)
        if not paths:
            raise fs_error(errno.ENODATA)
        return paths

    def _one_path(self, gfid: Gfid) -> str:
        return self.handles.seen_path_of(gfid) or self._paths(gfid)[0]

    def _real_path(self, gfid: Gfid, path: str) -> str:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return f"{self.directory}{self.handles.path_of(gfid)}"
        try:
            return f"{self.directory}{self._one_path(gfid)}"
        except OSError:
            return f"{self.directory}/{handle_of(gfid)}"

    def _real_filename(self, gfid: Gfid, name: str) -> XattrsReply:
        """Find a name whatever its case, as Samba asks for it."""
        wanted = name.removeprefix(REAL_FILENAME).casefold()
        directory = self.handles.directory(gfid)
        for each in os.listdir(f"/proc/self/fd/{directory}"):
            if each.casefold() == wanted:
                return XattrsReply(op_ret=len(os.fsencode(each)) + 1, xattrs={name: each})
        raise fs_error(errno.ENODATA)
