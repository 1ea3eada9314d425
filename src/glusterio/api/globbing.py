"""glob: the paths that a pattern matches, with the directories that it needs read many at once.

The algorithm is that of Python's ``glob`` module, a level at a time: of all directories that the
pattern's beginning has matched, the next name is looked for at once. As from Python 3.13 on, ``x/**``
matches nothing where there is no ``x``; before, it matched ``x/`` itself.
"""

from __future__ import annotations

import fnmatch
import glob as python
import os
import re
import stat as stat_module
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from glusterio.api.in_flight import in_order
from glusterio.api.listing import Found, list_path
from glusterio.api.path_text import own_text, spelled
from glusterio.api.resolve import walk
from glusterio.api.standpoint import At
from glusterio.errors import GlusterError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.traps import Coro
from glusterio.types import StrPath

if TYPE_CHECKING:
    from glusterio.api.core import Core

R = TypeVar("R")

_RECURSIVE = "**"

#: Whether ``**`` at the end of a pattern of pathlib's stands for files, too.
_ALL_BELOW = sys.version_info >= (3, 13)


async def glob(
    core: Core,
    frame: Frame,
    pattern: StrPath,
    root: StrPath | None,
    directory: Handle | None,
    recursive: bool,
    include_hidden: bool,
    opened_at: str,
) -> list[str]:
    """Return the paths that match a pattern.

    Args:
        core: the session.
        frame: the operation's frame.
        pattern: the pattern; its meaning is that of Python's ``glob``.
        root: the directory that relative patterns are searched in, or ``None``.
        directory: an open directory that they are relative to, or ``None``.
        recursive: whether ``**`` matches any number of directories.
        include_hidden: whether ``*`` and ``**`` match names that begin with a dot.
        opened_at: where in the application this is.
    """
    text = spelled(pattern)
    root_text = "" if root is None else spelled(root)
    if hasattr(root, "is_on"):
        own_text(core, root or "")
    search = _Search(core, frame, root_text, directory, recursive, include_hidden, opened_at)
    found = await search.find(text, False)
    if found and not found[0] and (not text or (recursive and text.startswith(_RECURSIVE))):
        del found[0]  # the directory itself, which has no name
    return found


async def glob_below(
    core: Core,
    frame: Frame,
    top: StrPath,
    pattern: StrPath,
    anywhere: bool,
    case_sensitive: bool,
    recurse_symlinks: bool,
    opened_at: str,
) -> list[str]:
    """Return the paths below a directory that match a pattern, each once, as ``Path.glob`` does.

    Names that begin with a dot are names like others. ``**`` is any number of directories; at the end
    of a pattern it stands for what this Python's pathlib has it stand for: directories, and from 3.13
    on everything.

    Args:
        core: the session.
        frame: the operation's frame.
        top: the directory.
        pattern: the pattern, relative to it.
        anywhere: look for the pattern in every directory below, too.
        case_sensitive: whether the case of letters matters.
        recurse_symlinks: whether ``**`` goes into directories that symbolic links lead to.
        opened_at: where in the application this is.

    Raises:
        ValueError: an empty pattern.
        NotImplementedError: one that begins at the root.
    """
    text = spelled(pattern)
    parts = PurePosixPath(text).parts
    if text.startswith("/"):
        raise NotImplementedError("Non-relative patterns are unsupported")
    if not parts and not anywhere:
        raise ValueError(f"Unacceptable pattern: {text!r}")
    search = _Search(core, frame, "", None, True, True, opened_at, recurse_symlinks)
    return await search.below(
        spelled(top),
        (*([_RECURSIVE] if anywhere else []), *parts),
        text.endswith("/"),
        case_sensitive,
    )


