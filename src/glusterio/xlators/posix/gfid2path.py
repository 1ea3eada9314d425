"""The attributes in which a file keeps its names: one for each, as GlusterFS's bricks write them.

A file has ``trusted.gfid2path.<hash>`` for every name, holding its directory's gfid and the name; the
hash is XXH64 of that value, in hexadecimal. GlusterFS answers from them where a file lies (the virtual
attribute ``glusterfs.gfidtopath``) and looks for them when it moves or removes a name; so a brick that
moves names has to keep them true. A directory needs none: its handle says where it lies.

Only a brick that may write ``trusted.`` attributes keeps them.

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
    with _tolerated(errno.ENOSPC, errno.EDQUOT, errno.E2BIG):
        if isinstance(file, int):
            os.setxattr(file, key, value)
        else:
            os.setxattr(file, key, value, follow_symlinks=False)


def remove_name(path: str, parent: Gfid, name: str) -> None:
    """Forget a file's name; one that was never noted is fine."""
    key, _ = attribute(parent, name)
    with _tolerated(errno.ENODATA):
        os.removexattr(path, key, follow_symlinks=False)


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
