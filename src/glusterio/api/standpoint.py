"""Where relative paths begin: at the session's working directory, or at an open one (``dir_fd``).

A standpoint holds the directory's identity, so relative paths go on to mean what is in it when it is
renamed, as in a kernel. The names on the way to it are remembered, too, for ``..`` and ``getcwd``: a
rename by this session changes them, one by another client is not heard of.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from glusterio.api.of_session import OfSession
from glusterio.errors import fs_error
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleState
from glusterio.types import ROOT_GFID, Gfid

if TYPE_CHECKING:
    from glusterio.api.core import Core
    from glusterio.api.pins import Pin


class Step(NamedTuple):
    """A directory on the way from the root, and its name in the one before."""

    gfid: Gfid
    name: str


#: Every way begins here.
ROOT = Step(ROOT_GFID, "")


class Standpoint:
    """A directory that relative paths begin at.

    Args:
        steps: the directories from the root to it.
    """

    __slots__ = ("steps",)

    def __init__(self, steps: tuple[Step, ...] = (ROOT,)) -> None:
        self.steps = steps

    @property
    def gfid(self) -> Gfid:
        """The directory's identity."""
        return self.steps[-1].gfid

    @property
    def path(self) -> str:
        """The directory's path from the root, by the names as they are remembered."""
        return "/" + "/".join(step.name for step in self.steps[1:])

    def moved(self, gfid: Gfid, steps: tuple[Step, ...]) -> None:
        """A directory was moved: if it is on the way, the way has changed."""
        for at, step in enumerate(self.steps):
            if step.gfid == gfid:
                self.steps = steps + self.steps[at + 1 :]
                return


class Opened(OfSession):
    """What an application may give instead of a path: an open file, whichever face opened it."""

    __slots__ = ("__weakref__", "_handle")

    _handle: Handle


class At(NamedTuple):
    """A path, and what it is relative to: an open directory, or an object that is a directory.

    ``None``: the working directory.
    """

    path: Any
    directory: Handle | Pin | None


def at(path: Any, dir_fd: Opened | None) -> At | Any:
    """Put a path and the argument ``dir_fd`` together.

    Raises:
        TypeError: ``dir_fd`` is no open file.
    """
    return path if dir_fd is None else At(path, handle_of(dir_fd))


def handle_of(dir_fd: Opened | None) -> Handle | None:
    """Return the handle that the argument ``dir_fd`` means.

    Raises:
        TypeError: it is no open file.
    """
    if dir_fd is None:
        return None
    if not isinstance(dir_fd, Opened):
        raise TypeError(f"dir_fd should be an open directory or None, not {type(dir_fd).__name__}")
    return dir_fd._handle


def own_handle(core: Core, opened: Opened) -> Handle:
    """Return an open file's handle, to be borrowed for an operation of this session.

    Raises:
        ValueError: another session has opened it.
    """
    handle = opened._handle
    if handle.state is HandleState.OPEN and not owns(core, handle):
        raise ValueError(f"{handle.path}: opened by another session")
    return handle


def owns(core: Core, handle: Handle) -> bool:
    """Tell whether a handle is this session's, and not closed yet."""
    return core.session.ledger.get(handle.number) is handle


def keep(handle: Handle, steps: tuple[Step, ...]) -> None:
    """Remember the way to a directory that is being opened."""
    handle.fd.context[Standpoint] = Standpoint(steps)


def of_handle(handle: Handle) -> Standpoint | None:
    """Return the standpoint that an open directory is; ``None`` when it is a file."""
    found: Standpoint | None = handle.fd.context.get(Standpoint)
    return found


def directory_moved(core: Core, gfid: Gfid, steps: tuple[Step, ...]) -> None:
    """This session has renamed a directory: all that stand in it, or below, have another way."""
    core.cwd.moved(gfid, steps)
    core.pins.moved(gfid, steps)
    for handle in core.session.handles():
        if handle.kind is HandleKind.DIRECTORY and handle.fd is not None:
            standpoint = of_handle(handle)
            if standpoint is not None:
                standpoint.moved(gfid, steps)


def steps_from(core: Core, directory: Handle | Pin | None) -> tuple[Step, ...]:
    """Return the way to where a relative path begins.

    Raises:
        NotADirectoryError: ``directory`` is a file.
        HandleClosedError, HandleStaleError: it is not open any more.
        ValueError: another session has opened it.
    """
    if directory is None:
        return core.cwd.steps
    if not isinstance(directory, Handle):
        if directory.standpoint is None:
            raise fs_error(errno.ENOTDIR)
        return directory.standpoint.steps
    if directory.state is not HandleState.OPEN:
        raise directory.why_unusable()
    if not owns(core, directory):
        raise ValueError("dir_fd was opened by another session")
    standpoint = of_handle(directory)
    if standpoint is None:
        raise fs_error(errno.ENOTDIR)
    return standpoint.steps
