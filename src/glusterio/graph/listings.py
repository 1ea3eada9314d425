"""What listings told of names and files, kept as it came until somebody asks.

Most of what a listing brings is never asked for again. So it is not entered into tables, which would
take a third of the client's part of a listing, but sorted at the first question, and then only as far
as dictionaries of names, or of gfids, go: 0.1 us a name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from glusterio.types import Gfid
from glusterio.wire.fops.directories import Listing
from glusterio.wire.iatt import Iatt

#: So many listings are kept at the most: each is looked into for every name and file that is asked for.
MOST: Final = 128


class Told(NamedTuple):
    """What a listing told of one file.

    Attributes:
        stat: its attributes.
        mark: the mark in the history of changes that was taken before the brick was asked.
        until: how long that is trusted.
    """

    stat: Iatt
    mark: int
    until: float


class _Kept:
    """One listing, and where in it things are, once somebody has asked by name, or by gfid."""

    __slots__ = ("by_gfid", "by_name", "listing", "mark", "parent", "until")

    def __init__(self, parent: Gfid, listing: Listing, mark: int, until: float) -> None:
        self.parent = parent
        self.listing = listing
        self.mark = mark
        self.until = until
        self.by_name: dict[str, int] | None = None
        self.by_gfid: dict[Gfid, int] | None = None

    def told(self, place: int) -> Told:
        return Told(self.listing.stat(place), self.mark, self.until)


class Listings:
    """Some listings. Its user sees to it that one thread at a time is in a method. A destructor may run
    in the middle of it, on the same thread, and ask for something else: what it drops is gone then.

    Attributes:
        kept: the listings, the oldest first. Whether there are any is asked for every read.
        names: how many names they have, all together.
    """

    __slots__ = ("kept", "names")

    def __init__(self) -> None:
        self.kept: deque[_Kept] = deque()
        self.names = 0

    def add(self, parent: Gfid, listing: Listing, mark: int, until: float, most: int) -> None:
        """Keep a listing; the oldest go.

        Args:
            parent: the directory.
            listing: the listing.
            mark: the mark that was taken before the brick was asked.
            until: how long it is trusted.
            most: so many names are kept at the most.
        """
        if "." in listing.names or ".." in listing.names:
            listing = listing.without(".", "..")
        if not listing:
            return
        self.kept.append(_Kept(parent, listing, mark, until))
        self.names += len(listing)
        while self.names > most or len(self.kept) > MOST:
            self._drop_oldest()

    def of_name(self, parent: Gfid, name: str, now: float) -> Iterator[Told]:
        """Take out what is known of a name in a directory, the oldest first."""
        self._drop_old(now)
        for kept in tuple(self.kept):
            if kept.parent == parent:
                if kept.by_name is None:
                    kept.by_name = dict(zip(kept.listing.names, kept.listing.places, strict=True))
                place = kept.by_name.pop(name, None)
                if place is not None:
                    yield kept.told(place)

    def of_file(self, gfid: Gfid, now: float) -> Iterator[Told]:
        """Take out what is known of a file, the oldest first; what its names lead to stays known."""
        self._drop_old(now)
        for kept in tuple(self.kept):
            if kept.by_gfid is None:
                listing = kept.listing
                kept.by_gfid = dict(zip(listing.gfids(), listing.places, strict=True))
            place = kept.by_gfid.pop(gfid, None)
            if place is not None:
                yield kept.told(place)

    def clear(self) -> None:
        """Forget them all."""
        self.kept.clear()
        self.names = 0

    def _drop_old(self, now: float) -> None:
        while self.kept and self.kept[0].until <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self.names -= len(self.kept.popleft().listing)
