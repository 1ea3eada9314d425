"""A session's own log: whatever it tells goes to one logger, and says which session it is.

``logging`` keeps a named logger for ever, so a name for each session would be a leak. A session has an
adapter instead, which goes with it: it puts the volume's name and the session's number in front of
each message, and into each record (``glusterio_volume``, ``glusterio_session``), for filters and
handlers. The logger behind it is the application's, given to ``connect``, or ``glusterio``.

What is logged at which level: docs/logging.md. Nothing is on the way of a read or a write.
"""

from __future__ import annotations

import itertools
import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

from glusterio.types import Log

#: The logger of sessions that were given none.
LOGGER: Final = logging.getLogger("glusterio")
LOGGER.addHandler(logging.NullHandler())  # else what nobody wants to hear would go to stderr

_numbers: Final = itertools.count(1)


class SessionLog(logging.LoggerAdapter[Any]):
    """The log of one session.

    A handler that raises does not disturb the session, which may be in the middle of anything: the
    error is printed to stderr, as handlers of the standard library do it.

    Args:
        logger: where it goes; ``None`` for ``glusterio``.
        volume: the volume's name.

    Attributes:
        number: the session's number in its process, from 1.
    """

    def __init__(self, logger: Log | None, volume: str) -> None:
        self.number = next(_numbers)
        super().__init__(
            LOGGER if logger is None else logger,
            {"glusterio_volume": volume, "glusterio_session": self.number},
        )
        self._prefix = f"{volume.replace('%', '%%')}#{self.number}: "

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Say which session it is."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **self.extra}  # type: ignore[dict-item]
        return f"{self._prefix}{msg}", kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message; what a filter or handler raises stays here.

        Of an error its words are told, not the error: a handler that keeps records would keep the
        error's traceback, and with it whatever its frames know, a volfile of megabytes for instance.
        """
        if not self.isEnabledFor(level):
            return
        args = tuple(str(each) if isinstance(each, BaseException) else each for each in args)
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # where it was told, not this line
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception:
            if logging.raiseExceptions and sys.stderr is not None:
                traceback.print_exc()

    def hook_failed(self, error: Exception) -> None:
        """Tell that the application's trace hook has raised, and hears of nothing more."""
        self.last_words(f"the trace hook has failed, and hears of nothing more: {error!r}")

    def last_words(self, message: str) -> None:
        """Log an error of which nobody could hear in another way; if nobody listens, to stderr."""
        self.error("%s", message)
        if not _is_heard(self.logger) and sys.stderr is not None:
            print(f"{self._prefix}{message}", file=sys.stderr)


def _is_heard(log: Log) -> bool:
    """Tell whether a logger, or one above it, has a handler that does anything."""
    while not isinstance(log, logging.Logger):
        log = log.logger
    logger: logging.Logger | None = log
    while logger is not None:
        if not all(isinstance(each, logging.NullHandler) for each in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
