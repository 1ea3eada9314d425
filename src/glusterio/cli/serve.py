"""``glusterio serve``: the embedded brick as a command."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from glusterio.brick.__main__ import raise_descriptor_limit
from glusterio.brick.main import Brick
from glusterio.cli import output
from glusterio.cli.errors import trying_to
from glusterio.cli.output import tell


def serve(
    directory: str, volume: str | None, host: str, port: int, with_standard_input: bool
) -> None:
    """Serve a directory until a signal tells to stop, or the standard input ends.

    The first line of the standard output says ``serving URL``, once clients can connect.
    """
    logging.basicConfig(level=logging.WARNING, format="glusterio: %(name)s: %(message)s")
    raise_descriptor_limit()
    with trying_to("serve", directory):
        if not os.path.isdir(directory):
            os.listdir(directory)  # says why
        brick = Brick(directory, volume, host=host, port=port)
        asyncio.run(_serve(brick, with_standard_input))


async def _serve(brick: Brick, with_standard_input: bool) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    async with brick:
        tell({"url": brick.url, "directory": str(brick.directory)}, f"serving {brick.url}")
        if sys.stdout.isatty() and not output.as_json:
            print(f"{brick.directory} is a volume until Ctrl-C.")
        sys.stdout.flush()
        if with_standard_input:
            loop.add_reader(sys.stdin.fileno(), _watch, told)
        await told.wait()
        if with_standard_input:
            loop.remove_reader(sys.stdin.fileno())


def _watch(told: asyncio.Event) -> None:
    """The standard input has something to say: only its end means anything."""
    with contextlib.suppress(BlockingIOError):
        if not os.read(sys.stdin.fileno(), 4096):
            told.set()
