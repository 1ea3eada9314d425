"""storage/posix: RCHECKSUM, by which a self-heal compares a part of a file with another brick's.

The weak sum is Adler-32 begun at 0, the strong one MD5, filled up with zeros to the 32 bytes that the
protocol has for it; that is what a brick without ``fips-mode-rchecksum`` answers, always with 1 as the
reply's flags.

Sources: GlusterFS xlators/storage/posix/src/posix-inode-fd-ops.c (``posix_rchecksum``),
libglusterfs/src/checksum.c.
"""

from __future__ import annotations

import hashlib
import os
import zlib

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.wire.dictionary import UInt, Value
from glusterio.wire.fops.data import RchecksumReply, RchecksumRequest
from glusterio.wire.programs import OpenFlag
from glusterio.xlators.posix.core import data_operation
from glusterio.xlators.posix.files import MAX_READ, FileOperations

CHECK_ZERO_FILLED = "check-zero-filled"
BUF_HAS_ZEROES = "buf-has-zeroes"

_STRONG_SIZE = 32
_FLAGS = 1


class ChecksumOperations(FileOperations):
    """Sums of file data."""

    @data_operation
    async def rchecksum(self, frame: Frame, fd: Fd, request: RchecksumRequest) -> RchecksumReply:
        with self._descriptor(frame, fd, OpenFlag.RDONLY) as descriptor:
            rest = max(0, os.fstat(descriptor).st_size - request.offset)
            data = os.pread(descriptor, min(request.length, rest, MAX_READ), request.offset)
        answers: dict[str, Value] = {}
        if (request.xdata or {}).get(CHECK_ZERO_FILLED):
            answers[BUF_HAS_ZEROES] = UInt(not any(data))
        return RchecksumReply(
            xdata=answers,
            flags=_FLAGS,
            weak=zlib.adler32(data, 0),
            strong=hashlib.md5(data, usedforsecurity=False).digest().ljust(_STRONG_SIZE, b"\0"),
        )
