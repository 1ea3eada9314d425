"""Trees and many paths on a real brick: how many requests, and what a cut leaves open."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio import SessionClosedError, aio
from glusterio.wire.programs import Fop
from tests.api.drivers import PATIENCE, Driver
from tests.api.tap import Tap
from tests.api.test_close_cancel import cancelled_after
from tests.api.test_copies import BY_ANOTHER
from tests.api.test_in_flight import asked, most_at_once, tree
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import HandBrick


@pytest.fixture(scope="module")
def own() -> Iterator[HandBrick]:
    """A brick of this module's."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        yield start_or_skip(real_gluster.start_hand_brick, directory)
    finally:
        real_gluster.stop(directory)


@pytest.fixture
def tap(own: HandBrick) -> Iterator[Tap]:
    with Tap(("127.0.0.1", own.brick_port)) as made:
        yield made


@pytest.fixture
def url(own: HandBrick, tap: Tap, tmp_path: Path) -> str:
    text = Path(own.client_vol).read_text()
    volfile = tmp_path / "through.vol"
    volfile.write_text(text.replace(f"remote-port {own.brick_port}", f"remote-port {tap.port}"))
    return f"volfile://{volfile}"


def plant(vol: Any, driver: Driver, name: str) -> None:
    """A tree with a few of everything."""
    for number in range(3):
        driver.do(vol.makedirs, f"{name}/d{number}/below")
        for letter in "ab":
            path = f"{name}/d{number}/below/{letter}"
            driver.do(vol.write_bytes, path, letter.encode() * 100_000)
            driver.do(vol.write_bytes, f"{name}/d{number}/{letter}", letter.encode() * 10)


def test_requests(driver: Driver, own: HandBrick, tap: Tap, url: str) -> None:
    """The same figures as on our own brick."""
    vol = driver.connect(url)
    driver.do(vol.mkdir, "many")
    paths = [f"many/f{number}" for number in range(100)]
    for path in paths:
        driver.do(vol.write_bytes, path, path.encode())
    tap.log.clear()
    assert driver.do(vol.read_bytes, paths[0]) == paths[0].encode()
    assert asked(tap)["LOOKUP"] <= 2
    assert asked(tap).keys() == {"LOOKUP"}
    tap.log.clear()
    assert driver.do(vol.read_many, paths) == [path.encode() for path in paths]
    assert asked(tap)["LOOKUP"] <= 101
    assert asked(tap).keys() == {"LOOKUP"}
    assert most_at_once(tap) >= 64
    tap.log.clear()
    driver.do(vol.copytree, "many", "copy")
    assert asked(tap)["READ"] == asked(tap)["WRITE"] == 100  # it must not be asked to copy
    assert asked(tap)["COPY_FILE_RANGE"] == 0
    assert driver.do(vol.read_many, [path.replace("many", "copy") for path in paths]) == [
        path.encode() for path in paths
    ]
    tap.log.clear()
    driver.do(vol.rmtree, "many")
    assert asked(tap)["UNLINK"] == 100
    assert sum(asked(tap).values()) <= 106
    driver.do(vol.rmtree, "copy")
    assert driver.do(vol.listdir) == []
    driver.do(vol.close)
    assert tap.released() == tap.opened()


@pytest.mark.parametrize("operation", ["rmtree", "copytree", "read_many", "du"])
def test_cancelled_after_any_number_of_turns(
    own: HandBrick, tap: Tap, url: str, operation: str
) -> None:
    async def attempts() -> None:
        async with aio.connect(url) as vol:
            completed, turns = 0, 1
            while completed < 1 and turns < 500:
                name = f"cut-{turns}"
                for number in range(3):
                    await vol.makedirs(f"{name}/d{number}/below")
                    for path in ("a", "b", "below/a", "below/b"):
                        await vol.write_bytes(f"{name}/d{number}/{path}", b"x" * 70_000)

                async def whole(name: str = name) -> bool:
                    await tree(vol, operation, name)
                    return True

                completed += await cancelled_after(turns, whole()) is not None
                for left in (name, f"{name}-copy"):
                    await vol.rmtree(left, ignore_errors=True)
                turns += 1 + turns // 2
            assert await vol.listdir() == []
        assert tap.released() == tap.opened()

    asyncio.run(attempts())
    assert own.no_files_open()


@pytest.mark.parametrize(
    ("operation", "held_back"),
    [("rmtree", Fop.UNLINK), ("copytree", Fop.WRITE), ("read_many", Fop.READ)],
)
def test_the_session_closes_in_the_middle(
    driver: Driver, own: HandBrick, tap: Tap, url: str, operation: str, held_back: Fop
) -> None:
    name = f"closed-{operation}-{driver.name}"
    vol = driver.connect(url)
    plant(vol, driver, name)
    tap.hold(held_back)
    under_way = driver.start(lambda: tree(vol, operation, name))
    tap.wait_for(lambda: len(tap.kept) >= 1)
    closing = driver.start(vol.close, grace=0.0)
    with pytest.raises(SessionClosedError):
        under_way.result(PATIENCE)
    tap.let_go()
    report = closing.result(PATIENCE)
    assert not report.defects
    assert not report.errors
    assert own.no_files_open()
    vol = driver.connect(url)
    for left in (name, f"{name}-copy"):
        driver.do(vol.rmtree, left, True)
    driver.do(vol.close)


@pytest.mark.skipif(os.geteuid() != 0, reason="to be somebody else takes root")
def test_attributes_of_somebody_elses_file_are_not_set(own: HandBrick) -> None:
    """A GlusterFS brick sets the times alone of any file that may be written to."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", BY_ANOTHER, own.url], check=True, timeout=PATIENCE
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="to be somebody else takes root")
def test_what_may_not_be_read_does_not_come_with_a_lookup(own: HandBrick) -> None:
    """A brick hands the content of a small file to whoever asks by LOOKUP; we do not."""
    program = textwrap.dedent(
        """
        import os, struct, sys, glusterio
        with glusterio.connect(sys.argv[1]) as vol:
            vol.write_bytes("secret", b"for root")
            vol.chmod("secret", 0o600)
            vol.write_bytes("open", b"for all")
            vol.chmod("open", 0o644)
            vol.write_bytes("by-list", b"for all but one")
            vol.chmod("by-list", 0o644)
            entries = ((1, 6, -1), (2, 0, 65534), (4, 4, -1), (16, 4, -1), (32, 4, -1))
            rules = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *one) for one in entries)
            vol.setxattr("by-list", "system.posix_acl_access", rules)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with glusterio.connect(sys.argv[1]) as vol:
            assert vol.read_bytes("open") == b"for all"
            found = vol.read_many(["secret", "by-list", "open"], return_exceptions=True)
            assert isinstance(found[0], PermissionError), found
            assert isinstance(found[1], PermissionError), found
            assert [one.filename for one in found[:2]] == ["secret", "by-list"]
            assert found[2] == b"for all"
        """
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program, own.url], check=True, timeout=PATIENCE
    )
