"""A volume's methods for the working directory, and for what depends on it."""

from __future__ import annotations

from glusterio.api import cwd
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.standpoint import Opened, own_handle
from glusterio.types import StrPath


class AsyncWorkingDirectory(AsyncVolumeBase):
    """Where relative paths begin: a session's own, at first the root.

    It stays the same directory when that is renamed. A directory that has been removed has nothing
    in it; where Linux would still ``stat(".")`` it, a brick has forgotten it. ``..`` leads from it to
    where it was when it was entered, or to where this session has moved it since.
    """

    async def chdir(self, path: StrPath | Opened) -> None:
        """Change the session's working directory."""
        if isinstance(path, Opened):
            await self.fchdir(path)
        else:
            await self._session.call(cwd.chdir, None, path)

    async def fchdir(self, fd: Opened) -> None:
        """Change the session's working directory to an open one."""
        await self._session.call(cwd.fchdir, own_handle(self._session.core, fd))

    async def getcwd(self) -> str:
        """Return the path of the session's working directory.

        Raises:
            FileNotFoundError: it has been removed.
        """
        result: str = await self._session.call(cwd.getcwd, None)
        return result

    async def abspath(self, path: StrPath) -> str:
        """Return a path from the root, without dots, as ``os.path.abspath``."""
        result: str = await self._session.call(cwd.abspath, None, path)
        return result

    async def relpath(self, path: StrPath, start: StrPath | None = None) -> str:
        """Return the way from ``start``, by default the working directory, to a path."""
        result: str = await self._session.call(cwd.relpath, None, path, start)
        return result

    async def realpath(self, filename: StrPath, *, strict: bool = False) -> str:
        """Return where a path leads, from the root, without dots and symbolic links.

        With ``strict`` it has to exist; else what does not exist stays as it is written.
        """
        result: str = await self._session.call(cwd.realpath, None, filename, strict)
        return result
