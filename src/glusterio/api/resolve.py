"""From a path to a place in the volume.

A path is walked from the root, or from the directory that it is relative to
(:mod:`glusterio.api.standpoint`), one LOOKUP a component. A directory's name that was looked up within
the last second is not looked up again (the inode table's entry time-out, as in a FUSE mount). The last
component always is; but where the volume has performance/md-cache that translator may answer, from
what a brick told within its time-out. When a remembered directory turns out to be wrong, the walk
starts anew and remembers nothing. What makes, moves or removes names has a brick asked for them.

Symbolic links are followed in the client (:mod:`glusterio.api.path_walk`), as libgfapi does
(api/src/glfs-resolve.c). What a path
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
from typing import TYPE_CHECKING, Any, TypeVar

from glusterio.api.path_text import NAME_MAX, spelled, text_of, too_long
from glusterio.api.path_walk import Glance, Place, Walk, note_directory
from glusterio.api.standpoint import At
from glusterio.api.straight import straight
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame, Opening
from glusterio.traps import Coro
from glusterio.types import NULL_GFID, ROOT_GFID, StrPath
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops.names import LookupRequest
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

T = TypeVar("T")

_WRONG_MEMORY = frozenset({errno.ENOENT, errno.ESTALE, errno.ENOTDIR})

#: How often it is looked again what a path leads to, while others replace it.
_TRIES = 20


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


async def _glance(
    core: Core, frame: Frame, path: StrPath | At, asked: Dict | None = None, to_read: bool = False
) -> Glance | None:
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
        return Glance(parent, name, None)
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        if error.errno in _WRONG_MEMORY:  # the walk finds it so, too, and looks anew
            return None
        raise _with_paths(error, spelled(path)) from None
    if stat_module.S_ISDIR(reply.stat.mode):
        note_directory(core, parent, name, reply.stat, since)
    return Glance(parent, name, reply)


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
    glance: Glance | None = None,
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

    async def attempt(walk: Walk) -> tuple[Iatt | None, Dict]:
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

    async def attempt(walk: Walk) -> Place:
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

    async def attempt(walk: Walk) -> T:
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

    async def attempt(walk: Walk) -> tuple[Place, Place]:
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
    glance: Glance | None = None
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

    async def attempt(walk: Walk) -> Place:
        walk.to_read = to_read
        return await walk.to_open(path, flags)

    place = await named(_walking(core, frame, attempt, glance), text)
    if place.stat is None and not flags & os.O_CREAT:
        raise fs_error(errno.ENOENT, text)
    return place


async def _walking(
    core: Core,
    frame: Frame,
    attempt: Callable[[Walk], Awaitable[T]],
    glance: Glance | None = None,
) -> T:
    """Walk; and walk again without memory when the memory may have been wrong.

    That the last name does not exist is no reason: a brick says of a directory that is gone itself
    that it is stale.
    """
    first = Walk(core, frame, glance=glance)
    try:
        return await attempt(first)
    except OSError as error:
        relied = first.relied_on_memory or frame.kept
        if error.errno not in _WRONG_MEMORY or not relied:
            raise
    frame.kept = None
    return await attempt(Walk(core, frame, remember=False))
