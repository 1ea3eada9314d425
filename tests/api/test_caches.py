"""performance/md-cache and performance/read-ahead in a session, on both drivers."""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from glusterio.errors import ConnectionLostError
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.embedded import BrickProcess

ON = {"performance.stat-prefetch": True, "performance.read-ahead": True}
MIB = 1 << 20
ASKING = (Fop.LOOKUP, Fop.STAT, Fop.FSTAT)

ACL = "system.posix_acl_access"
#: An access control list that lets nobody do anything: of the owner, the group, and others.
NOBODY = struct.pack("<I" + 3 * "HHI", 2, 1, 0, 2**32 - 1, 4, 0, 2**32 - 1, 32, 0, 2**32 - 1)


@pytest.fixture
def volume(driver: Driver, url: str) -> Any:
    return driver.connect(url, options=ON)


@pytest.fixture
def place(driver: Driver, volume: Any, url: str) -> str:
    """A directory of the test's own, with a file in it that another session has made."""
    path = f"/{uuid.uuid4()}"
    driver.do(volume.mkdir, path)
    other = driver.connect(url)
    driver.do(other.write_bytes, f"{path}/f", b"data")
    driver.do(other.close)
    return path


@pytest.fixture
def big(driver: Driver, volume: Any, place: str) -> str:
    driver.do(volume.write_bytes, f"{place}/big", os.urandom(MIB) * 6)
    return f"{place}/big"


# -- md-cache ---------------------------------------------------------------------------------------


def test_what_is_asked_twice_is_asked_once(
    driver: Driver, volume: Any, place: str, tap: Tap
) -> None:
    path = f"{place}/f"
    first = driver.do(volume.stat, path)
    asked = tap.calls(*ASKING)
    assert driver.do(volume.stat, path) == driver.do(volume.lstat, path) == first
    assert driver.do(volume.exists, path)
    assert driver.do(volume.isfile, path)
    assert driver.do(volume.getsize, path) == 4
    assert tap.calls(*ASKING) == asked
    driver.do(volume.chdir, place)
    asked = tap.calls(*ASKING)
    assert driver.do(volume.stat, "f") == driver.do(volume.stat, f"//{place}//f") == first
    assert tap.calls(*ASKING) == asked


def test_kept_names_are_no_way_around_the_rules_of_paths(
    driver: Driver, volume: Any, place: str
) -> None:
    path = f"{place}/f"
    driver.do(volume.symlink, "f", f"{place}/link")
    driver.do(volume.symlink, "nowhere", f"{place}/dangling")
    for _ in range(2):
        assert driver.do(volume.stat, path) == driver.do(volume.stat, f"{place}/link")
        assert driver.do(volume.islink, f"{place}/link")
        assert not driver.do(volume.islink, path)
        assert driver.do(volume.lexists, f"{place}/dangling")
        assert not driver.do(volume.exists, f"{place}/dangling")
        for wrong in (f"{path}/", f"{path}/x", f"{path}/."):
            with pytest.raises(NotADirectoryError):
                driver.do(volume.stat, wrong)
        with pytest.raises(FileNotFoundError):
            driver.do(volume.stat, "")
        with pytest.raises(OSError, match="too long"):
            driver.do(volume.stat, "/" * 4096 + path)
        assert driver.do(volume.isdir, f"{place}/../{place}/")


