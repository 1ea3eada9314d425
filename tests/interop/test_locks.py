"""The same lock calls on a GlusterFS brick and on ours: the same replies.

All but SETACTIVELK, which ends a GlusterFS 10 brick with a segmentation fault (libglusterfs,
``fop_setactivelk_stub``): no test may send it there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import glusterio
from glusterio.traps import Event
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.programs import EntrylkCommand, Fop, LockCommand, LockType
from glusterio.xlators.locks.domains import DomainLocks, InodeLock
from glusterio.xlators.locks.owners import Owner
from glusterio.xlators.locks.posixlk import Answer, PosixLock, PosixLocks
from glusterio.xlators.locks.ranges import LAST, Range
from glusterio.xlators.locks.waiting import Waiting
from tests.brick.lock_calls import ONE, PATIENCE, TWO, Locker, caller, introduce
from tests.brick.raw import RawClient
from tests.embedded import start_brick
from tests.interop.real_gluster import HandBrick

READ, WRITE, UNLOCK = LockType
GETLK, SETLK, SETLKW = LockCommand

#: An example is a conversation over the network. They are the same each time, since in one thing the
#: replies do differ: on a GlusterFS brick a write lock may outlive its downgrade.
AT_LENGTH = settings(
    max_examples=20, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class Side:
    """A brick, and where it is to be asked.

    Args:
        port: its port.
        subvolume: its name.
    """

    def __init__(self, port: int, subvolume: str) -> None:
        self.port = port
        self.subvolume = subvolume
        self.directory = b""
        with self.client() as client:
            self.directory = client.mkdir(f"locks-{uuid.uuid4()}")

    def client(self) -> RawClient:
        return introduce(RawClient(self.port), self.subvolume)

    def make(self) -> str:
        """Make a file and tell its name."""
        name = str(uuid.uuid4())
        with self.client() as client:
            client.create(name, self.directory)
        return name

    def open(self, client: RawClient, name: str) -> Locker:
        gfid = client.lookup(name, self.directory).stat.gfid
        return Locker(client, gfid, client.do(Fop.OPEN, OpenRequest(gfid, os.O_RDWR)).fd)


@pytest.fixture(scope="module")
def sides(hand_brick: HandBrick, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    text = Path(hand_brick.client_vol).read_text()
    found = re.search(r"remote-subvolume (\S+)", text)
    assert found is not None
    directory = tmp_path_factory.mktemp("locks")
    with start_brick(directory) as ours:
        yield [
            Side(hand_brick.brick_port, found.group(1)),
            Side(ours.brick_port, str(ours.directory)),
        ]


# -- whatever needs no waiting ------------------------------------------------------------------------


class Talk:
    """One side's conversation about one file: two clients, each of which has it open twice."""

    def __init__(self, side: Side, stack: contextlib.ExitStack) -> None:
        name = side.make()
        clients = [stack.enter_context(side.client()) for _ in range(2)]
        self.opened = {
            (who, which): side.open(client, name)
            for who, client in enumerate(clients)
            for which in range(2)
        }

    def say(self, step: tuple[Any, ...]) -> Any:
        kind, who, *arguments = step
        locker = self.opened[who]
        if kind == "lk":
            reply = locker.lk(*arguments)
            return reply.op_ret, reply.op_errno, reply.flock
        if kind == "flush":
            return locker.flush(*arguments)
        if kind == "inodelk":
            command, lock_type, where, *rest = arguments
            return locker.inodelk(command, lock_type, *where, *rest)
        if kind == "entrylk":
            return locker.entrylk(*arguments)
        if kind == "reopen":
            locker.client.release(locker.gfid, locker.fd)
            fd = locker.client.do(Fop.OPEN, OpenRequest(locker.gfid, os.O_RDWR)).fd
            self.opened[who] = locker._replace(fd=fd)
            return None
        assert kind == "active"
        return locker.active()


