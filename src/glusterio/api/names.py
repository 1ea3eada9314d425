"""Operations on names and attributes: what ``os`` does with paths."""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING

from glusterio.api.handles import check_offset, gfid_request
from glusterio.api.resolve import (
    PATH_MAX,
    Place,
    named,
    text_of,
    too_long,
    walk,
    walk_to_entries,
    walk_to_entry,
)
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.types import StrPath
from glusterio.wire.fops.attributes import SetattrRequest, StatfsReply, StatfsRequest
from glusterio.wire.fops.files import TruncateRequest
from glusterio.wire.fops.names import (
    MkdirRequest,
    ReadlinkRequest,
    RenameRequest,
    RmdirRequest,
    SymlinkRequest,
    UnlinkRequest,
)
from glusterio.wire.iatt import ZERO_IATT, Iatt
from glusterio.wire.programs import SetattrValid

if TYPE_CHECKING:
    from glusterio.api.core import Core


async def stat(core: Core, frame: Frame, path: StrPath, follow: bool) -> Iatt:
    """Get a file's attributes."""
    return await walk(core, frame, path, follow=follow)


async def exists(core: Core, frame: Frame, path: StrPath, follow: bool) -> bool:
    """Tell whether a path leads to something, as ``os.path.exists`` and ``lexists`` do."""
    try:
        await walk(core, frame, path, follow=follow)
    except (OSError, ValueError) as error:
        if isinstance(error, GlusterError):
            raise
        return False
    return True


async def mkdir(core: Core, frame: Frame, path: StrPath, mode: int, umask: int) -> None:
    """Make a directory."""
    text = text_of(path)
    place = await walk_to_entry(core, frame, text)
    if place.stat is not None or not place.name:
        raise fs_error(errno.EEXIST, text)
    request = MkdirRequest(place.parent, mode & 0o1777, umask, place.name, gfid_request())
    made = await named(core.top.mkdir(frame, request), text)
    core.inodes.link(place.parent, place.name, made.stat.gfid, core.now(), stat_module.S_IFDIR)


async def symlink(core: Core, frame: Frame, target: StrPath, path: StrPath) -> None:
    """Make a symbolic link to ``target``, which is stored as it is."""
    value, text = text_of(target), text_of(path)
    if not value:
        raise fs_error(errno.ENOENT, value, text)
    if too_long(value, PATH_MAX - 1):
        raise fs_error(errno.ENAMETOOLONG, value, text)
    place = await named(walk_to_entry(core, frame, text), value, text)
    if place.stat is not None or not place.name:
        raise fs_error(errno.EEXIST, value, text)
    if place.slash:
        raise fs_error(errno.ENOENT, value, text)
    request = SymlinkRequest(place.parent, place.name, 0, value, gfid_request())
    await named(core.top.symlink(frame, request), value, text)


async def readlink(core: Core, frame: Frame, path: StrPath) -> str:
    """Return a symbolic link's target."""
    text = text_of(path)
    found = await walk(core, frame, text, follow=False)
    if not stat_module.S_ISLNK(found.mode):
        raise fs_error(errno.EINVAL, text)
    return (
        await named(core.top.readlink(frame, ReadlinkRequest(found.gfid, PATH_MAX)), text)
    ).target


async def unlink(core: Core, frame: Frame, path: StrPath) -> None:
    """Remove a file's name."""
    text = text_of(path)
    place = await walk_to_entry(core, frame, text)
    if not place.name or place.is_directory:
        raise fs_error(errno.EISDIR, text)
    if place.stat is None:
        raise fs_error(errno.ENOENT, text)
    if place.slash:
        raise fs_error(errno.ENOTDIR, text)
    await named(core.top.unlink(frame, UnlinkRequest(place.parent, place.name)), text)
    core.inodes.unlink(place.parent, place.name)


#: What Linux says to removing a path that ends so.
_NOT_REMOVED = {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY}


async def rmdir(core: Core, frame: Frame, path: StrPath) -> None:
    """Remove an empty directory."""
    text = text_of(path)
    place = await walk_to_entry(core, frame, text)
    if not place.name:
        raise fs_error(_NOT_REMOVED[place.dots], text)
    if place.stat is None:
        raise fs_error(errno.ENOENT, text)
    if not place.is_directory:
        raise fs_error(errno.ENOTDIR, text)
    await named(core.top.rmdir(frame, RmdirRequest(place.parent, 0, place.name)), text)
    core.inodes.unlink(place.parent, place.name)
    core.inodes.forget(place.stat.gfid)


