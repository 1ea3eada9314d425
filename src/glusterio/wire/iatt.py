"""File attributes as they travel: the 148 bytes of ``gfx_iattx``, and two smaller kinds.

Sources: GlusterFS rpc/xdr/src/glusterfs4-xdr.x (``gfx_iattx``, ``gfx_mdata_iatt``),
rpc/xdr/src/glusterfs3-xdr.x (``gf_iatt``), libglusterfs/src/glusterfs/iatt.h (the valid bits).
"""

from __future__ import annotations

import struct
from enum import IntFlag
from typing import Final, NamedTuple

from glusterio.errors import LocalProtocolError, XdrError

#: The layout of :class:`Iatt`, of 148 bytes.
IATT: Final = struct.Struct(">16s8Q4q9I")
#: The layout of :class:`Mdata`, of 36 bytes.
MDATA: Final = struct.Struct(">3q3I")
#: The layout of :class:`OldIatt`.
OLD_IATT: Final = struct.Struct(">16s2Q4I2QIQ6I")

GFID_SIZE: Final = 16


class IattValid(IntFlag):
    """Which fields of an :class:`Iatt` mean something: its ``flags``."""

    TYPE = 0x1
    MODE = 0x2
    NLINK = 0x4
    UID = 0x8
    GID = 0x10
    ATIME = 0x20
    MTIME = 0x40
    CTIME = 0x80
    INO = 0x100
    SIZE = 0x200
    BLOCKS = 0x400
    BTIME = 0x800
    GFID = 0x1000


class Iatt(NamedTuple):
    """The attributes of a file: ``struct stat`` with the file's gfid.

    The fields are in the order of the wire. Times are whole seconds since 1970, each with its
    nanoseconds apart; ``blocks`` are of 512 bytes; ``mode`` holds the file type's bits too;
    ``flags`` are :class:`IattValid`.
    """

    gfid: bytes = bytes(GFID_SIZE)
    flags: int = 0
    ino: int = 0
    dev: int = 0
    rdev: int = 0
    size: int = 0
    blocks: int = 0
    attributes: int = 0
    attributes_mask: int = 0
    atime: int = 0
    mtime: int = 0
    ctime: int = 0
    btime: int = 0
    atime_nsec: int = 0
    mtime_nsec: int = 0
    ctime_nsec: int = 0
    btime_nsec: int = 0
    nlink: int = 0
    uid: int = 0
    gid: int = 0
    blksize: int = 0
    mode: int = 0

    def pack(self) -> bytes:
        """Encode to 148 bytes.

        Raises:
            LocalProtocolError: a field does not fit.
        """
        return _pack(IATT, self)

    @classmethod
    def unpack_from(cls, view: memoryview | bytes, offset: int = 0) -> Iatt:
        """Decode the 148 bytes at ``offset``.

        Raises:
            XdrError: fewer bytes are there.
        """
        try:
            return cls._make(IATT.unpack_from(view, offset))
        except struct.error:
            raise XdrError(f"no room for an iatt at byte {offset} of {len(view)}") from None


#: What a failed reply carries in the place of attributes.
ZERO_IATT: Final = Iatt()


class Mdata(NamedTuple):
    """The times that features/utime keeps in an extended attribute, in seconds and nanoseconds."""

    atime: int = 0
    mtime: int = 0
    ctime: int = 0
    atime_nsec: int = 0
    mtime_nsec: int = 0
    ctime_nsec: int = 0

    def pack(self) -> bytes:
        """Encode to 36 bytes.

        Raises:
            LocalProtocolError: a field does not fit.
        """
        try:
            return MDATA.pack(*self)
        except struct.error as error:
            raise LocalProtocolError(f"{self!r} does not fit: {error}") from None

    @classmethod
    def unpack_from(cls, view: memoryview | bytes, offset: int = 0) -> Mdata:
        """Decode the 36 bytes at ``offset``.

        Raises:
            XdrError: fewer bytes are there.
        """
        try:
            return cls._make(MDATA.unpack_from(view, offset))
        except struct.error:
            raise XdrError(f"no room for times at byte {offset} of {len(view)}") from None


class OldIatt(NamedTuple):
    """Attributes in the layout of GlusterFS 3, alive in the cache invalidation callback only."""

    gfid: bytes = bytes(GFID_SIZE)
    ino: int = 0
    dev: int = 0
    mode: int = 0
    nlink: int = 0
    uid: int = 0
    gid: int = 0
    rdev: int = 0
    size: int = 0
    blksize: int = 0
    blocks: int = 0
    atime: int = 0
    atime_nsec: int = 0
    mtime: int = 0
    mtime_nsec: int = 0
    ctime: int = 0
    ctime_nsec: int = 0

    def pack(self) -> bytes:
        """Encode to bytes.

        Raises:
            LocalProtocolError: a field does not fit.
        """
        return _pack(OLD_IATT, self)

    @classmethod
    def unpack_from(cls, view: memoryview | bytes, offset: int = 0) -> OldIatt:
        """Decode the bytes at ``offset``.

        Raises:
            XdrError: fewer bytes are there.
        """
        try:
            return cls._make(OLD_IATT.unpack_from(view, offset))
        except struct.error:
            raise XdrError(f"no room for an iatt at byte {offset} of {len(view)}") from None


def _pack(layout: struct.Struct, iatt: Iatt | OldIatt) -> bytes:
    if len(iatt.gfid) != GFID_SIZE:
        raise LocalProtocolError(f"a gfid of {len(iatt.gfid)} bytes")
    try:
        return layout.pack(*iatt)
    except struct.error as error:
        raise LocalProtocolError(f"{iatt!r} does not fit: {error}") from None
