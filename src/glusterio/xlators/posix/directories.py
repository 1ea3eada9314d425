"""storage/posix: open directories.

An entry's cookie is the kernel's own (``d_off``), so that reading on after a cookie works however the
directory has changed meanwhile, as far as the file system makes it work.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Now, Offload, next_turn
from glusterio.types import ROOT_GFID, Gfid
from glusterio.wire.fops.directories import (
    DirEntry,
    DirPlusEntry,
    FsyncdirRequest,
    OpendirRequest,
    ReaddirpReply,
    ReaddirpRequest,
    ReaddirReply,
    ReaddirRequest,
)
from glusterio.wire.fops.files import CommonReply, OpenReply
from glusterio.wire.iatt import ZERO_IATT
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.core import OpenFile, operation
from glusterio.xlators.posix.extras import ExtraAnswers
from glusterio.xlators.posix.identity import HIDDEN
from glusterio.xlators.posix.libc import Entry, read_entries

#: What an entry costs besides its name, and the most that one batch may cost, in bytes: GlusterFS's
#: own reckoning, roughly.
ENTRY_COST = 216
MAX_BUDGET = 128 * 1024

#: How many entries are looked at before the clock is, and after how many seconds others have a turn.
_LOOKED_AT_ONCE = 32
_LONG = 0.02


class DirectoryOperations(ExtraAnswers):
    """Operations on open directories."""

    @operation
    async def opendir(self, frame: Frame, fd: Fd, request: OpendirRequest) -> OpenReply:
        directory = self.handles.directory(request.gfid)
        permissions.require(frame, os.fstat(directory), permissions.READ, directory)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._keep(fd, os.open(".", flags, dir_fd=directory), request.gfid, True)
        return OpenReply()

    @operation
    async def releasedir(self, frame: Frame, fd: Fd) -> None:
        opened = fd.context.pop(self, None)
        if opened is not None:
            self._close(opened)

    @operation
    async def fsyncdir(self, frame: Frame, fd: Fd, request: FsyncdirRequest) -> CommonReply:
        await Offload(os.fsync, self._directory_of(fd).descriptor)
        return CommonReply()

    @operation
    async def readdir(self, frame: Frame, fd: Fd, request: ReaddirRequest) -> ReaddirReply:
        opened = self._directory_of(fd)
        entries, is_last = self._batch(opened, request.offset, request.size)
        found = tuple(DirEntry.of(one.inode, one.offset, one.kind, one.name) for one in entries)
        return ReaddirReply(len(found), errno.ENOENT if is_last else 0, None, found)

    @operation
    async def readdirp(self, frame: Frame, fd: Fd, request: ReaddirpRequest) -> ReaddirpReply:
        opened = self._directory_of(fd)
        entries, is_last = self._batch(opened, request.offset, request.size)
        found = []
        begun = await Now()
        for entry in entries:
            found.append(self._with_attributes(frame, opened, entry, request))
            # Files that were never seen take long, each getting its handle: others shall have a turn.
            if not len(found) % _LOOKED_AT_ONCE and await Now() - begun > _LONG:
                await next_turn(self.services.new_event)
                begun = await Now()
        return ReaddirpReply(len(found), errno.ENOENT if is_last else 0, None, tuple(found))

    def _directory_of(self, fd: Fd) -> OpenFile:
        opened = self._file_of(fd)
        if (
            not opened.is_directory
        ):  # made by OPEN: then it lists nothing, even if it is a directory
            raise fs_error(errno.EINVAL)
        return opened

    def _batch(self, opened: OpenFile, offset: int, size: int) -> tuple[list[Entry], bool]:
        """Return the entries behind a cookie that a budget allows, and whether they are the last.

        There is at least one, if there is one left, or nobody would ever get any further.
        """
        budget = min(size, MAX_BUDGET)
        batch: list[Entry] = []
        for entry in self._entries(opened, offset):
            budget -= ENTRY_COST + len(entry.name)
            if budget < 0 and batch:
                return batch, False
            batch.append(entry)
        return batch, True

    @staticmethod
    def _entries(opened: OpenFile, offset: int) -> Iterator[Entry]:
        is_root = opened.gfid == ROOT_GFID
        if offset != opened.position:
            os.lseek(opened.descriptor, offset, os.SEEK_SET)
        opened.position = -1  # somewhere behind what will have been used
        while found := read_entries(opened.descriptor):
            for entry in found:
                if not is_root or entry.name != HIDDEN:
                    yield entry

    def _with_attributes(
        self, frame: Frame, opened: OpenFile, entry: Entry, request: ReaddirpRequest
    ) -> DirPlusEntry:
        directory, name = opened.descriptor, entry.name
        gfid: Gfid
        try:
            if name == ".":
                status, gfid = os.fstat(directory), opened.gfid
                shown = self._shown(status, gfid, directory, ".")
            elif name == "..":
                # Of the root's parent nothing is told.
                if opened.gfid == ROOT_GFID:
                    return DirPlusEntry.of(entry.offset, entry.kind, name, ZERO_IATT)
                gfid = self.handles.parent_of(opened.gfid)[0]
                status = self.handles.stat(gfid)
                shown = self._shown(status, gfid)
            else:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                gfid = self.handles.identify(opened.gfid, directory, name, status)
                if not stat.S_ISDIR(status.st_mode) and status.st_nlink == 1:
                    # its handle was made just now
                    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                shown = self._shown(status, gfid, directory, name)
            answers = self._answers(frame, gfid, status, request.xdata or {})
        except OSError:  # gone since
            return DirPlusEntry.of(entry.offset, entry.kind, name, ZERO_IATT)
        return DirPlusEntry.of(entry.offset, entry.kind, name, shown, answers)
