"""Operations on names: making, moving and removing them."""

from __future__ import annotations

import errno
import os
import stat as stat_module
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from glusterio.api.attributes import exists, probe
from glusterio.api.handles import gfid_request
from glusterio.api.path_text import PATH_MAX, own_text, text_of, too_long
from glusterio.api.path_walk import Place, stat_of
from glusterio.api.resolve import (
    looking_again,
    named,
    walk,
    walk_to_entries,
    walk_to_entry,
    walk_to_name,
)
from glusterio.api.standpoint import At, Step, directory_moved
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.traps import Coro
from glusterio.types import StrPath
from glusterio.wire.fops.attributes import AccessRequest
from glusterio.wire.fops.names import (
    LinkRequest,
    MkdirRequest,
    MknodRequest,
    ReadlinkRequest,
    RenameRequest,
    RmdirRequest,
    SymlinkRequest,
    UnlinkRequest,
)
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

T = TypeVar("T")


async def mkdir(core: Core, frame: Frame, path: StrPath | At, mode: int, umask: int) -> Iatt:
    """Make a directory; return its attributes."""
    text = text_of(path)
    place = await walk_to_entry(core, frame, path)
    if place.stat is not None or not place.name:
        raise fs_error(errno.EEXIST, text)
    request = MkdirRequest(place.parent, mode & 0o1777, umask, place.name, gfid_request())
    made = await named(core.top.mkdir(frame, request), text)
    core.inodes.link(place.parent, place.name, made.stat.gfid, core.now(), stat_module.S_IFDIR)
    core.links_are_counted |= made.stat.nlink > 1
    return made.stat


async def makedirs(
    core: Core, frame: Frame, path: StrPath, mode: int, exist_ok: bool, umask: int
) -> None:
    """Make a directory, and those on the way that are missing, which get the default mode."""
    text = own_text(core, path)
    head, tail = os.path.split(text)
    if not tail:
        head, tail = os.path.split(head)
    if head and tail and not await exists(core, frame, head, True):
        try:
            await makedirs(core, frame, head, 0o777, exist_ok, umask)
        except FileExistsError:
            pass  # somebody else has made it meanwhile
        if tail == ".":  # "new/newer/." exists as soon as "new/newer" does
            return
    try:
        await mkdir(core, frame, text, mode, umask)
    except OSError:
        # What speaks against making it matters less than whether it is there.
        found = await probe(core, frame, text, True) if exist_ok else None
        if found is None or not stat_module.S_ISDIR(found.mode):
            raise


#: The kinds of file that MKNOD makes; Linux refuses a directory with EPERM, and others with EINVAL.
_MADE_BY_MKNOD = frozenset(
    {0, stat_module.S_IFREG, stat_module.S_IFCHR, stat_module.S_IFBLK, stat_module.S_IFIFO,
     stat_module.S_IFSOCK}
)  # fmt: skip


_DEVICES = (stat_module.S_IFCHR, stat_module.S_IFBLK)


async def mknod(
    core: Core, frame: Frame, path: StrPath | At, mode: int, device: int, umask: int
) -> Iatt:
    """Make a file, a named pipe, a socket's name or a device node.

    Args:
        core: the session.
        frame: the operation's frame.
        path: where.
        mode: the kind of file and its permission bits.
        device: as ``os.makedev`` gives it, for a device node.
        umask: what is taken from the permission bits.

    Returns:
        Its attributes.
    """
    text = text_of(path)
    kind = stat_module.S_IFMT(mode)
    if kind not in _MADE_BY_MKNOD:
        raise fs_error(errno.EPERM if kind == stat_module.S_IFDIR else errno.EINVAL, text)
    place = await walk_to_entry(core, frame, path)
    if place.stat is not None or not place.name:
        raise fs_error(errno.EEXIST, text)
    if place.slash:
        raise fs_error(errno.ENOENT, text)
    if (
        kind in _DEVICES
        and core.user(frame).uid
        and not (kind == stat_module.S_IFCHR and not device)
    ):
        # A kernel sees to that before it asks a file system; device 0 is what overlays use.
        await named(core.top.access(frame, AccessRequest(place.parent, os.W_OK | os.X_OK)), text)
        raise fs_error(errno.EPERM, text)
    mode = (kind or stat_module.S_IFREG) | mode & 0o7777
    request = MknodRequest(place.parent, device, mode, umask, place.name, gfid_request())
    return (await named(core.top.mknod(frame, request), text)).stat


