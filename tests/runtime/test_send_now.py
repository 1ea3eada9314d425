"""Sending without letting go of the interpreter's lock."""

from __future__ import annotations

import _ctypes
import socket

from glusterio.runtime.link import Link
from glusterio.runtime.send_now import SMALL, send_now
from tests.runtime.peer import PATIENCE, Peer, ThreadsRunner, request

AT_ONCE = socket.MSG_DONTWAIT


def test_what_is_sent_arrives() -> None:
    send = send_now()
    assert send is not None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for data in (b"a", b"with a \0 in it", b"s" * SMALL):
            assert send(ours.fileno(), data, len(data), AT_ONCE) == len(data)
            assert theirs.recv(2 * SMALL) == data


def test_a_full_socket_is_no_error() -> None:
    send = send_now()
    assert send is not None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        while send(ours.fileno(), b"s" * SMALL, SMALL, AT_ONCE) > 0:
            pass
        assert send(ours.fileno(), b"s" * SMALL, SMALL, AT_ONCE) == -1
    assert send(ours.fileno(), b"s", 1, AT_ONCE) == -1  # it is closed


def test_it_keeps_the_lock() -> None:
    flags = type(send_now())._flags_  # type: ignore[union-attr]
    assert flags & _ctypes.FUNCFLAG_PYTHONAPI


def test_several_threads_share_a_connection(threads: ThreadsRunner, peer: Peer) -> None:
    """Small requests and large ones, in any order, and nothing of the stream is lost."""
    connection = threads.connect(peer)

    async def many(n: int) -> int:
        for size in (0, 3 * SMALL, 10, SMALL // 2, 1 << 20):
            await request(connection, size=size)
        return n

    futures = [threads.start(many(n)) for n in range(8)]
    assert [future.result(PATIENCE) for future in futures] == list(range(8))
    assert isinstance(connection.link, Link)
    assert connection.link.shared
    assert not connection.pending
