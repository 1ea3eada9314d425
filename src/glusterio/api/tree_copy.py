"""copytree: a whole tree copied within a volume, with many requests in flight.

The tree is walked by gfid, and so is what is made: a directory that was just made has nothing in it, so
a file in it is made with one request. Only where a directory was there already are names looked up, and
links followed, as ``open`` does.

Two things the application may have a say in, and its functions may call the volume and wait: what to
leave out (``ignore``), and how to copy a file (``copy_function``). So they cannot run in the middle of
this. :func:`copytree` returns when there is nothing else to do; the face asks, and goes on.
"""

from __future__ import annotations

import os
import shutil
import stat as stat_module
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from glusterio.api.closing import Opened, close_handle, drop_handle
from glusterio.api.copying import (
    TARGET_FLAGS,
    Besides,
    check_target,
    copy_data,
    copy_status,
    open_source,
)
from glusterio.api.handles import create_in, gfid_request, open_file
from glusterio.api.in_flight import InFlight, own_frame
from glusterio.api.listing import Found, list_by_gfid
from glusterio.api.names import makedirs
from glusterio.api.path_text import PATH_MAX, own_text, text_of
from glusterio.api.resolve import named, walk
from glusterio.errors import GlusterError
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.types import NULL_GFID, Gfid, StrPath
from glusterio.wire.fops.names import MkdirRequest, ReadlinkRequest, SymlinkRequest
from glusterio.wire.iatt import ZERO_IATT, Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core


class Progress(NamedTuple):
    """How far a copy has come. The totals grow while the tree is being read.

    Attributes:
        files_done: files that have been copied, or could not be.
        files_total: files found so far.
        bytes_done: bytes copied.
        bytes_total: the sizes of the files found so far.
        path: the file, as it is named in the source, that this is about.
    """

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    path: str


class Branch:
    """A directory being copied.

    Attributes:
        above: the directory that it is in; ``None`` for the root of the tree.
        src: its path, and ``dst``: the copy's.
        stat: its attributes.
        listed: what is in it.
        copy: the copy's gfid.
        is_new: whether the copy was made by this.
        left: how much has to be dealt with before its own attributes are copied.
        ignored: the names that are left out, once that has been decided.
    """

    __slots__ = ("above", "copy", "dst", "ignored", "is_new", "left", "listed", "src", "stat")

    def __init__(self, above: Branch | None, src: str, dst: str, stat: Iatt) -> None:
        self.above = above
        self.src = src
        self.dst = dst
        self.stat = stat
        self.listed: list[Found] = []
        self.copy: Gfid = NULL_GFID
        self.is_new = False
        self.left = 1  # its own listing
        self.ignored: Collection[str] = ()


class OneFile(NamedTuple):
    """A file that the application's own function is to copy."""

    branch: Branch
    src: str
    dst: str
    size: int


class TreeCopy:
    """One copy of a tree.

    Args:
        src: the tree's root.
        dst: the copy's.
        symlinks: copy symbolic links as such, instead of what they lead to.
        ignore_dangling: leave links out that lead nowhere.
        exist_ok: whether directories of the copy may be there.
        besides: what is copied besides the data of files; ``None`` has each file asked about.
        ask_ignored: have what is left out decided for each directory.
        progress: called often, in the middle of the work: it must be quick, and not use the volume.
        umask: for what is made.
        opened_at: where in the application this is.

    Attributes:
        undecided: directories for which it is to be decided what is left out.
        files: files that the application is to copy itself.
        errors: what went wrong so far: source, target and reason.
        made: the copy's directories: it must not be copied into itself without an end.
    """

    def __init__(
        self,
        src: StrPath,
        dst: StrPath,
        *,
        symlinks: bool,
        ignore_dangling: bool,
        exist_ok: bool,
        besides: Besides | None,
        ask_ignored: bool,
        progress: Callable[[Progress], object] | None,
        umask: int,
        opened_at: str,
    ) -> None:
        self.given = (src, dst)
        self.src = text_of(src)
        self.dst = text_of(dst)
        self.symlinks = symlinks
        self.ignore_dangling = ignore_dangling
        self.exist_ok = exist_ok
        self.besides = besides
        self.ask_ignored = ask_ignored
        self.umask = umask
        self.opened_at = opened_at
        self.begun = False
        self.undecided: list[Branch] = []
        self.files: list[OneFile] = []
        self.errors: list[tuple[str, str, str]] = []
        self.made: set[Gfid] = set()
        self._progress = progress
        self._files_done = self._files_total = self._bytes_done = self._bytes_total = 0

    def failed(self, src: str, dst: str, error: Exception) -> None:
        """Take note of what went wrong."""
        if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
            self.errors += error.args[0]
        else:
            self.errors.append((src, dst, str(error)))

    def found(self, size: int) -> None:
        """A file has been found."""
        self._files_total += 1
        self._bytes_total += size

    def copied(self, path: str, count: int, files: int = 0) -> None:
        """So many bytes, and files, have been copied."""
        self._bytes_done += count
        self._files_done += files
        if self._progress is not None:
            self._progress(
                Progress(
                    self._files_done, self._files_total, self._bytes_done, self._bytes_total, path
                )
            )


