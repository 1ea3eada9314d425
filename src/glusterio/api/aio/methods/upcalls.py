"""A volume's methods that deliver what bricks tell unasked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any

from glusterio.api import upcalls
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.aio.session import AioSession
from glusterio.api.of_session import OfSession
from glusterio.api.upcalls import Subscription, Upcall, UpcallKind
from glusterio.errors import ForkedSessionError, SessionClosedError


class AsyncUpcallIterator(OfSession, AsyncIterator[Upcall]):
    """What bricks tell unasked, from when it was made on, to when it or the session is closed."""

    def __init__(self, session: AioSession, kinds: frozenset[UpcallKind]) -> None:
        self._session = session
        self._subscription = session.core.upcalls.subscribe(kinds)

    def __aiter__(self) -> AsyncUpcallIterator:
        return self

    async def __anext__(self) -> Upcall:
        try:
            _, upcall = await self._session.take(
                upcalls.next_of, None, upcalls.put_back, self._subscription
            )
        except ForkedSessionError:
            raise
        except SessionClosedError:
            # What had come before is delivered; nothing is waited for any more.
            left = self._subscription.take()
            upcall = left if isinstance(left, Upcall) else None
        if upcall is None:
            raise StopAsyncIteration
        found: Upcall = upcall
        return found

    async def close(self) -> None:
        """Listen no more. Harmless when repeated."""
        self._session.core.upcalls.unsubscribe(self._subscription)

    async def __aenter__(self) -> AsyncUpcallIterator:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class UpcallRegistration:
    """A function that is called for upcalls. Made by a volume's ``register_upcall``."""

    def __init__(
        self, session: AioSession, kinds: frozenset[UpcallKind], callback: Callable[[Upcall], Any]
    ) -> None:
        if not callable(callback):
            raise TypeError(f"{callback!r} cannot be called")
        self._session = session
        self._subscription: Subscription = session.core.upcalls.subscribe(kinds)
        session.core.upcalls.pump(self._subscription, callback)

    def unregister(self) -> None:
        """Call it no more, but for what has come already. Harmless when repeated."""
        self._session.core.upcalls.unsubscribe(self._subscription)


class AsyncUpcalls(AsyncVolumeBase):
    """What bricks tell unasked: where the volume has that turned on, and of files used lately."""

    def upcalls(self, kinds: Iterable[UpcallKind] = ()) -> AsyncUpcallIterator:
        """Listen to what bricks tell unasked, from now on.

        Each step waits for the next upcall. What has come before the session is closed is delivered,
        then it ends. Who lets ten thousand come together is told that some are lost; so is who wants
        to hear of changes, when bricks do not know any more what the session has used.

        Args:
            kinds: of what; by default everything.
        """
        return AsyncUpcallIterator(self._session, frozenset(map(UpcallKind, kinds)))

    def register_upcall(
        self, callback: Callable[[Upcall], Any], kinds: Iterable[UpcallKind] = ()
    ) -> UpcallRegistration:
        """Have a function called for what bricks tell unasked, from now on.

        It is called with each upcall, one after the other, where the answers of calls come in, and
        should not take long. It may use the volume as callbacks of futures may, but not close it.
        Errors in it are logged.

        Args:
            callback: the function.
            kinds: for what; by default for everything.
        """
        return UpcallRegistration(self._session, frozenset(map(UpcallKind, kinds)), callback)
