"""From a gfid to the file: the handle tree ``.glusterfs/xx/yy/<gfid>``.

A file's handle is a hard link to it. A directory's is a symbolic link that names its parent's handle
and its own name, ``../../pa/re/<parent>/<name>``; it is read here, never followed by the kernel: the
way from the root down is walked one name at a time, without following any link, so that nothing in
the tree can lead out of it. A gfid whose handle does not lead to it is stale.

Descriptors of directories are kept for a while, the most recently used ones. They are good for what
is done without a pause: nobody keeps one across a trap.

How files get their handles: :mod:`~glusterio.xlators.posix.naming`.

Source: GlusterFS xlators/storage/posix/src/posix-handle.c.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from glusterio.errors import fs_error
from glusterio.types import ROOT_GFID, Gfid, Log
from glusterio.xlators.posix.gfid2path import Names
from glusterio.xlators.posix.identity import HIDDEN, Identity, gfid_of, text_of
from glusterio.xlators.posix.marker import Marker
from glusterio.xlators.posix.mdata import MdataTimes, Times

#: How many directories' descriptors are kept.
KEPT = 256

#: How deep a directory may lie. The kernel has no such limit; a loop in damaged handles needs one.
MAX_DEPTH = 4096

_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = _PATH | os.O_DIRECTORY


def handle_of(gfid: Gfid) -> str:
    """Return the path of a gfid's handle, relative to the root."""
    text = text_of(gfid)
    return f"{HIDDEN}/{text[:2]}/{text[2:4]}/{text}"


