"""Small files that are opened and read: what is sent for it, and that nobody can tell by the data.

quick-read has the content come along with the LOOKUP; open-behind does not send an OPEN that nobody
needs. Each hazard of that has a test here.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import HandleStaleError, aio
from glusterio.brick.volfiles import client_volfile, section
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.api.test_close_cancel import cancelled_after
from tests.api.watch import Watch
from tests.embedded import BrickProcess

#: Kept for so long that no test outlasts it.
LONG = {"cache-timeout": "600"}

Graph = Callable[..., str]


@pytest.fixture
def graph(brick: BrickProcess, tap: Tap, tmp_path: Path) -> Graph:
    """Make the URL of the brick behind the tap, with both translators: ``graph(LONG)``."""

    def url(
        quick_read: dict[str, str] | None,
        open_behind: dict[str, str] | None = {},  # noqa: B006
    ) -> str:
        text = client_volfile("vol", "127.0.0.1", str(brick.directory), port=tap.port)
        top = "vol-client-0"
        for name, options in (("open-behind", open_behind), ("quick-read", quick_read)):
            if options is not None:
                text += section(name, f"performance/{name}", options, (top,))
                top = name
        volfile = tmp_path / "graph.vol"
        volfile.write_text(text)
        return f"volfile://{volfile}"

    return url


@pytest.fixture(autouse=True)
def files(brick: BrickProcess, tap: Tap) -> Iterator[Path]:
    """Two small files, behind the session's back; in the end the brick holds nothing open."""
    (brick.directory / "f").write_bytes(b"0123456789")
    (brick.directory / "g").write_bytes(b"other")
    yield brick.directory
    brick.wait_for(fds=0, locks=0, pending=0)
    assert tap.released() == tap.opened()
    assert not tap.overtaken()
    for path in brick.directory.iterdir():
        if path.is_file():
            path.unlink()


def sent(tap: Tap) -> Counter[str]:
    """The requests that passed since it was asked last."""
    log = list(tap.log)
    begin, tap.__dict__["counted"] = tap.__dict__.get("counted", 0), len(log)
    return Counter(seen.fop.name for seen in log[begin:] if seen.kind == "call")


def opened(driver: Driver, vol: Any, name: str = "f", flags: int = os.O_RDONLY) -> Any:
    return driver.do(vol.open_handle, name, flags)


def time_is_over(vol: Any) -> None:
    """Let what quick-read keeps be too old to be served, as if a second had gone by."""
    for content in vol._session.core.top._kept.values():
        content.until = 0.0


# -- what is sent -----------------------------------------------------------------------------------


def test_open_read_and_close_are_one_lookup(driver: Driver, tap: Tap, graph: Graph) -> None:
    vol = driver.connect(graph(LONG))
    sent(tap)
    file = opened(driver, vol)
    assert driver.do(file.pread, 4, 3) == b"3456"
    assert driver.do(file.pread, 100, 3) == b"3456789"
    assert driver.do(file.pread, 100, 10) == b""
    assert driver.do(file.pread, 100, 1000) == b""
    buffer = bytearray(b"xxxxx")
    assert driver.do(file.read_into, buffer, 8) == 2
    assert buffer == b"89xxx"
    assert driver.do(file.preadv, [bytearray(4), buffer], 0) == 9
    assert buffer == b"45678"
    driver.do(file.close)
    assert sent(tap) == {"LOOKUP": 1}
    report = driver.do(vol.close)
    assert report.graceful
    assert not report.handles


@pytest.mark.parametrize("mode", ["rb", "r"])
def test_file_objects_send_no_more(tap: Tap, graph: Graph, mode: str) -> None:
    with glusterio.connect(graph(LONG)) as vol:
        sent(tap)
        with vol.open("f", mode) as file:
            assert len(file.read()) == 10
            assert not file.read()
        with vol.open("f", mode) as file:
            assert list(file) == [b"0123456789" if mode == "rb" else "0123456789"]
        assert sent(tap) == {"LOOKUP": 2}


