"""The threads driver's sockets: what it polls, how whoever polls is woken, and how requests leave.

It is the part of the driver that knows of the kernel, and no fiber. What has been received goes to
:mod:`~glusterio.runtime.threads`, which hands it out.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from glusterio.rpc.connection import Connection
from glusterio.runtime.connecting import Connecting
from glusterio.runtime.home import PerThread
from glusterio.runtime.link import Link
from glusterio.traps import Connect, Reply

if TYPE_CHECKING:
    from glusterio.runtime.secured import Secured

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Sockets:
    """The links, the connects under way, and the pipe by which whoever polls is woken."""

    def __init__(self) -> None:
        # One lock for all that is held for a few instructions: the driver's, the session's, the
        # translators'. Two more belong to each link. Each call asks whether this thread holds one of
        # them, which for a lock of everybody's own took as long as the admission of the call.
        # They are re-entrant only so that a thread can be asked, and so that who holds one may call who
        # takes it; check_not_inside() keeps a thread from coming in anew while it holds one.
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self._locks: tuple[Any, ...] = (self.lock,)
        # epoll, since a leader that was relieved may still be in it when the next one enters
        self._poller = select.epoll()
        self._watched: dict[int, Link | Connecting] = {}
        self._sole: Link | None = None  # the link, where it is all that there is to poll
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._wake_number = self._wake_in.fileno()
        self._poller.register(self._wake_number, READ)
        self._per_thread = PerThread()

    def _close_poller(self) -> None:
        self._watched.clear()
        self._poller.close()
        self._wake_in.close()
        self._wake_out.close()

    def _interrupt_poll(self) -> None:
        # A full pipe wakes as well; a closed one has nobody left to wake.
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    def _empty_wake_pipe(self) -> None:
        # It is empty; or closed, for a call that outlived its session.
        with contextlib.suppress(OSError):
            while len(self._wake_in.recv(4096)) == 4096:
                pass

    def _links(self) -> list[Link]:
        return [each for each in list(self._watched.values()) if isinstance(each, Link)]

    # -- sending ----------------------------------------------------------------------------------

    def submit(self, reply: Reply) -> None:
        link = reply.connection.link
        if link is None:
            reply.connection.refuse(reply)
        held = self._per_thread.state.corked
        if held is not None:
            link.hold(reply)
            held.add(link)
        elif link.submit(reply):
            self._watch_writing(link)

    def _watch_writing(self, link: Link) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed since: its requests have failed
            self._poller.modify(link.sock, READ | WRITE)

    @contextlib.contextmanager
    def corked(self) -> Iterator[None]:
        state = self._per_thread.state
        if state.corked is not None:  # the outermost sends
            yield
            return
        held: set[Link] = set()
        state.corked = held
        try:
            yield
        finally:
            state.corked = None
            self._send_held(held)

    def _send_held(self, held: set[Link]) -> None:
        while held:
            link = held.pop()
            if link.flush():
                self._watch_writing(link)

    def abandon(self, reply: Reply) -> None:
        link = reply.connection.link
        if link is not None and link.abandon(reply) and reply.settled is not None:
            reply.settled(reply)

    def _flush(self, link: Link) -> None:
        # Closed by another thread meanwhile, if it raises.
        with contextlib.suppress(OSError, ValueError):
            link.flush(lambda: self._poller.modify(link.sock, READ))

    # -- what is polled ---------------------------------------------------------------------------

    def cancel_connect(self, trap: Connect) -> None:
        for watched in list(self._watched.values()):
            if isinstance(watched, Connecting) and watched.trap is trap:
                self.unwatch(watched)
                watched.forget()

    def attach(
        self, sock: socket.socket, connection: Connection, secured: Secured | None = None
    ) -> None:
        """Take over a connected socket, and the TLS on it if there is one."""
        if secured is None:
            link = Link(sock, connection)
        else:
            from glusterio.runtime.secure_link import SecureLink  # with ssl, which few need

            link = SecureLink(sock, connection, secured)
        connection.link = link
        with self.lock:
            self._locks += (link.sending, link.receiving)
        self.watch(link, READ)

    def _closed(self, link: Link) -> None:
        """A link is closed: nobody holds its locks any more."""
        with self.lock:
            self._locks = tuple(
                lock for lock in self._locks if lock not in (link.sending, link.receiving)
            )

    def watch(self, watched: Link | Connecting, events: int) -> None:
        """Poll for a socket, from now on."""
        self._watched[watched.sock.fileno()] = watched
        self._poller.register(watched.sock, events)
        self._find_sole()

    def watch_for(self, watched: Link | Connecting, events: int) -> None:
        """Poll for other events than before, if it is polled for at all."""
        with contextlib.suppress(OSError, ValueError):  # closed since, by another thread
            self._poller.modify(watched.sock, events)

    def quieten(self, connection: Connection) -> None:
        """Nobody waits for what comes on a connection, from now on: a leader need not poll for it."""
        connection.quiet = True
        self._find_sole()

    def _find_sole(self) -> None:
        with self.lock:
            watched = [each for each in list(self._watched.values()) if not _is_quiet(each)]
            sole = watched[0] if len(watched) == 1 else None
            self._sole = sole if isinstance(sole, Link) else None

    def unwatch(self, watched: Link | Connecting) -> None:
        """Poll no more for a socket.

        In one step: two threads may be about to close it, and when one has, its number is soon another
        socket's, which nobody would poll for if the other thread came so late.
        """
        with self.lock:
            number = watched.sock.fileno()
            if self._watched.get(number) is watched:
                del self._watched[number]
                with contextlib.suppress(OSError):
                    self._poller.unregister(number)
                self._find_sole()


def _is_quiet(watched: Link | Connecting) -> bool:
    """Tell whether nobody waits for what comes there."""
    return isinstance(watched, Link) and watched.connection.quiet
