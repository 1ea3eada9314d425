"""A process that was itself stopped for longer than the ping time-out: its peer is not dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from glusterio.brick.volfiles import client_volfile
from glusterio.wire.programs import Fop
from tests.api import test_fork_exit
from tests.api.away import Place, new_place

run = test_fork_exit.run

PING_TIMEOUT = 2
#: Longer than that.
STOPPED = 2.3

PROGRAM = """
face = "{face}"

def once(vol):
    counts = vol._session.core.graph.leaves[0].counts()
    assert counts["up"] and not counts["reconnects"], counts

def busy():
    say("busy")
    sys.stdin.readline()

def threads():
    with glusterio.connect(url) as vol:
        file = vol.open_handle("f")
        say("open")
        assert file.pread(10, 0) == b"content"
        once(vol)

async def loop():
    async with aio.connect(url) as vol:
        file = await vol.open_handle("f")
        say("open")
        {blocked}
        assert await file.pread(10, 0) == b"content"
        once(vol)

if face == "threads":
    threads()
elif face == "asyncio":
    asyncio.run(loop())
else:
    import uvloop
    uvloop.run(loop())
"""

ON_SIGNAL = "asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, busy)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with new_place(tmp_path_factory.mktemp("ping")) as made:
        (made.directory / "f").write_bytes(b"content")
        made.volfile.write_text(
            client_volfile(
                "vol",
                "127.0.0.1",
                str(made.directory),
                port=made.tap.port,
                ping_timeout=PING_TIMEOUT,
            )
        )
        yield made


def at_the_ping(program: test_fork_exit.Program, place: Place) -> None:
    """Wait until a READ is unanswered, and the ping after it has gone out, and is not answered."""
    program.hears("open")
    place.tap.wait_for(lambda: bool(place.tap.kept))
    place.tap.delay(STOPPED)
    sent = place.tap.to_server
    place.tap.wait_for(lambda: place.tap.to_server > sent)


def let_go(program: test_fork_exit.Program, place: Place) -> None:
    """Have the READ answered after another ping was."""
    sent = place.tap.to_server
    place.tap.heal()
    place.tap.wait_for(lambda: place.tap.to_server > sent)
    place.tap.let_go()
    program.ends()
    assert place.tap.connections == 1
    place.brick.wait_for(fds=0)


@pytest.fixture
def tapped(place: Place) -> Iterator[Place]:
    place.tap.connections = 0
    place.tap.hold(Fop.READ)
    yield place
    place.tap.let_go()
    place.tap.heal()


@pytest.mark.parametrize("answered", ["meanwhile", "later"])
@pytest.mark.parametrize("face", ["threads", "asyncio", "uvloop"])
def test_a_process_that_was_stopped_does_not_blame_its_peer(
    tapped: Place, run: Callable[..., test_fork_exit.Program], face: str, answered: str
) -> None:
    program = run(PROGRAM.format(face=face, blocked="pass"), tapped.url)
    at_the_ping(program, tapped)
    program.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, program.process.pid, os.WSTOPPED | os.WNOWAIT)
    received = tapped.tap.to_client
    if answered == "later":
        tapped.tap.pause()
        time.sleep(STOPPED)  # what is looked at is that this much time passes
    else:
        tapped.tap.wait_for(lambda: tapped.tap.to_client > received)
    program.process.send_signal(signal.SIGCONT)
    if answered == "later":
        time.sleep(0.4)  # a tick, in which it might find its connection dead
    let_go(program, tapped)


def test_a_loop_that_was_blocked_does_not_blame_its_peer(
    tapped: Place, run: Callable[..., test_fork_exit.Program]
) -> None:
    program = run(PROGRAM.format(face="asyncio", blocked=ON_SIGNAL), tapped.url)
    at_the_ping(program, tapped)
    program.process.send_signal(signal.SIGUSR1)
    program.hears("busy")
    received = tapped.tap.to_client
    tapped.tap.wait_for(lambda: tapped.tap.to_client > received)
    program.go_on()
    let_go(program, tapped)


@pytest.mark.parametrize("face", ["threads", "asyncio"])
def test_a_peer_that_is_silent_is_found_all_the_same(
    tapped: Place, run: Callable[..., test_fork_exit.Program], face: str
) -> None:
    """After a stop, within the ping time-out and a few ticks."""
    program = run(PROGRAM.format(face=face, blocked="pass"), tapped.url)
    at_the_ping(program, tapped)
    tapped.tap.black_hole()
    program.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, program.process.pid, os.WSTOPPED | os.WNOWAIT)
    time.sleep(STOPPED)
    began = time.monotonic()
    program.process.send_signal(signal.SIGCONT)
    tapped.tap.wait_for(lambda: tapped.tap.connections == 2, PING_TIMEOUT + 2.0)  # it reconnects
    assert time.monotonic() - began < PING_TIMEOUT + 1.0
    tapped.tap.let_go()
    tapped.tap.heal()
    tapped.tap.cut()
    assert "'reconnects': " in program.ends(1)
