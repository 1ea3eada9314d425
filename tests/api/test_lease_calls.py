"""Leases by the public faces: nothing in their holder's way, and none that nobody knows of."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from glusterio import LeaseType, Upcall, UpcallKind, aio
from glusterio.brick.stored_options import store_options
from glusterio.brick.volfiles import client_volfile
from glusterio.wire.programs import Fop
from tests.api.faces import FACES, connect_face
from tests.api.parity import uproot
from tests.api.tap import Tap
from tests.embedded import BrickProcess, start_brick


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick that grants leases; in the place of the one that other tests share."""
    directory = tmp_path_factory.mktemp("leasing")
    store_options(str(directory), {"features.leases": "on"})
    with start_brick(directory) as process:
        yield process


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, url: str, brick: BrickProcess) -> Iterator[Any]:
    with connect_face(request.param, url) as volume:
        with volume.open("f", "wb") as file:
            file.write(b"0123456789")
        yield volume
        uproot(volume)
    brick.wait_for(fds=0, leases=0, pending=0)


@pytest.fixture
def another_graph(brick: BrickProcess, tap: Tap) -> str:
    """A volfile that the session goes over to a new graph for."""
    return (
        client_volfile("vol", "127.0.0.1", str(brick.directory), port=tap.port)
        + "volume top\n  type performance/md-cache\n  subvolumes vol-client-0\nend-volume\n"
    )


def test_nothing_of_the_holders_own_waits(volume: Any) -> None:
    """Each request says in whose name it is, however it is packed."""
    with volume.lease_id(b"me"), volume.deadline(20):
        found = volume.lookup("f")
        with found, found.lease(LeaseType.READ_WRITE):
            with volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file:
                assert file.pwrite(b"ab", 0) == 2
                assert file.pread(3, 0) == b"ab2"
                buffer = bytearray(4)
                assert file.read_into(buffer, 1) == 4
                assert buffer == b"b234"
                file.lockf(os.F_TLOCK, 5)
                file.setxattr("user.x", b"y")
                file.truncate(7)
                file.fallocate(0, 8)
            assert found.write(b"c", 2) == 1
            assert found.read(4, 0) == b"abc3"
            found.chmod(0o640)
            volume.link("f", "g")
            volume.rename("g", "h")
            volume.unlink("h")
            volume.unlink("f")


def test_another_holder_of_the_session_is_another(volume: Any, brick: BrickProcess) -> None:
    with volume.lookup("f") as found:
        with volume.lease_id(b"me"):
            lease = found.lease()
            lease.acquire()
        with volume.lease_id(b"you"), found.lease(LeaseType.READ):
            assert brick.dump()["leases"] == 2
        with volume.lease_id(b"you"), pytest.raises(PermissionError):
            found.lease(LeaseType.READ_WRITE).acquire()
        lease.release()  # in the name that it was taken in
        assert brick.dump()["leases"] == 0
        with pytest.raises(ValueError, match="lease id"):
            lease.acquire()


def test_the_end_of_the_session_is_the_end_of_its_leases(
    url: str, brick: BrickProcess, volume: Any
) -> None:
    with connect_face("threads", url) as other, other.lease_id(b"me"), other.lookup("f") as found:
        lease = found.lease()
        lease.acquire()
        assert other.close().graceful
        lease.release()
    brick.wait_for(leases=0)


def test_it_is_gone_with_the_connection(volume: Any, tap: Tap, brick: BrickProcess) -> None:
    events = volume.upcalls({UpcallKind.LEASE_RECALL})
    with volume.lease_id(b"me"), volume.lookup("f") as found, volume.deadline(20):
        lease, back = found.lease(LeaseType.READ_WRITE), found.lease()
        lease.acquire()
        back.acquire()
        back.release()
        tap.cut()
        assert next(events) == Upcall(UpcallKind.LEASE_RECALL, found.gfid)
        lease.release()  # which is no error: it is as its holder wants it
        brick.wait_for(leases=0)
        lease.acquire()
        assert brick.dump()["leases"] == 1
        lease.release()
        tap.cut()
        assert found.read(4, 0) == b"0123"
    events.close()
    assert list(events) == [], "what was given back is not recalled"


def test_it_is_gone_with_the_graph(volume: Any, brick: BrickProcess, another_graph: str) -> None:
    events = volume.upcalls({UpcallKind.LEASE_RECALL})
    with volume.lease_id(b"me"), volume.lookup("f") as found, volume.deadline(20):
        lease = found.lease(LeaseType.READ_WRITE)
        lease.acquire()
        volume.reload(another_graph)
        assert next(events) == Upcall(UpcallKind.LEASE_RECALL, found.gfid)
        brick.wait_for(leases=0)
        lease.release()
        assert found.read(4, 0) == b"0123"
    events.close()


def test_nothing_keeps_it_in_a_graph_that_is_still_needed(
    volume: Any, brick: BrickProcess, another_graph: str
) -> None:
    """A file without a name stays in the old graph, and the lease does not."""
    with volume.open_handle("removed", os.O_RDWR | os.O_CREAT) as file:
        volume.unlink("removed")
        events = volume.upcalls({UpcallKind.LEASE_RECALL})
        with volume.lease_id(b"me"), volume.lookup("f") as found, volume.deadline(20):
            found.lease(LeaseType.READ_WRITE).acquire()
            report = volume.reload(another_graph)
            assert len(report.left_behind) == 1
            assert next(events).gfid == found.gfid
            brick.wait_for(leases=0)
        events.close()
        file.pwrite(b"x", 0)


def test_a_kind_that_there_is_not(volume: Any) -> None:
    with (
        volume.lookup("f") as found,
        pytest.raises(ValueError, match="77 is not a valid LeaseType"),
    ):
        found.lease(77)


@pytest.mark.parametrize("name", [b"", b"\0\0", b"x" * 16])
def test_names_that_no_holder_can_have(volume: Any, name: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 15 bytes"):
        volume.lease_id(name)


async def _taking(found: aio.Object) -> None:
    await found.lease().acquire()


@pytest.mark.parametrize("has_come", [False, True])
def test_one_that_nobody_waits_for_is_given_back(
    volume: Any, url: str, tap: Tap, brick: BrickProcess, has_come: bool
) -> None:
    async def attempt() -> None:
        async with aio.connect(url) as vol, await vol.lookup("f") as found:
            tap.hold(Fop.LEASE)
            with vol.lease_id(b"me"):
                task = asyncio.ensure_future(_taking(found))
            await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) >= 1)
            assert brick.dump()["leases"] == 1
            if has_come:
                tap.let_go()
                while vol._session.core.session.calls:
                    await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            tap.let_go()
            await asyncio.to_thread(brick.wait_for, leases=0)

    asyncio.run(attempt())
