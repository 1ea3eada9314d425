"""Whole directories, by what they are and not by what their names mean: for operations on trees.

A tree is walked from a directory to what its listing brought: the gfids of its entries. Nobody who
renames or replaces something meanwhile, by a symbolic link for instance, leads such a walk elsewhere.
"""

from __future__ import annotations

import errno
import stat as stat_module
from typing import TYPE_CHECKING, NamedTuple

from glusterio.api.closing import Opened
from glusterio.api.directory import Cursor, read_directory
from glusterio.api.handles import open_found
from glusterio.api.path_text import text_of
from glusterio.api.path_walk import lookup
from glusterio.api.resolve import looking_again, named, walk
from glusterio.api.standpoint import At
from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.types import NULL_GFID, Gfid, StrPath
from glusterio.wire.iatt import ZERO_IATT, Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: What a brick says of something that another has removed at the same time.
GONE = frozenset({errno.ENOENT, errno.ESTALE})

#: Attributes that say no more than "a directory"; the gfid is filled in.
_A_DIRECTORY = ZERO_IATT._replace(mode=stat_module.S_IFDIR)


class Found(NamedTuple):
    """What a listing found: a name and what has it: a link is itself, not where it leads."""

    name: str
    stat: Iatt

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat_module.S_ISDIR(self.stat.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat_module.S_ISLNK(self.stat.mode)


async def open_by_gfid(core: Core, frame: Frame, path: str, gfid: Gfid, opened_at: str) -> Handle:
    """Open the directory that has this gfid. Errors are named by ``path``."""
    return await open_found(core, frame, path, _A_DIRECTORY._replace(gfid=gfid), 0, opened_at)


async def read_all(core: Core, frame: Frame, handle: Handle) -> list[Found]:
    """Read an open directory to its end. Errors are named by the path that it was opened by."""
    found: list[Found] = []
    cursor = Cursor(handle.path)
    while not cursor.is_last:
        batch = await named(read_directory(core, frame, handle, cursor.offset), handle.path)
        listing = cursor.follow(batch)
        for name, stat in zip(listing.names, map(listing.stat, listing.places), strict=True):
            if stat.gfid == NULL_GFID or not stat.mode:  # a brick may leave the attributes out
                try:
                    stat = await lookup(core, frame, handle.fd.gfid, name)
                except OSError as error:
                    if error.errno not in GONE:
                        raise
                    continue
            found.append(Found(name, stat))
    return found


async def list_by_gfid(
    core: Core, frame: Frame, path: str, gfid: Gfid, opened_at: str
) -> list[Found]:
    """List the directory that has this gfid. Errors are named by ``path``."""
    handle = await open_by_gfid(core, frame, path, gfid, opened_at)
    async with Opened(core, frame, handle):
        return await read_all(core, frame, handle)


@looking_again
async def list_path(core: Core, frame: Frame, path: StrPath | At, opened_at: str) -> list[Found]:
    """List the directory that a path leads to.

    Raises:
        OSError: what ``os.scandir`` would raise, with the path.
    """
    text = text_of(path)
    found = await walk(core, frame, path, follow=True)
    if not stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.ENOTDIR, text)
    return await list_by_gfid(core, frame, text, found.gfid, opened_at)
