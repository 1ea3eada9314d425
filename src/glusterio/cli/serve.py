"""``glusterio serve``: volumes and their management daemon as a command."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from glusterio.brick.control_socket import make_runtime_directory
from glusterio.brick.daemon import Daemon
from glusterio.brick.descriptors import limits_within, raise_descriptor_limit
from glusterio.brick.limits import Limits
from glusterio.brick.statedump import as_text
from glusterio.brick.volume import Volume
from glusterio.cli import output
from glusterio.cli.errors import FAILED, CommandError, complain, reason, trying_to
from glusterio.cli.output import tell
from glusterio.traps import Tls


@dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        host: the address to listen on.
        port: the management port; 0 for any.
        brick_ports: the bricks' ports, of the first directories; any for the others.
        control: where to take orders; ``None`` for where ``glusterio volume`` looks.
        statedump_dir: where statedumps go; ``None`` for the run-time directory.
        with_standard_input: whether to end when the standard input does.
        tls: what the management port's clients are secured with; ``None`` for in the clear.
        limits: what clients may ask for, where that is not the usual: ``NAME=VALUE`` each.
    """

    host: str
    port: int
    brick_ports: Sequence[int] = ()
    control: str | None = None
    statedump_dir: str | None = None
    with_standard_input: bool = False
    tls: Tls | None = None
    limits: Sequence[str] = ()


def serve(directories: Sequence[str], names: Sequence[str], options: Options) -> None:
    """Serve directories until a signal tells to stop, or the standard input ends.

    For each a line of the standard output says ``serving URL``, once clients can connect.

    Args:
        directories: what to serve.
        names: the volumes' names, of the first directories; the others have their directories'.
        options: how.
    """
    logging.basicConfig(level=logging.WARNING, format="glusterio: %(name)s: %(message)s")
    limits = limits_within(raise_descriptor_limit()).changed(options.limits)
    volumes = []
    for directory, name, port in itertools.zip_longest(directories, names, options.brick_ports):
        with trying_to("serve", directory):
            if not os.path.isdir(directory):
                os.listdir(directory)  # says why
            volumes.append(
                Volume(directory, name, host=options.host, port=port or 0, limits=limits)
            )
    only = directories[0] if len(directories) == 1 else None
    with trying_to("serve", only):
        asyncio.run(_Serving(volumes, options, limits).run())


class _Serving:
    def __init__(self, volumes: Sequence[Volume], options: Options, limits: Limits) -> None:
        self._daemon = Daemon(
            volumes, host=options.host, port=options.port, limits=limits, tls=options.tls
        )
        self._options = options
        self._told = asyncio.Event()
        self._dumps = itertools.count(1)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._told.set)
        loop.add_signal_handler(signal.SIGUSR1, self._statedump)
        await self._start()
        try:
            self._take_orders()
            self._tell()
            if self._options.with_standard_input:
                loop.add_reader(sys.stdin.fileno(), self._watch)
            await self._told.wait()
            if self._options.with_standard_input:
                loop.remove_reader(sys.stdin.fileno())
        finally:
            if not await self._daemon.stop():
                # A thread that waits for a disk cannot be ended, and would be waited for.
                complain(CommandError("the end did not come in time: this process leaves at once"))
                sys.stdout.flush()
                os._exit(FAILED)

    async def _start(self) -> None:
        try:
            await self._daemon.start()
        except (OSError, ValueError) as error:
            notes = getattr(error, "__notes__", ())
            if notes and len(self._daemon.volumes) > 1:
                error.args = (*error.args[:-1], f"{error.args[-1]} ({notes[-1]})")
            raise

    def _tell(self) -> None:
        for name, volume in self._daemon.volumes.items():
            url = self._daemon.url(name)
            tell({"url": url, "directory": volume.path}, f"serving {url}")
        if sys.stdout.isatty() and not output.as_json:
            print("Volumes until Ctrl-C.")
        sys.stdout.flush()

    def _take_orders(self) -> None:
        """Listen for orders. What is served does not depend on it."""
        try:
            self._daemon.listen_for_control(self._options.control)
        except OSError as error:
            if self._options.control is not None:
                raise
            what = f"`glusterio volume` will not reach this: {reason(error)}"
            complain(CommandError(what, error.filename, error.errno))

    def _statedump(self) -> None:
        """Write down what goes on, and say where."""
        try:
            directory = self._options.statedump_dir or make_runtime_directory()
            name = f"glusterio.{os.getpid()}.{next(self._dumps)}.dump.{int(time.time())}"
            path = os.path.join(directory, name)
            text = "\n".join(as_text(self._daemon.dump(each)) for each in self._daemon.volumes)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        except OSError as error:
            complain(CommandError(f"no statedump: {reason(error)}", errno=error.errno))
        else:
            print(f"glusterio: statedump: {path}", file=sys.stderr, flush=True)

    def _watch(self) -> None:
        """The standard input has something to say: only its end means anything."""
        with contextlib.suppress(BlockingIOError):
            if not os.read(sys.stdin.fileno(), 4096):
                self._told.set()
