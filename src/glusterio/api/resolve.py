"""From a path to a place in the volume.

A path is walked from the root, or from the directory that it is relative to
(:mod:`glusterio.api.standpoint`), one LOOKUP a component. A directory's name that was looked up within
the last second is not looked up again (the inode table's entry time-out, as in a FUSE mount). The last
component always is; but where the volume has performance/md-cache that translator may answer, from
what a brick told within its time-out. When a remembered directory turns out to be wrong, the walk
starts anew and remembers nothing. What makes, moves or removes names has a brick asked for them.

Symbolic links are followed here, in the client, as libgfapi does (api/src/glfs-resolve.c). What a path
means, and which error it is, follows Linux (fs/namei.c), for each of its three kinds of walk:

* :func:`walk`: to a file, for ``stat`` and the like (``filename_lookup``);
* :func:`walk_to_entry`: to a directory and a name in it, for what makes or removes names: a link at
  the end is never followed, not even before a slash (``filename_parentat``);
* :func:`walk_to_open`: to a file to be opened or made (``open_last_lookups``).
"""

from __future__ import annotations

import errno
import functools
import os
import stat as stat_module
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from glusterio.api.standpoint import ROOT, At, Step, steps_from
from glusterio.api.straight import DOTS, straight
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame, Opening
from glusterio.traps import Coro
from glusterio.types import NULL_GFID, ROOT_GFID, Gfid, StrPath
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.names import LookupReply, LookupRequest, ReadlinkRequest
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

T = TypeVar("T")

#: How many symbolic links one path may lead through (Linux: MAXSYMLINKS).
MAX_LINKS = 40

#: The longest name and the longest path, in bytes, as on every brick's file system. The path's
#: limit counts a byte that ends it.
NAME_MAX = 255
PATH_MAX = 4096

_WRONG_MEMORY = frozenset({errno.ENOENT, errno.ESTALE, errno.ENOTDIR})

#: How often it is looked again what a path leads to, while others replace it.
_TRIES = 20


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


def text_of(path: StrPath | At) -> str:
    """Return a path as text, as it was given.

    Raises:
        TypeError: not a path.
        ValueError: it holds a null character.
    """
    text = spelled(path)
    if "\0" in text:
        raise ValueError("embedded null character in path")
    return text


def own_text(core: Core, path: StrPath | At) -> str:
    """Return a path as text that is used on this session's volume.

    Raises:
        TypeError: not a path.
        ValueError: it is on another volume; or it holds a null character.
    """
    check_own(core, path)
    return text_of(path)


def check_own(core: Core, path: StrPath | At) -> None:
    """Make sure that a path that knows its volume is on this session's.

    Raises:
        ValueError: it is on another.
    """
    is_on = None if type(path) is str else getattr(path, "is_on", None)
    if is_on is not None and not is_on(core):
        raise ValueError(f"{path!r} is on another volume")


def spelled(path: StrPath | At) -> str:
    """Return a path as text, as it was given, whatever that is.

    Raises:
        TypeError: not a path.
    """
    if type(path) is str:  # as most are; an open asks three times
        return path
    given = path.path if isinstance(path, At) else path
    text = given.__volume_path__() if hasattr(given, "__volume_path__") else os.fspath(given)
    if not isinstance(text, str):
        raise TypeError(f"a path is str or os.PathLike[str], not {type(text).__name__}")
    return text


def too_long(text: str, limit: int) -> bool:
    """Tell whether a name or path is longer than so many bytes."""
    return len(text) > limit // 4 and len(os.fsencode(text)) > limit


async def lookup(core: Core, frame: Frame, parent: Gfid, name: str) -> Iatt:
    """Look one name up. Raises OSError without a path."""
    return (await core.top.lookup(frame, LookupRequest(NULL_GFID, parent, 0, name))).stat


async def stat_of(core: Core, frame: Frame, gfid: Gfid) -> Iatt:
    """Get the attributes of a known gfid. Raises OSError without a path."""
    return (await core.top.lookup(frame, LookupRequest(gfid))).stat


def looking_again(op: Callable[..., Coro[T]]) -> Callable[..., Coro[T]]:
    """Make an operation on a path look again when what it has found there is not there any more.

    Somebody may have put a new file in the place of the one that is remembered, or that was looked up a
    moment ago, of which a brick then knows nothing; but at no time was there no file. So the operation
    is done once more, and bricks are asked. It must be one that changes nothing before it fails so.
    libgfapi does the same (api/src/glfs-fops.c, ``ESTALE_RETRY``), and so do kernels.
    """

    @functools.wraps(op)
    async def attempt(core: Core, frame: Frame, *arguments: Any) -> T:
        for _ in range(_TRIES):
            try:
                return await op(core, frame, *arguments)
            except OSError as error:
                if isinstance(error, GlusterError):
                    raise
                if not (_is_stale(error) or (error.errno in _WRONG_MEMORY and frame.kept)):
                    raise
            frame.kept = None
        return await op(core, frame, *arguments)

    return attempt