class HandleTree:
    """The files of one directory tree, by gfid.

    Args:
        directory: the directory that is served.
        volume_id: what to mark it with if it bears no mark yet.
        log: where damage is told of.
        note_names: whether every file notes its names (:mod:`~glusterio.xlators.posix.gfid2path`).

    Attributes:
        root: the directory's descriptor.
        volume_id: what it is marked with.
        marker: tells whether it was left as it should be.
    """

    def __init__(
        self, directory: str, volume_id: bytes, log: Log, note_names: bool = False
    ) -> None:
        self._log = log
        self.root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._kept: dict[Gfid, int] = {}
        #: beginnings of gfids whose two directories in ``.glusterfs`` were seen to be such
        self._sound: set[bytes] = set()
        self._identity = Identity(self.root)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(HIDDEN, 0o700, dir_fd=self.root)
            os.close(os.open(HIDDEN, _DIRECTORY, dir_fd=self.root))  # a real directory, no link
            self._identity.begin(ROOT_GFID)
            self.volume_id = self._identity.volume_id(volume_id)
            self._names = Names(self._identity.is_trusted, note_names)
            self._times = MdataTimes(self._identity.is_trusted)
            self.marker = Marker(self.root)
        except BaseException:
            os.close(self.root)
            raise

    def close(self) -> None:
        """Close every descriptor that is kept."""
        kept, self._kept = self._kept, {}
        for descriptor in kept.values():
            os.close(descriptor)
        self.marker.close()
        os.close(self.root)

    # -- finding ----------------------------------------------------------------------------------

    def directory(self, gfid: Gfid, changing: bool = False) -> int:
        """Return a descriptor of a directory; it stays ours, and is for use at once.

        Args:
            gfid: the directory's gfid.
            changing: whether something is going to happen to it.

        Raises:
            OSError: ESTALE when there is no such file, ENOTDIR when it is no directory.
        """
        descriptor = self._directory(gfid)
        if changing:
            self._settle_open(gfid, descriptor)
        return descriptor

    def _directory(self, gfid: Gfid) -> int:
        if gfid == ROOT_GFID:
            return self.root
        descriptor = self._kept.pop(gfid, None)
        if descriptor is None:
            descriptor = self._walk_to(gfid)
            while len(self._kept) >= KEPT:
                os.close(self._kept.pop(next(iter(self._kept))))
        self._kept[gfid] = descriptor  # now the most recently used
        if not os.fstat(descriptor).st_nlink:  # removed behind our back
            self._drop_kept(gfid)
            raise fs_error(errno.ESTALE)
        return descriptor

    def parent_of(self, gfid: Gfid) -> tuple[Gfid, str]:
        """Return the parent's gfid and the name of a directory other than the root.

        Raises:
            OSError: ESTALE when there is no such file, ENOTDIR when it is no directory.
        """
        try:
            target = os.readlink(self.handle(gfid), dir_fd=self.root)
        except FileNotFoundError:
            raise fs_error(errno.ESTALE) from None
        except OSError as error:
            if error.errno == errno.EINVAL:  # not a symbolic link
                raise fs_error(errno.ENOTDIR) from None
            raise
        up, _, rest = target.partition("../../")
        parts = rest.split("/")
        try:
            parent = gfid_of(parts[2])
            if up or target != self._link_to(parent, parts[3]):
                raise ValueError
        except (ValueError, IndexError):  # the handle of a file that is a symbolic link
            raise fs_error(errno.ENOTDIR) from None
        return parent, parts[3]

    def handle(self, gfid: Gfid) -> str:
        """Return the path of a gfid's handle, relative to the root, once nothing on it leads elsewhere.

        Raises:
            OSError: EIO when it does: then somebody has put a link into ``.glusterfs``.
        """
        if gfid[:2] not in self._sound:
            self._check_way(gfid)
        return handle_of(gfid)

    def _check_way(self, gfid: Gfid) -> None:
        path = handle_of(gfid)
        for end in (len(HIDDEN) + 3, len(HIDDEN) + 6):
            try:
                status = os.stat(path[:end], dir_fd=self.root, follow_symlinks=False)
            except FileNotFoundError:
                return  # and so there is no handle
            if not stat.S_ISDIR(status.st_mode):
                self._log.error("%s is no directory: no handle below it is used", path[:end])
                raise fs_error(errno.EIO)
        self._sound.add(gfid[:2])

    @property
    def is_trusted(self) -> bool:
        """Whether this brick may write GlusterFS's own attributes."""
        return self._identity.is_trusted

    def own_key(self, name: str) -> str:
        """Return the attribute by which this brick keeps what GlusterFS keeps as ``name``."""
        return self._identity.own_key(name)

    def path_of(self, gfid: Gfid) -> str:
        """Return a directory's path in the volume.

        Raises:
            OSError: ESTALE when there is no such file, ENOTDIR when it is no directory.
        """
        names: list[str] = []
        while gfid != ROOT_GFID and len(names) <= MAX_DEPTH:
            gfid, name = self.parent_of(gfid)
            names.append(name)
        return "/" + "/".join(reversed(names))

    def paths_of(self, gfid: Gfid) -> list[str]:
        """Return a file's paths in the volume: all of them, or none where they are not known."""
        try:
            return [self.path_of(gfid)]
        except NotADirectoryError:
            pass
        noted = self._names.noted(self._path_of_handle(gfid))
        paths = [self._path_at(parent, name) for _, parent, name in noted]
        if not paths and self.stat(gfid).st_nlink == 2:
            paths.append(self.seen_path_of(gfid))
        return [path for path in paths if path is not None]

    def seen_path_of(self, gfid: Gfid) -> str | None:
        """Return the path where a file was seen last, if it is still there."""
        place = self._names.place_of(gfid)
        if place is None or not self._is_at(self.stat(gfid), *place):
            return None
        return self._path_at(*place)

    def _path_at(self, parent: Gfid, name: str) -> str | None:
        try:
            return f"{self.path_of(parent).rstrip('/')}/{name}"
        except OSError:
            return None

    def _path_of_handle(self, gfid: Gfid) -> str:
        """Return a path to a file that is no directory, not to be followed."""
        return f"/proc/self/fd/{self.root}/{self.handle(gfid)}"

    def _walk_to(self, gfid: Gfid) -> int:
        names: list[str] = []
        at = gfid
        while at != ROOT_GFID and (not names or at not in self._kept):
            at, name = self.parent_of(at)
            names.append(name)
            if len(names) > MAX_DEPTH:
                raise fs_error(errno.ELOOP)
        start = self.root if at == ROOT_GFID else self._kept[at]
        descriptor = start
        try:
            for name in reversed(names):
                below = os.open(name, _DIRECTORY, dir_fd=descriptor)
                if descriptor != start:
                    os.close(descriptor)
                descriptor = below
            if self._identity.get(descriptor, ".", os.fstat(descriptor).st_ino) != gfid:
                raise fs_error(errno.ESTALE)
        except OSError as error:
            if descriptor != start:
                os.close(descriptor)
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise fs_error(errno.ESTALE) from None
            raise
        return descriptor

    def stat(self, gfid: Gfid) -> os.stat_result:
        """Return a file's status.

        Raises:
            OSError: ESTALE when there is no such file.
        """
        if gfid == ROOT_GFID or gfid in self._kept:
            return os.stat(self.directory(gfid))
        try:
            status = os.stat(self.handle(gfid), dir_fd=self.root, follow_symlinks=False)
        except FileNotFoundError:
            raise fs_error(errno.ESTALE) from None
        if self._may_be_directory(status):
            with contextlib.suppress(NotADirectoryError):
                return os.stat(self.directory(gfid))
        return status

    @contextlib.contextmanager
    def inode(self, gfid: Gfid, changing: bool = False) -> Iterator[int]:
        """Give an ``O_PATH`` descriptor of a file of any kind, for use at once.

        ``/proc/self/fd/<descriptor>`` is then a path to the very inode, be it a symbolic link.

        Args:
            gfid: the file's gfid.
            changing: whether something is going to happen to the file.

        Raises:
            OSError: ESTALE when there is no such file.
        """
        if gfid != ROOT_GFID and gfid not in self._kept:
            try:
                descriptor = os.open(self.handle(gfid), _PATH, dir_fd=self.root)
            except FileNotFoundError:
                raise fs_error(errno.ESTALE) from None
            try:
                is_file = not self._may_be_directory(os.fstat(descriptor))
                if not is_file:
                    try:
                        self.directory(gfid)
                    except NotADirectoryError:
                        is_file = True
                if is_file:
                    if changing:
                        self._settle_open(gfid, descriptor)
                    yield descriptor
                    return
            finally:
                os.close(descriptor)
        yield self.directory(gfid, changing)

    @staticmethod
    def _may_be_directory(status: os.stat_result) -> bool:
        # A file that is a symbolic link has a name besides its handle.
        return stat.S_ISLNK(status.st_mode) and status.st_nlink == 1

    # -- times ------------------------------------------------------------------------------------

    def times(self, gfid: Gfid, directory: int | None = None, name: str = "") -> Times | None:
        """Return the times that a file shows if these are not its inode's.

        Args:
            gfid: the file's gfid; a directory's has just been looked for.
            directory: descriptor of a directory where it is, if that is known.
            name: its name there.
        """
        if directory is None:
            kept = self.root if gfid == ROOT_GFID else self._kept.get(gfid)
            if kept is not None:
                return self._times.of(gfid, f"/proc/self/fd/{kept}", follow=True)
            directory, name = self.root, self.handle(gfid)
        return self._times.of(gfid, f"/proc/self/fd/{directory}/{name}", follow=False)

    def settle(self, gfid: Gfid) -> None:
        """Something is about to happen to a file that is no directory: from here on its inode's own
        times count.
        """
        self._times.settle(gfid, self._path_of_handle(gfid), follow=False)

    def _settle_open(self, gfid: Gfid, descriptor: int) -> None:
        self._times.settle(gfid, f"/proc/self/fd/{descriptor}", follow=True)

    @staticmethod
    def _link_to(parent: Gfid, name: str) -> str:
        text = text_of(parent)
        return f"../../{text[:2]}/{text[2:4]}/{text}/{name}"

    def _is_at(self, status: os.stat_result, parent: Gfid, name: str) -> bool:
        try:
            found = os.stat(name, dir_fd=self.directory(parent), follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(found, status)

    def _drop_kept(self, gfid: Gfid) -> None:
        descriptor = self._kept.pop(gfid, None)
        if descriptor is not None:
            os.close(descriptor)
