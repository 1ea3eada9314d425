"""Operations on what a file is: by its path, or by an open handle."""

from __future__ import annotations

import errno
import math
import operator
import os
import stat as stat_module
from typing import TYPE_CHECKING, Any, NamedTuple

from glusterio.api.handles import check_offset
from glusterio.api.path_text import text_of
from glusterio.api.resolve import looking_again, named, walk
from glusterio.api.standpoint import At
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.types import ROOT_GFID, StrPath
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.attributes import (
    AccessRequest,
    FsetattrRequest,
    FstatRequest,
    SetattrRequest,
    StatfsReply,
    StatfsRequest,
)
from glusterio.wire.fops.files import TruncateRequest
from glusterio.wire.iatt import ZERO_IATT, Iatt
from glusterio.wire.programs import SetattrValid

if TYPE_CHECKING:
    from glusterio.api.core import Core

_SECOND = 10**9

_GIVEN = SetattrValid.ATIME | SetattrValid.MTIME
_NOW = _GIVEN | SetattrValid.ATIME_NOW | SetattrValid.MTIME_NOW
#: What may change who may go through a directory; then no name below it is known any more.
_RIGHTS = SetattrValid.MODE | SetattrValid.UID | SetattrValid.GID


# -- asking -----------------------------------------------------------------------------------------


async def stat(core: Core, frame: Frame, path: StrPath | At, follow: bool) -> Iatt:
    """Get a file's attributes."""
    return await walk(core, frame, path, follow=follow)


async def probe(core: Core, frame: Frame, path: StrPath | At, follow: bool) -> Iatt | None:
    """Get a file's attributes; ``None`` when the path leads nowhere, for the tests of ``os.path``."""
    try:
        return await walk(core, frame, path, follow=follow)
    except (OSError, ValueError) as error:
        if isinstance(error, GlusterError):
            raise
        return None


async def exists(core: Core, frame: Frame, path: StrPath | At, follow: bool) -> bool:
    """Tell whether a path leads to something, as ``os.path.exists`` and ``lexists`` do."""
    return await probe(core, frame, path, follow) is not None


def is_mount(found: Iatt | None) -> bool:
    """Tell whether a file is where a file system begins: on a volume only the root is."""
    return found is not None and found.gfid == ROOT_GFID


async def access(core: Core, frame: Frame, path: StrPath | At, follow: bool, mode: int) -> bool:
    """Ask whether the session's user may do what ``mode`` says.

    A brick lets the superuser do everything. That a file which nobody may execute cannot be executed
    is for the client to say, as it is for a kernel (fs/namei.c, ``generic_permission``).
    """
    text_of(path)
    if _c_int(mode) & ~(os.R_OK | os.W_OK | os.X_OK):
        return False
    found = await probe(core, frame, path, follow)
    return found is not None and await access_to(core, frame, found, mode)


async def access_to(core: Core, frame: Frame, found: Iatt, mode: int) -> bool:
    """Ask whether the session's user may do with a known file what ``mode`` says."""
    if _c_int(mode) & ~(os.R_OK | os.W_OK | os.X_OK):
        return False
    if mode & os.X_OK and not stat_module.S_ISDIR(found.mode) and not found.mode & 0o111:
        return stat_module.S_ISLNK(found.mode)
    if mode == os.F_OK:
        return True
    try:
        await core.top.access(frame, AccessRequest(found.gfid, mode))
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        return False
    return True


@looking_again
async def statvfs(core: Core, frame: Frame, path: StrPath | At) -> StatfsReply:
    """Get the volume's figures, as seen at a path."""
    text = text_of(path)
    found = await walk(core, frame, path, follow=True)
    return await named(core.top.statfs(frame, StatfsRequest(found.gfid)), text)


async def fstatvfs(core: Core, frame: Frame, handle: Handle) -> StatfsReply:
    """Get the volume's figures, as seen at an open file."""
    fd = handle.fd
    found: StatfsReply = await fd.top.statfs(frame, StatfsRequest(fd.gfid))
    return found


# -- setting ----------------------------------------------------------------------------------------


class Change(NamedTuple):
    """Attributes to be set: their values, and which of them (:class:`SetattrValid`)."""

    wanted: Iatt
    valid: int


@looking_again
async def setattr(core: Core, frame: Frame, path: StrPath | At, follow: bool, what: Change) -> None:
    """Set attributes of a file.

    Raises:
        NotImplementedError: the mode of a symbolic link: Linux has no such thing.
        OSError: what ``os`` would raise, with the path.
    """
    text = text_of(path)
    found = await walk(core, frame, path, follow=follow)
    await named(setattr_of(core, frame, found, what), text)


