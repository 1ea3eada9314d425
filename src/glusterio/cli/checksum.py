"""``glusterio checksum``: digests of files, as ``sha256sum`` prints them."""

from __future__ import annotations

import hashlib
import os

from glusterio.cli.digests import at_once
from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.tasks import each, in_thread
from glusterio.cli.trees import Item, below, is_fatal, survey
from glusterio.cli.volumes import Complaints, at_each

#: How many files are read at the same time.
FILES_AT_ONCE = 16


async def checksums(targets: list[str], algorithm: str, recursive: bool) -> None:
    """Tell the digests of files, in their order.

    Args:
        targets: the places.
        algorithm: a name that ``hashlib`` knows.
        recursive: also of files below.
    """

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        def complain(path: str, error: Exception) -> None:
            complaints("read", place.join(path).text, error)

        top = Item("", await side.stat(place.path, follow=True))
        items = [top]
        if top.is_directory and recursive:
            items = await survey(side, place.path, complain=complain)
            items = [item for item in items if item.is_file]
        digests: dict[int, tuple[str, int]] = {}
        next_one = 0

        async def read(numbered: tuple[int, Item]) -> None:
            nonlocal next_one
            at, item = numbered
            try:
                digests[at] = await _digest(side, below(place.path, item.path), item, algorithm)
            except Exception as error:
                if is_fatal(error):
                    raise
                complain(item.path, error)
                digests[at] = "", 0
            while next_one in digests:
                digest, size = digests.pop(next_one)
                text = place.join(items[next_one].path).text
                next_one += 1
                if digest:
                    tell(
                        {"path": text, "algorithm": algorithm, "digest": digest, "size": size},
                        f"{digest}  {shown(text)}",
                    )

        await each(enumerate(items), read, FILES_AT_ONCE)

    await at_each(targets, "read", one)


async def _digest(side: VolumeSide, path: str, item: Item, algorithm: str) -> tuple[str, int]:
    digest = hashlib.new(algorithm)
    size = at_once(item.stat)
    offset = 0
    async with side.open(path, os.O_RDONLY) as file:
        while True:
            data = await file.read(size, offset)
            offset += len(data)
            if data:
                await in_thread(digest.update, data)
            if len(data) < size:
                return digest.hexdigest(), offset
