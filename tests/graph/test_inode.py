"""The inode table: names with a time, references with a holder, a limit, and an end."""

from __future__ import annotations

import gc
import math
import stat
import threading
import weakref
from collections import Counter, OrderedDict
from types import TracebackType
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from glusterio.errors import LocalProtocolError
from glusterio.graph import inode as inode_module
from glusterio.graph.inode import Inode, InodeTable
from glusterio.types import ROOT_GFID, Gfid


def gfid(number: int) -> Gfid:
    return number.to_bytes(16, "big")


A, B, C, D = (gfid(number) for number in (10, 11, 12, 13))


class StrictLock:
    """A lock that knows whether it is held, and is not re-entrant."""

    def __init__(self) -> None:
        self.held = False
        self.taken = 0

    def __enter__(self) -> None:
        assert not self.held
        self.held = True
        self.taken += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.held = False


# -------------------------------------------------------------------------------------------- names


def test_a_name_is_trusted_for_a_time() -> None:
    table = InodeTable()
    inode = table.link(ROOT_GFID, "a", A, 100.0, stat.S_IFREG)
    assert table.lookup(ROOT_GFID, "a", 100.999) is inode
    assert (inode.gfid, inode.kind) == (A, stat.S_IFREG)
    assert table.lookup(ROOT_GFID, "b", 100.0) is None
    assert table.lookup(A, "a", 100.0) is None
    assert table.lookup(ROOT_GFID, "a", 101.0) is None
    assert table.lookup(ROOT_GFID, "a", 100.0) is None  # it was dropped
    assert table.get(A) is inode  # the inode stays
    assert table.link(ROOT_GFID, "a", A, 102.0) is inode
    assert inode.kind == stat.S_IFREG
    assert table.lookup(ROOT_GFID, "a", 102.5) is inode


def test_a_timeout_of_zero_and_an_endless_one() -> None:
    table = InodeTable(entry_timeout=0)
    assert table.link(ROOT_GFID, "a", A, 1.0) is table.get(A)
    assert table.lookup(ROOT_GFID, "a", 1.0) is None
    table = InodeTable(entry_timeout=math.inf)
    table.link(ROOT_GFID, "a", A, 1.0)
    assert table.lookup(ROOT_GFID, "a", 1e30) is table.get(A)


def test_a_name_leads_to_what_it_was_last_linked_to() -> None:
    table = InodeTable()
    table.link(ROOT_GFID, "a", A, 0.0)
    table.link(ROOT_GFID, "a", B, 0.0)
    assert table.lookup(ROOT_GFID, "a", 0.0) is table.get(B)
    inode = table.get(A)
    assert inode is not None
    assert not inode.names
    assert table.violations() == []


def test_unlink_and_rename() -> None:
    table = InodeTable()
    for name, number in (("a", A), ("b", B), ("hard", A)):
        table.link(ROOT_GFID, name, number, 0.0)
    table.unlink(ROOT_GFID, "a")
    table.unlink(ROOT_GFID, "nothing")
    assert table.lookup(ROOT_GFID, "a", 0.0) is None
    assert table.lookup(ROOT_GFID, "hard", 0.0) is table.get(A)
    table.rename(ROOT_GFID, "hard", C, "b", 0.5)
    table.rename(C, "b", ROOT_GFID, "b", 0.5)  # over the other one
    assert table.lookup(ROOT_GFID, "b", 1.4) is table.get(A)  # as fresh as the rename
    assert table.lookup(ROOT_GFID, "hard", 0.5) is None
    assert table.lookup(C, "b", 0.5) is None
    table.rename(ROOT_GFID, "unknown", ROOT_GFID, "b", 0.5)  # what b is now we cannot know
    assert table.lookup(ROOT_GFID, "b", 0.5) is None
    assert table.violations() == []


def test_renaming_onto_itself_keeps_the_name() -> None:
    table = InodeTable()
    table.link(ROOT_GFID, "a", A, 0.0)
    table.rename(ROOT_GFID, "a", ROOT_GFID, "a", 0.5)
    assert table.lookup(ROOT_GFID, "a", 1.4) is table.get(A)


