"""All that a brick tells of a file: more than ``os.stat_result`` has a place for."""

from __future__ import annotations

from typing import NamedTuple

from glusterio.wire.iatt import Iatt, IattValid

_SECOND = 10**9


class Statx(NamedTuple):
    """A file's attributes as ``statx`` has them, with their names, and the file's gfid.

    Attributes:
        gfid: the file's identity on the volume, 16 bytes.
        valid: which of the fields the brick has told; the others are 0.
        mode: type and permission bits.
        nlink: how many names it has.
        uid: its owner.
        gid: its group.
        ino: its inode number.
        size: in bytes.
        blocks: what it takes, in units of 512 bytes.
        blksize: how much to read at once, in bytes.
        attributes: ``STATX_ATTR_`` bits, of those that are in ``attributes_mask``.
        attributes_mask: which attributes the brick's file system has.
        atime_ns: when it was last read, in nanoseconds since the epoch.
        mtime_ns: when its data was last changed.
        ctime_ns: when anything of it was last changed.
        btime_ns: when it was made; ``None`` when the brick has not told.
    """

    gfid: bytes
    valid: IattValid
    mode: int
    nlink: int
    uid: int
    gid: int
    ino: int
    size: int
    blocks: int
    blksize: int
    attributes: int
    attributes_mask: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    btime_ns: int | None


def statx_result(found: Iatt) -> Statx:
    """Turn a brick's attributes into what ``statx`` returns here."""
    valid = IattValid(found.flags & sum(IattValid))
    return Statx(
        found.gfid,
        valid,
        found.mode,
        found.nlink,
        found.uid,
        found.gid,
        found.ino,
        found.size,
        found.blocks,
        found.blksize,
        found.attributes,
        found.attributes_mask,
        found.atime * _SECOND + found.atime_nsec,
        found.mtime * _SECOND + found.mtime_nsec,
        found.ctime * _SECOND + found.ctime_nsec,
        found.btime * _SECOND + found.btime_nsec if valid & IattValid.BTIME else None,
    )
