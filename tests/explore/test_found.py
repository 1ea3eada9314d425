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
    "scope-reload-open:0.0.0.0.0.0.0.0.0.1": (
        "the session was closed while the fd of an old graph was being released: its file was closed,"
        " and the brick let go of that fd only when its connection ended"
    ),
    "reload-use:0.0.0.0.0.0.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2": (
        "a file was closed while it was being opened in a new graph: it was closed before the brick had"
        " let go of the new fd"
    ),
    "reload-close:0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9": (
        "a new graph's connection was lost when the session was about to go over to it: it did, and its"
        " files were open in a graph that was down"
    ),
    "reload-locks-asyncio:2.6": (
        "the connection was lost while the graph was being exchanged: the new graph was up, and"
        " whatever was opened in it was stale at once"
    ),
    "reload-locks:0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.10": (
        "a file's locks had been moved to a new graph when that one's connection was lost, and could"
        " not be had back: the file went on as if it had them"
    ),
    "reload-locks-reconnect:0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6": (
        "a file's locks were being moved back to the old graph, where one could ask for others already"
    ),
    "reload-locks-asyncio:2.0.1.0.1.3.3": (
        "whoever opened a file in the old graph gave up, and the brick refused: that graph, with no"
        " open file left, went on until the session's end"
    ),
    "reload-share-reconnect-asyncio:2.0.1.0.1.0.1": (
        "a second handle was made of a file that was still in the old graph; when both were carried, a"
        " session that watches itself complained"
    ),
    "reload-options-reconnect-threads:0.0.0.0.0.0.0.0.0.4.0.0.0.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.0.0.5.0.0.0.0.0.0.0.0.0.0."
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0."
    "0.0.1": (
        "a connection was lost again while what had been open was being opened anew: who had waited for"
        " it since the first loss waited for ever, also when the session was closed"
    ),
    "reload-share-reconnect:0.0.0.0.0.0.7.0.0.0.0.5.0.0.0.0.0.0.0.5": (
        "a new graph's connection was lost and made again before the graph was in use: that was said of"
        " a graph that there was not yet"
    ),
    "submit-reconnect:1.0.0.4.0.0.0.0.3.0.1": (
        "a file was closed when it had been opened on a new connection and was being looked at: the"
        " RELEASE overtook that request"
    ),
    "three-reconnect-threads:0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.0.4.0.0.0.0.0.0.0.0.0.0.0.0.8": (
        "a file that could not be had back was closed on its brick again while it counted as open there"
    ),
    "reload-anew-threads:0.1.0.3.0.0.0.2.0.3.0.0.0.0.0.0.0.0.0.2.0.5.1.2.19": (
        "a fork while the volfile was asked for anew: in the child, dropping the coroutine awaited"
        " the end of the connection to the daemon"
    ),
    "reload-lax-locks-asyncio:0.0.0.0.2.0.0.0.0.0.6": (
        "a new graph's connection was lost while a file's locks were on their way to it: the file was"
        " said to be lost with its own connection, which was up, and a session that watches itself"
        " complained of the next file"
    ),
    "reload-lax-locks-reconnect-asyncio:0.0.0.0.4.0.8": (
        "whoever asked for a lock was cancelled, it was granted all the same, and the connection was"
        " lost when it was being given back: that was given up, and the lock was taken anew for nobody"
    ),
    "reload-lax-locks-reconnect-asyncio:1.0.0.0.0.1.1.0.0.0.0.0.10": (
        "a lock was being dropped when the connection was lost: its holder was told that it was gone"
        " with that, and it was taken anew on the next one"
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
