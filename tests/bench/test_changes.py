"""The measures of what a session lives through: they see what they are there to see."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.api.drivers import DRIVERS, PATIENCE
from tests.bench import changes
from tests.bench.callers import BLOCK, User, block_of, start_all
from tests.bench.restarts import CREATING, Restarts, Writer
from tests.bench.switches import Memory, UnderLoad, under_load, without
from tests.bench.venue import Venue, serve_venue
from tests.interop.real_gluster import poll


def test_a_translator_is_taken_out() -> None:
    text = (
        "volume a\n    type protocol/client\nend-volume\n\n"
        "volume a-b\n    type performance/write-behind\n    subvolumes a\nend-volume\n\n"
        "volume c\n    type debug/io-stats\n    subvolumes a-b\nend-volume\n\n"
    )
    assert without(text) == (
        "volume a\n    type protocol/client\nend-volume\n"
        "\nvolume c\n    type debug/io-stats\n    subvolumes a\nend-volume\n"
    )


@pytest.mark.parametrize("driver_name", DRIVERS)
def test_graphs_are_exchanged_under_load(tmp_path: Path, driver_name: str) -> None:
    with serve_venue(tmp_path) as venue:
        found = under_load(venue, driver_name, handles=20, switches=2)
    assert not found.failures
    assert (found.carried, found.left_behind) == (40, 0)
    assert len(found.seconds) == len(found.gaps) == len(found.gaps_before) == 2
    assert min(found.gaps) > 0
    assert all(row.met is not False for row in changes.load_rows(found))


def write_some(venue: Venue, data: Path) -> Writer:
    driver = DRIVERS["threads"]()
    stop = threading.Event()
    try:
        volume = driver.connect(venue.url)
        writer = Writer(driver.do(volume.open_handle, "w", CREATING), data / "w", stop)
        (at_work,) = start_all(driver, [writer.life()])
        assert poll(lambda: len(writer.synced) > 2, PATIENCE)
        stop.set()
        at_work.result(PATIENCE)
    finally:
        stop.set()
        driver.finish()
    return writer


def test_a_lost_byte_is_seen(tmp_path: Path) -> None:
    with serve_venue(tmp_path) as venue:
        writer = write_some(venue, tmp_path / "served")
    path = tmp_path / "served" / "w"
    assert writer.lost() == 0
    kept = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(3 * BLOCK + 16)
        file.write(b"x")
    assert writer.lost() == 8
    path.write_bytes(kept[:BLOCK] + block_of(999) + kept[2 * BLOCK :])
    assert writer.lost() == BLOCK
    path.write_bytes(kept[: -2 * BLOCK])
    assert writer.lost() == 2 * BLOCK


def test_other_data_than_was_written_is_a_failure(tmp_path: Path) -> None:
    driver = DRIVERS["threads"]()
    stop = threading.Event()
    try:
        with serve_venue(tmp_path) as venue:
            volume = driver.connect(venue.url, options={"performance.write-behind": "off"})
            file = driver.do(volume.open_handle, "f", CREATING)
            user = User(volume, [("f", file)], stop)
            (at_work,) = start_all(driver, [user.life()])
            assert poll(lambda: user.operations > 20, PATIENCE)
            assert not user.failures
            driver.do(volume.truncate, "f", 0)
            other = driver.do(volume.open_handle, "f", CREATING)

            def is_seen() -> bool:
                driver.do(other.pwrite, b"other data", 0)
                return bool(user.failures)

            assert poll(is_seen, PATIENCE)
            stop.set()
            at_work.result(PATIENCE)
            driver.finish()
    finally:
        stop.set()
    assert set(user.failures) == {"other data than was written"}


def test_what_is_unmet_is_said() -> None:
    load = UnderLoad("threads", 10, 100, Counter({"OSError": 2}), 9, 1, [0.5], [0.1], [1.5], [0.1])
    memory = Memory(5, {10: 30 << 20, 100: 31 << 20, 600: 36 << 20}, why_not="no FUSE here")
    restarts = Restarts("asyncio", 2, lost=8, handles=1, hangs=1, ended=["HandleStaleError"])
    rows = [*changes.load_rows(load), *changes.memory_rows(memory), *changes.restart_rows(restarts)]
    assert [row.found for row in rows if row.met is False] == [
        "2 OSError", "9", "1,500 ms (1,500-1,500)", "6,144 KiB",
        "0", "8", "1", "1", "HandleStaleError",
    ]  # fmt: skip
    assert "no FUSE here" in changes.memory_text(memory)
    assert "| **no** |" in changes.table(rows)
