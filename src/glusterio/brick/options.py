"""The options of a volume: what ``glusterio volume set`` knows, and where each one acts.

Names, kinds, bounds and defaults are those of ``gluster volume set``, as far as an option means
something for one brick without cluster translators. What is not in the table is refused, with the
names that are nearest to it: an option that would do nothing is worse than none.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-volume-set.c (``glusterd_volopt_map``) and the
``options`` tables of the translators that are named in it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from glusterio.graph.options import boolean, integer, seconds, size

#: Reads an option's text, or raises ``ValueError``.
Reader = Callable[[str], object]

#: What decides about access, beside the handshake of :mod:`glusterio.brick.handshake`.
SERVER: Final = "protocol/server"
CLIENT: Final = "protocol/client"

_MB: Final = 2**20
_ADDRESS: Final = re.compile(r"!?[0-9A-Za-z.:*?%_/-]+|/[^(|]*\([^()]+\)")


def within(reader: Callable[[str], int], low: int, high: int | None = None) -> Reader:
    """Read a number that has to lie within bounds."""

    def read(text: str) -> int:
        value = reader(text)
        if value < low or (high is not None and value > high):
            upper = "" if high is None else f" and at most {high}"
            raise ValueError(f"{text!r} is out of range: at least {low}{upper}")
        return value

    return read


def addresses(text: str) -> list[str]:
    """Read a list of addresses, with ``*`` and ``?`` as wildcards, separated by commas.

    Raises:
        ValueError: it is empty, or holds something else.
    """
    found = [each.strip() for each in text.split(",")]
    for each in found:
        if not _ADDRESS.fullmatch(each):
            raise ValueError(f"{each!r} is no address, such as 192.168.1.* or 2001:db8::7")
    return found


class Target(NamedTuple):
    """Where an option's value goes: the translator's type, and the option's name there."""

    xlator: str
    key: str


class VolumeOption(NamedTuple):
    """An option.

    Attributes:
        name: its name.
        kind: what its value is, in a word, for people.
        read: reads a value.
        default: what it is when it is not set; empty for none.
        targets: where the value goes.
        what: what it does, in a sentence.
    """

    name: str
    kind: str
    read: Reader
    default: str
    targets: tuple[Target, ...]
    what: str

    @property
    def in_volfile(self) -> bool:
        """Whether clients find it in their volfile, and so have to be told when it changes."""
        return any(target.xlator not in _BRICK_SIDE for target in self.targets)


#: Translators, and protocol/server, whose options never leave the brick.
_BRICK_SIDE: Final = frozenset({SERVER})


class Layer(NamedTuple):
    """A performance translator of clients: its type, and the option that says whether it is there."""

    xlator: str
    switch: str


#: From the bottom to the top, as glusterd stacks them.
LAYERS: Final = (
    Layer("performance/write-behind", "performance.write-behind"),
    Layer("performance/read-ahead", "performance.read-ahead"),
    Layer("performance/readdir-ahead", "performance.readdir-ahead"),
    Layer("performance/io-cache", "performance.io-cache"),
    Layer("performance/open-behind", "performance.open-behind"),
    Layer("performance/quick-read", "performance.quick-read"),
    Layer("performance/nl-cache", "performance.nl-cache"),
    Layer("performance/md-cache", "performance.stat-prefetch"),
    Layer("performance/io-threads", "performance.client-io-threads"),
)


def _switch(name: str, default: str, xlator: str, what: str) -> VolumeOption:
    return VolumeOption(name, "on/off", boolean, default, (Target(xlator, ""),), what)


def _on_off(name: str, default: str, xlator: str, key: str, what: str) -> VolumeOption:
    return VolumeOption(name, "on/off", boolean, default, (Target(xlator, key),), what)


def _size(
    name: str, default: str, xlator: str, key: str, low: int, high: int | None, what: str
) -> VolumeOption:
    reader = within(size, low, high)
    return VolumeOption(name, "size", reader, default, (Target(xlator, key),), what)


