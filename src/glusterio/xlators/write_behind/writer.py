"""What write-behind keeps for a file, and for each open file: who writes, who waits, what went wrong.

An error is kept as Linux keeps one (``errseq``): every open file that writes is told, each once.
"""

from __future__ import annotations

import os
from typing import Final

from glusterio.errors import ConnectionLostError, GlusterError, fs_error, retold
from glusterio.graph.fd import Fd
from glusterio.traps import Event
from glusterio.types import Gfid
from glusterio.xlators.write_behind.order import END, Order, Write

#: How many ranges an error names at most.
RANGES: Final = 8


class Losses:
    """Deferred writes that failed and of which an open file has not been told yet.

    Attributes:
        count: bytes that are not on the brick.
    """

    __slots__ = ("_appended", "_error", "_may_have_happened", "_more", "_ranges", "count")

    def __init__(self) -> None:
        self.count = 0
        self._error: Exception | None = None
        self._ranges: list[tuple[int, int]] = []  # offset, end
        self._more = 0
        self._appended = 0
        self._may_have_happened = False

    def add(self, error: Exception, write: Write, offset: int, size: int) -> None:
        """Take note of a failure.

        Args:
            error: why; the first one is what will be raised.
            write: the write.
            offset: where what failed begins, in bytes.
            size: how much it is, in bytes.
        """
        if self._error is None:
            self._error = error
        self._may_have_happened |= getattr(error, "may_have_happened", False)
        self.count += size
        if write.end == END:
            self._appended += size
            return
        self._add_range(offset, offset + size)

    def _add_range(self, offset: int, end: int) -> None:
        ranges = self._ranges
        for at, (known, known_end) in enumerate(ranges):
            if known_end == offset or known == end:
                ranges[at] = (min(known, offset), max(known_end, end))
                return
        if len(ranges) < RANGES:
            ranges.append((offset, end))
        else:
            self._more += 1

    def add_all(self, later: Losses) -> None:
        """Take note of what another one has noted since."""
        if self._error is None:
            self._error = later._error
        self._may_have_happened |= later._may_have_happened
        self.count += later.count
        self._appended += later._appended
        self._more += later._more
        for start, end in later._ranges:
            self._add_range(start, end)

    def error(self) -> Exception:
        """Return the error to be raised.

        An ``OSError`` keeps its errno and so its class; a lost connection stays one, however it was
        lost.
        """
        error, what = self._error, self.describe()
        assert error is not None
        if isinstance(error, GlusterError):
            told = retold(error, f"{error.args[-1]}; {what}")
            if isinstance(told, ConnectionLostError):
                told.may_have_happened = self._may_have_happened
            return told
        if isinstance(error, OSError):
            plain = fs_error(error.errno or 0)
            return type(plain)(plain.errno, f"{plain.strerror}; {what}")
        error.add_note(what)
        return error

    def describe(self) -> str:
        """Say which writes failed."""
        places = [f"{start}-{end}" for start, end in sorted(self._ranges)]
        if self._more:
            places.append(f"{self._more} more ranges")
        if self._appended:
            places.append(f"{self._appended} bytes appended")
        return f"deferred writes failed, {self.count} bytes: {', '.join(places)}"

    def __bool__(self) -> bool:
        return self._error is not None


class Writer:
    """An open file that writes: what is kept with its fd.

    Args:
        fd: the open file.
        deferred: the file's deferred writes.
        strict_o_direct: whether ``O_DIRECT`` means that nothing is deferred.

    Attributes:
        appends: every write goes to the end of the file, wherever that is.
        through: no write is deferred.
        losses: which deferred writes of the file failed since this was last told.
    """

    __slots__ = ("appends", "deferred", "fd", "losses", "through")

    def __init__(self, fd: Fd, deferred: Deferred, strict_o_direct: bool = False) -> None:
        synchronous = os.O_SYNC | os.O_DSYNC | (os.O_DIRECT if strict_o_direct else 0)
        self.fd = fd
        self.deferred = deferred
        self.appends = bool(fd.flags & os.O_APPEND)
        self.through = bool(fd.flags & synchronous)
        self.losses = Losses()


class Deferred:
    """The deferred writes of one file, who writes, and who waits.

    Args:
        gfid: the file.
        order: the writes.

    Attributes:
        writers: the open files that write; each is told of every failure.
        barriers: who waits until all writes up to a number are answered.
        room: who waits until not more than so many bytes are under way.
    """

    __slots__ = ("_woken_at", "barriers", "gfid", "order", "room", "writers")

    def __init__(self, gfid: Gfid, order: Order) -> None:
        self.gfid = gfid
        self.order = order
        self.writers: dict[Writer, None] = {}
        self.barriers: list[tuple[int, Event]] = []
        self.room: list[tuple[int, Event]] = []
        self._woken_at = -1  # somebody who waits for room is woken at this size

    def wait_for_room(self, size: int, event: Event) -> None:
        """Have an event set when not more than ``size`` bytes are under way."""
        self.room.append((size, event))
        self._woken_at = max(self._woken_at, size)

    def take_woken(self) -> list[Event]:
        """Return the events of those who need not wait any more.

        They are forgotten when they have been set: an interrupt may come in between.
        """
        woken: list[Event] = []
        order = self.order
        if self.barriers:
            self.barriers = [each for each in self.barriers if not each[1].is_set]
            woken += [event for number, event in self.barriers if order.has_passed(number)]
        if order.size <= self._woken_at:
            self.room = [each for each in self.room if not each[1].is_set]
            woken += [event for size, event in self.room if order.size <= size]
            waiting = (size for size, _ in self.room if order.size > size)
            self._woken_at = max(waiting, default=-1)
        return woken
