"""The two sides of a copy, behind one interface: a volume, and this machine.

Paths of a :class:`VolumeSide` are relative to the volume's root, those of a :class:`LocalSide` are the
system's. Reading and writing take what they do in blocks, several of them in flight.
"""

from __future__ import annotations

import errno
import os
from types import TracebackType
from typing import NamedTuple, Protocol

from glusterio import aio
from glusterio.cli.tasks import in_thread, together
from glusterio.errors import GlusterError, HandleStaleError, VersionMismatchError

#: What one READ or WRITE carries, and how many of them a file has in flight.
BLOCK = 1024 * 1024
BLOCKS_IN_FLIGHT = 4
CHUNK = BLOCK * BLOCKS_IN_FLIGHT

#: Local files up to this size are read and written at once, larger ones by a thread, because the
#: event loop has better things to do.
SMALL = 256 * 1024


#: How much a brick is told to copy at once: so much that the calls cost nothing, and there is progress.
PIECE_ON_BRICK = 32 * 1024 * 1024

#: What says that a brick cannot copy by itself, or not between these, or knows of no holes.
_CANNOT = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL})


class Listed(NamedTuple):
    """One name of a directory."""

    name: str
    stat: os.stat_result


class OpenFile(Protocol):
    """A file being read or written."""

    async def read(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes; fewer only at the end of the file."""

    async def write(self, data: bytes, offset: int) -> None:
        """Write all of ``data``, and the last block of it last: what was cut in it is shorter."""

    async def truncate(self, length: int) -> None:
        """Set the file's length."""

    async def data_from(self, offset: int) -> tuple[int, int] | None:
        """Return where the next data begins and ends; nothing if there is a hole up to the end."""

    async def stat(self) -> os.stat_result:
        """Return the file's attributes."""

    async def __aenter__(self) -> OpenFile: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Side(Protocol):
    """Where a tree is."""

    #: The volume's URL, or nothing for this machine: what is the same place, and what is not.
    place: str

    async def stat(self, path: str, follow: bool = False) -> os.stat_result:
        """Return attributes."""

    async def list(self, path: str) -> list[Listed]:
        """List a directory."""

    def open(self, path: str, flags: int, mode: int = 0o666) -> OpenFile:
        """Open a file, when entered."""

    async def readlink(self, path: str) -> str:
        """Return a symbolic link's target."""

    async def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link."""

    async def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""

    async def unlink(self, path: str) -> None:
        """Remove a file's name."""

    async def rmdir(self, path: str) -> None:
        """Remove an empty directory."""

    async def rename(self, path: str, new: str) -> None:
        """Move a name, replacing what the new one meant."""

    async def chmod(self, path: str, mode: int) -> None:
        """Set permission bits."""

    async def set_times(self, path: str, stat: os.stat_result) -> None:
        """Set the times that ``stat`` holds, also of a symbolic link itself."""

    async def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group, also of a symbolic link itself."""

    async def xattrs(self, path: str) -> dict[str, bytes]:
        """Return the extended attributes."""

    async def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """Set an extended attribute."""


class VolumeFile:
    """A file on a volume.

    Attributes:
        volume: the volume.
        file: the open file, once entered.
    """

    file: aio.File

    def __init__(self, volume: aio.Volume, path: str, flags: int, mode: int) -> None:
        self.volume = volume
        self._opening = volume.open_handle(path, flags, mode)

    async def read(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes, several blocks of it at the same time."""
        if size <= BLOCK:
            return await self.file.pread(size, offset)
        blocks = await together(
            self.file.pread(min(BLOCK, size - at), offset + at) for at in range(0, size, BLOCK)
        )
        return b"".join(blocks)

    async def write(self, data: bytes, offset: int) -> None:
        """Write all of ``data``, several blocks of it at the same time, and the last one last."""
        view = memoryview(data)
        last = max(0, len(data) - 1) // BLOCK * BLOCK
        if last:
            await together(
                self._write(view[at : at + BLOCK], offset + at) for at in range(0, last, BLOCK)
            )
        await self._write(view[last:], offset + last)

    async def _write(self, data: bytes | memoryview, offset: int) -> None:
        written = await self.file.pwrite(data, offset)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes were written")

    async def truncate(self, length: int) -> None:
        """Set the file's length."""
        await self.file.truncate(length)

    async def data_from(self, offset: int) -> tuple[int, int] | None:
        """Return where the next data begins and ends; nothing if there is a hole up to the end."""
        try:
            begin = await self.file.lseek(offset, os.SEEK_DATA)
            return begin, await self.file.lseek(begin, os.SEEK_HOLE)
        except OSError as error:
            return _no_data(error, offset)

    async def stat(self) -> os.stat_result:
        """Return the file's attributes."""
        return await self.file.fstat()

    async def __aenter__(self) -> VolumeFile:
        self.file = await self._opening
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            await self.file.close()
        except HandleStaleError:
            if kind is None:
                raise  # else why it is so is the better error


def _no_data(error: OSError, offset: int) -> tuple[int, int] | None:
    if error.errno == errno.ENXIO:
        return None
    if isinstance(error, GlusterError) or error.errno not in _CANNOT:
        raise error
    return offset, 1 << 63  # nobody knows of holes there: it is data all over


async def copy_on_brick(reader: OpenFile, writer: OpenFile, size: int, offset: int) -> int | None:
    """Copy a range from one file to the other without its coming here.

    Args:
        reader: the file to copy from.
        writer: the file to copy into.
        size: how many bytes.
        offset: where they are, in both.

    Returns:
        How many were copied: none at the end of the file. ``None`` if they have to come here.
    """
    if not (
        isinstance(reader, VolumeFile)
        and isinstance(writer, VolumeFile)
        and reader.volume is writer.volume
    ):
        return None
    try:
        return await reader.file.copy_file_range(writer.file, size, offset, offset)
    except VersionMismatchError:
        return None
    except OSError as error:
        if isinstance(error, GlusterError) or error.errno not in _CANNOT:
            raise
        return None


class VolumeSide:
    """A volume."""

    def __init__(self, volume: aio.Volume, url: str) -> None:
        self.volume = volume
        self.place = url

    async def stat(self, path: str, follow: bool = False) -> os.stat_result:
        """Return attributes."""
        return await self.volume.stat(path or "/", follow_symlinks=follow)

    async def list(self, path: str) -> list[Listed]:
        """List a directory; what disappears meanwhile is not in it."""
        found = []
        async with self.volume.scandir(path or "/") as entries:
            async for entry in entries:
                try:
                    found.append(Listed(entry.name, await entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        return found

    def open(self, path: str, flags: int, mode: int = 0o666) -> VolumeFile:
        """Open a file, when entered."""
        return VolumeFile(self.volume, path or "/", flags, mode)

    async def readlink(self, path: str) -> str:
        """Return a symbolic link's target."""
        return await self.volume.readlink(path)

    async def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link."""
        await self.volume.symlink(target, path)

    async def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""
        await self.volume.mkdir(path or "/", mode)

    async def unlink(self, path: str) -> None:
        """Remove a file's name."""
        await self.volume.unlink(path)

    async def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        await self.volume.rmdir(path or "/")

    async def rename(self, path: str, new: str) -> None:
        """Move a name, replacing what the new one meant."""
        await self.volume.rename(path or "/", new or "/")

    async def chmod(self, path: str, mode: int) -> None:
        """Set permission bits."""
        await self.volume.chmod(path or "/", mode)

    async def set_times(self, path: str, stat: os.stat_result) -> None:
        """Set times, also of a symbolic link itself."""
        times = (stat.st_atime_ns, stat.st_mtime_ns)
        await self.volume.utime(path or "/", ns=times, follow_symlinks=False)

    async def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group, also of a symbolic link itself."""
        await self.volume.chown(path or "/", uid, gid, follow_symlinks=False)

    async def xattrs(self, path: str) -> dict[str, bytes]:
        """Return the extended attributes."""
        names = await self.volume.listxattr(path or "/")
        return {name: await self.volume.getxattr(path or "/", name) for name in names}

    async def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """Set an extended attribute."""
        await self.volume.setxattr(path or "/", name, value)


class LocalFile:
    """A file of this machine."""

    def __init__(self, path: str, flags: int, mode: int) -> None:
        self._path = path
        self._flags = flags | os.O_CLOEXEC | os.O_NOCTTY
        self._mode = mode

    async def read(self, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes."""
        if size <= SMALL:
            return self._read(size, offset)
        return await in_thread(self._read, size, offset)

    def _read(self, size: int, offset: int) -> bytes:
        data = os.pread(self._descriptor, size, offset)
        while 0 < len(data) < size:
            more = os.pread(self._descriptor, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    async def write(self, data: bytes, offset: int) -> None:
        """Write all of ``data``."""
        if len(data) <= SMALL:
            self._write(data, offset)
        else:
            await in_thread(self._write, data, offset)

    def _write(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    async def truncate(self, length: int) -> None:
        """Set the file's length."""
        os.ftruncate(self._descriptor, length)

    async def data_from(self, offset: int) -> tuple[int, int] | None:
        """Return where the next data begins and ends; nothing if there is a hole up to the end."""
        try:
            begin = os.lseek(self._descriptor, offset, os.SEEK_DATA)
            return begin, os.lseek(self._descriptor, begin, os.SEEK_HOLE)
        except OSError as error:
            return _no_data(error, offset)

    async def stat(self) -> os.stat_result:
        """Return the file's attributes."""
        return os.fstat(self._descriptor)

    async def __aenter__(self) -> LocalFile:
        self._descriptor = os.open(self._path, self._flags, self._mode)
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._descriptor)


class LocalSide:
    """This machine."""

    place = ""

    async def stat(self, path: str, follow: bool = False) -> os.stat_result:
        """Return attributes."""
        return os.stat(path, follow_symlinks=follow)

    async def list(self, path: str) -> list[Listed]:
        """List a directory; what disappears meanwhile is not in it."""
        found = []
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    found.append(Listed(entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        return found

    def open(self, path: str, flags: int, mode: int = 0o666) -> LocalFile:
        """Open a file, when entered."""
        return LocalFile(path, flags, mode)

    async def readlink(self, path: str) -> str:
        """Return a symbolic link's target."""
        return os.readlink(path)

    async def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link."""
        os.symlink(target, path)

    async def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""
        os.mkdir(path, mode)

    async def unlink(self, path: str) -> None:
        """Remove a file's name."""
        os.unlink(path)

    async def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        os.rmdir(path)

    async def rename(self, path: str, new: str) -> None:
        """Move a name, replacing what the new one meant."""
        os.rename(path, new)

    async def chmod(self, path: str, mode: int) -> None:
        """Set permission bits."""
        os.chmod(path, mode)

    async def set_times(self, path: str, stat: os.stat_result) -> None:
        """Set times, also of a symbolic link itself."""
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns), follow_symlinks=False)

    async def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group, also of a symbolic link itself."""
        os.chown(path, uid, gid, follow_symlinks=False)

    async def xattrs(self, path: str) -> dict[str, bytes]:
        """Return the extended attributes."""
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}

    async def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """Set an extended attribute."""
        os.setxattr(path, name, value)