async def setattr_of(core: Core, frame: Frame, found: Iatt, what: Change) -> None:
    """Set attributes of a known file. Errors are as for :func:`setattr`, without a path."""
    if what.valid & SetattrValid.MODE and stat_module.S_ISLNK(found.mode):
        raise NotImplementedError("chmod: follow_symlinks unavailable on this platform")
    if not _may_change(core.user(frame), found, what):
        raise fs_error(errno.EPERM)
    await core.top.setattr(frame, SetattrRequest(found.gfid, *what))
    if what.valid & _RIGHTS and stat_module.S_ISDIR(found.mode):
        core.inodes.invalidate(found.gfid)


async def fsetattr(core: Core, frame: Frame, handle: Handle, what: Change) -> None:
    """Set attributes of an open file."""
    fd = handle.fd
    if core.user(frame).uid:
        found = (await fd.top.fstat(frame, fd, FstatRequest(fd.gfid, 0))).stat
        if not _may_change(core.user(frame), found, what):
            raise fs_error(errno.EPERM)
    await fd.top.fsetattr(frame, fd, FsetattrRequest(fd.gfid, 0, *what))
    if what.valid & _RIGHTS and handle.kind is HandleKind.DIRECTORY:
        core.inodes.invalidate(handle.fd.gfid)


def _may_change(user: Credentials, found: Iatt, what: Change) -> bool:
    """Whether a user may set an owner, or times to others than now.

    A kernel sees to that before it asks a file system (fs/attr.c, ``setattr_prepare``), so GlusterFS's
    bricks need not.
    """
    uid, valid = user.uid, what.valid
    if not uid:
        return True
    if valid & SetattrValid.UID and not uid == found.uid == what.wanted.uid:
        return False
    return valid & _NOW != _GIVEN or uid == found.uid


def new_mode(mode: int) -> Change:
    """Make the change of the permission bits."""
    return Change(ZERO_IATT._replace(mode=_c_int(mode) & 0o7777), int(SetattrValid.MODE))


def new_owner(uid: int, gid: int) -> Change:
    """Make the change of owner and group; -1 leaves one as it is.

    Raises:
        OverflowError: an id of more than 32 bits, or below -1.
    """
    for name, number in (("uid", uid), ("gid", gid)):
        if operator.index(number) < -1:
            raise OverflowError(f"{name} is less than minimum")
        if number >= 1 << 32:
            raise OverflowError(f"{name} is greater than maximum")
    valid = SetattrValid.UID * (uid != -1) | SetattrValid.GID * (gid != -1)
    return Change(ZERO_IATT._replace(uid=max(uid, 0), gid=max(gid, 0)), int(valid))


def new_times(times: Any, ns: Any, now: int) -> Change:
    """Make the change of the access and modification times, from the arguments of ``os.utime``.

    Args:
        times: two numbers, in seconds since the epoch, or ``None``.
        ns: two integers, in nanoseconds since the epoch, or ``None``.

        now: the time, in nanoseconds since the epoch; taken when neither is given. A brick that goes
            by clients' clocks uses it (posix_update_utime_in_mdata), another one its own clock.

    Raises:
        ValueError: both are given, or not a number.
        TypeError: not a tuple of two.
        OverflowError: no such time.
    """
    if times is not None and ns is not None:
        raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
    if times is None and ns is None:
        seconds, rest = divmod(now, _SECOND)
        wanted = ZERO_IATT._replace(atime=seconds, atime_nsec=rest, mtime=seconds, mtime_nsec=rest)
        return Change(wanted, int(_NOW))
    pair = times if ns is None else ns
    if not isinstance(pair, tuple) or len(pair) != 2:
        name = "times" if ns is None else "ns"
        raise TypeError(f"utime: '{name}' must be a tuple of two ints")
    split = _split_seconds if ns is None else _split_nanoseconds
    (atime, atime_nsec), (mtime, mtime_nsec) = split(pair[0]), split(pair[1])
    wanted = ZERO_IATT._replace(
        atime=atime, atime_nsec=atime_nsec, mtime=mtime, mtime_nsec=mtime_nsec
    )
    return Change(wanted, int(SetattrValid.ATIME | SetattrValid.MTIME))