CHANGES: dict[str, Callable[[Driver, Any, str], Any]] = {
    "chmod": lambda driver, volume, path: driver.do(volume.chmod, path, 0o600),
    "truncate": lambda driver, volume, path: driver.do(volume.truncate, path, 1),
    "link": lambda driver, volume, path: driver.do(volume.link, path, f"{path}-2"),
    "utime": lambda driver, volume, path: driver.do(volume.utime, path, (1, 2)),
    "write": lambda driver, volume, path: driver.do(volume.write_bytes, path, b"longer"),
    "replace": lambda driver, volume, path: (
        driver.do(volume.write_bytes, f"{path}-3", b"another"),
        driver.do(volume.replace, f"{path}-3", path),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_ones_own_changes_show_at_once(
    driver: Driver, volume: Any, place: str, url: str, change: str
) -> None:
    path = f"{place}/f"
    plain = driver.connect(url)
    before = driver.do(volume.stat, path)
    CHANGES[change](driver, volume, path)
    after = driver.do(volume.stat, path)
    assert after == driver.do(plain.stat, path)
    assert after != before
    driver.do(volume.unlink, path)
    assert not driver.do(volume.exists, path)


def test_who_may_go_through_a_directory_is_found_out_anew(
    driver: Driver, place: str, url: str, tap: Tap
) -> None:
    plain = driver.connect(url)
    path = f"{place}/sub/f"
    driver.do(plain.mkdir, f"{place}/sub")
    driver.do(plain.write_bytes, path, b"")
    directory = driver.do(plain.open_handle, place, os.O_RDONLY)
    for change in (
        (plain.chmod, place, 0o711),
        (plain.chown, place, 0, 0),
        (plain.setxattr, place, ACL, NOBODY),
        (plain.removexattr, place, ACL),
        (directory.chmod, 0o755),
        (directory.setxattr, ACL, NOBODY),
        (directory.removexattr, ACL),
    ):
        driver.do(plain.stat, path)
        driver.do(*change)
        asked = tap.calls(Fop.LOOKUP)
        driver.do(plain.stat, path)
        assert tap.calls(Fop.LOOKUP) == asked + 3, change
    driver.do(directory.close)


def test_a_write_through_a_handle_shows_in_the_name(
    driver: Driver, volume: Any, place: str
) -> None:
    path = f"{place}/f"
    file = driver.do(volume.open_handle, path, os.O_RDWR)
    for size in (10, 20, 30):
        assert driver.do(volume.stat, path)
        driver.do(file.pwrite, bytes(size), 0)
        assert driver.do(volume.getsize, path) == driver.do(file.fstat).st_size == size
    driver.do(file.close)


def test_nothing_is_known_when_the_brick_is_gone(driver: Driver, own_brick: BrickProcess) -> None:
    volume = driver.connect(own_brick.url, options=ON, patience=0)
    driver.do(volume.write_bytes, "/f", b"data")
    driver.do(volume.stat, "/f")
    own_brick.kill()
    with pytest.raises(ConnectionLostError):
        driver.do(volume.mkdir, "/d")
    with pytest.raises(ConnectionLostError):
        driver.do(volume.stat, "/f")


def test_nothing_is_known_of_a_closed_session(driver: Driver, volume: Any, place: str) -> None:
    driver.do(volume.stat, f"{place}/f")
    driver.do(volume.close)
    with pytest.raises(ValueError, match="closed"):
        driver.do(volume.stat, f"{place}/f")


MISLED: dict[str, Callable[[Driver, Any, str], Any]] = {
    "open": lambda driver, volume, path: driver.do(
        driver.do(volume.open_handle, path, os.O_RDWR).close
    ),
    "chmod": lambda driver, volume, path: driver.do(volume.chmod, path, 0o600),
    "truncate": lambda driver, volume, path: driver.do(volume.truncate, path, 1),
    "link": lambda driver, volume, path: driver.do(volume.link, path, f"{path}-4"),
    "listxattr": lambda driver, volume, path: driver.do(volume.listxattr, path),
}


@pytest.mark.parametrize("misled", MISLED)
def test_a_file_that_another_client_replaced_is_there_all_the_time(
    driver: Driver, volume: Any, place: str, url: str, misled: str
) -> None:
    """What is known of the name leads to a file that is no more; the name still leads to one."""
    path = f"{place}/f"
    other = driver.connect(url)
    driver.do(volume.stat, path)
    driver.do(other.write_bytes, f"{path}-new", b"another")
    driver.do(other.replace, f"{path}-new", path)
    MISLED[misled](driver, volume, path)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("open_handle", (os.O_RDONLY,)),
        ("open_handle", (os.O_RDWR | os.O_CREAT | os.O_TRUNC,)),
        ("chmod", (0o600,)),
        ("truncate", (1,)),
        ("listxattr", ()),
        ("setxattr", ("user.x", b"y")),
    ],
)
def test_so_is_one_that_is_replaced_while_it_is_looked_up(
    driver: Driver,
    brick: BrickProcess,
    place: str,
    url: str,
    tap: Tap,
    operation: str,
    arguments: Any,
) -> None:
    """Nothing is remembered here: the brick has just told of the file that is replaced."""
    path = f"{place}/f"
    plain, other = driver.connect(url), driver.connect(brick.url)
    driver.do(plain.stat, path)
    driver.do(other.write_bytes, f"{path}-new", b"another")
    tap.hold(Fop.LOOKUP)
    asked = driver.start(getattr(plain, operation), path, *arguments)
    tap.wait_for(lambda: bool(tap.kept))
    driver.do(other.replace, f"{path}-new", path)
    tap.let_go()
    answer = asked.result(PATIENCE)
    if operation == "open_handle":
        driver.do(answer.close)


