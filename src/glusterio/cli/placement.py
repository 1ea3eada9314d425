"""Where ``SRC... DST`` leads: into DST if that is a directory, else DST is the new name."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from glusterio.cli.errors import CommandError
from glusterio.cli.locations import Location, parse
from glusterio.cli.sides import Side
from glusterio.cli.trees import Item, is_fatal
from glusterio.cli.volumes import Complaints, Volumes

#: What is done with one source: given its side and place, and those of what it becomes.
Work = Callable[[Side, Location, Side, Location], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Placement:
    """What goes where.

    Attributes:
        sources: the sources; one without a last name means what is in it.
        target: the target.
        under_new_name: the target is the new name, even if it is a directory.
    """

    sources: list[str]
    target: str
    under_new_name: bool = False


async def place_each(
    placement: Placement, work: Work, what: str, complaints: Complaints, volumes: Volumes
) -> None:
    """Do something with each source and the place that it goes to.

    Args:
        placement: the sources and the target.
        work: what is done.
        what: what that is, for ``cannot WHAT``.
        complaints: told of what failed, when it is not the only source.
        volumes: connects to them.

    Raises:
        CommandError: nothing of it can be done.
    """
    target = placement.target
    places = [parse(source) for source in placement.sources]
    destination = parse(target)
    if not destination.volume and not all(place.volume for place in places):
        local = next(place for place in places if not place.volume)
        raise CommandError(f"neither {local.text!r} nor {target!r} is on a volume")
    side = await volumes.side(destination)
    into = not placement.under_new_name and await _is_directory(side, destination)
    if len(places) > 1 and not into:
        raise CommandError(f"{target!r} is not a directory", target)
    for place in places:
        new = destination.join(place.name) if into and place.name else destination
        try:
            await work(await volumes.side(place), place, side, new)
        except Exception as error:
            if len(places) == 1 or is_fatal(error):
                raise
            complaints(what, place.text, error)


async def _is_directory(side: Side, place: Location) -> bool:
    try:
        return Item("", await side.stat(place.path, follow=True)).is_directory
    except (FileNotFoundError, NotADirectoryError):
        if place.path.endswith("/"):
            raise CommandError(f"{place.text!r} is not a directory", place.text) from None
        return False


async def there(side: Side, place: Location, *, follow: bool = True) -> Item | None:
    """Return what is at a place, if anything is."""
    try:
        return Item("", await side.stat(place.path, follow=follow))
    except FileNotFoundError:
        return None


def refuse(
    what: str,
    source: Side,
    origin: Location,
    item: Item,
    target: Side,
    new: Location,
    old: Item | None,
) -> None:
    """Refuse what would go wrong, or go on for ever.

    Args:
        what: what was to be done, for ``cannot WHAT``.
        source: the source's side.
        origin: the source's place.
        item: what it is.
        target: the target's side.
        new: the target's place.
        old: what is there.

    Raises:
        CommandError: it is refused.
    """

    def refusal(reason: str) -> CommandError:
        return CommandError(f"cannot {what} {origin.text!r}{reason}", origin.text)

    if old is not None:
        if old.is_directory and not item.is_directory:
            raise refusal(f": {new.text!r} is a directory")
        if item.is_directory and not old.is_directory:
            raise refusal(f": {new.text!r} is not a directory")
    if source.place != target.place:
        return
    if old is not None and not item.is_directory and old.stat.st_ino == item.stat.st_ino:
        raise refusal(f": {new.text!r} is the same file")
    above, below = (posixpath.normpath("/" + p.path) for p in (origin, new))
    if item.is_directory and (below + "/").startswith(above.rstrip("/") + "/"):
        raise refusal(" into itself")
