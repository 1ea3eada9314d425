"""Operations on names and attributes: what ``os`` does with paths."""

from __future__ import annotations

import errno
import os
import stat as stat_module
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from glusterio.api.handles import gfid_request
from glusterio.api.resolve import Place, text_of, walk
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.types import ROOT_GFID, StrPath
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

T = TypeVar("T")


async def _named(work: Awaitable[T], path: str, path2: str | None = None) -> T:
    """Await a fop and put the paths into its error."""
    try:
        return await work
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        raise fs_error(error.errno or errno.EIO, path, path2) from None


async def stat(core: Core, frame: Frame, path: StrPath, follow: bool) -> Iatt:
    """Get a file's attributes."""
    place = await walk(core, frame, path, follow=follow, must_exist=True)
    assert place.stat is not None
    return place.stat


async def exists(core: Core, frame: Frame, path: StrPath, follow: bool) -> bool:
    """Tell whether a path leads to something, as ``os.path.exists`` and ``lexists`` do."""
    try:
        return (await walk(core, frame, path, follow=follow)).stat is not None
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        return False


async def mkdir(core: Core, frame: Frame, path: StrPath, mode: int, umask: int) -> None:
    """Make a directory."""
    text = text_of(path)
    place = await walk(core, frame, text.rstrip("/") or text, follow=False)
    if place.stat is not None:
        raise fs_error(errno.EEXIST, text)
    request = MkdirRequest(place.parent, mode & 0o7777, umask, place.name, gfid_request())
    made = await _named(core.top.mkdir(frame, request), text)
    core.inodes.link(place.parent, place.name, made.stat.gfid, core.now(), stat_module.S_IFDIR)


async def symlink(core: Core, frame: Frame, target: str, path: StrPath) -> None:
    """Make a symbolic link to ``target``, which is stored as it is."""
    text = text_of(path)
    place = await walk(core, frame, path, follow=False)
    if place.stat is not None:
        raise fs_error(errno.EEXIST, target, text)
    request = SymlinkRequest(place.parent, place.name, 0, target, gfid_request())
    await _named(core.top.symlink(frame, request), target, text)


async def readlink(core: Core, frame: Frame, path: StrPath) -> str:
    """Return a symbolic link's target."""
    text = text_of(path)
    place = await walk(core, frame, path, follow=False, must_exist=True)
    assert place.stat is not None
    if not stat_module.S_ISLNK(place.stat.mode):
        raise fs_error(errno.EINVAL, text)
    request = ReadlinkRequest(place.stat.gfid, 4096)
    return (await _named(core.top.readlink(frame, request), text)).target


async def unlink(core: Core, frame: Frame, path: StrPath) -> None:
    """Remove a file's name."""
    text = text_of(path)
    place = await walk(core, frame, path, follow=False, must_exist=True)
    if place.stat is not None and stat_module.S_ISDIR(place.stat.mode):
        raise fs_error(errno.EISDIR, text)
    await _named(core.top.unlink(frame, UnlinkRequest(place.parent, place.name)), text)
    core.inodes.unlink(place.parent, place.name)


async def rmdir(core: Core, frame: Frame, path: StrPath) -> None:
    """Remove an empty directory."""
    text = text_of(path)
    place = await walk(core, frame, path, follow=False, must_exist=True)
    if not place.name:
        raise fs_error(_why_not_the_root(text), text)
    if place.stat is not None and not stat_module.S_ISDIR(place.stat.mode):
        raise fs_error(errno.ENOTDIR, text)
    await _named(core.top.rmdir(frame, RmdirRequest(place.parent, 0, place.name)), text)
    core.inodes.unlink(place.parent, place.name)
    if place.stat is not None:
        core.inodes.forget(place.stat.gfid)


def _why_not_the_root(path: str) -> int:
    """Return what Linux says to removing a path without a last name."""
    last = path.rstrip("/").rpartition("/")[2]
    return {"..": errno.ENOTEMPTY, ".": errno.EINVAL}.get(last, errno.EBUSY)


async def rename(core: Core, frame: Frame, source: StrPath, target: StrPath) -> None:
    """Move a name, replacing what the new name meant."""
    old, new = text_of(source), text_of(target)
    try:
        src = await walk(core, frame, source, follow=False, must_exist=True)
        dst = await walk(core, frame, target, follow=False)
    except OSError as error:
        if isinstance(error, GlusterError) or error.errno is None:
            raise
        raise fs_error(error.errno, old, new) from None
    _check_rename(src, dst, old, new)
    if src.stat is not None and dst.stat is not None and src.stat.gfid == dst.stat.gfid:
        return  # two names of one file, or one and the same: POSIX says that nothing happens
    request = RenameRequest(src.parent, dst.parent, src.name, dst.name)
    await _named(core.top.rename(frame, request), old, new)
    core.inodes.rename(src.parent, src.name, dst.parent, dst.name, core.now())


def _check_rename(src: Place, dst: Place, old: str, new: str) -> None:
    """Refuse what a brick cannot, or would refuse with another error than the kernel's."""
    if not src.name or not dst.name:
        raise fs_error(errno.EBUSY, old, new)
    source_is_directory = src.stat is not None and stat_module.S_ISDIR(src.stat.mode)
    if dst.stat is None:
        if new.endswith("/") and not source_is_directory:
            raise fs_error(errno.ENOTDIR, old, new)
        return
    target_is_directory = stat_module.S_ISDIR(dst.stat.mode)
    if source_is_directory and not target_is_directory:
        raise fs_error(errno.ENOTDIR, old, new)
    if target_is_directory and not source_is_directory:
        raise fs_error(errno.EISDIR, old, new)


async def truncate(core: Core, frame: Frame, path: StrPath, length: int) -> None:
    """Set a file's length."""
    text = text_of(path)
    if length < 0:
        raise fs_error(errno.EINVAL, text)
    place = await walk(core, frame, path, follow=True, must_exist=True)
    assert place.stat is not None
    if stat_module.S_ISDIR(place.stat.mode):
        raise fs_error(errno.EISDIR, text)
    await _named(core.top.truncate(frame, TruncateRequest(place.stat.gfid, length)), text)


async def statvfs(core: Core, frame: Frame, path: StrPath) -> StatfsReply:
    """Get the volume's figures, as seen at a path."""
    text = text_of(path)
    place = await walk(core, frame, path, follow=True, must_exist=True)
    gfid = place.stat.gfid if place.stat is not None else ROOT_GFID
    return await _named(core.top.statfs(frame, StatfsRequest(gfid)), text)


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
    place = await walk(core, frame, path, follow=follow, must_exist=True)
    assert place.stat is not None
    request = SetattrRequest(place.stat.gfid, wanted, valid)
    await _named(core.top.setattr(frame, request), text)


def stat_result(stat: Iatt) -> os.stat_result:
    """Turn a brick's attributes into what ``os.stat`` returns."""
    atime_ns = stat.atime * 10**9 + stat.atime_nsec
    mtime_ns = stat.mtime * 10**9 + stat.mtime_nsec
    ctime_ns = stat.ctime * 10**9 + stat.ctime_nsec
    return os.stat_result(
        (
            stat.mode, stat.ino, stat.dev, stat.nlink, stat.uid, stat.gid, stat.size,
            stat.atime, stat.mtime, stat.ctime,
            atime_ns / 1e9, mtime_ns / 1e9, ctime_ns / 1e9,
            atime_ns, mtime_ns, ctime_ns,
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
