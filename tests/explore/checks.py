"""What must always hold, evaluated on the live objects of a world.

:func:`after_step` is what DESIGN.md calls the invariants (:mod:`glusterio.lifecycle.invariants`),
and what needs more than the session to be told:

* RefsAddUp, for the inode table: a reference for each handle that is open, and no other;
* BrickAgrees: a brick holds no fd that is not in the ledger, and one for every handle that is open;
  no request is about an fd that it does not hold, and no RELEASE overtakes another request;
* NoStaleFds, of steps: after the gate nothing is reserved, and nothing becomes open;
* NoLostCallback: from the drain on, every operation that was accepted is completed, and none twice;
* NoUseAfterFree: no handle is of a graph that has gone; and a graph that nobody uses goes;
* what is locked is so at every instant, also while it moves to another graph;
* no lock is held while everybody rests, and no buffer is written to whose caller gave up;
* the trace is one that the specification allows (:mod:`glusterio.lifecycle.monitor`).

:func:`after_end` is what is left when a life is over: nothing; and that the report tells no defect,
that what was acknowledged is on the brick or its loss was told, and that close took no longer than
it may.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from glusterio.api.graphs import is_used
from glusterio.api.lock_owner import LockOwner
from glusterio.errors import ConnectionLostError, HandleStaleError
from glusterio.graph.fd import Fd
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.invariants import violations
from glusterio.lifecycle.states import HandleState, SessionState
from glusterio.xlators.client.remote import RemoteFd
from tests.explore.carried import CARRIED

if TYPE_CHECKING:
    from tests.explore.brick import BrickConnection
    from tests.explore.world import World

_S, _H = SessionState, HandleState

#: The calls that exchange graphs.
_SWITCHING = frozenset({"reload", "follow", "retire", "end_graph"})

#: The states in which a handle has its reference to the inode.
_REFERRING = frozenset({_H.OPEN, _H.STALE, _H.CLOSING})

#: The states in which a brick may hold an fd of which nobody here has heard yet.
_UNANSWERED = frozenset({_H.OPENING, _H.ABANDONED})


def after_step(world: World) -> list[str]:
    """Evaluate every invariant on the live objects; return the violations as sentences."""
    app = world.app
    session = app.core.session
    found = violations(session)
    found += _of_the_trace(world)
    if world.monitor.wrong is not None:
        found.append(f"Trace: {world.monitor.wrong}")
    if session.state is _S.FORKED:
        return found
    found += _inodes(world)
    found += _bricks(world)
    for buffer, content in app.given_back:
        if buffer != content:
            found.append(f"a buffer that was given back was written to: {bytes(buffer)!r}")
    for accepted in app.accepted:
        if accepted.times > 1:
            found.append(f"NoLostCallback: {accepted.call!r} was completed {accepted.times} times")
        elif not accepted.times and session.state >= _S.DRAINING and not accepted.call.disowned:
            found.append(f"NoLostCallback: {accepted.call!r} is not completed at the drain")
    if any(lock.held for lock in app.driver.locks):
        found.append("a lock is held while everybody rests")
    for caller in world.callers:
        if caller.error is not None and not world.may_be_told(caller.error):
            found.append(f"{caller}: {caller.error!r}")
    for complaint in world.brick.complaints:
        found.append(f"BrickAgrees: {complaint}")
    return found


def _of_the_trace(world: World) -> list[str]:
    """NoStaleFds, as it is about steps."""
    found = []
    records = world.records
    for at in range(world.checked, len(records)):
        record = records[at]
        if record.subject == "session" and record.event == "GATE":
            world.gate_closed = True
        elif world.gate_closed and (record.event == "RESERVE" or record.after == "OPEN"):
            found.append(f"NoStaleFds: handle {record.number} {record.event} after the gate")
    world.checked = len(records)
    return found


def _inodes(world: World) -> list[str]:
    core = world.app.core
    inodes = core.inodes
    if core.session.state > _S.CHECKING:
        return []
    found = [f"RefsAddUp: {sentence}" for sentence in inodes.violations()]
    due: Counter[tuple[bytes, Any]] = Counter(
        (handle.fd.gfid, handle)
        for handle in core.session.ledger.values()
        if handle.state in _REFERRING
    )
    due.update((pin.gfid, pin) for pin in core.pins.all())
    holders: dict[tuple[bytes, Any], int] = {
        (gfid, holder): count
        for gfid, inode in inodes._inodes.items()
        for holder, count in inode.holders.items()
    }
    if holders != due:
        found += [
            f"RefsAddUp: {holder!r} holds {holders.get((gfid, holder), 0)} references to its inode,"
            f" {due.get((gfid, holder), 0)} due"
            for gfid, holder in holders.keys() | due.keys()
            if holders.get((gfid, holder), 0) != due.get((gfid, holder), 0)
        ]
    return found


def _bricks(world: World) -> list[str]:
    core = world.app.core
    found: list[str] = []
    for graph in core.graphs:
        for leaf in graph.leaves:
            found += _of_a_client(world, leaf)
    if core.built > 1:
        found += _graphs(world)
        found += _locks(world)
    for wire in world.app.driver.wires:
        peer: BrickConnection | None = wire.peer
        if peer is not None:
            found += _of_a_connection(world, wire.connection, peer, wire.jammed)
    return found


def _graphs(world: World) -> list[str]:
    """A graph that has gone is used by nobody, and one that nobody uses goes."""
    core = world.app.core
    session = core.session
    tops = {graph.top for graph in core.graphs}
    leaves = {leaf for graph in core.graphs for leaf in graph.leaves}
    found = [
        f"NoUseAfterFree: {handle!r} is of a graph that has gone"
        for handle in session.ledger.values()
        if handle.fd is not None and handle.fd.top not in tops
    ]
    found += [
        f"NoUseAfterFree: {handle!r} is of a graph that has gone"
        for handle in session.ledger.values()
        for each, remote in ({} if handle.fd is None else handle.fd.context).items()
        if isinstance(remote, RemoteFd) and each not in leaves
    ]
    connections = {getattr(leaf, "_connection", None) for leaf in leaves}
    if not getattr(world.app.driver, "ready", ()) and session.state is _S.ACTIVE:
        busy = {call.op for call in session.calls.values()} & {
            "reload",
            "follow",
            "retire",
            "end_graph",
        }
        if not busy:
            found += [
                f"GraphsEnd: {graph!r} is used by nobody"
                for graph in core.graphs
                if graph is not core.graph and not is_used(core, graph)
            ]
            if core.through or core.switching is not None:
                found.append("GraphsEnd: no switch is under way, and it is as if there were one")
            if len(core.graphs) == 1 and not (world.scenario.reconnect or world.scenario.follow):
                found += [
                    f"GraphsEnd: {wire.connection!r} is of no graph"
                    for wire in world.app.driver.wires
                    if wire.connection not in connections
                ]
    return found


def _locks(world: World) -> list[str]:
    """What is locked is so at every instant, or it is known that it is not."""
    app = world.app
    if getattr(app.driver, "ready", ()):
        return []  # it may be about to be said
    if app.core.session.state is not _S.ACTIVE:
        return []
    owners = {lock.owner[8:] for lock in world.brick.locks}
    return [
        f"LocksHeld: {handle!r} has lost its lock"
        for handle in app.core.session.ledger.values()
        if handle.number in app.locked and handle.state is _H.OPEN
        if handle.number.to_bytes(8, "big") not in owners
        if handle.number not in app.unlocking and all(map(_is_settled, handle.fd.context.items()))
        if not any(
            file.old is handle.fd and file._moving is not None for file in CARRIED.of(app.core)
        )
    ]


def _is_settled(kept: tuple[Any, Any]) -> bool:
    """Whether a connection is there on which an fd is open; true of what is kept for others."""
    leaf, remote = kept
    return not isinstance(remote, RemoteFd) or (
        leaf._up and remote.connection.lost is None and remote.reopening is None
    )


def _of_a_client(world: World, leaf: Any) -> list[str]:
    """Whether the handles that are open are on the brick, or it is known that they are not."""
    if getattr(world.app.driver, "ready", ()):
        return []  # it may be about to be said
    said = [
        f"LostIsSaid: {handle!r} is open, and its client has lost it"
        for handle in world.app.core.session.ledger.values()
        if handle.state is _H.OPEN and RemoteFd in handle.fd.context
    ]
    if said:
        return said
    connection = leaf._connection
    is_up = leaf._up and connection is not None and connection.link is not None
    if (
        not is_up
        and leaf._reconnects
        and (leaf._ended or leaf._over is None or not leaf._over.is_set)
    ):
        return []  # the brick comes back, and they with it; or all is over
    return [
        f"LostIsSaid: {handle!r} is open, and its connection is gone"
        for handle in world.app.core.session.ledger.values()
        if handle.state is _H.OPEN and leaf in handle.fd.context
        if not is_up or handle.fd.context[leaf].connection is not connection
    ]


def _of_a_connection(
    world: World, connection: Any, peer: BrickConnection, jammed: bool
) -> list[str]:
    """Whether a brick has of one connection what its client knows of."""
    found: list[str] = []
    if not connection.outgoing and not peer.coming and not jammed:
        due = {request.header.xid for request in peer.inbox}
        found += [
            f"RefsAddUp: {reply!r} is waited for, and nobody will give it"
            for xid, reply in connection.pending.items()
            if xid not in due
        ]
    known: dict[int, list[Handle]] = {}
    opening = 0
    for handle in world.app.core.session.ledger.values():
        remotes = [] if handle.fd is None else [*_remotes(handle)]
        for remote in remotes:
            if remote.connection is connection:
                known.setdefault(remote.number, []).append(handle)
            else:
                opening += remote.reopening is not None
        opening += not remotes and (handle.state in _UNANSWERED or _opens_behind(handle))
    carried: set[int] = set()
    for file in CARRIED.of(world.app.core):
        for fd in (file.old, file.new):
            for remote in () if fd is None else _remotes_of(fd):
                if remote.connection is connection:
                    carried.add(remote.number)
                else:
                    opening += remote.reopening is not None
        opening += file.new is None or not [*_remotes_of(file.new)]
    strange = peer.fds.keys() - known.keys() - carried
    clients = [leaf for graph in world.app.core.graphs for leaf in graph.leaves]
    is_new = any(leaf._ended or leaf._connection is None for leaf in clients) and all(
        leaf._connection is not connection for leaf in clients
    )  # it is being made anew, and is looked at when it is used, or about to be closed
    if len(strange) > opening and not is_new:
        found.append(
            f"BrickAgrees: the brick holds fds {sorted(strange)}, which are in no ledger"
            f" ({opening} are being opened)"
        )
    found += [
        f"BrickAgrees: {handle!r} is open, and the brick holds no fd {number}"
        for number, handles in known.items()
        for handle in handles
        if handle.state is _H.OPEN and number not in peer.fds
    ]
    for lock in world.brick.locks:
        holders = known.get(lock.fd, ()) if peer.owns(lock) else ()
        if holders and not any(_may_lock(world, holder) for holder in holders):
            found.append(f"BrickAgrees: a lock of {holders!r} of which nobody knows")
    return found


def _remotes(handle: Handle) -> list[RemoteFd]:
    return _remotes_of(handle.fd)


def _remotes_of(fd: Fd) -> list[RemoteFd]:
    return [each for each in fd.context.values() if isinstance(each, RemoteFd)]


def _opens_behind(handle: Handle) -> bool:
    """Whether a translator may be opening it behind its user's back."""
    return handle.state in _REFERRING


