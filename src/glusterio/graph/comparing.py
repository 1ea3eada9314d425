"""What differs between two volfiles: other translators, or other options of the same ones.

Source: GlusterFS libglusterfs/src/graph.c (``is_graph_topology_equal``).
"""

from __future__ import annotations

from glusterio.graph.volfile import Volfile, Volume


def changed_volumes(old: Volfile, new: Volfile) -> list[Volume] | None:
    """Return the volumes of a new volfile whose options are others than in the old one.

    Returns:
        ``None`` if the two have not the same translators in the same places.
    """
    if len(old.volumes) != len(new.volumes):
        return None
    changed = []
    for before, after in zip(old.volumes, new.volumes, strict=True):
        if before[:2] != after[:2] or before.subvolumes != after.subvolumes:
            return None
        if before.options != after.options:
            changed.append(after)
    return changed
