"""Planted defects: what somebody could get wrong, as changes of the source.

Each is a few replacements of text, of which the old one occurs exactly once in its module (a test
says so, or the list would rot). They are made in the memory of a process that then lives lives; see
:mod:`tests.explore.mutants`.
"""

# ruff: noqa: E501 - what is replaced is as long as it is
from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """A replacement: in which module, what, by what."""

    module: str
    old: str
    new: str


class Planted(NamedTuple):
    """A planted defect.

    Attributes:
        name: its name.
        about: what is wrong then, in a few words.
        changes: the changes; none where the code does not have yet what could be wrong.
        guard: the configuration ``Teardown/without-...`` that is the same in the specification; ``""``
            when the specification does not speak of such things.
        scenarios: those that are about it, to be lived first; none: all.
        test: a test that has to fail, where the explorer's steps are too coarse to see it.
    """

    name: str
    about: str
    changes: tuple[Change, ...]
    guard: str = ""
    scenarios: tuple[str, ...] = ()
    test: str = ""


_SESSION = "glusterio.lifecycle.session"
_HANDLES = "glusterio.api.handles"
_CLOSING = "glusterio.api.closing"
_ENDING = "glusterio.api.ending"
_CORE = "glusterio.api.core"
_LOCKS = "glusterio.api.locks"
_FIBER = "glusterio.runtime.fiber"
_CLIENT = "glusterio.xlators.client.client"
_CONNECTED = "glusterio.xlators.client.connected"
_REOPENING = "glusterio.xlators.client.reopening"
_CARRYING = "glusterio.api.carrying"
_SWITCHING = "glusterio.api.switching"
_WRITES = "glusterio.xlators.write_behind.writes"
_WRITE_FOPS = "glusterio.xlators.write_behind.fops"
_ORDER = "glusterio.xlators.write_behind.order"
_CONNECTION = "glusterio.rpc.connection"
_LOCK_OWNER = "glusterio.api.lock_owner"
_THREADS = "glusterio.api.threads.session"

_WRITE_BEHIND = ("write-behind", "write-behind-threads", "all")
_SHARED = ("scope-beside", "scope-beside-threads", "under-way", "under-way-threads")


