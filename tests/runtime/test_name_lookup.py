"""A resolver that does not answer keeps nobody from anything but from connecting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from glusterio.brick.volfiles import client_volfile
from glusterio.errors import ConnectionLostError
from tests.api.away import CREATING, lost, until
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.faulty import FaultyProxy

NAME = "slow.test"


class Resolver:
    """Stands for the system's: it knows one name, and may be silent about it."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = 0
        self._ask = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *args: Any, **how: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != NAME or how.get("flags", 0) & socket.AI_NUMERICHOST:
            return self._ask(host, *args, **how)
        self.asked += 1
        if not self.may_answer.wait(20.0):
            raise socket.gaierror(socket.EAI_AGAIN, "nobody has answered")
        return self._ask("127.0.0.1", *args, **how)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.may_answer.set()
    for thread in threading.enumerate():
        if thread.name == "glusterio-lookup":
            thread.join(5.0)


@pytest.fixture
def proxy(brick: BrickProcess) -> Iterator[FaultyProxy]:
    with FaultyProxy(("127.0.0.1", brick.brick_port)) as made:
        yield made


@pytest.fixture
def url(tmp_path: Path, brick: BrickProcess, proxy: FaultyProxy) -> str:
    volfile = tmp_path / "client.vol"
    volfile.write_text(client_volfile("vol", NAME, str(brick.directory), port=proxy.port))
    return f"volfile://{volfile}"


def test_a_connect_ends_in_time(driver: Driver, resolver: Resolver, url: str) -> None:
    resolver.may_answer.clear()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        driver.connect(url, timeout=0.2)
    assert time.monotonic() - began < 2.0
    assert resolver.asked == 1


def test_it_answers_in_time(driver: Driver, resolver: Resolver, url: str) -> None:
    resolver.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(driver.connect, url)
        until(lambda: resolver.asked == 1)
        resolver.may_answer.set()
        vol = connecting.result(10.0)
    assert driver.do(vol.stat, "/")
    assert driver.do(vol.close).graceful


def test_it_is_silent_when_the_connection_is_lost(
    driver: Driver, resolver: Resolver, proxy: FaultyProxy, url: str
) -> None:
    """Calls end with their patience, and what was open is there when there is an answer."""
    vol = driver.connect(url, patience=0.2)
    file = driver.do(vol.open_handle, "/file", CREATING)
    resolver.may_answer.clear()
    proxy.cut()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(ConnectionLostError):
            driver.do(file.fstat)
        assert time.monotonic() - began < 2.0
    resolver.may_answer.set()
    until(lambda: not lost(vol))
    assert driver.do(file.pwrite, b"here", 0) == 4
    driver.do(file.close)
    assert driver.do(vol.close).graceful


def test_it_is_silent_when_the_session_is_closed(
    driver: Driver, resolver: Resolver, proxy: FaultyProxy, url: str
) -> None:
    vol = driver.connect(url)
    file = driver.do(vol.open_handle, "/file", CREATING)
    asked = resolver.asked
    resolver.may_answer.clear()
    proxy.cut()
    until(lambda: resolver.asked > asked)
    began = time.monotonic()
    driver.do(vol.close, timeout=0.5, grace=0.1)
    assert time.monotonic() - began < 2.5
    assert file.closed
