"""Operations on parts of open files: space, holes, and copying on the brick."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from glusterio.api.handles import TRANSFER, check_offset, pread, pwrite
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.traps import Coro
from glusterio.wire.fops.data import CopyFileRangeRequest
from glusterio.wire.fops.files import (
    DiscardRequest,
    FallocateRequest,
    SeekReply,
    SeekRequest,
    ZerofillRequest,
)
from glusterio.wire.fops.names import NewEntryReply
from glusterio.wire.programs import SeekWhat

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The most that one COPY_FILE_RANGE may copy, in bytes, as Linux caps it.
MAX_COPY = 0x7FFFF000

#: What a brick says that cannot copy by itself; or its client, of a brick that does it badly.
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV})

_WAYS = {os.SEEK_DATA: SeekWhat.DATA, os.SEEK_HOLE: SeekWhat.HOLE}


def _check_range(handle: Handle, offset: int, length: int) -> None:
    """Check a range of a file that is to be changed (Linux: fs/open.c, ``vfs_fallocate``)."""
    if check_offset(offset) < 0 or check_offset(length) <= 0:
        raise fs_error(errno.EINVAL)
    if handle.kind is HandleKind.DIRECTORY or handle.fd.flags & os.O_ACCMODE == os.O_RDONLY:
        raise fs_error(errno.EBADF)
    if offset + length >= 1 << 63:
        raise fs_error(errno.EFBIG)


async def fallocate(
    core: Core, frame: Frame, handle: Handle, offset: int, length: int, keep_size: bool
) -> None:
    """Reserve space for a range; the file grows to its end, unless ``keep_size``."""
    _check_range(handle, offset, length)
    fd = handle.fd
    request = FallocateRequest(fd.gfid, 0, int(keep_size), offset, length)
    await fd.top.fallocate(frame, fd, request)


async def discard(core: Core, frame: Frame, handle: Handle, offset: int, length: int) -> None:
    """Make a hole of a range; the file's size stays."""
    _check_range(handle, offset, length)
    fd = handle.fd
    await fd.top.discard(frame, fd, DiscardRequest(fd.gfid, 0, offset, length))


async def zerofill(core: Core, frame: Frame, handle: Handle, offset: int, length: int) -> None:
    """Overwrite a range with zeros; the file grows to its end."""
    _check_range(handle, offset, length)
    fd = handle.fd
    await fd.top.zerofill(frame, fd, ZerofillRequest(fd.gfid, 0, offset, length))


async def seek(core: Core, frame: Frame, handle: Handle, position: int, how: int) -> int:
    """Find the next data, or the next hole, from a position on.

    Raises:
        OSError: ENXIO: there is none up to the end; EINVAL: neither ``SEEK_DATA`` nor ``SEEK_HOLE``,
            or a directory.
    """
    what = _WAYS.get(how)
    if what is None or handle.kind is HandleKind.DIRECTORY:
        raise fs_error(errno.EINVAL)
    if check_offset(position) < 0:
        raise fs_error(errno.ENXIO)
    fd = handle.fd
    found: SeekReply = await fd.top.seek(frame, fd, SeekRequest(fd.gfid, 0, position, int(what)))
    return found.offset


async def copy_file_range(
    core: Core,
    frame: Frame,
    source: Handle,
    target: Handle,
    count: int,
    offset_src: int,
    offset_dst: int,
) -> int:
    """Copy a range of one open file into another: on the brick, or else by way of this machine.

    Returns:
        How many bytes: fewer than ``count`` at the end of the source, and for very much.

    Raises:
        OSError: what ``os.copy_file_range`` would raise.
    """
    if check_offset(count) < 0:
        raise ValueError("negative value for 'count' not allowed")
    call = frame.call
    assert call is not None
    core.session.borrow(call, target)
    for handle, refused, offset in (
        (source, os.O_WRONLY, offset_src),
        (target, os.O_RDONLY, offset_dst),
    ):
        if handle.kind is HandleKind.DIRECTORY:
            raise fs_error(errno.EISDIR)
        if handle.fd.flags & os.O_ACCMODE == refused:
            raise fs_error(errno.EBADF)
        if check_offset(offset) < 0:
            raise fs_error(errno.EOVERFLOW)
    if target.fd.flags & os.O_APPEND:
        raise fs_error(errno.EBADF)
    size = min(count, MAX_COPY)
    if max(offset_src, offset_dst) + size >= 1 << 63:
        raise fs_error(errno.EOVERFLOW)
    same = source.fd.gfid == target.fd.gfid
    if same and offset_src < offset_dst + size and offset_dst < offset_src + size:
        raise fs_error(errno.EINVAL)
    if not size:
        return 0
    request = CopyFileRangeRequest(
        source.fd.gfid, target.fd.gfid, 0, 0, offset_src, offset_dst, size
    )
    try:
        return (await copied_on_brick(frame, source, target, request)).op_ret
    except OSError as error:
        if error.errno not in _CANNOT or isinstance(error, GlusterError):
            raise
    return await _copy_through_here(core, frame, source, target, size, offset_src, offset_dst)


async def copied_on_brick(
    frame: Frame, source: Handle, target: Handle, request: CopyFileRangeRequest
) -> NewEntryReply:
    """Have a brick copy from one open file to another; ``op_ret`` is the number of bytes.

    Raises:
        OSError: EOPNOTSUPP: it does not do that; or the two are in different graphs just now.
    """
    source_fd: Fd = source.fd
    target_fd: Fd = target.fd
    if source_fd.top is not target_fd.top:
        raise fs_error(errno.EOPNOTSUPP)
    fop: Coro[NewEntryReply] = source_fd.top.copy_file_range(frame, source_fd, target_fd, request)
    return await fop


async def _copy_through_here(
    core: Core,
    frame: Frame,
    source: Handle,
    target: Handle,
    size: int,
    offset_src: int,
    offset_dst: int,
) -> int:
    """Copy by reading and writing, at most one READ's worth: who wants more asks again."""
    data = await pread(core, frame, source, min(size, TRANSFER), offset_src)
    return await pwrite(core, frame, target, data, offset_dst)
