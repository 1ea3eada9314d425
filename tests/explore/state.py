"""What of a world decides how it goes on, as one value: two lives that come to the same one are cut
to one.

It is an abstraction, made of what this list names; where it took two states for one that differ, an
exhaustive search would miss something. So what it leaves out is left out on purpose:

* a coroutine is where it stands, through all that it awaits, and what it rests on; not its local
  variables. They are what led there: arguments, which the scenario fixes, and answers, which are
  the brick's files and fds at the time, and these are in the value;
* time is how long each timer still has, in their order; what keeps a time of its own (the ending's
  deadline, cached names, ping clocks) is in the value by the same token, or has a timer;
* xids, and what is in error messages.

``tests/explore/test_search.py`` runs scopes with and without this and compares what was found at
their ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from glusterio.api.ending import Ending
from glusterio.api.lock_owner import LockOwner
from glusterio.traps import Reply
from glusterio.xlators.write_behind import WriteBehind
from tests.explore.brick import parsed
from tests.explore.carried import CARRIED
from tests.explore.fibers import alive, of_callback

if TYPE_CHECKING:
    from tests.explore.brick import Brick, Request
    from tests.explore.world import World


def state_of(world: World) -> Hashable:
    """Return the value."""
    app = world.app
    core, driver = app.core, app.driver
    session = core.session
    fibers = alive(driver)
    now = world.clock.now
    names = _Names(world)
    ending = app.session._ending
    return (
        session.state,
        session.idle.is_set,
        tuple(
            (call.op, _number(call.handle), _number(call.second), call.unwanted is None)
            for call in session.calls.values()
        ),
        tuple(_handle(handle, core) for handle in session.ledger.values()),
        frozenset(Counter(names.of(fiber) for fiber in fibers).items()),
        tuple(names.of(fiber) for fiber in driver.ready),
        tuple(
            (
                round(timer.when - now, 6),
                tuple(names.of(each) for each in of_callback(timer.callback)),
            )
            for timer in world.clock.timers()
        ),
        tuple(
            (
                caller.name,
                caller.done,
                type(caller.error),
                _where(caller.coro),
                names.of(caller.rest.fiber),
            )
            for caller in world.callers
        ),
        tuple(caller.name for caller in world.due),
        app.ended,
        None if ending is None else _ending(ending, now),
        tuple((accepted.times, accepted.call.disowned) for accepted in app.accepted),
        tuple(wire.jammed for wire in driver.wires),
        tuple(
            tuple(_request(reply, world.brick) for reply in wire.connection.pending.values())
            for wire in driver.wires
        ),
        len(driver.connecting),
        tuple(_client(leaf) for graph in core.graphs for leaf in graph.leaves),
        tuple(
            _behind(each)
            for graph in core.graphs
            for each in graph.xlators
            if isinstance(each, WriteBehind)
        ),
        _brick(world.brick),
        tuple(world.budget.items()),
        world.accidents,
        len(app.errors),
        len(core.untold),
        core.makes_anew,
        len(core.through),
        core.switching is None,
        tuple(
            (graph.generation, graph.is_left, graph.is_down, graph is core.graph)
            for graph in core.graphs
        ),
        tuple(_carrying(file, core) for file in CARRIED.of(core)),
        world.forked,
        world.stalled,
        tuple(
            (world.brick.labels.get(inode.gfid), tuple(_number(holder) for holder in inode.holders))
            for inode in core.inodes._inodes.values()
            if inode.holders
        ),
    )


def _ending(ending: Ending, now: float) -> Hashable:
    report = ending.report
    return (
        round(ending._deadline - now, 6),
        ending._grace,
        tuple(ending._awaited),
        tuple(ending._drained),
        report.calls_settled,
        tuple(report.calls_cancelled),
        tuple(map(type, report.errors)),
    )


class _Names:
    """Gives each fiber a name: what it is and where it stands, and nothing of its identity."""

    def __init__(self, world: World) -> None:
        calls = world.app.core.session.calls
        self._brick = world.brick
        self._calls = {number: at for at, number in enumerate(calls)}
        self._names: dict[int, Hashable] = {}

    def _asked(self, reply: Reply) -> Hashable:
        return _request(reply, self._brick)

    def of(self, fiber: Any) -> Hashable:
        if fiber is None:
            return None
        name = self._names.get(id(fiber))
        if name is None:
            self._names[id(fiber)] = "a parent"  # of its own children
            name = self._names[id(fiber)] = (
                _where(fiber.coro),
                type(fiber.trap).__name__,
                self._asked(fiber.trap) if type(fiber.trap) is Reply else None,
                fiber.is_claimed,
                type(fiber.resume_error).__name__,
                fiber.resume_value if isinstance(fiber.resume_value, bool) else None,
                fiber.wanted_cancel is None,
                fiber.orphaned,
                fiber.done,
                self._calls.get(getattr(fiber.call, "number", 0)),
                tuple(self.of(child) for child in fiber.children),
            )
        return name


def _where(coro: Any) -> Hashable:
    """Where a coroutine stands, and those that it awaits."""
    places = []
    while coro is not None:
        frame = getattr(coro, "cr_frame", None)
        if frame is None:
            break
        places.append((coro.__name__, frame.f_lasti))
        coro = coro.cr_await
    return tuple(places)


def _number(handle: Any) -> int:
    return 0 if handle is None else handle.number


def _handle(handle: Any, core: Any) -> Hashable:
    fd = handle.fd
    context = () if fd is None else fd.context
    owner = context.get(LockOwner) if context else None
    return (
        handle.number,
        handle.state,
        handle.refs,
        handle.releasing,
        handle.idle.is_set,
        _fd(fd, core),
        None if owner is None else _owner(owner),
        type(handle.error).__name__,
    )


def _fd(fd: Any, core: Any) -> Hashable:
    """An fd, of whichever graph."""
    if fd is None:
        return None
    remotes = tuple(
        (graph.generation, _remote(leaf, fd.context[leaf]))
        for graph in core.graphs
        for leaf in graph.leaves
        if leaf in fd.context
    )
    return remotes, fd.through, fd.settle is None, core.graph is None or fd.top is core.top


def _owner(owner: LockOwner) -> Hashable:
    asking = tuple(each.waits for each in owner.asking)
    return len(owner.unsettled), asking, owner.moved is None, owner.quiet is None


def _carrying(file: Any, core: Any) -> Hashable:
    """An open file on its way to another graph."""
    return (
        _fd(file.old, core),
        _fd(file.new, core),
        type(file.why_not).__name__,
        file.was_locked,
        file._moving is not None and file._moving.is_begun,
        file._way.is_moving,
        file._way.why_lost,
        file.is_carried,
    )


def _remote(leaf: Any, remote: Any) -> Hashable:
    return (
        remote.number,
        remote.connection is leaf._connection,
        len(remote.unanswered),
        remote.quiet is not None,
        remote.release is not None,
        remote.reopening is not None,
        len(remote.locks.held) if remote.locks is not None else 0,
        remote.unsynced,
        remote.doubtful,
    )


def _client(leaf: Any) -> Hashable:
    """How a client is about its brick; how often it has tried is its own affair."""
    return leaf._up, leaf._ended, round(leaf._pause, 6), leaf._back is None


def _behind(xlator: Any) -> Hashable:
    """What write-behind has accepted: of a write that no coroutine carries nothing else tells."""
    return (
        xlator._size,
        xlator._carried,
        len(xlator._kept),
        len(xlator._room),
        tuple(
            (
                tuple(
                    (write.offset, len(write.data), write.begun, write.gathers, write.rest is None)
                    for write in deferred.order.writes.values()
                ),
                tuple(writer.losses.count for writer in deferred.writers),
                len(deferred.barriers),
                len(deferred.room),
            )
            for deferred in xlator._files.values()
        ),
    )


def _request(reply: Any, brick: Brick) -> Hashable:
    """What a request asks, without its xid and without what is made at random."""
    asked = reply.__dict__.get("asked")
    if reply.fiber is None:
        asked = ()  # nobody waits for it; the brick's inbox tells the rest
    elif asked is None:
        packet = b"".join(bytes(part) for part in reply.packet)
        asked = reply.asked = _asked(parsed(memoryview(packet)[4:]), brick) if packet else ()
    return asked, reply.sent, reply.fiber is None, reply.done


def _brick(brick: Brick) -> Hashable:
    return (
        brick.is_up,
        tuple(
            (
                connection.coming,
                tuple(
                    (_asked(request, brick), request.interrupted) for request in connection.inbox
                ),
                tuple(
                    (number, each.node.label, each.flags) for number, each in connection.fds.items()
                ),
            )
            for connection in brick.connections
        ),
        tuple((lock.fd, lock.owner, lock.type) for lock in brick.locks),
        tuple((name, bytes(node.data)) for name, node in sorted(brick.root.entries.items())),
    )


def _asked(request: Request, brick: Brick) -> Hashable:
    message = request.message
    if message is None:
        return request.name
    fields = message._asdict()
    fields.pop("xdata", None)  # of a CREATE: the gfid
    if fields.get("xattrs"):
        fields["xattrs"] = tuple((name, bytes(value)) for name, value in fields["xattrs"].items())
    for name in ("gfid", "pargfid"):
        if name in fields:
            fields[name] = brick.labels.get(fields[name])
    return request.name, tuple(fields.values()), request.tail
