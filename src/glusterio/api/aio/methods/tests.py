"""A volume's methods that ask about a path: the tests of ``os.path``."""

from __future__ import annotations

import os
import stat as stat_module
from typing import Any

from glusterio.api import attributes, handles
from glusterio.api.aio.methods.targets import AsyncTargets
from glusterio.api.standpoint import Opened
from glusterio.types import StrPath


class AsyncTests(AsyncTargets):
    """What a path leads to, if to anything."""

    async def _found(self, path: StrPath | Opened, follow: bool = True) -> Any:
        found = self._known(path, None, follow)
        if found is None:
            found = await self._on(attributes.probe, handles.fstat, path, None, follow)
        return found

    async def exists(self, path: StrPath | Opened) -> bool:
        """Tell whether a path leads to something."""
        return await self._found(path) is not None

    async def lexists(self, path: StrPath) -> bool:
        """Tell whether something is at a path, be it a symbolic link that leads nowhere."""
        return await self._found(path, False) is not None

    async def isfile(self, path: StrPath | Opened) -> bool:
        """Tell whether a path leads to a regular file."""
        found = await self._found(path)
        return found is not None and stat_module.S_ISREG(found.mode)

    async def isdir(self, s: StrPath | Opened) -> bool:
        """Tell whether a path leads to a directory."""
        found = await self._found(s)
        return found is not None and stat_module.S_ISDIR(found.mode)

    async def islink(self, path: StrPath) -> bool:
        """Tell whether a symbolic link is at a path."""
        found = await self._found(path, False)
        return found is not None and stat_module.S_ISLNK(found.mode)

    async def ismount(self, path: StrPath) -> bool:
        """Tell whether a path leads to where a file system begins: the volume's root."""
        return attributes.is_mount(await self._found(path, False))

    async def getsize(self, filename: StrPath | Opened) -> int:
        """Return a file's size, in bytes."""
        return (await self._stat(filename)).st_size

    async def getmtime(self, filename: StrPath | Opened) -> float:
        """Return when a file was last modified, in seconds since the epoch."""
        return (await self._stat(filename)).st_mtime

    async def getatime(self, filename: StrPath | Opened) -> float:
        """Return when a file was last read, in seconds since the epoch."""
        return (await self._stat(filename)).st_atime

    async def getctime(self, filename: StrPath | Opened) -> float:
        """Return when a file's attributes last changed, in seconds since the epoch."""
        return (await self._stat(filename)).st_ctime

    async def samefile(self, f1: StrPath | Opened, f2: StrPath | Opened) -> bool:
        """Tell whether two paths lead to the same file."""
        one = await self._on(attributes.stat, handles.fstat, f1, None, True)
        other = await self._on(attributes.stat, handles.fstat, f2, None, True)
        return bool(one.gfid == other.gfid)

    async def sameopenfile(self, fp1: Opened, fp2: Opened) -> bool:
        """Tell whether two open files are the same file."""
        return await self.samefile(fp1, fp2)

    async def _stat(self, path: StrPath | Opened) -> os.stat_result:
        found = self._known(path, None, True)
        if found is None:
            found = await self._on(attributes.stat, handles.fstat, path, None, True)
        return attributes.stat_result(found)
