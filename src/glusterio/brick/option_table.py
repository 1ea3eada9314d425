"""The table of a volume's options: what ``glusterio volume set`` knows, and where each one acts.

Names, kinds, bounds and defaults are those of ``gluster volume set``, as far as an option means
something for one brick without cluster translators; those that begin with ``limits.`` are glusterio's
own. An option that would do nothing is not here.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-volume-set.c (``glusterd_volopt_map``) and the
``options`` tables of the translators that are named in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from glusterio.graph.client_options import PING_TIMEOUT, STRICT_LOCKS
from glusterio.graph.performance import PERFORMANCE
from glusterio.graph.volume_options import (
    ON_OFF,
    Kind,
    Target,
    VolumeOption,
    numbered,
    option_of,
    timed,
)

#: What decides who may use the brick, and how much: see :mod:`glusterio.brick.access` and
#: :mod:`glusterio.brick.limits`, whose fields the targets name.
SERVER: Final = "protocol/server"
LIMITS: Final = "limits"
CLIENT: Final = "protocol/client"

_LOCKS: Final = "features/locks"
_RO: Final = "features/read-only"
_POSIX: Final = "storage/posix"
_UPCALL: Final = "features/upcall"
_LEASES: Final = "features/leases"

_ADDRESS: Final = re.compile(r"!?[0-9A-Za-z.:*?%\[\]_-]+(/[0-9]+)?")
_OF_DIRECTORY: Final = re.compile(r"/[^()`\s]*\(([^()]+)\)")


def addresses(text: str) -> list[str]:
    """Read a list of patterns of addresses, separated by commas: see :mod:`glusterio.brick.access`.

    Raises:
        ValueError: it is empty, or holds something else.
    """
    found = [each.strip() for each in text.split(",")]
    for each in found:
        of_directory = _OF_DIRECTORY.fullmatch(each)
        patterns = of_directory[1].split("|") if of_directory is not None else [each]
        if not all(_ADDRESS.fullmatch(pattern.strip()) for pattern in patterns):
            raise ValueError(f"{each!r} is no address, such as 192.168.1.* or 2001:db8::7")
    return found


_ADDRESSES: Final = Kind("addresses", addresses)


def names(text: str) -> list[str]:
    """Read a list of patterns of names, separated by commas or blanks.

    Raises:
        ValueError: it is empty.
    """
    found = text.replace(",", " ").split()
    if not found:
        raise ValueError("no name")
    return found


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is no path from the root on")
    return text


_NAMES: Final = Kind("names", names)
_PATH: Final = Kind("path", _path)


def _of_both_sides(name: str, kind: Kind, default: str, what: str) -> VolumeOption:
    """Return an option of TLS, which the brick and its clients' volfile have."""
    key = name.replace("ssl.", "transport.socket.ssl-")
    return VolumeOption(name, kind, default, (Target(SERVER, key), Target(CLIENT, key)), what)


# -- the options --------------------------------------------------------------------------------------


