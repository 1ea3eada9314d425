"""The options that a session can have: those of ``gluster volume set`` that act in a client.

One table, for what checks them (:mod:`glusterio.graph.tuning`), for :class:`glusterio.Options`, whose
fields are made from it, and for the page docs/reference/options.md.

Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-volume-set.c (``glusterd_volopt_map``) and
xlators/protocol/client/src/client.c (its ``options``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from glusterio.graph.performance import PERFORMANCE
from glusterio.graph.volume_options import ON_OFF, VolumeOption, option_of, timed

_CLIENT: Final = "protocol/client"

PING_TIMEOUT: Final = option_of(
    "network.ping-timeout",
    timed(0, 1013),
    "42",
    _CLIENT,
    "ping-timeout",
    "silence after which a client takes the brick for dead; 0 for never",
)

STRICT_LOCKS: Final = option_of(
    "client.strict-locks",
    ON_OFF,
    "off",
    _CLIENT,
    "strict-locks",
    "whether a client that reconnects refuses files that it had locked",
)

#: By name.
CLIENT: Final[Mapping[str, VolumeOption]] = {
    **{each.name: each for each in (PING_TIMEOUT, STRICT_LOCKS)},
    **PERFORMANCE,
}


class Own(NamedTuple):
    """A default of glusterio's that is not GlusterFS's, and why."""

    value: str
    why: str


#: What is so in glusterio's clients where neither the session nor the volume says anything.
OWN_DEFAULTS: Final[Mapping[str, Own]] = {
    "client.strict-locks": Own(
        "on", "the brick has dropped the locks, and another client may have had them meanwhile"
    ),
    "performance.flush-behind": Own(
        "off", "else nobody would be told of a write that fails when its file is closed"
    ),
    "performance.read-ahead": Own("on", "where a management daemon gave the volfile"),
}

#: Options that are taken and do nothing, and why.
UNHEEDED: Final[Mapping[str, str]] = {
    "performance.write-behind-trickling-writes": "it is always on",
    "performance.resync-failed-syncs-after-fsync": (
        "a failed write is told at once, and whoever wrote still has the data"
    ),
    "performance.force-readdirp": "it is always on",
    "performance.md-cache-statfs": "STATFS is always asked for",
}
