"""A program to which something happens while it is in the middle of something: one cell of the table.

Run by :mod:`tests.reliability.outcomes.judge`, with the cell as JSON for its only argument. What it
sees it says on standard output, one JSON object a line; on standard input it is told when the event is
to come, and by the pipe ``gate`` when what it waits for is let go.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import gc
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

#: What was registered before glusterio was imported runs after glusterio has closed its sessions.
_AT_THE_VERY_END: list[Callable[[], None]] = []
atexit.register(lambda: [function() for function in _AT_THE_VERY_END])

import glusterio  # noqa: E402
from glusterio import aio  # noqa: E402
from glusterio.errors import ForkedSessionError  # noqa: E402

CREATING = os.O_RDWR | os.O_CREAT
DEFERRED = b"deferred" * 8192
OPTIONS: Any = {"performance.write-behind": "on"}

#: A child of this process leaves by the same way.
_PROCESS = os.getpid()

#: Kept to the very end.
_KEPT: list[Any] = []

#: The name of the thread that is in the call, where that is not the main one.
WORKER = "worker"

#: In seconds; whoever hangs for longer dies of it.
PATIENCE = 20


class Cell(NamedTuple):
    """What happens, to whom, in the middle of what, and where."""

    event: str
    driver: str
    situation: str
    url: str
    direct: str
    name: str
    gate: int


def say(word: str, **more: Any) -> None:
    """Tell the judge."""
    os.write(1, (json.dumps({"word": word, **more}) + "\n").encode())


def kind(error: BaseException) -> str:
    """Return an error's name."""
    return type(error).__name__


def kinds(error: BaseException) -> list[str]:
    """Return the names of all that an error is."""
    return [each.__name__ for each in type(error).__mro__]


def ends(function: Callable[[], Any]) -> str:
    """Call a function; return what came of it, a word."""
    try:
        function()
    except BaseException as error:
        return kind(error)
    return "result"


# -- situations -------------------------------------------------------------------------------------


class Sync:
    """A session on the threads driver, and what it is about to be in the middle of."""

    def __init__(self, cell: Cell) -> None:
        _KEPT.append(self)
        self.cell = cell
        self.vol: Any = None
        self.file: Any = None
        if cell.situation != "connecting":
            self.vol = glusterio.connect(cell.url, options=OPTIONS)
            self.file = self.vol.open_handle(cell.name, os.O_RDWR)

    def enter(self) -> None:
        """Be in the middle of it, until it is let go; then see that it has done what it should."""
        getattr(self, self.cell.situation)()

    def idle(self) -> None:
        os.read(self.cell.gate, 1)

    def reading(self) -> None:
        assert self.file.pread(10, 0) == b"0123456789"

    def writing(self) -> None:
        assert self.file.pwrite(DEFERRED, 10) == len(DEFERRED)
        self.file.fsync()

    def opening(self) -> None:
        self.vol.open_handle(self.cell.name + "-new", CREATING).close()

    def listing(self) -> None:
        assert self.cell.name.strip("/") in self.vol.listdir("/")

    def locking(self) -> None:
        self.file.lockf(os.F_LOCK, 10)
        self.file.lockf(os.F_ULOCK, 10)

    def closing(self) -> None:
        self.vol.close(timeout=60.0, grace=30.0)

    def connecting(self) -> None:
        self.vol = glusterio.connect(self.cell.url, options=OPTIONS)

    def use(self) -> None:
        """Use the session: whether it goes on."""
        if self.vol is not None:
            self.vol.stat("/")

    def close(self) -> Any:
        """Close it, if there is one."""
        return self.vol.close() if self.vol is not None else None

    def calls(self) -> dict[str, Callable[[], Any]]:
        """All that a stranger might call."""
        if self.vol is None:
            return {}
        return {
            "stat": lambda: self.vol.stat("/"),
            "pread": lambda: self.file.pread(1, 0),
            "pwrite": lambda: self.file.pwrite(b"x", 0),
            "file.close": lambda: self.file.close(),
            "close": lambda: self.vol.close(),
        }


