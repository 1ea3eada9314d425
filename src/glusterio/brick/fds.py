"""One connection's descriptors.

Numbers are given from 0 on, the lowest free one first, as GlusterFS's bricks do it. A descriptor that
was released while operations use it lives on, without its number, until the last of them has ended.
Once the connection has ended the table takes none any more: what is opened after that is closed.

Source: GlusterFS libglusterfs/src/fd.c (``gf_fd_unused_get``).
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Iterator

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd


class OpenFd:
    """A descriptor of a connection.

    Attributes:
        fd: what the graph knows it as.
        is_directory: whether it was made by OPENDIR.
        users: operations that are using it.
        released: whether its number is gone.
    """

    __slots__ = ("fd", "is_directory", "released", "users")

    def __init__(self, fd: Fd, is_directory: bool) -> None:
        self.fd = fd
        self.is_directory = is_directory
        self.users = 0
        self.released = False


class FdTable:
    """The descriptors of one connection, by number.

    Args:
        limit: how many there may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ended = False
        self._open: dict[int, OpenFd] = {}
        self._free: list[int] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[tuple[int, OpenFd]]:
        return iter(sorted(self._open.items()))

    def check_room(self) -> None:
        """Make sure that there is a number for one more.

        Raises:
            OSError: EMFILE.
        """
        if len(self._open) >= self._limit:
            raise fs_error(errno.EMFILE)

    def add(self, fd: Fd, is_directory: bool) -> int | None:
        """Give a descriptor its number; ``None`` when it has to be closed, as the client has gone.

        Raises:
            OSError: EMFILE, likewise.
        """
        if self._ended:
            return None
        self.check_room()
        if self._free:
            number = heapq.heappop(self._free)
        else:
            number = self._next
            self._next += 1
        self._open[number] = OpenFd(fd, is_directory)
        return number

    def get(self, number: int) -> OpenFd | None:
        """Return a descriptor, without using it."""
        return self._open.get(number)

    def use(self, number: int) -> OpenFd:
        """Begin to use a descriptor.

        Raises:
            OSError: EBADF.
        """
        opened = self._open.get(number)
        if opened is None:
            raise fs_error(errno.EBADF)
        opened.users += 1
        return opened

    @staticmethod
    def done(opened: OpenFd) -> bool:
        """End the use of a descriptor; tell whether it is to be closed now."""
        opened.users -= 1
        return opened.released and not opened.users

    def remove(self, number: int) -> OpenFd | None:
        """Free a number; return its descriptor if that is to be closed now."""
        opened = self._open.pop(number, None)
        if opened is None:
            return None
        heapq.heappush(self._free, number)
        opened.released = True
        return None if opened.users else opened

    def remove_all(self) -> list[OpenFd]:
        """End the table; return the descriptors that are to be closed now."""
        self._ended = True
        opened = list(self._open.values())
        self._open.clear()
        self._free.clear()
        self._next = 0
        for one in opened:
            one.released = True
        return [one for one in opened if not one.users]
