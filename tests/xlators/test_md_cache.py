"""performance/md-cache above a real posix translator, with a clock to turn.

What another client does is done to the posix translator directly.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame, Opening
from glusterio.graph.listings import MOST as MOST_LISTINGS
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event, Gather, Wait
from glusterio.types import NULL_GFID, ROOT_GFID
from glusterio.wire.callbacks import CacheInvalidation
from glusterio.wire.fops import attributes, directories, files, names, xattrs
from glusterio.wire.iatt import ZERO_IATT, Iatt, OldIatt
from glusterio.wire.programs import SetattrValid
from glusterio.xlators import md_cache
from glusterio.xlators.base import Notice, Services, Xlator
from glusterio.xlators.md_cache import MdCache
from tests.xlators.posix_bed import PosixBed, new_gfid, posix_bed


class Below(Xlator):
    """Counts what is asked of a brick; while told so, one fop reaches it late, or is answered late."""

    def __init__(self, child: Xlator) -> None:
        super().__init__("below", {}, (child,), Services(Event))
        self.asked: Counter[str] = Counter()
        self.late_request: str | None = None
        self.late_answer: str | None = None
        self.go_on = Event()

    async def _pass(self, name: str, *arguments: Any) -> Any:
        self.asked[name] += 1
        if name == self.late_request:
            await Wait(self.go_on)
        try:
            return await getattr(self.child, name)(*arguments)
        finally:
            if name == self.late_answer:
                await Wait(self.go_on)


def _add(name: str) -> None:
    def method(self: Below, *arguments: Any) -> Coro[Any]:
        return self._pass(name, *arguments)

    setattr(Below, name, method)


for _name in (
    "lookup", "stat", "fstat", "readdirp", "setattr", "truncate", "ftruncate", "setxattr", "mkdir",
    "create", "symlink", "link", "rename", "unlink", "rmdir", "open", "writev",
):  # fmt: skip
    _add(_name)


class Bed:
    """The cache, and short words for what is asked of it."""

    def __init__(self, below: PosixBed) -> None:
        self.posix = below
        self.now = 1000.0
        self.below = Below(below.posix)
        self.cache = self.new_cache()

    def new_cache(self, **options: str) -> MdCache:
        services = Services(Event, clock=lambda: self.now)
        return MdCache("md-cache", options, (self.below,), services)

    def do(self, fop: str, *arguments: Any, frame: Frame | None = None) -> Any:
        return self.posix.run(getattr(self.cache, fop)(frame or Frame(), *arguments))

    def lookup(self, name: str, parent: bytes = ROOT_GFID, frame: Frame | None = None) -> Iatt:
        request = names.LookupRequest(NULL_GFID, parent, 0, name)
        found: Iatt = self.do("lookup", request, frame=frame).stat
        return found

    def stat(self, gfid: bytes) -> Iatt:
        found: Iatt = self.do("stat", attributes.StatRequest(gfid)).stat
        return found

    def open(self, gfid: bytes, flags: int = os.O_RDWR) -> Fd:
        fd = Fd(gfid, flags)
        self.do("open", fd, files.OpenRequest(gfid, flags))
        return fd

    def list(self, gfid: bytes = ROOT_GFID) -> None:
        fd = Fd(gfid)
        self.do("opendir", fd, directories.OpendirRequest(gfid))
        self.do("readdirp", fd, directories.ReaddirpRequest(gfid, 0, 0, 65536))
        self.do("releasedir", fd)

    def chmod(self, gfid: bytes, mode: int) -> None:
        wanted = ZERO_IATT._replace(mode=mode)
        self.do("setattr", attributes.SetattrRequest(gfid, wanted, SetattrValid.MODE))

    @property
    def asked(self) -> int:
        """How often a brick was asked what a file is."""
        return sum(self.below.asked[name] for name in ("lookup", "stat", "fstat"))

    def late(self, when: str, fop: str, held: Coro[Any], meanwhile: Coro[Any]) -> None:
        """Have two things done: the second while the first is on its way, to the brick or back.

        Args:
            when: ``"request"`` or ``"answer"``.
            fop: what the first is to the brick.
            held: the first; an error is its own affair.
            meanwhile: the second.
        """

        async def then_go_on() -> None:
            try:
                await meanwhile
            finally:
                self.below.go_on.set()

        async def both() -> Any:
            return await Gather([held, then_go_on()])

        self.below.go_on = Event()
        setattr(self.below, f"late_{when}", fop)
        try:
            _, second = self.posix.run(both())
        finally:
            setattr(self.below, f"late_{when}", None)
        second.get()

    def overtake(self, fop: str, asking: Coro[Any], change: Coro[Any]) -> None:
        """Have something asked and answered; and before the answer is here, have a change done."""
        self.late("answer", fop, asking, change)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with posix_bed(tmp_path) as below:
        yield Bed(below)


@pytest.fixture
def file(bed: Bed) -> bytes:
    return bed.posix.make("f", b"data")


# -- what is kept -----------------------------------------------------------------------------------


def test_what_was_asked_is_not_asked_again(bed: Bed, file: bytes) -> None:
    first = bed.lookup("f")
    assert [bed.lookup("f"), bed.stat(file)] == [first, first]
    assert bed.asked == 1
    assert bed.cache.known(ROOT_GFID, "f", bed.now) == first
    assert bed.stat(ROOT_GFID).gfid == ROOT_GFID  # a LOOKUP tells of the directory, too


def test_a_listing_tells_of_all_that_is_in_it(bed: Bed, file: bytes) -> None:
    bed.posix.make("g")
    bed.list()
    assert bed.stat(file) == bed.posix.stat(file)
    assert bed.asked == 0
    assert bed.cache.known(ROOT_GFID, "f", bed.now) is None, "who lists may not be one who looks up"
    bed.lookup("g")
    assert bed.lookup("f") == bed.posix.stat(file)
    assert bed.asked == 1
    bed.chmod(ROOT_GFID, 0o700)
    assert bed.cache.known(ROOT_GFID, "f", bed.now) is None


def test_listings_of_many_small_directories_are_not_all_kept(bed: Bed) -> None:
    def kept() -> int:
        return len(bed.cache._listings.kept)

    bed.posix.mkdir("empty")
    bed.list(bed.posix.gfid("empty"))
    assert kept() == 0, "nothing but dots is in it"
    bed.posix.make("f")
    for _ in range(MOST_LISTINGS + 1):
        bed.list()
    assert kept() == MOST_LISTINGS


def test_a_listing_counts_for_its_time_and_only_as_far_as_nothing_is_known_since(
    bed: Bed, file: bytes
) -> None:
    bed.lookup("f")
    fd = bed.posix.open(file)
    bed.posix.write(fd, b"longer than before")
    bed.now += 0.5
    bed.list()
    assert bed.cache.known(ROOT_GFID, "f", bed.now) == bed.posix.stat(file), (
        "it was asked for later"
    )
    bed.posix.write(fd, b"longer yet than it was before")
    bed.list()
    bed.now += 0.25
    bed.do("stat", attributes.StatRequest(file), frame=_fresh())
    assert bed.stat(file) == bed.posix.stat(file), "now the STAT was"
    bed.posix.release(fd)
    bed.posix.make("g")
    bed.list()
    bed.now += 1
    bed.below.asked.clear()
    assert bed.cache.known(ROOT_GFID, "g", bed.now) is None
    bed.stat(file)
    assert bed.asked == 1


def test_what_is_changed_is_not_told_from_a_listing(bed: Bed, file: bytes) -> None:
    bed.posix.make("g")
    bed.lookup("g")
    bed.list()
    fd = bed.open(file)
    bed.do("writev", fd, b"longer than before", 0)
    assert bed.lookup("f").size == 18
    bed.do("release", fd)
    assert bed.lookup("f").size == 18
    bed.list()
    bed.do("rename", names.RenameRequest(ROOT_GFID, ROOT_GFID, "f", "h"))
    with pytest.raises(FileNotFoundError):
        bed.lookup("f")


def test_a_name_that_a_brick_says_is_gone_is_not_told_from_a_listing(bed: Bed, file: bytes) -> None:
    bed.posix.make("g")
    bed.lookup("g")
    bed.list()
    bed.posix.unlink("f")
    with pytest.raises(FileNotFoundError):
        bed.lookup("f", frame=_fresh())
    assert bed.cache.known(ROOT_GFID, "f", bed.now) is None


def test_who_reads_more_than_was_listed_is_told_the_new_size(bed: Bed, file: bytes) -> None:
    bed.list()
    fd = bed.posix.open(file)
    bed.posix.write(fd, b"longer than before")
    assert len(bed.do("readv", fd, 100, 0).data) == 18
    assert bed.stat(file).size == 18
    bed.posix.release(fd)


@pytest.mark.parametrize("how", ["asked", "listed", "asked meanwhile"])
def test_a_name_is_removed_that_another_client_has_given_to_another_file(
    bed: Bed, file: bytes, how: str
) -> None:
    """The brick does not say which file has a link less: those with several are asked for anew."""
    other = bed.posix.make("g")
    bed.lookup("f")
    bed.posix.unlink("f")
    bed.posix.link(other, "f")
    remove = names.UnlinkRequest(ROOT_GFID, "f")
    if how == "asked meanwhile":
        bed.overtake(
            "stat",
            bed.cache.stat(Frame(), attributes.StatRequest(other)),
            bed.cache.unlink(Frame(), remove),
        )
    else:
        if how == "asked":
            assert bed.stat(other).nlink == 2
        else:
            bed.list()
        bed.do("unlink", remove)
    assert bed.stat(other).nlink == 1


def test_of_a_listed_file_with_two_names_one_is_removed(bed: Bed, file: bytes) -> None:
    bed.posix.link(file, "g")
    other = bed.posix.make("h")
    bed.list()
    bed.do("unlink", names.UnlinkRequest(ROOT_GFID, "f"))
    assert bed.stat(file).nlink == 1
    assert bed.asked == 1
    bed.stat(other)
    assert bed.asked == 1, "the others are still known"


def test_who_may_look_names_up_in_a_listed_directory(bed: Bed) -> None:
    """To change the permissions of what is listed as a file makes no other name unknown."""
    bed.posix.make("f")
    file = bed.posix.make("g")
    bed.lookup("f")
    bed.list()
    bed.chmod(file, 0o600)
    bed.below.asked.clear()
    bed.lookup("f")
    assert bed.asked == 0


def test_so_many_listed_names_are_kept_and_the_oldest_go(
    bed: Bed, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(md_cache, "MOST", 3)
    directory = bed.posix.mkdir("d")
    below = bed.posix.make("g", parent=directory)
    bed.list()  # f and d
    bed.list(directory)
    assert bed.cache.counts() == {"kept_attributes": 3, "kept_names": 3}
    bed.list(directory)
    assert bed.cache.counts() == {"kept_attributes": 2, "kept_names": 2}
    bed.stat(below)
    assert bed.asked == 0
    bed.stat(file)
    assert bed.asked == 1


def test_it_is_trusted_from_when_it_was_asked_and_no_longer_than_said(
    bed: Bed, file: bytes
) -> None:
    bed.lookup("f")
    bed.posix.write(fd := bed.posix.open(file), b"longer than before")
    bed.now += 0.99
    assert bed.lookup("f").size == 4, "another client's change"
    bed.now += 0.01
    assert bed.cache.known(ROOT_GFID, "f", bed.now) is None
    assert (bed.lookup("f").size, bed.stat(file).size) == (18, 18)
    bed.posix.release(fd)


def test_an_answer_that_took_long_is_trusted_for_less(bed: Bed, file: bytes) -> None:
    async def long() -> None:
        bed.now += 0.75

    request = names.LookupRequest(NULL_GFID, ROOT_GFID, 0, "f")
    bed.overtake("lookup", bed.cache.lookup(Frame(), request), long())
    bed.now += 0.125
    bed.lookup("f")
    assert bed.asked == 1
    bed.now += 0.125
    bed.lookup("f")
    assert bed.asked == 2


def test_of_two_answers_that_which_was_asked_for_later_counts(bed: Bed, file: bytes) -> None:
    fd = bed.posix.open(file)

    async def write_and_ask() -> None:
        bed.now += 0.25
        await bed.posix.posix.writev(Frame(), fd, b"longer than before", 0)
        await bed.cache.lookup(_fresh(), names.LookupRequest(NULL_GFID, ROOT_GFID, 0, "f"))

    asking = bed.cache.stat(_fresh(), attributes.StatRequest(file))
    bed.overtake("stat", asking, write_and_ask())
    assert bed.cache.known(ROOT_GFID, "f", bed.now) == bed.posix.stat(file)
    bed.posix.release(fd)


def test_a_time_out_of_nothing_keeps_nothing(bed: Bed, file: bytes) -> None:
    bed.cache = bed.new_cache(**{"md-cache-timeout": "0"})
    bed.lookup("f")
    bed.lookup("f")
    assert bed.asked == 2


def test_names_that_lead_nowhere_are_not_remembered(bed: Bed) -> None:
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            bed.lookup("nothing")
    assert bed.asked == 2


def test_its_size_is_bounded_and_the_oldest_go(
    bed: Bed, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(md_cache, "MOST", 3)
    for number in range(5):
        bed.posix.make(str(number))
        bed.lookup(str(number))
    assert bed.cache.counts() == {"kept_attributes": 3, "kept_names": 3}
    bed.below.asked.clear()
    bed.lookup("4")
    assert bed.asked == 0
    bed.lookup("0")
    assert bed.asked == 1


def test_what_has_expired_takes_no_room(bed: Bed, file: bytes) -> None:
    for number in range(5):
        bed.posix.make(str(number))
        bed.lookup(str(number))
    bed.now += 1
    bed.lookup("f")
    assert bed.cache.counts() == {"kept_attributes": 1, "kept_names": 1}


@pytest.mark.parametrize("size", [2, 9])
def test_who_reads_how_long_a_file_is_now_is_told_so(bed: Bed, file: bytes, size: int) -> None:
    """Another client has changed it: of what was read one can be sure already."""
    fd, other = bed.open(file), bed.posix.open(file)
    bed.lookup("f")
    bed.do("readv", fd, 100, 0)
    bed.lookup("f")
    assert bed.asked == 1, "nothing new: nothing is dropped"
    bed.posix.write(other, b"x" * size)
    request = files.FtruncateRequest(file, 0, size)
    bed.posix.run(bed.posix.posix.ftruncate(Frame(), other, request))
    assert len(bed.do("readv", fd, 100, 0).data) == size
    assert bed.lookup("f").size == bed.stat(file).size == size
    bed.posix.release(other)
    bed.do("release", fd)


# -- who asks a brick all the same ------------------------------------------------------------------


def _fresh() -> Frame:
    frame = Frame()
    frame.kept = None
    return frame


def _opening() -> Frame:
    frame = Frame()
    frame.opening = Opening(ROOT_GFID, "f")
    return frame


@pytest.mark.parametrize("frame", [_fresh, _opening])
def test_frames_that_want_a_brick_to_be_asked(
    bed: Bed, file: bytes, frame: Callable[[], Frame]
) -> None:
    bed.lookup("f")
    bed.lookup("f", frame=frame())
    assert bed.asked == 2


def test_a_frame_is_told_that_the_answer_was_kept(bed: Bed, file: bytes) -> None:
    frame = Frame()
    bed.lookup("f", frame=frame)
    assert frame.kept is False
    bed.lookup("f", frame=frame)
    assert frame.kept is True


def test_who_asks_for_more_than_attributes_asks_a_brick(bed: Bed, file: bytes) -> None:
    bed.lookup("f")
    request = names.LookupRequest(NULL_GFID, ROOT_GFID, 0, "f", {"glusterfs.content": 100})
    assert bed.do("lookup", request).xdata["glusterfs.content"] == b"data"


# -- what drops it ----------------------------------------------------------------------------------


def test_ones_own_write_shows_through_any_descriptor_and_name(bed: Bed, file: bytes) -> None:
    bed.posix.link(file, "g")
    writer, reader = bed.open(file), bed.open(file)
    for size in (5, 6, 7):
        bed.lookup("f")
        bed.do("writev", writer, b"x" * size, 0)
        fstat = attributes.FstatRequest(file, 0)
        sizes = [bed.lookup("f").size, bed.lookup("g").size, bed.stat(file).size]
        assert [*sizes, bed.do("fstat", reader, fstat).stat.size] == [size] * 4
    bed.do("release", writer)
    bed.do("release", reader)
    bed.below.asked.clear()
    bed.lookup("f")
    bed.lookup("f")
    assert bed.asked == 1, "released, it is remembered again"


def test_a_write_overtaken_by_a_question(bed: Bed, file: bytes) -> None:
    """Nothing that is asked while a write is on its way may be kept."""
    fd = bed.open(file)
    request = attributes.StatRequest(file)
    write = bed.cache.writev(Frame(), fd, b"longer than before", 0)
    bed.overtake("stat", bed.cache.stat(Frame(), request), write)
    assert bed.stat(file).size == 18
    bed.do("release", fd)
    assert bed.stat(file).size == 18


def _unlink(bed: Bed) -> Coro[Any]:
    return bed.cache.unlink(Frame(), names.UnlinkRequest(ROOT_GFID, "f"))


def _rename(bed: Bed) -> Coro[Any]:
    return bed.cache.rename(Frame(), names.RenameRequest(ROOT_GFID, ROOT_GFID, "f", "g"))


@pytest.mark.parametrize("change", [_unlink, _rename])
@pytest.mark.parametrize("known_before", [True, False])
def test_a_lookup_that_a_change_overtook_is_not_kept(
    bed: Bed, file: bytes, change: Callable[[Bed], Coro[Any]], known_before: bool
) -> None:
    if known_before:
        bed.lookup("f")
    request = names.LookupRequest(NULL_GFID, ROOT_GFID, 0, "f")
    asking = bed.cache.lookup(_fresh(), request)
    bed.overtake("lookup", asking, change(bed))
    with pytest.raises(FileNotFoundError):
        bed.lookup("f")


def test_a_listing_that_a_change_overtook_is_not_kept(bed: Bed, file: bytes) -> None:
    fd = Fd(ROOT_GFID)
    bed.do("opendir", fd, directories.OpendirRequest(ROOT_GFID))
    request = directories.ReaddirpRequest(ROOT_GFID, 0, 0, 65536)
    bed.overtake("readdirp", bed.cache.readdirp(Frame(), fd, request), _unlink(bed))
    bed.do("releasedir", fd)
    with pytest.raises(FileNotFoundError):
        bed.lookup("f")


def test_a_question_asked_while_a_change_is_under_way_is_not_kept(bed: Bed, file: bytes) -> None:
    """The change was sent first, but the brick took it second; its answer is what counts."""

    async def ask() -> None:
        request = names.LookupRequest(NULL_GFID, ROOT_GFID, 0, "f")
        await bed.cache.lookup(Frame(), request)  # of the attributes before

    mode = ZERO_IATT._replace(mode=0o600)
    change = attributes.SetattrRequest(file, mode, SetattrValid.MODE)

    bed.late("request", "setattr", bed.cache.setattr(Frame(), change), ask())
    assert bed.lookup("f").mode & 0o777 == 0o600


def test_a_change_tells_what_it_made(bed: Bed, file: bytes) -> None:
    bed.lookup("f")
    bed.chmod(file, 0o600)
    assert bed.lookup("f").mode & 0o777 == 0o600
    assert bed.asked == 1, "the answer to SETATTR brought it"


def test_two_changes_at_once_keep_nothing(bed: Bed, file: bytes) -> None:
    """Which of two answers is the newer cannot be told."""
    mode = ZERO_IATT._replace(mode=0o600)
    held = attributes.SetattrRequest(file, mode, SetattrValid.MODE)
    truncate = files.TruncateRequest(file, 1)
    bed.overtake("setattr", bed.cache.setattr(Frame(), held), bed.cache.truncate(Frame(), truncate))
    assert bed.stat(file) == bed.posix.stat(file)


def test_a_link_less_shows_in_the_open_file(bed: Bed, file: bytes) -> None:
    fd = bed.open(file)
    request = attributes.FstatRequest(file, 0)
    for looked_up in (True, False):
        bed.posix.link(file, "other")
        bed.now += 1
        if looked_up:
            bed.lookup("other")
        assert bed.do("fstat", fd, request).stat.nlink == 2
        bed.do("unlink", names.UnlinkRequest(ROOT_GFID, "other"))
        assert bed.do("fstat", fd, request).stat.nlink == 1
    bed.do("release", fd)


def test_a_file_without_a_name_is_known_to_its_descriptors_alone(bed: Bed, file: bytes) -> None:
    fd = bed.open(file)
    bed.do("unlink", names.UnlinkRequest(ROOT_GFID, "f"))
    bed.do("ftruncate", fd, files.FtruncateRequest(file, 0, 1))  # its answer has attributes
    assert bed.do("fstat", fd, attributes.FstatRequest(file, 0)).stat.nlink == 0
    with pytest.raises(OSError, match="Stale"):
        bed.stat(file)
    bed.do("release", fd)


def test_opening_to_empty_a_file_empties_it(bed: Bed, file: bytes) -> None:
    bed.lookup("f")
    fd = bed.open(file, os.O_RDWR | os.O_TRUNC)
    assert bed.lookup("f").size == 0
    bed.do("release", fd)


def test_who_may_look_into_a_directory(bed: Bed) -> None:
    """After a change of a directory's permissions a brick decides who may look names up in it."""
    directory = bed.posix.mkdir("d")
    bed.posix.make("f", parent=directory)
    bed.lookup("d")
    bed.lookup("f", directory)
    bed.chmod(directory, 0o700)
    bed.below.asked.clear()
    bed.lookup("f", directory)
    assert bed.asked == 1
    request = xattrs.RemovexattrRequest(directory, "system.posix_acl_access")
    bed.do("removexattr", request)
    bed.lookup("f", directory)
    assert bed.asked == 2


