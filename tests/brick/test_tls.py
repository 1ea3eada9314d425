"""The brick speaks TLS, and says whom it does not want, and why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import Refusal, aio
from glusterio.brick.access import Access
from glusterio.brick.limits import Limits
from glusterio.graph.volume_options import OptionError
from glusterio.traps import Tls
from tests.brick.inside import InsideBrick
from tests.certificates import Authority

DATA = bytes(range(256)) * 8192


def on_threads(url: str, **how: Any) -> None:
    with (
        glusterio.connect(url, **how) as vol,
        vol.open_handle("/data", os.O_RDWR | os.O_CREAT) as file,
    ):
        assert file.pwrite(DATA, 0) == len(DATA)
        assert file.pread(len(DATA), 0) == DATA
        assert file.pread(4096, 256) == DATA[256:4352]


def on_asyncio(url: str, **how: Any) -> None:
    async def main() -> None:
        async with (
            aio.connect(url, **how) as vol,
            vol.open_handle("/data", os.O_RDWR | os.O_CREAT) as file,
        ):
            assert await file.pwrite(DATA, 0) == len(DATA)
            read = await asyncio.gather(*[file.pread(len(DATA), 0) for _ in range(4)])
            assert read == [DATA] * 4

    asyncio.run(main())


FACES = pytest.mark.parametrize("face", [on_threads, on_asyncio])
Face = Callable[..., None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def options_of(tls: Tls) -> dict[str, str | None]:
    return {
        "server.ssl": "on",
        "ssl.own-cert": tls.certificate,
        "ssl.private-key": tls.key,
        "ssl.ca-list": tls.authorities,
    }


@pytest.fixture
def brick(authority: Authority, tmp_path: Path) -> Iterator[InsideBrick]:
    """A brick that wants TLS; its management daemon does not."""
    directory = tmp_path / "brick"
    directory.mkdir()
    with InsideBrick(directory) as brick:
        brick.set_options(options_of(authority.vouch("server", "DNS:localhost,IP:127.0.0.1")))
        yield brick


def refusal(face: Face, url: str, **how: Any) -> tuple[Refusal | None, str]:
    with pytest.raises(glusterio.HandshakeError) as caught:
        face(url, timeout=10.0, **how)
    return caught.value.reason, str(caught.value)


# -- when all is well ---------------------------------------------------------------------------------


@FACES
def test_session_with_a_context(brick: InsideBrick, authority: Authority, face: Face) -> None:
    face(brick.brick.url, ssl=authority.context("client", check_hostname=True))
    brick.wait_for(fds=0, locks=0)


@FACES
def test_clients_are_told_by_the_volfile(
    brick: InsideBrick, authority: Authority, face: Face
) -> None:
    """With the same files on both sides, as with GlusterFS."""
    brick.set_options({"client.ssl": "on"})
    face(brick.brick.url)


@FACES
def test_management_by_tls(authority: Authority, tmp_path: Path, face: Face) -> None:
    tls = authority.vouch("server", "IP:127.0.0.1")
    with InsideBrick(tmp_path, tls=tls) as brick:
        brick.set_options(options_of(tls))
        assert brick.brick.url.startswith("gluster+tls://")
        context = authority.context("client", check_hostname=True)
        face(brick.brick.url, ssl=context)
        plain = brick.brick.url.replace("gluster+tls", "gluster")
        assert refusal(face, plain, ssl=context)[0] is Refusal.TLS_WANTED


def test_many_threads(brick: InsideBrick, authority: Authority) -> None:
    with glusterio.connect(brick.brick.url, ssl=authority.context("client")) as vol:

        def work(number: int) -> None:
            data = bytes([number]) * 70_000
            for each in range(20):
                vol.write_bytes(f"/{number}-{each}", data)
                assert vol.read_bytes(f"/{number}-{each}") == data
            done.append(number)

        done: list[int] = []
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == [0, 1, 2, 3]


def test_a_client_with_more_than_there_is_room_for(authority: Authority, tmp_path: Path) -> None:
    """Requests that were decrypted and had to wait are taken when there is room again."""
    limits = Limits(pending=2, queued_bytes=4096)
    with InsideBrick(tmp_path, limits) as brick:
        brick.set_options(options_of(authority.vouch("server")))

        async def main() -> None:
            context = authority.context("client")
            async with aio.connect(brick.brick.url, ssl=context) as vol:
                await vol.write_bytes("/data", DATA[:50_000])
                read = await asyncio.gather(*[vol.read_bytes("/data") for _ in range(100)])
                assert read == [DATA[:50_000]] * 100

        asyncio.run(main())


# -- who may not --------------------------------------------------------------------------------------


@FACES
def test_refusals_say_what_they_are_about(
    brick: InsideBrick, authority: Authority, tmp_path: Path, face: Face
) -> None:
    url, context = brick.brick.url, authority.context("client")
    assert refusal(face, url)[0] is Refusal.TLS_WANTED
    strangers = Authority(tmp_path / "strangers")
    assert refusal(face, url, ssl=strangers.context("client"))[0] is Refusal.ITS_CERTIFICATE
    without = ssl.create_default_context(cafile=str(authority.file))
    reason, text = refusal(face, url, ssl=without)
    assert reason is Refusal.OUR_CERTIFICATE
    assert "certificate required" in text
    brick.set_options({"auth.ssl-allow": "somebody,web-*"})
    reason, text = refusal(face, url, ssl=context)
    assert reason is Refusal.NAME
    assert "auth.ssl-allow" in text
    face(url, ssl=authority.context("web-7"))
    brick.set_options({"auth.ssl-allow": None, "auth.allow": "10.*"})
    assert refusal(face, url, ssl=context)[0] is Refusal.ADDRESS


@FACES
def test_brick_in_the_clear(authority: Authority, tmp_path: Path, face: Face) -> None:
    with InsideBrick(tmp_path) as brick:
        reason, text = refusal(face, brick.brick.url, ssl=authority.context("client"))
        assert reason is Refusal.TLS_UNKNOWN, text
        secure = brick.brick.url.replace("gluster", "gluster+tls")
        assert refusal(face, secure, ssl=authority.context("client"))[0] is Refusal.TLS_UNKNOWN


@FACES
def test_login_and_volume(tmp_path: Path, face: Face) -> None:
    with InsideBrick(tmp_path, access=Access(login=("user", "secret"))) as brick:
        face(brick.brick.url)  # the volfile holds it
        with glusterio.connect(brick.brick.url) as vol:
            text = vol.volfile
        wrong = tmp_path / "wrong.vol"
        wrong.write_text(text.replace("secret", "other"))
        assert refusal(face, f"volfile://{wrong}")[0] is Refusal.LOGIN
        wrong.write_text(text.replace(str(tmp_path), "/other"))
        assert refusal(face, f"volfile://{wrong}")[0] in (Refusal.VOLUME, Refusal.NOT_READY)
        assert refusal(face, brick.brick.url + "s")[0] is Refusal.VOLUME


def test_who_may_no_longer_is_disconnected(brick: InsideBrick, authority: Authority) -> None:
    with glusterio.connect(brick.brick.url, ssl=authority.context("client"), timeout=5) as vol:
        assert vol.exists("/") is True
        brick.set_options({"auth.ssl-allow": "somebody"})
        assert brick.ask(brick.clients) == []


def test_files_that_are_no_good_change_nothing(brick: InsideBrick, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"none\.pem: No such file"):
        brick.set_options({"ssl.own-cert": str(tmp_path / "none.pem")})
    assert "none.pem" not in brick.ask(lambda: str(brick.brick._volume.options.given))


# -- clients that do not do their part ----------------------------------------------------------------


def test_a_client_that_stalls_in_the_handshake(authority: Authority, tmp_path: Path) -> None:
    with InsideBrick(tmp_path, Limits(handshake_seconds=0.1)) as brick:
        brick.set_options(options_of(authority.vouch("server")))
        with socket.create_connection(("127.0.0.1", brick.brick_port)) as sock:
            sock.settimeout(10)
            sock.sendall(b"\x16\x03\x01\x02\x00")
            assert sock.recv(1) == b""


def test_a_client_that_speaks_something_else(brick: InsideBrick, authority: Authority) -> None:
    for data in (b"\x16" + bytes(100), b"GET / HTTP/1.0\r\n\r\n", b"\x80\0\0\x28" + bytes(40)):
        with socket.create_connection(("127.0.0.1", brick.brick_port)) as sock:
            sock.settimeout(10)
            sock.sendall(data)
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(4096):
                    pass
    on_threads(brick.brick.url, ssl=authority.context("client"))
