"""What the embedded brick tells unasked: each thing once, in order, and nothing after the end."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import glusterio
from glusterio import CloseFromCallbackError, Upcall, UpcallKind, aio
from glusterio.api import upcalls
from glusterio.brick.stored_options import store_options
from glusterio.brick.volfiles import client_volfile
from glusterio.errors import ForkedSessionError, GraphError
from glusterio.wire.callbacks import CacheInvalidation
from glusterio.wire.iatt import OldIatt
from glusterio.xlators.base import Notice
from tests.api.contention import told_of_contention
from tests.api.drivers import PATIENCE
from tests.api.faces import FACES, connect_face
from tests.api.gfapi_cases import WATCHED
from tests.embedded import BrickProcess, start_brick
from tests.faulty import FaultyProxy

ONCE = {function: name for name, function in reversed(WATCHED.items())}


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick that tells of changes, and grants leases."""
    directory = tmp_path_factory.mktemp("watching")
    store_options(str(directory), {"features.cache-invalidation": "on", "features.leases": "on"})
    with start_brick(directory) as process:
        yield process


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, watching: BrickProcess) -> Iterator[Any]:
    with connect_face(request.param, watching.url) as volume:
        yield volume
    watching.wait_for(fds=0, pending=0)


@pytest.fixture
def other(watching: BrickProcess) -> Iterator[glusterio.Volume]:
    with glusterio.connect(watching.url) as volume:
        yield volume


@pytest.mark.parametrize("function", ONCE, ids=ONCE.values())
def test_like_libgfapi(volume: Any, other: glusterio.Volume, function: Any) -> None:
    place = f"/{type(volume).__name__}-{ONCE[function]}"
    volume.mkdir(place)
    volume.chdir(place)
    function(volume, other)


def test_the_holder_of_a_translators_lock_hears_that_another_wants_it(
    volume: Any, other: glusterio.Volume
) -> None:
    told_of_contention(volume, other)


def told(volume: Any, size: int) -> None:
    """Have the graph tell of a change, as if a brick had."""
    core = volume._session.core
    gfid = "00000000-0000-0000-0000-000000000001"
    message = CacheInvalidation(
        gfid, 1, 8, 60, OldIatt(size=size, mode=0o100644), OldIatt(), OldIatt()
    )
    core._on_notice(Notice.UPCALL, core.top, message)


def test_each_subscriber_is_told_everything_in_order(volume: Any) -> None:
    one, two, none = volume.upcalls(), volume.upcalls(), volume.upcalls({UpcallKind.CHILD_DOWN})
    for size in range(100):
        told(volume, size)
    for events in (one, two):
        assert [next(events).stat.st_size for _ in range(100)] == list(range(100))
    two.close()
    told(volume, 100)
    assert next(one).stat.st_size == 100
    assert list(two) == []
    none.close()
    assert list(none) == []


def test_what_can_never_come_is_refused(volume: Any) -> None:
    with pytest.raises(ValueError, match="'invalidations' is not a valid UpcallKind"):
        volume.upcalls({"invalidations"})
    with pytest.raises(TypeError, match="5 cannot be called"):
        volume.register_upcall(5)


def test_what_came_before_the_end_is_delivered_and_nothing_after_it(watching: BrickProcess) -> None:
    volume = glusterio.connect(watching.url)
    events, come = volume.upcalls(), list[Upcall]()
    volume.register_upcall(come.append)
    for size in range(3):
        told(volume, size)
    report = volume.close()
    told_late = volume._session.core.upcalls
    told_late.heard(volume._session.core, Notice.CHILD_DOWN, None)
    for found in (list(events), come):
        assert [upcall.stat and upcall.stat.st_size for upcall in found] == [0, 1, 2]
    assert report.graceful


def test_a_close_ends_who_waits(watching: BrickProcess) -> None:
    """At once: there is nothing to be given time for."""
    volume = glusterio.connect(watching.url)
    found: list[list[Upcall]] = []
    waiting = threading.Thread(target=lambda: found.append(list(volume.upcalls())))
    waiting.start()
    session = volume._session.core.session
    while not session.calls:
        pass
    report = volume.close(timeout=60, grace=60)
    waiting.join(PATIENCE)
    assert found == [[]]
    assert report.seconds < 30
    assert report.graceful


def test_too_much_is_said_to_be_lost(volume: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upcalls, "MOST", 100)
    events = volume.upcalls()
    for size in range(102):
        told(volume, size)
    assert next(events).kind is UpcallKind.LOST
    assert [next(events).stat.st_size for _ in range(2)] == [100, 101]
    events.close()


def test_what_nobody_listens_to_any_more_is_not_kept(volume: Any) -> None:
    """``for upcall in vol.upcalls(): break`` ends it, though nobody has said so."""
    subscriptions = []
    for size in range(3):
        events = volume.upcalls()
        subscriptions.append(weakref.ref(events._subscription))
        told(volume, size)
        assert next(events).stat.st_size == size
        del events
    told(volume, 3)
    assert [each() for each in subscriptions] == [None] * 3


