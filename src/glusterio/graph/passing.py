"""Which translators of a volfile may be left out, and why each is harmless to leave out.

GlusterFS itself calls a translator that is skipped at run time *pass-through*. Here it means that the
translator is not built at all: its child takes its place. That is allowed only where data written
through the full graph is read back right through the shorter one, and the other way round. What is
not in this table, and not among the translators that glusterio has, makes the graph unusable: a
volume is refused rather than misread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from glusterio.graph.options import boolean, option
from glusterio.graph.volfile import Volume


class Pass(NamedTuple):
    """Why, and when, a translator may be left out. It must have exactly one child in any case.

    Attributes:
        why: what is lost without it.
        when: an additional condition, or ``None``.
    """

    why: str
    when: Callable[[Volume], bool] | None = None


def _is_off(key: str) -> Callable[[Volume], bool]:
    return lambda volume: not option(volume.options, key, boolean, False)


_CACHE = "a cache: without it every answer comes from the brick"

#: Sources: GlusterFS xlators/mgmt/glusterd/src/glusterd-volgen.c (``client_graph_builder``: what a
#: client's volfile can hold) and the translators themselves.
PASSES: Final[dict[str, Pass]] = {
    # -- performance: they move work in time or keep copies; the bricks' data is the same without
    "performance/write-behind": Pass("delays writes; without it every write is on the brick"),
    "performance/open-behind": Pass("delays opens; without it every open goes to the brick"),
    "performance/read-ahead": Pass("reads early; without it reads go out when they are asked for"),
    "performance/readdir-ahead": Pass("reads directories early"),
    "performance/io-cache": Pass(_CACHE),
    "performance/quick-read": Pass(_CACHE),
    "performance/md-cache": Pass(_CACHE),
    "performance/nl-cache": Pass(_CACHE),
    "performance/io-threads": Pass("spreads calls over threads; order is the bricks' either way"),
    # -- debug: they look, and change nothing
    "debug/io-stats": Pass("counts operations; the top of every volfile that glusterd writes"),
    "debug/trace": Pass("logs operations"),
    # -- others
    # xlators/cluster/dht/src/dht-helper.c, dht_init_subvolumes: with one child GlusterFS sets DHT to
    # pass-through itself. Left of it is dht.c's dht_pt_fops: a layout attribute on new directories,
    # which DHT supplies when it misses one (should the volume grow), and names of virtual attributes.
    "cluster/distribute": Pass("with a single child there is nothing to distribute"),
    # xlators/features/read-only/src/read-only.c: does nothing unless its option is on.
    "features/read-only": Pass("switched off in this volfile", _is_off("read-only")),
    # libglusterfs/src/graph.c inserts these two by themselves; volfiles rarely name them.
    "meta": Pass("shows the client's inside as files below .meta"),
    "system/posix-acl": Pass(
        "checks access early; every brick checks it (features/access-control)"
    ),
}


def why_passed(volume: Volume) -> str | None:
    """Return why a volume may be left out of the graph, or ``None`` when it may not.

    Raises:
        VolfileError: an option that decides about it cannot be read.
    """
    entry = PASSES.get(volume.type)
    if entry is None or len(volume.subvolumes) != 1:
        return None
    if entry.when is not None and not entry.when(volume):
        return None
    return entry.why
