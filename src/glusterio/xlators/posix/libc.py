"""Two system calls that Python does not offer: ``getdents64``, and ``fallocate`` with its modes."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final, NamedTuple

KEEP_SIZE: Final = 1
PUNCH_HOLE: Final = 2
ZERO_RANGE: Final = 16

_libc = ctypes.CDLL(None, use_errno=True)
_getdents64 = _libc.getdents64
_getdents64.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_getdents64.restype = ctypes.c_ssize_t
_fallocate64 = _libc.fallocate64
_fallocate64.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

#: inode, offset, length of the record, kind; the name with a NUL follows
_ENTRY = struct.Struct("=QqHB")
_BUFFER_SIZE = 32 * 1024
_FIRST_TOO_LARGE = 1 << 63


class Entry(NamedTuple):
    """One name in a directory, as the kernel tells it.

    Attributes:
        inode: inode number.
        offset: the kernel's cookie for what follows.
        kind: one of the ``DT_`` numbers; 0 when not known.
        name: the name.
    """

    inode: int
    offset: int
    kind: int
    name: str


def read_entries(descriptor: int) -> list[Entry]:
    """Return the next entries of an open directory; none at its end, nor when it has been removed.

    Raises:
        OSError: what the system call says.
    """
    buffer = ctypes.create_string_buffer(_BUFFER_SIZE)
    size = _getdents64(descriptor, buffer, _BUFFER_SIZE)
    if size < 0:
        number = ctypes.get_errno()
        if number == errno.ENOENT:  # removed: for POSIX, and so for readdir, that is the end
            return []
        raise OSError(number, os.strerror(number))
    data = buffer.raw[:size]
    entries = []
    at = 0
    while at < size:
        inode, offset, length, kind = _ENTRY.unpack_from(data, at)
        start = at + _ENTRY.size
        name = os.fsdecode(data[start : data.index(0, start)])
        entries.append(Entry(inode, offset, kind, name))
        at += length
    return entries


def fallocate(descriptor: int, mode: int, offset: int, size: int) -> None:
    """Reserve space, give it back, or fill it with zeros, as ``mode`` says.

    Raises:
        OSError: what the system call says.
    """
    if offset + size >= _FIRST_TOO_LARGE:
        raise OverflowError("no file offset can be that large")
    if _fallocate64(descriptor, mode, offset, size) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
