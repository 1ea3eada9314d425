"""What the tests of deferred writes share."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from typing import Any

from glusterio.wire.programs import Fop
from tests.api.drivers import Driver
from tests.api.tap import Tap
from tests.embedded import BrickProcess

ON: dict[str, str] = {"performance.write-behind": "on"}
CREATING = os.O_RDWR | os.O_CREAT | os.O_TRUNC


def connect(driver: Driver, url: str, **options: str) -> Any:
    """Connect with write-behind; further options by name, underscores for dots and dashes."""
    named = {f"performance.{name.replace('_', '-')}": value for name, value in options.items()}
    return driver.connect(url, options={**ON, **named})


def made(driver: Driver, vol: Any, path: str, flags: int = CREATING) -> Any:
    """Open a file."""
    return driver.do(vol.open_handle, path, flags)


def round_trip(driver: Driver, vol: Any) -> None:
    """Ask the brick for something, so that what was sent before would have been seen."""
    driver.do(vol.statvfs, "/")


def translator(vol: Any) -> Any:
    """The session's write-behind."""
    (found,) = (
        xlator
        for xlator in vol._session.core.graph.xlators
        if xlator.xlator_type == "performance/write-behind"
    )
    return found


@contextlib.contextmanager
def held(tap: Tap, *fops: Fop) -> Iterator[None]:
    """Keep the answers to WRITE, or to other fops, back."""
    tap.hold(*(fops or (Fop.WRITE,)))
    try:
        yield
    finally:
        tap.let_go()


@contextlib.contextmanager
def no_file_beyond(brick: BrickProcess, size: int) -> Iterator[None]:
    """Have a brick's file system refuse, with EFBIG, to let files grow beyond a size."""
    before = resource.prlimit(brick.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(brick.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(brick.pid, resource.RLIMIT_FSIZE, before)
