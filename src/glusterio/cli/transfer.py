"""Copies a tree, or a file, from one side to the other, with several files in flight.

How an interrupted copy is told from a complete one:

* Without :attr:`Manner.resume` a file is written in place, as ``cp`` does. It is emptied first and its
  last block is written last, so that what was cut is shorter than the original.
* With it a file is written as ``.NAME.glusterio-part`` in the same directory, gets its times, and is
  renamed to NAME when it is complete, and read back if that is wanted. So NAME is either what was there
  before or the whole copy, at every moment and for every reader, whatever was killed; and the times
  that it has then tell the next run, which asks for size and modification time, that it is done. A
  rename costs a round trip a file, and what NAME was is replaced rather than written to: its other
  names keep the old data, and a symbolic link is replaced itself. That is why it is not always done.

  A part that is there is gone on with at the end of what agrees with the original, chunk by chunk.
  So is a file NAME that is the beginning of the original, which a copy without resume has left; it
  becomes the part. A distributed volume puts the part on the brick of the whole: its name is of
  the form for which DHT hashes the middle (xlators/cluster/dht/src/dht-shared.c, ``rsync-hash-regex``),
  so that the rename moves no data.

  A directory that is new is such a part, too (:mod:`glusterio.cli.copy`): a tree is there when all
  of it is. And so the same command line means the same place when it is said again, which it would
  not if the directory were there: cp would copy into it.

Whoever serves the original decides what is in the copy, and not what is beside it. Below the root of a
tree nothing is written through a symbolic link, be it one that an earlier copy has left: a file takes
its place, a directory does not, as with GNU cp. Names that a listing brings twice count once
(:func:`glusterio.cli.trees.survey`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from glusterio.api.umask import process_umask
from glusterio.cli.digests import agreement, at_once, digest_of, update
from glusterio.cli.sides import BLOCK, CHUNK, PIECE_ON_BRICK, OpenFile, Side, copy_on_brick
from glusterio.cli.tasks import each
from glusterio.cli.trees import (
    DIRECTORIES_AT_ONCE,
    Complaint,
    Item,
    below,
    by_depth,
    is_fatal,
)

#: How many files are copied at the same time, unless told otherwise.
FILES_AT_ONCE = 16

#: The longest name that a file system bears, in bytes.
NAME_MAX = 255


@dataclass(frozen=True)
class Manner:
    """How to copy.

    Attributes:
        preserve: keep permission bits and times exactly.
        resume: go on where a copy was cut, and be one that can be gone on with.
        checksum: what is complete is told by its content, not by size and modification time.
        verify: read back what was written.
        update: leave what is as new as the original, or newer.
        dry_run: change nothing.
        archive: keep owners and extended attributes, too, as far as it is allowed.
        jobs: how many files are copied at the same time.
    """

    preserve: bool = False
    resume: bool = False
    checksum: bool = False
    verify: bool = False
    update: bool = False
    dry_run: bool = False
    archive: bool = False
    jobs: int = FILES_AT_ONCE


#: What a target says to an extended attribute that it does not have for everybody, or at all.
_NOT_KEPT = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL})


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
        files: files that were copied.
        size: the bytes of them that were written.
        skipped: files that were complete, or not older, already.
        resumed: those of the files that were gone on with.
        verified: those of the files that were read back.
        paths: the relative path of everything that is there now, parents first.
        digests: the SHA-256 of each file's bytes as they were sent, when wanted.
    """

    files: int = 0
    directories: int = 0
    links: int = 0
    size: int = 0
    skipped: int = 0
    resumed: int = 0
    verified: int = 0
    paths: list[str] = field(default_factory=list)
    digests: dict[str, bytes] = field(default_factory=dict)


class SpecialFileError(Exception):
    """A device, a pipe or a socket: there is nothing to copy."""


class PartNameError(Exception):
    """It has the name under which another file is written until it is complete."""


class SameFileError(Exception):
    """The copy is another name of the original."""


class SizeError(Exception):
    """The copy has another size than what was written."""


class VerificationError(Exception):
    """What was read back is not what was written."""