class _Search:
    """One search, by the arguments of :func:`glob`."""

    def __init__(
        self,
        core: Core,
        frame: Frame,
        root: str,
        directory: Handle | None,
        recursive: bool,
        include_hidden: bool,
        opened_at: str,
        through_links: bool = True,
    ) -> None:
        self._through_links = through_links
        self._core = core
        self._frame = frame
        self._root = root
        self._directory = directory
        self._recursive = recursive
        self._include_hidden = include_hidden
        self._opened_at = opened_at

    async def find(self, pattern: str, only_directories: bool) -> list[str]:
        """Return what matches, in the order of the directories' listings."""
        before, last = os.path.split(pattern)
        if not python.has_magic(pattern):
            there = await (self._is_there([pattern]) if last else self._are_directories([before]))
            return [pattern] if there[0] else []
        if before and before != pattern and python.has_magic(before):
            places = await self.find(before, True)
        else:
            places = [before]
        if not last:  # the places of a pattern that ends in a slash are directories
            names = [[""]] * len(places)
        elif self._recursive and last == _RECURSIVE:
            names = await self._below(places, only_directories)
        elif python.has_magic(last):
            names = await self._matching(places, last, only_directories)
        else:
            there = await self._is_there([os.path.join(place, last) for place in places])
            names = [[last] if is_there else [] for is_there in there]
        return [
            os.path.join(place, name)
            for place, found in zip(places, names, strict=True)
            for name in found
        ]

    async def below(
        self, top: str, parts: Sequence[str], only_directories: bool, case_sensitive: bool
    ) -> list[str]:
        """Return what matches the parts of a pattern below a directory, each path once."""
        places = [top] if (await self._are_directories([top]))[0] else []
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            into = only_directories or not is_last
            if part == _RECURSIVE:
                names = await self._below(places, into or not _ALL_BELOW)
            elif python.has_magic(part) or not case_sensitive:
                names = await self._matching(places, part, into, case_sensitive, True)
            else:
                paths = [os.path.join(place, part) for place in places]
                there = await (self._are_directories(paths) if into else self._exist(paths))
                names = [[part] if is_there else [] for is_there in there]
            places = list(
                dict.fromkeys(
                    os.path.join(place, name) if name else place
                    for place, found in zip(places, names, strict=True)
                    for name in found
                )
            )
        return places

    async def _matching(
        self,
        places: list[str],
        pattern: str,
        only_directories: bool,
        case_sensitive: bool = True,
        hidden: bool = False,
    ) -> list[list[str]]:
        """Find the names in each place that match one part of a pattern."""
        hidden = hidden or self._include_hidden or pattern.startswith(".")
        flags = 0 if case_sensitive else re.IGNORECASE
        matches = re.compile(fnmatch.translate(pattern), flags).match
        matching = []
        for listed in await self._list(places, only_directories):
            names = [name for name, into in listed if into or not only_directories]
            shown = [name for name in names if hidden or not name.startswith(".")]
            matching.append([name for name in shown if matches(name)])
        return matching

    async def _below(self, places: list[str], only_directories: bool) -> list[list[str]]:
        """Find everything below each place, with the place itself as an empty name."""
        # What is found is kept as a tree, since the order is depth first.
        roots: list[_Node] = [_Node("") for _ in places]
        there = await self._are_directories(places)
        level = [
            (place, root)
            for place, root, is_there in zip(places, roots, there, strict=True)
            if is_there
        ]
        present = [root for _, root in level]
        while level:
            listings = await self._list([place for place, _ in level], self._through_links)
            following: list[tuple[str, _Node]] = []
            for (place, node), listed in zip(level, listings, strict=True):
                for name, into in listed:
                    if name.startswith(".") and not self._include_hidden:
                        continue
                    if into or not only_directories:
                        below = _Node(os.path.join(node.name, name))
                        node.children.append(below)
                        if into:
                            following.append((os.path.join(place, name), below))
            level = following
        return [root.names() if root in present else [] for root in roots]

    # -- asking the volume ------------------------------------------------------------------------

    def _at(self, path: str) -> At:
        return At(os.path.join(self._root, path) or ".", self._directory)

    async def _list(self, places: list[str], types: bool) -> list[list[tuple[str, bool]]]:
        """List directories: each name, and, if ``types``, whether it leads to a directory."""

        async def one(core: Core, frame: Frame, place: str) -> list[Found]:
            listing = list_path(core, frame, self._at(place), self._opened_at)
            return await _or_else(listing, [])

        listings = await in_order(self._core, self._frame, one, places)
        links: dict[str, bool] = {}
        if types:
            paths = [
                os.path.join(place, found.name)
                for place, listed in zip(places, listings, strict=True)
                for found in listed
                if found.is_link
            ]
            links = dict(zip(paths, await self._are_directories(paths), strict=True))
        return [
            [
                (
                    found.name,
                    found.is_directory or links.get(os.path.join(place, found.name), False),
                )
                for found in listed
            ]
            for place, listed in zip(places, listings, strict=True)
        ]

    async def _exist(self, paths: Sequence[str]) -> list[bool]:
        """Tell of paths whether each leads to something."""

        async def one(core: Core, frame: Frame, path: str) -> bool:
            async def look() -> bool:
                await walk(core, frame, self._at(path), follow=True)
                return True

            return await _or_else(look(), False)

        return await in_order(self._core, self._frame, one, paths)

    async def _is_there(self, paths: Sequence[str]) -> list[bool]:
        async def one(core: Core, frame: Frame, path: str) -> bool:
            async def look() -> bool:
                await walk(core, frame, self._at(path), follow=False)
                return True

            return await _or_else(look(), False)

        return await in_order(self._core, self._frame, one, paths)

    async def _are_directories(self, paths: Sequence[str]) -> list[bool]:
        async def one(core: Core, frame: Frame, path: str) -> bool:
            async def look() -> bool:
                found = await walk(core, frame, self._at(path), follow=True)
                return stat_module.S_ISDIR(found.mode)

            return await _or_else(look(), False)

        return await in_order(self._core, self._frame, one, paths)


class _Node:
    """A name that ``**`` has found, relative to where that began, with those below it."""

    __slots__ = ("children", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[_Node] = []

    def names(self) -> list[str]:
        """Return the names, depth first."""
        found = []
        stack = [self]
        while stack:
            node = stack.pop()
            found.append(node.name)
            stack += reversed(node.children)
        return found


async def _or_else(work: Coro[R], otherwise: R) -> R:
    """Await something; what cannot be looked at is not there."""
    try:
        return await work
    except (OSError, ValueError) as error:
        if isinstance(error, GlusterError):
            raise
        return otherwise
