"""What the threads driver keeps of a thread: where its fibers are queued, and what it is inside of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glusterio.runtime.fiber import Fiber
    from glusterio.runtime.link import Link


class Home:
    """One thread's call: where its fibers are queued, and how the thread is woken."""

    __slots__ = ("gate", "polling", "ready", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.ready: list[Fiber] = []
        self.polling = False  # in poll(), as the leader: waking it takes a byte
        self.gate = threading.Lock()
        self.gate.acquire()  # released to wake the thread


class ThreadState:
    """What the driver keeps in mind of one thread.

    Attributes:
        calls: operations that it is running, one inside the other.
        callbacks: completion callbacks that it is in.
        corked: the links whose requests it holds back; ``None`` when it sends at once.
        home: the home of the outermost of them. A new one costs a lock.
    """

    __slots__ = ("callbacks", "calls", "corked", "home")

    def __init__(self) -> None:
        self.calls = 0
        self.callbacks = 0
        self.corked: set[Link] | None = None
        self.home = Home()


class PerThread(threading.local):
    """Finds a thread's state."""

    def __init__(self) -> None:
        self.state = ThreadState()
