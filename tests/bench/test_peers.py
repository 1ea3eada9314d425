"""The runner's side of a peer: what it says, what it does not say, how it ends; and our own peers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import glusterio
from tests.bench.own.catalogue import own_peers
from tests.bench.peer import Peer
from tests.bench.process import PeerError, PeerSkips, RunningPeer
from tests.bench.relay import counting_relay
from tests.embedded import start_brick

BEGIN = "import sys, os, json, time\nfor command in sys.stdin:\n"


def peer(program: str) -> Peer:
    """A peer that runs this for every command."""
    body = "".join(f"    {line}\n" for line in program.splitlines())
    return Peer("it", "it", (sys.executable, "-c", BEGIN + body))


def test_a_peer_answers() -> None:
    program = "print(json.dumps({'said': command.strip(), 'told': sys.argv[1:]}), flush=True)"
    with RunningPeer(peer(program), "pread4k", {"block": 1}) as running:
        running.tell("prepare")
        running.tell("go")
        assert running.answer(20)["told"] == ["pread4k", '{"block": 1}']
        assert running.answer(20)["said"] == "go"


def test_a_peer_may_have_no_such_line() -> None:
    with RunningPeer(peer('print(\'{"skip": "no"}\', flush=True)'), "pread4k", {}) as running:
        running.tell("prepare")
        with pytest.raises(PeerSkips, match="no"):
            running.answer(20)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("sys.exit('it hurts')", r"it has ended \(exit code 1\)\nit hurts"),
        ("os.abort()", r"it has ended \(exit code -6\)"),
        ('print(\'{"error": "no volume"}\', flush=True); sys.exit(3)', "no volume .exit code 3"),
        ("print('hello', flush=True); sys.exit(3)", "no answer is this: b'hello'"),
    ],
)
def test_a_peer_that_fails_is_told_with_what_it_said(program: str, says: str) -> None:
    with RunningPeer(peer(program), "pread4k", {}) as running:
        running.tell("prepare")
        with pytest.raises(PeerError, match=says):
            running.answer(20)


def test_a_peer_that_says_nothing_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    program = (
        f"if os.fork() == 0: file = open({str(held)!r}, 'w'); print('x', file=file, flush=True)"
    )
    with RunningPeer(peer(f"{program}\ntime.sleep(99)"), "pread4k", {}) as running:
        running.tell("prepare")
        with held.open() as reader:
            assert reader.readline() == "x\n"
            with pytest.raises(PeerError, match="no answer in 0 s"):
                running.answer(0.05)
            assert reader.read() == ""  # its child held the other end, and is gone


def test_a_peer_that_ends_badly_has_failed() -> None:
    with (
        RunningPeer(peer("sys.exit(7)"), "pread4k", {}) as running,
        pytest.raises(PeerError, match=r"ended badly \(exit code 7"),
    ):
        running.quit()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(PeerError, match="cannot be started"):
        RunningPeer(Peer("it", "it", ("/nowhere/at/all",)), "pread4k", {})


# -- our own ones, and the relay, on the embedded brick ------------------------------------------------

VOLFILE = """\
volume client
  type protocol/client
  option transport-type tcp
  option remote-host 127.0.0.1
  option remote-port {port}
  option remote-subvolume {brick}
end-volume
"""


def test_our_peers_through_the_relay_that_counts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("shared/names", "dir"):
        (data / name).mkdir(parents=True)
    (data / "shared/data").write_bytes(b"x" * 65536)
    told = {"shared": "/shared", "dir": "/dir", "size": 65536, "block": 4096, "seed": 1}
    with start_brick(data) as brick, counting_relay(brick.brick_port) as relay:
        volfile = tmp_path / "client.vol"
        volfile.write_text(VOLFILE.format(port=relay.port, brick=brick.directory))
        told["volfile"] = str(volfile)
        for own in own_peers():
            if own.name not in ("threads", "asyncio"):
                continue
            with RunningPeer(
                own, "apread4k_8", {**told, "seconds": 0.02, "inflight": 8}
            ) as running:
                running.tell("prepare")
                assert running.answer(20) == {"ready": True}
                relay.take()
                running.tell("go")
                done = running.answer(20)
                running.quit()
            assert done["bytes"] == done["ops"] * 4096 > 0
            assert relay.take().count("READ") == done["ops"]
            assert done["cpu"] > 0
            assert done["rss"] > 1 << 20


def test_the_relay_passes_everything_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    piece = os.urandom(3 << 20)
    with start_brick(data) as brick, counting_relay(brick.brick_port) as relay:
        volfile = tmp_path / "client.vol"
        volfile.write_text(VOLFILE.format(port=relay.port, brick=brick.directory))
        with glusterio.connect(f"volfile://{volfile}") as vol:
            vol.write_bytes("piece", piece)
            assert vol.read_bytes("piece") == piece
            seen = relay.take()
    assert (data / "piece").read_bytes() == piece
    assert "handshake" in seen
    assert seen.count("CREATE") == 1
    assert seen.count("RELEASE") >= 1


def test_parameters_are_json() -> None:
    from tests.bench.lines import BRICK_LINES, LINES

    for line in [*LINES, *BRICK_LINES]:
        for quick in (False, True):
            assert json.loads(json.dumps(line.told(quick))) == line.told(quick)
