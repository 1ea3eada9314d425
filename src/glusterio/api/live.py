"""The sessions that this process has, for its end and for its forks.

Interpreter exit closes every session that is still open, briefly. A child process after ``fork`` finds
every session of its parent dead, with a clear error, and its copies of the sockets closed, so that a
brick still sees the parent's end when the parent ends.
"""

from __future__ import annotations

import atexit
import os
import warnings
from typing import Any, Protocol

#: What a session gets at interpreter exit, in seconds.
EXIT_TIMEOUT = 2.0


class Live(Protocol):
    """A session, as this module sees it."""

    core: Any

    def close_at_exit(self, timeout: float) -> None:
        """Close the session; the interpreter is about to exit."""

    def forget_after_fork(self) -> None:
        """This is a child process: become a dead session, and leave the parent's alone."""


_LIVE: dict[int, Live] = {}


def add(session: Live) -> None:
    """Take note of a session."""
    _LIVE[id(session)] = session


def discard(session: Live) -> None:
    """A session has ended."""
    _LIVE.pop(id(session), None)


def sessions() -> list[Live]:
    """Return those that there are."""
    return list(_LIVE.values())


def count() -> int:
    """Return how many sessions there are."""
    return len(_LIVE)


def warn_of_exit(volume: str, connected_at: str) -> None:
    """Warn of a session that the application did not close before the interpreter's exit."""
    warnings.warn(
        f"unclosed session on volume {volume!r}, connected at {connected_at or 'an unknown place'}:"
        " it was closed at interpreter exit",
        ResourceWarning,
        stacklevel=1,
    )


def _close_all() -> None:
    for session in list(_LIVE.values()):
        try:
            session.close_at_exit(EXIT_TIMEOUT)
        except Exception:  # the others shall be closed all the same
            session.core.log.exception("closing a session at interpreter exit")


def _forget_all() -> None:
    for session in list(_LIVE.values()):
        try:
            session.forget_after_fork()
        except Exception:  # the others are the parent's all the same
            session.core.log.exception("after a fork")
    _LIVE.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
