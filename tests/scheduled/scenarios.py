"""What callers' threads do to each other, in small."""

# ruff: noqa: E501 - a table

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import glusterio
from glusterio.errors import ConnectionLostError, GlusterError, HandleStaleError, SessionClosedError
from glusterio.runtime.link import PATIENCE
from tests.scheduled.life import Life, Scenario

#: What a caller may hear of whose session is closed, or whose connection is lost.
CLOSED = (SessionClosedError, glusterio.HandleClosedError)
LOST = (ConnectionLostError, HandleStaleError)

_READ = frozenset({"READ"})
_SILENT = frozenset({"READ", "PING"})

#: The ping-timeout of the volfile ``ping``, in seconds.
_PING = 4.0


def reads(*numbers: int) -> Callable[[Life], None]:
    """A caller that reads these blocks, one after the other."""

    def call(life: Life) -> None:
        for number in numbers:
            life.read(number)

    return call


def _futures(life: Life) -> None:
    submitted = {number: life.submit(number) for number in (4, 5)}
    for number, future in submitted.items():
        life.expect(future.result(), number)


def _futures_and_read(life: Life) -> None:
    future = life.submit(4)
    life.read(5)
    life.expect(future.result(), 4)


def _callback(life: Life) -> None:
    """A callback that uses the session again."""
    done: Future[None] = type(life.submit(0))()

    def called(future: Future[Any]) -> None:
        life.expect(future.result(), 4)
        try:
            life.read(5)
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    life.submit(4).add_done_callback(called)
    done.result()


def _closes(timeout: float = 5.0, grace: float = 2.0) -> Callable[[Life], None]:
    def call(life: Life) -> None:
        life.close(timeout, grace)

    return call


def _in_time(seconds: float, number: int) -> Callable[[Life], None]:
    """A read with a deadline, which passes if the brick does not answer."""

    def call(life: Life) -> None:
        began = life.scheduler.now
        with contextlib.suppress(TimeoutError), life.volume.deadline(seconds):
            life.read(number)
        took = life.scheduler.now - began
        # The leader may be in recv when the timer is made: 5 ms, and then the poller has it.
        assert took <= seconds + 0.011, f"InTime: {took:.3f} s, where {seconds} s were given"

    return call


def _closes_late(life: Life) -> None:
    """A close when the others have waited for longer than a link is patient."""
    life.sleep(0.05)
    life.close(1.0, 0.5)


def _opens(life: Life) -> None:
    """What needs the house-keeper first, in a session that has none yet."""
    life.volume.open_handle("file").close()


def _stat(life: Life) -> None:
    life.volume.stat("/file")


def _closes_at_once(life: Life) -> None:
    """A close that gives the calls no time: they give up at once."""
    began = life.scheduler.now
    life.close(1.0, 0.0)
    took = life.scheduler.now - began
    assert took <= 0.02, f"InTime: a close that gives no grace took {took:.3f} s"


def _loses(life: Life) -> None:
    """One whose connection is lost while nobody but the house-keeper looks."""
    life.lose()
    with contextlib.suppress(*LOST):
        life.read(1)
    life.read(2)


def _jams(number: int) -> Callable[[Life], None]:
    """A write into a socket that takes little."""

    def call(life: Life) -> None:
        life.jam()
        life.file.pwrite(b"block%03d" % number, number * 8)

    return call


def _at_the_tick(life: Life) -> None:
    """A read whose leader leaves off receiving, to poll, in the moment in which the ping clock is over."""
    with contextlib.suppress(TimeoutError), life.volume.deadline(0.1):
        life.read(1)
    life.sleep(_PING - 0.1 - PATIENCE)
    life.read(2)


def _unlinks(life: Life) -> None:
    """Two requests, one after the other."""
    life.volume.unlink("file")


def _future_in_time(life: Life) -> None:
    """A future with a deadline, begun when the house-keeper polls, though it does not lead any more."""
    life.volume.stat("/file")
    began = life.scheduler.now
    with contextlib.suppress(TimeoutError):
        with life.volume.deadline(0.05):
            future = life.submit(1)
        life.expect(future.result(), 1)
    took = life.scheduler.now - began
    assert took <= 0.061, f"InTime: {took:.3f} s, where 0.05 s were given"


def _just_forks(life: Life) -> None:
    life.fork()


def _opens_and_closes(life: Life) -> None:
    file = life.volume.open_handle("file")
    life.expect(file.pread(8, 8), 1)
    file.close()


def _writes(life: Life) -> None:
    life.file.pwrite(b"block060", 60 * 8)
    life.file.pwrite(b"block061", 61 * 8)
    life.read(60)


def _forks(life: Life) -> None:
    life.read(1)
    life.fork()
    life.read(2)


