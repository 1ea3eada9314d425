"""features/locks: who holds what lock on the files of a brick.

Above storage/posix in a brick's graph.

Source: GlusterFS xlators/features/locks/src.
"""

from __future__ import annotations

from typing import ClassVar

from glusterio.xlators.base import Xlator

__all__ = ["Locks"]


class Locks(Xlator):
    """The locks of a brick's clients."""

    xlator_type: ClassVar[str] = "features/locks"
