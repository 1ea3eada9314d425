"""Fork, interpreter exit and Ctrl-C: what happens to a session when its process does such things.

Each runs as a program of its own, which says on its standard output how far it is; the brick and the
tap are the test's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE
from tests.api.tap import Tap
from tests.embedded import BrickProcess

#: epoll and futex waits, by number: on x86-64, and on ARM.
_WAITING = frozenset({"232", "281", "441", "202", "22", "98"})

SOURCE = Path(__file__).parents[2] / "src"

PRELUDE = """\
import asyncio, os, signal, sys, threading, time
import glusterio
from glusterio import aio, ForkedSessionError, SessionClosedError, HandleClosedError
url = sys.argv[1]
CREATING = os.O_RDWR | os.O_CREAT

def say(word):
    print(word, flush=True)

def refused(function, *args):
    began = time.monotonic()
    try:
        function(*args)
    except ForkedSessionError:
        assert time.monotonic() - began < 1.0
    else:
        raise AssertionError(f"{function} was not refused")

def in_child(function):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(10)  # a child that hangs dies of it, and the parent says so
    code = 1
    try:
        function()
        code = 0
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        os._exit(code)

def ended_well(pid):
    assert os.waitpid(pid, 0)[1] == 0, "the child failed"
"""


class Program:
    """A script under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hears(self, word: str) -> None:
        """Wait until the script has said a word."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line == word, f"{line!r}\n{self.errors()}"

    def go_on(self) -> None:
        """Let it go on that reads a line from its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def at_rest(self) -> None:
        """Wait until its first thread waits in the kernel: its request has left, and been noted."""
        deadline = time.monotonic() + PATIENCE
        while Path(f"/proc/{self.process.pid}/syscall").read_text().split()[0] not in _WAITING:
            assert time.monotonic() < deadline, "it never waits"

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def errors(self) -> str:
        """Wait for its end, and return what it wrote to standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        self.process.kill()
        return self.process.communicate()[1]

    def ends(self, code: int = 0) -> str:
        """Wait for its end with an exit code, and return what it wrote to standard error."""
        try:
            _, errors = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler shows where
            _, errors = self.process.communicate(timeout=PATIENCE)
            raise AssertionError(f"it hangs:\n{errors}") from None
        assert self.process.returncode == code, errors
        return errors


@pytest.fixture
def run() -> Iterator[Callable[..., Program]]:
    """Start a script: ``run(text, url, *interpreter_options)``."""
    with contextlib.ExitStack() as stack:

        def start(script: str, url: str, *options: str) -> Program:
            process = subprocess.Popen(
                [
                    sys.executable, "-X", "faulthandler", *options,
                    "-c", PRELUDE + textwrap.dedent(script), url,
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.kill)
            return Program(process)

        yield start


def held(tap: Tap, count: int = 1) -> None:
    tap.wait_for(lambda: len(tap.kept) >= count)


# -- fork -------------------------------------------------------------------------------------------


def test_a_child_is_refused_and_its_parent_goes_on(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/fork", CREATING)
        text = vol.open("/fork-text", "w")
        text.write("the parent's")
        listing = vol.scandir("/")
        next(listing)

        def child():
            refused(vol.stat, "/")
            refused(vol.open_handle, "/fork")
            refused(file.pread, 1, 0)
            refused(file.pwrite, b"x", 0)
            refused(file.pread_async, 1, 0)
            refused(file.close)
            refused(listing.close)
            refused(text.flush)
            refused(vol.close)

        ended_well(in_child(child))
        assert file.pwrite(b"still mine", 0) == 10
        assert file.pread(10, 0) == b"still mine"
        ended_well(in_child(child))
        report = vol.close()
        assert report.graceful, report
        assert report.handles_drained == 3
        say("done")
        """,
        brick.url,
    )
    program.ends()
    assert (brick.directory / "fork-text").read_text() == "the parent's"
    brick.wait_for(fds=0)


