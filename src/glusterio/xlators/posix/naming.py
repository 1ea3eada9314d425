"""How files get their gfids and handles, and how the handles follow what happens to names.

Files that were put into the directory by other means get a gfid and a handle when they are first
looked at; one that was copied together with another's gfid gets its own.

Source: GlusterFS xlators/storage/posix/src/posix-handle.c.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Callable, Iterator

from glusterio.errors import fs_error
from glusterio.types import ROOT_GFID, Gfid
from glusterio.xlators.posix.gfid2path import set_name
from glusterio.xlators.posix.handles import HandleTree
from glusterio.xlators.posix.identity import HIDDEN

#: How the handle for a move is called until the move has been made: its gfid, and this.
NEW_HANDLE = ".new"


class Handles(HandleTree):
    """The files of one directory tree, by gfid, with all that happens to them."""

    # -- naming -----------------------------------------------------------------------------------

    def identify(
        self,
        parent: Gfid,
        directory: int,
        name: str,
        status: os.stat_result,
        wanted: Gfid | None = None,
    ) -> Gfid:
        """Return a file's gfid; one that has none gets one.

        Args:
            parent: the directory's gfid.
            directory: the directory's descriptor.
            name: the file's name there.
            status: the file's status.
            wanted: what its gfid shall be if it has none.
        """
        gfid = self._identity.get(directory, name, status.st_ino)
        if gfid is not None and gfid != ROOT_GFID and self.is_handled(gfid, parent, name, status):
            self._names.seen(gfid, parent, name)
            return gfid
        if gfid is None or gfid == ROOT_GFID or self.is_anothers(gfid, status):
            free = wanted is not None and not self.is_anothers(wanted, status)
            gfid = wanted if wanted is not None and free else uuid.uuid4().bytes
            self._identity.set(directory, name, status.st_ino, gfid)
        else:  # its handle is missing, or that of a directory that was moved behind our back
            self._remove_handle(gfid)
        self._make_handle(gfid, parent, directory, name, status)
        self._note_name(gfid, parent, directory, name, status)
        return gfid

    def is_handled(self, gfid: Gfid, parent: Gfid, name: str, status: os.stat_result) -> bool:
        """Tell whether a gfid's handle is that of the file with this name."""
        handle = self.handle(gfid)
        try:
            if stat.S_ISDIR(status.st_mode):
                return os.readlink(handle, dir_fd=self.root) == self._link_to(parent, name)
            found = os.stat(handle, dir_fd=self.root, follow_symlinks=False)
        except OSError:
            return False
        return found.st_ino == status.st_ino and found.st_dev == status.st_dev

    def is_anothers(self, gfid: Gfid, status: os.stat_result) -> bool:
        """Tell whether another file has this gfid."""
        try:
            found = self.stat(gfid)
        except OSError:
            return False
        return (found.st_ino, found.st_dev) != (status.st_ino, status.st_dev)

    def claimed(self, directory: int, name: str, status: os.stat_result) -> Gfid | None:
        """Return the gfid that a file bears, whether it is its own or not."""
        gfid = self._identity.get(directory, name, status.st_ino)
        return None if gfid == ROOT_GFID else gfid

    def has_handle(self, gfid: Gfid) -> bool:
        """Tell whether there is a handle, wherever it leads."""
        try:
            os.stat(self.handle(gfid), dir_fd=self.root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def mend_noted(self, gfid: Gfid, parent: Gfid, name: str, status: os.stat_result) -> bool:
        """Make the names that a file has noted those that it has; tell whether one was wrong."""
        path = self._path_of_handle(gfid)
        noted = self._names.noted(path)
        if noted and (parent, name) not in [(where, called) for _, where, called in noted]:
            set_name(path, parent, name)
        stale = [key for key, where, called in noted if not self._is_at(status, where, called)]
        for key in stale:
            os.removexattr(path, key, follow_symlinks=False)
        return bool(stale)

    def name_new(
        self, gfid: Gfid, parent: Gfid, directory: int, name: str, status: os.stat_result
    ) -> None:
        """Give a file that was just made its gfid and its handle.

        Raises:
            OSError: EEXIST when another file has this gfid.
        """
        if self.is_anothers(gfid, status):
            raise fs_error(errno.EEXIST)
        self._remove_handle(gfid)
        self._identity.set(directory, name, status.st_ino, gfid)
        try:
            self._make_handle(gfid, parent, directory, name, status)
            self._note_name(gfid, parent, directory, name, status)
        except BaseException:
            self._remove_handle(gfid)
            self._identity.forget(status.st_ino)
            raise
        self._times.none_for(gfid)

    def name_open(
        self, gfid: Gfid, parent: Gfid, directory: int, name: str, descriptor: int
    ) -> None:
        """Give an open file that has no name yet its gfid, its handle and, at last, its name.

        Raises:
            OSError: EEXIST when another file has this gfid or this name.
        """
        inode = os.fstat(descriptor).st_ino
        self._identity.set_open(descriptor, inode, gfid)
        try:
            self._names.made(gfid, descriptor, parent, name)
            self._link_handle(gfid, descriptor)
            try:
                os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=directory)
            except BaseException:
                self._remove_handle(gfid)
                raise
        except BaseException:
            self._identity.forget(inode)
            raise
        self._times.none_for(gfid)

    def _link_handle(self, gfid: Gfid, descriptor: int) -> None:
        def link() -> None:
            source = f"/proc/self/fd/{descriptor}"
            os.link(source, self.handle(gfid), dst_dir_fd=self.root)

        try:
            self._with_room(gfid, link)
        except FileExistsError:
            if self._leads_somewhere(gfid):
                raise
            self._remove_handle(gfid)
            link()

    def _leads_somewhere(self, gfid: Gfid) -> bool:
        try:
            self.stat(gfid)
        except OSError:
            return False
        return True

    def _note_name(
        self, gfid: Gfid, parent: Gfid, directory: int, name: str, status: os.stat_result
    ) -> None:
        if not stat.S_ISDIR(status.st_mode):
            self._names.made(gfid, f"/proc/self/fd/{directory}/{name}", parent, name)

    def _make_handle(
        self, gfid: Gfid, parent: Gfid, directory: int, name: str, status: os.stat_result
    ) -> None:
        def link() -> None:
            if stat.S_ISDIR(status.st_mode):
                os.symlink(self._link_to(parent, name), self.handle(gfid), dir_fd=self.root)
            else:
                os.link(
                    name,
                    self.handle(gfid),
                    src_dir_fd=directory,
                    dst_dir_fd=self.root,
                    follow_symlinks=False,
                )

        self._with_room(gfid, link)

    def _with_room(self, gfid: Gfid, link: Callable[[], None]) -> None:
        """Make a handle, and before it the directories for it if they are missing."""
        try:
            link()
        except FileNotFoundError:
            for length in (len(HIDDEN) + 3, len(HIDDEN) + 6):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self.handle(gfid)[:length], 0o700, dir_fd=self.root)
            link()

    # -- following what happens to names ----------------------------------------------------------

    def linked(self, gfid: Gfid, parent: Gfid, name: str) -> None:
        """A file got another name."""
        self._names.linked(gfid, self._path_of_handle(gfid), parent, name)

    @contextlib.contextmanager
    def moving(self, gfid: Gfid, parent: Gfid, name: str, status: os.stat_result) -> Iterator[None]:
        """Prepare a move, so that what comes after it cannot fail for want of space.

        Args:
            gfid: the gfid of what will be moved.
            parent: the directory's gfid, afterwards.
            name: the name afterwards.
            status: the file's status.
        """
        if not stat.S_ISDIR(status.st_mode):
            self.settle(gfid)
            yield
            return
        self.directory(gfid, changing=True)
        new = self.handle(gfid) + NEW_HANDLE
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=self.root)
        os.symlink(self._link_to(parent, name), new, dir_fd=self.root)
        try:
            yield
        except BaseException:
            os.unlink(new, dir_fd=self.root)
            raise

    def moved(
        self, gfid: Gfid, old: tuple[Gfid, str], new: tuple[Gfid, str], status: os.stat_result
    ) -> None:
        """A name was moved: a directory's handle names its parent and itself, a file notes its names.

        Args:
            gfid: the file's gfid.
            old: the directory's gfid and the name before.
            new: the same after.
            status: the file's status.
        """
        if stat.S_ISDIR(status.st_mode):
            handle = self.handle(gfid)
            os.rename(handle + NEW_HANDLE, handle, src_dir_fd=self.root, dst_dir_fd=self.root)
        else:
            self._names.moved(gfid, self._path_of_handle(gfid), old, new)

    def removed(self, gfid: Gfid, status: os.stat_result, parent: Gfid, name: str) -> None:
        """A name was removed: with a file's last name its handle goes, too.

        Args:
            gfid: the file's gfid.
            status: its status before.
            parent: the directory's gfid.
            name: the name.
        """
        if stat.S_ISDIR(status.st_mode) or status.st_nlink <= 2:
            self._identity.forget(status.st_ino)
            self._remove_handle(gfid)
            self._drop_kept(gfid)
            self._names.removed(gfid, None, parent, name)
        else:
            self._names.removed(gfid, self._path_of_handle(gfid), parent, name)

    def _remove_handle(self, gfid: Gfid) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.handle(gfid), dir_fd=self.root)