def _number(
    name: str, default: str, xlator: str, key: str, low: int, high: int | None, what: str
) -> VolumeOption:
    reader = within(integer, low, high)
    return VolumeOption(name, "number", reader, default, (Target(xlator, key),), what)


def _time(
    name: str, default: str, xlator: str, key: str, low: int, high: int | None, what: str
) -> VolumeOption:
    reader = within(seconds, low, high)
    return VolumeOption(name, "seconds", reader, default, (Target(xlator, key),), what)


def _addresses(name: str, default: str, key: str, what: str) -> VolumeOption:
    return VolumeOption(name, "addresses", addresses, default, (Target(SERVER, key),), what)


_WB: Final = "performance/write-behind"
_RA: Final = "performance/read-ahead"
_RDA: Final = "performance/readdir-ahead"
_IOC: Final = "performance/io-cache"
_OB: Final = "performance/open-behind"
_QR: Final = "performance/quick-read"
_NLC: Final = "performance/nl-cache"
_MDC: Final = "performance/md-cache"
_IOT: Final = "performance/io-threads"

_ALL: Final = (
    # -- who may use the volume
    _addresses("auth.allow", "*", "allow", "addresses that may use the volume"),
    _addresses("auth.reject", "", "reject", "addresses that may not; they count more"),
    _on_off(
        "server.allow-insecure",
        "on",
        SERVER,
        "rpc-auth-allow-insecure",
        "whether clients may come from ports of 1024 and above",
    ),
    # -- connections
    _time(
        "network.ping-timeout",
        "42",
        CLIENT,
        "ping-timeout",
        0,
        1013,
        "silence after which a client takes the brick for dead; 0 for never",
    ),
    _time(
        "network.frame-timeout",
        "1800",
        CLIENT,
        "frame-timeout",
        0,
        86400,
        "time after which a client gives up a call",
    ),
    _number(
        "client.event-threads",
        "2",
        CLIENT,
        "event-threads",
        1,
        32,
        "threads of a client that receive",
    ),
    _time(
        "client.tcp-user-timeout",
        "0",
        CLIENT,
        "transport.tcp-user-timeout",
        0,
        1013,
        "time that sent data may go unacknowledged on a client's connection; 0 for the system's",
    ),
    _time(
        "client.keepalive-time",
        "20",
        CLIENT,
        "transport.socket.keepalive-time",
        1,
        32767,
        "silence after which a client's system probes the connection",
    ),
    _time(
        "client.keepalive-interval",
        "2",
        CLIENT,
        "transport.socket.keepalive-interval",
        1,
        32767,
        "time between two such probes",
    ),
    _number(
        "client.keepalive-count",
        "9",
        CLIENT,
        "transport.socket.keepalive-count",
        1,
        127,
        "such probes without an answer that end the connection",
    ),
    _on_off(
        "client.strict-locks",
        "off",
        CLIENT,
        "strict-locks",
        "whether a client that reconnects refuses files that it had locked",
    ),
    # -- write-behind
    _switch("performance.write-behind", "on", _WB, "answer writes before the brick has them"),
    _on_off(
        "performance.flush-behind", "on", _WB, "flush-behind", "do not wait for flushes, either"
    ),
    _size(
        "performance.write-behind-window-size",
        "1MB",
        _WB,
        "cache-size",
        512 * 1024,
        1024 * _MB,
        "data of one file that may be under way",
    ),
    _size(
        "performance.aggregate-size",
        "128KB",
        _WB,
        "aggregate-size",
        0,
        None,
        "size up to which small writes are joined",
    ),
    _on_off(
        "performance.write-behind-trickling-writes",
        "on",
        _WB,
        "trickling-writes",
        "send what is there while nothing else is under way",
    ),
    _on_off(
        "performance.strict-o-direct",
        "off",
        _WB,
        "strict-O_DIRECT",
        "write through for files opened with O_DIRECT",
    ),
    _on_off(
        "performance.strict-write-ordering",
        "off",
        _WB,
        "strict-write-ordering",
        "keep all writes in order, not only those that overlap",
    ),
    _on_off(
        "performance.resync-failed-syncs-after-fsync",
        "off",
        _WB,
        "resync-failed-syncs-after-fsync",
        "keep what a failed fsync could not write, and try again",
    ),
    # -- read-ahead
    _switch("performance.read-ahead", "off", _RA, "read on where a file is read in sequence"),
    _number(
        "performance.read-ahead-page-count",
        "4",
        _RA,
        "page-count",
        1,
        16,
        "pages that are read in advance",
    ),
    # -- readdir-ahead
    _switch("performance.readdir-ahead", "off", _RDA, "read directories in advance"),
    _size(
        "performance.rda-request-size",
        "131072",
        _RDA,
        "rda-request-size",
        4096,
        131072,
        "size of one such read",
    ),
    _size(
        "performance.rda-cache-limit",
        "10MB",
        _RDA,
        "rda-cache-limit",
        0,
        None,
        "size of all that is read so",
    ),
    # -- io-cache
    _switch("performance.io-cache", "off", _IOC, "keep data that has been read"),
    _size("performance.io-cache-size", "32MB", _IOC, "cache-size", 4 * _MB, None, "size of it"),
    VolumeOption(
        "performance.cache-size",
        "size",
        within(size, 4 * _MB),
        "",
        (Target(_IOC, "cache-size"), Target(_QR, "cache-size")),
        "size of io-cache and of quick-read; the options of their own count more",
    ),
    _size(
        "performance.cache-min-file-size",
        "0",
        _IOC,
        "min-file-size",
        0,
        None,
        "smallest file that io-cache keeps",
    ),
    _size(
        "performance.cache-max-file-size",
        "0",
        _IOC,
        "max-file-size",
        0,
        None,
        "largest file that io-cache keeps; 0 for any",
    ),
    _number(
        "performance.cache-refresh-timeout",
        "1",
        _IOC,
        "cache-timeout",
        0,
        60,
        "seconds that io-cache trusts its copy",
    ),
    # -- open-behind
    _switch("performance.open-behind", "on", _OB, "open a file only when it has to be"),
    _on_off("performance.lazy-open", "yes", _OB, "lazy-open", "not before it is read or written"),
    _on_off(
        "performance.read-after-open",
        "yes",
        _OB,
        "read-after-open",
        "a read waits for the open instead of going by the file's id",
    ),
    # -- quick-read
    _switch("performance.quick-read", "on", _QR, "fetch small files in the lookup"),
    _size(
        "performance.quick-read-cache-size",
        "128MB",
        _QR,
        "cache-size",
        0,
        None,
        "size of what is kept of them",
    ),
    _number(
        "performance.quick-read-cache-timeout",
        "1",
        _QR,
        "cache-timeout",
        1,
        600,
        "seconds that quick-read trusts its copy",
    ),
    # -- nl-cache
    _switch("performance.nl-cache", "off", _NLC, "remember which names are not there"),
    _time(
        "performance.nl-cache-timeout",
        "60",
        _NLC,
        "nl-cache-timeout",
        0,
        600,
        "how long; for that long a name that another client makes may be missed",
    ),
    _size(
        "performance.nl-cache-limit",
        "10MB",
        _NLC,
        "nl-cache-limit",
        0,
        None,
        "size of all that is remembered",
    ),
    _on_off(
        "performance.nl-cache-positive-entry",
        "off",
        _NLC,
        "nl-cache-positive-entry",
        "remember the names that are there, too",
    ),
    # -- md-cache
    _switch("performance.stat-prefetch", "on", _MDC, "keep attributes of files"),
    _time(
        "performance.md-cache-timeout",
        "1",
        _MDC,
        "md-cache-timeout",
        0,
        600,
        "how long they are trusted",
    ),
    _on_off(
        "performance.force-readdirp",
        "on",
        _MDC,
        "force-readdirp",
        "read directories with attributes, always",
    ),
    _on_off(
        "performance.md-cache-statfs", "off", _MDC, "md-cache-statfs", "keep STATFS's answer, too"
    ),
    # -- io-threads
    _switch("performance.client-io-threads", "on", _IOT, "threads of its own in a client"),
    _number(
        "performance.io-thread-count", "16", _IOT, "thread-count", 1, 64, "how many at the most"
    ),
)

