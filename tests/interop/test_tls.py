"""TLS with a real brick: our client, its certificates and its refusals."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import glusterio
from glusterio import Refusal, TlsError, aio
from glusterio.traps import Tls
from tests.brick.inside import InsideBrick
from tests.certificates import Authority
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import ACCESS, HandBrick

#: The name below which a real brick's own options are.
_ALLOWED = "somebody"

WRITER = Path(__file__).parent / "gfapi_writer.py"


def secured_options(tls: Tls) -> str:
    """The transport's options, as a volfile has them."""
    return "\n".join(
        f"  option transport.socket.{key} {value}"
        for key, value in {
            "ssl-enabled": "on",
            "ssl-own-cert": tls.certificate,
            "ssl-private-key": tls.key,
            "ssl-ca-list": tls.authorities,
        }.items()
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure_brick(authority: Authority) -> Iterator[HandBrick]:
    """A brick that speaks TLS to those who are called somebody, and to nobody else."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    tls = authority.vouch("brick", "DNS:localhost,IP:127.0.0.1")
    access = (
        f"{ACCESS}\n{secured_options(tls)}\n  option auth.login./hand.ssl-allow {_ALLOWED},other"
    )
    try:
        yield start_or_skip(lambda where: real_gluster.start_hand_brick(where, access), directory)
    finally:
        real_gluster.stop(directory)


def read_and_write(url: str, **how: object) -> bytes:
    data = bytes(range(256)) * 2048
    with (
        glusterio.connect(url, **how) as vol,  # type: ignore[arg-type]
        vol.open_handle("/data", os.O_RDWR | os.O_CREAT) as file,
    ):
        assert file.pwrite(data, 0) == len(data)
        assert file.pread(len(data), 0) == data
        return bytes(file.pread(4096, 4096))


async def read_and_write_async(url: str, **how: object) -> bytes:
    data = bytes(range(256)) * 2048
    async with (
        aio.connect(url, **how) as vol,  # type: ignore[arg-type]
        vol.open_handle("/data", os.O_RDWR | os.O_CREAT) as file,
    ):
        assert await file.pwrite(data, 0) == len(data)
        assert await file.pread(len(data), 0) == data
        return bytes(await file.pread(4096, 4096))


def on_asyncio(url: str, **how: object) -> bytes:
    return asyncio.run(read_and_write_async(url, **how))


FACES = pytest.mark.parametrize("face", [read_and_write, on_asyncio])


@FACES
def test_context_of_the_session(
    secure_brick: HandBrick, authority: Authority, face: Callable[..., bytes]
) -> None:
    context = authority.context(_ALLOWED, check_hostname=True)
    assert face(secure_brick.url, ssl=context) == bytes(range(256)) * 16


@FACES
def test_what_the_volfile_says(
    secure_brick: HandBrick, authority: Authority, tmp_path: Path, face: Callable[..., bytes]
) -> None:
    ours = secured_options(authority.vouch(_ALLOWED))
    text = Path(secure_brick.client_vol).read_text()
    secure = tmp_path / "secure.vol"
    secure.write_text(text.replace("  option ping-timeout 5", f"  option ping-timeout 5\n{ours}"))
    assert face(f"volfile://{secure}") == bytes(range(256)) * 16


@FACES
def test_refusals(
    secure_brick: HandBrick, authority: Authority, tmp_path: Path, face: Callable[..., bytes]
) -> None:
    def refusal(**how: object) -> tuple[Refusal | None, str]:
        with pytest.raises(glusterio.HandshakeError) as caught:
            face(secure_brick.url, timeout=10.0, **how)
        return caught.value.reason, str(caught.value)

    assert refusal()[0] is Refusal.TLS_WANTED
    reason, text = refusal(ssl=authority.context("nobody"))
    assert reason is Refusal.ACCESS
    assert "auth.ssl-allow" in text
    strangers = Authority(tmp_path / "strangers")
    assert refusal(ssl=strangers.context(_ALLOWED))[0] is Refusal.ITS_CERTIFICATE
    forged = authority.context("x")
    tls = strangers.vouch(_ALLOWED)
    forged.load_cert_chain(tls.certificate, tls.key)
    reason, text = refusal(ssl=forged)
    assert reason is Refusal.OUR_CERTIFICATE, text


@FACES
def test_brick_without_tls(
    hand_brick: HandBrick, authority: Authority, face: Callable[..., bytes]
) -> None:
    with pytest.raises(TlsError, match="it does not speak TLS") as caught:
        face(hand_brick.url, ssl=authority.context(_ALLOWED), timeout=10.0)
    assert caught.value.reason is Refusal.TLS_UNKNOWN


@pytest.mark.timeout(150)
def test_management_encryption(tmp_path: Path) -> None:
    """A real glusterd that speaks TLS, and its bricks, too: we come, and follow what it tells."""
    reason = real_gluster.unavailable()
    if reason is not None:
        pytest.skip(f"no real GlusterFS: {reason}")
    apart = ["unshare", "--net", "--mount"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no namespaces of our own here: root alone makes them")
    with tempfile.TemporaryDirectory(prefix="glusterio-") as directory:
        command = [*apart, sys.executable, "-m", "tests.interop.secured_daemon", directory]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120.0)
    assert done.returncode == 0, done.stderr
    expected: dict[str, object] = {"follows": True}
    for face in ("threads", "asyncio"):
        expected |= {
            f"{face}: GlusterFS's files": f"by {face}",
            f"{face}: GlusterFS's files, gluster+tls": f"by {face}",
            f"{face}: a context of ours": f"by {face}",
            f"{face}: a context of strangers": str(Refusal.ITS_CERTIFICATE),
        }
    assert json.loads(done.stdout) == expected


def test_libgfapi_on_our_brick(authority: Authority, tmp_path: Path) -> None:
    """GlusterFS's own client is told by the volfile to come by TLS, and is accepted by its name."""
    reason = real_gluster.unavailable()
    if reason is not None:
        pytest.skip(f"no real GlusterFS: {reason}")
    tls = authority.vouch("gfapi")  # both sides have the same files, as the volfile names them
    directory = tmp_path / "brick"
    directory.mkdir()
    with InsideBrick(directory) as brick:
        files = {"ssl.own-cert": tls.certificate, "ssl.private-key": tls.key}
        on = {"server.ssl": "on", "client.ssl": "on", "ssl.ca-list": tls.authorities}
        brick.set_options({**files, **on, "auth.ssl-allow": "gfapi"})
        command = [sys.executable, str(WRITER), "vol", str(brick.port), str(tmp_path / "log")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            try:
                assert writer.stdout.readline().strip() == "ready", (tmp_path / "log").read_text()
                names = brick.ask(lambda: [each.session.endpoint for each in brick.clients()])  # type: ignore[attr-defined]
                assert {each.certificate for each in names} == {"gfapi"}
                writer.stdin.close()
                assert writer.wait(20) == 0
            finally:
                writer.kill()
    assert (directory / "written").stat().st_size
