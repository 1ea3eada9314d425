"""A volume's methods for extended attributes."""

from __future__ import annotations

from typing import Any

from glusterio.api import acl, attributes, xattrs
from glusterio.api.acl import Acl
from glusterio.api.aio.methods.attributes import AsyncAttributes
from glusterio.api.standpoint import Opened
from glusterio.errors import GlusterError
from glusterio.types import Buffer, StrPath


class AsyncXattrs(AsyncAttributes):
    """Extended attributes; those with which GlusterFS keeps its own books are not shown."""

    async def getxattr(
        self,
        path: StrPath | Opened,
        attribute: StrPath | bytes,
        *,
        follow_symlinks: bool = True,
    ) -> bytes:
        """Return the value of an extended attribute.

        Raises:
            OSError: ENODATA: there is none of the name.
        """
        name = xattrs.name_of(attribute)
        result: bytes = await self._on(
            xattrs.getxattr, xattrs.fgetxattr, path, None, follow_symlinks, name
        )
        return result

    async def listxattr(
        self, path: StrPath | Opened | None = None, *, follow_symlinks: bool = True
    ) -> list[str]:
        """Return the names of the extended attributes, by default of the working directory."""
        where = "." if path is None else path
        result: list[str] = await self._on(
            xattrs.listxattr, xattrs.flistxattr, where, None, follow_symlinks
        )
        return result

    async def setxattr(
        self,
        path: StrPath | Opened,
        attribute: StrPath | bytes,
        value: Buffer,
        flags: int = 0,
        *,
        follow_symlinks: bool = True,
    ) -> None:
        """Set an extended attribute.

        Args:
            path: the path, or an open file.
            attribute: its name, ``user.`` and so on included.
            value: its value, of at most 64 KiB.
            flags: ``os.XATTR_CREATE``: it must not be there yet; ``os.XATTR_REPLACE``: it must be.
            follow_symlinks: whether a symbolic link at the end is followed.
        """
        name, data = xattrs.name_of(attribute), xattrs.new_value(value)
        await self._on(
            xattrs.setxattr, xattrs.fsetxattr, path, None, follow_symlinks, name, data, flags
        )

    async def removexattr(
        self,
        path: StrPath | Opened,
        attribute: StrPath | bytes,
        *,
        follow_symlinks: bool = True,
    ) -> None:
        """Remove an extended attribute."""
        name = xattrs.name_of(attribute)
        await self._on(xattrs.removexattr, xattrs.fremovexattr, path, None, follow_symlinks, name)

    async def copystat(self, src: StrPath, dst: StrPath, *, follow_symlinks: bool = True) -> None:
        """Copy times, permission bits and extended attributes, as ``shutil.copystat``.

        Without ``follow_symlinks``, and when both are symbolic links, the links' own times are copied.
        """
        follow = follow_symlinks or not await self._are_links(src, dst)
        found: Any = await self._session.call(attributes.stat, None, src, follow)
        status = attributes.stat_result(found)
        await self.utime(dst, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=follow)
        for name in await self.listxattr(src, follow_symlinks=follow):
            try:
                value = await self.getxattr(src, name, follow_symlinks=follow)
                await self.setxattr(dst, name, value, follow_symlinks=follow)
            except OSError as error:
                if isinstance(error, GlusterError) or error.errno not in xattrs.NOT_COPIED:
                    raise
        if follow:
            await self.chmod(dst, status.st_mode & 0o7777)

    async def getacl(
        self,
        path: StrPath | Opened,
        *,
        default: bool = False,
        dir_fd: Opened | None = None,
    ) -> Acl:
        """Return a file's POSIX access control list.

        Args:
            path: the path; a symbolic link is followed, since it has none itself.
            default: the one that what is made in the directory gets; empty where there is none.
            dir_fd: the open directory that ``path`` is relative to.

        Returns:
            The list; of a file without one what its permission bits say.
        """
        result: Acl = await self._on(
            acl.getacl, acl.fgetacl, path, dir_fd, True, acl.attribute(default)
        )
        return result

    async def setacl(
        self,
        path: StrPath | Opened,
        value: Acl,
        *,
        default: bool = False,
        dir_fd: Opened | None = None,
    ) -> None:
        """Set a file's POSIX access control list, and with it the permission bits.

        Args:
            path: the path; a symbolic link is followed.
            value: the list; an empty one takes away what there is, and leaves the bits.
            default: the one that what is made in the directory gets.
            dir_fd: the open directory that ``path`` is relative to.
        """
        name = acl.attribute(default)
        await self._on(acl.setacl, acl.fsetacl, path, dir_fd, True, name, value)
