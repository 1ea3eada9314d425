"""Many paths in one call: their attributes, whether they exist, what is in them.

Each path costs what it costs alone, with many in flight at once. The directories on the way are walked
once, before: what every path needs is not asked for by each of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from glusterio.api.in_flight import in_order
from glusterio.api.path_text import own_text
from glusterio.api.resolve import walk, walk_the_way
from glusterio.api.whole_file import read_file
from glusterio.errors import GlusterError
from glusterio.graph.frame import Frame
from glusterio.traps import Coro
from glusterio.types import StrPath
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

R = TypeVar("R")


async def stat_many(
    core: Core, frame: Frame, paths: Sequence[StrPath], follow: bool, keep_errors: bool
) -> list[Iatt | OSError]:
    """Get the attributes of many files, in the order of their paths.

    Args:
        core: the session.
        frame: the operation's frame.
        paths: the paths.
        follow: whether symbolic links at their ends are followed.
        keep_errors: return the error of a path in its place, instead of raising the first one.
    """

    async def one(core: Core, frame: Frame, path: str) -> Iatt:
        return await walk(core, frame, path, follow=follow)

    return await _each(core, frame, paths, one, keep_errors)


async def exists_many(core: Core, frame: Frame, paths: Sequence[StrPath]) -> list[bool]:
    """Tell of many paths whether each leads to something."""

    async def one(core: Core, frame: Frame, path: StrPath) -> bool:
        try:
            await walk(core, frame, path, follow=True)
        except (OSError, ValueError) as error:
            if isinstance(error, GlusterError):
                raise
            return False
        return True

    await _walk_the_ways(core, frame, paths)
    return await in_order(core, frame, one, paths)


async def read_many(
    core: Core, frame: Frame, paths: Sequence[StrPath], keep_errors: bool, opened_at: str
) -> list[bytes | OSError]:
    """Read many files whole, in the order of their paths; arguments are as for :func:`stat_many`."""

    async def one(core: Core, frame: Frame, path: str) -> bytes:
        return await read_file(core, frame, path, opened_at)

    return await _each(core, frame, paths, one, keep_errors)


async def _each(
    core: Core,
    frame: Frame,
    paths: Sequence[StrPath],
    function: Callable[[Core, Frame, str], Coro[R]],
    keep_errors: bool,
) -> list[R | OSError]:
    async def one(core: Core, frame: Frame, path: str) -> R | OSError:
        try:
            return await function(core, frame, path)
        except OSError as error:
            if not keep_errors or isinstance(error, GlusterError):
                raise
            return error.with_traceback(None)

    texts = [own_text(core, path) for path in paths]
    await _walk_the_ways(core, frame, texts)
    return await in_order(core, frame, one, texts)


async def _walk_the_ways(core: Core, frame: Frame, paths: Sequence[StrPath]) -> None:
    """Walk once to each directory that the paths lead through last. What is wrong is said later."""
    found = {os.path.dirname(path) for path in paths if isinstance(path, str)} - {"", "/"}

    async def go(core: Core, frame: Frame, directory: str) -> None:
        try:
            await walk_the_way(core, frame, directory)
        except (OSError, ValueError) as error:
            if isinstance(error, GlusterError):
                raise

    # Directories in the same one share the way to it, which the first of them should have walked.
    levels: dict[int, list[str]] = {}
    for directory in found:
        levels.setdefault(directory.count("/"), []).append(directory)
    for depth in sorted(levels):
        await in_order(core, frame, go, levels[depth])
