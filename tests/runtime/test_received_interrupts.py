"""An interrupt just when bytes have come: they are taken, or the connection ends. With TLS and without.

What it must not do is go on without them: whoever waits would wait for ever.
"""

from __future__ import annotations

import ctypes
import operator
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from glusterio.rpc.connection import Connection
from glusterio.runtime.link import WAITING, Link
from glusterio.runtime.secure_link import SecureLink
from glusterio.runtime.secured import Secured
from glusterio.traps import Reply
from tests.api.test_interrupts import interrupted
from tests.certificates import Authority, server_context
from tests.runtime.peer import PATIENCE, request

#: What looks at what has come, by its file.
LOOKING = {
    "secure_link.py": {"_take"},
    "secured.py": {"feed", "read_into"},
    "connection.py": {"get_buffer", "received", "received_just"},
}


def _shake_hands(ours: Secured, theirs: Secured) -> None:
    is_done = False
    while not is_done:
        is_done = ours.shake_hands()
        theirs.feed(ours.to_send())
        is_done = theirs.shake_hands() and is_done
        ours.feed(theirs.to_send())  # at last tickets, which are for later


class Pair:
    """A link, and the other end of its socket."""

    def __init__(self, certificates: Authority | None) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            sock = socket.create_connection(listener.getsockname())
            self._sock, _ = listener.accept()
        self._sock.settimeout(PATIENCE)
        self.connection = Connection("peer", ping_timeout=0)
        self._theirs: Secured | None = None
        if certificates is None:
            self.link = Link(sock, self.connection)
            return
        ours = Secured(certificates.context("client"))
        self._theirs = Secured(server_context(certificates.vouch("server")), server_side=True)
        _shake_hands(ours, self._theirs)
        self.link = SecureLink(sock, self.connection, ours)

    def ask(self) -> Reply:
        """Have a request answered; the answer is in the link's socket."""
        reply = request(self.connection)
        assert not self.link.submit(reply)
        answer = struct.pack(">7I", 0x80000018, reply.xid, 1, 0, 0, 0, 0)
        if self._theirs is not None:
            self._theirs.write(answer)
            answer = self._theirs.to_send()
        self._sock.sendall(answer)
        return reply

    def close(self) -> None:
        self.link.close(ConnectionError("the test is over"))
        self._sock.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["in the clear", "TLS"])
def new_pair(
    request: pytest.FixtureRequest, certificates: Authority
) -> Iterator[Callable[[], Pair]]:
    made: list[Pair] = []

    def new() -> Pair:
        made.append(Pair(certificates if request.param == "TLS" else None))
        return made[-1]

    yield new
    for pair in made:
        pair.close()


def _raised_just_then() -> Any:
    """Return what a link receives with, and has this thread raise SystemExit by asking for it.

    No function of Python's own is called until the bytes have come: there it would be heard.
    """
    raising = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread, error = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(SystemExit)
    return map(operator.sub, map(raising, [thread], [error]), [1])


@pytest.mark.parametrize("alone", [True, False])
def test_what_has_come_when_an_earlier_interrupt_is_heard_is_taken(
    new_pair: Callable[[], Pair], alone: bool
) -> None:
    pair = new_pair()
    reply = pair.ask()
    how = _raised_just_then()
    with pytest.raises(SystemExit):
        pair.link.receive(how, reply if alone else None)
    assert pair.connection.came == [reply]
    assert reply.done
    assert reply.error is None
    reply = pair.ask()
    assert pair.link.receive(WAITING) == [reply]


@pytest.mark.parametrize("alone", [True, False])
def test_an_interrupt_anywhere_in_taking_what_has_come(
    new_pair: Callable[[], Pair], alone: bool
) -> None:
    """A handler's, which has functions of its own."""
    at, came, went_on = 1, True, 0
    while came:
        pair = new_pair()
        reply = pair.ask()
        receive = partial(pair.link.receive, WAITING, reply if alone else None)
        came = interrupted(at, LOOKING, receive)
        if came and not reply.done:
            assert pair.link.receive(WAITING) == [reply], at  # the connection was ended
            assert reply.error is not None
        else:
            assert reply in pair.connection.came
            went_on += came
        at += 1
    assert at > 3
    assert went_on > 0
