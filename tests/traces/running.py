"""What a scenario of the corpus has around it: a driver, a brick behind a proxy, and recorders."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glusterio.brick.volfiles import client_volfile
from glusterio.lifecycle.trace import TraceRecord
from tests.api.drivers import Driver
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess

CREATING = os.O_RDWR | os.O_CREAT


class Recorder(Watch):
    """Keeps the records of one session; in a child process it goes on with the parent's."""

    def in_child(self, record: TraceRecord) -> None:
        self.records.append(record)  # whoever held the lock does not exist here


@dataclass
class Run:
    """One scenario's surroundings.

    Attributes:
        driver: threads or asyncio.
        brick: the brick.
        tap: the proxy before it.
        place: a directory for volfiles and for what a child process writes.
        sessions: what was recorded, a list for each session.
    """

    driver: Driver
    brick: BrickProcess
    tap: Tap
    place: Path
    sessions: list[Recorder] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The brick behind the proxy."""
        volfile = self.place / "through.vol"
        volfile.write_text(
            client_volfile("vol", "127.0.0.1", str(self.brick.directory), port=self.tap.port)
        )
        return f"volfile://{volfile}"

    @property
    def watch(self) -> Recorder:
        """The latest session's recorder."""
        return self.sessions[-1]

    def recorder(self) -> Recorder:
        self.sessions.append(Recorder())
        return self.watch

    def connect(self, url: str = "", **options: Any) -> Any:
        return self.driver.connect(url or self.url, trace=self.recorder(), **options)

    def do(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return self.driver.do(function, *args, **options)

    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        return self.driver.start(function, *args, **options)

    def held(self, count: int = 1) -> None:
        self.tap.wait_for(lambda: len(self.tap.kept) >= count)

    def files(self, vol: Any, *names: str) -> list[Any]:
        return [self.do(vol.open_handle, f"/{name}", CREATING) for name in names]


Scenario = Callable[[Run], None]

BOTH = ("threads", "asyncio")
SCENARIOS: dict[str, tuple[Scenario, tuple[str, ...]]] = {}


def on(*drivers: str) -> Callable[[Scenario], Scenario]:
    """A scenario for these drivers."""

    def add(scenario: Scenario) -> Scenario:
        SCENARIOS[scenario.__name__] = scenario, drivers
        return scenario

    return add
