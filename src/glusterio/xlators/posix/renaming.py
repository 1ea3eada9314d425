"""storage/posix: RENAME, whose cases the kernel knows; the handles have to follow."""

from __future__ import annotations

import os
import stat

from glusterio.graph.frame import Frame
from glusterio.wire.fops.names import RenameReply, RenameRequest
from glusterio.xlators.posix import permissions
from glusterio.xlators.posix.core import PosixCore, iatt_of, operation
from glusterio.xlators.posix.extras import link_count


class RenameOperations(PosixCore):
    """Moves names."""

    @operation
    async def rename(self, frame: Frame, request: RenameRequest) -> RenameReply:
        old_parent, old_name = request.old_pargfid, request.old_name
        new_parent, new_name = request.new_pargfid, request.new_name
        self._check_name(old_parent, old_name)
        self._check_name(new_parent, new_name)
        source, source_before = self._parent(old_parent)
        target, target_before = self._parent(new_parent)
        status = os.stat(old_name, dir_fd=source, follow_symlinks=False)
        permissions.require_removal(frame, source_before, status, source)
        permissions.require(frame, target_before, permissions.WRITE | permissions.EXECUTE, target)
        if stat.S_ISDIR(status.st_mode) and old_parent != new_parent:
            moved = f"/proc/self/fd/{source}/{old_name}"
            permissions.require(frame, status, permissions.WRITE, moved)  # its ".." changes
        gfid = self.handles.identify(old_parent, source, old_name, status)
        try:
            victim = os.stat(new_name, dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            victim = None
        is_same = victim is not None and os.path.samestat(victim, status)
        if victim is not None and not is_same:
            permissions.require_removal(frame, target_before, victim, target)
            victim_gfid = self.handles.identify(new_parent, target, new_name, victim)
            victim = os.stat(new_name, dir_fd=target, follow_symlinks=False)  # links counted anew
        with self.handles.moving(gfid, new_parent, new_name, status):
            os.rename(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)
        if not is_same:  # else both names stay as they are
            if victim is not None:
                self.handles.removed(victim_gfid, victim, new_parent, new_name)
            self.handles.moved(gfid, (old_parent, old_name), (new_parent, new_name), status)
        after = os.stat(new_name, dir_fd=target, follow_symlinks=False)
        return RenameReply(
            xdata=link_count(request.xdata, None if is_same else victim),
            stat=iatt_of(after, gfid),
            pre_old_parent=iatt_of(source_before, old_parent),
            post_old_parent=iatt_of(os.fstat(source), old_parent),
            pre_new_parent=iatt_of(target_before, new_parent),
            post_new_parent=iatt_of(os.fstat(target), new_parent),
        )
