"""The attributes in which a file keeps its names: one for each, as GlusterFS's bricks write them.

A file has ``trusted.gfid2path.<hash>`` for every name, holding its directory's gfid and the name; the
hash is XXH64 of that value, in hexadecimal. GlusterFS answers from them where a file lies (the virtual
attribute ``glusterfs.gfidtopath``) and looks for them when it moves or removes a name; so a brick that
moves names has to keep them true. A directory needs none: its handle says where it lies.

A file that has noted its names goes on doing so here. One that has not, as every new file, does not
begin to, unless the option ``gfid2path`` is on: on ext4 the attributes have no room in the inode, and a
block for each file makes its removal wait for the disk. Of such a file the place where it was seen last
is remembered, as GlusterFS's inode table does it. Only a brick that may write ``trusted.`` attributes
keeps notes.

Sources: GlusterFS xlators/storage/posix/src/posix-entry-ops.c (``posix_set_gfid2path_xattr``),
posix-gfid-path.c; the xxHash specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterator
from typing import Final

from glusterio.types import Gfid
from glusterio.xlators.posix.identity import GFID2PATH_PREFIX, gfid_of, text_of

_MASK: Final = (1 << 64) - 1
_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5
_STRIPE = struct.Struct("<4Q")

_GFID_TEXT: Final = 36

#: A name that was not noted, or a file that can note none.
_NONE_THERE: Final = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})

#: Of how many files the place is remembered. Then all are forgotten.
REMEMBERED: Final = 64 * 1024


def _round(lane: int, word: int) -> int:
    lane = lane + word * _P2 & _MASK
    return ((lane << 31 | lane >> 33) & _MASK) * _P1 & _MASK


def xxh64(data: bytes) -> int:
    """Return the XXH64 of some bytes, with seed 0."""
    size, at = len(data), 0
    if size >= 32:
        one, two, three, four = _P1 + _P2 & _MASK, _P2, 0, -_P1 & _MASK
        while at + 32 <= size:
            a, b, c, d = _STRIPE.unpack_from(data, at)
            one, two = _round(one, a), _round(two, b)
            three, four = _round(three, c), _round(four, d)
            at += 32
        total = sum(
            (lane << n | lane >> 64 - n) & _MASK
            for lane, n in ((one, 1), (two, 7), (three, 12), (four, 18))
        )
        total &= _MASK
        for lane in (one, two, three, four):
            total = (total ^ _round(0, lane)) * _P1 + _P4 & _MASK
    else:
        total = _P5
    total = total + size & _MASK
    while at + 8 <= size:
        total ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        total = ((total << 27 | total >> 37) & _MASK) * _P1 + _P4 & _MASK
        at += 8
    if at + 4 <= size:
        total ^= int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK
        total = ((total << 23 | total >> 41) & _MASK) * _P2 + _P3 & _MASK
        at += 4
    for byte in data[at:]:
        total ^= byte * _P5 & _MASK
        total = ((total << 11 | total >> 53) & _MASK) * _P1 & _MASK
    total = (total ^ total >> 33) * _P2 & _MASK
    total = (total ^ total >> 29) * _P3 & _MASK
    return total ^ total >> 32


def attribute(parent: Gfid, name: str) -> tuple[str, bytes]:
    """Return the attribute that a file has for a name: its key and its value."""
    value = f"{text_of(parent)}/".encode() + os.fsencode(name)
    return f"{GFID2PATH_PREFIX}{xxh64(value):016x}", value


@contextlib.contextmanager
def _tolerated(*numbers: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise


def set_name(file: str | int, parent: Gfid, name: str) -> None:
    """Note a file's name. The file system may have no room for it: then it has none.

    Args:
        file: a path to the file, which is not followed, or its descriptor.
        parent: the directory's gfid.
        name: the name there.
    """
    key, value = attribute(parent, name)
    with _tolerated(errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.EEXIST):
        if isinstance(file, int):
            os.setxattr(file, key, value)
        else:
            os.setxattr(file, key, value, follow_symlinks=False)


def remove_name(path: str, parent: Gfid, name: str) -> None:
    """Forget a file's name; one that was never noted is fine."""
    key, _ = attribute(parent, name)
    with _tolerated(*_NONE_THERE):
        os.removexattr(path, key, follow_symlinks=False)


def has_noted(path: str, parent: Gfid, name: str) -> bool:
    """Tell whether a file has noted a name."""
    key, _ = attribute(parent, name)
    try:
        os.getxattr(path, key, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NONE_THERE:
            raise
        return False
    return True


def names_of(path: str) -> list[tuple[str, Gfid, str]]:
    """Return what a file has noted: the key, the directory's gfid and the name of each.

    What cannot be read so is left out.
    """
    found: list[tuple[str, Gfid, str]] = []
    for key in os.listxattr(path, follow_symlinks=False):
        if key.startswith(GFID2PATH_PREFIX):
            with _tolerated(errno.ENODATA), contextlib.suppress(ValueError):
                value = os.getxattr(path, key, follow_symlinks=False)
                parent, name = value[:_GFID_TEXT].decode(), os.fsdecode(value[_GFID_TEXT + 1 :])
                if value[_GFID_TEXT : _GFID_TEXT + 1] == b"/" and name:
                    found.append((key, gfid_of(parent), name))
    return found


class Names:
    """The names that the files of a directory tree have noted, and the places where they were seen.

    Args:
        may_write: whether this brick may write the attributes.
        for_all: whether every file notes its names, and not only those that do already.
    """

    def __init__(self, may_write: bool, for_all: bool) -> None:
        self._may_write = may_write
        self._for_all = may_write and for_all
        self._places: dict[Gfid, tuple[Gfid, str]] = {}

    def seen(self, gfid: Gfid, parent: Gfid, name: str) -> None:
        """Remember where a file was seen."""
        if len(self._places) >= REMEMBERED:
            self._places.clear()
        self._places[gfid] = (parent, name)

    def place_of(self, gfid: Gfid) -> tuple[Gfid, str] | None:
        """Return where a file was seen last: the directory's gfid and the name. It may have moved."""
        return self._places.get(gfid)

    def noted(self, path: str) -> list[tuple[str, Gfid, str]]:
        """Return what a file has noted; see :func:`names_of`."""
        return names_of(path) if self._may_write else []

    def made(self, gfid: Gfid, file: str | int, parent: Gfid, name: str) -> None:
        """A file was made, or found, that has not noted anything."""
        self.seen(gfid, parent, name)
        if self._for_all:
            set_name(file, parent, name)

    def linked(self, gfid: Gfid, path: str, parent: Gfid, name: str) -> None:
        """A file got another name."""
        self.seen(gfid, parent, name)
        if self._for_all or self.noted(path):
            set_name(path, parent, name)

    def moved(self, gfid: Gfid, path: str, old: tuple[Gfid, str], new: tuple[Gfid, str]) -> None:
        """A file's name was moved."""
        self.seen(gfid, *new)
        if self._may_write and (self._for_all or has_noted(path, *old)):
            set_name(
                path, *new
            )  # first: one that is noted falsely is found, one that is not is lost
            remove_name(path, *old)

    def removed(self, gfid: Gfid, path: str | None, parent: Gfid, name: str) -> None:
        """A name was removed; without a ``path`` it was the last one."""
        if path is None or self._places.get(gfid) == (parent, name):
            self._places.pop(gfid, None)
        if path is not None and self._may_write:
            remove_name(path, parent, name)
