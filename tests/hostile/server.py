"""A server that lies: a real brick behind a relay that does to its answers what a test says.

The relay knows records, and nothing of the client that it betrays. Each record from the brick goes
through the test's *script*, with the call that it answers; what the script returns is sent instead, as
records, or, where it returns :class:`Raw`, as it is.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from glusterio.wire.fops import FOPS
from glusterio.wire.messages import decode_with_tail, encode
from glusterio.wire.programs import FOPS as FOP_PROGRAM
from glusterio.wire.programs import HANDSHAKE, Fop
from glusterio.wire.records import REPLY_HEADER_SIZE, CallHeader, parse_message

#: No call of this module waits longer than this, in seconds.
PATIENCE = 10.0

#: The header of a reply with which nothing is wrong, behind its xid.
_ACCEPTED = struct.pack(">5I", 1, 0, 0, 0, 0)


class Raw(bytes):
    """Bytes that are sent without a record mark."""


class Asked(NamedTuple):
    """A call that passed.

    Attributes:
        header: its header.
        body: its arguments.
    """

    header: CallHeader
    body: bytes

    @property
    def fop(self) -> Fop | None:
        """The file operation, if it is one."""
        if self.header.program != FOP_PROGRAM.number:
            return None
        return Fop(self.header.procedure)

    @property
    def handshake(self) -> int | None:
        """The procedure of the handshake, if it is one."""
        return self.header.procedure if self.header.program == HANDSHAKE.number else None


#: Told of a call and of the record that answers it; what it returns is sent.
Script = Callable[[Asked, bytes], Iterable[bytes]]


def honest(asked: Asked, record: bytes) -> Iterable[bytes]:
    """Send what the brick said."""
    return (record,)


def reply(xid: int, body: bytes) -> bytes:
    """Make a record that answers a call."""
    return struct.pack(">I", xid) + _ACCEPTED + body


def rewriting(fop: Fop, change: Callable[[Any, bytes], tuple[Any, bytes]]) -> Script:
    """Make a script that changes the replies to one operation that went well.

    Args:
        fop: the operation.
        change: of the decoded reply and the data behind it, what is sent instead.
    """

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        if asked.fop is not fop:
            return (record,)
        message, tail = decode_with_tail(
            FOPS[fop].reply_class, memoryview(record), REPLY_HEADER_SIZE
        )
        if message.op_ret < 0:
            return (record,)
        message, data = change(message, bytes(tail))
        return (reply(asked.header.xid, encode(message) + data),)

    return script


def in_turn(*scripts: Script) -> Script:
    """Make a script that does what several do, the first one first."""

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        records: list[bytes] = [record]
        for each in scripts:
            records = [changed for one in records for changed in each(asked, one)]
        return records

    return script


class HostileServer:
    """The relay.

    Args:
        brick_port: the brick's port on this machine.
        script: what is done to the brick's answers; it may be replaced at any time.

    Attributes:
        port: where it listens.
        connections: how many it has accepted.
        failure: what went wrong in the script.
    """

    def __init__(self, brick_port: int, script: Script = honest) -> None:
        self.script = script
        self.connections = 0
        self.failure: BaseException | None = None
        self._brick_port = brick_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def come_back_as(self, script: Script) -> None:
        """Lose every connection; whoever comes again finds another server.

        Args:
            script: what that one does.
        """
        self.script = script
        for sock in tuple(self._sockets):  # a client may have come again already
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> HostileServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(PATIENCE)  # from here there are no more sockets
        self.come_back_as(honest)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        for sock in self._sockets:
            sock.close()
        if self.failure is not None:
            raise self.failure

    def volfile(self, directory: Path, target: Path, *above: str) -> str:
        """Write a volfile that leads here, and return its URL.

        Args:
            directory: what the brick serves.
            target: the volfile's path.
            above: the types of the translators above the client, the lowest first.
        """
        target.write_text(volfile(self.port, str(directory), *above))
        return f"volfile://{target}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            brick = socket.create_connection(("127.0.0.1", self._brick_port))
            for sock in (client, brick):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, brick]
            calls: dict[int, Asked] = {}
            for target, arguments in (
                (self._calls, (client, brick, calls)),
                (self._answers, (brick, client, calls)),
            ):
                thread = threading.Thread(target=target, args=arguments, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _calls(self, client: socket.socket, brick: socket.socket, calls: dict[int, Asked]) -> None:
        with _ending(client, brick):
            while (record := receive(client)) is not None:
                header = parse_message(record)
                assert isinstance(header, CallHeader)
                calls[header.xid] = Asked(header, record[header.body :])
                send(brick, record)

    def _answers(
        self, brick: socket.socket, client: socket.socket, calls: dict[int, Asked]
    ) -> None:
        with _ending(client, brick):
            while (record := receive(brick)) is not None:
                header = parse_message(record)
                asked = None if isinstance(header, CallHeader) else calls.pop(header.xid, None)
                try:
                    answers = (record,) if asked is None else self.script(asked, record)
                    for answer in answers:
                        send(client, answer)
                except OSError:
                    return
                except BaseException as error:
                    self.failure = error
                    return


@contextlib.contextmanager
def _ending(*socks: socket.socket) -> Any:
    """Whatever happens, both sides are told of the end."""
    try:
        with contextlib.suppress(OSError):
            yield
    finally:
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def receive(sock: socket.socket) -> bytes | None:
    """Receive a record; ``None`` at the end."""
    mark = _exactly(sock, 4)
    if mark is None:
        return None
    return _exactly(sock, struct.unpack(">I", mark)[0] & 0x7FFFFFFF)


def send(sock: socket.socket, record: bytes) -> None:
    """Send a record, or raw bytes."""
    mark = b"" if isinstance(record, Raw) else struct.pack(">I", 0x80000000 | len(record))
    sock.sendall(mark + record)


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    received = bytearray()
    while len(received) < size:
        more = sock.recv(min(1 << 20, size - len(received)))
        if not more:
            return None
        received += more
    return bytes(received)


def volfile(port: int, subvolume: str, *above: str) -> str:
    """Return a volfile with a client at the bottom."""
    text = (
        "volume v-client-0\n  type protocol/client\n  option remote-host 127.0.0.1\n"
        f"  option remote-port {port}\n  option remote-subvolume {subvolume}\nend-volume\n"
    )
    below = "v-client-0"
    for number, kind in enumerate(above):
        text += f"\nvolume v-{number}\n  type {kind}\n  subvolumes {below}\nend-volume\n"
        below = f"v-{number}"
    return text


#: The translators of a usual volume, the lowest first.
USUAL = (
    "performance/write-behind",
    "performance/read-ahead",
    "performance/quick-read",
    "performance/md-cache",
)


class Daemon:
    """A management daemon that answers whatever it is asked with what a test gives it.

    Args:
        answer: of what was asked, the records to be sent.

    Attributes:
        answer: the same; it may be replaced at any time.
        port: where it listens.
        failure: what went wrong in ``answer``.
    """

    def __init__(self, answer: Callable[[Asked], Iterable[bytes]]) -> None:
        self.answer = answer
        self.failure: BaseException | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Daemon:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(PATIENCE)  # from here there are no more sockets
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        for sock in self._sockets:
            sock.close()
        if self.failure is not None:
            raise self.failure

    def tell(self, record: bytes) -> None:
        """Send something unasked to everyone."""
        for sock in tuple(self._sockets):
            with contextlib.suppress(OSError):
                send(sock, record)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(PATIENCE)  # for sending: who is not read from gives up
            self._sockets.append(client)
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with _ending(client):
            while (record := receive(client)) is not None:
                header = parse_message(record)
                assert isinstance(header, CallHeader)
                try:
                    for answer in self.answer(Asked(header, record[header.body :])):
                        send(client, answer)
                except OSError:
                    return
                except BaseException as error:
                    self.failure = error
                    return
