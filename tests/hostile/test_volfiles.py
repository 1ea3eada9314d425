"""Volfiles from a management daemon that means ill: each is refused, and nothing is done by it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from glusterio.errors import GlusterError, UnsupportedGraphError, VolfileError
from glusterio.graph.graph import MAX_DEPTH
from glusterio.graph.volfile import MAX_VOLFILE
from glusterio.wire.handshake import GetspecReply
from glusterio.wire.messages import encode
from tests.api.drivers import Driver
from tests.hostile.server import Asked, Daemon, reply, volfile


def given(text: str) -> Daemon:
    """Return a daemon that gives this volfile."""

    def answer(asked: Asked) -> Iterable[bytes]:
        spec = GetspecReply(len(text), 0, text)
        return (reply(asked.header.xid, encode(spec)),)

    return Daemon(answer)


def test_a_volfile_that_names_this_machines_own_disk(driver: Driver, tmp_path: Path) -> None:
    """Else the server would choose which of the user's files an application reads and removes."""
    text = f"volume v\n  type storage/posix\n  option directory {tmp_path}\nend-volume\n"
    with given(text) as daemon, pytest.raises(UnsupportedGraphError, match="storage/posix"):
        driver.connect(f"gluster://127.0.0.1:{daemon.port}/vol")
    assert list(tmp_path.iterdir()) == []


def test_a_volfile_that_names_a_socket_of_this_machine(driver: Driver, tmp_path: Path) -> None:
    """Else the server would choose which of the user's other programs is spoken to. On disk it may."""
    path = str(tmp_path / "socket")
    text = volfile(1, "/brick").replace("remote-port 1", f"transport.socket.connect-path {path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        with given(text) as daemon, pytest.raises(VolfileError, match="Unix socket"):
            driver.connect(f"gluster://127.0.0.1:{daemon.port}/vol")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_volfile_that_is_too_deep(driver: Driver) -> None:
    text = volfile(1, "/brick", *["performance/md-cache"] * MAX_DEPTH)
    with given(text) as daemon, pytest.raises(VolfileError, match="the limit is 64"):
        driver.connect(f"gluster://127.0.0.1:{daemon.port}/vol")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "volume v\n" * 1000,
        "#" * MAX_VOLFILE + "\n",
        "volume a\n type cluster/distribute\n subvolumes b\nend-volume\n"
        "volume b\n type cluster/distribute\n subvolumes a\nend-volume\n",
        "volume v\n type `touch /tmp/x`\nend-volume\n",
        volfile(1, "/brick").replace("port 1", "port many"),
        volfile(1, "/brick").replace("port 1", "port -1"),
        volfile(1, "/brick").replace("port 1", "port 99999999999999999999"),
        volfile(1, "/brick").replace("remote-host 127.0.0.1", "remote-host " + "a." * 5000),
        volfile(1, "/brick").replace("127.0.0.1", '"\xff..\xfe"'),
        volfile(1, "/brick", "performance/write-behind").replace(
            "write-behind\n", "write-behind\n option cache-size -1e99\n"
        ),
        volfile(1, "/brick").replace("port 1", "port 1\n option ping-timeout never"),
    ],
    ids=["empty", "unfinished", "long", "circle", "command", "no-port", "negative-port",
         "huge-port", "long-host", "odd-host", "odd-size", "odd-time"],
)  # fmt: skip
def test_a_volfile_of_nonsense(driver: Driver, text: str) -> None:
    with given(text) as daemon, pytest.raises((GlusterError, OSError)):
        driver.connect(f"gluster://127.0.0.1:{daemon.port}/vol")