PLANTED: tuple[Planted, ...] = (
    # -- the gate
    Planted(
        "gate skipped", "calls are admitted after the gate has closed",
        (Change(_SESSION,
            "                if self.state is not _ACTIVE:\n"
            "                    raise self._why_not_admitted(handle)\n"
            "                if handle is not None and",
            "                if self.state > SessionState.DRAINING or self.state < _ACTIVE:\n"
            "                    raise self._why_not_admitted(handle)\n"
            "                if handle is not None and"),),
        "gate-at-admit",
    ),
    Planted(
        "counted after the gate", "a call passes the gate, and is counted when its coroutine begins",
        (Change(_SESSION,
            "                call = self.calls[number] = Call(number, op, handle)\n",
            "                call = Call(number, op, handle)\n"),
         Change(_CORE,
            "        return coro, call\n",
            "        async def counted() -> Any:\n"
            "            self.session.calls[call.number] = call\n"
            "            return await coro\n"
            "\n"
            "        return counted(), call\n")),
        "count-with-gate",
    ),
    Planted(
        "borrowed unseen", "a call uses a handle without a reference on it",
        (Change(_SESSION,
            "                if handle is not None:  # here, for no interrupt comes in between\n"
            "                    handle.refs += 1\n",
            ""),
         Change(_SESSION,
            "                handle.refs -= 1\n                if handle.state",
            "                if handle.state")),
        "borrow-with-gate",
    ),
    Planted(
        "closing handles lent", "a call may borrow a handle that is being closed",
        (Change(_SESSION,
            "                if handle is not None and handle.state is not _OPEN:\n",
            "                if handle is not None and handle.state not in (_OPEN, _CLOSING):\n"),),
        "admit-looks", _SHARED,
    ),
    Planted(
        "put twice", "a call gives its reference back twice",
        (Change(_SESSION,
            "                handle.refs -= 1\n                if handle.state is not _OPEN:",
            "                handle.refs -= 2\n                if handle.state is not _OPEN:"),),
        "disowned-is-out",
    ),
    Planted(
        "never put", "a call keeps its reference",
        (Change(_SESSION,
            "                handle.refs -= 1\n                if handle.state is not _OPEN:",
            "                if handle.state is not _OPEN:"),),
        "",
    ),
    Planted(
        "connecting not counted", "a close does not wait for the call that connects",
        (Change(_SESSION,
            '            call = self.calls[number] = Call(number, "connect", None)\n',
            '            call = Call(number, "connect", None)\n'
            "            call.disowned = True\n"),),
        "connect-counts", ("connect", "connect-threads"),
    ),
    Planted(
        "left the last graph alone", "a call that was in two old graphs is counted out of one",
        (Change(_SWITCHING,
            "                call.left = self._has_left if earlier is None else _both(earlier, self._has_left)\n",
            "                call.left = self._has_left\n"),),
        "drops-own", ("reload-twice", "reload-twice-threads"),
    ),
    Planted(
        "told after the end", "whoever submitted a call is told when it is counted out already",
        (Change(_THREADS,
            "            try:\n"
            "                error = fiber.error\n",
            "            self.core.left(call)\n"
            "            try:\n"
            "                error = fiber.error\n"),
         Change(_THREADS,
            "                # After the callbacks: a close that settles this call has seen them delivered.\n"
            "                self.core.left(call)\n",
            "                pass\n")),
        "answers-first", (), "tests/api/test_close.py::test_a_close_waits_for_a_callback",
    ),
    # -- opening
    Planted(
        "reserved after the gate", "a handle is reserved while the session closes",
        (Change(_SESSION,
            "            if self.state is not SessionState.ACTIVE:\n"
            "                raise self._why_not_admitted()\n"
            "            self.handles_reserved",
            "            if self.state not in (SessionState.ACTIVE, SessionState.SETTLING):\n"
            "                raise self._why_not_admitted()\n"
            "            self.handles_reserved"),),
        "gate-at-reserve",
    ),
    Planted(
        "entered when it is open", "a handle is in the ledger only once its OPEN is answered",
        (Change(_SESSION,
            "            handle = self.ledger[number] = Handle(\n",
            "            handle = Handle(\n"),
         Change(_SESSION,
            "            del self.ledger[handle.number]\n",
            "            self.ledger.pop(handle.number, None)\n"),
         Change(_SESSION,
            "        before = handle.state\n        after = handle.state = handle.next_state(event)\n",
            "        before = handle.state\n        after = handle.state = handle.next_state(event)\n"
            "        if event in (_OPENED, HandleEvent.LATE):\n"
            "            self.ledger[handle.number] = handle\n")),
        "reserve-first",
    ),
    Planted(
        "cancelled OPEN forgotten", "whoever gives up an OPEN takes it off the ledger",
        (Change(_HANDLES,
            "                session.move(handle, HandleEvent.ABANDON)\n        elif any",
            "                session.move(handle, HandleEvent.REFUSED)\n        elif any"),),
        "abandon-watches",
    ),
    Planted(
        "late reply not watched", "nobody waits for the answer to an OPEN that was given up",
        (Change(_CLIENT,
            "                frame.adopted = True\n"
            "                await Spawn(self._see_out(frame, fd, partial(self._opened, fop, reply, fd)))\n",
            "                frame.adopted = True\n"),),
        "abandon-watches",
    ),
    Planted(
        "late open kept", "what was opened for a caller who had given up is not released",
        (Change(_HANDLES,
            "            session.move(handle, HandleEvent.OPENED)\n"
            "        await let_go(core, handle)\n",
            "            session.move(handle, HandleEvent.OPENED)\n"),),
        "",
    ),
    Planted(
        "opened after the gate", "an OPEN that is answered after the gate makes an open handle",
        (Change(_SESSION, "            event = HandleEvent.LATE\n", "            pass\n"),),
        "late-closes",
    ),
    Planted(
        "opened late, not let go", "an OPEN that is answered after the gate is not released",
        (Change(_HANDLES,
            "        # The gate has closed meanwhile; what the brick opened is closed at once.\n"
            "        await Spawn(let_go(core, handle))\n",
            ""),),
        "",
    ),
    Planted(
        "no inode reference", "a handle of a late OPEN has no reference to its inode",
        (Change(_HANDLES,
            "            if not core.inodes.is_held(fd.gfid, handle):\n"
            "                core.inodes.ref(fd.gfid, handle)\n",
            ""),),
        "",
    ),
    Planted(
        "inode reference kept", "a closed handle keeps its reference to the inode",
        (Change(_CLOSING, "        core.inodes.unref(handle.fd.gfid, handle)\n", "        pass\n"),),
        "",
    ),
    # -- closing
    Planted(
        "RELEASE before the borrowers", "RELEASE does not wait for calls that use the handle",
        (Change(_CLOSING,
            "        if not handle.idle.is_set:\n            await Wait(handle.idle)\n        fd",
            "        fd"),
         Change(_CLOSING, "        or not handle.idle.is_set\n        or LockOwner", "        or LockOwner")),
        "refs-first", _SHARED,
    ),
    Planted(
        "RELEASE before the answers", "RELEASE does not wait for requests whose callers gave up",
        (Change(_CLIENT, "        if remote.unanswered:\n            remote.quiet", "        if False:\n            remote.quiet"),
         Change(_CLIENT, "        if remote is None or remote.unanswered:\n", "        if remote is None:\n")),
        "answers-due", ("scope-give-up",),
    ),
    Planted(
        "RELEASE before the writes", "RELEASE does not wait for deferred writes",
        (Change(_WRITE_FOPS,
            "        await self._until(deferred)\n        try:\n            await self.child.release(frame, fd)\n",
            "        try:\n            await self.child.release(frame, fd)\n"),
         Change(_WRITE_FOPS, "                if fd.gfid in self._dirty or writer.losses.count:\n",
            "                if False:\n"),
         Change(_WRITES, "                fd.settle = lambda: self._settle(writer)\n",
            "                pass\n")),
        "flush-first", _WRITE_BEHIND,
    ),
    Planted(
        "RELEASE twice", "two may release a handle, and each sends its own",
        (Change(_SESSION,
            "            if handle.releasing or handle.state is not HandleState.CLOSING:\n",
            "            if handle.state is not HandleState.CLOSING:\n"),
         Change(_SESSION,
            "            if HandleEvent.CLOSE not in HANDLE_TABLE[handle.state]:\n                return False\n            self._move(handle, HandleEvent.CLOSE)\n",
            "            if HandleEvent.CLOSE not in HANDLE_TABLE[handle.state]:\n                return handle.state is _CLOSING\n            self._move(handle, HandleEvent.CLOSE)\n"),
         Change(_CLIENT, "        reply = remote.release  # there already", "        reply = None  # there already")),
        "release-once", _SHARED,
    ),
    Planted(
        "no RELEASE", "a handle is closed here alone",
        (Change(_CLOSING, "                await release(Frame(), fd)\n", "                pass\n"),
         Change(_CLOSING, "    return fd.top.release_now(fd, answered)  # type: ignore[no-any-return]\n", "    return None\n")),
        "",
    ),
    Planted(
        "closed before the clean-up", "a handle is said closed when its RELEASE goes out",
        (Change(_CLOSING,
            "    post_one(core.driver, request)\n    return True\n",
            "    core.session.end_close(handle)\n    post_one(core.driver, request)\n    return True\n"),),
        "",
    ),
    Planted(
        "interrupted close forgotten", "a close that is interrupted half-way is not gone on with",
        (Change(_CLOSING,
            "        if core.session.begin_close(handle) or handle.state is HandleState.CLOSING:\n"
            "            await Spawn(let_go(core, handle))\n        raise\n\n\n"
            "async def drop_handles",
            "        raise\n\n\nasync def drop_handles"),
         Change(_CLOSING,
            "        handle.releasing = False\n        await Spawn(let_go(core, handle, closing))\n        raise\n",
            "        raise\n")),
        "", (), "tests/api/test_interrupts.py::test_a_close_interrupted_anywhere",
    ),
    Planted(
        "deferred error swallowed", "nobody is told that a deferred write failed",
        (Change(_WRITES,
            "                        writer.losses.add(error, write, write.offset + done, size - done)\n",
            "                        pass\n"),),
        "names-lost", _WRITE_BEHIND,
    ),
    Planted(
        "error of a close dropped", "what a close could not write is not handed on when it gave up",
        (Change(_CLOSING,
            "            core.not_told(handle, self.errors.pop())\n",
            "            self.errors.pop()\n"),),
        "hands-on", (), "tests/api/test_write_behind_errors.py::test_a_close_that_is_given_up_closes_all_the_same",
    ),
    Planted(
        "an error told twice", "the error of a deferred write is told by each who finds it",
        (Change(_WRITES,
            "                    if writer.losses.count:\n"
            "                        error, writer.losses = self._error_for(writer), Losses()\n"
            "                        raise error\n",
            "                    if writer.losses.count:\n"
            "                        raise self._error_for(writer)\n"),
         Change(_WRITES,
            "            if writer.losses.count:\n"
            "                error, writer.losses = self._error_for(writer), Losses()\n"
            "                raise error\n\n"
            "    def _error_for",
            "            if writer.losses.count:\n"
            "                raise self._error_for(writer)\n\n"
            "    def _error_for")),
        "takes-out", _WRITE_BEHIND,
    ),
    Planted(
        "a write overtakes", "overlapping deferred writes are on their way together",
        (Change(_ORDER,
            "        if before and sent[before - 1].end > write.offset:\n            return None\n",
            ""),),
        "", _WRITE_BEHIND,
    ),
    Planted(
        "LOST not said", "handles stay open when their connection is lost",
        (Change(_CORE, "                self.session.lose(handle)\n", "                pass\n"),),
        "",
    ),
    Planted(
        "a lock left behind", "a lock request that was given up, and then granted, is kept",
        (Change(_LOCKS,
            "            await fd.top.lk(Frame(identity=identity), fd, request)\n    except OSError",
            "            pass\n    except OSError"),),
        "", ("locks",),
    ),
    # -- calls that go on by themselves
    Planted(
        "a callback dropped", "who submitted a call that is then cancelled is not told",
        (Change(_FIBER,
            "        if on_done is not None:\n            try:\n",
            "        if isinstance(error, Cancelled) and self.home is None:\n            pass\n"
            "        elif on_done is not None:\n            try:\n"),),
        "answers-all", ("submit", "submit-threads", "callback"),
    ),
    Planted(
        "a callback twice", "who submitted a call is told twice",
        (Change(_FIBER,
            "                on_done(self)\n            except BaseException:\n",
            "                on_done(self)\n"
            "                if self.home is None and error is not None:\n"
            "                    on_done(self)\n            except BaseException:\n"),),
        "", ("submit", "submit-threads", "callback"),
    ),
    Planted(
        "a timer left", "a wait that is over leaves its timer running",
        (Change(_FIBER,
            "        if timer is not None:\n            timer.cancel()\n        with contextlib",
            "        with contextlib"),),
        "",
    ),
    Planted(
        "a cancelled sub-call left", "a time limit does not end what it limits",
        (Change(_FIBER,
            "    timer = driver.call_later(trap.seconds, lambda: child.cancel(_Expired(trap)))\n",
            "    timer = driver.call_later(\n"
            "        trap.seconds, lambda: fiber.wake(trap, None, TimeoutError())\n    )\n"),),
        "", ("locks-in-vain",),
    ),
    Planted(
        "a reply of none", "a request that was taken back is still waited for",
        (Change(_CONNECTION,
            "                    del self.outgoing[position]\n"
            "                    reply.packet = ()\n"
            "                    self.pending.pop(reply.xid, None)\n",
            "                    del self.outgoing[position]\n"
            "                    reply.packet = ()\n"),),
        "", ("scope-read", "two-threads"),
    ),
    # -- the end
    Planted(
        "drain before settling", "the drain begins while calls are under way",
        (Change(_ENDING, "                await self._settle()\n", "                pass\n"),
         Change(_SESSION, "        if event is SessionEvent.SETTLED and self.calls:\n", "        if False:\n")),
        "settle-waits",
    ),
    Planted(
        "no cancelling", "calls that outlast the grace are not told to give up",
        (Change(_ENDING,
            '            _cancel(call, f"{call.op}: the session was closed while it was under way")\n',
            "            pass\n"),),
        "",
    ),
    Planted(
        "nobody counted out", "the deadline is over, and calls that did not end are waited for",
        (Change(_ENDING, "                session.disown(call)\n", "                pass\n"),),
        "disowns",
    ),
    Planted(
        "counted out twice", "a call that was counted out gives back once more what it borrowed",
        (Change(_SESSION,
            "                if call.disowned:\n                    return\n                raise Local",
            "                if not call.disowned:\n                    raise Local"),
         Change(_SESSION, "                call.handle = None\n                handle.refs",
            "                handle.refs")),
        "disowned-is-out",
    ),
    Planted(
        "the drain does not wait", "the ledger is struck off before the bricks have answered",
        (Change(_ENDING,
            "            if not handle.gone.is_set and not await Wait(handle.gone, self._left()):\n",
            "            if False:\n"),),
        "strikes-last",
    ),
    Planted(
        "drained with a ledger", "the session goes on with handles in its ledger",
        (Change(_ENDING,
            "            if not handle.gone.is_set and not await Wait(handle.gone, self._left()):\n",
            "            if False:\n"),
         Change(_ENDING, "                self._strike_off()\n", ""),
         Change(_SESSION, "        if event is SessionEvent.DRAINED and self.ledger:\n", "        if False:\n")),
        "drain-waits",
    ),
    Planted(
        "no cut", "at the deadline the connections are not cut",
        (Change(_ENDING, "            await graph.top.sever(error)\n", "            pass\n"),),
        "cuts",
    ),
    Planted(
        "not parted", "connections stay when the session has ended",
        (Change(_ENDING,
            "                    await graph.top.sever(None)\n",
            "                    pass\n"),),
        "parts-all",
    ),
    Planted(
        "two endings", "each that closes a session ends it",
        (Change(_SESSION,
            "            if self.state >= GATE_CLOSED_FROM:\n                return False\n            self._apply(SessionEvent.GATE)",
            "            if self.state >= GATE_CLOSED_FROM:\n                return True\n            self._apply(SessionEvent.GATE)"),),
        "close-waits", ("three-threads", "connect-threads"),
    ),
    Planted(
        "a child goes on", "a process that was forked uses its parent's session",
        (Change(_SESSION,
            "        if SessionEvent.FORK in SESSION_TABLE[self.state]:\n            self._apply(SessionEvent.FORK)\n",
            ""),),
        "fork-dies",
    ),
    Planted(
        "a graph after the gate", "a new graph comes into use while the session closes",
        (Change(_SESSION,
            "            if self.state is not _ACTIVE:\n"
            "                raise self._why_not_admitted()\n"
            "            number = self.graphs + 1\n"
            "            self._apply(SessionEvent.SWITCHED, number)\n",
            "            self.graphs = number = self.graphs + 1\n"
            "            name = self.state.name\n"
            "            if self._trace is not None:\n"
            '                self._record("session", 0, "SWITCHED", name, name, 0, number)\n'),),
        "switch-while-open", ("reload-close", "reload-close-threads", "reload-use"),
    ),
    Planted(
        "a switch not counted", "a close does not wait for the exchange of a graph",
        (Change(_CORE,
            "            begin()\n        except BaseException:\n            if call.fiber is None",
            "            begin()\n            self.session.disown(call)\n"
            "        except BaseException:\n            if call.fiber is None"),),
        "reload-counts", ("reload-close", "reload-close-threads", "reload-use"),
    ),
    # -- when the graph changes
    Planted(
        "carried unopened", "a file that the new graph would not open is carried there",
        (Change(_CARRYING,
            "            self._stays(error)\n        else:\n            self.is_open = True\n",
            "            pass\n        self.is_open = True\n"),),
        "carries-opened", ("reload-unlinked", "reload-use"),
    ),
    Planted(
        "deferred while it is carried", "writes go on being deferred on the old fd of a file that is carried",
        (Change(_CARRYING, "        old.through = True\n", ""),
         Change(_SWITCHING,
            "                if handle.fd is not None:\n                    handle.fd.through = True\n",
            "                pass\n")),
        "defers-no-more", ("reload-write", "reload-write-threads"),
    ),
    Planted(
        "locked where it was", "locks are asked for on the old fd while they are being moved",
        (Change(_LOCK_OWNER, "            if moved is None:\n", "            if True:\n"),),
        "locks-follow", (), "tests/api/test_switch.py::test_who_waits_for_a_lock_waits_on",
    ),
    Planted(
        "an old fd goes too early", "an old graph's fd is released while calls use it",
        (Change(_SWITCHING, "            await Wait(self._none_before)\n", ""),
         Change(_SWITCHING, "        await Wait(self._none_before)\n        carried = ", "        carried = "),
         Change(_SWITCHING,
            "        await Wait(self._leaving.over)\n",
            "        await Wait(self._leaving.over)\n        await Wait(self._none_before)\n")),
        "old-fd-waits", ("reload-use", "reload-beside", "reload-use-threads"),
    ),
    Planted(
        "deferred writes at a switch", "a graph switch forgets deferred writes",
        (Change(_CARRYING, "            await file.settle(core)\n", ""),),
        "flush-at-switch", ("reload-write", "reload-write-threads"),
    ),
    Planted(
        "an old graph goes too early", "an old graph goes while calls use it",
        (Change(_SWITCHING, "            await Wait(self._none_before)\n", ""),
         Change(_SWITCHING, "        await Wait(self._none_before)\n        carried = ", "        carried = ")),
        "old-graph-waits", ("reload-use", "reload-beside"),
    ),
    Planted(
        "locks stay behind", "a file is carried to a new graph without its locks",
        (Change(_CARRYING, "            if lockinfo:\n", "            if False:\n"),),
        "carries-locks", ("reload-locks", "scope-reload-lock"),
    ),
    Planted(
        "an old fd stays", "a brick is not told that a file is not open by its old fd any more",
        (Change(_CARRYING, "            await release(self.old, self.kind)\n", ""),),
        "old-fd-first", ("reload-use", "reload-close"),
    ),
    Planted(
        "closed on its way", "a file is closed while it is being carried to a new graph",
        (Change(_CLOSING, "            await Wait(way.over)\n        _released", "            pass\n        _released"),
         Change(_CLOSING, "        or OnItsWay in fd.context\n", "")),
        "carry-first", ("reload-use", "reload-beside"),
    ),
    Planted(
        "a dead graph", "the session goes over to a graph whose connection is lost",
        (Change(_SWITCHING, "            if new.is_down:\n", "            if False:\n"),),
        "", ("reload-close", "reload-beside-threads"),
    ),
    Planted(
        "a new fd stays", "a file that is not carried keeps its fd in the new graph",
        (Change(_CARRYING, "            await release(new, self.kind)\n", ""),),
        "drops-new", ("reload-unlinked", "reload-beside"),
    ),
    Planted(
        "a switch for ever", "a switch that fails keeps others from beginning",
        (Change(_SWITCHING, "            _end_turn(self._core, self.turn)\n", ""),),
        "", ("reload-twice", "scope-reload"),
    ),
    # -- when a connection is lost and made again
    Planted(
        "nobody hears of the loss", "a file that could not be opened again is not said to be lost",
        (Change(_REOPENING, "        self.notify(Notice.FD_LOST, lost)\n", ""),),
        "", ("two-reconnect", "locks-reconnect"),
    ),
    Planted(
        "opened after the close", "a file that is being released is opened on the new connection",
        (Change(_REOPENING, '            if self._fds.get(fd) is not remote:\n                return ""\n', ""),
         Change(_REOPENING, "            self._fds.pop(fd, None)\n\n    def _remote", "            pass\n\n    def _remote")),
        "reopen-first", ("two-reconnect", "three-reconnect"),
    ),
    Planted(
        "up too early", "calls go on while files are not open on the new connection",
        (Change(_CONNECTED,
            "                    fds = self._not_on(connection)\n",
            "                    fds = self._not_on(connection)\n"
            "                    self._connection = connection\n"),),
        "reopens-all", ("under-way-reconnect", "three-reconnect"),
    ),
    Planted(
        "opened on a lost one", "an OPEN is answered, and the connection is another one when its caller hears of it",
        (Change(_REOPENING, "        if present is not connection and present is not None:\n", "        if False:\n"),),
        "reopens-answered", ("three-reconnect", "three-reconnect-threads", "two-reconnect-threads"),
    ),
    Planted(
        "connected after the end", "a connection comes back when the session was parted from its brick",
        (Change(_CONNECTED, "        if over is not None and not over.is_set:\n", "        if False:\n"),
         Change(_CONNECTED, "        return self._over is over and not self._up and not self._ended\n",
            "        return self._over is over and not self._up\n")),
        "reconnect-ends", ("two-reconnect", "three-reconnect"),
    ),
    Planted(
        "an old number", "a file that is opened again keeps the number that it had",
        (Change(_REOPENING, "            remote.number, remote.connection = number, connection\n", "            remote.connection = connection\n"),),
        "release-looks", ("under-way-reconnect", "three-reconnect"),
    ),
    Planted(
        "locks as if held", "a file that held locks is opened again without them",
        (Change(_REOPENING, "        if remote.locks and self._strict_locks:\n            return LOCKS_LOST\n", ""),
         Change(_REOPENING, "            if remote.locks and not await", "            if False and not await")),
        "loses-locked", ("reload-locks-reconnect",),
    ),
    Planted(
        "unlocked, and locked anew", "a lock whose unlocking failed with the connection is taken anew",
        (Change(_CLIENT, "            if request.flock.type == LockType.UNLOCK:\n", "            if False:\n"),),
        "", ("lax-locks-reconnect-asyncio", "lax-locks-reconnect"),
    ),
    Planted(
        "who waits is forgotten", "a second loss makes who waits for the brick wait for ever",
        (Change(_CONNECTED, "                        if self._back is None or self._back.is_set:\n", "                        if True:\n"),),
        "", ("reload-options-reconnect-threads", "write-behind-reconnect"),
    ),
)  # fmt: skip
