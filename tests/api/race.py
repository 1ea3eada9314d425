"""Threads, or tasks, that open files while another closes the session: one round of it."""

from __future__ import annotations

import os
from typing import Any

from glusterio import SessionClosedError
from tests.api.drivers import PATIENCE, Driver
from tests.api.watch import Watch

ROUNDS = 50
OPENERS = 4


def open_for_ever(vol: Any, name: str, kept: list[Any]) -> None:
    number = 0
    while True:
        number += 1
        kept.append(vol.open_handle(f"/race/{name}-{number % 5}", os.O_RDWR | os.O_CREAT))


async def open_for_ever_async(vol: Any, name: str, kept: list[Any]) -> None:
    number = 0
    while True:
        number += 1
        kept.append(await vol.open_handle(f"/race/{name}-{number % 5}", os.O_RDWR | os.O_CREAT))


def race(driver: Driver, url: str, number: int) -> int:
    """One round; returns how many files were open when the session ended."""
    watch = Watch()
    vol = driver.connect(url, trace=watch)
    if not driver.do(vol.exists, "/race"):
        driver.do(vol.mkdir, "/race")
    kept: list[Any] = []
    function = open_for_ever if driver.name == "threads" else open_for_ever_async
    openers = [driver.start(function, vol, str(n), kept) for n in range(OPENERS)]
    # The close comes in the middle of it, each round a bit later. A round in three cancels.
    watch.wait("SEND", 5 + number)
    report = driver.do(vol.close, grace=0.0 if number % 3 == 0 else 2.0)
    for opener in openers:
        assert isinstance(opener.exception(PATIENCE), SessionClosedError)
    assert not report.errors
    assert not report.defects
    assert all(file.closed for file in kept)
    assert watch.count("RELEASED") == watch.count("OPENED") + watch.count("LATE")
    driver._volumes.clear()  # type: ignore[attr-defined]
    return report.handles_drained