whom = st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1]))
owners = st.sampled_from([ONE, TWO])
numbers = st.one_of(st.integers(0, 12), st.sampled_from([-1, -5, LAST, LAST - 1]))
#: What ends behind the last byte there can be a GlusterFS brick does not refuse, but never finds again.
translators_ranges = st.tuples(numbers, numbers).filter(lambda pair: sum(pair) <= LAST + 1)
steps = st.one_of(
    st.tuples(
        st.just("lk"),
        whom,
        st.sampled_from([GETLK, SETLK, SETLK]),
        st.sampled_from([READ, WRITE, UNLOCK]),
        numbers,
        numbers,
        owners,
    ),
    st.tuples(st.just("flush"), whom, st.sampled_from([ONE, TWO, caller(b"")])),
    st.tuples(
        st.just("inodelk"),
        whom,
        st.just(SETLK),
        st.sampled_from([READ, WRITE, UNLOCK]),
        translators_ranges,
        owners,
        st.sampled_from(["one", "two"]),
        st.booleans(),
    ),
    st.tuples(
        st.just("entrylk"),
        whom,
        st.sampled_from([EntrylkCommand.LOCK_NONBLOCKING, EntrylkCommand.UNLOCK]),
        st.sampled_from([None, "x", "y"]),
        st.sampled_from([0, 1]),
        owners,
        st.sampled_from(["one", "two"]),
        st.booleans(),
    ),
    st.tuples(st.just("reopen"), whom),
    st.tuples(st.just("active"), whom),
)


@given(sequence=st.lists(steps, min_size=10, max_size=40))
@AT_LENGTH
def test_any_calls_have_the_same_replies(
    sides: list[Side], sequence: list[tuple[Any, ...]]
) -> None:
    with contextlib.ExitStack() as stack:
        real, ours = (Talk(side, stack) for side in sides)
        for step in [*sequence, ("active", (0, 0))]:
            assert ours.say(step) == real.say(step), step


# -- waiting ------------------------------------------------------------------------------------------

#: Ranges that do not overlap. What overlaps in part a GlusterFS brick serves out of turn.
SLOTS = [Range(10 * number, 10 * number + 9) for number in range(3)]

PEOPLE = 5


class Queueing:
    """Clients that wait for locks, each for one at a time, on one side."""

    def __init__(self, side: Side, stack: contextlib.ExitStack) -> None:
        self.side = side
        self.stack = stack
        self.name = side.make()
        self.watcher = side.open(stack.enter_context(side.client()), self.name)
        self.people = [self.newcomer() for _ in range(PEOPLE)]

    def newcomer(self) -> Locker:
        return self.side.open(self.stack.enter_context(self.side.client()), self.name)

    def wait_for_count(self, count: int, kind: str = "posixlk") -> None:
        key = f"glusterfs.{kind}-count"
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.watcher.client.lookup(self.name, self.side.directory, {key: 0}).xdata
            if found is not None and found[key] == count:
                return
            assert time.monotonic() < deadline, f"{found}, never {count}"


def named(who: int, credentials: Credentials, where: Range, kind: int) -> PosixLock:
    return PosixLock(where, kind, Owner(who, credentials.lk_owner))


queueing_steps = st.one_of(
    st.tuples(st.just("want"), st.integers(0, PEOPLE - 1), st.sampled_from(SLOTS), st.booleans()),
    st.tuples(st.just("unlock"), st.integers(0, PEOPLE - 1), st.sampled_from(SLOTS), st.just(True)),
    st.tuples(st.just("leave"), st.integers(0, PEOPLE - 1), st.just(SLOTS[0]), st.just(True)),
)


