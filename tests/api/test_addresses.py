"""Where servers can be: IPv6, Unix sockets, several addresses of a name; and where we may come from."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio import Refusal
from glusterio.brick.access import Access
from glusterio.brick.volfiles import client_volfile
from tests.api.drivers import Driver
from tests.brick.inside import InsideBrick
from tests.certificates import Authority


@pytest.fixture
def served(tmp_path: Path) -> Path:
    directory = tmp_path / "served"
    directory.mkdir()
    return directory


def use(driver: Driver, url: str, **options: Any) -> None:
    vol = driver.connect(url, **options)
    driver.do(vol.write_bytes, "/file", b"data")
    assert driver.do(vol.read_bytes, "/file") == b"data"
    driver.do(vol.close)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on the loopback here")


@needs_ipv6
@pytest.mark.parametrize("secure", [False, True])
def test_ipv6(driver: Driver, served: Path, tmp_path: Path, secure: bool) -> None:
    authority = Authority(tmp_path / "authority")
    tls = authority.vouch("server", "IP:::1")
    with InsideBrick(served, host="::1", tls=tls if secure else None) as brick:
        assert "://[::1]:" in brick.brick.url
        if not secure:
            use(driver, brick.brick.url)
            return
        files = {"ssl.own-cert": tls.certificate, "ssl.private-key": tls.key}
        brick.set_options({"server.ssl": "on", "ssl.ca-list": tls.authorities, **files})
        use(driver, brick.brick.url, ssl=authority.context("client", check_hostname=True))


@needs_ipv6
@pytest.mark.parametrize("secure", [False, True])
def test_a_name_with_several_addresses(
    driver: Driver, served: Path, tmp_path: Path, secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first nobody listens."""
    found = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **how: Any) -> Any:
        if host not in ("two.test", b"two.test"):
            return found(host, port, *args, **how)
        return found("::1", port, *args, **how) + found("127.0.0.1", port, *args, **how)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    authority = Authority(tmp_path / "authority")
    tls = authority.vouch("server", "DNS:two.test,IP:127.0.0.1")
    with InsideBrick(served, tls=tls if secure else None) as brick:
        url = brick.brick.url.replace("127.0.0.1", "two.test")
        if not secure:
            use(driver, url)
        else:
            files = {"ssl.own-cert": tls.certificate, "ssl.private-key": tls.key}
            brick.set_options({"server.ssl": "on", "ssl.ca-list": tls.authorities, **files})
            use(driver, url, ssl=authority.context("client", check_hostname=True))


def test_management_behind_a_unix_socket(driver: Driver, served: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "daemon.socket")
    with InsideBrick(served, unix=path):
        use(driver, f"gluster+unix:///vol?socket={path}")


def test_ports_that_only_root_may_have(
    driver: Driver, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "authority")
    tls = authority.vouch("server")
    with InsideBrick(served, access=Access(insecure=False)) as brick:
        url = brick.brick.url
        if not os.geteuid():
            use(driver, url)
            files = {"ssl.own-cert": tls.certificate, "ssl.private-key": tls.key}
            brick.set_options({"server.ssl": "on", "ssl.ca-list": tls.authorities, **files})
            use(driver, url, ssl=authority.context("client"))
            brick.set_options({"server.ssl": "off"})
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
        with pytest.raises(glusterio.AuthRejectedError, match=r"below 1024") as caught:
            driver.connect(url)
        assert caught.value.reason is Refusal.PORT


def test_reasons_without_tls(driver: Driver, served: Path, tmp_path: Path) -> None:
    access = Access(allow=["192.0.2.*"])
    volfile = tmp_path / "down.vol"
    with InsideBrick(served, access=access) as brick:
        with pytest.raises(glusterio.AuthRejectedError, match=r"auth\.allow") as caught:
            driver.connect(brick.brick.url)
        assert caught.value.reason is Refusal.ADDRESS
        volfile.write_text(client_volfile("vol", "127.0.0.1", "/none", port=brick.port))
        with pytest.raises(glusterio.HandshakeError) as other:
            driver.connect(f"volfile://{volfile}")
        assert other.value.reason is Refusal.NOT_READY
