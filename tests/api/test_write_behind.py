"""Deferred writes: their order, and who sees them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import glusterio
from glusterio.wire.programs import Fop
from glusterio.xlators.write_behind.writes import BUSY, TOGETHER, TOGETHER_SIZE
from tests.api.deferring import ON, connect, held, made, round_trip, translator
from tests.api.drivers import PATIENCE, Driver
from tests.api.faces import FACES, connect_face
from tests.api.tap import Tap
from tests.api.watch import Watch
from tests.embedded import BrickProcess


def content(brick: BrickProcess, path: str) -> bytes:
    return Path(brick.directory, path.lstrip("/")).read_bytes()


def test_a_write_returns_before_the_brick_has_answered(driver: Driver, tap: Tap, url: str) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/first")
    with held(tap):
        assert driver.do(file.pwrite, b"x" * 10, 0) == 10
        assert driver.do(file.pwrite, b"y" * 10, 1000) == 10
        tap.wait_for_calls(2, Fop.WRITE)  # and both are on their way
    driver.do(file.close)


def test_overlapping_writes_are_never_in_flight_together(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/overlap")
    with held(tap):
        driver.do(file.pwrite, b"aaaaaa", 0)
        driver.do(file.pwrite, b"bbbbbb", 3)
        driver.do(file.pwrite, b"cccccc", 2)
        round_trip(driver, vol)
        assert tap.calls(Fop.WRITE) == 1
        tap.let_go(Fop.WRITE)
        tap.wait_for_calls(2, Fop.WRITE)
        round_trip(driver, vol)
        assert tap.calls(Fop.WRITE) == 2
    driver.do(file.close)
    assert content(brick, "/overlap") == b"aaccccccb"


def test_small_writes_in_a_row_travel_together(driver: Driver, tap: Tap, url: str) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/row")
    with held(tap):
        for n in range(32):
            driver.do(file.pwrite, bytes([n]) * 4096, n * 4096)
        round_trip(driver, vol)
        assert tap.calls(Fop.WRITE) == 1
        syncing = driver.start(file.fsync)
        tap.wait_for_calls(2, Fop.WRITE)  # they do not wait for the first one's answer any more
    syncing.result(10)
    assert tap.calls(Fop.WRITE) == 2
    expected = b"".join(bytes([n]) * 4096 for n in range(32))
    assert driver.do(file.pread, 1 << 20, 0) == expected
    driver.do(file.close)


@pytest.mark.parametrize("size", [4096, 128 * 1024])
def test_what_is_kept_while_the_brick_is_busy_goes_when_it_is_enough_or_waited_for(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str, size: int
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/kept")
    together = min(TOGETHER, TOGETHER_SIZE // size)

    def write(begin: int, end: int) -> None:
        for n in range(begin, end):
            driver.do(file.pwrite, bytes([n]) * size, 2 * n * size)
        round_trip(driver, vol)

    with held(tap):
        write(0, BUSY + together - 1)
        assert tap.calls(Fop.WRITE) == BUSY
        write(BUSY + together - 1, BUSY + together)
        assert tap.calls(Fop.WRITE) == BUSY + together
        write(BUSY + together, BUSY + together + 3)
        assert tap.calls(Fop.WRITE) == BUSY + together
        syncing = driver.start(file.fsync)
        tap.wait_for_calls(BUSY + together + 3, Fop.WRITE)
    syncing.result(10)
    driver.do(file.close)
    found = content(brick, "/kept")
    for n in range(BUSY + together + 3):
        assert found[2 * n * size : (2 * n + 1) * size] == bytes([n]) * size


def _pending(driver: Driver, tap: Tap, url: str, path: str) -> tuple[Any, Any, Watch]:
    """A session that has written 2 x 5 bytes to a file, and no answer to either."""
    watch = Watch()
    vol = driver.connect(url, options=ON, trace=watch)
    file = made(driver, vol, path)
    tap.hold(Fop.WRITE)
    driver.do(file.pwrite, b"first", 0)
    driver.do(file.pwrite, b"second", 1 << 20)
    return vol, file, watch


#: What waits for deferred writes, by the fop that must not be sent before.
WAITING: dict[str, tuple[Fop, Callable[[Any, Any], tuple[Any, ...]]]] = {
    "pread": (Fop.READ, lambda vol, file: (file.pread, 5, 0)),
    "fstat": (Fop.FSTAT, lambda vol, file: (file.fstat,)),
    "truncate": (Fop.FTRUNCATE, lambda vol, file: (file.truncate, 3)),
    "fsync": (Fop.FSYNC, lambda vol, file: (file.fsync,)),
    "unlock": (Fop.LK, lambda vol, file: (file.lockf, 0)),
    "chmod": (Fop.SETATTR, lambda vol, file: (vol.chmod, "/waiting", 0o600)),
    "rename": (Fop.RENAME, lambda vol, file: (vol.rename, "/waiting", "/renamed")),
    "link": (Fop.LINK, lambda vol, file: (vol.link, "/waiting", "/linked")),
    "listdir": (Fop.READDIRP, lambda vol, file: (vol.listdir, "/")),
    "empty": (Fop.OPEN, lambda vol, file: (vol.open_handle, "/waiting", os.O_WRONLY | os.O_TRUNC)),
    "close": (Fop.RELEASE, lambda vol, file: (file.close,)),
}


@pytest.mark.parametrize("name", WAITING)
def test_who_could_see_the_difference_waits(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str, name: str
) -> None:
    for left in ("waiting", "renamed", "linked"):
        (brick.directory / left).unlink(missing_ok=True)
    fop, call = WAITING[name]
    vol, file, watch = _pending(driver, tap, url, "/waiting")
    before, admitted = tap.calls(fop), watch.count("ADMIT")
    future = driver.start(*call(vol, file))
    watch.wait("ADMIT", admitted + 1)
    round_trip(driver, vol)
    assert tap.calls(fop) == before
    assert not future.done()
    tap.let_go()
    result = future.result(10)
    if name == "pread":
        assert result == b"first"
    if name == "fstat":
        assert result.st_size == (1 << 20) + 6
    if name != "close":
        assert tap.calls(fop) > before
        driver.do(file.close)
    if name == "empty":
        driver.do(result.close)
        assert not (brick.directory / "waiting").stat().st_size
    assert not tap.overtaken()


def test_reads_do_not_wait_for_what_is_elsewhere(driver: Driver, tap: Tap, url: str) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/elsewhere")
    driver.do(file.pwrite, b"here" * 1000, 0)
    driver.do(file.fsync)
    with held(tap):
        driver.do(file.pwrite, b"there", 100_000)
        assert driver.do(file.pread, 4000, 0) == b"here" * 1000
    driver.do(file.close)


def test_a_read_at_the_end_sees_how_far_a_deferred_write_moved_it(
    driver: Driver, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    file, other = made(driver, vol, "/end"), made(driver, vol, "/end", os.O_RDONLY)
    for n in range(20):
        driver.do(file.pwrite, b"x", n * 10_000 + 9_999)
        assert driver.do(other.pread, 5_000, n * 10_000) == bytes(5_000)
    driver.do(file.close)
    driver.do(other.close)


def test_the_last_write_before_a_close_waits_for_those_that_it_overlaps(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    """It is not deferred, as the close would wait for it; but it overtakes nothing."""
    vol = connect(driver, url)
    file = made(driver, vol, "/last")
    with held(tap):
        driver.do(file.pwrite, b"aaaaaa", 0)
        whole = driver.start(vol.write_bytes, "/last", b"bbb")
        tap.wait_for_calls(1, Fop.WRITE)
        round_trip(driver, vol)
        assert not whole.done()
        assert tap.calls(Fop.WRITE) == 1
    whole.result(PATIENCE)
    assert content(brick, "/last") == b"bbb"
    driver.do(file.close)


def test_the_last_write_before_a_close_is_one_exchange(tap: Tap, url: str) -> None:
    with glusterio.connect(url, options=ON) as vol:
        behind = translator(vol)
        with vol.open("/alone", "wb") as file:
            file.write(b"x" * 100)
            tap.hold(Fop.RELEASE)
        assert not behind._files, "it has been deferred"
        assert tap.calls(Fop.WRITE) == 1
        assert not tap.overtaken()
        with vol.open("/alone", "r+b") as file:
            file.write(b"y" * 50)
            file.flush()
            file.seek(0)
            assert file.read(60) == b"y" * 50 + b"x" * 10
            file.write(b"z")
        assert vol.read_bytes("/alone") == b"y" * 50 + b"x" * 10 + b"z" + b"x" * 39
        tap.let_go()
    assert not tap.overtaken()


def test_everything_sees_ones_own_writes_at_once(driver: Driver, url: str) -> None:
    vol = connect(driver, url)
    writing, reading = made(driver, vol, "/own"), made(driver, vol, "/own", os.O_RDONLY)
    size = 0
    for n in range(60):
        data = bytes([n]) * (n * 37 + 1)
        driver.do(writing.pwrite, data, size)
        assert driver.do(reading.pread, len(data), size) == data
        size += len(data)
        if n % 4 == 0:
            assert driver.do(vol.stat, "/own").st_size == size
        if n % 4 == 1:
            assert driver.do(reading.fstat).st_size == size
        if n % 4 == 2:
            with_size = driver.do(vol.read_bytes, "/own")
            assert len(with_size) == size
    driver.do(writing.close)
    driver.do(reading.close)


def test_a_buffer_is_its_owners_again_when_the_write_returns(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/buffer")
    buffer = bytearray(b"right" * 100)
    with held(tap):
        for data in (buffer, memoryview(buffer), memoryview(buffer).toreadonly()):
            buffer[:] = b"right" * 100
            driver.do(file.pwrite, data, 0)  # each but the first waits for the one before it
            buffer[:] = b"wrong" * 100
    driver.do(file.close)
    assert content(brick, "/buffer") == b"right" * 100


@pytest.mark.parametrize("flag", [os.O_SYNC, os.O_DSYNC])
def test_synchronous_files_are_written_through(
    driver: Driver, tap: Tap, url: str, flag: int
) -> None:
    vol = connect(driver, url)
    file = made(driver, vol, "/sync", os.O_RDWR | os.O_CREAT | flag)
    with held(tap):
        future = driver.start(file.pwrite, b"data", 0)
        tap.wait_for_calls(1, Fop.WRITE)
        round_trip(driver, vol)
        assert not future.done()
    assert future.result(10) == 4
    driver.do(file.close)


@pytest.mark.parametrize("strict", ["on", "off"])
def test_direct_files_are_written_through_if_the_option_says_so(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str, strict: str
) -> None:
    vol = connect(driver, url, strict_o_direct=strict)
    (brick.directory / "direct").touch()
    file = made(driver, vol, "/direct", os.O_WRONLY | os.O_DIRECT)
    future = None
    with held(tap):
        future = driver.start(file.pwrite, bytes(4096), 0)
        tap.wait_for_calls(1, Fop.WRITE)
        if strict == "off":
            assert future.result(10) == 4096
        round_trip(driver, vol)
        assert future.done() == (strict == "off")
    assert future.result(10) == 4096
    driver.do(file.close)


def test_appended_data_is_in_the_order_of_the_writes(
    driver: Driver, brick: BrickProcess, url: str
) -> None:
    vol = connect(driver, url)
    files = [
        made(driver, vol, f"/log-{driver.name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for _ in range(2)
    ]
    expected = b""
    for n in range(200):
        line = b"line %d\n" % n
        driver.do(files[n % 3 == 0].pwrite, line, 0)
        expected += line
    for file in files:
        driver.do(file.close)
    assert content(brick, f"/log-{driver.name}") == expected


def test_memory_is_bounded_and_who_finds_no_room_waits(
    driver: Driver, brick: BrickProcess, tap: Tap, url: str
) -> None:
    vol = connect(driver, url, write_behind_window_size="512KB")
    file = made(driver, vol, "/window")
    chunk = 8 << 10
    with held(tap):
        for n in range(64):
            driver.do(file.pwrite, bytes([n]) * chunk, 2 * n * chunk)
        assert translator(vol).counts()["deferred_bytes"] == 64 * chunk
        future = driver.start(file.pwrite, b"x" * chunk, 1000 * chunk)
        round_trip(driver, vol)
        assert not future.done()
        assert translator(vol).counts()["deferred_bytes"] == 64 * chunk
    assert future.result(10) == chunk
    driver.do(file.close)
    assert translator(vol).counts() == {
        "deferred_writes": 0, "deferred_bytes": 0, "dirty_files": 0,
    }  # fmt: skip


def test_many_threads_write_one_file(brick: BrickProcess, url: str) -> None:
    with (
        connect_face("threads", url, options=ON) as vol,
        vol.open_handle("/many", os.O_RDWR | os.O_CREAT) as file,
    ):

        def write(by: int) -> None:
            for n in range(100):
                file.pwrite(bytes([by]) * 1000, (n * 4 + by) * 1000)
                file.pwrite(b"%d" % by, n * 4000)  # all at the same places

        threads = [threading.Thread(target=write, args=(by,)) for by in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        data = file.pread(1 << 20, 0)
    assert len(data) == 400_000
    assert data == content(brick, "/many")
    for n in range(400):
        assert data[n * 1000 + 1 : (n + 1) * 1000] == bytes([n % 4]) * 999


_OFFSETS = st.integers(0, 40_000)
_SIZES = st.one_of(st.integers(1, 100), st.integers(1, 20_000))
_STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 1), _OFFSETS, _SIZES),
    st.tuples(st.just("row"), st.integers(0, 1), _OFFSETS, st.integers(1, 500)),
    st.tuples(st.just("read"), st.integers(0, 1), _OFFSETS, _SIZES),
    st.tuples(st.just("truncate"), st.integers(0, 1), _OFFSETS, st.just(0)),
    st.tuples(st.just("size"), st.integers(0, 1), st.just(0), st.just(0)),
    st.tuples(st.just("fsync"), st.integers(0, 1), st.just(0), st.just(0)),
    st.tuples(st.just("again"), st.integers(0, 1), st.just(0), st.just(0)),
)


@pytest.mark.parametrize("face", FACES)
def test_whatever_is_done_is_as_with_a_local_file(
    brick: BrickProcess, face: str, tmp_path: Path
) -> None:
    """Two handles on one file, of a volume and of this machine."""
    with connect_face(face, brick.url, options=ON) as vol:

        @settings(
            max_examples=25,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(st.lists(_STEPS, max_size=40))
        def play(steps: list[tuple[str, int, int, int]]) -> None:
            local = tmp_path / "local"
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
            theirs = [vol.open_handle(f"/model-{face}", flags) for _ in range(2)]
            ours = [os.open(local, flags) for _ in range(2)]
            try:
                for number, (what, by, offset, size) in enumerate(steps):
                    data = bytes([number + 1]) * size
                    if what == "write":
                        assert theirs[by].pwrite(data, offset) == size
                        os.pwrite(ours[by], data, offset)
                    elif what == "row":
                        for n in range(8):
                            theirs[by].pwrite(data, offset + n * size)
                            os.pwrite(ours[by], data, offset + n * size)
                    elif what == "read":
                        got = theirs[by].pread(size, offset)
                        assert got == os.pread(ours[by], size, offset)
                    elif what == "truncate":
                        theirs[by].truncate(offset)
                        os.ftruncate(ours[by], offset)
                    elif what == "size":
                        assert theirs[by].fstat().st_size == os.fstat(ours[by]).st_size
                    elif what == "fsync":
                        theirs[by].fsync()
                        assert content(brick, f"/model-{face}") == local.read_bytes()
                    else:
                        theirs[by].close()
                        theirs[by] = vol.open_handle(f"/model-{face}", os.O_RDWR)
            finally:
                for file in theirs:
                    file.close()
                for number in ours:
                    os.close(number)
            assert content(brick, f"/model-{face}") == local.read_bytes()

        play()