@looking_again
async def link(
    core: Core, frame: Frame, src: StrPath | At, dst: StrPath | At, follow: bool
) -> None:
    """Give a file another name (Linux: fs/namei.c, ``do_linkat``)."""
    old, new = text_of(src), text_of(dst)
    found = await named(walk(core, frame, src, follow=follow), old, new)
    place = await named(walk_to_entry(core, frame, dst), old, new)
    if place.stat is not None or not place.name:
        raise fs_error(errno.EEXIST, old, new)
    if place.slash:
        raise fs_error(errno.ENOENT, old, new)
    if stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.EPERM, old, new)
    request = LinkRequest(found.gfid, place.parent, place.name)
    await named(core.top.link(frame, request), old, new)


async def symlink(core: Core, frame: Frame, target: StrPath, path: StrPath | At) -> Iatt:
    """Make a symbolic link to ``target``, which is stored as it is; return its attributes."""
    value, text = text_of(target), text_of(path)
    if not value:
        raise fs_error(errno.ENOENT, value, text)
    if too_long(value, PATH_MAX - 1):
        raise fs_error(errno.ENAMETOOLONG, value, text)
    place = await named(walk_to_entry(core, frame, path), value, text)
    if place.stat is not None or not place.name:
        raise fs_error(errno.EEXIST, value, text)
    if place.slash:
        raise fs_error(errno.ENOENT, value, text)
    request = SymlinkRequest(place.parent, place.name, 0, value, gfid_request())
    return (await named(core.top.symlink(frame, request), value, text)).stat


@looking_again
async def readlink(core: Core, frame: Frame, path: StrPath | At) -> str:
    """Return a symbolic link's target."""
    text = text_of(path)
    found = await walk(core, frame, path, follow=False)
    if not stat_module.S_ISLNK(found.mode):
        raise fs_error(errno.EINVAL, text)
    return (
        await named(core.top.readlink(frame, ReadlinkRequest(found.gfid, PATH_MAX)), text)
    ).target


async def unlink(core: Core, frame: Frame, path: StrPath | At) -> None:
    """Remove a file's name.

    Nobody looks first what it is: the brick says as well that it is not there, or a directory. Only a
    directory with a link count of 1 must never be tried on a brick: it would lose its handle, which
    goes before the name does (posix-entry-ops.c, ``posix_unlink_gfid_handle_and_entry``). There is none
    where directories have two links and more, as long as one does not hold 65,000 others.
    """
    text = text_of(path)
    if core.links_are_counted and not text.endswith("/"):
        try:
            return await walk_to_name(core, frame, path, partial(_unlink, core, frame))
        except PermissionError:
            pass  # which of two it is depends on what is there
        except FileNotFoundError:
            # GlusterFS's UNLINK says so, too, where the user may not look names up.
            if not core.user(frame).uid:
                raise
    place = await walk_to_entry(core, frame, path)
    if not place.name or place.is_directory:
        raise fs_error(errno.EISDIR, text)
    if place.stat is None:
        raise fs_error(errno.ENOENT, text)
    if place.slash:
        raise fs_error(errno.ENOTDIR, text)
    await named(_removing(core, frame, _unlink(core, frame, place), place), text)


async def _unlink(core: Core, frame: Frame, place: Place) -> None:
    if not place.name:
        raise fs_error(errno.EISDIR)
    await core.top.unlink(frame, UnlinkRequest(place.parent, place.name))
    core.inodes.unlink(place.parent, place.name)


