"""The seam: where the driver's modules find what is played instead of what is real.

Modules' attributes are exchanged for the time of one life, and one of the driver's class: its clock.
Nothing of the driver knows of it.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import glusterio.api.threads.session as session_module
from glusterio import traps
from glusterio.runtime import (
    connecting,
    exchange,
    fiber,
    home,
    housekeeper,
    link,
    sockets,
    threads,
    timer,
)
from tests.scheduled.kernel import Kernel
from tests.scheduled.primitives import Futures, RLock, Threading
from tests.scheduled.scheduler import Scheduler

#: The driver's files.
MODULES = (threads, housekeeper, exchange, sockets, link, fiber, connecting, timer, traps)

#: What threads share, and what some of them look at without a lock. To stop elsewhere shows nothing.
SHARED = re.compile(
    r"""\b(
        _leader | _followers | _loose | _steps_loose | _timers | _detached | _keeper_home
        | _sole | _watched | _locks | stopping | thread | ready | polling | may_go | gate
        | trap | resume_value | resume_error | wanted_cancel | children | cleanup | done | fiber
        | submitted | sent | pending | outgoing | lost | came | unasked | link | closed | wants_write
        | shared | quiet | callback | waiters | is_set | set_already | callbacks | calls | corked | held
    )\b""",
    re.VERBOSE,
)


def _lines() -> Iterator[tuple[str, frozenset[int]]]:
    for module in MODULES:
        spec = module.__spec__
        assert spec is not None
        assert spec.origin is not None
        loader: Any = spec.loader
        source = loader.get_source(spec.name)
        yield (
            spec.origin,
            frozenset(
                number for number, line in enumerate(source.split("\n"), 1) if SHARED.search(line)
            ),
        )


#: The lines that touch what threads share, by file: each may be a point.
LINES: Mapping[str, frozenset[int]] = dict(_lines())


@contextmanager
def played(scheduler: Scheduler, kernel: Kernel) -> Iterator[list[RLock]]:
    """Have the threads driver run on what is played; gives the locks that are made."""
    facade = Threading(scheduler, "a lock")
    gates = Threading(scheduler, "gate")
    select = types.SimpleNamespace(epoll=kernel.epoll, EPOLLIN=sockets.READ, EPOLLOUT=sockets.WRITE)
    socket = types.SimpleNamespace(socketpair=kernel.socketpair)
    changes: list[tuple[Any, str, Any]] = [
        (threads, "threading", facade),
        (threads, "_is_owned", RLock._is_owned),
        (threads.ThreadsDriver, "now", staticmethod(kernel.now)),
        (housekeeper, "threading", facade),
        (sockets, "threading", facade),
        (sockets, "select", select),
        (sockets, "socket", socket),
        (link, "threading", facade),
        (link, "send_now", kernel.send_now),
        (home, "threading", gates),
        (connecting, "threading", facade),
        (connecting, "new_socket", kernel.new_socket),
        (connecting, "candidates", lambda address: [(0, address)]),
        (session_module, "threading", facade),
        (session_module, "concurrent", Futures(scheduler)),
    ]
    before = [(where, name, vars(where)[name]) for where, name, _ in changes]
    for where, name, what in changes:
        setattr(where, name, what)
    try:
        yield facade.locks
    finally:
        for where, name, what in before:
            setattr(where, name, what)
