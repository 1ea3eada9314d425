"""Gfid objects, and a volume's methods that make them."""

from __future__ import annotations

import os
import stat as stat_module
from types import TracebackType
from typing import Any

from glusterio.api import acl, attributes, leases, names, objects, xattrs
from glusterio.api.acl import Acl
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.aio.file import AsyncFile
from glusterio.api.aio.methods.leases import AsyncLease
from glusterio.api.aio.session import AioSession
from glusterio.api.call_site import call_site
from glusterio.api.entry import Entry
from glusterio.api.handles import bytes_of
from glusterio.api.of_session import OfSession
from glusterio.api.pins import Pin
from glusterio.api.standpoint import Opened, at
from glusterio.api.statx import Statx, statx_result
from glusterio.api.unclosed import warn_if_held
from glusterio.types import Buffer, Gfid, StrPath
from glusterio.wire.programs import LeaseType


class AsyncObject(OfSession):
    """A file of the volume by what it is, whatever its names mean by now: libgfapi's ``glfs_object``.

    Its gfid is good for ever: :meth:`glusterio.Volume.object` makes an object of it again, in any
    session. An object is no open file: no brick knows of it. It is closed with ``close``, at the end of
    a ``with`` block, or with its session, whose report names those that were left.

    Names are components of paths: neither empty, nor ``.``, ``..``, nor with a slash in it. Modes are
    taken as they are: no umask is applied. Of a file that is gone ``OSError`` says ESTALE; else errors
    are those of ``os``.
    """

    __slots__ = ("__weakref__", "_pin", "_session")

    def __init__(self, session: AioSession, pin: Pin) -> None:
        self._session = session
        self._pin = pin

    @property
    def gfid(self) -> Gfid:
        """The file's identity: 16 bytes, the same in every session and for the file's whole life."""
        return self._pin.gfid

    @property
    def path(self) -> str:
        """What it was found by; a name that it may not have any more."""
        return self._pin.path

    @property
    def closed(self) -> bool:
        """Whether it is closed, by :meth:`close` or by the end of the session."""
        return self._pin.closed

    # -- names in a directory ---------------------------------------------------------------------

    async def lookup(self, name: str, *, follow_symlinks: bool = False) -> AsyncObject:
        """Look a name up in this directory."""
        return await self._take(objects.find_in, name, follow_symlinks, call_site())

    async def create(self, name: str, mode: int = 0o666) -> AsyncObject:
        """Make an empty file, where nothing of the name is."""
        kind = stat_module.S_IFREG | stat_module.S_IMODE(mode)
        return await self._take(objects.mknod, name, kind, 0, call_site())

    async def create_open(
        self, name: str, flags: int = os.O_RDWR, mode: int = 0o666
    ) -> tuple[AsyncObject, AsyncFile]:
        """Make a file and open it, or open the one that is there, unless the flags have ``O_EXCL``."""
        pin, handle = await self._session.take(
            objects.create_open, None, objects.give_back, self._pin, name, flags, mode, call_site()
        )
        return AsyncObject(self._session, pin), AsyncFile(self._session, handle)

    async def mkdir(self, name: str, mode: int = 0o777) -> AsyncObject:
        """Make a directory."""
        return await self._take(objects.mkdir, name, mode, call_site())

    async def mknod(self, name: str, mode: int = 0o600, device: int = 0) -> AsyncObject:
        """Make a file, a named pipe, a socket's name or a device node."""
        return await self._take(objects.mknod, name, mode, device, call_site())

    async def symlink(self, src: StrPath, name: str) -> AsyncObject:
        """Make a symbolic link to ``src``."""
        return await self._take(objects.symlink, src, name, call_site())

    async def link(self, directory: AsyncObject, name: str) -> None:
        """Give this file another name, in ``directory``."""
        await self._do(objects.link, directory._pin, name)

    async def unlink(self, name: str) -> None:
        """Remove a file's name."""
        await self._do(objects.in_directory, names.unlink, name)

    async def rmdir(self, name: str) -> None:
        """Remove an empty directory."""
        await self._do(objects.in_directory, names.rmdir, name)

    async def rename(self, name: str, directory: AsyncObject, new_name: str) -> None:
        """Move a name from this directory to ``directory``, replacing what the new name meant."""
        await self._do(objects.rename, name, directory._pin, new_name)

    # -- attributes -------------------------------------------------------------------------------

    async def stat(self) -> os.stat_result:
        """Return the attributes."""
        return attributes.stat_result(await self._do(objects.stat_pinned))

    async def statx(self) -> Statx:
        """Return all that the brick tells of it."""
        return statx_result(await self._do(objects.stat_pinned))

    async def setattr(
        self,
        *,
        mode: int | None = None,
        uid: int = -1,
        gid: int = -1,
        times: tuple[float, float] | None = None,
        ns: tuple[int, int] | None = None,
    ) -> None:
        """Set some of the attributes at once; see :meth:`glusterio.Volume.setattr`."""
        what = attributes.new_attributes(
            mode, uid, gid, times, ns, self._session.driver.wall_clock()
        )
        await self._do(objects.setattr, what)

    async def chmod(self, mode: int) -> None:
        """Set the permission bits."""
        await self._do(objects.setattr, attributes.new_mode(mode))

    async def chown(self, uid: int, gid: int) -> None:
        """Set owner and group; -1 leaves one as it is."""
        await self._do(objects.setattr, attributes.new_owner(uid, gid))

    async def utime(
        self,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
    ) -> None:
        """Set access and modification times; see :meth:`glusterio.Volume.utime`."""
        now = self._session.driver.wall_clock()
        await self._do(objects.setattr, attributes.new_times(times, ns, now))

    async def truncate(self, length: int) -> None:
        """Set the file's length, in bytes."""
        await self._do(objects.truncate, length)

    async def readlink(self) -> str:
        """Return a symbolic link's target."""
        result: str = await self._do(objects.readlink)
        return result

    async def access(self, mode: int) -> bool:
        """Tell whether the session's user may do what ``mode`` says."""
        return bool(await self._do(objects.access, mode))

    async def statvfs(self) -> os.statvfs_result:
        """Return the volume's sizes and free space."""
        return attributes.statvfs_result(await self._do(objects.statvfs))

    async def getacl(self, *, default: bool = False) -> Acl:
        """Return the access control list; see :meth:`glusterio.Volume.getacl`."""
        result: Acl = await self._do(acl.getacl_pinned, acl.attribute(default))
        return result

    async def setacl(self, value: Acl, *, default: bool = False) -> None:
        """Set the access control list; see :meth:`glusterio.Volume.setacl`."""
        await self._do(acl.setacl_pinned, acl.attribute(default), value)

    async def getxattr(self, attribute: StrPath | bytes) -> bytes:
        """Return the value of an extended attribute."""
        result: bytes = await self._do(objects.getxattr, xattrs.name_of(attribute))
        return result

    async def listxattr(self) -> list[str]:
        """Return the names of the extended attributes."""
        result: list[str] = await self._do(objects.listxattr)
        return result

    async def setxattr(self, attribute: StrPath | bytes, value: Buffer, flags: int = 0) -> None:
        """Set an extended attribute; see :meth:`glusterio.Volume.setxattr`."""
        name, data = xattrs.name_of(attribute), xattrs.new_value(value)
        await self._do(objects.setxattr, name, data, flags)

    async def removexattr(self, attribute: StrPath | bytes) -> None:
        """Remove an extended attribute."""
        await self._do(objects.removexattr, xattrs.name_of(attribute))

    def lease(self, kind: LeaseType = LeaseType.READ) -> AsyncLease:
        """Make a lease on the file, to be used in a ``with`` statement.

        With ``LeaseType.READ`` nobody else changes the file, with ``LeaseType.READ_WRITE`` nobody else
        uses its data, until it is given back. Who wants to has the brick ask for that, which is an
        upcall, ``UpcallKind.LEASE_RECALL``; one that is not answered in time is as good as answered.
        A lease ends with the connection to the brick, of which its holder hears in the same way.
        """
        return AsyncLease(self._session, self._pin.gfid, kind)

    async def lease_held(self) -> LeaseType:
        """Tell which lease there is on the file, whoever holds it."""
        found: LeaseType = await self._session.call(leases.held, None, self._pin.gfid)
        return found

    # -- data -------------------------------------------------------------------------------------

    async def open(self, flags: int = os.O_RDONLY) -> AsyncFile:
        """Open it: a file with these flags, or a directory, for ``scandir`` and ``dir_fd``."""
        handle = await self._session.open(objects.open_pinned, self._pin, flags, call_site())
        return AsyncFile(self._session, handle)

    async def read(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset`` without opening the file."""
        result: bytes = await self._do(objects.read, size, offset)
        return result

    async def write(self, data: Buffer, offset: int) -> int:
        """Write ``data`` at ``offset`` without opening the file; the brick has it on return."""
        result: int = await self._do(objects.write, bytes_of(data), offset)
        return result

    # -- life -------------------------------------------------------------------------------------

    async def copy(self) -> AsyncObject:
        """Return a second object of the same file, to be closed by itself."""
        return await self._take(objects.copy, call_site())

    async def _do(self, op: Any, *args: Any) -> Any:
        return await self._session.call(op, None, self._pin, *args)

    async def _take(self, op: Any, *args: Any) -> AsyncObject:
        pin = await self._session.take(op, None, objects.give_back, self._pin, *args)
        return AsyncObject(self._session, pin)

    async def close(self) -> None:
        """Let go of it. Harmless when repeated, or when the session is closed."""
        self._session.core.pins.drop(self._pin)

    async def __aenter__(self) -> AsyncObject:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        warn_if_held(self)

    def __repr__(self) -> str:
        return f"<glusterio Object {self._pin.path!r}{' closed' * self._pin.closed}>"


class AsyncObjects(AsyncVolumeBase):
    """Files by what they are."""

    async def lookup(
        self,
        path: StrPath,
        *,
        dir_fd: Opened | None = None,
        follow_symlinks: bool = True,
    ) -> AsyncObject:
        """Make an object of what a path leads to."""
        pin = await self._session.take(
            objects.find,
            None,
            objects.give_back,
            at(path, dir_fd),
            follow_symlinks,
            call_site(),
        )
        return AsyncObject(self._session, pin)

    async def object(self, of: Gfid | Entry) -> AsyncObject:
        """Make an object of a gfid, its 16 bytes, or of what a listing brought, which asks no brick.

        Raises:
            OSError: ESTALE: no file has this gfid any more.
        """
        if isinstance(of, Entry):
            entry = (of.path, *of._identity, of._at)
            pin = await self._session.take(
                objects.of_entry, None, objects.give_back, *entry, call_site()
            )
        else:
            pin = await self._session.take(
                objects.recreate, None, objects.give_back, bytes(of), call_site()
            )
        return AsyncObject(self._session, pin)
