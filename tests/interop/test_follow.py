"""A session follows ``gluster volume set`` on a real volume, with files open and in use."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.away import CREATING, until
from tests.api.faces import FACES, connect_face
from tests.bench.venue import GlusterVenue, gluster_venue
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip

#: Each has another graph; the last one is an option of a translator that is there.
CHANGES = (
    ("performance.write-behind", "off"),
    ("performance.read-ahead", "on"),
    ("performance.write-behind", "on"),
)


@pytest.fixture(scope="module")
def venue() -> Iterator[GlusterVenue]:
    """A volume of its own."""
    with tempfile.TemporaryDirectory(prefix="glusterio-", dir="/var/tmp") as place:
        start_or_skip(lambda _: real_gluster.unavailable(), Path(place))
        with gluster_venue(Path(place)) as venue:
            yield venue


@pytest.mark.parametrize("face", FACES)
def test_the_volume_changes_under_load(venue: GlusterVenue, face: str) -> None:
    block = b"x" * 4096
    with connect_face(face, venue.url) as volume:
        core = volume._session.core
        files = [volume.open_handle(f"/{face}-{number}", CREATING) for number in range(20)]
        first = core.graph.generation
        for number, (option, value) in enumerate(CHANGES, 1):
            setting = threading.Thread(target=venue.set, args=(option, value))
            setting.start()

            def has_come(wanted: int = first + number) -> bool:
                for file in files:
                    file.pwrite(block, 0)
                    assert file.pread(4096, 0) == block
                return core.graph.generation == wanted and len(core.graphs) == 1

            until(has_come)
            setting.join()
        venue.set("performance.md-cache-timeout", "3")
        until(lambda: bool(volume.stat("/")) and "md-cache-timeout 3" in core.volfile)
        assert core.graph.generation == first + len(CHANGES)
        for option in (*dict(CHANGES), "performance.md-cache-timeout"):
            venue.reset(option)
        for file in files:
            file.close()
            volume.unlink(file.path)
        report = volume.close()
    assert report.graceful, str(report)