@pytest.mark.parametrize("face", FACES)
def test_who_listens_is_told_when_bricks_have_forgotten_what_the_session_uses(
    face: str,
    watching: BrickProcess,
    other: glusterio.Volume,
    through: Callable[..., str],
    faulty_proxy: Callable[..., FaultyProxy],
) -> None:
    """They tell of what was used on the same connection. Others hear of other things only."""
    other.write_bytes("/used", b"123")
    proxy = faulty_proxy(("127.0.0.1", watching.brick_port))
    another = client_volfile("vol", "127.0.0.1", str(watching.directory), port=proxy.port)
    another += "volume top\n  type performance/md-cache\n  subvolumes vol-client-0\nend-volume\n"
    with connect_face(face, through(watching, proxy.port)) as vol, vol.deadline(PATIENCE):
        events, ups = vol.upcalls({UpcallKind.INVALIDATION}), vol.upcalls({UpcallKind.CHILD_UP})
        vol.stat("/used")
        proxy.cut()
        vol.exists("/")
        assert next(events) == Upcall(UpcallKind.LOST)
        assert vol.reload(another).switched
        assert next(events) == Upcall(UpcallKind.LOST)
        vol.stat("/used")
        other.chmod("/used", 0o604)
        assert next(events).flags & glusterio.UpcallFlag.MODE
        with pytest.raises(GraphError):
            vol.reload("volume nothing\n  type cluster/distribute\nend-volume\n")
        for each in (events, ups):
            each.close()
        assert list(events) == []
        assert {upcall.kind for upcall in ups} == {UpcallKind.CHILD_UP}
    other.unlink("/used")


def test_a_task_that_gives_up_loses_nothing(watching: BrickProcess) -> None:
    async def attempt() -> None:
        async with aio.connect(watching.url) as vol:
            events = vol.upcalls()
            for has_come in (False, True):
                task = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0)
                if has_come:
                    told(vol, 7)
                    while vol._session.core.session.calls:
                        await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            upcall = await anext(events)
            assert upcall.stat is not None
            assert upcall.stat.st_size == 7
            await events.close()

    asyncio.run(attempt())


def test_a_callback_may_use_the_volume_but_not_close_it(
    watching: BrickProcess, other: glusterio.Volume
) -> None:
    done = threading.Event()
    found: list[Any] = []

    def callback(upcall: Upcall) -> None:
        try:
            found.append(vol.stat("/f").st_size)
            vol.close()
        except CloseFromCallbackError as error:
            found.append(error)
        finally:
            done.set()

    with glusterio.connect(watching.url) as vol:
        with vol.open("/f", "w") as file:
            file.write("123")
        vol.register_upcall(callback)
        vol.stat("/f")
        other.truncate("/f", 1)
        assert done.wait(PATIENCE)
    assert found[0] == 1
    assert isinstance(found[1], CloseFromCallbackError)
    other.unlink("/f")


def test_an_error_in_a_callback_is_logged(
    watching: BrickProcess, caplog: pytest.LogCaptureFixture
) -> None:
    come: list[int] = []

    def callback(upcall: Upcall) -> None:
        come.append(1)
        raise KeyError("of the application's own")

    with glusterio.connect(watching.url) as volume:
        volume.register_upcall(callback)
        for size in range(9):
            told(volume, size)
    assert come == [1] * 9
    messages = [record.message.partition(": ")[2] for record in caplog.records]
    assert messages == [
        "a callback for upcalls failed",
        'a callback for upcalls has failed 2 times: KeyError("of the application\'s own")',
        'a callback for upcalls has failed 4 times: KeyError("of the application\'s own")',
        'a callback for upcalls has failed 8 times: KeyError("of the application\'s own")',
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False, False]


def test_a_directory_that_another_has_renamed_is_not_gone_through(
    volume: Any, other: glusterio.Volume
) -> None:
    volume.mkdir("/renamed")
    with volume.open("/renamed/f", "w") as file:
        file.write("x")
    with volume.upcalls() as events:
        volume.stat("/renamed/f")
        other.rename("/renamed", "/renamed-already")
        for upcall in events:
            if upcall.flags & glusterio.UpcallFlag.RENAMED:
                break
        with pytest.raises(FileNotFoundError):
            volume.stat("/renamed/f")
    other.rmtree("/renamed-already")


def test_a_fork_hears_nothing(watching: BrickProcess) -> None:
    with glusterio.connect(watching.url) as volume, volume.upcalls() as events:
        told(volume, 1)
        child = os.fork()
        if not child:
            try:
                next(events)
            except ForkedSessionError:
                events.close()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert next(events).kind is UpcallKind.INVALIDATION
