"""A session follows its volume: when the daemon says that it has changed, the graph switches."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from glusterio.brick.daemon import Daemon
from glusterio.brick.volume import Volume
from tests.api.away import CREATING, until
from tests.api.faces import FACES, connect_face
from tests.api.tap import Tap

PATIENCE = 20.0

#: What makes another graph of a volume, and what is an option of a translator that is there.
ANOTHER_GRAPH = {"performance.write-behind": "off"}
ANOTHER_OPTION = {"performance.md-cache-timeout": "7"}


class Served:
    """A management daemon with one volume, on a loop of its own, behind two taps."""

    def __init__(self, directory: Path) -> None:
        self._up = threading.Event()
        self._down: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._daemon: Daemon
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(directory)))
        self._thread.start()
        assert self._up.wait(PATIENCE)
        self.taps = [Tap(("127.0.0.1", self._daemon.port)) for _ in range(2)]
        for tap in self.taps:
            tap.start()
        self.url = "gluster://" + ",".join(f"127.0.0.1:{tap.port}" for tap in self.taps) + "/vol"

    async def _serve(self, directory: Path) -> None:
        self._loop, self._down = asyncio.get_running_loop(), asyncio.Event()
        # Its thread is there before the first test, and no other comes.
        self._loop.set_default_executor(ThreadPoolExecutor(1, "daemon"))
        await self._loop.run_in_executor(None, int)
        async with Daemon([Volume(directory, "vol")], port=0) as self._daemon:
            self._up.set()
            await self._down.wait()

    def set(self, options: dict[str, str]) -> None:
        """Change the volume's options."""
        self._run(self._daemon.change_options("vol", options))

    def reset(self) -> None:
        """Have them as they were."""
        for options in (ANOTHER_GRAPH, ANOTHER_OPTION):
            self._run(self._daemon.change_options("vol", dict.fromkeys(options)))

    def _run(self, coro: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coro, self._loop).result(PATIENCE)

    def finish(self) -> None:
        for tap in self.taps:
            tap.stop()
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join(PATIENCE)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        yield served
    finally:
        served.finish()


@pytest.fixture
def served(daemon: Served) -> Iterator[Served]:
    yield daemon
    for tap in daemon.taps:
        tap.heal()
    daemon.reset()


def comes(volume: Any, condition: Callable[[Any], bool]) -> None:
    """Wait for the session to be so; it is used meanwhile, and an asyncio session's loop runs."""

    def looked() -> bool:
        volume.stat("/")
        return condition(volume._session.core)

    until(looked)


def graph(number: int) -> Callable[[Any], bool]:
    """In use, and alone."""
    return lambda core: core.graph.generation == number and len(core.graphs) == 1


@pytest.mark.parametrize("face", FACES)
def test_another_graph_is_gone_over_to(served: Served, face: str) -> None:
    with connect_face(face, served.url) as volume:
        with volume.open_handle(f"/{face}", CREATING) as file:
            file.pwrite(b"before", 0)
            served.set(ANOTHER_GRAPH)
            comes(volume, graph(2))
            assert file.pread(6, 0) == b"before"
            file.pwrite(b"after", 6)
            served.reset()
            comes(volume, graph(3))
            assert file.pread(11, 0) == b"beforeafter"
        report = volume.close()
    assert report.graceful
    assert report.handles == []


@pytest.mark.parametrize("face", FACES)
def test_options_are_taken_by_the_translators_that_are_there(served: Served, face: str) -> None:
    with connect_face(face, served.url) as volume:
        before = volume._session.core.volfile
        served.set(ANOTHER_OPTION)
        comes(volume, lambda core: core.volfile != before)
        assert volume._session.core.graph.generation == 1
        md_cache = next(
            each for each in volume._session.core.graph.xlators if each.name.endswith("md-cache")
        )
        assert md_cache.options["md-cache-timeout"] == "7"


@pytest.mark.parametrize("face", FACES)
def test_the_next_daemon_is_followed_when_one_is_lost(served: Served, face: str) -> None:
    first, second = served.taps
    with connect_face(face, served.url) as volume:
        first.refuse()
        first.cut()
        comes(volume, lambda core: core.management.server.address[1] == second.port)
        served.set(ANOTHER_GRAPH)
        comes(volume, graph(2))
        assert volume.close().graceful


@pytest.mark.parametrize("face", FACES)
def test_what_changed_while_no_daemon_was_there_is_seen_afterwards(
    served: Served, face: str
) -> None:
    with connect_face(face, served.url) as volume:
        management = volume._session.core.management
        with volume.open_handle(f"/{face}", CREATING):  # so that somebody keeps house
            for tap in served.taps:
                tap.refuse()
                tap.cut()
            comes(volume, lambda core: management.server.connection.lost is not None)
            served.set(ANOTHER_GRAPH)
            for tap in served.taps:
                tap.heal()
            comes(volume, graph(2))


@pytest.mark.parametrize("face", FACES)
def test_a_session_ends_though_it_looks_for_a_daemon(served: Served, face: str) -> None:
    with connect_face(face, served.url) as volume:
        for tap in served.taps:
            tap.refuse()
            tap.cut()
        comes(volume, lambda core: core.management.server.connection.lost is not None)
        report = volume.close()
    assert report.graceful
    assert report.seconds < 1.0


@pytest.mark.parametrize("face", FACES)
def test_who_does_not_want_to_follow_does_not(served: Served, face: str) -> None:
    with connect_face(face, served.url, follow=False) as volume:
        assert volume._session.core.management.server is None
        served.set(ANOTHER_GRAPH)
        volume.stat("/")
        assert volume._session.core.graph.generation == 1
        assert volume.reload().generation == 2


def test_a_fork_leaves_the_connection_to_its_parent(served: Served) -> None:
    with connect_face("threads", served.url) as volume:
        child = os.fork()
        if not child:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        served.set(ANOTHER_GRAPH)
        comes(volume, graph(2))


def test_who_reads_waits_in_recv_for_the_brick_alone(served: Served) -> None:
    """The daemon's connection is quiet: else each read would cost a system call more."""

    def is_alone(core: Any) -> bool:
        sole = core.driver._sole
        return sole is not None and sole.connection.name.startswith("brick")

    with connect_face("threads", served.url) as volume:
        core = volume._session.core
        assert is_alone(core)
        before = core.management.server.connection
        for tap in served.taps:
            tap.cut()
        comes(volume, lambda core: core.management.server.connection is not before)
        comes(volume, is_alone)
