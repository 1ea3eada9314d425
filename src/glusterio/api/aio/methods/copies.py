"""A volume's methods that copy and move files and trees within it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable

from glusterio.api import copying, tree_copy
from glusterio.api.aio.methods.names import AsyncNames
from glusterio.api.aio.methods.tests import AsyncTests
from glusterio.api.aio.methods.trees import AsyncTrees
from glusterio.api.aio.methods.working_directory import AsyncWorkingDirectory
from glusterio.api.aio.methods.xattrs import AsyncXattrs
from glusterio.api.call_site import call_site
from glusterio.api.copying import Besides
from glusterio.api.path_text import text_of
from glusterio.api.tree_copy import Progress, TreeCopy
from glusterio.errors import GlusterError
from glusterio.types import StrPath


class AsyncCopies(AsyncTests, AsyncXattrs, AsyncNames, AsyncTrees, AsyncWorkingDirectory):
    """What ``shutil`` does with two paths. Our own bricks copy the data: it does not cross the wire."""

    async def copyfile(
        self, src: StrPath, dst: StrPath, *, follow_symlinks: bool = True
    ) -> StrPath:
        """Copy what is in a file, as ``shutil.copyfile``; return ``dst``.

        Args:
            src: the file.
            dst: the copy, which may not be a directory.
            follow_symlinks: copy what a symbolic link leads to, instead of the link.

        Raises:
            shutil.SameFileError: they are the same file.
            shutil.SpecialFileError: one of them is a named pipe, or the first a device.
        """
        await self._copy(src, dst, Besides.NOTHING, follow_symlinks)
        return dst

    async def copy(self, src: StrPath, dst: StrPath, *, follow_symlinks: bool = True) -> StrPath:
        """Copy a file with its permission bits, as ``shutil.copy``; return the copy's path.

        Args:
            src: the file.
            dst: the copy, or the directory that it shall be in.
            follow_symlinks: copy what a symbolic link leads to, instead of the link.

        Raises:
            shutil.SameFileError, shutil.SpecialFileError: as for :meth:`copyfile`.
        """
        return await self._copy(src, dst, Besides.MODE, follow_symlinks)

    async def copy2(self, src: StrPath, dst: StrPath, *, follow_symlinks: bool = True) -> StrPath:
        """Copy a file with its attributes, as ``shutil.copy2``; else as :meth:`copy`."""
        return await self._copy(src, dst, Besides.STATUS, follow_symlinks)

    async def _copy(self, src: StrPath, dst: StrPath, besides: Besides, follow: bool) -> StrPath:
        path: str = await self._session.call(
            copying.copy, None, src, dst, besides, follow, self._umask, call_site()
        )
        return dst if path == text_of(dst) else path

    async def copytree(
        self,
        src: StrPath,
        dst: StrPath,
        symlinks: bool = False,
        ignore: Callable[[str, list[str]], Iterable[str]] | None = None,
        copy_function: Callable[[str, str], object] = shutil.copy2,
        ignore_dangling_symlinks: bool = False,
        dirs_exist_ok: bool = False,
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> StrPath:
        """Copy a tree, as ``shutil.copytree``; return ``dst``.

        Args:
            src: the tree's root.
            dst: the copy's; directories on the way to it are made.
            symlinks: copy symbolic links as such, instead of what they lead to.
            ignore: called with a directory's path and the names in it; returns those to be left out.
            copy_function: ``shutil``'s ``copy2``, ``copy`` or ``copyfile``, or the volume's; any other
                function is called with the paths of each file and its copy, one after the other.
            ignore_dangling_symlinks: leave links out that lead nowhere, seen from where they are.
            dirs_exist_ok: whether directories of the copy may be there.
            progress: called with each piece that is copied, in the middle of the work; so it must be
                quick, and not use this volume. It may raise to end the copy.

        Raises:
            shutil.Error: its argument is a list: source, target and reason for each that failed.
            OSError: the root cannot be read, or its copy not be made.
        """
        work = TreeCopy(
            src,
            dst,
            symlinks=symlinks,
            ignore_dangling=ignore_dangling_symlinks,
            exist_ok=dirs_exist_ok,
            besides=self._besides(copy_function),
            ask_ignored=ignore is not None,
            progress=progress,
            umask=self._umask,
            opened_at=call_site(),
        )
        while not await self._session.call(tree_copy.copytree, None, work):
            for branch in work.undecided:
                if ignore is not None:
                    names = [found.name for found in branch.listed]
                    branch.ignored = set(await self._ask(ignore, branch.src, names))
            for file in work.files:
                try:
                    await self._ask(copy_function, file.src, file.dst)
                except OSError as error:
                    if isinstance(error, GlusterError):
                        raise
                    work.failed(file.src, file.dst, error)
                work.copied(file.src, file.size, 1)
        return dst

    def _besides(self, copy_function: Callable[..., object]) -> Besides | None:
        """Return what a function copies besides data, if it is one of those known here."""
        ours: dict[object, Besides] = {
            self.copyfile: Besides.NOTHING,
            self.copy: Besides.MODE,
            self.copy2: Besides.STATUS,
        }
        return copying.OF_SHUTIL.get(copy_function) or ours.get(copy_function)

    async def move(
        self,
        src: StrPath,
        dst: StrPath,
        copy_function: Callable[[str, str], object] = shutil.copy2,
    ) -> str:
        """Move a file or a tree, as ``shutil.move``; return where it is now.

        It is renamed. Where a brick does not do that, it is copied and then removed.

        Args:
            src: what to move.
            dst: where to; an existing directory means: into it.
            copy_function: as for :meth:`copytree`.

        Raises:
            shutil.Error: it is there already; or a directory is to be moved into itself.
        """
        source = text_of(src)
        target = place = text_of(dst)
        if await self.isdir(place):
            if await self._is_same(source, place):
                await self.rename(source, place)
                return place
            target = os.path.join(place, os.path.basename(source.rstrip("/")))
            if await self.exists(target):
                raise shutil.Error(f"Destination path '{target}' already exists")
        try:
            await self.rename(source, target)
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            if await self.islink(source):
                await self.symlink(await self.readlink(source), target)
                await self.unlink(source)
            elif await self.isdir(source):
                if await self._is_below(place, source):
                    raise shutil.Error(
                        f"Cannot move a directory '{source}' into itself '{place}'."
                    ) from None
                await self.copytree(source, target, True, copy_function=copy_function)
                await self.rmtree(source)
            else:
                known = self._besides(copy_function)
                if known is None:
                    await self._ask(copy_function, source, target)
                else:
                    await self._copy(source, target, known, True)
                await self.unlink(source)
        return target

    async def _is_same(self, one: str, other: str) -> bool:
        try:
            return await self.samefile(one, other)
        except OSError as error:
            if isinstance(error, GlusterError):
                raise
            return False

    async def _is_below(self, path: str, directory: str) -> bool:
        inside, around = await self.abspath(path), await self.abspath(directory)
        return os.path.join(inside, "").startswith(os.path.join(around, ""))
