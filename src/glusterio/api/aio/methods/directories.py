"""A volume's methods that list, make and remove directories."""

from __future__ import annotations

from glusterio.api import names
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.types import StrPath


class AsyncDirectories(AsyncVolumeBase):
    """Directories, by their paths."""

    async def listdir(self, path: StrPath = "/") -> list[str]:
        """List the names in a directory."""
        async with self.scandir(path) as entries:
            return [entry.name async for entry in entries]

    async def mkdir(self, path: StrPath, mode: int = 0o777) -> None:
        """Make a directory; the process's umask is applied to ``mode``."""
        await self._session.call(names.mkdir, None, path, mode, self._umask)

    async def rmdir(self, path: StrPath) -> None:
        """Remove an empty directory."""
        await self._session.call(names.rmdir, None, path)
