"""The graph switch: a session goes over to another graph with all that it has open."""

from __future__ import annotations

import contextlib
import gc
import os
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import glusterio
from glusterio.brick.volfiles import client_volfile
from glusterio.graph.fd import Fd
from glusterio.wire.programs import Fop
from tests.api.deferring import held, no_file_beyond
from tests.api.drivers import Driver
from tests.api.faces import FACES, connect_face
from tests.api.tap import Tap
from tests.embedded import BrickProcess

#: Translators to be put on top, by the names of their types.
TYPES = ("write-behind", "md-cache", "quick-read", "open-behind", "read-ahead")


def with_translators(text: str, *types: str, **options: str) -> str:
    """Put translators on top of a volfile."""
    top = [line.split()[1] for line in text.splitlines() if line.startswith("volume ")][-1]
    for kind in types:
        said = "".join(
            f"  option {name.replace('_', '-')} {value}\n" for name, value in options.items()
        )
        text += (
            f"volume {top}-{kind}\n  type performance/{kind}\n{said}  subvolumes {top}\n"
            "end-volume\n\n"
        )
        top = f"{top}-{kind}"
    return text


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, url: str, brick: BrickProcess) -> Iterator[Any]:
    with connect_face(request.param, url) as volume:
        yield volume
    with glusterio.connect(brick.url) as other:
        for name in other.listdir("/"):
            other.unlink(f"/{name}")
    brick.wait_for(fds=0, pending=0)


@pytest.fixture
def text(brick: BrickProcess, tap: Tap) -> str:
    """The volfile that the session is connected with."""
    return client_volfile("vol", "127.0.0.1", str(brick.directory), port=tap.port)


def ended(volume: Any, graphs: int = 1) -> None:
    """Wait until so many graphs are left."""
    core = volume._session.core
    deadline = core.now() + 20
    while len(core.graphs) > graphs:
        volume.statvfs("/")
        assert core.now() < deadline, core.graphs


def test_the_same_text_changes_nothing(volume: Any, text: str) -> None:
    for report in (volume.reload(), volume.reload(volume.volfile)):
        assert report.generation == 1
        assert not report.switched
        assert str(report) == "graph 1 stays: nothing has changed"
    assert len(volume._session.core.graphs) == 1


def test_changed_options_are_taken(volume: Any, text: str) -> None:
    assert volume.reload(with_translators(text, "write-behind")).switched
    ended(volume)
    core = volume._session.core
    graph = core.graph
    report = volume.reload(with_translators(text, "write-behind", window_size="2MB"))
    assert report.reconfigured == ("vol-client-0-write-behind",) or report.reconfigured
    assert not report.switched
    assert core.graph is graph
    assert core.top._window == 2 << 20
    with pytest.raises(glusterio.VolfileError):
        volume.reload(with_translators(text, "write-behind", window_size="much"))
    assert core.top._window == 2 << 20


def test_what_is_open_is_carried(volume: Any, text: str, brick: BrickProcess) -> None:
    file = volume.open_handle("f", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TRUNC)
    file.pwrite(b"0123456789", 0)
    appending = volume.open_handle("f", os.O_WRONLY | os.O_APPEND)
    second = file.dup()
    directory = volume.open_handle("/", os.O_DIRECTORY)
    report = volume.reload(with_translators(text, "write-behind"))
    assert (report.generation, report.switched, report.left_behind) == (2, True, ())
    assert report.carried == 4
    assert volume.volfile == with_translators(text, "write-behind")
    top = volume._session.core.top
    assert top.xlator_type == "performance/write-behind"
    for handle in (file, appending, second, directory):
        assert handle._handle.fd.top is top
    assert file._handle.fd is second._handle.fd
    assert file.pread(10, 0) == b"0123456789"
    assert appending.pwrite(b"abc", 0) == 3
    file.fsync()
    assert second.pread(20, 0) == b"0123456789abc"
    assert volume.listdir(directory) == ["f"]
    ended(volume)
    brick.wait_for(fds=3)
    for handle in (file, second, appending, directory):
        handle.close()
    brick.wait_for(fds=0)


