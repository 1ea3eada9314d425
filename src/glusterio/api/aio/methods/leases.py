"""Leases on files, open ones or objects."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from glusterio.api import leases
from glusterio.api.aio.session import AioSession
from glusterio.api.of_session import OfSession
from glusterio.errors import SessionClosedError
from glusterio.types import Gfid
from glusterio.wire.programs import LeaseType


class AsyncLease(OfSession):
    """A lease on a file, to be taken and given back. Made by the ``lease`` method of a file."""

    __slots__ = ("_gfid", "_kind", "_session", "_taken")

    def __init__(self, session: AioSession, gfid: Gfid, kind: LeaseType) -> None:
        self._session = session
        self._gfid = gfid
        self._kind = LeaseType(kind)
        self._taken: Any = None

    @property
    def held(self) -> bool:
        """Whether it has been taken and not given back since; the brick may have taken it meanwhile."""
        return self._taken is not None

    async def acquire(self) -> None:
        """Take the lease, in the name of the context's lease id.

        Raises:
            RuntimeError: it has been taken already.
            ValueError: there is no lease id: ``with vol.lease_id(...)``.
            OSError: the brick does not grant it, since others use the file; ENOSYS: the volume has
                leases turned off.
        """
        if self._taken is not None:
            raise RuntimeError("the lease has been taken already")
        self._taken = await self._session.take(
            leases.take_of, None, leases.give_back, self._gfid, self._kind
        )

    async def release(self) -> None:
        """Give the lease back, if it was taken. Harmless when the session is closed.

        Raises:
            OSError: the brick has taken it back already, since a recall was not answered.
        """
        taken, self._taken = self._taken, None
        if taken is None:
            return
        try:
            await self._session.call(leases.drop, None, *taken)
        except SessionClosedError:
            pass  # which has given it back

    async def __aenter__(self) -> AsyncLease:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()
