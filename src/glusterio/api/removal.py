"""rmtree: a whole tree removed, with many requests in flight.

The removal goes by gfid: a directory is emptied because it was found in the directory above, not
because a path leads to it; so a symbolic link that somebody puts in its place is removed as a link, and
never followed. That is what ``shutil.rmtree`` does with directory descriptors.

A directory's name can go when everything in it has been dealt with. Where something cannot be removed,
the caller may have a say (``onexc`` and ``onerror`` of ``shutil.rmtree``): its handler may call the
volume and wait, so it cannot run in the middle of this. Instead :func:`rmtree` returns what failed once
there is nothing else to do; the face calls the handler, says :meth:`Removal.handled`, and goes on.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING, NamedTuple

from glusterio.api.closing import Opened
from glusterio.api.in_flight import InFlight, own_frame
from glusterio.api.listing import GONE, open_by_gfid, read_all
from glusterio.api.names import rmdir
from glusterio.api.path_text import text_of
from glusterio.api.resolve import named, walk, walk_to_entry
from glusterio.api.standpoint import At
from glusterio.errors import GlusterError, fs_error
from glusterio.graph.frame import Frame
from glusterio.types import Gfid, StrPath
from glusterio.wire.fops.names import RmdirRequest, UnlinkRequest

if TYPE_CHECKING:
    from glusterio.api.core import Core


class Doomed:
    """A directory being removed.

    Attributes:
        above: the directory that it is in; ``None`` for the root of the tree.
        parent: that directory's gfid.
        name: its name there; empty when the path of a root ends in no name.
        gfid: itself.
        path: for messages.
        left: how much has to be dealt with before its name can go.
    """

    __slots__ = ("above", "gfid", "left", "name", "parent", "path")

    def __init__(
        self, above: Doomed | None, parent: Gfid, name: str, gfid: Gfid, path: str
    ) -> None:
        self.above = above
        self.parent = parent
        self.name = name
        self.gfid = gfid
        self.path = path
        self.left = 1  # its own listing


class Failure(NamedTuple):
    """Something that could not be done.

    Attributes:
        function: what was to be done, by its name in ``os``: ``lstat``, ``open``, ``islink``,
            ``scandir``, ``unlink`` or ``rmdir``.
        path: to what.
        error: why it could not.
        waiting: the directory that waits for this to be settled, if any.
    """

    function: str
    path: str
    error: OSError
    waiting: Doomed | None


class Removal:
    """The removal of one tree.

    Args:
        path: the tree's root.
        ignore_errors: go on whatever fails.
        ask: have :func:`rmtree` return what failed; without it, and without ``ignore_errors``, the
            first failure is raised.
        opened_at: where in the application this is.
    """

    def __init__(self, path: StrPath | At, ignore_errors: bool, ask: bool, opened_at: str) -> None:
        self.root = path
        self.path = text_of(path)
        self.ignore_errors = ignore_errors
        self.ask = ask and not ignore_errors
        self.opened_at = opened_at
        self.begun = False
        self.failures: list[Failure] = []
        self.settled: list[Doomed] = []

    def handled(self, failure: Failure) -> None:
        """Say that a failure has been handled, well or not: nothing waits for it any more."""
        if failure.waiting is not None:
            self.settled.append(failure.waiting)


async def rmtree(core: Core, frame: Frame, removal: Removal) -> list[Failure]:
    """Remove the tree, or go on with that.

    Returns:
        What failed, to be handled; then this is to be called again. Nothing when all is done.

    Raises:
        OSError: the first failure, unless errors are ignored or asked about.
    """
    frame.kept = None
    round_ = _Round(core, frame, removal)
    if not removal.begun:
        removal.begun = True
        round_.jobs.add(round_.begin)
    settled, removal.settled = removal.settled, []
    for directory in settled:
        round_.settle(directory)
    await round_.jobs.run()
    failures, removal.failures = removal.failures, []
    return failures


class _Round:
    """One call of :func:`rmtree`: jobs until there is nothing to do but to ask."""

    def __init__(self, core: Core, frame: Frame, removal: Removal) -> None:
        self.jobs = InFlight(core.driver.new_event)
        self._core = core
        self._frame = frame
        self._removal = removal

    def settle(self, directory: Doomed | None) -> None:
        """Something in a directory has been dealt with."""
        if directory is not None:
            directory.left -= 1
            if not directory.left:
                self.jobs.add(self._remove_directory, directory)

    def _failed(self, function: str, path: str, error: OSError, waiting: Doomed | None) -> None:
        if isinstance(error, GlusterError):  # of the session or the connection, not of the file
            raise error
        removal = self._removal
        if removal.ask:
            removal.failures.append(Failure(function, path, error, waiting))
        elif removal.ignore_errors:
            self.settle(waiting)
        else:
            raise error

    async def begin(self) -> None:
        """Look at the root."""
        core, frame = self._core, own_frame(self._frame)
        path, at = self._removal.path, self._removal.root
        try:
            place = await walk_to_entry(core, frame, at)
            found = place.stat
            if found is None or (place.slash and not place.is_directory):
                found = await walk(core, frame, at, follow=False)
        except OSError as error:
            self._failed("lstat", path, error, None)
            return
        if stat_module.S_ISLNK(found.mode):
            function, refusal = "islink", OSError("Cannot call rmtree on a symbolic link")
            try:
                await walk(core, frame, at, follow=True)
            except OSError as error:
                function, refusal = "open", error
            self._failed(function, path, refusal, None)
            return
        name = place.name if place.stat is found else ""
        root = Doomed(None, place.parent, name, found.gfid, path)
        if stat_module.S_ISDIR(found.mode):
            await self._empty(root)
        else:
            self._failed("scandir", path, fs_error(errno.ENOTDIR, path), root)

    async def _empty(self, directory: Doomed) -> None:
        """List a directory, and have everything in it removed."""
        core, frame, path = self._core, own_frame(self._frame), directory.path
        opened_at = self._removal.opened_at
        try:
            handle = await open_by_gfid(core, frame, path, directory.gfid, opened_at)
        except OSError as error:
            if error.errno in GONE and directory.above is not None:
                self.settle(directory.above)
            else:
                self._failed("open", path, error, directory.above)
            return
        try:
            async with Opened(core, frame, handle):
                listed = await read_all(core, frame, handle)
        except OSError as error:
            self._failed("scandir", path, error, directory)
            return
        # What is added last is done first: the names here, before further directories are listed.
        listed.sort(key=lambda found: not found.is_directory)
        directory.left += len(listed)
        for found in listed:
            below = os.path.join(path, found.name)
            if found.is_directory:
                child = Doomed(directory, directory.gfid, found.name, found.stat.gfid, below)
                self.jobs.add(self._empty, child)
            else:
                self.jobs.add(self._unlink, directory, found.name, below)
        self.settle(directory)

    async def _unlink(self, directory: Doomed, name: str, path: str) -> None:
        """Remove a name that is no directory's."""
        core, frame = self._core, own_frame(self._frame)
        try:
            await named(core.top.unlink(frame, UnlinkRequest(directory.gfid, name)), path)
        except OSError as error:
            if error.errno not in GONE:  # as good, if another was quicker
                self._failed("unlink", path, error, directory)
                return
        core.inodes.unlink(directory.gfid, name)
        self.settle(directory)

    async def _remove_directory(self, directory: Doomed) -> None:
        """Remove the name of a directory in which everything has been dealt with."""
        core, frame, path = self._core, own_frame(self._frame), directory.path
        try:
            if directory.name:
                request = RmdirRequest(directory.parent, 0, directory.name)
                await named(core.top.rmdir(frame, request), path)
                core.inodes.unlink(directory.parent, directory.name)
                core.inodes.forget(directory.gfid)
            else:
                await rmdir(core, frame, self._removal.root)
        except OSError as error:
            if error.errno not in GONE or directory.above is None:
                self._failed("rmdir", path, error, directory.above)
                return
        self.settle(directory.above)