#: The options by name.
OPTIONS: Final[Mapping[str, VolumeOption]] = {each.name: each for each in _ALL}


class OptionError(ValueError):
    """An option that there is not, or a value that it cannot have."""


def find_option(name: str) -> VolumeOption:
    """Return an option.

    Raises:
        OptionError: there is none of the name; the message tells the nearest names.
    """
    found = OPTIONS.get(name)
    if found is not None:
        return found
    near = difflib.get_close_matches(name, OPTIONS, n=3, cutoff=0.6)
    near = near or [each for each in OPTIONS if each.rpartition(".")[2] == name][:3]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise OptionError(f"there is no option {name!r}{hint}")


def check(name: str, value: str) -> str:
    """Check a value, and return it without the blanks around it.

    Raises:
        OptionError: there is no such option, or it cannot have the value.
    """
    found = find_option(name)
    value = value.strip()
    try:
        found.read(value)
    except ValueError as error:
        raise OptionError(f"{name}: {error}") from None
    return value


class VolumeOptions:
    """The options of one volume: those that are set, and the defaults of the others.

    Args:
        given: what is set, by name.
        defaults: defaults of this volume, where they are not those of the table.

    Raises:
        OptionError: one of them is no good.
    """

    def __init__(
        self, given: Mapping[str, str] | None = None, defaults: Mapping[str, str] | None = None
    ) -> None:
        self.given = {name: check(name, value) for name, value in (given or {}).items()}
        self._defaults = {name: check(name, value) for name, value in (defaults or {}).items()}

    def with_changes(self, changes: Mapping[str, str | None]) -> VolumeOptions:
        """Return options with some set, and some (``None``) back at their default.

        Raises:
            OptionError: one of them is no good; nothing has changed.
        """
        given = dict(self.given)
        for name, value in changes.items():
            find_option(name)
            if value is None:
                given.pop(name, None)
            else:
                given[name] = value
        return VolumeOptions(given, self._defaults)

    def text(self, name: str) -> str:
        """Return an option's value as text; empty when it has none."""
        default = self._defaults.get(name, OPTIONS[name].default)
        return self.given.get(name, default)

    def is_on(self, name: str) -> bool:
        """Tell whether an option that is on or off is on."""
        return boolean(self.text(name))

    def addresses(self, name: str) -> list[str] | None:
        """Return an option's addresses; ``None`` when it is not set."""
        given = self.given.get(name)
        return None if given is None else addresses(given)

    def for_xlator(self, xlator: str) -> dict[str, str]:
        """Return what a translator's section of the volfile holds: what is set for it."""
        found: dict[str, str] = {}
        for narrow in (False, True):  # an option of its own counts more than a shared one
            for option, value in self._set():
                if (len(option.targets) == 1) is narrow:
                    for target in option.targets:
                        if target.xlator == xlator and target.key:
                            found[target.key] = value
        return found

    def layers(self) -> list[str]:
        """Return the types of the performance translators that clients shall have, lowest first."""
        return [layer.xlator for layer in LAYERS if self.is_on(layer.switch)]

    def _set(self) -> Iterator[tuple[VolumeOption, str]]:
        for name in {**self._defaults, **self.given}:
            yield OPTIONS[name], self.text(name)
