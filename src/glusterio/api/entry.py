"""What a listing tells of one name, whichever face lists."""

from __future__ import annotations

import os
import stat as stat_module

from glusterio.api.standpoint import At
from glusterio.lifecycle.handle import Handle
from glusterio.wire.fops.directories import DirPlusEntry
from glusterio.wire.iatt import ZERO_IATT, Iatt

#: What a directory entry's ``d_type`` says, as the file type bits of a mode.
_TYPE_BITS = {1: 0o010000, 2: 0o020000, 4: 0o040000, 6: 0o060000, 8: 0o100000, 10: 0o120000,
              12: 0o140000}  # fmt: skip


class Entry:
    """What a listing brought about one name: common to both faces.

    Attributes:
        name: the name.
    """

    __slots__ = ("_attributes", "_directory", "_handle", "_type", "name")

    def __init__(self, directory: str, handle: Handle | None, entry: DirPlusEntry) -> None:
        self.name = entry.name
        self._directory = directory
        self._handle = handle
        # A brick may leave the attributes out; then they are asked for when wanted.
        self._attributes: Iatt | None = entry.stat if entry.stat != ZERO_IATT else None
        if self._attributes is not None:
            self._type = stat_module.S_IFMT(self._attributes.mode)
        else:
            self._type = _TYPE_BITS.get(entry.d_type, 0)

    @property
    def path(self) -> str:
        """The name with the directory's path before it, as ``os.DirEntry`` has it."""
        return os.path.join(self._directory, self.name)

    @property
    def _at(self) -> At:
        """Where the volume is asked again; a listing of an open directory has no paths."""
        return At(self.path, self._handle)

    def inode(self) -> int:
        """Return the inode number, or 0 when the brick did not tell it."""
        return self._attributes.ino if self._attributes is not None else 0

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return stat_module.S_ISLNK(self._type)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"