async def _removing(core: Core, frame: Frame, fop: Coro[T], place: Place) -> T:
    """Await a fop that takes a name out of a directory.

    Where the directory's sticky bit speaks against it, a brick says EACCES (posix-acl.c,
    ``sticky_permits``), and a kernel EPERM.
    """
    try:
        return await fop
    except PermissionError as error:
        if error.errno == errno.EACCES and place.stat is not None:
            parent = await stat_of(core, frame, place.parent)
            owners = (parent.uid, place.stat.uid)
            if parent.mode & stat_module.S_ISVTX and core.user(frame).uid not in owners:
                raise fs_error(errno.EPERM) from None
        raise


#: What Linux says to removing a path that ends so.
_NOT_REMOVED = {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY}


async def rmdir(core: Core, frame: Frame, path: StrPath | At) -> None:
    """Remove an empty directory."""
    text = text_of(path)
    place = await walk_to_entry(core, frame, path)
    if not place.name:
        raise fs_error(_NOT_REMOVED[place.dots], text)
    if place.stat is None:
        raise fs_error(errno.ENOENT, text)
    if not place.is_directory:
        raise fs_error(errno.ENOTDIR, text)
    request = RmdirRequest(place.parent, 0, place.name)
    await named(_removing(core, frame, core.top.rmdir(frame, request), place), text)
    core.inodes.unlink(place.parent, place.name)
    core.inodes.forget(place.stat.gfid)


async def removedirs(core: Core, frame: Frame, path: StrPath) -> None:
    """Remove an empty directory, and then those above it as long as they are empty."""
    text = own_text(core, path)
    await rmdir(core, frame, text)
    head, tail = os.path.split(text)
    if not tail:
        head, tail = os.path.split(head)
    while head and tail:
        try:
            await rmdir(core, frame, head)
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            return
        head, tail = os.path.split(head)


async def renames(core: Core, frame: Frame, old: StrPath, new: StrPath, umask: int) -> None:
    """Rename, with directories made before and those that became empty removed afterwards."""
    source, target = own_text(core, old), own_text(core, new)
    head, tail = os.path.split(target)
    if head and tail and not await exists(core, frame, head, True):
        await makedirs(core, frame, head, 0o777, False, umask)
    await rename(core, frame, source, target)
    head, tail = os.path.split(source)
    if head and tail:
        try:
            await removedirs(core, frame, head)
        except OSError as error:
            if isinstance(error, GlusterError):
                raise


async def rename(core: Core, frame: Frame, source: StrPath | At, target: StrPath | At) -> None:
    """Move a name, replacing what the new name meant."""
    old, new = text_of(source), text_of(target)
    await named(_rename(core, frame, source, target), old, new)


async def _rename(core: Core, frame: Frame, old: StrPath | At, new: StrPath | At) -> None:
    src, dst = await walk_to_entries(core, frame, old, new, _both_have_names)
    if src.stat is None:
        raise fs_error(errno.ENOENT)
    _check_rename(src, src.stat, dst)
    if dst.stat is not None and src.stat.gfid == dst.stat.gfid:
        return  # two names of one file, or one and the same: POSIX says that nothing happens
    request = RenameRequest(src.parent, dst.parent, src.name, dst.name)
    await _removing(core, frame, core.top.rename(frame, request), src)
    core.inodes.rename(src.parent, src.name, dst.parent, dst.name, core.now())
    if src.is_directory:
        gfid = src.stat.gfid
        directory_moved(core, gfid, (*dst.way, Step(gfid, dst.name)))


def _both_have_names(src: Place, dst: Place) -> None:
    if not src.name or not dst.name:
        raise fs_error(errno.EBUSY)


def _check_rename(src: Place, what: Iatt, dst: Place) -> None:
    """Refuse what the kernel would, with its errors and in its order (fs/namei.c, do_renameat2)."""
    if not src.is_directory and (src.slash or dst.slash):
        raise fs_error(errno.ENOTDIR)
    if dst.is_below(what.gfid):
        raise fs_error(errno.EINVAL)
    if dst.stat is None:
        return
    if src.is_below(dst.stat.gfid):
        raise fs_error(errno.ENOTEMPTY)
    if src.is_directory and not dst.is_directory:
        raise fs_error(errno.ENOTDIR)
    if dst.is_directory and not src.is_directory:
        raise fs_error(errno.EISDIR)
