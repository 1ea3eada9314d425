"""The session's working directory, and what of ``os.path`` depends on it."""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING

from glusterio.api.path_text import check_own, own_text, spelled
from glusterio.api.resolve import looking_again, named, walk, walk_to_place
from glusterio.api.standpoint import At, Standpoint, of_handle
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.types import Gfid, StrPath
from glusterio.wire.fops.attributes import AccessRequest
from glusterio.wire.fops.names import ReadlinkRequest
from glusterio.wire.fops.xattrs import GetxattrRequest

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The virtual attribute of a directory that tells its path (GlusterFS: GET_ANCESTRY_PATH_KEY).
_ANCESTRY = "glusterfs.ancestry.path"

#: As in :mod:`glusterio.api.resolve`.
_PATH_MAX = 4096


@looking_again
async def chdir(core: Core, frame: Frame, path: StrPath | At) -> None:
    """Make a directory the one that relative paths begin at.

    Raises:
        NotADirectoryError: it is none.
        PermissionError: it may not be entered.
    """
    text = own_text(core, path)
    place = await walk_to_place(core, frame, path, follow=True)
    if not place.is_directory:
        raise fs_error(errno.ENOTDIR, text)
    assert place.stat is not None
    await named(core.top.access(frame, AccessRequest(place.stat.gfid, os.X_OK)), text)
    core.cwd = Standpoint(place.steps)


async def fchdir(core: Core, frame: Frame, handle: Handle) -> None:
    """Make an open directory the one that relative paths begin at."""
    standpoint = of_handle(handle)
    if standpoint is None:
        raise fs_error(errno.ENOTDIR)
    fd = handle.fd
    await fd.top.access(frame, AccessRequest(fd.gfid, os.X_OK))
    core.cwd = Standpoint(standpoint.steps)


async def getcwd(core: Core, frame: Frame) -> str:
    """Return the path of the working directory, as a brick tells it.

    From a brick that does not tell, it is the one that is remembered, if it still leads there.

    Raises:
        FileNotFoundError: the directory has been removed.
    """
    standpoint = core.cwd
    if len(standpoint.steps) == 1:
        return standpoint.path
    gfid = standpoint.gfid
    told = await told_path(core, frame, gfid)
    if told == standpoint.path:
        return told
    place = await walk_to_place(core, frame, told or standpoint.path, follow=False)
    if place.stat is None or place.stat.gfid != gfid:
        raise fs_error(errno.ENOENT)
    standpoint.steps = place.steps
    return standpoint.path


async def told_path(core: Core, frame: Frame, gfid: Gfid) -> str | None:
    """Ask a brick for a directory's path; ``None`` when it does not tell.

    Raises:
        FileNotFoundError: the directory has been removed.
    """
    try:
        request = GetxattrRequest(gfid, len(_ANCESTRY), _ANCESTRY)
        told = ((await core.top.getxattr(frame, request)).xattrs or {}).get(_ANCESTRY)
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        if error.errno in (errno.ENOENT, errno.ESTALE):
            raise fs_error(errno.ENOENT) from None
        return None
    if isinstance(told, bytes):
        told = os.fsdecode(told.rstrip(b"\0"))
    return told if isinstance(told, str) and told.startswith("/") else None


async def abspath(core: Core, frame: Frame, path: StrPath) -> str:
    """Return a path from the root, without dots, as ``os.path.abspath``; links are not looked at."""
    check_own(core, path)
    text = spelled(path)  # nobody is asked, so it may be a path that can be none
    if not text.startswith("/"):
        text = os.path.join(await getcwd(core, frame), text)
    return str(os.path.normpath(text))


async def relpath(core: Core, frame: Frame, path: StrPath, start: StrPath | None) -> str:
    """Return the way to a path from ``start``, by default from the working directory."""
    if not spelled(path):
        raise ValueError("no path specified")
    beginning = await abspath(core, frame, "." if start is None else start)
    return os.path.relpath(await abspath(core, frame, path), beginning)


async def realpath(core: Core, frame: Frame, path: StrPath, strict: bool) -> str:
    """Return where a path leads: from the root, without dots and symbolic links.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the path.
        strict: whether it has to exist; else what does not exist, or cannot be looked up, stays as
            it is written, and so does a link that leads to itself.

    Raises:
        OSError: with ``strict``: ENOENT, ELOOP, ENOTDIR ..., with the path that it concerns.
    """
    text = own_text(core, path)
    done = "/" if text.startswith("/") else await getcwd(core, frame)
    rest = [name for name in reversed(text.split("/")) if name and name != "."]
    # Where each link leads: None while it is being followed. Its path is put into `rest` behind what
    # it leads to, and marks the moment when it has been.
    leads: dict[str, str | None] = {}
    while rest:
        name = rest.pop()
        if name.startswith("/"):
            leads[name[1:]] = done
            continue
        if name == "..":
            done = os.path.dirname(done)
            continue
        here = os.path.join(done, name)
        if here in leads:
            known = leads[here]
            if known is not None:
                done = known
                continue
            if strict:
                await walk(core, frame, here, follow=True)  # raises ELOOP
            rest = [one for one in rest if not one.startswith("/")]
            done = os.path.join(here, *reversed(rest)) if rest else here
            return os.path.normpath(done)
        target = await _link_target(core, frame, here, strict)
        if target is None:
            done = here
            continue
        leads[here] = None
        rest.append(f"/{here}")
        if target.startswith("/"):
            done = "/"
        rest += [one for one in reversed(target.split("/")) if one and one != "."]
    return done


async def _link_target(core: Core, frame: Frame, path: str, strict: bool) -> str | None:
    """Return where a symbolic link points to; ``None`` when it is none, or nothing is known of it."""
    try:
        found = await walk(core, frame, path, follow=False)
        if not stat_module.S_ISLNK(found.mode):
            return None
        reply = await named(core.top.readlink(frame, ReadlinkRequest(found.gfid, _PATH_MAX)), path)
        return reply.target
    except OSError as error:
        if strict or isinstance(error, GlusterError):
            raise
        return None
