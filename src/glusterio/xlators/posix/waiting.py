"""Reading and writing without holding up others: what the disk has to be waited for is done aside.

A READ of what the kernel has in its cache is done on the spot, which is cheaper than to hand it over;
the kernel itself tells when it would have to wait (``RWF_NOWAIT``, preadv2(2)). Where the file system
cannot tell (tmpfs, for one), reads are done on the spot as well. What is so large that copying it takes
long, and a WRITE that shall be on the disk when it is answered, are done aside in any case.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from glusterio.traps import Offload
from glusterio.types import Buffer

#: What is done on the spot, in bytes: some 0.1 ms of copying.
INLINE: Final = 1024 * 1024


async def read(descriptor: int, place: memoryview, offset: int) -> Buffer:
    """Fill ``place``; return the part of it that was filled, less than all at the end of the file.

    Raises:
        OSError: what the system call says.
    """
    size = len(place)
    count = 0
    if size <= INLINE:
        try:
            count = os.preadv(descriptor, [place], offset, os.RWF_NOWAIT)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            count = os.preadv(descriptor, [place], offset)
            return place[:count]
    if count < size:  # the rest is not in the cache
        count += await Offload(os.preadv, descriptor, [place[count:]], offset + count)
    return place[:count]


async def write(descriptor: int, data: Buffer, offset: int, *, through: bool) -> int:
    """Write; return how much was written, which is less only if the rest could not be.

    Args:
        descriptor: where to.
        data: what to write.
        offset: where in the file.
        through: whether it is on the disk when the system call returns.

    Raises:
        OSError: what the system call says; nothing was written.
    """
    if through or len(data) > INLINE:
        written: int = await Offload(_write, descriptor, data, offset)
        return written
    return _write(descriptor, data, offset)


def _write(descriptor: int, data: Buffer, offset: int) -> int:
    written = os.pwrite(descriptor, data, offset)
    while written < len(data):  # the kernel takes a little less than 2 GiB at once
        rest = memoryview(data)[written:]
        try:
            written += os.pwrite(descriptor, rest, offset + written)
        except OSError:
            break  # what was written is written
    return written
