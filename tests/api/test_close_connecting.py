"""Sessions that never came up: whatever goes wrong while connecting, nothing is left.

That nothing is left (no thread, no socket, no task) is what the leak guard checks after each test;
these bring the sessions there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

import glusterio
from glusterio import SessionClosedError, VolumeNotFoundError, aio
from glusterio.api import live
from glusterio.api.aio.session import AioSession
from glusterio.api.threads.session import ThreadsSession
from glusterio.api.url import parse_url
from glusterio.lifecycle.states import SessionState
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess

#: The states that a session goes through when its connect fails: the same ending as any other.
WHOLE_LIFE = ["CONNECT", "GATE", "SETTLED", "DRAINED", "PARTED", "CHECKED", "ENDED"]


@pytest.fixture(autouse=True)
def _no_session_left() -> Iterator[None]:
    before = live.count()
    yield
    assert live.count() == before


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port where nobody listens; it is bound, so that nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port where connections are accepted (by the kernel) and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def check_failed(watch: Watch) -> None:
    """The session has ended, and by every step."""
    assert watch.events("session") == WHOLE_LIFE
    assert watch.events("call") == ["ADMIT", "LEAVE"]


def test_refused(driver: Driver, dead_port: int) -> None:
    watch = Watch()
    with pytest.raises(ConnectionRefusedError):
        driver.connect(f"gluster://127.0.0.1:{dead_port}/vol", trace=watch)
    check_failed(watch)


def test_every_server_refuses(driver: Driver, dead_port: int) -> None:
    watch = Watch()
    url = f"gluster://127.0.0.1:{dead_port},127.0.0.1:{dead_port}/vol"
    with pytest.raises(OSError, match="no management daemon answers"):
        driver.connect(url, trace=watch)
    check_failed(watch)


def test_the_second_server_answers(driver: Driver, brick: BrickProcess, dead_port: int) -> None:
    vol = driver.connect(f"gluster://127.0.0.1:{dead_port},127.0.0.1:{brick.port}/vol")
    assert driver.do(vol.stat, "/")


def test_no_such_volume(driver: Driver, brick: BrickProcess) -> None:
    watch = Watch()
    with pytest.raises(VolumeNotFoundError):
        driver.connect(f"gluster://127.0.0.1:{brick.port}/no-such-volume", trace=watch)
    check_failed(watch)


def test_no_such_volfile(driver: Driver) -> None:
    watch = Watch()
    with pytest.raises(FileNotFoundError):
        driver.connect("volfile:///no/such.vol", trace=watch)
    check_failed(watch)


def test_no_such_directory(driver: Driver) -> None:
    watch = Watch()
    with pytest.raises(OSError, match="such"):
        driver.connect("embedded:///no/such/directory", trace=watch)
    check_failed(watch)


def test_no_brick_behind_the_volfile(
    driver: Driver, brick: BrickProcess, dead_port: int, through: Callable[..., str]
) -> None:
    watch = Watch()
    with pytest.raises(ConnectionRefusedError):
        driver.connect(through(brick, dead_port), trace=watch)
    check_failed(watch)


def test_a_server_that_never_answers(driver: Driver, mute_port: int) -> None:
    watch = Watch()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="not connected within"):
        driver.connect(f"gluster://127.0.0.1:{mute_port}/vol", timeout=0.3, trace=watch)
    assert 0.3 <= time.monotonic() - began < 1.3
    check_failed(watch)


def test_a_brick_that_never_answers(
    driver: Driver, brick: BrickProcess, mute_port: int, through: Callable[..., str]
) -> None:
    watch = Watch()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        driver.connect(through(brick, mute_port), timeout=0.3, trace=watch)
    assert time.monotonic() - began < 1.3
    check_failed(watch)


@pytest.mark.parametrize("where", ["daemon", "brick"])
def test_a_server_that_dies_after_any_number_of_bytes(
    driver: Driver, brick: BrickProcess, through: Callable[..., str], where: str
) -> None:
    """The handshake is cut after each byte in turn. Some cuts come too late to matter."""
    port = brick.port if where == "daemon" else brick.brick_port
    with Tap(("127.0.0.1", port)) as tap:
        url = (
            f"gluster://127.0.0.1:{tap.port}/vol" if where == "daemon" else through(brick, tap.port)
        )
        # How long it is when nobody cuts it.
        driver.do(driver.connect(url).close)
        tap.wait_for(lambda: not tap.live)
        whole = tap.to_client
        assert whole > 100
        failed = 0
        for count in range(whole + 1):
            watch = Watch()
            tap.truncate_after(count)
            with contextlib.suppress(ConnectionError):
                vol = driver.connect(url, timeout=5.0, trace=watch)
                report = driver.do(vol.close)
                assert not report.defects
                assert count >= whole - 8, count
                continue
            check_failed(watch)
            failed += 1
        assert failed >= whole - 8


def test_a_brick_that_resets_the_connection(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    watch = Watch()
    tap.refuse()
    with pytest.raises(ConnectionError):
        driver.connect(url, trace=watch)
    check_failed(watch)


def test_garbage_instead_of_a_handshake(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    for offset in (0, 1, 3, 4, 8, 11, 12, 23, 28, 40):
        watch = Watch()
        tap.garble(offset)
        try:
            vol = driver.connect(url, timeout=0.5, trace=watch)
        except (OSError, TimeoutError):
            check_failed(watch)
        else:  # some bytes do not matter
            driver.do(vol.close)


# -- cancelled, or closed by another, while connecting -----------------------------------------------


def test_closed_by_another_caller_while_connecting(driver: Driver, mute_port: int) -> None:
    watch = Watch()
    url = f"gluster://127.0.0.1:{mute_port}/vol"
    made: Future[Any] = Future()

    def connect() -> None:
        session = ThreadsSession(parse_url(url), watch)
        made.set_result(session)
        session.connect(30.0)

    async def connect_async() -> None:
        session = AioSession(parse_url(url), watch)
        made.set_result(session)
        await session.connect(30.0)

    connecting = driver.start(connect if driver.name == "threads" else connect_async)
    session = made.result(PATIENCE)
    watch.wait("CONNECT")
    report = driver.do(session.close, 5.0, 2.0)
    assert isinstance(connecting.exception(PATIENCE), SessionClosedError)
    assert report.seconds < 1.0, "it waited for a connect that nobody wants any more"
    assert not report.errors
    check_failed(watch)


@contextlib.contextmanager
def unanswered_connections(port: int) -> Iterator[None]:
    """Fill a listener's backlog, so that a further connect is not answered at all."""
    fillers: list[socket.socket] = []
    try:
        for _ in range(20):
            filler = socket.socket()
            filler.setblocking(False)
            fillers.append(filler)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        yield
    finally:
        for filler in fillers:
            filler.close()


