"""Patterns of addresses, ports and logins."""

from __future__ import annotations

import pytest

from glusterio.brick.access import Access


@pytest.mark.parametrize(
    ("pattern", "peer", "permitted"),
    [
        ("*", "1.2.3.4", True),
        ("*", "unix", True),
        ("1.2.*", "1.2.3.4", True),
        ("1.2.*", "1.3.3.4", False),
        ("1.2.*", "unix", False),
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.40", False),
        ("unix", "unix", True),
        ("127.0.0.1", "unix", False),
        ("10.0.0.0/8", "10.200.3.4", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.1.2.3/8", "10.200.3.4", True),
        ("10.0.0.0/99", "10.0.0.1", False),
        ("!10.*", "10.1.1.1", False),
        ("!10.*", "11.1.1.1", True),
        ("::1", "::1", True),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("2001:db8::/32", "2001:db8:7::1", True),
        ("2001:db8::/32", "2001:db9:7::1", False),
        ("2001:db8:*", "2001:db8:7::1", True),
        ("fe80::7", "fe80::7%eth0", True),
        ("1.2.3.4", "::ffff:1.2.3.4", True),
        ("1.2.*", "::ffff:1.2.3.4", True),
        ("::1", "1.2.3.4", False),
        ("10.0.0.0/8", "::1", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "10.0.0.1", False),
        ("no.such.host.invalid", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        (" 127.0.0.1 ", "127.0.0.1", True),
    ],
)
def test_pattern(pattern: str, peer: str, permitted: bool) -> None:
    assert Access(allow=[pattern]).permits_address(peer) is permitted
    assert Access(reject=[pattern]).permits_address(peer) is not permitted


def test_reject_counts_more() -> None:
    access = Access(allow=["1.2.3.4"], reject=["1.*"])
    assert not access.permits_address("1.2.3.4")
    assert not Access(allow=[]).permits_address("1.2.3.4")


def test_by_directory() -> None:
    access = Access(allow=["/(10.*|127.0.0.1)", "/sub(127.0.0.1)", "/broken(127.0.0.1"])
    assert access.permits_address("10.0.0.1")
    assert access.permits_address("127.0.0.1", "/sub")
    assert not access.permits_address("10.0.0.1", "/sub")
    assert not access.permits_address("127.0.0.1", "/other")
    assert not access.permits_address("127.0.0.1", "/broken")
    assert Access(allow=["127.0.0.1"]).permits_address("127.0.0.1", "/other")


def test_ports() -> None:
    assert Access().permits_port("127.0.0.1", 40000)
    careful = Access(insecure=False)
    assert not careful.permits_port("127.0.0.1", 1024)
    assert careful.permits_port("127.0.0.1", 1023)
    assert careful.permits_port("unix", 0)


def test_login() -> None:
    access = Access(login=("user", "secret"))
    assert access.permits_login("user", "secret")
    for given in (("user", ""), ("", ""), ("user", "other"), ("us", "er\0secret")):
        assert not access.permits_login(*given)
    assert "secret" not in repr(access)


@pytest.mark.parametrize(
    ("name", "permitted"),
    [
        ("somebody", True),
        ("web-7", True),
        ("web", False),
        ("nobody", False),
        ("", False),
        (None, False),
    ],
)
def test_names_in_certificates(name: str | None, permitted: bool) -> None:
    assert Access(ssl_allow=["somebody", "web-*"]).permits_certificate(name) is permitted
    assert Access(ssl_allow=["*"]).permits_certificate(name)
    assert Access().permits_certificate(name)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*", "10.*", "10.0.0.0/8", "::1", "1.2.3.4", "/(10.*)"], False),
        (["somehost"], True),
        (["!somehost"], True),
        (["/sub(10.*|somehost)"], True),
    ],
)
def test_names_are_known_as_such(patterns: list[str], names: bool) -> None:
    assert Access(allow=patterns).names_hosts is names
    assert Access(reject=patterns).names_hosts is names