def test_an_overtaken_answer_is_not_trusted() -> None:
    table = InodeTable()
    mark = table.mark()
    table.unlink(ROOT_GFID, "a")  # while a LOOKUP of it is on its way
    inode = table.link(ROOT_GFID, "a", A, 0.0, since=mark)
    assert table.get(A) is inode
    assert table.lookup(ROOT_GFID, "a", 0.0) is None
    assert table.link(ROOT_GFID, "a", A, 0.0, since=table.mark()) is inode
    assert table.lookup(ROOT_GFID, "a", 0.0) is inode

    mark = table.mark()
    table.link(ROOT_GFID, "a", B, 0.0)  # a CREATE was answered meanwhile
    table.link(ROOT_GFID, "a", A, 0.0, since=mark)
    assert table.lookup(ROOT_GFID, "a", 0.0) is table.get(B)

    for change in (
        lambda: table.rename(ROOT_GFID, "a", ROOT_GFID, "b", 0.0),
        lambda: table.rename(ROOT_GFID, "b", ROOT_GFID, "a", 0.0),
        lambda: table.invalidate(C),
        lambda: table.forget(C),
        table.invalidate_all,
    ):
        mark = table.mark()
        change()
        table.link(D, "x", D, 0.0, since=table.mark())
        before = table.lookup(ROOT_GFID, "a", 0.0)
        table.link(ROOT_GFID, "a", D, 0.0, since=mark)
        assert table.lookup(ROOT_GFID, "a", 0.0) is before

    mark = table.mark()
    table.link(ROOT_GFID, "c", C, 0.0, since=mark)  # a look is no change
    table.link(ROOT_GFID, "d", D, 0.0, since=mark)
    assert table.lookup(ROOT_GFID, "d", 0.0) is table.get(D)


def test_invalidate() -> None:
    table = InodeTable()
    table.link(ROOT_GFID, "dir", A, 0.0)
    table.link(A, "below", B, 0.0)
    table.link(ROOT_GFID, "other", C, 0.0)
    table.invalidate(A)
    table.invalidate(D)
    assert table.lookup(ROOT_GFID, "dir", 0.0) is None
    assert table.lookup(A, "below", 0.0) is None
    assert table.lookup(ROOT_GFID, "other", 0.0) is table.get(C)
    assert table.get(A) is not None
    table.invalidate_all()
    assert table.lookup(ROOT_GFID, "other", 0.0) is None
    assert len(table) == 3
    assert table.violations() == []


def test_hard_links_are_bounded() -> None:
    table = InodeTable()
    inode = table.ref(A, "me")
    for number in range(inode_module.MAX_NAMES + 5):
        table.link(ROOT_GFID, str(number), A, 0.0)
    assert len(inode.names) == inode_module.MAX_NAMES
    assert table.lookup(ROOT_GFID, "4", 0.0) is None
    assert table.lookup(ROOT_GFID, "5", 0.0) is inode
    assert table.violations() == []


# ----------------------------------------------------------------------------------- limit, forget


def test_the_oldest_unreferenced_are_forgotten() -> None:
    table = InodeTable(lru_limit=2)
    forgotten: list[Gfid] = []
    table.on_forget.append(lambda inode: forgotten.append(inode.gfid))
    table.link(ROOT_GFID, "a", A, 0.0)
    table.link(ROOT_GFID, "b", B, 0.0)
    table.lookup(ROOT_GFID, "a", 0.0)  # used
    table.ref(C, "me")  # does not count
    assert forgotten == []
    table.link(ROOT_GFID, "d", D, 0.0)
    assert forgotten == [B]
    assert table.lookup(ROOT_GFID, "b", 0.0) is None
    table.unref(C, "me")
    assert forgotten == [B, A]
    assert len(table) == 2
    assert table.violations() == []


def test_of_which_nothing_is_known_is_forgotten_with_its_last_reference() -> None:
    """As a file that was opened without a walk: else each that was ever opened would take room."""
    table = InodeTable()
    table.ref(A, "one")
    table.ref(A, "other")
    table.unref(A, "one")
    assert table.get(A) is not None
    table.unref(A, "other")
    assert table.get(A) is None
    assert len(table) == 0
    table.ref(A, "again").context["translator"] = "something"
    table.unref(A, "again")
    assert table.get(A) is not None
    assert table.violations() == []