def test_who_makes_names_asks_a_brick(driver: Driver, volume: Any, place: str, url: str) -> None:
    path = f"{place}/lock"
    other = driver.connect(url)
    driver.do(other.mkdir, path)
    assert driver.do(volume.exists, path)
    driver.do(other.rmdir, path)
    driver.do(volume.mkdir, path)
    driver.do(volume.stat, path)
    driver.do(other.rmdir, path)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    driver.do(driver.do(volume.open_handle, path, flags).close)


# -- read-ahead -------------------------------------------------------------------------------------


def _follow(driver: Driver, file: Any, tap: Tap) -> None:
    """Read from the beginning, so that two pages are on their way and held back."""
    before = tap.calls(Fop.READ)
    tap.hold(Fop.READ)
    first = driver.start(file.pread, MIB, 0)
    tap.wait_for(lambda: bool(tap.kept))
    tap.let_go(Fop.READ)
    assert len(first.result(20)) == MIB
    tap.wait_for_calls(before + 3, Fop.READ)


def test_a_file_is_read_in_fewer_waits(driver: Driver, volume: Any, big: str, tap: Tap) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    _follow(driver, file, tap)  # two are on their way while nobody reads
    tap.let_go()
    whole = driver.do(file.pread, MIB, 0)
    for at in range(1, 6):
        whole += driver.do(file.pread, MIB, at * MIB)
    assert whole == whole[:MIB] * 6
    driver.do(file.close)


def test_a_buffered_file_profits(driver: Driver, volume: Any, big: str, tap: Tap) -> None:
    file = driver.do(volume.open, big, "rb")
    before = tap.calls(Fop.READ)
    size = 0
    while piece := driver.do(file.read, 128 * 1024):
        size += len(piece)
    assert size == 6 * MIB
    assert tap.calls(Fop.READ) - before < 24, "of 48 pieces"
    driver.do(file.close)


def test_closing_a_file_does_not_overtake_its_pages(
    driver: Driver, volume: Any, big: str, tap: Tap
) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    _follow(driver, file, tap)
    driver.do(file.close)
    tap.let_go()
    report = driver.do(volume.close)
    assert report.graceful, str(report)
    assert tap.opened() == tap.released()
    assert tap.overtaken() == []


def test_a_session_ends_with_pages_on_their_way(
    driver: Driver, volume: Any, big: str, tap: Tap
) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    _follow(driver, file, tap)
    closing = driver.start(volume.close)
    tap.let_go()
    report = closing.result(20)
    assert not report.defects
    assert not report.errors, str(report)
    assert tap.opened() == tap.released()
    assert tap.overtaken() == []
    assert file.closed


def test_a_session_ends_in_time_when_they_never_come(
    driver: Driver, volume: Any, big: str, tap: Tap
) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    _follow(driver, file, tap)
    report = driver.do(volume.close, timeout=0.5, grace=0.1)
    assert not report.defects
    assert report.errors, "the file could not be released in time"
    assert file.closed


def test_a_connection_lost_with_pages_on_their_way(
    driver: Driver, volume: Any, big: str, tap: Tap
) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    _follow(driver, file, tap)
    reading = driver.start(file.pread, MIB, MIB)
    tap.cut()
    tap.let_go()
    assert len(reading.result(20)) == MIB  # asked for anew, on the next connection
    report = driver.do(volume.close)
    assert not report.defects


def test_a_reader_that_gives_up_leaves_the_page_to_the_next(
    driver: Driver, volume: Any, big: str, tap: Tap
) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    _follow(driver, file, tap)
    if driver.name == "asyncio":
        reading = driver.start(file.pread, MIB, MIB)
        reading.cancel()
    tap.let_go()
    one, two = driver.do(file.pread, MIB, MIB), driver.do(file.pread, MIB, 2 * MIB)
    assert one == two == driver.do(file.pread, MIB, 0)
    driver.do(file.close)


def test_ones_own_write_is_read_back_whatever_was_on_its_way(
    driver: Driver, volume: Any, big: str, tap: Tap
) -> None:
    file = driver.do(volume.open_handle, big, os.O_RDONLY)
    other = driver.do(volume.open_handle, big, os.O_RDWR)
    _follow(driver, file, tap)
    driver.do(other.pwrite, b"new!", MIB)
    tap.let_go()
    assert driver.do(file.pread, 4, MIB) == b"new!"
    driver.do(file.close)
    driver.do(other.close)
