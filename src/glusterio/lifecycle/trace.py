"""The trace: one record for each transition, written where the transition happens.

A record is made inside the lock that orders the transitions, after the state has changed; so a trace
is a true history, and a checker can replay it against the specification. When nobody listens, tracing
costs one test for ``None``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple, TextIO


class TraceRecord(NamedTuple):
    """One transition.

    Attributes:
        seq: position in the session's history, from 1.
        subject: ``"session"``, ``"call"`` or ``"handle"``.
        number: which handle or call; 0 for the session itself.
        event: the event's name, as in :mod:`glusterio.lifecycle.states`; ``ADMIT`` and ``LEAVE`` for
            calls, ``RESERVE`` for a handle's beginning.
        before: the state's name before (empty for calls).
        after: the state's name after (empty for calls).
        calls: admitted calls, after the step.
        handles: handles in the ledger, after the step.
        refs: references lent by the handle concerned, after the step.
    """

    seq: int
    subject: str
    number: int
    event: str
    before: str
    after: str
    calls: int
    handles: int
    refs: int = 0


#: Receives each record, under the session's lock: it must not block and must not call the session.
TraceHook = Callable[[TraceRecord], None]


def ndjson(stream: TextIO) -> TraceHook:
    """Return a hook that writes each record as one line of JSON.

    Args:
        stream: an open text file. The hook writes and flushes a line; closing the file is the owner's.
    """

    def write(record: TraceRecord) -> None:
        stream.write(json.dumps(record._asdict(), separators=(",", ":")) + "\n")
        stream.flush()

    return write
