"""A volume's methods for what changes under way: its volfile."""

from __future__ import annotations

from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.core import CONNECT_TIMEOUT
from glusterio.api.switch_report import SwitchReport


class AsyncChanges(AsyncVolumeBase):
    """What a session goes over to while it is in use."""

    async def reload(
        self, volfile: str | None = None, *, timeout: float = CONNECT_TIMEOUT
    ) -> SwitchReport:
        """Use a volfile from now on: another text, or the one that the server or file gives now.

        If the translators are the same and only their options have changed they take these. Else a
        new graph is connected and comes into use, with every open file, its locks and its deferred
        writes. No call fails or is held up for it, except that requests for locks wait a moment. An
        open file that cannot be carried over, since it was removed for instance, goes on working as it
        is until it is closed.

        Whatever goes wrong, the session goes on with the graph that it has. Cancelled, it does so,
        too, unless the new graph is about to come into use.

        Args:
            volfile: the text; ``None`` to ask for it anew.
            timeout: how long the new graph may take to come up, in seconds.

        Returns:
            What has changed, how many handles were carried, and which were not, and why.

        Raises:
            TimeoutError: it is not up in time.
            GraphError: the volfile makes no graph, or one that needs what glusterio does not have.
            OSError: the volfile cannot be had, or a brick of it is not there.
        """
        from glusterio.api.switching import reload  # with all that a switch needs, and few do

        report: SwitchReport = await self._session.call(reload, None, volfile, timeout)
        return report