def part_of(path: str) -> str:
    """Return the path under which a file is written until it is complete."""
    directory, name = posixpath.split(path)
    part = f".{name}.glusterio-part"
    if len(os.fsencode(part)) > NAME_MAX:
        part = f".{hashlib.sha256(os.fsencode(name)).hexdigest()}.glusterio-part"
    return posixpath.join(directory, part)


def _regular(stat: os.stat_result | None) -> os.stat_result | None:
    return stat if stat is not None and Item("", stat).is_file else None


class Transfer:
    """A copy from one side to the other.

    Args:
        source: where from.
        target: where to.
        complain: told of what could not be copied; the rest is, all the same.
        manner: how.
        progress: told how far it is.
        done: told of what was copied, or would be, with its item.
        with_digests: whether :attr:`Tally.digests` is wanted.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        *,
        complain: Complaint,
        manner: Manner | None = None,
        progress: Progress | None = None,
        done: Callable[[Item], None] = lambda item: None,
        with_digests: bool = False,
    ) -> None:
        self._source = source
        self._target = target
        self._complain = complain
        self._manner = manner or Manner()
        self._progress = progress or NoProgress()
        self._done = done
        self._with_digests = with_digests
        self._umask = process_umask()
        self._parts: frozenset[str] = frozenset()
        self._links: set[str] = set()
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
        if self._manner.resume:
            self._parts = frozenset(part_of(item.path) for item in files)
        made: list[Item] = []

        async def directory(item: Item) -> None:
            self._check_way(item)
            is_new = await self._directory(item, below(target, item.path))
            if is_new or self._manner.resume:  # the run that made it may have been cut
                made.append(item)
            self._count(item)

        for level in by_depth([item for item in items if item.is_directory]):
            await each(level, self._bearing(directory), DIRECTORIES_AT_ONCE)
        rest = [item for item in items if not item.is_directory]
        await each(rest, self._bearing(self._one), self._manner.jobs)
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
        self._done(item)

    # -- the kinds --------------------------------------------------------------------------------

    def _check_way(self, item: Item) -> None:
        """Make sure that a link is not followed on the way to the copy."""
        if self._links and posixpath.dirname(item.path) in self._links:
            self._links.add(item.path)
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    async def _one(self, item: Item) -> None:
        self._check_way(item)
        if item.path in self._parts:
            raise PartNameError("it has the name of a part of another file's copy")
        source, target = (below(root, item.path) for root in self._roots)
        if item.is_link:
            await self._link(item, source, target)
        elif item.is_file:
            if not await self._file(item, source, target):
                self.tally.skipped += 1
                self.tally.paths.append(item.path)
                return
        else:
            raise SpecialFileError("it is neither a file, nor a directory, nor a symbolic link")
        self._count(item)

    async def _attributes(self, item: Item, source: str, path: str) -> None:
        """Give a copy what it keeps of the original's attributes."""
        manner, stat = self._manner, item.stat
        if manner.archive:
            with contextlib.suppress(PermissionError):  # only root may give files away
                await self._target.chown(path, stat.st_uid, stat.st_gid)
            if not item.is_link:
                await self._xattrs(item, source, path)
        if manner.preserve and not item.is_link:
            await self._target.chmod(path, stat.st_mode & 0o7777)
        if manner.preserve or (manner.resume and item.is_file):
            await self._target.set_times(path, stat)

    async def _xattrs(self, item: Item, source: str, path: str) -> None:
        found = await self._source.xattrs(source)
        if found and not item.stat.st_mode & 0o200:  # its owner himself could not set them
            await self._target.chmod(path, item.stat.st_mode & 0o777 | 0o200)
        for name, value in found.items():
            try:
                await self._target.set_xattr(path, name, value)
            except OSError as error:
                # Those of the system's own namespaces have a meaning that may not be had there.
                if name.startswith("user.") or error.errno not in _NOT_KEPT:
                    raise

    async def _there(self, item: Item, path: str) -> os.stat_result | None:
        follow = not self._manner.resume and not item.path
        try:
            return await self._target.stat(path, follow=follow)
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def _directory(self, item: Item, path: str) -> bool:
        """Make a directory, and tell whether it was not there before."""
        if self._manner.dry_run:
            return False
        mode = item.stat.st_mode
        try:
            await self._target.mkdir(path, mode & 0o777 | 0o700)
        except FileExistsError:
            there = Item("", await self._target.stat(path, follow=not item.path))
            if not there.is_directory:
                self._links.add(item.path)
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
            if self._manner.resume and there.stat.st_mode & 0o700 != 0o700:
                await self._target.chmod(path, mode & 0o777 | 0o700)
            return False
        return True

    async def _finish_directory(self, item: Item) -> None:
        if self._manner.dry_run:
            return
        target = below(self._roots[1], item.path)
        if self._manner.preserve:
            await self._attributes(item, below(self._roots[0], item.path), target)
        elif item.stat.st_mode & 0o700 != 0o700:
            await self._target.chmod(target, item.stat.st_mode & 0o777 & ~self._umask)

    async def _link(self, item: Item, source: str, target: str) -> None:
        if self._manner.dry_run:
            return
        text = await self._source.readlink(source)
        try:
            await self._target.symlink(text, target)
        except FileExistsError:
            if Item("", await self._target.stat(target)).is_directory:
                raise IsADirectoryError(21, os.strerror(21), target) from None
            await self._target.unlink(target)
            await self._target.symlink(text, target)
        await self._attributes(item, source, target)

    # -- files ------------------------------------------------------------------------------------

    async def _file(self, item: Item, source: str, target: str) -> bool:
        """Copy a file, and tell whether there was anything to do."""
        manner = self._manner
        there = None
        within = self._source.place == self._target.place
        if manner.resume or manner.update or manner.checksum or within:
            there = _regular(await self._there(item, target))
        if within and there is not None and there.st_ino == item.stat.st_ino:
            raise SameFileError("the copy would be the file itself")
        if there is not None and await self._is_done(item, source, target, there):
            self._progress.advance(item.stat.st_size)
            self._progress.finished(item.path)
            return False
        if manner.dry_run:
            return True
        if not manner.resume:
            await self._fresh(item, source, target, 0, hashlib.sha256())
            await self._attributes(item, source, target)
            return True
        part = part_of(target)
        start, digest = await self._begun(item, source, target, there)
        await self._fresh(item, source, part, start, digest)
        await self._attributes(item, source, part)
        await self._target.rename(part, target)
        self.tally.resumed += start > 0
        return True

    async def _is_done(self, item: Item, source: str, target: str, there: os.stat_result) -> bool:
        manner = self._manner
        if manner.update and there.st_mtime_ns >= item.stat.st_mtime_ns:
            return True
        if not (manner.resume or manner.checksum) or there.st_size != item.stat.st_size:
            return False
        if not manner.checksum and there.st_mtime_ns == item.stat.st_mtime_ns:
            return True
        agreed, _ = await self._agreement(item, source, target)
        if agreed != item.stat.st_size:
            return False
        if not manner.dry_run:
            await self._attributes(item, source, target)
        return True

    async def _begun(
        self, item: Item, source: str, target: str, there: os.stat_result | None
    ) -> tuple[int, hashlib._Hash]:
        """Return where to go on with a part, and the digest of what is before; the part may be made."""
        part = part_of(target)
        if _regular(await self._there(item, part)) is not None:
            return await self._agreement(item, source, part)
        if there is not None and there.st_nlink == 1 and 0 < there.st_size < item.stat.st_size:
            agreed, digest = await self._agreement(item, source, target)
            if agreed == there.st_size:
                await self._target.rename(target, part)
                return agreed, digest
        return 0, hashlib.sha256()

    async def _agreement(self, item: Item, source: str, target: str) -> tuple[int, hashlib._Hash]:
        async with (
            self._source.open(source, os.O_RDONLY) as reader,
            self._target.open(target, os.O_RDONLY) as there,
        ):
            return await agreement(reader, there, at_once(item.stat))

    async def _fresh(
        self, item: Item, source: str, target: str, start: int, digest: hashlib._Hash
    ) -> None:
        """Write a file, in a tree also in the place of a link."""
        try:
            await self._write(item, source, target, start, digest)
        except OSError as error:
            if error.errno != errno.ELOOP or not item.path:
                raise
            if not Item("", await self._target.stat(target)).is_link:
                raise
            await self._target.unlink(target)
            await self._write(item, source, target, start, digest)

    async def _write(
        self, item: Item, source: str, target: str, start: int, digest: hashlib._Hash
    ) -> None:
        """Write a file from ``start`` on; ``digest`` is that of what is before."""
        flags = os.O_WRONLY | os.O_CREAT | (0 if start else os.O_TRUNC)
        if item.path:
            flags |= os.O_NOFOLLOW
        async with (
            self._source.open(source, os.O_RDONLY) as reader,
            self._target.open(target, flags, item.stat.st_mode & 0o777) as writer,
        ):
            if start:
                await writer.truncate(start)
                self._progress.advance(start)
            reached = await self._on_brick(item, reader, writer, start)
            written = await self._bytes(item, reader, writer, reached, digest)
            size = (await writer.stat()).st_size
        if size != written:
            raise SizeError(f"{written} bytes were written, but the copy has {size}")
        if self._with_digests:
            self.tally.digests[item.path] = digest.digest()
        if self._manner.verify:
            whole = Item("", item.stat)
            sent = digest.digest()
            if reached > start:
                sent = await digest_of(self._source, whole, source, NoProgress())
            if await digest_of(self._target, whole, target, NoProgress()) != sent:
                raise VerificationError("what was read back is not what was written")
            self.tally.verified += 1
        self.tally.size += written - start
        self._progress.finished(item.path)

    async def _on_brick(self, item: Item, reader: OpenFile, writer: OpenFile, offset: int) -> int:
        """Have the brick copy what it can, and return how far it is."""
        while offset < item.stat.st_size:
            count = await copy_on_brick(reader, writer, PIECE_ON_BRICK, offset)
            if not count:
                break
            offset += count
            self._progress.advance(count)
        return offset

    async def _bytes(
        self, item: Item, reader: OpenFile, writer: OpenFile, offset: int, digest: hashlib._Hash
    ) -> int:
        """Copy from ``offset`` on, holes as holes, and return how long the copy is."""
        at_most = at_once(item.stat)
        digest_or_not = digest if self._with_digests or self._manner.verify else None
        data_ends = 0 if _has_holes(item.stat) else 1 << 63
        while True:
            if offset >= data_ends:
                hole_ends, data_ends = await self._next_data(reader, offset)
                await self._hole(digest_or_not, hole_ends - offset)
                offset = hole_ends
            size = min(at_most, data_ends - offset)
            data = await reader.read(size, offset) if size else b""
            if data:
                await writer.write(data, offset)
                if digest_or_not is not None:
                    await update(digest_or_not, data)
                offset += len(data)
                self._progress.advance(len(data))
            if not size or len(data) < size:
                break
        if _has_holes(item.stat) and (await writer.stat()).st_size < offset:
            await writer.truncate(offset)
        return offset

    async def _next_data(self, reader: OpenFile, offset: int) -> tuple[int, int]:
        """Return where the next data begins and ends; both are the file's end if there is none."""
        found = await reader.data_from(offset)
        if found is None:
            end = max(offset, (await reader.stat()).st_size)
            return end, end
        if not offset <= found[0] < found[1]:
            raise OSError(
                errno.EIO, os.strerror(errno.EIO), "of the file's holes it is told nonsense"
            )
        return found

    async def _hole(self, digest: hashlib._Hash | None, size: int) -> None:
        self._progress.advance(size)
        if digest is not None:
            zeros = bytes(CHUNK)
            for at in range(0, size, CHUNK):
                await update(digest, zeros[: size - at])


def _has_holes(stat: os.stat_result) -> bool:
    """Whether a file has holes that are worth the asking for them."""
    return stat.st_size >= BLOCK and stat.st_blocks * 512 < stat.st_size
