"""How a command line names a place: on a volume, or on this machine.

On a volume it is the volume's URL and a path::

    gluster://HOST/VOLUME/dir/file
    gluster://HOST/VOLUME#/dir/file
    gluster+tls://HOST/VOLUME/dir/file
    gluster+unix:///VOLUME?socket=PATH#/dir/file
    volfile:///etc/gv0.vol#/dir/file
    embedded:///srv/data#/dir/file

A ``#`` ends the volume's URL, and what follows is the path. ``gluster://`` URLs need none, nor do
``gluster+tls://`` ones, for there the volume's name ends at the next slash. The path is taken as it is:
nothing in it is decoded.
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import NamedTuple

from glusterio.api.url import parse_url
from glusterio.cli.errors import CommandError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_GLUSTER = re.compile(r"(gluster(?:\+tls)?://[^/#]*/[^/#]+)(?:[/#](.*))?", re.DOTALL)


class Location(NamedTuple):
    """A place.

    Attributes:
        volume: the volume's URL; empty for a place on this machine.
        path: the path: on a volume relative to its root, and empty for the root itself.
        text: as it was given.
    """

    volume: str
    path: str
    text: str

    @property
    def name(self) -> str:
        """The last name; empty where there is none, as in ``.``, ``..``, and a volume's root."""
        name = posixpath.basename(self.path.rstrip("/"))
        return "" if name in (".", "..") else name

    def join(self, name: str) -> Location:
        """Return the place of a name, or of a relative path, in this directory."""
        if not name:
            return self
        text = posixpath.join(self.text, name)
        if self.volume and not self.path:
            text = f"{self.volume}{'/' if _GLUSTER.fullmatch(self.volume) else '#/'}{name}"
        return Location(self.volume, posixpath.join(self.path, name), text)


def parse(text: str) -> Location:
    """Understand what was given on the command line.

    Raises:
        CommandError: it begins like a URL but is none.
    """
    scheme = _URL.match(text)
    if scheme is None:
        if not text:
            raise CommandError("an empty name is no place")
        return Location("", text, text)
    if scheme[1] in ("gluster", "gluster+tls"):
        match = _GLUSTER.fullmatch(text)
        url, path = match.groups() if match else (text, None)
    else:
        url, _, path = text.partition("#")
    try:
        parse_url(url)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return Location(url, (path or "").lstrip("/"), text)


def on_volume(text: str) -> Location:
    """As :func:`parse`, for commands that work on volumes only.

    Raises:
        CommandError: it names a place on this machine.
    """
    place = parse(text)
    if not place.volume:
        raise CommandError(
            f"{os.fsdecode(text)!r} is not on a volume: gluster://HOST/VOLUME/PATH, for instance"
        )
    return place
