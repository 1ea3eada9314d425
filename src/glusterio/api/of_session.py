"""What belongs to a session cannot be sent anywhere else: neither pickled nor copied."""

from __future__ import annotations

from typing import Any, NoReturn


class OfSession:
    """A base of all that stands for something of a session's: the volume, its files, its listings.

    Another process has no such session, and two objects of one handle would both close it.
    """

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            f"cannot pickle or copy {type(self).__name__!r} object: it belongs to a session of this"
            " process; let the other process connect by itself"
        )
