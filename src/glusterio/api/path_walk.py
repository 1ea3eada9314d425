"""One walk along a path, from directory to directory, as Linux walks (fs/namei.c).

Who starts a walk, and when it is done anew, is :mod:`glusterio.api.resolve`'s.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING, NamedTuple

from glusterio.api.path_text import NAME_MAX, PATH_MAX, own_text, too_long
from glusterio.api.standpoint import ROOT, At, Step, steps_from
from glusterio.api.straight import DOTS
from glusterio.errors import fs_error
from glusterio.graph.frame import Frame, Opening
from glusterio.types import NULL_GFID, Gfid, StrPath
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.names import LookupReply, LookupRequest, ReadlinkRequest
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How many symbolic links one path may lead through (Linux: MAXSYMLINKS).
MAX_LINKS = 40


class Place(NamedTuple):
    """Where a path leads.

    Attributes:
        parent: the gfid of the directory that holds the last name; all zero when there is no such name.
        name: the last name, after following links; empty for the root, and for paths that end in a dot.
        stat: what is there, or ``None`` when the name does not exist.
        slash: whether a slash follows the last name.
        dots: when there is no last name, what is there instead: ``.`` or ``..``, empty for the root.
        way: the directories on the way, from the root to ``parent``; to the place itself when it has
            no last name.
    """

    parent: Gfid
    name: str
    stat: Iatt | None
    slash: bool = False
    dots: str = ""
    way: tuple[Step, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way to the place itself, which is a directory that is there."""
        return (*self.way, Step(self.stat.gfid, self.name)) if self.name and self.stat else self.way

    def is_below(self, gfid: Gfid) -> bool:
        """Whether a directory is on the way."""
        return any(step.gfid == gfid for step in self.way)

    @property
    def is_directory(self) -> bool:
        """Whether there is something, and it is a directory."""
        return self.stat is not None and stat_module.S_ISDIR(self.stat.mode)


class Glance(NamedTuple):
    """What a usual path's last name is, found without a walk.

    Attributes:
        parent: the directory that it was looked up in.
        name: the name.
        reply: what was told; ``None`` when there is no such name.
    """

    parent: Gfid
    name: str
    reply: LookupReply | None


async def lookup(core: Core, frame: Frame, parent: Gfid, name: str) -> Iatt:
    """Look one name up. Raises OSError without a path."""
    return (await core.top.lookup(frame, LookupRequest(NULL_GFID, parent, 0, name))).stat


async def stat_of(core: Core, frame: Frame, gfid: Gfid) -> Iatt:
    """Get the attributes of a known gfid. Raises OSError without a path."""
    return (await core.top.lookup(frame, LookupRequest(gfid))).stat


def note_directory(core: Core, parent: Gfid, name: str, stat: Iatt, since: int) -> None:
    """Remember a directory that was looked up, for walks that follow."""
    core.inodes.link(parent, name, stat.gfid, core.now(), stat_module.S_IFDIR, since)
    core.links_are_counted |= stat.nlink > 1


