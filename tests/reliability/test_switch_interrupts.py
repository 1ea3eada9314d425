"""An interrupt (Ctrl-C) anywhere in a graph switch: the session goes on with one graph or the other.

Each function that takes part is interrupted at its beginning and at its end, one after the other. The
interrupt comes out of whatever the thread had called, and whichever graph is in use then, the session
is whole while it goes on, not only when it ends.

It is always the calling thread that is interrupted, as with Ctrl-C. So that this thread comes to every
place, the house-keeper, which would be at the switch, too, is kept away; it is there in a second test.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import glusterio
from glusterio.api import carrying, graphs, switching, unbroken
from glusterio.api.graphs import is_used
from glusterio.lifecycle.invariants import violations
from glusterio.runtime.housekeeper import HouseKeeper
from glusterio.traps import Wait
from tests.api.test_interrupts import Interrupt, interrupted, made_in_vain
from tests.bench.switches import without
from tests.embedded import BrickProcess
from tests.interop.real_gluster import poll

CREATING = os.O_RDWR | os.O_CREAT

#: What is taken out of the graph.
KINDS = ("quick-read", "md-cache")


class Every(set[str]):
    """All functions of a file."""

    def __contains__(self, name: object) -> bool:
        return name != "<genexpr>"  # it may be ended by the collector, where nothing is raised


#: The functions at whose beginning and end a switch is interrupted, by their files.
SWITCHING: dict[str, set[str]] = {
    **{
        Path(str(module.__file__)).name: Every()
        for module in (switching, carrying, graphs, unbroken)
    },
    "on_its_way.py": Every(),
    "core.py": {"make_graph", "start", "begin", "done", "keep_house"},
    "session.py": {"switched", "carry", "_apply", "_move"},
    "shares.py": {"carried"},
    "graph.py": {"build", "init", "fini"},
    "in_flight.py": {"in_order", "run", "_take", "_work"},
    "fiber.py": {"start_later", "spawn"},
    "traps.py": {"set"},
    "closing.py": {"_released", "release"},
}


def settled(core: Any) -> bool:
    """Whether nothing of a switch is under way, and no graph is there that nobody uses."""
    return (
        core.switching is None
        and not core.session.calls
        and not core.through
        and all(graph is core.graph or is_used(core, graph) for graph in core.graphs)
    )


def defers(file: Any) -> bool:
    """Whether what is written to a file may be deferred."""
    return not file._handle.fd.through


class Tried:
    """A session whose graph is switched, and what was seen of it. Bad things are told, not raised.

    Args:
        brick: the brick.
        at: which time it is interrupted.
        unlinks: whether a file is open that cannot be carried.
        spoils: makes a volfile that comes to nothing of a good one, if it shall come to that.
        alone: whether the house-keeper is kept away until the switch is over.

    Attributes:
        wrong: what was wrong.
        came: whether it came to the interrupt.
        where: and where that was.
    """

    def __init__(
        self,
        brick: BrickProcess,
        at: int,
        unlinks: bool = False,
        spoils: Callable[[str], str] | None = None,
        alone: bool = True,
    ) -> None:
        self.wrong: list[str] = []
        self.came = False
        self.where = ""
        with glusterio.connect(brick.url, options={"performance.write-behind": "on"}) as volume:
            try:
                self._try(brick, volume, at, unlinks, spoils, alone)
            except Exception as error:
                self._say(f"{type(error).__name__}: {error}")
            report = volume.close(timeout=2)
        if report.errors or report.defects:
            self._say(f"the report: {report.errors} {report.defects}")
        brick.wait_for(fds=0, locks=0)

    def _say(self, what: str) -> None:
        self.wrong.append(what)

    def _note(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Interrupt as interrupt:
            self.where = str(interrupt)
            raise

    def _try(
        self,
        brick: BrickProcess,
        volume: Any,
        at: int,
        unlinks: bool,
        spoils: Callable[[str], str] | None,
        alone: bool,
    ) -> None:
        core = volume._session.core
        texts = [without(volume.volfile, f"performance/{kind}") for kind in KINDS]
        wanted = texts[0] if spoils is None else spoils(texts[0])

        async def a_moment() -> None:
            await Wait(core.driver.new_event(), 0.005)

        def look() -> bool:
            core.driver.run(a_moment())  # takes what comes, and does what is left to be done
            return settled(core)

        def switch() -> None:
            try:
                volume.reload(wanted)
            except OSError:
                if spoils is None:
                    raise
            poll(look, 5)

        with pytest.MonkeyPatch.context() as patch:
            if alone:
                patch.setattr(HouseKeeper, "start", lambda keeper: None)
            file, root = volume.open_handle("f", CREATING), volume.open_handle("/", os.O_DIRECTORY)
            twin, gone = file.dup(), volume.open_handle("gone", CREATING)
            if unlinks:
                volume.unlink("gone")
            file.lockf(os.F_LOCK, 10)
            file.pwrite(b"data", 0)
            self.came = interrupted(at, SWITCHING, partial(self._note, switch))
            gc.collect(0)
            if not poll(look, 5):
                self._say(
                    f"unsettled: {core.switching} {core.session.calls} {core.through} {core.graphs}"
                )
        core.driver.keep_house()
        if not (defers(file) and defers(twin)):
            self._say("writes are not deferred")
        if len(core.graphs) != (2 if gone._handle.fd.top is not core.top else 1):
            self._say(f"{core.graphs} are left")
        with volume.deadline(10.0):
            brick.wait_for(fds=3, locks=1)
            assert file.pread(4, 0) == b"data"
            assert file.pwrite(b"more", 4) == 4
            assert twin.pread(8, 0) == b"datamore"
            volume.reload(texts[1])
            gone.close()
            if not poll(lambda: look() and len(core.graphs) == 1, 5):
                self._say(f"after the next: {core.switching} {core.through} {core.graphs}")
            assert file.pread(8, 0) == b"datamore"
            brick.wait_for(fds=2, locks=1)
            file.lockf(os.F_ULOCK, 10)
            for each in (file, twin, root):
                each.close()
            brick.wait_for(fds=0, locks=0)
        self.wrong += violations(core.session)


def no_such_volume(text: str) -> str:
    """Make a volfile of a volume that the brick does not have."""
    return text.replace("remote-subvolume ", "remote-subvolume /no")


class Way(NamedTuple):
    """How a switch goes, were it not interrupted.

    Attributes:
        what: what is done for that.
        passes: functions that it comes by; so it is seen to have been interrupted there.
    """

    what: dict[str, Any]
    passes: set[str]


#: What each switch comes by that is prepared, and each that is done.
PREPARED = {"_prepare", "make_graph", "build", "init"}
DONE = {"open_anew", "retire", "_change", "move_locks", "_swap", "change_over", "carry", "_tell"}
LEFT = {"_let_go", "_part", "_leave", "leave", "_defer_again"}

WAYS = {
    "all carried": Way({}, PREPARED | DONE | LEFT | {"end_graph"}),
    "one stays": Way({"unlinks": True}, PREPARED | DONE | LEFT | {"_stays"}),
    "fails": Way({"spoils": no_such_volume}, PREPARED | {"give_up", "_end_new", "end_graph"}),
}


@pytest.mark.timeout(900)  # 380 sessions: 50 ms each, and half a second on a machine that is busy
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_switch_interrupted_anywhere(brick: BrickProcess, way: Way) -> None:
    at, missed = 1, 0
    wrong: list[str] = []
    seen: set[str] = set()
    with made_in_vain():
        while missed < 3:  # where an answer comes late, one place less may be come by
            tried = Tried(brick, at, **way.what)
            wrong += [f"{at}, {tried.where}: {each}" for each in tried.wrong]
            seen |= set(re.findall(r"\bof (\w+)", tried.where))
            missed = 0 if tried.came else missed + 1
            at += 1
    assert wrong == []
    assert way.passes <= seen


@pytest.mark.parametrize("way", list(WAYS.values())[:2], ids=list(WAYS)[:2])
def test_a_switch_interrupted_while_another_thread_may_be_at_it(
    brick: BrickProcess, way: Way
) -> None:
    """Which of the two does what is left to chance; every seventh of the places that there may be."""
    came = 0
    wrong: list[str] = []
    with made_in_vain():
        for at in range(1, 400, 7):
            tried = Tried(brick, at, alone=False, **way.what)
            wrong += [f"{at}, {tried.where}: {each}" for each in tried.wrong]
            came += tried.came
    assert wrong == []
    assert came > 0
