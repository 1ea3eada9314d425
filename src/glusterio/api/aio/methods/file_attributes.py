"""A file's methods that get and set attributes."""

from __future__ import annotations

import os
from typing import Self

from glusterio.api import acl, attributes, dup, handles, xattrs
from glusterio.api.acl import Acl
from glusterio.api.aio.base import AsyncFileBase
from glusterio.api.call_site import call_site
from glusterio.types import Buffer, StrPath


class AsyncFileAttributes(AsyncFileBase):
    """What an open file is."""

    __slots__ = ()

    async def dup(self) -> Self:
        """Return a second open file that is the same on the brick: both are closed by themselves.

        Locks are of both; they are dropped, and the brick closes the file, when the last is closed.
        """
        handle = await self._session.take(dup.dup, self._handle, dup.give_back, call_site())
        return type(self)(self._session, handle)

    async def fstat(self) -> os.stat_result:
        """Return the file's attributes."""
        return attributes.stat_result(await self._session.call(handles.fstat, self._handle))

    async def setattr(
        self,
        *,
        mode: int | None = None,
        uid: int = -1,
        gid: int = -1,
        times: tuple[float, float] | None = None,
        ns: tuple[int, int] | None = None,
    ) -> None:
        """Set several of the file's attributes at once; see :meth:`glusterio.Volume.setattr`."""
        now = self._session.driver.wall_clock()
        await self._change(attributes.new_attributes(mode, uid, gid, times, ns, now))

    async def chmod(self, mode: int) -> None:
        """Set the file's permission bits, as ``os.fchmod``."""
        await self._change(attributes.new_mode(mode))

    async def chown(self, uid: int, gid: int) -> None:
        """Set the file's owner and group, as ``os.fchown``; -1 leaves one as it is."""
        await self._change(attributes.new_owner(uid, gid))

    async def utime(
        self,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
    ) -> None:
        """Set the file's access and modification times; see :meth:`glusterio.Volume.utime`."""
        await self._change(attributes.new_times(times, ns, self._session.driver.wall_clock()))

    async def _change(self, what: attributes.Change) -> None:
        await self._session.call(attributes.fsetattr, self._handle, what)

    async def statvfs(self) -> os.statvfs_result:
        """Return the volume's sizes and free space, as ``os.fstatvfs``."""
        return attributes.statvfs_result(
            await self._session.call(attributes.fstatvfs, self._handle)
        )

    async def getacl(self, *, default: bool = False) -> Acl:
        """Return the access control list; see :meth:`glusterio.Volume.getacl`."""
        result: Acl = await self._session.call(acl.fgetacl, self._handle, acl.attribute(default))
        return result

    async def setacl(self, value: Acl, *, default: bool = False) -> None:
        """Set the access control list; see :meth:`glusterio.Volume.setacl`."""
        await self._session.call(acl.fsetacl, self._handle, acl.attribute(default), value)

    async def getxattr(self, attribute: StrPath | bytes) -> bytes:
        """Return the value of an extended attribute."""
        result: bytes = await self._session.call(
            xattrs.fgetxattr, self._handle, xattrs.name_of(attribute)
        )
        return result

    async def listxattr(self) -> list[str]:
        """Return the names of the extended attributes."""
        result: list[str] = await self._session.call(xattrs.flistxattr, self._handle)
        return result

    async def setxattr(self, attribute: StrPath | bytes, value: Buffer, flags: int = 0) -> None:
        """Set an extended attribute; see :meth:`glusterio.Volume.setxattr`."""
        name, data = xattrs.name_of(attribute), xattrs.new_value(value)
        await self._session.call(xattrs.fsetxattr, self._handle, name, data, flags)

    async def removexattr(self, attribute: StrPath | bytes) -> None:
        """Remove an extended attribute."""
        await self._session.call(xattrs.fremovexattr, self._handle, xattrs.name_of(attribute))
