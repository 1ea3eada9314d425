"""The same requests for leases on a GlusterFS brick and on ours: the same replies, the same recalls.

What a GlusterFS 10 brick cannot be asked:

* an OPEN that will not wait for a lease: it fails there with EINVAL, and its fd is freed twice, which
  ends the brick (leases.c, ``leases_open``);
* anything with a lease id that has no zero byte: it is compared with what is behind it in memory, too
  (leases-internal.c, ``__is_same_lease_id``);
* a new lease, once one of several holders has given his back, and not all of them.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from glusterio.wire.fops import locks
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.programs import Fop, LeaseCommand, LeaseType
from tests.brick.inside import InsideBrick
from tests.brick.lock_calls import errno_of, introduce
from tests.brick.raw import RawClient
from tests.brick.test_leases import Lessee
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import HandBrick

READ, RW = LeaseType.READ, LeaseType.READ_WRITE
GET, SET, UNLOCK = LeaseCommand


class Scene:
    """A brick, and its clients with one file.

    Args:
        port: the brick's port.
        subvolume: its name.
        stack: ends the clients.
    """

    def __init__(self, port: int, subvolume: str, stack: ExitStack) -> None:
        self._port, self._subvolume, self._stack = port, subvolume, stack
        maker = self._client()
        made = maker.create(f"leases-{uuid.uuid4()}")
        maker.write(made.stat.gfid, made.fd, b"content")
        maker.release(made.stat.gfid, made.fd)
        self.gfid = made.stat.gfid
        self.one, self.two = self.lessee("one"), self.lessee("two")

    def _client(self) -> RawClient:
        return introduce(self._stack.enter_context(RawClient(self._port)), self._subvolume)

    def lessee(self, who: str) -> Lessee:
        return Lessee(self._client(), self.gfid, who.encode().ljust(15, b"-") + b"\0")


def grants(scene: Scene) -> Iterator[Any]:
    one, two = scene.one, scene.two
    yield one.lease(0, GET)
    yield one.lease(READ), two.lease(READ), two.lease(0, GET)
    yield one.lease(RW, UNLOCK)[0], one._replace(id=bytes(16)).lease(READ)[0]
    request = locks.LeaseRequest(one.gfid, locks.Lease(9, READ, one.id))
    yield errno_of(one.client.fop(Fop.LEASE, request)[0])
    yield one.lease(READ, UNLOCK), one.lease(READ, UNLOCK), two.lease(0, GET)
    yield two.lease(READ, UNLOCK), two.lease(0, GET)
    yield one.lease(RW), one.lease(READ), two.lease(0, GET)
    yield one.lease(RW, UNLOCK), two.lease(0, GET)
    yield one.lease(READ, UNLOCK), two.lease(0, GET)


def opened(scene: Scene) -> Iterator[Any]:
    """One's own descriptors do not keep a lease away, and one's own requests name its id."""
    one, two = scene.one, scene.two
    mine = one.open(os.O_RDWR, one.xdata)
    yield one.lease(RW)
    write = WriteRequest(one.gfid, mine, 0, 4, 0, one.xdata)
    yield one.client.fop(Fop.WRITE, write, b"data")[0].op_ret
    yield one.client.fop(Fop.READ, ReadRequest(one.gfid, mine, 0, 9, 0, one.xdata))[1]
    yield one.lease(RW, UNLOCK)
    one.client.release(one.gfid, mine)
    yield two.lease(RW)


def waits(scene: Scene) -> Iterator[Any]:
    one, two = scene.one, scene.two
    yield one.lease(READ), two.lease(READ)
    other = scene.lessee("other")
    other.post_truncate(3)
    one.recalled()
    two.recalled()
    yield one.lease(READ)[0]
    yield one.lease(READ, UNLOCK), two.lease(READ, UNLOCK)
    yield other.truncated()


def refused(scene: Scene) -> Iterator[Any]:
    one, two = scene.one, scene.two
    yield one.lease(RW), two.lease(READ)[0]
    one.recalled()
    yield one.lease(RW, UNLOCK)


def ends(scene: Scene) -> Iterator[Any]:
    one, two = scene.one, scene.two
    yield one.lease(RW)
    two.post_truncate()
    one.recalled()
    one.client.close()
    yield two.truncated()


def takes_too_long(scene: Scene) -> Iterator[Any]:
    one, two = scene.one, scene.two
    yield one.lease(RW)
    two.post_truncate()
    one.recalled()
    yield two.truncated()
    yield one.lease(RW, UNLOCK)


SCENES: tuple[Callable[[Scene], Iterator[Any]], ...] = (
    grants,
    opened,
    waits,
    refused,
    ends,
    takes_too_long,
)


@pytest.fixture(scope="module")
def theirs() -> Iterator[HandBrick]:
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield start_or_skip(
            lambda place: real_gluster.start_hand_brick(place, leases="on"), directory
        )
    finally:
        real_gluster.stop(directory)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InsideBrick]:
    with InsideBrick(tmp_path_factory.mktemp("brick")) as brick:
        brick.set_options({"features.leases": "on", "features.lease-lock-recall-timeout": "2"})
        yield brick


@contextmanager
def scene_of(port: int, subvolume: str) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(port, subvolume, stack)


@pytest.mark.parametrize("scene", SCENES)
def test_the_same_is_said(
    scene: Callable[[Scene], Iterator[Any]], theirs: HandBrick, ours: InsideBrick
) -> None:
    with scene_of(theirs.brick_port, "/hand") as at_theirs:
        expected = list(scene(at_theirs))
    with scene_of(ours.brick_port, str(ours.directory)) as at_ours:
        assert list(scene(at_ours)) == expected
    ours.wait_for(leases=0, waiting_for_leases=0)
