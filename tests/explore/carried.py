"""The open files that are on their way to another graph, which the session keeps no list of."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from glusterio.api.carrying import Carrying

if TYPE_CHECKING:
    from glusterio.api.core import Core


class Carried:
    """Knows each :class:`Carrying` for as long as somebody has it."""

    def __init__(self) -> None:
        self._all: list[weakref.ref[Carrying]] = []
        known = self._all
        make = Carrying.__init__

        def noted(carrying: Carrying, *args: Any) -> None:
            make(carrying, *args)
            known.append(weakref.ref(carrying, known.remove))

        Carrying.__init__ = noted  # type: ignore[method-assign, assignment]

    def of(self, core: Core) -> list[Carrying]:
        """Return those of a session, in the order in which they were begun."""
        if core.built < 2:
            return []
        tops = {graph.top for graph in core.graphs}
        files = [each() for each in self._all]
        return [file for file in files if file is not None and file.old.top in tops]


CARRIED = Carried()
