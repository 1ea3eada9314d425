"""``glusterio chmod``: who may do what."""

from __future__ import annotations

from glusterio.api.umask import process_umask
from glusterio.cli.locations import Location
from glusterio.cli.modes import Change
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item, below, top_down
from glusterio.cli.volumes import Complaints, at_each


async def change_modes(targets: list[str], change: Change, recursive: bool, verbose: bool) -> None:
    """Change the permission bits of what is at places; symbolic links below them are left alone.

    Args:
        targets: the places; of a symbolic link it is what it leads to.
        change: what becomes of the bits.
        recursive: also of what is below.
        verbose: tell of each that is changed.
    """
    umask = process_umask()
    seen = changed = 0

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        async def apply(item: Item) -> None:
            nonlocal seen, changed
            if item.is_link:
                return
            old = item.stat.st_mode & 0o7777
            new = change(old, is_directory=item.is_directory, umask=umask)
            seen += 1
            if new != old:
                await side.chmod(below(place.path, item.path), new)
                changed += 1
                if verbose:
                    text = place.join(item.path).text
                    tell(
                        {"path": text, "mode": f"{new:04o}", "was": f"{old:04o}"},
                        f"{shown(text)}: {old:04o} -> {new:04o}",
                    )

        top = Item("", await side.stat(place.path, follow=True))
        if recursive:

            def complain(path: str, error: Exception) -> None:
                complaints("change the mode of", place.join(path).text, error)

            await top_down(side, top, place.path, apply, complain)
        else:
            await apply(top)

    await at_each(targets, "change the mode of", one, lambda: {"files": seen, "changed": changed})
