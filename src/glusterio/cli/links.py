"""``glusterio ln``: other names for files, and symbolic links."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath

from glusterio.cli.errors import CommandError
from glusterio.cli.locations import Location, on_volume, parse
from glusterio.cli.output import shown, tell
from glusterio.cli.placement import there
from glusterio.cli.sides import VolumeSide
from glusterio.cli.transfer import part_of
from glusterio.cli.trees import Item, is_fatal
from glusterio.cli.volumes import Complaints, Volumes


async def make_links(
    targets: list[str],
    link: str,
    *,
    symbolic: bool,
    force: bool,
    under_new_name: bool,
    verbose: bool,
) -> None:
    """Make links to each target: at, or in, a place.

    Args:
        targets: what they lead to: places on the volume; for symbolic links also any text.
        link: where: in it, if it is a directory.
        symbolic: symbolic links, not other names.
        force: replace what is there.
        under_new_name: the place is the new name, even if it is a directory.
        verbose: tell of each.
    """
    place = on_volume(link)
    complaints = Complaints()
    made = 0
    async with Volumes() as volumes:
        side = await volumes.volume(place)
        into = False
        if not under_new_name:
            item = await there(side, place)
            into = item is not None and item.is_directory
        if len(targets) > 1 and not into:
            raise CommandError(f"{link!r} is not a directory", link)
        for target in targets:
            led_to = parse(target)
            new = place.join(led_to.name) if into else place
            try:
                await (_symbolic if symbolic else _hard)(side, led_to, new, force)
            except Exception as error:
                if is_fatal(error):
                    raise
                complaints("make the link", new.text, error)
                continue
            made += 1
            if verbose:
                tell(
                    {"path": new.text, "target": target, "symbolic": symbolic},
                    f"{shown(new.text)} {'->' if symbolic else '=>'} {shown(target)}",
                )
    tell({"made": made})
    complaints.check()


async def _symbolic(side: VolumeSide, led_to: Location, new: Location, force: bool) -> None:
    text = led_to.text
    if led_to.volume:
        _check_volume(side, led_to, new)
        # From the root of a volume it would lead elsewhere where the volume is mounted.
        text = posixpath.relpath("/" + led_to.path, posixpath.dirname("/" + new.path))
    try:
        await side.symlink(text, new.path)
    except FileExistsError:
        if not force:
            raise
        await _check_replaceable(side, new)
        await side.symlink(text, part_of(new.path))
        await _put(side, new)


async def _hard(side: VolumeSide, led_to: Location, new: Location, force: bool) -> None:
    _check_volume(side, led_to, new)
    link = side.volume.link
    try:
        await link(led_to.path, new.path, follow_symlinks=False)
    except FileExistsError:
        if not force:
            raise
        if (await side.stat(led_to.path)).st_ino == (await side.stat(new.path)).st_ino:
            return  # a rename between two names of one file would leave both
        await _check_replaceable(side, new)
        await link(led_to.path, part_of(new.path), follow_symlinks=False)
        await _put(side, new)


def _check_volume(side: VolumeSide, led_to: Location, new: Location) -> None:
    if led_to.volume != side.place:
        raise CommandError(
            f"cannot make the link {new.text!r}: {led_to.text!r} is not on the same volume",
            new.text,
        )


async def _check_replaceable(side: VolumeSide, new: Location) -> None:
    if Item("", await side.stat(new.path)).is_directory:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), new.path)


async def _put(side: VolumeSide, new: Location) -> None:
    """Have a link replace what is there, at once."""
    try:
        await side.rename(part_of(new.path), new.path)
    except BaseException:
        with contextlib.suppress(OSError):
            await side.unlink(part_of(new.path))
        raise
