"""The table of a volume's options: what ``glusterio volume set`` knows, and where each one acts.

Names, kinds, bounds and defaults are those of ``gluster volume set``, as far as an option means
something for one brick without cluster translators; those that begin with ``limits.`` are glusterio's
own. An option that would do nothing is not here.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-volume-set.c (``glusterd_volopt_map``) and the
``options`` tables of the translators that are named in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from glusterio.graph.options import boolean, integer, seconds, size

#: What decides who may use the brick, and how much: see :mod:`glusterio.brick.access` and
#: :mod:`glusterio.brick.limits`, whose fields the targets name.
SERVER: Final = "protocol/server"
LIMITS: Final = "limits"
CLIENT: Final = "protocol/client"

_WB: Final = "performance/write-behind"
_RA: Final = "performance/read-ahead"
_RDA: Final = "performance/readdir-ahead"
_IOC: Final = "performance/io-cache"
_OB: Final = "performance/open-behind"
_QR: Final = "performance/quick-read"
_NLC: Final = "performance/nl-cache"
_MDC: Final = "performance/md-cache"
_IOT: Final = "performance/io-threads"
_LOCKS: Final = "features/locks"
_RO: Final = "features/read-only"
_POSIX: Final = "storage/posix"
_UPCALL: Final = "features/upcall"
_LEASES: Final = "features/leases"

#: Where options act on the brick alone.
_BRICK_SIDE: Final = frozenset({SERVER, LIMITS, _LOCKS, _RO, _POSIX, _UPCALL, _LEASES})

_MB: Final = 2**20


class Layer(NamedTuple):
    """A performance translator of clients: its type, and the option that says whether it is there."""

    xlator: str
    switch: str


#: From the bottom to the top, as glusterd stacks them.
LAYERS: Final = (
    Layer(_WB, "performance.write-behind"),
    Layer(_RA, "performance.read-ahead"),
    Layer(_RDA, "performance.readdir-ahead"),
    Layer(_IOC, "performance.io-cache"),
    Layer(_OB, "performance.open-behind"),
    Layer(_QR, "performance.quick-read"),
    Layer(_NLC, "performance.nl-cache"),
    Layer(_MDC, "performance.stat-prefetch"),
    Layer(_IOT, "performance.client-io-threads"),
)


# -- kinds of values ----------------------------------------------------------------------------------


class Kind(NamedTuple):
    """What values an option can have: in a word, and what reads one or raises ``ValueError``."""

    word: str
    read: Callable[[str], object]


def _within(word: str, reader: Callable[[str], int], low: int, high: int | None) -> Kind:
    def read(text: str) -> int:
        value = reader(text)
        if value < low or (high is not None and value > high):
            upper = "" if high is None else f" and at most {high}"
            raise ValueError(f"{text!r} is out of range: at least {low}{upper}")
        return value

    return Kind(word, read)


def numbered(low: int, high: int | None = None) -> Kind:
    """Return the kind of a number within bounds."""
    return _within("number", integer, low, high)


def sized(low: int, high: int | None = None) -> Kind:
    """Return the kind of a number of bytes within bounds."""
    return _within("size", size, low, high)


def timed(low: int, high: int | None = None) -> Kind:
    """Return the kind of a number of seconds within bounds."""
    return _within("seconds", seconds, low, high)


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


_ON_OFF: Final = Kind("on/off", boolean)
_ADDRESSES: Final = Kind("addresses", addresses)


# -- the options --------------------------------------------------------------------------------------


class Target(NamedTuple):
    """Where a value goes: the translator's type, and its option there; empty if it has none there."""

    xlator: str
    key: str


class VolumeOption(NamedTuple):
    """An option.

    Attributes:
        name: its name.
        kind: what values it can have.
        default: what it is when it is not set; empty for none.
        targets: where the value goes.
        what: what it does, for people.
    """

    name: str
    kind: Kind
    default: str
    targets: tuple[Target, ...]
    what: str

    @property
    def in_volfile(self) -> bool:
        """Whether clients find it in their volfile, and so have to be told when it changes."""
        return any(target.xlator not in _BRICK_SIDE for target in self.targets)


