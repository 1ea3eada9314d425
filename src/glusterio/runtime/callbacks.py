"""What a function of the application's may raise when the session calls it.

A completion callback, or one for upcalls, is called on whichever thread receives what it waits for:
another caller's, or the house-keeper's. What goes wrong in it is nobody's there, so it is logged, and
ends neither that caller's call nor the house-keeper. The exception is who wants the program to end:
``SystemExit`` and ``KeyboardInterrupt`` on the main thread come out of the call that it is in, as they
do when a signal's handler raises them; elsewhere they are logged, too, as no thread of a program ends
that by ``SystemExit``. On an event loop that runs on the main thread they come out of the loop, as
asyncio has it with its own callbacks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from glusterio.types import Log


class Callback:
    """Calls a function, and logs what goes wrong: not more often than is of use.

    The first error is logged with its traceback; then the second, the fourth, the eighth and so on,
    each with how many there were. Who raises at each of a million calls makes twenty lines of it.

    Args:
        function: the function.
        log: where its errors go.
        what: what it is, for the log.
    """

    __slots__ = ("_failures", "_function", "_log", "_what")

    def __init__(self, function: Callable[..., Any], log: Log, what: str) -> None:
        self._function = function
        self._log = log
        self._what = what
        self._failures = 0

    def __call__(self, *args: Any) -> None:
        try:
            self._function(*args)
        except BaseException as error:
            if ends_program(error):
                raise
            self._failures += 1
            if self._failures == 1:
                self._log.error("%s failed", self._what, exc_info=error)
            elif not self._failures & self._failures - 1:
                said = self._what, self._failures, repr(error)
                self._log.error("%s has failed %d times: %s", *said)


def ends_program(error: BaseException) -> bool:
    """Tell whether what a callback raised is meant for the program: it is to be raised on."""
    return (
        isinstance(error, (KeyboardInterrupt, SystemExit))
        and threading.current_thread() is threading.main_thread()
    )
