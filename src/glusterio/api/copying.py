"""Copies of single files within a volume: what ``shutil.copyfile``, ``copy`` and ``copy2`` do.

The data does not cross the wire where COPY_FILE_RANGE can have the brick copy it. Where it cannot, the
data is read and written, several pieces at once: with GlusterFS's own bricks, which would never let go
of the copy (:meth:`glusterio.xlators.client.client.Client.copy_file_range`), or where a brick's file
system will not.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat as stat_module
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final

from glusterio.api.closing import Opened, close_handle, drop_handle
from glusterio.api.handles import open_file, open_found, pread, pwrite
from glusterio.api.in_flight import in_order
from glusterio.api.names import readlink, symlink
from glusterio.api.path_text import own_text
from glusterio.api.ranges import copied_on_brick
from glusterio.api.resolve import named, walk
from glusterio.api.xattrs import NOT_COPIED, shown
from glusterio.errors import GlusterError, VersionMismatchError, fs_error
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.types import Gfid, StrPath
from glusterio.wire.fops.attributes import SetattrRequest
from glusterio.wire.fops.data import CopyFileRangeRequest
from glusterio.wire.fops.xattrs import GetxattrRequest, SetxattrRequest
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import SetattrValid

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How much a brick copies by one request, in bytes: so long a cancellation may have to wait for it.
PIECE_ON_BRICK: Final = 64 << 20

#: How much is read and written at once where the brick does not copy, in bytes, and how many times.
PIECE: Final = 1 << 20
PIECES: Final = 4

#: What a brick says that cannot copy.
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EINVAL})

#: What opening the target of a copy asks for.
TARGET_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Besides(Enum):
    """What is copied besides the data."""

    NOTHING = "copyfile"
    MODE = "copy"
    STATUS = "copy2"


#: What each of shutil's functions copies.
OF_SHUTIL: Final[dict[object, Besides]] = {
    shutil.copyfile: Besides.NOTHING,
    shutil.copy: Besides.MODE,
    shutil.copy2: Besides.STATUS,
}


async def copy(
    core: Core,
    frame: Frame,
    src: StrPath,
    dst: StrPath,
    besides: Besides,
    follow: bool,
    umask: int,
    opened_at: str,
) -> str:
    """Copy a file; with anything besides its data, into ``dst`` if that is a directory.

    Args:
        core: the session.
        frame: the operation's frame.
        src: the file.
        dst: where to.
        besides: what is copied with the data.
        follow: copy what a symbolic link leads to, instead of the link.
        umask: for a new file.
        opened_at: where in the application this is.

    Returns:
        The path of the copy.

    Raises:
        shutil.SameFileError, shutil.SpecialFileError, OSError: as ``shutil`` does.
    """
    source, target = own_text(core, src), own_text(core, dst)
    frame.kept = None
    if besides is not Besides.NOTHING and await _is_directory(core, frame, target):
        target = os.path.join(target, os.path.basename(source))
    await _copy_file(core, frame, source, target, follow, umask, opened_at)
    if besides is not Besides.NOTHING:
        await _copy_by_path(core, frame, source, target, besides, follow)
    return target


async def _copy_file(
    core: Core, frame: Frame, src: str, dst: str, follow: bool, umask: int, opened_at: str
) -> None:
    missing: OSError | None = None
    found: Iatt | None = None
    try:
        found = await walk(core, frame, src, follow=True)
    except OSError as error:
        missing = _of_the_file(error)
    check_target(src, found, dst, await _there(core, frame, dst))
    if not follow and await _is_link(core, frame, src):
        await symlink(core, frame, await readlink(core, frame, src), dst)
        return
    if missing is not None or found is None:
        assert missing is not None
        raise missing
    source = await open_source(core, frame, src, found, opened_at)
    async with Opened(core, frame, source):
        try:
            target = await open_file(core, frame, dst, TARGET_FLAGS, 0o666, umask, opened_at)
        except IsADirectoryError as error:
            if await _there(core, frame, dst) is None:
                raise FileNotFoundError(f"Directory does not exist: {dst}") from error
            raise
        try:
            await copy_data(core, frame, source, target)
        except GeneratorExit:
            raise
        except BaseException:
            await drop_handle(core, target)
            raise
        await close_handle(core, frame, target)  # tells of what was deferred


def check_target(src: str, found: Iatt | None, dst: str, target: Iatt | None) -> None:
    """Refuse what ``shutil.copyfile`` does not copy, or not to there."""
    if found is not None and target is not None and found.gfid == target.gfid:
        raise shutil.SameFileError(f"{src!r} and {dst!r} are the same file")
    for path, stat in ((src, found), (dst, target)):
        if stat is not None and stat_module.S_ISFIFO(stat.mode):
            raise shutil.SpecialFileError(f"`{path}` is a named pipe")


async def open_source(core: Core, frame: Frame, path: str, found: Iatt, opened_at: str) -> Handle:
    """Open a file that has been looked up, to be copied.

    Raises:
        IsADirectoryError: a directory.
        OSError: ENXIO for a socket, as opening one says; what the brick says.
        shutil.SpecialFileError: a device: its data is not on the volume.
    """
    if stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.EISDIR, path)
    if stat_module.S_ISSOCK(found.mode):
        raise fs_error(errno.ENXIO, path)
    if not stat_module.S_ISREG(found.mode):
        raise shutil.SpecialFileError(f"`{path}` is not a regular file")
    return await open_found(core, frame, path, found, os.O_RDONLY, opened_at)


async def copy_data(
    core: Core,
    frame: Frame,
    source: Handle,
    target: Handle,
    told: Callable[[int], None] | None = None,
) -> None:
    """Copy all data of one open file to the beginning of another.

    Args:
        core: the session.
        frame: the operation's frame.
        source: open for reading.
        target: open for writing.
        told: called with the number of bytes of each piece that is done.
    """
    done = 0
    while True:
        request = CopyFileRangeRequest(
            source.fd.gfid, target.fd.gfid, 0, 0, done, done, PIECE_ON_BRICK
        )
        try:
            reply = await named(
                copied_on_brick(frame, source, target, request),
                source.path,
                target.path,
            )
        except VersionMismatchError:
            break
        except OSError as error:
            if error.errno not in _CANNOT or isinstance(error, GlusterError):
                raise
            break
        done += reply.op_ret
        if told is not None and reply.op_ret:
            told(reply.op_ret)
        if not reply.op_ret or done >= reply.stat.size:
            return
    await _through_here(core, frame, source, target, done, told)


async def _through_here(
    core: Core,
    frame: Frame,
    source: Handle,
    target: Handle,
    done: int,
    told: Callable[[int], None] | None,
) -> None:
    """Read and write, piece by piece: one at first, then several at once."""

    async def piece(core: Core, frame: Frame, offset: int) -> int:
        data = await named(pread(core, frame, source, PIECE, offset), source.path)
        if data:
            await named(pwrite(core, frame, target, data, offset), target.path)
            if told is not None:
                told(len(data))
        return len(data)

    at_once = 1
    while True:
        offsets = range(done, done + at_once * PIECE, PIECE)
        sizes = await in_order(core, frame, piece, offsets, at_once)
        if min(sizes) < PIECE:
            return
        done = offsets.stop
        at_once = PIECES


# -- besides the data -------------------------------------------------------------------------------


async def _copy_by_path(
    core: Core, frame: Frame, src: str, dst: str, besides: Besides, follow: bool
) -> None:
    links = not follow and await _is_link(core, frame, src) and await _is_link(core, frame, dst)
    if links and besides is Besides.MODE:
        return  # Linux keeps no permission bits for a link
    found = await walk(core, frame, src, follow=not links)
    target = await walk(core, frame, dst, follow=not links)
    await copy_status(core, frame, src, found, dst, target.gfid, besides)


async def copy_status(
    core: Core, frame: Frame, src: str, found: Iatt, dst: str, target: Gfid, besides: Besides
) -> None:
    """Give a file what another has besides data: permission bits, times, extended attributes.

    Args:
        core: the session.
        frame: the operation's frame.
        src: the one file's path, for messages.
        found: its attributes.
        dst: the other file's path.
        target: the other file.
        besides: what to give it; a symbolic link keeps its permission bits.
    """
    valid = 0
    if not stat_module.S_ISLNK(found.mode):
        valid |= SetattrValid.MODE
    if besides is Besides.STATUS:
        valid |= SetattrValid.ATIME | SetattrValid.MTIME
        await _copy_xattrs(core, frame, src, found.gfid, dst, target)  # before it is read-only
    if valid and besides is not Besides.NOTHING:
        # Times together with the mode: so a brick checks whose file it is (compare attributes.py).
        wanted = found._replace(mode=stat_module.S_IMODE(found.mode))
        await named(core.top.setattr(frame, SetattrRequest(target, wanted, valid)), dst)


async def _copy_xattrs(
    core: Core, frame: Frame, src: str, source: Gfid, dst: str, target: Gfid
) -> None:
    try:
        reply = await named(core.top.getxattr(frame, GetxattrRequest(source)), src)
    except OSError as error:
        if error.errno not in NOT_COPIED or isinstance(error, GlusterError):
            raise
        return
    for name, value in shown(core.user(frame), reply).items():
        try:
            request = SetxattrRequest(target, 0, {name: value})
            await named(core.top.setxattr(frame, request), dst)
        except OSError as error:
            if error.errno not in NOT_COPIED or isinstance(error, GlusterError):
                raise


# -- questions --------------------------------------------------------------------------------------


def _of_the_file(error: OSError) -> OSError:
    """Return an error that is a file's; raise one that is the session's."""
    if isinstance(error, GlusterError):
        raise error
    return error


async def _there(core: Core, frame: Frame, path: str, follow: bool = True) -> Iatt | None:
    try:
        return await walk(core, frame, path, follow=follow)
    except OSError as error:
        _of_the_file(error)
        return None


async def _is_directory(core: Core, frame: Frame, path: str) -> bool:
    found = await _there(core, frame, path)
    return found is not None and stat_module.S_ISDIR(found.mode)


async def _is_link(core: Core, frame: Frame, path: str) -> bool:
    found = await _there(core, frame, path, follow=False)
    return found is not None and stat_module.S_ISLNK(found.mode)