def test_with_no_room_at_all() -> None:
    table = InodeTable(lru_limit=0)
    table.link(ROOT_GFID, "a", A, 0.0)
    assert len(table) == 0
    assert table.lookup(ROOT_GFID, "a", 0.0) is None
    table.ref(A, "me")
    table.link(ROOT_GFID, "a", A, 0.0)
    assert table.lookup(ROOT_GFID, "a", 0.0) is table.get(A)
    table.unref(A, "me")
    assert len(table) == 0


def test_names_below_a_forgotten_directory_stay_true() -> None:
    table = InodeTable(lru_limit=1)
    table.link(ROOT_GFID, "dir", A, 0.0)
    table.link(A, "below", B, 0.0)
    assert table.get(A) is None
    assert table.lookup(A, "below", 0.0) is table.get(B)
    assert table.violations() == []


def test_forget_waits_for_the_last_reference() -> None:
    table = InodeTable()
    forgotten: list[Gfid] = []
    table.on_forget.append(lambda inode: forgotten.append(inode.gfid))
    table.link(ROOT_GFID, "a", A, 0.0)
    table.ref(A, "me")
    table.forget(A)
    assert table.lookup(ROOT_GFID, "a", 0.0) is None
    assert forgotten == []
    table.unref(A, "me")
    assert forgotten == [A]
    assert table.get(A) is None
    table.link(ROOT_GFID, "b", B, 0.0)
    table.forget(B)
    table.forget(C)
    assert forgotten == [A, B]
    table.ref(A, "me")
    table.forget(A)
    table.link(ROOT_GFID, "a", A, 0.0)  # it was there after all
    table.unref(A, "me")
    assert forgotten == [A, B]


def test_callbacks_run_without_the_lock_and_after_the_fact() -> None:
    lock = StrictLock()
    table = InodeTable(lru_limit=1, lock=lock)
    seen: list[Inode] = []

    def on_forget(inode: Inode) -> None:
        assert not lock.held
        if inode.gfid != D:
            assert table.get(inode.gfid) is None
        assert inode.context == {"translator": 1}
        seen.append(inode)

    table.on_forget.append(on_forget)
    for number in (A, B, C):
        table.link(ROOT_GFID, "x", number, 0.0).context["translator"] = 1
    table.forget(C)
    table.ref(D, "me").context["translator"] = 1
    table.clear()
    assert [inode.gfid for inode in seen] == [A, B, C, D]
    assert all(not inode.context for inode in seen)


def test_a_callback_that_raises_keeps_nobody_from_hearing() -> None:
    table = InodeTable()
    heard: list[Gfid] = []

    def broken(inode: Inode) -> None:
        raise ValueError(inode.gfid)

    table.on_forget += [broken, lambda inode: heard.append(inode.gfid)]
    table.link(ROOT_GFID, "a", A, 0.0)
    table.link(ROOT_GFID, "b", B, 0.0)
    with pytest.raises(ValueError, match=str(A[-1:])[2:-1].replace("\\", "\\\\")):
        table.clear()
    assert heard == [A, B]


# --------------------------------------------------------------------------------------- references


def test_references_have_holders() -> None:
    table = InodeTable()
    assert table.check() == []
    table.ref(A, "fd 3")
    table.ref(A, "fd 3")
    table.ref(A, "the working directory")
    assert table.check() == [
        f"inode {A.hex()}: 2 references held by fd 3",
        f"inode {A.hex()}: 1 reference held by the working directory",
    ]
    inode = table.get(A)
    assert inode is not None
    assert inode.refs == 3
    for holder in ("fd 3", "the working directory", "fd 3"):
        table.unref(A, holder)
    assert table.check() == []
    assert inode.refs == 0


def test_what_nobody_took_cannot_be_given_back() -> None:
    table = InodeTable()
    table.ref(A, "me")
    for number, holder in ((A, "you"), (B, "me")):
        with pytest.raises(LocalProtocolError, match=f"{holder} holds no reference"):
            table.unref(number, holder)
    table.unref(A, "me")
    with pytest.raises(LocalProtocolError):
        table.unref(A, "me")
    assert table.violations() == []


@pytest.mark.parametrize("harm", range(5))
def test_violations_are_seen(harm: int) -> None:
    table = InodeTable(lru_limit=2)
    table.link(ROOT_GFID, "a", A, 0.0)
    inode = table.ref(B, "me")
    assert table.violations() == []
    if harm == 0:
        inode.refs += 1
    elif harm == 1:
        table._lru[B] = inode
    elif harm == 2:
        del table._inodes[A]
    elif harm == 3:
        inode.names[ROOT_GFID, "a"] = None
    else:
        table.lru_limit = 0
    assert table.violations()


