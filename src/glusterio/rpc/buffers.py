"""Large buffers, used again.

The first touch of each page of a fresh megabyte costs more than to fill the megabyte: reading it from
the kernel's cache takes some 160 us into a new ``bytearray`` and 60 us into one that was used before
(CPython 3.11). So a few are kept. Whoever took one just forgets it: it is free again when nobody but
its keeper refers to it any more, by a view or otherwise. They are mapped, since memory that is never
touched costs nothing then; a ``bytearray`` would all be zeroed.
"""

from __future__ import annotations

import sys
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

#: Smaller ones are made anew; and larger ones, which would fill the memory, in bytes.
SMALLEST: Final = 64 * 1024
LARGEST: Final = 1024 * 1024 + SMALLEST

#: References to a buffer that nobody uses: the list's, and the counting function's argument. Where
#: references are not counted, none is ever found to be free.
_UNUSED: Final = 2
_references = getattr(sys, "getrefcount", lambda _: 0)


class Buffers:
    """Keeps buffers. For one thread at a time.

    Args:
        count: how many are kept.
    """

    __slots__ = ("_count", "_kept")

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: list[mmap] = []

    def take(self, size: int) -> memoryview:
        """Return a view of ``size`` writable bytes, with anything in them."""
        if not SMALLEST <= size <= LARGEST:
            return memoryview(bytearray(size))
        kept = self._kept
        for index in range(len(kept)):
            if _references(kept[index]) == _UNUSED:
                return memoryview(kept[index])[:size]
        buffer = mmap(-1, LARGEST, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        if len(kept) < self._count:
            kept.append(buffer)
        return memoryview(buffer)[:size]
