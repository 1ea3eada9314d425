"""Who may use a brick, by address, source port, login, and the name in a certificate.

The patterns are those of ``auth.allow`` and ``auth.reject``; each is one of

* an address, ``192.168.1.7`` or ``2001:db8::7``, or the name of a host, of which any address counts;
* a network, ``192.168.0.0/16``;
* a shell pattern over the text of the address, ``192.168.1.*``; ``*`` is everybody, ``unix`` whoever
  comes by a Unix socket;
* any of these with a ``!`` before it, for all others;
* ``/dir(A|B|...)``, for clients that ask for that directory as their root (``subdir-mount``); the plain
  ones count whatever the client asks for.

Sources: GlusterFS xlators/protocol/auth/addr/src/addr.c (``gf_auth``, ``parse_entries_and_compare``),
xlators/protocol/auth/login/src/login.c.

Three things are stricter here. A login that has to be given is not a way past the addresses:
GlusterFS's bricks let in a client from anywhere that knows the login, one without a login from an
address that is allowed, and with TLS they ask for none. A ``!`` counts for its own pattern only. And
where names in certificates are asked for, nobody may come in the clear.
"""

from __future__ import annotations

import fnmatch
import hmac
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Source ports below this can be had by privileged programs only.
PRIVILEGED = 1024

_BY_DIRECTORY = re.compile(r"(/[^(]*)\(([^)]*)\)")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Access:
    """Who may use a brick.

    Attributes:
        allow: patterns of the addresses that may.
        reject: patterns of those that may not; they count more.
        login: user name and password that have to be given, or ``None``.
        insecure: whether clients may come from a source port that anybody can have
            (``server.allow-insecure``).
        ssl_allow: patterns, of which the common name in a client's certificate must match one
            (``auth.ssl-allow``); ``None`` for any. With such names nobody may come in the clear.
    """

    allow: Sequence[str] = ("*",)
    reject: Sequence[str] = ()
    login: tuple[str, str] | None = field(default=None, repr=False)
    insecure: bool = True
    ssl_allow: Sequence[str] | None = None

    @property
    def names_hosts(self) -> bool:
        """Whether a pattern may have to be looked up, which can take long."""
        return any(
            _is_host(pattern.removeprefix("!"))
            for entry in (*self.allow, *self.reject)
            for pattern in _patterns(entry, None)
        )

    def permits_address(self, peer: str, directory: str = "/") -> bool:
        """Tell whether clients from an address may.

        Args:
            peer: the address, or ``"unix"``.
            directory: what they want for their root.
        """

        def matches(entries: Sequence[str]) -> bool:
            return any(
                _matches(pattern, peer)
                for entry in entries
                for pattern in _patterns(entry, directory)
            )

        return matches(self.allow) and not matches(self.reject)

    def permits_certificate(self, name: str | None) -> bool:
        """Tell whether clients may whose certificate has this common name; ``None`` without TLS."""
        allowed = self.ssl_allow
        return (
            allowed is None
            or "*" in allowed
            or (name is not None and any(fnmatch.fnmatchcase(name, each) for each in allowed))
        )

    def permits_port(self, peer: str, port: int) -> bool:
        """Tell whether clients may come from a source port."""
        return self.insecure or peer == "unix" or port < PRIVILEGED

    def permits_login(self, username: str, password: str) -> bool:
        """Tell whether the login is right, or none is needed."""
        if self.login is None:
            return True
        given = f"{username}\0{password}".encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, "\0".join(self.login).encode())


def _patterns(entry: str, directory: str | None) -> list[str]:
    """Return the patterns in an entry: all, or those for a directory."""
    entry = entry.strip()
    if not entry.startswith("/"):
        return [entry] if entry else []
    found = _BY_DIRECTORY.fullmatch(entry)
    if found is None or directory not in (None, found[1]):
        return []
    return [each.strip() for each in found[2].split("|")]


def _matches(pattern: str, peer: str) -> bool:
    if pattern.startswith("!"):
        return not _matches(pattern[1:], peer)
    if any(sign in pattern for sign in "*?["):
        address = _address(peer)
        return fnmatch.fnmatchcase(peer if address is None else str(address), pattern)
    address = _address(peer)
    if address is None:
        return pattern == peer
    if "/" in pattern:
        try:
            return address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    wanted = _address(pattern)
    return address == wanted if wanted is not None else address in _addresses_of(pattern)


def _address(text: str) -> _Address | None:
    """Read an address. One of version 4 that travels as one of version 6 is what it was."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_host(pattern: str) -> bool:
    return not any(sign in pattern for sign in "*?[/") and _address(pattern) is None


def _addresses_of(host: str) -> list[_Address | None]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [_address(str(entry[4][0])) for entry in found]
