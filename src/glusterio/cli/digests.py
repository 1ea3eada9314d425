"""What is in a file, as a SHA-256; and how far two files are the same."""

from __future__ import annotations

import hashlib
import os
from typing import Protocol

from glusterio.cli.sides import CHUNK, SMALL, OpenFile, Side
from glusterio.cli.tasks import in_thread, together
from glusterio.cli.trees import Item, below


class Advance(Protocol):
    """Who is told how far it is."""

    def advance(self, size: int) -> None:
        """So many bytes more are done."""

    def finished(self, path: str) -> None:
        """One more file is done."""


def at_once(stat: os.stat_result) -> int:
    """Return how many bytes of a file to read at once: a small one needs no large buffers."""
    return SMALL if stat.st_size < SMALL else CHUNK


async def digest_of(side: Side, item: Item, root: str, progress: Advance) -> bytes:
    """Read a file and return its SHA-256."""
    size = at_once(item.stat)
    digest = hashlib.sha256()
    offset = 0
    async with side.open(below(root, item.path), os.O_RDONLY) as reader:
        while True:
            data = await reader.read(size, offset)
            await update(digest, data)
            offset += len(data)
            progress.advance(len(data))
            if len(data) < size:
                break
    progress.finished(item.path)
    return digest.digest()


async def update(digest: hashlib._Hash, data: bytes) -> None:
    """Add data to a digest, where the event loop can bear it."""
    if len(data) > SMALL:
        await in_thread(digest.update, data)
    else:
        digest.update(data)


async def agreement(one: OpenFile, other: OpenFile, size: int) -> tuple[int, hashlib._Hash]:
    """Return how far two files are the same, in whole chunks, and the digest of that.

    Args:
        one: a file.
        other: another.
        size: how many bytes to read at once.
    """
    digest = hashlib.sha256()
    offset = 0
    while True:
        data, there = await together([one.read(size, offset), other.read(size, offset)])
        common = min(len(data), len(there))
        if not common or data[:common] != there[:common]:
            return offset, digest
        await update(digest, data[:common])
        offset += common
        if common < size:
            return offset, digest
