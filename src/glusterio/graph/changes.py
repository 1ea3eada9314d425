"""What changed when: whether an answer may be older than a change.

Who keeps answers of a brick must not keep one that was overtaken: while it travelled, another call of
this client changed what it tells. So who asks takes a mark first, every change is noted before it is
sent and again when it is answered, and an answer is kept only if nothing was noted since its mark.

Changes are remembered by a hash of what changed; a collision costs an answer that is not kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_SLOTS: Final = 1024


class Changes:
    """The history of changes. Its user sees to it that one thread at a time is in a method.

    Attributes:
        latest: the mark to take before asking.
    """

    __slots__ = ("_all", "_at", "latest")

    def __init__(self) -> None:
        self.latest = 0
        self._all = 0
        self._at = [0] * _SLOTS

    def note(self, what: Hashable) -> None:
        """Something changes, or has changed just now."""
        self.latest += 1
        self._at[hash(what) % _SLOTS] = self.latest

    def note_name(self, parent: Hashable, name: Hashable) -> None:
        """A name comes or goes: so its directory changes, too."""
        self.latest = latest = self.latest + 1
        at = self._at
        at[hash(parent) % _SLOTS] = at[hash((parent, name)) % _SLOTS] = latest

    def note_all(self) -> None:
        """Anything may have changed."""
        self.latest += 1
        self._all = self.latest

    def since(self, what: Hashable, mark: int) -> bool:
        """Tell whether a change was noted after a mark was taken."""
        if self.latest == mark:  # as a rule nothing was, not even something else
            return False
        return self._at[hash(what) % _SLOTS] > mark or self._all > mark
