"""One operation's way through the graph: who asks, and for which admitted call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glusterio.graph.fd import Fd
    from glusterio.lifecycle.session import Call
    from glusterio.types import Gfid
    from glusterio.wire.credentials import Credentials
    from glusterio.wire.dictionary import Dict


class Opening:
    """A file is being opened to be read, and nothing else: this LOOKUP and the OPEN belong together.

    A translator may have the file's content come along with such a LOOKUP; one that remembers what
    files are does not answer it by itself, so that whoever opens a file sees what it holds now.

    Attributes:
        parent: the directory that it was looked up in.
        name: the name that it was looked up by.
        content: what a translator has in hand of the file, for itself; or ``None``.
        granted: the file is there, its user may read it, and its content is in hand: so nobody need
            wait for its OPEN.
        since: a mark in a translator's history of changes, from when it passed the LOOKUP on; or
            ``None``.
    """

    __slots__ = ("content", "granted", "name", "parent", "since")

    def __init__(self, parent: Gfid, name: str) -> None:
        self.parent = parent
        self.name = name
        self.content: object | None = None
        self.granted = False
        self.since: int | None = None


class Frame:
    """What travels with an operation from the top of the graph to its leaves.

    Attributes:
        call: the session's admitted call that the operation belongs to; ``None`` on a brick and
            for the teardown's own operations.
        identity: on whose behalf, where that is not the session's own user; or ``None``.
        client: on a brick, the connection identity that asks; ``None`` in a client.
        late: for an operation that opens, locks or writes: called when its caller gave up and the
            answer has come since, with the fd, and the error if there was one. It closes what was
            opened, has what was locked dropped, and lets go what waits for what was written.
        stamp: which times the fop being wound changes, and the time: a
            :class:`~glusterio.wire.programs.TimeFlag` and nanoseconds since the epoch; or ``None``.
        xdata: the request's extra data, where a fop does not take the request itself: READ and WRITE
            on a brick; or ``None``.
        opening: for the LOOKUP and the OPEN of a file that is opened to be read; or ``None``.
        kept: whether a LOOKUP or STAT was answered by what a translator keeps, which may be old by its
            time-out; ``None`` when none may be: a brick is to be asked.
        closing: for a WRITE that is the file's last before it is closed, which waits for its answer: so
            there is nothing to be had from answering it earlier.
        patience_ends: until when the fop that is under way waits for a brick that is away, by the
            services' clock; ``None`` as long as none is.
        adopted: whether a translator has taken it on itself to call ``late``; when it lets a
            cancellation through without that, nothing is or will be open.
    """

    # What each begins with is the class's: most operations need none of it.
    call: Call | None = None
    identity: Credentials | None = None
    client: object | None = None
    late: Callable[[Fd, Exception | None], Awaitable[None]] | None = None
    opening: Opening | None = None
    closing = False
    adopted = False
    kept: bool | None = False
    stamp: tuple[int, int] | None = None
    xdata: Dict | None = None
    patience_ends: float | None = None

    def __init__(
        self,
        call: Call | None = None,
        identity: Credentials | None = None,
        client: object | None = None,
    ) -> None:
        if call is not None:
            self.call = call
        if identity is not None:
            self.identity = identity
        if client is not None:
            self.client = client