def _may_lock(world: World, handle: Handle) -> bool:
    """Whether somebody has a lock through a handle, asks for one, or is about to drop one."""
    owner: LockOwner | None = handle.fd.context.get(LockOwner)
    return (
        handle.state is not _H.OPEN
        or handle.number in world.app.locked
        or handle.number in world.app.locking
        or handle.number in world.app.doubtful
        or (
            handle.number in world.app.forgone
            and not all(map(_is_settled, handle.fd.context.items()))
        )
        or (owner is not None and bool(owner.unsettled))
        or any(
            call.handle is handle and call.op in ("lock", "unlock")
            for call in world.app.core.session.calls.values()
        )
    )


#: By what a connection may be lost.
_LOSING = frozenset({"lose", "lose-answer", "down", "garble", "time", "stall", "jam"})


def after_end(world: World) -> list[str]:
    """Look at what is left when nothing more can happen."""
    app, driver = world.app, world.app.driver
    core = app.core
    found = [f"TeardownEnds: {caller} does not end" for caller in world.callers if not caller.done]
    if not app.ended or core.session.state is not _S.CLOSED:
        return [*found, f"TeardownEnds: the session is {core.session.state.name}"]
    report = core.report
    assert report is not None
    if not world.stalled:  # else something may not have come to its end in the time that it got
        found += [f"the report tells a defect: {defect}" for defect in report.defects]
        found += [
            f"TeardownEnds: call {record.number} was counted out, and nothing kept it from ending"
            for record in world.records
            if record.event == "DISOWN"
        ]
    left: dict[str, Any] = {
        "fds on the brick": world.brick.fds,
        "locks on the brick": len(world.brick.locks),
        "leases on the brick": len(world.brick.leases),
        "connections": len(world.brick.connections) + len(driver.wires),
        "connects": len(driver.connecting),
        "calls": len(core.session.calls),
        "handles": len(core.session.ledger),
        "inodes": len(core.inodes),
        "timers": len(world.clock.timers()),
        "fibers to be stepped": len(driver.ready),
        "fibers that wait for an event": sum(len(event.waiters) for event in driver.events),
    }
    found += [f"NothingLeft: {count} {what}" for what, count in left.items() if count]
    loop = getattr(app.session, "loop", None)
    if loop is not None:
        found += [f"NothingLeft: {task!r}" for task in loop.tasks if not task.done()]
        found += [f"asyncio: {complaint}" for complaint in loop.complaints]
    for accepted in app.accepted:
        if accepted.times != 1:
            found.append(f"NoLostCallback: {accepted.call!r} was completed {accepted.times} times")
    if core.switches and not world.happened & _LOSING:
        found += [
            f"NoUseAfterFree: a graph went from under a call: {error!r}"
            for error in (*app.errors, *(caller.error for caller in world.callers))
            if isinstance(error, (ConnectionLostError, HandleStaleError))
        ]
    for called, returned in app.closed_at:
        late = returned - max(called, app.deadline)
        if late > 0.001 and not world.stalled:
            found.append(f"TeardownEnds: close returned {late:.3f} s after its deadline")
    return found + _writes(world)


