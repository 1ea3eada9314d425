"""A file's methods that read and write."""

from __future__ import annotations

from collections.abc import Sequence

from glusterio.api import handles, vectors
from glusterio.api.aio.base import AsyncFileBase
from glusterio.types import Buffer


class AsyncFileData(AsyncFileBase):
    """What is in an open file; every operation says where."""

    __slots__ = ()

    async def pread(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``; fewer only at the end of the file."""
        if self._handle.fd.at_hand is not None:
            known = handles.at_hand(self._session.core, self._handle, size, offset)
            if known is not None:
                return known if type(known) is bytes else bytes(known)
        result: bytes = await self._session.call(handles.pread, self._handle, size, offset)
        return result

    async def read_into(self, buffer: bytearray | memoryview, offset: int) -> int:
        """Read at ``offset`` into a writable buffer, without a copy; return the number of bytes."""
        sink = handles.bytes_of(buffer, writable=True)
        if self._handle.fd.at_hand is not None:
            known = handles.at_hand(self._session.core, self._handle, len(sink), offset)
            if known is not None:
                sink[: len(known)] = known
                return len(known)
        result: int = await self._session.call(handles.read_into, self._handle, sink, offset)
        return result

    async def preadv(self, buffers: Sequence[bytearray | memoryview], offset: int) -> int:
        """Read at ``offset`` into several buffers, one after the other; return the bytes read."""
        sinks = [handles.bytes_of(buffer, writable=True) for buffer in buffers]
        if self._handle.fd.at_hand is not None:
            size = sum(map(len, sinks))
            known = handles.at_hand(self._session.core, self._handle, size, offset)
            if known is not None:
                return vectors.scatter(known, sinks)
        result: int = await self._session.call(vectors.preadv, self._handle, sinks, offset)
        return result

    async def pwrite(self, data: Buffer, offset: int) -> int:
        """Write ``data`` at ``offset``; return the number of bytes.

        Where the volume has write-behind, as most have, the data is on its way when this returns, and
        whoever reads through this session finds it. That the brick has it, :meth:`flush` or
        :meth:`close` tells; that it is on the brick's disk, :meth:`fsync`.

        Raises:
            OSError: also when an earlier write failed since; then nothing of this one was written.
        """
        result: int = await self._session.call(handles.pwrite, self._handle, data, offset)
        return result

    async def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write several buffers one after the other at ``offset``, as one operation."""
        return await self.pwrite(b"".join(map(handles.bytes_of, buffers)), offset)

    async def flush(self) -> None:
        """Wait until the brick has what was written.

        Raises:
            OSError: some of that failed, and nobody was told yet.
        """
        await self._session.call(handles.flush, self._handle)

    async def truncate(self, length: int) -> None:
        """Set the file's length, in bytes."""
        await self._session.call(handles.ftruncate, self._handle, length)

    async def fsync(self) -> None:
        """Bring data and attributes to the brick's disk.

        Raises:
            OSError: also when an earlier write failed, and nobody was told yet.
        """
        await self._session.call(handles.fsync, self._handle, False)

    async def fdatasync(self) -> None:
        """Bring the data to the brick's disk; as :meth:`fsync`."""
        await self._session.call(handles.fsync, self._handle, True)