# ---------------------------------------------------------------------------------------------- end


def test_after_the_end_every_use_is_a_defect() -> None:
    table = InodeTable()
    table.ref(A, "me")
    table.clear()
    table.clear()
    assert len(table) == 0
    assert table.check() == []
    for use in (
        lambda: table.lookup(ROOT_GFID, "a", 0.0),
        lambda: table.link(ROOT_GFID, "a", A, 0.0),
        lambda: table.unlink(ROOT_GFID, "a"),
        lambda: table.rename(ROOT_GFID, "a", ROOT_GFID, "b", 0.0),
        lambda: table.invalidate(A),
        table.invalidate_all,
        lambda: table.get(A),
        lambda: table.ref(A, "me"),
        lambda: table.unref(A, "me"),
        lambda: table.forget(A),
    ):
        with pytest.raises(LocalProtocolError, match="gone"):
            use()


class Holder:
    """Something with a way back to what it holds, as an fd has."""

    inode: Inode | None = None


def test_nothing_is_kept_in_memory_by_a_cycle() -> None:
    table = InodeTable()
    holder = Holder()
    inode = table.ref(A, holder)
    holder.inode = inode
    inode.context["translator"] = inode  # a cycle of the translator's making
    table.link(ROOT_GFID, "a", A, 0.0)
    table.on_forget.append(lambda inode, table=table: table.mark() and None)  # type: ignore[misc]
    gone = [weakref.ref(thing) for thing in (table, inode, holder)]
    gc.disable()
    try:
        table.clear()
        del table, inode, holder
        assert [reference() for reference in gone] == [None, None, None]
    finally:
        gc.enable()


