"""The usual path, for which nobody walks: of names only, through directories that are known.

What the last name is in is found by looking into a table, one step a directory, and
:mod:`glusterio.api.resolve` asks a brick for that name at once. A general walk to the same place takes
four coroutines, and several times as many of the interpreter's instructions: 500 more for a ``stat``.
Whatever is unusual is left to it: a path that is no plain string, or is relative to an open
directory, is long, ends in a slash, or has a dot for a name; and a directory that is not known.
"""

from __future__ import annotations

import stat as stat_module
from typing import TYPE_CHECKING, Any

from glusterio.lifecycle.states import SessionState
from glusterio.types import ROOT_GFID, Gfid

if TYPE_CHECKING:
    from glusterio.api.core import Core
    from glusterio.wire.iatt import Iatt

#: Last components that name no entry: the root has none.
DOTS = ("", ".", "..")

#: So many characters are within the limits of a name and of a path, however many bytes each is.
_SHORT_NAME = 63
_SHORT_PATH = 1023


def straight(core: Core, path: Any) -> tuple[Gfid, str] | None:
    """Return the directory that holds a path's last name, and that name, if it is a usual path.

    No lock is taken, and no brick asked.
    """
    if type(path) is not str or len(path) > _SHORT_PATH or "\0" in path:
        return None
    way, _, name = path.rpartition("/")
    if name in DOTS or len(name) > _SHORT_NAME:
        return None
    gfid = ROOT_GFID if path[0] == "/" else core.cwd.gfid
    if not way:
        return gfid, name
    directory = _through(core, gfid, way, core.now())
    return None if directory is None else (directory, name)


def _through(core: Core, gfid: Gfid, way: str, now: float) -> Gfid | None:
    """Return the directory that known names lead to from another one, if all of them are known."""
    peek = core.inodes.peek
    for part in way.split("/"):
        if part:
            directory = peek(gfid, part, now)  # of a dot, nothing is known
            if directory is None:
                return None
            gfid = directory
    return gfid


def known(core: Core, path: Any, follow: bool) -> Iatt | None:
    """Return what a path leads to, if every part of it is known and no brick need be asked.

    This is all of a repeated ``stat``, which shall cost little: it is no admitted call, since it takes
    nothing and waits for nothing, and it takes no lock, so it may be called from anywhere.

    Returns:
        The attributes; or ``None``, for any reason: then a walk finds out, or raises.
    """
    top = core.known_at
    if top is None or type(path) is not str or core.session.state is not SessionState.ACTIVE:
        return None
    if len(path) > _SHORT_PATH:
        return None
    now = core.now()
    way, _, name = path.rpartition("/")
    gfid = ROOT_GFID if path[:1] == "/" else core.cwd.gfid
    if way:
        directory = _through(core, gfid, way, now)
        if directory is None:
            return None
        gfid = directory
    found = top(gfid, name, now)
    if found is None or (follow and stat_module.S_ISLNK(found.mode)):
        return None
    return found
