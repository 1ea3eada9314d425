"""``glusterio cp``: files and trees, between a volume and this machine or another volume.

Where things go is as with ``cp``: into the target if that is a directory, else the target is the new
name. A source without a last name (``.``, or a volume's root) means what is in it.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from rich.console import Console

from glusterio.cli.errors import CommandError, trying_to
from glusterio.cli.locations import Location, parse
from glusterio.cli.progress import Bar
from glusterio.cli.sides import Side
from glusterio.cli.transfer import Transfer
from glusterio.cli.trees import Item, survey
from glusterio.cli.units import duration, number, rate, size
from glusterio.cli.volumes import Complaints, Volumes


@dataclass(frozen=True)
class Options:
    """What ``cp`` was told."""

    recursive: bool = False
    preserve: bool = False


async def copy(sources: list[str], target: str, options: Options) -> None:
    """Copy each source to, or into, the target.

    Raises:
        CommandError: it could not be done.
        PartlyFailedError: some of it could not be done; the lines have been printed.
    """
    places = [parse(source) for source in sources]
    destination = parse(target)
    if not destination.volume and not all(place.volume for place in places):
        raise CommandError(
            f"neither {next(p.text for p in places if not p.volume)!r} nor {target!r} is on a volume"
        )
    complaints = Complaints()
    async with Volumes() as volumes:
        side = await volumes.side(destination)
        into = await _is_directory(side, destination)
        if len(places) > 1 and not into:
            raise CommandError(f"{target!r} is not a directory")
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        with Bar(console, "copying") as bar:
            tallies = []
            for place in places:
                new = destination.join(place.name) if into and place.name else destination
                one = _Copy(await volumes.side(place), place, side, new, options, complaints, bar)
                try:
                    tallies.append((await one.run()).tally)
                except CommandError as error:
                    if len(places) == 1:
                        raise
                    complaints.add(error)
        if console.is_terminal:
            files = sum(tally.files for tally in tallies)
            total = sum(tally.size for tally in tallies)
            console.print(
                f"{number(files, 'file')}, {size(total)} in {duration(bar.seconds)} "
                f"({rate(total, bar.seconds)})"
            )
    complaints.check()


async def _is_directory(side: Side, place: Location) -> bool:
    try:
        return Item("", await side.stat(place.path, follow=True)).is_directory
    except (FileNotFoundError, NotADirectoryError):
        if place.path.endswith("/"):
            raise CommandError(f"{place.text!r} is not a directory") from None
        return False


class _Copy:
    """One source, copied to one place."""

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

    async def run(self) -> Transfer:
        origin, options = self._origin, self._options
        with trying_to("copy", origin.text):
            follow = not options.recursive or not origin.name or origin.path.endswith("/")
            item = Item("", await self._source.stat(origin.path, follow=follow))
            await self._check(item)
            transfer = Transfer(
                self._source,
                self._target,
                complain=self._complain,
                preserve=options.preserve,
                progress=self._bar,
            )
            if item.is_directory:
                items = await survey(self._source, origin.path, complain=self._complain)
                await transfer.tree([item, *items], origin.path, self._new.path)
            else:
                await transfer.file(item, origin.path, self._new.path)
        return transfer

    def _complain(self, path: str, error: Exception) -> None:
        self._complaints("copy", self._origin.join(path).text, error)

    async def _check(self, item: Item) -> None:
        """Refuse what would go wrong, or go on for ever."""
        origin, new = self._origin, self._new
        if item.is_directory and not self._options.recursive:
            raise CommandError(f"cannot copy {origin.text!r}: it is a directory (-r copies those)")
        try:
            there = Item("", await self._target.stat(new.path, follow=True))
        except FileNotFoundError:
            there = None
        if there is not None:
            if there.is_directory and not item.is_directory:
                raise CommandError(f"cannot copy {origin.text!r}: {new.text!r} is a directory")
            if item.is_directory and not there.is_directory:
                raise CommandError(f"cannot copy {origin.text!r}: {new.text!r} is not a directory")
        if self._source.place != self._target.place:
            return
        old, path = (posixpath.normpath("/" + p.path) for p in (origin, new))
        if there is not None and not item.is_directory and _same(there, item):
            raise CommandError(f"cannot copy {origin.text!r}: {new.text!r} is the same file")
        if item.is_directory and (path + "/").startswith(old.rstrip("/") + "/"):
            raise CommandError(f"cannot copy {origin.text!r} into itself")


def _same(one: Item, other: Item) -> bool:
    return one.stat.st_ino == other.stat.st_ino
