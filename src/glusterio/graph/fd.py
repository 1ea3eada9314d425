"""An open file or directory inside one graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glusterio.traps import Coro
from glusterio.types import Buffer, Gfid


class Fd:
    """A file or directory that a graph holds open, or an anonymous way to its data.

    Args:
        gfid: the file's identity; all zero until a CREATE has been answered.
        flags: the open flags (:class:`~glusterio.wire.programs.OpenFlag`).
        anonymous: good for single operations on a known gfid, without OPEN and RELEASE.
        top: the top of its graph, in a client, where there may be several graphs: whatever is done with
            an fd is asked of this translator.

    Attributes:
        context: what each translator keeps for this fd, by translator; dropped by its ``release``.
        at_hand: where a translator has in hand what the file holds: returns the bytes that a read of a
            size at an offset brings, or ``None`` when the translator has to be asked after all.
        ahead: how far into the file what was asked for ahead reaches, in bytes: when a read has passed
            the translators, what follows up to there may be ``at_hand`` and will not pass them.
        unsent: no brick has heard of it yet: closing it may need nobody (:meth:`Xlator.drop`).
        settle: where a translator answers writes before the brick has them: waits until the brick has
            those of this fd, and raises the error of what failed and nobody was told of. ``None`` as
            long as none did so, and where nobody wants to wait.
        through: nothing is to be answered early, kept, or asked for ahead: the session may have the
            file open in another graph, too.
    """

    __slots__ = (
        "__weakref__", "ahead", "anonymous", "at_hand", "context", "flags", "gfid", "settle",
        "through", "top", "unsent",
    )  # fmt: skip

    def __init__(
        self, gfid: Gfid, flags: int = 0, *, anonymous: bool = False, top: Any = None
    ) -> None:
        self.gfid = gfid
        self.flags = flags
        self.anonymous = anonymous
        self.top = top
        self.through = False
        self.context: dict[object, Any] = {}
        self.at_hand: Callable[[int, int], Buffer | None] | None = None
        self.ahead = 0
        self.unsent = False
        self.settle: Callable[[], Coro[None]] | None = None

    def __repr__(self) -> str:
        return f"<Fd {self.gfid.hex()} flags={self.flags:#o}>"
