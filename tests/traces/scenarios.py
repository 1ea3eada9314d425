"""What real sessions go through for the corpus: on a real brick, behind a proxy that can break things.

Each scenario runs on the threads driver, or on asyncio, or on both, and leaves a trace of every session
that it had. They are small, so that a person can read their traces; ``stress`` and ``race`` are what
many callers do at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

from glusterio import GlusterError
from glusterio.api.aio.session import AioSession
from glusterio.api.threads.session import ThreadsSession
from glusterio.api.url import parse_url
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE
from tests.api.race import open_for_ever, open_for_ever_async
from tests.api.test_interrupts import interrupted, made_in_vain
from tests.traces.running import BOTH, CREATING, Run, on

# -- quiet days -------------------------------------------------------------------------------------


@on(*BOTH)
def nothing(run: Run) -> None:
    """Connected, and closed."""
    run.do(run.connect().close)


@on(*BOTH)
def left_open(run: Run) -> None:
    """Three files are used and left open, and a listing is begun."""
    vol = run.connect()
    for file in run.files(vol, "a", "b", "c"):
        run.do(file.pwrite, b"hello", 0)
        run.do(file.pread, 5, 0)
    if run.driver.name == "threads":
        listing = vol.scandir("/")
        next(listing)
    else:
        listing = vol.scandir("/")
        run.do(listing.__anext__)
    run.do(vol.close)
    del listing


@on(*BOTH)
def closed_by_itself(run: Run) -> None:
    """Files are closed by the application, one of them twice."""
    vol = run.connect()
    one, two = run.files(vol, "a", "b")
    run.do(one.close)
    run.do(two.fstat)
    run.do(two.close)
    run.do(two.close)
    run.do(vol.close)


@on(*BOTH)
def names_alone(run: Run) -> None:
    """Operations that open nothing, or only a directory, and some that fail."""
    vol = run.connect()
    run.do(vol.mkdir, "/names")
    run.do(vol.stat, "/names")
    for method, *arguments in ((vol.stat, "/none"), (vol.mkdir, "/names"), (vol.rmdir, "/none")):
        with contextlib.suppress(OSError):
            run.do(method, *arguments)
    run.do(vol.listdir, "/")
    run.do(vol.rmdir, "/names")
    run.do(vol.close)


@on(*BOTH)
def not_there(run: Run) -> None:
    """Opens that the brick refuses, before one that it does not."""
    vol = run.connect()
    run.do(run.files(vol, "there")[0].close)
    for name, flags in (("none", os.O_RDWR), ("there", CREATING | os.O_EXCL)):
        with contextlib.suppress(OSError):
            run.do(vol.open_handle, f"/{name}", flags)
    run.do(vol.open_handle, "/there", os.O_RDWR)
    run.do(vol.close)


@on(*BOTH)
def read_only(run: Run) -> None:
    """A file that no brick is told of before it is needed."""
    vol = run.connect()
    run.do(vol.write_bytes, "/small", b"text")
    run.do(vol.read_bytes, "/small")
    file = run.do(vol.open_handle, "/small", os.O_RDONLY)
    run.do(file.close)
    file = run.do(vol.open_handle, "/small", os.O_RDONLY)
    run.do(file.pread, 4, 0)
    run.do(vol.close)


@on(*BOTH)
def two_files_in_one_call(run: Run) -> None:
    """A copy borrows a second handle; and once the same one twice."""
    vol = run.connect()
    one, two = run.files(vol, "a", "b")
    run.do(one.pwrite, b"0123456789", 0)
    run.do(one.copy_file_range, two, 10)
    run.do(one.copy_file_range, one, 5, 0, 5)
    run.do(one.close)
    run.do(vol.close)


@on(*BOTH)
def a_tree(run: Run) -> None:
    """A copy of a tree opens several things in one call, at once."""
    vol = run.connect()
    run.do(vol.makedirs, "/tree/below")
    for name in ("a", "b", "below/c"):
        run.do(vol.write_bytes, f"/tree/{name}", b"x")
    run.do(vol.copytree, "/tree", "/copy")
    for name in ("/tree", "/copy"):
        run.do(vol.rmtree, name)
    run.do(vol.close)


# -- many at once -----------------------------------------------------------------------------------


@on("threads")
def stress(run: Run) -> None:
    """Three threads open, use and close files, while their names come and go."""
    vol = run.connect()
    shared = run.files(vol, "shared")[0]

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(5):
            file = vol.open_handle(f"/stress-{seed}-{number}", CREATING)
            for _ in range(chance.randrange(3)):
                chance.choice((file, shared)).pwrite(b"x", chance.randrange(9))
            if chance.random() < 0.8:
                file.close()

    for worker in [run.start(work, seed) for seed in range(3)]:
        worker.result(PATIENCE)
    run.do(vol.close)


@on("asyncio")
def stress_of_tasks(run: Run) -> None:
    """Five tasks open, use and close files; each third of what they begin is cancelled."""
    vol = run.connect()
    shared = run.files(vol, "shared")[0]

    async def some(seed: int, number: int) -> None:
        file = await vol.open_handle(f"/tasks-{seed}-{number}", CREATING)
        await asyncio.gather(file.pwrite(b"x", 0), shared.pwrite(b"y", seed))
        if seed % 2:
            await file.close()

    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(4):
            task = asyncio.ensure_future(some(seed, number))
            if not chance.randrange(3):
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def all_of_them() -> None:
        await asyncio.gather(*map(work, range(5)))

    run.do(all_of_them)
    run.do(vol.close)


def _race(run: Run, grace: float) -> None:
    vol = run.connect()
    kept: list[Any] = []
    run.do(vol.mkdir, "/race")
    function: Any = open_for_ever if run.driver.name == "threads" else open_for_ever_async
    openers = [run.start(function, vol, str(number), kept) for number in range(3)]
    run.watch.wait("SEND", 6)
    run.do(vol.close, grace=grace)
    for opener in openers:
        opener.exception(PATIENCE)


@on(*BOTH)
def race(run: Run) -> None:
    """Openers against the close; what is under way gets the time to finish."""
    _race(run, 2.0)


@on(*BOTH)
def race_without_grace(run: Run) -> None:
    """Openers against the close, which cancels them."""
    _race(run, 0.0)


@on(*BOTH)
def closed_by_three(run: Run) -> None:
    """Three callers close the session, one closes the files that it drains."""
    vol = run.connect()
    files = run.files(vol, *"abcdef")
    run.tap.hold(Fop.RELEASE)
    closers = [run.start(vol.close) for _ in range(3)]
    run.held(len(files))
    for file in files[:3]:
        run.do(file.close)
    run.tap.let_go()
    for closer in closers:
        closer.result(PATIENCE)


@on("threads")
def answers_in_another_order(run: Run) -> None:
    """Reads whose replies come the other way round, and the close between them."""
    vol = run.connect()
    file = run.files(vol, "a")[0]
    run.tap.hold(Fop.READ)
    reads = [file.pread_async(1, n) for n in range(4)]
    run.held(4)
    closing = run.start(vol.close)
    run.watch.wait("GATE")
    run.tap.kept.reverse()
    run.tap.let_go()
    for read in reads:
        read.result(PATIENCE)
    closing.result(PATIENCE)


# -- the gate, and cancellation -----------------------------------------------------------------------


@on(*BOTH)
def late(run: Run) -> None:
    """The gate closes while a file is being opened; the brick opens it in the grace time."""
    vol = run.connect()
    run.tap.hold(Fop.CREATE)
    opening = run.start(vol.open_handle, "/late", CREATING | os.O_EXCL)
    run.held()
    closing = run.start(vol.close)
    run.watch.wait("GATE")
    run.tap.let_go()
    opening.exception(PATIENCE)
    closing.result(PATIENCE)


@on(*BOTH)
def cancelled_by_the_close(run: Run) -> None:
    """An open, a read and a write are cancelled by the close; the brick opens the file all the same."""
    vol = run.connect()
    one, two = run.files(vol, "a", "b")
    run.tap.hold(Fop.CREATE, Fop.READ, Fop.WRITE)
    under_way = [
        run.start(vol.open_handle, "/cancelled", CREATING | os.O_EXCL),
        run.start(one.pread, 1, 0),
        run.start(two.pwrite, b"x", 0),
    ]
    run.held(3)
    closing = run.start(vol.close, grace=0.0)
    run.watch.wait("ABANDON")
    run.tap.let_go()
    for future in under_way:
        future.exception(PATIENCE)
    closing.result(PATIENCE)


@on(*BOTH)
def closed_under_way(run: Run) -> None:
    """A file is closed while calls of others are under way on it, and so is the session."""
    vol = run.connect()
    file = run.files(vol, "a")[0]
    run.tap.hold(Fop.WRITE)
    writing = [run.start(file.pwrite, b"x", n) for n in range(2)]
    run.held(2)
    run.do(file.close)
    closing = run.start(vol.close)
    run.watch.wait("GATE")
    run.tap.let_go()
    for write in writing:
        write.result(PATIENCE)
    closing.result(PATIENCE)


def _given_up(run: Run, opens: bool) -> None:
    vol = run.connect(reconnect=False)
    run.tap.hold(Fop.CREATE)

    async def give_up() -> None:
        task = asyncio.ensure_future(vol.open_handle("/given-up", CREATING | os.O_EXCL))
        await asyncio.to_thread(run.held)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run.do(give_up)
    run.watch.wait("ABANDON")
    if opens:
        run.tap.let_go()
        run.watch.wait("RELEASED")
    else:
        run.tap.cut()
        run.watch.wait("REFUSED")
    run.do(vol.close)


@on("threads")
def interrupted_opens(run: Run) -> None:
    """Ctrl-C at each place of an open where the lifecycle is at work."""
    vol = run.connect()
    where = {"session.py": {"reserve", "move"}}
    at = 1
    with made_in_vain():
        while interrupted(at, where, partial(vol.open_handle, f"/interrupted-{at}", CREATING)):
            at += 1
    run.do(vol.close)


@on("asyncio")
def given_up_and_opened(run: Run) -> None:
    """A task that opens is cancelled; the brick's answer comes after that."""
    _given_up(run, opens=True)


