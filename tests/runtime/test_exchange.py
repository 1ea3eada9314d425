"""The solo exchange: what may come in between, one after the other."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from glusterio.errors import ConnectionLostError
from glusterio.rpc.connection import Connection
from glusterio.runtime import threads as threads_module
from glusterio.runtime.exchange import exchange
from glusterio.runtime.fiber import Fiber
from glusterio.runtime.link import Link
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Reply, Spawn, Wait, Within
from tests.runtime.peer import PATIENCE, Call, Peer, ThreadsRunner, request

#: A record that a server sends unasked: mark, xid, direction 0.
UNASKED = struct.pack(">3I", 0x80000008, 7, 0)


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each exchange that was begun came to its end, in the order of their ends."""
    told: list[bool] = []

    def watched(driver: ThreadsDriver, fiber: Fiber, reply: Reply) -> bool:
        told.append(exchange(driver, fiber, reply))
        return told[-1]

    monkeypatch.setattr(threads_module, "exchange", watched)
    return told


@pytest.fixture
def connection(threads: ThreadsRunner, peer: Peer, outcomes: list[bool]) -> Connection:
    made = threads.connect(peer)
    outcomes.clear()
    return made


async def ask(connection: Connection, value: Any = None, size: int = 0) -> Any:
    await request(connection, size=size)
    return value


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def in_exchange(threads: ThreadsRunner) -> bool:
    leader = threads.driver._leader
    return leader is not None and leader is not threads.driver._keeper_home and leader.polling


def is_at_rest(threads: ThreadsRunner, connection: Connection) -> None:
    """Nothing is left of what was there, and the connection goes on."""
    driver = threads.driver
    assert threads.run(ask(connection, "goes on")) == "goes on"
    assert not connection.pending
    assert not connection.outgoing
    assert not driver._followers
    with driver.lock:
        assert driver._leader in (None, driver._keeper_home)


def test_one_request_after_the_other(
    threads: ThreadsRunner, connection: Connection, outcomes: list[bool]
) -> None:
    settled: list[Reply] = []

    async def ask_three_times() -> str:
        for _ in range(3):
            reply = await request(connection, settled.append)
            assert reply is settled[-1]
        return "all"

    assert threads.run(ask_three_times()) == "all"
    assert outcomes == [True] * 3
    assert len(settled) == 3
    is_at_rest(threads, connection)


def test_an_error_of_the_coroutine_after_an_exchange(
    threads: ThreadsRunner, connection: Connection, outcomes: list[bool]
) -> None:
    left: list[Any] = []
    call = Call()

    async def fails() -> None:
        await request(connection)
        raise FileNotFoundError("so it says")

    with pytest.raises(FileNotFoundError, match="so it says"):
        threads.driver.run(fails(), call, left.append)
    assert (outcomes, left) == ([True], [call])
    is_at_rest(threads, connection)