def _option(name: str, kind: Kind, default: str, xlator: str, key: str, what: str) -> VolumeOption:
    return VolumeOption(name, kind, default, (Target(xlator, key),), what)


_ALL: Final = (
    # -- who may use the volume
    _option("auth.allow", _ADDRESSES, "*", SERVER, "allow", "addresses that may use the volume"),
    _option(
        "auth.reject", _ADDRESSES, "", SERVER, "reject", "addresses that may not; they count more"
    ),
    _option(
        "server.allow-insecure",
        _ON_OFF,
        "on",
        SERVER,
        "rpc-auth-allow-insecure",
        "whether clients may come from ports of 1024 and above",
    ),
    _option(
        "features.read-only",
        _ON_OFF,
        "off",
        _RO,
        "read-only",
        "refuse all changes, also of files that are open",
    ),
    _option(
        "storage.gfid2path",
        _ON_OFF,
        "off",
        _POSIX,
        "gfid2path",
        "new files note their names in extended attributes, from the brick's next start on",
    ),
    # -- what clients are told
    _option(
        "features.cache-invalidation",
        _ON_OFF,
        "off",
        _UPCALL,
        "cache-invalidation",
        "tell clients what others change in files that they used",
    ),
    _option(
        "features.cache-invalidation-timeout",
        timed(0, 600),
        "60",
        _UPCALL,
        "cache-invalidation-timeout",
        "time after its last use of a file until which a client is told",
    ),
    _option(
        "features.locks-notify-contention",
        _ON_OFF,
        "on",
        _LOCKS,
        "notify-contention",
        "tell the holder of a translator's lock that others want it",
    ),
    _option(
        "features.locks-notify-contention-delay",
        numbered(0, 60),
        "5",
        _LOCKS,
        "notify-contention-delay",
        "seconds until it is told again",
    ),
    _option(
        "features.leases",
        _ON_OFF,
        "off",
        _LEASES,
        "leases",
        "promise clients that nobody else touches a file before they are told",
    ),
    _option(
        "features.lease-lock-recall-timeout",
        timed(0),
        "60",
        _LEASES,
        "lease-lock-recall-timeout",
        "time that a client has to give a lease back when another wants the file",
    ),
    # -- how much a client may have
    _option("limits.connections", numbered(1), "4096", LIMITS, "connections", "clients at once"),
    _option(
        "limits.connections-per-address",
        numbered(1),
        "2048",
        LIMITS,
        "connections_per_address",
        "of these, from one address",
    ),
    _option(
        "limits.fds", numbered(1), "65536", LIMITS, "fds", "open files and directories of a client"
    ),
    _option(
        "limits.locks",
        numbered(1),
        "4096",
        _LOCKS,
        "max-locks-per-client",
        "locks of a client, and requests of its that wait for one",
    ),
    _option(
        "limits.blocked-locks",
        numbered(1),
        "4096",
        LIMITS,
        "blocked_locks",
        "calls of a client that wait for a lock",
    ),
    _option(
        "server.outstanding-rpc-limit",
        numbered(1, 65536),
        "1024",
        LIMITS,
        "pending",
        "calls of a client that are worked on; more are not read",
    ),
    _option(
        "server.keepalive-time",
        timed(1, 32767),
        "20",
        LIMITS,
        "keepalive_seconds",
        "silence after which the brick's system probes a client's connection",
    ),
    _option(
        "server.keepalive-interval",
        timed(1, 32767),
        "2",
        LIMITS,
        "keepalive_interval",
        "time between two such probes",
    ),
    _option(
        "server.keepalive-count",
        numbered(1, 127),
        "9",
        LIMITS,
        "keepalive_count",
        "such probes without an answer that end the connection",
    ),
    _option(
        "server.tcp-user-timeout",
        timed(1, 1013),
        "42",
        LIMITS,
        "unacknowledged_seconds",
        "time that sent data may go unacknowledged on a client's connection",
    ),
    # -- connections
    _option(
        "network.ping-timeout",
        timed(0, 1013),
        "42",
        CLIENT,
        "ping-timeout",
        "silence after which a client takes the brick for dead; 0 for never",
    ),
    _option(
        "network.frame-timeout",
        timed(0, 86400),
        "1800",
        CLIENT,
        "frame-timeout",
        "time after which a client gives up a call",
    ),
    _option(
        "client.event-threads",
        numbered(1, 32),
        "2",
        CLIENT,
        "event-threads",
        "threads of a client that receive",
    ),
    _option(
        "client.tcp-user-timeout",
        timed(0, 1013),
        "0",
        CLIENT,
        "transport.tcp-user-timeout",
        "time that sent data may go unacknowledged on a client's connection; 0 for the system's",
    ),
    _option(
        "client.keepalive-time",
        timed(1, 32767),
        "20",
        CLIENT,
        "transport.socket.keepalive-time",
        "silence after which a client's system probes the connection",
    ),
    _option(
        "client.keepalive-interval",
        timed(1, 32767),
        "2",
        CLIENT,
        "transport.socket.keepalive-interval",
        "time between two such probes",
    ),
    _option(
        "client.keepalive-count",
        numbered(1, 127),
        "9",
        CLIENT,
        "transport.socket.keepalive-count",
        "such probes without an answer that end the connection",
    ),
    _option(
        "client.strict-locks",
        _ON_OFF,
        "off",
        CLIENT,
        "strict-locks",
        "whether a client that reconnects refuses files that it had locked",
    ),
    # -- write-behind
    _option(
        "performance.write-behind",
        _ON_OFF,
        "on",
        _WB,
        "",
        "answer writes before the brick has them",
    ),
    _option(
        "performance.flush-behind",
        _ON_OFF,
        "on",
        _WB,
        "flush-behind",
        "do not wait for flushes, either",
    ),
    _option(
        "performance.write-behind-window-size",
        sized(_MB // 2, 1024 * _MB),
        "1MB",
        _WB,
        "cache-size",
        "data of one file that may be under way",
    ),
    _option(
        "performance.aggregate-size",
        sized(0),
        "128KB",
        _WB,
        "aggregate-size",
        "size up to which small writes are joined",
    ),
    _option(
        "performance.write-behind-trickling-writes",
        _ON_OFF,
        "on",
        _WB,
        "trickling-writes",
        "send what is there while nothing else is under way",
    ),
    _option(
        "performance.strict-o-direct",
        _ON_OFF,
        "off",
        _WB,
        "strict-O_DIRECT",
        "write through for files opened with O_DIRECT",
    ),
    _option(
        "performance.strict-write-ordering",
        _ON_OFF,
        "off",
        _WB,
        "strict-write-ordering",
        "keep all writes in order, not only those that overlap",
    ),
    _option(
        "performance.resync-failed-syncs-after-fsync",
        _ON_OFF,
        "off",
        _WB,
        "resync-failed-syncs-after-fsync",
        "keep what a failed fsync could not write, and try again",
    ),
    # -- read-ahead
    _option(
        "performance.read-ahead",
        _ON_OFF,
        "off",
        _RA,
        "",
        "read on where a file is read in sequence",
    ),
    _option(
        "performance.read-ahead-page-count",
        numbered(1, 16),
        "4",
        _RA,
        "page-count",
        "pages that are read in advance",
    ),
    # -- readdir-ahead
    _option("performance.readdir-ahead", _ON_OFF, "off", _RDA, "", "read directories in advance"),
    _option(
        "performance.rda-request-size",
        sized(4096, 131072),
        "131072",
        _RDA,
        "rda-request-size",
        "size of one such read",
    ),
    _option(
        "performance.rda-cache-limit",
        sized(0),
        "10MB",
        _RDA,
        "rda-cache-limit",
        "size of all that is read so",
    ),
    # -- io-cache
    _option("performance.io-cache", _ON_OFF, "off", _IOC, "", "keep data that has been read"),
    _option("performance.io-cache-size", sized(4 * _MB), "32MB", _IOC, "cache-size", "size of it"),
    VolumeOption(
        "performance.cache-size",
        sized(4 * _MB),
        "",
        (Target(_IOC, "cache-size"), Target(_QR, "cache-size")),
        "size of io-cache and of quick-read; the options of their own count more",
    ),
    _option(
        "performance.cache-min-file-size",
        sized(0),
        "0",
        _IOC,
        "min-file-size",
        "smallest file that io-cache keeps",
    ),
    _option(
        "performance.cache-max-file-size",
        sized(0),
        "0",
        _IOC,
        "max-file-size",
        "largest file that io-cache keeps; 0 for any",
    ),
    _option(
        "performance.cache-refresh-timeout",
        numbered(0, 60),
        "1",
        _IOC,
        "cache-timeout",
        "seconds that io-cache trusts its copy",
    ),
    # -- open-behind
    _option(
        "performance.open-behind", _ON_OFF, "on", _OB, "", "open a file only when it has to be"
    ),
    _option(
        "performance.lazy-open",
        _ON_OFF,
        "yes",
        _OB,
        "lazy-open",
        "not before it is read or written",
    ),
    _option(
        "performance.read-after-open",
        _ON_OFF,
        "yes",
        _OB,
        "read-after-open",
        "a read waits for the open instead of going by the file's id",
    ),
    # -- quick-read
    _option("performance.quick-read", _ON_OFF, "on", _QR, "", "fetch small files in the lookup"),
    _option(
        "performance.quick-read-cache-size",
        sized(0),
        "128MB",
        _QR,
        "cache-size",
        "size of what is kept of them",
    ),
    _option(
        "performance.quick-read-cache-timeout",
        numbered(1, 600),
        "1",
        _QR,
        "cache-timeout",
        "seconds that quick-read trusts its copy",
    ),
    # -- nl-cache
    _option("performance.nl-cache", _ON_OFF, "off", _NLC, "", "remember which names are not there"),
    _option(
        "performance.nl-cache-timeout",
        timed(0, 600),
        "60",
        _NLC,
        "nl-cache-timeout",
        "how long; for that long a name that another client makes may be missed",
    ),
    _option(
        "performance.nl-cache-limit",
        sized(0),
        "10MB",
        _NLC,
        "nl-cache-limit",
        "size of all that is remembered",
    ),
    _option(
        "performance.nl-cache-positive-entry",
        _ON_OFF,
        "off",
        _NLC,
        "nl-cache-positive-entry",
        "remember the names that are there, too",
    ),
    # -- md-cache
    _option("performance.stat-prefetch", _ON_OFF, "on", _MDC, "", "keep attributes of files"),
    _option(
        "performance.md-cache-timeout",
        timed(0, 600),
        "1",
        _MDC,
        "md-cache-timeout",
        "how long they are trusted",
    ),
    _option(
        "performance.force-readdirp",
        _ON_OFF,
        "on",
        _MDC,
        "force-readdirp",
        "read directories with attributes, always",
    ),
    _option(
        "performance.md-cache-statfs",
        _ON_OFF,
        "off",
        _MDC,
        "md-cache-statfs",
        "keep STATFS's answer, too",
    ),
    # -- io-threads
    _option(
        "performance.client-io-threads", _ON_OFF, "on", _IOT, "", "threads of its own in a client"
    ),
    _option(
        "performance.io-thread-count",
        numbered(1, 64),
        "16",
        _IOT,
        "thread-count",
        "how many at the most",
    ),
)

#: The options by name.
OPTIONS: Final[Mapping[str, VolumeOption]] = {each.name: each for each in _ALL}
