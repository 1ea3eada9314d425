"""A trace hook to wait on: tests learn that something has happened by the session's own word."""

from __future__ import annotations

import threading
from collections.abc import Callable

from glusterio.lifecycle.trace import TraceRecord
from tests.api.drivers import PATIENCE


class Watch:
    """Pass it as ``trace``; it keeps every record, and lets a test wait for one."""

    def __init__(self) -> None:
        self.records: list[TraceRecord] = []
        self._changed = threading.Condition()

    def __call__(self, record: TraceRecord) -> None:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()

    def wait(self, event: str, count: int = 1) -> None:
        """Wait until the event was recorded so often."""
        self.wait_for(lambda: self.count(event) >= count, f"{count} times {event}")

    def wait_for(self, condition: Callable[[], bool], what: str = "a condition") -> None:
        """Wait until a condition on the records holds."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), (
                f"{what} never came; the last records: {self.records[-10:]}"
            )

    def count(self, event: str) -> int:
        """How often the event was recorded."""
        return sum(record.event == event for record in self.records)

    def events(self, subject: str) -> list[str]:
        """The events of all subjects of this kind, in order."""
        return [record.event for record in self.records if record.subject == subject]
