"""What ``aio.Volume.open`` and the like return: to be awaited, or entered."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar


class _Closable(Protocol):
    async def close(self) -> Any: ...


C = TypeVar("C", bound=_Closable)


class Opening(Coroutine[Any, Any, C], Generic[C]):
    """Something being opened: ``await`` it, or use it with ``async with``, which closes it, too.

    It is a coroutine in every respect, so that a task can be made of it.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, C]) -> None:
        self._coroutine = coroutine
        self._opened: C | None = None

    def __await__(self) -> Generator[Any, Any, C]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """As a coroutine's."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine's."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """As a coroutine's."""
        self._coroutine.close()

    async def __aenter__(self) -> C:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
