"""What is below a directory, on either side: surveyed, and removed."""

from __future__ import annotations

import contextlib
import os
import stat as stat_module
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from glusterio.cli.sides import Side
from glusterio.cli.tasks import each
from glusterio.errors import GlusterError

#: How many directories are listed, made or removed at the same time.
DIRECTORIES_AT_ONCE = 16

#: How many names are removed, or changed, at the same time.
NAMES_AT_ONCE = 64

#: Told of a path that something could not be done with, and why.
Complaint = Callable[[str, Exception], None]


class Item(NamedTuple):
    """Something in a tree.

    Attributes:
        path: relative to the tree's root; empty for the root itself.
        stat: its attributes; never those of what a link points to.
    """

    path: str
    stat: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat_module.S_ISDIR(self.stat.st_mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat_module.S_ISLNK(self.stat.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat_module.S_ISREG(self.stat.st_mode)

    @property
    def depth(self) -> int:
        """How far below the root it is: 0 is the root."""
        return self.path.count("/") + 1 if self.path else 0


def below(root: str, path: str) -> str:
    """Return the path of what is at a relative path in a tree."""
    return os.path.join(root, path) if root and path else root or path


def is_fatal(error: Exception) -> bool:
    """Tell whether an error ends everything, because it is the session's and not a file's."""
    return isinstance(error, (GlusterError, ConnectionError))


async def survey(
    side: Side,
    root: str,
    *,
    complain: Complaint,
    leave_out: Callable[[str], bool] = lambda path: False,
) -> list[Item]:
    """List everything below a directory, not itself: parents come first, and each name once.

    Args:
        side: where it is.
        root: the directory.
        complain: told of directories that cannot be listed.
        leave_out: whether a relative path, and what is below it, is of no interest.
    """
    found: list[Item] = []
    level = [""]

    async def list_one(directory: str) -> None:
        try:
            names = await side.list(below(root, directory))
        except Exception as error:
            if is_fatal(error):
                raise
            complain(directory, error)
            return
        # A directory that changes meanwhile may bring a name twice; so may a server that means ill, as
        # a link and then as something that would be written where that leads.
        for name, stat in {entry.name: entry.stat for entry in reversed(names)}.items():
            item = Item(os.path.join(directory, name), stat)
            if not leave_out(item.path):
                found.append(item)
                if item.is_directory:
                    following.append(item.path)

    while level:
        following: list[str] = []
        await each(level, list_one, DIRECTORIES_AT_ONCE)
        level = following
    found.sort(key=lambda item: item.path.split("/"))
    return found


def by_depth(items: list[Item]) -> list[list[Item]]:
    """Group items by depth, the nearest to the root first."""
    levels: dict[int, list[Item]] = {}
    for item in items:
        levels.setdefault(item.depth, []).append(item)
    return [levels[depth] for depth in sorted(levels)]


async def top_down(
    side: Side, item: Item, root: str, work: Callable[[Item], Awaitable[None]], complain: Complaint
) -> None:
    """Do something with a tree's root and all that is below: with a directory before it is listed.

    Args:
        side: where it is.
        item: the root.
        root: its path.
        work: what is done with each item.
        complain: told of what it could not be done with, and of directories that cannot be listed.
    """
    level = [item]
    following: list[Item] = []

    async def one(item: Item) -> None:
        try:
            await work(item)
            if item.is_directory:
                for name, stat in await side.list(below(root, item.path)):
                    following.append(Item(os.path.join(item.path, name), stat))
        except Exception as error:
            if is_fatal(error):
                raise
            complain(item.path, error)

    while level:
        await each(level, one, NAMES_AT_ONCE)
        level, following = following, []


async def remove_tree(side: Side, root: str, complain: Complaint, *, by_force: bool = False) -> int:
    """Remove a directory and everything below it; return the number of names removed.

    Args:
        side: where it is.
        root: the directory.
        complain: told of what could not be removed.
        by_force: also from directories that their owner has closed to himself for writing.
    """
    items = await survey(side, root, complain=complain)
    removed = 0

    async def remove(item: Item) -> None:
        nonlocal removed
        path = below(root, item.path)
        try:
            await (side.rmdir if item.is_directory else side.unlink)(path)
            removed += 1
        except FileNotFoundError:
            pass
        except Exception as error:
            if is_fatal(error):
                raise
            complain(item.path, error)

    async def unlock(item: Item) -> None:
        with contextlib.suppress(PermissionError, FileNotFoundError):
            await side.chmod(below(root, item.path), item.stat.st_mode & 0o7777 | 0o700)

    directories = [item for item in items if item.is_directory]
    if by_force:
        closed = [item for item in directories if item.stat.st_mode & 0o300 != 0o300]
        await each(closed, unlock, DIRECTORIES_AT_ONCE)
    await each([item for item in items if not item.is_directory], remove, NAMES_AT_ONCE)
    for level in reversed(by_depth(directories)):
        await each(level, remove, DIRECTORIES_AT_ONCE)
    await remove(Item("", await side.stat(root)))
    return removed
