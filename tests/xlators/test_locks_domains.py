"""Translators' locks in one domain: who may hold what together, and who is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.traps import Event
from glusterio.wire.programs import LockType
from glusterio.xlators.locks.domains import DomainLocks, EntryLock, InodeLock
from glusterio.xlators.locks.owners import Owner
from glusterio.xlators.locks.posixlk import Answer
from glusterio.xlators.locks.ranges import Range
from glusterio.xlators.locks.waiting import Waiting

READ, WRITE = LockType.READ, LockType.WRITE

OWNERS = [Owner(client, bytes([owner])) for client in ("a", "b") for owner in (1, 2)]
A, B, C = OWNERS[:3]

owners = st.sampled_from(OWNERS)
kinds = st.sampled_from([READ, WRITE])
inode_locks = st.builds(
    InodeLock,
    st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda pair: Range(min(pair), max(pair))),
    kinds,
    owners,
)
entry_locks = st.builds(EntryLock, st.sampled_from([None, "x", "y"]), kinds, owners)


def steps(locks: Any) -> Any:
    return st.lists(
        st.one_of(
            st.tuples(st.just("take"), locks, st.booleans()),
            st.tuples(st.just("release"), locks),
            st.tuples(st.just("gone"), st.sampled_from(["a", "b"])),
        ),
        max_size=40,
    )


def of_client(client: object) -> Callable[[Any], bool]:
    return lambda lock: lock.owner.client == client


def check(queue: DomainLocks[Any], tally: Counter[object]) -> None:
    for lock in queue.held:
        for other in queue.held:
            assert lock.owner == other.owner or not lock.collides(other)
    for index, waiting in enumerate(queue.waiting):
        wanted = waiting.lock
        ahead = [each.lock for each in queue.waiting[:index]]
        assert any(
            held.collides(wanted) and held.owner != wanted.owner for held in queue.held
        ) or any(each.collides(wanted) for each in ahead), f"nothing is in the way of {wanted}"
    assert tally == Counter(
        [lock.owner.client for lock in queue.held]
        + [each.lock.owner.client for each in queue.waiting]
    )


@pytest.mark.fuzz
@given(st.one_of(steps(inode_locks), steps(entry_locks)))
def test_any_sequence_keeps_the_rules(sequence: list[Any]) -> None:
    tally: Counter[object] = Counter()
    queue: DomainLocks[Any] = DomainLocks(tally)
    for kind, *arguments in sequence:
        held = list(queue.held)
        waited = list(queue.waiting)
        if kind == "take":
            wanted, may_wait = arguments
            blocked = any(lock.collides(wanted) and lock.owner != wanted.owner for lock in held)
            answer = queue.take(wanted, Waiting(wanted, Event()) if may_wait else None)
            if blocked:
                assert answer is (Answer.WAITS if may_wait else Answer.REFUSED)
            elif not any(each.lock.collides(wanted) for each in waited):
                assert answer is Answer.GRANTED
        elif kind == "release":
            (lock,) = arguments
            assert queue.release(lock) == any(each.is_dropped_by(lock) for each in held)
        else:
            (client,) = arguments
            queue.drop(of_client(client))
            queue.withdraw(of_client(client))
            tally += Counter()  # without what fell to nothing
        granted = queue.grant()
        assert [each for each in waited if each in granted] == granted, "out of turn"
        check(queue, +tally)


def inode(first: int = 0, last: int = 9, kind: LockType = WRITE, owner: Owner = A) -> InodeLock:
    return InodeLock(Range(first, last), kind, owner)


def test_a_new_request_queues_up_behind_one_that_it_conflicts_with() -> None:
    queue: DomainLocks[InodeLock] = DomainLocks(Counter())
    queue.take(inode(0, 4))
    all_of_it = Waiting(inode(0, 9, WRITE, B), Event())
    assert queue.take(all_of_it.lock, all_of_it) is Answer.WAITS
    assert queue.take(inode(5, 9, WRITE, C)) is Answer.REFUSED
    assert queue.take(inode(5, 9)) is Answer.GRANTED, "the holder may nest"


def test_who_waits_behind_one_that_gives_up_is_next() -> None:
    queue: DomainLocks[InodeLock] = DomainLocks(Counter())
    queue.take(inode(0, 4))
    all_of_it = Waiting(inode(0, 9, WRITE, B), Event())
    behind = Waiting(inode(5, 9, WRITE, C), Event())
    queue.take(all_of_it.lock, all_of_it)
    queue.take(behind.lock, behind)
    assert queue.withdraw(lambda lock: lock.owner == B) == [all_of_it]
    assert queue.grant() == [behind]


def test_ranges_are_dropped_as_they_were_taken() -> None:
    queue: DomainLocks[InodeLock] = DomainLocks(Counter())
    queue.take(inode(0, 9))
    assert not queue.release(inode(0, 4))
    assert not queue.release(inode(0, 9, WRITE, B))
    assert queue.release(inode(0, 9, READ)), "whatever the type"
    assert not len(queue)


def test_the_same_lock_twice_is_dropped_twice() -> None:
    queue: DomainLocks[InodeLock] = DomainLocks(Counter())
    assert [queue.take(inode()) for _ in range(2)] == [Answer.GRANTED] * 2
    assert [queue.release(inode()) for _ in range(3)] == [True, True, False]


def test_a_name_conflicts_with_all_names_and_kinds_do_not_matter() -> None:
    queue: DomainLocks[EntryLock] = DomainLocks(Counter())
    queue.take(EntryLock("x", READ, A))
    assert queue.take(EntryLock("y", READ, B)) is Answer.GRANTED
    assert queue.take(EntryLock("x", READ, B)) is Answer.REFUSED
    assert queue.take(EntryLock(None, READ, B)) is Answer.REFUSED
    assert not queue.release(EntryLock("x", WRITE, A)), "another type is another lock"
    assert queue.release(EntryLock("x", READ, A))
    assert queue.take(EntryLock(None, WRITE, B)) is Answer.GRANTED
