"""The POSIX locks of one file, against a map that says for each byte who has locked it how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.traps import Event
from glusterio.wire.programs import LockType
from glusterio.xlators.locks.owners import Owner
from glusterio.xlators.locks.posixlk import Answer, PosixLock, PosixLocks
from glusterio.xlators.locks.ranges import LAST, Range, range_of
from glusterio.xlators.locks.waiting import Waiting

READ, WRITE, UNLOCK = LockType

#: The file's bytes, as far as the tests name them; the last stands for all that follow.
SIZE = 9

OWNERS = [Owner(client, bytes([owner])) for client in ("a", "b") for owner in (1, 2)]


def bytes_of(where: Range) -> range:
    return range(where.first, min(where.last, SIZE) + 1)


class Naive:
    """Who has locked what: for each byte, each owner's kind of lock; and who waits, in order."""

    def __init__(self) -> None:
        self.map: list[dict[Owner, int]] = [{} for _ in range(SIZE + 1)]
        self.queue: list[PosixLock] = []

    def conflicts(self, wanted: PosixLock) -> bool:
        return wanted.type != UNLOCK and any(
            owner != wanted.owner and WRITE in (kind, wanted.type)
            for byte in bytes_of(wanted.range)
            for owner, kind in self.map[byte].items()
        )

    def apply(self, lock: PosixLock) -> None:
        for byte in bytes_of(lock.range):
            if lock.type == UNLOCK:
                self.map[byte].pop(lock.owner, None)
            else:
                self.map[byte][lock.owner] = lock.type

    def set(self, wanted: PosixLock, may_wait: bool) -> Answer:
        if not self.conflicts(wanted):
            self.apply(wanted)
            return Answer.GRANTED
        if not may_wait:
            return Answer.REFUSED
        self.apply(wanted._replace(type=UNLOCK))
        self.queue.append(wanted)
        return Answer.WAITS

    def drop(self, owner: Owner) -> None:
        for locks in self.map:
            locks.pop(owner, None)

    def grant(self) -> list[PosixLock]:
        granted = []
        found = True
        while found:  # a grant may downgrade what its owner has, and let others in
            found = False
            for wanted in list(self.queue):
                if not self.conflicts(wanted):
                    self.apply(wanted)
                    self.queue.remove(wanted)
                    granted.append(wanted)
                    found = True
        return granted


def owned_by(owner: Owner) -> Callable[[PosixLock], bool]:
    return lambda lock: lock.owner == owner


def map_of(locks: PosixLocks) -> list[dict[Owner, int]]:
    found: list[dict[Owner, int]] = [{} for _ in range(SIZE + 1)]
    for lock in locks.held:
        for byte in bytes_of(lock.range):
            before = found[byte].setdefault(lock.owner, lock.type)
            assert before == lock.type, "an owner has locked a byte in two ways"
    return found


ranges = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).map(
    lambda pair: Range(min(pair), LAST if max(pair) == SIZE - 1 else max(pair))
)
locks = st.builds(PosixLock, ranges, st.sampled_from(LockType), st.sampled_from(OWNERS))
steps = st.one_of(
    st.tuples(st.just("set"), locks, st.booleans()),
    st.tuples(st.just("drop"), st.sampled_from(OWNERS)),
    st.tuples(st.just("withdraw"), st.sampled_from(OWNERS)),
)


@pytest.mark.fuzz
@given(st.lists(steps, max_size=40))
def test_any_sequence_is_what_the_map_says(sequence: list[Any]) -> None:
    tally: Counter[object] = Counter()
    real, naive = PosixLocks(tally), Naive()
    for kind, *arguments in sequence:
        if kind == "set":
            wanted, may_wait = arguments
            naive_conflict = naive.conflicts(wanted)
            if wanted.type != UNLOCK:
                found = real.conflict(wanted)
                assert (found is not None) == naive_conflict
                assert found is None or found.range.overlaps(wanted.range)
            waiting = Waiting(wanted, Event()) if may_wait else None
            assert real.set(wanted, waiting) is naive.set(wanted, may_wait)
        elif kind == "drop":
            (owner,) = arguments
            real.drop(owned_by(owner))
            naive.drop(owner)
        else:
            (owner,) = arguments
            gone = real.withdraw(owned_by(owner))
            assert [each.lock for each in gone] == [
                lock for lock in naive.queue if lock.owner == owner
            ]
            naive.queue = [lock for lock in naive.queue if lock.owner != owner]
        assert [each.lock for each in real.grant()] == naive.grant()
        assert [each.lock for each in real.waiting] == naive.queue
        assert map_of(real) == naive.map
        assert tally == Counter(
            [lock.owner.client for lock in real.held]
            + [each.lock.owner.client for each in real.waiting]
        )


A, B, C = OWNERS[:3]


def lock(first: int, last: int, kind: int = WRITE, owner: Owner = A, **more: Any) -> PosixLock:
    return PosixLock(Range(first, last), kind, owner, **more)


