"""The URLs that name a volume.

=======================================  ========================================================
URL                                      what it means
=======================================  ========================================================
``gluster://HOST[:PORT][,HOST...]/VOL``  ask these management daemons in turn for the volfile
``gluster+tls://HOST[:PORT].../VOL``     the same, over TLS
``gluster+unix:///VOL?socket=PATH``      ask the management daemon behind this Unix socket
``volfile:///PATH``                      use this volfile
``embedded:///DIRECTORY``                serve this directory inside the process, without a network
=======================================  ========================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from glusterio.traps import Tls
from glusterio.types import Log

#: Where a management daemon listens when a URL does not say.
MANAGEMENT_PORT = 24007

#: Where glusterd's own Unix socket is, as Debian and Red Hat have it.
MANAGEMENT_SOCKET = "/var/run/glusterd.socket"

#: A file that says that management daemons are spoken to by TLS (libglusterfs/src/glusterfs/
#: glusterfs.h, ``SECURE_ACCESS_FILE``).
SECURE_ACCESS = "/var/lib/glusterd/secure-access"
#: How long a call waits for a brick that is away, in seconds, when a session does not say.
PATIENCE: Final = 10.0

#: A server: ``[::1]``, ``::1`` or ``host``, the first and the last with a port if need be.
_SERVER = re.compile(
    r"(?:\[(?P<bracketed>[^][]+)] | (?P<bare>[^][:]*:[^][:]*:[^][]*) | (?P<name>[^][:]+))"
    r"(?: : (?P<port>[0-9]{1,5}))?",
    re.VERBOSE,
)


_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})


class Target(NamedTuple):
    """What a URL names.

    Attributes:
        scheme: ``gluster``, ``gluster+tls``, ``gluster+unix``, ``volfile`` or ``embedded``.
        volume: the volume's name, or one made from the path.
        servers: where to ask for the volfile: ``(host, port)`` or a socket's path, in order.
        path: the volfile, or the directory.
        url: the URL as given.
        options: what the session wants of its graph; :func:`glusterio.graph.tuning.checked` made it.
        logger: where the session logs; ``None`` for ``glusterio``.
        ssl: an ``ssl.SSLContext``, with which every brick is spoken to; ``None`` where the volfile says
            whether, and with what.
        metrics: whether its calls are counted.
        reconnect: whether a connection to a brick that is lost is made anew.
        patience: how long a call waits for a brick that is away, in seconds.
        follow: whether to stay connected to the management daemon, and to follow the volfile.
    """

    scheme: str
    volume: str
    servers: tuple[tuple[str, int] | str, ...] = ()
    path: str = ""
    url: str = ""
    options: Mapping[str, str] = _NO_OPTIONS
    logger: Log | None = None
    ssl: Any = None
    metrics: bool = False
    reconnect: bool = True
    patience: float = PATIENCE
    follow: bool = True

    def management_tls(self) -> Tls | None:
        """Return what the management daemons are spoken to with; ``None`` for in the clear.

        As for GlusterFS's clients, a file on this machine can say that all management is by TLS.
        """
        if self.scheme == "gluster+tls" or (
            self.scheme == "gluster" and os.path.exists(SECURE_ACCESS)
        ):
            return Tls(self.ssl)
        return None


def checked_patience(seconds: float) -> float:
    """Return how long a call waits for a brick that is away, if it can be so long.

    Raises:
        ValueError: a negative number of seconds, or none.
    """
    if not seconds >= 0:
        raise ValueError(f"patience: {seconds!r} seconds")
    return seconds


def checked_context(given: Any) -> Any:
    """Return what a session is to speak TLS with, if it can be used for that; or ``None``.

    Raises:
        TypeError: it is no ``ssl.SSLContext``.
    """
    if given is not None:
        from glusterio.runtime.certificates import SSLContext  # which few sessions need

        if not isinstance(given, SSLContext):
            raise TypeError(f"ssl should be an ssl.SSLContext or None, not {type(given).__name__}")
    return given


@lru_cache(maxsize=32)
def parse_url(url: str) -> Target:
    """Parse a volume's URL.

    Raises:
        ValueError: it is none of the forms above.
        TypeError: no text.
    """
    if not isinstance(url, str):
        raise TypeError(f"a volume's URL is str, not {type(url).__name__}")
    scheme, _, rest = url.partition("://")
    if scheme in ("gluster", "gluster+tls"):
        return _gluster(scheme, url, rest)
    if scheme not in ("gluster+unix", "volfile", "embedded"):
        raise ValueError(
            f"{url!r}: a volume's URL begins with gluster://, gluster+tls://, gluster+unix://,"
            " volfile:// or embedded://"
        )
    parts = urlsplit(url)
    path = unquote(parts.path, errors="surrogateescape")
    if parts.netloc:
        raise ValueError(f"{url!r}: three slashes are needed, {scheme}:///...")
    if scheme == "gluster+unix":
        volume = path.strip("/")
        if not volume or "/" in volume:
            raise ValueError(f"{url!r}: no volume name")
        sockets = parse_qs(parts.query).get("socket", [MANAGEMENT_SOCKET])
        return Target(scheme, volume, tuple(sockets), url=url)
    if not path.strip("/"):
        raise ValueError(f"{url!r}: no path")
    name = path.rstrip("/").rpartition("/")[2].removesuffix(".vol")
    return Target(scheme, name, path=path, url=url)


def _gluster(scheme: str, url: str, rest: str) -> Target:
    hosts, _, volume = rest.partition("/")
    volume = unquote(volume.strip("/"))
    if not volume or "/" in volume:
        raise ValueError(f"{url!r}: {scheme}://HOST/VOLUME is needed")
    servers = tuple(_server(url, host) for host in hosts.split(",") if host)
    if not servers:
        raise ValueError(f"{url!r}: no host")
    return Target(scheme, volume, servers, url=url)


def _server(url: str, text: str) -> tuple[str, int]:
    match = _SERVER.fullmatch(text)
    if match is None or not 0 < int(match["port"] or MANAGEMENT_PORT) < 65536:
        raise ValueError(f"{url!r}: {text!r} is not a host and port")
    host = match["bracketed"] or match["bare"] or match["name"]
    return host, int(match["port"] or MANAGEMENT_PORT)
