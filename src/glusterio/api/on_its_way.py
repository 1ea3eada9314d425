"""What is kept with an fd whose file is on its way from one graph to another."""

from __future__ import annotations

from glusterio.graph.fd import Fd
from glusterio.traps import Event


class OnItsWay:
    """That a file is open in two graphs, perhaps: in the context of both fds, by this class.

    A handle of it is not closed before that is over: until then a brick may hold an fd which no handle
    has.

    Args:
        over: the event that says that the file is open in one graph only.
        old: the fd in the graph that it comes from.

    Attributes:
        is_moving: what is deferred, and the locks, are on their way: about the old fd nothing may be
            asked but for that, so it is not released until it is over.
        why_lost: why no brick holds the new fd any more, if that is so.
    """

    __slots__ = ("_fds", "is_moving", "over", "why_lost")

    def __init__(self, over: Event, old: Fd) -> None:
        self.over = over
        self.is_moving = False
        self.why_lost = ""
        self._fds = [old]

    def begin(self) -> None:
        """The file is on its way from here on. Harmless when repeated."""
        self._fds[0].context[OnItsWay] = self

    def mark(self, fd: Fd) -> None:
        """This is its fd in the other graph."""
        self._fds.append(fd)
        fd.context[OnItsWay] = self

    def holds(self, fd: Fd) -> bool:
        """Tell whether this fd may not be released yet."""
        return self.is_moving and fd is self._fds[0]

    def end(self) -> None:
        """It is over. Harmless when repeated."""
        for fd in self._fds:
            if fd.context.get(OnItsWay) is self:
                del fd.context[OnItsWay]
        self.over.set()


def note_lost(fds: dict[Fd, str]) -> None:
    """No brick holds these any more, each for a reason: whoever carries them there is to know."""
    for fd, why in fds.items():
        way: OnItsWay | None = fd.context.get(OnItsWay)
        if way is not None and fd is not way._fds[0]:
            way.why_lost = why