_ALL: Final = (
    # -- who may use the volume
    option_of("auth.allow", _ADDRESSES, "*", SERVER, "allow", "addresses that may use the volume"),
    option_of(
        "auth.reject", _ADDRESSES, "", SERVER, "reject", "addresses that may not; they count more"
    ),
    option_of(
        "server.allow-insecure",
        ON_OFF,
        "on",
        SERVER,
        "rpc-auth-allow-insecure",
        "whether clients may come from ports of 1024 and above",
    ),
    option_of(
        "features.read-only",
        ON_OFF,
        "off",
        _RO,
        "read-only",
        "refuse all changes, also of files that are open",
    ),
    option_of(
        "storage.gfid2path",
        ON_OFF,
        "off",
        _POSIX,
        "gfid2path",
        "new files note their names in extended attributes, from the brick's next start on",
    ),
    # -- TLS
    option_of(
        "server.ssl",
        ON_OFF,
        "off",
        SERVER,
        "transport.socket.ssl-enabled",
        "whether clients have to come by TLS; for those that come from now on",
    ),
    option_of(
        "client.ssl",
        ON_OFF,
        "off",
        CLIENT,
        "transport.socket.ssl-enabled",
        "whether clients are told to come by TLS",
    ),
    option_of(
        "auth.ssl-allow",
        _NAMES,
        "*",
        SERVER,
        "ssl-allow",
        "common names of certificates that may use the volume",
    ),
    _of_both_sides("ssl.own-cert", _PATH, "/etc/ssl/glusterfs.pem", "file with the certificate"),
    _of_both_sides("ssl.private-key", _PATH, "/etc/ssl/glusterfs.key", "file with its private key"),
    _of_both_sides(
        "ssl.ca-list", _PATH, "/etc/ssl/glusterfs.ca", "file with the trusted authorities"
    ),
    _of_both_sides("ssl.crl-path", _PATH, "", "directory with lists of revoked certificates"),
    _of_both_sides(
        "ssl.cipher-list", Kind("ciphers", str), "", "ciphers up to TLS 1.2, in OpenSSL's words"
    ),
    # -- what clients are told
    option_of(
        "features.cache-invalidation",
        ON_OFF,
        "off",
        _UPCALL,
        "cache-invalidation",
        "tell clients what others change in files that they used",
    ),
    option_of(
        "features.cache-invalidation-timeout",
        timed(0, 600),
        "60",
        _UPCALL,
        "cache-invalidation-timeout",
        "time after its last use of a file until which a client is told",
    ),
    option_of(
        "features.locks-notify-contention",
        ON_OFF,
        "on",
        _LOCKS,
        "notify-contention",
        "tell the holder of a translator's lock that others want it",
    ),
    option_of(
        "features.locks-notify-contention-delay",
        numbered(0, 60),
        "5",
        _LOCKS,
        "notify-contention-delay",
        "seconds until it is told again",
    ),
    option_of(
        "features.leases",
        ON_OFF,
        "off",
        _LEASES,
        "leases",
        "promise clients that nobody else touches a file before they are told",
    ),
    option_of(
        "features.lease-lock-recall-timeout",
        timed(0),
        "60",
        _LEASES,
        "lease-lock-recall-timeout",
        "time that a client has to give a lease back when another wants the file",
    ),
    # -- how much a client may have
    option_of("limits.connections", numbered(1), "4096", LIMITS, "connections", "clients at once"),
    option_of(
        "limits.connections-per-address",
        numbered(1),
        "2048",
        LIMITS,
        "connections_per_address",
        "of these, from one address",
    ),
    option_of(
        "limits.fds", numbered(1), "65536", LIMITS, "fds", "open files and directories of a client"
    ),
    option_of(
        "limits.locks",
        numbered(1),
        "4096",
        _LOCKS,
        "max-locks-per-client",
        "locks of a client, and requests of its that wait for one",
    ),
    option_of(
        "limits.blocked-locks",
        numbered(1),
        "4096",
        LIMITS,
        "blocked_locks",
        "calls of a client that wait for a lock",
    ),
    option_of(
        "server.outstanding-rpc-limit",
        numbered(1, 65536),
        "1024",
        LIMITS,
        "pending",
        "calls of a client that are worked on; more are not read",
    ),
    option_of(
        "server.keepalive-time",
        timed(1, 32767),
        "20",
        LIMITS,
        "keepalive_seconds",
        "silence after which the brick's system probes a client's connection",
    ),
    option_of(
        "server.keepalive-interval",
        timed(1, 32767),
        "2",
        LIMITS,
        "keepalive_interval",
        "time between two such probes",
    ),
    option_of(
        "server.keepalive-count",
        numbered(1, 127),
        "9",
        LIMITS,
        "keepalive_count",
        "such probes without an answer that end the connection",
    ),
    option_of(
        "server.tcp-user-timeout",
        timed(1, 1013),
        "42",
        LIMITS,
        "unacknowledged_seconds",
        "time that sent data may go unacknowledged on a client's connection",
    ),
    # -- connections
    PING_TIMEOUT,
    option_of(
        "network.frame-timeout",
        timed(0, 86400),
        "1800",
        CLIENT,
        "frame-timeout",
        "time after which a client gives up a call",
    ),
    option_of(
        "client.event-threads",
        numbered(1, 32),
        "2",
        CLIENT,
        "event-threads",
        "threads of a client that receive",
    ),
    option_of(
        "client.tcp-user-timeout",
        timed(0, 1013),
        "0",
        CLIENT,
        "transport.tcp-user-timeout",
        "time that sent data may go unacknowledged on a client's connection; 0 for the system's",
    ),
    option_of(
        "client.keepalive-time",
        timed(1, 32767),
        "20",
        CLIENT,
        "transport.socket.keepalive-time",
        "silence after which a client's system probes the connection",
    ),
    option_of(
        "client.keepalive-interval",
        timed(1, 32767),
        "2",
        CLIENT,
        "transport.socket.keepalive-interval",
        "time between two such probes",
    ),
    option_of(
        "client.keepalive-count",
        numbered(1, 127),
        "9",
        CLIENT,
        "transport.socket.keepalive-count",
        "such probes without an answer that end the connection",
    ),
    STRICT_LOCKS,
)

#: The options by name.
OPTIONS: Final[Mapping[str, VolumeOption]] = {
    **{each.name: each for each in _ALL},
    **PERFORMANCE,
}
