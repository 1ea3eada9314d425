"""du: how much a tree takes, with many directories read at once."""

from __future__ import annotations

import os
import stat as stat_module
from typing import TYPE_CHECKING, NamedTuple

from glusterio.api.in_flight import InFlight, own_frame
from glusterio.api.listing import list_by_gfid
from glusterio.api.path_text import own_text
from glusterio.api.resolve import walk
from glusterio.errors import GlusterError
from glusterio.graph.frame import Frame
from glusterio.types import Gfid, StrPath
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: What ``st_blocks`` counts, in bytes.
BLOCK = 512


class Usage(NamedTuple):
    """What a tree takes, its root included. A file with several names in it counts once.

    Attributes:
        apparent: the sum of the sizes, in bytes: ``du --apparent-size``.
        allocated: what the brick's file system has set aside, in bytes: ``du``.
        files: how many there are that are no directories.
        directories: how many directories.
    """

    apparent: int
    allocated: int
    files: int
    directories: int


async def du(
    core: Core, frame: Frame, path: StrPath, keep_errors: bool, opened_at: str
) -> tuple[Usage, list[OSError]]:
    """Sum up a tree; symbolic links count as themselves.

    Args:
        core: the session.
        frame: the operation's frame.
        path: the tree's root, of any kind.
        keep_errors: return why directories could not be read, which then do not count in full,
            instead of raising the first of these errors.
        opened_at: where in the application this is.

    Raises:
        OSError: the root cannot be looked at.
    """
    counting = _Counting(core, frame, keep_errors, opened_at)
    text = own_text(core, path)
    found = await walk(core, own_frame(frame), text, follow=False)
    counting.count(found, text)
    await counting.jobs.run()
    usage = Usage(counting.apparent, counting.blocks * BLOCK, counting.files, counting.directories)
    return usage, counting.errors


class _Counting:
    """The sums so far, and the directories still to be read."""

    def __init__(self, core: Core, frame: Frame, keep_errors: bool, opened_at: str) -> None:
        self.jobs = InFlight(core.driver.new_event)
        self.apparent = 0
        self.blocks = 0
        self.files = 0
        self.directories = 0
        self.errors: list[OSError] = []
        self._core = core
        self._frame = frame
        self._keep_errors = keep_errors
        self._opened_at = opened_at
        self._seen: set[Gfid] = set()

    def count(self, found: Iatt, path: str) -> None:
        if stat_module.S_ISDIR(found.mode):
            self.directories += 1
            self.jobs.add(self._read, path, found.gfid)
        elif found.nlink > 1 and found.gfid in self._seen:
            return
        else:
            self.files += 1
            if found.nlink > 1:
                self._seen.add(found.gfid)
        self.apparent += found.size
        self.blocks += found.blocks

    async def _read(self, path: str, gfid: Gfid) -> None:
        core, frame = self._core, own_frame(self._frame)
        try:
            for found in await list_by_gfid(core, frame, path, gfid, self._opened_at):
                self.count(found.stat, os.path.join(path, found.name))
        except OSError as error:
            if not self._keep_errors or isinstance(error, GlusterError):
                raise
            self.errors.append(error.with_traceback(None))
