"""What bricks tell unasked: that another client has changed a file, or wants a lease back.

Who wants to hear of it subscribes, and takes what comes one after the other, or has a function called
for each. What has come before the session's gate closes is delivered, and nothing after it. Nothing is
lost silently: a subscriber who lets too much come together is told that something is missing.

Bricks tell only where the volume has that turned on (``features.cache-invalidation``,
``features.leases``), and only of files that were used lately on the same connection. So who wants
to hear of changes is also told that something may be missing when a connection was made again, and
when the graph was exchanged.

Sources: GlusterFS api/src/glfs-handleops.c (``glfs_h_poll_upcall``), libglusterfs/src/glusterfs/
upcall-utils.h.
"""

from __future__ import annotations

import os
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from glusterio.api.attributes import stat_result
from glusterio.graph.frame import Frame
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.callbacks import Callback
from glusterio.runtime.fiber import Fiber, is_interrupt
from glusterio.traps import Event, Wait
from glusterio.types import NULL_GFID, Gfid
from glusterio.wire.callbacks import (
    CacheInvalidation,
    EntrylkContention,
    InodelkContention,
    RecallLease,
    UpcallFlag,
)
from glusterio.wire.iatt import ZERO_IATT, OldIatt
from glusterio.wire.programs import LeaseType
from glusterio.xlators.base import Notice

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How much may wait for one subscriber.
MOST: Final = 10_000

#: What of a file may mean that its names, or the way through it, are not what they were.
_NAMES: Final = ~(UpcallFlag.SIZE | UpcallFlag.TIMES)


class UpcallKind(Enum):
    """What an upcall is about."""

    #: another client has changed a file, or is using it in another way
    INVALIDATION = "invalidation"
    #: another client wants what a lease of this session keeps it from
    LEASE_RECALL = "lease recall"
    #: another client waits for a lock that a translator of this session holds
    LOCK_CONTENTION = "lock contention"
    #: a brick is there
    CHILD_UP = "child up"
    #: a brick is not there any more
    CHILD_DOWN = "child down"
    #: anything may have changed unsaid since the upcall before: the subscriber was too slow, or
    #: bricks are spoken to on a new connection, and know nothing of what was used before
    LOST = "lost"


class Upcall(NamedTuple):
    """One thing that a brick told unasked.

    Attributes:
        kind: what it is about.
        gfid: the file; ``None`` where it is about none. :meth:`glusterio.Volume.object` makes an
            object of it.
        flags: for an invalidation: what has changed.
        expire: for an invalidation: for how many seconds the brick goes on telling of the file.
        stat: for an invalidation: the attributes now; or ``None``.
        parent_gfid: for one of names: the directory; or ``None``.
        parent_stat: the directory's attributes now; or ``None``.
        old_parent_gfid: after a rename: the directory that the file has left; or ``None``.
        old_parent_stat: that directory's attributes now; or ``None``.
        lease_type: for a lease recall: what the session may keep.
    """

    kind: UpcallKind
    gfid: Gfid | None = None
    flags: UpcallFlag = UpcallFlag(0)
    expire: int = 0
    stat: os.stat_result | None = None
    parent_gfid: Gfid | None = None
    parent_stat: os.stat_result | None = None
    old_parent_gfid: Gfid | None = None
    old_parent_stat: os.stat_result | None = None
    lease_type: LeaseType = LeaseType.NONE


def upcall_of(notice: Notice, detail: object) -> Upcall | None:
    """Make an upcall of what the graph tells; ``None`` when it is nothing of that kind."""
    if notice is Notice.CHILD_UP:
        return Upcall(UpcallKind.CHILD_UP)
    if notice is Notice.CHILD_DOWN:
        return Upcall(UpcallKind.CHILD_DOWN)
    if isinstance(detail, CacheInvalidation):
        try:
            gfid = uuid.UUID(detail.gfid).bytes
        except ValueError:
            return None
        return Upcall(
            UpcallKind.INVALIDATION,
            gfid,
            UpcallFlag(detail.flags & sum(UpcallFlag)),
            detail.expire,
            _stat(detail.stat),
            *_file(detail.parent_stat),
            *_file(detail.old_parent_stat),
        )
    if isinstance(detail, RecallLease):
        types = LeaseType._value2member_map_
        kept = LeaseType(detail.lease_type) if detail.lease_type in types else LeaseType.NONE
        return Upcall(UpcallKind.LEASE_RECALL, detail.gfid, lease_type=kept)
    if isinstance(detail, (InodelkContention, EntrylkContention)):
        return Upcall(UpcallKind.LOCK_CONTENTION, detail.gfid)
    return None