def _is_stale(error: OSError) -> bool:
    """Tell whether a brick said ESTALE, also where :func:`named` has made another word of it."""
    said = error.__context__ if error.__suppress_context__ else None
    return errno.ESTALE in (error.errno, getattr(said, "errno", None))


async def named(work: Awaitable[T], path: str, path2: str | None = None) -> T:
    """Await a fop, or a walk, and put the paths into its error.

    A directory that has been removed is stale to a brick, and has nothing in it to a kernel.
    """
    try:
        return await work
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        raise _with_paths(error, path, path2) from None


def _with_paths(error: OSError, path: str, path2: str | None = None) -> OSError:
    number = errno.ENOENT if error.errno == errno.ESTALE else error.errno
    return fs_error(number or errno.EIO, path, path2)


class _Glance(NamedTuple):
    """What a usual path's last name is, found without a walk.

    Attributes:
        parent: the directory that it was looked up in.
        name: the name.
        reply: what was told; ``None`` when there is no such name.
    """

    parent: Gfid
    name: str
    reply: LookupReply | None


async def _glance(
    core: Core, frame: Frame, path: StrPath | At, asked: Dict | None = None, to_read: bool = False
) -> _Glance | None:
    """Look a usual path's last name up; ``None`` when somebody has to walk.

    A walk that goes on from here, since there is a link, is given what was found, and does not look
    for that again.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the path.
        asked: what a brick is asked for besides what it is.
        to_read: whether it is to be opened and read.

    Raises:
        OSError: what the brick says, with the path.
    """
    usual = straight(core, path)
    if usual is None or (frame.identity is not None and not core.is_own(frame)):
        return None
    parent, name = usual
    if to_read:
        frame.opening = Opening(parent, name)
    since = core.inodes.mark()
    try:
        reply = await core.top.lookup(frame, LookupRequest(NULL_GFID, parent, 0, name, asked))
    except FileNotFoundError:
        return _Glance(parent, name, None)
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        if error.errno in _WRONG_MEMORY:  # the walk finds it so, too, and looks anew
            return None
        raise _with_paths(error, spelled(path)) from None
    if stat_module.S_ISDIR(reply.stat.mode):
        _note_directory(core, parent, name, reply.stat, since)
    return _Glance(parent, name, reply)


def _note_directory(core: Core, parent: Gfid, name: str, stat: Iatt, since: int) -> None:
    core.inodes.link(parent, name, stat.gfid, core.now(), stat_module.S_IFDIR, since)
    core.links_are_counted |= stat.nlink > 1


async def walk(core: Core, frame: Frame, path: StrPath | At, *, follow: bool) -> Iatt:
    """Walk to a file, and return what it is.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the path, relative to the working directory or to another one.
        follow: whether a symbolic link at the end is followed; before a slash it always is.

    Raises:
        FileNotFoundError: it, or a directory on the way, does not exist.
        NotADirectoryError: something on the way, or before a slash at the end, is no directory.
        OSError: ``ELOOP``, ``ENAMETOOLONG``, or what the brick says. With the path in it.
    """
    glance = await _glance(core, frame, path)
    if glance is not None:
        if glance.reply is None:
            raise fs_error(errno.ENOENT, spelled(path))
        stat = glance.reply.stat
        if not (follow and stat_module.S_ISLNK(stat.mode)):
            return stat
    found = (await walk_to_place(core, frame, path, follow=follow, glance=glance)).stat
    assert found is not None
    return found


async def walk_to_place(
    core: Core,
    frame: Frame,
    path: StrPath | At,
    *,
    follow: bool,
    glance: _Glance | None = None,
) -> Place:
    """Walk to a file, and return where it is, and what. Errors are as for :func:`walk`."""
    text = text_of(path)
    place = await named(_walking(core, frame, lambda walk: walk.to(path, follow), glance), text)
    if place.stat is None:
        raise fs_error(errno.ENOENT, text)
    return place


async def walk_asking(
    core: Core, frame: Frame, path: StrPath | At, asked: Dict
) -> tuple[Iatt, Dict]:
    """Walk to a file, following links, and have what ``asked`` names come along with what it is.

    Returns:
        The file's attributes, and what came of what was asked for. Errors are as for :func:`walk`.
    """
    text = text_of(path)
    glance = await _glance(core, frame, path, asked)
    if glance is not None:
        if glance.reply is None:
            raise fs_error(errno.ENOENT, text)
        if not stat_module.S_ISLNK(glance.reply.stat.mode):
            return glance.reply.stat, glance.reply.xdata or {}

    async def attempt(walk: _Walk) -> tuple[Iatt | None, Dict]:
        walk.asked = asked
        return (await walk.to(path, True)).stat, walk.answer

    found, answer = await named(_walking(core, frame, attempt, glance), text)
    if found is None:
        raise fs_error(errno.ENOENT, text)
    return found, answer


async def walk_the_way(core: Core, frame: Frame, directory: str) -> None:
    """Walk to a directory without looking at it, so that the way is known to walks that follow.

    Of a way that is known already a brick is not asked. Raises OSError without a path.
    """
    await _walking(core, frame, lambda walk: walk.to_parent(os.path.join(directory, ".")))


