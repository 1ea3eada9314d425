"""A runner of each driver, and a peer to talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.peer import RUNNERS, Peer, Runner, ThreadsRunner


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server that answers at once, until it is told not to."""
    made = Peer()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=sorted(RUNNERS))
def runner(request: pytest.FixtureRequest, peer: Peer) -> Iterator[Runner]:
    """Each driver in turn."""
    made = RUNNERS[request.param]()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def threads(peer: Peer) -> Iterator[ThreadsRunner]:
    """The threads driver alone."""
    made = ThreadsRunner()
    try:
        yield made
    finally:
        made.close()
