"""Metrics: what a session has done and what it holds, as numbers, at one moment.

What a session knows anyway (calls, handles, connections made again) is always told. What has to be
counted on each call's way (:mod:`glusterio.api.counting`) is there with ``connect(metrics=True)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from glusterio.api import live

if TYPE_CHECKING:
    from glusterio.api.core import Core


#: The upper bounds of the histogram's buckets, in seconds; the last one, without a bound, comes on top.
#: A read of a brick nearby takes some 0.0001 s, one that waits for a disk 0.01 s.
BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
)  # fmt: skip

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class OperationMetrics(NamedTuple):
    """What has been counted of one operation.

    Attributes:
        buckets: how many calls took at most as long as each of :data:`BUCKETS`, in seconds, and longer
            than the bound before it; the last is of those that took longer still.
        seconds: how long all of them took, in seconds.
        errors: how many failed, by errno's name, or the error's where it has none; so cancelled ones.
    """

    buckets: tuple[int, ...]
    seconds: float
    errors: Mapping[str, int]

    @property
    def calls(self) -> int:
        """How many calls have ended, failed ones too."""
        return sum(self.buckets)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(self.errors.values())


class Metrics(NamedTuple):
    """A session's numbers, at one moment.

    Attributes:
        volume: the volume's name.
        session: the session's number in this process; its log has the same.
        state: ``active``, ``closed`` and so on.
        counted: whether ``operations`` and the bytes are counted: ``connect(metrics=True)``.
        operations: by name, as the report of a close names them.
        bytes_read: what the application's reads have brought.
        bytes_written: what its writes were told to be written.
        calls: calls that were admitted, from the beginning.
        calls_in_flight: calls that are under way.
        handles: files and directories that were opened, or were to be, from the beginning.
        handles_open: those that a brick may hold open for the session.
        objects: gfid objects that are not closed.
        inodes: files that the session knows of.
        reconnects: how often a brick's connection was made again.
        graph_switches: how often the graph was exchanged for another one.
        upcalls: what bricks have told unasked, by kind.
        untold_errors: errors of which no caller heard; they are in the log, and in the close's report.
    """

    volume: str
    session: int
    state: str
    counted: bool
    operations: Mapping[str, OperationMetrics] = _NOTHING
    bytes_read: int = 0
    bytes_written: int = 0
    calls: int = 0
    calls_in_flight: int = 0
    handles: int = 0
    handles_open: int = 0
    objects: int = 0
    inodes: int = 0
    reconnects: int = 0
    graph_switches: int = 0
    upcalls: Mapping[str, int] = _NOTHING
    untold_errors: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values, as JSON can hold them."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self._fields}
        told["upcalls"] = dict(self.upcalls)
        told["operations"] = {
            name: {
                "calls": each.calls,
                "seconds": each.seconds,
                "errors": dict(each.errors),
                "buckets": dict(zip([*map(str, BUCKETS), "inf"], each.buckets, strict=True)),
            }
            for name, each in self.operations.items()
        }
        return told


def metrics(core: Core) -> Metrics:
    """Return a session's numbers. From any thread, at any time; nothing waits for it."""
    session = core.session
    operations: dict[str, OperationMetrics] = {}
    read = written = 0
    if core.target.metrics:
        from glusterio.api.counting import READING, WRITING, CountedSession  # as few need

        assert isinstance(session, CountedSession)
        for name, operation in sorted(session.operations.copy().items()):
            buckets, seconds, size = operation.told()
            errors = operation.errors.copy()
            if any(buckets) or errors:
                operations[name] = OperationMetrics(buckets, seconds, errors)
            read += size if name in READING else 0
            written += size if name in WRITING else 0
    return Metrics(
        volume=session.name,
        session=core.log.number,
        state=session.state.name.lower(),
        counted=core.target.metrics,
        operations=operations,
        bytes_read=read,
        bytes_written=written,
        calls=session.calls_admitted,
        calls_in_flight=len(session.calls),
        handles=session.handles_reserved,
        handles_open=len(session.ledger),
        objects=len(core.pins.all()),
        inodes=len(core.inodes),
        reconnects=core.reconnects,
        graph_switches=core.switches,
        upcalls=core.upcalls.told.copy(),
        untold_errors=core.untold_errors,
    )


def all_sessions() -> list[Metrics]:
    """Return the numbers of every session of this process that has not ended."""
    return [metrics(session.core) for session in live.sessions()]
