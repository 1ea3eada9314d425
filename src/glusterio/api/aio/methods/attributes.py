"""A volume's methods that get and set attributes."""

from __future__ import annotations

import os
import stat as stat_module
from typing import Any

from glusterio.api import attributes, handles
from glusterio.api.aio.methods.targets import AsyncTargets
from glusterio.api.owners import group_id, user_id
from glusterio.api.standpoint import Opened, at
from glusterio.api.statx import Statx, statx_result
from glusterio.types import StrPath


class AsyncAttributes(AsyncTargets):
    """What a file is. Where ``os`` takes a descriptor, these take an open file."""

    async def stat(
        self,
        path: StrPath | Opened,
        *,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> os.stat_result:
        """Return a file's attributes."""
        found = self._known(path, dir_fd, follow_symlinks)
        if found is None:
            found = await self._on(attributes.stat, handles.fstat, path, dir_fd, follow_symlinks)
        return attributes.stat_result(found)

    async def lstat(self, path: StrPath, *, dir_fd: Opened | None = None) -> os.stat_result:
        """Return a file's attributes, without following a symbolic link."""
        return await self.stat(path, dir_fd=dir_fd, follow_symlinks=False)

    async def access(
        self,
        path: StrPath,
        mode: int,
        *,
        dir_fd: Opened | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        """Tell whether the session's user may do what ``mode`` says.

        Args:
            path: the path.
            mode: ``os.F_OK``, or ``os.R_OK``, ``os.W_OK`` and ``os.X_OK`` together.
            dir_fd: the open directory that ``path`` is relative to.
            effective_ids: makes no difference: a session's user is the process's effective one.
            follow_symlinks: whether a symbolic link at the end is followed.
        """
        return bool(
            await self._session.call(
                attributes.access, None, at(path, dir_fd), follow_symlinks, mode
            )
        )

    async def chmod(
        self,
        path: StrPath | Opened,
        mode: int,
        *,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set a file's permission bits.

        Raises:
            NotImplementedError: without following, a symbolic link: it has none on Linux.
        """
        await self._change(path, dir_fd, follow_symlinks, attributes.new_mode(mode))

    async def chown(
        self,
        path: StrPath | Opened,
        uid: int = -1,
        gid: int = -1,
        *,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
        user: str | int | None = None,
        group: str | int | None = None,
    ) -> None:
        """Set a file's owner and group; -1 leaves one as it is.

        ``user`` and ``group`` are those of ``shutil.chown``, instead of ``uid`` and ``gid``: numbers,
        or names, which are looked up on this machine.

        Raises:
            LookupError: no such user or group here.
        """
        if user is not None:
            uid = user_id(user)
        if group is not None:
            gid = group_id(group)
        await self._change(path, dir_fd, follow_symlinks, attributes.new_owner(uid, gid))

    async def lchown(self, path: StrPath, uid: int, gid: int) -> None:
        """Set owner and group, without following a symbolic link."""
        await self.chown(path, uid, gid, follow_symlinks=False)

    async def utime(
        self,
        path: StrPath | Opened,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set a file's access and modification times.

        Args:
            path: the path.
            times: both, in seconds since the epoch.
            ns: both, in nanoseconds since the epoch. Without either it is the brick's time now.
            dir_fd: the open directory that ``path`` is relative to.
            follow_symlinks: whether a symbolic link at the end is followed.
        """
        await self._change(
            path,
            dir_fd,
            follow_symlinks,
            attributes.new_times(times, ns, self._session.driver.wall_clock()),
        )

    async def setattr(
        self,
        path: StrPath | Opened,
        *,
        mode: int | None = None,
        uid: int = -1,
        gid: int = -1,
        times: tuple[float, float] | None = None,
        ns: tuple[int, int] | None = None,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set several of a file's attributes at once; what is not given stays as it is.

        Args:
            path: the path.
            mode: the permission bits.
            uid: the owner.
            gid: the group.
            times: access and modification time, in seconds since the epoch.
            ns: both, in nanoseconds since the epoch.
            dir_fd: the open directory that ``path`` is relative to.
            follow_symlinks: whether a symbolic link at the end is followed.
        """
        now = self._session.driver.wall_clock()
        what = attributes.new_attributes(mode, uid, gid, times, ns, now)
        await self._change(path, dir_fd, follow_symlinks, what)

    async def statx(
        self,
        path: StrPath | Opened,
        *,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> Statx:
        """Return all that a brick tells of a file: when it was made, its gfid, what it has not told."""
        return statx_result(
            await self._on(attributes.stat, handles.fstat, path, dir_fd, follow_symlinks)
        )

    async def _change(
        self,
        path: StrPath | Opened,
        dir_fd: Opened | None,
        follow_symlinks: bool,
        what: attributes.Change,
    ) -> None:
        await self._on(attributes.setattr, attributes.fsetattr, path, dir_fd, follow_symlinks, what)

    async def truncate(self, path: StrPath | Opened, length: int) -> None:
        """Set a file's length, in bytes."""
        if isinstance(path, Opened):
            await self._on(attributes.stat, handles.ftruncate, path, None, True, length)
        else:
            await self._session.call(attributes.truncate, None, path, length)

    async def statvfs(self, path: StrPath | Opened = "/") -> os.statvfs_result:
        """Return the volume's sizes and free space."""
        return attributes.statvfs_result(await self._figures(path))

    async def disk_usage(self, path: StrPath | Opened = "/") -> attributes.DiskUsage:
        """Return the volume's total, used and free bytes, as ``shutil.disk_usage``."""
        return attributes.disk_usage(await self._figures(path))

    async def _figures(self, path: StrPath | Opened) -> Any:
        if isinstance(path, Opened):
            return await self._on(attributes.stat, attributes.fstatvfs, path, None, True)
        return await self._session.call(attributes.statvfs, None, path)

    async def copymode(self, src: StrPath, dst: StrPath, *, follow_symlinks: bool = True) -> None:
        """Copy the permission bits from one file to another, as ``shutil.copymode``.

        Between two symbolic links, without following them, there is nothing to copy.
        """
        if not follow_symlinks and await self._are_links(src, dst):
            return
        await self.chmod(dst, stat_module.S_IMODE((await self.stat(src)).st_mode))

    async def _are_links(self, src: StrPath, dst: StrPath) -> bool:
        for path in (src, dst):
            found = await self._session.call(attributes.probe, None, path, False)
            if found is None or not stat_module.S_ISLNK(found.mode):
                return False
        return True
