"""What the methods of a volume and of a file stand on, for threads.

The classes in ``methods`` are made for both faces from one source; what they use and what differs
between the faces is here, by the same names as in :mod:`glusterio.api.aio.base`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glusterio.api.call_site import call_site
from glusterio.api.of_session import OfSession
from glusterio.api.standpoint import Opened
from glusterio.api.threads.methods.scandir import ScandirIterator
from glusterio.api.threads.session import ThreadsSession
from glusterio.api.umask import process_umask
from glusterio.lifecycle.handle import Handle
from glusterio.types import StrPath


class VolumeBase(OfSession):
    """A volume's session, and the process's umask when it was connected."""

    def __init__(self, session: ThreadsSession) -> None:
        self._session = session
        self._umask = process_umask()

    def scandir(self, path: StrPath | Opened = ".") -> ScandirIterator:
        """List a directory with its entries' attributes, as ``os.scandir``."""
        entries = ScandirIterator(self._session, path, call_site())
        entries.begin()
        return entries

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of the application's."""
        return function(*args)


class FileBase(Opened):
    """An open file's session and handle."""

    __slots__ = ("_session",)

    def __init__(self, session: ThreadsSession, handle: Handle) -> None:
        self._session = session
        self._handle = handle
