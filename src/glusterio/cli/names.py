"""Commands on single names: ``rm``, ``mkdir``, ``rmdir``, ``ln``, ``touch``, ``truncate``."""

from __future__ import annotations

import errno
import os
import time

from glusterio.cli.errors import CommandError, PartlyFailedError
from glusterio.cli.locations import Location
from glusterio.cli.modes import Change
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item, below
from glusterio.cli.volumes import Complaints, at_each


async def remove(targets: list[str], recursive: bool, force: bool, verbose: bool) -> None:
    """Remove names, and with ``recursive`` what is below them.

    Args:
        targets: the places.
        recursive: also directories.
        force: what is not there is no error.
        verbose: tell of each place.
    """
    removed = 0

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        nonlocal removed
        try:
            await _remove(side, place, recursive, complaints)
            removed += 1
        except FileNotFoundError:
            if not force:
                raise
            return
        if verbose:
            tell({"path": place.text}, f"removed {shown(place.text)}")

    await at_each(targets, "remove", one, lambda: {"removed": removed})


async def _remove(
    side: VolumeSide, place: Location, recursive: bool, complaints: Complaints
) -> None:
    if not place.name:
        raise CommandError(f"cannot remove {place.text!r}: it has no name", place.text)
    root = place.path.rstrip("/")
    item = Item("", await side.stat(root))
    if not item.is_directory:
        await side.unlink(place.path)
        return
    if not recursive:
        raise CommandError(
            f"cannot remove {place.text!r}: it is a directory (-r removes those)", place.text
        )
    failed: list[str] = []

    def complain(function: object, path: str, error: OSError) -> None:
        if error.errno == errno.ENOTEMPTY and any(p.startswith(f"{path}/") for p in failed):
            return  # it has been said what is still in it
        failed.append(path)
        complaints("remove", place.join(path[len(root) :].strip("/")).text, error)

    await side.volume.rmtree(root, onexc=complain)
    if failed:
        raise PartlyFailedError


async def remove_directories(targets: list[str]) -> None:
    """Remove empty directories."""
    removed = 0

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        nonlocal removed
        await side.rmdir(place.path)
        removed += 1

    await at_each(targets, "remove the directory", one, lambda: {"removed": removed})


async def make_directories(targets: list[str], parents: bool, mode: Change | None) -> None:
    """Make directories.

    Args:
        targets: the places.
        parents: also those that they are in; what is there already is no error.
        mode: the directories' permissions, whatever the umask is.
    """
    made = 0

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        nonlocal made
        if parents:
            count = await _make_with_parents(side, place.path)
        else:
            await side.mkdir(place.path, 0o777)
            count = 1
        if count and mode is not None:
            await side.chmod(place.path, mode(0o777, is_directory=True, umask=0))
        made += count

    await at_each(targets, "make the directory", one, lambda: {"made": made})


async def _make_with_parents(side: VolumeSide, path: str) -> int:
    made = ""
    count = 0
    for name in path.split("/"):
        made = below(made, name) if name else made
        if name:
            try:
                await side.mkdir(made, 0o777)
                count += 1
            except FileExistsError:
                if not Item("", await side.stat(made, follow=True)).is_directory:
                    raise
    return count


async def touch(targets: list[str], no_create: bool) -> None:
    """Set files' times to now, and make those that are not there."""
    touched = 0

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        nonlocal touched
        now = time.time_ns()
        try:
            await side.volume.utime(place.path or "/", ns=(now, now))
        except FileNotFoundError:
            if no_create:
                return
            async with side.open(place.path, os.O_WRONLY | os.O_CREAT):
                pass
        touched += 1

    await at_each(targets, "touch", one, lambda: {"touched": touched})


async def set_sizes(targets: list[str], size: int, no_create: bool) -> None:
    """Cut files off, or extend them with zeros.

    Args:
        targets: the places.
        size: how long they shall be, in bytes.
        no_create: leave alone what is not there, and do not make it.
    """
    count = 0

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        nonlocal count
        flags = os.O_WRONLY | (0 if no_create else os.O_CREAT)
        try:
            async with side.open(place.path, flags) as file:
                await file.truncate(size)
        except FileNotFoundError:
            if no_create:
                return
            raise
        count += 1

    await at_each(targets, "set the size of", one, lambda: {"files": count, "size": size})