def test_a_lock_that_was_granted_makes_what_is_known_too_old(bed: Bed, file: bytes) -> None:
    class Locks(Below):
        async def lk(self, frame: Frame, fd: Fd, request: Any) -> Any:
            return None

    bed.below = Locks(bed.posix.posix)
    bed.cache = bed.new_cache()
    bed.lookup("f")
    bed.do("lk", Fd(file), None)
    bed.lookup("f")
    assert bed.asked == 2


@pytest.mark.parametrize("notice", [Notice.CHILD_DOWN, Notice.CHILD_UP])
def test_everything_goes_with_the_connection(bed: Bed, file: bytes, notice: Notice) -> None:
    bed.lookup("f")
    bed.below.notify(notice)
    assert bed.cache.known(ROOT_GFID, "f", bed.now) is None
    assert bed.cache.counts() == {"kept_attributes": 0, "kept_names": 0}


@pytest.mark.parametrize("gfid", ["of the file", "no gfid"])
def test_what_a_brick_tells_of_others_changes(bed: Bed, file: bytes, gfid: str) -> None:
    bed.lookup("f")
    text = str(uuid.UUID(bytes=file)) if gfid == "of the file" else gfid
    told = CacheInvalidation(text, 1, 0x8, 60, OldIatt(), OldIatt(), OldIatt())
    bed.below.notify(Notice.UPCALL, told)
    bed.lookup("f")
    assert bed.asked == 2


