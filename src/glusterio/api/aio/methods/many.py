"""A volume's methods for whole files, and for many of them at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Literal, overload

from glusterio.api import attributes, bulk, whole_file
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.call_site import call_site
from glusterio.types import Buffer, StrPath
from glusterio.wire.iatt import Iatt


class AsyncMany(AsyncVolumeBase):
    """Whole files; and many paths in one call, with 64 requests in flight."""

    # -- whole files ------------------------------------------------------------------------------

    async def read_bytes(self, path: StrPath) -> bytes:
        """Return all that is in a file. A small one takes a single round trip."""
        data: bytes = await self._session.call(whole_file.read_file, None, path, call_site())
        return data

    async def read_text(
        self,
        path: StrPath,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> str:
        """Return all that is in a text file; arguments are those of ``open``."""
        return whole_file.decoded(await self.read_bytes(path), encoding, errors, newline)

    async def write_bytes(self, path: StrPath, data: Buffer) -> int:
        """Make a file, or empty it, and write ``data`` to it; return the number of bytes."""
        count: int = await self._session.call(
            whole_file.write_file, None, path, data, self._umask, call_site()
        )
        return count

    async def write_text(
        self,
        path: StrPath,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make a file, or empty it, and write text to it; return the number of characters."""
        await self.write_bytes(path, whole_file.encoded(data, encoding, errors, newline))
        return len(data)

    # -- many -------------------------------------------------------------------------------------

    @overload
    async def stat_many(
        self,
        paths: Iterable[StrPath],
        *,
        follow_symlinks: bool = True,
        return_exceptions: Literal[False] = False,
    ) -> list[os.stat_result]: ...

    @overload
    async def stat_many(
        self,
        paths: Iterable[StrPath],
        *,
        follow_symlinks: bool = True,
        return_exceptions: Literal[True],
    ) -> list[os.stat_result | OSError]: ...

    async def stat_many(
        self,
        paths: Iterable[StrPath],
        *,
        follow_symlinks: bool = True,
        return_exceptions: bool = False,
    ) -> list[Any]:
        """Return the attributes of many files, in the order of their paths.

        Args:
            paths: the paths.
            follow_symlinks: whether links at their ends are followed.
            return_exceptions: return the error of a path in its place; otherwise the first error
                that comes is raised.
        """
        found = await self._session.call(
            bulk.stat_many, None, list(paths), follow_symlinks, return_exceptions
        )
        return [attributes.stat_result(one) if isinstance(one, Iatt) else one for one in found]

    async def exists_many(self, paths: Iterable[StrPath]) -> list[bool]:
        """Tell of many paths, in their order, whether each leads to something."""
        found: list[bool] = await self._session.call(bulk.exists_many, None, list(paths))
        return found

    @overload
    async def read_many(
        self, paths: Iterable[StrPath], *, return_exceptions: Literal[False] = False
    ) -> list[bytes]: ...

    @overload
    async def read_many(
        self, paths: Iterable[StrPath], *, return_exceptions: Literal[True]
    ) -> list[bytes | OSError]: ...

    async def read_many(
        self, paths: Iterable[StrPath], *, return_exceptions: bool = False
    ) -> list[Any]:
        """Read many files whole, in the order of their paths; see :meth:`read_bytes`.

        Args:
            paths: the paths.
            return_exceptions: as for :meth:`stat_many`.
        """
        found: list[Any] = await self._session.call(
            bulk.read_many, None, list(paths), return_exceptions, call_site()
        )
        return found
