"""The mark of a directory that is being served, by which a start knows that the last one did not end.

``.glusterfs/glusterio-unclean`` is there while the directory is served, and locked (flock(2)) by
whoever serves it. One that is there and that nobody has locked was left by a brick that was killed:
then, and only then, the directory is looked through (:mod:`~glusterio.xlators.posix.recovery`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Final

from glusterio.xlators.posix.identity import HIDDEN

MARKER: Final = f"{HIDDEN}/glusterio-unclean"

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Marker:
    """The mark on one directory, for as long as it is served.

    Args:
        root: descriptor of the served directory.

    Attributes:
        is_unclean: whether the last one who served the directory did not end as he should.
        began: when he began, in nanoseconds since the epoch.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        while True:
            self._file, is_new = self._open()
            try:
                self._is_alone = self._lock()
                # Whoever had it locked may have removed it meanwhile, at its end.
                if os.fstat(self._file).st_nlink:
                    break
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)
        self.is_unclean = self._is_alone and not is_new
        self.began = os.fstat(self._file).st_mtime_ns

    def _open(self) -> tuple[int, bool]:
        while True:
            with contextlib.suppress(FileNotFoundError):
                return os.open(MARKER, _FLAGS, dir_fd=self._root), False
            with contextlib.suppress(FileExistsError):
                flags = _FLAGS | os.O_CREAT | os.O_EXCL
                return os.open(MARKER, flags, 0o600, dir_fd=self._root), True

    def _lock(self) -> bool:
        """Lock the mark for ourselves; tell whether nobody else has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._file, fcntl.LOCK_SH)  # once it has been looked through
            return False
        return True

    def serving(self) -> None:
        """What had to be looked through has been: others may serve the directory, too."""
        if self._is_alone:
            os.utime(self._file)
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def close(self) -> None:
        """Take the mark away, if nobody else serves the directory."""
        try:
            with contextlib.suppress(OSError):  # the others', or nothing can be removed
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(MARKER, dir_fd=self._root)
        finally:
            os.close(self._file)