@on("asyncio")
def given_up_and_lost(run: Run) -> None:
    """A task that opens is cancelled; and the answer never comes."""
    _given_up(run, opens=False)


@on("asyncio")
def cancelled_tasks(run: Run) -> None:
    """Tasks are cancelled after any number of turns of the loop."""
    vol = run.connect()

    async def turns(count: int) -> None:
        task = asyncio.ensure_future(vol.open_handle(f"/turns-{count}", CREATING))
        for _ in range(count):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for count in range(0, 8):
        run.do(turns, count)
    run.do(vol.close)


# -- what breaks --------------------------------------------------------------------------------------


@on(*BOTH)
def lost(run: Run) -> None:
    """The connection is cut under open files, one with a call; they are closed, and the rest is not."""
    vol = run.connect(reconnect=False)
    one, two, three = run.files(vol, "a", "b", "c")
    run.tap.hold(Fop.READ)
    reading = run.start(two.pread, 1, 0)
    run.held()
    run.tap.cut()
    reading.exception(PATIENCE)
    run.watch.wait("LOST", 3)
    with contextlib.suppress(GlusterError, OSError):
        run.do(one.pread, 1, 0)
    with contextlib.suppress(GlusterError, OSError):
        run.do(vol.open_handle, "/d", CREATING)
    run.do(one.close)
    run.do(vol.close)
    del three


