"""performance/read-ahead above a real posix translator, with a clock to turn.

What another client does is done to the posix translator directly.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event, Gather, Wait, Within
from glusterio.wire.fops import attributes, data, files
from glusterio.xlators import read_ahead
from glusterio.xlators.base import Data, Notice, Services, Xlator
from glusterio.xlators.md_cache import MdCache
from glusterio.xlators.read_ahead import ReadAhead
from tests.xlators.posix_bed import PosixBed, posix_bed

KIB = 1024
#: The tests' pages: small, so that files are.
PAGE = 64 * KIB
COUNT = 2


@functools.cache
def content(size: int, seed: int = 1) -> bytes:
    """Bytes of which each four tell where they are."""
    return b"".join((seed << 24 | at).to_bytes(4, "big") for at in range(size // 4))


class Below(Xlator):
    """Notes which reads come to a brick; holds answers back, and lets reads fail, while told so."""

    def __init__(self, child: Xlator) -> None:
        super().__init__("below", {}, (child,), Services(Event))
        self.reads: list[tuple[int, int]] = []
        self.late: str | None = None
        self.late_from = 0
        self.go_on = Event()
        self.failing = False
        self.released = 0

    async def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Data:
        self.reads.append((offset, size))
        if self.failing:
            raise fs_error(5)
        found = await self.child.readv(frame, fd, size, offset, sink)
        if self.late == "readv" and offset >= self.late_from:
            await Wait(self.go_on)
        return found

    async def writev(self, frame: Frame, fd: Fd, data: Any, offset: int) -> Any:
        if self.late == "before writev":
            await Wait(self.go_on)
        found = await self.child.writev(frame, fd, data, offset)
        if self.late == "writev":
            await Wait(self.go_on)
        return found

    async def lk(self, frame: Frame, fd: Fd, request: Any) -> Any:
        return None

    async def release(self, frame: Frame, fd: Fd) -> None:
        self.released += 1
        await self.child.release(frame, fd)


class Bed:
    """The translator, and short words for what is asked of it."""

    def __init__(self, posix: PosixBed) -> None:
        self.posix = posix
        self.now = 1000.0
        self.below = Below(posix.posix)
        options = {"page-size": str(PAGE), "page-count": str(COUNT)}
        services = Services(Event, clock=lambda: self.now)
        self.ahead = ReadAhead("read-ahead", options, (self.below,), services)

    def do(self, fop: str, *arguments: Any) -> Any:
        return self.posix.run(getattr(self.ahead, fop)(Frame(), *arguments))

    def open(self, gfid: bytes, flags: int = os.O_RDWR) -> Fd:
        fd = Fd(gfid, flags)
        self.do("open", fd, files.OpenRequest(gfid, flags))
        return fd

    def read(self, fd: Fd, size: int, offset: int, into: bool = False) -> bytes:
        if fd.at_hand is not None:  # as the API does
            known = fd.at_hand(size, offset)
            if known is not None:
                assert len(known) == size
                return bytes(known)
        if not into:
            return bytes(self.do("readv", fd, size, offset).data)
        sink = bytearray(size)
        got = len(self.do("readv", fd, size, offset, memoryview(sink)).data)
        return bytes(sink[:got])

    def follow(self, fd: Fd) -> None:
        """Read a page from the beginning, so that what comes next is ahead."""
        self.read(fd, PAGE, 0)
        assert self.ahead.counts()["read_ahead"] == 2 * PAGE
        self.below.reads.clear()

    def have_pages_under_way(self, fd: Fd) -> None:
        """As `follow`; but the answers with what comes next are held back."""
        self.below.late, self.below.late_from = "readv", PAGE
        self.follow(fd)

    def together(self, *coros: Coro[Any]) -> list[Any]:
        async def all_of_them() -> Any:
            return await Gather(coros)

        return [outcome.get() for outcome in self.posix.run(all_of_them())]


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with posix_bed(tmp_path) as posix:
        yield Bed(posix)


@pytest.fixture
def fd(bed: Bed) -> Iterator[Fd]:
    fd = bed.open(bed.posix.make("f", content(16 * PAGE)))
    yield fd
    bed.below.late = None
    bed.do("release", fd)
    assert bed.ahead.counts() == {"read_ahead": 0}


# -- what is read ahead -----------------------------------------------------------------------------


def test_what_follows_in_a_page_does_not_pass_the_graph(bed: Bed, fd: Fd) -> None:
    bed.follow(fd)
    assert fd.at_hand is None
    bed.read(fd, 4 * KIB, PAGE)
    assert fd.at_hand is not None
    for at in range(PAGE + 4 * KIB, 2 * PAGE, 4 * KIB):
        assert bytes(fd.at_hand(4 * KIB, at) or b"") == content(16 * PAGE)[at : at + 4 * KIB]
    assert fd.at_hand(4 * KIB, 2 * PAGE) is None, "the first of a page asks for what follows"
    assert fd.at_hand(4 * KIB, PAGE) is None, "a read elsewhere passes"


@pytest.mark.parametrize("what", ["too old", "written", "locked", "away"])
def test_nothing_is_at_hand_that_may_not_be_served(bed: Bed, fd: Fd, what: str) -> None:
    bed.follow(fd)
    bed.read(fd, 4 * KIB, PAGE)
    if what == "too old":
        bed.now += read_ahead.TIMEOUT
    elif what == "written":
        bed.do("writev", fd, b"new", 9 * PAGE)
    elif what == "locked":
        bed.do("lk", fd, None)
    else:
        bed.ahead.on_notice(Notice.CHILD_DOWN, bed.below, None)
    assert fd.at_hand is not None
    assert fd.at_hand(4 * KIB, PAGE + 4 * KIB) is None


def test_who_keeps_a_files_size_hears_of_what_is_at_hand(bed: Bed) -> None:
    """What will be read without passing by may reach further than the file was known to."""
    fd = bed.open(bed.posix.make("growing", content(PAGE + 8 * KIB)))
    cache = MdCache("md-cache", {}, (bed.ahead,), Services(Event, clock=lambda: bed.now))
    bed.posix.run(cache.stat(Frame(), attributes.StatRequest(fd.gfid)))
    other = bed.posix.open(fd.gfid)
    bed.posix.write(other, content(16 * PAGE), 0)
    bed.posix.run(cache.readv(Frame(), fd, PAGE, 0))
    bed.posix.run(cache.readv(Frame(), fd, 4 * KIB, PAGE))
    assert fd.at_hand is not None
    for at in range(PAGE + 4 * KIB, 2 * PAGE, 4 * KIB):
        assert fd.at_hand(4 * KIB, at)
    told = bed.posix.run(cache.stat(Frame(), attributes.StatRequest(fd.gfid)))
    assert told.stat.size == 16 * PAGE
    bed.posix.release(other)
    bed.do("release", fd)


@pytest.mark.parametrize("into", [False, True])
@pytest.mark.parametrize("size", [4 * KIB, 12 * KIB, PAGE, 100 * KIB, 2 * PAGE, 3 * PAGE, 5 * PAGE])
def test_a_file_read_from_its_beginning(bed: Bed, fd: Fd, size: int, into: bool) -> None:
    whole, at = b"", 0
    while piece := bed.read(fd, size, at, into):
        whole += piece
        at += len(piece)
    assert whole == content(16 * PAGE)
    asked = [length for offset, length in bed.below.reads if offset + length <= 16 * PAGE]
    if size <= PAGE:
        assert len(asked) < 16 * PAGE // size + 2, "some were answered from what was ahead"
    largest = max(COUNT * PAGE, size)
    assert max(length for _, length in bed.below.reads) <= largest


def test_what_is_ahead_grows_with_what_was_read_and_is_bounded(bed: Bed, fd: Fd) -> None:
    held = []
    for at in range(0, 8 * PAGE, 32 * KIB):
        bed.read(fd, 32 * KIB, at)
        held.append(bed.ahead.counts()["read_ahead"])
    assert held[0] == 0, "one small read is no sequence yet"
    assert max(held) <= 3 * COUNT * PAGE
    assert (64 * KIB, PAGE) in bed.below.reads
    assert any(length == COUNT * PAGE for _, length in bed.below.reads)


def test_two_in_a_row_are_a_sequence_wherever_they_are(bed: Bed, fd: Fd) -> None:
    bed.read(fd, PAGE, 3 * PAGE)
    assert bed.ahead.counts()["read_ahead"] == 0
    bed.read(fd, PAGE, 4 * PAGE)
    bed.below.reads.clear()
    assert bed.read(fd, PAGE, 5 * PAGE) == content(16 * PAGE)[5 * PAGE : 6 * PAGE]
    assert (5 * PAGE, PAGE) not in bed.below.reads


def test_a_read_elsewhere_drops_what_is_ahead(bed: Bed, fd: Fd) -> None:
    bed.follow(fd)
    bed.read(fd, 4 * KIB, 9 * PAGE)
    assert bed.ahead.counts()["read_ahead"] == 0
    assert bed.below.reads == [(9 * PAGE, 4 * KIB)]


def test_nothing_is_read_beyond_a_short_answer(bed: Bed) -> None:
    fd = bed.open(bed.posix.make("short", content(PAGE + 400)))
    assert len(bed.read(fd, PAGE, 0)) == PAGE
    assert bed.read(fd, PAGE, PAGE) == content(PAGE + 400)[PAGE:]
    assert bed.ahead.counts()["read_ahead"] == 0
    bed.below.reads.clear()
    assert bed.read(fd, PAGE, PAGE + 400) == b""
    assert bed.below.reads == [(PAGE + 400, PAGE)]
    bed.do("release", fd)


def test_nor_beyond_a_short_page(bed: Bed) -> None:
    fd = bed.open(bed.posix.make("short", content(3 * PAGE + 400)))
    bed.follow(fd)
    for at in range(PAGE, 3 * PAGE, 4 * KIB):
        bed.read(fd, 4 * KIB, at)
    assert len(bed.below.reads) == 1
    assert bed.read(fd, 4 * KIB, 3 * PAGE) == content(3 * PAGE + 400)[3 * PAGE :]
    assert bed.below.reads[1:] == [(3 * PAGE, 4 * KIB)]
    bed.do("release", fd)


def test_a_small_file_costs_one_read(bed: Bed) -> None:
    fd = bed.open(bed.posix.make("small", b"data"))
    assert bed.read(fd, 128 * KIB, 0) == b"data"
    assert bed.below.reads == [(0, 128 * KIB)]
    bed.do("release", fd)


def test_the_end_of_the_file_is_never_told_from_what_is_ahead(bed: Bed) -> None:
    """Another client has made it longer since."""
    gfid = bed.posix.make("f", content(PAGE + 400))
    fd, other = bed.open(gfid), bed.posix.open(gfid)
    bed.read(fd, PAGE, 0)
    bed.posix.write(other, content(3 * PAGE))
    assert bed.read(fd, PAGE, PAGE) == content(3 * PAGE)[PAGE : 2 * PAGE]
    bed.posix.release(other)
    bed.do("release", fd)


@pytest.mark.parametrize("flags", [os.O_DIRECT, 0])
def test_who_wants_no_cache_gets_none(bed: Bed, flags: int) -> None:
    gfid = bed.posix.make("f", content(4 * PAGE))
    fd = Fd(gfid, flags, anonymous=not flags)
    if flags:
        fd = bed.open(gfid, flags)
    for at in range(3):
        bed.do("readv", fd, PAGE, at * PAGE)
    assert bed.below.reads == [(at * PAGE, PAGE) for at in range(3)]
    if flags:
        bed.do("release", fd)


def test_who_has_several_reads_under_way_is_left_alone(bed: Bed, fd: Fd) -> None:
    async def read(offset: int) -> Data:
        return await bed.ahead.readv(Frame(), fd, PAGE, offset)

    for start in (0, 4):
        reads = [read((start + at) * PAGE) for at in range(4)]
        bed.below.late = "readv"
        bed.below.go_on = Event()

        async def then_go_on() -> None:
            bed.below.go_on.set()

        found = bed.together(*reads, then_go_on())
        assert [bytes(one.data) for one in found[:4]] == [
            content(16 * PAGE)[(start + at) * PAGE : (start + at + 1) * PAGE] for at in range(4)
        ]
    assert len(bed.below.reads) == 8
    assert bed.ahead.counts()["read_ahead"] == 0


def test_a_session_holds_so_much_and_no_more(
    bed: Bed, fd: Fd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "MOST", 5 * PAGE)
    fds = [bed.open(fd.gfid) for _ in range(4)]
    for one in fds:
        bed.read(one, PAGE, 0)
        assert bed.ahead.counts()["read_ahead"] <= 5 * PAGE
    bed.below.reads.clear()
    for one in fds:  # those that lost theirs ask again
        assert bed.read(one, PAGE, PAGE) == content(16 * PAGE)[PAGE : 2 * PAGE]
    assert (PAGE, PAGE) in bed.below.reads
    for one in fds:
        bed.do("release", one)


# -- what is not served -----------------------------------------------------------------------------


def test_a_page_older_than_a_second(bed: Bed, fd: Fd) -> None:
    bed.follow(fd)
    other = bed.posix.open(fd.gfid)
    bed.posix.write(other, b"new!", PAGE)
    bed.now += 0.75
    assert bed.read(fd, 4, PAGE) == content(16 * PAGE)[PAGE : PAGE + 4], "another client's write"
    bed.posix.write(other, b"newer", PAGE + 4)
    bed.now += 0.25
    assert bed.read(fd, 5, PAGE + 4) == b"newer"
    bed.posix.release(other)


CHANGES: dict[str, tuple[Any, ...]] = {
    "writev": (b"new!", PAGE),
    "ftruncate": (files.FtruncateRequest(b"", 0, 0),),
    "discard": (files.DiscardRequest(b"", 0, PAGE, 4),),
    "zerofill": (files.ZerofillRequest(b"", 0, PAGE, 4),),
}


@pytest.mark.parametrize("fop", CHANGES)
def test_ones_own_change_through_another_descriptor_shows_at_once(
    bed: Bed, fd: Fd, fop: str
) -> None:
    other = bed.open(fd.gfid)
    bed.follow(fd)
    bed.do(fop, other, *CHANGES[fop])
    seen = bed.read(fd, 4, PAGE)
    with open(bed.posix.directory / "f", "rb") as file:
        assert seen == os.pread(file.fileno(), 4, PAGE)
        assert seen != content(16 * PAGE)[PAGE : PAGE + 4]
    bed.do("release", other)


def test_so_does_a_truncation_by_name_and_an_opening_that_empties(bed: Bed, fd: Fd) -> None:
    bed.follow(fd)
    bed.do("truncate", files.TruncateRequest(fd.gfid, PAGE + 2))
    assert len(bed.read(fd, 4, PAGE)) == 2
    other = bed.posix.open(fd.gfid)
    bed.posix.write(other, content(16 * PAGE))
    bed.read(fd, PAGE, 0)
    bed.follow(fd2 := bed.open(fd.gfid))
    bed.do("release", bed.open(fd.gfid, os.O_RDWR | os.O_TRUNC))
    assert bed.read(fd2, 4, PAGE) == b""
    bed.posix.release(other)
    bed.do("release", fd2)


def test_and_what_a_brick_copies_into_the_file(bed: Bed, fd: Fd) -> None:
    source = bed.open(bed.posix.make("source", b"new!"))
    bed.follow(fd)
    request = data.CopyFileRangeRequest(b"", b"", 0, 0, 0, PAGE, 4)
    bed.do("copy_file_range", source, fd, request)
    assert bed.read(fd, 4, PAGE) == b"new!"
    bed.do("release", source)


def test_a_page_that_was_on_its_way_when_the_file_was_written(bed: Bed, fd: Fd) -> None:
    """The brick had read it before; its answer comes after the write's."""
    bed.have_pages_under_way(fd)
    bed.do("writev", fd, b"new!", PAGE)
    bed.below.go_on.set()
    assert bed.read(fd, 4, PAGE) == b"new!"


