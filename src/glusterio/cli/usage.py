"""``glusterio df`` and ``glusterio du``: how much is used, of the volume and by trees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glusterio.cli import output
from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item
from glusterio.cli.units import short_size
from glusterio.cli.volumes import Complaints, at_each
from glusterio.cli.walking import walk

#: ``st_blocks`` counts these, whatever the file system's own blocks are.
BLOCK = 512


def _blocks(count: int) -> str:
    """A number of bytes in blocks of 1024, begun ones included, as ``df`` and ``du`` have it."""
    return str(-(-count // 1024))


# -- df -------------------------------------------------------------------------------------------


async def free_space(targets: list[str], human: bool, inodes: bool) -> None:
    """Tell how much of volumes is used and free.

    Args:
        targets: places on the volumes.
        human: in the units that fit, instead of blocks of 1024 bytes.
        inodes: of files, instead of bytes.
    """
    rows: list[tuple[str, ...]] = [_HEADS[inodes]]
    if human and not inodes:
        rows = [("Volume", "Size", *_HEADS[False][2:])]

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        figures = await side.volume.statvfs(place.path or "/")
        used = (figures.f_blocks - figures.f_bfree) * figures.f_frsize
        free = figures.f_bavail * figures.f_frsize
        files = figures.f_files - figures.f_ffree
        found = {
            "path": place.text,
            "volume": place.volume,
            "size": figures.f_blocks * figures.f_frsize,
            "used": used,
            "available": free,
            "files": figures.f_files,
            "files_used": files,
            "files_available": figures.f_favail,
        }
        if output.as_json:
            tell(found)
            return
        if inodes:
            numbers = [figures.f_files, files, figures.f_ffree]
            text = [short_size(n) if human else str(n) for n in numbers]
            percent = _percent(files, figures.f_ffree)
        else:
            say = short_size if human else _blocks
            text = [say(n) for n in (figures.f_blocks * figures.f_frsize, used, free)]
            percent = _percent(used, free)
        rows.append((shown(place.volume), *text, percent))

    try:
        await at_each(targets, "tell the free space of", one)
    finally:
        if len(rows) > 1:
            widths = [max(len(row[column]) for row in rows) for column in range(5)]
            for name, *rest in rows:
                cells = [f"{t:>{w}}" for t, w in zip(rest, widths[1:], strict=True)]
                print(f"{name:{widths[0]}} {' '.join(cells)}")


_HEADS = {
    False: ("Volume", "1K-blocks", "Used", "Available", "Use%"),
    True: ("Volume", "Inodes", "IUsed", "IFree", "IUse%"),
}


def _percent(used: int, free: int) -> str:
    return f"{-(-used * 100 // (used + free))}%" if used + free else "-"


# -- du -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """What ``du`` was told.

    Attributes:
        every: also tell of each file, not of directories only.
        depth: tell of what is at most this far below the places; everything is counted all the same.
        human: in the units that fit.
        in_bytes: in bytes.
        apparent: how long files are, instead of what they occupy.
        total: a last line for all places together.
    """

    every: bool = False
    depth: int | None = None
    human: bool = False
    in_bytes: bool = False
    apparent: bool = False
    total: bool = False


async def disk_usage(targets: list[str], options: Options) -> None:
    """Tell how much trees use, what is below first; a file with several names is counted once."""
    seen: set[int] = set()
    total = 0
    say: Callable[[int], str] = short_size if options.human else _blocks
    if options.in_bytes:
        say = str

    def show(text: str, size: int, files: int) -> None:
        tell({"path": text, "size": size, "files": files}, f"{say(size)}\t{shown(text)}")

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        nonlocal total
        sums: list[list[int]] = [[0, 0]]

        def complain(path: str, error: Exception) -> None:
            complaints("list", place.join(path).text, error)

        async with walk(side, place.path, complain, follow=True) as visits:
            async for item, leaving, _ in visits:
                if not leaving and _is_counted(item, seen):
                    continue
                if not leaving:
                    stat = item.stat
                    size = stat.st_size if options.apparent else stat.st_blocks * BLOCK
                    count = 1
                    if item.is_directory:
                        sums.append([size, count])
                        continue
                else:
                    size, count = sums.pop()
                sums[-1][0] += size
                sums[-1][1] += count
                is_shown = options.every or item.is_directory or not item.depth
                if is_shown and (options.depth is None or item.depth <= options.depth):
                    show(place.join(item.path).text, size, count)
        total += sums[0][0]

    def summary() -> dict[str, object]:
        return {"total": total}

    await at_each(targets, "tell the size of", one, summary if options.total else None)
    if options.total and not output.as_json:
        print(f"{say(total)}\ttotal")


def _is_counted(item: Item, seen: set[int]) -> bool:
    """Whether a file has been counted under another name."""
    if item.is_directory or item.stat.st_nlink < 2:
        return False
    if item.stat.st_ino in seen:
        return True
    seen.add(item.stat.st_ino)
    return False
