"""Renaming with a condition, as Linux's ``renameat2`` does.

GlusterFS's RENAME knows no flags (and ``glfs_renameat2`` does not look at its own), so what can be had
is made of other requests.
"""

from __future__ import annotations

import errno
import stat as stat_module
from typing import TYPE_CHECKING

from glusterio.api.names import link, rename, unlink
from glusterio.api.path_text import text_of
from glusterio.api.resolve import named, walk, walk_to_entry
from glusterio.api.standpoint import At
from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.types import StrPath

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: Do not replace what the new name means: Linux include/uapi/linux/fs.h.
RENAME_NOREPLACE = 1


async def renameat2(
    core: Core, frame: Frame, source: StrPath | At, target: StrPath | At, flags: int
) -> None:
    """Move a name, unless the new one is taken.

    A file gets its new name by LINK, which no brick does where something is, and loses its old one
    then: for a moment, and after a failure in between, it has both. For a directory it is looked first,
    and what another makes there between that and the RENAME is replaced, if it is an empty directory.

    Raises:
        FileExistsError: the new name is taken.
        OSError: EINVAL: another flag than ``RENAME_NOREPLACE``; or what ``os.rename`` would raise.
    """
    old, new = text_of(source), text_of(target)
    if flags & ~RENAME_NOREPLACE:
        raise fs_error(errno.EINVAL, old, new)
    if not flags:
        return await rename(core, frame, source, target)
    found = await named(walk(core, frame, _bare(source), follow=False), old, new)
    if stat_module.S_ISDIR(found.mode):
        place = await named(walk_to_entry(core, frame, target), old, new)
        if place.stat is not None:
            raise fs_error(errno.EEXIST, old, new)
        return await rename(core, frame, source, target)
    if old.endswith("/") or new.endswith("/"):
        raise fs_error(errno.ENOTDIR, old, new)
    await link(core, frame, source, target, False)
    await named(unlink(core, frame, source), old, new)


def _bare(path: StrPath | At) -> StrPath | At:
    """Return a path as a name and not as what is behind it: a link is not followed for its slash."""
    text = text_of(path).rstrip("/") or "/"
    return At(text, path.directory) if isinstance(path, At) else text
