"""Where is measured: a volume of a real glusterd, and one of ``glusterio serve``.

The volume is one of its own, as ``gluster volume create`` makes it, so that whoever else uses that
glusterd (``GLUSTERIO_INTEROP_DIR``, see ``tests/interop``) notices nothing; both are gone afterwards.
"""

from __future__ import annotations

import contextlib
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.embedded import start_brick
from tests.interop import real_gluster
from tests.interop.real_gluster import GlusterVolume, SetUpError

#: The volume's name, before the number of the process that measures.
PREFIX: Final = "glusterio-bench-"


@dataclass(frozen=True)
class Venue:
    """A volume to measure on.

    Attributes:
        name: of the brick's software: ``glusterfsd``, ``glusterio``.
        host: of the management daemon,
        port: its port,
        volume: and the volume's name.
        brick_pid: the brick's process.
        brick_port: where the brick listens.
    """

    name: str
    host: str
    port: int
    volume: str
    brick_pid: int
    brick_port: int

    @property
    def url(self) -> str:
        """For glusterio."""
        return f"gluster://{self.host}:{self.port}/{self.volume}"

    def parameters(self) -> dict[str, object]:
        """For peers."""
        return {"host": self.host, "port": self.port, "volume": self.volume}


@dataclass(frozen=True)
class GlusterVenue(Venue):
    """A volume of a glusterd."""

    glusterd: GlusterVolume
    volfile: Path

    def set(self, option: str, value: str) -> None:
        """Set an option of the volume; sessions made from now on have it."""
        self.glusterd.gluster("volume", "set", self.volume, option, value)

    def reset(self, option: str) -> None:
        """Have an option as shipped again."""
        self.glusterd.gluster("volume", "reset", self.volume, option)

    def volfile_through(self, port: int, place: Path) -> Path:
        """Write the client's volfile as it is now, with another port in place of the brick's."""
        text = self.volfile.read_text()
        mark = "    option remote-host "
        assert text.count(mark) == 1, text
        text = text.replace(mark, f"    option remote-port {port}\n    option remote-host ")
        path = place / f"{self.volume}-{port}.vol"
        path.write_text(text)
        return path


@contextmanager
def gluster_venue(place: Path) -> Iterator[GlusterVenue]:
    """A volume of a real glusterd: of the one that runs already, if we are told of one.

    Args:
        place: an empty directory for the brick, and for glusterd if it has to be started. Its path
            must be short.

    Raises:
        SetUpError: it did not come up.
    """
    given = os.environ.get("GLUSTERIO_INTEROP_DIR")
    running = real_gluster.load(given).volume if given else None
    if running is not None:
        with _volume_of(running, place) as venue:
            yield venue
        return
    reason = real_gluster.unavailable()
    if reason is not None:
        raise SetUpError(reason)
    own = place / "own"
    try:
        with _volume_of(real_gluster.start_volume(own), place) as venue:
            yield venue
    finally:
        real_gluster.stop(own)


@contextmanager
def _volume_of(glusterd: GlusterVolume, place: Path) -> Iterator[GlusterVenue]:
    _clear_away(glusterd)
    name = f"{PREFIX}{os.getpid()}"
    brick = place / "brick"
    brick.mkdir(parents=True)
    left: list[str] = []
    try:
        glusterd.gluster("volume", "create", name, f"{glusterd.host}:{brick}", "force")
        # Whoever measures is not always root, and asks from any port.
        glusterd.gluster("volume", "set", name, "server.allow-insecure", "on")
        glusterd.gluster("volume", "start", name)
        seen: list[tuple[int, int]] = []

        def is_online() -> bool:
            found = online(glusterd, name)
            if found is not None:
                seen.append(found)
            return bool(seen)

        if not real_gluster.poll(is_online):
            raise SetUpError(f"the brick of {name} is not online")
        pid, port = seen[0]
        left = real_gluster.left_by(pid)
        if not real_gluster.poll(lambda: real_gluster.listening(port)):
            raise SetUpError(f"the brick of {name} does not listen on port {port}")
        work = Path(glusterd.glusterd_sock).parent / "work" / "vols" / name
        yield GlusterVenue(
            "glusterfsd",
            glusterd.host,
            glusterd.glusterd_port,
            name,
            pid,
            port,
            glusterd,
            work / f"{name}.tcp-fuse.vol",
        )
    finally:
        _delete(glusterd, name)
        for path in left:
            Path(path).unlink(missing_ok=True)


def _delete(glusterd: GlusterVolume, name: str) -> None:
    with contextlib.suppress(SetUpError):  # it may not have been started
        glusterd.gluster("volume", "stop", name, "force")
    with contextlib.suppress(SetUpError):
        glusterd.gluster("volume", "delete", name)


def _clear_away(glusterd: GlusterVolume) -> None:
    """Delete the volumes of runs that were killed."""
    for name in glusterd.gluster("volume", "list").split():
        number = name.removeprefix(PREFIX)
        if number != name and number.isdigit() and not Path(f"/proc/{number}").exists():
            _delete(glusterd, name)


def online(glusterd: GlusterVolume, name: str) -> tuple[int, int] | None:
    """The brick's pid and port, once glusterd says that it is online."""
    try:
        tree = ElementTree.fromstring(glusterd.gluster("volume", "status", name, "--xml"))
    except SetUpError:
        return None
    node = tree.find("./volStatus/volumes/volume/node")
    if node is None or node.findtext("status") != "1":
        return None
    pid, port = node.findtext("pid", ""), node.findtext("port", "")
    return (int(pid), int(port)) if pid.isdigit() and port.isdigit() else None


@contextmanager
def serve_venue(place: Path) -> Iterator[Venue]:
    """A volume of glusterio's own brick, as a process of its own.

    Args:
        place: a directory for what it serves.
    """
    data = place / "served"
    data.mkdir(parents=True)
    with start_brick(data, "served") as brick:
        yield Venue("glusterio", "127.0.0.1", brick.port, "served", brick.pid, brick.brick_port)
