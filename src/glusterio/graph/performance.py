"""The performance translators of clients: their place in the stack, and their options.

Names, kinds, bounds and defaults are those of ``gluster volume set``. Which of them glusterio has is
not said here: see :data:`glusterio.api.registry.REGISTRY`.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-volgen.c (``client_graph_builder``: the stack),
glusterd-volume-set.c (``glusterd_volopt_map``) and the ``options`` tables of the translators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from glusterio.graph.volume_options import (
    ON_OFF,
    Target,
    VolumeOption,
    numbered,
    option_of,
    sized,
    timed,
)

_WB: Final = "performance/write-behind"
_RA: Final = "performance/read-ahead"
_RDA: Final = "performance/readdir-ahead"
_IOC: Final = "performance/io-cache"
_OB: Final = "performance/open-behind"
_QR: Final = "performance/quick-read"
_NLC: Final = "performance/nl-cache"
_MDC: Final = "performance/md-cache"
_IOT: Final = "performance/io-threads"

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

_ALL: Final = (
    # -- write-behind
    option_of(
        "performance.write-behind",
        ON_OFF,
        "on",
        _WB,
        "",
        "answer writes before the brick has them",
    ),
    option_of(
        "performance.flush-behind",
        ON_OFF,
        "on",
        _WB,
        "flush-behind",
        "do not wait for flushes, either",
    ),
    option_of(
        "performance.write-behind-window-size",
        sized(_MB // 2, 1024 * _MB),
        "1MB",
        _WB,
        "cache-size",
        "data of one file that may be under way",
    ),
    option_of(
        "performance.aggregate-size",
        sized(0),
        "128KB",
        _WB,
        "aggregate-size",
        "size up to which small writes are joined",
    ),
    option_of(
        "performance.write-behind-trickling-writes",
        ON_OFF,
        "on",
        _WB,
        "trickling-writes",
        "send what is there while nothing else is under way",
    ),
    option_of(
        "performance.strict-o-direct",
        ON_OFF,
        "off",
        _WB,
        "strict-O_DIRECT",
        "write through for files opened with O_DIRECT",
    ),
    option_of(
        "performance.strict-write-ordering",
        ON_OFF,
        "off",
        _WB,
        "strict-write-ordering",
        "keep all writes in order, not only those that overlap",
    ),
    option_of(
        "performance.resync-failed-syncs-after-fsync",
        ON_OFF,
        "off",
        _WB,
        "resync-failed-syncs-after-fsync",
        "keep what a failed fsync could not write, and try again",
    ),
    # -- read-ahead
    option_of(
        "performance.read-ahead",
        ON_OFF,
        "off",
        _RA,
        "",
        "read on where a file is read in sequence",
    ),
    option_of(
        "performance.read-ahead-page-count",
        numbered(1, 16),
        "4",
        _RA,
        "page-count",
        "pages that are read in advance",
    ),
    # -- readdir-ahead
    option_of("performance.readdir-ahead", ON_OFF, "off", _RDA, "", "read directories in advance"),
    option_of(
        "performance.rda-request-size",
        sized(4096, 131072),
        "131072",
        _RDA,
        "rda-request-size",
        "size of one such read",
    ),
    option_of(
        "performance.rda-cache-limit",
        sized(0),
        "10MB",
        _RDA,
        "rda-cache-limit",
        "size of all that is read so",
    ),
    # -- io-cache
    option_of("performance.io-cache", ON_OFF, "off", _IOC, "", "keep data that has been read"),
    option_of(
        "performance.io-cache-size", sized(4 * _MB), "32MB", _IOC, "cache-size", "size of it"
    ),
    VolumeOption(
        "performance.cache-size",
        sized(4 * _MB),
        "",
        (Target(_IOC, "cache-size"), Target(_QR, "cache-size")),
        "size of io-cache and of quick-read; the options of their own count more",
    ),
    option_of(
        "performance.cache-min-file-size",
        sized(0),
        "0",
        _IOC,
        "min-file-size",
        "smallest file that io-cache keeps",
    ),
    option_of(
        "performance.cache-max-file-size",
        sized(0),
        "0",
        _IOC,
        "max-file-size",
        "largest file that io-cache keeps; 0 for any",
    ),
    option_of(
        "performance.cache-refresh-timeout",
        numbered(0, 60),
        "1",
        _IOC,
        "cache-timeout",
        "seconds that io-cache trusts its copy",
    ),
    # -- open-behind
    option_of(
        "performance.open-behind", ON_OFF, "on", _OB, "", "open a file only when it has to be"
    ),
    option_of(
        "performance.lazy-open",
        ON_OFF,
        "yes",
        _OB,
        "lazy-open",
        "not before it is read or written",
    ),
    option_of(
        "performance.read-after-open",
        ON_OFF,
        "yes",
        _OB,
        "read-after-open",
        "a read waits for the open instead of going by the file's id",
    ),
    # -- quick-read
    option_of("performance.quick-read", ON_OFF, "on", _QR, "", "fetch small files in the lookup"),
    option_of(
        "performance.quick-read-cache-size",
        sized(0),
        "128MB",
        _QR,
        "cache-size",
        "size of what is kept of them",
    ),
    option_of(
        "performance.quick-read-cache-timeout",
        numbered(1, 600),
        "1",
        _QR,
        "cache-timeout",
        "seconds that quick-read trusts its copy",
    ),
    # -- nl-cache
    option_of(
        "performance.nl-cache", ON_OFF, "off", _NLC, "", "remember which names are not there"
    ),
    option_of(
        "performance.nl-cache-timeout",
        timed(0, 600),
        "60",
        _NLC,
        "nl-cache-timeout",
        "how long; for that long a name that another client makes may be missed",
    ),
    option_of(
        "performance.nl-cache-limit",
        sized(0),
        "10MB",
        _NLC,
        "nl-cache-limit",
        "size of all that is remembered",
    ),
    option_of(
        "performance.nl-cache-positive-entry",
        ON_OFF,
        "off",
        _NLC,
        "nl-cache-positive-entry",
        "remember the names that are there, too",
    ),
    # -- md-cache
    option_of("performance.stat-prefetch", ON_OFF, "on", _MDC, "", "keep attributes of files"),
    option_of(
        "performance.md-cache-timeout",
        timed(0, 600),
        "1",
        _MDC,
        "md-cache-timeout",
        "how long they are trusted",
    ),
    option_of(
        "performance.force-readdirp",
        ON_OFF,
        "on",
        _MDC,
        "force-readdirp",
        "read directories with attributes, always",
    ),
    option_of(
        "performance.md-cache-statfs",
        ON_OFF,
        "off",
        _MDC,
        "md-cache-statfs",
        "keep STATFS's answer, too",
    ),
    # -- io-threads
    option_of(
        "performance.client-io-threads", ON_OFF, "on", _IOT, "", "threads of its own in a client"
    ),
    option_of(
        "performance.io-thread-count",
        numbered(1, 64),
        "16",
        _IOT,
        "thread-count",
        "how many at the most",
    ),
)

#: Their options by name.
PERFORMANCE: Final[Mapping[str, VolumeOption]] = {each.name: each for each in _ALL}