def _file(found: OldIatt) -> tuple[Gfid | None, os.stat_result | None]:
    return (None if found.gfid == NULL_GFID else found.gfid), _stat(found)


def _stat(found: OldIatt) -> os.stat_result | None:
    """Turn attributes in the layout of upcalls into what ``os.stat`` returns."""
    if found.gfid == NULL_GFID and not found.mode:
        return None
    known: dict[str, Any] = found._asdict()
    return stat_result(ZERO_IATT._replace(**known))


class Subscription:
    """What one subscriber has not taken yet.

    Args:
        lock: a mutual-exclusion lock.
        new_event: makes an event.
        kinds: what he wants to hear of; empty for everything.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        new_event: Callable[[], Event],
        kinds: frozenset[UpcallKind],
    ) -> None:
        self._lock = lock
        self._new_event = new_event
        self._kinds = kinds
        self._waiting: deque[Upcall] = deque()
        self._come = new_event()
        self.ended = False

    def post(self, upcall: Upcall, kind: UpcallKind) -> None:
        """Something was told, for those who want to hear of that kind."""
        with self._lock:
            if self.ended or (self._kinds and kind not in self._kinds):
                return
            if len(self._waiting) >= MOST:
                self._waiting.clear()
                self._waiting.append(Upcall(UpcallKind.LOST))
            self._waiting.append(upcall)
            come = self._come
        come.set()

    def forked(self, lock: AbstractContextManager[Any]) -> None:
        """This is a child process: nothing will come. The old lock may be held by nobody for ever."""
        self._lock = lock
        self._waiting.clear()
        self.ended = True

    def put_back(self, upcall: Upcall) -> None:
        """Who took it has given up."""
        with self._lock:
            self._waiting.appendleft(upcall)
            come = self._come
        come.set()

    def end(self) -> None:
        """Nothing more shall come; what has come can still be taken. Harmless when repeated."""
        with self._lock:
            self.ended = True
            come = self._come
        come.set()

    def take(self) -> Upcall | Event | None:
        """Take what came first; or return an event to wait for, or ``None`` at the end."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self.ended:
                return None
            if self._come.is_set:
                self._come = self._new_event()
            return self._come


async def next_upcall(core: Core, frame: Frame, subscription: Subscription) -> Upcall | None:
    """Wait for what comes next; ``None`` when nothing will."""
    while True:
        taken = subscription.take()
        if not isinstance(taken, Event):
            return taken
        await Wait(taken)


async def put_back(
    core: Core, frame: Frame, handle: None, taken: tuple[Subscription, Upcall | None]
) -> None:
    """What was taken for somebody who has given up is the next one's."""
    subscription, upcall = taken
    if upcall is not None:
        subscription.put_back(upcall)


async def next_of(
    core: Core, frame: Frame, subscription: Subscription
) -> tuple[Subscription, Upcall | None]:
    """As :func:`next_upcall`, with whose it is."""
    return subscription, await next_upcall(core, frame, subscription)


