"""A volume's methods that make, move and remove names."""

from __future__ import annotations

import stat as stat_module

from glusterio.api import names, renaming
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.standpoint import Opened, at
from glusterio.types import StrPath


class AsyncNames(AsyncVolumeBase):
    """Names of files, links, and files that are only a name."""

    async def unlink(self, path: StrPath, *, dir_fd: Opened | None = None) -> None:
        """Remove a file's name."""
        await self._session.call(names.unlink, None, at(path, dir_fd))

    remove = unlink

    async def rename(
        self,
        src: StrPath,
        dst: StrPath,
        *,
        src_dir_fd: Opened | None = None,
        dst_dir_fd: Opened | None = None,
    ) -> None:
        """Move a name, replacing what the new name meant, as ``os.rename`` on Unix."""
        await self._session.call(names.rename, None, at(src, src_dir_fd), at(dst, dst_dir_fd))

    replace = rename

    async def renameat2(
        self,
        src: StrPath,
        dst: StrPath,
        flags: int,
        *,
        src_dir_fd: Opened | None = None,
        dst_dir_fd: Opened | None = None,
    ) -> None:
        """Move a name; with ``glusterio.RENAME_NOREPLACE`` only if the new one is free.

        A file has both names for a moment then. Whether a directory's new name is free is looked at
        before, so another's empty directory that comes between is replaced.

        Raises:
            FileExistsError: the new name is taken.
            OSError: EINVAL: another flag, as on file systems that do not know it.
        """
        await self._session.call(
            renaming.renameat2, None, at(src, src_dir_fd), at(dst, dst_dir_fd), flags
        )

    async def renames(self, old: StrPath, new: StrPath) -> None:
        """Rename; directories that are missing are made, those that became empty are removed."""
        await self._session.call(names.renames, None, old, new, self._umask)

    async def link(
        self,
        src: StrPath,
        dst: StrPath,
        *,
        src_dir_fd: Opened | None = None,
        dst_dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Give the file ``src`` another name, ``dst``.

        A symbolic link ``src`` is followed unless ``follow_symlinks`` is false: as ``os.link`` is
        documented, which on Linux does not do so up to Python 3.13.
        """
        await self._session.call(
            names.link, None, at(src, src_dir_fd), at(dst, dst_dir_fd), follow_symlinks
        )

    async def symlink(
        self,
        src: StrPath,
        dst: StrPath,
        target_is_directory: bool = False,
        *,
        dir_fd: Opened | None = None,
    ) -> None:
        """Make a symbolic link at ``dst`` to ``src``. ``target_is_directory`` makes no difference."""
        await self._session.call(names.symlink, None, src, at(dst, dir_fd))

    async def readlink(self, path: StrPath, *, dir_fd: Opened | None = None) -> str:
        """Return a symbolic link's target."""
        result: str = await self._session.call(names.readlink, None, at(path, dir_fd))
        return result

    async def mknod(
        self,
        path: StrPath,
        mode: int = 0o600,
        device: int = 0,
        *,
        dir_fd: Opened | None = None,
    ) -> None:
        """Make a file, a named pipe, a socket's name or a device node; the umask is applied.

        Args:
            path: where.
            mode: permission bits, and the kind of file: ``stat.S_IFREG``, ``stat.S_IFIFO`` ...
            device: for a device node, as ``os.makedev`` gives it.
            dir_fd: the open directory that ``path`` is relative to.
        """
        await self._session.call(names.mknod, None, at(path, dir_fd), mode, device, self._umask)

    async def mkfifo(
        self, path: StrPath, mode: int = 0o666, *, dir_fd: Opened | None = None
    ) -> None:
        """Make a named pipe's name. Opening it opens no pipe: that works through a mount only."""
        await self.mknod(path, stat_module.S_IFIFO | mode & 0o7777, dir_fd=dir_fd)
