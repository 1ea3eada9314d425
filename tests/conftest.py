"""What every test gets: the leak guard, each driver, a brick, a faulty transport; interop's rule.

The guard is the project's promise turned on its own tests: after each test no thread, file
descriptor, child process or asyncio task may be left that was not there before. It is an autouse
fixture, so it looks after the test's other function-scoped fixtures have cleaned up. What a fixture
of a wider scope holds was there before, as long as the test names that fixture as an argument (and
does not fetch it half-way with ``request.getfixturevalue``).

There is no mark to opt out.

This file imports nothing of glusterio or of the tests at its top: ``test_leak_guard.py`` runs a
copy of it in an empty directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.drivers import Driver
    from tests.embedded import BrickProcess
    from tests.faulty import FaultyProxy

pytest_plugins = ["pytester"]

#: How long something that was told to end may take to do so, in seconds. Joined threads and closed
#: descriptors are gone at once; this is for what Python itself ends without waiting, such as the
#: thread by which asyncio reaps a child process.
GRACE = 1.0

# --------------------------------------------------------------------------------- two processes


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share whole files between the processes; all that share a real GlusterFS are one's."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            together = "tests/interop/"
            return together if nodeid.startswith(together) else super()._split_scope(nodeid)

    return Scheduling(config, log)


# ---------------------------------------------------------------------------------- the leak guard

_loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()


def _register_loops() -> None:
    """Make every event loop known from its birth, so that the tasks of closed ones can be asked."""
    original = asyncio.BaseEventLoop.__init__

    def init(self: asyncio.BaseEventLoop, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _loops.add(self)

    asyncio.BaseEventLoop.__init__ = init  # type: ignore[method-assign, assignment]


_register_loops()


def _pending_tasks() -> set[asyncio.Task[Any]]:
    return {task for loop in list(_loops) for task in asyncio.all_tasks(loop)}


def _open_fds() -> dict[int, str]:
    """This process's descriptors, each with what it leads to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        # The descriptor of the listing itself is gone by now.
        with contextlib.suppress(FileNotFoundError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _children() -> dict[int, str]:
    """This process's children, zombies too, each with its command line."""
    found = {}
    for child in _child_pids():
        try:
            stat = Path(f"/proc/{child}/stat").read_text()
            # pid (comm) state ppid ...; comm may hold anything, so look from its last bracket on
            state = stat[stat.rindex(")") + 2]
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[child] = "a zombie: nobody waited for it" if state == "Z" else command.strip()
    return found


def _child_pids() -> list[int]:
    """The children of each of this process's threads, as the kernel lists them."""
    pids: list[int] = []
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended since
            pids += map(int, Path(f"/proc/self/task/{thread}/children").read_text().split())
    return pids


class _LostTasks(logging.Handler):
    """Keeps what asyncio can only log: tasks destroyed while pending, exceptions not looked at."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "Task was destroyed" in message or "was never retrieved" in message:
            self.messages.append(message)


@dataclass(frozen=True)
class _Holdings:
    """All that a test could leak, at one moment."""

    threads: frozenset[threading.Thread]
    fds: dict[int, str]
    children: dict[int, str]
    tasks: frozenset[asyncio.Task[Any]]

    @classmethod
    def now(cls) -> _Holdings:
        return cls(
            threads=frozenset(
                # A dummy stands for a thread that Python did not start, and is never removed.
                t
                for t in threading.enumerate()
                if not isinstance(t, threading._DummyThread)
            ),
            fds=_open_fds(),
            children=_children(),
            tasks=frozenset(_pending_tasks()),
        )

    def added_since(self, before: _Holdings) -> list[str]:
        """One line for each thing that is held now and was not held before."""
        lines = [f"thread {t.name!r} ({t!r})" for t in self.threads - before.threads]
        # Sockets and pipes bear their inode in the target. An eventfd or epoll does not, so count.
        surplus = Counter(self.fds.values()) - Counter(before.fds.values())
        for fd, target in sorted(self.fds.items(), reverse=True):
            if surplus[target] > 0 and target != "/dev/urandom":
                surplus[target] -= 1
                lines.append(f"fd {fd} -> {target}")
        lines += [
            f"child process {pid} ({command})"
            for pid, command in self.children.items()
            if pid not in before.children
        ]
        lines += [f"pending task {task!r}" for task in self.tasks - before.tasks]
        return lines


def _leaks_since(before: _Holdings) -> list[str]:
    """What was added, once the collector ran and what is on its way out had `GRACE` to go."""
    leaks = _Holdings.now().added_since(before)
    if not leaks:
        return []
    gc.collect()
    deadline = time.monotonic() + GRACE
    while (leaks := _Holdings.now().added_since(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return leaks


def _end_children_since(before: _Holdings) -> None:
    """Kill and reap the children that a failed test left, so that the machine stays clean."""
    for pid in _children().keys() - before.children.keys():
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Fail the test that left a thread, descriptor, child process or pending task behind."""
    lost = _LostTasks()
    asyncio_log = logging.getLogger("asyncio")
    asyncio_log.addHandler(lost)
    before = _Holdings.now()
    try:
        yield
        leaks = _leaks_since(before)
        _end_children_since(before)
    finally:
        asyncio_log.removeHandler(lost)
    leaks += [f"asyncio: {message}" for message in lost.messages]
    if leaks:
        pytest.fail("this test leaked:\n  " + "\n  ".join(leaks), pytrace=False)


# ------------------------------------------------------------------------------------- hypothesis


def pytest_configure(config: pytest.Config) -> None:
    """No deadline for an example, since a busy machine is no defect; many examples to fuzz."""
    if not config.pluginmanager.hasplugin("hypothesispytest"):
        return
    import hypothesis

    hypothesis.settings.register_profile("default", deadline=None)
    examples = int(os.environ.get("FUZZ_EXAMPLES", "0"))
    if examples:
        hypothesis.settings.register_profile("default", deadline=None, max_examples=examples)
    hypothesis.settings.load_profile("default")


# ---------------------------------------------------------------------------------------- interop


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where real GlusterFS must be (``GLUSTERIO_REQUIRE_INTEROP=1``), a skip is a failure."""
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and item.get_closest_marker("interop")
        and os.environ.get("GLUSTERIO_REQUIRE_INTEROP") == "1"
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"an interop test may not be skipped here; it was: {reason}"
    return report


# ------------------------------------------------------------------------ the drivers and the brick


@pytest.fixture(params=["asyncio", "threads"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Each driver in turn, behind the one interface of `tests.api.drivers`."""
    from tests.api.drivers import DRIVERS

    made = DRIVERS[request.param]()
    try:
        yield made
    finally:
        made.finish()


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick of this module's; its tests leave nothing open on it."""
    from tests.embedded import start_brick

    with start_brick(tmp_path_factory.mktemp("brick")) as process:
        yield process


# ---------------------------------------------------------------------------- the faulty transport


@pytest.fixture
def faulty_proxy() -> Iterator[Callable[..., FaultyProxy]]:
    """Make a started `tests.faulty.FaultyProxy`: ``faulty_proxy(("127.0.0.1", port))``.

    All that a test made are stopped when it ends; name it after the server's fixture, so that this
    is before the server ends.
    """
    from tests.faulty import FaultyProxy

    with contextlib.ExitStack() as stack:

        def make(upstream: tuple[str, int], **options: Any) -> FaultyProxy:
            return stack.enter_context(FaultyProxy(upstream, **options))

        yield make