def test_below_all_other_translators(driver: Driver, tap: Tap, url: str) -> None:
    """As a management daemon has them: the handle is dropped, the attributes kept are not read."""
    names = ("write-behind", "read-ahead", "open-behind", "quick-read", "stat-prefetch")
    vol = driver.connect(url, options={f"performance.{name}": True for name in names})
    driver.do(vol.stat, "f")
    sent(tap)
    for _ in range(2):
        file = opened(driver, vol)
        assert driver.do(file.pread, 100, 0) == b"0123456789"
        driver.do(file.close)
    assert sent(tap) == {"LOOKUP": 2}
    driver.do(vol.close)
    assert not sent(tap)


def test_streams_send_no_more(tap: Tap, graph: Graph) -> None:
    async def main() -> None:
        async with aio.connect(graph(LONG)) as vol:
            sent(tap)
            async with vol.open("f") as file:
                assert await file.read() == "0123456789"
            assert sent(tap) == {"LOOKUP": 1}

    asyncio.run(main())


def test_without_the_translators_the_end_is_seen_at_once(tap: Tap, graph: Graph) -> None:
    with glusterio.connect(graph(None, None)) as vol:
        sent(tap)
        with vol.open("f", "rb") as file:
            assert file.read() == b"0123456789"
    assert sent(tap) == {"LOOKUP": 1, "OPEN": 1, "READ": 1, "RELEASE": 1}


def test_the_rest_of_a_large_file(tap: Tap, files: Path, graph: Graph) -> None:
    content = os.urandom(1_000_000)
    (files / "large").write_bytes(content)
    with glusterio.connect(graph(LONG)) as vol, vol.open("large", "rb") as file:
        assert file.read(10) == content[:10]
        assert file.read() == content[10:]
        file.seek(999_999)
        assert file.read() == content[-1:]
        assert file.read() == b""


def test_only_a_lookup_that_belongs_to_an_open_asks_for_content(
    driver: Driver, brick: BrickProcess, tap: Tap, graph: Graph
) -> None:
    vol = driver.connect(graph(LONG, None))
    opened_before = brick.dump()["open_files"]
    driver.do(vol.stat, "f")
    driver.do(vol.listdir)
    file = opened(driver, vol, flags=os.O_RDWR)
    assert driver.do(file.pread, 10, 0) == b"0123456789"
    assert sent(tap)["READ"] == 1  # what is open for writing is not kept
    driver.do(file.close)
    brick.wait_for(fds=0, open_files=opened_before)


def test_quick_read_alone_saves_the_read(driver: Driver, tap: Tap, graph: Graph) -> None:
    vol = driver.connect(graph(LONG, None))
    sent(tap)
    file = opened(driver, vol)
    assert driver.do(file.pread, 10, 0) == b"0123456789"
    driver.do(file.close)
    driver.do(vol.close)
    assert sent(tap) == {"LOOKUP": 1, "OPEN": 1, "RELEASE": 1}


def test_open_behind_alone_waits(driver: Driver, tap: Tap, graph: Graph) -> None:
    """Nothing is in hand, so nothing is granted."""
    vol = driver.connect(graph(None))
    sent(tap)
    file = opened(driver, vol)
    assert sent(tap) == {"LOOKUP": 1, "OPEN": 1}
    driver.do(file.close)


@pytest.mark.parametrize("translator", [0, 1])
def test_switched_to_pass_through(driver: Driver, tap: Tap, graph: Graph, translator: int) -> None:
    options = [dict(LONG), {}]
    options[translator]["pass-through"] = "on"
    vol = driver.connect(graph(*options))
    sent(tap)
    file = opened(driver, vol)
    assert sent(tap) == {"LOOKUP": 1, "OPEN": 1}
    driver.do(file.close)


