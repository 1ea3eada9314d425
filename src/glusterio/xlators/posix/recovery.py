"""After a brick was killed: what it left half made is found, and mended, removed or named.

What an operation does takes several system calls, and a brick may be killed between any two. None of
these states loses what was acknowledged, and most mend themselves when a client looks at the file. The
rest would stay for ever: a handle without a name, for instance, keeps a removed file's space.

First come the names, from the root down: each file gets the gfid and the handle that it lacks. Then the
handles: one that leads nowhere is removed. A file without a name that was changed since the brick
began is one that was being made or removed, and goes; an older one is no brick's doing, and is named.

:func:`judge_name` and :func:`judge_handle` decide; they know nothing of a disk.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from glusterio.types import ROOT_GFID, Gfid, Log
from glusterio.xlators.posix.handles import handle_of
from glusterio.xlators.posix.identity import HIDDEN, INDEX, gfid_of
from glusterio.xlators.posix.naming import NEW_HANDLE, Handles

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Defect(Enum):
    """What can be found, in words."""

    NO_GFID = "a name without a gfid"
    NO_HANDLE = "a gfid without a handle"
    STALE_HANDLE = "a handle that leads elsewhere"
    TAKEN_GFID = "a gfid that is another file's"
    STALE_NAME = "a noted name that the file has not"
    ORPHAN = "a handle without a name"
    DANGLING = "a directory's handle without the directory"
    HALF_MOVED = "the handle for a move that was not made"
    STALE_INDEX = "an inode's gfid without the file"
    STRAY = "something that is no handle"
    UNREADABLE = "what cannot be looked at"


class Remedy(Enum):
    """What was done about it."""

    MENDED = "mended"
    REMOVED = "removed"
    NAMED = "left as it is"


class Finding(NamedTuple):
    """One thing that was found.

    Attributes:
        defect: what it is.
        where: where it is, below the brick's directory.
        remedy: what was done.
    """

    defect: Defect
    where: str
    remedy: Remedy

    def __str__(self) -> str:
        return f"{self.defect.value}: {self.where!r}: {self.remedy.value}"


class NameFacts(NamedTuple):
    """What is known of a file that has a name.

    Attributes:
        has_gfid: whether it bears one.
        is_handled: whether the gfid's handle is its own.
        has_handle: whether there is such a handle at all.
        is_anothers: whether that leads to another file.
    """

    has_gfid: bool
    is_handled: bool = False
    has_handle: bool = False
    is_anothers: bool = False


class HandleFacts(NamedTuple):
    """What is known of an entry of the handle tree.

    Attributes:
        has_gfid: whether its name is a gfid, and where that belongs.
        is_new: whether it is the new handle for a move.
        links: how many names the inode has, the handle included.
        is_way: whether it is a symbolic link that says where a directory lies.
        leads: whether the directory lies there.
        is_recent: whether the inode was changed since the brick began.
    """

    has_gfid: bool
    is_new: bool = False
    links: int = 1
    is_way: bool = False
    leads: bool = False
    is_recent: bool = True


def judge_name(facts: NameFacts) -> Defect | None:
    """Tell what is wrong with a file that has a name. Everything can be mended."""
    if not facts.has_gfid:
        return Defect.NO_GFID
    if facts.is_handled:
        return None
    if facts.is_anothers:
        return Defect.TAKEN_GFID
    return Defect.STALE_HANDLE if facts.has_handle else Defect.NO_HANDLE


def judge_handle(facts: HandleFacts) -> tuple[Defect, Remedy] | None:
    """Tell what is wrong with an entry of the handle tree, and what is to be done."""
    if facts.is_new:
        return Defect.HALF_MOVED, Remedy.REMOVED
    if not facts.has_gfid:
        return Defect.STRAY, Remedy.NAMED
    if facts.links > 1:
        return None
    if facts.is_way:
        return None if facts.leads else (Defect.DANGLING, Remedy.REMOVED)
    return Defect.ORPHAN, Remedy.REMOVED if facts.is_recent else Remedy.NAMED


def recover(handles: Handles, began: int, log: Log) -> list[Finding]:
    """Look through a directory and mend it.

    Args:
        handles: the directory's files.
        began: when the brick that was killed began, in nanoseconds since the epoch.
        log: where to tell of it, too.

    Returns:
        What was found; it is logged as well.
    """
    found: list[Finding] = []
    for finding in _all(handles, began):
        log.warning("%s", finding)
        found.append(finding)
    return found


def _all(handles: Handles, began: int) -> Iterator[Finding]:
    yield from _names(handles)
    yield from _handles(handles, began)
    yield from _index(handles)


# -- names --------------------------------------------------------------------------------------------


def _names(handles: Handles) -> Iterator[Finding]:
    ways: list[tuple[Gfid, str]] = [(ROOT_GFID, "")]
    while ways:
        parent, path = ways.pop()
        try:
            directory = os.open(".", _DIRECTORY, dir_fd=handles.directory(parent))
        except OSError:
            yield Finding(Defect.UNREADABLE, path, Remedy.NAMED)
            continue
        try:
            for name in os.listdir(directory):
                if parent == ROOT_GFID and name == HIDDEN:
                    continue
                where = f"{path}/{name}"
                try:
                    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                    gfid, defect = _mend_name(handles, parent, directory, name, status)
                except OSError:
                    yield Finding(Defect.UNREADABLE, where, Remedy.NAMED)
                    continue
                if defect is not None:
                    yield Finding(defect, where, Remedy.MENDED)
                if stat.S_ISDIR(status.st_mode):
                    ways.append((gfid, where))
                elif handles.mend_noted(gfid, parent, name, status):
                    yield Finding(Defect.STALE_NAME, where, Remedy.MENDED)
        finally:
            os.close(directory)


def _mend_name(
    handles: Handles, parent: Gfid, directory: int, name: str, status: os.stat_result
) -> tuple[Gfid, Defect | None]:
    claimed = handles.claimed(directory, name, status)
    facts = NameFacts(has_gfid=claimed is not None)
    if claimed is not None:
        facts = NameFacts(
            has_gfid=True,
            is_handled=handles.is_handled(claimed, parent, name, status),
            has_handle=handles.has_handle(claimed),
            is_anothers=handles.is_anothers(claimed, status),
        )
    defect = judge_name(facts)
    if defect is None and claimed is not None:
        return claimed, None
    return handles.identify(parent, directory, name, status), defect


# -- handles ------------------------------------------------------------------------------------------


def _handles(handles: Handles, began: int) -> Iterator[Finding]:
    for first in _hashes(handles, HIDDEN):
        for second in _hashes(handles, first):
            for name in _listed(handles, second):
                where = f"{second}/{name}"
                try:
                    facts = _facts_of(handles, where, name, began)
                    judged = judge_handle(facts) if facts is not None else None
                    if judged is None:
                        continue
                    defect, remedy = judged
                    if remedy is Remedy.REMOVED:
                        os.unlink(where, dir_fd=handles.root)
                except OSError:
                    defect, remedy = Defect.UNREADABLE, Remedy.NAMED
                yield Finding(defect, where, remedy)


def _hashes(handles: Handles, directory: str) -> Iterator[str]:
    for name in _listed(handles, directory):
        if len(name) == 2 and set(name) <= set("0123456789abcdef"):
            yield f"{directory}/{name}"


def _listed(handles: Handles, path: str) -> list[str]:
    with contextlib.suppress(NotADirectoryError, FileNotFoundError):
        directory = os.open(path, _DIRECTORY, dir_fd=handles.root)
        try:
            return os.listdir(directory)
        finally:
            os.close(directory)
    return []


def _facts_of(handles: Handles, where: str, name: str, began: int) -> HandleFacts | None:
    """Look at an entry of the handle tree; ``None`` for the root's, which only GlusterFS has."""
    try:
        gfid = gfid_of(name)
    except ValueError:
        return HandleFacts(has_gfid=False, is_new=name.endswith(NEW_HANDLE))
    if gfid == ROOT_GFID:
        return None
    if where != handle_of(gfid):
        return HandleFacts(has_gfid=False)
    status = os.stat(where, dir_fd=handles.root, follow_symlinks=False)
    way = False
    leads = False
    if stat.S_ISLNK(status.st_mode) and status.st_nlink == 1:
        try:
            handles.parent_of(gfid)
            way = True
            handles.directory(gfid)
            leads = True
        except OSError:
            pass
    if stat.S_ISDIR(status.st_mode):
        return HandleFacts(has_gfid=False)
    return HandleFacts(True, False, status.st_nlink, way, leads, status.st_ctime_ns >= began)


# -- the index of a brick without rights --------------------------------------------------------------


def _index(handles: Handles) -> Iterator[Finding]:
    for name in _listed(handles, INDEX):
        where = f"{INDEX}/{name}"
        try:
            gfid = gfid_of(os.readlink(where, dir_fd=handles.root))
            if str(handles.stat(gfid).st_ino) == name:
                continue
        except (OSError, ValueError):
            pass
        with contextlib.suppress(OSError):
            os.unlink(where, dir_fd=handles.root)
            yield Finding(Defect.STALE_INDEX, where, Remedy.REMOVED)
