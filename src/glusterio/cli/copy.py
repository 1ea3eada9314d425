"""``glusterio cp``: files and trees, between a volume and this machine or another volume.

Where things go is as with ``cp``: into the target if that is a directory, else the target is the new
name. A source without a last name (``.``, or a volume's root) means what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console

from glusterio.cli import output
from glusterio.cli.attributes import TYPES
from glusterio.cli.errors import CommandError, trying_to
from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.placement import Placement, place_each, refuse, there
from glusterio.cli.progress import Bar
from glusterio.cli.sides import Side
from glusterio.cli.transfer import Manner, Tally, Transfer, part_of
from glusterio.cli.trees import Item, survey
from glusterio.cli.units import duration, number, rate, size
from glusterio.cli.volumes import Complaints, Volumes


@dataclass(frozen=True)
class Options:
    """What ``cp`` was told.

    Attributes:
        recursive: also directories.
        verbose: tell of each file.
        manner: how to copy.
    """

    recursive: bool = False
    verbose: bool = False
    manner: Manner = field(default_factory=Manner)


async def copy(placement: Placement, options: Options) -> None:
    """Copy each source to, or into, the target.

    Raises:
        CommandError: it could not be done.
        PartlyFailedError: some of it could not be done; the lines have been printed.
    """
    complaints = Complaints()
    async with Volumes() as volumes:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        tallies: list[Tally] = []
        with Bar(console, "copying") as bar:

            async def work(source: Side, origin: Location, side: Side, new: Location) -> None:
                one = Copy(source, origin, side, new, options, complaints, bar)
                tallies.append(one.transfer.tally)
                await one.run()

            await place_each(placement, work, "copy", complaints, volumes)
        _sum_up(tallies, bar, options, console)
    complaints.check()


def _sum_up(tallies: list[Tally], bar: Bar, options: Options, console: Console) -> None:
    files, total, skipped = (
        sum(getattr(tally, what) for tally in tallies) for what in ("files", "size", "skipped")
    )
    if output.as_json:
        found: dict[str, object] = {"dry_run": True} if options.manner.dry_run else {}
        names = ("files", "directories", "links", "skipped", "resumed", "verified")
        found.update({name: sum(getattr(tally, name) for tally in tallies) for name in names})
        tell({**found, "bytes": total, "seconds": round(bar.seconds, 6)})
    elif console.is_terminal and not options.manner.dry_run:
        console.print(
            f"{number(files, 'file')}, {size(total)} in {duration(bar.seconds)} "
            f"({rate(total, bar.seconds)})"
            + (f", {number(skipped)} complete before" if skipped else "")
        )


class Copy:
    """One source, copied to one place.

    Attributes:
        transfer: the transfer.
        complaints: how many things could not be copied.
    """

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
        self.failures = 0
        self.transfer = Transfer(
            source,
            target,
            complain=self._complain,
            manner=options.manner,
            progress=bar,
            done=self._done,
        )

    async def run(self) -> list[Item]:
        """Copy it, and return what was there to be copied: parents first."""
        origin, options = self._origin, self._options
        with trying_to("copy", origin.text):
            follow = not options.recursive or not origin.name or origin.path.endswith("/")
            item = Item("", await self._source.stat(origin.path, follow=follow))
            if item.is_directory and not options.recursive:
                raise CommandError(
                    f"cannot copy {origin.text!r}: it is a directory (-r copies those)", origin.text
                )
            old = await there(self._target, self._new)
            refuse("copy", self._source, origin, item, self._target, self._new, old)
            if not item.is_directory:
                await self.transfer.file(item, origin.path, self._new.path)
                return [item]
            items = [item, *await survey(self._source, origin.path, complain=self._complain)]
            await self._tree(items, is_new=old is None)
            return items

    async def _tree(self, items: list[Item], is_new: bool) -> None:
        origin, new = self._origin.path, self._new.path.rstrip("/")
        manner = self._options.manner
        if manner.resume and is_new and not manner.dry_run:
            await self.transfer.tree(items, origin, part_of(new))
            await self._target.rename(part_of(new), new)
        else:
            await self.transfer.tree(items, origin, new or self._new.path)

    def _complain(self, path: str, error: Exception) -> None:
        self.failures += 1
        self._complaints("copy", self._origin.join(path).text, error)

    def _done(self, item: Item) -> None:
        if not (self._options.verbose or self._options.manner.dry_run):
            return
        origin, new = (place.join(item.path).text for place in (self._origin, self._new))
        kind = TYPES[item.stat.st_mode & 0o170000][0]
        tell(
            {"path": origin, "to": new, "type": kind, "size": item.stat.st_size},
            f"{shown(origin)} -> {shown(new)}",
        )