def _waits(life: Life) -> None:
    """One that the peer does not answer: the ping clock ends it."""
    life.submit(1).result()


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("one", "one caller", {"a": reads(1, 2)}),
        Scenario("two", "two callers read at once", {"a": reads(1), "b": reads(2)}),
        Scenario("two-twice", "two callers read twice", {"a": reads(1, 2), "b": reads(3, 4)}),
        Scenario(
            "three", "three callers read at once",
            {"a": reads(1), "b": reads(2), "c": reads(3)},
        ),
        Scenario("futures", "futures, and nobody calls", {"a": _futures}),
        Scenario("futures-beside", "futures, and another caller", {"a": _futures_and_read, "b": reads(2)}),
        Scenario("callback", "a callback that uses the session", {"a": _callback, "b": reads(2)}),
        Scenario(
            "split", "answers that come in parts",
            {"a": reads(1), "b": reads(2)}, {"split": 2},
        ),
        Scenario(
            "jam", "a socket that takes little",
            {"a": _writes, "b": reads(2)}, {"jam": 1},
        ),
        Scenario(
            "jam-twice", "a socket that takes little, and again",
            {"a": _jams(60), "b": _jams(61)},
        ),
        Scenario(
            "first-files", "two open a file each, in a session that has opened none",
            {"a": _opens, "b": _opens}, opened=False,
        ),
        Scenario("file", "a file is opened and closed beside a reader", {"a": _opens_and_closes, "b": reads(2)}),
        Scenario(
            "write-behind", "deferred writes beside a reader",
            {"a": _writes, "b": reads(2)}, volfile="write-behind",
        ),
        Scenario(
            "close", "closed while others read",
            {"a": reads(1, 2), "b": reads(3), "c": _closes()}, may_raise=CLOSED,
        ),
        Scenario("close-one", "closed while one reads", {"a": reads(1), "b": _closes()}, may_raise=CLOSED),
        Scenario(
            "close-futures", "closed with futures under way",
            {"a": _futures, "b": _closes()}, may_raise=CLOSED,
        ),
        Scenario(
            "close-mute", "closed while the brick is silent: the timeout passes",
            {"a": reads(1), "b": reads(2), "c": _closes(1.0, 0.5)}, may_raise=(*CLOSED, *LOST), mute=_READ,
        ),
        Scenario(
            "close-slow", "closed while the brick is slow: an answer comes when the timeout has passed",
            {"a": reads(1), "b": reads(2), "c": _closes(1.0, 0.5)}, {"slow": 6}, may_raise=(*CLOSED, *LOST),
        ),
        Scenario(
            "close-at-once", "closed between two requests of a call, the second of which is not answered",
            {"a": _unlinks, "b": _closes_at_once}, {"slow": 0}, may_raise=CLOSED, mute=frozenset({"UNLINK"}),
        ),
        Scenario(
            "close-late", "closed while the brick is silent, and a leader has waited for long",
            {"a": reads(1), "b": reads(2), "c": _closes_late}, may_raise=(*CLOSED, *LOST), mute=_READ,
        ),
        Scenario(
            "close-twice", "two close, and one reads",
            {"a": _closes(), "b": _closes(), "c": reads(1)}, may_raise=CLOSED,
        ),
        Scenario(
            "lose", "the connection is lost while a leader waits, and a follower",
            {"a": reads(1, 2), "b": reads(3)}, {"lose": 1}, may_raise=LOST,
        ),
        Scenario(
            "lose-futures", "the connection is lost with futures under way",
            {"a": _futures, "b": reads(3)}, {"lose": 1}, may_raise=LOST,
        ),
        Scenario(
            "lose-settled", "the connection is lost while the house-keeper leads",
            {"a": _loses}, may_raise=LOST, settled=True,
        ),
        Scenario(
            "reconnect", "the connection is lost, and made again",
            {"a": reads(1, 2), "b": reads(3)}, {"lose": 1}, may_raise=LOST, reconnect=True,
        ),
        Scenario(
            "deadline", "a deadline passes in one of two callers",
            {"a": _in_time(0.1, 1), "b": _stat}, mute=_READ,
        ),
        Scenario(
            "deadlines", "a deadline passes in each of two callers, and a third goes on",
            {"a": _in_time(0.1, 1), "b": _in_time(0.05, 2), "c": _stat}, mute=_READ,
        ),
        Scenario(
            "deadlines-settled", "the same for two, while the house-keeper leads",
            {"a": _in_time(0.1, 1), "b": _in_time(0.05, 2)}, mute=_READ, settled=True,
        ),
        Scenario(
            "deadline-future", "a deadline passes for a future, when nobody leads",
            {"a": _future_in_time}, {"slow": 0}, mute=_READ, settled=True,
        ),
        Scenario(
            "interrupt", "Ctrl-C in one of three callers",
            {"interrupted": reads(1, 2), "b": reads(3), "c": reads(4)}, {"interrupt": 1},
        ),
        Scenario(
            "interrupt-close", "Ctrl-C in who closes",
            {"interrupted": _closes(), "b": reads(3)}, {"interrupt": 2}, may_raise=CLOSED,
        ),
        Scenario("fork-beside", "a fork while another is in the middle of a read", {"a": reads(1), "b": _just_forks}),
        Scenario("fork", "a fork while others read", {"a": _forks, "b": reads(3, 4)}),
        Scenario(
            "ping", "all callers are idle, and the peer is silent: the ping clock",
            {"a": _waits}, may_raise=(GlusterError,), mute=_SILENT, volfile="ping",
        ),
        Scenario(
            "ping-caller", "one caller, and the peer is silent: the ping clock",
            {"a": reads(1), "b": reads(2)}, may_raise=(GlusterError,), mute=_SILENT, volfile="ping",
        ),
        Scenario(
            "ping-late", "a caller goes from one wait to another when the ping clock is over",
            {"a": _at_the_tick}, may_raise=(GlusterError,), mute=_SILENT, volfile="ping", settled=True,
        ),
    )
}  # fmt: skip
