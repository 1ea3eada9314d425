"""Names for the values that travel between the layers. No behaviour."""

from __future__ import annotations

import os
from typing import TypeAlias

#: A file's identity on the volume: 16 bytes, the same on every brick and for its whole life.
Gfid: TypeAlias = bytes

#: The root directory's gfid on every volume.
ROOT_GFID: Gfid = bytes(15) + b"\x01"

#: "No gfid": what a request carries where it names a file by its parent and name.
NULL_GFID: Gfid = bytes(16)

#: Anything that holds bytes to be written.
Buffer: TypeAlias = bytes | bytearray | memoryview

#: A path as the API takes it. Paths are relative to the volume's root, with or without a leading slash.
StrPath: TypeAlias = str | os.PathLike[str]
