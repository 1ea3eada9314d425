"""Work of the session's own that is done to its end, whoever gives up or is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from glusterio.runtime.fiber import start_later
from glusterio.traps import Coro, Spawn

if TYPE_CHECKING:
    from glusterio.api.core import Core


class Unbroken:
    """Work that goes on though nobody waits for it, and is begun anew where an interrupt ended it.

    The interrupt is raised in the thread where it came, as always (:mod:`glusterio.runtime.fiber`).

    Args:
        core: the session.
        work: makes its coroutine, which goes on where the last one left off. It must not raise.

    Attributes:
        over: the event that says that it is done.
    """

    def __init__(self, core: Core, work: Callable[[], Coro[None]]) -> None:
        self._core = core
        self._work = work
        self._is_at_it = False
        self.over = core.driver.new_event()

    async def begin(self) -> None:
        """Begin with it, if nobody has. Waits for nothing, and is harmless when repeated."""
        try:
            await Spawn(self._run())
        except GeneratorExit:
            raise
        except BaseException:  # an interrupt, perhaps before anything was done
            start_later(self._core.driver, self._run())
            raise

    async def _run(self) -> None:
        if self._is_at_it or self.over.is_set:
            return
        try:
            self._is_at_it = True
            await self._work()
            self.over.set()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._is_at_it = False
            if isinstance(error, Exception):
                self.over.set()  # nobody shall wait for it
            else:
                start_later(self._core.driver, self._run())
            raise