@given(sequence=st.lists(queueing_steps, min_size=10, max_size=30))
@AT_LENGTH
def test_who_waits_is_served_in_the_same_order(
    sides: list[Side], sequence: list[tuple[str, int, Range, bool]]
) -> None:
    expected = PosixLocks(Counter())
    waiting: dict[int, Waiting[PosixLock]] = {}
    with contextlib.ExitStack() as stack:
        both = [Queueing(side, stack) for side in sides]
        for kind, who, where, may_wait in sequence:
            if kind == "leave":
                expected.drop(lambda lock, who=who: lock.owner.client == who)  # type: ignore[misc]
                expected.withdraw(lambda lock, who=who: lock.owner.client == who)  # type: ignore[misc]
                waiting.pop(who, None)
                for queue in both:
                    queue.people[who].client.close()
                    queue.people[who] = queue.newcomer()
            elif who in waiting:
                continue  # it can say nothing before it is answered
            else:
                wanted = named(who, ONE, where, UNLOCK if kind == "unlock" else WRITE)
                place = Waiting(wanted, Event()) if kind == "want" and may_wait else None
                answer = expected.set(wanted, place)
                for queue in both:
                    command = SETLK if place is None else SETLKW
                    queue.people[who].post_lk(command, wanted.type, where.first, 10)
                    if answer is not Answer.WAITS:
                        reply = queue.people[who].take_lk()
                        assert (reply.op_ret == 0) == (answer is Answer.GRANTED)
                if answer is Answer.WAITS:
                    assert place is not None
                    waiting[who] = place
            for served in expected.grant():
                (next_one,) = [who for who, place in waiting.items() if place is served]
                del waiting[next_one]
                flocks = [queue.people[next_one].take_lk().flock for queue in both]
                assert flocks[0] == flocks[1]
            for queue in both:
                queue.wait_for_count(len(expected))
        for queue in both:
            assert not any(person.is_answered() for person in queue.people)
            assert sorted(queue.watcher.active()) == sorted(
                (lock.type, lock.range.first, 10, ONE.lk_owner, ONE.pid) for lock in expected.held
            )


translators_steps = st.one_of(
    st.tuples(
        st.just("want"),
        st.integers(0, PEOPLE - 1),
        st.sampled_from([READ, WRITE]),
        st.integers(0, 4),
        st.integers(1, 5),
    ),
    st.tuples(
        st.just("unlock"), st.integers(0, PEOPLE - 1), st.just(UNLOCK), st.just(0), st.just(1)
    ),
    st.tuples(st.just("leave"), st.integers(0, PEOPLE - 1), st.just(READ), st.just(0), st.just(1)),
)


@given(sequence=st.lists(translators_steps, min_size=10, max_size=30))
@AT_LENGTH
def test_translators_are_served_in_the_same_order(
    sides: list[Side], sequence: list[tuple[str, int, LockType, int, int]]
) -> None:
    expected: DomainLocks[InodeLock] = DomainLocks(Counter())
    waiting: dict[int, Waiting[InodeLock]] = {}
    with contextlib.ExitStack() as stack:
        both = [Queueing(side, stack) for side in sides]
        for kind, who, lock_type, first, length in sequence:
            me = Owner(who, ONE.lk_owner)
            if kind == "leave":
                expected.drop(lambda lock, who=who: lock.owner.client == who)  # type: ignore[misc]
                expected.withdraw(lambda lock, who=who: lock.owner.client == who)  # type: ignore[misc]
                waiting.pop(who, None)
                for queue in both:
                    queue.people[who].client.close()
                    queue.people[who] = queue.newcomer()
            elif who in waiting:
                continue
            elif kind == "unlock":
                mine = [lock for lock in expected.held if lock.owner == me]
                if not mine:
                    continue
                where = mine[-1].range
                assert expected.release(InodeLock(where, UNLOCK, me))
                for queue in both:
                    person = queue.people[who]
                    assert not person.inodelk(SETLK, UNLOCK, where.first, where.length)
            else:
                wanted = InodeLock(Range(first, first + length - 1), lock_type, me)
                place = Waiting(wanted, Event())
                answer = expected.take(wanted, place)
                for queue in both:
                    queue.people[who].post_inodelk(SETLKW, lock_type, first, length)
                    if answer is Answer.GRANTED:
                        assert queue.people[who].take_inodelk() == 0
                if answer is Answer.WAITS:
                    waiting[who] = place
            for served in expected.grant():
                (next_one,) = [who for who, place in waiting.items() if place is served]
                del waiting[next_one]
                assert [queue.people[next_one].take_inodelk() for queue in both] == [0, 0]
            for queue in both:
                queue.wait_for_count(len(expected), "inodelk")