def test_two_replies_at_once(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    peer.hold()
    first = threads.start(ask(connection, 1))
    wait_until(lambda: in_exchange(threads))
    second = threads.start(ask(connection, 2))
    peer.wait(2)
    peer.answer()
    assert (first.result(PATIENCE), second.result(PATIENCE)) == (1, 2)
    assert outcomes == [False, False]
    peer.go_on()
    is_at_rest(threads, connection)


@pytest.mark.parametrize("leader_first", [False, True])
def test_another_thread_comes_meanwhile(
    threads: ThreadsRunner,
    peer: Peer,
    connection: Connection,
    outcomes: list[bool],
    leader_first: bool,
) -> None:
    """It waits behind the exchange, gets its reply from it, and leads when that is over."""
    peer.hold()
    futures = [threads.start(ask(connection, 0))]
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    futures.append(threads.start(ask(connection, 1)))
    peer.wait(2)
    wait_until(lambda: threads.driver._followers)
    assert isinstance(connection.link, Link)
    assert connection.link.shared
    for number in [0, 1] if leader_first else [1, 0]:
        peer.answer(1, last_first=not leader_first)
        assert futures[number].result(PATIENCE) == number
    assert outcomes == [False, True]  # the first to come leads until its own reply is there
    peer.go_on()
    is_at_rest(threads, connection)


def test_a_part_of_a_reply(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    peer.hold()
    future = threads.start(ask(connection, "whole"))
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    rest = peer.answer_part(13)
    wait_until(lambda: outcomes)
    assert not future.done()
    rest()
    assert future.result(PATIENCE) == "whole"
    assert outcomes == [False]
    peer.go_on()
    is_at_rest(threads, connection)


@pytest.mark.parametrize("together", [False, True])
def test_something_unasked_in_between(
    threads: ThreadsRunner,
    peer: Peer,
    connection: Connection,
    outcomes: list[bool],
    together: bool,
) -> None:
    told: list[bytes] = []
    connection.on_message = told.append
    peer.hold()
    future = threads.start(ask(connection, "answered"))
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    if together:
        peer.answer(before=UNASKED)
    else:
        peer.send(UNASKED)
        wait_until(lambda: told)
        peer.answer()
    assert future.result(PATIENCE) == "answered"
    assert (outcomes, told) == ([False], [UNASKED[4:]])
    peer.go_on()
    is_at_rest(threads, connection)


def test_a_cancellation_meanwhile(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    peer.hold()
    settled: list[Reply] = []
    call = Call()

    async def ask_it() -> None:
        await request(connection, settled.append)

    future = threads.start(ask_it(), call)
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    assert call.fiber is not None
    call.fiber.cancel(TimeoutError("too long"))
    assert isinstance(future.exception(PATIENCE), TimeoutError)
    assert (outcomes, settled) == ([False], [])
    peer.go_on()
    wait_until(lambda: settled)
    is_at_rest(threads, connection)


def test_interrupts_while_it_waits(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """No bytes had come, so the stream goes on; else each would end the connection."""
    peer.hold()
    main = threading.main_thread().ident
    assert main == threading.get_ident()

    link = connection.link
    assert isinstance(link, Link)

    def is_waiting() -> bool:
        if link.receiving.acquire(blocking=False):
            link.receiving.release()
            return in_exchange(threads)  # it has been patient for long enough, and polls
        return True

    def press(asked: int) -> None:
        peer.wait(asked)
        wait_until(is_waiting)
        signal.pthread_kill(main, signal.SIGINT)

    for number in range(1, 21):
        presser = threading.Thread(target=press, args=(number,))
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            threads.driver.run(ask(connection))
        presser.join(PATIENCE)
    assert connection.lost is None
    peer.go_on()
    wait_until(lambda: not connection.pending)
    is_at_rest(threads, connection)


def test_a_cancellation_before(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """One that is told before there is a fiber: nothing is sent."""
    call = Call()
    call.unwanted = TimeoutError("too late")
    settled: list[Reply] = []

    async def ask_it() -> None:
        await request(connection, settled.append)

    before = peer.requests
    with pytest.raises(TimeoutError, match="too late"):
        threads.driver.run(ask_it(), call)
    assert outcomes == [False]
    assert len(settled) == 1
    assert peer.requests == before
    is_at_rest(threads, connection)


def test_a_cancellation_just_when_the_reply_is_there(
    threads: ThreadsRunner, connection: Connection, outcomes: list[bool]
) -> None:
    """What waits for it hears of it, and the thread waits until its fiber is queued."""
    call = Call()

    def settled(reply: Reply) -> None:
        assert call.fiber is not None
        call.fiber.cancel(TimeoutError("just then"))

    async def ask_it() -> None:
        await request(connection, settled)

    with pytest.raises(TimeoutError, match="just then"):
        threads.driver.run(ask_it(), call)
    assert outcomes == [False]
    is_at_rest(threads, connection)


def test_the_connection_ends_meanwhile(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    peer.hold()
    settled: list[Reply] = []

    async def ask_it() -> None:
        await request(connection, settled.append)

    future = threads.start(ask_it())
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    peer.cut()
    error = future.exception(PATIENCE)
    assert isinstance(error, ConnectionLostError)
    assert error.may_have_happened
    assert (outcomes, len(settled)) == ([False], 1)
    wait_until(lambda: connection.link is None)  # the socket is closed
    assert not threads.driver._watched


def test_a_connection_that_has_ended_just_before(
    threads: ThreadsRunner, connection: Connection, outcomes: list[bool]
) -> None:
    """Nothing is sent, and the thread does not go on leading."""
    connection.lost = ConnectionLostError("gone")
    with pytest.raises(ConnectionLostError, match="gone") as error:
        threads.run(ask(connection))
    assert not error.value.may_have_happened
    assert outcomes == [False]
    assert threads.driver._leader in (None, threads.driver._keeper_home)


def test_a_reply_and_then_the_end(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """The reply counts; the next request hears that it was not sent, or that it was lost."""
    peer.hold()
    future = threads.start(ask(connection, "in time"))
    peer.wait(1)
    peer.answer()
    peer.cut()
    assert future.result(PATIENCE) == "in time"
    with pytest.raises(ConnectionLostError):
        threads.run(ask(connection))
    assert not connection.pending


def test_a_timer_meanwhile(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """One that is set by another thread while this one waits, and due before its reply."""
    driver = threads.driver
    peer.hold()
    future = threads.start(ask(connection, "late"))
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    fired = threading.Event()
    driver.call_later(0.01, fired.set)
    assert fired.wait(PATIENCE)
    assert not future.done()
    peer.go_on()
    assert future.result(PATIENCE) == "late"
    assert outcomes == [False]
    is_at_rest(threads, connection)


def test_a_timer_before(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """A coroutine that waits for a while beside its own request, which is not answered in time."""
    peer.hold()
    late = threading.Event()
    threads.driver.call_later(0.01, late.set)
    future = threads.start(ask(connection, "answered"))
    assert late.wait(PATIENCE)
    assert not future.done()

    async def for_a_moment() -> None:
        await Within(0.01, ask(connection))

    with pytest.raises(TimeoutError):
        threads.run(for_a_moment())
    peer.go_on()
    assert future.result(PATIENCE) == "answered"
    is_at_rest(threads, connection)


def test_detached_work_meanwhile(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """Its reply comes to the one who is in an exchange; it goes on all the same."""
    done = threading.Event()

    async def beside() -> None:
        await request(connection)
        await request(connection)
        done.set()

    async def ask_it() -> str:
        await Spawn(beside())
        await request(connection)
        return "mine"

    peer.hold()
    future = threads.start(ask_it())
    peer.wait(2)
    wait_until(lambda: in_exchange(threads))
    peer.answer(1)
    peer.wait(2)  # the second request of what goes on beside
    peer.go_on()
    assert future.result(PATIENCE) == "mine"
    assert done.wait(PATIENCE)
    is_at_rest(threads, connection)


def test_a_request_that_does_not_fit(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """The socket's buffer is full when a part of the request has left."""
    link = connection.link
    assert isinstance(link, Link)
    assert threads.run(ask(connection, "large", size=32 << 20)) == "large"
    assert outcomes == [False]
    assert not link.wants_write
    is_at_rest(threads, connection)
    assert outcomes == [False, True]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_a_request_behind_one_that_did_not_fit(full: bool, shared: bool) -> None:
    """The order of the stream is kept, and nothing of it is lost, wherever the socket was full."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        sent = b""
        if full:
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += bytes(ours.send(b"\0" * 1000))
        connection = Connection("peer")
        link = Link(ours, connection)
        if shared:
            link.share()
        received = bytearray()
        replies = [request(connection, size=size) for size in (1 << 20, 10, 20)]
        if full and shared:
            replies = replies[1:]  # the first that does not fit is a small one
        for reply in replies:
            sent += bytes(reply.packet[0])
            assert link.submit(reply)
            assert not reply.sent or not full
            received += theirs.recv(1 << 14)  # there is room again; it is not the next one's
        while len(received) < len(sent):
            received += theirs.recv(1 << 20)
            link.flush()
        assert received == sent
        assert not link.wants_write
        assert not connection.outgoing
        assert all(reply.sent for reply in replies)


def test_a_request_that_was_asked_before(
    threads: ThreadsRunner, peer: Peer, connection: Connection, outcomes: list[bool]
) -> None:
    """Its first coroutine was cancelled; it is not sent a second time."""
    peer.hold()
    call = Call()
    made: list[Reply] = []

    async def ask_it() -> None:
        made.append(request(connection))
        await made[0]

    async def ask_again() -> str:
        await made[0]
        return "after all"

    future = threads.start(ask_it(), call)
    peer.wait(1)
    wait_until(lambda: in_exchange(threads))
    assert call.fiber is not None
    call.fiber.cancel(TimeoutError("too long"))
    assert isinstance(future.exception(PATIENCE), TimeoutError)
    again = threads.start(ask_again())
    wait_until(lambda: outcomes == [False, False])
    peer.go_on()
    assert again.result(PATIENCE) == "after all"
    is_at_rest(threads, connection)


def test_waits_and_requests_in_turn(
    threads: ThreadsRunner, connection: Connection, outcomes: list[bool]
) -> None:
    """From exchanges to what they do not do."""
    event = threads.driver.new_event()

    async def both() -> int:
        await request(connection)
        assert not await Wait(event, 0.001)
        await request(connection)
        return 7

    assert threads.run(both()) == 7
    assert outcomes[0]
    is_at_rest(threads, connection)