async def copytree(core: Core, frame: Frame, work: TreeCopy) -> bool:
    """Copy the tree, or go on with that.

    What is in ``work.undecided`` has been decided, and what is in ``work.files`` has been copied, when
    this is called again; it fills them anew.

    Returns:
        Whether all is done.

    Raises:
        OSError: the root cannot be listed, or its copy not be made.
        shutil.Error: all is done, and this is what went wrong.
    """
    frame.kept = None
    round_ = _Round(core, frame, work)
    if not work.begun:
        work.begun = True
        round_.jobs.add(round_.begin)
    decided, work.undecided = work.undecided, []
    for branch in decided:
        round_.jobs.add(round_.enter, branch)
    files, work.files = work.files, []
    for file in files:
        round_.settle(file.branch)
    await round_.jobs.run()
    if work.undecided or work.files:
        return False
    if work.errors:
        raise shutil.Error(sorted(work.errors))
    return True


class _Round:
    """One call of :func:`copytree`: jobs until there is nothing to do but to ask."""

    def __init__(self, core: Core, frame: Frame, work: TreeCopy) -> None:
        self.jobs = InFlight(core.driver.new_event)
        self._core = core
        self._frame = frame
        self._work = work

    def settle(self, branch: Branch | None) -> None:
        """Something in a directory has been dealt with."""
        if branch is not None:
            branch.left -= 1
            if not branch.left:
                self.jobs.add(self._finish, branch)

    def _failed(self, branch: Branch | None, src: str, dst: str, error: Exception) -> None:
        """Something in a directory could not be copied; of the root that is the end."""
        if branch is None or isinstance(error, GlusterError):
            raise error
        self._work.failed(src, dst, error)
        self.settle(branch)

    async def begin(self) -> None:
        """Look at the root."""
        work = self._work
        for path in work.given:
            own_text(self._core, path)
        found = await walk(self._core, own_frame(self._frame), work.src, follow=True)
        await self._list(Branch(None, work.src, work.dst, found))

    async def _list(self, branch: Branch) -> None:
        """List a directory, and have it copied unless something has to be decided first."""
        core, frame, work = self._core, own_frame(self._frame), self._work
        if branch.stat.gfid in work.made:
            refusal = shutil.Error(f"Cannot copy a directory {work.src!r} into itself {work.dst!r}")
            self._failed(branch.above, branch.src, branch.dst, refusal)
            return
        try:
            branch.listed = await list_by_gfid(
                core, frame, branch.src, branch.stat.gfid, work.opened_at
            )
        except OSError as error:
            self._failed(branch.above, branch.src, branch.dst, error)
            return
        if work.ask_ignored:
            work.undecided.append(branch)
        else:
            await self.enter(branch)

    async def enter(self, branch: Branch) -> None:
        """Make the copy of a directory, and have everything copied that is not left out."""
        try:
            await self._make(branch)
        except OSError as error:
            self._failed(branch.above, branch.src, branch.dst, error)
            return
        work = self._work
        wanted = [found for found in branch.listed if found.name not in branch.ignored]
        branch.listed = []
        branch.left += len(wanted)
        # What is added last is done first: the files here, before further directories are listed.
        wanted.sort(key=lambda found: not found.is_directory)
        for found in wanted:
            src, dst = os.path.join(branch.src, found.name), os.path.join(branch.dst, found.name)
            if found.is_directory:
                self.jobs.add(self._list, Branch(branch, src, dst, found.stat))
            elif found.is_link:
                self.jobs.add(self._link, branch, found, src, dst)
            else:
                work.found(found.stat.size)
                self.jobs.add(self._file, branch, found.stat, src, dst)
        self.settle(branch)

    async def _make(self, branch: Branch) -> None:
        core, frame, work, above = self._core, own_frame(self._frame), self._work, branch.above
        if above is None:
            branch.is_new = not await self._exists(branch.dst)
            await makedirs(core, frame, branch.dst, 0o777, work.exist_ok, work.umask)
            branch.copy = (await walk(core, frame, branch.dst, follow=True)).gfid
            work.made.add(branch.copy)
            return
        name = os.path.basename(branch.dst)
        request = MkdirRequest(above.copy, 0o777, work.umask, name, gfid_request())
        try:
            made = await named(core.top.mkdir(frame, request), branch.dst)
        except FileExistsError:
            if not work.exist_ok:
                raise
            found = await walk(core, frame, branch.dst, follow=True)
            if not stat_module.S_ISDIR(found.mode):
                raise
            branch.copy = found.gfid
        else:
            branch.is_new = True
            branch.copy = made.stat.gfid
            work.made.add(branch.copy)
            core.inodes.link(above.copy, name, branch.copy, core.now(), stat_module.S_IFDIR)

    async def _exists(self, path: str) -> bool:
        try:
            await walk(self._core, own_frame(self._frame), path, follow=False)
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            return False
        return True

    async def _finish(self, branch: Branch) -> None:
        """Copy the attributes of a directory in which everything has been dealt with."""
        core, frame = self._core, own_frame(self._frame)
        try:
            await copy_status(
                core, frame, branch.src, branch.stat, branch.dst, branch.copy, Besides.STATUS
            )
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            self._work.failed(branch.src, branch.dst, error)
        self.settle(branch.above)

    async def _link(self, branch: Branch, found: Found, src: str, dst: str) -> None:
        """Copy a symbolic link, or what it leads to."""
        core, frame, work = self._core, own_frame(self._frame), self._work
        try:
            if work.symlinks:
                request = ReadlinkRequest(found.stat.gfid, PATH_MAX)
                target = (await named(core.top.readlink(frame, request), src)).target
                making = SymlinkRequest(branch.copy, found.name, 0, target, gfid_request())
                made = await named(core.top.symlink(frame, making), target, dst)
                await copy_status(core, frame, src, found.stat, dst, made.stat.gfid, Besides.STATUS)
                self.settle(branch)
                return
            try:
                leads_to = await walk(core, frame, src, follow=True)
            except OSError as error:
                if isinstance(error, GlusterError) or not work.ignore_dangling:
                    raise
                self.settle(branch)
                return
        except OSError as error:
            self._failed(branch, src, dst, error)
            return
        if stat_module.S_ISDIR(leads_to.mode):
            await self._list(Branch(branch, src, dst, leads_to))
        else:
            work.found(leads_to.size)
            await self._file(branch, leads_to, src, dst)

    async def _file(self, branch: Branch, found: Iatt, src: str, dst: str) -> None:
        """Copy a file."""
        core, frame, work = self._core, own_frame(self._frame), self._work
        if work.besides is None:
            work.files.append(OneFile(branch, src, dst, found.size))
            return
        try:
            await self._copy(core, frame, branch, found, src, dst)
        except (OSError, shutil.Error) as error:
            work.copied(src, 0, 1)
            self._failed(branch, src, dst, error)
            return
        work.copied(src, 0, 1)
        self.settle(branch)

    async def _copy(
        self, core: Core, frame: Frame, branch: Branch, found: Iatt, src: str, dst: str
    ) -> None:
        work = self._work
        assert work.besides is not None
        check_target(src, found, dst, None)
        source = await open_source(core, frame, src, found, work.opened_at)
        async with Opened(core, frame, source):
            target = await self._open_target(core, own_frame(frame), branch, found, src, dst)
            try:
                if found.size:
                    await copy_data(
                        core, frame, source, target, lambda count: work.copied(src, count)
                    )
                await copy_status(core, frame, src, found, dst, target.fd.gfid, work.besides)
            except GeneratorExit:
                raise
            except BaseException:
                await drop_handle(core, target)
                raise
            await close_handle(core, frame, target)  # tells of what was deferred

    async def _open_target(
        self, core: Core, frame: Frame, branch: Branch, found: Iatt, src: str, dst: str
    ) -> Handle:
        work = self._work
        if branch.is_new:
            name = os.path.basename(dst)
            try:
                return await create_in(
                    core, frame, dst, branch.copy, name, 0o666, work.umask, work.opened_at
                )
            except FileExistsError:  # another made it meanwhile: it is overwritten, as by `open`
                pass
        try:
            there = await walk(core, frame, dst, follow=True)
        except FileNotFoundError:
            there = ZERO_IATT
        if there is not ZERO_IATT:
            check_target(src, found, dst, there)
        return await open_file(
            core, own_frame(frame), dst, TARGET_FLAGS, 0o666, work.umask, work.opened_at
        )