def held(locks: PosixLocks) -> list[tuple[int, int, int]]:
    return [(lock.range.first, lock.range.last, lock.type) for lock in locks.held]


def made_of(*wanted: PosixLock) -> PosixLocks:
    locks = PosixLocks(Counter())
    for each in wanted:
        assert locks.set(each) is Answer.GRANTED
    return locks


def test_unlocking_the_middle_splits() -> None:
    locks = made_of(lock(0, 9), lock(3, 5, UNLOCK))
    assert held(locks) == [(0, 2, WRITE), (6, 9, WRITE)]


def test_what_overlaps_is_merged_and_neighbours_are_not() -> None:
    assert held(made_of(lock(0, 5), lock(3, 9))) == [(0, 9, WRITE)]
    assert held(made_of(lock(0, 4), lock(5, 9))) == [(0, 4, WRITE), (5, 9, WRITE)]


def test_upgrade_and_downgrade_of_a_part() -> None:
    locks = made_of(lock(0, 9, READ), lock(4, 6, WRITE))
    assert sorted(held(locks)) == [(0, 3, READ), (4, 6, WRITE), (7, 9, READ)]
    locks.set(lock(0, 9, READ))
    assert {kind for _, _, kind in held(locks)} == {READ}


def test_a_downgrade_reaches_pieces_behind_anothers_lock() -> None:
    locks = made_of(lock(0, 1), lock(2, 2, READ, B), lock(0, 0, READ), lock(0, 2, READ))
    assert {each.type for each in locks.held} == {READ}
    assert locks.set(lock(1, 1, READ, B)) is Answer.GRANTED


def test_to_the_end_of_the_file_however_long() -> None:
    locks = made_of(lock(5, LAST))
    assert locks.conflict(lock(LAST, LAST, READ, B)) is not None
    assert locks.set(lock(0, 4, WRITE, B)) is Answer.GRANTED
    locks.set(lock(10, LAST, UNLOCK))
    assert held(locks) == [(0, 4, WRITE), (5, 9, WRITE)] or held(locks) == [
        (5, 9, WRITE),
        (0, 4, WRITE),
    ]


def test_the_oldest_conflict_is_named() -> None:
    locks = made_of(lock(6, 9, READ, B), lock(0, 3, READ, C))
    found = locks.conflict(lock(0, 9))
    assert found is not None
    assert found.owner == B


def test_first_come_first_served() -> None:
    locks = made_of(lock(0, 9))
    queue = [Waiting(lock(0, 9, WRITE, owner), Event()) for owner in (C, B)]
    for waiting in queue:
        assert locks.set(waiting.lock, waiting) is Answer.WAITS
    locks.set(lock(0, 9, UNLOCK))
    assert locks.grant() == [queue[0]]
    locks.set(lock(0, 9, UNLOCK, C))
    assert locks.grant() == [queue[1]]


def test_a_downgrade_lets_readers_in() -> None:
    locks = made_of(lock(0, 9))
    reader = Waiting(lock(0, 9, READ, B), Event())
    locks.set(reader.lock, reader)
    locks.set(lock(0, 9, READ))
    assert locks.grant() == [reader]


def test_two_readers_that_want_to_write_do_not_wait_for_each_other() -> None:
    locks = made_of(lock(0, 9, READ, A), lock(0, 9, READ, B))
    first, second = (Waiting(lock(0, 9, WRITE, owner), Event()) for owner in (A, B))
    assert locks.set(first.lock, first) is Answer.WAITS
    assert locks.set(second.lock, second) is Answer.GRANTED, "the first has given its own up"
    locks.set(lock(0, 9, UNLOCK, B))
    assert locks.grant() == [first]


def test_locks_go_with_their_descriptor() -> None:
    one, two = object(), object()
    locks = made_of(lock(0, 3, fd=one), lock(6, 9, fd=two))
    locks.drop(lambda lock: lock.fd is one)
    assert held(locks) == [(6, 9, WRITE)]
    assert locks.has_locks_of(two)
    assert not locks.has_locks_of(one)


# -- ranges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "length", "found"),
    [
        (0, 1, Range(0, 0)),
        (5, 0, Range(5, LAST)),
        (10, -10 % 2**64, Range(0, 9)),
        (LAST - 1, 1, Range(LAST - 1, LAST - 1)),
        (0, LAST, Range(0, LAST - 1)),
    ],
)
def test_what_a_lock_names(start: int, length: int, found: Range) -> None:
    assert range_of(start, length) == found


@pytest.mark.parametrize(
    ("start", "length"), [(-1, 1), (9, -10), (LAST, 1), (1, LAST), (LAST, LAST), (0, -(2**63))]
)
def test_what_no_lock_can_name(start: int, length: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        range_of(start % 2**64, length % 2**64)


@given(ranges)
def test_a_length_is_what_was_asked_for(where: Range) -> None:
    assert range_of(where.first, where.length) == where
