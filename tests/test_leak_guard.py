"""The leak guard of ``conftest.py`` on trial: each kind of leak fails the test at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

GUARD = (Path(__file__).parent / "conftest.py").read_text()


@pytest.fixture
def guarded(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty directory where the guard is in force and, as here, warnings are errors."""
    pytester.makeconftest(GUARD.replace("GRACE = 1.0", "GRACE = 0.05"))
    pytester.makeini("[pytest]\nfilterwarnings = error\nmarkers = interop: x\n")
    return pytester


def run(guarded: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run tests in a process of their own: what they leak shall not be ours."""
    guarded.makepyfile(test_it=source)
    return guarded.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


LEAKS = {
    "thread": (
        """
        import threading

        never = threading.Event()

        def test_leaks():
            threading.Thread(target=never.wait, name="stray", daemon=True).start()

        def test_innocent():
            pass
        """,
        ["*thread 'stray'*"],
    ),
    "socket": (
        """
        import socket

        kept = []

        def test_leaks():
            kept.append(socket.socket())

        def test_innocent():
            pass
        """,
        ["*fd * -> socket:*"],
    ),
    "raw descriptor": (
        """
        import os

        def test_leaks():
            os.eventfd(0)
            os.pipe()
            os.open("/etc/passwd", os.O_RDONLY)

        def test_innocent():
            pass
        """,
        ["*fd * -> /etc/passwd", "*fd * -> pipe:*", "*fd * -> anon_inode:*eventfd*"],
    ),
    "task": (
        """
        import asyncio

        kept = []

        def test_leaks():
            loop = asyncio.new_event_loop()
            kept.append(loop.create_task(asyncio.sleep(3600), name="stray"))
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        def test_innocent():
            pass
        """,
        ["*pending task <Task pending name='stray'*"],
    ),
    "task that nobody holds": (
        """
        import asyncio, gc

        def test_leaks():
            loop = asyncio.new_event_loop()
            loop.create_task(asyncio.sleep(3600), name="stray")
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            del loop
            gc.collect()

        def test_innocent():
            pass
        """,
        ["*asyncio: Task was destroyed but it is pending*"],
    ),
    "child process": (
        """
        import subprocess

        kept = []

        def test_leaks():
            kept.append(subprocess.Popen(["sleep", "3600"]))

        def test_innocent():
            pass
        """,
        ["*child process * (sleep 3600)*"],
    ),
    "zombie": (
        """
        import os

        def test_leaks():
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

        def test_innocent():
            pass
        """,
        ["*child process * (a zombie*"],
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_fails_the_test_that_leaked(guarded: pytest.Pytester, kind: str) -> None:
    source, lines = LEAKS[kind]
    result = run(guarded, source)
    # The body passed; the fixture's end is where the leak is seen, and it is an error of that test.
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_leaks*"])
    for line in lines:
        result.stdout.fnmatch_lines([line])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_unclosed_file_is_an_error(guarded: pytest.Pytester) -> None:
    result = run(
        guarded,
        """
        def test_leaks():
            open("/etc/passwd")
        """,
    )
    result.stdout.fnmatch_lines(["*ResourceWarning: unclosed file*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_exception_in_a_thread_is_an_error(guarded: pytest.Pytester) -> None:
    result = run(
        guarded,
        """
        import threading

        def test_dies():
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
        """,
    )
    result.stdout.fnmatch_lines(["*PytestUnhandledThreadExceptionWarning*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_what_is_cleaned_up_is_no_leak(guarded: pytest.Pytester) -> None:
    result = run(
        guarded,
        """
        import asyncio, socket, subprocess, threading
        import pytest

        @pytest.fixture(scope="session")
        def wide():
            with socket.socket() as s:
                yield s

        @pytest.fixture
        def narrow():
            with socket.socket() as s:
                yield s

        def test_wider_and_narrower_fixtures(narrow, wide):
            pass

        def test_threads_and_children():
            thread = threading.Thread(target=lambda: None)
            thread.start()
            thread.join()
            subprocess.run(["true"], check=True)

        def test_asyncio():
            async def main():
                task = asyncio.create_task(asyncio.sleep(3600))
                await asyncio.to_thread(lambda: None)
                child = await asyncio.create_subprocess_exec("true")
                await child.wait()
                task.cancel()

            asyncio.run(main())

        def test_a_cycle_is_collected():
            class Node:
                def __init__(self):
                    self.me = self
                    self.pair = socket.socketpair()
                def __del__(self):
                    for end in self.pair:
                        end.close()
            Node()
        """,
    )
    result.assert_outcomes(passed=4)


INTEROP = """
    import pytest

    @pytest.mark.interop
    def test_real():
        pytest.skip("no brick here")

    def test_other():
        pytest.skip("some other reason")
"""


@pytest.mark.parametrize("required", ["0", "1"])
def test_an_interop_skip_fails_where_a_real_brick_must_be(
    guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, required: str
) -> None:
    monkeypatch.setenv("GLUSTERIO_REQUIRE_INTEROP", required)
    result = run(guarded, INTEROP)
    if required == "1":
        result.assert_outcomes(failed=1, skipped=1)
        result.stdout.fnmatch_lines(["*may not be skipped here; it was:*no brick here*"])
    else:
        result.assert_outcomes(skipped=2)
