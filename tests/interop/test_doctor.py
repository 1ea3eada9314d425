"""The doctor, and real bricks."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from pathlib import Path

from glusterio.api.url import parse_url
from glusterio.cli.doctor import OK, Doctor, Finding
from glusterio.cli.remedies import Trouble
from tests.brick.raw import RawClient
from tests.interop.real_gluster import ACCESS, GlusterVolume, HandBrick
from tests.interop.test_handshake import real_brick


def examine(url: str, path: str = "", patience: float = 5.0) -> tuple[bool, list[Finding]]:
    findings: list[Finding] = []
    usable = asyncio.run(Doctor(patience, findings.append).examine(parse_url(url), path))
    return usable, findings


def test_volume_that_can_be_used(real_url: str) -> None:
    usable, findings = examine(real_url)
    assert usable, findings
    assert {each.verdict for each in findings} == {OK}


def test_what_is_held_of_a_file(hand_brick: HandBrick) -> None:
    name = f"doctor-{uuid.uuid4()}"
    with RawClient(hand_brick.brick_port) as client:
        assert client.setvolume("/hand").op_ret == 0
        client.create(name)
        usable, findings = examine(hand_brick.url, name)
        assert usable
        told = next(each for each in findings if each.step == "held")
        assert told.said == "1 fds, 0 posix locks, 0 inode locks, 0 entry locks"
    os.unlink(Path(hand_brick.data_dir) / name)


def test_unknown_volume(gluster_volume: GlusterVolume) -> None:
    usable, findings = examine(f"gluster://{gluster_volume.host}/{uuid.uuid4()}")
    assert (usable, findings[-1].step) == (False, "getspec")
    assert findings[-1].trouble is Trouble.UNKNOWN_VOLUME


def test_refused_by_address() -> None:
    with real_brick(f"{ACCESS}\n  option auth.addr./hand.reject 127.*") as brick:
        usable, findings = examine(brick.url)
    assert (usable, findings[-1].step) == (False, "setvolume")
    assert findings[-1].trouble is Trouble.NOT_ALLOWED


def test_port_that_only_root_may_have() -> None:
    with real_brick(ACCESS.replace("insecure on", "insecure off")) as brick:
        usable, findings = examine(brick.url)
    assert usable
    assert any("below 1024" in each.said for each in findings)


def test_brick_that_hangs(own_hand_brick: HandBrick) -> None:
    os.kill(own_hand_brick.brick_pid, signal.SIGSTOP)
    try:
        usable, findings = examine(own_hand_brick.url, patience=0.5)
    finally:
        os.kill(own_hand_brick.brick_pid, signal.SIGCONT)
    assert not usable
    assert findings[-1].trouble is Trouble.SILENT


def test_brick_that_wants_tls() -> None:
    certificate = Path(__file__).parents[1] / "cli" / "tls_server.pem"
    options = "".join(
        f"\n  option transport.socket.ssl-{name} {certificate}"
        for name in ("own-cert", "private-key", "ca-list")
    )
    with real_brick(f"{ACCESS}\n  option transport.socket.ssl-enabled on{options}") as brick:
        usable, findings = examine(brick.url, patience=2.0)
    assert not usable
    assert (findings[-1].step, findings[-1].trouble) == ("programs", Trouble.TLS)
