"""A volume's methods for whole trees."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import AsyncIterator, Callable
from typing import Any

from glusterio.api import globbing, removal, usage, walking
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.aio.file import AsyncFile
from glusterio.api.call_site import call_site
from glusterio.api.path_text import text_of
from glusterio.api.standpoint import Opened, at, handle_of
from glusterio.types import StrPath


class AsyncTrees(AsyncVolumeBase):
    """What ``os.walk`` and ``shutil`` do with trees, with 64 requests in flight."""

    async def walk(
        self,
        top: StrPath,
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        followlinks: bool = False,
    ) -> AsyncIterator[tuple[str, list[str], list[str]]]:
        """Go through a tree as ``os.walk`` does: directories with their subdirectories and other names.

        Args:
            top: where to begin.
            topdown: a directory before what is in it; its list of subdirectories may then be changed,
                to say which to go into.
            onerror: called with the error when a directory cannot be listed; otherwise it is left out.
            followlinks: also go into directories that symbolic links lead to.
        """
        stack: list[tuple[str, list[str], list[str]] | str] = [text_of(top)]
        follow = True
        while stack:
            path = stack.pop()
            if not isinstance(path, str):
                yield path
                continue
            try:
                scanned = await self._session.call(walking.scan, None, path, follow, call_site())
            except OSError as error:
                if onerror is not None:
                    await self._ask(onerror, error)
                continue
            finally:
                follow = followlinks
            if scanned is None:  # a link by now, which is not followed
                continue
            directories, others, links = scanned
            if topdown:
                yield path, directories, others
                into = directories
            else:
                stack.append((path, directories, others))
                into = [name for name in directories if followlinks or name not in links]
            stack += [os.path.join(path, name) for name in reversed(into)]

    async def fwalk(
        self,
        top: StrPath = ".",
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        *,
        follow_symlinks: bool = False,
        dir_fd: Opened | None = None,
    ) -> AsyncIterator[tuple[str, list[str], list[str], AsyncFile]]:
        """Go through a tree as ``os.fwalk`` does: as :meth:`walk`, with each directory open.

        Args:
            top: where to begin. It must be a directory, and no link unless they are followed.
            topdown: as for :meth:`walk`.
            onerror: as for :meth:`walk`; what is wrong with ``top`` is raised.
            follow_symlinks: also go into directories that symbolic links lead to.
            dir_fd: an open directory that ``top`` is relative to.

        Yields:
            The path, the subdirectories, the other names, and the directory, which is open until the
            next one is asked for: a ``dir_fd`` for what is in it.
        """
        volume: Any = self
        flags = os.O_RDONLY | os.O_DIRECTORY | (0 if follow_symlinks else os.O_NOFOLLOW)
        path = text_of(top)
        if not follow_symlinks:
            found = await volume.lstat(path, dir_fd=dir_fd)
            if not stat_module.S_ISDIR(found.st_mode):
                await volume.stat(
                    path, dir_fd=dir_fd
                )  # where it leads has to be there, all the same
                return
        # What is still to be done, the next one last: a directory to go into (its path, its name, what
        # that is relative to), one to give out, or one to close.
        to_do: list[tuple[str, Any]] = [("enter", (path, path, dir_fd))]
        still_open: list[AsyncFile] = []
        try:
            while to_do:
                what, item = to_do.pop()
                if what == "give":
                    yield item
                elif what == "close":
                    await still_open.pop().close()
                else:
                    path, name, above = item
                    try:
                        file: AsyncFile = await volume.open_handle(name, flags, dir_fd=above)
                        still_open.append(file)
                        to_do.append(("close", None))
                        scanned = await self._session.call(walking.scan_open, file._handle)
                    except OSError as error:
                        if above is dir_fd:  # of `top`
                            raise
                        if onerror is not None:
                            await self._ask(onerror, error)
                        continue
                    directories, others, links = scanned
                    if topdown:
                        yield path, directories, others, file
                    else:
                        to_do.append(("give", (path, directories, others, file)))
                    to_do += [
                        ("enter", (os.path.join(path, below), below, file))
                        for below in reversed(directories)
                        if follow_symlinks or below not in links
                    ]
        finally:
            while still_open:
                await still_open.pop().close()

    async def rmtree(
        self,
        path: StrPath,
        ignore_errors: bool = False,
        onerror: Callable[[Callable[..., Any], str, Any], object] | None = None,
        *,
        onexc: Callable[[Callable[..., Any], str, OSError], object] | None = None,
        dir_fd: Opened | None = None,
    ) -> None:
        """Remove a directory and all below it, as ``shutil.rmtree``; symbolic links are not followed.

        Args:
            path: the directory.
            ignore_errors: go on whatever cannot be removed.
            onerror: the older form of ``onexc``: it gets what ``sys.exc_info`` returns.
            onexc: called with the volume's method, the path and the error for what cannot be removed;
                it may try again, or raise. Without it the first error is raised.
            dir_fd: an open directory that ``path`` is relative to.

        Raises:
            OSError: what could not be removed. Other things may have been, in any order.
        """
        handled = onexc is not None or onerror is not None
        work = removal.Removal(at(path, dir_fd), ignore_errors, handled, call_site())
        while failures := await self._session.call(removal.rmtree, None, work):
            for failure in failures:
                method, path, error = self._method(failure.function), failure.path, failure.error
                if onexc is not None:
                    await self._ask(onexc, method, path, error)
                elif onerror is not None:
                    await self._ask(
                        onerror, method, path, (type(error), error, error.__traceback__)
                    )
                work.handled(failure)

    def _method(self, function: str) -> Callable[..., Any]:
        """Return the method that does what a function of ``os`` does."""
        name = {"open": "open_handle"}.get(function, function)
        method: Callable[..., Any] = getattr(self, name)
        return method

    async def glob(
        self,
        pathname: StrPath,
        *,
        root_dir: StrPath | None = None,
        dir_fd: Opened | None = None,
        recursive: bool = False,
        include_hidden: bool = False,
    ) -> list[str]:
        """Return the paths that match a pattern, as ``glob.glob``.

        Args:
            pathname: the pattern; only directories that it needs are read.
            root_dir: the directory that a relative pattern is searched in.
            dir_fd: an open directory that it is relative to.
            recursive: whether ``**`` matches files and any number of directories.
            include_hidden: whether ``*``, ``?`` and ``**`` match names that begin with a dot.
        """
        found: list[str] = await self._session.call(
            globbing.glob,
            None,
            pathname,
            root_dir,
            handle_of(dir_fd),
            recursive,
            include_hidden,
            call_site(),
        )
        return found

    async def iglob(
        self,
        pathname: StrPath,
        *,
        root_dir: StrPath | None = None,
        dir_fd: Opened | None = None,
        recursive: bool = False,
        include_hidden: bool = False,
    ) -> AsyncIterator[str]:
        """Give out what :meth:`glob` returns, one by one. It is searched for at the first."""
        left = await self.glob(
            pathname,
            root_dir=root_dir,
            dir_fd=dir_fd,
            recursive=recursive,
            include_hidden=include_hidden,
        )
        left.reverse()
        while left:
            yield left.pop()

    async def du(
        self, path: StrPath = "/", *, onerror: Callable[[OSError], object] | None = None
    ) -> usage.Usage:
        """Sum up what a tree takes, as the command ``du`` does; a file with several names counts once.

        Args:
            path: the tree's root, of any kind.
            onerror: called with the error for each directory that cannot be read, which then does not
                count in full; without it the first such error is raised.
        """
        found, errors = await self._session.call(
            usage.du, None, path, onerror is not None, call_site()
        )
        if onerror is not None:
            for error in errors:
                await self._ask(onerror, error)
        result: usage.Usage = found
        return result
