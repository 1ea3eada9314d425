"""What the methods of a volume and of a file stand on, for asyncio.

The classes in ``methods`` are made for both faces from one source; what they use and what differs
between the faces is here, by the same names as in :mod:`glusterio.api.threads.base`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from glusterio.api.aio.methods.scandir import AsyncScandir
from glusterio.api.aio.session import AioSession
from glusterio.api.call_site import call_site
from glusterio.api.of_session import OfSession
from glusterio.api.standpoint import Opened
from glusterio.api.umask import process_umask
from glusterio.lifecycle.handle import Handle
from glusterio.types import StrPath


class AsyncVolumeBase(OfSession):
    """A volume's session, and the process's umask when it was connected."""

    def __init__(self, session: AioSession) -> None:
        self._session = session
        self._umask = process_umask()

    def scandir(self, path: StrPath | Opened = ".") -> AsyncScandir:
        """List a directory with its entries' attributes: ``async for entry in vol.scandir(path)``."""
        return AsyncScandir(self._session, path, call_site())

    async def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of the application's; what it returns is awaited if it can be."""
        result = function(*args)
        return await result if inspect.isawaitable(result) else result


class AsyncFileBase(Opened):
    """An open file's session and handle."""

    __slots__ = ("_session",)

    def __init__(self, session: AioSession, handle: Handle) -> None:
        self._session = session
        self._handle = handle