def test_a_child_that_exits_in_the_ordinary_way_disturbs_nothing(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    """Its interpreter shuts down with all the parent's objects in it."""
    program = run(
        """
        vol = glusterio.connect(url)
        text = vol.open("/fork-exit", "w")
        text.write("once")
        file = vol.open_handle("/fork-exit-raw", CREATING)
        for n in range(5):
            pid = os.fork()
            if not pid:
                signal.alarm(10)
                sys.exit(0)
            ended_well(pid)
            file.pwrite(b"x", n)
        assert file.fstat().st_size == 5
        text.close()
        report = vol.close()
        assert report.graceful and report.handles_drained == 1, report
        """,
        brick.url,
    )
    program.ends()
    assert (brick.directory / "fork-exit").read_text() == "once"
    brick.wait_for(fds=0)


def test_fork_while_other_threads_are_inside(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    """Whatever lock another thread held at the fork is held for ever in the child."""
    program = run(
        """
        vol = glusterio.connect(url)
        stop = False
        counts = [0] * 4

        def use(n):
            while not stop:
                with vol.open(f"/inside-{n}", "wb") as file:
                    file.write(b"x" * 10)
                counts[n] += 1

        threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()

        def child():
            refused(vol.stat, "/")
            refused(vol.close)

        for _ in range(30):
            ended_well(in_child(child))
        before = list(counts)
        while any(count <= was for count, was in zip(counts, before)):
            time.sleep(0.001)
        stop = True
        for thread in threads:
            thread.join()
        assert vol.close().graceful
        """,
        brick.url,
    )
    program.ends()
    brick.wait_for(fds=0)


def test_fork_while_every_lock_is_held(brick: BrickProcess, run: Callable[..., Program]) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/locks", CREATING)
        core = vol._session.core
        link = core.graph.leaves[0]._connection.link
        locks = [core.session._lock, link.receiving, link.sending, vol._session.driver.lock]
        for lock in locks:
            lock.acquire()

        def child():
            refused(vol.stat, "/")
            refused(file.pread, 1, 0)
            refused(file.close)
            refused(vol.close)

        ended_well(in_child(child))
        for lock in locks:
            lock.release()
        assert vol.close().handles_drained == 1
        """,
        brick.url,
    )
    program.ends()


def test_fork_while_another_thread_closes(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/closing", CREATING)
        closing = threading.Thread(target=vol.close)
        say("open")
        closing.start()
        while not vol.closed:
            time.sleep(0.001)

        def child():
            refused(vol.close)
            refused(vol.stat, "/")

        for _ in range(5):
            ended_well(in_child(child))
        say("forked")
        closing.join()
        assert vol.close().graceful
        """,
        url,
    )
    tap.hold(Fop.RELEASE)
    program.hears("open")
    program.hears("forked")
    tap.let_go()
    program.ends()


def test_a_child_may_connect_anew(brick: BrickProcess, run: Callable[..., Program]) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/anew", CREATING)

        def child():
            with glusterio.connect(url) as mine:
                with mine.open("/anew-child", "w") as text:
                    text.write("child")
            assert mine.close().graceful

        ended_well(in_child(child))
        assert vol.stat("/anew-child").st_size == 5
        file.close()
        assert vol.close().handles_drained == 0
        """,
        brick.url,
    )
    program.ends()
    brick.wait_for(fds=0)


def test_a_brick_sees_the_parents_end_though_a_child_lives(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/orphan", CREATING)
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.write(writer, b"x")
            time.sleep(60)
            os._exit(0)
        os.read(reader, 1)
        say(str(pid))
        time.sleep(60)
        """,
        brick.url,
    )
    assert program.process.stdout is not None
    child = int(program.process.stdout.readline())
    try:
        brick.wait_for(fds=1)
        program.process.kill()
        brick.wait_for(fds=0)  # its copies of the sockets are closed
    finally:
        os.kill(child, signal.SIGKILL)
    program.process.wait(PATIENCE)


