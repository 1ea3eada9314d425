"""A file's methods for space, holes and copying on the brick."""

from __future__ import annotations

from glusterio.api import ranges
from glusterio.api.aio.base import AsyncFileBase
from glusterio.api.standpoint import Opened


class AsyncFileRanges(AsyncFileBase):
    """Parts of an open file."""

    __slots__ = ()

    async def posix_fallocate(self, offset: int, length: int) -> None:
        """Reserve space for ``length`` bytes at ``offset``; the file grows to their end."""
        await self._session.call(ranges.fallocate, self._handle, offset, length, False)

    async def fallocate(self, offset: int, length: int, *, keep_size: bool = False) -> None:
        """Reserve space, as :meth:`posix_fallocate`; with ``keep_size`` the size stays."""
        await self._session.call(ranges.fallocate, self._handle, offset, length, keep_size)

    async def discard(self, offset: int, length: int) -> None:
        """Make a hole: give the space back, and read zeros from then on. The size stays."""
        await self._session.call(ranges.discard, self._handle, offset, length)

    async def zerofill(self, offset: int, length: int) -> None:
        """Overwrite with zeros, without sending them; the file grows to their end."""
        await self._session.call(ranges.zerofill, self._handle, offset, length)

    async def lseek(self, position: int, how: int) -> int:
        """Find the next data or hole from ``position`` on: an open file has no position of its own.

        Args:
            position: where to begin, in bytes.
            how: ``os.SEEK_DATA`` or ``os.SEEK_HOLE``.

        Raises:
            OSError: ENXIO: there is none before the end of the file.
        """
        result: int = await self._session.call(ranges.seek, self._handle, position, how)
        return result

    async def copy_file_range(
        self, dst: Opened, count: int, offset_src: int = 0, offset_dst: int = 0
    ) -> int:
        """Copy a range into another open file: on the brick, or by way of this machine.

        A GlusterFS brick never closes a file that it has copied into, so none is asked to.

        Args:
            dst: the file to copy into; it may be the same one, if the ranges do not overlap.
            count: how many bytes.
            offset_src: where in this file they are.
            offset_dst: where they go.

        Returns:
            How many were copied: fewer at the end of this file, and of very much.
        """
        if not isinstance(dst, Opened):
            raise TypeError(f"an open file is needed, not {type(dst).__name__}")
        result: int = await self._session.call(
            ranges.copy_file_range, self._handle, dst._handle, count, offset_src, offset_dst
        )
        return result
