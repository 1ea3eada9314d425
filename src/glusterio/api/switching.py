"""The graph switch: a session goes over to a new graph, with what it has open.

The new graph is built, connected, and has all open files opened anew before anything changes: whatever
goes wrong until then, the session goes on with the graph that it has. Then, in one step under the
session's lock, paths are asked of the new graph and every handle has its new fd
(:mod:`glusterio.api.carrying`). No call is held up for it: one that is under way goes on in the old
graph, and the old graph ends when the last of these has left, and no handle is open in it.

While calls are under way in both graphs none answers from memory what the other may have changed: no
write is deferred, and whenever a call of the old graph leaves, the new one forgets what it keeps.

A handle that cannot be carried, since its file has no name any more for instance, goes on working in
the old graph until it is closed; the report says which and why.

Where only options of translators have changed these take them (:meth:`Xlator.reconfigure`), and the
graph stays.

Source: GlusterFS api/src/glfs-master.c (``glfs_graph_setup``), glfs-resolve.c (``glfs_migrate_fd``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from glusterio.api.carrying import Carrying, find_open, open_all, settle_all
from glusterio.api.graphs import end_graph, is_used
from glusterio.api.in_flight import in_order
from glusterio.api.switch_report import LeftBehind, SwitchReport
from glusterio.api.unbroken import Unbroken
from glusterio.api.volfile_server import volfile_of
from glusterio.errors import ConnectionLostError, SessionClosedError, UnsupportedGraphError
from glusterio.graph.comparing import changed_volumes
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.graph import Graph
from glusterio.graph.passing import why_passed
from glusterio.graph.volfile import Volfile, Volume
from glusterio.lifecycle.handle import Handle
from glusterio.lifecycle.session import Call
from glusterio.lifecycle.states import SessionState
from glusterio.runtime.fiber import was_interrupted
from glusterio.traps import Coro, Disconnect, Event, Wait, Within
from glusterio.types import Gfid
from glusterio.xlators.base import Notice, Xlator

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How often it is looked for files that were opened meanwhile, before the switch.
_ROUNDS: Final = 3

#: The session's own calls, and those that wait for upcalls: they are in no graph.
_IN_NO_GRAPH: Final = frozenset({"next_of", "reload", "follow", "retire", "end_graph"})


async def reload(core: Core, frame: Frame, volfile: str | None, seconds: float) -> SwitchReport:
    """Have the session use a volfile: a new one, or the one that its server or file gives now.

    Args:
        core: the session.
        frame: the operation's frame.
        volfile: the text, or ``None`` to get it anew.
        seconds: how long it may take until the new graph is up.

    Raises:
        TimeoutError: not up in time. As with all errors, the session goes on as before.
        GraphError: the volfile makes no graph, or one that needs what glusterio does not have.
        OSError: the volfile cannot be had, or a brick of it is not there.
    """
    switch = _Switch(core)
    try:
        try:
            await _take_turn(core, switch.turn)
            report = await switch.prepared(frame, volfile, seconds)
            if report is None:
                core.keep_house()
                core.start(retire, switch)
            else:
                _end_turn(core, switch.turn)
        except GeneratorExit:
            raise
        except BaseException:
            await switch.give_up()
            raise
    except GeneratorExit:
        raise
    except BaseException:
        await switch.give_up()  # once more: an interrupt may have come in the middle of that
        raise
    if report is not None:
        return report
    await Wait(switch.decided)
    if switch.error is not None:
        raise switch.error
    assert switch.report is not None
    return switch.report


async def retire(core: Core, frame: Frame, switch: _Switch) -> None:
    """Change over to the new graph, and have the old one end when nothing is under way in it.

    A call of its own, which goes on whatever becomes of the one that wanted it; if an interrupt ends
    it, it is begun anew (:meth:`~glusterio.api.core.Core.start`).
    """
    if switch.is_for(frame.call):
        await switch.run(frame)


async def _take_turn(core: Core, turn: Event) -> None:
    while True:
        with core.lock:
            other = core.switching
            if other is None:
                core.switching = turn
                return
        await Wait(other)


def _end_turn(core: Core, turn: Event) -> None:
    """Let the next one switch. Harmless when repeated, or if it was not one's turn yet."""
    if core.switching is turn:  # no other one changes it then: this needs no lock
        core.switching = None
    turn.set()


class Stage(Enum):
    """How far a switch is."""

    PREPARING = auto()  #: the new graph is brought up, by the call that wants it
    GIVEN_UP = auto()  #: that has failed, or is not wanted any more
    CHANGING = auto()  #: nothing is deferred any more, and locks are moved
    GOING_BACK = auto()  #: that has failed; nothing has changed
    SWAPPED = auto()  #: the new graph is in use, and handles change over, in the same breath
    CHANGED = auto()  #: so have all that can
    LETTING_GO = auto()  #: what was under way in the old graph is waited for
    PARTING = auto()  #: what was carried is released there
    OVER = auto()


