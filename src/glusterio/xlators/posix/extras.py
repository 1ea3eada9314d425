"""What a lookup or a directory's reader asks for besides the attributes, by keys of its ``xdata``.

Sources: GlusterFS xlators/storage/posix/src/posix-helpers.c (``_posix_xattr_get_set``),
libglusterfs/src/glusterfs/glusterfs.h (the keys).
"""

from __future__ import annotations

import errno
import os
import stat

from glusterio.graph.frame import Frame
from glusterio.types import Gfid
from glusterio.wire.dictionary import Dict, UInt, Value
from glusterio.wire.programs import OpenFlag
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.identity import is_private
from glusterio.xlators.posix.opening import Opening

CONTENT = "glusterfs.content"
OPEN_FD_COUNT = "glusterfs.open-fd-count"
LIST_XATTR = "list-xattr"

#: Counts that a translator above answers when there is one; without it nothing is locked.
_LOCK_COUNTS = frozenset(
    {"glusterfs.posixlk-count", "glusterfs.inodelk-count", "glusterfs.entrylk-count"}
)

_NAMESPACES = ("user.", "trusted.", "security.", "system.")

#: More is never inlined, whatever is asked for, in bytes.
MAX_CONTENT = 1024 * 1024

#: A missing attribute, or one that this file system does not keep.
_NONE_THERE = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES})


def visible_xattrs(path: str) -> list[str]:
    """Return the names of the extended attributes that clients may see."""
    return [name for name in os.listxattr(path) if not is_private(name)]


class ExtraAnswers(Opening):
    """Answers the keys of an ``xdata``."""

    def _answers(
        self, frame: Frame, gfid: Gfid, status: os.stat_result, xdata: Dict | None
    ) -> Dict | None:
        """Return what was asked for and is there; ``None`` when nothing was asked."""
        if not xdata:
            return None
        answers: dict[str, Value] = {}
        wanted: list[str] = []
        for key, value in xdata.items():
            if key == CONTENT:
                content = self._content(frame, gfid, status, value)
                if content is not None:
                    answers[key] = content
            elif key == OPEN_FD_COUNT:
                answers[key] = UInt(self._open_counts.get(gfid, 0))
            elif key in _LOCK_COUNTS:
                answers[key] = 0
            elif key.startswith(_NAMESPACES) and not is_private(key):
                wanted.append(key)
        if wanted or LIST_XATTR in xdata:
            self._add_xattrs(gfid, wanted, LIST_XATTR in xdata, answers)
        return answers

    def _content(
        self, frame: Frame, gfid: Gfid, status: os.stat_result, limit: Value
    ) -> bytes | None:
        if not isinstance(limit, int) or not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > min(limit, MAX_CONTENT):
            return None
        try:
            permissions.require(frame, status, permissions.READ)
            descriptor = self._open_descriptor(gfid, OpenFlag.RDONLY)
        except OSError:
            return None
        try:
            return os.pread(descriptor, status.st_size, 0)
        finally:
            os.close(descriptor)

    def _add_xattrs(
        self, gfid: Gfid, wanted: list[str], every: bool, answers: dict[str, Value]
    ) -> None:
        with self.handles.inode(gfid) as inode:
            path = f"/proc/self/fd/{inode}"
            names = visible_xattrs(path) if every else wanted
            for name in names:
                try:
                    answers[name] = os.getxattr(path, name)
                except OSError as error:
                    if error.errno not in _NONE_THERE:
                        raise
