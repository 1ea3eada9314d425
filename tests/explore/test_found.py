"""Defects that the explorer has found, each with the line that replays it. They are mended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.explore.__main__ import main
from tests.explore.quiet import quiet

#: What was wrong, by the line. It is also in docs/proof.md: python tools/proof_page.py.
FOUND = {
    "scope-write-behind:0.0.0.0.0.0.0.0.0.0.0.1.1.1.0.4.1": (
        "a close failed since a deferred write was lost with its connection, the session was closed,"
        " and then its caller was cancelled: nobody was told of the loss"
    ),
    "scope-make:0.-1": (
        "a fork while a file is being made: in the child, dropping the coroutine moved a handle that"
        " its dead session does not have any more"
    ),
    "scope-open-threads:0.0.0.0.0.0.0.0.0.0.2.1.1.1.1.1.1": (
        "a handle was struck off, since the machine stood still for a second with the answer to its"
        " RELEASE in hand; when it went on, it gave a reference back to an inode table that was gone"
    ),
    "share-threads:0.0.0.0.0.0.0.0.5": (
        "the connection was lost between the admission of a dup and its first step: the second handle"
        " was open, and of a brick that was gone"
    ),
    "two-asyncio:0.0.2.-1": (
        "a fork while a task closed the session: in the child, dropping that task closed the"
        " connections once more, which the loop shares with the parent"
    ),
    "locks:0.0.0.0.0.3.2.0.0.10.5": (
        "a caller was cancelled before it took the lock that it had been granted, while its handle was"
        " being closed: the lock was dropped by a request that came after the RELEASE"
    ),
    "scope-open-threads:0.0.0.0.0.1.0.0.2.0.1.1": (
        "the machine stood still for a second after the connections were cut, and a handle whose"
        " RELEASE nobody had heard of was struck off as a defect: it was closed, with its connection"
    ),
    "two-reconnect-threads:3.0.1.0.1.0.1.0.0.0.0.0.7.0.0.0.0.0.0.0.5.0.6": (
        "a fork while a brick that had hung up was asked what it speaks: in the child, dropping the"
        " coroutine awaited the end of a connection"
    ),
    "share:": (
        "a dup's handle was reserved by no call that is under way, as the trace had it: a session that"
        " watches itself complained"
    ),
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@pytest.mark.parametrize("line", FOUND)
def test_it_is_mended(line: str, capsys: Any) -> None:
    assert main(["--replay", line]) == 0, capsys.readouterr().out