class Async:
    """The same on the asyncio driver, on either event loop."""

    def __init__(self, cell: Cell) -> None:
        _KEPT.append(self)
        self.cell = cell
        self.vol: Any = None
        self.file: Any = None

    async def begin(self) -> None:
        if self.cell.situation != "connecting":
            self.vol = await aio.connect(self.cell.url, options=OPTIONS)
            self.file = await self.vol.open_handle(self.cell.name, os.O_RDWR)

    async def enter(self) -> None:
        await getattr(self, self.cell.situation)()

    async def idle(self) -> None:
        await readable(self.cell.gate)

    async def reading(self) -> None:
        assert await self.file.pread(10, 0) == b"0123456789"

    async def writing(self) -> None:
        assert await self.file.pwrite(DEFERRED, 10) == len(DEFERRED)
        await self.file.fsync()

    async def opening(self) -> None:
        await (await self.vol.open_handle(self.cell.name + "-new", CREATING)).close()

    async def listing(self) -> None:
        assert self.cell.name.strip("/") in await self.vol.listdir("/")

    async def locking(self) -> None:
        await self.file.lockf(os.F_LOCK, 10)
        await self.file.lockf(os.F_ULOCK, 10)

    async def closing(self) -> None:
        await self.vol.close(timeout=60.0, grace=30.0)

    async def connecting(self) -> None:
        self.vol = await aio.connect(self.cell.url, options=OPTIONS)

    async def use(self) -> None:
        if self.vol is not None:
            await self.vol.stat("/")

    async def close(self) -> Any:
        return await self.vol.close() if self.vol is not None else None

    def calls(self) -> dict[str, Callable[[], Any]]:
        if self.vol is None:
            return {}
        return {
            "stat": lambda: run(self.cell, self.vol.stat("/")),
            "pread": lambda: run(self.cell, self.file.pread(1, 0)),
            "pwrite": lambda: run(self.cell, self.file.pwrite(b"x", 0)),
            "file.close": lambda: run(self.cell, self.file.close()),
            "close": lambda: run(self.cell, self.vol.close()),
        }


async def readable(descriptor: int) -> None:
    """Wait until something can be read, and read it."""
    loop, come = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, come.set)
    try:
        await come.wait()
        os.read(descriptor, 1)
    finally:
        loop.remove_reader(descriptor)


def run(cell: Cell, awaitable: Awaitable[Any]) -> Any:
    """Await something on an event loop of its own, of the cell's kind."""
    new_loop = None
    if cell.driver == "uvloop":
        import uvloop

        new_loop = uvloop.new_event_loop

    async def main() -> Any:
        return await awaitable

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())


# -- what happens from inside: each gets the subject, on the main thread ------------------------------


def in_child(function: Callable[[], Any], leave: Callable[[int], Any] = os._exit) -> None:
    """Fork; call a function in the child, and wait for that."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        signal.alarm(PATIENCE)
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        leave(code)
        return
    began = time.monotonic()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    say("child", status=status, seconds=time.monotonic() - began)


def all_refused(subject: Sync | Async) -> None:
    """Each call is refused, at once."""
    for name, call in subject.calls().items():
        began = time.monotonic()
        try:
            call()
        except ForkedSessionError:
            assert time.monotonic() - began < 5.0, name
        else:
            raise AssertionError(f"{name} was not refused")
    if isinstance(subject, Sync) and subject.cell.situation == "connecting":
        assert threading.active_count() == 1


def connects_anew(subject: Sync | Async) -> None:
    """A session of the child's own works."""
    connect_and_write(subject.cell.direct, subject.cell.name + "-child")


def connect_and_write(url: str, name: str) -> None:
    """Also what multiprocessing's children do."""
    with glusterio.connect(url, options=OPTIONS) as vol, vol.open(name, "w") as text:
        text.write("the child's")
    assert vol.close().graceful

    async def again() -> None:
        async with aio.connect(url, options=OPTIONS) as vol, vol.open(name) as text:
            assert await text.read() == "the child's"

    asyncio.run(again())


def use_volume(vol: Any) -> None:
    """What a child does with the volume that multiprocessing has brought it by fork."""
    try:
        vol.stat("/")
    except ForkedSessionError:
        return
    raise AssertionError("not refused")


def twice(subject: Sync | Async) -> None:
    """A child's child."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            all_refused(subject)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    all_refused(subject)


def by_multiprocessing(method: str, subject: Sync | Async) -> None:
    """A child of multiprocessing's connects anew."""
    context = multiprocessing.get_context(method)
    process = context.Process(  # type: ignore[attr-defined]
        target=connect_and_write, args=(subject.cell.direct, subject.cell.name + "-child")
    )
    began = time.monotonic()
    process.start()
    process.join(PATIENCE)
    say("child", status=process.exitcode, seconds=time.monotonic() - began)
    process.close()


