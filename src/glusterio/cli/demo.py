"""``glusterio demo``: the main job, from a tree of files to a session that ends in the middle of all.

The exit code is 0 only if everything was as it should be, and the last line says what the brick holds
when all is over: ``brick holds 0 fds, 0 locks``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from rich.console import Console

from glusterio import TeardownReport
from glusterio.cli import demo_storm
from glusterio.cli.brick_counts import Held, held
from glusterio.cli.demo_place import DemoPlace, GivenVolume, OwnBrick
from glusterio.cli.demo_storm import Storm, StormStep
from glusterio.cli.demo_tree import TreeStep
from glusterio.cli.errors import PartlyFailedError, reason
from glusterio.cli.interrupts import run
from glusterio.cli.output import console, tell_error
from glusterio.cli.tasks import each
from glusterio.cli.trees import below, is_fatal
from glusterio.cli.units import duration, number
from glusterio.cli.volumes import connect

#: How long the brick may take to let go of what was released, in seconds. A GlusterFS brick answers
#: the release first and lets go then.
LETTING_GO = 5.0

FILES_AT_ONCE = 32


def demo(source: str, url: str | None) -> None:
    """Run it.

    Args:
        source: the directory to copy.
        url: a volume, or ``None`` for an embedded brick of its own.
    """
    _Demo(source, url).run()


class _Demo:
    def __init__(self, source: str, url: str | None) -> None:
        self._source = source
        self._url = url
        self._console: Console = console()
        self._failures: list[str] = []
        self._made: list[str] = []

    def run(self) -> None:
        started = time.monotonic()
        place = GivenVolume(self._url) if self._url else OwnBrick()
        with place:
            self._say("volume", place.description)
            try:
                self._tree(place)
                after = self._storm(place)
            except Exception:
                self._tell_failures()
                raise
        self._head("The end")
        self._say("clean-up", place.farewell)
        self._say("time", duration(time.monotonic() - started))
        if after != Held(0, 0):
            self._failures.append("the brick still holds something")
        self._tell_failures()
        good = not self._failures
        self._console.print(str(after), style="bold green" if good else "bold red", markup=False)
        if not good:
            raise PartlyFailedError

    # -- the steps --------------------------------------------------------------------------------

    def _tree(self, place: DemoPlace) -> None:
        self._head(f"A tree of files: {self._source}")
        tree = TreeStep(
            self._console, self._say, self._source, place.url, below(place.root, "tree")
        )
        run(tree.run())
        self._made += tree.paths
        self._failures += tree.failures

    def _storm(self, place: DemoPlace) -> Held:
        self._head("A session that is closed in the middle of everything")
        started = time.monotonic()
        with StormStep(place.url, below(place.root, "storm")) as storm:
            storm.open_handles()
            self._say(
                "left open",
                f"{number(demo_storm.HANDLES, 'handle')} from {demo_storm.HOLDERS} threads, in "
                f"{duration(time.monotonic() - started)}; {demo_storm.BUFFERED} of them with a line"
                " in Python's buffer only",
            )
            self._made += storm.paths
            before = run(_ask(place.url, self._made))
            self._say("before", f"{before}, it says to another session")
            if before.fds < demo_storm.HANDLES:
                self._failures.append(f"the brick did not see the open handles: {before}")
            result = storm.close_in_the_middle()
        self._tell(result)
        self._failures += result.failures
        after = run(_ask_until_nothing(place.url, self._made))
        self._say("after", f"{after}")
        lost = run(_lost(place.url, result))
        self._say(
            "kept",
            "every acknowledged byte, read back through a new session"
            if not lost
            else f"{len(lost)} files have lost acknowledged bytes",
        )
        self._failures += lost
        return after

    def _tell(self, result: Storm) -> None:
        self._say(
            "close()",
            f"called while {result.openers_at_close} threads keep opening files "
            f"({result.opens_at_close:,} so far), and {result.writes_at_close} of {result.writes} "
            f"writes of {demo_storm.WRITE_SIZE // 1024} KiB are in flight",
        )
        self._report(result.report)
        self._say(
            "threads",
            f"all ended; {result.too_late} came too late (after {result.opens:,} opens), "
            "and each got SessionClosedError"
            if not any("thread" in failure for failure in result.failures)
            else "not all of them ended as they should",
        )
        self._say(
            "writes",
            f"{result.acknowledged} acknowledged, {result.refused} ended with SessionClosedError",
        )

    def _report(self, report: TeardownReport) -> None:
        graceful = "gracefully" if report.graceful else "not gracefully"
        self._say("report", f"ended in {duration(report.seconds)}, {graceful}")
        self._say("", f"handles drained  {report.handles_drained:,}")
        self._say("", f"calls settled    {report.calls_settled:,}")
        self._say("", f"calls cancelled  {len(report.calls_cancelled):,}")
        self._say("", f"errors           {len(report.errors):,}")
        for error in report.errors[:5]:
            self._say("", f"  {type(error).__name__}: {reason(error)}")
        steps = [f"{step.name} {step.seconds * 1000:.1f}" for step in report.steps]
        self._say("", "steps, in ms     " + ", ".join(steps))

    def _tell_failures(self) -> None:
        for failure in self._failures[:10]:
            tell_error(failure)
        if len(self._failures) > 10:
            tell_error(f"and {len(self._failures) - 10} failures more")

    # -- printing ---------------------------------------------------------------------------------

    def _head(self, text: str) -> None:
        self._console.print()
        self._console.print(text, style="bold", markup=False)

    def _say(self, what: str, text: str) -> None:
        self._console.print(f"   {what:11}", style="cyan", end="", markup=False)
        self._console.print(text, markup=False)


async def _ask(url: str, paths: Iterable[str]) -> Held:
    """Ask the brick, through a session that has nothing to do with the others."""
    async with await connect(url) as volume:
        return await held(volume, paths)


async def _ask_until_nothing(url: str, paths: list[str]) -> Held:
    deadline = time.monotonic() + LETTING_GO
    async with await connect(url) as volume:
        while True:
            found = await held(volume, paths)
            if found == Held(0, 0) or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.02)


async def _lost(url: str, result: Storm) -> list[str]:
    """Read everything that was acknowledged, and return what is not there."""
    lost: list[str] = []
    async with await connect(url) as volume:

        async def check(path: str) -> None:
            try:
                async with volume.open_handle(path) as file:
                    for offset, data in result.expected[path]:
                        if await file.pread(len(data), offset) != data:
                            lost.append(f"{path!r} has lost acknowledged bytes at {offset}")
            except OSError as error:
                if is_fatal(error):
                    raise
                lost.append(f"{path!r} cannot be read: {error}")

        await each(list(result.expected), check, FILES_AT_ONCE)
    return lost