@on(*BOTH)
def lost_while_opening(run: Run) -> None:
    """The connection is cut while two files are being opened."""
    vol = run.connect(reconnect=False)
    run.files(vol, "open")
    run.tap.hold(Fop.CREATE)
    openings = [run.start(vol.open_handle, f"/o{n}", CREATING | os.O_EXCL) for n in range(2)]
    run.held(2)
    run.tap.cut()
    for opening in openings:
        opening.exception(PATIENCE)
    run.do(vol.close)


@on(*BOTH)
def lost_while_draining(run: Run) -> None:
    """The connection is cut while the drain waits for the brick."""
    vol = run.connect(reconnect=False)
    run.files(vol, *"abc")
    run.tap.hold(Fop.RELEASE)
    closing = run.start(vol.close)
    run.held(3)
    run.tap.cut()
    closing.result(PATIENCE)


# -- what takes too long ------------------------------------------------------------------------------


@on(*BOTH)
def deadline(run: Run) -> None:
    """The brick does not answer the drain, and the deadline is over: the connection is cut."""
    vol = run.connect()
    run.files(vol, *"abc")
    run.tap.hold(Fop.RELEASE)
    run.do(vol.close, timeout=0.2, grace=0.1)


@on(*BOTH)
def deadline_while_opening(run: Run) -> None:
    """The brick answers an OPEN neither before nor after its caller is cancelled by the close."""
    vol = run.connect()
    run.files(vol, "a")
    run.tap.hold(Fop.CREATE, Fop.RELEASE)
    opening = run.start(vol.open_handle, "/never", CREATING | os.O_EXCL)
    run.held()
    run.do(vol.close, timeout=0.2, grace=0.0)
    opening.exception(PATIENCE)


