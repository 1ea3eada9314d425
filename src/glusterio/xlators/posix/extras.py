"""What a lookup or a directory's reader asks for besides the attributes, by keys of its ``xdata``.

Sources: GlusterFS xlators/storage/posix/src/posix-helpers.c (``_posix_xattr_get_set``),
libglusterfs/src/glusterfs/glusterfs.h (the keys).
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat

from glusterio.graph.frame import Frame
from glusterio.types import Gfid
from glusterio.wire.dictionary import Dict, UInt, Value
from glusterio.wire.programs import OpenFlag
from glusterio.xlators.posix import acl, permissions
from glusterio.xlators.posix.identity import GFID_KEY, is_private
from glusterio.xlators.posix.opening import Opening

CONTENT = "glusterfs.content"
OPEN_FD_COUNT = "glusterfs.open-fd-count"
LIST_XATTR = "list-xattr"
ANCESTRY_PATH = "glusterfs.ancestry.path"

#: What UNLINK and RENAME answer: how many names the file had that lost one.
GET_LINK_COUNT = "get-link-count"

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


def acl_text(path: str, key: str, mode: int) -> str:
    """Return a file's access control list as text; an empty one is an empty text.

    Raises:
        OSError: EACCES for the default list of what is no directory, as GlusterFS says it;
            EOPNOTSUPP for a symbolic link.
    """
    if not acl.is_plain(mode):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    if key == acl.DEFAULT and not stat.S_ISDIR(mode):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    try:
        return acl.text_of(os.getxattr(path, acl.ATTRIBUTES[key]))
    except OSError as error:
        if error.errno not in _NONE_THERE:
            raise
        return "" if key == acl.DEFAULT else acl.text_of_mode(mode)


def link_count(xdata: Dict | None, victim: os.stat_result | None) -> Dict:
    """Return what a RENAME that asks is told about the file it replaced."""
    if victim is None or GET_LINK_COUNT not in (xdata or ()):
        return {}
    is_directory = stat.S_ISDIR(victim.st_mode)
    return {GET_LINK_COUNT: UInt(victim.st_nlink if is_directory else max(0, victim.st_nlink - 1))}


class ExtraAnswers(Opening):
    """Answers the keys of an ``xdata``."""

    def _answers(
        self,
        frame: Frame,
        gfid: Gfid,
        status: os.stat_result,
        xdata: Dict | None,
        descriptor: int | None = None,
    ) -> Dict | None:
        """Return what was asked for and is there; ``None`` when there was no dictionary.

        Args:
            frame: who asks.
            gfid: the file's gfid.
            status: its status.
            xdata: the request's dictionary.
            descriptor: the file, if it is open.
        """
        if xdata is None:
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
            elif key == GFID_KEY:
                answers[key] = gfid
            elif key in acl.ATTRIBUTES or (key.startswith(_NAMESPACES) and not is_private(key)):
                wanted.append(key)
            elif key == ANCESTRY_PATH and stat.S_ISDIR(status.st_mode):
                answers[key] = self.handles.path_of(gfid)
        if LIST_XATTR in xdata:
            wanted.append("*")
        if wanted:
            if descriptor is not None:
                self._add_xattrs(f"/proc/self/fd/{descriptor}", status, wanted, answers)
            else:
                with self.handles.inode(gfid) as inode:
                    self._add_xattrs(f"/proc/self/fd/{inode}", status, wanted, answers)
        return answers

    def _content(
        self, frame: Frame, gfid: Gfid, status: os.stat_result, limit: Value
    ) -> bytes | None:
        if not isinstance(limit, int) or not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > min(limit, MAX_CONTENT):
            return None
        try:
            self._require(frame, gfid, permissions.READ)
            descriptor = self._open_descriptor(gfid, OpenFlag.RDONLY, changing=False)
        except OSError:
            return None
        try:
            return os.pread(descriptor, status.st_size, 0)
        finally:
            os.close(descriptor)

    @staticmethod
    def _add_xattrs(
        path: str, status: os.stat_result, wanted: list[str], answers: dict[str, Value]
    ) -> None:
        """Add attributes; a name with wildcards stands for all that it matches."""
        there: list[str] | None = None
        for name in wanted:
            try:
                if name in acl.ATTRIBUTES:
                    answers[name] = acl_text(path, name, status.st_mode)
                elif "*" in name or "?" in name or "[" in name:
                    there = visible_xattrs(path) if there is None else there
                    for each in fnmatch.filter(there, name):
                        answers[each] = os.getxattr(path, each)
                else:
                    answers[name] = os.getxattr(path, name)
            except OSError as error:
                if error.errno not in _NONE_THERE:
                    raise
