"""A tree, one thing after the other, as it is found; directories are listed ahead of their turn."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import islice
from typing import NamedTuple

from glusterio.cli.sides import Listed, Side
from glusterio.cli.trees import DIRECTORIES_AT_ONCE, Complaint, Item, below, is_fatal

#: How far ahead of the walk directories to list are looked for, in names.
_AHEAD = 256


class Listings:
    """The listings of a tree's directories, some of them asked for ahead of their turn.

    An asynchronous context manager: at its end nothing is asked any more.

    Args:
        side: where the tree is.
        root: its root; paths are relative to it.
    """

    def __init__(self, side: Side, root: str) -> None:
        self._side = side
        self._root = root
        self._asked: dict[str, asyncio.Task[list[Listed]]] = {}

    def ahead(self, paths: Iterable[str]) -> None:
        """Ask for some directories, the first ones first, as many as are asked at the same time."""
        for path in paths:
            if len(self._asked) >= DIRECTORIES_AT_ONCE:
                break
            if path not in self._asked:
                self._asked[path] = asyncio.create_task(self._list(path))

    async def of(self, path: str) -> list[Listed]:
        """Return a directory's listing; it is forgotten then."""
        asked = self._asked.pop(path, None)
        return await (self._list(path) if asked is None else asked)

    async def _list(self, path: str) -> list[Listed]:
        return await self._side.list(below(self._root, path))

    async def __aenter__(self) -> Listings:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


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
    def is_listed(visit: Visit) -> bool:
        item = visit.item
        deep = max_depth is not None and item.depth >= max_depth
        return item.is_directory and not visit.leaving and not deep

    todo = [Visit(Item("", await side.stat(root, follow)), False, True)]
    async with Listings(side, root) as listings:
        while todo:
            next_ones = islice(reversed(todo), _AHEAD)
            listings.ahead(visit.item.path for visit in next_ones if is_listed(visit))
            visit = todo.pop()
            yield visit
            item = visit.item
            if not item.is_directory or visit.leaving:
                continue
            todo.append(Visit(item, True, visit.last))
            if not is_listed(visit):
                continue
            try:
                names = await listings.of(item.path)
            except Exception as error:
                if is_fatal(error):
                    raise
                complain(item.path, error)
                continue
            names.sort(key=lambda entry: entry.name, reverse=True)
            found = [Item(os.path.join(item.path, name), stat) for name, stat in names]
            found = [item for item in found if wanted(item)]
            todo += [Visit(item, False, at == 0) for at, item in enumerate(found)]
