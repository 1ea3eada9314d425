"""walk: one directory after another, sorted into what can be gone into and what cannot."""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING

from glusterio.api.in_flight import in_order
from glusterio.api.listing import Found, list_by_gfid, read_all
from glusterio.api.path_text import own_text
from glusterio.api.resolve import looking_again, walk
from glusterio.api.standpoint import At
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.types import StrPath

if TYPE_CHECKING:
    from glusterio.api.core import Core


@looking_again
async def scan(
    core: Core, frame: Frame, path: StrPath, follow: bool, opened_at: str
) -> tuple[list[str], list[str], set[str]] | None:
    """List a directory as ``os.walk`` does.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the directory.
        follow: whether it may be a symbolic link to one.
        opened_at: where in the application this is.

    Returns:
        The names of its subdirectories and of links to directories, then the other names, then which
        of the first are links. ``None`` for a link that is not to be followed.

    Raises:
        OSError: what ``os.scandir`` would raise, with the path.
    """
    text = own_text(core, path)
    found = await walk(core, frame, text, follow=follow)
    if stat_module.S_ISLNK(found.mode):
        return None
    if not stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.ENOTDIR, text)
    listed = await list_by_gfid(core, frame, text, found.gfid, opened_at)
    return await _sorted_out(core, frame, listed, text, None)


async def scan_open(
    core: Core, frame: Frame, handle: Handle
) -> tuple[list[str], list[str], set[str]]:
    """List an open directory, as :func:`scan` does."""
    listed = await read_all(core, frame, handle)
    return await _sorted_out(core, frame, listed, "", handle)


async def _sorted_out(
    core: Core, frame: Frame, listed: list[Found], path: str, directory: Handle | None
) -> tuple[list[str], list[str], set[str]]:
    links = [one.name for one in listed if one.is_link]
    paths = [At(os.path.join(path, name), directory) for name in links]
    leads = await leads_to_directory(core, frame, paths)
    to_directories = {name for name, leads_there in zip(links, leads, strict=True) if leads_there}
    directories: list[str] = []
    others: list[str] = []
    for one in listed:
        into = one.is_directory or one.name in to_directories
        (directories if into else others).append(one.name)
    return directories, others, to_directories


async def leads_to_directory(core: Core, frame: Frame, paths: list[At]) -> list[bool]:
    """Tell of paths, in their order, whether each leads to a directory."""

    async def one(core: Core, frame: Frame, path: At) -> bool:
        try:
            return stat_module.S_ISDIR((await walk(core, frame, path, follow=True)).mode)
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            return False

    return await in_order(core, frame, one, paths)
