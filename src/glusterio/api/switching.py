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

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from glusterio.api.carrying import Carrying, open_all, settle_all, to_carry
from glusterio.api.graphs import end_graph, is_used
from glusterio.api.in_flight import in_order
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
from glusterio.traps import Disconnect, Event, Spawn, Wait, Within
from glusterio.types import Gfid
from glusterio.xlators.base import Notice, Xlator

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: How often it is looked for files that were opened meanwhile, before the switch.
_ROUNDS: Final = 3

#: The session's own calls, and those that wait for upcalls: they are in no graph.
_IN_NO_GRAPH: Final = frozenset({"next_of", "reload", "follow", "retire", "end_graph"})


class LeftBehind(NamedTuple):
    """An open file that could not be carried to the new graph, and goes on in the old one.

    Attributes:
        path: the path as it was opened.
        why: the error that its opening, or the moving of its locks, came to.
    """

    path: str
    why: Exception


class SwitchReport(NamedTuple):
    """What became of a volfile.

    Attributes:
        generation: the number of the graph in use, from 1.
        switched: whether it is a new one.
        reconfigured: the translators that took changed options; then the graph is the old one.
        carried: how many handles went over to the new graph.
        left_behind: the handles that did not.
        seconds: how long it took, connecting included.
        pause: for how long of that requests about locks had to wait, in seconds; no other call did.
    """

    generation: int
    switched: bool = False
    reconfigured: tuple[str, ...] = ()
    carried: int = 0
    left_behind: tuple[LeftBehind, ...] = ()
    seconds: float = 0.0
    pause: float = 0.0

    def __str__(self) -> str:
        if self.reconfigured:
            return f"graph {self.generation} took new options: {', '.join(self.reconfigured)}"
        if not self.switched:
            return f"graph {self.generation} stays: nothing has changed"
        left = f", {len(self.left_behind)} left behind" if self.left_behind else ""
        return (
            f"graph {self.generation} is in use after {self.seconds:.3f} s:"
            f" {self.carried} handles carried{left}"
        )


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
    started = core.now()
    turn = core.driver.new_event()
    switch: _Switch | None = None
    try:
        await _take_turn(core, turn)
        switch = _Switch(core, turn)
        try:
            report: SwitchReport | None = await Within(seconds, switch.prepare(frame, volfile))
        except TimeoutError as error:
            if error.errno is not None:
                raise
            raise TimeoutError(f"the new graph was not up within {seconds:g} s") from None
        if report is not None:
            return report._replace(seconds=core.now() - started)
        switch.started = started
        core.keep_house()
        switch.is_begun = True
        try:
            core.start(retire, switch).left = switch.has_ended
        except Exception:
            switch.is_begun = False
            raise
        except GeneratorExit:
            raise
        except BaseException:  # perhaps before it was started: a second one does no harm
            with suppress(SessionClosedError):
                core.start(retire, switch)
            raise
    except GeneratorExit:
        raise
    except BaseException:
        if switch is not None and not switch.is_begun:
            await switch.give_up()
        raise
    finally:
        if switch is None or not switch.is_begun:
            _end_turn(core, turn)
    await Wait(switch.swapped)
    if switch.error is not None:
        raise switch.error
    assert switch.report is not None
    return switch.report


async def retire(core: Core, frame: Frame, switch: _Switch) -> None:
    """Change over to the new graph, and have the old one end when nothing is under way in it.

    A call of its own, which goes on whatever becomes of the one that wanted it.
    """
    if switch.is_taken:
        if switch.is_interrupted:
            switch.is_interrupted = False
            await switch.let_go(frame)
        return
    switch.is_taken = True
    try:
        await switch.change_over(frame)
    except Exception as error:
        switch.error = error
        return
    except BaseException as error:
        switch.error = switch.cut_short(error)
        if switch.error is error and switch.is_in_use and not isinstance(error, GeneratorExit):
            switch.is_interrupted = True
            core.start(retire, switch)  # what is left to be done
        raise
    finally:
        _end_turn(core, switch.turn)
        switch.swapped.set()
    await switch.let_go(frame)


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


