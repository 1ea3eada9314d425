"""storage/posix: open files and their data."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Offload
from glusterio.types import Buffer
from glusterio.wire.fops.data import CopyFileRangeRequest
from glusterio.wire.fops.files import (
    ChangedReply,
    CommonReply,
    DiscardRequest,
    FallocateRequest,
    FlushRequest,
    FsyncRequest,
    FtruncateRequest,
    OpenReply,
    OpenRequest,
    SeekReply,
    SeekRequest,
    ZerofillRequest,
)
from glusterio.wire.fops.names import NewEntryReply
from glusterio.wire.programs import OpenFlag, SeekWhat
from glusterio.xlators.base import Data, Written
from glusterio.xlators.posix import waiting
from glusterio.xlators.posix.core import data_operation, iatt_of, operation
from glusterio.xlators.posix.libc import KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, fallocate
from glusterio.xlators.posix.opening import Opening, needed_permission

#: The most that one READ brings, in bytes: what fits in a record, with its head.
MAX_READ = 64 * 1024 * 1024

#: As a plain number: an enumeration's members are slow to reckon with.
_SYNC = int(OpenFlag.SYNC)


class FileOperations(Opening):
    """Operations on open files, and on their data."""

    @operation
    async def open(self, frame: Frame, fd: Fd, request: OpenRequest) -> OpenReply:
        self._require(frame, request.gfid, needed_permission(request.flags))
        self._open(fd, request.gfid, request.flags & ~OpenFlag.CREAT)
        return OpenReply()

    @operation
    async def release(self, frame: Frame, fd: Fd) -> None:
        opened = fd.context.pop(self, None)
        if opened is not None:
            self._close(opened)

    @contextlib.contextmanager
    def _descriptor(self, frame: Frame, fd: Fd, flags: int) -> Iterator[int]:
        """Give the descriptor of an fd, opening an anonymous one for this time."""
        if not fd.anonymous:
            yield self._file_of(fd).descriptor
            return
        self._require(frame, fd.gfid, needed_permission(flags))
        is_reading = flags == OpenFlag.RDONLY
        descriptor = self._open_descriptor(fd.gfid, flags, changing=not is_reading)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @data_operation
    async def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Data:
        if fd.anonymous:
            with self._descriptor(frame, fd, OpenFlag.RDONLY) as descriptor:
                data, status, is_last = await self._read(descriptor, size, offset, sink)
            return Data(data, self._shown(status, fd.gfid), is_last)
        descriptor = self._file_of(fd).descriptor
        data, status, is_last = await self._read(descriptor, size, offset, sink)
        return Data(data, iatt_of(status, fd.gfid), is_last)

    async def _read(
        self, descriptor: int, size: int, offset: int, sink: memoryview | None
    ) -> tuple[Buffer, os.stat_result, bool]:
        """Return the data, the file's status, and whether the file ends there."""
        status = os.fstat(descriptor)
        # What is asked for is allocated: it is not more than there is.
        wanted = min(size, max(0, status.st_size - offset), MAX_READ)
        if sink is None:
            with self._buffers_lock:
                place = self._buffers.take(wanted)
        else:
            place = sink[:wanted]
        data = await waiting.read(descriptor, place, offset)
        return data, status, len(data) < wanted or offset + wanted >= status.st_size

    @data_operation
    async def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Written:
        if fd.anonymous:
            with self._descriptor(frame, fd, OpenFlag.WRONLY) as descriptor:
                return await self._write(descriptor, fd, data, offset)
        return await self._write(self._file_of(fd).descriptor, fd, data, offset)

    @staticmethod
    async def _write(descriptor: int, fd: Fd, data: Buffer, offset: int) -> Written:
        before = os.fstat(descriptor)
        through = bool(fd.flags & _SYNC)
        written = await waiting.write(descriptor, data, offset, through=through)
        after = os.fstat(descriptor)
        return Written(written, iatt_of(before, fd.gfid), iatt_of(after, fd.gfid))

    @operation
    async def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: CopyFileRangeRequest
    ) -> NewEntryReply:
        """Copy as much as one system call does, as GlusterFS's bricks do it."""
        if request.flag:
            raise fs_error(errno.EINVAL)
        with (
            self._descriptor(frame, fd_in, OpenFlag.RDONLY) as source,
            self._descriptor(frame, fd_out, OpenFlag.WRONLY) as target,
        ):
            before = os.fstat(target)
            copied: int = await Offload(
                os.copy_file_range,
                source,
                target,
                request.size,
                request.offset_in,
                request.offset_out,
            )
            return NewEntryReply(
                copied,
                stat=iatt_of(os.fstat(source), fd_in.gfid),
                preparent=iatt_of(before, fd_out.gfid),
                postparent=iatt_of(os.fstat(target), fd_out.gfid),
            )

    @operation
    async def flush(self, frame: Frame, fd: Fd, request: FlushRequest) -> CommonReply:
        if not fd.anonymous:
            self._file_of(fd)
        return CommonReply()

    @operation
    async def fsync(self, frame: Frame, fd: Fd, request: FsyncRequest) -> ChangedReply:
        with self._descriptor(frame, fd, OpenFlag.RDONLY) as descriptor:
            before = os.fstat(descriptor)
            await Offload(os.fdatasync if request.datasync else os.fsync, descriptor)
            after = os.fstat(descriptor)
        return ChangedReply(prestat=iatt_of(before, fd.gfid), poststat=iatt_of(after, fd.gfid))

    @operation
    async def ftruncate(self, frame: Frame, fd: Fd, request: FtruncateRequest) -> ChangedReply:
        with self._descriptor(frame, fd, OpenFlag.WRONLY) as descriptor:
            before = os.fstat(descriptor)
            os.ftruncate(descriptor, request.length)
            after = os.fstat(descriptor)
        return ChangedReply(prestat=iatt_of(before, fd.gfid), poststat=iatt_of(after, fd.gfid))

    # -- space ------------------------------------------------------------------------------------

    @operation
    async def fallocate(self, frame: Frame, fd: Fd, request: FallocateRequest) -> ChangedReply:
        mode = KEEP_SIZE if request.flags & KEEP_SIZE else 0
        return await self._allocate(frame, fd, mode, request.offset, request.size)

    @operation
    async def discard(self, frame: Frame, fd: Fd, request: DiscardRequest) -> ChangedReply:
        mode = PUNCH_HOLE | KEEP_SIZE
        return await self._allocate(frame, fd, mode, request.offset, request.size)

    @operation
    async def zerofill(self, frame: Frame, fd: Fd, request: ZerofillRequest) -> ChangedReply:
        return await self._allocate(frame, fd, ZERO_RANGE, request.offset, request.size)

    async def _allocate(
        self, frame: Frame, fd: Fd, mode: int, offset: int, size: int
    ) -> ChangedReply:
        with self._descriptor(frame, fd, OpenFlag.WRONLY) as descriptor:
            before = os.fstat(descriptor)
            await Offload(fallocate, descriptor, mode, offset, size)
            after = os.fstat(descriptor)
        return ChangedReply(prestat=iatt_of(before, fd.gfid), poststat=iatt_of(after, fd.gfid))

    @operation
    async def seek(self, frame: Frame, fd: Fd, request: SeekRequest) -> SeekReply:
        ways = {SeekWhat.DATA: os.SEEK_DATA, SeekWhat.HOLE: os.SEEK_HOLE}
        if request.what not in ways:
            raise fs_error(errno.EOPNOTSUPP)
        with self._descriptor(frame, fd, OpenFlag.RDONLY) as descriptor:
            # No other operation uses the descriptor's position.
            found = os.lseek(descriptor, request.offset, ways[SeekWhat(request.what)])
        return SeekReply(offset=found)
