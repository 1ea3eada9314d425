"""Scenarios of the corpus in which something changes: connections come back, graphs are replaced."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any

from glusterio import GlusterError
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE
from tests.traces.running import BOTH, CREATING, Run, on

# -- what breaks, and comes back ----------------------------------------------------------------------


@on(*BOTH)
def came_back(run: Run) -> None:
    """The connection is lost under three files, and comes back: one of them is not there any more.

    One is closed meanwhile, and one more is opened.
    """
    vol = run.connect()
    one, two, three = run.files(vol, "a", "b", "c")
    run.do(vol.unlink, "/b")
    run.tap.refuse()
    run.tap.cut()
    run.do(one.close)
    opening = run.start(vol.open_handle, "/d", CREATING | os.O_EXCL)
    run.watch.wait("SEND", 4)
    run.tap.heal()
    opening.result(PATIENCE)
    run.do(three.pread, 1, 0)
    with contextlib.suppress(GlusterError):
        run.do(two.pread, 1, 0)
    run.do(vol.close)


@on(*BOTH)
def came_back_while_closing(run: Run) -> None:
    """The session is being closed when its connection is lost; a read goes on when that is back."""
    vol = run.connect()
    one, two = run.files(vol, "a", "b")
    run.tap.hold(Fop.READ)
    reading = run.start(two.pread, 1, 0)
    run.held()
    closing = run.start(vol.close)
    run.watch.wait("GATE")
    run.tap.cut()
    run.watch.wait("RECONNECTED")
    run.tap.let_go()
    reading.result(PATIENCE)
    closing.result(PATIENCE)
    del one


@on(*BOTH)
def came_back_often(run: Run) -> None:
    """Files are opened, used, closed or left open, while the connection is lost again and again."""
    vol = run.connect()
    kept = []
    for turn in range(6):
        kept += run.files(vol, f"k{turn}")
        run.tap.hold(Fop.CREATE, Fop.READ, Fop.RELEASE)
        under_way = [run.start(file.pread, 1, 0) for file in kept[:2]]
        under_way.append(run.start(vol.open_handle, f"/n{turn}", CREATING | os.O_EXCL))
        run.held(len(under_way))
        if turn % 2:
            under_way.append(run.start(kept.pop(0).close))
        run.tap.cut()
        run.tap.let_go()
        for future in under_way:
            future.exception(PATIENCE)
    run.do(vol.close)


# -- a graph is replaced ------------------------------------------------------------------------------


def _another(vol: Any) -> str:
    """The volfile with one translator more on top, whatever there is."""
    text: str = vol.volfile
    top = [line.split()[1] for line in text.splitlines() if line.startswith("volume ")][-1]
    return f"{text}volume {top}-more\n  type performance/md-cache\n  subvolumes {top}\nend-volume\n"


@on(*BOTH)
def switched(run: Run) -> None:
    """The graph is replaced, twice, under a read and three files: one of them was removed."""
    vol = run.connect()
    one, two, three = run.files(vol, "a", "b", "c")
    run.do(vol.unlink, "/b")
    run.tap.hold(Fop.READ)
    reading = run.start(three.pread, 1, 0)
    run.held()
    run.do(vol.reload, _another(vol))
    run.do(one.pwrite, b"x", 0)
    run.do(two.pwrite, b"x", 0)
    run.files(vol, "d")
    run.tap.let_go()
    reading.result(PATIENCE)
    run.do(two.close)
    run.do(vol.reload, _another(vol))
    run.do(three.close)
    run.do(vol.close)
    del one


@on(*BOTH)
def switched_while_opening(run: Run) -> None:
    """The graph is replaced while a file is being opened, which is carried over when it is open."""
    vol = run.connect()
    run.files(vol, "a")
    run.tap.hold(Fop.CREATE)
    opening = run.start(vol.open_handle, "/b", CREATING | os.O_EXCL)
    run.held()
    run.do(vol.reload, _another(vol))
    run.tap.let_go()
    file = opening.result(PATIENCE)
    run.do(file.pread, 1, 0)
    run.do(vol.close)


@on(*BOTH)
def switched_while_closing(run: Run) -> None:
    """The session is closed while its files are being opened on the new graph."""
    vol = run.connect()
    run.files(vol, "a", "b")
    run.tap.hold(Fop.OPEN)
    reloading = run.start(vol.reload, _another(vol))
    run.held()
    closing = run.start(vol.close)
    run.watch.wait("GATE")
    run.tap.let_go()
    reloading.exception(PATIENCE)
    closing.result(PATIENCE)


@on(*BOTH)
def switched_and_came_back(run: Run) -> None:
    """The graph is replaced, and the connections of both are lost, and come back."""
    vol = run.connect()
    one, two = run.files(vol, "a", "b")
    run.do(vol.unlink, "/a")
    run.do(vol.reload, _another(vol))
    run.tap.cut()
    run.watch.wait("LOST")
    run.watch.wait("RECONNECTED", 2)
    with contextlib.suppress(GlusterError):
        run.do(one.pread, 1, 0)
    run.do(two.pread, 1, 0)
    run.do(vol.close)


@on(*BOTH)
def switched_in_vain(run: Run) -> None:
    """The new graph's connection is lost while a file's locks are on their way to it."""
    vol = run.connect(patience=0.5)
    one, two = run.files(vol, "a", "b")
    run.do(one.lockf, os.F_LOCK, 0)
    run.tap.hold(Fop.FSETXATTR)
    reloading = run.start(vol.reload, _another(vol))
    run.held()
    run.tap.cut(newest=True)
    run.tap.let_go()
    reloading.exception(PATIENCE)
    with contextlib.suppress(GlusterError):
        run.do(one.pread, 1, 0)
    run.do(two.pread, 1, 0)
    run.do(vol.close)


def _work(run: Run, vol: Any, shared: Any, seed: int) -> Any:
    """What a caller does while graphs are replaced and connections lost: what fails, fails."""
    chance = random.Random(seed)
    if run.driver.name == "asyncio":
        return _awaited_work(vol, shared, seed, chance)
    for number in range(8):
        with contextlib.suppress(GlusterError, OSError):
            file = vol.open_handle(f"/work-{seed}-{number}", CREATING)
            for _ in range(chance.randrange(3)):
                chance.choice((file, shared)).pwrite(b"x", chance.randrange(9))
            if chance.random() < 0.7:
                file.close()
    return None


async def _awaited_work(vol: Any, shared: Any, seed: int, chance: random.Random) -> None:
    for number in range(8):
        with contextlib.suppress(GlusterError, OSError):
            file = await vol.open_handle(f"/work-{seed}-{number}", CREATING)
            for _ in range(chance.randrange(3)):
                await chance.choice((file, shared)).pwrite(b"x", chance.randrange(9))
            if chance.random() < 0.7:
                await file.close()


@on(*BOTH)
def switched_under_load(run: Run) -> None:
    """Three callers open, use and close files while the graph is replaced, and the gate closes."""
    vol = run.connect()
    shared = run.files(vol, "shared")[0]
    texts = [_another(vol), vol.volfile]
    at_work = [run.start(_work, run, vol, shared, seed) for seed in range(3)]
    for text in texts:
        run.do(vol.reload, text)
    run.do(vol.close)
    for worker in at_work:
        worker.exception(PATIENCE)


@on(*BOTH)
def switched_and_cut_under_load(run: Run) -> None:
    """The same, with connections that are lost while it is being replaced."""
    vol = run.connect()
    shared = run.files(vol, "shared")[0]
    texts = [_another(vol), vol.volfile]
    at_work = [run.start(_work, run, vol, shared, seed) for seed in range(3)]
    for text in texts:
        reloading = run.start(vol.reload, text)
        run.tap.cut()
        reloading.exception(PATIENCE)
    for worker in at_work:
        worker.exception(PATIENCE)
    run.do(vol.close)
