"""A volume's methods that list, make and remove directories."""

from __future__ import annotations

from glusterio.api import names
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.standpoint import Opened, at
from glusterio.types import StrPath


class AsyncDirectories(AsyncVolumeBase):
    """Directories, by their paths."""

    async def listdir(self, path: StrPath | Opened = ".") -> list[str]:
        """List the names in a directory, by default in the working directory."""
        async with self.scandir(path) as entries:
            return await entries._names()

    async def mkdir(
        self, path: StrPath, mode: int = 0o777, *, dir_fd: Opened | None = None
    ) -> None:
        """Make a directory; the process's umask is applied to ``mode``."""
        await self._session.call(names.mkdir, None, at(path, dir_fd), mode, self._umask)

    async def makedirs(self, name: StrPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        """Make a directory and those above it that are missing.

        Args:
            name: the path.
            mode: permission bits of the last directory; the others get the default.
            exist_ok: whether the directory may be there already.
        """
        await self._session.call(names.makedirs, None, name, mode, exist_ok, self._umask)

    async def rmdir(self, path: StrPath, *, dir_fd: Opened | None = None) -> None:
        """Remove an empty directory."""
        await self._session.call(names.rmdir, None, at(path, dir_fd))

    async def removedirs(self, name: StrPath) -> None:
        """Remove an empty directory, and those above it that are empty then."""
        await self._session.call(names.removedirs, None, name)
