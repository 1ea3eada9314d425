"""Names for the values that travel between the layers. No behaviour."""

from __future__ import annotations

import logging
import os
from typing import Any, Protocol, TypeAlias

#: A file's identity on the volume: 16 bytes, the same on every brick and for its whole life.
Gfid: TypeAlias = bytes

#: The root directory's gfid on every volume.
ROOT_GFID: Gfid = bytes(15) + b"\x01"

#: "No gfid": what a request carries where it names a file by its parent and name.
NULL_GFID: Gfid = bytes(16)

#: Where something is logged: the standard library's own, or an adapter of one.
Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"

#: Anything that holds bytes to be written.
Buffer: TypeAlias = bytes | bytearray | memoryview


class OnVolume(Protocol):
    """A path that knows which volume it is on.

    It is no ``os.PathLike``: Python's own ``open`` would open a local file of that name.
    """

    def __volume_path__(self) -> str:
        """Return the path as text."""

    def is_on(self, core: Any) -> bool:
        """Tell whether it is on a session's volume."""


#: A path as the API takes it; relative ones begin at the session's working directory.
StrPath: TypeAlias = str | os.PathLike[str] | OnVolume
