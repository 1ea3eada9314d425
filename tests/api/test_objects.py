"""Gfid objects: each is counted, none outlives its session, none is lost by who gave up."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import glusterio
from glusterio import HandleClosedError, SessionClosedError, aio
from glusterio.errors import ForkedSessionError
from glusterio.lifecycle.invariants import violations
from glusterio.wire.programs import Fop
from tests.api.faces import FACES, connect_face
from tests.api.parity import uproot
from tests.api.tap import Tap
from tests.embedded import BrickProcess


def core_of(volume: Any) -> Any:
    """The session's core, whichever face."""
    return volume._session.core


@pytest.fixture
def tree(brick: BrickProcess) -> Iterator[None]:
    with glusterio.connect(brick.url) as volume:
        volume.makedirs("/d/sub")
        with volume.open("/d/f", "wb") as file:
            file.write(b"0123456789")
        yield
        uproot(volume)
    brick.wait_for(fds=0, pending=0)


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, brick: BrickProcess, tree: None) -> Iterator[Any]:
    with connect_face(request.param, brick.url) as volume:
        yield volume


def test_those_that_are_left_are_let_go_of_and_named(volume: Any) -> None:
    pins = core_of(volume).pins
    kept = volume.lookup("/d/f")
    directory = volume.lookup("/d")
    with volume.scandir("/d") as entries:
        listed = volume.object(next(entries))
    closed = directory.lookup("sub")
    closed.close()
    recreated = volume.object(kept.gfid)
    assert len(pins) == 4
    assert core_of(volume).inodes.get(kept.gfid).refs >= 2
    assert violations(core_of(volume).session) == []
    report = volume.close()
    assert report.graceful
    assert [(each.path, each.gfid) for each in report.objects] == [
        ("/d/f", kept.gfid),
        ("/d", directory.gfid),
        (listed.path, listed.gfid),
        (recreated.path, kept.gfid),
    ]
    assert re.fullmatch(r"<gfid:[-0-9a-f]{36}>", recreated.path)
    assert "objects let go of 4" in str(report)
    assert all(each.closed for each in (kept, directory, listed, recreated))


def test_each_says_where_it_was_made(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as volume:
        kept = volume.lookup("/")
        line = test_each_says_where_it_was_made.__code__.co_firstlineno + 2
        report = volume.close()
    assert report.objects[0].opened_at == f"{__file__}:{line}"
    assert kept.closed
    with pytest.raises(SessionClosedError):
        kept.stat()
    kept.close()


def test_a_closed_one_and_another_sessions_are_refused(volume: Any, brick: BrickProcess) -> None:
    mine = volume.lookup("/d")
    with connect_face("threads", brick.url) as other, other.lookup("/d") as theirs:
        pins = core_of(volume).pins
        with pytest.raises(ValueError, match="another session"):
            pins_check(volume, theirs)
        assert pins.holds(mine._pin)
        file = mine.lookup("f")
        mine.close()
        for use in (
            mine.stat,
            mine.copy,
            mine.open,
            lambda: mine.mkdir("x"),
            lambda: file.link(mine, "x"),
            lambda: mine.read(1, 0),
        ):
            with pytest.raises(HandleClosedError):
                use()
        file.close()
        assert len(pins) == 0


def pins_check(volume: Any, theirs: Any) -> None:
    """Use an object of another session in this one."""
    with volume.lookup("/d") as directory, directory.lookup("f") as file:
        if isinstance(directory, glusterio.Object):
            file.link(theirs, "x")
        else:
            foreign = aio.Object(directory._it._session, theirs._pin)
            try:
                file.link(foreign, "x")
            finally:
                foreign._pin = directory._pin  # its own session's, when it is dropped


def test_dropping_one_without_closing_it_is_warned_of(volume: Any) -> None:
    with pytest.warns(ResourceWarning, match="unclosed <glusterio Object '/d/f'>, made at"):
        volume.lookup("/d/f")
    assert [each.path for each in volume.close().objects] == ["/d/f"]


def test_a_fork_has_none(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as volume:
        kept = volume.lookup("/")
        child = os.fork()
        if not child:
            try:
                kept.stat()
            except ForkedSessionError:
                kept.close()
                os._exit(0 if kept.closed else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert kept.stat()
        kept.close()


#: What makes objects: with a volume and a directory; and the request that it ends with.
MAKERS: dict[str, tuple[Callable[[Any, Any], Any], Fop]] = {
    "lookup": (lambda vol, d: vol.lookup("/d/f"), Fop.LOOKUP),
    "object": (lambda vol, d: vol.object(d.gfid), Fop.LOOKUP),
    "mkdir": (lambda vol, d: d.mkdir("new"), Fop.MKDIR),
    "create": (lambda vol, d: d.create("new"), Fop.MKNOD),
    "symlink": (lambda vol, d: d.symlink("f", "new"), Fop.SYMLINK),
    "create_open": (lambda vol, d: d.create_open("new"), Fop.CREATE),
    "open": (lambda vol, d: d.open(), Fop.OPENDIR),
}


@pytest.mark.parametrize("has_come", [False, True])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_maker_that_is_cancelled_leaves_none(
    tree: None, url: str, tap: Tap, brick: BrickProcess, maker: str, has_come: bool
) -> None:
    """Cancelled while it waits; or when the answer has come, and its caller has not heard of it yet."""
    make, fop = MAKERS[maker]

    async def attempt() -> None:
        async with aio.connect(url) as vol:
            session = vol._session.core.session
            async with await vol.lookup("/d") as directory:
                tap.hold(fop)
                task = asyncio.ensure_future(make(vol, directory))
                await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) >= 1)
                if has_come:
                    tap.let_go()
                    while session.calls:
                        await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                tap.let_go()
                assert len(vol._session.core.pins) == 1
        report = await vol.close()
        assert report.objects == []
        assert report.defects == []
        if has_come:  # else it is closed when its answer comes, or by the drain
            assert report.handles == []

    asyncio.run(attempt())
    brick.wait_for(fds=0, pending=0)
