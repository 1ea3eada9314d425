"""What an open directory holds, batch after batch: the next is on its way while one is looked at.

A brick takes about 20 us for each name, several times what a listing costs here; asked one batch
after the other, it would rest while names are handed out. So whoever is given a batch that is not the
last has the next one asked for. GlusterFS has a translator for that (performance/readdir-ahead), below
md-cache. Asked from here, a batch passes the whole graph when it is asked for: so md-cache knows how
old the answer is, and keeps nothing of it that was changed since; write-behind has sent what a brick
has to know of to tell sizes; and it is there for any graph.

One batch is ahead of a handle, not more. It is served for a second: so much later than else may another
client's change be seen. One's own are seen as if it were asked for when it is wanted: it is served only
where the session did nothing else meanwhile, and only who listed the batch before without doing
something else has one read ahead. (Whoever does something with each file gains little by it: that takes
several times as long.) Whoever meets an error there asks again, and hears of it himself. A directory is
not released while a batch is on its way.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.traps import Event, Spawn, Wait
from glusterio.wire.fops.directories import Listing, ReaddirpReply, ReaddirpRequest

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How much READDIRP may bring at once, in the brick's reckoning, in bytes: about 500 names. Bricks of
#: glusterio cap it there; from those of GlusterFS eight times as much comes 3 % sooner, all told.
BATCH: Final = 128 * 1024

#: For how long a batch that was asked for ahead is served, in seconds.
TIMEOUT: Final = 1.0


class Batch(NamedTuple):
    """Some names of a directory.

    Attributes:
        listing: the entries, without ``.`` and ``..``.
        start: the cookie that they were asked for with.
        offset: the cookie to go on with.
        is_last: whether there are no more.
    """

    listing: Listing
    start: int
    offset: int
    is_last: bool


class Cursor:
    """Where a listing stands in its directory.

    A brick that gives a cookie twice, as on a file system that is damaged, would have the listing go on
    for ever. That is noticed as R. P. Brent finds a cycle: one cookie is remembered, and again another
    one after twice as many batches.

    Args:
        path: the directory, for messages.

    Attributes:
        offset: the cookie to go on with.
        is_last: whether there is no more.
    """

    __slots__ = ("_batches", "_path", "_remembered", "_then", "is_last", "offset")

    def __init__(self, path: str) -> None:
        self.offset = 0
        self.is_last = False
        self._path = path
        self._remembered = 0
        self._batches = 0
        self._then = 1  # after so many batches the next cookie is remembered

    def follow(self, batch: Batch) -> Listing:
        """Go on behind a batch; return its entries.

        Raises:
            OSError: EIO: the brick leads in a circle.
        """
        if batch.start == self.offset:  # else another thread was here before
            self.offset, self.is_last = batch.offset, batch.is_last
            if not batch.is_last:
                if batch.offset == self._remembered:
                    raise OSError(
                        errno.EIO,
                        f"the brick leads the listing in a circle: cookie {batch.offset} came before",
                        self._path,
                    )
                self._batches += 1
                if self._batches == self._then:
                    self._remembered = batch.offset
                    self._then *= 2
        return batch.listing


class Ahead:
    """A batch that was asked for ahead: in the fd's context, by its class and its cookie.

    Attributes:
        until: how long it may be served.
        come: set when the answer is here, or an error.
        reply: the answer; ``None`` before, and after an error.
    """

    __slots__ = ("come", "reply", "until")

    def __init__(self, until: float, come: Event) -> None:
        self.until = until
        self.come = come
        self.reply: ReaddirpReply | None = None


async def read_directory(core: Core, frame: Frame, handle: Handle, offset: int) -> Batch:
    """Read the next names of an open directory, and have those behind them asked for.

    Args:
        core: the session.
        frame: the operation's frame.
        handle: the directory.
        offset: 0, or the cookie that the last call returned: who reads on and on needs a
            :class:`Cursor`.

    Raises:
        OSError: what the brick says; EIO for a name that can be none, as Linux does: whoever copies a
            tree must not be led out of it.
    """
    fd = handle.fd
    undisturbed = _is_undisturbed(core, frame, fd)
    reply = await _that_was_ahead(core, fd, offset, undisturbed)
    if reply is None:
        reply = await fd.top.readdirp(frame, fd, ReaddirpRequest(fd.gfid, 0, offset, BATCH))
    entries = reply.entries
    if not entries:
        return Batch(Listing.of(()), offset, offset, True)
    next_offset = entries[-1].d_off
    is_last = reply.op_errno == errno.ENOENT
    if undisturbed and not is_last:
        await _read_on(core, fd, next_offset)
    listing = Listing.of(entries)
    names = listing.names
    if "." in names or ".." in names:
        listing = listing.without(".", "..")
        names = listing.names
    text = "".join(names)
    if "/" in text or "\0" in text or "" in names:
        raise fs_error(errno.EIO, handle.path)
    return Batch(listing, offset, next_offset, is_last)


def _is_undisturbed(core: Core, frame: Frame, fd: Fd) -> bool:
    """Tell whether the session did nothing else since a batch of this directory was last read."""
    session, call = core.session, frame.call
    if call is None:
        return False
    number = call.number
    before = fd.context.get(Batch, number)
    fd.context[Batch] = number
    # Those that began since have later numbers, and those that had begun are among the calls.
    return number <= before + 1 and session.calls_admitted == number and len(session.calls) == 1


async def _that_was_ahead(
    core: Core, fd: Fd, offset: int, undisturbed: bool
) -> ReaddirpReply | None:
    ahead: Ahead | None = fd.context.get((Ahead, offset))
    if ahead is None:
        return None
    if not ahead.come.is_set:
        await Wait(ahead.come)
    fd.context.pop((Ahead, offset), None)
    return ahead.reply if undisturbed and core.now() < ahead.until else None


async def _read_on(core: Core, fd: Fd, offset: int) -> None:
    ahead = Ahead(core.now() + TIMEOUT, core.driver.new_event())
    if fd.context.setdefault((Ahead, offset), ahead) is not ahead:
        return  # another thread, with the same listing
    try:
        await Spawn(_fill(core, fd, offset, ahead))
    except GeneratorExit:
        raise
    except BaseException:  # interrupted, perhaps before it had begun
        ahead.come.set()
        raise


async def _fill(core: Core, fd: Fd, offset: int, ahead: Ahead) -> None:
    try:
        request = ReaddirpRequest(fd.gfid, 0, offset, BATCH)
        ahead.reply = await fd.top.readdirp(Frame(), fd, request)
    except Exception:
        pass  # whoever reads there asks again, and hears of it himself
    finally:
        ahead.come.set()


async def until_quiet(fd: Fd) -> None:
    """Wait until no batch of a directory is on its way any more."""
    for ahead in list(fd.context.values()):
        if type(ahead) is Ahead and not ahead.come.is_set:
            await Wait(ahead.come)
