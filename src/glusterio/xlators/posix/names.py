"""storage/posix: looking names up, and removing them."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from typing import Final

from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.traps import next_turn
from glusterio.types import NULL_GFID, ROOT_GFID, Gfid
from glusterio.wire.dictionary import UInt
from glusterio.wire.fops.names import (
    LookupReply,
    LookupRequest,
    ReadlinkReply,
    ReadlinkRequest,
    RemovedEntryReply,
    RmdirRequest,
    UnlinkRequest,
)
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.core import iatt_of, operation
from glusterio.xlators.posix.extras import GET_LINK_COUNT, ExtraAnswers
from glusterio.xlators.posix.making import gfid_of_request

#: How much of a tree is removed before others have their turn.
_REMOVED_AT_ONCE: Final = 32


class NameOperations(ExtraAnswers):
    """Operations on the entries of directories."""

    # -- looking up -------------------------------------------------------------------------------

    @operation
    async def lookup(self, frame: Frame, request: LookupRequest) -> LookupReply:
        if not request.name:
            return self._lookup_gfid(frame, request)
        parent, name = request.pargfid, request.name
        directory, parent_status = self._parent(parent, changing=False)
        permissions.require(frame, parent_status, permissions.EXECUTE, directory)
        if name in (".", ".."):
            gfid = parent
            if name == ".." and parent != ROOT_GFID:
                gfid = self.handles.parent_of(parent)[0]
            return self._lookup_gfid(frame, request._replace(gfid=gfid))
        self._check_name(parent, name)
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        gfid = self.handles.identify(
            parent, directory, name, status, gfid_of_request(request.xdata)
        )
        if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1:
            # it may have got its gfid, or its handle, just now
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        postparent = self._shown(parent_status, parent)
        return LookupReply(
            xdata=self._answers(frame, gfid, status, request.xdata or {}),
            stat=self._shown(status, gfid, directory, name),
            postparent=postparent,
        )

    def _lookup_gfid(self, frame: Frame, request: LookupRequest) -> LookupReply:
        gfid = request.gfid
        if gfid == NULL_GFID:
            raise fs_error(errno.EINVAL)
        try:
            status = self.handles.stat(gfid)
        except OSError as error:
            # Other operations say ESTALE. This one asks whether there is such a file.
            if error.errno == errno.ESTALE:
                raise fs_error(errno.ENOENT) from None
            raise
        return LookupReply(
            xdata=self._answers(frame, gfid, status, request.xdata or {}),
            stat=self._shown(status, gfid),
        )

    @operation
    async def readlink(self, frame: Frame, request: ReadlinkRequest) -> ReadlinkReply:
        with self.handles.inode(request.gfid) as inode:
            status = os.fstat(inode)
            if not stat.S_ISLNK(status.st_mode):
                raise fs_error(errno.EINVAL)
            target = os.readlink(b"", dir_fd=inode)[: request.size]
        return ReadlinkReply(
            op_ret=len(target), stat=iatt_of(status, request.gfid), target=os.fsdecode(target)
        )

    # -- removing ---------------------------------------------------------------------------------

    @operation
    async def unlink(self, frame: Frame, request: UnlinkRequest) -> RemovedEntryReply:
        parent, name = request.pargfid, request.name
        directory, before, status, gfid = self._about_to_remove(frame, parent, name)
        if stat.S_ISDIR(status.st_mode):
            raise fs_error(errno.EISDIR)
        links = max(0, status.st_nlink - 1)
        if links > 1:
            self.handles.settle(gfid)
        elif gfid not in self._open_counts:
            links = 0  # as GlusterFS counts: its handle goes first
        os.unlink(name, dir_fd=directory)
        self.handles.removed(gfid, status, parent, name)
        is_asked = GET_LINK_COUNT in (request.xdata or ())
        return RemovedEntryReply(
            xdata={GET_LINK_COUNT: UInt(links if is_asked else 0)},
            preparent=iatt_of(before, parent),
            postparent=iatt_of(os.fstat(directory), parent),
        )

    @operation
    async def rmdir(self, frame: Frame, request: RmdirRequest) -> RemovedEntryReply:
        parent, name = request.pargfid, request.name
        directory, before, status, gfid = self._about_to_remove(frame, parent, name)
        if not stat.S_ISDIR(status.st_mode):
            raise fs_error(errno.ENOTDIR)
        if request.xflags:
            await self._empty(frame, gfid)
            directory = self.handles.directory(parent)
        os.rmdir(name, dir_fd=directory)
        self.handles.removed(gfid, status, parent, name)
        return RemovedEntryReply(
            preparent=iatt_of(before, parent), postparent=iatt_of(os.fstat(directory), parent)
        )

    def _about_to_remove(
        self, frame: Frame, parent: Gfid, name: str
    ) -> tuple[int, os.stat_result, os.stat_result, Gfid]:
        self._check_name(parent, name)
        directory, before = self._parent(parent)
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:  # which is told to nobody who may not look names up there
            permissions.require(frame, before, permissions.EXECUTE, directory)
            raise
        permissions.require_removal(frame, before, status, directory)
        return directory, before, status, self.handles.identify(parent, directory, name, status)

    async def _empty(self, frame: Frame, top: Gfid) -> None:
        """Remove all that a directory holds, whatever its depth.

        Others have their turn now and then, and may take something away meanwhile.
        """
        ways: list[Gfid] = [top]
        looked_at = 0
        while ways:
            names = self._some_names(ways[-1])
            if not names:
                ways.pop()
            for name in names:
                looked_at += 1
                try:
                    inner = self._remove_below(frame, ways[-1], name)
                except FileNotFoundError:
                    continue
                if inner is not None:
                    ways.append(inner)
                    break
            if looked_at >= _REMOVED_AT_ONCE:
                looked_at = 0
                await next_turn(self.services.new_event)

    def _some_names(self, gfid: Gfid) -> list[str]:
        """Return some of the names in a directory; none when it is empty, or has gone."""
        try:
            with os.scandir(f"/proc/self/fd/{self.handles.directory(gfid)}") as entries:
                return [entry.name for entry in itertools.islice(entries, _REMOVED_AT_ONCE)]
        except OSError as error:
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                raise
            return []

    def _remove_below(self, frame: Frame, parent: Gfid, name: str) -> Gfid | None:
        """Remove a name; of a directory that is not empty return the gfid instead."""
        directory, _, status, gfid = self._about_to_remove(frame, parent, name)
        if stat.S_ISDIR(status.st_mode):
            try:
                os.rmdir(name, dir_fd=directory)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                return gfid
        else:
            os.unlink(name, dir_fd=directory)
        self.handles.removed(gfid, status, parent, name)
        return None
