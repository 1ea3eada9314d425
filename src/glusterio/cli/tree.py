"""``glusterio tree``: a tree, drawn."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from glusterio.cli import attributes, output
from glusterio.cli.listing import coloured_name
from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item, below, survey
from glusterio.cli.units import number, short_size
from glusterio.cli.volumes import Complaints, at_each
from glusterio.cli.walking import walk


@dataclass(frozen=True)
class Options:
    """What ``tree`` was told.

    Attributes:
        every: also names that begin with a dot.
        depth: how far below the places.
        directories_only: no files.
        sizes: with how long files are, and for a directory all that is below it.
    """

    every: bool = False
    depth: int | None = None
    directories_only: bool = False
    sizes: bool = False

    def wants(self, item: Item) -> bool:
        """Tell whether something is drawn."""
        hidden = posixpath.basename(item.path).startswith(".")
        return (self.every or not hidden) and (item.is_directory or not self.directories_only)


async def draw_trees(targets: list[str], options: Options) -> None:
    """Draw what is below places."""

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        await _Drawing(side, place, options, complaints).run()

    await at_each(targets, "list", one)


class _Drawing:
    def __init__(
        self, side: VolumeSide, place: Location, options: Options, complaints: Complaints
    ) -> None:
        self._side = side
        self._place = place
        self._options = options
        self._complaints = complaints
        self._sizes: dict[str, int] = {}
        self._directories = self._files = 0

    async def run(self) -> None:
        options = self._options
        if options.sizes:
            await self._measure()
        lead: list[str] = []
        async with walk(
            self._side,
            self._place.path,
            self._complain,
            follow=True,
            max_depth=options.depth,
            wanted=options.wants,
        ) as visits:
            async for item, leaving, last in visits:
                if leaving:
                    continue
                self._count(item)
                del lead[max(0, item.depth - 1) :]
                branch = "└── " if last else "├── "
                await self._draw(item, "".join(lead) + branch if item.depth else "")
                if item.depth:
                    lead.append("    " if last else "│   ")
        if not output.as_json:
            files = "" if options.directories_only else f", {number(self._files, 'file')}"
            print(f"\n{number(self._directories, 'directory', 'directories')}{files}")

    def _count(self, item: Item) -> None:
        if item.is_directory:
            self._directories += bool(item.depth)
        else:
            self._files += 1

    async def _draw(self, item: Item, lead: str) -> None:
        place = self._place.join(item.path)
        link = None
        if item.is_link:
            try:
                link = await self._side.readlink(below(self._place.path, item.path))
            except OSError as error:
                self._complaints("read the link", place.text, error)
        found = {"path": place.text, "depth": item.depth, **attributes.record(item.stat)}
        if link is not None:
            found["target"] = link
        if self._options.sizes:
            found["total"] = self._size(item)
        tell(found, lambda: self._line(item, lead, link))

    def _line(self, item: Item, lead: str, link: str | None) -> str:
        name = posixpath.basename(item.path) if item.depth else self._place.text
        size = f"[{short_size(self._size(item)):>5}]  " if self._options.sizes else ""
        points = "" if link is None else f" -> {shown(link)}"
        return f"{lead}{size}{coloured_name(name, item.stat)}{points}"

    def _size(self, item: Item) -> int:
        return self._sizes.get(item.path, item.stat.st_size)

    async def _measure(self) -> None:
        """Add up how long the files below each directory are, drawn or not."""
        items = await survey(self._side, self._place.path, complain=self._complain)
        sizes = self._sizes = {"": 0, **{i.path: 0 for i in items if i.is_directory}}
        for item in items:
            if item.is_file:
                path = item.path
                while path:
                    path = posixpath.dirname(path)
                    sizes[path] += item.stat.st_size

    def _complain(self, path: str, error: Exception) -> None:
        self._complaints("list", self._place.join(path).text, error)
