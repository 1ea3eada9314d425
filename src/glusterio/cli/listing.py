"""``glusterio ls``: what is in directories."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat as stat_module
import sys
import time
from dataclasses import dataclass

from rich.cells import cell_len

from glusterio.cli import attributes, output
from glusterio.cli.attributes import group, user
from glusterio.cli.locations import Location, on_volume
from glusterio.cli.output import coloured, shown, tell
from glusterio.cli.sides import Listed, VolumeSide
from glusterio.cli.trees import DIRECTORIES_AT_ONCE, Item, below, is_fatal
from glusterio.cli.units import short_size
from glusterio.cli.volumes import Complaints, Volumes
from glusterio.cli.walking import Listings

#: A time further back than this is shown with its year, as ls does; in seconds.
HALF_A_YEAR = 31556952 / 2


@dataclass(frozen=True)
class Options:
    """What ``ls`` was told."""

    long: bool = False
    every: bool = False
    recursive: bool = False
    directory: bool = False
    human: bool = False


async def list_places(targets: list[str], options: Options) -> None:
    """List what is at places: directories with what is in them.

    Args:
        targets: the places.
        options: how.
    """
    places = [on_volume(target) for target in targets]
    complaints = Complaints()
    async with Volumes() as volumes:
        for place in places:
            side = await volumes.volume(place)
            with_head = len(places) > 1 or options.recursive
            try:
                async with Listings(side, place.path) as listings:
                    await _Listing(side, place, options, complaints, listings).run(with_head)
            except OSError as error:
                if is_fatal(error) or isinstance(error, BrokenPipeError):
                    raise
                complaints("list", place.text, error)
    complaints.check()


class _Listing:
    """One place."""

    def __init__(
        self,
        side: VolumeSide,
        place: Location,
        options: Options,
        complaints: Complaints,
        listings: Listings,
    ) -> None:
        self._listings = listings
        self._side = side
        self._place = place
        self._options = options
        self._complaints = complaints
        self._first = True

    async def run(self, with_head: bool) -> None:
        place = self._place
        link = Item("", await self._side.stat(place.path))
        to_follow = link.is_link and (not self._options.long or place.path.endswith("/"))
        item = Item("", await self._side.stat(place.path, follow=True)) if to_follow else link
        if not item.is_directory or self._options.directory:
            if output.as_json:
                await self._tell(place, link.stat)
                return
            await self._show(os.path.dirname(place.path), [Listed(place.text, link.stat)])
            return
        todo = [""]
        while todo:
            self._listings.ahead(reversed(todo[-DIRECTORIES_AT_ONCE:]))
            directory = todo.pop()
            entries = await self._entries(directory)
            if output.as_json:
                for name, stat in entries:
                    await self._tell(place.join(os.path.join(directory, name)), stat)
            else:
                if with_head:
                    self._head(directory)
                await self._show(below(place.path, directory), entries)
            if self._options.recursive:
                below_it = [e for e in entries if stat_module.S_ISDIR(e.stat.st_mode)]
                todo += [os.path.join(directory, e.name) for e in reversed(below_it)]

    async def _entries(self, directory: str) -> list[Listed]:
        try:
            entries = await self._listings.of(directory)
        except OSError as error:
            if not directory or is_fatal(error):
                raise
            self._complaints("list", self._place.join(directory).text, error)
            return []
        if not self._options.every:
            entries = [entry for entry in entries if not entry.name.startswith(".")]
        return sorted(entries, key=lambda entry: entry.name)

    def _head(self, directory: str) -> None:
        if not self._first:
            print()
        self._first = False
        print(f"{shown(self._place.join(directory).text)}:")

    async def _show(self, directory: str, entries: list[Listed]) -> None:
        if self._options.long:
            await self._show_long(directory, entries)
        elif sys.stdout.isatty():
            _show_columns(entries)
        else:
            for entry in entries:
                print(entry.name)
        sys.stdout.flush()

    async def _tell(self, place: Location, stat: os.stat_result) -> None:
        found: dict[str, object] = {
            "path": place.text,
            "name": place.name,
            **attributes.record(stat),
        }
        if stat_module.S_ISLNK(stat.st_mode):
            with contextlib.suppress(FileNotFoundError):
                found["target"] = await self._side.readlink(place.path)
        tell(found)

    async def _show_long(self, directory: str, entries: list[Listed]) -> None:
        rows = []
        for name, stat in entries:
            text = coloured_name(name, stat)
            if stat_module.S_ISLNK(stat.st_mode):
                path = self._place.path if name == self._place.text else below(directory, name)
                try:
                    text += f" -> {shown(await self._side.readlink(path))}"
                except FileNotFoundError:
                    pass
            rows.append(
                (
                    stat_module.filemode(stat.st_mode),
                    str(stat.st_nlink),
                    user(stat.st_uid),
                    group(stat.st_gid),
                    short_size(stat.st_size) if self._options.human else str(stat.st_size),
                    _when(stat.st_mtime),
                    text,
                )
            )
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
        for mode, links, owner, owners, length, when, text in rows:
            print(
                f"{mode} {links:>{widths[1]}} {owner:{widths[2]}} {owners:{widths[3]}}"
                f" {length:>{widths[4]}} {when:{widths[5]}} {text}"
            )


def _show_columns(entries: list[Listed]) -> None:
    """Names in columns, top to bottom, as many as the terminal holds."""
    if not entries:
        return
    width = shutil.get_terminal_size().columns
    lengths = [cell_len(shown(entry.name)) for entry in entries]
    for rows in range(1, len(entries) + 1):
        columns = [lengths[at : at + rows] for at in range(0, len(entries), rows)]
        widths = [max(column) for column in columns]
        if sum(widths) + 2 * (len(widths) - 1) <= width or rows == len(entries):
            break
    for row in range(rows):
        line = ""
        for at, entry in enumerate(entries[row::rows]):
            line += coloured_name(entry.name, entry.stat)
            if (at + 1) * rows + row < len(entries):
                line += " " * (widths[at] - lengths[at * rows + row] + 2)
        print(line)


def coloured_name(name: str, stat: os.stat_result) -> str:
    """A name in the colour of what it names, on a terminal."""
    if not coloured():
        return shown(name)
    if stat_module.S_ISDIR(stat.st_mode):
        return f"\x1b[1;34m{shown(name)}\x1b[0m"
    if stat_module.S_ISLNK(stat.st_mode):
        return f"\x1b[1;36m{shown(name)}\x1b[0m"
    if stat_module.S_ISREG(stat.st_mode) and stat.st_mode & 0o111:
        return f"\x1b[1;32m{shown(name)}\x1b[0m"
    return shown(name)


def _when(seconds: float) -> str:
    local = time.localtime(seconds)
    recent = 0 <= time.time() - seconds < HALF_A_YEAR
    return time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", local)