# -- anything, in any order -------------------------------------------------------------------------

a_name = st.sampled_from(("a", "b"))
#: Whether a change is alone, or a question is asked while it is on its way, or it overtakes a question.
when = st.sampled_from(("alone", "request", "answer", "overtaking"))
question = st.sampled_from(("lookup a", "lookup b", "stat a", "stat b", "list", "stat root"))


def _without_atime(found: Iatt) -> Iatt:
    return found._replace(atime=0, atime_nsec=0)


class OwnChanges(RuleBasedStateMachine):
    """Whatever one changes oneself, and whenever one asks, the cache tells what a brick tells."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._driver = ThreadsDriver()
        self.bed = Bed(PosixBed(Path(self._directory.name), self._driver))
        self.fds: list[Fd] = []
        self.bed.posix.run(self.bed.posix.posix.init())

    def _gfid(self, name: str) -> bytes:
        try:
            return self.bed.posix.lookup(name).stat.gfid
        except OSError:
            return NULL_GFID

    def _question(self, text: str) -> tuple[str, Coro[Any]]:
        """Make a question; whatever comes of it."""
        cache = self.bed.cache
        fop, _, name = text.partition(" ")
        if fop == "lookup":
            asking: Coro[Any] = cache.lookup(
                _fresh(), names.LookupRequest(NULL_GFID, ROOT_GFID, 0, name)
            )
        elif fop == "stat":
            gfid = ROOT_GFID if name == "root" else self._gfid(name)
            asking = cache.stat(_fresh(), attributes.StatRequest(gfid))
        else:
            fop = "readdirp"
            fd = Fd(ROOT_GFID)
            self.bed.do("opendir", fd, directories.OpendirRequest(ROOT_GFID))
            self.listing = fd
            asking = cache.readdirp(
                Frame(), fd, directories.ReaddirpRequest(ROOT_GFID, 0, 0, 65536)
            )
        return fop, asking

    def _change(self, when: str, question: str, fop: str, *arguments: Any) -> bool:
        """Do it; and return whether the brick let it happen."""
        happened = False

        async def change() -> None:
            nonlocal happened
            try:
                await getattr(self.bed.cache, fop)(Frame(), *arguments)
            except OSError:
                return
            happened = True

        async def shielded(asking: Coro[Any]) -> None:
            with contextlib.suppress(OSError):
                await asking

        if when == "alone":
            self.bed.posix.run(change())
            return happened
        asked, asking = self._question(question)
        if when == "overtaking":
            self.bed.late("answer", asked, shielded(asking), change())
        else:
            self.bed.late(when, fop, change(), shielded(asking))
        if asked == "readdirp":
            self.bed.do("releasedir", self.listing)
        return happened

    @rule(
        name=a_name,
        flags=st.sampled_from([os.O_RDWR, os.O_RDWR | os.O_TRUNC]),
        when=when,
        q=question,
    )
    def open(self, name: str, flags: int, when: str, q: str) -> None:
        gfid = self._gfid(name)
        if len(self.fds) == 3:
            return
        fd = Fd(gfid, flags)
        if gfid == NULL_GFID:
            request: Any = names.CreateRequest(ROOT_GFID, flags, 0o644, 0, name, new_gfid())
            done = self._change(when, q, "create", fd, request)
        elif stat.S_ISREG(self.bed.posix.stat(gfid).mode):
            done = self._change(when, q, "open", fd, files.OpenRequest(gfid, flags))
        else:
            return
        assert done
        self.fds.append(fd)

    @rule(data=st.binary(max_size=9), which=st.integers(0, 2), when=when, q=question)
    def write(self, data: bytes, which: int, when: str, q: str) -> None:
        if self.fds:
            self._change(when, q, "writev", self.fds[which % len(self.fds)], data, 3)

    @rule(which=st.integers(0, 2), length=st.integers(0, 20), when=when, q=question)
    def ftruncate(self, which: int, length: int, when: str, q: str) -> None:
        if self.fds:
            fd = self.fds[which % len(self.fds)]
            self._change(when, q, "ftruncate", fd, files.FtruncateRequest(fd.gfid, 0, length))

    @rule(which=st.integers(0, 2))
    def release(self, which: int) -> None:
        if self.fds:
            self.bed.do("release", self.fds.pop(which % len(self.fds)))

    @rule(name=a_name, mode=st.sampled_from([0o600, 0o644]), when=when, q=question)
    def chmod(self, name: str, mode: int, when: str, q: str) -> None:
        wanted = ZERO_IATT._replace(mode=mode)
        request = attributes.SetattrRequest(self._gfid(name), wanted, SetattrValid.MODE)
        self._change(when, q, "setattr", request)

    @rule(name=a_name, length=st.integers(0, 20), when=when, q=question)
    def truncate(self, name: str, length: int, when: str, q: str) -> None:
        self._change(when, q, "truncate", files.TruncateRequest(self._gfid(name), length))

    @rule(name=a_name, when=when, q=question)
    def set_xattr(self, name: str, when: str, q: str) -> None:
        request = xattrs.SetxattrRequest(self._gfid(name), 0, {"user.x": b"y"})
        self._change(when, q, "setxattr", request)

    @rule(name=a_name, when=when, q=question)
    def mkdir(self, name: str, when: str, q: str) -> None:
        self._change(when, q, "mkdir", names.MkdirRequest(ROOT_GFID, 0o755, 0, name, new_gfid()))

    @rule(name=a_name, when=when, q=question)
    def symlink(self, name: str, when: str, q: str) -> None:
        request = names.SymlinkRequest(ROOT_GFID, name, 0, "target", new_gfid())
        self._change(when, q, "symlink", request)

    @rule(old=a_name, new=a_name, when=when, q=question)
    def link(self, old: str, new: str, when: str, q: str) -> None:
        self._change(when, q, "link", names.LinkRequest(self._gfid(old), ROOT_GFID, new))

    @rule(old=a_name, new=a_name, when=when, q=question)
    def rename(self, old: str, new: str, when: str, q: str) -> None:
        self._change(when, q, "rename", names.RenameRequest(ROOT_GFID, ROOT_GFID, old, new))

    @rule(name=a_name, fop=st.sampled_from(["unlink", "rmdir"]), when=when, q=question)
    def remove(self, name: str, fop: str, when: str, q: str) -> None:
        unlink = names.UnlinkRequest(ROOT_GFID, name)
        rmdir = names.RmdirRequest(ROOT_GFID, 0, name)
        self._change(when, q, fop, unlink if fop == "unlink" else rmdir)

    @rule(q=question)
    def ask(self, q: str) -> None:
        self._change("overtaking", q, "statfs", attributes.StatfsRequest(ROOT_GFID))

    @rule(name=a_name)
    def forget_the_name(self, name: str) -> None:
        self.bed.cache._names.pop((ROOT_GFID, name), None)

    @invariant()
    def what_is_kept_is_true(self) -> None:
        for (parent, name), (gfid, _) in self.bed.cache._names.items():
            assert self.bed.posix.lookup(name, parent).stat.gfid == gfid
        for gfid, (kept, _) in self.bed.cache._files.items():
            assert _without_atime(self.bed.posix.stat(gfid)) == _without_atime(kept)

    def teardown(self) -> None:
        for fd in self.fds:
            self.bed.do("release", fd)
        assert not self.bed.cache._written
        self.bed.posix.run(self.bed.posix.posix.fini())
        self._driver.stop()
        self._directory.cleanup()


TestOwnChanges = OwnChanges.TestCase
TestOwnChanges.settings = settings(
    max_examples=40, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
