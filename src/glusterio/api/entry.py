"""What a listing tells of one name, whichever face lists."""

from __future__ import annotations

import os
import stat as stat_module
from typing import Any, NamedTuple

from glusterio.api.of_session import OfSession
from glusterio.api.standpoint import At
from glusterio.lifecycle.handle import Handle
from glusterio.types import Gfid
from glusterio.wire.fops.directories import Listing

#: What a directory entry's ``d_type`` says, as the file type bits of a mode.
_TYPE_BITS = {1: 0o010000, 2: 0o020000, 4: 0o040000, 6: 0o060000, 8: 0o100000, 10: 0o120000,
              12: 0o140000}  # fmt: skip


class Source(NamedTuple):
    """Where entries come from.

    Attributes:
        session: of the face that lists.
        directory: the path as it was given.
        handle: the open directory that is listed, if no path was given.
        listing: the batch.
    """

    session: Any
    directory: str
    handle: Handle | None
    listing: Listing


class Entry(OfSession):
    """What a listing brought about one name: common to both faces.

    Of the attributes it knows where in the brick's answer they are; they are decoded when asked for.

    Attributes:
        name: the name.
    """

    __slots__ = ("_batch", "_place", "name")

    def __init__(self, name: str, place: int, batch: Source) -> None:
        self.name = name
        self._place = place
        self._batch = batch

    @property
    def _type(self) -> int:
        """The file type's bits of the mode; 0 when the brick did not tell."""
        mode = self._batch.listing.mode(self._place)
        if mode:
            return stat_module.S_IFMT(mode)
        return _TYPE_BITS.get(self._batch.listing.d_type(self.name, self._place), 0)

    @property
    def path(self) -> str:
        """The name with the directory's path before it, as ``os.DirEntry`` has it."""
        return os.path.join(self._batch.directory, self.name)

    @property
    def _at(self) -> At:
        """Where the volume is asked again; a listing of an open directory has no paths."""
        return At(self.path, self._batch.handle)

    @property
    def _identity(self) -> tuple[Gfid, int]:
        """The gfid and the mode; all zero when the brick did not tell them."""
        stat = self._batch.listing.stat(self._place)
        return stat.gfid, stat.mode

    def inode(self) -> int:
        """Return the inode number, or 0 when the brick did not tell it."""
        return self._batch.listing.stat(self._place).ino

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return stat_module.S_ISLNK(self._type)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"
