"""A tree, one thing after the other, as it is found; directories are listed ahead of their turn."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import islice
from typing import NamedTuple

from glusterio.cli.sides import Listed, Side
from glusterio.cli.trees import DIRECTORIES_AT_ONCE, Complaint, Item, below, is_fatal

#: How far ahead of the walk directories to list are looked for, in names.
_AHEAD = 256


class Visit(NamedTuple):
    """A thing in a tree, come upon.

    Attributes:
        item: the thing.
        leaving: whether it is a directory that all has been seen of, rather than something new.
        last: whether it is the last of its directory.
    """

    item: Item
    leaving: bool
    last: bool


def walk(
    side: Side,
    root: str,
    complain: Complaint,
    *,
    follow: bool = False,
    max_depth: int | None = None,
    wanted: Callable[[Item], bool] = lambda item: True,
) -> AbstractAsyncContextManager[AsyncGenerator[Visit, None]]:
    """Walk through a tree: ``async with walk(...) as visits: async for visit in visits``.

    The root is first, names in each directory are in their order. A directory is visited twice: before
    what is below it, and, ``leaving``, after that.

    Args:
        side: where it is.
        root: the tree's root; it need not be a directory.
        complain: told of directories that cannot be listed.
        follow: whether a root that is a symbolic link means what it leads to.
        max_depth: do not list directories that are this far below the root.
        wanted: what, with all below it, is visited.

    Raises:
        OSError: the root is not there, when iterated.
    """
    return aclosing(_walk(side, root, complain, follow, max_depth, wanted))


async def _walk(
    side: Side,
    root: str,
    complain: Complaint,
    follow: bool,
    max_depth: int | None,
    wanted: Callable[[Item], bool],
) -> AsyncGenerator[Visit, None]:
    listings: dict[str, asyncio.Task[list[Listed]]] = {}

    def is_listed(visit: Visit) -> bool:
        item = visit.item
        deep = max_depth is not None and item.depth >= max_depth
        return item.is_directory and not visit.leaving and not deep

    def list_ahead() -> None:
        for visit in islice(reversed(todo), _AHEAD):
            if len(listings) >= DIRECTORIES_AT_ONCE:
                break
            path = visit.item.path
            if is_listed(visit) and path not in listings:
                listings[path] = asyncio.create_task(side.list(below(root, path)))

    todo = [Visit(Item("", await side.stat(root, follow)), False, True)]
    try:
        while todo:
            list_ahead()
            visit = todo.pop()
            yield visit
            item = visit.item
            if not item.is_directory or visit.leaving:
                continue
            todo.append(Visit(item, True, visit.last))
            if not is_listed(visit):
                continue
            listing = listings.pop(item.path, None) or asyncio.create_task(
                side.list(below(root, item.path))
            )
            try:
                names = await listing
            except Exception as error:
                if is_fatal(error):
                    raise
                complain(item.path, error)
                continue
            names.sort(key=lambda entry: entry.name, reverse=True)
            found = [Item(os.path.join(item.path, name), stat) for name, stat in names]
            found = [item for item in found if wanted(item)]
            todo += [Visit(item, False, at == 0) for at, item in enumerate(found)]
    finally:
        for task in listings.values():
            task.cancel()
        await asyncio.gather(*listings.values(), return_exceptions=True)