def _writes(world: World) -> list[str]:
    """What was acknowledged is on the brick, or somebody was told that it is not."""
    app = world.app
    report = app.core.report
    told = [*app.errors, *(report.errors if report is not None else ())]
    if any(_tells_of_loss(error) for error in told):
        return _told_twice(told)
    due: dict[str, dict[int, int]] = {}  # by path: each byte at its offset; the last one counts
    for path, offset, content in app.written:
        due.setdefault(path, {}).update(enumerate(content, offset))
    found = []
    for path, those in due.items():
        node = world.brick.root.entries.get(path.lstrip("/"))
        if node is not None:
            may_be = {
                (at, byte)
                for where, offset, content in app.attempted
                if where == path
                for at, byte in enumerate(content, offset)
            }
            missing = [
                at
                for at, byte in those.items()
                if at >= len(node.data) or not {(at, node.data[at])} & {(at, byte), *may_be}
            ]
            if missing:
                found.append(
                    f"NoLostWrites: {path}: of what was written bytes {missing} are not there"
                )
    return found


def _told_twice(errors: list[BaseException]) -> list[str]:
    """ToldOnce: what failed is in one error, of those that were told."""
    told: dict[int, BaseException] = {}  # by the record of what failed
    found = []
    for error in {id(error): error for error in errors}.values():
        put_back = getattr(error, "put_back", None)
        if put_back is not None:
            losses = put_back.args[-1]
            if told.setdefault(id(losses), error) is not error:
                found.append(f"ToldOnce: {error!r} was told twice")
    return found


def _tells_of_loss(error: BaseException) -> bool:
    """Whether an error says that deferred writes are not on the brick."""
    return "deferred" in " ".join((str(error), *getattr(error, "__notes__", ())))


def after_fork(world: World) -> list[str]:
    """Look at the child process: its session is dead, and the brick noticed nothing."""
    found = world.dead_in_child()
    session = world.app.core.session
    if session.state not in (_S.FORKED, _S.CLOSED):
        found.append(f"Fork: the child's session is {session.state.name}")
    if session.calls or session.ledger:
        found.append(
            f"Fork: the child has {len(session.calls)} calls, {len(session.ledger)} handles"
        )
    if world.at_fork != world.on_brick():
        found.append("ParentUnharmed: the brick has noticed the child")
    return found