def test_a_page_that_was_asked_for_while_a_write_was_on_its_way(bed: Bed, fd: Fd) -> None:
    """The write was sent first, but the brick took it second."""
    bed.below.late = "before writev"

    async def read_then_go_on() -> None:
        await bed.ahead.readv(Frame(), fd, PAGE, 0)
        assert bed.ahead.counts()["read_ahead"] == 2 * PAGE
        bed.below.go_on.set()

    bed.together(bed.ahead.writev(Frame(), fd, b"new!", PAGE), read_then_go_on())
    assert bed.read(fd, 4, PAGE) == b"new!"


def test_a_lock_makes_what_is_ahead_too_old(bed: Bed, fd: Fd) -> None:
    bed.follow(fd)
    bed.do("lk", fd, None)
    bed.read(fd, PAGE, PAGE)
    assert bed.below.reads[0] == (PAGE, PAGE)


@pytest.mark.parametrize("notice", [Notice.CHILD_DOWN, Notice.CHILD_UP])
def test_a_connection_that_was_away_makes_what_is_ahead_too_old(
    bed: Bed, fd: Fd, notice: Notice
) -> None:
    bed.follow(fd)
    bed.below.notify(notice)
    bed.read(fd, PAGE, PAGE)
    assert bed.below.reads[0] == (PAGE, PAGE)


