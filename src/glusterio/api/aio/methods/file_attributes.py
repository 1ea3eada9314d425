"""A file's methods that get and set attributes."""

from __future__ import annotations

import os

from glusterio.api import handles
from glusterio.api.aio.base import AsyncFileBase
from glusterio.api.names import stat_result


class AsyncFileAttributes(AsyncFileBase):
    """What an open file is."""

    __slots__ = ()

    async def fstat(self) -> os.stat_result:
        """Return the file's attributes."""
        return stat_result(await self._session.call(handles.fstat, self._handle))
