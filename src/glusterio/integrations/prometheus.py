"""The metrics of all sessions of this process for Prometheus (extra ``prometheus``).

::

    from prometheus_client import start_http_server
    from glusterio.integrations import prometheus

    prometheus.register()
    start_http_server(9100)

Nothing is counted twice and nothing runs in the background: the sessions are asked when Prometheus
asks. Each has the labels ``volume`` and ``session``, its number in this process; a session that has
ended is told of no more. Operations and bytes are those of sessions with ``connect(metrics=True)``.

Names follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

try:
    from prometheus_client import REGISTRY
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
except ModuleNotFoundError as error:
    error.msg += ": pip install 'glusterio[prometheus]'"
    raise

from glusterio import metrics
from glusterio.metrics import BUCKETS, Metrics

_SESSION: Final = ("volume", "session")
_BOUNDS: Final = (*map(str, BUCKETS), "+Inf")


class _Number(NamedTuple):
    """One number of a session: what Prometheus shall call it, and where it is."""

    kind: Callable[..., Any]
    name: str
    what: str
    of: Callable[[Metrics], int]


_NUMBERS: Final = (
    _Number(CounterMetricFamily, "glusterio_calls", "Calls admitted", lambda it: it.calls),
    _Number(
        GaugeMetricFamily,
        "glusterio_calls_in_flight",
        "Calls under way",
        lambda it: it.calls_in_flight,
    ),
    _Number(
        CounterMetricFamily,
        "glusterio_handles",
        "Files and directories opened, or to be opened",
        lambda it: it.handles,
    ),
    _Number(
        GaugeMetricFamily,
        "glusterio_handles_open",
        "Files and directories that a brick may hold open for the session",
        lambda it: it.handles_open,
    ),
    _Number(
        GaugeMetricFamily,
        "glusterio_objects",
        "Gfid objects that are not closed",
        lambda it: it.objects,
    ),
    _Number(
        GaugeMetricFamily,
        "glusterio_inodes",
        "Files that the session knows of",
        lambda it: it.inodes,
    ),
    _Number(
        CounterMetricFamily,
        "glusterio_reconnects",
        "Connections to a brick that were made again",
        lambda it: it.reconnects,
    ),
    _Number(
        CounterMetricFamily,
        "glusterio_graph_switches",
        "Graphs that were exchanged for others",
        lambda it: it.graph_switches,
    ),
    _Number(
        CounterMetricFamily,
        "glusterio_untold_errors",
        "Errors of which no caller heard",
        lambda it: it.untold_errors,
    ),
)

#: Those that only sessions have which count.
_COUNTED: Final = (
    _Number(
        CounterMetricFamily,
        "glusterio_read_bytes",
        "Bytes that reads have brought",
        lambda it: it.bytes_read,
    ),
    _Number(
        CounterMetricFamily,
        "glusterio_written_bytes",
        "Bytes that writes have taken",
        lambda it: it.bytes_written,
    ),
)


class SessionCollector:
    """What a Prometheus registry asks for the metrics; made by :func:`register`."""

    def describe(self) -> Iterable[Any]:
        """Return the families without samples: a registry looks whether their names are free."""
        return _families(())

    def collect(self) -> Iterable[Any]:
        """Return the families with the numbers of all sessions, as they are now."""
        return _families(metrics.all())


def register(registry: Any = REGISTRY) -> SessionCollector:
    """Have a registry tell of all sessions of this process, from now on.

    Args:
        registry: a ``prometheus_client.CollectorRegistry``.

    Returns:
        What was registered, for the registry's ``unregister``.

    Raises:
        ValueError: the registry tells of them already.
    """
    collector = SessionCollector()
    registry.register(collector)
    return collector


def _families(sessions: Sequence[Metrics]) -> Iterator[Any]:
    counted = [each for each in sessions if each.counted]
    for number in _NUMBERS:
        yield _family(number, sessions)
    for number in _COUNTED:
        yield _family(number, counted)
    upcalls = CounterMetricFamily(
        "glusterio_upcalls", "What bricks have told unasked", labels=(*_SESSION, "kind")
    )
    for each in sessions:
        for kind, count in each.upcalls.items():
            upcalls.add_metric([*_labels(each), kind], count)
    yield upcalls
    yield from _operations(counted)


def _family(number: _Number, sessions: Sequence[Metrics]) -> Any:
    family = number.kind(number.name, number.what, labels=_SESSION)
    for each in sessions:
        family.add_metric(_labels(each), number.of(each))
    return family


def _operations(sessions: Sequence[Metrics]) -> Iterator[Any]:
    times = HistogramMetricFamily(
        "glusterio_operation_duration_seconds",
        "How long operations took, failed ones too",
        labels=(*_SESSION, "operation"),
    )
    errors = CounterMetricFamily(
        "glusterio_operation_errors",
        "Operations that failed",
        labels=(*_SESSION, "operation", "error"),
    )
    for each in sessions:
        for name, operation in each.operations.items():
            labels = [*_labels(each), name]
            so_far = map(float, accumulate(operation.buckets))
            times.add_metric(labels, list(zip(_BOUNDS, so_far, strict=True)), operation.seconds)
            for error, count in operation.errors.items():
                errors.add_metric([*labels, error], count)
    yield times
    yield errors


def _labels(session: Metrics) -> list[str]:
    return [session.volume, str(session.session)]