class Upcalls:
    """The subscribers of one session.

    Args:
        core: the session.
    """

    def __init__(self, core: Core) -> None:
        self._core: Core = weakref.proxy(core)  # whose this is: no cycle shall keep it in memory
        self._lock = core.driver.new_lock()
        # Each is its subscriber's: who drops an iterator without a word listens no more.
        self._subscriptions: list[weakref.ref[Subscription]] = []
        self._ended = False
        self._pumps: dict[Subscription, Event] = {}
        #: how many of each kind have come
        self.told: dict[str, int] = {}

    def heard(self, core: Core, notice: Notice, detail: object) -> None:
        """A graph tells the session something. From any thread; waits for nothing."""
        upcall = upcall_of(notice, detail)
        if upcall is None:
            return
        gfid, is_active = upcall.gfid, core.session.state is SessionState.ACTIVE
        if gfid is not None and upcall.flags & _NAMES and is_active:
            core.inodes.invalidate(gfid)
        with self._lock:
            self.told[upcall.kind.value] = self.told.get(upcall.kind.value, 0) + 1
        self._post(upcall, upcall.kind)

    def forgotten(self) -> None:
        """Bricks have forgotten what the session has used, and so say nothing when that changes."""
        self._post(Upcall(UpcallKind.LOST), UpcallKind.INVALIDATION)

    def _post(self, upcall: Upcall, kind: UpcallKind) -> None:
        with self._lock:
            subscriptions = self._all()
        for subscription in subscriptions:
            subscription.post(upcall, kind)

    def _all(self) -> list[Subscription]:
        """Return those that somebody has. Called with the lock held."""
        return [each for ref in self._subscriptions if (each := ref()) is not None]

    def subscribe(self, kinds: frozenset[UpcallKind]) -> Subscription:
        """Begin to listen: somebody looks after the connections from now on.

        Args:
            kinds: of what; empty for everything.
        """
        core = self._core
        core.keep_house()
        made = Subscription(core.driver.new_lock(), core.driver.new_event, kinds)
        with self._lock:
            made.ended = self._ended
            self._subscriptions = [*map(weakref.ref, self._all()), weakref.ref(made)]
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        """Listen no more. Harmless when repeated."""
        with self._lock:
            others = [each for each in self._all() if each is not subscription]
            self._subscriptions = [*map(weakref.ref, others)]
        subscription.end()

    def pump(self, subscription: Subscription, callback: Callable[[Upcall], Any]) -> None:
        """Have a function called for whatever comes, one after the other.

        It is called where the answers of calls come in, as the callbacks of futures are.
        """
        called = Callback(callback, self._core.log, "a callback for upcalls")
        with self._lock:
            self._pumps[subscription] = self._core.driver.new_event()
        self._start(subscription, called)

    def _start(self, subscription: Subscription, callback: Callback) -> None:
        driver = self._core.driver
        begun = driver.new_event()  # nothing is called in here
        driver.start_detached(
            self._pump(subscription, callback, begun), partial(self._over, subscription, callback)
        )
        begun.set()

    async def _pump(self, subscription: Subscription, callback: Callback, begun: Event) -> None:
        await Wait(begun)
        while True:
            upcall = await next_upcall(self._core, Frame(), subscription)
            if upcall is None:
                return
            self._core.driver.start_detached(_nothing(), partial(_tell, callback, upcall))

    def _over(self, subscription: Subscription, callback: Callback, fiber: Fiber) -> None:
        error, fiber.error = fiber.error, None
        if is_interrupt(
            error
        ):  # the callback would end the program; the next upcall is told of, too
            self._start(subscription, callback)
            try:
                raise error
            finally:
                error = None  # no reference cycle through the traceback
        with self._lock:
            done = self._pumps.pop(subscription, None)
        if done is not None:
            done.set()

    def forked(self) -> None:
        """This is a child process, whose sessions are dead."""
        self._lock = self._core.driver.new_lock()
        self._ended = True
        for subscription in self._all():
            subscription.forked(self._core.driver.new_lock())

    def end(self) -> None:
        """The gate is closed: nothing that comes now is delivered any more."""
        with self._lock:
            self._ended = True
            subscriptions = self._all()
        for subscription in subscriptions:
            subscription.end()

    async def ended(self, seconds: float) -> bool:
        """Wait until all functions have been called for what had come; tell whether they were."""
        for done in list(self._pumps.values()):
            if not await Wait(done, seconds):
                return False
        return True


def _tell(callback: Callback, upcall: Upcall, _: object) -> None:
    callback(upcall)


async def _nothing() -> None:
    """End at once: for the sake of what is called then."""
