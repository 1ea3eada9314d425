"""The columns of the tables: each driver, and asyncio's on either event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

import pytest

from tests.api.drivers import DRIVERS, Aio, Driver


class Uvloop(Aio):
    """glusterio.aio.connect, on uvloop's event loop."""

    name = "uvloop"

    @staticmethod
    def new_loop() -> asyncio.AbstractEventLoop:
        import uvloop

        made: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return made


COLUMNS: Final[dict[str, Callable[[], Driver]]] = {**DRIVERS, "uvloop": Uvloop}


def need(column: str) -> None:
    """Skip where a column cannot be run; where nothing may be missing (see interop), fail.

    uvloop's first loop in a process opens a pipe for all of them, which stays: it has been opened then.
    """
    if column != "uvloop":
        return
    try:
        Uvloop.new_loop().close()
    except ModuleNotFoundError:
        reason = "uvloop is not installed (pip install uvloop)"
        if os.environ.get("GLUSTERIO_REQUIRE_INTEROP") == "1":
            pytest.fail(f"its column may not be left out here: {reason}")
        pytest.skip(f"its column is left out: {reason}")
