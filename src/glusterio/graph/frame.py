"""One operation's way through the graph: who asks, and for which admitted call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glusterio.lifecycle.session import Call
    from glusterio.wire.credentials import Credentials


class Frame:
    """What travels with an operation from the top of the graph to its leaves.

    Attributes:
        call: the session's admitted call that the operation belongs to; ``None`` on a brick and
            for the teardown's own operations.
        identity: on whose behalf, where that is not the session's own user; or ``None``.
        client: on a brick, the connection identity that asks; ``None`` in a client.
    """

    __slots__ = ("call", "client", "identity")

    def __init__(
        self,
        call: Call | None = None,
        identity: Credentials | None = None,
        client: object | None = None,
    ) -> None:
        self.call = call
        self.identity = identity
        self.client = client