# -- what a brick says unasked ------------------------------------------------------------------------


def test_holders_hear_the_same(sides: list[Side]) -> None:
    """Of ranges only: GlusterFS 10 means to tell of names, too, but an uninitialized list keeps it from
    that (entrylk.c, ``new_entrylk_lock``).
    """
    heard = []
    for side in sides:
        with side.client() as first, side.client() as second:
            name = side.make()
            one, two = side.open(first, name), side.open(second, name)
            one.inodelk(start=5, length=10)
            assert two.inodelk(start=8) == errno.EAGAIN
            kind, flock, *rest, _ = one.told()
            # The owner that a GlusterFS brick names is the one of the request's body.
            heard.append((kind, flock._replace(lk_owner=b""), *rest))
    assert heard[0] == heard[1]


# -- our client's locks -------------------------------------------------------------------------------

CREATING = os.O_RDWR | os.O_CREAT


class Watched:
    """A file on the real brick, and how many locks are on it."""

    def __init__(self, brick: HandBrick, side: Side, stack: contextlib.ExitStack) -> None:
        self.url = brick.url
        self.name = f"locks-{uuid.uuid4()}"
        self.client = stack.enter_context(side.client())
        with glusterio.connect(self.url) as vol, vol.open_handle(self.name, CREATING):
            pass

    def open(self, stack: contextlib.ExitStack) -> tuple[glusterio.Volume, glusterio.File]:
        vol = stack.enter_context(glusterio.connect(self.url))
        return vol, stack.enter_context(vol.open_handle(self.name, CREATING))

    def wait_for(self, count: int) -> None:
        """Wait until so many locks are held or waited for."""
        locker = Locker(self.client, self.client.lookup(self.name).stat.gfid, -1)
        locker.wait_for_count(self.name, count)


@pytest.fixture
def watched(
    hand_brick: HandBrick, sides: list[Side]
) -> Iterator[tuple[Watched, contextlib.ExitStack]]:
    with contextlib.ExitStack() as stack:
        file = Watched(hand_brick, sides[0], stack)
        yield file, stack
        stack.close()


def test_locks_keep_sessions_apart(watched: tuple[Watched, contextlib.ExitStack]) -> None:
    brick, stack = watched
    _, one = brick.open(stack)
    _, two = brick.open(stack)
    with one.lock(10):
        with pytest.raises(BlockingIOError):
            two.lockf(os.F_TLOCK, 5, 5)
        found = two.lock_holder()
        assert found is not None
        assert (found.shared, found.start, found.length, found.pid) == (False, 0, 10, os.getpid())
        brick.wait_for(1)
    two.lockf(os.F_TLOCK, 5, 5)
    two.close()
    brick.wait_for(0)


def test_a_lock_that_was_given_up_is_taken_back(
    watched: tuple[Watched, contextlib.ExitStack],
) -> None:
    brick, stack = watched
    _, one = brick.open(stack)
    _, two = brick.open(stack)
    one.lockf(os.F_LOCK)
    with pytest.raises(TimeoutError):
        two.lock(timeout=0.05).acquire()
    brick.wait_for(1)
    one.lockf(os.F_ULOCK)
    brick.wait_for(0)
    with two.lock(timeout=10):
        brick.wait_for(1)


@pytest.mark.parametrize("grace", [0.0, 0.2])
def test_a_session_that_ends_while_it_waits_leaves_nothing(
    watched: tuple[Watched, contextlib.ExitStack], grace: float
) -> None:
    brick, stack = watched
    _, one = brick.open(stack)
    vol, two = brick.open(stack)
    one.lockf(os.F_LOCK, 10)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            two.lockf(os.F_LOCK)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    brick.wait_for(2)
    report = vol.close(timeout=10.0, grace=grace)
    thread.join()
    assert isinstance(outcome[0], glusterio.SessionClosedError)
    assert not report.errors
    assert not report.defects
    brick.wait_for(1)
    one.close()
    brick.wait_for(0)