def test_an_error_ahead_is_raised_only_where_it_still_is_one(bed: Bed, fd: Fd) -> None:
    bed.read(fd, PAGE, 3 * PAGE)
    original = bed.below.readv

    async def fails_ahead(
        frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Data:
        if offset >= 5 * PAGE:
            raise fs_error(5)
        return await original(frame, fd, size, offset, sink)

    bed.below.readv = fails_ahead  # type: ignore[method-assign]
    bed.read(fd, PAGE, 4 * PAGE)
    bed.below.readv = original  # type: ignore[method-assign]
    assert bed.read(fd, PAGE, 5 * PAGE) == content(16 * PAGE)[5 * PAGE : 6 * PAGE]
    bed.below.failing = True
    with pytest.raises(OSError, match="Input/output error"):
        bed.read(fd, PAGE, 9 * PAGE)
    bed.below.failing = False


# -- buffers, and the end ---------------------------------------------------------------------------


def test_what_a_reader_got_stays_as_it_is(bed: Bed, fd: Fd) -> None:
    """A page is used again only when nobody has a view of it."""
    kept = []
    for at in range(16):
        kept.append(bed.do("readv", fd, PAGE, at * PAGE).data)
    assert b"".join(kept) == content(16 * PAGE)


def test_a_descriptor_is_released_when_no_page_of_it_is_on_its_way(bed: Bed) -> None:
    fd = bed.open(bed.posix.make("f", content(16 * PAGE)))
    bed.have_pages_under_way(fd)
    order: list[int] = []

    async def then_go_on() -> None:
        order.append(bed.below.released)
        bed.below.go_on.set()

    bed.together(bed.ahead.release(Frame(), fd), then_go_on())
    assert (order, bed.below.released) == ([0], 1)
    assert fd.context == {}
    assert bed.ahead.counts() == {"read_ahead": 0}


def test_a_reader_that_gives_up_spoils_nothing(bed: Bed, fd: Fd) -> None:
    bed.have_pages_under_way(fd)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await Within(0.001, bed.ahead.readv(Frame(), fd, PAGE, PAGE))

    bed.posix.run(give_up())
    bed.below.go_on.set()
    assert bed.read(fd, PAGE, 2 * PAGE) == content(16 * PAGE)[2 * PAGE : 3 * PAGE]
    assert bed.read(fd, PAGE, PAGE) == content(16 * PAGE)[PAGE : 2 * PAGE]


# -- anything, in any order -------------------------------------------------------------------------

SIZES = st.sampled_from([1, 4 * KIB, 32 * KIB, PAGE, PAGE + 5, 2 * PAGE, 3 * PAGE])


class AnyReads(RuleBasedStateMachine):
    """Reads and writes of all kinds, through two descriptors, against the file itself."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._driver = ThreadsDriver()
        self.bed = Bed(PosixBed(Path(self._directory.name), self._driver))
        self.bed.posix.run(self.bed.posix.posix.init())
        gfid = self.bed.posix.make("f", content(6 * PAGE))
        self.model = bytearray(content(6 * PAGE))
        self.fds = [self.bed.open(gfid), self.bed.open(gfid)]
        self.at = [0, 0]

    @rule(which=st.integers(0, 1), size=SIZES, count=st.integers(1, 6), into=st.booleans())
    def read_on(self, which: int, size: int, count: int, into: bool) -> None:
        for _ in range(count):
            self.read(which, size, self.at[which], into)

    @rule(which=st.integers(0, 1), size=SIZES, at=st.integers(0, 7 * PAGE), into=st.booleans())
    def read(self, which: int, size: int, at: int, into: bool) -> None:
        got = self.bed.read(self.fds[which], size, at, into)
        assert got == self.model[at : at + size]
        self.at[which] = at + len(got)

    @rule(which=st.integers(0, 1), at=st.integers(0, 6 * PAGE), size=SIZES, seed=st.integers(2, 9))
    def write(self, which: int, at: int, size: int, seed: int) -> None:
        piece = content(size + 3, seed)[:size]
        self.bed.do("writev", self.fds[which], piece, at)
        self.model[len(self.model) : at] = bytes(max(0, at - len(self.model)))
        self.model[at : at + size] = piece

    @rule(which=st.integers(0, 1), size=st.integers(0, 7 * PAGE))
    def truncate(self, which: int, size: int) -> None:
        fd = self.fds[which]
        self.bed.do("ftruncate", fd, files.FtruncateRequest(fd.gfid, 0, size))
        self.model[len(self.model) : size] = bytes(max(0, size - len(self.model)))
        del self.model[size:]

    @rule(which=st.integers(0, 1))
    def rewind(self, which: int) -> None:
        self.at[which] = 0

    @invariant()
    def what_is_held_adds_up(self) -> None:
        held = sum(
            page.size
            for fd in self.fds
            if self.bed.ahead in fd.context
            for page in fd.context[self.bed.ahead].pages
        )
        assert self.bed.ahead.counts() == {"read_ahead": held}

    def teardown(self) -> None:
        for fd in self.fds:
            self.bed.do("release", fd)
        assert self.bed.ahead.counts() == {"read_ahead": 0}
        self.bed.posix.run(self.bed.posix.posix.fini())
        self._driver.stop()
        self._directory.cleanup()


TestAnyReads = AnyReads.TestCase
TestAnyReads.settings = settings(
    max_examples=20, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow]
)
