"""The gfid objects that a session holds: each pins its file's inode, and is counted.

An object is no open file: no brick knows of it, and it costs a reference in the inode table. What it is
good for is its gfid, by which every operation on it is asked, so nothing can be used after it is gone.
All the same a session's end finds each that is left, gives its reference back, and names it in the
report.
"""

from __future__ import annotations

import stat as stat_module
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from glusterio.api.standpoint import Standpoint, Step
from glusterio.errors import SessionClosedError
from glusterio.lifecycle.report import DrainedObject
from glusterio.types import Gfid

if TYPE_CHECKING:
    from glusterio.graph.inode import InodeTable


class Pin:
    """What is behind one object.

    Attributes:
        number: the pin's number in its session, from 1.
        gfid: the file.
        kind: the file type's bits of its mode, which never change.
        path: what it was found by, for messages and the report.
        opened_at: ``file:line`` of the application's call, or an empty string.
        standpoint: the way to it from the root, for a directory of which that is known.
        closed: whether it was let go of, by its user or by the end of the session.
    """

    __slots__ = ("closed", "gfid", "kind", "number", "opened_at", "path", "standpoint")

    def __init__(self, number: int, gfid: Gfid, kind: int, path: str, opened_at: str) -> None:
        self.number = number
        self.gfid = gfid
        self.kind = kind
        self.path = path
        self.opened_at = opened_at
        self.standpoint: Standpoint | None = None
        self.closed = False

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.kind == stat_module.S_IFDIR

    def keep(self, steps: tuple[Step, ...]) -> None:
        """Remember the way to it."""
        self.standpoint = Standpoint(steps)

    def __repr__(self) -> str:
        return f"<object {self.number} {self.path!r}{' closed' if self.closed else ''}>"


class Pins:
    """All objects of one session.

    Args:
        lock: a mutual-exclusion lock; the inode table's is taken under it.
        inodes: where the references are.
    """

    def __init__(self, lock: AbstractContextManager[Any], inodes: InodeTable) -> None:
        self._lock = lock
        self._inodes = inodes
        self._held: dict[int, Pin] = {}
        self._count = 0
        self._ended = False

    def take(
        self,
        gfid: Gfid,
        mode: int,
        path: str,
        opened_at: str,
        steps: tuple[Step, ...] | None = None,
    ) -> Pin:
        """Pin a file.

        Args:
            gfid: the file.
            mode: its mode, of which the type's bits count.
            path: what it was found by.
            opened_at: where in the application this is.
            steps: the way to it from the root, for a directory, where that is known.

        Raises:
            SessionClosedError: the session has let go of all objects already.
        """
        with self._lock:
            if self._ended:
                raise SessionClosedError(f"{path}: the session is closed")
            self._count += 1
            pin = Pin(self._count, gfid, stat_module.S_IFMT(mode), path, opened_at)
            if steps is not None:
                pin.keep(steps)
            self._held[pin.number] = pin
            try:
                self._inodes.ref(gfid, pin)
            except BaseException:
                del self._held[pin.number]
                raise
        return pin

    def drop(self, pin: Pin) -> None:
        """Let go of a pin. Harmless when repeated."""
        with self._lock:
            if self._held.pop(pin.number, None) is pin:
                pin.closed = True
                self._inodes.unref(pin.gfid, pin)

    def holds(self, pin: Pin) -> bool:
        """Tell whether a pin is this session's, and not closed."""
        return self._held.get(pin.number) is pin

    def all(self) -> list[Pin]:
        """Return those that are held."""
        with self._lock:
            return list(self._held.values())

    def moved(self, gfid: Gfid, steps: tuple[Step, ...]) -> None:
        """This session has renamed a directory."""
        for pin in self.all():
            if pin.standpoint is not None:
                pin.standpoint.moved(gfid, steps)

    def end(self) -> list[DrainedObject]:
        """Let go of all that are left, and hold no more. Returns what was left."""
        with self._lock:
            self._ended = True
            left = list(self._held.values())
        for pin in left:
            self.drop(pin)
        return [DrainedObject(pin.path, pin.gfid, pin.opened_at) for pin in left]

    def __len__(self) -> int:
        return len(self._held)

    def forked(self, lock: AbstractContextManager[Any]) -> None:
        """This is a child process, whose sessions are dead: nothing is held here.

        Args:
            lock: a new one; the old one may be held by a thread that does not exist here.
        """
        self._lock = lock
        self._ended = True
        for pin in self._held.values():
            pin.closed = True
        self._held.clear()