def test_many_threads() -> None:
    table = InodeTable(lru_limit=5, lock=threading.Lock())
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(300):
                target = gfid(100 + (number * 7 + step) % 20)
                table.ref(target, number)
                table.link(ROOT_GFID, f"n{step % 10}", target, float(step), since=table.mark())
                table.lookup(ROOT_GFID, f"n{step % 7}", float(step))
                if step % 5 == 0:
                    table.invalidate(target)
                if step % 11 == 0:
                    table.forget(target)
                table.unref(target, number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert table.check() == table.violations() == []
    assert len(table) <= 5


# ------------------------------------------------------------------------------ against a plain model


numbers = st.sampled_from([A, B, C, D, gfid(14), gfid(15)])
places = st.tuples(st.sampled_from([ROOT_GFID, A, B]), st.sampled_from(["x", "y", "z"]))
holders = st.sampled_from(["p", "q"])


def slot(place: tuple[Gfid, str]) -> int:
    """Where the table remembers a change: names that collide are distrusted together."""
    return hash(place) % inode_module._SLOTS


class TableAndModel(RuleBasedStateMachine):
    """The table beside a model that is slow and plain: counters and one ordered dictionary."""

    LIMIT = 2
    TIMEOUT = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.lock = StrictLock()
        self.table = InodeTable(self.LIMIT, self.TIMEOUT, self.lock)
        self.forgotten: list[Gfid] = []
        self.table.on_forget.append(lambda inode: self.forgotten.append(inode.gfid))
        self.now = 0.0
        self.refs: Counter[tuple[Gfid, str]] = Counter()
        self.used: OrderedDict[Gfid, None] = OrderedDict()  # known inodes by last use, oldest first
        self.names: dict[tuple[Gfid, str], tuple[Gfid, float]] = {}
        self.doomed: set[Gfid] = set()
        self.expected: list[Gfid] = []
        self.changed: dict[int, int] = {}
        self.asked: dict[tuple[Gfid, str], tuple[int, int]] = {}
        self.step = 0

    # the model's own steps

    def held(self, number: Gfid) -> int:
        return sum(count for (held, _), count in self.refs.items() if held == number)

    def use(self, number: Gfid) -> None:
        self.used[number] = None
        self.used.move_to_end(number)

    def gone(self, number: Gfid) -> None:
        del self.used[number]
        self.doomed.discard(number)
        self.names = {place: to for place, to in self.names.items() if to[0] != number}
        self.expected.append(number)

    def prune(self) -> None:
        unheld = [number for number in self.used if not self.held(number)]
        for number in unheld[: max(0, len(unheld) - self.LIMIT)]:
            self.gone(number)

    def change(self, *changed: tuple[Gfid, str]) -> None:
        self.step += 1
        for place in changed:
            self.changed[slot(place)] = self.step
            self.names.pop(place, None)

    # steps of both

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(place=places)
    def ask(self, place: tuple[Gfid, str]) -> None:
        self.asked[place] = (self.table.mark(), self.step)

    @rule(place=places, number=numbers)
    def answer(self, place: tuple[Gfid, str], number: Gfid) -> None:
        mark, step = self.asked.get(place, (None, self.step))
        inode = self.table.link(*place, number, self.now, since=mark)
        assert inode.gfid == number
        if mark is None:
            self.change(place)
        self.use(number)
        self.doomed.discard(number)
        if mark is None or self.changed.get(slot(place), 0) <= step:
            self.names[place] = (number, self.now + self.TIMEOUT)
        self.prune()

    @rule(place=places)
    def look(self, place: tuple[Gfid, str]) -> None:
        inode = self.table.lookup(*place, self.now)
        number, until = self.names.get(place, (None, 0.0))
        if number is None or self.now >= until:
            assert inode is None
            self.names.pop(place, None)
        else:
            assert inode is not None
            assert inode.gfid == number
            self.use(number)

    @rule(place=places)
    def unlink(self, place: tuple[Gfid, str]) -> None:
        self.table.unlink(*place)
        self.change(place)

    @rule(old=places, new=places)
    def rename(self, old: tuple[Gfid, str], new: tuple[Gfid, str]) -> None:
        self.table.rename(*old, *new, self.now)
        target = self.names.get(old)
        self.change(old, new)
        if target is not None:
            self.names[new] = (target[0], self.now + self.TIMEOUT)

    @rule(number=numbers)
    def invalidate(self, number: Gfid) -> None:
        self.table.invalidate(number)
        self.distrust(number)

    def distrust(self, number: Gfid) -> None:
        self.names = {
            place: to for place, to in self.names.items() if number not in (place[0], to[0])
        }
        self.asked_before_now()

    def asked_before_now(self) -> None:
        self.step += 1
        for parent in (ROOT_GFID, A, B):
            for name in "xyz":
                self.changed[slot((parent, name))] = self.step

    @rule()
    def invalidate_all(self) -> None:
        self.table.invalidate_all()
        self.names.clear()
        self.asked_before_now()

    @rule(number=numbers)
    def forget(self, number: Gfid) -> None:
        self.table.forget(number)
        self.distrust(number)
        if number in self.used:
            if self.held(number):
                self.doomed.add(number)
            else:
                self.gone(number)

    @rule(number=numbers, holder=holders)
    def ref(self, number: Gfid, holder: str) -> None:
        assert self.table.ref(number, holder).gfid == number
        self.refs[number, holder] += 1
        self.use(number)

    @rule(number=numbers, holder=holders)
    def unref(self, number: Gfid, holder: str) -> None:
        if not self.refs[number, holder]:
            with pytest.raises(LocalProtocolError):
                self.table.unref(number, holder)
            return
        self.table.unref(number, holder)
        self.refs[number, holder] -= 1
        if not self.held(number):
            self.use(number)
            if number in self.doomed:
                self.gone(number)
            self.prune()

    # what must hold

    @invariant()
    def refs_add_up(self) -> None:
        assert self.table.violations() == []
        assert sorted(self.table.check()) == sorted(
            f"inode {number.hex()}: {count} reference{'s' * (count != 1)} held by {holder}"
            for (number, holder), count in self.refs.items()
            if count
        )
        for number in self.used:
            inode = self.table.get(number)
            assert inode is not None
            assert inode.refs == self.held(number)

    @invariant()
    def the_same_is_known_and_was_forgotten(self) -> None:
        assert len(self.table) == len(self.used)
        assert self.forgotten == self.expected
        assert not self.lock.held

    def teardown(self) -> None:
        left: Any = self.table.check()
        assert bool(left) == any(self.refs.values())
        self.table.clear()
        assert Counter(self.forgotten) == Counter(self.expected) + Counter(list(self.used))


TestTableAndModel = TableAndModel.TestCase
