"""``glusterio mv``: within a volume a rename, and else a copy, and then a removal.

A copy is read back and compared before anything is removed (SHA-256), and only what has been copied
is removed, if it has not changed meanwhile. Cut, it leaves the source as it is, and goes on when it is
said again (see :mod:`glusterio.cli.transfer`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from glusterio.cli.copy import Copy
from glusterio.cli.copy import Options as CopyOptions
from glusterio.cli.errors import CommandError, cannot, trying_to
from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.placement import Placement, place_each, refuse, there
from glusterio.cli.progress import Bar
from glusterio.cli.sides import Side
from glusterio.cli.tasks import each
from glusterio.cli.transfer import Manner
from glusterio.cli.trees import NAMES_AT_ONCE, Item, below, by_depth, is_fatal
from glusterio.cli.volumes import Complaints, Volumes


@dataclass(frozen=True)
class Options:
    """What ``mv`` was told.

    Attributes:
        no_clobber: leave alone what is there.
        verbose: tell of each name.
        jobs: how many files are copied at the same time.
    """

    no_clobber: bool = False
    verbose: bool = False
    jobs: int = 16


async def move(placement: Placement, options: Options) -> None:
    """Move each source to, or into, the target.

    Raises:
        CommandError: it could not be done.
        PartlyFailedError: some of it could not be done; the lines have been printed.
    """
    complaints = Complaints()
    counts = {"renamed": 0, "copied": 0, "skipped": 0}
    async with Volumes() as volumes:
        with Bar(Console(stderr=True, highlight=False, soft_wrap=True), "moving") as bar:

            async def work(source: Side, origin: Location, side: Side, new: Location) -> None:
                one = _Move(source, origin, side, new, options, complaints, bar)
                counts[await one.run()] += 1

            await place_each(placement, work, "move", complaints, volumes)
    tell(counts)
    complaints.check()


class _Move:
    """One source."""

    def __init__(
        self,
        source: Side,
        origin: Location,
        target: Side,
        new: Location,
        options: Options,
        complaints: Complaints,
        bar: Bar,
    ) -> None:
        self._source = source
        self._origin = origin
        self._target = target
        self._new = new
        self._options = options
        self._complaints = complaints
        self._bar = bar

    async def run(self) -> str:
        """Move it, and return which of the counts it belongs to."""
        source, origin, target, new = self._source, self._origin, self._target, self._new
        with trying_to("move", origin.text):
            if not origin.name:
                raise CommandError(f"cannot move {origin.text!r}: it has no name", origin.text)
            item = Item("", await source.stat(origin.path))
            old = await there(target, new, follow=False)
            if old is not None and self._options.no_clobber:
                return "skipped"
            refuse("move", source, origin, item, target, new, old)
            if source.place == target.place:
                await source.rename(origin.path, new.path)
                how = "renamed"
            else:
                await self._copy()
                how = "copied"
        if self._options.verbose:
            tell(
                {"path": origin.text, "to": new.text, "how": how},
                f"{shown(origin.text)} -> {shown(new.text)}",
            )
        return how

    async def _copy(self) -> None:
        manner = Manner(
            preserve=True, resume=True, verify=True, archive=True, jobs=self._options.jobs
        )
        copy = Copy(
            self._source,
            self._origin,
            self._target,
            self._new,
            CopyOptions(recursive=True, manner=manner),
            self._complaints,
            self._bar,
        )
        items = await copy.run()
        if copy.failures:
            text = self._origin.text
            raise CommandError(f"cannot move {text!r}: not all of it was copied; it is left", text)
        await each([i for i in items if not i.is_directory], self._remove, NAMES_AT_ONCE)
        for level in reversed(by_depth([i for i in items if i.is_directory])):
            await each(level, self._remove, NAMES_AT_ONCE)

    async def _remove(self, item: Item) -> None:
        path = below(self._origin.path.rstrip("/"), item.path)
        text = self._origin.join(item.path).text
        try:
            if item.is_directory:
                await self._source.rmdir(path)
                return
            now = await self._source.stat(path)
            if _identity(now) != _identity(item.stat):
                raise CommandError(f"{text!r} has changed since it was copied; it is left", text)
            await self._source.unlink(path)
        except CommandError as error:
            self._complaints.add(error)
        except Exception as error:
            if is_fatal(error):
                raise
            self._complaints.add(cannot("remove", text, error))


def _identity(stat: object) -> tuple[object, ...]:
    return tuple(getattr(stat, "st_" + what) for what in ("ino", "size", "mtime_ns"))