@pytest.mark.parametrize("with_quick_read", [False, True])
def test_content_that_is_not_as_long_as_the_file_is_not_taken(
    driver: Driver, tap: Tap, files: Path, graph: Graph, with_quick_read: bool
) -> None:
    """As where the file grew just then."""
    data = os.urandom(54321)
    (files / "f").write_bytes(data)
    vol = driver.connect(graph({} if with_quick_read else None))
    sent(tap)
    original = tap._deliver

    def deliver(connection: Any, data: bytes) -> None:
        if b"glusterfs.content" in data:
            data = data.replace((54321).to_bytes(8, "big"), (54322).to_bytes(8, "big"))
        original(connection, data)

    tap._deliver = deliver  # type: ignore[method-assign]
    assert driver.do(vol.read_bytes, "f") == data
    assert sent(tap)["READ"] == 1
    file = opened(driver, vol)
    assert driver.do(file.pread, 60000, 0) == data
    assert sent(tap)["READ"] == 1
    driver.do(file.close)


def test_what_is_too_large_is_read(driver: Driver, tap: Tap, files: Path, graph: Graph) -> None:
    for size, requests in (
        (100, {"LOOKUP": 1}),
        (101, {"LOOKUP": 1, "OPEN": 1, "READ": 1, "RELEASE": 1}),
        (0, {"LOOKUP": 1}),
    ):
        (files / "f").write_bytes(b"x" * size)
        vol = driver.connect(graph(LONG | {"max-file-size": "100"}))
        sent(tap)
        file = opened(driver, vol)
        assert driver.do(file.pread, 1000, 0) == b"x" * size
        driver.do(file.close)
        driver.do(vol.close)
        assert sent(tap) == requests


def test_by_way_of_a_link(driver: Driver, tap: Tap, files: Path, graph: Graph) -> None:
    (files / "directory").mkdir()
    (files / "link").symlink_to("directory/../f")
    vol = driver.connect(graph(LONG))
    sent(tap)
    file = opened(driver, vol, "link")
    assert driver.do(file.pread, 10, 0) == b"0123456789"
    driver.do(file.close)
    assert not sent(tap).keys() & {"OPEN", "READ"}
    assert driver.do(vol.listdir, "directory") == []
    (files / "directory").rmdir()
    (files / "link").unlink()


def test_what_is_kept_is_bounded(tap: Tap, files: Path, graph: Graph) -> None:
    """The oldest goes first, and is read from the brick then; what is closed is kept no longer."""
    for name in "abc":
        (files / name).write_bytes(name.encode() * 100)
    with glusterio.connect(graph(LONG | {"cache-size": "250"})) as vol:
        quick_read = vol._session.core.top
        opened = [vol.open_handle(name) for name in "abc"]
        assert quick_read.counts() == {"files": 2, "bytes": 200}
        sent(tap)
        assert [file.pread(1, 0) for file in opened] == [b"a", b"b", b"c"]
        assert sent(tap) == {"OPEN": 1, "READ": 1}
        vol.open_handle("f").close()
        assert quick_read.counts() == {"files": 2, "bytes": 200}
        for file in opened:
            file.close()
        assert quick_read.counts() == {"files": 0, "bytes": 0}
        assert quick_read.child.counts() == {"pending": 0}


# -- the data is right ------------------------------------------------------------------------------


WRITES: dict[str, Callable[[Driver, Any], Any]] = {
    "pwrite": lambda driver, vol: through(driver, vol, os.O_RDWR, "pwrite", b"new", 0),
    "append": lambda driver, vol: through(
        driver, vol, os.O_WRONLY | os.O_APPEND, "pwrite", b"!", 0
    ),
    "ftruncate": lambda driver, vol: through(driver, vol, os.O_WRONLY, "truncate", 3),
    "zerofill": lambda driver, vol: through(driver, vol, os.O_WRONLY, "zerofill", 2, 2),
    "open": lambda driver, vol: through(driver, vol, os.O_WRONLY | os.O_TRUNC, "fsync"),
    "open to read": lambda driver, vol: through(driver, vol, os.O_RDONLY | os.O_TRUNC, "fsync"),
    "truncate": lambda driver, vol: driver.do(vol.truncate, "f", 4),
    "write_bytes": lambda driver, vol: driver.do(vol.write_bytes, "f", b"all new"),
}