def new_attributes(mode: int | None, uid: int, gid: int, times: Any, ns: Any, now: int) -> Change:
    """Make one change of several attributes.

    Args:
        mode: the permission bits, or ``None`` to leave them.
        uid: the owner, or -1.
        gid: the group, or -1.
        times: as for :func:`new_times`; without either the times are left.
        ns: likewise.
        now: as for :func:`new_times`.
    """
    wanted, valid = new_owner(uid, gid)
    if mode is not None:
        bits = new_mode(mode)
        wanted, valid = wanted._replace(mode=bits.wanted.mode), valid | bits.valid
    if times is not None or ns is not None:
        timed = new_times(times, ns, now)
        wanted = timed.wanted._replace(mode=wanted.mode, uid=wanted.uid, gid=wanted.gid)
        valid |= timed.valid
    return Change(wanted, valid)


def _split_nanoseconds(value: Any) -> tuple[int, int]:
    seconds, rest = divmod(operator.index(value), _SECOND)
    return _time(seconds), rest


def _split_seconds(value: Any) -> tuple[int, int]:
    if not isinstance(value, float):
        return _time(operator.index(value)), 0
    if math.isnan(value):
        raise ValueError("Invalid value NaN (not a number)")
    if math.isinf(value):
        raise OverflowError("timestamp out of range for platform time_t")
    part, seconds = math.modf(value)
    rest = math.floor(part * 1e9)
    if rest < 0:
        rest, seconds = rest + _SECOND, seconds - 1.0
    return _time(int(seconds)), rest


def _time(seconds: int) -> int:
    if not -(1 << 63) <= seconds < 1 << 63:
        raise OverflowError("timestamp out of range for platform time_t")
    return seconds


def _c_int(number: int) -> int:
    """Return a number, if a C ``int`` holds it."""
    value = operator.index(number)
    if not -(1 << 31) <= value < 1 << 31:
        raise OverflowError("Python int too large to convert to C int")
    return value


@looking_again
async def truncate(core: Core, frame: Frame, path: StrPath | At, length: int) -> None:
    """Set a file's length."""
    text = text_of(path)
    if check_offset(length) < 0:
        raise fs_error(errno.EINVAL, text)
    found = await walk(core, frame, path, follow=True)
    if stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.EISDIR, text)
    if not stat_module.S_ISREG(found.mode):
        raise fs_error(errno.EINVAL, text)
    await named(core.top.truncate(frame, TruncateRequest(found.gfid, length)), text)


# -- as `os` shows it -------------------------------------------------------------------------------


def stat_result(stat: Iatt | tuple[Any, ...]) -> os.stat_result:
    """Turn a brick's attributes, an :class:`Iatt` or its fields, into what ``os.stat`` returns.

    A repeated ``stat`` is hardly more than this: taken apart at once, in 1.4 us instead of 2.2.
    """
    (
        _, _, ino, dev, rdev, size, blocks, _, _, atime, mtime, ctime, _,
        atime_nsec, mtime_nsec, ctime_nsec, _, nlink, uid, gid, blksize, mode,
    ) = stat  # fmt: skip
    return os.stat_result(
        (
            mode, ino, dev, nlink, uid, gid, size, atime, mtime, ctime,
            atime + 1e-9 * atime_nsec,  # with the rounding that os.stat has
            mtime + 1e-9 * mtime_nsec,
            ctime + 1e-9 * ctime_nsec,
            atime * 10**9 + atime_nsec,
            mtime * 10**9 + mtime_nsec,
            ctime * 10**9 + ctime_nsec,
            blksize, blocks, _device(rdev) if rdev else 0,
        )
    )  # fmt: skip


def _device(rdev: int) -> int:
    """Turn GlusterFS's number of a device (iatt.h, ``ia_makedev``) into that of ``os.makedev``.

    Not by that, which refuses what a brick may have made up.
    """
    major, minor = rdev >> 32 & 0xFFFFFFFF, rdev & 0xFFFFFFFF
    return (major & ~0xFFF) << 32 | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | minor & 0xFF


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


class DiskUsage(NamedTuple):
    """A volume's size, in bytes: what ``shutil.disk_usage`` returns."""

    total: int
    used: int
    free: int


def disk_usage(reply: StatfsReply) -> DiskUsage:
    """Turn a brick's figures into what ``shutil.disk_usage`` returns."""
    figures = reply.statfs
    size = figures.frsize
    return DiskUsage(
        figures.blocks * size, (figures.blocks - figures.bfree) * size, figures.bavail * size
    )
