"""An open file or directory inside one graph."""

from __future__ import annotations

from typing import Any

from glusterio.types import Gfid


class Fd:
    """A file or directory that a graph holds open, or an anonymous way to its data.

    Args:
        gfid: the file's identity; all zero until a CREATE has been answered.
        flags: the open flags (:class:`~glusterio.wire.programs.OpenFlag`).
        anonymous: good for single operations on a known gfid, without OPEN and RELEASE.

    Attributes:
        context: what each translator keeps for this fd, by translator; dropped by its ``release``.
    """

    __slots__ = ("__weakref__", "anonymous", "context", "flags", "gfid")

    def __init__(self, gfid: Gfid, flags: int = 0, *, anonymous: bool = False) -> None:
        self.gfid = gfid
        self.flags = flags
        self.anonymous = anonymous
        self.context: dict[object, Any] = {}

    def __repr__(self) -> str:
        return f"<Fd {self.gfid.hex()} flags={self.flags:#o}>"