def pickled(subject: Sync | Async) -> None:
    """None of a session's objects can be pickled, and each says why."""
    for each in (subject.vol, subject.file):
        for use in (pickle.dumps, lambda each: pickle.dumps([each])):
            try:
                use(each)
            except TypeError as error:
                if "session" not in str(error):
                    raise
            else:
                raise AssertionError(f"{each!r} was pickled")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=use_volume, args=(subject.vol,))
    try:
        process.start()
    except TypeError as error:
        say("child", status=0, seconds=0.0, error=str(error))
    else:
        raise AssertionError("a volume was sent to another process")


def given_by_fork(subject: Sync | Async) -> None:
    """multiprocessing's fork gives a volume to a child without pickling it."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=use_volume, args=(subject.vol,))
    process.start()
    process.join(PATIENCE)
    say("child", status=process.exitcode, seconds=0.0)
    process.close()


def falls(subject: Sync | Async) -> None:
    """Nobody catches it."""
    raise RuntimeError("on purpose")


def ends_thread(subject: Sync | Async) -> None:
    """The thread that is in the call shall end."""
    (thread,) = (each for each in threading.enumerate() if each.name == WORKER)
    assert thread.ident is not None
    ident, raised = ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, raised) == 1


def sleeps(subject: Sync | Async) -> None:
    """A garbage collection; it finds nothing of what is in use."""
    for _ in range(3):
        gc.collect()


def used_at_exit(subject: Sync | Async) -> None:
    """Handlers that run before, and after, glusterio has closed the session."""

    def before() -> None:
        say("before", outcome=ends(subject.calls()["stat"]))

    def after() -> None:
        for name, call in subject.calls().items():
            say("after", outcome=ends(call), name=name)

    atexit.register(before)
    _AT_THE_VERY_END.append(after)


INSIDE: dict[str, Callable[[Sync | Async], None]] = {
    "fork, the child uses it": lambda subject: in_child(lambda: all_refused(subject)),
    "fork, the child exits": lambda subject: in_child(lambda: None, sys.exit),
    "fork, the child ends by os._exit": lambda subject: in_child(lambda: None),
    "fork, the child connects anew": lambda subject: in_child(lambda: connects_anew(subject)),
    "fork twice": lambda subject: in_child(lambda: twice(subject)),
    "multiprocessing: fork": lambda subject: by_multiprocessing("fork", subject),
    "multiprocessing: spawn": lambda subject: by_multiprocessing("spawn", subject),
    "multiprocessing: forkserver": lambda subject: by_multiprocessing("forkserver", subject),
    "multiprocessing: a volume given by fork": given_by_fork,
    "pickle": pickled,
    "garbage collection": sleeps,
    "sys.exit": lambda subject: sys.exit(3),
    "end of main": lambda subject: None,
    "end of main, no daemon": lambda subject: None,
    "unhandled exception": falls,
    "SystemExit in a thread": ends_thread,
    "os._exit": lambda subject: os._exit(7),
    "atexit": used_at_exit,
}

#: Events after which the program ends without closing anything.
LEAVING = frozenset(
    {
        "sys.exit", "end of main", "end of main, no daemon", "unhandled exception", "os._exit",
        "atexit",
    }
)  # fmt: skip


# -- what happens from outside: signals, and what handles them ----------------------------------------


def handle_signals(cell: Cell, subject: Sync | Async) -> None:
    """Set the handler that the event is about; SIGINT has Python's own, SIGTERM the system's."""

    def exits(number: int, frame: Any) -> None:
        sys.exit(5)

    def closes(number: int, frame: Any) -> None:
        say("happened", handler=ends(subject.close))

    def uses(number: int, frame: Any) -> None:
        assert isinstance(subject, Sync)
        say("happened", handler=ends(subject.use))

    if cell.event == "SIGTERM, its handler exits":
        signal.signal(signal.SIGTERM, exits)
    elif cell.event == "SIGTERM, its handler closes":
        if isinstance(subject, Async):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, lambda: _closing.append(_close(subject)))
        else:
            signal.signal(signal.SIGTERM, closes)
    elif cell.event == "SIGUSR1, its handler uses it":
        if isinstance(subject, Async):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGUSR1, lambda: _closing.append(_use(subject)))
        else:
            signal.signal(signal.SIGUSR1, uses)


_closing: list[asyncio.Task[None]] = []


def _close(subject: Async) -> asyncio.Task[None]:
    async def close() -> None:
        if subject.vol is None or subject.cell.situation in ("closing", "idle"):
            say("waits")
        if subject.vol is not None:
            await subject.vol.close(grace=0.2)
        say("handled", handler="result")

    return asyncio.get_running_loop().create_task(close())


def _use(subject: Async) -> asyncio.Task[None]:
    async def use() -> None:
        try:
            await subject.use()
            say("happened", handler="result")
        except Exception as error:
            say("happened", handler=kind(error))

    return asyncio.get_running_loop().create_task(use())


# -- the program --------------------------------------------------------------------------------------


def told(report: Any) -> dict[str, Any]:
    """What a report says, for the judge."""
    if report is None:
        return {"report": None}
    return {
        "report": {
            "graceful": report.graceful,
            "errors": [str(error) for error in report.errors],
            "defects": list(report.defects),
            "drained": report.handles_drained,
            "cancelled": list(report.calls_cancelled),
        }
    }


def sync_outside(cell: Cell) -> None:
    """A signal comes to the thread that is in the call."""
    subject = Sync(cell)
    handle_signals(cell, subject)
    try:
        say("ready")
        try:
            subject.enter()
            say("call", outcome="result")
        except BaseException as error:
            say("call", outcome=kind(error), kinds=kinds(error), text=str(error))
            if not isinstance(error, (Exception, KeyboardInterrupt)):
                raise
        say("use", outcome=ends(subject.use))
    finally:
        say("closed", **told(subject.close()), threads=threading.active_count())


def sync_inside(cell: Cell) -> None:
    """The main thread does something while another one is in the call."""
    subject = Sync(cell)

    def work() -> None:
        try:
            say("ready")  # it may happen from here on
            subject.enter()
            say("call", outcome="result")
        except BaseException as error:
            say("call", outcome=kind(error), kinds=kinds(error), text=str(error))

    daemon = cell.event != "end of main, no daemon"
    thread = threading.Thread(target=work, name=WORKER, daemon=daemon)
    thread.start()
    sys.stdin.readline()
    INSIDE[cell.event](subject)
    say("happened")
    if cell.event in LEAVING:
        return
    thread.join()
    say("use", outcome=ends(subject.use))
    say("closed", **told(subject.close()), threads=threading.active_count())


async def async_outside(cell: Cell) -> None:
    subject = Async(cell)
    await subject.begin()
    handle_signals(cell, subject)
    try:
        say("ready")
        try:
            await subject.enter()
            say("call", outcome="result")
        except BaseException as error:
            say("call", outcome=kind(error), kinds=kinds(error), text=str(error))
            if not isinstance(error, Exception):
                raise
        if _closing:
            await asyncio.wait(_closing)
        try:
            await subject.use()
            say("use", outcome="result")
        except Exception as error:
            say("use", outcome=kind(error))
    finally:
        say("closed", **told(await subject.close()), threads=threading.active_count())


async def async_inside(cell: Cell) -> None:
    subject = Async(cell)
    await subject.begin()

    async def work() -> None:
        say("ready")
        try:
            await subject.enter()
            say("call", outcome="result")
        except BaseException as error:
            say("call", outcome=kind(error), kinds=kinds(error), text=str(error))

    task = asyncio.create_task(work())
    await readable(0)
    INSIDE[cell.event](subject)
    say("happened")
    if cell.event in LEAVING:
        return
    await task
    try:
        await subject.use()
        say("use", outcome="result")
    except Exception as error:
        say("use", outcome=kind(error))
    say("closed", **told(await subject.close()), threads=threading.active_count())


async def both(cell: Cell) -> None:
    """Both faces at once: the threads' one on a daemon thread, asyncio's on the main thread."""
    subject = Sync(cell._replace(name=cell.name + "-too"))

    def work() -> None:
        try:
            subject.enter()
            say("thread", outcome="result")
        except BaseException as error:
            say("thread", outcome=kind(error), kinds=kinds(error), text=str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        await (async_inside if cell.event in INSIDE else async_outside)(cell)
    finally:
        if cell.event not in LEAVING:
            while thread.is_alive():
                await asyncio.sleep(0.01)
            say("thread closed", **told(await asyncio.to_thread(subject.close)))


def main() -> None:
    cell = Cell(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        if cell.driver == "threads":
            (sync_inside if cell.event in INSIDE else sync_outside)(cell)
            return
        program = async_inside if cell.event in INSIDE else async_outside
        if cell.driver == "both":
            program = both
        with contextlib.suppress(KeyboardInterrupt):
            run(cell, program(cell))
    finally:
        if cell.event not in LEAVING and os.getpid() == _PROCESS:
            say("done")  # all is closed, and this process is still there
            sys.stdin.readline()


if __name__ == "__main__":
    main()