class Walk:
    """One walk along a path.

    Attributes:
        asked: what a brick is asked for when the last name is looked up, besides what it is.
        answer: what came of that.
        to_read: whether what has the last name is to be opened and read.
        remember: whether a directory's name that is known is not looked up.
    """

    def __init__(
        self, core: Core, frame: Frame, remember: bool = True, glance: Glance | None = None
    ) -> None:
        self.asked: Dict | None = None
        self.answer: Dict = {}
        self.to_read = False
        self._core = core
        self._frame = frame
        self.remember = remember and (frame.identity is None or core.is_own(frame))
        self._glance = glance
        self._memory = [False]  # shared by the walks of one operation
        self._links = 0
        self._way: list[Step] = []
        self._names: list[str] = []  # still to walk, the next one last

    def another(self) -> Walk:
        """Return a further walk for the same operation."""
        walk = Walk(self._core, self._frame, self.remember)
        walk._memory = self._memory
        return walk

    @property
    def relied_on_memory(self) -> bool:
        """Whether a directory's name was not looked up, since it was known."""
        return self._memory[0]

    # -- the three kinds --------------------------------------------------------------------------

    async def to(self, path: StrPath | At, follow: bool) -> Place:
        """To a file; its attributes are ``None`` when the last name does not exist."""
        place = await self.to_parent(path)
        must_be_directory = place.slash
        while place.name:
            place = await self.look(place)
            stat = place.stat
            if stat is None:
                return place
            if not (stat_module.S_ISLNK(stat.mode) and (follow or must_be_directory)):
                if must_be_directory and not stat_module.S_ISDIR(stat.mode):
                    raise fs_error(errno.ENOTDIR)
                return place
            place = await self._through_link(stat.gfid)
            must_be_directory |= place.slash
        return await self._at_dots(place)

    async def to_open(self, path: StrPath | At, flags: int) -> Place:
        """To a file to be opened."""
        making = flags & os.O_CREAT
        exclusive = making and flags & os.O_EXCL
        follow = not (exclusive or flags & os.O_NOFOLLOW)
        must_be_directory = bool(flags & os.O_DIRECTORY)
        place = await self.to_parent(path)
        look = self.look_for_change if exclusive else self.look
        while place.name:
            if place.slash and making:
                raise fs_error(errno.EISDIR)
            follow |= place.slash
            must_be_directory |= place.slash
            place = await look(place)
            if place.stat is None:
                return place
            if not (follow and stat_module.S_ISLNK(place.stat.mode)):
                break
            place = await self._through_link(place.stat.gfid)
        else:
            place = await self._at_dots(place)
        assert place.stat is not None
        if exclusive:
            raise fs_error(errno.EEXIST)
        if making and place.is_directory:
            raise fs_error(errno.EISDIR)
        if must_be_directory and not place.is_directory:
            raise fs_error(errno.ENOTDIR)
        if stat_module.S_ISLNK(place.stat.mode):
            raise fs_error(errno.ELOOP)
        if place.is_directory and flags & (os.O_ACCMODE | os.O_TRUNC):
            raise fs_error(errno.EISDIR)
        return place

    async def to_parent(self, path: StrPath | At) -> Place:
        """To the directory of the last name, which is not looked up yet."""
        text = own_text(self._core, path)
        if not text:
            raise fs_error(errno.ENOENT)
        if too_long(text, PATH_MAX - 1):
            raise fs_error(errno.ENAMETOOLONG)
        if text.startswith("/"):
            self._way = [ROOT]
        else:
            directory = path.directory if isinstance(path, At) else None
            self._way = list(steps_from(self._core, directory))
        return await self._along(text)

    async def _along(self, text: str) -> Place:
        self._names += _split(text)
        while len(self._names) > 1:
            name = self._names.pop()
            if name == "..":
                self._up()
            else:
                await self._through(name)
        last = self._names.pop() if self._names else ""
        if last in DOTS:
            return Place(NULL_GFID, "", None, dots=last, way=tuple(self._way))
        return Place(self._way[-1].gfid, last, None, text.endswith("/"), "", tuple(self._way))

    # -- steps ------------------------------------------------------------------------------------

    async def look(self, place: Place) -> Place:
        """Look the last name up."""
        if not place.name:
            return place
        opening = Opening(place.parent, place.name) if self.to_read else None
        self._frame.opening = opening
        try:
            stat = await self._lookup(place.parent, place.name, self.asked)
        except FileNotFoundError:
            return place
        if opening is not None and not stat_module.S_ISREG(stat.mode):
            self._frame.opening = None
        return Place(place.parent, place.name, stat, place.slash, "", place.way)

    async def look_for_change(self, place: Place) -> Place:
        """Look a name up that is to be made or removed: a brick is asked, whatever is kept of it."""
        frame = self._frame
        kept, frame.kept = frame.kept, None
        try:
            return await self.look(place)
        finally:
            frame.kept = kept

    async def _lookup(self, parent: Gfid, name: str, asked: Dict | None = None) -> Iatt:
        core = self._core
        if too_long(name, NAME_MAX):
            raise fs_error(errno.ENAMETOOLONG)
        glance, self._glance = self._glance, None
        if glance is not None and glance.reply is not None and glance[:2] == (parent, name):
            self.answer = glance.reply.xdata or {}
            return glance.reply.stat
        since = core.inodes.mark()
        request = LookupRequest(NULL_GFID, parent, 0, name, asked)
        reply = await core.top.lookup(self._frame, request)
        stat, self.answer = reply.stat, reply.xdata or {}
        if stat_module.S_ISDIR(stat.mode):
            note_directory(core, parent, name, stat, since)
        return stat

    async def _through(self, name: str) -> None:
        """Go into a directory, or on along a symbolic link."""
        parent = self._way[-1].gfid
        if self.remember:
            known = self._core.inodes.lookup(parent, name, self._core.now())
            if known is not None:
                self._memory[0] = True
                self._way.append(Step(known.gfid, name))
                return
        stat = await self._lookup(parent, name)
        if stat_module.S_ISLNK(stat.mode):
            target = await self._target(stat.gfid)
            if target.startswith("/"):
                self._way = [ROOT]
            self._names += [part for part in _split(target) if part != "."]
        elif stat_module.S_ISDIR(stat.mode):
            self._way.append(Step(stat.gfid, name))
        else:
            raise fs_error(errno.ENOTDIR)

    async def _through_link(self, gfid: Gfid) -> Place:
        """Go on along a symbolic link at the end."""
        target = await self._target(gfid)
        if not target:
            raise fs_error(errno.ENOENT)
        if target.startswith("/"):
            self._way = [ROOT]
        return await self._along(target)

    async def _target(self, gfid: Gfid) -> str:
        self._links += 1
        if self._links > MAX_LINKS:
            raise fs_error(errno.ELOOP)
        return (await self._core.top.readlink(self._frame, ReadlinkRequest(gfid, PATH_MAX))).target

    def _up(self) -> None:
        if len(self._way) > 1:
            self._way.pop()

    async def _at_dots(self, place: Place) -> Place:
        if place.dots == "..":
            self._up()
        stat = await stat_of(self._core, self._frame, self._way[-1].gfid)
        return place._replace(stat=stat, way=tuple(self._way))


def _split(path: str) -> list[str]:
    """Return a path's names in reverse, the first to walk last. A dot stays only at the end."""
    names = [name for name in path.split("/") if name]
    if "." not in names:
        names.reverse()
        return names
    last = len(names) - 1
    return [name for at, name in reversed(list(enumerate(names))) if name != "." or at == last]
