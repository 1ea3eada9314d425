"""How a volume's methods run an operation on what they are given: a path, or an open file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.standpoint import Opened, at, own_handle
from glusterio.api.straight import known
from glusterio.traps import Coro
from glusterio.types import StrPath
from glusterio.wire.iatt import Iatt

Op = Callable[..., Coro[Any]]


class AsyncTargets(AsyncVolumeBase):
    """What other methods stand on."""

    def _known(self, path: Any, dir_fd: Opened | None, follow: bool) -> Iatt | None:
        """Return what a path leads to, if no brick need be asked."""
        core = self._session.core
        if dir_fd is not None or (core.callings is not None and core.callings.current.identity):
            return None
        return known(core, path, follow)

    async def _on(
        self,
        by_path: Op,
        by_handle: Op,
        path: StrPath | Opened,
        dir_fd: Opened | None,
        follow: bool,
        *args: Any,
    ) -> Any:
        """Run ``by_path(path, follow, *args)``; on an open file ``by_handle(*args)``.

        Raises:
            ValueError: an open file, and an argument that only a path can have.
        """
        if not isinstance(path, Opened):
            return await self._session.call(by_path, None, at(path, dir_fd), follow, *args)
        if dir_fd is not None:
            raise ValueError("can't specify dir_fd without matching path")
        if not follow:
            raise ValueError("cannot use an open file and follow_symlinks together")
        return await self._session.call(by_handle, own_handle(self._session.core, path), *args)
