"""A volume's methods that tell of it and of its session."""

from __future__ import annotations

import uuid
from typing import Any

from glusterio.api import facts, metrics
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.metrics import Metrics


class AsyncFacts(AsyncVolumeBase):
    """What a session knows of its volume and of itself."""

    @property
    def volfile(self) -> str:
        """The volfile's text: the one in use, which a change of the volume's may have exchanged."""
        return self._session.core.volfile

    async def volume_id(self) -> uuid.UUID:
        """Return the volume's id, which stays the same when it is renamed. It is asked for once.

        Raises:
            OSError: ENODATA: neither a management daemon nor the brick knows one.
        """
        found: uuid.UUID = await self._session.call(facts.volume_id, None)
        return found

    def metrics(self) -> Metrics:
        """Tell what this session has done and what it holds, as numbers.

        It waits for nothing, and may be asked for at any time, from any thread, after the end too.
        Operations and bytes are counted with ``connect(metrics=True)`` only.
        :func:`glusterio.metrics.all` tells of all sessions of the process.
        """
        return metrics.metrics(self._session.core)

    def statedump(self) -> dict[str, Any]:
        """Tell what goes on in this session: calls, handles, objects, inodes, translators.

        Plain values, for JSON; it waits for nothing, so it may be asked for at any time, from any
        thread. :func:`glusterio.statedump` tells of all sessions of the process.
        """
        return facts.statedump(self._session.core)
