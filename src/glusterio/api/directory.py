"""Directory entries and the iterator that lists them."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from glusterio.api import handles, names
from glusterio.api.threads_session import ThreadsSession
from glusterio.api.unclosed import warn_if_open
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.wire.fops.directories import DirPlusEntry
from glusterio.wire.iatt import ZERO_IATT, Iatt

#: What a directory entry's ``d_type`` says, as the file type bits of a mode.
_TYPE_BITS = {1: 0o010000, 2: 0o020000, 4: 0o040000, 6: 0o060000, 8: 0o100000, 10: 0o120000,
              12: 0o140000}  # fmt: skip


class Entry:
    """What a listing brought about one name: common to both faces.

    Attributes:
        name: the name.
        path: the name with the directory's path before it, as ``os.DirEntry`` has it.
    """

    __slots__ = ("_attributes", "_type", "name", "path")

    def __init__(self, directory: str, entry: DirPlusEntry) -> None:
        self.name = entry.name
        self.path = os.path.join(directory, entry.name)
        # A brick may leave the attributes out; then they are asked for when wanted.
        self._attributes: Iatt | None = entry.stat if entry.stat != ZERO_IATT else None
        if self._attributes is not None:
            self._type = stat_module.S_IFMT(self._attributes.mode)
        else:
            self._type = _TYPE_BITS.get(entry.d_type, 0)

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


class DirEntry(Entry):
    """One entry of a listing, like ``os.DirEntry``: its attributes have come with it."""

    __slots__ = ("_session",)

    def __init__(self, session: ThreadsSession, directory: str, entry: DirPlusEntry) -> None:
        super().__init__(directory, entry)
        self._session = session

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes; only for a symbolic link to follow is the volume asked again."""
        if self._attributes is not None and not (follow_symlinks and self.is_symlink()):
            return names.stat_result(self._attributes)
        return names.stat_result(self._session.call(names.stat, None, self.path, follow_symlinks))

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a link to one."""
        return self._is(stat_module.S_ISDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or a link to one."""
        return self._is(stat_module.S_ISREG, follow_symlinks)

    def _is(self, test: Any, follow_symlinks: bool) -> bool:
        if self._type and not (follow_symlinks and self.is_symlink()):
            return bool(test(self._type))
        try:
            return bool(test(self.stat(follow_symlinks=follow_symlinks).st_mode))
        except FileNotFoundError:
            return False


class ScandirIterator(Iterator[DirEntry]):
    """Lists a directory batch after batch. A context manager; exhausting it closes it, too."""

    def __init__(self, session: ThreadsSession, handle: Handle, path: str) -> None:
        self._session = session
        self._handle = handle
        self._path = path
        self._batch: list[DirPlusEntry] = []
        self._next = 0
        self._offset = 0
        self._last = False

    def __iter__(self) -> ScandirIterator:
        return self

    def __next__(self) -> DirEntry:
        while self._next == len(self._batch):
            if self._last:
                self.close()
                raise StopIteration
            self._batch, self._offset, self._last = self._session.call(
                handles.read_directory, self._handle, self._offset
            )
            self._next = 0
        entry = self._batch[self._next]
        self._next += 1
        return DirEntry(self._session, self._path, entry)

    def close(self) -> None:
        """Close the directory. Harmless when repeated."""
        self._last = True
        self._batch = []
        self._next = 0
        self._session.close_handle(self._handle)

    def __enter__(self) -> ScandirIterator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        warn_if_open(self, HandleKind.DIRECTORY)
