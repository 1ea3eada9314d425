"""By which names files were last looked up: what a statedump calls them.

A brick works by gfid, and the kernel tells of most open files no more than their handles. So the last
name that a client used for a file is kept, for a limited number of files. It may be out of date, when
the file was removed since; it is for people to read, and for nothing else.
"""

from __future__ import annotations

from glusterio.types import ROOT_GFID, Gfid

#: How many files are remembered; when there are more, all are forgotten.
MAX_PLACES = 100_000

#: Directories may be this deep; deeper ones have no path here.
_MAX_DEPTH = 200


class Places:
    """The last known names of files, by gfid."""

    def __init__(self) -> None:
        self._places: dict[Gfid, tuple[Gfid, str]] = {}

    def note(self, gfid: Gfid, parent: Gfid, name: str) -> None:
        """A file was found by this name."""
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        self._places[gfid] = parent, name

    def path_of(self, gfid: Gfid) -> str | None:
        """Return a file's path from the volume's root; ``None`` when it is not known."""
        names: list[str] = []
        while gfid != ROOT_GFID:
            place = self._places.get(gfid)
            if place is None or len(names) > _MAX_DEPTH:
                return None
            gfid, name = place
            names.append(name)
        return "/" + "/".join(reversed(names))