async def rename(core: Core, frame: Frame, source: StrPath, target: StrPath) -> None:
    """Move a name, replacing what the new name meant."""
    old, new = text_of(source), text_of(target)
    await named(_rename(core, frame, old, new), old, new)


async def _rename(core: Core, frame: Frame, old: str, new: str) -> None:
    src, dst = await walk_to_entries(core, frame, old, new, _both_have_names)
    if src.stat is None:
        raise fs_error(errno.ENOENT)
    _check_rename(src, src.stat, dst)
    if dst.stat is not None and src.stat.gfid == dst.stat.gfid:
        return  # two names of one file, or one and the same: POSIX says that nothing happens
    await core.top.rename(frame, RenameRequest(src.parent, dst.parent, src.name, dst.name))
    core.inodes.rename(src.parent, src.name, dst.parent, dst.name, core.now())


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


async def truncate(core: Core, frame: Frame, path: StrPath, length: int) -> None:
    """Set a file's length."""
    text = text_of(path)
    if check_offset(length) < 0:
        raise fs_error(errno.EINVAL, text)
    found = await walk(core, frame, text, follow=True)
    if stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.EISDIR, text)
    await named(core.top.truncate(frame, TruncateRequest(found.gfid, length)), text)


async def statvfs(core: Core, frame: Frame, path: StrPath) -> StatfsReply:
    """Get the volume's figures, as seen at a path."""
    text = text_of(path)
    found = await walk(core, frame, text, follow=True)
    return await named(core.top.statfs(frame, StatfsRequest(found.gfid)), text)


async def chmod(core: Core, frame: Frame, path: StrPath, mode: int) -> None:
    """Set a file's permission bits."""
    wanted = ZERO_IATT._replace(mode=mode & 0o7777)
    await _set_attributes(core, frame, path, wanted, SetattrValid.MODE)


async def utime(
    core: Core, frame: Frame, path: StrPath, atime_ns: int, mtime_ns: int, follow: bool
) -> None:
    """Set a file's access and modification times, in nanoseconds since the epoch."""
    wanted = ZERO_IATT._replace(
        atime=atime_ns // 10**9,
        atime_nsec=atime_ns % 10**9,
        mtime=mtime_ns // 10**9,
        mtime_nsec=mtime_ns % 10**9,
    )
    valid = SetattrValid.ATIME | SetattrValid.MTIME
    await _set_attributes(core, frame, path, wanted, valid, follow)


async def _set_attributes(
    core: Core, frame: Frame, path: StrPath, wanted: Iatt, valid: int, follow: bool = True
) -> None:
    text = text_of(path)
    found = await walk(core, frame, text, follow=follow)
    await named(core.top.setattr(frame, SetattrRequest(found.gfid, wanted, valid)), text)


def stat_result(stat: Iatt) -> os.stat_result:
    """Turn a brick's attributes into what ``os.stat`` returns."""
    return os.stat_result(
        (
            stat.mode, stat.ino, stat.dev, stat.nlink, stat.uid, stat.gid, stat.size,
            stat.atime, stat.mtime, stat.ctime,
            stat.atime + 1e-9 * stat.atime_nsec,  # with the rounding that os.stat has
            stat.mtime + 1e-9 * stat.mtime_nsec,
            stat.ctime + 1e-9 * stat.ctime_nsec,
            stat.atime * 10**9 + stat.atime_nsec,
            stat.mtime * 10**9 + stat.mtime_nsec,
            stat.ctime * 10**9 + stat.ctime_nsec,
            stat.blksize, stat.blocks, stat.rdev,
        )
    )  # fmt: skip


def statvfs_result(reply: StatfsReply) -> os.statvfs_result:
    """Turn a brick's figures into what ``os.statvfs`` returns."""
    figures = reply.statfs
    return os.statvfs_result(
        (
            figures.bsize, figures.frsize, figures.blocks, figures.bfree, figures.bavail,
            figures.files, figures.ffree, figures.favail, figures.flag, figures.namemax,
            figures.fsid,
        )
    )  # fmt: skip
