"""A volume's methods that get and set attributes."""

from __future__ import annotations

import os

from glusterio.api import names
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.types import StrPath


class AsyncAttributes(AsyncVolumeBase):
    """What a file is, by its path."""

    async def stat(self, path: StrPath, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return a file's attributes."""
        return names.stat_result(await self._session.call(names.stat, None, path, follow_symlinks))

    async def lstat(self, path: StrPath) -> os.stat_result:
        """Return a file's attributes, without following a symbolic link."""
        return await self.stat(path, follow_symlinks=False)

    async def exists(self, path: StrPath) -> bool:
        """Tell whether a path leads to something, as ``os.path.exists``."""
        return bool(await self._session.call(names.exists, None, path, True))

    async def chmod(self, path: StrPath, mode: int) -> None:
        """Set a file's permission bits."""
        await self._session.call(names.chmod, None, path, mode)

    async def utime(
        self, path: StrPath, ns: tuple[int, int], *, follow_symlinks: bool = True
    ) -> None:
        """Set a file's access and modification times, in nanoseconds since the epoch."""
        await self._session.call(names.utime, None, path, ns[0], ns[1], follow_symlinks)

    async def truncate(self, path: StrPath, length: int) -> None:
        """Set a file's length, in bytes."""
        await self._session.call(names.truncate, None, path, length)

    async def statvfs(self, path: StrPath = "/") -> os.statvfs_result:
        """Return the volume's sizes and free space."""
        return names.statvfs_result(await self._session.call(names.statvfs, None, path))