def through(driver: Driver, vol: Any, flags: int, method: str, *arguments: Any) -> None:
    file = opened(driver, vol, flags=flags)
    driver.do(getattr(file, method), *arguments)
    driver.do(file.close)


@pytest.mark.parametrize("write", WRITES)
def test_own_changes_are_seen_at_once(
    driver: Driver, files: Path, graph: Graph, write: str
) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    assert driver.do(file.pread, 100, 0) == b"0123456789"
    WRITES[write](driver, vol)
    content = (files / "f").read_bytes()
    assert content != b"0123456789"
    assert driver.do(file.pread, 100, 0) == content
    again = opened(driver, vol)
    assert driver.do(again.pread, 100, 0) == content
    driver.do(again.close)
    driver.do(file.close)


def test_one_that_is_written_to_and_read_at_the_same_time(driver: Driver, graph: Graph) -> None:
    vol = driver.connect(graph(LONG))
    writer = opened(driver, vol, flags=os.O_WRONLY)
    for number in range(3):
        reader = opened(driver, vol)
        driver.do(writer.pwrite, bytes([number]), 0)
        assert driver.do(reader.pread, 1, 0) == bytes([number])
        driver.do(reader.close)
    driver.do(writer.close)


@pytest.mark.parametrize("write", ["pwrite", "truncate", "open"])
def test_a_reply_that_was_overtaken_by_a_change_is_not_kept(
    driver: Driver, tap: Tap, files: Path, graph: Graph, write: str
) -> None:
    vol = driver.connect(graph(LONG))
    tap.hold(Fop.LOOKUP)
    opening = driver.start(vol.open_handle, "f")
    tap.wait_for(lambda: len(tap.kept) == 1)
    old, tap.kept = tap.kept, []
    tap.hold()
    WRITES[write](driver, vol)
    tap.kept = old
    tap.let_go()
    file = opening.result(PATIENCE)
    assert driver.do(file.pread, 100, 0) == (files / "f").read_bytes()
    driver.do(file.close)


def test_what_another_changed_is_seen_by_whoever_opens_anew(
    driver: Driver, files: Path, graph: Graph
) -> None:
    vol = driver.connect(graph(LONG))
    before = opened(driver, vol)
    (files / "f").write_bytes(b"changed, and longer")
    after = opened(driver, vol)
    assert driver.do(after.pread, 100, 0) == b"changed, and longer"
    assert driver.do(before.pread, 100, 0) == b"changed, and longer"  # since it is known by now
    for file in (before, after):
        driver.do(file.close)


def test_what_another_changed_may_be_missed_for_a_while(
    driver: Driver, files: Path, graph: Graph
) -> None:
    """The price, as documented. It is noticed when the attributes are asked for."""
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    (files / "f").write_bytes(b"changed, and longer")
    assert driver.do(file.pread, 100, 0) == b"0123456789"
    assert driver.do(file.fstat).st_size == 19
    assert driver.do(file.pread, 100, 0) == b"changed, and longer"
    driver.do(file.close)


def test_who_takes_a_lock_sees_what_others_wrote_before(
    driver: Driver, files: Path, graph: Graph
) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    (files / "f").write_bytes(b"changed, by one who had the lock")
    lock = file.lock(shared=True)
    driver.do(lock.acquire)
    assert driver.do(file.pread, 100, 0) == b"changed, by one who had the lock"
    driver.do(lock.release)
    driver.do(file.close)


def test_when_its_time_is_over_the_brick_is_asked(
    driver: Driver, tap: Tap, files: Path, graph: Graph
) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    (files / "f").write_bytes(b"changed")
    time_is_over(vol)
    sent(tap)
    assert driver.do(file.pread, 100, 0) == b"changed"
    assert driver.do(file.pread, 100, 0) == b"changed"
    assert sent(tap) == {"OPEN": 1, "READ": 2}
    driver.do(file.close)


# -- the open is right ------------------------------------------------------------------------------


