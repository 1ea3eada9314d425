"""The clients that glusterio is measured against: each does its lines, and does what they say.

Small figures, two rounds each. What they measure is of no account here.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import glusterio
from tests.bench.lines import BY_NAME, HANDLE_FILE, SMALL_FILE
from tests.bench.own.serving import offsets
from tests.bench.peer import Peer
from tests.bench.peers.catalogue import TAKES_PART, foreign_peers
from tests.interop.conftest import _unavailable
from tests.interop.real_gluster import GlusterVolume, poll

#: The bindings are got and compiled before the first test.
pytestmark = pytest.mark.timeout(240)

ROOT: Final = Path(__file__).parents[3]
ROUNDS: Final = 2
SEED: Final = 7
DATA: Final = 1 << 20

#: What the lines are told here instead of what they are told in a run.
LITTLE: Final[dict[str, Any]] = {
    "size": DATA,
    "count": 3,
    "seconds": 0.01,
    "entries": 20,
    "handles": 4,
    "seed": SEED,
}

#: One of each kind. ``c`` takes ten seconds for a close, and there is the same code in ``c-mended``.
LINES: Final = [
    *("connect", "pread4k", "pread4k_4t", "apread4k_8", "pwrite4k", "seqread128k", "seqwrite128k"),
    *("stat_cold", "stat_warm", "small", "create", "unlink", "readdirp500", "close_10"),
    *("sessions_100", "session_idle"),
]
TOO_LONG: Final = {("c", "close_10")}
CASES: Final = [
    (name, line)
    for name, lines in TAKES_PART.items()
    for line in LINES
    if line in lines and (name, line) not in TOO_LONG
]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Peer]:
    """All of them, made: compiled, and the bindings got from PyPI."""
    return {peer.name: peer for peer in foreign_peers(tmp_path_factory.mktemp("peers"))}


@pytest.fixture(scope="module")
def volume(gluster_volume: GlusterVolume) -> Iterator[glusterio.Volume]:
    with glusterio.connect(gluster_volume.url) as volume:
        yield volume


@pytest.fixture(scope="module")
def shared(volume: glusterio.Volume) -> Iterator[str]:
    """What the runner makes for the lines, in small."""
    root = f"/bench-peers-{os.getpid()}"
    listed = f"{root}/d{LITTLE['entries']}"
    try:
        for name in (f"{root}/names", f"{root}/handles", listed):
            volume.makedirs(name)
        volume.write_bytes(f"{root}/data", bytes(DATA))
        for number in range(ROUNDS * LITTLE["count"]):
            volume.write_bytes(f"{root}/names/f{number:06d}", bytes(SMALL_FILE))
        for number in range(LITTLE["handles"]):
            path = f"{root}/handles/f{number:03d}"
            volume.write_bytes(path, b"")
            volume.truncate(path, HANDLE_FILE)
        for number in range(LITTLE["entries"]):
            volume.write_bytes(f"{listed}/f{number}", b"")
        yield root
    finally:
        volume.rmtree(root)


class Conversation:
    """A peer at one line."""

    def __init__(self, peer: Peer, line: str, parameters: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [*peer.command, line, json.dumps(parameters)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **peer.environment},
            text=True,
        )

    def ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def quit(self) -> int:
        self._process.communicate("quit\n", timeout=20)
        return self._process.returncode

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def conversation(
    peers: dict[str, Peer], name: str, line: str, parameters: dict[str, Any]
) -> Iterator[Conversation]:
    """Start a peer for a line, unless it is not to be had here or has no such line."""
    peer = peers[name]
    if peer.without is not None:
        _unavailable(peer.without)
    with closing(Conversation(peer, line, parameters)) as talk:
        yield talk


def parameters_of(line: str, brick: GlusterVolume, shared: str, directory: str) -> dict[str, Any]:
    told = BY_NAME[line].told(quick=True)
    little = {key: value for key, value in LITTLE.items() if key in told}
    if line == "pwrite4k":
        little["count"] = LITTLE["count"]  # so that it can be told where it writes
    where = {"host": brick.host, "port": brick.glusterd_port, "volume": brick.volume}
    where["brick_pid"] = brick.brick_pid
    return {**told, **little, **where, "shared": shared, "dir": directory}


def operations(line: str) -> int | None:
    """How many a round has; None where the clock decides."""
    if line in ("seqread128k", "seqwrite128k"):
        return DATA >> 17
    if line.startswith(
        ("connect", "stat_cold", "small", "create", "unlink", "session", "pwrite4k")
    ):
        return int(LITTLE["count"])
    if line.startswith("readdirp"):
        return int(LITTLE["entries"])
    return 1 if line.startswith("close_") else None


@pytest.mark.parametrize(("name", "line"), CASES)
def test_a_line(
    name: str,
    line: str,
    peers: dict[str, Peer],
    gluster_volume: GlusterVolume,
    volume: glusterio.Volume,
    shared: str,
) -> None:
    directory = f"{shared}/{name}-{line}"
    volume.mkdir(directory)
    told = parameters_of(line, gluster_volume, shared, directory)
    before = gluster_volume.open_files()
    with conversation(peers, name, line, told) as talk:
        ready = talk.ask("prepare")
        assert ready["ready"] is True, ready
        assert len(ready.get("pids", ())) == (name == "fuse")
        for _ in range(ROUNDS):
            answer = talk.ask("go")
            assert answer.keys() >= {"ops", "seconds", "cpu", "bytes", "rss", "per"}, answer
            assert answer.get("brick_cpu", 0) >= 0
            assert answer["ops"] == (operations(line) or answer["ops"]) > 0
            assert 0 < answer["seconds"] < 10
            assert 0 <= answer["cpu"] < 10
            assert answer["rss"] > 1 << 20
            if line == "small" or ("block" in told and "size" in told):
                assert answer["bytes"] == answer["ops"] * told.get("block", SMALL_FILE)
        assert talk.quit() == 0
    assert poll(lambda: gluster_volume.open_files() <= before, 5.0)
    left = volume.listdir(directory)
    if line == "create":
        assert len(left) == ROUNDS * LITTLE["count"]
        assert all(len(volume.read_bytes(f"{directory}/{name}")) == SMALL_FILE for name in left)
        return
    if line == "pwrite4k":
        assert written(volume.read_bytes(f"{directory}/{left.pop()}")) == expected_offsets()
    assert left == []


def written(content: bytes) -> set[int]:
    """Where there are blocks of the peers' writing, in a file that was full of zeros."""
    assert len(content) == DATA
    return {at for at in range(0, DATA, 4096) if content[at : at + 4096] == b"x" * 4096}


def expected_offsets() -> set[int]:
    """Where the same peers have to write in all rounds: as glusterio's own do."""
    where = offsets({"size": DATA, "block": 4096, "seed": SEED})
    return set(itertools.islice(where, ROUNDS * LITTLE["count"]))


def is_mounted(place: str) -> bool:
    return f" {place} " in Path("/proc/mounts").read_text()


def test_a_killed_peer_leaves_no_mount(
    peers: dict[str, Peer], gluster_volume: GlusterVolume, volume: glusterio.Volume, shared: str
) -> None:
    directory = f"{shared}/killed"
    volume.mkdir(directory)
    told = parameters_of("pread4k", gluster_volume, shared, directory)
    with conversation(peers, "fuse", "pread4k", told) as talk:
        (daemon,) = talk.ask("prepare")["pids"]
        place = Path(f"/proc/{daemon}/cmdline").read_text().split("\0")[-2]
        assert is_mounted(place)
        talk.close()
    assert poll(lambda: not is_mounted(place), 5.0)
    shutil.rmtree(Path(place).parent)
