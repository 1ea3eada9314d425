"""What is counted, and gathered into buckets: each call once, whatever comes in the middle of it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from bisect import bisect_left
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import glusterio
from glusterio.api import counting
from glusterio.api.counting import TOGETHER, CountedSession, Gathered, Operation
from glusterio.api.metrics import BUCKETS
from glusterio.lifecycle.session import Session
from glusterio.lifecycle.states import SessionEvent
from glusterio.traps import Event
from tests.embedded import BrickProcess

#: Times that add up without rounding: a bucket's bound, beside it, and further off.
_TIMES = (0.0, 2**-20, 2**-14, 0.00005, 0.0001, 2**-10, 0.25, 0.250001, 1.0, 10.0, 10.5, 4096.0)


def _counted(told: Gathered) -> tuple[int, int]:
    return sum(told.buckets), told.size


class _AtEachInstruction:
    """Do something before one of the instructions of what is called in :mod:`glusterio.api.counting`.

    Args:
        does: what to do.
        number: before which instruction, from 0; ``None`` for each.
    """

    def __init__(self, does: Callable[[], None], number: int | None = None) -> None:
        self._does = does
        self._number = number
        self.seen = 0

    def __enter__(self) -> _AtEachInstruction:
        self._before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # Python 3.12 asks for it before, somewhere
        sys.settrace(self._enters)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _enters(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != counting.__file__:
            return None
        frame.f_trace_opcodes = True
        return self._steps

    def _steps(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode":
            self.seen += 1
            if self._number is None or self._number == self.seen - 1:
                self._does()
        return self._steps


def test_samples_are_in_the_buckets_of_their_times() -> None:
    operation = Operation()
    buckets = [0] * (len(BUCKETS) + 1)
    for number, took in enumerate(_TIMES * 3):
        operation.samples.append((took, number))
        buckets[bisect_left(BUCKETS, took)] += 1
        if number % 7 == 0:
            operation.gather()
        told = operation.told()
        assert told.buckets == tuple(buckets)
        assert told.size == sum(range(number + 1))
    assert told.seconds == pytest.approx(3 * sum(_TIMES))
    operation.gather()
    assert operation.samples == [told]
    operation.gather()
    assert operation.samples == [told]


def test_at_each_instruction_of_gathering_all_is_told_once() -> None:
    """So a thread that asks, and a process that is forked, find the same in the middle of it."""
    operation = Operation()
    samples = operation.samples
    samples.extend((2**-14, 3) for _ in range(5))

    def look() -> None:
        assert _counted(operation.told()) == (5, 15)

    with _AtEachInstruction(look) as each:
        operation.gather()
    assert each.seen > 20
    assert len(samples) == 1


#: From 3.12 on a generator runs a little when it is let go of; nobody hears of an interrupt there.
_LET_GO = (
    "ignore:Exception ignored in. .generator object _summed:pytest.PytestUnraisableExceptionWarning"
    if sys.version_info >= (3, 12)
    else "error"
)


@pytest.mark.filterwarnings(_LET_GO)
def test_an_interrupt_of_gathering_loses_nothing_and_counts_nothing_twice() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    number = 0
    while True:
        operation = Operation()
        operation.samples.extend((2**-14, 3) for _ in range(5))
        with _AtEachInstruction(interrupt, number) as each, contextlib.suppress(KeyboardInterrupt):
            operation.gather()
        assert _counted(operation.told()) == (5, 15)
        operation.gather()
        assert _counted(operation.samples[0]) == (5, 15)
        assert len(operation.samples) == 1  # it gathers again
        if each.seen <= number:
            break
        number += 1
    assert number > 20


def test_a_destructor_in_the_middle_of_gathering_may_use_the_session() -> None:
    number = 0
    while True:
        operation = Operation()
        operation.samples.extend((2**-14, 3) for _ in range(5))

        def use(operation: Operation = operation) -> None:
            for _ in range(3):
                operation.samples.append((2**-14, 3))
            operation.gather()

        with _AtEachInstruction(use, number) as each:
            operation.gather()
        if each.seen <= number:
            break
        assert _counted(operation.told()) == (8, 24)
        number += 1
    assert number > 20


def test_a_child_process_gathers_on_when_a_thread_gathered_at_the_fork() -> None:
    operation = Operation()
    operation.samples.append((2**-14, 3))
    holding, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        holding.set()
        let_go.wait(20)

    def gather() -> None:
        with _AtEachInstruction(hold, 20):
            operation.gather()

    thread = threading.Thread(target=gather)
    thread.start()
    try:
        assert holding.wait(20)
        assert operation._gathering
        operation.forked()  # as if it were one: that thread's lock is not let go
        operation.samples.append((2**-14, 4))
        operation.gather()
        assert _counted(operation.samples[0]) == (2, 7)
    finally:
        let_go.set()
        thread.join(20)


def test_what_was_counted_is_the_same_in_a_child_process(brick: BrickProcess) -> None:
    vol = glusterio.connect(brick.url, metrics=True)
    with vol.open_handle("/forked", os.O_RDWR | os.O_CREAT) as file:
        file.pwrite(bytes(10), 0)
        for _ in range(7):
            file.pread(10, 0)
        before = vol.metrics()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads; the child uses none
            child = os.fork()
        if not child:
            same = vol.metrics().operations == before.operations
            os._exit(0 if same and vol.metrics().bytes_read == 70 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    vol.unlink("/forked")
    vol.close()
    assert vol.metrics().operations["pread"].calls == 7


@pytest.mark.parametrize("what", ["reads", "reads that fail", "others", "others that fail"])
def test_what_is_kept_does_not_grow(brick: BrickProcess, what: str) -> None:
    with glusterio.connect(brick.url, metrics=True) as vol:
        with vol.open_handle("/grows", os.O_RDWR | os.O_CREAT) as file:

            def call() -> None:
                if what == "reads":
                    file.pread(10, 0)
                elif what == "reads that fail":
                    with pytest.raises(OSError, match="Invalid"):
                        file.pread(-1, 0)
                elif what == "others":
                    file.fstat()
                else:
                    with pytest.raises(FileNotFoundError):
                        vol.unlink("/grows-not")

            for _ in range(TOGETHER + 50):
                call()
        vol.unlink("/grows")
        name = {"reads": "pread", "others": "fstat"}.get(what, "")
        operations = vol._session.core.session.operations  # type: ignore[attr-defined]
        kept = {name: len(operation.samples) for name, operation in operations.items()}
        assert max(kept.values()) <= TOGETHER
        if name:
            assert vol.metrics().operations[name].calls == TOGETHER + 50


def test_a_call_that_the_end_has_counted_out_is_not_counted_again_when_it_leaves() -> None:
    now = [1.0]
    session = CountedSession(lambda: now[0], threading.RLock(), Event)
    session.apply(SessionEvent.CONNECT)
    session.connected()
    call = session.admit("unlink")
    call.began = now[0]
    now[0] = 3.0
    session.disown(call)
    now[0] = 4.0
    session.leave(call)  # when it gives up at last
    told = session.operations["unlink"].told()
    assert (sum(told.buckets), told.seconds) == (1, 2.0)


def test_a_session_without_metrics_has_nothing_of_it(brick: BrickProcess) -> None:
    with glusterio.connect(brick.url) as vol:
        assert type(vol._session.core.session) is Session
        assert vol._session.core.callings is None
