"""Each trap, on each driver: completed, too late, cancelled, and in each other."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from glusterio.errors import ConnectionLostError
from glusterio.rpc.connection import Connection
from glusterio.runtime.fiber import Fiber
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import (
    Cancelled,
    Connect,
    Disconnect,
    Event,
    Gather,
    Now,
    Offload,
    Outcome,
    Reply,
    Spawn,
    Wait,
    Within,
)
from tests.runtime.peer import PATIENCE, Call, Peer, Runner, ThreadsRunner, request


class Stop(Exception):
    """What a test cancels with."""


async def ask(connection: Connection, result: Any = None) -> Any:
    await request(connection)
    return result


async def fail(error: Exception) -> None:
    raise error


async def give(value: Any) -> Any:
    return value


async def for_ever() -> None:
    await Wait(Event())


def cancelled(runner: Runner, coro: Coroutine[Any, Any, Any], peer: Peer, count: int) -> Any:
    """Start a coroutine, cancel it once so many requests are out; return its future."""
    call = Call()
    future = runner.start(coro, call)
    peer.wait(count)
    assert call.fiber is not None
    runner.call(call.fiber.cancel, Stop("enough"))
    return future


# -- ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_call_is_counted_out_once(
    runner: Runner, peer: Peer, *, waits: bool, fails: bool
) -> None:
    connection = runner.connect(peer)
    call = Call()
    left: list[Call] = []

    async def work() -> str:
        if waits:
            await request(connection)
        if fails:
            raise LookupError("of its own")
        return "done"

    future = runner.start(work(), call, left.append)
    if fails:
        assert isinstance(future.exception(PATIENCE), LookupError)
    else:
        assert future.result(PATIENCE) == "done"
    assert left == [call]


def test_a_call_that_lost_its_connection_hears_why_it_was_unwanted(runner: Runner) -> None:
    call = Call()
    call.unwanted = Stop("the session was closed")
    lost = ConnectionLostError("nobody: not connected")
    future = runner.start(fail(lost), call)
    assert future.exception(PATIENCE) is call.unwanted


def test_an_error_leaves_nothing_to_the_collector(threads: ThreadsRunner) -> None:
    class Held:
        pass

    async def hold(held: Held) -> None:
        raise LookupError

    gc.collect()
    gc.disable()
    try:
        held = Held()
        gone = weakref.ref(held)
        with pytest.raises(LookupError):
            threads.run(hold(held))
        del held
        assert gone() is None
    finally:
        gc.enable()


# -- Reply ------------------------------------------------------------------------------------------


def test_a_reply(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)

    async def twice() -> tuple[Reply, Reply]:
        reply = request(connection)
        return await reply, await reply

    first, again = runner.run(twice())
    assert first is again
    assert first.done
    assert first.error is None
    assert peer.requests == 1


def test_replies_in_another_order(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()
    asked = [runner.start(ask(connection, n)) for n in range(20)]
    peer.wait(20)
    peer.answer(last_first=True)
    assert [future.result(PATIENCE) for future in asked] == list(range(20))


def test_a_reply_when_the_connection_is_lost(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()
    asked = [runner.start(ask(connection)) for _ in range(5)]
    peer.wait(5)
    peer.cut()
    for future in asked:
        error = future.exception(PATIENCE)
        assert isinstance(error, ConnectionLostError)
        assert error.may_have_happened
    with pytest.raises(ConnectionLostError) as lost:
        runner.run(ask(connection))
    assert not lost.value.may_have_happened


def test_a_request_on_no_connection(runner: Runner) -> None:
    with pytest.raises(ConnectionLostError) as lost:
        runner.run(ask(Connection("nobody")))
    assert not lost.value.may_have_happened


def test_a_cancelled_reply_is_settled_when_it_comes(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()
    settled: list[Reply] = []
    made: list[Reply] = []

    async def ask_once() -> None:
        made.append(request(connection, settled.append))
        await made[0]

    future = cancelled(runner, ask_once(), peer, 1)
    assert isinstance(future.exception(PATIENCE), Stop)
    assert not settled
    peer.go_on()
    runner.run(ask(connection))  # behind it
    assert settled == made
    assert made[0].error is None


def test_a_reply_awaited_again_after_a_cancellation(runner: Runner, peer: Peer) -> None:
    """What waits on in the stead of a cancelled caller gets the same reply; it is not sent again."""
    connection = runner.connect(peer)
    peer.hold()
    got: Future[Reply] = Future()

    async def go_on(reply: Reply) -> None:
        got.set_result(await reply)

    async def give_up() -> None:
        reply = request(connection)
        try:
            await reply
        except Cancelled:
            await Spawn(go_on(reply))
            raise

    future = cancelled(runner, give_up(), peer, 1)
    assert isinstance(future.exception(PATIENCE), Stop)
    assert not got.done()
    peer.go_on()
    assert got.result(PATIENCE).error is None
    assert peer.requests == 1


@pytest.mark.parametrize("lost", [False, True])
def test_a_request_that_is_never_sent_is_settled_all_the_same(
    runner: Runner, peer: Peer, lost: bool
) -> None:
    """Cancelled before it came to that, or its connection gone: who counts requests must know."""
    connection = runner.connect(peer)
    settled: list[Reply] = []
    if lost:
        peer.cut()
        with pytest.raises(ConnectionLostError):
            runner.run(_until_lost(connection))

    async def ask_once() -> None:
        await request(connection, settled.append)

    call = Call()
    if not lost:
        call.unwanted = Stop("before it began")
    future = runner.start(ask_once(), call)
    assert isinstance(future.exception(PATIENCE), ConnectionLostError if lost else Stop)
    assert len(settled) == 1
    assert isinstance(settled[0].error, ConnectionLostError)
    assert not settled[0].error.may_have_happened
    assert peer.requests <= 1


async def _until_lost(connection: Connection) -> None:
    while True:
        await request(connection)


# -- Gather -----------------------------------------------------------------------------------------


def test_a_gather_of_nothing(runner: Runner) -> None:
    async def gather() -> list[Outcome]:
        return await Gather([])

    assert runner.run(gather()) == []


def test_a_gather_keeps_the_order_and_the_errors(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    error = ValueError("one of them")

    async def gather() -> list[Outcome]:
        return await Gather([ask(connection, 1), fail(error), give(3), ask(connection, 4)])

    outcomes = runner.run(gather())
    assert [outcome.value for outcome in outcomes] == [1, None, 3, 4]
    assert [outcome.error for outcome in outcomes] == [None, error, None, None]
    with pytest.raises(ValueError, match="one of them"):
        outcomes[1].get()


def test_a_gathers_requests_are_out_at_once(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()

    async def gather() -> list[Any]:
        return [outcome.get() for outcome in await Gather([ask(connection, n) for n in range(9)])]

    future = runner.start(gather())
    peer.wait(9)
    peer.answer(4, last_first=True)
    peer.answer()
    assert future.result(PATIENCE) == list(range(9))


def test_a_cancelled_gather_waits_for_its_children(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()
    ends: list[str] = []

    async def child(name: str) -> None:
        try:
            await request(connection)
        except Cancelled as error:
            ends.append(f"{name} {error.cause}")
            raise

    async def gather() -> None:
        try:
            await Gather([child("a"), child("b")])
        except Cancelled:
            ends.append("gather")
            raise

    future = cancelled(runner, gather(), peer, 2)
    assert isinstance(future.exception(PATIENCE), Stop)
    assert ends == ["a enough", "b enough", "gather"]


def test_a_child_that_will_not_be_cancelled_holds_its_gather(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()

    async def stubborn() -> str:
        reply = request(connection)
        try:
            await reply
        except Cancelled:
            await reply  # it has to know
        return "known"

    seen: list[Any] = []

    async def gather() -> None:
        try:
            await Gather([stubborn(), ask(connection)])
        finally:
            seen.append("over")

    future = cancelled(runner, gather(), peer, 2)
    assert not seen
    peer.go_on()
    assert isinstance(future.exception(PATIENCE), Stop)
    assert seen == ["over"]


def test_a_result_that_has_come_is_not_dropped_by_a_cancellation(
    runner: Runner, peer: Peer
) -> None:
    """The cancellation meets the coroutine at its next trap."""
    connection = runner.connect(peer)
    peer.hold()
    call = Call()
    seen: list[str] = []

    async def two() -> None:
        def stop(_: Reply) -> None:  # the reply is there, and its coroutine not yet stepped
            pass

        await request(connection, stop)
        seen.append("first")
        assert call.fiber is not None
        call.fiber.cancel(Stop("while it runs"))
        seen.append("still running")
        await request(connection)
        seen.append("never")

    future = runner.start(two(), call)
    peer.wait(1)
    peer.go_on()
    assert isinstance(future.exception(PATIENCE), Stop)
    assert seen == ["first", "still running"]
    assert peer.requests == 1


# -- Within -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 0.02])
def test_within_expires_on_a_reply(runner: Runner, peer: Peer, seconds: float) -> None:
    connection = runner.connect(peer)
    peer.hold()

    async def within() -> None:
        await Within(seconds, ask(connection))

    with pytest.raises(TimeoutError, match="not done within"):
        runner.run(within())
    peer.go_on()
    assert runner.run(ask(connection, "goes on")) == "goes on"


def test_within_in_time(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)

    async def within() -> Any:
        return await Within(PATIENCE, ask(connection, "in time"))

    assert runner.run(within()) == "in time"


def test_within_hands_on_the_error(runner: Runner) -> None:
    async def within() -> Any:
        return await Within(PATIENCE, fail(LookupError("inside")))

    with pytest.raises(LookupError, match="inside"):
        runner.run(within())


@pytest.mark.parametrize("inner", ["gather", "wait", "within", "connect"])
def test_within_expires_in_every_state(runner: Runner, peer: Peer, inner: str) -> None:
    connection = runner.connect(peer)
    peer.hold()
    ends: list[str] = []
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))  # bound and not listening: refused at once, so:
        full.listen(0)
        fillers = [_begin_connect(full.getsockname()) for _ in range(10)]

        async def work() -> None:
            try:
                if inner == "gather":
                    await Gather([ask(connection), for_ever()])
                elif inner == "wait":
                    await for_ever()
                elif inner == "within":
                    await Within(PATIENCE, for_ever())
                else:
                    await Connect(full.getsockname(), Connection("never"))
            finally:
                ends.append(inner)

        async def within() -> None:
            await Within(0.05, work())

        with pytest.raises(TimeoutError):
            runner.run(within())
        assert ends == [inner]
        for filler in fillers:
            filler.close()


def _begin_connect(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(address)
    return sock


def test_the_inner_within_expires_alone(runner: Runner) -> None:
    async def inner() -> str:
        try:
            await Within(0.01, for_ever())
        except TimeoutError:
            return "inner"
        return "neither"

    async def outer() -> Any:
        return await Within(PATIENCE, inner())

    assert runner.run(outer()) == "inner"


def test_the_outer_within_expires_through_the_inner(runner: Runner) -> None:
    seen: list[str] = []

    async def inner() -> None:
        try:
            await Within(PATIENCE, for_ever())
        except TimeoutError:
            seen.append("the inner took it for its own")

    async def outer() -> None:
        await Within(0.01, inner())

    with pytest.raises(TimeoutError):
        runner.run(outer())
    assert not seen


# -- Wait -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [None, PATIENCE])
def test_wait_for_an_event_that_another_sets(runner: Runner, seconds: float | None) -> None:
    event = runner.driver.new_event()
    started = threading.Event()

    async def wait() -> bool:
        started.set()
        return await Wait(event, seconds)

    future = runner.start(wait())
    assert started.wait(PATIENCE)
    runner.call(event.set)
    runner.call(event.set)
    assert future.result(PATIENCE) is True
    assert not event.waiters


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 0.02])
def test_wait_too_long(runner: Runner, seconds: float) -> None:
    event = runner.driver.new_event()

    async def wait() -> bool:
        return await Wait(event, seconds)

    for _ in range(20 if seconds < 0.01 else 1):
        assert runner.run(wait()) is False
    assert not event.waiters


def test_wait_for_what_has_happened(runner: Runner) -> None:
    event = runner.driver.new_event()
    event.set()

    async def wait() -> tuple[bool, bool]:
        return await Wait(event), await Wait(event, 0.0)

    assert runner.run(wait()) == (True, True)


def test_many_wait_for_one_event(runner: Runner) -> None:
    event = runner.driver.new_event()
    begun = threading.Semaphore(0)

    async def wait() -> bool:
        begun.release()
        return await Wait(event)

    futures = [runner.start(wait()) for _ in range(8)]
    for _ in futures:
        assert begun.acquire(timeout=PATIENCE)
    runner.call(event.set)
    assert [future.result(PATIENCE) for future in futures] == [True] * 8


# -- the others -------------------------------------------------------------------------------------


def test_spawned_work_goes_on_by_itself(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()
    done: Future[str] = Future()

    async def behind() -> None:
        await request(connection)
        await request(connection)
        done.set_result("done")

    async def start() -> str:
        await Spawn(behind())
        return "started"

    assert runner.run(start()) == "started"
    peer.wait(1)
    peer.go_on()  # and nobody calls: the house-keeper, or the loop, sees to it
    assert done.result(PATIENCE) == "done"


def test_spawned_work_that_fails_is_logged(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def start() -> str:
        await Spawn(fail(RuntimeError("behind the scenes")))
        return "started"

    assert runner.run(start()) == "started"
    assert "a detached coroutine failed" in caplog.text


def test_connect_and_disconnect(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    assert runner.run(ask(connection, 1)) == 1
    peer.hold()
    waiting = runner.start(ask(connection))
    peer.wait(1)

    async def disconnect() -> None:
        await Disconnect(connection, ConnectionLostError("on purpose"))
        await Disconnect(connection)

    runner.run(disconnect())
    with pytest.raises(ConnectionLostError, match="on purpose"):
        waiting.result(PATIENCE)
    assert connection.link is None


def test_connect_to_nobody(runner: Runner) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        async def connect() -> None:
            await Connect(bound.getsockname(), Connection("nobody"))

        with pytest.raises(ConnectionRefusedError):
            runner.run(connect())


def test_connect_to_an_unknown_host(runner: Runner) -> None:
    async def connect() -> None:
        await Connect(("no-such-host.invalid", 1), Connection("nobody"))

    with pytest.raises(OSError, match=r"no-such-host|not known|resolution"):
        runner.run(connect())


def test_connect_by_a_unix_socket(runner: Runner, tmp_path: Any) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        connection = Connection("unix")

        async def connect() -> None:
            await Connect(path, connection)
            await Disconnect(connection)

        runner.run(connect())
        assert connection.lost is not None


def test_offload(runner: Runner) -> None:
    def blocking(a: int, b: int) -> int:
        return a // b

    async def offload() -> int:
        return await Offload(blocking, 6, 3)

    async def offload_badly() -> int:
        return await Offload(blocking, 6, 0)

    assert runner.run(offload()) == 2
    with pytest.raises(ZeroDivisionError):
        runner.run(offload_badly())


def test_now(runner: Runner) -> None:
    async def now() -> tuple[float, float]:
        return await Now(), await Now()

    first, second = runner.run(now())
    assert first <= second <= time.monotonic()


def test_something_that_is_no_trap(runner: Runner) -> None:
    class Odd:
        def __await__(self) -> Any:
            yield self

    async def odd() -> None:
        await Odd()

    with pytest.raises(KeyError):
        runner.run(odd())


def test_a_cancelled_coroutine_may_use_what_does_not_wait(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)
    peer.hold()
    seen: list[Any] = []

    async def behind() -> None:
        seen.append("spawned")

    async def unwinding() -> None:
        try:
            await request(connection)
        except Cancelled:
            seen.append(await Now() > 0)
            await Spawn(behind())
            await Disconnect(connection)
            raise

    future = cancelled(runner, unwinding(), peer, 1)
    assert isinstance(future.exception(PATIENCE), Stop)
    assert seen == [True, "spawned"]
    assert connection.lost is not None


# -- threads: who leads -----------------------------------------------------------------------------


def test_the_lead_goes_to_a_follower(threads: ThreadsRunner, peer: Peer) -> None:
    """Each leader gets its own reply and goes; another leads, until the last has its own."""
    connection = threads.connect(peer)
    peer.hold()
    futures = [threads.start(ask(connection, n)) for n in range(6)]
    peer.wait(6)
    for left in range(6, 0, -1):
        peer.answer(1)
        _wait_until(lambda left=left: sum(not future.done() for future in futures) == left - 1)
    assert [future.result(0) for future in futures] == list(range(6))


def _wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def test_a_promoted_follower_whose_reply_is_there_passes_the_lead_on() -> None:
    """Else all the others would sleep. No house-keeper is here to wake them."""
    driver = ThreadsDriver()
    events = [driver.new_event(), driver.new_event()]
    calls = [Call(), Call()]

    async def wait(event: Event) -> bool:
        return await Wait(event)

    driver._leader = driver._keeper_home.__class__()  # somebody else leads
    runner = ThreadsRunner(driver)
    futures = [runner.start(wait(events[n]), calls[n]) for n in range(2)]
    _wait_until(lambda: len(driver._followers) == 2)
    first, second = (call.fiber for call in calls)
    assert first is not None
    assert second is not None
    with driver.lock:
        # The leader goes, and before the follower that it wakes has got anywhere, that one's own
        # work is done by a leader that was relieved earlier and had its result still in hand.
        driver._followers = {first.home: None, second.home: None}
        driver._leader = None
        driver._wake_a_follower()
        assert list(driver._followers) == [second.home]
        assert first.resume(first.trap, True)
    assert futures[0].result(PATIENCE) is True
    _wait_until(lambda: driver._leader is second.home)
    events[1].set()
    assert futures[1].result(PATIENCE) is True
    runner.close()


def test_a_caller_takes_the_lead_from_the_house_keeper(threads: ThreadsRunner, peer: Peer) -> None:
    driver = threads.driver
    connection = threads.connect(peer)
    for _ in range(50):
        driver._keeper.may_go.set()
        _wait_until(lambda: driver._leader is driver._keeper_home or driver._keeper_home.polling)
        assert threads.run(ask(connection, "mine")) == "mine"


def completes(future: Future[Any]) -> Callable[[Fiber], None]:
    return lambda fiber: future.set_result(fiber.value)


def test_detached_work_goes_on_when_no_caller_is_there(threads: ThreadsRunner, peer: Peer) -> None:
    driver = threads.driver
    connection = threads.connect(peer)
    peer.hold()
    done: list[Future[Any]] = [Future() for _ in range(20)]
    for n, future in enumerate(done):
        driver.start_detached(ask(connection, n), completes(future))
    peer.wait(20)
    began = time.monotonic()
    peer.go_on()
    assert [future.result(PATIENCE) for future in done] == list(range(20))
    assert time.monotonic() - began < 0.2, "it waited for the house-keeper's tick"


def test_detached_work_does_not_wait_for_the_tick_behind_a_caller(
    threads: ThreadsRunner, peer: Peer
) -> None:
    """A caller leads, gets its reply and goes, with somebody else's request still out."""
    driver = threads.driver
    connection = threads.connect(peer)

    async def twice() -> None:
        await request(connection)
        await request(connection)

    times = []
    for _ in range(4):
        peer.hold()
        done: Future[Any] = Future()
        driver.start_detached(ask(connection), completes(done))
        call = threads.start(twice())
        peer.wait(2)
        peer.answer(1, last_first=True)
        peer.wait(2)
        # The house-keeper has noticed that somebody else leads, and stays away.
        _wait_until(lambda: not driver._keeper_home.polling)
        peer.answer(1, last_first=True)
        call.result(PATIENCE)
        began = time.monotonic()
        peer.go_on()
        done.result(PATIENCE)
        times.append(time.monotonic() - began)
    assert sorted(times)[len(times) // 2] < 0.03, times


def test_what_detached_work_wakes_is_stepped_by_who_steps_that(
    threads: ThreadsRunner, peer: Peer
) -> None:
    """A house-keeper that is called for it would only be in the caller's way."""
    driver = threads.driver
    connection = threads.connect(peer)
    event = driver.new_event()
    stepped = threading.Event()
    called_for: list[bool] = []

    async def answered() -> None:
        await request(connection)
        event.set()
        called_for.append(driver._keeper.may_go.is_set())

    async def woken() -> None:
        await Wait(event)
        stepped.set()

    async def caller() -> None:
        await Spawn(answered(), woken())
        await request(connection)

    threads.run(caller())
    assert stepped.wait(PATIENCE)
    assert called_for == [False]


def test_a_callback_that_takes_its_time_holds_up_nobody(threads: ThreadsRunner, peer: Peer) -> None:
    """What was woken just before it is stepped by the house-keeper."""
    driver = threads.driver
    connection = threads.connect(peer)
    event = driver.new_event()
    stepped = threading.Event()

    async def answered() -> None:
        await request(connection)
        event.set()

    async def woken() -> None:
        await Wait(event)
        stepped.set()

    async def caller() -> None:
        await Spawn(woken())
        await request(connection)

    in_time: list[bool] = []
    peer.hold()
    driver.start_detached(answered(), lambda fiber: in_time.append(stepped.wait(PATIENCE)))
    call = threads.start(caller())
    peer.wait(2)
    peer.go_on()
    call.result(PATIENCE)
    _wait_until(lambda: in_time == [True])


def test_timers_of_detached_work(threads: ThreadsRunner) -> None:
    done: Future[Any] = Future()

    async def wait() -> bool:
        return await Wait(Event(), 0.02)

    began = time.monotonic()
    threads.driver.start_detached(wait(), completes(done))
    assert done.result(PATIENCE) is False
    assert time.monotonic() - began < 0.2, "it waited for the house-keeper's tick"


def test_many_threads_share_a_connection(runner: Runner, peer: Peer) -> None:
    connection = runner.connect(peer)

    async def many(n: int) -> int:
        for _ in range(100):
            await request(connection, size=n * 100)
        return n

    futures = [runner.start(many(n)) for n in range(16)]
    assert [future.result(PATIENCE) for future in futures] == list(range(16))
    assert peer.requests == 1600
    assert not connection.pending


def test_a_peer_that_does_not_read_stops_nobody_for_good(runner: Runner) -> None:
    """Full socket buffers: what waits to be sent is sent when there is room, by whoever leads."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection = Connection("slow", ping_timeout=0)

    async def connect() -> None:
        await Connect(listener.getsockname(), connection)

    async def send(size: int) -> None:
        await request(connection, size=size)

    runner.run(connect())
    server, _ = listener.accept()
    futures = [runner.start(send(2_000_000)) for _ in range(8)]
    total = 8 * (2_000_000 + 44)
    received = 0
    xids = bytearray()
    while received < total:
        server.settimeout(PATIENCE)
        piece = server.recv(1 << 20)
        received += len(piece)
    for xid in list(connection.pending):
        xids += (0x80000018).to_bytes(4, "big") + xid.to_bytes(4, "big")
        xids += (1).to_bytes(4, "big") + bytes(16)
    server.sendall(xids)
    for future in futures:
        future.result(PATIENCE)
    server.close()
    listener.close()


def test_stop_does_not_wait_for_the_tick() -> None:
    """Whatever the house-keeper does when its end comes."""
    longest = 0.0
    for n in range(40):
        driver = ThreadsDriver()
        driver.keep_house()
        if n % 2:
            _wait_until(lambda driver=driver: driver._keeper_home.polling)
        began = time.monotonic()
        driver.stop()
        longest = max(longest, time.monotonic() - began)
    assert longest < 0.15, f"{longest:.3f} s"


def test_a_cancellation_while_a_request_is_being_sent(threads: ThreadsRunner, peer: Peer) -> None:
    """Taken back, or sent and answered: never both. Else the count of what is unanswered is wrong."""
    connection = threads.connect(peer)
    call = Call()
    settled: list[Reply] = []
    link: Any = connection.link

    class CancelledOnTheWay:
        @staticmethod
        def submit(reply: Reply) -> bool:
            assert call.fiber is not None
            connection.link = link
            canceller = threading.Thread(target=call.fiber.cancel, args=(Stop("on the way"),))
            canceller.start()
            canceller.join(PATIENCE)
            return bool(link.submit(reply))

    connection.link = CancelledOnTheWay()

    async def ask_once() -> None:
        await request(connection, settled.append)

    future = threads.start(ask_once(), call)
    assert isinstance(future.exception(PATIENCE), Stop)
    assert threads.run(ask(connection, "goes on")) == "goes on"
    assert peer.requests == 1
    assert len(settled) == 1
    assert connection.link is link
    assert not connection.pending


class Elsewhere(ThreadsDriver):
    """Another thread steps what is queued before the one that queued it goes on."""

    @contextlib.contextmanager
    def corked(self) -> Iterator[None]:
        with super().corked():
            yield
        other = threading.Thread(target=self._step_loose)
        other.start()
        other.join()


def test_an_interrupt_is_heard_though_another_thread_steps_what_it_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fiber that nobody waits for: the interrupt of a child is its own thread's, and comes once."""
    interrupt, seen = KeyboardInterrupt(), []

    async def interrupted() -> None:
        raise interrupt

    async def parent() -> None:
        try:
            await Gather([interrupted(), for_ever()])
        except Cancelled as error:
            seen.append(error.cause)

    driver = Elsewhere()
    fiber = Fiber(parent(), driver)
    fiber.unattended = True
    try:
        with pytest.raises(KeyboardInterrupt) as raised:
            fiber.step()
    finally:
        driver.stop()
    assert raised.value is interrupt
    assert fiber.done
    assert seen == [interrupt]
    assert caplog.records == []