AFTER_WHICH: dict[str, Callable[[Driver, Any], Any]] = {
    "unlink": lambda driver, vol: driver.do(vol.unlink, "f"),
    "rename over": lambda driver, vol: driver.do(vol.rename, "g", "f"),
    "rename": lambda driver, vol: moved_and_removed(driver, vol),
    "unlink of all names": lambda driver, vol: both_names_removed(driver, vol),
    "rmtree": lambda driver, vol: driver.do(vol.rmtree, "/", ignore_errors=True),
}


def moved_and_removed(driver: Driver, vol: Any) -> None:
    driver.do(vol.rename, "f", "elsewhere")
    driver.do(vol.unlink, "elsewhere")


def both_names_removed(driver: Driver, vol: Any) -> None:
    driver.do(vol.link, "f", "second")
    driver.do(vol.unlink, "second")
    driver.do(vol.unlink, "f")


@pytest.mark.parametrize("what", AFTER_WHICH)
@pytest.mark.parametrize("kept", [True, False])
def test_an_open_file_is_there_when_its_name_is_not(
    driver: Driver, graph: Graph, kept: bool, what: str
) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    if not kept:
        time_is_over(vol)
    AFTER_WHICH[what](driver, vol)
    assert driver.do(file.fstat).st_size == 10
    assert driver.do(file.pread, 100, 0) == b"0123456789"
    driver.do(file.close)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("what", ["unlink", "rename over"])
def test_one_that_is_removed_while_it_is_opened(
    driver: Driver, tap: Tap, graph: Graph, what: str, answered: bool
) -> None:
    """Between its LOOKUP and its OPEN, by the same session: the open finds that out, and no later read.

    Then it fails, or has what the name leads to now.
    """
    vol = driver.connect(graph(LONG))
    tap.hold(Fop.LOOKUP)
    opening = driver.start(vol.open_handle, "f")
    tap.wait_for(lambda: len(tap.kept) == 1)
    old, tap.kept = tap.kept, []
    tap.hold(*() if answered else (Fop.UNLINK, Fop.RENAME))
    removal = driver.start(lambda: vol.unlink("f") if what == "unlink" else vol.rename("g", "f"))
    if answered:
        removal.result(PATIENCE)
    else:
        tap.wait_for(lambda: len(tap.kept) == 1)
    old, tap.kept = tap.kept, old
    tap.let_go(*() if answered else (Fop.UNLINK, Fop.RENAME))
    if what == "unlink":
        with pytest.raises(OSError, match=r"No such file|Stale file handle"):
            opening.result(PATIENCE)
    else:
        file = opening.result(PATIENCE)
        assert driver.do(file.pread, 100, 0) == driver.do(vol.read_bytes, "f") != b"0123456789"
        driver.do(file.close)
    tap.kept = old
    tap.let_go()
    removal.result(PATIENCE)


def test_other_files_are_removed_without_opening_it(driver: Driver, tap: Tap, graph: Graph) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    driver.do(vol.unlink, "g")
    driver.do(vol.write_bytes, "h", b"")
    driver.do(vol.rename, "h", "i")
    assert sent(tap)["OPEN"] == 0
    driver.do(file.close)


NEEDING: dict[str, tuple[Callable[[Driver, Any, Any], Any], str]] = {
    "lockf": (lambda driver, vol, file: driver.do(file.lockf, os.F_TEST, 0), "LK"),
    "lock": (lambda driver, vol, file: driver.do(file.lock(shared=True).acquire), "LK"),
    "lseek": (lambda driver, vol, file: driver.do(file.lseek, 0, os.SEEK_DATA), "SEEK"),
    "fsync": (lambda driver, vol, file: driver.do(file.fsync), "FSYNC"),
    "getxattr": (lambda driver, vol, file: driver.do(file.listxattr), "FGETXATTR"),
    "setxattr": (lambda driver, vol, file: driver.do(file.setxattr, "user.x", b""), "FSETXATTR"),
    "fchmod": (lambda driver, vol, file: driver.do(vol.chmod, file, 0o600), "FSETATTR"),
    "chmod": (lambda driver, vol, file: driver.do(vol.chmod, "f", 0o600), "SETATTR"),
    "path's xattr": (lambda driver, vol, file: driver.do(vol.setxattr, "f", "user.x", b""), "SETXATTR"),
    "write open": (lambda driver, vol, file: through(driver, vol, os.O_WRONLY, "fsync"), "FSYNC"),
}  # fmt: skip


