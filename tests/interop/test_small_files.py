"""Small files on real bricks: one LOOKUP, no OPEN; and who may not read a file cannot open it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio.brick.volfiles import client_volfile, section
from glusterio.wire.programs import Fop
from tests.api import as_user
from tests.api.faces import FACES, connect_face
from tests.api.tap import Tap
from tests.interop.real_gluster import GlusterVolume, HandBrick


def volfile(directory: Path, port: int) -> str:
    """Write the graph of a hand brick with quick-read and open-behind; return its URL."""
    text = client_volfile("hand", "127.0.0.1", "/hand", port=port)
    text += section("behind", "performance/open-behind", {}, ("hand-client-0",))
    text += section("quick", "performance/quick-read", {"cache-timeout": "600"}, ("behind",))
    path = directory / "small.vol"
    path.write_text(text)
    return f"volfile://{path}"


@pytest.fixture
def place(gluster_volume: GlusterVolume) -> Iterator[str]:
    name = f"small-{uuid.uuid4()}"
    with glusterio.connect(gluster_volume.url) as volume:
        volume.mkdir(name)
        yield name
        volume.rmtree(name)


@pytest.mark.parametrize("size", [0, 5, 4096, 65536])
def test_one_lookup_on_the_wire(hand_brick: HandBrick, tmp_path: Path, size: int) -> None:
    name, content = f"small-{uuid.uuid4()}", os.urandom(size)
    with glusterio.connect(hand_brick.url) as other:
        other.write_bytes(name, content)
    with Tap(("127.0.0.1", hand_brick.brick_port)) as tap:
        with glusterio.connect(volfile(tmp_path, tap.port)) as volume:
            with volume.open(name, "rb") as file:
                assert file.read() == content
            assert [seen.fop for seen in tap.log if seen.kind == "call"] == [Fop.LOOKUP]
            volume.unlink(name)
        assert tap.calls(Fop.OPEN) == tap.calls(Fop.RELEASE) == 0


@pytest.mark.parametrize("face", FACES)
def test_what_is_read_and_kept_open_on_a_volume_as_glusterd_has_it(
    face: str, gluster_volume: GlusterVolume, place: str
) -> None:
    with connect_face(face, gluster_volume.url) as volume:
        for number in range(20):
            volume.write_bytes(f"{place}/{number}", b"%d" % number)
        files: list[Any] = [volume.open_handle(f"{place}/{number}") for number in range(20)]
        assert [file.pread(10, 0) for file in files] == [b"%d" % number for number in range(20)]
        for number in range(20):
            volume.unlink(f"{place}/{number}")
        assert [file.fstat().st_size for file in files] == [1] * 10 + [2] * 10
        assert [file.pread(10, 0) for file in files] == [b"%d" % number for number in range(20)]
        for file in files[10:]:
            file.close()
    report = volume.close()
    assert len(report.handles) == 10
    assert not report.errors


def test_the_brick_hears_of_files_when_something_needs_them(
    own_hand_brick: HandBrick, tmp_path: Path
) -> None:
    with glusterio.connect(volfile(tmp_path, own_hand_brick.brick_port)) as volume:
        for name in "abc":
            volume.write_bytes(name, b"content")
        assert own_hand_brick.no_files_open()
        files = [volume.open_handle(name) for name in "abc"]
        assert own_hand_brick.open_files() == 0
        volume.unlink("a")
        assert own_hand_brick.open_files() == 1
        volume.rename("b", "c")
        assert own_hand_brick.open_files() == 3
        assert [file.pread(10, 0) for file in files] == [b"content"] * 3
        files[0].close()
    assert volume.close().graceful
    assert own_hand_brick.no_files_open()


def test_who_may_not_read_a_file_cannot_open_it(own_hand_brick: HandBrick, tmp_path: Path) -> None:
    """A GlusterFS brick gives the content to anybody: it is the client that judges, or asks."""
    for place in tmp_path.parents:  # the user has to come to the volfile
        if place.is_relative_to(tempfile.gettempdir()) and place != Path(tempfile.gettempdir()):
            place.chmod(place.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    expected = as_user.expected(tmp_path)
    found = as_user.outcomes("threads", volfile(tmp_path, own_hand_brick.brick_port))
    assert [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]] == []
    assert own_hand_brick.no_files_open()