def test_the_old_graph_leaves_nothing(volume: Any, text: str) -> None:
    core = volume._session.core
    tops = []
    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        for round in range(6):
            tops.append(weakref.ref(core.top))
            volume.reload(with_translators(text, *TYPES[: 1 + round % 2]))
            file.pwrite(b"x", round)
        ended(volume)
        file.fsync()
        assert file.pread(10, 0) == b"xxxxxx"
    gc.collect()
    assert [top() for top in tops] == [None] * 6


def test_what_was_carried_needs_no_collector(volume: Any, text: str) -> None:
    """Else each switch of a session with many files leaves megabytes, until it comes round."""
    core = volume._session.core

    def fds() -> int:
        return sum(type(each) is Fd and each.gfid == gfid for each in gc.get_objects())

    with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
        gfid = file._handle.fd.gfid
        gc.collect()
        gc.disable()
        try:
            for round in range(4):
                volume.reload(with_translators(text, *TYPES[: 1 + round % 2]))
                ended(volume)
            deadline = core.now() + 20
            while fds() > 1:  # the switch has a last word after the old graph's
                volume.statvfs("/")
                assert core.now() < deadline, f"{fds()} fds of one open file"
        finally:
            gc.enable()


def test_locks_go_along(volume: Any, text: str, brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as other:
        file = volume.open_handle("f", os.O_RDWR | os.O_CREAT)
        file.lockf(os.F_LOCK, 10)
        with other.open_handle("f", os.O_RDWR) as rival:
            assert volume.reload(with_translators(text, "write-behind")).carried == 1
            ended(volume)
            with pytest.raises(BlockingIOError):
                rival.lockf(os.F_TLOCK, 10)
            assert file.lock_holder() is None
            file.lockf(os.F_ULOCK, 4)
            rival.lockf(os.F_TLOCK, 4)
            with pytest.raises(BlockingIOError):
                rival.lockf(os.F_TLOCK, 10)
            file.close()
            rival.lockf(os.F_LOCK, 10)


def test_who_waits_for_a_lock_waits_on(
    driver: Driver, url: str, text: str, brick: BrickProcess
) -> None:
    volume = driver.connect(url)
    with glusterio.connect(brick.url) as other:
        file = driver.do(volume.open_handle, "f", os.O_RDWR | os.O_CREAT)
        with other.open_handle("f", os.O_RDWR) as rival:
            rival.lockf(os.F_LOCK, 10)
            waiting = driver.start(file.lockf, os.F_LOCK, 10)
            brick.wait_for(pending=1)
            report = driver.do(volume.reload, with_translators(text, "write-behind"))
            assert report.carried == 1
            driver.do(volume.statvfs, "/")
            core = volume._session.core
            deadline = core.now() + 20
            while len(core.graphs) > 1:
                driver.do(volume.statvfs, "/")
                assert core.now() < deadline
            assert not waiting.done()
            rival.lockf(os.F_ULOCK, 10)
            waiting.result(20)
            with pytest.raises(BlockingIOError):
                rival.lockf(os.F_TLOCK, 10)
        driver.do(file.close)
        driver.do(volume.unlink, "f")


def test_an_unlinked_file_works_on(volume: Any, text: str, brick: BrickProcess) -> None:
    file = volume.open_handle("f", os.O_RDWR | os.O_CREAT)
    file.pwrite(b"here", 0)
    volume.unlink("f")
    core = volume._session.core
    old = weakref.ref(core.top)
    report = volume.reload(with_translators(text, "write-behind"))
    if not report.left_behind:  # the brick opens it all the same
        assert report.carried == 1
    else:
        assert [left.path for left in report.left_behind] == ["f"]
        assert len(core.graphs) == 2
    assert file.pread(10, 0) == b"here"
    assert file.pwrite(b"and there", 0) == 9
    assert file.pread(10, 0) == b"and there"
    file.close()
    ended(volume)
    del file
    gc.collect()
    assert old() is None


def test_a_graph_that_does_not_come_up(volume: Any, text: str, tap: Tap) -> None:
    file = volume.open_handle("f", os.O_RDWR | os.O_CREAT)
    nobody = text.replace(f"remote-port {tap.port}", "remote-port 1")
    assert nobody != text
    core = volume._session.core
    graph = core.graph
    for wrong, error in (
        (nobody, OSError),
        ("volume x\n", glusterio.VolfileError),
        (with_translators(text, "no-such-thing"), glusterio.GraphError),
    ):
        with pytest.raises(error):
            volume.reload(wrong)
        assert core.graph is graph
        assert core.graphs == [graph]
        assert core.volfile == text
        assert file.pwrite(b"x", 0) == 1
    file.close()


def test_under_load(driver: Driver, url: str, text: str, brick: BrickProcess) -> None:
    """Readers, writers, listings and another client that tries for the locks all the time."""
    volume = driver.connect(url)
    files = [driver.do(volume.open_handle, f"f{n}", os.O_RDWR | os.O_CREAT) for n in range(40)]
    with glusterio.connect(brick.url) as other, other.open_handle("f0", os.O_RDWR) as rival:
        driver.do(files[0].lockf, os.F_LOCK, 10)
        for switch in range(6):
            wanted = with_translators(text, *TYPES[: 1 + switch % 3])
            switching = driver.start(volume.reload, wanted)
            turn = 0
            while not switching.done() or turn < len(files):
                file = files[turn % len(files)]
                data = b"%08d" % turn
                assert driver.do(file.pwrite, data, 0) == 8
                assert driver.do(file.pread, 8, 0) == data
                if not turn % 10:
                    assert len(driver.do(volume.listdir, "/")) == 40
                    assert driver.do(volume.stat, f"f{turn % 40}").st_size == 8
                    with pytest.raises(BlockingIOError):
                        rival.lockf(os.F_TLOCK, 10)
                turn += 1
            report = switching.result(20)
            assert (report.carried, report.left_behind) == (40, ())
    for n, file in enumerate(files):
        driver.do(file.close)
        driver.do(volume.unlink, f"f{n}")
    brick.wait_for(fds=0)


def test_closed_in_the_middle(
    driver: Driver, url: str, text: str, tap: Tap, brick: BrickProcess
) -> None:
    """At each step the brick keeps an answer back, and the session is closed."""
    for fop in (Fop.OPEN, Fop.FGETXATTR, Fop.FSETXATTR, Fop.RELEASE):
        volume = driver.connect(url)
        file = driver.do(volume.open_handle, "f", os.O_RDWR | os.O_CREAT)
        driver.do(file.lockf, os.F_LOCK, 10)
        with held(tap, fop):
            before = tap.calls(fop)
            switching = driver.start(volume.reload, with_translators(text, "write-behind"))
            tap.wait_for_calls(before + 1, fop)
            closing = driver.start(volume.close, 0.3, 0.1)
            closing.result(20)
        with contextlib.suppress(glusterio.SessionClosedError):
            switching.result(20)
        brick.wait_for(fds=0, locks=0)


def test_a_failed_deferred_write_is_told_once(
    driver: Driver, url: str, text: str, brick: BrickProcess
) -> None:
    volume = driver.connect(url)
    driver.do(volume.reload, with_translators(text, "write-behind"))
    file = driver.do(volume.open_handle, "f", os.O_RDWR | os.O_CREAT)
    with no_file_beyond(brick, 4096):
        driver.do(file.pwrite, b"x", 0)
        driver.do(file.pwrite, b"x", 8192)
        report = driver.do(volume.reload, text)
    assert [left.path for left in report.left_behind] == ["f"]
    with pytest.raises(OSError, match="deferred writes failed"):
        driver.do(file.fsync)
    driver.do(file.fsync)
    driver.do(file.close)
    driver.do(volume.unlink, "f")