def test_asyncio_a_child_is_refused_and_its_parent_goes_on(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    program = run(
        """
        async def main():
            vol = await aio.connect(url)
            file = await vol.open_handle("/fork-aio", CREATING)
            pid = os.fork()
            if not pid:
                signal.alarm(10)
                code = 1
                try:
                    for call in (vol.stat("/"), file.pread(1, 0), vol.open_handle("/x"), vol.close(),
                                 file.close()):
                        try:
                            await call
                        except ForkedSessionError:
                            pass
                        else:
                            raise AssertionError("not refused")
                    # The numbers of the parent's sockets may be used again here.
                    with open("/dev/null") as other:
                        del vol, file
                        import gc
                        gc.collect()
                        os.fstat(other.fileno())
                    code = 0
                except BaseException:
                    import traceback
                    traceback.print_exc()
                finally:
                    os._exit(code)
            ended_well(pid)
            assert await file.pwrite(b"still mine", 0) == 10
            report = await vol.close()
            assert report.graceful and report.handles_drained == 1, report
        asyncio.run(main())
        """,
        brick.url,
    )
    program.ends()
    brick.wait_for(fds=0)


# -- interpreter exit -------------------------------------------------------------------------------


def test_exit_writes_what_was_not_flushed_and_warns(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    (brick.directory / "exit").unlink(missing_ok=True)
    program = run(
        """
        vol = glusterio.connect(url)
        text = vol.open("/exit", "w")
        text.write("unflushed")
        raw = vol.open_handle("/exit-raw", CREATING)
        listing = vol.scandir("/")
        next(listing)
        """,
        brick.url,
        "-W",
        "default",
    )
    errors = program.ends()
    assert (brick.directory / "exit").read_text() == "unflushed"
    assert "ResourceWarning: unclosed session on volume 'vol', connected at <string>:" in errors
    assert "Traceback" not in errors
    brick.wait_for(fds=0)


def test_exit_is_quiet_when_everything_was_closed(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    program = run(
        """
        with glusterio.connect(url) as vol:
            with vol.open("/quiet", "w") as text:
                text.write("x")
        async def main():
            async with aio.connect(url) as vol:
                async with vol.open("/quiet") as text:
                    assert await text.read() == "x"
        asyncio.run(main())
        """,
        brick.url,
        "-W",
        "error",
        "-X",
        "dev",
    )
    assert program.ends() == ""


@pytest.mark.parametrize(
    ("how", "code"),
    [("sys.exit(3)", 3), ("raise RuntimeError('on purpose')", 1), ("pass", 0)],
)
def test_exit_in_any_way_with_a_dropped_file(
    brick: BrickProcess, run: Callable[..., Program], how: str, code: int
) -> None:
    (brick.directory / "exit-any").unlink(missing_ok=True)
    program = run(
        f"""
        vol = glusterio.connect(url)

        def work():
            text = vol.open("/exit-any", "w")
            text.write("dropped")

        work()
        del vol
        {how}
        """,
        brick.url,
    )
    program.ends(code)
    assert (brick.directory / "exit-any").read_text() == "dropped"
    brick.wait_for(fds=0)


def test_exit_with_daemon_threads_inside(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/daemon", CREATING)

        def read():
            file.pread(10, 0)

        def write():
            while True:
                file.pwrite(b"x" * 100, 0)

        for work in (read, write, write):
            threading.Thread(target=work, daemon=True).start()
        say("started")
        # The exit comes when the read is under way: the tap keeps its reply back.
        while len(vol._session.core.session.calls) < 2:
            time.sleep(0.001)
        """,
        url,
    )
    tap.hold(Fop.READ)
    program.hears("started")
    began = time.monotonic()
    program.ends()
    assert time.monotonic() - began < 5.0
    brick.wait_for(fds=0)


def test_exit_is_bounded_and_reports_what_was_lost(
    own_brick: BrickProcess, brick: BrickProcess, run: Callable[..., Program]
) -> None:
    """One of two sessions has a brick that does not answer; the other one loses nothing."""
    program = run(
        f"""
        stuck = glusterio.connect(url)
        lost = stuck.open("/lost", "w")
        lost.write("lost")
        other = glusterio.connect({brick.url!r})
        kept = other.open("/kept", "w")
        kept.write("kept")
        say("ready")
        sys.stdin.readline()
        """,
        own_brick.url,
    )
    (brick.directory / "kept").unlink(missing_ok=True)
    program.hears("ready")
    os.kill(own_brick.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        program.go_on()
        errors = program.ends()
    finally:
        os.kill(own_brick.pid, signal.SIGCONT)
    assert time.monotonic() - began < 6.0
    assert "at interpreter exit" in errors
    assert "/lost: " in errors
    assert "deferred writes failed, 4 bytes: 0-4" in errors
    assert (brick.directory / "kept").read_text() == "kept"
    brick.wait_for(fds=0)


def test_exit_with_an_asyncio_session_left(
    brick: BrickProcess, run: Callable[..., Program]
) -> None:
    program = run(
        """
        async def main():
            global vol, file
            vol = await aio.connect(url)
            file = await vol.open_handle("/exit-aio", CREATING)
            await file.pwrite(b"written", 0)
        asyncio.run(main())
        """,
        brick.url,
        "-W",
        "default",
    )
    errors = program.ends()
    assert "unclosed session on volume 'vol'" in errors
    assert (brick.directory / "exit-aio").read_bytes() == b"written"
    brick.wait_for(fds=0)


# -- Ctrl-C -----------------------------------------------------------------------------------------


def test_ctrl_c_in_a_blocked_read(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    (brick.directory / "ctrl-c").write_bytes(b"0123456789")
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/ctrl-c")
        say("open")
        buffer = bytearray(10)
        try:
            file.read_into(buffer, 0)
        except KeyboardInterrupt:
            say("interrupted")
        assert not any(buffer)
        assert file.pread(5, 5) == b"56789"
        assert not any(buffer)
        assert vol.close().graceful
        """,
        url,
    )
    tap.hold(Fop.READ)
    program.hears("open")
    held(tap)
    program.at_rest()
    program.interrupt()
    program.hears("interrupted")
    tap.let_go()
    program.ends()
    assert not tap.overtaken()
    brick.wait_for(fds=0)


def test_ctrl_c_in_a_follower(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    """The main thread waits for another thread that receives; both can go on."""
    (brick.directory / "ctrl-c").write_bytes(b"0123456789")
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/ctrl-c")
        results = []
        def read():
            results.append(file.pread(10, 0))
        threads = [threading.Thread(target=read) for _ in range(3)]
        say("open")
        for thread in threads:
            thread.start()
        driver = vol._session.driver
        while len(driver._followers) < 2:
            time.sleep(0.001)
        try:
            file.pread(10, 0)
        except KeyboardInterrupt:
            say("interrupted")
        for thread in threads:
            thread.join()
        assert results == [b"0123456789"] * 3
        assert vol.close().graceful
        """,
        url,
    )
    tap.hold(Fop.READ)
    program.hears("open")
    held(tap, 4)
    program.at_rest()
    program.interrupt()
    program.hears("interrupted")
    tap.let_go()
    program.ends()
    brick.wait_for(fds=0)


def test_ctrl_c_in_an_open_strands_nothing(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    program = run(
        """
        vol = glusterio.connect(url)
        say("connected")
        try:
            vol.open_handle("/ctrl-c-open", CREATING)
        except KeyboardInterrupt:
            say("interrupted")
        while vol._session.core.session.ledger:
            time.sleep(0.001)
        say("empty")
        sys.stdin.readline()
        assert vol.close().handles_drained == 0
        """,
        url,
    )
    tap.hold(Fop.CREATE, Fop.OPEN)
    program.hears("connected")
    held(tap)
    program.at_rest()
    program.interrupt()
    program.hears("interrupted")
    assert brick.dump()["fds"] == 1
    tap.let_go()
    program.hears("empty")
    brick.wait_for(fds=0)  # with the session still there
    program.go_on()
    program.ends()
    assert tap.released() == tap.opened()


@pytest.mark.parametrize("held_back", [Fop.RELEASE, Fop.WRITE])
def test_ctrl_c_in_a_close_hurries_it(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program], held_back: Fop
) -> None:
    """In the drain: while releasing, or while a buffer is written out, which is then reported."""
    program = run(
        """
        vol = glusterio.connect(url)
        file = vol.open_handle("/ctrl-c-close", CREATING)
        text = vol.open("/ctrl-c-text", "w")
        text.write("data")
        say("open")
        began = time.monotonic()
        try:
            vol.close(timeout=60, grace=30)
        except KeyboardInterrupt:
            say("interrupted")
        assert time.monotonic() - began < 15
        report = vol.close()
        assert vol._session.core.session.state.name == "CLOSED"
        assert not report.defects, report
        assert report.errors, report
        assert file.closed
        say(",".join(str(handle.error is not None) for handle in report.handles))
        try:
            text.close()
        except SessionClosedError:
            pass
        """,
        url,
    )
    tap.hold(held_back)
    program.hears("open")
    held(tap)
    program.at_rest()
    program.interrupt()
    program.hears("interrupted")
    program.hears("False,True" if held_back is Fop.WRITE else "False,False")
    program.ends()
    brick.wait_for(fds=0)


def test_ctrl_c_in_a_with_statement(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    program = run(
        """
        with glusterio.connect(url) as vol:
            with vol.open("/ctrl-c-with", "w+") as text:
                text.write("kept")
                text.flush()
                say("open")
                text.seek(0)
                text.read()
        """,
        url,
    )
    (brick.directory / "ctrl-c-with").unlink(missing_ok=True)
    tap.hold(Fop.READ)
    program.hears("open")
    held(tap)
    program.at_rest()
    program.interrupt()
    program.process.stdout.close()  # type: ignore[union-attr]
    tap.let_go()
    program.process.wait(PATIENCE)
    assert program.process.returncode == -signal.SIGINT
    assert (brick.directory / "ctrl-c-with").read_text() == "kept"
    brick.wait_for(fds=0)


def test_ctrl_c_in_asyncio_run(
    brick: BrickProcess, tap: Tap, url: str, run: Callable[..., Program]
) -> None:
    program = run(
        """
        async def main():
            async with aio.connect(url) as vol:
                file = await vol.open_handle("/ctrl-c-aio", CREATING)
                say("open")
                try:
                    await file.pread(10, 0)
                finally:
                    say("unwound")
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
        """,
        url,
    )
    tap.hold(Fop.READ)
    program.hears("open")
    held(tap)
    program.at_rest()
    program.interrupt()
    program.hears("unwound")
    tap.let_go()
    program.hears("interrupted")
    program.ends()
    assert tap.released() == tap.opened()
    brick.wait_for(fds=0)


def test_ctrl_c_while_connecting(run: Callable[..., Program]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        program = run(
            """
            say("connecting")
            try:
                glusterio.connect(url)
            except KeyboardInterrupt:
                say("interrupted")
            assert threading.active_count() == 1
            """,
            f"gluster://127.0.0.1:{mute.getsockname()[1]}/vol",
            "-W",
            "error",
        )
        program.hears("connecting")
        accepted, _ = mute.accept()
        accepted.recv(1)  # it has asked
        program.interrupt()
        program.hears("interrupted")
        assert program.ends() == ""
        accepted.close()