async def walk_to_entry(core: Core, frame: Frame, path: StrPath | At) -> Place:
    """Walk to a directory, and look the last name up in it. Errors are as for :func:`walk`."""
    text = text_of(path)

    async def attempt(walk: _Walk) -> Place:
        return await walk.look_for_change(await walk.to_parent(path))

    return await named(_walking(core, frame, attempt), text)


async def walk_to_name(
    core: Core, frame: Frame, path: StrPath | At, use: Callable[[Place], Awaitable[T]]
) -> T:
    """Walk to a directory, and use the last name in it, which is not looked up.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the path.
        use: does what is to be done there; once more when the directory was not what it was remembered
            to be.

    Returns:
        What ``use`` returned. Errors are as for :func:`walk`, and its own, with the path.
    """

    usual = straight(core, path)
    if usual is not None and (frame.identity is None or core.is_own(frame)):
        try:
            return await use(Place(usual[0], usual[1], None))
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            if error.errno not in _WRONG_MEMORY or (usual[0] == ROOT_GFID and not frame.kept):
                raise _with_paths(error, spelled(path)) from None
        frame.kept = None

    async def attempt(walk: _Walk) -> T:
        walk.remember &= usual is None
        place = await walk.to_parent(path)
        if too_long(place.name, NAME_MAX):
            raise fs_error(errno.ENAMETOOLONG)
        return await use(place)

    return await named(_walking(core, frame, attempt), text_of(path))


async def walk_to_entries(
    core: Core,
    frame: Frame,
    old: StrPath | At,
    new: StrPath | At,
    check: Callable[[Place, Place], None],
) -> tuple[Place, Place]:
    """Walk to two directories, and then look both last names up; the second only if the first is there.

    Raises OSError without a path.

    Args:
        core: the session.
        frame: the operation's frame.
        old: the one path.
        new: the other path.
        check: called with both places before the names are looked up; raises what speaks against it.
    """

    async def attempt(walk: _Walk) -> tuple[Place, Place]:
        second = walk.another()
        source, target = await walk.to_parent(old), await second.to_parent(new)
        check(source, target)
        source = await walk.look_for_change(source)
        if source.stat is None:
            return source, target
        return source, await second.look_for_change(target)

    return await _walking(core, frame, attempt)


async def walk_to_open(
    core: Core, frame: Frame, path: StrPath | At, flags: int, *, to_read: bool = False
) -> Place:
    """Walk to a file that is to be opened with these flags, and check them against what is there.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the path, relative to the working directory or to another one.
        flags: those of ``open``.
        to_read: the file is opened to be read, and nothing else; from the LOOKUP of a regular file on
            ``frame.opening`` says so.

    Returns:
        The place; when nothing is there it is to be made.

    Raises:
        OSError: what ``open`` would raise, with the path.
    """
    text = text_of(path)
    glance: _Glance | None = None
    if not (flags & os.O_CREAT and flags & os.O_EXCL):
        glance = await _glance(core, frame, path, None, to_read)
    if glance is not None:
        if glance.reply is None:
            if flags & os.O_CREAT:
                return Place(glance.parent, glance.name, None)
            raise fs_error(errno.ENOENT, text)
        stat = glance.reply.stat
        if stat_module.S_ISREG(stat.mode) and not flags & os.O_DIRECTORY:
            return Place(glance.parent, glance.name, stat)

    async def attempt(walk: _Walk) -> Place:
        walk.to_read = to_read
        return await walk.to_open(path, flags)

    place = await named(_walking(core, frame, attempt, glance), text)
    if place.stat is None and not flags & os.O_CREAT:
        raise fs_error(errno.ENOENT, text)
    return place


async def _walking(
    core: Core,
    frame: Frame,
    attempt: Callable[[_Walk], Awaitable[T]],
    glance: _Glance | None = None,
) -> T:
    """Walk; and walk again without memory when the memory may have been wrong.

    That the last name does not exist is no reason: a brick says of a directory that is gone itself
    that it is stale.
    """
    first = _Walk(core, frame, glance=glance)
    try:
        return await attempt(first)
    except OSError as error:
        relied = first.relied_on_memory or frame.kept
        if error.errno not in _WRONG_MEMORY or not relied:
            raise
    frame.kept = None
    return await attempt(_Walk(core, frame, remember=False))


class _Walk:
    """One walk along a path.

    Attributes:
        relied_on_memory: whether a directory's name was not looked up, since it was known.
        asked: what a brick is asked for when the last name is looked up, besides what it is.
        answer: what came of that.
        to_read: whether what has the last name is to be opened and read.
        remember: whether a directory's name that is known is not looked up.
    """

    def __init__(
        self, core: Core, frame: Frame, remember: bool = True, glance: _Glance | None = None
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

    def another(self) -> _Walk:
        """Return a further walk for the same operation."""
        walk = _Walk(self._core, self._frame, self.remember)
        walk._memory = self._memory
        return walk

    @property
    def relied_on_memory(self) -> bool:
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
            _note_directory(core, parent, name, stat, since)
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