@pytest.mark.parametrize("what", NEEDING)
def test_what_needs_the_fd_has_it_opened_first(
    driver: Driver, tap: Tap, graph: Graph, what: str
) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    sent(tap)
    act, fop = NEEDING[what]
    act(driver, vol, file)
    calls = [seen.fop.name for seen in list(tap.log) if seen.kind == "call"]
    assert calls.index("OPEN") < calls.index(fop)
    driver.do(file.close)


def test_a_write_to_it_is_refused_as_ever(driver: Driver, graph: Graph) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    with pytest.raises(OSError, match="Bad file descriptor"):
        driver.do(file.pwrite, b"x", 0)
    driver.do(file.close)


def test_its_attributes_do_not_need_the_fd(driver: Driver, tap: Tap, graph: Graph) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    sent(tap)
    assert driver.do(file.fstat).st_size == 10
    driver.do(file.close)
    assert sent(tap) == {"STAT": 1}


def test_reads_may_go_without_the_fd(driver: Driver, tap: Tap, graph: Graph) -> None:
    options = {"use-anonymous-fd": "on", "read-after-open": "off"}
    vol = driver.connect(graph(LONG, options))
    file = opened(driver, vol)
    time_is_over(vol)
    sent(tap)
    assert driver.do(file.pread, 100, 0) == b"0123456789"
    driver.do(file.close)
    assert sent(tap) == {"READ": 1}


def test_many_that_need_it_at_once_send_one_open(driver: Driver, tap: Tap, graph: Graph) -> None:
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    time_is_over(vol)
    sent(tap)
    tap.hold(Fop.OPEN)
    reads = [driver.start(file.pread, 1, number) for number in range(8)]
    removal = driver.start(vol.unlink, "f")
    tap.wait_for(lambda: len(tap.kept) == 1)
    driver.do(vol.stat, "g")
    tap.let_go()
    assert [read.result(PATIENCE) for read in reads] == [b"%d" % number for number in range(8)]
    removal.result(PATIENCE)
    assert tap.calls(Fop.OPEN) == 1
    driver.do(file.close)


def test_what_another_removed_is_gone_when_the_brick_is_asked(
    driver: Driver, brick: BrickProcess, files: Path, graph: Graph
) -> None:
    """The price, as documented: the error comes late, and to those that need the brick only."""
    vol = driver.connect(graph(LONG))
    file = opened(driver, vol)
    time_is_over(vol)
    with glusterio.connect(brick.url) as other:
        other.unlink("f")
    for _ in range(2):
        with pytest.raises(OSError, match=r"No such file|Stale file handle"):
            driver.do(file.pread, 100, 0)
    driver.do(file.close)
    report = driver.do(vol.close)
    assert not report.errors
    assert not report.handles


def test_sent_at_once_and_not_waited_for(driver: Driver, tap: Tap, graph: Graph) -> None:
    vol = driver.connect(graph(LONG, {"lazy-open": "off"}))
    tap.hold(Fop.OPEN)
    file = opened(driver, vol)
    tap.wait_for(lambda: len(tap.kept) == 1)
    assert driver.do(file.pread, 100, 0) == b"0123456789"
    driver.do(file.close)
    driver.do(vol.stat, "g")
    assert tap.calls(Fop.RELEASE) == 0  # it does not overtake its OPEN
    tap.let_go()
    report = driver.do(vol.close)
    assert not report.errors
    assert tap.calls(Fop.RELEASE) == 1


