"""``glusterio cat``: what is in files, to the standard output."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import glusterio
from glusterio.cli.errors import trying_to
from glusterio.cli.locations import on_volume
from glusterio.cli.sides import BLOCK, BLOCKS_IN_FLIGHT


def cat(targets: list[str]) -> None:
    """Write files to the standard output, one after the other, as they come.

    It is written by this very thread, so that a reader who is slow, or gone, is noticed here; meanwhile
    the session looks after itself.
    """
    places = [on_volume(target) for target in targets]
    volumes: dict[str, glusterio.Volume] = {}
    try:
        for place in places:
            volume = volumes.get(place.volume)
            if volume is None:
                with trying_to(f"connect to {place.volume}"):
                    volume = volumes[place.volume] = glusterio.connect(place.volume)
            with (
                trying_to("read", place.text),
                volume.open_handle(place.path or "/", os.O_RDONLY) as file,
            ):
                for data in _blocks(file):
                    _write(data)
    finally:
        for volume in volumes.values():
            volume.close()


def _blocks(file: glusterio.File) -> Iterator[bytes]:
    """Read a file from its beginning to its end, some blocks ahead."""
    reads: deque[Future[bytes]] = deque()
    offset = 0
    while True:
        while len(reads) < BLOCKS_IN_FLIGHT:
            reads.append(file.pread_async(BLOCK, offset))
            offset += BLOCK
        data = reads.popleft().result()
        if data:
            yield data
        if len(data) < BLOCK:
            break
    for read in reads:
        read.exception()


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]
