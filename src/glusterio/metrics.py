"""The numbers of all sessions of this process; :meth:`glusterio.Volume.metrics` has those of one.

::

    for each in glusterio.metrics.all():
        print(each.volume, each.handles_open, each.calls_in_flight)
"""

from glusterio.api.metrics import BUCKETS, Metrics, OperationMetrics, all_sessions

__all__ = ["BUCKETS", "Metrics", "OperationMetrics", "all"]


def all() -> list[Metrics]:
    """Return the numbers of every session of this process that has not ended, connecting ones too."""
    return all_sessions()
