"""Ranges of bytes, first and last byte included.

Nothing here knows a file's size: a range without end goes to the last byte that a file can have, so it
covers what is appended later.
"""

from __future__ import annotations

import errno
from typing import Final, NamedTuple

from glusterio.errors import fs_error

#: The last byte that a file can have.
LAST: Final = (1 << 63) - 1


class Range(NamedTuple):
    """Bytes ``first`` to ``last``."""

    first: int
    last: int

    def overlaps(self, other: Range) -> bool:
        """Tell whether there is a byte in both."""
        return self.last >= other.first and other.last >= self.first

    def union(self, other: Range) -> Range:
        """Return the range from the first to the last byte of two that overlap."""
        return Range(min(self.first, other.first), max(self.last, other.last))

    @property
    def length(self) -> int:
        """The number of bytes as a lock says it: 0 means to the end of the file, however long."""
        return 0 if self.last == LAST else self.last - self.first + 1


def range_of(start: int, length: int) -> Range:
    """Return the range that a lock names.

    Args:
        start: 64 bits as they travel; they have a sign.
        length: likewise. 0 goes to the end, and a negative one lies before ``start``, as for
            ``fcntl``.

    Raises:
        OSError: EINVAL: it begins before the file, or is so long that its end has no number.
    """
    start, length = _signed(start), _signed(length)
    if start < 0 or start + length < 0 or start + length > LAST:
        raise fs_error(errno.EINVAL)
    if length < 0:
        start, length = start + length, -length
    return Range(start, start + length - 1 if length else LAST)


def forward_range_of(start: int, length: int) -> Range:
    """Return the range that a translator's lock names: never backwards.

    Raises:
        OSError: EINVAL: it begins before the file, or ends behind the last byte that there can be.
    """
    start, length = _signed(start), _signed(length)
    if start < 0 or length < 0 or start + length > LAST + 1:
        raise fs_error(errno.EINVAL)
    return Range(start, start + length - 1 if length else LAST)


def _signed(word: int) -> int:
    return word - (1 << 64) if word > LAST else word