@contextlib.contextmanager
def _stuck() -> Iterator[tuple[Any, threading.Event]]:
    """A path whose text is long in coming, and an event that is set when it was asked for."""
    begun, may_go = threading.Event(), threading.Event()

    class Slow:
        def __fspath__(self) -> str:
            begun.set()
            assert may_go.wait(PATIENCE)
            return "/"

    try:
        yield Slow(), begun
    finally:
        may_go.set()


@on("threads")
def counted_out(run: Run) -> None:
    """A call's thread sits in the application's code and does not end: the close goes on without."""
    vol = run.connect()
    run.files(vol, "a")
    with _stuck() as (path, begun):
        opening = run.start(vol.open_handle, path)
        assert begun.wait(PATIENCE)
        run.do(vol.close, timeout=0.1, grace=0.0)
    opening.exception(PATIENCE)


@on("threads")
def counted_out_with_a_handle(run: Run) -> None:
    """A read's callback does not end: the read is counted out, and its file closed."""
    vol = run.connect()
    file = run.files(vol, "a")[0]
    begun, may_go, gone = threading.Event(), threading.Event(), threading.Event()

    def callback(_: Any) -> None:
        begun.set()
        assert may_go.wait(PATIENCE)
        gone.set()

    def read() -> None:
        run.tap.hold(Fop.READ)
        file.pread_async(1, 0).add_done_callback(callback)
        run.tap.let_go()
        with contextlib.suppress(Exception):
            file.fstat()  # this thread receives the reply, and calls back

    reading = run.start(read)
    assert begun.wait(PATIENCE)
    run.do(vol.close, timeout=0.1, grace=0.0)
    may_go.set()
    assert gone.wait(PATIENCE)
    reading.exception(PATIENCE)


# -- connecting ---------------------------------------------------------------------------------------


@on(*BOTH)
def nobody_there(run: Run) -> None:
    """Nobody listens where the volume should be."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with contextlib.suppress(OSError):
            run.connect(f"gluster://127.0.0.1:{bound.getsockname()[1]}/vol")


@on(*BOTH)
def closed_while_connecting(run: Run) -> None:
    """The session is closed while its server says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"gluster://127.0.0.1:{listener.getsockname()[1]}/vol"
        recorder = run.recorder()
        made: Future[Any] = Future()

        def connect() -> None:
            made.set_result(ThreadsSession(parse_url(url), recorder))
            made.result().connect(30.0)

        async def connect_async() -> None:
            made.set_result(AioSession(parse_url(url), recorder))
            await made.result().connect(30.0)

        connecting = run.start(connect if run.driver.name == "threads" else connect_async)
        session = made.result(PATIENCE)
        recorder.wait("CONNECT")
        run.do(session.close, 5.0, 2.0)
        connecting.exception(PATIENCE)


@on("threads")
def never_connected(run: Run) -> None:
    """A session that is closed before it was connected."""
    ThreadsSession(parse_url(run.url), run.recorder()).close(1.0, 0.0)


# -- fork ---------------------------------------------------------------------------------------------


def _fork(run: Run) -> None:
    """Fork; the child writes down what its copies of the sessions have recorded, and ends."""
    from glusterio.verify.traces import dumped
    from tests.traces.lives import lines_of

    child = os.fork()
    if not child:
        status = 1
        try:
            for number, recorder in enumerate(run.sessions):
                path = run.place / f"child-{number}.ndjson"
                path.write_text(dumped(lines_of(recorder.records)))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@on("threads")
def fork(run: Run) -> None:
    """A fork with files open, one call under way and one file half open; the parent goes on."""
    vol = run.connect()
    file = run.files(vol, "a", "b")[0]
    run.tap.hold(Fop.READ, Fop.CREATE)
    under_way = [
        run.start(file.pread, 1, 0),
        run.start(vol.open_handle, "/half", CREATING | os.O_EXCL),
    ]
    run.held(2)
    _fork(run)
    run.tap.let_go()
    for future in under_way:
        future.result(PATIENCE)
    run.do(vol.close)


@on("threads")
def fork_while_closing(run: Run) -> None:
    """A fork in the middle of the drain."""
    vol = run.connect()
    run.files(vol, "a", "b")
    run.tap.hold(Fop.RELEASE)
    closing = run.start(vol.close)
    run.held(2)
    _fork(run)
    run.tap.let_go()
    closing.result(PATIENCE)
