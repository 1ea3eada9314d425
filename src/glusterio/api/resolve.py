"""From a path to a place in the volume.

A path is walked from the root, one LOOKUP a component. A directory's name that was looked up within
the last second is not looked up again (the inode table's entry time-out, as in a FUSE mount); the last
component always is, so what it tells of the file is fresh. When a remembered directory turns out to be
wrong, the walk starts anew and remembers nothing.

Symbolic links are followed here, in the client, as libgfapi does (api/src/glfs-resolve.c).
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING, NamedTuple

from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.types import NULL_GFID, ROOT_GFID, Gfid, StrPath
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.names import LookupRequest, ReadlinkRequest
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How many symbolic links one path may lead through (Linux: MAXSYMLINKS).
MAX_LINKS = 40

#: The longest name and the longest path, in bytes, as on every brick's file system.
NAME_MAX = 255
PATH_MAX = 4096

_WRONG_MEMORY = frozenset({errno.ENOENT, errno.ESTALE, errno.ENOTDIR})


class Place(NamedTuple):
    """Where a path leads.

    Attributes:
        parent: the gfid of the directory that holds the last name; all zero for the root itself.
        name: the last name, after following links; empty for the root, and for paths that end in
            ``..``.
        stat: what is there, or ``None`` when the name does not exist.
    """

    parent: Gfid
    name: str
    stat: Iatt | None


def text_of(path: StrPath) -> str:
    """Return a path as text.

    Raises:
        TypeError: not a path.
        ValueError: it holds a null character.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is str or os.PathLike[str], not {type(text).__name__}")
    if "\0" in text:
        raise ValueError("embedded null character in path")
    return text


async def lookup(
    core: Core, frame: Frame, parent: Gfid, name: str, xdata: Dict | None = None
) -> Iatt:
    """Look one name up. Raises OSError without a path."""
    reply = await core.top.lookup(frame, LookupRequest(NULL_GFID, parent, 0, name, xdata))
    return reply.stat


async def stat_of(core: Core, frame: Frame, gfid: Gfid) -> Iatt:
    """Get the attributes of a known gfid. Raises OSError without a path."""
    return (await core.top.lookup(frame, LookupRequest(gfid))).stat


async def walk(
    core: Core, frame: Frame, path: StrPath, *, follow: bool, must_exist: bool = False
) -> Place:
    """Walk a path.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the path, relative to the volume's root.
        follow: whether a symbolic link at the end is followed.
        must_exist: whether it is an error when the last name does not exist.

    Raises:
        FileNotFoundError: a directory on the way, or with ``must_exist`` the end, does not exist.
        NotADirectoryError: something on the way is no directory.
        OSError: ``ELOOP``, ``ENAMETOOLONG``, or what the brick says. With the path in it.
    """
    text = text_of(path)
    try:
        try:
            place = await _Walk(core, frame, follow, remember=True).to(text)
        except OSError as error:
            if error.errno not in _WRONG_MEMORY:
                raise
            place = await _Walk(core, frame, follow, remember=False).to(text)
    except OSError as error:
        if error.errno is None or error.filename is not None or isinstance(error, ConnectionError):
            raise
        raise fs_error(error.errno, text) from None
    if must_exist and place.stat is None:
        raise fs_error(errno.ENOENT, text)
    return place


class _Walk:
    """One walk along a path."""

    def __init__(self, core: Core, frame: Frame, follow: bool, remember: bool) -> None:
        self._core = core
        self._frame = frame
        self._follow = follow
        self._remember = remember
        self._links = 0
        self._way: list[Gfid] = [ROOT_GFID]

    async def to(self, path: str) -> Place:
        if not path:
            raise fs_error(errno.ENOENT)
        if len(path) > PATH_MAX // 4 and len(os.fsencode(path)) >= PATH_MAX:
            raise fs_error(errno.ENAMETOOLONG)
        must_be_directory = path.endswith(("/", "/."))
        names = _split(path)
        while names:
            name = names.pop()
            if name == "..":
                if len(self._way) > 1:
                    self._way.pop()
                continue
            if not names:
                place = await self._last(name, must_be_directory)
                if isinstance(place, Place):
                    return place
                names = place
            else:
                names += await self._through(name)
        stat = await stat_of(self._core, self._frame, self._way[-1])
        return Place(NULL_GFID, "", stat)

    async def _through(self, name: str) -> list[str]:
        """Go through a directory; return the names to walk next when it is a symbolic link."""
        core, parent = self._core, self._way[-1]
        if self._remember:
            known = core.inodes.lookup(parent, name, core.now())
            if known is not None:
                self._way.append(known.gfid)
                return []
        since = core.inodes.mark()
        stat = await lookup(core, self._frame, parent, name)
        if stat_module.S_ISLNK(stat.mode):
            return await self._follow_link(stat.gfid)
        if not stat_module.S_ISDIR(stat.mode):
            raise fs_error(errno.ENOTDIR)
        core.inodes.link(parent, name, stat.gfid, core.now(), stat_module.S_IFDIR, since)
        self._way.append(stat.gfid)
        return []

    async def _last(self, name: str, must_be_directory: bool) -> Place | list[str]:
        """Look the last name up; return the names to walk next when it is a link to follow."""
        parent = self._way[-1]
        if len(name) > NAME_MAX // 4 and len(os.fsencode(name)) > NAME_MAX:
            raise fs_error(errno.ENAMETOOLONG)
        inodes = self._core.inodes
        since = inodes.mark()
        try:
            stat = await lookup(self._core, self._frame, parent, name)
        except FileNotFoundError:
            return Place(parent, name, None)
        if stat_module.S_ISLNK(stat.mode) and (self._follow or must_be_directory):
            return await self._follow_link(stat.gfid)
        if must_be_directory and not stat_module.S_ISDIR(stat.mode):
            raise fs_error(errno.ENOTDIR)
        if stat_module.S_ISDIR(stat.mode):
            inodes.link(parent, name, stat.gfid, self._core.now(), stat_module.S_IFDIR, since)
        return Place(parent, name, stat)

    async def _follow_link(self, gfid: Gfid) -> list[str]:
        self._links += 1
        if self._links > MAX_LINKS:
            raise fs_error(errno.ELOOP)
        reply = await self._core.top.readlink(self._frame, ReadlinkRequest(gfid, PATH_MAX))
        if reply.target.startswith("/"):
            del self._way[1:]
        return _split(reply.target)


def _split(path: str) -> list[str]:
    """Return a path's names in reverse, the first to walk at the end."""
    return [name for name in reversed(path.split("/")) if name and name != "."]