class _Switch:
    """One switch.

    What is left to be done follows from its stage, and each step, if it is done once more, goes on
    where it was. So an interrupt does not change what becomes of a switch that has begun to change the
    session: it comes out of whatever its thread had called, and the call that is at the switch is begun
    anew. Until then, while the new graph is being prepared, an interrupt of who wants it gives the
    switch up.

    A close of the session cancels that call. What the switch has open on the bricks without a handle is
    released all the same, by work that nobody can cancel.

    Attributes:
        turn: the event that says that the next switch may begin.
        decided: the event that says that it is known what becomes of it: ``report`` or ``error``.
    """

    def __init__(self, core: Core) -> None:
        assert core.graph is not None
        self._core = core
        self._stage = Stage.PREPARING
        self._call: Call | None = None
        self.turn = core.driver.new_event()
        self.decided = core.driver.new_event()
        self._old: Graph[Xlator] = core.graph
        self._new: Graph[Xlator] | None = None
        self._text = ""
        self._files: list[Carrying] = []
        self._left: dict[Fd, Exception] = {}
        self._before: set[Call] = set()
        self._none_before: Event = core.driver.new_event()
        self._all_back: Event = core.driver.new_event()
        self._ending_new = Unbroken(core, self._end_new)
        self._going_back = Unbroken(core, self._go_back)
        self._leaving = Unbroken(core, self._leave)
        self._started = core.now()
        self._paused = 0.0
        self.error: Exception | None = None
        self.report: SwitchReport | None = None

    def is_for(self, call: Call | None) -> bool:
        """Tell whether a call is the one that is to do it, from where it is prepared on."""
        with self._core.lock:
            if self._stage is Stage.PREPARING:
                self._call = call
                self._stage = Stage.CHANGING
            return self._call is call

    async def give_up(self) -> None:
        """End the new graph, unless it is another call's to use it. Waits for nothing."""
        with self._core.lock:
            if self._stage is Stage.PREPARING:
                self._stage = Stage.GIVEN_UP
        if self._stage is Stage.GIVEN_UP:
            _end_turn(self._core, self.turn)
            await self._ending_new.begin()

    async def run(self, frame: Frame) -> None:
        """Do what is left to be done."""
        steps: dict[Stage, Callable[[Frame], Coro[None]]] = {
            Stage.CHANGING: self._change,
            Stage.GOING_BACK: self._stay,
            Stage.SWAPPED: self._go_on_changing,
            Stage.CHANGED: self._tell,
            Stage.LETTING_GO: self._let_go,
            Stage.PARTING: self._part,
        }
        try:
            while (step := steps.get(self._stage)) is not None:
                await step(frame)
        except GeneratorExit:
            raise
        except BaseException as error:
            if not was_interrupted(error):
                await self._cut_short()
            raise

    async def _cut_short(self) -> None:
        """The session is being closed. Waits for nothing."""
        if not self.decided.is_set:
            self.error = self.error or SessionClosedError(
                "the session was closed while its graph was being exchanged"
            )
            self._decide()
        if self._stage in (Stage.CHANGING, Stage.GOING_BACK):
            await self._going_back.begin()
        else:
            await self._leaving.begin()

    def _decide(self) -> None:
        _end_turn(self._core, self.turn)
        self.decided.set()

    # -- until the switch -------------------------------------------------------------------------

    async def prepared(
        self, frame: Frame, volfile: str | None, seconds: float
    ) -> SwitchReport | None:
        """Bring the new graph up, and open all files through it, in so many seconds.

        Returns:
            The report, if that is all; ``None`` if the graphs are to be exchanged.
        """
        self._old = self._core.graph or self._old  # it may have waited for its turn
        try:
            report: SwitchReport | None = await Within(seconds, self._prepare(frame, volfile))
        except TimeoutError as error:
            if error.errno is not None:
                raise
            raise TimeoutError(f"the new graph was not up within {seconds:g} s") from None
        return report and report._replace(seconds=self._core.now() - self._started)

    async def _prepare(self, frame: Frame, volfile: str | None) -> SwitchReport | None:
        core, server = self._core, None
        try:
            if volfile is None:
                volfile, server = await volfile_of(core.target)
            if volfile == core.volfile:
                return SwitchReport(self._old.generation)
            self._text = volfile
            wanted = core.tuned(volfile)
            done = self._reconfigure(wanted)
            if done is not None:
                core.volfile = volfile
                report = SwitchReport(self._old.generation, reconfigured=done)
                core.log.info("%s", report)
                return report
            new = self._new = core.make_graph(wanted, server)
            core.graphs.append(new)
            await new.init()
        except GeneratorExit:
            server = None  # dropped, as in a child process: the connection is not for us to close
            raise
        finally:
            if server is not None:
                await Disconnect(server.connection)
        await self._open_rest(frame)
        return None

    def _reconfigure(self, wanted: Volfile) -> tuple[str, ...] | None:
        """Have translators take changed options, if that will do.

        Returns:
            Which have; ``None`` if there has to be another graph.

        Raises:
            VolfileError: options that cannot be read. None was changed.
            UnsupportedGraphError: options that need what glusterio does not have.
        """
        assert self._old.volfile is not None
        changed = changed_volumes(self._old.volfile, wanted)
        if changed is None:
            return None
        by_name = {xlator.name: xlator for xlator in self._old.xlators}
        taking: list[tuple[Xlator, Volume]] = []
        for volume in changed:
            xlator = by_name.get(volume.name)
            if xlator is None:
                if why_passed(volume) is None:
                    raise UnsupportedGraphError(volume.type, volume.name)
            elif not xlator.children or type(xlator).configure is Xlator.configure:
                return None
            else:
                taking.append((xlator, volume))
        before = [(xlator, xlator.options) for xlator, _ in taking]
        try:
            for xlator, volume in taking:
                xlator.reconfigure(volume.options)
        except BaseException:
            for xlator, options in before:
                xlator.reconfigure(options)
            raise
        self._old.volfile = wanted
        return tuple(xlator.name for xlator, _ in taking)

    async def _open_rest(self, frame: Frame) -> None:
        assert self._new is not None
        for _ in range(_ROUNDS):
            if not find_open(self._core, self._old.top, self._files):
                return
            await open_all(self._core, frame, self._files, self._new.top)

    async def _end_new(self) -> None:
        try:
            if self._new is not None:
                await end_graph(self._core, Frame(), self._new)
        finally:
            for file in self._files:
                file.forget()

    # -- the switch -------------------------------------------------------------------------------

    async def _change(self, frame: Frame) -> None:
        """Exchange the graphs."""
        core = self._core
        core.through.add(self)
        self._paused = self._paused or core.now()
        try:
            for handle in core.session.handles():  # those that are being opened, too
                if handle.fd is not None:
                    handle.fd.through = True
            await self._open_rest(frame)
            await settle_all(core, frame, self._files)
            self._swap()
        except Exception as error:
            self.error = error
            self._stage = Stage.GOING_BACK

    async def _stay(self, frame: Frame) -> None:
        """All files stay where they are, and so does the session."""
        await self._going_back.begin()
        await Wait(self._all_back)
        self._decide()
        self._end()

    async def _go_back(self) -> None:
        self._defer_again()
        await self._take_back()
        self._all_back.set()
        await self._end_new()

    async def _take_back(self) -> None:
        """Have all that was not carried in the old graph alone."""

        async def one(core: Core, frame: Frame, file: Carrying) -> None:
            await file.take_back(core)

        staying = [file for file in self._files if not (file.is_carried or file.is_over)]
        await in_order(self._core, Frame(), one, staying)

    def _swap(self) -> None:
        """From here on everything is asked of the new graph, by whoever begins now."""
        core, new = self._core, self._new
        assert new is not None
        with core.lock:
            if new.is_down:
                raise ConnectionLostError("the new graph's connection was lost before it was used")
            self._note_calls()
            new.generation = core.session.switched()
            # No interrupt comes where nothing is called: these are one step.
            core.graph = new
            core.is_down = False
            core.top = new.top
            core.known_at = new.top.known
            core.volfile = self._text
            core.switches += 1
            new.was_used = True
            self._stage = Stage.SWAPPED
            self._change_handles(self._files)
            self._stage = Stage.CHANGED

    def _note_calls(self) -> None:
        for call in self._core.session.calls.values():
            if call.op not in _IN_NO_GRAPH and call not in self._before:
                earlier = call.left
                call.left = self._has_left if earlier is None else _both(earlier, self._has_left)
                self._before.add(call)

    def _has_left(self, call: Call) -> None:
        """A call that may have been under way in the old graph is so no more.

        Harmless when repeated, as after an interrupt.
        """
        if self._stage is Stage.CHANGING:
            self._before.discard(call)
            return
        if call in self._before:
            assert self._new is not None
            for leaf in self._new.leaves:
                leaf.notify(Notice.FORGET)
            self._before.discard(call)
        self._look_before()

    def _look_before(self) -> None:
        if not self._before:
            self._none_before.set()

    async def _go_on_changing(self, frame: Frame) -> None:
        """Do what an interrupt kept :meth:`_swap` from doing."""
        with self._core.lock:
            self._change_handles(self._files)
            self._stage = Stage.CHANGED

    def _change_handles(self, files: list[Carrying]) -> None:
        """Have handles change over. Called with the lock held."""
        core = self._core
        by_fd: dict[Fd | None, list[Handle]] = {}
        for handle in core.session.handles():
            by_fd.setdefault(handle.fd, []).append(handle)
        for file in files:
            there = by_fd.get(file.new, []) if file.new is not None else []
            carried = file.change_over(core, by_fd.get(file.old, []) + there)
            if not carried and file.why_not is not None:
                self._left[file.old] = file.why_not

    async def _tell(self, frame: Frame) -> None:
        """Say what has become of it."""
        for file in self._files:
            if file.is_carried:
                file.moved(self._core)
        self._report(self._core.now() - self._paused)
        self._look_before()
        self._decide()
        self._stage = Stage.LETTING_GO

    def _report(self, pause: float) -> None:
        core, new = self._core, self._new
        assert new is not None
        carried = {file.new for file in self._files if file.is_carried}
        report = self.report = SwitchReport(
            new.generation,
            True,
            carried=sum(handle.fd in carried for handle in core.session.handles()),
            left_behind=self._left_behind(self._left),
            seconds=core.now() - self._started,
            pause=pause,
        )
        core.log.info("%s", report)
        self._name(report.left_behind)

    def _left_behind(self, files: Mapping[Fd, Exception]) -> tuple[LeftBehind, ...]:
        return tuple(
            LeftBehind(handle.path, files[handle.fd])
            for handle in self._core.session.handles()
            if handle.fd in files
        )

    def _name(self, left_behind: Iterable[LeftBehind]) -> None:
        for path, why in left_behind:
            self._core.log.warning("%s stays in graph %d: %s", path, self._old.generation, why)

    # -- after it ---------------------------------------------------------------------------------

    async def _let_go(self, frame: Frame) -> None:
        """Wait for what is under way in the old graph, and carry what came late."""
        await self._give_leases_back()
        await self._take_back()
        for _ in range(_ROUNDS):
            await self._carry_rest(frame)
            await Wait(self._none_before)
        await self._carry_rest(frame)
        self._stage = Stage.PARTING

    async def _carry_rest(self, frame: Frame) -> None:
        """Carry what was being opened in the old graph when the new one came into use."""
        core, new = self._core, self._new
        assert new is not None
        find_open(core, self._old.top, self._files)
        files = [file for file in self._files if not (file.is_carried or file.is_over)]
        if not files:
            return
        self._left.clear()  # those have been named
        try:
            await open_all(core, frame, files, new.top)
            await settle_all(core, frame, files)
            with core.lock:
                self._change_handles(files)
            self._name(self._left_behind(self._left))
        except Exception as error:
            core.log.warning("they stay in graph %d: %s", self._old.generation, error)
        for file in self._files:
            if file.is_carried:
                file.moved(core)
        await self._take_back()

    async def _part(self, frame: Frame) -> None:
        """Have done with the old graph, which ends if no handle is left in it."""
        core, old = self._core, self._old
        await self._leaving.begin()
        await Wait(self._leaving.over)
        await self._give_leases_back()
        old.is_left = True
        if not is_used(core, old):
            await end_graph(core, frame, old)
        self._end()

    def _end(self) -> None:
        self._stage = Stage.OVER
        self._files, self._left = [], {}  # they need not wait for the collector, as a switch does

    async def _leave(self) -> None:
        """Release the old fds of what was carried, which is done whatever becomes of the session."""

        async def one(core: Core, frame: Frame, file: Carrying) -> None:
            await file.leave(core)

        self._defer_again()
        for file in self._files:
            if file.is_carried:
                file.moved(self._core)
        await self._take_back()
        self._look_before()
        await Wait(self._none_before)
        carried = [file for file in self._files if file.is_carried and not file.is_over]
        await in_order(self._core, Frame(), one, carried)

    async def _give_leases_back(self) -> None:
        try:
            await self._old.top.give_leases_back()
        except Exception as error:
            self._core.log.error("leases of graph %d: %s", self._old.generation, error)

    def _defer_again(self) -> None:
        """Let writes be deferred again, but for a file that is open in two graphs."""
        core = self._core
        core.through.discard(self)
        if core.through or core.session.state is not SessionState.ACTIVE:
            return
        tops: dict[Gfid, set[object]] = {}
        handles = [handle for handle in core.session.handles() if handle.fd is not None]
        for handle in handles:
            tops.setdefault(handle.fd.gfid, set()).add(handle.fd.top)
        for handle in handles:
            handle.fd.through = len(tops[handle.fd.gfid]) > 1


def _both(first: Callable[[Call], None], second: Callable[[Call], None]) -> Callable[[Call], None]:
    def left(call: Call) -> None:
        first(call)
        second(call)

    return left
