"""Copies a tree, or a file, from one side to the other, with several files in flight."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from glusterio.api.umask import process_umask
from glusterio.cli.sides import CHUNK, SMALL, OpenFile, Side
from glusterio.cli.tasks import each, in_thread
from glusterio.cli.trees import (
    DIRECTORIES_AT_ONCE,
    Complaint,
    Item,
    below,
    by_depth,
    is_fatal,
)

#: How many files are copied at the same time.
FILES_AT_ONCE = 16


class Progress(Protocol):
    """Who is told how far it is."""

    def expect(self, files: int, size: int) -> None:
        """So much is to come."""

    def advance(self, size: int) -> None:
        """So many bytes more are done."""

    def finished(self, path: str) -> None:
        """One more file is done."""


class NoProgress:
    """Tells nobody."""

    def expect(self, files: int, size: int) -> None:
        """So much is to come."""

    def advance(self, size: int) -> None:
        """So many bytes more are done."""

    def finished(self, path: str) -> None:
        """One more file is done."""


@dataclass
class Tally:
    """What was copied.

    Attributes:
        paths: the relative path of everything that is there now, parents first.
        digests: the SHA-256 of each file's bytes as they were sent, when wanted.
    """

    files: int = 0
    directories: int = 0
    links: int = 0
    size: int = 0
    paths: list[str] = field(default_factory=list)
    digests: dict[str, bytes] = field(default_factory=dict)


class SpecialFileError(Exception):
    """A device, a pipe or a socket: there is nothing to copy."""


class SizeError(Exception):
    """The copy has another size than what was written."""


class Transfer:
    """A copy from one side to the other.

    Args:
        source: where from.
        target: where to.
        complain: told of what could not be copied; the rest is, all the same.
        preserve: whether permission bits and times are kept exactly.
        progress: told how far it is.
        with_digests: whether :attr:`Tally.digests` is wanted.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        *,
        complain: Complaint,
        preserve: bool = False,
        progress: Progress | None = None,
        with_digests: bool = False,
    ) -> None:
        self._source = source
        self._target = target
        self._complain = complain
        self._preserve = preserve
        self._progress = progress or NoProgress()
        self._with_digests = with_digests
        self._umask = process_umask()
        self.tally = Tally()

    async def tree(self, items: list[Item], source: str, target: str) -> None:
        """Copy a surveyed tree.

        Args:
            items: what :func:`glusterio.cli.trees.survey` found, with the root itself as the first.
            source: the root's path.
            target: the path of the copy.
        """
        self._roots = (source, target)
        files = [item for item in items if item.is_file]
        self._progress.expect(len(files), sum(item.stat.st_size for item in files))
        made: list[Item] = []

        async def directory(item: Item) -> None:
            if await self._directory(below(target, item.path), item.stat.st_mode):
                made.append(item)
            self._count(item)

        for level in by_depth([item for item in items if item.is_directory]):
            await each(level, self._bearing(directory), DIRECTORIES_AT_ONCE)
        rest = [item for item in items if not item.is_directory]
        await each(rest, self._bearing(self._one), FILES_AT_ONCE)
        for level in reversed(by_depth(made)):
            await each(level, self._bearing(self._finish_directory), DIRECTORIES_AT_ONCE)

    async def file(self, item: Item, source: str, target: str) -> None:
        """Copy one file, or link; an error is raised."""
        self._roots = (source, target)
        self._progress.expect(1, item.stat.st_size)
        await self._one(item)

    def _bearing(
        self, work: Callable[[Item], Awaitable[None]]
    ) -> Callable[[Item], Awaitable[None]]:
        """Make an item's error a complaint, unless it is the session's."""

        async def bear(item: Item) -> None:
            try:
                await work(item)
            except Exception as error:
                if is_fatal(error):
                    raise
                self._complain(item.path, error)

        return bear

    def _count(self, item: Item) -> None:
        tally = self.tally
        tally.paths.append(item.path)
        if item.is_directory:
            tally.directories += 1
        elif item.is_link:
            tally.links += 1
        else:
            tally.files += 1

    # -- the kinds --------------------------------------------------------------------------------

    async def _one(self, item: Item) -> None:
        source, target = (below(root, item.path) for root in self._roots)
        if item.is_link:
            await self._link(source, target)
        elif item.is_file:
            await self._file(item, source, target)
        else:
            raise SpecialFileError("it is neither a file, nor a directory, nor a symbolic link")
        if self._preserve:
            if not item.is_link:
                await self._target.chmod(target, item.stat.st_mode & 0o7777)
            await self._target.set_times(target, item.stat)
        self._count(item)

    async def _directory(self, path: str, mode: int) -> bool:
        """Make a directory, and tell whether it was not there before."""
        try:
            await self._target.mkdir(path, mode & 0o777 | 0o700)
        except FileExistsError:
            there = Item("", await self._target.stat(path, follow=True))
            if not there.is_directory:
                raise NotADirectoryError(20, os.strerror(20), path) from None
            return False
        return True

    async def _finish_directory(self, item: Item) -> None:
        target = below(self._roots[1], item.path)
        if self._preserve:
            await self._target.chmod(target, item.stat.st_mode & 0o7777)
            await self._target.set_times(target, item.stat)
        elif item.stat.st_mode & 0o700 != 0o700:
            await self._target.chmod(target, item.stat.st_mode & 0o777 & ~self._umask)

    async def _link(self, source: str, target: str) -> None:
        text = await self._source.readlink(source)
        try:
            await self._target.symlink(text, target)
        except FileExistsError:
            if Item("", await self._target.stat(target)).is_directory:
                raise IsADirectoryError(21, os.strerror(21), target) from None
            await self._target.unlink(target)
            await self._target.symlink(text, target)

    async def _file(self, item: Item, source: str, target: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        async with (
            self._source.open(source, os.O_RDONLY) as reader,
            self._target.open(target, flags, item.stat.st_mode & 0o777) as writer,
        ):
            written = await self._bytes(item, reader, writer)
            size = (await writer.stat()).st_size
        if size != written:
            raise SizeError(f"{written} bytes were written, but the copy has {size}")
        self.tally.size += written
        self._progress.finished(item.path)

    async def _bytes(self, item: Item, reader: OpenFile, writer: OpenFile) -> int:
        at_once = SMALL if item.stat.st_size < SMALL else CHUNK
        digest = hashlib.sha256() if self._with_digests else None
        offset = 0
        while True:
            data = await reader.read(at_once, offset)
            if data:
                await writer.write(data, offset)
                await _update(digest, data)
                offset += len(data)
                self._progress.advance(len(data))
            if len(data) < at_once:
                break
        if digest is not None:
            self.tally.digests[item.path] = digest.digest()
        return offset


async def digest_of(side: Side, item: Item, root: str, progress: Progress) -> bytes:
    """Read a file and return its SHA-256."""
    at_once = SMALL if item.stat.st_size < SMALL else CHUNK
    digest = hashlib.sha256()
    offset = 0
    async with side.open(below(root, item.path), os.O_RDONLY) as reader:
        while True:
            data = await reader.read(at_once, offset)
            await _update(digest, data)
            offset += len(data)
            progress.advance(len(data))
            if len(data) < at_once:
                break
    progress.finished(item.path)
    return digest.digest()


async def _update(digest: hashlib._Hash | None, data: bytes) -> None:
    if digest is None:
        return
    if len(data) > SMALL:
        await in_thread(digest.update, data)
    else:
        digest.update(data)
