"""A path on a volume, with the methods of ``pathlib.Path``."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat as stat_module
from collections.abc import AsyncIterator, Callable
from typing import Any

from glusterio.api import globbing, walking
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.aio.path_open import AsyncPathOpen
from glusterio.api.call_site import call_site
from glusterio.errors import GlusterError
from glusterio.types import Buffer, StrPath

#: What says that nothing is there, to the methods that ask whether something is (``pathlib``).
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP})


class AsyncVolumePath(AsyncPathOpen):
    """A path on a volume: ``vol / "directory" / "file"``.

    It has the properties, the methods and the errors of ``pathlib.Path``. It is no ``os.PathLike``, so
    that it is not taken for a path of this machine; a volume's methods take it all the same.
    """

    __slots__ = ()

    # -- what is there ----------------------------------------------------------------------------

    async def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the file's attributes."""
        return await self._volume.stat(self, follow_symlinks=follow_symlinks)

    async def lstat(self) -> os.stat_result:
        """Return the attributes, those of a symbolic link itself."""
        return await self.stat(follow_symlinks=False)

    async def _mode(self, follow_symlinks: bool) -> int:
        """Return the file's mode; 0 when there is no file."""
        try:
            return (await self.stat(follow_symlinks=follow_symlinks)).st_mode
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
        except ValueError:
            if self._volume.closed:
                raise
        return 0

    async def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the path leads to something."""
        return bool(await self._mode(follow_symlinks))

    async def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it leads to a directory."""
        return stat_module.S_ISDIR(await self._mode(follow_symlinks))

    async def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it leads to a regular file."""
        return stat_module.S_ISREG(await self._mode(follow_symlinks))

    async def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return stat_module.S_ISLNK(await self._mode(False))

    async def is_socket(self) -> bool:
        """Tell whether it leads to a socket."""
        return stat_module.S_ISSOCK(await self._mode(True))

    async def is_fifo(self) -> bool:
        """Tell whether it leads to a named pipe."""
        return stat_module.S_ISFIFO(await self._mode(True))

    async def is_block_device(self) -> bool:
        """Tell whether it leads to a block device."""
        return stat_module.S_ISBLK(await self._mode(True))

    async def is_char_device(self) -> bool:
        """Tell whether it leads to a character device."""
        return stat_module.S_ISCHR(await self._mode(True))

    async def is_mount(self) -> bool:
        """Tell whether it is where a file system begins: the volume's root."""
        return await self._volume.ismount(self)

    async def is_junction(self) -> bool:
        """Tell that it is none of Windows' junctions."""
        return False

    async def samefile(self, other_path: StrPath) -> bool:
        """Tell whether another path leads to the same file."""
        return await self._volume.samefile(self, self.with_segments(other_path))

    async def owner(self, *, follow_symlinks: bool = True) -> str:
        """Return the name that the file's owner has on this machine.

        Raises:
            KeyError: this machine does not know the owner.
        """
        return pwd.getpwuid((await self.stat(follow_symlinks=follow_symlinks)).st_uid).pw_name

    async def group(self, *, follow_symlinks: bool = True) -> str:
        """Return the name that the file's group has on this machine.

        Raises:
            KeyError: this machine does not know the group.
        """
        return grp.getgrgid((await self.stat(follow_symlinks=follow_symlinks)).st_gid).gr_name

    # -- what is in it ----------------------------------------------------------------------------

    async def read_bytes(self) -> bytes:
        """Return all that is in the file. A small one takes a single round trip."""
        return await self._volume.read_bytes(self)

    async def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """Return all that is in the text file."""
        return await self._volume.read_text(self, encoding, errors, newline)

    async def write_bytes(self, data: Buffer) -> int:
        """Make the file, or empty it, and write ``data`` to it; return the number of bytes."""
        return await self._volume.write_bytes(self, data)

    async def write_text(
        self,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make the file, or empty it, and write text to it; return the number of characters."""
        return await self._volume.write_text(self, data, encoding, errors, newline)

    async def iterdir(self) -> AsyncIterator[AsyncVolumePath]:
        """Give out the paths of what is in the directory."""
        left = await self._volume.listdir(self)
        left.reverse()
        while left:
            yield self / left.pop()

    async def walk(
        self,
        top_down: bool = True,
        on_error: Callable[[OSError], object] | None = None,
        follow_symlinks: bool = False,
    ) -> AsyncIterator[tuple[AsyncVolumePath, list[str], list[str]]]:
        """Go through the tree as ``pathlib.Path.walk`` (of Python 3.12) does.

        Unless they are followed, symbolic links to directories are among the other names.

        Args:
            top_down: a directory before what is in it; its list of subdirectories may then be changed,
                to say which to go into.
            on_error: called with the error when a directory cannot be listed; otherwise it is left out.
            follow_symlinks: also go into directories that symbolic links lead to.
        """
        stack: list[tuple[AsyncVolumePath, list[str], list[str]] | AsyncVolumePath] = [self]
        session = self._volume._session
        while stack:
            path = stack.pop()
            if isinstance(path, tuple):
                yield path
                continue
            try:
                scanned = await session.call(walking.scan, None, path, True, call_site())
            except OSError as error:
                if on_error is not None:
                    await self._volume._ask(on_error, error)
                continue
            directories, others, links = scanned
            if not follow_symlinks:
                others += [name for name in directories if name in links]
                directories = [name for name in directories if name not in links]
            if top_down:
                yield path, directories, others
            else:
                stack.append((path, directories, others))
            stack += [path / name for name in reversed(directories)]

    async def glob(
        self,
        pattern: StrPath,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> AsyncIterator[AsyncVolumePath]:
        """Give out the paths below this one that match a pattern.

        Args:
            pattern: the pattern, relative.
            case_sensitive: whether the case of letters matters; it does by default.
            recurse_symlinks: whether ``**`` goes into directories that symbolic links lead to.

        Raises:
            ValueError: an empty pattern.
            NotImplementedError: one that begins at the root.
        """
        left: list[str] = await self._volume._session.call(
            globbing.glob_below,
            None,
            self,
            pattern,
            False,
            case_sensitive is not False,
            recurse_symlinks,
            call_site(),
        )
        left.reverse()
        while left:
            yield self.with_segments(left.pop())

    async def rglob(
        self,
        pattern: StrPath,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> AsyncIterator[AsyncVolumePath]:
        """Give out the paths anywhere below this one that match a pattern; see :meth:`glob`."""
        left: list[str] = await self._volume._session.call(
            globbing.glob_below,
            None,
            self,
            pattern,
            True,
            case_sensitive is not False,
            recurse_symlinks,
            call_site(),
        )
        left.reverse()
        while left:
            yield self.with_segments(left.pop())

    # -- making and removing ----------------------------------------------------------------------

    async def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the directory.

        Args:
            mode: its permission bits; the process's umask is applied.
            parents: whether the directories above it are made, too, with the usual bits.
            exist_ok: whether it may be there.
        """
        try:
            await self._volume.mkdir(self, mode)
        except FileNotFoundError:
            if not parents or self.parent == self:
                raise
            await self.parent.mkdir(parents=True, exist_ok=True)
            await self.mkdir(mode, exist_ok=exist_ok)
        except OSError:
            if not exist_ok or not await self.is_dir():
                raise

    async def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:
        """Make the file, or set its times to the present.

        Args:
            mode: permission bits of a new file; the process's umask is applied.
            exist_ok: whether it may be there.
        """
        if exist_ok:
            try:
                await self._volume.utime(self)
            except OSError as error:
                if isinstance(error, GlusterError):
                    raise
            else:
                return
        flags = os.O_CREAT | os.O_WRONLY | (0 if exist_ok else os.O_EXCL)
        async with self._volume.open_handle(self, flags, mode):
            pass

    async def rmdir(self) -> None:
        """Remove the directory, which must be empty."""
        await self._volume.rmdir(self)

    async def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file's name.

        Args:
            missing_ok: whether it may be missing.
        """
        try:
            await self._volume.unlink(self)
        except FileNotFoundError:
            if not missing_ok:
                raise

    async def rename(self, target: StrPath) -> AsyncVolumePath:
        """Move the file to another path, and return that; what was there is replaced."""
        await self._volume.rename(self, target)
        return self.with_segments(target)

    async def replace(self, target: StrPath) -> AsyncVolumePath:
        """Move the file to another path, and return that; what was there is replaced."""
        await self._volume.replace(self, target)
        return self.with_segments(target)

    async def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        """Set the file's permission bits."""
        await self._volume.chmod(self, mode, follow_symlinks=follow_symlinks)

    async def lchmod(self, mode: int) -> None:
        """Set the permission bits, those of a symbolic link itself: Linux has none."""
        await self.chmod(mode, follow_symlinks=False)

    # -- links ------------------------------------------------------------------------------------

    async def symlink_to(self, target: StrPath, target_is_directory: bool = False) -> None:
        """Make the path a symbolic link to ``target``."""
        await self._volume.symlink(target, self, target_is_directory)

    async def hardlink_to(self, target: StrPath) -> None:
        """Make the path another name of ``target``."""
        await self._volume.link(target, self)

    async def readlink(self) -> AsyncVolumePath:
        """Return where the symbolic link leads."""
        return self.with_segments(await self._volume.readlink(self))

    async def resolve(self, strict: bool = False) -> AsyncVolumePath:
        """Return where the path leads, from the root, without dots and symbolic links.

        Args:
            strict: whether it has to exist.
        """
        return self.with_segments(await self._volume.realpath(self, strict=strict))

    async def absolute(self) -> AsyncVolumePath:
        """Return the path from the root, by the session's working directory."""
        if self.is_absolute():
            return self
        return self.with_segments(await self._volume.getcwd(), self)


class AsyncPaths(AsyncVolumeBase):
    """A volume as the beginning of paths."""

    def path(self, *segments: StrPath) -> AsyncVolumePath:
        """Return a path on this volume, as ``pathlib.Path`` makes one of its arguments."""
        volume: Any = self
        return AsyncVolumePath(volume, *segments)

    def __truediv__(self, key: StrPath) -> AsyncVolumePath:
        try:
            return self.path("/", key)
        except TypeError:
            return NotImplemented
