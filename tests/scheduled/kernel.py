"""What the driver has of the kernel, played: sockets, the poller, the clock.

Each call of the kernel is a point of the scheduler before it, and after it where Python lets go of the
interpreter's lock for it: what has been received is gone from the socket, and its receiver does not go
on yet. Descriptors' numbers are used again as soon as they are free, as the kernel does.

What a client sends reaches the brick at once; what the brick sends is there at once; so what is on its
way is what the brick has not answered.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

from tests.explore.brick import Brick, BrickConnection
from tests.scheduled.scheduler import Scheduler

#: How long a socket that blocks waits to receive, in seconds: what the link sets.
RECEIVE = 0.005

_FIRST_NUMBER = 1000


class Kernel:
    """The descriptors of one process, and the brick that its sockets reach.

    Args:
        scheduler: the scheduler.
        brick: who listens.

    Attributes:
        open: what is open, by number.
        patience: how often a receive ended since its time was over.
        harmed: what the child of a fork did to its parent's connections.
        room: how many bytes the sockets take; ``None`` for any number.
    """

    def __init__(self, scheduler: Scheduler, brick: Brick) -> None:
        self.scheduler = scheduler
        self.brick = brick
        self.open: dict[int, Socket | Poller] = {}
        self.patience = 0
        self._pid = os.getpid()
        self.harmed: list[str] = []
        self.room: int | None = None

    def number(self, what: Socket | Poller) -> int:
        """Give out a descriptor."""
        number = _FIRST_NUMBER
        while number in self.open:
            number += 1
        self.open[number] = what
        return number

    # -- what the driver finds in its modules -----------------------------------------------------

    def now(self) -> float:
        return self.scheduler.now

    def socketpair(self) -> tuple[Socket, Socket]:
        one, other = Socket(self), Socket(self)
        one.other, other.other = other, one
        return one, other

    def epoll(self) -> Poller:
        return Poller(self)

    def new_socket(self, family: int, privileged: bool) -> Socket:
        return Socket(self)

    def send_now(self) -> Callable[[int, bytes, int, int], int]:
        """Sending that lets go of nothing: see :mod:`glusterio.runtime.send_now`."""

        def send(number: int, data: bytes, size: int, flags: int) -> int:
            sock = self.open.get(number)
            try:
                return sock.put(data[:size]) if isinstance(sock, Socket) else -1
            except OSError:
                return -1

        return send

    def sockets(self) -> list[Socket]:
        return [each for each in self.open.values() if isinstance(each, Socket)]

    @property
    def is_child(self) -> bool:
        """Whether this is the child of a fork: the other ends are its parent's."""
        return os.getpid() != self._pid


