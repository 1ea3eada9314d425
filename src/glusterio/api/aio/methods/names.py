"""A volume's methods that make, move and remove names."""

from __future__ import annotations

from glusterio.api import names
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.types import StrPath


class AsyncNames(AsyncVolumeBase):
    """Names of files, and symbolic links."""

    async def unlink(self, path: StrPath) -> None:
        """Remove a file's name."""
        await self._session.call(names.unlink, None, path)

    remove = unlink

    async def rename(self, source: StrPath, target: StrPath) -> None:
        """Move a name, replacing what the new name meant, as ``os.rename`` on Unix."""
        await self._session.call(names.rename, None, source, target)

    replace = rename

    async def symlink(self, target: str, path: StrPath) -> None:
        """Make a symbolic link at ``path`` to ``target``."""
        await self._session.call(names.symlink, None, target, path)

    async def readlink(self, path: StrPath) -> str:
        """Return a symbolic link's target."""
        result: str = await self._session.call(names.readlink, None, path)
        return result
