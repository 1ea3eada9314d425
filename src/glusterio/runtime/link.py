"""A socket and the connection that speaks over it: what the threads driver polls.

The socket blocks, for :data:`PATIENCE` at the most, where somebody says that he wants to wait in
:meth:`Link.receive`, and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable
from types import CodeType
from typing import Final

from glusterio.errors import ConnectionLostError, RemoteProtocolError
from glusterio.rpc.connection import MANY, Connection
from glusterio.runtime.send_now import SMALL, SendNow, send_now
from glusterio.traps import Reply

#: What a full or empty socket buffer says.
_NOT_NOW = (BlockingIOError, InterruptedError)

#: How long :meth:`Link.receive` waits, in seconds. Nobody can wake it there: so a cancellation, a timer
#: or a second brick may have to wait for that long; then it is the poller's turn, which can be woken.
PATIENCE = 0.005
_PATIENCE = struct.pack("@2l", 0, int(PATIENCE * 1_000_000))

_AT_ONCE: Final = int(socket.MSG_DONTWAIT)
#: The same to receive, and what waits: one-tuples, see :meth:`Link.receive`.
NOT_WAITING: Final = (_AT_ONCE,)
WAITING: Final = (0,)
_ALL: Final = (0,)

#: What :meth:`Link.receive` returns when exactly that reply has come that was waited for.
ALONE: Final[list[Reply]] = []

#: Source ports that only root may bind; old or hardened bricks accept no others.
PRIVILEGED_PORTS = range(1023, 600, -1)


def new_socket(family: int, privileged: bool) -> socket.socket:
    """Make a non-blocking stream socket, bound to a privileged port if asked and allowed."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if privileged and os.geteuid() == 0:
                bind_privileged(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_privileged(sock: socket.socket) -> None:
    """Bind the first free port below 1024; leave the choice to the kernel when there is none."""
    anywhere = "" if sock.family == socket.AF_INET else "::"
    for port in PRIVILEGED_PORTS:
        try:
            sock.bind((anywhere, port))
            return
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise


def is_with_itself(sock: socket.socket) -> bool:
    """Tell whether a socket is connected with itself: then it counts as refused, and is to be closed.

    That comes of connecting again and again to a port of this machine that nobody listens on, when the
    kernel chooses the same port for the near end (RFC 9293, 3.5: both ends open at once). Whoever talks
    to himself there keeps the port from the one that is to listen on it. So it is closed by a reset,
    without the minute that a port is not free after a usual end.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        if sock.getsockname() != sock.getpeername():
            return False
    except OSError:  # lost already: somebody will notice
        return False
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@2i", 1, 0))
    return True


def has_not_begun(functions: tuple[CodeType, ...], interrupt: BaseException) -> bool:
    """Tell whether an interrupt was heard before any of these functions had done anything.

    Args:
        functions: their code; whoever asks has called them and catches the interrupt.
        interrupt: it.
    """
    at = interrupt.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if code in functions:
            return at.tb_lineno == code.co_firstlineno  # on entry; by a handler, perhaps
        at = at.tb_next
    return True


class Link:
    """A connected socket with its connection.

    Two locks, one for each half of the connection; where both are needed, ``receiving`` comes first.
    """

    #: What looks at bytes that have come.
    _looking: tuple[CodeType, ...] = (
        Connection.received_just.__code__,
        Connection.received.__code__,
    )

    __slots__ = (
        "_send_now", "closed", "connection", "receiving", "sending", "shared", "sock", "wants_write",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self.sock = sock
        self.connection = connection
        self.sending = threading.RLock()
        self.receiving = threading.RLock()
        self.wants_write = False
        self.closed = False
        self.shared = False  # whether several threads use it
        self._send_now: SendNow | None = None
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)

    def share(self) -> None:
        """Several threads use it, from now on."""
        self.shared = True
        self._send_now = send_now()

    def submit(self, reply: Reply) -> bool:
        """Queue a request and send what the socket takes.

        Returns:
            Whether something is left that must wait for the socket to become writable.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        connection = self.connection
        with self.sending:
            if connection.lost is not None or reply.done or connection.outgoing:
                connection.submit(reply)  # or it says why not
                return True if self.wants_write else self._send()
            # Nothing waits to be sent, as mostly: it need not be queued, which is half of the cost.
            try:
                packet = reply.packet
                reply.submitted = True
                connection.pending[reply.xid] = reply
                if len(packet) == 1:
                    (data,) = packet
                    size = len(data)
                    if self._send_now is None:
                        count = self.sock.send(data, _AT_ONCE)  # 0.4 us less than sendmsg()
                    else:
                        count = self._send_one(data, size)
                else:
                    size = sum(map(len, packet))
                    count = self.sock.sendmsg(packet, (), _AT_ONCE)
                if count == size:
                    reply.sent = True
                    return False
                connection.outgoing.append((reply, list(packet)))
                connection.sent(count)
            except _NOT_NOW:
                connection.outgoing.append((reply, list(reply.packet)))
            except OSError:
                # The receiving side will hear of it, with every byte that came before it.
                self._shut_down()
                return False
            except BaseException:  # KeyboardInterrupt between sending and taking note of it
                self._shut_down()
                raise
            return self._send()

    def _send_one(self, data: bytes | bytearray | memoryview, size: int) -> int:
        if self._send_now is not None and size <= SMALL and type(data) is bytes:
            count = self._send_now(self.sock.fileno(), data, size, _AT_ONCE)
            if count >= 0:
                return count
        return self.sock.send(data, _AT_ONCE)  # if it could not, this says why

    def hold(self, reply: Reply) -> None:
        """Queue a request; :meth:`flush` sends it.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        with self.sending:
            self.connection.submit(reply)

    def flush(self, flushed: Callable[[], object] | None = None) -> bool:
        """Send what is queued. Returns whether something is left.

        Args:
            flushed: called when nothing is left, before anybody can find the socket full again.
        """
        with self.sending:
            left = self._send()
            if not left and flushed is not None:
                flushed()
            return left

    def _send(self) -> bool:
        try:
            self._send_queued()
        except _NOT_NOW:
            self.wants_write = True
            return True
        except OSError:
            # The receiving side will hear of it, with every byte that came before it.
            self._shut_down()
        except BaseException:  # KeyboardInterrupt between sending and taking note of it
            self._shut_down()
            raise
        self.wants_write = False
        return False

    def _send_queued(self) -> None:
        connection = self.connection
        left = connection.has_data_to_send
        while left:
            buffers = connection.data_to_send()
            if len(buffers) == 1:
                count = self.sock.send(buffers[0], _AT_ONCE)  # 0.4 us less than sendmsg()
            else:
                count = self.sock.sendmsg(buffers, (), _AT_ONCE)
            if len(buffers) < MANY and sum(map(len, buffers)) == count:
                connection.all_sent()
                return
            left = connection.sent(count)

    def _shut_down(self) -> None:
        """End the stream both ways; whoever receives hears of it."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def receive(
        self, how: tuple[int] = NOT_WAITING, reply: Reply | None = None
    ) -> list[Reply] | None:
        """Take what has arrived.

        Args:
            how: :data:`WAITING` waits for something to come, for :data:`PATIENCE` at the most.
            reply: what is waited for. When it comes, and nothing else, :data:`ALONE` is returned.

        Returns:
            The replies that are complete, or that failed when this showed the end of the connection;
            ``None`` when nothing has come.
        """
        with self.receiving:
            if self.closed:
                return []
            connection = self.connection
            alone = reply if reply is not None and connection.may_come_alone() else None
            count = None
            try:
                # No interrupt comes in between here, so it is known whether bytes were taken from the
                # socket. Else the connection would have to end whenever who waits is interrupted.
                (count,) = map(self.sock.recv_into, (connection.get_buffer(),), _ALL, how)
                if alone is not None and connection.received_just(alone, count):
                    return ALONE
                if count:
                    return connection.received(count)
            except _NOT_NOW:
                return None
            except RemoteProtocolError as error:
                with self.sending:
                    return connection.fail(error)
            except OSError as error:
                lost = ConnectionLostError(f"{connection.name}: {os.strerror(error.errno or 0)}")
                with self.sending:
                    return connection.fail(lost)
            except BaseException as interrupt:
                if count:
                    self._take_all_the_same(count, interrupt)
                raise
            with self.sending:
                return connection.eof()

    def _take_all_the_same(self, count: int, interrupt: BaseException) -> None:
        """Bytes have come, and an interrupt has come before it was certain that they were looked at.

        One that came earlier (``PyThreadState_SetAsyncExc``, or a signal in ``recv``) is heard when the
        first function is entered: then nothing was, and it is done now; whoever leads hands out what is
        in ``came``. Else nobody knows what has been taken, and the connection ends.
        """
        is_taken = False
        try:
            if has_not_begun(self._looking, interrupt):
                with contextlib.suppress(RemoteProtocolError, OSError):
                    self._look_at(count)
                    is_taken = True
        finally:
            if not is_taken:  # perhaps since there was a second interrupt
                self._shut_down()

    def _look_at(self, count: int) -> None:
        """Take bytes that have been received, for whoever hands them out later."""
        self.connection.received(count)

    def tick(self, now: float, late: float) -> list[Reply]:
        """Let the connection's ping clock run; see :meth:`Connection.tick`."""
        with self.receiving, self.sending:
            if self.closed:
                return []
            failed = self.connection.tick(now, late)
            if not self.wants_write:
                self._send()
            return failed

    def abandon(self, reply: Reply) -> bool:
        """See :meth:`Connection.abandon`."""
        with self.receiving, self.sending:
            return self.connection.abandon(reply)

    def close(self, error: Exception) -> list[Reply]:
        """Close the socket. Returns the requests that this fails. Harmless when repeated."""
        with self.receiving, self.sending:
            if self.closed:
                return []
            self.connection.link = None
            failed = self.connection.fail(error)
            self._shut_down()
            self.sock.close()
            self.closed = True  # at last: what an interrupt has kept from being done is done anew
            return failed

    def forget(self) -> None:
        """Close this process's copy of the socket, after fork, and leave the parent's alone."""
        self.closed = True
        self.sock.close()
