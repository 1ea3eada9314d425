"""``glusterio rm`` and ``glusterio mkdir``."""

from __future__ import annotations

from glusterio.cli.errors import CommandError
from glusterio.cli.locations import Location, on_volume
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item, below, is_fatal, remove_tree
from glusterio.cli.volumes import Complaints, Volumes


async def remove(targets: list[str], recursive: bool, force: bool) -> None:
    """Remove names, and with ``recursive`` what is below them.

    Args:
        targets: the places.
        recursive: also directories.
        force: what is not there is no error.
    """
    places = [on_volume(target) for target in targets]
    complaints = Complaints()
    async with Volumes() as volumes:
        for place in places:
            side = await volumes.volume(place)
            try:
                await _remove(side, place, recursive, complaints)
            except FileNotFoundError as error:
                if not force:
                    complaints("remove", place.text, error)
            except Exception as error:
                if is_fatal(error):
                    raise
                complaints("remove", place.text, error)
    complaints.check()


async def _remove(
    side: VolumeSide, place: Location, recursive: bool, complaints: Complaints
) -> None:
    if not place.name:
        raise CommandError(f"cannot remove {place.text!r}: it has no name", place.text)
    item = Item("", await side.stat(place.path.rstrip("/")))
    if not item.is_directory:
        await side.unlink(place.path)
    elif recursive:

        def complain(path: str, error: Exception) -> None:
            complaints("remove", place.join(path).text, error)

        await remove_tree(side, place.path, complain)
    else:
        raise CommandError(f"cannot remove {place.text!r}: it is a directory (-r removes those)")


async def make_directories(targets: list[str], parents: bool) -> None:
    """Make directories.

    Args:
        targets: the places.
        parents: also those that they are in; what is there already is no error.
    """
    places = [on_volume(target) for target in targets]
    complaints = Complaints()
    async with Volumes() as volumes:
        for place in places:
            side = await volumes.volume(place)
            try:
                if parents:
                    await _make_with_parents(side, place.path)
                else:
                    await side.mkdir(place.path, 0o777)
            except Exception as error:
                if is_fatal(error):
                    raise
                complaints("make the directory", place.text, error)
    complaints.check()


async def _make_with_parents(side: VolumeSide, path: str) -> None:
    made = ""
    for name in path.split("/"):
        made = below(made, name) if name else made
        if name:
            try:
                await side.mkdir(made, 0o777)
            except FileExistsError:
                if not Item("", await side.stat(made, follow=True)).is_directory:
                    raise