class Socket:
    """A stream socket; the end of one that leads to a brick, or of a pair.

    Attributes:
        family: TCP's.
        peer: the brick's end.
        data: what has come, and is not received yet.
    """

    family = socket.AF_INET

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._scheduler = kernel.scheduler
        self._number = kernel.number(self)
        self.other: Socket | None = None
        self.peer: BrickConnection | None = None
        self.data = bytearray()
        self.ended = False  # nothing more comes
        self.refused = 0
        self.connecting: Any = None

    # -- what is played ---------------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        return bool(self.data) or self.ended

    @property
    def writable(self) -> bool:
        return self.connecting is None and (self.ended or self._kernel.room != 0)

    def events(self) -> int:
        found = 0
        if self.connecting is not None:
            return 0
        if self.readable:
            found |= select.EPOLLIN
        if self.writable:
            found |= select.EPOLLOUT
        if self.ended:
            found |= select.EPOLLHUP
        return found

    def deliver(self, data: bytes) -> None:
        """Let bytes from the peer arrive."""
        self.data += data

    def lose(self) -> None:
        """The peer's end is gone (:meth:`tests.explore.brick.BrickConnection.lose`)."""
        self.ended = True
        self.peer = None

    def connected(self) -> None:
        """Whoever is at the address has answered."""
        self.connecting = None
        brick = self._kernel.brick
        if brick.is_up:
            self.peer = brick.connect(self)  # type: ignore[arg-type]
        else:
            self.refused = errno.ECONNREFUSED
            self.ended = True

    def put(self, data: bytes) -> int:
        """Send."""
        if self._number not in self._kernel.open:
            raise OSError(errno.EBADF, "closed")
        if self.other is not None:
            if self.other._number not in self._kernel.open:
                raise OSError(errno.EPIPE, "closed")
            self.other.data += data
            return len(data)
        if self.peer is None:
            raise OSError(errno.EPIPE, "lost")
        room = self._kernel.room
        if room is not None:
            if not room:
                raise BlockingIOError(errno.EAGAIN, "full")
            data = data[:room]
            self._kernel.room = room - len(data)
        if self._kernel.is_child:
            self._kernel.harmed.append(f"the child sends {len(data)} bytes")
        self.peer.received(bytes(data))
        return len(data)

    def _check(self) -> None:
        if self._number not in self._kernel.open:
            raise OSError(errno.EBADF, "closed")

    # -- as a socket ------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._number if self._kernel.open.get(self._number) is self else -1

    def setblocking(self, flag: bool) -> None:
        self._check()

    def setsockopt(self, *what: Any) -> None:
        self._check()

    def getsockopt(self, *what: Any) -> int:
        self._check()
        return self.refused

    def getsockname(self) -> tuple[str, int]:
        self._check()
        return "127.0.0.1", self._number

    def getpeername(self) -> tuple[str, int]:
        self._check()
        return "127.0.0.1", 24007

    def connect_ex(self, address: Any) -> int:
        self._scheduler.point("connect")
        self._check()
        if self.connecting is not None:
            return errno.EALREADY
        if self.peer is not None or self.refused:  # it is made, or refused, meanwhile
            return self.refused
        self.connecting = address
        return errno.EINPROGRESS

    def send(self, data: Any, flags: int = 0) -> int:
        self._scheduler.point("send")
        count = self.put(bytes(data))
        self._scheduler.point("sent")
        return count

    def sendmsg(self, buffers: Sequence[Any], ancillary: Any = (), flags: int = 0) -> int:
        return self.send(b"".join(map(bytes, buffers)), flags)

    def recv(self, size: int) -> bytes:
        """Receive without waiting."""
        self._scheduler.point("recv")
        self._check()
        if not self.readable:
            raise BlockingIOError(errno.EAGAIN, "empty")
        data = bytes(self.data[:size])
        del self.data[:size]
        return data

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0) -> int:
        self._scheduler.point("recv")
        self._check()
        if not self.readable:
            if flags & socket.MSG_DONTWAIT or not self._scheduler.is_here:
                raise BlockingIOError(errno.EAGAIN, "empty")
            if not self._scheduler.block("recv", lambda: self.readable, RECEIVE, self):
                self._kernel.patience += 1
                raise BlockingIOError(errno.EAGAIN, "empty")
        data = bytes(self.data[: len(buffer)])
        del self.data[: len(buffer)]
        buffer[: len(data)] = data
        self._scheduler.point("received")
        return len(data)

    def shutdown(self, how: int) -> None:
        self._check()
        if self._kernel.is_child:
            self._kernel.harmed.append("the child shuts its parent's connection down")
        if self.ended and self.peer is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        self._part()
        self.ended = True

    def close(self) -> None:
        if self.fileno() >= 0:
            del self._kernel.open[self._number]
            for each in self._kernel.open.values():
                if isinstance(each, Poller):
                    each.watched.pop(self._number, None)
            if not self._kernel.is_child:
                self._part()

    def _part(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.closed()


class Poller:
    """An epoll descriptor."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._scheduler = kernel.scheduler
        self._number = kernel.number(self)
        self.watched: dict[int, tuple[Socket, int]] = {}

    def _check(self) -> None:
        if self._kernel.open.get(self._number) is not self:
            raise ValueError("I/O operation on closed epoll object")

    def register(self, what: Socket | int, events: int) -> None:
        self._scheduler.point("epoll.register")
        self._check()
        number = what if isinstance(what, int) else what.fileno()
        sock = self._kernel.open.get(number)
        if not isinstance(sock, Socket):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if number in self.watched:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self.watched[number] = (sock, events)

    def modify(self, what: Socket, events: int) -> None:
        self._scheduler.point("epoll.modify")
        self._check()
        number = what.fileno()
        if number < 0:
            raise ValueError("file descriptor cannot be a negative integer (-1)")
        if number not in self.watched:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.watched[number] = (what, events)

    def unregister(self, number: int) -> None:
        self._scheduler.point("epoll.unregister")
        self._check()
        if self.watched.pop(number, None) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _ready(self) -> list[tuple[int, int]]:
        return [
            (number, sock.events() & (events | select.EPOLLHUP))
            for number, (sock, events) in self.watched.items()
            if sock.events() & (events | select.EPOLLHUP)
        ]

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        self._scheduler.point("poll")
        self._check()
        if not self._ready() and timeout != 0:
            self._scheduler.block("poll", lambda: bool(self._ready()), timeout, self)
        found = self._ready()
        self._scheduler.point("polled")
        return found

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        if self._kernel.open.get(self._number) is self:
            del self._kernel.open[self._number]