def test_a_server_that_does_not_even_accept(driver: Driver) -> None:
    watch = Watch()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with unanswered_connections(port):
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                driver.connect(f"gluster://127.0.0.1:{port}/vol", timeout=0.3, trace=watch)
            assert time.monotonic() - began < 1.3
    check_failed(watch)


def test_the_gate_closes_just_before_the_session_is_up(brick: BrickProcess) -> None:
    """Everything has been answered, and yet the session was closed: it says so, and ends."""
    session: ThreadsSession
    closing: Future[Any] = Future()

    def close() -> None:
        closing.set_result(session.close(5.0, 2.0))

    class Late:
        """Closes in another thread when the connecting call is about to say that it is up."""

        def __init__(self) -> None:
            self.seen: list[str] = []

        def __call__(self, record: Any) -> None:
            self.seen.append(record.event)
            if record.event == "GATE":
                gate.set()

    gate = threading.Event()
    late = Late()
    session = ThreadsSession(parse_url(brick.url), late)
    bring_up = session.core._bring_up

    async def and_then_close() -> None:
        await bring_up()
        closer.start()
        assert gate.wait(PATIENCE)

    closer = threading.Thread(target=close)
    session.core._bring_up = and_then_close  # type: ignore[method-assign]
    with pytest.raises(SessionClosedError):
        session.connect(30.0)
    closer.join(PATIENCE)
    assert not closing.result(0).defects
    assert "CONNECTED" not in late.seen
    assert session.core.session.state is SessionState.CLOSED
    brick.wait_for(fds=0)


def test_connect_cancelled_at_every_step(brick: BrickProcess) -> None:
    """asyncio: after any number of turns of the loop."""

    async def attempt(turns: int) -> bool:
        task = asyncio.ensure_future(aio.connect(brick.url))
        for _ in range(turns):
            if task.done():
                break
            await asyncio.sleep(0)
        if task.done():
            await (await task).close()
            return False
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return True

    async def attempts() -> int:
        turns = 0
        finished = 0
        cancelled = 0
        while finished < 3 and turns < 2000:
            if await attempt(turns):
                cancelled += 1
            else:
                finished += 1
            turns += 1 if turns < 60 else 40
        return cancelled

    assert asyncio.run(attempts()) >= 5


def test_connect_cancelled_while_the_server_is_silent(mute_port: int) -> None:
    async def attempt() -> None:
        watch = Watch()
        task = asyncio.ensure_future(
            aio.connect(f"gluster://127.0.0.1:{mute_port}/vol", trace=watch)
        )
        await asyncio.to_thread(watch.wait, "CONNECT")
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        check_failed(watch)

    asyncio.run(attempt())


def test_connect_within_a_timeout_of_the_callers(mute_port: int) -> None:
    async def attempt() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aio.connect(f"gluster://127.0.0.1:{mute_port}/vol"), 0.1)

    asyncio.run(attempt())


def test_a_failed_connect_leaves_room_for_the_next(driver: Driver, brick: BrickProcess) -> None:
    for _ in range(20):
        with pytest.raises(VolumeNotFoundError):
            driver.connect(f"gluster://127.0.0.1:{brick.port}/no-such-volume")
    vol = driver.connect(brick.url)
    assert driver.do(vol.exists, "/")
    assert isinstance(driver.do(vol.close), glusterio.TeardownReport)
