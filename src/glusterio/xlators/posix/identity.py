"""Which gfid a file has: kept with the file, as GlusterFS's bricks keep it.

A brick that runs as root keeps it in the extended attribute ``trusted.gfid``, so that the directory
is one that GlusterFS itself could serve. Without those rights the attribute is ``user.glusterio.gfid``;
and since the kernel allows ``user`` attributes neither on symbolic links and special files nor on
files that are not readable and writable, an index by inode number helps out: symbolic links in
``.glusterfs/inodes``, each named by an inode number, whose target is the gfid as text. Whoever finds a
gfid there has to check that the gfid's handle leads to the same inode. When a brick that runs as root
serves such a directory, it takes the gfids over, each when it first meets the file.

Source: GlusterFS xlators/storage/posix/src/posix-helpers.c (``posix_gfid_set``).
"""

from __future__ import annotations

import contextlib
import errno
import os

from glusterio.types import Gfid

#: Where a brick keeps what is its own, at the root of the directory that it serves.
HIDDEN = ".glusterfs"

GFID_KEY = "trusted.gfid"
VOLUME_ID_KEY = "trusted.glusterfs.volume-id"
#: The times by the clients' clocks, as GlusterFS keeps them (``storage.ctime``).
MDATA_KEY = "trusted.glusterfs.mdata"
#: The names of a file, as GlusterFS keeps them (``storage.gfid2path``): one attribute for each.
GFID2PATH_PREFIX = "trusted.gfid2path."
#: The beginning of all attributes of a brick that may set no others.
OWN_PREFIX = "user.glusterio."

_TRUSTED = (GFID_KEY, VOLUME_ID_KEY)
_USER = (f"{OWN_PREFIX}gfid", f"{OWN_PREFIX}volume-id")
_PRIVATE = frozenset({GFID_KEY, VOLUME_ID_KEY, MDATA_KEY})
#: The index by inode number.
INDEX = f"{HIDDEN}/inodes"
_GFID_SIZE = 16

#: What a file system says that does not keep such an attribute, or not on this kind of file.
_CANNOT = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP})


def is_private(name: str) -> bool:
    """Tell whether an extended attribute is the brick's own, which no client may see or set."""
    return name in _PRIVATE or name.startswith((OWN_PREFIX, GFID2PATH_PREFIX))


def text_of(gfid: Gfid) -> str:
    """Write a gfid as the text of a UUID."""
    digits = gfid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def gfid_of(text: str) -> Gfid:
    """Read the text of a UUID.

    Raises:
        ValueError: it is none.
    """
    gfid = bytes.fromhex(text.replace("-", ""))
    if len(gfid) != _GFID_SIZE or text_of(gfid) != text:
        raise ValueError(f"no gfid: {text!r}")
    return gfid


class Identity:
    """Reads and writes the gfids of files.

    Args:
        root: descriptor of the served directory.

    A file is named by its directory's descriptor and its name, which is never followed.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._indexed = False
        self._adopts = False
        self._key = ""
        self._volume_key = ""

    def begin(self, root_gfid: Gfid) -> None:
        """Find out which attribute can be used here, and mark the root with its gfid."""
        for gfid_key, volume_key in (_TRUSTED, _USER):
            try:
                os.setxattr(self._root, gfid_key, root_gfid)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                continue
            self._key, self._volume_key = gfid_key, volume_key
            break
        if self._key != _TRUSTED[0]:
            self._indexed = True
            with contextlib.suppress(FileExistsError):
                os.mkdir(INDEX, 0o700, dir_fd=self._root)
        else:  # a brick without rights was here before
            self._adopts = os.access(INDEX, os.F_OK, dir_fd=self._root, follow_symlinks=False)

    @property
    def is_trusted(self) -> bool:
        """Whether this brick may write GlusterFS's own attributes."""
        return self._key == GFID_KEY

    def own_key(self, name: str) -> str:
        """Return the attribute by which this brick keeps what GlusterFS keeps as ``name``."""
        return dict(zip(_TRUSTED, (self._key, self._volume_key), strict=True)).get(name, name)

    def get(self, directory: int, name: str, inode: int) -> Gfid | None:
        """Return the gfid that a file claims, or ``None``."""
        if self._key:
            try:
                gfid = os.getxattr(
                    f"/proc/self/fd/{directory}/{name}", self._key, follow_symlinks=False
                )
                return gfid if len(gfid) == _GFID_SIZE else None
            except OSError as error:
                if error.errno == errno.ENODATA and not self._indexed:
                    return self._adopted(directory, name, inode) if self._adopts else None
                if error.errno not in _CANNOT and error.errno != errno.ENODATA:
                    raise
        if self._indexed:
            with contextlib.suppress(FileNotFoundError, ValueError):
                return gfid_of(os.readlink(f"{INDEX}/{inode}", dir_fd=self._root))
        return None

    def _adopted(self, directory: int, name: str, inode: int) -> Gfid | None:
        """Return the gfid that a brick without rights gave to a file, and keep it as it should be."""
        gfid: bytes | None = None
        try:
            path = f"/proc/self/fd/{directory}/{name}"
            gfid = os.getxattr(path, _USER[0], follow_symlinks=False)
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                gfid = gfid_of(os.readlink(f"{INDEX}/{inode}", dir_fd=self._root))
        if gfid is None or len(gfid) != _GFID_SIZE:
            return None
        self.set(directory, name, inode, gfid)
        return gfid

    def set(self, directory: int, name: str, inode: int, gfid: Gfid) -> None:
        """Give a file its gfid."""
        if self._key:
            try:
                os.setxattr(
                    f"/proc/self/fd/{directory}/{name}", self._key, gfid, follow_symlinks=False
                )
            except OSError as error:
                if not self._indexed or error.errno not in _CANNOT:
                    raise
        self._index(inode, gfid)

    def set_open(self, descriptor: int, inode: int, gfid: Gfid) -> None:
        """Give an open file its gfid."""
        if self._key:
            try:
                os.setxattr(descriptor, self._key, gfid)
            except OSError as error:
                if not self._indexed or error.errno not in _CANNOT:
                    raise
        self._index(inode, gfid)

    def _index(self, inode: int, gfid: Gfid) -> None:
        if self._indexed:
            self.forget(inode)
            os.symlink(text_of(gfid), f"{INDEX}/{inode}", dir_fd=self._root)

    def forget(self, inode: int) -> None:
        """The inode is about to go: its number may be used again."""
        if self._indexed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{INDEX}/{inode}", dir_fd=self._root)

    def volume_id(self, wanted: bytes) -> bytes:
        """Return the volume's id that the root is marked with, marking it if it is not yet."""
        if not self._volume_key:
            return wanted
        try:
            return os.getxattr(self._root, self._volume_key)
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
        if self._adopts:
            with contextlib.suppress(OSError):
                wanted = os.getxattr(self._root, _USER[1])
        os.setxattr(self._root, self._volume_key, wanted)
        return wanted