# -- the end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", ["on", "off"])
def test_the_session_closes_while_files_are_open(
    driver: Driver, tap: Tap, graph: Graph, lazy: str
) -> None:
    watch = Watch()
    vol = driver.connect(graph(LONG, {"lazy-open": lazy}), trace=watch)
    sent(tap)
    kept = [opened(driver, vol) for _ in range(20)]
    report = driver.do(vol.close)
    assert all(file.closed for file in kept)
    assert len(report.handles) == 20
    assert not report.errors
    assert not report.defects
    assert watch.records[-1].handles == 0
    assert tap.calls(Fop.OPEN) == tap.calls(Fop.RELEASE) == (0 if lazy == "on" else 20)


def test_the_session_closes_while_an_open_is_under_way(
    driver: Driver, tap: Tap, graph: Graph
) -> None:
    """It is awaited, and what it opened is released."""
    watch = Watch()
    vol = driver.connect(graph(LONG), trace=watch)
    file = opened(driver, vol)
    time_is_over(vol)
    tap.hold(Fop.OPEN)
    reading = driver.start(file.pread, 10, 0)
    tap.wait_for(lambda: len(tap.kept) == 1)
    closing = driver.start(vol.close, grace=0.0)
    with pytest.raises(glusterio.SessionClosedError):
        reading.result(PATIENCE)
    tap.let_go()
    report = closing.result(PATIENCE)
    assert report.calls_cancelled == ["pread"]
    assert not report.errors
    assert not report.defects
    assert watch.records[-1].handles == 0
    assert tap.calls(Fop.RELEASE) == 1


def test_a_brick_that_does_not_answer_the_open_does_not_keep_the_session(
    driver: Driver, tap: Tap, graph: Graph
) -> None:
    vol = driver.connect(graph(LONG, {"lazy-open": "off"}))
    tap.hold(Fop.OPEN)
    file = opened(driver, vol)
    tap.wait_for(lambda: len(tap.kept) == 1)
    report = driver.do(vol.close, timeout=0.2)
    assert file.closed
    assert [type(error) for error in report.errors] == [glusterio.ConnectionLostError]
    assert not report.defects
    tap.log = []  # the brick has opened it, and let go of it with the connection


@pytest.mark.parametrize("lazy", ["on", "off"])
def test_cancelled_after_any_number_of_turns(
    brick: BrickProcess, tap: Tap, graph: Graph, lazy: str
) -> None:
    async def read(vol: aio.Volume) -> bytes:
        async with vol.open_handle("f") as file:
            time_is_over(vol)
            return await file.pread(10, 0)

    async def attempts() -> None:
        watch = Watch()
        async with aio.connect(graph(LONG, {"lazy-open": lazy}), trace=watch) as vol:
            completed, turns = 0, 1
            while completed < 3 and turns < 400:
                completed += await cancelled_after(turns, read(vol)) is not None
                turns += 1
            assert turns > 3
            await asyncio.to_thread(
                watch.wait_for,
                lambda: (
                    not watch.records[-1].handles
                    and watch.count("RESERVE")
                    == watch.count("RELEASED") + watch.count("REFUSED") + watch.count("DROP")
                ),
            )
            assert brick.dump()["fds"] == 0
            quick_read = vol._session.core.top
            assert quick_read.child.counts() == {"pending": 0}

    asyncio.run(attempts())


def test_a_lost_connection(own_brick: BrickProcess, tmp_path: Path) -> None:
    text = client_volfile("vol", "127.0.0.1", str(own_brick.directory), port=own_brick.brick_port)
    text += section("open-behind", "performance/open-behind", {}, ("vol-client-0",))
    text += section("quick-read", "performance/quick-read", LONG, ("open-behind",))
    (tmp_path / "own.vol").write_text(text)
    (own_brick.directory / "f").write_bytes(b"content")
    watch = Watch()
    with glusterio.connect(
        f"volfile://{tmp_path / 'own.vol'}", trace=watch, reconnect=False
    ) as vol:
        file = vol.open_handle("f")
        assert file.pread(10, 0) == b"content"
        own_brick.kill()
        watch.wait("LOST")
        with pytest.raises(HandleStaleError):
            file.pread(10, 0)
        assert vol._session.core.top.counts() == {"files": 0, "bytes": 0}
        file.close()