class _Switch:
    """One switch."""

    def __init__(self, core: Core, turn: Event) -> None:
        assert core.graph is not None
        self._core = core
        self.turn = turn
        self._old: Graph[Xlator] = core.graph
        self._new: Graph[Xlator] | None = None
        self._text = ""
        self._files: list[Carrying] = []
        self._left: dict[Fd, Exception] = {}
        self._before: set[Call] = set()
        self._none_before: Event = core.driver.new_event()
        self._parted: Event = core.driver.new_event()
        self.is_begun = False
        self.is_taken = False
        self.is_interrupted = False
        self.started = core.now()
        self.swapped = core.driver.new_event()
        self.error: BaseException | None = None
        self.report: SwitchReport | None = None

    @property
    def is_in_use(self) -> bool:
        """Whether the session has gone over."""
        return self._new is not None and self._core.graph is self._new

    def cut_short(self, cause: BaseException | None) -> BaseException:
        """Return what to say to who waits for it, if it has come to no end of its own."""
        if self._core.session.state is not SessionState.ACTIVE:
            return SessionClosedError("the session was closed while its graph was being exchanged")
        # An interrupt of the thread that happened to be at it; it shall be heard.
        return cause or InterruptedError("the exchange of the session's graph was interrupted")

    def has_ended(self, call: Call) -> None:
        """The call that changes over has left, perhaps interrupted before it could do anything."""
        if not self.swapped.is_set:
            self.error = self.cut_short(None)
            _end_turn(self._core, self.turn)
            self.swapped.set()

    # -- until the switch -------------------------------------------------------------------------

    async def prepare(self, frame: Frame, volfile: str | None) -> SwitchReport | None:
        """Bring the new graph up, and open all files through it.

        Returns:
            The report, if that is all; ``None`` if the graphs are to be exchanged.
        """
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
            known = [file.old for file in self._files]
            found = to_carry(self._core, self._old.top, known)
            if not found:
                return
            self._files += found
            await open_all(self._core, frame, found, self._new.top)

    async def give_up(self) -> None:
        """The session stays with the old graph: end the new one. Waits for nothing."""
        await Spawn(self._end_new())

    async def _end_new(self) -> None:
        new, self._new = self._new, None
        try:
            if new is not None:
                await end_graph(self._core, Frame(), new)
        finally:
            for file in self._files:
                file.forget()

    # -- the switch -------------------------------------------------------------------------------

    async def change_over(self, frame: Frame) -> None:
        """Exchange the graphs.

        Raises:
            Exception: nothing has changed but for the error.
        """
        core = self._core
        core.through += 1
        paused = core.now()
        try:
            for handle in core.session.handles():  # those that are being opened, too
                if handle.fd is not None:
                    handle.fd.through = True
            await self._open_rest(frame)
            await settle_all(core, frame, self._files)
            self._swap()
        except GeneratorExit:
            raise
        except BaseException as error:
            if self.is_in_use:  # an interrupt came too late: the rest is done by another call
                for file in self._files:
                    if file.is_carried:
                        file.moved(core)
                raise
            core.through -= 1
            self._defer_again()
            await Spawn(self._go_back())
            if isinstance(error, Exception):
                await Wait(self._parted)
            raise
        for file in self._files:
            if file.is_carried:
                file.moved(core)
        self._report(core.now() - paused)

    async def _go_back(self) -> None:
        """All files stay where they are, and so does the session."""
        try:
            await self._take_back(self._files)
        finally:
            self._parted.set()
        await self._end_new()

    async def _take_back(self, files: list[Carrying]) -> None:
        async def one(core: Core, frame: Frame, file: Carrying) -> None:
            await file.take_back(core)

        await in_order(self._core, Frame(), one, files)

    def _swap(self) -> None:
        """From here on everything is asked of the new graph, by whoever begins now."""
        core, new = self._core, self._new
        assert new is not None
        with core.lock:
            if new.is_down:
                raise ConnectionLostError("the new graph's connection was lost before it was used")
            new.generation = core.session.switched()
            self._note_calls()
            core.graph = new
            core.is_down = False
            core.top = new.top
            core.known_at = new.top.known
            core.volfile = self._text
            core.switches += 1
            new.was_used = True
            self._change(self._files)

    def _note_calls(self) -> None:
        for call in self._core.session.calls.values():
            if call.op not in _IN_NO_GRAPH:
                self._before.add(call)
                earlier = call.left
                call.left = self._has_left if earlier is None else _both(earlier, self._has_left)
        if not self._before:
            self._none_before.set()

    def _has_left(self, call: Call) -> None:
        """A call that may have been under way in the old graph is so no more."""
        if call in self._before:
            self._before.discard(call)
            assert self._new is not None
            for leaf in self._new.leaves:
                leaf.notify(Notice.FORGET)
            if not self._before:
                self._none_before.set()

    def _change(self, files: list[Carrying]) -> None:
        """Have handles change over. Called with the lock held."""
        core = self._core
        by_fd: dict[Fd, list[Handle]] = {}
        for handle in core.session.handles():
            by_fd.setdefault(handle.fd, []).append(handle)
        for file in files:
            carried = file.change_over(core, by_fd.get(file.old, ()))
            if not carried and file.why_not is not None:
                self._left[file.old] = file.why_not

    def _report(self, pause: float) -> None:
        core, new = self._core, self._new
        assert new is not None
        carried = {file.new for file in self._files if file.is_carried}
        handles = core.session.handles()
        report = self.report = SwitchReport(
            new.generation,
            True,
            carried=sum(handle.fd in carried for handle in handles),
            left_behind=tuple(
                LeftBehind(handle.path, self._left[handle.fd])
                for handle in handles
                if handle.fd in self._left
            ),
            seconds=core.now() - self.started,
            pause=pause,
        )
        core.log.info("%s", report)
        for path, why in report.left_behind:
            core.log.warning("%s stays in graph %d: %s", path, self._old.generation, why)

    # -- after it ---------------------------------------------------------------------------------

    async def let_go(self, frame: Frame) -> None:
        """Wait for what is under way in the old graph, carry what came late, and end it."""
        core, old = self._core, self._old
        try:
            await old.top.give_leases_back()
            await Spawn(self._take_back([file for file in self._files if not file.is_carried]))
            for _ in range(_ROUNDS):
                await self._carry_rest(frame)
                await Wait(self._none_before)
            await self._carry_rest(frame)
        except GeneratorExit:
            raise
        except BaseException:
            await self._part()
            raise
        await self._part()
        await Wait(self._parted)
        await old.top.give_leases_back()
        old.is_left = True
        if not is_used(core, old):
            await end_graph(core, frame, old)

    async def _part(self) -> None:
        """Nothing more is carried. Waits for nothing."""
        self._core.through -= 1
        self._defer_again()
        await Spawn(self._leave())

    async def _leave(self) -> None:
        """Release the old fds of what was carried, which is done whatever becomes of the session."""

        async def one(core: Core, frame: Frame, file: Carrying) -> None:
            await file.leave(core)

        try:
            await Wait(self._none_before)
            await in_order(
                self._core, Frame(), one, [file for file in self._files if file.is_carried]
            )
        finally:
            self._parted.set()

    async def _carry_rest(self, frame: Frame) -> None:
        """Carry what was being opened in the old graph when the new one came into use."""
        core, new = self._core, self._new
        assert new is not None
        files = to_carry(core, self._old.top, [file.old for file in self._files])
        if not files:
            return
        self._files += files
        try:
            await open_all(core, frame, files, new.top)
            await settle_all(core, frame, files)
            with core.lock:
                self._change(files)
        except GeneratorExit:
            raise
        except BaseException as error:
            await Spawn(self._take_back([file for file in files if not file.is_carried]))
            if not isinstance(error, Exception):
                raise
            core.log.warning("they stay in graph %d: %s", self._old.generation, error)
            return
        for file in files:
            if file.is_carried:
                file.moved(core)
        await Spawn(self._take_back([file for file in files if not file.is_carried]))

    def _defer_again(self) -> None:
        """Let writes be deferred again, but for a file that is open in two graphs."""
        core = self._core
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
