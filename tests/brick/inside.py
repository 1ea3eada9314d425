"""A brick in this process, on a thread of its own, so that a test can set its limits and hold it up."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from glusterio.brick.limits import Limits
from glusterio.brick.main import Brick
from glusterio.brick.server import FopProgram
from glusterio.brick.volume import THREADS
from glusterio.runtime.serve import Served
from tests.brick.raw import RawClient

T = TypeVar("T")

#: How long anything may take before the brick counts as stuck, in seconds.
PATIENCE = 20.0


class InsideBrick:
    """A running brick.

    Args:
        directory: what it serves.
        limits: what its clients may ask for.
        options: further arguments of :class:`~glusterio.brick.main.Brick`.
    """

    def __init__(self, directory: Path, limits: Limits | None = None, **options: Any) -> None:
        self.directory = directory
        self._make = lambda: Brick(directory, "vol", port=0, limits=limits, **options)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._held: threading.Event | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> InsideBrick:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self.loop.call_soon_threadsafe(self._told.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        async def main() -> None:
            self.loop = asyncio.get_running_loop()
            # One thread aside, and from the start: a second one that comes in a later test would
            # be that test's leak, where several tests share a brick.
            self.loop.set_default_executor(ThreadPoolExecutor(1, "inside"))
            await asyncio.to_thread(int)
            self._told = asyncio.Event()
            async with self._make() as self.brick:
                self._ready.set()
                await self._told.wait()

        try:
            asyncio.run(main())
        except BaseException as error:
            self._failure = error
            self._ready.set()

    @property
    def brick_port(self) -> int:
        """The brick's port."""
        return self.brick.brick_port

    @property
    def port(self) -> int:
        """The management daemon's port."""
        return self.brick.port

    # -- from the test's thread -------------------------------------------------------------------

    def ask(self, function: Callable[[], T]) -> T:
        """Call a function on the brick's own thread."""

        async def asking() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(asking(), self.loop).result(PATIENCE)

    def set_options(self, changes: dict[str, str | None]) -> None:
        """Change the volume's options, as ``glusterio volume set`` does."""
        daemon, name = self.brick.daemon, self.brick.volume
        changing = daemon.change_options(name, changes)
        asyncio.run_coroutine_threadsafe(changing, self.loop).result(PATIENCE)

    def clients(self) -> list[Served]:
        """The connections to the brick; to be asked for on the brick's own thread."""
        return list(self.brick._volume.server.clients)

    def fops(self) -> FopProgram:
        """The program of its file operations."""
        program = self.brick._volume._fops
        assert program is not None
        return program

    def dump(self) -> dict[str, Any]:
        return self.ask(lambda: self.brick.dump())

    def wait_for(self, **counts: int) -> dict[str, Any]:
        """Ask for the counts until they are these, and return them."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.dump()
            if all(found[name] == count for name, count in counts.items()):
                return found
            if time.monotonic() > deadline:
                last = {name: found[name] for name in counts}
                raise TimeoutError(f"{counts} never came; in the end it was {last}")

    def hold_up(self) -> None:
        """Let no system call that is done aside, such as fsync, begin: as on a disk that is stuck."""
        held = self._held = threading.Event()
        begun = threading.Barrier(THREADS + 1)

        def stuck() -> None:
            begun.wait(PATIENCE)
            held.wait(PATIENCE)

        for _ in range(THREADS):
            self.ask(lambda: self.loop.run_in_executor(self.brick.server.driver.threads, stuck))
        begun.wait(PATIENCE)

    def let_go(self) -> None:
        """End what :meth:`hold_up` began."""
        if self._held is not None:
            self._held.set()
            self._held = None

    def connect(self, **options: str | None) -> RawClient:
        """Return an accepted client."""
        client = RawClient(self.brick.brick_port)
        try:
            options.setdefault("process_uuid", str(uuid.uuid4()))
            assert client.setvolume(str(self.directory), **options).op_ret == 0
        except BaseException:
            client.close()
            raise
        return client
